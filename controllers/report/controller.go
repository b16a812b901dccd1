// Package report mails the monthly reports: on the first day of each month, of the month before, once to each recipient
// whatever restarts and whoever leads.
package report

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/reports"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// workers make and send reports at the same time.
	workers = 2
	// again is how soon a request comes back that met somebody else's write.
	again = time.Millisecond
)

// Reconciler keeps and mails the monthly reports.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: nobody is mailed on what a cache says.
	Live client.Reader
	// Clock says which month it is.
	Clock clock.PassiveClock
	// Office makes the attempts to mail them.
	Office *mailer.Office
	// Store keeps the reports.
	Store *reports.Store
}

// SetupWithManager registers the controller. The cache is the one that holds the Secret with the mail settings.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, secrets cache.Cache) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("report").
		For(&v1alpha1.Organization{}, builder.WithPredicates(
			predicate.GenerationChangedPredicate{}, predicate.NewPredicateFuncs(isConcerned))).
		WatchesRawSource(r.Office.Watch(secrets, r.waiting)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// isConcerned: an organization that has monthly reports, or had some. A Personal one has no members to tell of.
func isConcerned(object client.Object) bool {
	organization, ok := object.(*v1alpha1.Organization)
	return ok && !organization.IsPersonal() && (organization.Spec.Reports.Monthly || isTold(organization))
}

// waiting are the organizations whose mails may wait for other settings.
func (r *Reconciler) waiting(ctx context.Context) ([]ctrl.Request, error) {
	var organizations v1alpha1.OrganizationList
	if err := r.List(ctx, &organizations, snapshot.Shared); err != nil {
		return nil, err
	}
	var requests []ctrl.Request
	for i := range organizations.Items {
		if organizations.Items[i].Spec.Reports.Monthly {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&organizations.Items[i])})
		}
	}
	return requests, nil
}

// Reconcile does for one organization what is due, step by step, and comes back when the next is.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cached := &v1alpha1.Organization{}
	err := r.Get(ctx, request.NamespacedName, cached, snapshot.Shared)
	if err != nil || !isConcerned(cached) {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	organization := &v1alpha1.Organization{}
	if err := r.Live.Get(ctx, request.NamespacedName, organization); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	result, err := r.follow(ctx, organization)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return ctrl.Result{RequeueAfter: again}, nil
	}
	return result, err
}

func (r *Reconciler) follow(ctx context.Context, organization *v1alpha1.Organization) (ctrl.Result, error) {
	if organization.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	if !organization.Spec.Reports.Monthly {
		return ctrl.Result{}, r.end(ctx, organization)
	}
	for {
		kept, err := r.read(ctx, organization)
		if err != nil {
			return ctrl.Result{}, err
		}
		now := r.Clock.Now()
		next := decide(kept.record, now, r.Office)
		if next.step == wait {
			return ctrl.Result{RequeueAfter: next.due.Sub(now)}, r.tell(ctx, organization, kept.record, nil)
		}
		unmailed, err := r.act(ctx, organization, kept, next)
		if err != nil {
			return ctrl.Result{}, err
		}
		if unmailed != nil {
			// The next month is due whatever becomes of the settings.
			due := nextMonth(now)
			return ctrl.Result{RequeueAfter: due.Sub(now)}, r.tell(ctx, organization, kept.record, unmailed)
		}
	}
}

// act does one step. What keeps a mail from being sent at all is no error that trying again would mend.
func (r *Reconciler) act(
	ctx context.Context, organization *v1alpha1.Organization, kept *kept, next decision,
) (unmailed, err error) {
	switch next.step {
	case begin:
		kept.record = &record{Since: r.now()}
		return nil, r.write(ctx, organization, kept)
	case take:
		return nil, r.take(ctx, organization, kept, next.month)
	case settle:
		return nil, r.settle(ctx, organization, kept, next.delivery)
	case send:
		return r.mail(ctx, organization, kept, next.delivery)
	}
	return nil, fmt.Errorf("no such step: %d", next.step)
}

// end forgets what is kept of sends, so that reports that are switched on again begin with the next month.
func (r *Reconciler) end(ctx context.Context, organization *v1alpha1.Organization) error {
	if err := client.IgnoreNotFound(r.Delete(ctx, recordObject(organization), unread)); err != nil {
		return err
	}
	if !isTold(organization) {
		return nil
	}
	meta.RemoveStatusCondition(&organization.Status.Conditions, v1alpha1.ConditionReported)
	return r.Status().Update(ctx, organization)
}
