package commands_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

var _ = Describe("tree", func() {
	var cluster *server

	organization := func(name, parent string) v1alpha1.Organization {
		return v1alpha1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.OrganizationSpec{Parent: parent, DisplayName: "The " + name},
		}
	}
	listed := func(items ...v1alpha1.Organization) *v1alpha1.OrganizationList {
		return &v1alpha1.OrganizationList{
			TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "OrganizationList"}, Items: items,
		}
	}
	team := func(name, parent, role string, users ...v1alpha1.Username) v1alpha1.Team {
		return v1alpha1.Team{ObjectMeta: in("acme", name), Spec: v1alpha1.TeamSpec{
			Parent: v1alpha1.ObjectName(parent), Role: v1alpha1.RoleName(role), Members: users,
		}}
	}
	empty := func(names ...string) {
		for _, name := range names {
			cluster.answers[viewPath+"namespaces/org-"+name+"/members"] = members()
			cluster.answers[rosterPath+"namespaces/org-"+name+"/teams"] = teams()
		}
	}
	BeforeEach(func() {
		cluster = newServer()
		cluster.answers[rosterPath+"organizations"] = forbidden("organizations.roster.dev")
	})

	It("draws what is below what, with teams and members", func() {
		cluster.answers[rosterPath+"organizations"] = listed(
			organization("emea", "acme"), organization("fr", "emea"), organization("acme", ""), organization("globex", ""),
			v1alpha1.Organization{
				ObjectMeta: metav1.ObjectMeta{Name: "own"}, Spec: v1alpha1.OrganizationSpec{Type: v1alpha1.OrganizationPersonal},
			})
		empty("emea", "fr", "globex")
		cluster.answers[viewPath+"namespaces/org-acme/members"] = members(
			member("acme", "ana", viewv1alpha1.MemberActive), member("acme", "bo", viewv1alpha1.MemberInvited),
			member("acme", "cy", viewv1alpha1.MemberSuspended))
		cluster.answers[rosterPath+"namespaces/org-acme/teams"] = teams(
			team("web", "makers", "", "ana", "ana"), team("makers", "all", "developer", "ana", "bo"), team("all", "", "viewer"),
			team("stray", "gone", ""), team("one", "two", ""), team("two", "one", ""))
		acme := []string{
			"acme (The acme): 1 member, 1 invited, 1 suspended",
			"├── team all (viewer): 0 members",
			"│   └── team makers (developer): 2 members",
			"│       └── team web: 1 member",
			"├── team one: 0 members",
			"│   └── team two: 0 members",
			"├── team stray: 0 members",
			"└── emea (The emea): 0 members",
			"    └── fr (The fr): 0 members",
		}
		cluster.prints("tree", append(acme, "globex (The globex): 0 members")...)
		cluster.prints("tree acme", acme...)
		cluster.prints("tree emea", "emea (The emea): 0 members", "└── fr (The fr): 0 members")
	})

	It("counts the members of all pages", func() {
		cluster.answers[rosterPath+"organizations"] = listed(organization("acme", ""))
		empty("acme")
		first := members(member("acme", "ana", viewv1alpha1.MemberActive), member("acme", "bo", viewv1alpha1.MemberActive))
		first.Continue = "next"
		cluster.answers[viewPath+"namespaces/org-acme/members"] = first
		cluster.answers[viewPath+"namespaces/org-acme/members?next"] = members(member("acme", "cy", viewv1alpha1.MemberActive))
		cluster.prints("tree", "acme (The acme): 3 members")
	})

	It("draws the caller's own where they may not list all, and says what they may not see", func() {
		cluster.answers[mePath] = me("ana",
			selfv1alpha1.ProfileOrganization{Name: "emea", Parent: "acme"},
			selfv1alpha1.ProfileOrganization{Name: "fr", Parent: "emea"},
			selfv1alpha1.ProfileOrganization{Name: "ana", Type: "Personal"})
		empty("emea")
		cluster.answers[viewPath+"namespaces/org-fr/members"] = forbidden("members.view.roster.dev")
		cluster.prints("tree", "emea: 0 members", "└── fr: members and teams aren't yours to see")
		cluster.fails("tree acme",
			`organization "acme": there is none of this name that you may see; those that you may: kubectl roster tree`)
	})

	It("draws each organization once where parents form a cycle", func() {
		cluster.answers[rosterPath+"organizations"] = listed(
			organization("a", "c"), organization("b", "a"), organization("c", "b"), organization("d", "c"), organization("e", "e"))
		empty("a", "b", "c", "d", "e")
		cluster.prints("tree", "a (The a): 0 members", "└── b (The b): 0 members", "    └── c (The c): 0 members",
			"        └── d (The d): 0 members", "e (The e): 0 members")
	})

	It("draws no line and sends no escape sequence that somebody put into a name", func() {
		hostile := organization("acme", "")
		hostile.Spec.DisplayName = "Acme)\n└── globex: 1 member\x1b[2J"
		cluster.answers[rosterPath+"organizations"] = listed(hostile)
		empty("acme")
		cluster.prints("tree", "acme (Acme) └── globex: 1 member [2J): 0 members")
	})

	It("says that there is nothing, and which API isn't there", func() {
		cluster.answers[mePath] = me("ana")
		Expect(cluster.run("tree")).To(Equal(outcome{Complaints: "No organizations found that you may see\n"}))
		delete(cluster.answers, rosterPath+"organizations")
		cluster.fails("tree",
			"install Roster's CustomResourceDefinitions; what is there says: kubectl api-resources --api-group roster.dev")
	})
})
