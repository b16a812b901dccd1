package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// orchard is the organization in which people try to give what they hold, or may write, and may not give.
const orchard = "orchard"

// The people of orchard, by what they hold there.
const (
	ownerOfOrchard = "owner@orchard.example"
	adminOfOrchard = "adm@orchard.example"
	maintainer     = "mt@orchard.example"
	otherMember    = "mem@orchard.example"
	loweredBelow   = "low@orchard.example"
	clerkOfOrchard = "clerk@orchard.example"
	teamKeeper     = "keeper@orchard.example"
	orchardsShop   = "orchard-shop"
	orchardBelow   = orchard + "-below"
)

// makeOrchard makes an organization with one below it, where an administrator of both is a viewer only.
func makeOrchard(ctx context.Context) account {
	GinkgoHelper()
	acme := openAccount(ctx, orchard)
	below := acme.below(ctx, orchardBelow)
	acme.role(ctx, "clerk", clerkWhoMayGiveViewer())
	acme.role(ctx, "payer", v1alpha1.RoleSpec{Includes: roles("viewer")})
	for name, role := range map[string]v1alpha1.RoleName{
		"adm": "administrator", "mt": "maintainer", "mem": "member", "low": "administrator", "clerk": "clerk", "keeper": "member",
	} {
		acme.join(ctx, name, role)
	}
	below.join(ctx, "low", "viewer")
	acme.project(ctx, "shop")
	below.project(ctx, "shop")
	inShop := objectNames("shop")
	acme.team(ctx, "idle", v1alpha1.TeamSpec{Members: acme.users("mem")})
	acme.team(ctx, "kept", v1alpha1.TeamSpec{Maintainers: acme.users("keeper"), Role: "developer", Projects: inShop})
	acme.team(ctx, "golden", v1alpha1.TeamSpec{Members: acme.users("mt"), Role: "administrator", ProjectSelector: matchingTier("gold")})
	acme.team(ctx, "everywhere", v1alpha1.TeamSpec{})
	acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
		Role: "administrator", OrganizationWide: true, Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "everywhere"}},
	})
	acme.bind(ctx, "narrow", v1alpha1.RoleBindingSpec{
		Role: "payer", Projects: inShop, Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "idle"}},
	})
	expect.Allowed(ctx, maintainer, "create teams.roster.dev", acme.namespace())
	expect.Allowed(ctx, clerkOfOrchard, asAdministrator, acme.namespace())
	expect.Allowed(ctx, loweredBelow, asAdministrator, acme.namespace())
	return acme
}

// clerkWhoMayGiveViewer is a Role that writes what gives roles, and may give viewer alone.
func clerkWhoMayGiveViewer() v1alpha1.RoleSpec {
	group := []string{v1alpha1.GroupVersion.Group}
	return v1alpha1.RoleSpec{Includes: roles("member"), OrganizationRules: []rbacv1.PolicyRule{
		{APIGroups: group, Resources: []string{"memberships", "rolebindings", "teams", "roles"},
			Verbs: []string{"create", "update", "patch", "delete"}},
		{APIGroups: group, Resources: []string{"roles"}, ResourceNames: []string{"viewer"}, Verbs: []string{"assign"}},
	}}
}

func matchingTier(tier string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"tier": tier}}
}

func orchardTeam(name string, spec v1alpha1.TeamSpec) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: expectations.InOrganization(orchard, name), Spec: spec}
}

func orchardBinding(spec v1alpha1.RoleBindingSpec) *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(orchard, "attempt"), Spec: spec}
}

func toUser(name string) []v1alpha1.Subject {
	return []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: name}}
}

// reaching is what somebody reads who may give a role in an organization and not in one below, which the grant reaches too.
func reaching(change, role, organization string) string {
	return fmt.Sprintf("%s takes the verb \"assign\" on role %q in organization %s, which this reaches too; ask an owner of orchard",
		change, role, organization)
}

var givesRole = func(role string) string { return takes("spec.role: giving it", role, orchard) }

// authorityAttempts are writes by people who hold a role, or may write objects, and may not give the role.
var authorityAttempts = []attempt{
	{"a maintainer makes a team with their own role that they maintain", maintainer, creates, orchardTeam("gift",
		v1alpha1.TeamSpec{Role: "maintainer", Projects: objectNames("shop"), Maintainers: []v1alpha1.Username{maintainer}}),
		givesRole("maintainer")},
	{"a maintainer makes a team with a weaker role that they maintain", maintainer, creates, orchardTeam("gift",
		v1alpha1.TeamSpec{Role: "developer", Projects: objectNames("shop"), Maintainers: []v1alpha1.Username{maintainer}}),
		givesRole("developer")},
	{"a maintainer makes a team with a role of the organization's own", maintainer, creates, orchardTeam("gift",
		v1alpha1.TeamSpec{Role: "payer", Projects: objectNames("shop"), Maintainers: []v1alpha1.Username{maintainer}}), givesRole("payer")},
	{"a maintainer makes a team with a role, and nobody in it", maintainer, creates, orchardTeam("gift",
		v1alpha1.TeamSpec{Role: "viewer", Projects: objectNames("shop")}), givesRole("viewer")},
	{"a maintainer makes a team for themself that reaches all projects", maintainer, creates, orchardTeam("kept-for-later",
		v1alpha1.TeamSpec{Role: "maintainer", AllProjects: true, Members: []v1alpha1.Username{maintainer}}), givesRole("maintainer")},
	{"a maintainer makes a team with a role, and no project", maintainer, creates, orchardTeam("gift",
		v1alpha1.TeamSpec{Role: "administrator", Members: []v1alpha1.Username{maintainer}}), givesRole("administrator")},
	{"a maintainer makes a team whose selector matches nothing yet", maintainer, creates, orchardTeam("later",
		v1alpha1.TeamSpec{Role: "administrator", Members: []v1alpha1.Username{maintainer}, ProjectSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "known", Operator: metav1.LabelSelectorOpDoesNotExist}},
		}}), givesRole("administrator")},
	{"a maintainer gives a role to a team without one", maintainer, merges(`{"spec": {"role": "viewer", "projects": ["shop"]}}`),
		orchardTeam("everywhere", v1alpha1.TeamSpec{}), givesRole("viewer")},
	{"a maintainer becomes the maintainer of a team with a role", maintainer, merges(`{"spec": {"maintainers": ["mt@orchard.example"]}}`),
		orchardTeam("kept", v1alpha1.TeamSpec{}), takes("spec.maintainers: adding mt@orchard.example", "developer", orchard)},
	{"a maintainer adds to a team that reaches no project now", maintainer,
		merges(`{"spec": {"members": ["mt@orchard.example", "mem@orchard.example"]}}`), orchardTeam("golden", v1alpha1.TeamSpec{}),
		takes("spec.members: adding mem@orchard.example", "administrator", orchard)},
	{"a maintainer puts a team below one that reaches no project now", maintainer, creates,
		orchardTeam("child", v1alpha1.TeamSpec{Parent: "golden", Members: []v1alpha1.Username{otherMember}}),
		takesBy(`parent team "golden"`, `spec.parent: putting team "child" below it`, "administrator", orchard)},
	{"a maintainer adds to a team that a RoleBinding names", maintainer,
		merges(`{"spec": {"members": ["mem@orchard.example", "mt@orchard.example"]}}`), orchardTeam("idle", v1alpha1.TeamSpec{}),
		takesBy(`RoleBinding "narrow" to team "idle"`, "spec.members: adding mt@orchard.example", "payer", orchard)},
	{"an administrator adds to a team that a RoleBinding gives a role of the organization's own", adminOfOrchard,
		merges(`{"spec": {"members": ["mem@orchard.example", "mt@orchard.example"]}}`), orchardTeam("idle", v1alpha1.TeamSpec{}),
		takesBy(`RoleBinding "narrow" to team "idle"`, "spec.members: adding mt@orchard.example", "payer", orchard)},
	{"an administrator binds an empty team to a role of the organization's own", adminOfOrchard, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "payer", Projects: objectNames("shop"),
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "everywhere"}}}), givesRole("payer")},
	{"a clerk binds somebody where a selector matches nothing yet", clerkOfOrchard, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "administrator", Subjects: toUser(otherMember), ProjectSelector: matchingTier("none")}),
		givesRole("administrator")},
	{"a clerk binds somebody for a time that is over", clerkOfOrchard, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "administrator", Subjects: toUser(otherMember), OrganizationWide: true,
			ExpiresAt: new(metav1.Date(2020, 1, 1, 0, 0, 0, 0, metav1.Now().Location()))}), givesRole("administrator")},
	{"a clerk writes a strong role into a suspended Membership", clerkOfOrchard, creates, func() *v1alpha1.Membership {
		membership := expectations.Membership(orchard, "later", "later@orchard.example", "administrator")
		membership.Spec.Suspended = true
		return membership
	}(), takes("spec.roles: giving it", "administrator", orchard)},
	{"a clerk gives the role that they may give", clerkOfOrchard, creates,
		expectations.Membership(orchard, "new", "new@orchard.example", "viewer"), ""},
	{"a maintainer makes a team without a role", maintainer, creates, orchardTeam("free",
		v1alpha1.TeamSpec{Members: []v1alpha1.Username{otherMember}, Maintainers: []v1alpha1.Username{maintainer}}), ""},
	{"a maintainer puts a team below one that carries nothing", maintainer, creates,
		orchardTeam("free", v1alpha1.TeamSpec{Parent: "kept-free", Members: []v1alpha1.Username{otherMember}}), ""},
	{"a maintainer takes somebody out of a team with a role", maintainer, merges(`{"spec": {"members": null}}`),
		orchardTeam("golden", v1alpha1.TeamSpec{}), ""},
	{"a maintainer takes the role out of a team", maintainer, merges(`{"spec": {"role": null, "projects": null}}`),
		orchardTeam("kept", v1alpha1.TeamSpec{}), ""},
	{"a team's maintainer adds to it, without holding its role", teamKeeper, merges(`{"spec": {"members": ["mem@orchard.example"]}}`),
		orchardTeam("kept", v1alpha1.TeamSpec{}), ""},
	{"a team's member labels a project so that the team's selector matches it", maintainer,
		merges(`{"metadata": {"labels": {"tier": "gold"}}}`), expectations.Project(orchard, "shop"),
		takesBy(`team "golden"`, `metadata.labels: labelling project "shop"`, "administrator", orchard)},
	{"a team's member makes a project that the team's selector matches", maintainer, creates, func() *v1alpha1.Project {
		project := expectations.Project(orchard, "nugget")
		project.Labels = map[string]string{"tier": "gold"}
		return project
	}(), takesBy(`team "golden"`, `metadata.labels: labelling project "nugget"`, "administrator", orchard)},
	{"an administrator labels a project so that a selector for a role that they may give matches it", adminOfOrchard,
		merges(`{"metadata": {"labels": {"tier": "gold"}}}`), expectations.Project(orchard, "shop"), ""},
	{"an administrator who is lowered below binds themself above, organization-wide", loweredBelow, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "administrator", OrganizationWide: true, Subjects: toUser(loweredBelow)}),
		reaching("spec.role: giving it", "administrator", orchardBelow)},
	{"an administrator who is lowered below binds a friend above, organization-wide", loweredBelow, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "developer", OrganizationWide: true, Subjects: toUser(otherMember)}),
		reaching("spec.role: giving it", "developer", orchardBelow)},
	{"an administrator who is lowered below joins a team that is bound organization-wide", loweredBelow,
		merges(`{"spec": {"members": ["low@orchard.example"]}}`), orchardTeam("everywhere", v1alpha1.TeamSpec{}),
		`spec.members: adding low@orchard.example takes the verb "assign" on role "administrator", which RoleBinding "wide" to team ` +
			`"everywhere" carries, in organization orchard-below, which this reaches too; ask an owner of orchard`},
	{"an administrator who is lowered below makes a friend an administrator above, who inherits that below", loweredBelow, creates,
		expectations.Membership(orchard, "friend", "friend@orchard.example", "administrator"),
		reaching("spec.roles: giving it", "administrator", orchardBelow)},
	{"an administrator who is lowered below binds somebody in the organization where they may", loweredBelow, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "developer", Projects: objectNames("shop"), Subjects: toUser(otherMember)}), ""},
	{"an administrator of both binds somebody organization-wide", adminOfOrchard, creates,
		orchardBinding(v1alpha1.RoleBindingSpec{Role: "developer", OrganizationWide: true, Subjects: toUser(otherMember)}), ""},
}

var _ = Describe("Whoever may not give a role", Ordered, ContinueOnFailure, func() {
	var acme account
	BeforeAll(func(ctx SpecContext) {
		acme = makeOrchard(ctx)
		acme.team(ctx, "kept-free", v1alpha1.TeamSpec{})
	})

	Context("is asked for it whoever gains: the API server", func() { attemptEach(authorityAttempts) })

	It("keeps nothing of a role that they held and lost, by what they wrote meanwhile", func(ctx SpecContext) {
		as := clientFor(cluster.As(maintainer))
		Expect(as.Create(ctx, orchardTeam("mine", v1alpha1.TeamSpec{Members: []v1alpha1.Username{maintainer}}))).To(Succeed())
		for _, patch := range []string{`{"spec": {"role": "maintainer", "allProjects": true}}`, `{"spec": {"parent": "kept"}}`} {
			err := as.Patch(ctx, orchardTeam("mine", v1alpha1.TeamSpec{}), client.RawPatch(types.MergePatchType, []byte(patch)))
			Expect(err).To(MatchError(ContainSubstring(`takes the verb "assign" on role`)))
		}
		lowered := expectations.Membership(orchard, "mt", maintainer)
		expectations.Change(ctx, expect, lowered, func(m *v1alpha1.Membership) { m.Spec.Roles = roles("member") })
		expect.Refused(ctx, maintainer, asDeveloper, orchardsShop)
		expect.Refused(ctx, maintainer, "create teams.roster.dev", acme.namespace())
		expectations.Change(ctx, expect, lowered, func(m *v1alpha1.Membership) { m.Spec.Roles = roles("maintainer") })
		expect.Allowed(ctx, maintainer, "create teams.roster.dev", acme.namespace())
	})

	It("completes no grant by taking projects away, or a label, before somebody puts it back", func(ctx SpecContext) {
		as := clientFor(cluster.As(maintainer))
		owner := clientFor(cluster.As(ownerOfOrchard))
		Expect(owner.Create(ctx, orchardTeam("upper", v1alpha1.TeamSpec{Role: "developer", Projects: objectNames("shop")}))).To(Succeed())
		empties := `{"spec": {"projects": null}}`
		Expect(as.Patch(ctx, orchardTeam("upper", v1alpha1.TeamSpec{}), client.RawPatch(types.MergePatchType, []byte(empties)))).To(Succeed())
		child := orchardTeam("lower", v1alpha1.TeamSpec{Parent: "upper", Members: []v1alpha1.Username{otherMember}})
		Expect(as.Create(ctx, child)).To(MatchError(HaveSuffix(": " +
			takesBy(`parent team "upper"`, `spec.parent: putting team "lower" below it`, "developer", orchard))))
		restores := `{"spec": {"projects": ["shop"]}}`
		Expect(as.Patch(ctx, orchardTeam("upper", v1alpha1.TeamSpec{}), client.RawPatch(types.MergePatchType, []byte(restores)))).
			To(MatchError(HaveSuffix(": " + takes("spec.projects: adding shop", "developer", orchard))))
		Expect(owner.Patch(ctx, orchardTeam("upper", v1alpha1.TeamSpec{}), client.RawPatch(types.MergePatchType, []byte(restores)))).
			To(Succeed())
		expect.Refused(ctx, otherMember, asDeveloper, orchardsShop)
	})

	It("is named in a warning to the owner who gives their team a role", func(ctx SpecContext) {
		Expect(clientFor(cluster.As(maintainer)).Create(ctx, orchardTeam("filled", v1alpha1.TeamSpec{
			Members: []v1alpha1.Username{otherMember}, Maintainers: []v1alpha1.Username{maintainer},
		}))).To(Succeed())
		heard := &warnings{}
		config := cluster.As(ownerOfOrchard)
		config.WarningHandler = heard
		Expect(clientFor(config).Patch(ctx, orchardTeam("filled", v1alpha1.TeamSpec{}),
			client.RawPatch(types.MergePatchType, []byte(`{"spec": {"role": "viewer"}}`)), client.DryRunAll)).To(Succeed())
		Expect(heard.said).To(ConsistOf(`spec.role: this gives role viewer to 1 member of team "filled" and the teams below it ` +
			"(mem@orchard.example), and to whomever these maintainers add: mt@orchard.example"))
	})

	It("makes no project again that a team is to reach by its name", func(ctx SpecContext) {
		as := clientFor(cluster.As(maintainer))
		gone := expectations.Project(orchard, "once")
		Expect(as.Create(ctx, gone.DeepCopy())).To(Succeed())
		acme.team(ctx, "waiting", v1alpha1.TeamSpec{Role: "administrator", Projects: objectNames("once"), Members: acme.users("mt")})
		Expect(as.Delete(ctx, gone.DeepCopy())).To(Succeed())
		expect.Gone(ctx, gone.DeepCopy())
		again := gone.DeepCopy()
		again.Spec.Namespaces = []v1alpha1.NamespaceName{"orchard-twice"}
		Expect(as.Create(ctx, again)).To(MatchError(HaveSuffix(": " +
			takesBy(`team "waiting"`, `metadata.name: making project "once"`, "administrator", orchard))))
	})

	It("adds nobody below a team that somebody deleted and somebody else will make again", func(ctx SpecContext) {
		as, owner := clientFor(cluster.As(maintainer)), clientFor(cluster.As(ownerOfOrchard))
		top := v1alpha1.TeamSpec{Role: "administrator", Projects: objectNames("shop"), Members: acme.users("owner")}
		expect.Create(ctx, orchardTeam("top", top), orchardTeam("mid", v1alpha1.TeamSpec{Parent: "top"}),
			orchardTeam("kid", v1alpha1.TeamSpec{Parent: "mid"}))
		for _, gone := range []string{"mid", "top"} {
			Expect(as.Delete(ctx, orchardTeam(gone, v1alpha1.TeamSpec{}))).To(Succeed())
			expect.Gone(ctx, orchardTeam(gone, v1alpha1.TeamSpec{}))
			for _, patch := range []string{
				`{"spec": {"members": ["mem@orchard.example"]}}`, `{"spec": {"maintainers": ["mt@orchard.example"]}}`,
			} {
				Expect(as.Patch(ctx, orchardTeam("kid", v1alpha1.TeamSpec{}), client.RawPatch(types.MergePatchType, []byte(patch)))).
					To(MatchError(ContainSubstring(`team "` + gone + `": not there, and could come to mean anything`)))
			}
			Expect(as.Create(ctx, orchardTeam("below-kid", v1alpha1.TeamSpec{Parent: "kid"}))).
				To(MatchError(ContainSubstring(`team "` + gone + `": not there, and could come to mean anything`)))
			made := map[string]v1alpha1.TeamSpec{"mid": {Parent: "top"}, "top": top}[gone]
			Expect(owner.Create(ctx, orchardTeam(gone, made))).To(Succeed())
		}
		expect.Refused(ctx, otherMember, asDeveloper, orchardsShop)
	})

	It("lets no Role reach further below than they may give it", func(ctx SpecContext) {
		acme.role(ctx, "helper", v1alpha1.RoleSpec{Includes: roles("viewer")})
		acme.role(ctx, "giver", v1alpha1.RoleSpec{OrganizationRules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"roles"}, ResourceNames: []string{"helper"},
			Verbs: []string{"assign"},
		}}})
		acme.bind(ctx, "helpers", v1alpha1.RoleBindingSpec{Role: "helper", OrganizationWide: true, Subjects: acme.people("low")})
		expectations.Change(ctx, expect, expectations.Membership(orchard, "low", loweredBelow), func(m *v1alpha1.Membership) {
			m.Spec.Roles = roles("administrator", "giver")
		})
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"includes": ["administrator"]}}`))
		helper := &v1alpha1.Role{ObjectMeta: expectations.InOrganization(orchard, "helper")}
		Eventually(func() error {
			return clientFor(cluster.As(loweredBelow)).Patch(ctx, helper.DeepCopy(), patch)
		}).WithContext(ctx).Should(MatchError(HaveSuffix(": " + `spec: letting role "helper" allow more takes the verb "assign" on role ` +
			`"helper", which RoleBinding "helpers" carries, in organization orchard-below, which this reaches too; ask an owner of ` +
			"orchard")))
		expect.Refused(ctx, loweredBelow, asAdministrator, v1alpha1.OrganizationNamespace(orchardBelow))
	})

	It("widens no Role that one above hides, and that comes to count when that one goes", func(ctx SpecContext) {
		below := account{domain: acme.domain, Organization: expectations.Organization(orchardBelow, "")}
		below.role(ctx, "writer", v1alpha1.RoleSpec{Includes: roles("maintainer"), OrganizationRules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"roles"}, Verbs: []string{"create", "update", "patch"},
		}}})
		below.role(ctx, "hidden", v1alpha1.RoleSpec{Includes: roles("viewer")})
		below.join(ctx, "writer", "writer")
		below.join(ctx, "holder", "hidden")
		acme.role(ctx, "hidden", v1alpha1.RoleSpec{Includes: roles("viewer")})
		widens := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"includes": ["maintainer"]}}`))
		role := &v1alpha1.Role{ObjectMeta: expectations.InOrganization(orchardBelow, "hidden")}
		Eventually(func() error {
			return clientFor(cluster.As(acme.user("writer"))).Patch(ctx, role.DeepCopy(), widens, client.DryRunAll)
		}).WithContext(ctx).Should(MatchError(HaveSuffix(": " + takesBy(`Membership "holder"`,
			`spec: letting role "hidden" allow more`, "hidden", orchardBelow))))
	})

	It("is suspended by an administrator though they are to hold very many roles later", func(ctx SpecContext) {
		acme.join(ctx, "rota", "member")
		for shift := range 40 {
			begin := metav1.Date(2099, 1, 1, 0, 0, shift, 0, time.UTC)
			expect.Create(ctx, &v1alpha1.RoleBinding{
				ObjectMeta: expectations.InOrganization(orchard, fmt.Sprintf("shift-%d", shift)),
				Spec:       v1alpha1.RoleBindingSpec{Role: "payer", Projects: objectNames("shop"), NotBefore: &begin, Subjects: acme.people("rota")},
			})
		}
		as := clientFor(cluster.As(adminOfOrchard))
		for _, patch := range []string{`{"spec": {"displayName": "Rota"}}`, `{"spec": {"suspended": true}}`} {
			Expect(as.Patch(ctx, expectations.Membership(orchard, "rota", ""), client.RawPatch(types.MergePatchType, []byte(patch)))).
				To(Succeed())
		}
		Expect(as.Patch(ctx, expectations.Membership(orchard, "rota", ""),
			client.RawPatch(types.MergePatchType, []byte(`{"spec": {"suspended": false}}`)))).To(MatchError(ContainSubstring(
			`this would newly grant role "payer" in organization orchard to user "rota@orchard.example" (by RoleBinding shift-`)))
		Expect(as.Delete(ctx, expectations.Membership(orchard, "rota", ""))).To(Succeed())
	})

	It("makes no team again that others are below, or that a RoleBinding names", func(ctx SpecContext) {
		as := clientFor(cluster.As(maintainer))
		Expect(as.Create(ctx, orchardTeam("bridge", v1alpha1.TeamSpec{}))).To(Succeed())
		Expect(as.Create(ctx, orchardTeam("bank", v1alpha1.TeamSpec{Parent: "bridge", Members: []v1alpha1.Username{otherMember}}))).
			To(Succeed())
		Expect(as.Delete(ctx, orchardTeam("bridge", v1alpha1.TeamSpec{}))).To(Succeed())
		expect.Gone(ctx, orchardTeam("bridge", v1alpha1.TeamSpec{}))
		expect.Create(ctx, &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(orchard, "toll"), Spec: v1alpha1.RoleBindingSpec{
			Role: "developer", Projects: objectNames("shop"), Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "bridge"}},
		}})
		Eventually(func() error { return as.Create(ctx, orchardTeam("bridge", v1alpha1.TeamSpec{})) }).WithContext(ctx).
			Should(MatchError(HaveSuffix(": " + takesBy(`RoleBinding "toll" to team "bridge"`, `metadata.name: making team "bridge"`,
				"developer", orchard))))
		Expect(as.Create(ctx, orchardTeam("bridge", v1alpha1.TeamSpec{Parent: "golden"}))).To(MatchError(
			ContainSubstring(`spec.parent: putting team "bridge" below it takes the verb "assign" on role "administrator"`)))
		expect.Refused(ctx, otherMember, asDeveloper, orchardsShop)
	})
})
