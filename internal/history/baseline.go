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
	// earlier is what those Events say, until the store is there to add it to; unstored is the same, until Rebuild takes it.
	earlier, unstored []activity.Record
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
	earlier, err := listRecords(ctx, b.live)
	if err != nil {
		return err
	}
	b.earlier, b.unstored, b.followed = earlier, earlier, true
	return nil
}

// Rebuild gives what is to be stored unless it is: at first what earlier runs made Events of, later all that the cluster's
// Events still say.
func (b *Baseline) Rebuild(ctx context.Context) ([]activity.Record, error) {
	if records, found, err := b.takeUnstored(ctx); found || err != nil {
		return records, err
	}
	return listRecords(ctx, b.live)
}

func (b *Baseline) takeUnstored(ctx context.Context) (records []activity.Record, found bool, err error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	err = b.follow(ctx)
	records, b.unstored = b.unstored, nil
	return records, records != nil, err
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
	}
	known.OrganizationUID, known.Recorded = record.OrganizationUID, record.Time
	b.known[uid] = known
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

// listRecords reads what the Events that the cluster still has say, the oldest first. Events are never changed, and Kubernetes
// promises the order of their versions.
func listRecords(ctx context.Context, reader client.Reader) ([]activity.Record, error) {
	var found []versioned
	page := &eventsv1.EventList{}
	for {
		options := []client.ListOption{
			client.MatchingLabels(EventLabels), client.Limit(eventsAtOnce), client.Continue(page.Continue),
		}
		page = &eventsv1.EventList{}
		if err := reader.List(ctx, page, options...); err != nil {
			return nil, fmt.Errorf("list the Events of the history: %w", err)
		}
		found = append(found, recordsOf(page.Items)...)
		if page.Continue == "" {
			break
		}
	}
	slices.SortFunc(found, func(a, b versioned) int { return cmp.Compare(a.version, b.version) })
	records := make([]activity.Record, len(found))
	for i := range found {
		records[i] = found[i].record
	}
	return records, nil
}

// versioned is a record and the version of its Event.
type versioned struct {
	version uint64
	record  activity.Record
}

// recordsOf are what Events say that are the history's. An Event takes some times the memory of its record.
func recordsOf(events []eventsv1.Event) []versioned {
	var found []versioned
	for i := range events {
		if event := &events[i]; isOurs(event) {
			// Versions of Kubernetes' own storage are numbers.
			version, _ := strconv.ParseUint(event.ResourceVersion, 10, 64)
			found = append(found, versioned{version, RecordOf(event)})
		}
	}
	return found
}

// isOurs says whether an Event is where Roster makes it. Who may write Events in a namespace of their own can't so write the
// history of an organization.
func isOurs(event *eventsv1.Event) bool {
	return event.ReportingController == ReportingController &&
		(event.Namespace == metav1.NamespaceDefault || event.Namespace == event.Annotations[annotationOrganization])
}
