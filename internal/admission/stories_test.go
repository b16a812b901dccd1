package admission_test

import (
	"reflect"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// tried is a story that was tried on a cluster: what people did, in the order in which the webhook was asked.
type tried struct {
	what  string
	steps []step
}

var (
	gold    = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
	unknown = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "known", Operator: metav1.LabelSelectorOpDoesNotExist},
	}}
	shop = []v1alpha1.ObjectName{"shop"}
)

// commits is a step: of those that wait, the one that was asked for first is written.
var commits = step{commits: true}

// writes is a step: somebody asks for an object, and it is written at once.
func writes(author string, object client.Object) step {
	return step{author: author, object: object, edits: []func(client.Object){func(current client.Object) {
		current.SetLabels(object.GetLabels())
		reflect.ValueOf(current).Elem().FieldByName("Spec").Set(reflect.ValueOf(object).Elem().FieldByName("Spec"))
	}}}
}

// asks is a step: the same, but for being written later.
func asks(author string, object client.Object) step {
	asking := writes(author, object)
	asking.waits = true
	return asking
}

func deletes(author string, object client.Object) step {
	return step{author: author, object: object, deletes: true}
}

func people(names ...string) []v1alpha1.Username {
	var users []v1alpha1.Username
	for _, name := range names {
		users = append(users, v1alpha1.Username(name))
	}
	return users
}

func gift(spec v1alpha1.TeamSpec) client.Object { return team("umbra", "gift", spec) }

func more(role v1alpha1.RoleName, subject, name string, scope v1alpha1.RoleBindingSpec) client.Object {
	scope.Role, scope.Subjects = role, []v1alpha1.Subject{{Kind: v1alpha1.SubjectKind(subject), Name: name}}
	return roleBinding("umbra", "more", scope)
}

func duplicate(name string, roles ...v1alpha1.RoleName) client.Object {
	object := membership("umbra", "dee", roles...)
	object.Name = name
	return object
}

// delegation is by a maintainer, who makes a team to fill it as its maintainer.
func delegation(role v1alpha1.RoleName) tried {
	spec := v1alpha1.TeamSpec{Role: role, Projects: shop, Maintainers: people(maintainer)}
	filled := spec
	filled.Members = people(plain)
	return tried{"a maintainer who holds " + string(role) + " makes a team with it that they maintain, and fills it", []step{
		writes(owner, membership("umbra", maintainer, "maintainer", role)), writes(maintainer, gift(spec)),
		writes(maintainer, gift(filled)),
	}}
}

var triedStories = []tried{
	delegation("editor"), delegation("developer"), delegation(keeper),
	{"a maintainer names a maintainer of a team that has a role, who fills it", []step{
		writes(owner, membership("umbra", captain, keeper)), writes(owner, gift(v1alpha1.TeamSpec{Role: keeper, Projects: shop})),
		writes(maintainer, gift(v1alpha1.TeamSpec{Role: keeper, Projects: shop, Maintainers: people(captain)})),
		writes(captain, gift(v1alpha1.TeamSpec{Role: keeper, Projects: shop, Maintainers: people(captain), Members: people(plain)})),
	}},
	{"a maintainer makes a team that gives what they hold, and is demoted", []step{
		writes(maintainer, gift(v1alpha1.TeamSpec{Role: "maintainer", AllProjects: true, Members: people(maintainer)})),
		writes(owner, membership("umbra", maintainer, "member")),
	}},
	{"a clerk binds who holds a role already, who is demoted", []step{
		writes(clerk, more("maintainer", "User", maintainer, v1alpha1.RoleBindingSpec{Projects: shop})),
		writes(owner, membership("umbra", maintainer, "member")),
	}},
	{"a maintainer labels a project for a team that gives what they hold, and is demoted", []step{
		writes(owner, gift(v1alpha1.TeamSpec{Role: "maintainer", ProjectSelector: gold, Members: people(maintainer)})),
		writes(maintainer, project("umbra", "till", "gold")),
		writes(owner, membership("umbra", maintainer, "member")),
	}},
	{"a selector waits for a label that an owner sets", []step{
		writes(owner, project("umbra", "shop", "")),
		writes(maintainer, gift(v1alpha1.TeamSpec{Role: "administrator", ProjectSelector: gold, Members: people(maintainer)})),
		writes(owner, project("umbra", "shop", "gold")),
	}},
	{"a selector of projects without a label waits for a new project", []step{
		deletes(owner, project("umbra", "shop", "")), deletes(owner, project("umbra", "till", "")),
		writes(maintainer, gift(v1alpha1.TeamSpec{Role: "administrator", ProjectSelector: unknown, Members: people(maintainer)})),
		writes(owner, project("umbra", "shop", "")),
	}},
	{"a label that a maintainer takes off is put back by the pipeline", []step{
		writes(maintainer, project("umbra", "shop", "")),
		writes(maintainer, gift(v1alpha1.TeamSpec{Role: "administrator", ProjectSelector: gold, Members: people(maintainer)})),
		writes(pipeline, project("umbra", "shop", "gold")),
	}},
	{"a team whose projects a maintainer empties gets them back, with a team below", []step{
		writes(maintainer, team("umbra", "makers", v1alpha1.TeamSpec{Role: "developer", Maintainers: people(captain)})),
		writes(maintainer, gift(v1alpha1.TeamSpec{Parent: "makers", Members: people(second)})),
		writes(pipeline, team("umbra", "makers", v1alpha1.TeamSpec{
			Role: "developer", Projects: shop, Maintainers: people(captain),
		})),
	}},
	{"a project that is deleted and made again", []step{
		writes(maintainer, project("umbra", "till", "gold")), deletes(maintainer, project("umbra", "shop", "")),
		writes(maintainer, project("umbra", "till", "")),
		writes(maintainer, gift(v1alpha1.TeamSpec{Role: "administrator", ProjectSelector: gold, Members: people(maintainer)})),
		writes(pipeline, project("umbra", "shop", "gold")),
	}},
	{"a member of a team whose project is deleted and made again", []step{
		deletes(maintainer, project("umbra", "shop", "")),
		writes(maintainer, team("umbra", "makers", v1alpha1.TeamSpec{
			Role: "developer", Projects: shop, Maintainers: people(captain), Members: people(plain),
		})),
		writes(pipeline, project("umbra", "shop", "gold")),
	}},
	{"a RoleBinding whose selector matches nothing", []step{
		writes(owner, project("umbra", "shop", "")),
		writes(clerk, more("administrator", "User", clerk, v1alpha1.RoleBindingSpec{ProjectSelector: gold})),
		writes(owner, project("umbra", "shop", "gold")),
	}},
	{"a RoleBinding for a team without members, which an owner fills", []step{
		writes(clerk, more("administrator", "Team", "kids", v1alpha1.RoleBindingSpec{Projects: shop})),
		writes(owner, team("umbra", "kids", v1alpha1.TeamSpec{Members: people(clerk)})),
	}},
	{"a Role that an administrator widens before a RoleBinding of it begins", []step{
		writes(owner, more("helper", "User", administrator, v1alpha1.RoleBindingSpec{Projects: shop, NotBefore: tomorrow})),
		writes(administrator, role("umbra", "helper", v1alpha1.RoleSpec{Includes: []v1alpha1.RoleName{"developer"}})),
	}},
	{"a selector and the label that it asks for at once", []step{
		writes(owner, project("umbra", "shop", "")),
		asks(maintainer, gift(v1alpha1.TeamSpec{Role: "administrator", ProjectSelector: gold, Members: people(maintainer)})),
		asks(second, project("umbra", "shop", "gold")), commits, commits,
	}},
	{"a team and a project at once", []step{
		writes(owner, project("umbra", "shop", "")), deletes(owner, project("umbra", "till", "")),
		asks(maintainer, gift(v1alpha1.TeamSpec{Role: "administrator", ProjectSelector: gold, Members: people(maintainer)})),
		asks(second, project("umbra", "till", "gold")), commits, commits,
	}},
	{"the projects of a team and a member of the team below at once", []step{
		writes(owner, gift(v1alpha1.TeamSpec{Role: keeper})), writes(owner, team("umbra", "crew", v1alpha1.TeamSpec{Parent: "gift"})),
		asks(maintainer, gift(v1alpha1.TeamSpec{Role: keeper, Projects: shop})),
		asks(second, team("umbra", "crew", v1alpha1.TeamSpec{Parent: "gift", Members: people(second)})), commits, commits,
	}},
	{"a RoleBinding for a team and its members at once", []step{
		writes(maintainer, gift(v1alpha1.TeamSpec{})),
		asks(administrator, more(keeper, "Team", "gift", v1alpha1.RoleBindingSpec{Projects: shop})),
		asks(administrator, gift(v1alpha1.TeamSpec{Members: people(administrator)})), commits, commits,
	}},
	{"of two Memberships made at once the younger is raised, and the older one deleted", []step{
		asks(clerk, duplicate("dee", "viewer")), asks(clerk, duplicate("dee-2", "viewer")), commits, commits,
		writes(clerk, duplicate("dee-2", "administrator")), deletes(owner, duplicate("dee")),
	}},
	{"an administrator who is lowered below binds themselves above", []step{
		writes(administrator, more("administrator", "User", administrator, v1alpha1.RoleBindingSpec{OrganizationWide: true})),
	}},
	{"an administrator who is lowered below fills a team above that an owner bound", []step{
		writes(owner, gift(v1alpha1.TeamSpec{})),
		writes(owner, more("administrator", "Team", "gift", v1alpha1.RoleBindingSpec{OrganizationWide: true})),
		writes(administrator, gift(v1alpha1.TeamSpec{Members: people(administrator)})),
	}},
}

var tomorrow = &metav1.Time{Time: newCluster().clock.Now().AddDate(0, 0, 1)}

var _ = Describe("In a story that was tried", func() {
	for _, tried := range triedStories {
		It("nobody holds what nobody could give: "+tried.what, func() {
			s := newStory()
			Expect(s.play(tried.steps, anyViolation)).To(BeEmpty(), strings.Join(s.told, "\n"))
		})

		It("the test knows it when it sees it: "+tried.what, func() {
			s := newStory()
			s.forced = true
			Expect(s.play(tried.steps, anyViolation)).NotTo(BeEmpty(), strings.Join(s.told, "\n"))
		})

		It("whoever may give the role may do all that: "+tried.what, func() {
			s := newStory()
			steps := slices.Clone(tried.steps)
			for at := range steps {
				steps[at].author = owner
			}
			Expect(s.play(steps, anyViolation)).To(BeEmpty(), strings.Join(s.told, "\n"))
		})
	}
})
