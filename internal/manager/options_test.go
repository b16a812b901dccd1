package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/spf13/pflag"
)

var _ = Describe("The options", func() {
	It("are in order without flags", func() {
		Expect(DefaultOptions().Validate()).To(Succeed())
	})

	DescribeTable("name what is out of bounds, and the remedy",
		func(argument, problem string) {
			options := DefaultOptions()
			flags := pflag.NewFlagSet("roster", pflag.ContinueOnError)
			options.AddFlags(flags)
			Expect(flags.Parse([]string{argument})).To(Succeed())
			Expect(options.Validate()).To(MatchError(problem))
		},
		Entry("a retention", "--leaver-retention=-1h",
			"--leaver-retention=-1h0m0s: choose a duration such as 720h, or 0s to keep nothing"),
		Entry("a bound", "--max-api-tokens=-5", "--max-api-tokens=-5: choose a number from 1, or 0 for no bound"),
	)

	DescribeTable("name the address that the webhook can't answer on, and the remedy",
		func(address, problem string) {
			options := DefaultOptions()
			options.WebhookAddress = address
			Expect(options.Validate()).To(MatchError(
				"--webhook-bind-address=" + address + ": " + problem + "; give HOST:PORT, such as 127.0.0.1:9443"))
		},
		Entry("no port", "localhost", "address localhost: missing port in address"),
		Entry("any port", "127.0.0.1:0", `port "0" is no number from 1 to 65535`),
		Entry("a name", ":https", `port "https" is no number from 1 to 65535`),
	)
})
