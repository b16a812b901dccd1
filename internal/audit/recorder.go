package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// Precision is how far apart two times are at least that are written of one object.
	Precision = 5 * time.Minute
	// pause is how long sightings gather between two rounds of writes.
	pause = time.Second
)

// identity is a user by name, or an API token by the id of its credential.
type identity struct{ user, token string }

// Recorder keeps when users and tokens were seen last, in their status. It runs in every replica: the API server sends each
// batch to any one of them. What a replica writes rests on the version that it has read, so that it can't write
// what another one has written a moment ago.
type Recorder struct {
	// Client reads from the caches, and writes.
	Client client.Client
	// Clock says what is now.
	Clock clock.Clock

	once    sync.Once
	lock    sync.Mutex
	pending map[identity]time.Time
	arrived chan struct{}
}

func (r *Recorder) prepare() {
	r.once.Do(func() {
		r.pending, r.arrived = map[identity]time.Time{}, make(chan struct{}, 1)
	})
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Recorder) NeedLeaderElection() bool { return false }

// saw remembers a sighting until the next round of writes; of several the latest.
func (r *Recorder) saw(who identity, at time.Time) {
	// The clock of a machine that is ahead must not keep somebody from being seen later on.
	if now := r.Clock.Now(); at.After(now) {
		at = now
	}
	r.prepare()
	r.lock.Lock()
	defer r.lock.Unlock()
	if at.After(r.pending[who]) {
		r.pending[who] = at
	}
}

// wake asks for a round of writes.
func (r *Recorder) wake() {
	r.prepare()
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// Start implements manager.Runnable: it writes what was seen, at most once a second, and nothing while nobody is.
func (r *Recorder) Start(ctx context.Context) error {
	r.prepare()
	ctx = log.IntoContext(ctx, log.FromContext(ctx).WithName("last-seen"))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.arrived:
		}
		if err := r.write(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Can't write who was last seen; trying again")
			r.wake()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.Clock.After(pause):
		}
	}
}

// write writes what is due of all that was seen. What can't be written is kept for the next round.
func (r *Recorder) write(ctx context.Context) error {
	r.prepare()
	r.lock.Lock()
	seen := r.pending
	r.pending = map[identity]time.Time{}
	r.lock.Unlock()
	errs, tokens := []error{noteStream(ctx, r.Client, r.Clock.Now())}, r.tokens()
	for who, at := range seen {
		err := r.record(ctx, who, metav1.NewTime(at).Rfc3339Copy(), tokens)
		if err == nil {
			continue
		}
		r.saw(who, at)
		if apierrors.IsConflict(err) {
			// Somebody else has changed the object, or the cache is late: the next round knows.
			r.wake()
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// record writes one sighting, where it tells something new.
func (r *Recorder) record(ctx context.Context, who identity, at metav1.Time, tokens tokensByID) error {
	if who.user == "" {
		token, err := tokens(ctx, who.token)
		if token == nil || err != nil || !isNews(token.Status.LastUsedAt, at) {
			return err
		}
		token = token.DeepCopy()
		token.Status.Use(at)
		return r.update(ctx, token)
	}
	var users v1alpha1.UserList
	byName := client.MatchingFields{snapshot.UsersByUsername: who.user}
	if err := r.Client.List(ctx, &users, byName, snapshot.Shared); err != nil {
		return err
	}
	for i := range users.Items {
		if !isNews(users.Items[i].Status.LastSeenAt, at) {
			continue
		}
		user := users.Items[i].DeepCopy()
		user.Status.See(at)
		if err := r.update(ctx, user); err != nil {
			return err
		}
	}
	return nil
}

// tokensByID finds the APIToken whose credential has an id; nil where there is none.
type tokensByID func(ctx context.Context, id string) (*v1alpha1.APIToken, error)

// tokens reads the APITokens once for a round of writes, if any was seen in it.
func (r *Recorder) tokens() tokensByID {
	var byID map[string]*v1alpha1.APIToken
	return func(ctx context.Context, id string) (*v1alpha1.APIToken, error) {
		if byID == nil {
			var list v1alpha1.APITokenList
			if err := r.Client.List(ctx, &list, snapshot.Shared); err != nil {
				return nil, err
			}
			byID = map[string]*v1alpha1.APIToken{}
			for i := range list.Items {
				token := &list.Items[i]
				byID[token.Status.TokenID], byID[token.Status.PreviousTokenID] = token, token
			}
		}
		return byID[id], nil
	}
}

// update fails on a conflict when somebody else wrote the object meanwhile.
func (r *Recorder) update(ctx context.Context, object client.Object) error {
	writes.Inc()
	return client.IgnoreNotFound(r.Client.Status().Update(ctx, object))
}

// isNews: a time that is hardly later than the one that is known isn't worth a write.
func isNews(known *metav1.Time, at metav1.Time) bool {
	return known == nil || at.Sub(known.Time) >= Precision
}
