package history

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/roster-dev/roster/internal/activity"
)

// tellEvery is how often the state of the store is looked at.
const tellEvery = 5 * time.Second

// Keeper runs the activity store while this manager leads: it stores what is recorded, removes what is older than the
// retention, and says how the store is.
type Keeper struct {
	Source *activity.Source
	Writer *activity.Writer
	// Client says on the namespace roster-system how the store is. State is the Writer's.
	Client client.Client
	State  func() activity.WriterState
	Clock  clock.PassiveClock
	// Retention is how long records are kept.
	Retention time.Duration
	// Every is how often old records are removed.
	Every time.Duration
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *Keeper) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (k *Keeper) Start(ctx context.Context) error {
	ctx = log.IntoContext(ctx, log.FromContext(ctx).WithName("activity"))
	writing.Store(k.Writer)
	go wait.UntilWithContext(ctx, k.prune, k.Every)
	go wait.UntilWithContext(ctx, k.tell, tellEvery)
	return errors.Join(k.Writer.Start(ctx), k.Source.Close())
}

func (k *Keeper) prune(ctx context.Context) {
	err := k.Source.With(ctx, func(store *activity.Store) error {
		removed, err := store.Prune(ctx, k.Clock.Now().Add(-k.Retention))
		if removed > 0 {
			log.FromContext(ctx).Info("Removed activities older than the retention", "records", removed)
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		log.FromContext(ctx).Error(err, "Can't remove old activities; trying again later")
	}
}
