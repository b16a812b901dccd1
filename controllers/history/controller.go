// Package history watches all kinds and has each change of theirs recorded: those that it sees, in their order, and after a
// start those that happened meanwhile.
package history

import (
	"context"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/roster-dev/roster/internal/history"
)

const (
	// baselinePatience is how long changes are held at the start until the store tells what was recorded before, so that what
	// happened meanwhile comes first. After that they are recorded, and what happened meanwhile when the store is there.
	baselinePatience = 2 * time.Second
	forever          = math.MaxInt64
	// retry is how soon a store is asked again.
	retry = time.Second
)

// Controller follows the changes of all kinds while it leads.
type Controller struct {
	// Cache has the informers.
	Cache    cache.Cache
	Recorder *history.Recorder
	Baseline *history.Baseline

	lanes  lanes
	sights sights
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: two that record would record twice.
func (c *Controller) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (c *Controller) Start(ctx context.Context) error {
	ctx = log.IntoContext(ctx, log.FromContext(ctx).WithName("history"))
	c.lanes.start(ctx, c.Recorder.Write)
	defer c.lanes.wait()
	c.followEvents(ctx)
	c.sights.postpone()
	go c.Recorder.Taken(ctx, c.takeEffect)
	if err := c.watch(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	loaded := c.loadBaseline(ctx, baselinePatience)
	if loaded {
		c.compareWaiting(ctx)
	}
	c.sights.release(c.lanes.put)
	if !loaded {
		if !c.loadBaseline(ctx, forever) {
			return nil
		}
		c.compareWaiting(ctx)
	}
	c.recordVanished()
	<-ctx.Done()
	return nil
}

// takeEffect has a change recorded that the access sync made, and how access stands where that isn't what was recorded
// last: a manager that was killed may have changed it and not recorded that any more.
func (c *Controller) takeEffect(change history.Change) {
	if change.Standing && (!c.sights.addStanding(change) || c.Baseline.Stands(change)) {
		return
	}
	c.Baseline.Recorded(change)
	c.lanes.put(change.Object.UID, []history.Change{change})
}

// followEvents reads the Events of earlier runs, before this one makes any.
func (c *Controller) followEvents(ctx context.Context) {
	// It ends with the context alone.
	_ = wait.PollUntilContextCancel(ctx, retry, true, func(ctx context.Context) (bool, error) {
		err := c.Baseline.Follow(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "Can't read the history's Events; trying again")
		}
		return err == nil, nil
	})
}

// loadBaseline waits for the store, and says whether it came.
func (c *Controller) loadBaseline(ctx context.Context, patience time.Duration) bool {
	var last error
	err := wait.PollUntilContextTimeout(ctx, retry, patience, true, func(ctx context.Context) (bool, error) {
		last = c.Baseline.Load(ctx)
		return last == nil, nil
	})
	if err != nil && ctx.Err() == nil {
		log.FromContext(ctx).Error(last, "The activity store isn't there. Changes are recorded as Events; what happened "+
			"before this start is found when the store comes back")
	}
	return err == nil
}

// watch follows all kinds, and returns when what is there has been seen.
func (c *Controller) watch(ctx context.Context) error {
	for _, kind := range history.Kinds {
		informer, err := c.Cache.GetInformer(ctx, kind.Prototype())
		if err != nil {
			return fmt.Errorf("watch %ss: %w", kind.Name(), err)
		}
		registration, err := informer.AddEventHandler(c.handler(ctx, kind))
		if err != nil {
			return fmt.Errorf("watch %ss: %w", kind.Name(), err)
		}
		if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			return ctx.Err()
		}
	}
	return nil
}

func (c *Controller) handler(ctx context.Context, kind history.Kind) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(added any, isInInitialList bool) {
			object := added.(client.Object)
			if !isInInitialList {
				c.record(kind.Changes(nil, object))
				return
			}
			if sight := (sight{kind, object, time.Now()}); c.sights.add(sight) {
				c.compare(ctx, sight)
			}
		},
		UpdateFunc: func(before, after any) {
			c.record(kind.Changes(before.(client.Object), after.(client.Object)))
		},
		DeleteFunc: func(deleted any) {
			if unknown, ok := deleted.(toolscache.DeletedFinalStateUnknown); ok {
				deleted = unknown.Obj
			}
			if object, ok := deleted.(client.Object); ok {
				c.record(kind.Changes(object, nil))
			}
		},
	}
}

// record has changes of one object recorded, behind what is to be recorded of it before them.
func (c *Controller) record(changes []history.Change) {
	if len(changes) > 0 && !c.sights.hold(changes) {
		c.lanes.put(changes[0].Object.UID, changes)
	}
}

// compareWaiting compares what was seen before there was something to compare it with.
func (c *Controller) compareWaiting(ctx context.Context) {
	sights, standing := c.sights.waiting()
	for _, sight := range sights {
		c.compare(ctx, sight)
	}
	for _, change := range standing {
		c.takeEffect(change)
	}
}

// compare records what happened to an object between earlier runs and the moment at which this one saw it first.
func (c *Controller) compare(ctx context.Context, sight sight) {
	uid := sight.object.GetUID()
	if known, found := c.Baseline.Known(uid); found {
		c.lanes.put(uid, sight.at(sight.kind.Missed(known, sight.object)))
		return
	}
	if sight.object.GetDeletionTimestamp() == nil || !c.isRecordedAsGone(ctx, sight) {
		c.lanes.put(uid, sight.at(sight.kind.Found(sight.object)))
	}
}

// isRecordedAsGone: an object that a finalizer keeps is forgotten by the baseline when its removal is recorded.
func (c *Controller) isRecordedAsGone(ctx context.Context, sight sight) (gone bool) {
	removal := sight.kind.Removal(sight.object)
	err := wait.PollUntilContextCancel(ctx, retry, true, func(ctx context.Context) (bool, error) {
		var err error
		gone, err = c.Baseline.IsGone(ctx, removal)
		return err == nil, nil
	})
	return gone || err != nil
}

func (c *Controller) recordVanished() {
	for _, known := range c.Baseline.Unseen(c.sights.seen) {
		if kind, found := history.KindNamed(known.Object.Kind); found {
			c.lanes.put(known.Object.UID, []history.Change{kind.Vanished(known)})
		}
	}
}
