package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/activity"
)

// eventsAtOnce is how many Events are listed with one request.
const eventsAtOnce = 1000

// Store is what is needed of the activity store.
type Store interface {
	activity.Appender
	With(ctx context.Context, do func(*activity.Store) error) error
}

// Baseline is what earlier runs recorded: what is in the store, and the Events of the last hour, some of which a killed
// manager may not have stored any more. It is read before this run stores anything, so that it never takes its own changes
// for earlier ones.
type Baseline struct {
	store Store
	live  client.Reader

	lock     sync.Mutex
	followed bool
	earlier  []activity.Record
	// recorded are the fields of which this run has recorded how they stand.
	recorded sets.Set[fieldOf]
	known    map[types.UID]Known
	gone     sets.Set[types.UID]
}

// NewBaseline stands before a store, and lists Events from the API server itself.
func NewBaseline(store Store, live client.Reader) *Baseline {
	return &Baseline{store: store, live: live, recorded: sets.New[fieldOf]()}
}

// Append implements activity.Appender: nothing is stored before the baseline is read.
func (b *Baseline) Append(ctx context.Context, records []activity.Record) error {
	if err := b.Load(ctx); err != nil {
		return err
	}
	return b.store.Append(ctx, records)
}

// Follow reads the Events that earlier runs made, once. It is to be called before this run makes any.
func (b *Baseline) Follow(ctx context.Context) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.follow(ctx)
}

func (b *Baseline) follow(ctx context.Context) error {
	if b.followed {
		return nil
	}
	earlier, err := ListRecords(ctx, b.live)
	if err != nil {
		return err
	}
	b.earlier, b.followed = earlier, true
	return nil
}

// Load reads the baseline from the store, once.
func (b *Baseline) Load(ctx context.Context) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.known != nil {
		return nil
	}
	if err := b.follow(ctx); err != nil {
		return err
	}
	known := map[types.UID]Known{}
	err := b.store.With(ctx, func(store *activity.Store) error {
		latest, err := store.LatestAll(ctx, "")
		for uid, recorded := range latest {
			known[uid] = KnownFrom(recorded)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.known, b.gone = known, sets.New[types.UID]()
	for _, record := range b.earlier {
		b.overlay(record)
	}
	b.earlier = nil
	return nil
}

// overlay adds what an Event says, which is as new as the store or newer.
func (b *Baseline) overlay(record activity.Record) {
	uid := record.Object.UID
	if record.Gone {
		delete(b.known, uid)
		b.gone.Insert(uid)
	}
	if b.gone.Has(uid) {
		return
	}
	known, found := b.known[uid]
	if !found {
		known = KnownFrom(activity.Recorded{Object: record.Object, Values: map[string]string{}})
		b.known[uid] = known
	}
	known.Values[record.Field] = cmp.Or(record.State, record.New)
}

// fieldOf is a field of an object.
type fieldOf struct {
	uid   types.UID
	field string
}

// Recorded remembers that this run records how a field stands.
func (b *Baseline) Recorded(change Change) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.recorded.Insert(fieldOf{change.Object.UID, change.Field})
}

// Stands says whether a field stands as it was recorded last, by this run or an earlier one.
func (b *Baseline) Stands(change Change) bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.recorded.Has(fieldOf{change.Object.UID, change.Field}) ||
		b.known[change.Object.UID].Values[change.Field] == change.State
}

// Known says what was recorded of an object, if anything.
func (b *Baseline) Known(uid types.UID) (Known, bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	known, found := b.known[uid]
	return known, found
}

// Unseen are the objects that aren't there any more although nobody recorded that they went.
func (b *Baseline) Unseen(seen sets.Set[types.UID]) []Known {
	b.lock.Lock()
	defer b.lock.Unlock()
	var unseen []Known
	for uid, known := range b.known {
		if !seen.Has(uid) {
			unseen = append(unseen, known)
		}
	}
	return unseen
}

// IsGone says whether the removal of an object that is still there is recorded already.
func (b *Baseline) IsGone(ctx context.Context, removal Change) (bool, error) {
	b.lock.Lock()
	gone := b.gone.Has(removal.Object.UID)
	b.lock.Unlock()
	if gone {
		return true, nil
	}
	err := b.store.With(ctx, func(store *activity.Store) error {
		page, err := store.List(ctx, activity.Query{
			Namespace: removal.Organization, Action: removal.Action,
			ObjectKind: removal.Object.Kind, ObjectName: removal.Object.Name,
		})
		gone = slices.ContainsFunc(page.Entries, func(entry activity.LogEntry) bool { return entry.Key == removal.Name() })
		return err
	})
	return gone, err
}

// ListRecords reads what the Events that the cluster still has say, the oldest first.
func ListRecords(ctx context.Context, reader client.Reader) ([]activity.Record, error) {
	var events []eventsv1.Event
	page := &eventsv1.EventList{}
	for {
		options := []client.ListOption{
			client.MatchingLabels(EventLabels), client.Limit(eventsAtOnce), client.Continue(page.Continue),
		}
		page = &eventsv1.EventList{}
		if err := reader.List(ctx, page, options...); err != nil {
			return nil, fmt.Errorf("list the Events of the history: %w", err)
		}
		events = append(events, page.Items...)
		if page.Continue == "" {
			break
		}
	}
	slices.SortFunc(events, func(a, b eventsv1.Event) int { return compareVersions(a.ResourceVersion, b.ResourceVersion) })
	records := make([]activity.Record, 0, len(events))
	for i := range events {
		if isOurs(&events[i]) {
			records = append(records, RecordOf(&events[i]))
		}
	}
	return records, nil
}

// isOurs says whether an Event is where Roster makes it. Who may write Events in a namespace of their own can't so write the
// history of an organization.
func isOurs(event *eventsv1.Event) bool {
	return event.ReportingController == ReportingController &&
		(event.Namespace == metav1.NamespaceDefault || event.Namespace == event.Annotations[annotationOrganization])
}

// compareVersions orders by when objects were written: Events are never changed, and Kubernetes promises the order.
func compareVersions(a, b string) int {
	first, _ := strconv.ParseUint(a, 10, 64)
	second, _ := strconv.ParseUint(b, 10, 64)
	switch {
	case first < second:
		return -1
	case first > second:
		return 1
	}
	return 0
}
