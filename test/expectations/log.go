package expectations

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// logEnd is how many bytes of a log say what went wrong.
const logEnd = 8192

// ShowManagerLog adds the end of the manager's log, which is the file of that path, to the report of a spec that failed. To
// be called when the spec has ended.
func ShowManagerLog(path string) {
	GinkgoHelper()
	if !CurrentSpecReport().Failed() {
		return
	}
	content, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	AddReportEntry("the manager's log ends with", string(content[max(0, len(content)-logEnd):]))
}
