package commands_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/roster-dev/roster/cmd/kubectl-roster/commands"
)

var _ = Describe("import peribolos", func() {
	const configuration = `orgs:
  acme:
    admins: [ana]
    members: [bo]
    teams:
      Web Team: {members: [bo, eve], repos: {a: read, b: admin}}
`
	var folder, input, output string
	var standardOutput, standardError *bytes.Buffer

	// run runs the plugin and returns its exit status.
	run := func(arguments ...string) int {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		standardOutput, standardError = out, errOut
		return commands.Run(streams, append([]string{"import", "peribolos"}, arguments...))
	}
	write := func(content string) {
		GinkgoHelper()
		Expect(os.WriteFile(input, []byte(content), 0o600)).To(Succeed())
	}
	filesIn := func(folder string) map[string]string {
		GinkgoHelper()
		entries, err := os.ReadDir(folder)
		Expect(err).NotTo(HaveOccurred())
		files := map[string]string{}
		for _, entry := range entries {
			data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			Expect(err).NotTo(HaveOccurred())
			files[entry.Name()] = string(data)
		}
		return files
	}

	BeforeEach(func() {
		folder = GinkgoT().TempDir()
		input, output = filepath.Join(folder, "org.yaml"), filepath.Join(folder, "new", "manifests")
		write(configuration)
	})

	It("writes manifests on standard output and what can't be carried over on standard error, and succeeds", func() {
		Expect(run(input)).To(Equal(0))
		Expect(standardOutput.String()).To(HavePrefix("apiVersion: v1\nkind: Namespace\n"))
		Expect(strings.Split(standardOutput.String(), "---\n")).To(HaveLen(8))
		Expect(standardError.String()).To(Equal(
			input + `:6: team "Web Team" isn't a DNS label of at most 63 characters; it becomes "web-team"` + "\n" +
				input + `:6: team "Web Team": member "eve" isn't in the organization; it is left out` + "\n" +
				"organizations: 1, memberships: 1, projects: 2, teams: 1, role bindings: 2, not carried over as written: 2\n"))
	})

	It("writes one file a kind with -o, which together are what standard output gets", func() {
		Expect(run(input)).To(Equal(0))
		together := standardOutput.String()
		Expect(run(input, "-o", output)).To(Equal(0))
		Expect(standardOutput.String()).To(BeEmpty())
		files := filesIn(output)
		Expect(strings.Join([]string{
			files["00-namespaces.yaml"], files["10-organizations.yaml"], files["20-memberships.yaml"],
			files["30-projects.yaml"], files["40-teams.yaml"], files["50-rolebindings.yaml"],
		}, "---\n")).To(Equal(together))
		Expect(files).To(HaveLen(6))
	})

	It("removes the file of an earlier import that would give access which isn't there any more, and no other", func() {
		Expect(run(input, "-o", output)).To(Equal(0))
		Expect(os.WriteFile(filepath.Join(output, "own.yaml"), nil, 0o600)).To(Succeed())
		write("orgs: {acme: {admins: [ana], members: [bo], teams: {web: {members: [bo], repos: {a: read}}}}}")
		Expect(run(input, "-o", output)).To(Equal(0))
		Expect(filesIn(output)).NotTo(HaveKey("50-rolebindings.yaml"))
		Expect(filesIn(output)).To(HaveKey("own.yaml"))
	})

	It("names the organization as it is told", func() {
		Expect(run(input, "--organization", "other")).To(Equal(0))
		Expect(standardOutput.String()).To(ContainSubstring("kind: Organization\nmetadata:\n  name: other\n"))
	})

	DescribeTable("ends with status 2 and the line where the file isn't what it reads, and writes nothing",
		func(content, message string) {
			write(content)
			Expect(run(input, "-o", output)).To(Equal(2))
			Expect(standardError.String()).To(Equal("error: " + input + message + "\n"))
			Expect(output).NotTo(BeADirectory())
		},
		Entry("no YAML", "orgs:\n  acme: [\n",
			":2: not valid YAML: did not find expected node content"),
		Entry("not peribolos", "kind: ConfigMap\n",
			":1: not a peribolos configuration: expected the key orgs, or admins, members or teams, at the top of the file"),
		Entry("no admins", "orgs:\n  acme:\n    members: [bo]\n",
			`:2: organization "acme" has no admins, and an Organization has at least one owner; list somebody under admins`),
	)

	DescribeTable("ends with status 1 where it is called wrongly, with what to do",
		func(message string, arguments ...string) {
			Expect(run(arguments...)).To(Equal(1))
			Expect(standardOutput.String()).To(BeEmpty())
			Expect(standardError.String()).To(Equal("error: " + message + "\n"))
		},
		Entry("no path", "name at least one PATH: a file or a folder with a peribolos configuration"),
		Entry("a missing file", "stat missing.yaml: no such file or directory", "missing.yaml"),
		Entry("a name that isn't one", `--organization "Acme Inc": an organization's name is a DNS label of at most 40 `+
			`characters: lower-case letters, digits and '-', beginning and ending with a letter or digit`,
			"x.yaml", "--organization", "Acme Inc"),
	)

	It("ends with status 1 where it can't write", func() {
		Expect(run(input, "-o", input)).To(Equal(1))
		Expect(standardError.String()).To(ContainSubstring("not a directory"))
	})
})

var _ = Describe("The plugin", func() {
	It("shows its commands as kubectl's", func() {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		Expect(commands.Run(streams, []string{"import", "peribolos", "--help"})).To(Equal(0))
		Expect(out.String()).To(ContainSubstring("kubectl roster import peribolos PATH... [flags]"))
	})

	It("refuses a command that it doesn't have", func() {
		streams, _, _, errOut := genericiooptions.NewTestIOStreams()
		Expect(commands.Run(streams, []string{"imprt"})).To(Equal(1))
		Expect(errOut.String()).To(ContainSubstring(`unknown command "imprt" for "kubectl roster"`))
	})
})
