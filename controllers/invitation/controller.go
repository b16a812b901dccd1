// Package invitation mails invitations, each exactly once a send, and makes them anew when that is asked for. Whether one
// is open is for the engine to say, and its answer is written by the view API.
package invitation

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/snapshot"
)

// workers send at the same time. They are this controller's own: a mail server that hangs holds up mails alone.
const workers = 4

// Reconciler mails invitations.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: nobody is mailed on what a cache says.
	Live client.Reader
	// Clock says what has expired.
	Clock clock.PassiveClock
	// Office makes the attempts.
	Office *mailer.Office
	// Templates write the mails.
	Templates *mail.Templates
	// PortalURL is the page to answer on, in which {organization} stands for the organization; empty for none.
	PortalURL string
}

// SetupWithManager registers the controller. The cache is the one that holds the Secret with the mail settings.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, secrets cache.Cache) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("invitation").
		For(&v1alpha1.Membership{}, builder.WithPredicates(predicate.NewPredicateFuncs(mayBeMailed))).
		WatchesRawSource(r.Office.Watch(secrets, r.waiting)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// mayBeMailed: what was accepted has no mail to wait for, unless it still says that it has.
func mayBeMailed(object client.Object) bool {
	membership, ok := object.(*v1alpha1.Membership)
	return ok && access.IsInvitation(membership) &&
		(membership.Spec.Response != v1alpha1.InvitationAccepted || promisesMail(membership))
}

// waiting are the invitations that other settings can help.
func (r *Reconciler) waiting(ctx context.Context) ([]ctrl.Request, error) {
	var memberships v1alpha1.MembershipList
	if err := r.List(ctx, &memberships, snapshot.Shared); err != nil {
		return nil, fmt.Errorf("list the Memberships: %w", err)
	}
	var requests []ctrl.Request
	for i := range memberships.Items {
		membership := &memberships.Items[i]
		delivery := stateOf(membership).Delivery
		if mayBeMailed(membership) && (delivery == "" || delivery == v1alpha1.MailRetrying) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(membership)})
		}
	}
	return requests, nil
}

// Reconcile does what is next for one invitation.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cached, err := r.read(ctx, r.Client, request.NamespacedName, snapshot.Shared)
	if err != nil || cached == nil {
		return ctrl.Result{}, err
	}
	next, due := r.decide(cached)
	switch next {
	case rest:
		return ctrl.Result{}, nil
	case wait:
		// What has become due meanwhile is asked for too: nothing else would.
		return ctrl.Result{RequeueAfter: max(due.Sub(r.Clock.Now()), time.Nanosecond)}, nil
	}
	err = r.act(ctx, request.NamespacedName)
	if apierrors.IsConflict(err) {
		// Somebody else has changed the Membership since it was read.
		return ctrl.Result{RequeueAfter: time.Millisecond}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// act decides once more on what the API server holds, and does that. What it writes makes the next request.
func (r *Reconciler) act(ctx context.Context, key client.ObjectKey) error {
	live, err := r.read(ctx, r.Live, key)
	if err != nil || live == nil {
		return err
	}
	next, _ := r.decide(live)
	switch next {
	case settle:
		return r.settle(ctx, live.membership)
	case reopen:
		return r.reopen(ctx, live.membership)
	case send:
		return r.mail(ctx, live)
	case giveUp:
		return r.giveUp(ctx, live.membership)
	}
	return nil
}

// subject is a Membership with its organization.
type subject struct {
	membership   *v1alpha1.Membership
	organization *v1alpha1.Organization
}

// read is nil where there is nothing to be mailed for.
func (r *Reconciler) read(
	ctx context.Context, reader client.Reader, key types.NamespacedName, options ...client.GetOption,
) (*subject, error) {
	name, ok := v1alpha1.OrganizationOf(key.Namespace)
	if !ok {
		return nil, nil
	}
	found := &subject{membership: &v1alpha1.Membership{}, organization: &v1alpha1.Organization{}}
	if err := reader.Get(ctx, key, found.membership, options...); err != nil {
		return nil, ignoreNotFound(err, "read Membership %s", key)
	}
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, found.organization, options...); err != nil {
		return nil, ignoreNotFound(err, "read Organization %s", name)
	}
	if found.organization.DeletionTimestamp != nil {
		return nil, nil
	}
	return found, nil
}

func ignoreNotFound(err error, format string, arguments ...any) error {
	if client.IgnoreNotFound(err) == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(arguments, err)...)
}
