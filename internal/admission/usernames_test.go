package admission

import (
	"reflect"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// turned ends with what turns the order of the letters around, and faded holds what nobody sees.
const (
	turned = "bo\u202e@pear.example"
	faded  = "bo\u200b@pear.example"
)

// look says what the rule about names says of a change.
func look(before, after client.Object) error {
	return (&review{change: change{before: before, after: after}}).refuseUnreadableNames()
}

func teamOf(members ...v1alpha1.Username) *v1alpha1.Team {
	return &v1alpha1.Team{Spec: v1alpha1.TeamSpec{Members: members}}
}

var _ = Describe("A name that can't be read", func() {
	DescribeTable("is refused, with its field, its value and the character",
		func(object client.Object, message string) {
			Expect(look(nil, object)).To(MatchError(message))
		},
		Entry("of an owner", &v1alpha1.Organization{Spec: v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{"ana", turned}}},
			`spec.owners[1]: username "bo\u202e@pear.example" holds U+202E, a bidirectional control character; remove it`),
		Entry("of a member", &v1alpha1.Membership{Spec: v1alpha1.MembershipSpec{User: "bo@pear.example "}},
			`spec.user: username "bo@pear.example " begins or ends with white space; write "bo@pear.example"`),
		Entry("of a team's member", teamOf("ana", "cy", "dora", "e\u0301mil"),
			`spec.members[3]: username "e\u0301mil" isn't in Unicode's normalization form C (NFC), by which names are compared; `+
				`write "\u00e9mil"`),
		Entry("of a team's group", &v1alpha1.Team{Spec: v1alpha1.TeamSpec{IdentityGroup: "oidc:designers\n"}},
			`spec.identityGroup: group "oidc:designers\n" holds U+000A, a control character; remove it`),
		Entry("of a user who is granted a role", &v1alpha1.RoleBinding{Spec: v1alpha1.RoleBindingSpec{Subjects: []v1alpha1.Subject{
			{Kind: v1alpha1.SubjectTeam, Name: "makers"}, {Kind: v1alpha1.SubjectUser, Name: faded}}}},
			`spec.subjects[1].name: username "bo\u200b@pear.example" holds U+200B, an invisible character; remove it`),
		Entry("of a group that is granted a role", &v1alpha1.RoleBinding{Spec: v1alpha1.RoleBindingSpec{Subjects: []v1alpha1.Subject{
			{Kind: v1alpha1.SubjectGroup, Name: "oidc:\x00"}}}},
			`spec.subjects[0].name: group "oidc:\x00" holds U+0000, a control character; remove it`),
		Entry("of who gets the report", &v1alpha1.Organization{Spec: v1alpha1.OrganizationSpec{
			Reports: v1alpha1.ReportPolicy{Recipients: []v1alpha1.MailAddress{faded}}}},
			`spec.reports.recipients[0]: address "bo\u200b@pear.example" holds U+200B, an invisible character; remove it`),
		Entry("that people call a project", &v1alpha1.Project{Spec: v1alpha1.ProjectSpec{DisplayName: "Shop\u202e"}},
			`spec.displayName: name "Shop\u202e" holds U+202E, a bidirectional control character; remove it`),
	)

	It("may stay where it was before, and come nowhere else", func() {
		Expect(look(teamOf(turned, "ana"), teamOf("ana", "cy", turned))).To(Succeed())
		Expect(look(teamOf(turned), teamOf("ana"))).To(Succeed())
		Expect(look(teamOf(turned), nil)).To(Succeed())
		Expect(look(teamOf(turned), teamOf(turned, faded))).To(MatchError(HavePrefix("spec.members[1]: ")))
		moved := &v1alpha1.Team{Spec: v1alpha1.TeamSpec{Maintainers: []v1alpha1.Username{turned}}}
		Expect(look(teamOf(turned), moved)).To(MatchError(HavePrefix("spec.maintainers[0]: ")))
	})

	It("is looked for wherever a kind holds a username, an address or a display name", func() {
		for kind, newObject := range newObjects {
			object := newObject()
			spec := reflect.ValueOf(object).Elem().FieldByName("Spec")
			wanted := fillIn(spec, "spec")
			var found []string
			for _, name := range namesIn(object) {
				if name.value != "" {
					found = append(found, name.field)
				}
			}
			Expect(found).To(ContainElements(wanted), kind)
		}
	})
})

// fillIn sets all names in a value, one entry in each list, and returns their fields.
func fillIn(value reflect.Value, field string) []string {
	isName := value.Type() == reflect.TypeFor[v1alpha1.Username]() || value.Type() == reflect.TypeFor[v1alpha1.MailAddress]()
	var fields []string
	switch {
	case isName, strings.HasSuffix(field, ".displayName"), strings.HasSuffix(field, ".email"):
		value.SetString("name")
		fields = []string{field}
	case value.Kind() == reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fields = fillIn(value.Index(0), field+"[]")
	case value.Kind() == reflect.Struct:
		for i := range value.NumField() {
			tag, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			fields = append(fields, fillIn(value.Field(i), field+"."+tag)...)
		}
	}
	return fields
}
