package e2e_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// warnings are what kubectl would print.
type warnings struct{ said []string }

// HandleWarningHeader takes one of them.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.said = append(w.said, text) }

func describeSequences() {
	It("looks at what the author has only just written", func(ctx SpecContext) {
		as := clientFor(cluster.As(clerk))
		for round := range 20 {
			team := teamNamed(fmt.Sprintf("step-%d", round), v1alpha1.TeamSpec{Members: []v1alpha1.Username{clerk}})
			below := teamNamed(fmt.Sprintf("below-%d", round), v1alpha1.TeamSpec{Members: []v1alpha1.Username{clerk},
				Parent: v1alpha1.ObjectName(team.Name)})
			Expect(as.Create(ctx, team)).To(Succeed())
			Expect(as.Create(ctx, below)).To(Succeed())
			before := team.DeepCopy()
			team.Spec.Members, team.Spec.Parent = nil, "admins"
			Expect(as.Patch(ctx, team, client.MergeFrom(before))).To(MatchError(HaveSuffix(": " + takesBy(`parent team "admins"`,
				fmt.Sprintf("spec.parent: putting team %q below it", team.Name), "administrator", defended))))
		}
	})

	It("warns of a reference that may dangle", func(ctx SpecContext) {
		heard := &warnings{}
		config := cluster.As(ownerOfDefended)
		config.WarningHandler = heard
		Expect(clientFor(config).Create(ctx, teamNamed("hopeful", v1alpha1.TeamSpec{
			Role: "coming", Projects: objectNames("shop", "later"), Parent: "higher",
		}))).To(Succeed())
		Expect(heard.said).To(ConsistOf(`project "later", role "coming", team "higher": not there yet; nothing is granted by it ` +
			"until it is"))
	})

	It("lets a dangling reference come to life only by who may give it", func(ctx SpecContext) {
		clerks := clientFor(cluster.As(clerk))
		owners := clientFor(cluster.As(ownerOfDefended))
		Expect(owners.Create(ctx, teamNamed("prepared", v1alpha1.TeamSpec{
			Role: "administrator", Projects: objectNames("prepared"), Members: []v1alpha1.Username{maintainerOfTeam},
		}))).To(Succeed())
		Expect(clerks.Create(ctx, projectNamed("prepared"), client.DryRunAll)).To(MatchError(HaveSuffix(": " +
			takesBy(`team "prepared"`, `metadata.name: making project "prepared"`, "administrator", defended))))
		Expect(owners.Create(ctx, projectNamed("prepared"), client.DryRunAll)).To(Succeed())
	})

	It("asks again for a Role that is deleted and made anew under those who include it", func(ctx SpecContext) {
		for name, includes := range map[string][]v1alpha1.RoleName{"part": nil, "whole": roles("part")} {
			expect.Create(ctx, customRole(name, v1alpha1.RoleSpec{Includes: includes}))
		}
		expect.Create(ctx, membershipOf("walter", "walter@defended.example", "whole"))
		clerks := clientFor(cluster.As(clerk))
		Expect(clerks.Delete(ctx, customRole("part", v1alpha1.RoleSpec{}))).To(Succeed())
		expect.Gone(ctx, customRole("part", v1alpha1.RoleSpec{}))
		Expect(clerks.Create(ctx, customRole("part", v1alpha1.RoleSpec{Rules: rulesOn("", "pods", "get")}))).To(MatchError(HaveSuffix(": " +
			takesBy(`Membership "walter"`, `spec: letting role "whole" allow more`, "whole", defended))))
	})

	It("asks who makes an organization for those that wait for it as their parent", func(ctx SpecContext) {
		child := expectations.Organization("defended-orphan", "owner")
		child.Spec.Parent = "defended-missing"
		expect.Create(ctx, child)
		const founder = "founder@defended.example"
		giveInCluster(ctx, founder, rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"organizations"}, Verbs: []string{"create", "found"},
		})
		Eventually(func() error {
			return clientFor(cluster.As(founder)).Create(ctx, expectations.Organization("defended-missing", founder), client.DryRunAll)
		}).WithContext(ctx).Should(MatchError(HaveSuffix(": " + gains("owner", "defended-orphan",
			`user "founder@defended.example"`, "Organization defended-missing"))))
	})

	It("keeps organizations from being deeper than eight", func(ctx SpecContext) {
		parent := ""
		for depth := 1; depth <= v1alpha1.MaxOrganizationDepth; depth++ {
			organization := expectations.Organization(fmt.Sprintf("defended-deep-%d", depth), "owner")
			organization.Spec.Parent = parent
			expect.Create(ctx, organization)
			parent = organization.Name
		}
		ninth := expectations.Organization("defended-deep-9", "owner")
		ninth.Spec.Parent = parent
		Expect(k8s.Create(ctx, ninth)).To(MatchError(HaveSuffix(`: spec.parent: below "defended-deep-8" the organizations would be 9 ` +
			"deep, and may be 8; choose a parent further up")))
	})

	It("changes nothing by a dry run", func(ctx SpecContext) {
		membership := membershipOf("dry", "dry", "viewer")
		Expect(k8s.Create(ctx, membership, client.DryRunAll)).To(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(membership), &v1alpha1.Membership{})).To(MatchError(ContainSubstring("not found")))
		kept := membershipOf("dora", "")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(kept), kept)).To(Succeed())
		version := kept.ResourceVersion
		Expect(k8s.Delete(ctx, kept.DeepCopy(), client.DryRunAll)).To(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(kept), kept)).To(Succeed())
		Expect(kept.ResourceVersion).To(Equal(version))
	})

	It("touches no other kind", func(ctx SpecContext) {
		heard := namespaceNamed("defended-untouched", nil)
		heard.Annotations = map[string]string{"example.com/note": "ours"}
		Expect(k8s.Create(ctx, heard)).To(Succeed())
		Expect(heard.Annotations).To(Equal(map[string]string{"example.com/note": "ours"}))
		Expect(heard.DeletionTimestamp).To(Equal((*metav1.Time)(nil)))
	})
}
