package metrics

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"
)

const (
	root     = "../.."
	runbooks = "https://github.com/roster-dev/roster/blob/main/docs/runbooks.md#"
)

var (
	quoted     = regexp.MustCompile(`"[^"]*"`)
	selector   = regexp.MustCompile(`\{[^}]*\}`)
	grouping   = regexp.MustCompile(`\b(by|without|on|ignoring)\s*\([^)]*\)`)
	duration   = regexp.MustCompile(`\[[^\]]*\]`)
	metricName = regexp.MustCompile(`\b[a-z][a-z0-9_]*\b`)
	// partOf are the suffixes of a histogram's series.
	partOf = regexp.MustCompile(`_(bucket|sum|count)$`)
	words  = sets.New("sum", "max", "min", "rate", "increase", "absent", "time", "and", "or", "unless", "by",
		"histogram_quantile", "min_over_time", "max_over_time")
)

func read(path string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(root, path))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// documented are the metrics in the tables of the reference.
func documented() sets.Set[string] {
	GinkgoHelper()
	found := sets.New[string]()
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:gauge|counter|histogram) \\|").
		FindAllStringSubmatch(read("docs/reference/metrics.md"), -1) {
		found.Insert(match[1])
	}
	return found
}

// inExpression are the metrics that PromQL names.
func inExpression(expression string) []string {
	for _, pattern := range []*regexp.Regexp{quoted, selector, grouping, duration} {
		expression = pattern.ReplaceAllString(expression, " ")
	}
	var found []string
	for _, name := range metricName.FindAllString(expression, -1) {
		if !words.Has(name) {
			found = append(found, name)
		}
	}
	return found
}

func expectDocumented(expression string) {
	GinkgoHelper()
	known := documented().Insert("up")
	names := inExpression(expression)
	Expect(names).NotTo(BeEmpty(), expression)
	for _, name := range names {
		Expect(known.Has(name) || known.Has(partOf.ReplaceAllString(name, ""))).To(BeTrue(), "%s in %s", name, expression)
	}
}

type alert struct {
	Alert       string            `json:"alert"`
	Expression  string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func alerts() []alert {
	GinkgoHelper()
	var manifest struct {
		Spec struct {
			Groups []struct {
				Rules []alert `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	Expect(yaml.Unmarshal([]byte(read("config/prometheus/rules.yaml")), &manifest)).To(Succeed())
	Expect(manifest.Spec.Groups).To(HaveLen(1))
	Expect(manifest.Spec.Groups[0].Rules).NotTo(BeEmpty())
	return manifest.Spec.Groups[0].Rules
}

var _ = Describe("The reference of metrics", func() {
	It("has all that the code declares, and no other of Roster's", func() {
		declared := sets.New[string]()
		for _, folder := range []string{"controllers", "internal"} {
			Expect(filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
					return err
				}
				content, err := os.ReadFile(path)
				for _, match := range regexp.MustCompile(`"(roster_[a-z_]+)"`).FindAllStringSubmatch(string(content), -1) {
					declared.Insert(match[1])
				}
				return err
			})).To(Succeed())
		}
		described := sets.New[string]()
		for name := range documented() {
			if strings.HasPrefix(name, "roster_") {
				described.Insert(name)
			}
		}
		Expect(sets.List(described)).To(Equal(sets.List(declared)))
	})
})

var _ = Describe("The alerts", func() {
	It("name only metrics that the reference has", func() {
		for _, alert := range alerts() {
			expectDocumented(alert.Expression)
		}
	})

	It("have each a severity, a summary, a description, and a section in the runbooks", func() {
		content := read("docs/runbooks.md")
		for _, alert := range alerts() {
			Expect(alert.Labels["severity"]).To(BeElementOf("critical", "warning"), alert.Alert)
			Expect(alert.Annotations).To(And(HaveKey("summary"), HaveKey("description")), alert.Alert)
			Expect(alert.Annotations["runbook_url"]).To(Equal(runbooks + strings.ToLower(alert.Alert)))
			Expect(content).To(ContainSubstring("\n## "+alert.Alert+"\n"), "the section that the anchor leads to")
			Expect(content).To(ContainSubstring("| [" + alert.Alert + "](#" + strings.ToLower(alert.Alert) + ") | " +
				alert.Labels["severity"] + " |"))
		}
		Expect(strings.Count(content, "\n## ")).To(Equal(len(alerts())), "sections of alerts that aren't there")
	})
})

var _ = Describe("The dashboard", func() {
	It("names only metrics that the reference has, and draws each panel", func() {
		var dashboard struct {
			Panels []struct {
				ID      int    `json:"id"`
				Type    string `json:"type"`
				Title   string `json:"title"`
				Targets []struct {
					Expression string `json:"expr"`
				} `json:"targets"`
			} `json:"panels"`
		}
		Expect(json.Unmarshal([]byte(read("config/prometheus/dashboard.json")), &dashboard)).To(Succeed())
		ids := sets.New[int]()
		for _, panel := range dashboard.Panels {
			Expect(ids.Has(panel.ID)).To(BeFalse(), "two panels with id %d", panel.ID)
			ids.Insert(panel.ID)
			if panel.Type != "row" {
				Expect(panel.Targets).NotTo(BeEmpty(), panel.Title)
			}
			for _, target := range panel.Targets {
				expectDocumented(target.Expression)
			}
		}
		Expect(dashboard.Panels).NotTo(BeEmpty())
	})
})
