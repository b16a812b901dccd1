package access

import (
	"sync"
	"time"
)

// waiting are the changes that aren't in force yet.
var waiting = &waitingChanges{byOrganization: map[string]*waits{}}

// waitingChanges knows since when each organization has had changes that aren't in force. Those that have none aren't in it.
type waitingChanges struct {
	lock           sync.Mutex
	byOrganization map[string]*waits
}

// waits are since when the oldest change of an organization waits, and the oldest of those that came after the sync began
// that is to carry it out; zero for none.
type waits struct {
	since, later time.Time
}

// arrive notes a change.
func (w *waitingChanges) arrive(organization string, now time.Time) {
	w.lock.Lock()
	defer w.lock.Unlock()
	known := w.byOrganization[organization]
	switch {
	case known == nil:
		w.byOrganization[organization] = &waits{since: now}
	case known.later.IsZero():
		known.later = now
	}
}

// begin says since when what a sync is about to carry out has waited: all that has arrived so far. Zero for nothing.
func (w *waitingChanges) begin(organization string) time.Time {
	w.lock.Lock()
	defer w.lock.Unlock()
	known := w.byOrganization[organization]
	if known == nil {
		return time.Time{}
	}
	known.later = time.Time{}
	return known.since
}

// end notes that a sync has carried out what it began with.
func (w *waitingChanges) end(organization string, since, now time.Time) {
	if since.IsZero() {
		return
	}
	syncLag.Observe(now.Sub(since).Seconds())
	w.lock.Lock()
	defer w.lock.Unlock()
	known := w.byOrganization[organization]
	if known == nil || known.later.IsZero() {
		delete(w.byOrganization, organization)
		return
	}
	*known = waits{since: known.later}
}

// oldest is for how many seconds the oldest change has waited.
func (w *waitingChanges) oldest() float64 {
	w.lock.Lock()
	defer w.lock.Unlock()
	var longest time.Duration
	for _, known := range w.byOrganization {
		longest = max(longest, time.Since(known.since))
	}
	return longest.Seconds()
}
