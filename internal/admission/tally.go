package admission

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Tally counts what the bounds are for, as objects come and go in the caches, so that a request is decided on without a look
// at any of them. What was let pass and isn't in the caches yet counts too: of many requests at once no more pass than may.
// Only this replica's requests are known: by way of each other replica as many more can pass as it takes within the instant
// that a watch takes.
type Tally struct {
	bounds Bounds
	synced []toolscache.InformerSynced

	lock    sync.Mutex
	counted amounts
	awaited map[identity]awaited
}

// identity is which object.
type identity struct {
	kind reflect.Type
	key  client.ObjectKey
}

func identityOf(object client.Object) identity {
	return identity{kind: reflect.TypeOf(object), key: client.ObjectKeyFromObject(object)}
}

// awaited is a change that was let pass.
type awaited struct {
	// seen is what the object counts for in the caches, target what it will, and growth by how much that is more.
	seen, target, growth amounts
	// until when it is waited for: something else may have refused the change.
	until time.Time
}

// NewTally counts nothing yet.
func NewTally(bounds Bounds) *Tally {
	return &Tally{bounds: bounds, counted: amounts{}, awaited: map[identity]awaited{}}
}

// follow counts the objects of the caches. To be called before these start.
func (t *Tally) follow(ctx context.Context, caches cache.Cache) error {
	for _, object := range []client.Object{
		&v1alpha1.Organization{}, &v1alpha1.Membership{}, &v1alpha1.Team{}, &v1alpha1.RoleBinding{}, &v1alpha1.Role{}, &v1alpha1.Project{},
		&v1alpha1.APIToken{}, &v1alpha1.JoinRequest{},
	} {
		informer, err := caches.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("count %T: %w", object, err)
		}
		registration, err := informer.AddEventHandler(t)
		if err != nil {
			return fmt.Errorf("count %T: %w", object, err)
		}
		t.synced = append(t.synced, registration.HasSynced)
	}
	return nil
}

// WaitForSync waits until all is counted that there was at the start, and says whether it is.
func (t *Tally) WaitForSync(ctx context.Context) bool {
	return toolscache.WaitForCacheSync(ctx.Done(), t.synced...)
}

// OnAdd implements toolscache.ResourceEventHandler.
func (t *Tally) OnAdd(object any, _ bool) { t.change(nil, object) }

// OnUpdate implements toolscache.ResourceEventHandler.
func (t *Tally) OnUpdate(before, after any) { t.change(before, after) }

// OnDelete implements toolscache.ResourceEventHandler.
func (t *Tally) OnDelete(object any) {
	if unseen, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
		object = unseen.Obj
	}
	t.change(object, nil)
}

func (t *Tally) change(before, after any) {
	object, there := after.(client.Object)
	var was, is amounts
	if there {
		is = amountsOf(object)
	}
	if earlier, found := before.(client.Object); found {
		object, was = earlier, amountsOf(earlier)
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	t.counted.add(is, 1)
	t.counted.add(was, -1)
	if change, found := t.awaited[identityOf(object)]; found {
		change.seen, change.growth = is, growth(is, change.target)
		if len(change.growth) > 0 {
			t.awaited[identityOf(object)] = change
		} else {
			delete(t.awaited, identityOf(object))
		}
	}
}

// admit looks whether a change exceeds a bound, and remembers it if it doesn't, or else returns the excess.
func (t *Tally) admit(before, after client.Object, isDryRun bool, now time.Time) *excess {
	var was amounts
	if before != nil {
		was = amountsOf(before)
	}
	target := amountsOf(after)
	more := growth(was, target)
	if len(more) == 0 {
		return nil
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	self, change := identityOf(after), awaited{seen: was, target: target, until: now.Add(cachesFollow)}
	there := amounts{}
	for scope := range more {
		there[scope] = t.counted[scope]
	}
	for other, earlier := range t.awaited {
		switch {
		case !now.Before(earlier.until):
			delete(t.awaited, other)
		case other == self:
			change.seen = earlier.seen
		default:
			for scope := range more {
				there[scope] += earlier.growth[scope]
			}
		}
	}
	change.growth = growth(change.seen, target)
	for scope := range more {
		more[scope] = max(more[scope], change.growth[scope])
	}
	if found := t.bounds.exceeded(there, more); found != nil || isDryRun {
		return found
	}
	t.awaited[self] = change
	return nil
}

// add adds some amounts so many times.
func (a amounts) add(others amounts, times int) {
	for scope, amount := range others {
		a[scope] += times * amount
		if a[scope] == 0 {
			delete(a, scope)
		}
	}
}
