package view

import (
	"context"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// settle is how long a watch waits after a change for others: many often come together, and each look works the whole
// answer out again.
const settle = 50 * time.Millisecond

// memberWatch tells one client who comes, changes and goes.
type memberWatch struct {
	answers      *Answers
	organization string
	// uid of the organization: what is made under its name later isn't what the client may see.
	uid       types.UID
	selection selection
	events    chan watch.Event
	stop      context.CancelFunc

	// told is the version up to which the client knows everything.
	told uint64
	// selected are the members that the client has seen.
	selected sets.Set[string]
}

// watchMembers begins with everybody, or with what has changed since the version that the options name.
func (a *Answers) watchMembers(
	ctx, ends context.Context, organization string, options *metainternalversion.ListOptions,
) (watch.Interface, error) {
	answer, err := a.of(ctx, organization)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &memberWatch{
		answers: a, organization: organization, uid: answer.uid, selection: selectionOf(options), stop: cancel,
		events: make(chan watch.Event), selected: sets.New[string](),
	}
	if w.told, err = since(options, answer); err != nil {
		cancel()
		return nil, err
	}
	for _, row := range answer.members.rows {
		if row.created <= w.told && w.selection.selectsMember(row.Member) {
			w.selected.Insert(row.Name)
		}
	}
	stopWithServer := context.AfterFunc(ends, cancel)
	asksForEnd := options != nil && options.SendInitialEvents != nil && *options.SendInitialEvents
	go func() {
		defer close(w.events)
		defer stopWithServer()
		w.run(ctx, answer, asksForEnd)
	}()
	return w, nil
}

// since is the version that a client has seen already; 0 for one that has seen nothing.
func since(options *metainternalversion.ListOptions, answer *answer) (uint64, error) {
	if options == nil || options.ResourceVersion == "" || options.ResourceVersion == "0" ||
		options.SendInitialEvents != nil && *options.SendInitialEvents {
		return 0, nil
	}
	version, err := strconv.ParseUint(options.ResourceVersion, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion %q: no number; give that of a list of members",
			options.ResourceVersion))
	}
	if version < answer.members.known {
		return 0, expired(version)
	}
	return version, nil
}

func expired(version uint64) *apierrors.StatusError {
	return apierrors.NewResourceExpired(fmt.Sprintf("resourceVersion %d is too old: list the members again", version))
}

// Stop ends the watch.
func (w *memberWatch) Stop() { w.stop() }

// ResultChan gives what happens.
func (w *memberWatch) ResultChan() <-chan watch.Event { return w.events }

func (w *memberWatch) run(ctx context.Context, first *answer, asksForEnd bool) {
	answer := first
	count := uint64(0)
	for {
		if !w.tell(ctx, &answer.members) {
			return
		}
		if asksForEnd && !w.tellEnd(ctx) {
			return
		}
		asksForEnd = false
		if count = w.wait(ctx, answer, count); ctx.Err() != nil {
			return
		}
		next, err := w.answers.of(ctx, w.organization)
		if err != nil {
			w.send(ctx, watch.Error, &apierrors.NewInternalError(err).ErrStatus)
			return
		}
		if next.uid != w.uid {
			w.send(ctx, watch.Error, &expired(w.told).ErrStatus)
			return
		}
		answer = next
	}
}

// wait returns when something may have changed since a count, with the new count.
func (w *memberWatch) wait(ctx context.Context, answer *answer, count uint64) uint64 {
	var byItself <-chan time.Time
	if next := answer.result.NextChange; !next.IsZero() {
		timer := time.NewTimer(next.Sub(w.answers.clock.Now()))
		defer timer.Stop()
		byItself = timer.C
	}
	now, change := w.answers.changes.seen()
	if now == count {
		select {
		case <-ctx.Done():
			return now
		case <-byItself:
			return now
		case <-change:
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(settle):
	}
	now, _ = w.answers.changes.seen()
	return now
}

// tell sends what has changed since the last time, and says whether the client still listens.
func (w *memberWatch) tell(ctx context.Context, members *memberTable) bool {
	if members.version <= w.told {
		return true
	}
	if w.told > 0 && w.told < members.known {
		w.send(ctx, watch.Error, &expired(w.told).ErrStatus)
		return false
	}
	for _, row := range members.removed {
		if w.missed(row) && !w.tellGone(ctx, row.Member) {
			return false
		}
	}
	for _, row := range members.rows {
		if row.changed > w.told && !w.tellRow(ctx, row) {
			return false
		}
	}
	w.told = members.version
	return true
}

// missed says whether the client knows somebody who is gone.
func (w *memberWatch) missed(gone memberRow) bool {
	return gone.changed > w.told && gone.created <= w.told &&
		(w.selected.Has(gone.Name) || w.selection.selectsMember(gone.Member))
}

func (w *memberWatch) tellRow(ctx context.Context, row memberRow) bool {
	known := w.selected.Has(row.Name)
	switch {
	case w.selection.selectsMember(row.Member) && known:
		return w.send(ctx, watch.Modified, row.DeepCopy())
	case w.selection.selectsMember(row.Member):
		w.selected.Insert(row.Name)
		return w.send(ctx, watch.Added, row.DeepCopy())
	case known || row.created <= w.told:
		// It may have been selected before; who doesn't know it has nothing to forget.
		return w.tellGone(ctx, row.Member)
	}
	return true
}

func (w *memberWatch) tellGone(ctx context.Context, member *viewv1alpha1.Member) bool {
	w.selected.Delete(member.Name)
	return w.send(ctx, watch.Deleted, member.DeepCopy())
}

// tellEnd says that the client has seen everybody.
func (w *memberWatch) tellEnd(ctx context.Context) bool {
	mark := &viewv1alpha1.Member{}
	mark.ResourceVersion = strconv.FormatUint(w.told, 10)
	mark.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	return w.send(ctx, watch.Bookmark, mark)
}

func (w *memberWatch) send(ctx context.Context, kind watch.EventType, object runtime.Object) bool {
	select {
	case <-ctx.Done():
		return false
	case w.events <- watch.Event{Type: kind, Object: object}:
		return true
	}
}
