// Package joinmail mails about JoinRequests: to the owners who are to decide, and to who asked once it is decided; each mail
// exactly once. It decides nothing, and nothing waits for it.
package joinmail

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/snapshot"
)

// workers send at the same time. They are this controller's own: a mail server that hangs holds up mails alone.
const workers = 4

// Reconciler mails about JoinRequests.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: nobody is mailed on what a cache says.
	Live client.Reader
	// Clock says which decisions are news.
	Clock clock.PassiveClock
	// Office makes the attempts.
	Office *mailer.Office
	// Templates write the mails.
	Templates *mail.Templates
}

// SetupWithManager registers the controller. The cache is the one that holds the Secret with the mail settings.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, secrets cache.Cache) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("joinmail").
		For(&v1alpha1.JoinRequest{}).
		WatchesRawSource(r.Office.Watch(secrets, r.waiting)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// waiting are the requests that other settings can help.
func (r *Reconciler) waiting(ctx context.Context) ([]ctrl.Request, error) {
	var list v1alpha1.JoinRequestList
	if err := r.List(ctx, &list, snapshot.Shared); err != nil {
		return nil, fmt.Errorf("list the JoinRequests: %w", err)
	}
	var requests []ctrl.Request
	for i := range list.Items {
		if next := r.plan(&list.Items[i]); next.step == gather || next.step == send {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests, nil
}

// Reconcile does what is next for one request.
func (r *Reconciler) Reconcile(ctx context.Context, asked ctrl.Request) (ctrl.Result, error) {
	request := &v1alpha1.JoinRequest{}
	if err := r.Get(ctx, asked.NamespacedName, request, snapshot.Shared); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	switch next := r.plan(request); next.step {
	case rest:
		return ctrl.Result{}, nil
	case wait:
		// What has become due meanwhile is asked for too: nothing else would.
		return ctrl.Result{RequeueAfter: max(next.due.Sub(r.Clock.Now()), time.Nanosecond)}, nil
	}
	err := r.act(ctx, asked.NamespacedName)
	if apierrors.IsConflict(err) {
		// Somebody else has changed the JoinRequest since it was read.
		return ctrl.Result{RequeueAfter: time.Millisecond}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// act plans once more on what the API server holds, and does that. What it writes makes the next request.
func (r *Reconciler) act(ctx context.Context, key client.ObjectKey) error {
	live := &v1alpha1.JoinRequest{}
	if err := r.Live.Get(ctx, key, live); err != nil {
		return err
	}
	switch next := r.plan(live); next.step {
	case settle:
		return r.settle(ctx, live, &live.Status.Mails[next.mail])
	case giveUp:
		return r.giveUp(ctx, live)
	case gather:
		return r.gather(ctx, live)
	case send:
		return r.send(ctx, live, &live.Status.Mails[next.mail])
	}
	return nil
}
