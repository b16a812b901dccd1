package hack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestScripts(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Scripts")
}

// toolchain stands for Go: its govulncheck reports what the variable FOUND holds and ends with STATUS, and its indexdb writes
// a database and notes that in the file of builds.
const toolchain = `#!/bin/sh
case "$*" in
*.Version*) echo v1.2.3 ;;
*.Dir*) echo /module ;;
"tool "*indexdb*) while [ "$1" != -out ]; do shift; done; mkdir -p "$2"; echo build >> "$(dirname "$0")/builds" ;;
"tool "*govulncheck*) echo "$FOUND"; exit "$STATUS" ;;
esac
`

var _ = Describe("The check for known vulnerabilities", func() {
	const fixed = "Vulnerability #1: GO-1\n    Found in: a@v1\n    Fixed in: a@v2"
	const unfixed = "Vulnerability #2: GO-2\n    Found in: b@v1\n    Fixed in: N/A"

	var directory string
	check := func(found, status string) (string, error) {
		command := exec.Command(filepath.Join(directory, "hack", "vulnerabilities.sh"))
		command.Env = append(os.Environ(), "PATH="+directory+":"+os.Getenv("PATH"), "FOUND="+found, "STATUS="+status)
		output, err := command.CombinedOutput()
		return string(output), err
	}

	BeforeEach(func() {
		directory = GinkgoT().TempDir()
		script, err := os.ReadFile("vulnerabilities.sh")
		Expect(err).NotTo(HaveOccurred())
		Expect(os.Mkdir(filepath.Join(directory, "hack"), 0o755)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(directory, "hack", "vulnerabilities.sh"), script, 0o755)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(directory, "go"), []byte(toolchain), 0o755)).To(Succeed())
	})

	DescribeTable("lists what is called, and fails for what has a fix, or if nobody could look",
		func(found, status string, passes bool) {
			output, err := check(found, status)
			Expect(err == nil).To(Equal(passes), output)
			Expect(output).To(ContainSubstring(found))
		},
		Entry("nothing is called", "No vulnerabilities found.", "0", true),
		Entry("what is called has no fix", unfixed, "3", true),
		Entry("what is called has a fix", fixed, "3", false),
		Entry("one of two has a fix", fixed+"\n"+unfixed, "3", false),
		Entry("the code doesn't compile", "loading packages", "1", false),
		Entry("the output isn't understood", "Vulnerability #1: GO-1", "3", false),
	)

	It("builds the database once for each version", func() {
		for range 2 {
			_, err := check("", "0")
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(os.ReadFile(filepath.Join(directory, "builds"))).To(BeEquivalentTo("build\n"))
	})
})
