package removals_test

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// loss is a user who lost access at an instant, by a removal that nobody approved.
type loss struct {
	at   time.Time
	user string
}

// drawnStory is a story of drawn steps, and what is known of it besides.
type drawnStory struct {
	*story
	t         *rapid.T
	users     []string
	suspended sets.Set[string]
	losses    []loss
}

func (d *drawnStory) some(label string) []string {
	from := rapid.IntRange(0, len(d.users)-1).Draw(d.t, label+" from")
	count := rapid.IntRange(1, 30).Draw(d.t, label+" count")
	return d.users[from:min(len(d.users), from+count)]
}

func (d *drawnStory) members() sets.Set[string] {
	found := sets.New[string]()
	for _, membership := range d.world.Memberships {
		found.Insert(membership.Name)
	}
	return found
}

// step changes one thing, and says who may lose access for another reason than an unapproved removal.
func (d *drawnStory) step() (excused sets.Set[string]) {
	d.approved = ""
	switch rapid.SampledFrom(
		[]string{"leave", "leave", "leave", "join", "suspend", "approve", "stale", "percent", "vanish", "return"}).
		Draw(d.t, "step") {
	case "leave":
		d.leave(d.some("leave")...)
	case "join":
		joining := sets.New(d.some("join")...).Difference(d.members())
		d.join(sets.List(joining), "viewer")
		d.suspended = d.suspended.Difference(joining)
	case "suspend":
		users := d.some("suspend")
		d.change(users, func(m *v1alpha1.MembershipSpec) { m.Suspended = true })
		d.suspended.Insert(users...)
		return sets.New(users...)
	case "approve":
		d.approved = d.digest()
		return sets.New(d.held()...)
	case "stale":
		d.approved = "0123456789abcdef"
	case "vanish":
		d.vanish("viewer")
	case "return":
		d.bringBack("viewer")
	case "percent":
		d.percent = rapid.IntRange(0, 40).Draw(d.t, "percent")
	}
	return nil
}

// check syncs, and holds what the guard promises against what the users reach.
func (d *drawnStory) check(excused sets.Set[string]) {
	before := d.in(shop, d.users)
	d.after(time.Duration(rapid.IntRange(1, 500).Draw(d.t, "seconds")) * time.Second)
	after := sets.New(d.in(shop, d.users)...)
	members, held := d.members(), sets.New(d.held()...)
	for _, user := range d.users {
		active := members.Has(user) && !d.suspended.Has(user) && d.hasRole("viewer")
		if after.Has(user) != (active || held.Has(user)) {
			d.t.Fatalf("%s: member %v, held %v, has access %v", user, active, held.Has(user), after.Has(user))
		}
		if held.Has(user) && (active || !slices.Contains(before, user)) {
			d.t.Fatalf("%s is held, and is a member or had nothing", user)
		}
	}
	for _, user := range before {
		if !after.Has(user) && !excused.Has(user) {
			d.losses = append(d.losses, loss{d.now, user})
		}
	}
	recent := sets.New[string]()
	for _, loss := range d.losses {
		if loss.at.After(d.now.Add(-10 * time.Minute)) {
			recent.Insert(loss.user)
		}
	}
	if most := max(20, len(d.users)*40/100); recent.Len() > most {
		d.t.Fatalf("%d users lost access within ten minutes, %d may", recent.Len(), most)
	}
}

var _ = Describe("Whatever is removed and put back when", func() {
	It("at most the budget loses access in any ten minutes, and who is held is who would have lost it besides", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			d := &drawnStory{story: newStory("shop"), t: t, users: numbered("bo", 70), suspended: sets.New[string]()}
			d.percent = rapid.IntRange(0, 40).Draw(t, "percent")
			d.join(d.users, "viewer")
			d.sync()
			Expect(d.in(shop, d.users)).To(Equal(d.users))
			for range rapid.IntRange(1, 12).Draw(t, "steps") {
				d.check(d.step())
			}
		})
	})
})
