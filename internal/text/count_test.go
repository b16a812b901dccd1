package text_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/internal/text"
)

var _ = DescribeTable("Count", func(number int, expected string) {
	Expect(text.Count(number, "member")).To(Equal(expected))
},
	Entry("writes none", 0, "0 members"),
	Entry("writes one", 1, "1 member"),
	Entry("writes many", 12, "12 members"),
)
