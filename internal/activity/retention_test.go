package activity

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

var _ = Describe("The retention", func() {
	It("removes what is old at once, and later what has become so", func(ctx SpecContext) {
		source := NewSource(filepath.Join(GinkgoT().TempDir(), "activity.db"), clock.RealClock{})
		DeferCleanup(source.Close)
		Expect(source.Append(ctx, changes(1, 100))).To(Succeed())
		store, err := source.Store(ctx)
		Expect(err).NotTo(HaveOccurred())
		left := func() int { return len(all(ctx, store, Query{})) }

		now := clocktesting.NewFakeClock(change(11).Time.Add(DefaultRetention))
		background, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(done)
			Expect(Retention{Source: source, Keep: DefaultRetention, Clock: now, Log: GinkgoLogr}.Start(background)).To(Succeed())
		}()
		Eventually(left).Should(Equal(90))
		Eventually(now.HasWaiters).Should(BeTrue())
		now.Step(time.Hour)
		Eventually(left).Should(Equal(30))
		expectHolds(ctx, store, "org-acme", 30)
		cancel()
		Eventually(done).Should(BeClosed())
	})
})
