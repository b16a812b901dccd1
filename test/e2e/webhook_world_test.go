package e2e_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// defended is the organization in which the attempts to gain access are made.
const defended = "defended"

// Who attempts. The clerk writes everything in the organization and may give nothing.
const (
	ownerOfDefended  = "owner@defended.example"
	administrator    = "bo@defended.example"
	clerk            = "clara@defended.example"
	maintainerOfTeam = "gita@defended.example"
	developer        = "dora@defended.example"
	ownerOfOther     = "owner@defended-other.example"
)

// makeDefended makes the organization and all that is attempted on.
func makeDefended(ctx context.Context) {
	GinkgoHelper()
	acme := openAccount(ctx, defended)
	below := acme.below(ctx, defended+"-below")
	other := openAccount(ctx, defended+"-other")
	other.project(ctx, "shop")
	secured := openAccount(ctx, defended+"-secured")
	enrollOwner(ctx, secured)
	secured.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })

	made(ctx, writingRole("clerk"))
	acme.role(ctx, "deployer", v1alpha1.RoleSpec{Includes: roles("viewer"), Rules: []rbacv1.PolicyRule{readsConfigMaps}})
	readsSecrets := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}
	acme.role(ctx, "keyholder", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{readsSecrets}})
	expect.Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "defended-keyholder"}, Rules: []rbacv1.PolicyRule{readsSecrets},
	})
	for name, role := range map[string]v1alpha1.RoleName{
		"bo": "administrator", "clara": "clerk", "dora": "developer", "emil": "deployer", "gita": "member", "vera": "administrator",
	} {
		acme.join(ctx, name, role)
	}
	below.join(ctx, "vera", "viewer")
	for _, name := range []string{"fay", "vale"} {
		acme.join(ctx, name, map[string]v1alpha1.RoleName{"fay": "developer", "vale": "administrator"}[name])
	}
	below.join(ctx, "fay", "member")
	below.join(ctx, "vale", "clerk")
	invited := expectations.Membership(defended, "ines", acme.user("ines"), "administrator")
	invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
	expect.Create(ctx, invited)
	expect.Create(ctx, &v1alpha1.User{ObjectMeta: named("defended-ghost"), Spec: v1alpha1.UserSpec{Username: "ghost", Deactivated: true}})
	suspended := expectations.Membership(defended, "sam", acme.user("sam"), "administrator")
	suspended.Spec.Suspended = true
	expect.Create(ctx, suspended)
	acme.project(ctx, "shop")
	acme.project(ctx, "site")
	makeDefendedTeams(ctx, acme)
	ends := metav1.NewTime(time.Now().Add(time.Hour))
	acme.bind(ctx, "soon-over", v1alpha1.RoleBindingSpec{
		Role: "developer", Subjects: acme.people("gita"), OrganizationWide: true, ExpiresAt: &ends,
	})
	for _, name := range []string{"defended-stranger", "org-defended-taken"} {
		expect.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	expect.Allowed(ctx, clerk, "update teams.roster.dev", acme.namespace())
	expect.Allowed(ctx, administrator, "create roles.roster.dev", acme.namespace())
}

func makeDefendedTeams(ctx context.Context, acme account) {
	GinkgoHelper()
	inShop := objectNames("shop")
	acme.team(ctx, "admins", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "administrator", Projects: inShop})
	acme.team(ctx, "makers", v1alpha1.TeamSpec{
		Members: acme.users("dora"), Maintainers: acme.users("gita"), Role: "developer", Projects: inShop,
	})
	acme.team(ctx, "readers", v1alpha1.TeamSpec{Members: acme.users("gita"), Role: "viewer", Projects: inShop})
	acme.team(ctx, "idle", v1alpha1.TeamSpec{Members: acme.users("gita")})
	acme.team(ctx, "golden", v1alpha1.TeamSpec{
		Members: acme.users("gita"), Role: "administrator",
		ProjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}},
	})
	acme.team(ctx, "reached", v1alpha1.TeamSpec{})
	acme.bind(ctx, "reaching-down", v1alpha1.RoleBindingSpec{
		Role: "developer", OrganizationWide: true, Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "reached"}},
	})
	acme.team(ctx, "upper", v1alpha1.TeamSpec{})
	acme.team(ctx, "lower", v1alpha1.TeamSpec{Parent: "upper"})
}

// writingRole writes everything in an organization's namespace and holds no verb of Roster's own.
func writingRole(name string) *v1alpha1.Role {
	return &v1alpha1.Role{
		ObjectMeta: expectations.InOrganization(defended, name),
		Spec: v1alpha1.RoleSpec{
			Includes: roles("viewer"),
			OrganizationRules: []rbacv1.PolicyRule{{
				APIGroups: []string{v1alpha1.GroupVersion.Group},
				Resources: []string{"memberships", "teams", "projects", "roles", "rolebindings"},
				Verbs:     []string{"create", "update", "patch", "delete"},
			}},
		},
	}
}

var readsConfigMaps = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}

// enrollOwner gives the owner of an organization a second factor.
func enrollOwner(ctx context.Context, acme account) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var users v1alpha1.UserList
		g.Expect(k8s.List(ctx, &users)).To(Succeed())
		found := false
		for i := range users.Items {
			if string(users.Items[i].Spec.Username) == acme.user("owner") {
				found = true
				users.Items[i].Spec.MFA.Enrolled = true
				g.Expect(k8s.Update(ctx, &users.Items[i])).To(Succeed())
			}
		}
		g.Expect(found).To(BeTrue(), "the owner's User")
	}).WithContext(ctx).Should(Succeed())
}

var _ = Describe("The webhook", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) { makeDefended(ctx) })

	Context("asked for a Membership", func() { attemptEach(membershipAttempts) })
	Context("asked for a Team", func() { attemptEach(gainingTeamAttempts) })
	Context("asked for a RoleBinding", func() { attemptEach(roleBindingAttempts) })
	Context("asked for a Project", func() { attemptEach(projectAttempts) })
	Context("asked for a Role", func() { attemptEach(roleAttempts) })
	Context("asked for an Organization", func() { attemptEach(organizationAttempts) })
	Context("asked for a User", func() { attemptEach(userAttempts()) })
	describeSequences()
})
