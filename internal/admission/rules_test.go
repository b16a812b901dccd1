package admission

import (
	"net/http"
	"os"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// written are the first groups of all matches in a file.
func written(path, pattern string) []string {
	GinkgoHelper()
	content, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(content), -1) {
		found = append(found, match[1])
	}
	return found
}

func entries() []TableEntry {
	var all []TableEntry
	for _, rule := range rules {
		all = append(all, Entry(nil, rule))
	}
	return all
}

var _ = Describe("The rules by which refusals are counted", func() {
	It("are all listed, once each", func() {
		var listed []string
		for _, rule := range rules {
			listed = append(listed, string(rule))
		}
		Expect(listed).To(ConsistOf(written("rules.go", `rule = "([a-z-]+)"`)))
	})

	DescribeTable("are in the reference, with what each refuses",
		func(rule rule) {
			Expect(written("../../docs/reference/metrics.md", "(?m)^\\| `([a-z-]+)` \\| .+\\|$")).To(ContainElement(string(rule)))
		},
		func(rule rule) string { return string(rule) },
		entries(),
	)

	It("are counters from the start", func() {
		Expect(testutil.CollectAndCount(refusals)).To(Equal(len(rules)))
	})
})

var _ = Describe("What a refusal says", func() {
	It("is its message and not its rule, by which it is counted", func() {
		err := invalid(ruleTooDeep, "spec.parent: %q is too deep", "acme")
		Expect(err).To(MatchError(`spec.parent: "acme" is too deep`))
		Expect(err).To(Equal(refusal{ruleTooDeep, metav1.StatusReasonInvalid, err.Error()}))
		Expect(forbidden(ruleMayNotAssign, "no")).To(Equal(refusal{ruleMayNotAssign, metav1.StatusReasonForbidden, "no"}))
	})

	It("counts an error that keeps it from deciding", func() {
		before := testutil.ToFloat64(undecided)
		Expect(failed(os.ErrDeadlineExceeded).Result.Code).To(BeEquivalentTo(http.StatusInternalServerError))
		Expect(testutil.ToFloat64(undecided)).To(Equal(before + 1))
	})
})
