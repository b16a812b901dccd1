package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	// raceRounds is how often each race is run.
	raceRounds = 200
	// raceLanes is how many rounds run at once, each lane in organizations of its own.
	raceLanes = 8
)

// They take longest, so they don't begin last.
var _ = Describe("Races", SpecPriority(1), func() {
	It("of two owners who remove each other leave one of them, and the other without access", func(ctx SpecContext) {
		race(func(lane int) func(int) bool { return ownersRace(ctx, lane) })
	})

	It("of two organizations that become each other's parent leave neither with more than its own", func(ctx SpecContext) {
		race(func(lane int) func(int) bool { return parentsRace(ctx, lane) })
	})

	It("of two Memberships for one user let one count", func(ctx SpecContext) {
		race(func(lane int) func(int) bool { return membershipsRace(ctx, lane) })
	})

	It("of a member's removal with their addition to a team leave them nothing", func(ctx SpecContext) {
		race(func(lane int) func(int) bool { return teamRace(ctx, lane) })
	})
})

// race runs the rounds of a race in lanes. Each lane is furnished once; a round undoes what the one before left, and says
// whether both sides got through.
func race(furnish func(lane int) (round func(number int) (both bool))) {
	GinkgoHelper()
	begin := time.Now()
	var lanes sync.WaitGroup
	var both, finished atomic.Int32
	for lane := range raceLanes {
		lanes.Go(func() {
			defer GinkgoRecover()
			round := furnish(lane)
			for number := range raceRounds / raceLanes {
				if round(number) {
					both.Add(1)
				}
				finished.Add(1)
			}
		})
	}
	lanes.Wait()
	AddReportEntry("rounds", fmt.Sprintf("%d in %s; in %d both got through", finished.Load(),
		time.Since(begin).Round(time.Second), both.Load()))
	Expect(finished.Load()).To(BeEquivalentTo(raceRounds))
}

// compete lets two act at the same moment, and in every fourth round one right after the other's answer, which races with
// the manager's caches. It returns their errors in their order.
func compete(number int, first, second func() error) []error {
	if number%4 == 3 {
		return []error{first(), second()}
	}
	start := make(chan struct{})
	failures := make([]error, 2)
	var actors sync.WaitGroup
	for at, act := range []func() error{first, second} {
		actors.Go(func() {
			<-start
			failures[at] = act()
		})
	}
	close(start)
	actors.Wait()
	return failures
}

// passed is how many got through. All others must have been refused, and not have failed.
func passed(failures []error) int {
	GinkgoHelper()
	count := 0
	for _, err := range failures {
		if err == nil {
			count++
			continue
		}
		Expect(err).To(Or(Satisfy(apierrors.IsConflict), Satisfy(apierrors.IsForbidden), Satisfy(apierrors.IsInvalid)))
	}
	return count
}

// ousters are the ways to remove an owner: as who read the object and writes it back, and with two kinds of patch, which
// no version protects.
var ousters = []func(ctx context.Context, as client.Client, seen *v1alpha1.Organization, goes int) error{
	func(ctx context.Context, as client.Client, seen *v1alpha1.Organization, goes int) error {
		changed := seen.DeepCopy()
		changed.Spec.Owners = slices.Delete(changed.Spec.Owners, goes, goes+1)
		return as.Update(ctx, changed)
	},
	func(ctx context.Context, as client.Client, seen *v1alpha1.Organization, goes int) error {
		path := fmt.Sprintf("/spec/owners/%d", goes)
		patch := fmt.Sprintf(`[{"op": "test", "path": %q, "value": %q}, {"op": "remove", "path": %[1]q}]`, path, seen.Spec.Owners[goes])
		return as.Patch(ctx, seen.DeepCopy(), client.RawPatch(types.JSONPatchType, []byte(patch)))
	},
	func(ctx context.Context, as client.Client, seen *v1alpha1.Organization, goes int) error {
		patch := fmt.Sprintf(`{"spec": {"owners": [%q]}}`, seen.Spec.Owners[1-goes])
		return as.Patch(ctx, seen.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
	},
}

func ownersRace(ctx context.Context, lane int) func(int) bool {
	acme := openAccount(ctx, fmt.Sprintf("race-owners-%d", lane))
	acme.project(ctx, "shop")
	owners := acme.users("ana", "bo")
	ana, bo := clientFor(cluster.As(string(owners[0]))), clientFor(cluster.As(string(owners[1])))
	return func(number int) bool {
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Owners = owners })
		expect.Ready(ctx, acme.Organization)
		acme.expectOwners(ctx, owners)
		seen := acme.DeepCopy()
		oust := ousters[number%len(ousters)]
		through := passed(compete(number,
			func() error { return oust(ctx, ana, seen, 1) },
			func() error { return oust(ctx, bo, seen, 0) },
		))
		expect.Ready(ctx, acme.Organization)
		Expect(acme.Spec.Owners).NotTo(BeEmpty())
		if through > 0 {
			Expect(acme.Spec.Owners).To(HaveLen(1))
		}
		Expect(acme.Status.Owners.Declared).To(BeEquivalentTo(len(acme.Spec.Owners)))
		Expect(acme.Status.Owners.Available).To(BeEquivalentTo(len(acme.Spec.Owners)))
		acme.expectOwners(ctx, owners)
		expectEngine(ctx, number, acme.Name)
		return through == 2
	}
}

// expectOwners waits until of some users those who are owners may act as such, and the others may do nothing.
func (a account) expectOwners(ctx context.Context, users []v1alpha1.Username) {
	GinkgoHelper()
	for _, user := range users {
		if slices.Contains(a.Spec.Owners, user) {
			expect.Allowed(ctx, string(user), asOwner, a.namespace())
			expect.Allowed(ctx, string(user), asDeveloper, a.Name+"-shop")
		} else {
			expect.Refused(ctx, string(user), asMember, a.namespace())
			expect.Refused(ctx, string(user), asViewer, a.Name+"-shop")
		}
	}
}

func parentsRace(ctx context.Context, lane int) func(int) bool {
	a := openAccount(ctx, fmt.Sprintf("race-parents-%d-a", lane))
	b := openAccount(ctx, fmt.Sprintf("race-parents-%d-b", lane))
	for _, organization := range []account{a, b} {
		organization.project(ctx, "shop")
		organization.join(ctx, "bo", "developer")
	}
	move := func(organization account, parent string) func() error {
		patch := fmt.Sprintf(`{"spec": {"parent": %q}}`, parent)
		return func() error {
			return k8s.Patch(ctx, organization.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
		}
	}
	return func(number int) bool {
		through := passed(compete(number, move(a, b.Name), move(b, a.Name)))
		Expect(through).To(BeNumerically(">=", 1))
		for _, organization := range []account{a, b} {
			if through == 2 {
				expect.NotReady(ctx, organization.Organization, "ParentCycle")
			} else {
				expect.Ready(ctx, organization.Organization)
			}
		}
		a.expectInherits(ctx, b, through == 1 && a.Spec.Parent != "")
		b.expectInherits(ctx, a, through == 1 && b.Spec.Parent != "")
		expectEngine(ctx, number, a.Name, b.Name)
		for _, organization := range []account{a, b} {
			organization.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Parent = "" })
		}
		expect.Ready(ctx, a.Organization, b.Organization)
		a.expectInherits(ctx, b, false)
		b.expectInherits(ctx, a, false)
		return through == 2
	}
}

// expectInherits waits until the other organization's member may work here, or may not; one's own always may.
func (a account) expectInherits(ctx context.Context, other account, inherits bool) {
	GinkgoHelper()
	expect.Allowed(ctx, a.user("bo"), asDeveloper, a.Name+"-shop")
	ask := expect.Refused
	if inherits {
		ask = expect.Allowed
	}
	ask(ctx, other.user("bo"), asDeveloper, a.Name+"-shop")
	ask(ctx, other.user("owner"), asOwner, a.namespace())
}

func membershipsRace(ctx context.Context, lane int) func(int) bool {
	acme := openAccount(ctx, fmt.Sprintf("race-memberships-%d", lane))
	acme.project(ctx, "shop")
	acme.join(ctx, "ada", "administrator")
	owner, administrator := clientFor(cluster.As(acme.user("owner"))), clientFor(cluster.As(acme.user("ada")))
	expect.Allowed(ctx, acme.user("ada"), asAdministrator, acme.namespace())
	expect.Allowed(ctx, acme.user("owner"), asAdministrator, acme.namespace())
	return func(number int) bool {
		strong := expectations.Membership(acme.Name, "bo-1", acme.user("bo"), "developer")
		weak := expectations.Membership(acme.Name, "bo-2", acme.user("bo"), "viewer")
		failures := compete(number,
			func() error { return owner.Create(ctx, strong.DeepCopy()) },
			func() error { return administrator.Create(ctx, weak.DeepCopy()) },
		)
		through := passed(failures)
		Expect(through).To(BeNumerically(">=", 1))
		acme.expectOneCounts(ctx, strong, weak, failures)
		expectEngine(ctx, number, acme.Name)
		expect.Delete(ctx, strong, weak)
		expect.Gone(ctx, strong, weak)
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace())
		expect.Refused(ctx, acme.user("bo"), asViewer, acme.Name+"-shop")
		return through == 2
	}
}

// expectOneCounts waits until one of two Memberships for one user is in force, and the other one, where it was let in, says
// that it is a duplicate.
func (a account) expectOneCounts(ctx context.Context, strong, weak *v1alpha1.Membership, failures []error) {
	GinkgoHelper()
	expected := []string{"True InForce"}
	for _, err := range failures {
		if err != nil {
			Expect(err).To(MatchError(HaveSuffix("in this organization already; change that one")))
			expected = append(expected, "not there")
		}
	}
	if len(expected) == 1 {
		expected = append(expected, "False Duplicate")
	}
	Eventually(func() []string {
		return []string{readiness(ctx, strong), readiness(ctx, weak)}
	}).WithContext(ctx).Should(ConsistOf(expected))
	expect.Allowed(ctx, a.user("bo"), asViewer, a.Name+"-shop")
	if readiness(ctx, strong) == "True InForce" {
		expect.Allowed(ctx, a.user("bo"), asDeveloper, a.Name+"-shop")
	} else {
		expect.Refused(ctx, a.user("bo"), asDeveloper, a.Name+"-shop")
	}
}

// readiness is the value and reason of Ready.
func readiness(ctx context.Context, membership *v1alpha1.Membership) string {
	found := &v1alpha1.Membership{}
	if k8s.Get(ctx, client.ObjectKeyFromObject(membership), found) != nil {
		return "not there"
	}
	condition := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return "nothing said yet"
	}
	return fmt.Sprintf("%s %s", condition.Status, condition.Reason)
}

func teamRace(ctx context.Context, lane int) func(int) bool {
	acme := openAccount(ctx, fmt.Sprintf("race-team-%d", lane))
	shop := acme.project(ctx, "shop")
	acme.join(ctx, "gita", "member")
	makers := acme.team(ctx, "makers", v1alpha1.TeamSpec{
		Members: acme.users("gita"), Maintainers: acme.users("gita"), Role: "developer", Projects: objectNames("shop"),
	})
	owner, maintainer := clientFor(cluster.As(acme.user("owner"))), clientFor(cluster.As(acme.user("gita")))
	expect.Allowed(ctx, acme.user("gita"), "patch teams.roster.dev", acme.namespace())
	expect.Allowed(ctx, acme.user("owner"), asAdministrator, acme.namespace())
	adding := client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"spec": {"members": [%q, %q]}}`, acme.user("gita"), acme.user("bo")))
	return func(number int) bool {
		bo := acme.join(ctx, "bo", "viewer")
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		through := passed(compete(number,
			func() error { return owner.Delete(ctx, bo.DeepCopy()) },
			func() error { return maintainer.Patch(ctx, makers.DeepCopy(), adding) },
		))
		Expect(through).To(BeNumerically(">=", 1))
		expect.Gone(ctx, bo)
		expect.Ready(ctx, makers)
		if through == 2 {
			expectCondition(ctx, makers, v1alpha1.ConditionMembersMissing,
				"True NotMembers: not members of the organization, so nothing is granted to them: "+acme.user("bo"))
		}
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace())
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Allowed(ctx, acme.user("gita"), asDeveloper, shop)
		expectEngine(ctx, number, acme.Name)
		expectations.Change(ctx, expect, makers, func(t *v1alpha1.Team) { t.Spec.Members = acme.users("gita") })
		expect.Ready(ctx, makers)
		return through == 2
	}
}

// expectEngine waits until the RBAC of some organizations is what the engine says of the objects there, no more and no
// less. Every eighth round, and the last, asks for what is stored now; the others for what the API server has seen, which
// is a few milliseconds older and much faster.
func expectEngine(ctx context.Context, number int, organizations ...string) {
	GinkgoHelper()
	reader := worldReader{Reader: k8s, version: "0"}
	if number%8 == 0 {
		reader.version = ""
	}
	for _, organization := range organizations {
		Eventually(func(g Gomega) {
			granted, err := reader.granted(ctx, organization)
			g.Expect(err).NotTo(HaveOccurred())
			held, err := reader.held(ctx, organization)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(granted).NotTo(BeEmpty())
			g.Expect(held).To(Equal(granted))
		}).WithContext(ctx).Should(Succeed(), organization)
	}
}

// holders are the names of subjects by NAMESPACE CLUSTERROLE, sorted. Who is bound twice stands there twice.
type holders map[string][]string

func (h holders) add(namespace, clusterRole string, subjects []rbacv1.Subject) {
	place := namespace + " " + clusterRole
	for _, subject := range subjects {
		h[place] = append(h[place], subject.Kind+" "+subject.Name)
	}
	slices.Sort(h[place])
}

// worldReader answers from the API server what the manager's caches have indexes for.
type worldReader struct {
	client.Reader
	// version of the lists at least; empty: the latest.
	version string
}

// List reads many.
func (w worldReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	switch list.(type) {
	case *corev1.NamespaceList:
		organization, _ := asked.FieldSelector.RequiresExactMatch(snapshot.NamespacesByOrganization)
		asked.FieldSelector = nil
		client.MatchingLabels{v1alpha1.LabelOrganization: organization}.ApplyToList(&asked)
	case *v1alpha1.UserList:
		// The engine asks for those who are held back, and no race holds back anybody.
		return nil
	}
	asked.Raw = &metav1.ListOptions{ResourceVersion: w.version}
	return w.Reader.List(ctx, list, &asked)
}

// granted is who is to hold what in an organization.
func (w worldReader) granted(ctx context.Context, organization string) (holders, error) {
	world, err := snapshot.Load(ctx, w, organization)
	if err != nil {
		return nil, err
	}
	result := access.Evaluate(world, organization, time.Now())
	var failure error
	binds := func(clusterRole string) bool {
		compiled := &rbacv1.ClusterRole{}
		err := w.Get(ctx, client.ObjectKey{Name: clusterRole}, compiled)
		if client.IgnoreNotFound(err) != nil {
			failure = err
		}
		return len(compiled.Rules) > 0
	}
	granted := holders{}
	for namespace, byRole := range rbac.DesiredBindings(result, binds) {
		for clusterRole, desired := range byRole {
			granted.add(namespace, clusterRole, desired.Subjects)
		}
	}
	if _, binding := rbac.OrganizationAccess(result); binding != nil {
		granted.add("", binding.RoleRef.Name, binding.Subjects)
	}
	return granted, failure
}

// held is who holds what by Roster's bindings in an organization.
func (w worldReader) held(ctx context.Context, organization string) (holders, error) {
	var bindings rbacv1.RoleBindingList
	var clusterBindings rbacv1.ClusterRoleBindingList
	for _, list := range []client.ObjectList{&bindings, &clusterBindings} {
		if err := w.List(ctx, list, client.MatchingLabels{v1alpha1.LabelOrganization: organization}); err != nil {
			return nil, err
		}
	}
	held := holders{}
	for i := range bindings.Items {
		held.add(bindings.Items[i].Namespace, bindings.Items[i].RoleRef.Name, bindings.Items[i].Subjects)
	}
	for i := range clusterBindings.Items {
		held.add("", clusterBindings.Items[i].RoleRef.Name, clusterBindings.Items[i].Subjects)
	}
	return held, nil
}
