package history

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/roster-dev/roster/internal/history"
)

const (
	// laneCount is how many changes are written at once.
	laneCount = 16
	// laneLength is how many changes wait in a lane before those who bring more have to wait. Informers keep what waits for
	// that; nothing is dropped and nothing merged.
	laneLength = 128
)

// lanes write changes, many at once, those of one object one after the other.
type lanes struct {
	queues  [laneCount]chan history.Change
	running sync.WaitGroup
	done    <-chan struct{}
}

func (l *lanes) start(ctx context.Context, write func(context.Context, history.Change) error) {
	l.done = ctx.Done()
	for i := range l.queues {
		queue := make(chan history.Change, laneLength)
		l.queues[i] = queue
		l.running.Go(func() { work(ctx, queue, write) })
	}
}

// put asks for changes of one object to be written.
func (l *lanes) put(uid types.UID, changes []history.Change) {
	hash := fnv.New32a()
	// A Hash takes every text.
	_, _ = hash.Write([]byte(uid))
	queue := l.queues[hash.Sum32()%laneCount]
	for _, change := range changes {
		select {
		case queue <- change:
			pending.Inc()
		case <-l.done:
			return
		}
	}
}

func (l *lanes) wait() { l.running.Wait() }

func work(ctx context.Context, queue <-chan history.Change, write func(context.Context, history.Change) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-queue:
			insist(ctx, change, write)
			pending.Dec()
		}
	}
}

// insist writes a change, again and again until it is written: what comes after it must not come before it.
func insist(ctx context.Context, change history.Change, write func(context.Context, history.Change) error) {
	backoff := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 10, Cap: 10 * time.Second}
	for ctx.Err() == nil {
		err := write(ctx, change)
		if err == nil {
			recorded.WithLabelValues(change.Object.Kind).Inc()
			return
		}
		failures.Inc()
		log.FromContext(ctx).V(1).Info("Can't record a change yet", "object", change.Object.String(), "error", err.Error())
		timer := time.NewTimer(backoff.Step())
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}
