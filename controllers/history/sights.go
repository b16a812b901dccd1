package history

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/history"
)

// sight is an object as this run saw it first.
type sight struct {
	kind   history.Kind
	object client.Object
}

// sights are the objects that were there when this run began.
type sights struct {
	// postponed: there is nothing yet that they could be compared with.
	postponed bool

	lock sync.Mutex
	seen sets.Set[types.UID]
	kept []sight
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

// waiting are those whose comparison was postponed.
func (s *sights) waiting() []sight {
	s.lock.Lock()
	defer s.lock.Unlock()
	kept := s.kept
	s.kept = nil
	return kept
}
