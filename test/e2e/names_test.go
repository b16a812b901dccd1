package e2e_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// legible is the organization in which names are written that can't be read.
const legible = "legible"

const (
	turnedAround = "bo\u202e@legible.example"
	notComposed  = "e\u0301mil@legible.example"
)

var nameAttempts = []attempt{
	{"an owner adds a space to a username", "owner@legible.example", creates,
		expectations.Membership(legible, "unseen", "bo@legible.example ", "viewer"),
		`spec.user: username "bo@legible.example " begins or ends with white space; write "bo@legible.example"`},
	{"an owner turns a username around", "owner@legible.example", creates,
		expectations.Membership(legible, "turned", turnedAround, "viewer"),
		`spec.user: username "bo\u202e@legible.example" holds U+202E, a bidirectional control character; remove it`},
	{"an owner names an owner with a line break", "owner@legible.example",
		merges(`{"spec": {"owners": ["owner@legible.example", "bo\n"]}}`), expectations.Organization(legible, ""),
		`spec.owners[1]: username "bo\n" holds U+000A, a control character; remove it`},
	{"an owner adds a zero-width space to a team's member", "owner@legible.example",
		merges(`{"spec": {"members": ["bo@legible.example", "b\u200bo@legible.example"]}}`),
		&v1alpha1.Team{ObjectMeta: expectations.InOrganization(legible, "makers")},
		`spec.members[1]: username "b\u200bo@legible.example" holds U+200B, an invisible character; remove it`},
	{"an owner writes a maintainer's accent apart", "owner@legible.example",
		merges(`{"spec": {"maintainers": ["e\u0301mil@legible.example"]}}`),
		&v1alpha1.Team{ObjectMeta: expectations.InOrganization(legible, "makers")},
		`spec.maintainers[0]: username "e\u0301mil@legible.example" isn't in Unicode's normalization form C (NFC), by which ` +
			`names are compared; write "\u00e9mil@legible.example"`},
	{"an administrator of the cluster makes a User with NUL in the name", "", creates,
		&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "nul"}, Spec: v1alpha1.UserSpec{Username: "bo\x00"}},
		`spec.username: username "bo\x00" holds U+0000, a control character; remove it`},
	{"an owner invites an address with a zero-width joiner", "owner@legible.example", creates, func() *v1alpha1.Membership {
		membership := expectations.Membership(legible, "unseen", "", "viewer")
		membership.Spec.Email = "b\u200do@legible.example"
		return membership
	}(), `spec.email: address "b\u200do@legible.example" holds U+200D, an invisible character; remove it`},
	{"an owner binds a group with a tab", "owner@legible.example", creates, &v1alpha1.RoleBinding{
		ObjectMeta: expectations.InOrganization(legible, "turned"), Spec: v1alpha1.RoleBindingSpec{
			Role: "viewer", OrganizationWide: true, Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "oidc:\tall"}},
		}}, `spec.subjects[0].name: group "oidc:\tall" holds U+0009, a control character; remove it`},
	{"an owner gives the organization a name of two lines", "owner@legible.example",
		merges(`{"spec": {"displayName": "Legible\nREADY"}}`), expectations.Organization(legible, ""),
		`spec.displayName: name "Legible\nREADY" holds U+000A, a control character; remove it`},
	{"an owner names a user in another script", "owner@legible.example", creates,
		expectations.Membership(legible, "other-script", "王小明@legible.example", "viewer"), ""},
}

var _ = Describe("The webhook asked for a name that can't be read", Ordered, ContinueOnFailure, func() {
	var acme account
	BeforeAll(func(ctx SpecContext) {
		acme = openAccount(ctx, legible)
		acme.team(ctx, "makers", v1alpha1.TeamSpec{})
	})

	attemptEach(nameAttempts)

	It("lets one that is there already be kept, and taken out, but not come anew", func(ctx SpecContext) {
		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(legible, "older"), Spec: v1alpha1.TeamSpec{
			Members: []v1alpha1.Username{turnedAround, "cy@legible.example"},
		}}
		membership := expectations.Membership(legible, "older", notComposed, "viewer")
		unasked.Create(ctx, team, membership)
		expect.Ready(ctx, team, membership)

		patch := func(object client.Object, patch string) error {
			return k8s.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
		}
		Expect(patch(team, `{"spec": {"members": ["cy@legible.example", "bo\u202e@legible.example", "dora@legible.example"]}}`)).To(Succeed())
		Expect(patch(team, `{"spec": {"maintainers": ["bo\u202e@legible.example"]}}`)).To(MatchError(ContainSubstring("spec.maintainers[0]: ")))
		Expect(patch(membership, `{"spec": {"roles": ["developer"]}}`)).To(Succeed())
		Expect(patch(team, `{"spec": {"members": ["cy@legible.example"]}}`)).To(Succeed())
		expect.Delete(ctx, team, membership)
		expect.Gone(ctx, team, membership)
	})

	It("takes 5,000 members, and finds the last one", func(ctx SpecContext) {
		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(legible, "large")}
		for i := range 5000 {
			team.Spec.Members = append(team.Spec.Members, v1alpha1.Username(fmt.Sprintf("member-%d@legible.example", i)))
		}
		Expect(k8s.Create(ctx, team.DeepCopy(), client.DryRunAll)).To(Succeed())
		team.Spec.Members[4999] = turnedAround
		Expect(k8s.Create(ctx, team, client.DryRunAll)).To(MatchError(ContainSubstring("spec.members[4999]: ")))
	})

	It("answers for every kind in roster-system, where the Roles of the catalogue alone are at home", func(ctx SpecContext) {
		meta := metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "stray"}
		subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bo"}
		for kind, stray := range map[string]client.Object{
			"Membership": &v1alpha1.Membership{ObjectMeta: meta, Spec: v1alpha1.MembershipSpec{User: "bo"}},
			"Team":       &v1alpha1.Team{ObjectMeta: meta},
			"Project":    &v1alpha1.Project{ObjectMeta: meta},
			"RoleBinding": &v1alpha1.RoleBinding{ObjectMeta: meta, Spec: v1alpha1.RoleBindingSpec{
				Role: "viewer", OrganizationWide: true, Subjects: []v1alpha1.Subject{subject}}},
			"JoinRequest": &v1alpha1.JoinRequest{ObjectMeta: meta, Spec: v1alpha1.JoinRequestSpec{
				Team: v1alpha1.ExternalTeam{Organization: legible, Name: "makers"}, Role: "viewer", OrganizationWide: true}},
			"APIToken": &v1alpha1.APIToken{ObjectMeta: meta, Spec: v1alpha1.APITokenSpec{
				Roles: roles("viewer"), OrganizationWide: true}},
		} {
			Expect(k8s.Create(ctx, stray, client.DryRunAll)).To(MatchError(HaveSuffix(`: metadata.namespace: "roster-system" isn't an `+
				"organization's, so a "+kind+" in it means nothing; make it in the namespace org-NAME of organization NAME")), kind)
		}
	})
})

var _ = Describe("The last time that can be written in UTC", func() {
	It("is in force, whatever its offset", func(ctx SpecContext) {
		acme := openAccount(ctx, "offset")
		acme.join(ctx, "bo", "member")
		shop := acme.project(ctx, "shop")
		far := manifest("RoleBinding", "far", `{role: viewer, projects: [shop],
			subjects: [{kind: User, name: bo@offset.example}], notBefore: "1970-01-01T23:59:00+23:59", expiresAt: "9999-12-31T00:00:59-23:59"}`)
		far.SetNamespace(acme.namespace())
		expect.Create(ctx, far)
		expect.Ready(ctx, &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(acme.Name, "far")})
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
	})
})
