package activity

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

// Appender stores records; a record that comes again is left out.
type Appender interface {
	Append(ctx context.Context, records []Record) error
}

// WriterOptions say how a Writer works. Only Clock is needed.
type WriterOptions struct {
	Clock clock.Clock
	Log   logr.Logger
	// Limit is how many records wait in memory at most (default 100,000), LimitBytes how long their texts are together
	// (default 64 MiB).
	Limit, LimitBytes int
	// Batch is how many records are appended at once (default 1,000).
	Batch int
	// Backoff is the wait after a failure (default: 100 ms, doubled up to 30 s).
	Backoff wait.Backoff
	// Timeout bounds one append (default 30 s), Drain what is done after the end was asked for (default 10 s).
	Timeout, Drain time.Duration
	// Rebuild gives the records of the changes that Kubernetes still knows, oldest first. It is asked at the start, after
	// records didn't fit in memory, and when what was stored is lost. Without it, they are lost.
	Rebuild func(ctx context.Context) ([]Record, error)
}

// Writer stands in front of a store. Whoever records a change never waits for the database, and never fails because of
// it; the records follow in their order as soon as it takes them.
//
// Memory is bounded. When the queue is full, the Writer takes no more records until it is empty again, and then asks
// Rebuild for the changes that Kubernetes Events still hold, which is an hour's; keys keep what is stored already from
// being stored twice. The same happens at the start, for what a killed manager had in memory, and when the database turns
// out to be damaged or another one, so that a new one begins with what is still known. So a change is lost only
// if the database is away until after its Event has expired and either the queue was full or the manager stopped.
type Writer struct {
	appender Appender
	options  WriterOptions
	wake     chan struct{}

	mutex   sync.Mutex
	queue   []Record
	bytes   int
	rebuild bool
	full    bool
	state   WriterState
}

// WriterState is what a metric and a condition say of a Writer.
type WriterState struct {
	// Depth is how many records wait.
	Depth int
	// Oldest is the time of the first record that waits; zero when none does.
	Oldest time.Time
	// Refused counts the records that didn't fit in memory since the start; RebuildPending says that records are still to be
	// taken from Kubernetes Events.
	Refused        int64
	RebuildPending bool
	// Stored counts the records that were handed to the store since the start, some of which it may have had already.
	Stored int64
	// LastError is why the store takes no records since FailingSince; nil while it does.
	LastError    error
	FailingSince time.Time
}

// NewWriter makes a Writer, which takes records at once and stores them when it is started.
func NewWriter(appender Appender, options WriterOptions) *Writer {
	setDefault(&options.Limit, 100_000)
	setDefault(&options.LimitBytes, 64<<20)
	setDefault(&options.Batch, 1000)
	setDefault(&options.Timeout, 30*time.Second)
	setDefault(&options.Drain, 10*time.Second)
	if options.Backoff.Duration == 0 {
		options.Backoff = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 20, Cap: 30 * time.Second}
	}
	return &Writer{appender: appender, options: options, wake: make(chan struct{}, 1), rebuild: options.Rebuild != nil}
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Record queues records and returns at once. They are kept as they are now, in the order of the calls.
func (w *Writer) Record(changes ...Record) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	now := w.options.Clock.Now()
	for _, record := range changes {
		// Completed now: its time is that of the change, not that of the database's return.
		record = record.complete(now)
		size := record.size()
		w.full = w.full || len(w.queue) >= w.options.Limit || w.bytes+size > w.options.LimitBytes
		if w.full {
			w.state.Refused++
			continue
		}
		w.queue = append(w.queue, record)
		w.bytes += size
	}
	w.signal()
}

func (r Record) size() int {
	size := 0
	for _, text := range r.texts() {
		size += len(*text)
	}
	return size
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // It is to wake already.
	}
}

// State tells how far behind the store is.
func (w *Writer) State() WriterState {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	state := w.state
	state.Depth = len(w.queue)
	state.RebuildPending = w.options.Rebuild != nil && (w.rebuild || w.full)
	if len(w.queue) > 0 {
		state.Oldest = w.queue[0].Time
	}
	return state
}

// Start stores records until the context ends, and then what is left, as far as that can be done in the time of Drain.
// It is a Runnable of controller-runtime, and never fails because of the database.
func (w *Writer) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		w.work(ctx)
		select {
		case <-ctx.Done():
		case <-w.wake:
		}
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.options.Drain)
	defer cancel()
	w.work(draining)
	if left := w.State(); left.Depth > 0 {
		w.options.Log.Info("The activity store didn't take all changes before the end; they are recorded after the next "+
			"start, as long as Kubernetes still has their Events", "records", left.Depth)
	}
	return nil
}

// work goes on until nothing waits or the context ends.
func (w *Writer) work(ctx context.Context) {
	backoff := w.options.Backoff
	for ctx.Err() == nil {
		more, err := w.step(ctx)
		w.note(ctx, err)
		switch {
		case err == nil && !more:
			return
		case err == nil:
			backoff = w.options.Backoff
			continue
		}
		timer := w.options.Clock.NewTimer(backoff.Step())
		select {
		case <-ctx.Done():
		case <-timer.C():
		}
		timer.Stop()
	}
}

// step rebuilds, or appends one batch, and says whether there may be more to do.
func (w *Writer) step(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	if w.mustRebuild() {
		return true, w.rebuildQueue(ctx)
	}
	batch := w.batch()
	if len(batch) == 0 {
		return false, nil
	}
	if err := w.appender.Append(ctx, batch); err != nil {
		return true, err
	}
	w.remove(batch)
	return true, nil
}

// mustRebuild opens a queue that was full once it is empty.
func (w *Writer) mustRebuild() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.full && len(w.queue) == 0 {
		w.full = false
		w.rebuild = w.options.Rebuild != nil
	}
	return w.rebuild && !w.full
}

// rebuildQueue puts what Kubernetes still knows before what has come since: it is older, or the same.
func (w *Writer) rebuildQueue(ctx context.Context) error {
	older, err := w.options.Rebuild(ctx)
	if err != nil {
		return err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.rebuild = false
	now := w.options.Clock.Now()
	waiting := sets.New[string]()
	for _, record := range w.queue {
		waiting.Insert(record.Key)
	}
	queue := make([]Record, 0, len(older)+len(w.queue))
	for _, record := range older {
		if record = record.complete(now); !waiting.Has(record.Key) {
			w.bytes += record.size()
			queue = append(queue, record)
		}
	}
	w.queue = append(queue, w.queue...)
	return nil
}

func (w *Writer) batch() []Record {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.queue[:min(len(w.queue), w.options.Batch)]
}

// remove takes a batch off the front, where nobody else puts anything.
func (w *Writer) remove(batch []Record) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for i, record := range batch {
		w.bytes -= record.size()
		w.queue[i] = Record{} // What the array behind the queue still holds can't be freed.
	}
	w.queue = w.queue[len(batch):]
	w.state.Stored += int64(len(batch))
}

// isLost says whether an error may mean that what was stored is no more, and that another database takes its place.
func isLost(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, errReplaced) }

// note keeps the error, and says it once when it begins and once when it is over.
func (w *Writer) note(ctx context.Context, err error) {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if isLost(err) && !isLost(w.state.LastError) {
		w.rebuild = w.options.Rebuild != nil
	}
	switch {
	case err != nil && w.state.LastError == nil:
		w.state.FailingSince = w.options.Clock.Now()
		w.options.Log.Error(err, "The activity store takes no changes; they wait in memory", "records", len(w.queue))
	case err == nil && w.state.LastError != nil:
		w.options.Log.Info("The activity store takes changes again", "records", len(w.queue))
		w.state.FailingSince = time.Time{}
	}
	w.state.LastError = err
}
