package access_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// worldChange is a world before and after somebody changed one object, and when what they wrote ends.
type worldChange struct {
	before, after access.World
	ends          []time.Time
}

var _ = Describe("What a change newly grants", func() {
	It("by a Membership is asked for whatever the naive implementation grants anew, now and later", func() {
		rapid.Check(GinkgoT(), everyGainIsAskedFor)
	})

	It("is nothing where nothing changes", func() {
		checkOrganizations(func(t *rapid.T, world access.World, organization string) {
			if gains := access.Gains(world, world, organization, []time.Time{now}); len(gains) > 0 {
				t.Fatalf("%+v is gained by no change in\n%s", gains, describe(world))
			}
		})
	})

	gained := func(before, after access.World) []string {
		var roles []string
		for _, gain := range access.Gains(before, after, "acme", []time.Time{now}) {
			roles = append(roles, gain.Role.Name+" to "+gain.Subject.Name)
		}
		return roles
	}
	later := func(hours time.Duration) time.Time { return now.Add(hours * time.Hour) }

	DescribeTable("by a Membership", func(before, after []element, expected ...string) {
		base := []element{organization("acme"), project("acme", "shop")}
		Expect(gained(world(append(base, before...)...), world(append(base, after...)...))).To(ConsistOf(expected))
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
	change := drawChangeOf(t, "membership")
	for _, organization := range change.before.Organizations {
		instants := append([]time.Time{now}, change.ends...)
		gains := access.Gains(change.before, change.after, organization.Name, instants)
		for _, later := range []time.Duration{0, time.Hour, 9 * time.Hour, 15 * time.Hour, 40 * time.Hour} {
			instant := now.Add(later)
			had := naive{change.before, instant}.grants(organization.Name)
			for tuple := range (naive{change.after, instant}).grants(organization.Name) {
				isAsked := slices.ContainsFunc(gains, func(gain access.Gain) bool { return gain.Role == tuple.role })
				// A token holds a part of what its user holds, perhaps as an included role.
				isToken := tuple.kind == rbacv1.ServiceAccountKind && strings.HasPrefix(tuple.name, "token-")
				if !had[tuple] && !isAsked && !isToken && tuple.role.Name != v1alpha1.RoleTeamMaintainer {
					t.Fatalf("%s after %s, and nobody was asked (%+v); before:\n%s\nafter:\n%s",
						tuple, later, gains, describe(change.before), describe(change.after))
				}
			}
		}
	}
}

// drawChange changes one object into what another world has under its name.
func drawChange(t *rapid.T) worldChange {
	return drawChangeOf(t, rapid.SampledFrom([]string{"membership", "team", "binding", "project"}).Draw(t, "kind"))
}

func drawChangeOf(t *rapid.T, kind string) worldChange {
	before, other := drawWorld(t), drawWorld(t)
	change := worldChange{before: before, after: copyOf(before)}
	switch kind {
	case "membership":
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
