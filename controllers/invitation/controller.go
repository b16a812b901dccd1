// Package invitation mails invitations, each exactly once a send, and makes them anew when that is asked for. Whether one
// is open is for the engine to say, and its answer is written by the view API.
package invitation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// workers send at the same time. They are this controller's own: a mail server that hangs holds up mails alone.
	workers = 4
	// recordTimeout is how long the outcome of an attempt may take to be written when the manager stops.
	recordTimeout = 5 * time.Second
)

// Mailer knows the server that mails are sent by now.
type Mailer interface {
	// Settings are the present ones; see mailer.ErrNoSettings.
	Settings(ctx context.Context) (mail.Settings, error)
}

// Reconciler mails invitations.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: nobody is mailed on what a cache says.
	Live client.Reader
	// Clock says when the next attempt is due.
	Clock clock.PassiveClock
	// Mailer knows the server.
	Mailer Mailer
	// Send hands a mail to the server. Left out: by SMTP.
	Send func(ctx context.Context, settings mail.Settings, message mail.Message) error
	// Templates write the mails.
	Templates *mail.Templates
	// PortalURL is the page to answer on, in which {organization} stands for the organization; empty for none.
	PortalURL string

	// outcomes of attempts that couldn't be written down yet, by the Membership's uid.
	outcomes sync.Map
	// settingsChanged is when the settings changed last, in seconds, as far as this process has seen.
	settingsChanged atomic.Int64
}

// SetupWithManager registers the controller. The cache is the one that holds the Secret with the mail settings.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, secrets cache.Cache) error {
	invitations := builder.WithPredicates(predicate.NewPredicateFuncs(isUnanswered))
	return ctrl.NewControllerManagedBy(manager).
		Named("invitation").
		For(&v1alpha1.Membership{}, invitations).
		WatchesRawSource(source.Kind(secrets, &corev1.Secret{}, r.settingsHandler())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// isUnanswered: what was accepted has no mail to wait for.
func isUnanswered(object client.Object) bool {
	membership, ok := object.(*v1alpha1.Membership)
	return ok && access.IsInvitation(membership) && membership.Spec.Response != v1alpha1.InvitationAccepted
}

// settingsHandler has the mails tried again that wait for other settings.
func (r *Reconciler) settingsHandler() handler.TypedEventHandler[*corev1.Secret, ctrl.Request] {
	return handler.TypedFuncs[*corev1.Secret, ctrl.Request]{
		CreateFunc: func(ctx context.Context, change createEvent, queue queue) {
			if !change.IsInInitialList {
				r.retry(ctx, queue)
			}
		},
		UpdateFunc: func(ctx context.Context, _ updateEvent, queue queue) { r.retry(ctx, queue) },
	}
}

func (r *Reconciler) retry(ctx context.Context, queue queue) {
	// Attempts are noted by the second: one of the same second counts as made by these settings, or each would be made twice.
	r.settingsChanged.Store(r.Clock.Now().Unix())
	var memberships v1alpha1.MembershipList
	if err := r.List(ctx, &memberships, snapshot.Shared); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list the invitations that wait for mail settings")
		return
	}
	for i := range memberships.Items {
		membership := &memberships.Items[i]
		delivery := stateOf(membership).Delivery
		if isUnanswered(membership) && (delivery == "" || delivery == v1alpha1.MailRetrying) {
			queue.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(membership)})
		}
	}
}

// Reconcile does what is next for one invitation.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cached, err := r.read(ctx, r.Client, request.NamespacedName, snapshot.Shared)
	if err != nil || cached == nil {
		return ctrl.Result{}, err
	}
	now := r.Clock.Now()
	next, due := decide(cached.membership, cached.organization, now, r.changedAt())
	switch next {
	case rest:
		return ctrl.Result{}, nil
	case wait:
		return ctrl.Result{RequeueAfter: due.Sub(now)}, nil
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
	next, _ := decide(live.membership, live.organization, r.Clock.Now(), r.changedAt())
	switch next {
	case settle:
		return r.settle(ctx, live.membership)
	case reopen:
		return r.reopen(ctx, live.membership)
	case send:
		return r.mail(ctx, live)
	}
	return nil
}

func (r *Reconciler) changedAt() time.Time { return time.Unix(r.settingsChanged.Load(), 0) }

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
