package access

import (
	"context"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// queue is where requests go.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// affected finds the organizations whose access an object may change.
type affected func(ctx context.Context, object client.Object) ([]string, error)

// following makes requests of what people change. A sync that is busy granting breaks off for it.
func (r *Reconciler) following(find affected) handler.EventHandler {
	return r.handle(find, func(organization string, object client.Object, isNews bool) {
		r.arrivals.mark(organization)
		waiting.arrive(organization, time.Now())
		if isNews {
			r.causes.note(organization, object)
		}
	})
}

// observing makes requests of what Roster writes itself and others may have tampered with.
func (r *Reconciler) observing(find affected) handler.EventHandler {
	return r.handle(find, func(string, client.Object, bool) {})
}

// tampered notes a binding that somebody else has changed, where it is one of Roster's.
func (r *Reconciler) tampered(organization string, object client.Object, isNews bool) {
	if isNews && rbac.IsManaged(object.(*rbacv1.RoleBinding)) {
		r.causes.noteTampering(organization, object)
	}
}

// note remembers that an object has changed, or, where that is no news, that it was there when this manager began.
type note func(organization string, object client.Object, isNews bool)

// handle asks for one sync of each organization that an event is about, and notes the event once for each: a second note
// could fall into the sync that the request has begun already.
func (r *Reconciler) handle(find affected, note note) handler.EventHandler {
	ask := func(ctx context.Context, queue queue, isNews bool, objects ...client.Object) {
		requests := sets.New[reconcile.Request]()
		for _, object := range objects {
			requests.Insert(requestsFor(ctx, find, object)...)
		}
		for request := range requests {
			if request.Namespace == "" {
				note(request.Name, objects[len(objects)-1], isNews)
			}
			queue.Add(request)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, created event.CreateEvent, queue queue) {
			ask(ctx, queue, !created.IsInInitialList, created.Object)
		},
		UpdateFunc: func(ctx context.Context, updated event.UpdateEvent, queue queue) {
			ask(ctx, queue, true, updated.ObjectOld, updated.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, deleted event.DeleteEvent, queue queue) {
			ask(ctx, queue, true, deleted.Object)
		},
		GenericFunc: func(ctx context.Context, asked event.GenericEvent, queue queue) { ask(ctx, queue, false, asked.Object) },
	}
}

// requestsFor are the syncs that a change of an object asks for.
func requestsFor(ctx context.Context, find affected, object client.Object) []reconcile.Request {
	if namespace := object.GetNamespace(); isStray(object) {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace}}}
	}
	organizations, err := find(ctx, object)
	if err != nil {
		// The caches serve these look-ups; they fail only while the manager stops.
		log.FromContext(ctx).Error(err, "Can't tell which organizations an object affects",
			"kind", object.GetObjectKind().GroupVersionKind().Kind, "name", object.GetName())
	}
	requests := make([]reconcile.Request, 0, len(organizations))
	for _, organization := range organizations {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: organization}})
	}
	return requests
}

// isStray says whether one of Roster's objects is in a namespace that can't be an organization's.
func isStray(object client.Object) bool {
	switch object.(type) {
	case *v1alpha1.Membership, *v1alpha1.Team, *v1alpha1.RoleBinding, *v1alpha1.Project, *v1alpha1.APIToken:
		_, ok := v1alpha1.OrganizationOf(object.GetNamespace())
		return !ok
	}
	return false
}

// named takes the object's name for the organization's.
func named(_ context.Context, object client.Object) ([]string, error) {
	return []string{object.GetName()}, nil
}

// withDescendants are an organization and all below it.
func (r *Reconciler) withDescendants(ctx context.Context, organization string) ([]string, error) {
	descendants, err := snapshot.Descendants(ctx, r.Client, organization)
	return append(descendants, organization), err
}

// organizationChanged: an organization is part of what those below inherit, and of what those above wait for.
func (r *Reconciler) organizationChanged(ctx context.Context, object client.Object) ([]string, error) {
	below, err := r.withDescendants(ctx, object.GetName())
	if err != nil {
		return below, err
	}
	below, err = r.withHosts(ctx, below)
	parent := object.(*v1alpha1.Organization).Spec.Parent
	if parent == "" || err != nil {
		return below, err
	}
	above, err := snapshot.Ancestors(ctx, r.Client, parent)
	return append(append(below, parent), above...), err
}

// reachingDown: what is granted in an organization may hold in those below.
func (r *Reconciler) reachingDown(ctx context.Context, object client.Object) ([]string, error) {
	organization, _ := v1alpha1.OrganizationOf(object.GetNamespace())
	return r.withDescendants(ctx, organization)
}

// stayingHere: a Project or an APIToken reaches its own organization alone.
func stayingHere(_ context.Context, object client.Object) ([]string, error) {
	organization, _ := v1alpha1.OrganizationOf(object.GetNamespace())
	return []string{organization}, nil
}

// followingProjects gives the namespaces of a new project the time to arrive. They come a moment after it, and the sync that
// their arrival asks for would have to wait for one that finds none of them.
func (r *Reconciler) followingProjects() handler.EventHandler {
	following := r.following(stayingHere)
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, created event.CreateEvent, queue queue) {
			organization, ok := v1alpha1.OrganizationOf(created.Object.GetNamespace())
			if ok && r.lacksNamespaces(ctx, organization, created.Object.(*v1alpha1.Project)) {
				if !created.IsInInitialList {
					r.causes.note(organization, created.Object)
				}
				queue.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: organization}}, namespaceArrival)
				return
			}
			following.Create(ctx, created, queue)
		},
		UpdateFunc: following.Update,
		DeleteFunc: following.Delete,
	}
}

// lacksNamespaces says whether no namespace of a project that it may have is there.
func (r *Reconciler) lacksNamespaces(ctx context.Context, organization string, project *v1alpha1.Project) bool {
	for _, name := range project.NamespaceNames() {
		err := r.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{}, snapshot.Shared)
		state := engine.CheckProjectNamespace(name, nil, organization, project.Name)
		if !apierrors.IsNotFound(err) || state != engine.NamespaceMissing {
			return false
		}
	}
	return true
}

func (r *Reconciler) roleChanged(ctx context.Context, object client.Object) ([]string, error) {
	if object.GetNamespace() == v1alpha1.SystemNamespace {
		return r.allOrganizations(ctx)
	}
	if organization, ok := v1alpha1.OrganizationOf(object.GetNamespace()); ok {
		return r.withDescendants(ctx, organization)
	}
	return nil, nil
}

func (r *Reconciler) allOrganizations(ctx context.Context) ([]string, error) {
	var list v1alpha1.OrganizationList
	if err := r.List(ctx, &list, snapshot.Shared); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, nil
}

// userChanged: a user's gates hold wherever the user has a place, or keeps access without one.
func (r *Reconciler) userChanged(ctx context.Context, object client.Object) ([]string, error) {
	username := string(object.(*v1alpha1.User).Spec.Username)
	memberships, err := snapshot.MembershipsOf(ctx, r.Client, username)
	if err != nil {
		return nil, err
	}
	places := sets.New[string]()
	for _, membership := range memberships {
		if organization, ok := v1alpha1.OrganizationOf(membership.Namespace); ok {
			places.Insert(organization)
		}
	}
	owned, err := snapshot.Owned(ctx, r.Client, username)
	if err != nil {
		return nil, err
	}
	for _, organization := range owned {
		places.Insert(organization.Name)
	}
	all := sets.New(r.guards.holding(username)...)
	for organization := range places {
		below, err := r.withDescendants(ctx, organization)
		if err != nil {
			return nil, err
		}
		all.Insert(below...)
	}
	return r.withHosts(ctx, all.UnsortedList())
}

// namespaceChanged: the organization that a namespace's label or name says, and those whose projects ask for it. An
// organization's own namespace matters below it too, since what is in it counts only while it is the organization's.
func (r *Reconciler) namespaceChanged(ctx context.Context, object client.Object) ([]string, error) {
	var organizations []string
	if label := object.GetLabels()[v1alpha1.LabelOrganization]; label != "" {
		organizations = append(organizations, label)
	}
	if organization, ok := v1alpha1.OrganizationOf(object.GetName()); ok {
		below, err := r.withDescendants(ctx, organization)
		if err == nil {
			below, err = r.withHosts(ctx, below)
		}
		if err != nil {
			return nil, err
		}
		organizations = append(organizations, below...)
	}
	var projects v1alpha1.ProjectList
	err := r.List(ctx, &projects, client.MatchingFields{snapshot.ProjectsByNamespace: object.GetName()},
		snapshot.Shared)
	for i := range projects.Items {
		if organization, ok := v1alpha1.OrganizationOf(projects.Items[i].Namespace); ok {
			organizations = append(organizations, organization)
		}
	}
	return organizations, err
}

// bindingChanged: the organization that the binding's label says, and the one that its namespace belongs to, whatever
// was done to the label.
func (r *Reconciler) bindingChanged(ctx context.Context, object client.Object) ([]string, error) {
	var organizations []string
	if label := object.GetLabels()[v1alpha1.LabelOrganization]; label != "" {
		organizations = append(organizations, label)
	}
	owner, err := snapshot.NamespaceOwner(ctx, r.Client, object.GetNamespace())
	if owner != "" {
		organizations = append(organizations, owner)
	}
	return organizations, err
}

func (r *Reconciler) clusterRoleChanged(ctx context.Context, object client.Object) ([]string, error) {
	if organization, ok := rbac.OrganizationOfObject(object.GetName()); ok {
		return []string{organization}, nil
	}
	if organization, _, ok := rbac.TokenOfReader(object.GetName()); ok {
		return []string{organization}, nil
	}
	role, ok := rbac.RoleOfClusterRole(object.GetName())
	switch {
	case !ok:
		return nil, nil
	case role.Organization == "":
		return r.allOrganizations(ctx)
	}
	return r.withDescendants(ctx, role.Organization)
}

func (r *Reconciler) clusterRoleBindingChanged(_ context.Context, object client.Object) ([]string, error) {
	if organization, ok := rbac.OrganizationOfObject(object.GetName()); ok {
		return []string{organization}, nil
	}
	return nil, nil
}

// namespaceMatters lets through what changes whose a namespace is.
func namespaceMatters() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		return !maps.Equal(change.ObjectOld.GetLabels(), change.ObjectNew.GetLabels()) ||
			(change.ObjectOld.GetDeletionTimestamp() == nil) != (change.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

// gateMatters lets through what changes whom a User holds back. Without a User nobody is deactivated, and nobody has a
// second factor.
func gateMatters() predicate.Predicate {
	matters := func(object client.Object) bool {
		user := object.(*v1alpha1.User)
		return user.Spec.Deactivated || user.Spec.MFA.Enrolled
	}
	return predicate.Funcs{
		// One that Roster made itself says what was true without it. Any other may be the stricter of two.
		CreateFunc: func(change event.CreateEvent) bool {
			return matters(change.Object) || change.Object.GetLabels()[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByRoster
		},
		UpdateFunc: func(change event.UpdateEvent) bool {
			before, after := change.ObjectOld.(*v1alpha1.User).Spec, change.ObjectNew.(*v1alpha1.User).Spec
			return before.Deactivated != after.Deactivated || before.MFA.Enrolled != after.MFA.Enrolled ||
				before.Username != after.Username
		},
	}
}

// bindingByOthers lets through bindings that changed in another way than by this manager's own last write, which is what
// the sync that made it wanted: managed ones that were tampered with, and those that others made for themselves, which a
// Project lists.
func (r *Reconciler) bindingByOthers() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(change event.CreateEvent) bool { return !r.ownWrites.match(change.Object) },
		UpdateFunc: func(change event.UpdateEvent) bool { return !r.ownWrites.match(change.ObjectNew) },
		DeleteFunc: func(change event.DeleteEvent) bool {
			r.ownWrites.forget(change.Object)
			return true
		},
	}
}

// bindingMatters lets through ClusterRoles of Roster's that come, go, or change their rules: one without rules binds
// nobody, and a ServiceAccount holds only what developer covers. Those by which an organization's object is reached are
// held to their rules.
func bindingMatters() predicate.Predicate {
	isOurs := func(object client.Object) bool { return strings.HasPrefix(object.GetName(), "roster:") }
	return predicate.And(predicate.NewPredicateFuncs(isOurs), predicate.Funcs{
		UpdateFunc: func(change event.UpdateEvent) bool {
			before, after := change.ObjectOld.(*rbacv1.ClusterRole), change.ObjectNew.(*rbacv1.ClusterRole)
			_, isObject := rbac.OrganizationOfObject(after.Name)
			return isObject || !equality.Semantic.DeepEqual(before.Rules, after.Rules)
		},
	})
}

// invitationReopened lets through a Membership whose invitation has begun anew.
func invitationReopened() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		before, after := change.ObjectOld.(*v1alpha1.Membership), change.ObjectNew.(*v1alpha1.Membership)
		return !openedAt(before).Equal(openedAt(after))
	}}
}

func openedAt(membership *v1alpha1.Membership) *metav1.Time {
	if membership.Status.Invitation == nil {
		return nil
	}
	return membership.Status.Invitation.OpenedAt
}
