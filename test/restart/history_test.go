package restart_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	crashes      = 50
	changes      = 500
	changedTeams = 10
	changeEvery  = 100 * time.Millisecond
)

// changer makes changes, as many as it may by now.
type changer struct {
	may, made atomic.Int64
	changing  sync.WaitGroup
}

// start makes changes until all are made, or the spec ends.
func (c *changer) start(ctx context.Context, change func(number int)) {
	c.changing.Go(func() {
		defer GinkgoRecover()
		pace := time.NewTicker(changeEvery)
		defer pace.Stop()
		for number := range changes {
			for c.made.Load() >= c.may.Load() {
				if ctx.Err() != nil {
					return
				}
				<-pace.C
			}
			change(number)
			c.made.Add(1)
			<-pace.C
		}
	})
}

// reaches waits until so many changes are made.
func (c *changer) reaches(ctx context.Context, count int) {
	GinkgoHelper()
	c.may.Store(int64(count))
	Eventually(c.made.Load).WithContext(ctx).WithPolling(time.Millisecond).Should(BeNumerically(">=", count))
}

// moments are how many changes are to have been made when the manager is killed.
func moments() []int {
	moments := rand.Perm(changes)[:crashes]
	slices.Sort(moments)
	return moments
}

// historyOf reads the chain of an organization, the oldest entry first, and expects that it holds.
func (i *installation) historyOf(ctx context.Context, organization string) []activity.LogEntry {
	GinkgoHelper()
	store, err := activity.Open(ctx, i.cluster.ActivityDatabase(), clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(store.Close()).To(Succeed()) }()
	namespace := v1alpha1.OrganizationNamespace(organization)
	verdict, err := store.Verify(ctx, namespace)
	Expect(err).NotTo(HaveOccurred())
	Expect(verdict.Holds()).To(BeTrue(), verdict.String())
	var entries []activity.LogEntry
	query := activity.Query{Namespace: namespace}
	for {
		page, err := store.List(ctx, query)
		Expect(err).NotTo(HaveOccurred())
		entries = append(entries, page.Entries...)
		if query.Continue = page.Continue; query.Continue == "" {
			break
		}
	}
	slices.SortFunc(entries, func(a, b activity.LogEntry) int { return int(a.Sequence - b.Sequence) })
	return entries
}

// describe gives a team its next description: the number of the change.
func (i *installation) describe(ctx context.Context, team *v1alpha1.Team) {
	GinkgoHelper()
	expectations.Change(ctx, i.Expectations, team, func(team *v1alpha1.Team) {
		team.Spec.Description = strconv.Itoa(valueOf(team.Spec.Description) + 1)
	})
}

func valueOf(description string) int {
	value, _ := strconv.Atoi(description)
	return value
}

// expectWhole expects one record of each change of a team, in their order, or one that says that it stands for several.
func expectWhole(entries []activity.LogEntry, team *v1alpha1.Team) (single, coalesced int) {
	GinkgoHelper()
	value, made := "", 0
	for _, entry := range entries {
		switch {
		case entry.Object.UID != team.UID:
		case entry.Action == "TeamCreated":
			made++
		case entry.Field == "spec.description":
			Expect(entry.Previous).To(Equal(value), "%s follows from what was recorded before", entry.Note)
			if entry.Coalesced {
				coalesced++
			} else {
				single++
				Expect(valueOf(entry.New)).To(Equal(valueOf(value)+1), "nothing is left out unsaid")
			}
			value = entry.New
		}
	}
	Expect(made).To(Equal(1))
	Expect(value).To(Equal(team.Spec.Description), "the last change is recorded")
	return single, coalesced
}

var _ = Describe("The history of a manager that is killed at fifty moments of five hundred changes", func() {
	It("has each change once, in order, or says that one stands for several", func(ctx SpecContext) {
		const name = "crashes"
		i := install(ctx)
		i.makeOrganization(ctx, name, 1)
		var teams []*v1alpha1.Team
		for n := range changedTeams {
			team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, fmt.Sprintf("team-%d", n))}
			i.Create(ctx, team)
			i.Ready(ctx, team)
			teams = append(teams, team)
		}
		// The changes go on while the manager is down.
		i.withoutWebhook(ctx)
		var changer changer
		changer.start(ctx, func(number int) { i.describe(ctx, teams[number%changedTeams]) })
		// Half of the changes between two kills may come before the manager is back, the others follow when it is: so it
		// works on some of them, however long a start takes here.
		kills := moments()
		for at, next := range slices.Concat(kills[1:], []int{changes}) {
			changer.reaches(ctx, kills[at])
			changer.may.Store(int64(kills[at]+next) / 2)
			Expect(i.manager.Kill()).To(Succeed())
			Expect(i.manager.Restart(ctx)).To(Succeed())
		}
		changer.reaches(ctx, changes)
		changer.changing.Wait()
		i.settle(ctx)
		Expect(i.manager.Stop()).To(Succeed())

		entries := i.historyOf(ctx, name)
		single, coalesced := 0, 0
		for _, team := range teams {
			alone, together := expectWhole(entries, team)
			single, coalesced = single+alone, coalesced+together
		}
		AddReportEntry("changes", fmt.Sprintf("%d made: %d recorded alone, %d records of what happened while it was down",
			changer.made.Load(), single, coalesced))
		Expect(single).To(BeNumerically(">", changes/10), "the manager had time to work")
		Expect(i.manager.Restart(ctx)).To(Succeed())
	}, SpecTimeout(15*time.Minute))
})

// holdersIn are who holds what in a namespace by RBAC.
func (i *installation) holdersIn(ctx context.Context, namespace string) map[string]rbac.Holders {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(i.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	holders := map[string]rbac.Holders{}
	for _, binding := range list.Items {
		holders[binding.RoleRef.Name] = rbac.Holders{Subjects: binding.Subjects}
	}
	return holders
}

// stateOf is what the history says of a namespace's access last.
func stateOf(entries []activity.LogEntry, namespace string) string {
	state := ""
	for _, entry := range entries {
		if entry.Field == "access in "+namespace {
			state = entry.State
		}
	}
	return state
}

var _ = Describe("The history of access that a manager changes as it is killed", func() {
	It("says of each namespace who holds access in the end", func(ctx SpecContext) {
		const (
			name  = "effects"
			kills = 8
		)
		i := install(ctx)
		i.makeOrganization(ctx, name, 30, "bo", "cy")
		team := &v1alpha1.Team{
			ObjectMeta: expectations.InOrganization(name, "team"),
			Spec: v1alpha1.TeamSpec{
				Members: []v1alpha1.Username{v1alpha1.Username(userOf(name, "bo"))}, Role: "developer", AllProjects: true,
			},
		}
		i.Create(ctx, team)
		i.Ready(ctx, team)
		for n := range kills {
			member := []string{"cy", "bo"}[n%2]
			expectations.Change(ctx, i.Expectations, team, func(team *v1alpha1.Team) {
				team.Spec.Members = []v1alpha1.Username{v1alpha1.Username(userOf(name, member))}
			})
			i.killDuring(ctx, name, "developer", func(int) bool {
				changed := i.holdersIn(ctx, fmt.Sprintf("%s-p%d", name, 3*n))[developers].Subjects
				return len(changed) == 1 && changed[0].Name == userOf(name, member)
			})
			Expect(i.manager.Restart(ctx)).To(Succeed())
			i.Ready(ctx, team)
		}
		i.settle(ctx)
		Expect(i.manager.Stop()).To(Succeed())

		entries, coalesced := i.historyOf(ctx, name), 0
		for n := range 30 {
			namespace := fmt.Sprintf("%s-p%d", name, n)
			Expect(stateOf(entries, namespace)).To(Equal(new(rbac.Fingerprints).Of(i.holdersIn(ctx, namespace))), namespace)
		}
		for _, entry := range entries {
			if entry.Action == "AccessChanged" && entry.Coalesced {
				coalesced++
			}
		}
		AddReportEntry("records of what a killed manager hadn't recorded", coalesced)
	}, SpecTimeout(10*time.Minute))
})

// letGo takes Roster's finalizer off objects, as somebody may who is past all policies.
func (i *installation) letGo(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	for _, object := range objects {
		Expect(client.IgnoreNotFound(i.Patch(ctx, object, patch))).To(Succeed())
	}
}

var _ = Describe("The history of an organization that was deleted and made again while Roster was away", func() {
	It("has nothing of the one that had its name, also of what nobody saw go", func(ctx SpecContext) {
		const name = "replaced"
		i := install(ctx)
		i.makeOrganization(ctx, name, 1, "bo")
		old := expectations.Organization(name, "")
		Expect(i.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
		i.settle(ctx)
		Expect(i.manager.Stop()).To(Succeed())

		i.withoutWebhook(ctx)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.OrganizationNamespace(name)}}
		i.Delete(ctx, namespace)
		var members v1alpha1.MembershipList
		Expect(i.List(ctx, &members, client.InNamespace(namespace.Name))).To(Succeed())
		Expect(members.Items).NotTo(BeEmpty())
		for at := range members.Items {
			i.letGo(ctx, &members.Items[at])
		}
		i.letGo(ctx, expectations.Project(name, projectNamed(0)))
		i.Delete(ctx, old)
		i.letGo(ctx, old)
		i.Gone(ctx, old.DeepCopy())
		Eventually(func() error {
			return i.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		}).WithContext(ctx).WithTimeout(2 * time.Minute).Should(Satisfy(apierrors.IsNotFound))
		fresh := expectations.Organization(name, "new@fresh.example")
		i.Create(ctx, fresh)

		Expect(i.manager.Restart(ctx)).To(Succeed())
		i.Ready(ctx, fresh)
		cy := expectations.Membership(name, "cy", "cy@fresh.example", "viewer")
		i.Create(ctx, cy)
		i.Ready(ctx, cy)
		i.settle(ctx)
		Expect(i.manager.Stop()).To(Succeed())

		var events eventsv1.EventList
		Expect(i.List(ctx, &events, client.InNamespace(namespace.Name))).To(Succeed())
		Expect(fmt.Sprintf("%+v", events.Items)).To(And(ContainSubstring("cy@fresh"), Not(ContainSubstring("@replaced.example"))))
		entries := i.historyOf(ctx, name)
		removed, revoked := 0, 0
		for _, entry := range entries {
			text := fmt.Sprintf("%+v", entry)
			switch entry.OrganizationUID {
			case fresh.UID:
				Expect(text).NotTo(ContainSubstring("@replaced.example"), text)
				Expect(entry.Object.UID).NotTo(Equal(old.UID), text)
			case old.UID:
				Expect(text).NotTo(ContainSubstring("@fresh.example"), text)
				if entry.Action == "MemberRemoved" {
					removed++
				}
			default:
				Expect(entry.OrganizationUID).To(Equal(activity.UnknownOrganization))
				Expect(entry.Action).To(Equal("AccessRevoked"), text)
				revoked++
			}
		}
		Expect(removed).To(Equal(len(members.Items)), "who went unseen is recorded for the organization that they were in")
		Expect(revoked).To(BeNumerically(">", 0), "what nobody had taken away was in force until now")
		Expect(entries).To(ContainElement(SatisfyAll(HaveField("OrganizationUID", fresh.UID), HaveField("Action", "MemberAdded"))))
		Expect(i.manager.Restart(ctx)).To(Succeed())
	}, SpecTimeout(5*time.Minute))
})
