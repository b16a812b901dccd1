package access

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
)

var _ = Describe("The numbers of organizations", func() {
	phases := func(active, suspended int) map[v1alpha1.MembershipPhase]int {
		return map[v1alpha1.MembershipPhase]int{v1alpha1.MembershipActive: active, v1alpha1.MembershipSuspended: suspended}
	}
	standard := func(ready bool, active, suspended, grants, held int) numbers {
		return numbers{
			organizationType: v1alpha1.OrganizationStandard, ready: ready, memberships: phases(active, suspended),
			grants: grants, removalsHeld: held,
		}
	}
	var counting *census
	organizations := func(organizationType, ready string) float64 {
		return testutil.ToFloat64(counting.organizations.WithLabelValues(organizationType, ready))
	}
	memberships := func(phase string) float64 { return testutil.ToFloat64(counting.memberships.WithLabelValues(phase)) }

	BeforeEach(func() { counting = newCensus() })

	It("are sums over all of them", func() {
		counting.count("acme", standard(true, 5, 1, 40, 2))
		counting.count("globex", standard(false, 3, 0, 7, 0))
		counting.count("ana", numbers{organizationType: v1alpha1.OrganizationPersonal, ready: true})
		Expect(organizations("Standard", "true")).To(BeEquivalentTo(1))
		Expect(organizations("Standard", "false")).To(BeEquivalentTo(1))
		Expect(organizations("Personal", "true")).To(BeEquivalentTo(1))
		Expect(memberships("Active")).To(BeEquivalentTo(8))
		Expect(memberships("Suspended")).To(BeEquivalentTo(1))
		Expect(testutil.ToFloat64(counting.grants)).To(BeEquivalentTo(47))
		Expect(testutil.ToFloat64(counting.removalsHeld)).To(BeEquivalentTo(2))
	})

	It("follow a change of one, however often it is synced", func() {
		counting.count("globex", standard(true, 1, 0, 1, 0))
		for range 3 {
			counting.count("acme", standard(false, 5, 0, 40, 2))
		}
		counting.count("acme", standard(true, 4, 1, 30, 0))
		Expect(organizations("Standard", "true")).To(BeEquivalentTo(2))
		Expect(organizations("Standard", "false")).To(BeEquivalentTo(0))
		Expect(memberships("Active")).To(BeEquivalentTo(5))
		Expect(memberships("Suspended")).To(BeEquivalentTo(1))
		Expect(testutil.ToFloat64(counting.grants)).To(BeEquivalentTo(31))
		Expect(testutil.ToFloat64(counting.removalsHeld)).To(BeEquivalentTo(0))
	})

	It("fall when one goes, and forget one that was never counted", func() {
		counting.count("acme", standard(true, 5, 0, 40, 0))
		counting.count("globex", standard(true, 1, 0, 1, 0))
		counting.forget("acme")
		counting.forget("acme")
		counting.forget("nobody")
		Expect(organizations("Standard", "true")).To(BeEquivalentTo(1))
		Expect(memberships("Active")).To(BeEquivalentTo(1))
		Expect(testutil.ToFloat64(counting.grants)).To(BeEquivalentTo(1))
	})

	It("are 0 before anything was synced, and of each phase there is one", func() {
		Expect(memberships("Invited")).To(BeEquivalentTo(0))
		Expect(testutil.CollectAndCount(counting, "roster_memberships")).To(Equal(5))
		Expect(testutil.CollectAndLint(counting)).To(BeEmpty())
	})

	It("count a grant by subject, role and namespace", func() {
		people := []rbacv1.Subject{{Name: "ana"}, {Name: "bo"}}
		Expect(countGrants(rbac.Desired{
			"acme-shop": {"viewer": {Subjects: people}, "developer": {Subjects: people[:1]}},
			"acme-site": {"viewer": {Subjects: people}},
		})).To(Equal(5))
	})
})

var _ = Describe("Changes that aren't in force yet", func() {
	begin := time.Now()
	after := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	var changes *waitingChanges

	BeforeEach(func() { changes = &waitingChanges{byOrganization: map[string]*waits{}} })

	It("wait from the first until a sync has carried all of them out", func() {
		changes.arrive("acme", after(0))
		changes.arrive("acme", after(1))
		since := changes.begin("acme")
		Expect(since).To(Equal(after(0)))
		changes.end("acme", since, after(3))
		Expect(changes.byOrganization).To(BeEmpty())
		Expect(changes.begin("acme")).To(BeZero())
	})

	It("go on waiting when a sync fails", func() {
		changes.arrive("acme", after(0))
		changes.begin("acme")
		changes.arrive("acme", after(5))
		Expect(changes.begin("acme")).To(Equal(after(0)), "the next one carries out both")
		changes.end("acme", after(0), after(6))
		Expect(changes.byOrganization).To(BeEmpty())
	})

	It("wait since they came where they came during a sync", func() {
		changes.arrive("acme", after(0))
		since := changes.begin("acme")
		changes.arrive("acme", after(2))
		changes.arrive("acme", after(3))
		changes.end("acme", since, after(4))
		Expect(changes.begin("acme")).To(Equal(after(2)))
	})

	It("aren't ended by a sync that began before any came", func() {
		since := changes.begin("acme")
		changes.arrive("acme", after(1))
		changes.end("acme", since, after(2))
		Expect(changes.begin("acme")).To(Equal(after(1)))
	})

	It("tell how long the oldest of all organizations has waited", func() {
		Expect(changes.oldest()).To(BeZero())
		changes.arrive("acme", time.Now().Add(-time.Minute))
		changes.arrive("globex", time.Now().Add(-time.Hour))
		Expect(changes.oldest()).To(BeNumerically("~", time.Hour.Seconds(), 30))
	})
})

var _ = Describe("A binding that was written by this manager", func() {
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "acme-shop", Name: "viewers", ResourceVersion: "7"}}
	key := types.NamespacedName{Namespace: "acme-shop", Name: "viewers"}

	It("is no tampering, though it came back before the write was noted", func() {
		reconciler := NewReconciler(nil, nil, nil, nil)
		reconciler.causes.noteTampering("acme", binding)
		reconciler.ownWrites.note(binding)
		Expect(reconciler.takeCause("acme").tampered).To(BeEmpty())
	})

	It("is tampering once somebody else has changed it since", func() {
		reconciler := NewReconciler(nil, nil, nil, nil)
		reconciler.ownWrites.note(binding)
		changed := binding.DeepCopy()
		changed.ResourceVersion = "8"
		reconciler.causes.noteTampering("acme", changed)
		Expect(reconciler.takeCause("acme").tampered).To(HaveKey(key))
	})
})
