package peribolos_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/peribolos"
)

// importShared imports an organization of the shared test data, which may not be there. It lies beside the checkout
// unless the environment says where.
func importShared(path string) result {
	GinkgoHelper()
	folder := filepath.Join(cmp.Or(os.Getenv("ROSTER_SHARED_DATA"), filepath.Join("..", "..", "..", "shared", "data")), "peribolos")
	if _, err := os.Stat(filepath.Join(folder, path)); err != nil {
		Skip("the shared test data isn't there, set ROSTER_SHARED_DATA to its folder: " + err.Error())
	}
	return importPaths("", folder, filepath.Join(folder, path))
}

// seatsOf counts the members of all teams; maintainers are among them.
func seatsOf(imported result) int {
	seats := 0
	for _, team := range all[*v1alpha1.Team](imported) {
		seats += len(team.Spec.Members)
	}
	return seats
}

// grantsOf counts the projects that teams are granted, by themselves or by RoleBindings.
func grantsOf(imported result) int {
	grants := 0
	for _, team := range all[*v1alpha1.Team](imported) {
		grants += len(team.Spec.Projects)
	}
	for _, binding := range all[*v1alpha1.RoleBinding](imported) {
		grants += len(binding.Spec.Projects)
	}
	return grants
}

// expectWhole expects names that the API takes, each once, and that whatever is referred to is there.
func expectWhole(imported result) {
	GinkgoHelper()
	seen := sets.New[string]()
	for _, object := range imported.objects {
		key := strings.Join([]string{object.GetObjectKind().GroupVersionKind().Kind, object.GetNamespace(), object.GetName()}, "/")
		Expect(seen.Has(key)).To(BeFalse(), key)
		seen.Insert(key)
		Expect(validation.IsDNS1123Label(object.GetName())).To(BeEmpty(), key)
	}
	teams := sets.New(namesOf[*v1alpha1.Team](imported)...).Insert("")
	projects := sets.New(namesOf[*v1alpha1.Project](imported)...)
	for _, team := range all[*v1alpha1.Team](imported) {
		Expect(teams).To(HaveKey(string(team.Spec.Parent)))
		for _, project := range team.Spec.Projects {
			Expect(projects).To(HaveKey(string(project)))
		}
	}
	for _, binding := range all[*v1alpha1.RoleBinding](imported) {
		Expect(teams).To(HaveKey(binding.Spec.Subjects[0].Name))
		for _, project := range binding.Spec.Projects {
			Expect(projects).To(HaveKey(string(project)))
		}
	}
}

// depthOf returns how deep teams nest.
func depthOf(imported result) int {
	parents := map[string]string{}
	for _, team := range all[*v1alpha1.Team](imported) {
		parents[team.Name] = string(team.Spec.Parent)
	}
	deepest := 0
	for team := range parents {
		depth := 0
		for ; team != ""; team = parents[team] {
			depth++
		}
		deepest = max(deepest, depth)
	}
	return deepest
}

var _ = Describe("A real organization", func() {
	It("of 1,276 people in a folder is carried over whole", func() {
		imported := importShared("kubernetes")
		Expect(one[*v1alpha1.Organization](imported, "kubernetes").Spec.Owners).To(HaveLen(10))
		Expect(all[*v1alpha1.Membership](imported)).To(HaveLen(1266))
		Expect(all[*v1alpha1.Team](imported)).To(HaveLen(284))
		Expect(depthOf(imported)).To(Equal(3))
		Expect(seatsOf(imported)).To(Equal(1690))
		Expect(grantsOf(imported)).To(Equal(156))
		Expect(all[*v1alpha1.Project](imported)).To(HaveLen(78))
		Expect(all[*v1alpha1.RoleBinding](imported)).To(HaveLen(6), "three teams hold two roles each")
		expectWhole(imported)
		Expect(imported.problems).To(HaveExactElements(
			HavePrefix(`kubernetes/org.yaml:13: default_repository_permission "read" isn't carried over`),
			HavePrefix(`kubernetes/sig-k8s-infra/teams.yaml:2: team "k8s.io-admins"`),
			HavePrefix(`kubernetes/sig-k8s-infra/teams.yaml:13: repository "k8s.io"`),
			HavePrefix(`kubernetes/sig-k8s-infra/teams.yaml:63: team "registry.k8s.io-admins"`),
			HavePrefix(`kubernetes/sig-k8s-infra/teams.yaml:73: repository "registry.k8s.io"`),
			HavePrefix(`kubernetes/sig-k8s-infra/teams.yaml:74: team "registry.k8s.io-maintainers"`),
		))
	})

	It("in one file is carried over whole", func() {
		imported := importShared("knative.yaml")
		Expect(one[*v1alpha1.Organization](imported, "knative").Spec.Owners).To(HaveLen(10))
		Expect(all[*v1alpha1.Membership](imported)).To(HaveLen(63))
		Expect(all[*v1alpha1.Team](imported)).To(HaveLen(32))
		Expect(seatsOf(imported)).To(Equal(58))
		Expect(grantsOf(imported)).To(Equal(62))
		Expect(all[*v1alpha1.Project](imported)).To(HaveLen(29))
		expectWhole(imported)
		Expect(imported.problems).To(HaveLen(1+32+2), "one setting, all teams' names, two repositories' names")
	})

	It("gives the same bytes every time", func() {
		once, err := peribolos.Manifests(importShared("kubernetes").objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(peribolos.Manifests(importShared("kubernetes").objects)).To(Equal(once))
	})

	It("of our own invention is carried over without a word", func() {
		folder := filepath.Join("..", "..", "config", "samples")
		imported := importPaths("", folder, filepath.Join(folder, "peribolos", "organization.yaml"))
		Expect(all[*v1alpha1.Organization](imported)).To(HaveLen(1))
		Expect(all[*v1alpha1.Membership](imported)).To(HaveLen(10))
		Expect(all[*v1alpha1.Team](imported)).To(HaveLen(4))
		expectWhole(imported)
		Expect(imported.problems).To(BeEmpty())
	})
})
