package history

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
)

var _ = Describe("An Event", func() {
	change := Change{
		Object:       Object{Kind: "Membership", Namespace: "org-acme", Name: "bo", UID: "uid"},
		Organization: "org-acme", Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Actor: Actor{Name: "ana"},
		Action: "MemberRolesChanged", Field: "spec.roles", Previous: `["viewer"]`, New: `["developer"]`, Version: "3",
	}

	It("says actor, previous and new value in its note and its annotations", func() {
		event := NewEvent(change, "org-acme")
		Expect(event.Note).To(Equal("ana: viewer → developer"))
		Expect(event.Annotations).To(Equal(map[string]string{
			"roster.dev/actor": "ana", "roster.dev/field": "spec.roles", "roster.dev/previous": `["viewer"]`,
			"roster.dev/new": `["developer"]`, "roster.dev/object-namespace": "org-acme", "roster.dev/history-of": "org-acme",
		}))
		Expect(event.Regarding.Namespace).To(Equal("org-acme"))
	})

	It("has a name that follows from the object, the field and the version, and from nothing else", func() {
		same := change
		same.Time, same.Actor, same.New, same.Coalesced = time.Now(), Actor{Name: "bo"}, "", true
		Expect(same.Name()).To(Equal(change.Name()))
		for _, different := range []func(*Change){
			func(c *Change) { c.Version = "4" }, func(c *Change) { c.Field = "spec.suspended" }, func(c *Change) { c.Object.UID = "x" },
		} {
			another := change
			different(&another)
			Expect(another.Name()).NotTo(Equal(change.Name()))
		}
		long := change
		long.Object.Name = strings.Repeat("a", 253)
		Expect(len(long.Name())).To(BeNumerically("<", 253))
	})

	It("gives the store the same record wherever it was made and whenever it is read", func() {
		here, elsewhere := RecordOf(NewEvent(change, "org-acme")), RecordOf(NewEvent(change, "default"))
		Expect(here).To(Equal(elsewhere))
		Expect(here.Key).To(Equal(change.Name()))
		Expect(here.Namespace).To(Equal("org-acme"))
		Expect(here.Object.Namespace).To(Equal("org-acme"))
		Expect(NewEvent(change, "default").Regarding.Namespace).To(BeEmpty())
	})

	It("cuts a long note with a mark, and keeps what differs of values that are too long", func() {
		before, after := []string{}, []string{"new@acme.example"}
		for n := range 5000 {
			before = append(before, fmt.Sprintf("%s-%d@acme.example", strings.Repeat("x", 100), n))
		}
		after = append(after, before[1:]...)
		long := change
		long.Previous, long.New = textOf(before), textOf(after)
		event := NewEvent(long, "org-acme")
		Expect(event.Note).To(Equal("ana: added new@acme.example; removed " + before[0]))
		Expect(event.Annotations["roster.dev/new"]).To(HaveSuffix("of them added: new@acme.example"))
		encoded, err := json.Marshal(event)
		Expect(err).NotTo(HaveOccurred())
		Expect(len(encoded)).To(BeNumerically("<", 4<<10))

		long.New = ""
		event = NewEvent(long, "org-acme")
		Expect(len(event.Note)).To(BeNumerically("<=", 1024))
		Expect(event.Note).To(HaveSuffix("…"))
		total := 0
		for key, value := range event.Annotations {
			total += len(key) + len(value)
		}
		Expect(total).To(BeNumerically("<", 200<<10))
	})
})

var _ = Describe("What a sync did in a namespace", func() {
	users := func(count int, prefix string) []rbacv1.Subject {
		var subjects []rbacv1.Subject
		for n := range count {
			subjects = append(subjects, rbacv1.Subject{Kind: rbacv1.UserKind, Name: fmt.Sprintf("%s%02d", prefix, n)})
		}
		return subjects
	}
	access := func(exchanges ...rbac.Exchange) Access {
		return Access{
			Object: Object{Kind: "Project", Namespace: "org-acme", Name: "shop", UID: "uid"}, Organization: "org-acme",
			Namespace: "acme-shop", Time: time.Now(), Exchanges: exchanges, Otherwise: Actor{Name: ActorRoster, Because: "an end"},
		}
	}
	const developers = "roster:catalogue:developer:project"

	It("names up to ten and counts the others", func() {
		change, found := access(rbac.Exchange{ClusterRole: developers, Gained: users(13, "u")}).Changed()
		Expect(found).To(BeTrue())
		Expect(change.Action).To(Equal("AccessGranted"))
		Expect(change.New).To(Equal("developer: u00, u01, u02, u03, u04, u05, u06, u07, u08, u09 and 3 more"))
		Expect(change.Remark).To(Equal("in namespace acme-shop: 13 granted, 0 revoked"))
		Expect(change.Actor).To(Equal(Actor{Name: ActorRoster, Because: "an end"}))
	})

	It("is nothing where users only move between two bindings of one role", func() {
		_, found := access(rbac.Exchange{ClusterRole: developers, Gained: users(2, "u")},
			rbac.Exchange{ClusterRole: developers, Lost: users(2, "u")}).Changed()
		Expect(found).To(BeFalse())
	})

	It("is one change, and that it undid tampering another", func() {
		one := access(rbac.Exchange{ClusterRole: developers, Lost: users(1, "u")})
		changed, _ := one.Changed()
		Expect(one.TamperingUndone().Name()).NotTo(Equal(changed.Name()), "a second of one name would be taken for the first")
	})

	It("is the doing of who made the changes that it follows from", func() {
		one := access(rbac.Exchange{ClusterRole: developers, Lost: users(1, "bo")})
		membership := Object{Kind: "Membership", Namespace: "org-acme", Name: "bo", UID: "m"}
		one.Causes = []Cause{{Object: membership, Actor: Actor{Name: "ana"}}}
		change, _ := one.Changed()
		Expect(change.Action).To(Equal("AccessRevoked"))
		Expect(change.Actor).To(Equal(Actor{Name: "ana"}))
		Expect(change.Cause).To(Equal(membership))
		one.Causes = append(one.Causes, Cause{Object: Object{Kind: "Team", Name: "x"}, Actor: Actor{Name: "cy"}})
		change, _ = one.Changed()
		Expect(change.Actor).To(Equal(Actor{Name: "ana, cy"}))
		Expect(change.Cause).To(BeZero())
	})

	It("comes from the object that was changed or removed", func() {
		removed := &v1alpha1.Membership{ObjectMeta: stampedMeta()}
		cause, found := CauseOf(removed)
		Expect(found).To(BeTrue())
		Expect(cause.Actor).To(Equal(Actor{Name: "ana"}))
		removed.Annotations[v1alpha1.AnnotationDeletedBy] = "bo"
		cause, _ = CauseOf(removed)
		Expect(cause.Actor).To(Equal(Actor{Name: "bo"}))
	})
})
