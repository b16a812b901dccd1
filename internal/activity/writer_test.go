package activity

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

var errAwayForTest = errors.New("away")

// fakeStore keeps keys in memory, and fails as long as it is told to.
type fakeStore struct {
	mutex sync.Mutex
	away  bool
	hangs bool
	keys  []string
	calls []time.Time
}

func (f *fakeStore) Append(ctx context.Context, records []Record) error {
	f.mutex.Lock()
	f.calls = append(f.calls, time.Now())
	away, hangs := f.away, f.hangs
	f.mutex.Unlock()
	switch {
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	case away:
		return errAwayForTest
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, record := range records {
		f.keys = append(f.keys, record.Key)
	}
	return nil
}

func (f *fakeStore) set(away, hangs bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.away, f.hangs = away, hangs
}

// called are the times at which it was asked to append.
func (f *fakeStore) called() []time.Time {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeStore) stored() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([]string(nil), f.keys...)
}

func keys(list []Record) []string {
	var keys []string
	for _, record := range list {
		keys = append(keys, record.Key)
	}
	return keys
}

// startWriter runs a writer until the end of the spec.
func startWriter(appender Appender, options WriterOptions) *Writer {
	writer, _ := startAndStop(appender, options)
	return writer
}

func startAndStop(appender Appender, options WriterOptions) (*Writer, func()) {
	options.Clock, options.Log = clock.RealClock{}, GinkgoLogr
	writer := NewWriter(appender, options)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(done)
		Expect(writer.Start(ctx)).To(Succeed())
	}()
	stop := func() {
		GinkgoHelper()
		cancel()
		Eventually(done).WithTimeout(15 * time.Second).Should(BeClosed())
	}
	DeferCleanup(stop)
	return writer, stop
}

func expectOrder(ctx context.Context, store *Store, count int) {
	GinkgoHelper()
	sequence := 0
	for entry, err := range entriesOf(ctx, store.reading, "org-acme") {
		Expect(err).NotTo(HaveOccurred())
		sequence++
		Expect(entry.Key).To(Equal(change(sequence).Key))
	}
	Expect(sequence).To(Equal(count))
}

var _ = Describe("The writer", func() {
	quick := wait.Backoff{Duration: time.Millisecond}

	It("stores in the order in which it is told, and takes a flood of 10,000", func(ctx SpecContext) {
		store := open(ctx, filepath.Join(GinkgoT().TempDir(), "activity.db"))
		writer := startWriter(store, WriterOptions{})
		for number := 1; number <= 10_000; number++ {
			writer.Record(change(number))
		}
		Eventually(writer.State).WithTimeout(2 * time.Minute).Should(HaveField("Stored", BeEquivalentTo(10_000)))
		expectHolds(ctx, store, "org-acme", 10_000)
		expectOrder(ctx, store, 10_000)
	})

	It("keeps what it is told while the store is away, says so, and catches up", func() {
		store := &fakeStore{away: true}
		writer := startWriter(store, WriterOptions{Backoff: quick, Batch: 7})
		writer.Record(changes(1, 30)...)
		Eventually(writer.State).Should(HaveField("LastError", MatchError(errAwayForTest)))
		state := writer.State()
		Expect(state.Depth).To(Equal(30))
		Expect(state.Oldest).To(Equal(change(1).Time))
		Expect(state.FailingSince).NotTo(BeZero())

		writer.Record(changes(31, 40)...)
		store.set(false, false)
		Eventually(store.stored).Should(Equal(keys(changes(1, 40))))
		Eventually(writer.State).Should(Equal(WriterState{Stored: 40}))
	})

	It("waits longer after each failure", func() {
		store := &fakeStore{away: true}
		writer := startWriter(store, WriterOptions{Backoff: wait.Backoff{Duration: time.Millisecond, Factor: 10, Steps: 10}})
		writer.Record(change(1))
		Eventually(func() int { return len(store.called()) }).Should(BeNumerically(">=", 4))
		calls := store.called()
		for at, pause := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
			Expect(calls[at+1].Sub(calls[at])).To(BeNumerically(">=", pause))
		}
	})

	It("never makes its callers wait, not even for a store that hangs", func() {
		store := &fakeStore{hangs: true}
		writer := startWriter(store, WriterOptions{Backoff: quick, Timeout: time.Minute, Drain: time.Millisecond})
		writer.Record(change(1))
		Eventually(store.called).Should(HaveLen(1))
		done := make(chan struct{})
		go func() {
			defer close(done)
			writer.Record(changes(2, 5000)...)
		}()
		Eventually(done).Should(BeClosed())
		Expect(writer.State().Depth).To(Equal(5000))
	})

	It("gives up on an append that hangs and tries again", func() {
		store := &fakeStore{hangs: true}
		writer := startWriter(store, WriterOptions{Backoff: quick, Timeout: 10 * time.Millisecond})
		writer.Record(change(1))
		Eventually(writer.State).Should(HaveField("LastError", MatchError(context.DeadlineExceeded)))
		store.set(false, false)
		Eventually(store.stored).Should(HaveLen(1))
	})

	It("takes what didn't fit in memory from what Kubernetes still knows, in order", func() {
		store := &fakeStore{away: true}
		var mutex sync.Mutex
		var asked int
		rebuild := func(context.Context) ([]Record, error) {
			mutex.Lock()
			defer mutex.Unlock()
			asked++
			switch asked {
			case 1:
				return nil, nil
			case 2:
				return nil, errors.New("the API server is away too")
			}
			return changes(15, 60), nil
		}
		writer := startWriter(store, WriterOptions{Backoff: quick, Limit: 20, Rebuild: rebuild})
		Eventually(writer.State).Should(HaveField("RebuildPending", false))
		writer.Record(changes(1, 50)...)
		Expect(writer.State()).To(And(
			HaveField("Depth", 20), HaveField("Refused", BeEquivalentTo(30)), HaveField("RebuildPending", true)))
		writer.Record(changes(51, 60)...)

		store.set(false, false)
		Eventually(store.stored).Should(Equal(append(keys(changes(1, 20)), keys(changes(15, 60))...)))
		Eventually(writer.State).Should(HaveField("RebuildPending", false))
		writer.Record(change(61))
		Eventually(store.stored).Should(ContainElement("change-61"))
	})

	It("bounds bytes too", func() {
		writer := NewWriter(&fakeStore{}, WriterOptions{Clock: clock.RealClock{}, Log: logr.Discard(), LimitBytes: 1000})
		long := change(1)
		long.New = string(make([]byte, 990))
		writer.Record(change(2), long, change(3))
		Expect(writer.State()).To(And(HaveField("Depth", 1), HaveField("Refused", BeEquivalentTo(2))))
	})

	It("begins with what a killed manager had in memory", func() {
		store := &fakeStore{}
		rebuild := func(context.Context) ([]Record, error) { return changes(1, 5), nil }
		options := WriterOptions{Clock: clock.RealClock{}, Log: GinkgoLogr, Rebuild: rebuild}
		writer := NewWriter(store, options)
		writer.Record(change(6))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		Expect(writer.Start(ctx)).To(Succeed())
		Expect(store.stored()).To(Equal(keys(changes(1, 6))))
	})

	It("stores what waits before it ends", func() {
		store := &fakeStore{away: true}
		writer, stop := startAndStop(store, WriterOptions{Backoff: quick})
		writer.Record(changes(1, 3000)...)
		Eventually(writer.State).Should(HaveField("LastError", HaveOccurred()))
		store.set(false, false)
		stop()
		Expect(store.stored()).To(HaveLen(3000))
	})

	It("ends in time when the store stays away", func() {
		store := &fakeStore{hangs: true}
		writer, stop := startAndStop(store, WriterOptions{Backoff: quick, Drain: 50 * time.Millisecond})
		writer.Record(changes(1, 3)...)
		started := time.Now()
		stop()
		Expect(time.Since(started)).To(BeNumerically("<", 10*time.Second))
		Expect(writer.State().Depth).To(Equal(3))
	})

	It("begins a new file, where an open one is overwritten, with what Kubernetes still knows", func(ctx SpecContext) {
		path := filepath.Join(GinkgoT().TempDir(), "activity.db")
		source := NewSource(path, clock.RealClock{})
		DeferCleanup(source.Close)
		writer := startWriter(source, WriterOptions{
			Backoff: quick,
			Rebuild: func(context.Context) ([]Record, error) { return changes(1, 12), nil },
		})
		Eventually(writer.State).Should(HaveField("Stored", BeEquivalentTo(12)))
		Expect(os.WriteFile(path, make([]byte, 5000), 0o600)).To(Succeed())
		writer.Record(changes(11, 20)...)
		Eventually(writer.State).Should(And(HaveField("LastError", MatchError(ErrCorrupt)), HaveField("Depth", 20)))

		Expect(os.Rename(path, path+".aside")).To(Succeed())
		Eventually(writer.State).Should(HaveField("LastError", BeNil()))
		Eventually(writer.State).Should(HaveField("Depth", 0))
		store, err := source.Store(ctx)
		Expect(err).NotTo(HaveOccurred())
		expectHolds(ctx, store, "org-acme", 20)
		expectOrder(ctx, store, 20)
		Expect(os.ReadFile(path+".aside")).To(Equal(make([]byte, 5000)), "the damaged file is left as it was")
	})

	It("waits for a damaged file to be moved aside, and then goes on by itself", func(ctx SpecContext) {
		path := filepath.Join(GinkgoT().TempDir(), "activity.db")
		Expect(os.WriteFile(path, make([]byte, 5000), 0o600)).To(Succeed())
		source := NewSource(path, clock.RealClock{})
		DeferCleanup(source.Close)
		writer := startWriter(source, WriterOptions{Backoff: quick})
		writer.Record(changes(1, 10)...)
		Eventually(writer.State).Should(And(HaveField("LastError", MatchError(ErrCorrupt)), HaveField("Depth", 10)))

		Expect(os.Rename(path, path+".aside")).To(Succeed())
		Eventually(writer.State).Should(Equal(WriterState{Stored: 10}))
		store, err := source.Store(ctx)
		Expect(err).NotTo(HaveOccurred())
		expectHolds(ctx, store, "org-acme", 10)
	})
})
