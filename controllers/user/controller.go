// Package user keeps one User object for everybody who has a place in an organization, says on it where that is, and sees
// to it that every active member owns an organization. What it made by itself goes some time after the user has left.
package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
)

const (
	// personalPrefix begins the names of Personal organizations.
	personalPrefix = "personal-"
	// outdatedRetry is how soon a user is looked at again whose object changed meanwhile.
	outdatedRetry = 50 * time.Millisecond
	// listed is how many organizations a User's status lists.
	listed = 200
)

// Reconciler keeps Users. Its requests carry a username.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself what the caches leave out, or may not know yet.
	Live  client.Reader
	Clock clock.PassiveClock
	// PersonalOrganizations: make one for every active member who owns none.
	PersonalOrganizations bool
	// LeaverRetention is how long a User that Roster made stays after its user has left.
	LeaverRetention time.Duration
	// History records removals before their objects go; nil in tests that are about something else.
	History finalizer.Witness

	// examined are the UIDs of Users that hold no copy of a Membership's fields: looked at once by a process, since this
	// version writes none.
	examined sync.Map
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(manager).
		Named("user").
		Watches(&v1alpha1.User{}, handler.EnqueueRequestsFromMapFunc(usernameOfUser), specChanged).
		Watches(&v1alpha1.Membership{}, handler.EnqueueRequestsFromMapFunc(usernameOfMembership)).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.organizationChanged), specChanged).
		Watches(&v1alpha1.APIToken{}, handler.EnqueueRequestsFromMapFunc(usernameOfToken), builder.WithPredicates(tokenEnds())).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

func request(username v1alpha1.Username) []reconcile.Request {
	if username == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: string(username)}}}
}

func usernameOfUser(_ context.Context, object client.Object) []reconcile.Request {
	return request(object.(*v1alpha1.User).Spec.Username)
}

func usernameOfMembership(_ context.Context, object client.Object) []reconcile.Request {
	return request(object.(*v1alpha1.Membership).Spec.User)
}

func usernameOfToken(_ context.Context, object client.Object) []reconcile.Request {
	return request(object.(*v1alpha1.APIToken).Spec.User)
}

// tokenEnds lets through APITokens that come, end, and go.
func tokenEnds() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		return isActive(change.ObjectOld.(*v1alpha1.APIToken)) != isActive(change.ObjectNew.(*v1alpha1.APIToken))
	}}
}

func isActive(token *v1alpha1.APIToken) bool {
	return token.DeletionTimestamp == nil && token.Status.Phase == v1alpha1.APITokenActive
}

// organizationChanged: the owners of an organization, and everybody who has a place in it or above it, since an
// organization that comes, goes or moves changes what they inherit.
func (r *Reconciler) organizationChanged(ctx context.Context, object client.Object) []reconcile.Request {
	organization := object.(*v1alpha1.Organization)
	usernames := sets.New(organization.Spec.Owners...)
	above, err := snapshot.Ancestors(ctx, r.Client, organization.Name)
	if err != nil {
		return nil
	}
	if len(above) == 0 && organization.Spec.Parent != "" {
		above = []string{organization.Spec.Parent}
	}
	for _, name := range append(above, organization.Name) {
		var memberships v1alpha1.MembershipList
		namespace := v1alpha1.OrganizationNamespace(name)
		if err := r.List(ctx, &memberships, client.InNamespace(namespace), snapshot.Shared); err != nil {
			return nil
		}
		for i := range memberships.Items {
			usernames.Insert(memberships.Items[i].Spec.User)
		}
		ancestor := &v1alpha1.Organization{}
		if r.Get(ctx, client.ObjectKey{Name: name}, ancestor, snapshot.Shared) == nil {
			usernames.Insert(ancestor.Spec.Owners...)
		}
	}
	below, err := snapshot.Descendants(ctx, r.Client, organization.Name)
	if err != nil {
		return nil
	}
	for _, name := range below {
		descendant := &v1alpha1.Organization{}
		if r.Get(ctx, client.ObjectKey{Name: name}, descendant, snapshot.Shared) == nil {
			usernames.Insert(descendant.Spec.Owners...)
		}
	}
	var requests []reconcile.Request
	for username := range usernames {
		requests = append(requests, request(username)...)
	}
	return requests
}

// Reconcile keeps the User object of one username.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	username := request.Name
	owned, err := snapshot.Owned(ctx, r.Client, username)
	if err != nil {
		return reconcile.Result{}, err
	}
	memberships, err := snapshot.MembershipsOf(ctx, r.Client, username)
	if err != nil {
		return reconcile.Result{}, err
	}
	var users v1alpha1.UserList
	err = r.List(ctx, &users, client.MatchingFields{snapshot.UsersByUsername: username},
		client.DisableReadYourWritesConsistency)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("list the Users of %s: %w", username, err)
	}
	if len(users.Items) == 0 {
		if len(owned)+len(memberships) == 0 {
			return reconcile.Result{}, nil
		}
		// The new object comes back here by its own event, and gets its status then.
		return reconcile.Result{}, r.makeUser(ctx, username)
	}
	if changed, err := r.forgetCopies(ctx, users.Items); changed || err != nil {
		return reconcile.Result{RequeueAfter: outdatedRetry}, err
	}
	if err := r.holdDeactivated(ctx, users.Items, len(owned)+len(memberships) > 0); err != nil {
		return reconcile.Result{}, err
	}
	if made, err := r.makePersonal(ctx, username); made || err != nil {
		// The new organization comes back here by its own event, and the status counts it then.
		return reconcile.Result{}, err
	}
	wanted, err := r.describe(ctx, username, owned, memberships)
	if err != nil {
		return reconcile.Result{}, err
	}
	wanted.Confirmed = confirmed(users.Items, memberships)
	wanted.LeftAt = r.leftSince(users.Items, owned, memberships)
	result := reconcile.Result{}
	if err = r.report(ctx, users.Items, wanted); err == nil {
		result, err = r.removeLeaver(ctx, &users.Items[0], wanted.LeftAt, owned)
	}
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: outdatedRetry}, nil
	}
	return result, err
}

// makeUser makes a User with the username alone. The address and the name in a Membership are what one organization says;
// a User counts for all of them.
func (r *Reconciler) makeUser(ctx context.Context, username string) error {
	user := &v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster},
		},
		Spec: v1alpha1.UserSpec{Username: v1alpha1.Username(username)},
	}
	_, err := r.createNamed(ctx, user, "", username, names.MaxLength, func(taken client.Object) bool {
		return string(taken.(*v1alpha1.User).Spec.Username) == username
	})
	return err
}

// holdDeactivated keeps a deactivated User for as long as somebody refers to it: without it the user would be active again.
// One of several Users of a username may go, as the condition Duplicate asks for.
func (r *Reconciler) holdDeactivated(ctx context.Context, users []v1alpha1.User, referredTo bool) error {
	for i := range users {
		user := &users[i]
		var err error
		switch {
		case !user.Spec.Deactivated || !referredTo || len(users) > 1:
			err = finalizer.Remove(ctx, r.Client, r.History, user)
		case user.DeletionTimestamp == nil:
			err = finalizer.Add(ctx, r.Client, user)
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// makePersonal makes a Personal organization for an active member who owns none, and says whether it did.
func (r *Reconciler) makePersonal(ctx context.Context, username string) (made bool, err error) {
	if !r.PersonalOrganizations {
		return false, nil
	}
	needed, err := snapshot.NeedsPersonal(ctx, r.Client, username, r.Clock.Now())
	if err != nil || !needed {
		return false, err
	}
	organization := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{
			Labels:     map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster},
			Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.OrganizationSpec{
			Type: v1alpha1.OrganizationPersonal, Owners: []v1alpha1.Username{v1alpha1.Username(username)},
		},
	}
	room := v1alpha1.MaxOrganizationNameLength - len(personalPrefix)
	return r.createNamed(ctx, organization, personalPrefix, username, room, func(taken client.Object) bool {
		return slices.Contains(taken.(*v1alpha1.Organization).Spec.Owners, v1alpha1.Username(username))
	})
}

// describe works out where the user has a place now.
func (r *Reconciler) describe(
	ctx context.Context, username string, owned []*v1alpha1.Organization, memberships []*v1alpha1.Membership,
) (v1alpha1.UserStatus, error) {
	var wanted v1alpha1.UserStatus
	roots := sets.New[string]()
	for _, organization := range owned {
		roots.Insert(organization.Name)
		wanted.OwnedOrganizations = append(wanted.OwnedOrganizations, organization.Name)
	}
	for _, membership := range memberships {
		organization, ok := v1alpha1.OrganizationOf(membership.Namespace)
		if !ok {
			continue
		}
		roots.Insert(organization)
		if membership.Status.Phase == v1alpha1.MembershipInvited {
			wanted.Invitations = append(wanted.Invitations, organization)
		}
	}
	places, err := r.places(ctx, username, roots)
	if err != nil {
		return wanted, err
	}
	wanted.OrganizationCount = int32(len(places))
	wanted.Organizations = first(places)
	tokens, err := snapshot.APITokensOf(ctx, r.Client, username)
	if err != nil {
		return wanted, err
	}
	for _, token := range tokens {
		if isActive(token) {
			wanted.ActiveTokens++
		}
	}
	slices.Sort(wanted.OwnedOrganizations)
	slices.Sort(wanted.Invitations)
	wanted.OwnedOrganizations, wanted.Invitations = first(wanted.OwnedOrganizations), first(wanted.Invitations)
	return wanted, nil
}

func first[T any](values []T) []T {
	return values[:min(len(values), listed)]
}

// places are the user's places in some organizations and all below them, sorted by name.
func (r *Reconciler) places(
	ctx context.Context, username string, roots sets.Set[string],
) ([]v1alpha1.UserOrganization, error) {
	organizations := roots.Clone()
	for root := range roots {
		below, err := snapshot.Descendants(ctx, r.Client, root)
		if err != nil {
			return nil, err
		}
		organizations.Insert(below...)
	}
	var places []v1alpha1.UserOrganization
	for _, name := range sets.List(organizations) {
		world, err := snapshot.LoadUser(ctx, r.Client, name, username)
		if err != nil {
			return nil, err
		}
		member, found := access.MemberOf(world, name, username, r.Clock.Now())
		if found && member.Gate == "" {
			places = append(places, v1alpha1.UserOrganization{Name: name, Roles: member.Roles, Source: member.Source})
		}
	}
	return places, nil
}

// report writes the status of all Users of one username, which become what was written. Which of them counts, where they
// differ, is the stricter.
func (r *Reconciler) report(ctx context.Context, users []v1alpha1.User, wanted v1alpha1.UserStatus) error {
	var errs []error
	for i := range users {
		before := &users[i]
		after := before.DeepCopy()
		after.Status.Organizations = wanted.Organizations
		after.Status.OrganizationCount = wanted.OrganizationCount
		after.Status.OwnedOrganizations = wanted.OwnedOrganizations
		after.Status.Invitations = wanted.Invitations
		after.Status.ActiveTokens = wanted.ActiveTokens
		after.Status.Confirmed = wanted.Confirmed
		after.Status.LeftAt = wanted.LeftAt
		status.Report(after, readiness(users))
		errs = append(errs, status.Update(ctx, r.Client, before, after))
		users[i] = *after
	}
	return errors.Join(errs...)
}

func readiness(users []v1alpha1.User) status.Readiness {
	if len(users) == 1 {
		return status.Readiness{State: status.InForce, Reason: status.ReasonInForce, Message: "the user is known"}
	}
	var objects []string
	for i := range users {
		objects = append(objects, users[i].Name)
	}
	return status.Readiness{State: status.Stalled, Reason: access.ReasonDuplicate, Message: fmt.Sprintf(
		"several Users have the username %q (%s), and the stricter counts; delete all but one",
		users[0].Spec.Username, access.Enumerate(objects))}
}
