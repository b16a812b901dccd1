package history

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/history"
)

// sight is an object as this run saw it first, and when.
type sight struct {
	kind   history.Kind
	object client.Object
	time   time.Time
}

// at gives changes the time of the sight. They may be found out later, when the store is there to compare with, and belong
// before what has happened since.
func (s sight) at(changes []history.Change) []history.Change {
	for i := range changes {
		changes[i].Time = s.time
	}
	return changes
}

// sights are the objects that were there when this run began, and how access stood then.
type sights struct {
	lock sync.Mutex
	// postponed: there is nothing yet that they could be compared with.
	postponed bool
	seen      sets.Set[types.UID]
	kept      []sight
	standing  []history.Change
	// holding: changes of this run wait for what happened before it, in held.
	holding bool
	held    [][]history.Change
}

// postpone keeps what is seen until waiting is called, and what changes until release is called.
func (s *sights) postpone() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.postponed, s.holding = true, true
}

// hold keeps changes of one object where they have to wait, and says whether it did.
func (s *sights) hold(changes []history.Change) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.holding {
		s.held = append(s.held, changes)
	}
	return s.holding
}

// release hands over what was held, before anybody can hand over what has changed since.
func (s *sights) release(put func(types.UID, []history.Change)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, changes := range s.held {
		put(changes[0].Object.UID, changes)
	}
	s.held, s.holding = nil, false
}

// add notes an object, and says whether it is to be compared now.
func (s *sights) add(sight sight) (compare bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.seen == nil {
		s.seen = sets.New[types.UID]()
	}
	s.seen.Insert(sight.object.GetUID())
	if s.postponed {
		s.kept = append(s.kept, sight)
	}
	return !s.postponed
}

// addStanding notes how access stands, and says whether it is to be compared now.
func (s *sights) addStanding(change history.Change) (compare bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.postponed {
		s.standing = append(s.standing, change)
	}
	return !s.postponed
}

// waiting are those whose comparison was postponed. From now on nothing is.
func (s *sights) waiting() ([]sight, []history.Change) {
	s.lock.Lock()
	defer s.lock.Unlock()
	kept, standing := s.kept, s.standing
	s.kept, s.standing, s.postponed = nil, nil, false
	return kept, standing
}
