package invitation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/internal/invitation"
)

var _ = Describe("The budget of wrong codes", func() {
	noon := time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)
	key := client.ObjectKey{Namespace: "roster-system", Name: "roster-wrong-codes"}
	var (
		clock  *clocktesting.FakePassiveClock
		store  client.WithWatch
		budget *invitation.Budget
		fails  error
	)
	replica := func() *invitation.Budget {
		return &invitation.Budget{Live: store, Writer: store, Clock: clock}
	}
	kept := func(ctx context.Context) map[string]string {
		config := &corev1.ConfigMap{}
		Expect(store.Get(ctx, key, config)).To(Succeed())
		return config.Data
	}
	BeforeEach(func() {
		clock, fails = clocktesting.NewFakePassiveClock(noon), nil
		store = fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			Update: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.UpdateOption) error {
				return errors.Join(fails, next.Update(ctx, object, options...))
			},
		}).Build()
		budget = replica()
	})

	It("is five an hour for each caller, counted from the first one, and the same at each replica", func(ctx SpecContext) {
		for number := 1; number <= 5; number++ {
			Expect(replica().Check(ctx, "eve")).To(Succeed())
			Expect(replica().Spend(ctx, "eve")).To(Equal(number))
			clock.SetTime(clock.Now().Add(time.Minute))
		}
		const refused = "you have given 5 wrong codes within an hour, so codes from you are refused until 2027-01-04T13:00:00Z"
		Expect(budget.Check(ctx, "eve")).To(And(MatchError(HavePrefix(refused)), Satisfy(apierrors.IsForbidden)))
		_, err := budget.Spend(ctx, "eve")
		Expect(err).To(MatchError(HavePrefix(refused)))
		Expect(budget.Spend(ctx, "bo")).To(Equal(1))
		clock.SetTime(noon.Add(time.Hour - time.Second))
		Expect(budget.Check(ctx, "eve")).NotTo(Succeed())
		clock.SetTime(noon.Add(time.Hour))
		Expect(budget.Check(ctx, "eve")).To(Succeed())
		Expect(budget.Spend(ctx, "eve")).To(Equal(1))
	})

	It("forgets who gave the first one more than an hour ago, and names nobody", func(ctx SpecContext) {
		Expect(budget.Spend(ctx, "eve@corp.example")).To(Equal(1))
		clock.SetTime(noon.Add(time.Hour))
		Expect(budget.Spend(ctx, "system:odd/name ü")).To(Equal(1))
		Expect(kept(ctx)).To(HaveLen(1))
		Expect(fmt.Sprint(kept(ctx))).NotTo(ContainSubstring("odd"))
	})

	It("remembers a thousand callers, the latest, and refuses none for the others", func(ctx SpecContext) {
		Expect(budget.Spend(ctx, "eve")).To(Equal(1))
		Expect(budget.Spend(ctx, "mallory")).To(Equal(1))
		config := &corev1.ConfigMap{}
		Expect(store.Get(ctx, key, config)).To(Succeed())
		for caller := range 1000 {
			config.Data[fmt.Sprint(caller)] = "1 " + noon.Add(time.Duration(caller)*time.Second).Format(time.RFC3339)
		}
		Expect(store.Update(ctx, config)).To(Succeed())
		clock.SetTime(noon.Add(2000 * time.Second))
		Expect(budget.Spend(ctx, "bo")).To(Equal(1))
		Expect(kept(ctx)).To(And(HaveLen(1000), HaveKey("999"), HaveKey("1"), Not(HaveKey("0"))))
		Expect(budget.Spend(ctx, "bo")).To(Equal(2))
		Expect(budget.Spend(ctx, "eve")).To(Equal(1), "the first ones are forgotten")
	})

	DescribeTable("counts each of one caller's wrong codes at once, and tells five", func(ctx SpecContext, replicas int) {
		told := make(chan error, 24)
		both := make([]*invitation.Budget, replicas)
		for at := range both {
			both[at] = replica()
		}
		var all sync.WaitGroup
		for at := range 24 {
			all.Go(func() {
				_, err := both[at%replicas].Spend(ctx, "eve")
				told <- err
			})
		}
		all.Wait()
		close(told)
		counted := 0
		for err := range told {
			if err == nil {
				counted++
				continue
			}
			Expect(err).To(MatchError(ContainSubstring("codes from you are refused until")))
		}
		Expect(counted).To(Equal(5))
	},
		Entry("at one replica", 1),
		Entry("at two", 2),
	)

	It("tells nothing of a code that can't be counted", func(ctx SpecContext) {
		Expect(budget.Spend(ctx, "eve")).To(Equal(1))
		fails = errors.New("the API server is away")
		_, err := budget.Spend(ctx, "eve")
		Expect(err).To(MatchError(ContainSubstring("the API server is away")))
	})

	It("takes what can't be read as nothing", func(ctx SpecContext) {
		Expect(budget.Spend(ctx, "eve")).To(Equal(1))
		config := &corev1.ConfigMap{}
		Expect(store.Get(ctx, key, config)).To(Succeed())
		for key := range config.Data {
			config.Data[key] = "five at noon"
		}
		Expect(store.Update(ctx, config)).To(Succeed())
		Expect(budget.Spend(ctx, "eve")).To(Equal(1))
	})
})
