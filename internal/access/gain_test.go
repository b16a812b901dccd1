package access_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// worldChange is a world before and after somebody changed one object, and how the change is asked about.
type worldChange struct {
	before, after access.World
	assumed       access.Assumptions
	ends          []time.Time
}

var _ = Describe("What a change newly grants", func() {
	It("is asked for whatever the naive implementation grants anew, now and later", func() {
		rapid.Check(GinkgoT(), everyGainIsAskedFor)
	})

	It("is nothing where nothing changes", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			for _, assumed := range []access.Assumptions{{}, {ListedAreMembers: true}} {
				if gains := access.Gains(world, world, organization, []time.Time{now}, assumed); len(gains) > 0 {
					t.Fatalf("%+v is gained by no change in\n%s", gains, describe(world))
				}
			}
		})
	})

	gained := func(before, after access.World, assumed access.Assumptions) []string {
		var roles []string
		for _, gain := range access.Gains(before, after, "acme", []time.Time{now}, assumed) {
			roles = append(roles, gain.Role.Name+" to "+gain.Subject.Name)
		}
		return roles
	}
	later := func(hours time.Duration) time.Time { return now.Add(hours * time.Hour) }

	DescribeTable("by a Membership", func(before, after []element, expected ...string) {
		base := []element{organization("acme"), project("acme", "shop")}
		Expect(gained(world(append(base, before...)...), world(append(base, after...)...), access.Assumptions{})).
			To(ConsistOf(expected))
	},
		Entry("is its role", nil, []element{member("acme", "bo", roles("viewer"))}, "viewer to bo"),
		Entry("is nothing when it ends earlier", []element{member("acme", "bo", roles("viewer"))},
			[]element{member("acme", "bo", roles("viewer"), ending(later(1)))}),
		Entry("is its role when it ends later", []element{member("acme", "bo", roles("viewer"), ending(later(1)))},
			[]element{member("acme", "bo", roles("viewer"), ending(later(2)))}, "viewer to bo"),
		Entry("is its role when it ends no more", []element{member("acme", "bo", roles("viewer"), ending(later(1)))},
			[]element{member("acme", "bo", roles("viewer"))}, "viewer to bo"),
		Entry("is the new role of two", []element{member("acme", "bo", roles("viewer"))},
			[]element{member("acme", "bo", roles("viewer", "developer"))}, "developer to bo"),
		Entry("is its role when it is suspended no more", []element{member("acme", "bo", roles("viewer"), suspended)},
			[]element{member("acme", "bo", roles("viewer"))}, "viewer to bo"),
		Entry("is its role for who is held back, too", []element{user("bo", deactivated)},
			[]element{user("bo", deactivated), member("acme", "bo", roles("viewer"))}, "viewer to bo"),
		Entry("is what a team gives to who is a member now", []element{team("acme", "makers", of("bo"), as("developer"), on("shop"))},
			[]element{team("acme", "makers", of("bo"), as("developer"), on("shop")), member("acme", "bo", roles("none"))},
			"developer to bo"),
	)

	DescribeTable("by whom objects list", func(before, after []element, expected ...string) {
		base := []element{organization("acme"), member("acme", "ana", roles("administrator"))}
		Expect(gained(world(append(base, before...)...), world(append(base, after...)...),
			access.Assumptions{ListedAreMembers: true})).To(ConsistOf(expected))
	},
		Entry("is a team's role, for who isn't a member yet",
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), on("shop"))},
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), on("shop"), of("eve"))}, "developer to eve"),
		Entry("is a team's role, for who may make themselves a member",
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), on("shop"))},
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), on("shop"),
				func(spec *v1alpha1.TeamSpec) { spec.Maintainers = []v1alpha1.Username{"eve"} })}, "developer to eve"),
		Entry("is a parent team's role, for the members of a team below it",
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), on("shop")), team("acme", "juniors", of("eve"))},
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), on("shop")),
				team("acme", "juniors", of("eve"), within("makers"))}, "developer to eve"),
		Entry("is nothing for who holds the role in the whole organization",
			[]element{project("acme", "shop"), team("acme", "makers", as("administrator"), on("shop"))},
			[]element{project("acme", "shop"), team("acme", "makers", as("administrator"), on("shop"), of("ana"))}),
		Entry("is a role in one more project",
			[]element{project("acme", "shop"), project("acme", "site"), team("acme", "makers", as("developer"), on("shop"), of("eve"))},
			[]element{project("acme", "shop"), project("acme", "site"),
				team("acme", "makers", as("developer"), on("shop", "site"), of("eve"))}, "developer to eve"),
		Entry("is nothing in a project that is one of all", []element{team("acme", "makers", as("developer"), onAll, of("eve"))},
			[]element{team("acme", "makers", as("developer"), onAll, of("eve")), project("acme", "shop")}),
		Entry("is a role in a project whose labels match now",
			[]element{project("acme", "shop"), team("acme", "makers", as("developer"), onMatching(matching("tier", "web")), of("eve"))},
			[]element{project("acme", "shop", with("tier", "web")),
				team("acme", "makers", as("developer"), onMatching(matching("tier", "web")), of("eve"))}, "developer to eve"),
		Entry("is a role in a project without a namespace yet",
			[]element{project("acme", "shop"), withoutNamespace("acme-shop"), team("acme", "makers", as("developer"), of("eve"))},
			[]element{project("acme", "shop"), withoutNamespace("acme-shop"), team("acme", "makers", as("developer"), on("shop"), of("eve"))},
			"developer to eve"),
		Entry("is a binding's role in the whole organization",
			[]element{project("acme", "shop"), binding("acme", "viewer", toUser("eve"), forProjects("shop"))},
			[]element{project("acme", "shop"), binding("acme", "viewer", toUser("eve"), organizationWide)}, "viewer to eve"),
		Entry("is a binding's role when it ends later", []element{binding("acme", "viewer", toUser("eve"), organizationWide, until(later(1)))},
			[]element{binding("acme", "viewer", toUser("eve"), organizationWide, until(later(9)))}, "viewer to eve"),
		Entry("is a role of one's own in place of none by that name", []element{member("acme", "bo", roles("deployer"))},
			[]element{member("acme", "bo", roles("deployer")), role("org-acme", "deployer")}, "deployer to bo"),
		Entry("is a group's", nil, []element{binding("acme", "viewer", toGroup("oidc:all"), organizationWide)}, "viewer to oidc:all"),
	)
})

// FuzzGains holds the question about a change against the naive implementation.
func FuzzGains(f *testing.F) {
	addSeeds(f)
	f.Fuzz(rapid.MakeFuzz(everyGainIsAskedFor))
}

// FuzzEvaluate holds the engine against the naive implementation.
func FuzzEvaluate(f *testing.F) {
	addSeeds(f)
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		world := drawWorld(t)
		for _, organization := range world.Organizations {
			result := access.Evaluate(world, organization.Name, now)
			sameGrants(t, world, result, naive{world, now}.grants(organization.Name))
		}
	}))
}

func everyGainIsAskedFor(t *rapid.T) {
	change := drawChange(t)
	for _, organization := range change.before.Organizations {
		instants := access.Beginnings(change.after, append([]time.Time{now}, change.ends...))
		gains := access.Gains(change.before, change.after, organization.Name, instants, change.assumed)
		for _, later := range []time.Duration{0, time.Hour, 9 * time.Hour, 15 * time.Hour, 40 * time.Hour} {
			instant := now.Add(later)
			had := naive{change.before, instant}.grants(organization.Name)
			for tuple := range (naive{change.after, instant}).grants(organization.Name) {
				isAsked := slices.ContainsFunc(gains, func(gain access.Gain) bool { return gain.Role == tuple.role })
				if !had[tuple] && !isAsked && tuple.role.Name != v1alpha1.RoleTeamMaintainer {
					t.Fatalf("%s after %s, and nobody was asked (%+v); before:\n%s\nafter:\n%s",
						tuple, later, gains, describe(change.before), describe(change.after))
				}
			}
		}
	}
}

// drawChange changes one object into what another world has under its name.
func drawChange(t *rapid.T) worldChange {
	before, other := drawWorld(t), drawWorld(t)
	change := worldChange{before: before, after: copyOf(before), assumed: access.Assumptions{ListedAreMembers: true}}
	switch rapid.SampledFrom([]string{"membership", "team", "binding", "project"}).Draw(t, "kind") {
	case "membership":
		change.assumed = access.Assumptions{}
		change.after.Memberships = changed(t, change.after.Memberships, other.Memberships)
		for _, membership := range slices.Concat(change.before.Memberships, change.after.Memberships) {
			for _, organization := range before.Organizations {
				if until := access.PhaseOf(membership, organization, now).Until; until.After(now) {
					change.ends = append(change.ends, until)
				}
			}
		}
	case "team":
		change.after.Teams = changed(t, change.after.Teams, other.Teams)
	case "binding":
		change.after.RoleBindings = changed(t, change.after.RoleBindings, other.RoleBindings)
	case "project":
		relabel(t, change.after)
	}
	return change
}

// relabel lets another selector match a project, of those where there is one. A project that comes or goes is no gain where all
// projects are meant.
func relabel(t *rapid.T, world access.World) {
	selecting := map[string]bool{}
	for _, team := range world.Teams {
		selecting[team.Namespace] = selecting[team.Namespace] || team.Spec.ProjectSelector != nil
	}
	for _, binding := range world.RoleBindings {
		selecting[binding.Namespace] = selecting[binding.Namespace] || binding.Spec.ProjectSelector != nil
	}
	projects := slices.DeleteFunc(slices.Clone(world.Projects), func(project *v1alpha1.Project) bool {
		return !selecting[project.Namespace]
	})
	if len(projects) > 0 {
		tier := rapid.SampledFrom([]string{"web", "data", "none"}).Draw(t, "tier")
		rapid.SampledFrom(projects).Draw(t, "project").Labels = map[string]string{"tier": tier}
	}
}

// changed replaces one object by its namesake, adds one, or takes one away.
func changed[T metav1.Object](t *rapid.T, objects, others []T) []T {
	all := slices.Concat(objects, others)
	if len(all) == 0 {
		return objects
	}
	chosen := rapid.SampledFrom(all).Draw(t, "object")
	isChosen := func(object T) bool {
		return strings.EqualFold(object.GetName(), chosen.GetName()) && object.GetNamespace() == chosen.GetNamespace()
	}
	without := slices.DeleteFunc(slices.Clone(objects), isChosen)
	at := slices.IndexFunc(others, isChosen)
	if at < 0 {
		return without
	}
	if old := slices.IndexFunc(objects, isChosen); old >= 0 {
		// A change keeps what the API server gave at creation.
		others[at].SetCreationTimestamp(objects[old].GetCreationTimestamp())
		others[at].SetDeletionTimestamp(objects[old].GetDeletionTimestamp())
	}
	return append(without, others[at])
}
