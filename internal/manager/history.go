package manager

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/controllers/access"
	controller "github.com/roster-dev/roster/controllers/history"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/history"
	"github.com/roster-dev/roster/internal/view"
)

// pruneEvery is how often records older than the retention are removed.
const pruneEvery = time.Hour

// addHistory records what changes: as Events, and from there in the activity store. Both results are nil where no database
// is given, and so no history kept.
func addHistory(manager ctrl.Manager, options *Options) (access.History, view.Activities, error) {
	if options.ActivityDatabaseURL == "" {
		return nil, nil, nil
	}
	source := activity.NewSource(options.ActivityDatabaseURL, clock.RealClock{})
	baseline := history.NewBaseline(source, manager.GetAPIReader())
	writer := activity.NewWriter(baseline, activity.WriterOptions{
		Clock: clock.RealClock{}, Log: manager.GetLogger().WithName("activity"),
		Rebuild: baseline.Rebuild,
	})
	recorder := history.NewRecorder(manager.GetClient(), writer)
	following := &controller.Controller{
		Cache: manager.GetCache(), Recorder: recorder, Baseline: baseline,
	}
	keeper := &controller.Keeper{
		Source: source, Writer: writer, Client: manager.GetClient(), State: writer.State, Clock: clock.RealClock{},
		Retention: options.ActivityRetention, Every: pruneEvery,
	}
	for _, part := range []interface {
		Start(context.Context) error
	}{following, keeper} {
		if err := manager.Add(part); err != nil {
			return nil, nil, err
		}
	}
	return recorder, activities{source}, nil
}

// activities answers the view API from the activity store.
type activities struct{ source *activity.Source }

// ListActivities implements view.Activities.
func (a activities) ListActivities(ctx context.Context, query view.ActivityQuery) (view.ActivityPage, error) {
	var page view.ActivityPage
	asked := activity.Query{
		Namespace: query.Namespace, OrganizationUID: types.UID(query.OrganizationUID), Actor: query.Actor, Action: query.Action,
		ObjectKind: query.Kind, ObjectName: query.Name, Limit: query.Limit, Continue: query.Continue,
	}
	if organization := query.Organization; organization != nil {
		asked.Organization = activity.Organization{UID: organization.UID, Created: organization.CreationTimestamp.Time}
	}
	err := a.source.With(ctx, func(store *activity.Store) error {
		found, err := store.List(ctx, asked)
		page.Continue = found.Continue
		for i := range found.Entries {
			page.Activities = append(page.Activities, shownActivity(&found.Entries[i]))
		}
		return err
	})
	switch {
	case errors.Is(err, activity.ErrInvalidContinue):
		return page, apierrors.NewBadRequest(err.Error())
	case err != nil:
		return page, apierrors.NewServiceUnavailable("the activity store doesn't answer: " + activity.Reason(err))
	}
	return page, nil
}

// shownActivity is an entry of the store as the view API shows it.
func shownActivity(entry *activity.LogEntry) viewv1alpha1.Activity {
	shown := viewv1alpha1.Activity{
		Time: metav1.NewMicroTime(entry.Time), Actor: entry.Actor, ActorUnknownBecause: entry.ActorUnknownBecause,
		Action: entry.Action, Field: entry.Field, Previous: entry.Previous, New: entry.New,
		Note: entry.Note, Coalesced: entry.Coalesced, OrganizationUID: entry.OrganizationUID,
	}
	shown.Namespace, shown.Name = entry.Namespace, entry.Key
	shown.CreationTimestamp = metav1.NewTime(entry.Time)
	shown.Object = viewv1alpha1.Object{
		Kind: entry.Object.Kind, Namespace: entry.Object.Namespace, Name: entry.Object.Name,
	}
	return shown
}
