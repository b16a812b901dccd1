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
	"k8s.io/utils/clock"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	crashes      = 50
	changes      = 500
	changedTeams = 10
	// changeEvery is such that some changes come while the manager works, some while it starts and some while it is down.
	changeEvery = 150 * time.Millisecond
)

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
		var made atomic.Int64
		var changing sync.WaitGroup
		changing.Go(func() {
			defer GinkgoRecover()
			pace := time.NewTicker(changeEvery)
			defer pace.Stop()
			for n := range changes {
				i.describe(ctx, teams[n%changedTeams])
				made.Add(1)
				<-pace.C
			}
		})
		for _, moment := range moments() {
			Eventually(made.Load).WithContext(ctx).WithTimeout(changes * changeEvery).WithPolling(time.Millisecond).
				Should(BeNumerically(">=", moment))
			Expect(i.manager.Kill()).To(Succeed())
			Expect(i.manager.Restart(ctx)).To(Succeed())
		}
		changing.Wait()
		i.settle(ctx)
		Expect(i.manager.Stop()).To(Succeed())

		entries := i.historyOf(ctx, name)
		single, coalesced := 0, 0
		for _, team := range teams {
			alone, together := expectWhole(entries, team)
			single, coalesced = single+alone, coalesced+together
		}
		AddReportEntry("changes", fmt.Sprintf("%d made: %d recorded alone, %d records of what happened while it was down",
			made.Load(), single, coalesced))
		Expect(single).To(BeNumerically(">", changes/10), "the manager had time to work")
		Expect(i.manager.Restart(ctx)).To(Succeed())
	}, SpecTimeout(15*time.Minute))
})
