package history

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/internal/activity"
)

var _ = Describe("The keeper of the activity store", func() {
	It("removes what is older than the retention, from its start on", func(ctx context.Context) {
		const retention = 400 * 24 * time.Hour
		now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
		clock := clocktesting.NewFakeClock(now)
		source := activity.NewSource(GinkgoT().TempDir()+"/activity.db", clock)
		stored := func(change func(*activity.Store) error) {
			GinkgoHelper()
			Expect(source.With(ctx, change)).To(Succeed())
		}
		left := func() ([]string, error) {
			var actions []string
			err := source.With(ctx, func(store *activity.Store) error {
				found, err := store.List(ctx, activity.Query{Namespace: "org-acme"})
				for _, entry := range found.Entries {
					actions = append(actions, entry.Action)
				}
				return err
			})
			return actions, err
		}
		stored(func(store *activity.Store) error {
			return store.Append(ctx, []activity.Record{
				{Namespace: "org-acme", Action: "Older", Time: now.Add(-retention - time.Second)},
				{Namespace: "org-acme", Action: "Old", Time: now.Add(-retention + time.Second)},
				{Namespace: "org-acme", Action: "New", Time: now},
			})
		})

		running, stop := context.WithCancel(ctx)
		writer := activity.NewWriter(source, activity.WriterOptions{Clock: clock})
		keeper := &Keeper{
			Source: source, Writer: writer, Client: fake.NewClientBuilder().Build(), State: writer.State, Clock: clock,
			Retention: retention, Every: time.Millisecond,
		}
		done := make(chan error, 1)
		go func() { done <- keeper.Start(running) }()
		DeferCleanup(func() {
			stop()
			Eventually(done).Should(Receive(BeNil()))
		})
		Eventually(left).Should(ConsistOf("Old", "New"))
		clock.SetTime(now.Add(time.Minute))
		Eventually(left).Should(ConsistOf("New"))
	})
})
