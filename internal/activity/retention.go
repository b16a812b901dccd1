package activity

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// pruneEvery is how often old records are looked for; they are kept at most that much longer.
const pruneEvery = time.Hour

// Retention removes records once they are old enough. It is a Runnable of controller-runtime.
type Retention struct {
	Source *Source
	// Keep is how long records are kept, such as DefaultRetention.
	Keep  time.Duration
	Clock clock.Clock
	Log   logr.Logger
}

// Start looks for old records at once and then every hour. A database that is away is asked again the next time.
func (r Retention) Start(ctx context.Context) error {
	for {
		r.prune(ctx)
		timer := r.Clock.NewTimer(pruneEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
	}
}

func (r Retention) prune(ctx context.Context) {
	err := r.Source.With(ctx, func(store *Store) error {
		removed, err := store.Prune(ctx, r.Clock.Now().Add(-r.Keep))
		if removed > 0 {
			r.Log.Info("Removed old activities", "records", removed, "kept", r.Keep.String())
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		r.Log.Error(err, "Old activities can't be removed; the next try is in an hour")
	}
}
