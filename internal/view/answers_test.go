package view

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/endpoints/request"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

var now = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

// acme is an organization with one owner and some Memberships.
func acme(memberships ...*v1alpha1.Membership) facts {
	return facts{organization: "acme", world: access.World{
		Organizations: []*v1alpha1.Organization{{
			ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{"ana"}},
		}},
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{
			Name: "org-acme", Labels: map[string]string{v1alpha1.LabelOrganization: "acme"},
		}}},
		Roles: []*v1alpha1.Role{catalogue("owner"), catalogue("viewer"), catalogue("member")}, Memberships: memberships,
	}}
}

func catalogue(name string) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}}
}

func membership(user string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	return &v1alpha1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: user, CreationTimestamp: metav1.NewTime(now)},
		Spec:       v1alpha1.MembershipSpec{User: v1alpha1.Username(user), Roles: roles},
	}
}

func rows(table memberTable) []string {
	var found []string
	for _, row := range table.rows {
		found = append(found, fmt.Sprintf("%s %v %s", row.User, row.Roles, row.Status))
	}
	return found
}

var _ = Describe("An answer", func() {
	It("has who is invited by address alone, and leaves out who declined and whose Membership has ended", func() {
		invited := membership("invited", "viewer")
		invited.Spec.User, invited.Spec.Email = "", "di@acme.example"
		declined := membership("cy", "viewer")
		declined.Spec.Invitation, declined.Spec.Response = &v1alpha1.InvitationSpec{}, v1alpha1.InvitationDeclined
		ended := membership("ed", "viewer")
		ended.Spec.ExpiresAt = &metav1.Time{Time: now}
		answer := newAnswer(acme(membership("bo"), invited, declined, ended), nil, now)
		Expect(rows(answer.members)).To(ConsistOf("ana [owner] Active", "bo [member] Active", " [viewer] Invited"))
	})

	It("shows when a user was last seen without evaluating anew", func() {
		facts := acme(membership("bo", "viewer"), membership("cy", "viewer"))
		first := newAnswer(facts, nil, now)
		seen := metav1.NewTime(now)
		facts.users = []v1alpha1.User{{Spec: v1alpha1.UserSpec{Username: "bo"}, Status: v1alpha1.UserStatus{LastSeenAt: &seen}}}
		// Whatever the engine would say now isn't asked for.
		facts.world.RoleBindings = []*v1alpha1.RoleBinding{nil}
		next := first.withUsers(facts, now)
		bo, _ := next.members.find("bo")
		Expect(bo.LastSeen).To(Equal(&seen))
		Expect(bo.changed).To(BeNumerically(">", first.members.version))
		cy, _ := next.members.find("cy")
		Expect(cy.changed).To(Equal(first.members.version))
	})

	It("keeps the version of who hasn't changed, and remembers who is gone", func() {
		first := newAnswer(acme(membership("bo", "viewer"), membership("cy", "viewer")), nil, now)
		next := newAnswer(acme(membership("bo", "member")), first, now)
		ana, _ := next.members.find("ana")
		bo, _ := next.members.find("bo")
		Expect(ana.changed).To(Equal(first.members.version))
		Expect(bo.created).To(Equal(first.members.version))
		Expect(bo.changed).To(Equal(next.members.version))
		Expect(next.members.version).To(BeNumerically(">", first.members.version), "although the clock stands")
		Expect(next.members.removed).To(HaveLen(1))
		Expect(next.members.removed[0].Name).To(Equal("cy"))
		Expect(newAnswer(acme(membership("bo", "member")), next, now).members.version).To(Equal(next.members.version))
	})

	It("tells a list that knows too little to list again", func() {
		before := &memberTable{version: 1, known: 1}
		for at := range rememberedRemovals + 1 {
			before.rows = append(before.rows, memberRow{Member: &viewv1alpha1.Member{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%05d", at)}}})
		}
		table := newMemberTable(nil, before, now)
		Expect(table.removed).To(HaveLen(rememberedRemovals))
		_, err := since(&metainternalversion.ListOptions{ResourceVersion: "1"}, &answer{members: table})
		Expect(err).To(Satisfy(apierrors.IsResourceExpired))
	})
})

var _ = Describe("Pages", func() {
	It("come together as the whole, without a row twice, while others come and go", func() {
		table := newAnswer(acme(membership("bo"), membership("cy"), membership("di")), nil, now).members
		first := newPage[viewv1alpha1.Member](&metainternalversion.ListOptions{Limit: 2}, DefaultPageRows)
		Expect(first.add("org-acme", "", table.after("", nil))).To(BeFalse())
		next, err := positionOf(&metainternalversion.ListOptions{Continue: first.next.encode()})
		Expect(err).NotTo(HaveOccurred())

		changed := newAnswer(acme(membership("aa"), membership("di")), nil, now).members
		second := newPage[viewv1alpha1.Member](nil, DefaultPageRows)
		Expect(second.add("org-acme", "", changed.after(next.in("org-acme"), nil))).To(BeTrue())
		Expect(second.next).To(BeNil())
		var names []string
		for _, member := range slices.Concat(first.items, second.items) {
			names = append(names, member.Name)
		}
		Expect(names).To(Equal([]string{"ana", "bo", "di"}))
	})

	It("are refused where continue is nothing that a list gave", func() {
		_, err := positionOf(&metainternalversion.ListOptions{Continue: "?"})
		Expect(err).To(MatchError(ContainSubstring(`continue "?"`)))
		Expect(err).To(Satisfy(apierrors.IsBadRequest))
	})
})

var _ = Describe("Grants", func() {
	result := access.Result{Organization: "acme", Namespace: "org-acme", Grants: []access.Grant{
		{
			Role:     access.RoleReference{Name: "viewer"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "bo"}, {Kind: rbacv1.GroupKind, Name: "bo"}},
			Scope:    &access.Scope{Organization: true, Namespaces: []string{"acme-a", "acme-b"}},
		},
		{
			Role:     access.RoleReference{Name: "developer"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "acme-a", Name: "ci"}},
			Scope:    &access.Scope{Namespaces: []string{"acme-a"}},
		},
	}}

	It("are one for each namespace, and each is found by its own name", func() {
		table := newGrantTable(result, nil)
		seen := map[string]bool{}
		var holders []string
		for _, row := range table.after("", nil) {
			Expect(seen[row.Name]).To(BeFalse())
			seen[row.Name] = true
			Expect(table.find(row.Name)).To(Equal(row))
			holders = append(holders, row.User+row.Group+" "+row.TargetNamespace)
		}
		Expect(holders).To(Equal([]string{
			"bo acme-a", "bo acme-b", "bo org-acme", "bo acme-a", "bo acme-b", "bo org-acme",
			"system:serviceaccount:acme-a:ci acme-a",
		}))
		Expect(table.find("bo.0123456789")).To(BeNil())
	})

	It("are no rows where a role has no rule", func() {
		viewer := access.RoleReference{Name: "viewer"}
		table := newGrantTable(result, sets.New(rbac.ProjectClusterRole(viewer)))
		var places []string
		for _, row := range table.after("", nil) {
			places = append(places, row.User+row.Group+" "+row.TargetNamespace)
		}
		Expect(places).To(Equal([]string{"bo org-acme", "bo org-acme", "system:serviceaccount:acme-a:ci acme-a"}))
		table = newGrantTable(result, sets.New(rbac.ProjectClusterRole(viewer), rbac.OrganizationClusterRole(viewer)))
		Expect(table.holders).To(HaveLen(1))
		Expect(table.remaining("")).To(Equal(1))
	})

	It("are selected by name without a look at those of others", func() {
		table := newGrantTable(result, nil)
		for _, row := range table.after("", nil) {
			var names []string
			for _, found := range table.after("", selection(fields.OneTermEqualSelector(fieldName, row.Name).Requirements())) {
				names = append(names, found.Name)
			}
			Expect(names).To(Equal([]string{row.Name}))
		}
	})

	It("go on behind any of them", func() {
		table := newGrantTable(result, nil)
		var keys []string
		for key := range table.after("", nil) {
			keys = append(keys, key)
		}
		Expect(table.remaining("")).To(Equal(len(keys)))
		for at, key := range keys {
			Expect(table.remaining(key)).To(Equal(len(keys) - at - 1))
			var rest []string
			for next := range table.after(key, nil) {
				rest = append(rest, next)
			}
			Expect(rest).To(HaveExactElements(keys[at+1:]))
		}
	})
})

var _ = DescribeTable("A selector",
	func(text string, matches bool) {
		selector, err := fields.ParseSelector(text)
		Expect(err).NotTo(HaveOccurred())
		member := &viewv1alpha1.Member{User: "bo", Roles: []string{"viewer", "billing"}, Status: viewv1alpha1.MemberActive}
		Expect(selection(selector.Requirements()).selectsMember(member)).To(Equal(matches))
	},
	Entry("of nothing matches", "", true),
	Entry("matches one of several roles", "role=billing", true),
	Entry("doesn't match another role", "role=owner", false),
	Entry("excludes one of several roles", "role!=billing", false),
	Entry("needs all that it says", "role=viewer,user=cy", false),
	Entry("matches all that it says", "role=viewer,user=bo,status=Active", true),
)

// askedActivities remembers what was asked for.
type askedActivities struct{ query ActivityQuery }

func (a *askedActivities) ListActivities(_ context.Context, query ActivityQuery) (ActivityPage, error) {
	a.query = query
	return ActivityPage{}, nil
}

var _ = Describe("Activities", func() {
	It("are unavailable, and say so, where none are kept", func(ctx SpecContext) {
		_, err := (&activityStorage{}).List(request.WithNamespace(ctx, "org-acme"), nil)
		Expect(err).To(Satisfy(apierrors.IsServiceUnavailable))
		Expect(err).To(MatchError("no activities are kept here: this manager runs without an activity store"))
	})

	DescribeTable("are bounded in one answer, and go on by continue", func(ctx SpecContext, limit int64, expected int) {
		asked := &askedActivities{}
		storage := &activityStorage{activities: asked, live: newMemory(organization("acme", "uid")), pageRows: DefaultPageRows}
		_, err := storage.List(request.WithNamespace(ctx, "org-acme"), &metainternalversion.ListOptions{Limit: limit})
		Expect(err).NotTo(HaveOccurred())
		Expect(asked.query.Limit).To(Equal(expected))
	},
		Entry("where no limit is given", int64(0), 500),
		Entry("where it is a small one", int64(7), 7),
		Entry("where it is as large as can be", int64(math.MaxInt64), 1000),
	)

	It("are those of the organization that is there now, and none where there is none", func(ctx SpecContext) {
		asked, cluster := &askedActivities{}, newMemory(organization("acme", "first"))
		storage := &activityStorage{activities: asked, live: cluster, pageRows: DefaultPageRows}
		list := func(namespace string) {
			GinkgoHelper()
			asked.query = ActivityQuery{}
			_, err := storage.List(request.WithNamespace(ctx, namespace), nil)
			Expect(err).NotTo(HaveOccurred())
		}
		list("org-acme")
		Expect(asked.query.Organization.UID).To(BeEquivalentTo("first"))
		cluster.remove(organization("acme", "first"))
		list("org-acme")
		Expect(asked.query).To(BeZero(), "nothing is asked for")
		cluster.put(organization("acme", "second"))
		list("org-acme")
		Expect(asked.query.Organization.UID).To(BeEquivalentTo("second"))
		list("default")
		Expect(asked.query.Namespace).To(Equal("default"))
		Expect(asked.query.Organization).To(BeNil())
		list("")
		Expect(asked.query.Organization).To(BeNil(), "who may list all namespaces sees all records")
	})

	It("are asked for as the selector says", func() {
		selector, err := fields.ParseSelector("actor=ana,kind=Team,name=makers")
		Expect(err).NotTo(HaveOccurred())
		Expect(activityQuery(selector)).To(Equal(ActivityQuery{Actor: "ana", Kind: "Team", Name: "makers"}))
		selector, err = fields.ParseSelector("organizationUID=first,metadata.namespace=org-acme")
		Expect(err).NotTo(HaveOccurred())
		Expect(activityQuery(selector)).To(Equal(ActivityQuery{Namespace: "org-acme", OrganizationUID: "first"}))
		selector, err = fields.ParseSelector("actor!=ana")
		Expect(err).NotTo(HaveOccurred())
		_, err = activityQuery(selector)
		Expect(err).To(Satisfy(apierrors.IsBadRequest))
	})
})

var _ = Describe("A watch", func() {
	// told are the events of one look at a table.
	told := func(ctx context.Context, w *memberWatch, table memberTable) []string {
		w.events = make(chan watch.Event)
		go func() {
			defer close(w.events)
			w.tell(ctx, &table)
		}()
		var events []string
		for event := range w.events {
			events = append(events, string(event.Type)+" "+event.Object.(*viewv1alpha1.Member).User)
		}
		return events
	}

	It("tells who enters and leaves the selection, and nobody twice", func(ctx SpecContext) {
		w := &memberWatch{
			selection: selection(fields.OneTermEqualSelector(fieldRole, "viewer").Requirements()), selected: sets.New[string](),
			answers: NewAnswers(nil, clocktesting.NewFakePassiveClock(now), DefaultPageRows),
		}
		first := newAnswer(acme(membership("bo", "viewer"), membership("cy", "member")), nil, now)
		Expect(told(ctx, w, first.members)).To(Equal([]string{"ADDED bo"}))
		Expect(told(ctx, w, first.members)).To(BeEmpty())
		second := newAnswer(acme(membership("bo", "member"), membership("cy", "viewer")), first, now)
		Expect(told(ctx, w, second.members)).To(Equal([]string{"DELETED bo", "ADDED cy"}))
		third := newAnswer(acme(membership("bo", "member")), second, now)
		Expect(told(ctx, w, third.members)).To(Equal([]string{"DELETED cy"}))
	})
})
