package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
)

func TestTestCount(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Count of the tests")
}

var _ = Describe("The count of the tests", func() {
	It("adds up the specs of all suites, and counts no setup", func() {
		specs := types.SpecReports{
			{LeafNodeType: types.NodeTypeBeforeSuite, State: types.SpecStatePassed},
			{LeafNodeType: types.NodeTypeIt, State: types.SpecStatePassed},
			{LeafNodeType: types.NodeTypeIt, State: types.SpecStatePanicked},
			{LeafNodeType: types.NodeTypeIt, State: types.SpecStateSkipped},
		}
		content, err := json.Marshal([]types.Report{{SpecReports: specs, RunTime: time.Second}, {SpecReports: specs, RunTime: time.Minute}})
		Expect(err).NotTo(HaveOccurred())
		path := filepath.Join(GinkgoT().TempDir(), "report.json")
		Expect(os.WriteFile(path, content, 0o600)).To(Succeed())

		var output bytes.Buffer
		Expect(run([]string{path}, &output)).To(Succeed())
		Expect(output.String()).To(Equal("4 tests ran in 2 suites: 2 passed, 2 failed, 2 skipped (1m1s)\n"))
	})

	It("says that the tests must run first", func() {
		Expect(run([]string{"missing.json"}, &bytes.Buffer{})).To(MatchError(ContainSubstring("run the tests first")))
	})
})
