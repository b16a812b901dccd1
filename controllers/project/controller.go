// Package project gives each project its namespaces: makes those that aren't there, uses those that carry the labels, and
// releases those that the project doesn't ask for any more. What is said in the status comes from the access sync.
package project

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// releaseRetry is how soon a namespace that is released is looked at again while its bindings are being removed.
	releaseRetry = 200 * time.Millisecond
	// heldRetry is how soon it is looked at again while their removal is held. The organization's status tells of the end
	// of that; should it ever be missed, asking again finds it.
	heldRetry = 30 * time.Second
)

// Reconciler makes and releases projects' namespaces.
type Reconciler struct {
	client.Client
	// Live reads from the API server itself: no namespace is released while a binding is left in it, whatever a cache says.
	Live client.Reader
	// NamespaceLabels are put on namespaces that Roster makes.
	NamespaceLabels map[string]string
	// HoldsNamespace says whether access in a namespace is kept because its removal is held.
	HoldsNamespace func(organization, namespace string) bool
	// History records removals before their objects go; nil in tests that are about something else.
	History finalizer.Witness
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("project").
		For(&v1alpha1.Project{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.namespaceChanged)).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.organizationChanged),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.heldRemovalsChanged),
			builder.WithPredicates(heldRemovalsMatter())).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// namespaceChanged: the projects that ask for a namespace, the one that its labels name, and all of the organization
// whose own namespace it is, which begin to count with it.
func (r *Reconciler) namespaceChanged(ctx context.Context, object client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, options := range []client.ListOption{
		client.MatchingFields{snapshot.ProjectsByNamespace: object.GetName()},
		client.InNamespace(object.GetName()),
	} {
		var projects v1alpha1.ProjectList
		if err := r.List(ctx, &projects, options, snapshot.Shared); err != nil {
			continue
		}
		for i := range projects.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&projects.Items[i])})
		}
	}
	organization, project := object.GetLabels()[v1alpha1.LabelOrganization], object.GetLabels()[v1alpha1.LabelProject]
	if organization != "" && project != "" {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{
			Namespace: v1alpha1.OrganizationNamespace(organization), Name: project,
		}})
	}
	return requests
}

// organizationChanged: the projects of an organization, which may have been there before it.
func (r *Reconciler) organizationChanged(ctx context.Context, object client.Object) []reconcile.Request {
	var projects v1alpha1.ProjectList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(object.GetName()))
	if err := r.List(ctx, &projects, namespace, snapshot.Shared); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range projects.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&projects.Items[i])})
	}
	return requests
}

// heldRemovalsChanged: the projects whose labels the organization's namespaces carry, which may be gone already.
func (r *Reconciler) heldRemovalsChanged(ctx context.Context, object client.Object) []reconcile.Request {
	var labelled corev1.NamespaceList
	err := r.List(ctx, &labelled, client.MatchingFields{snapshot.NamespacesByOrganization: object.GetName()}, snapshot.Shared)
	if err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range labelled.Items {
		if project := labelled.Items[i].Labels[v1alpha1.LabelProject]; project != "" {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{
				Namespace: v1alpha1.OrganizationNamespace(object.GetName()), Name: project,
			}})
		}
	}
	return requests
}

// heldRemovalsMatter lets through an Organization of which something else is held than before.
func heldRemovalsMatter() predicate.Predicate {
	digestOf := func(object client.Object) string {
		if held := object.(*v1alpha1.Organization).Status.HeldRemovals; held != nil {
			return held.Digest
		}
		return ""
	}
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(change event.UpdateEvent) bool {
			return digestOf(change.ObjectOld) != digestOf(change.ObjectNew)
		},
	}
}

// Reconcile makes and releases a project's namespaces. A project that is gone without having been let go, because
// somebody took its finalizer, releases what still carries its labels.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	organization, ok := v1alpha1.OrganizationOf(request.Namespace)
	if !ok {
		return reconcile.Result{}, r.releaseStray(ctx, request.NamespacedName)
	}
	project := &v1alpha1.Project{}
	err := r.Get(ctx, request.NamespacedName, project)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	exists := err == nil
	if exists && project.DeletionTimestamp == nil {
		inUse, err := r.organizationInOrder(ctx, organization)
		if err != nil || !inUse {
			return reconcile.Result{}, err
		}
		return r.keep(ctx, organization, project)
	}
	policy, err := r.endingPolicy(ctx, project)
	if err != nil {
		return reconcile.Result{}, err
	}
	state, err := r.releaseOthers(ctx, organization, request.Name, nil, policy)
	if err != nil {
		return reconcile.Result{}, err
	}
	// What is held is remembered, and the namespace's labels say whose it is: the Project isn't needed for that, and may
	// come back under its name. It is needed to know that its namespaces are to be deleted.
	mayGo := state == released || state == held && policy == v1alpha1.DeletionRetain
	if !exists || !mayGo {
		return state.next(), nil
	}
	return state.next(), finalizer.Remove(ctx, r.Client, r.History, project)
}

// releaseState is how far namespaces are that a project doesn't ask for.
type releaseState int

const (
	// released: they are gone or nobody's.
	released releaseState = iota
	// held: access in some of them is kept because its removal is held.
	held
	// waiting: access in some of them is being removed.
	waiting
)

// next says when to look again.
func (s releaseState) next() reconcile.Result {
	switch s {
	case waiting:
		return reconcile.Result{RequeueAfter: releaseRetry}
	case held:
		return reconcile.Result{RequeueAfter: heldRetry}
	}
	return reconcile.Result{}
}

func policyOf(project *v1alpha1.Project) v1alpha1.DeletionPolicy {
	if project.Spec.DeletionPolicy == v1alpha1.DeletionDelete {
		return v1alpha1.DeletionDelete
	}
	return v1alpha1.DeletionRetain
}

// endingPolicy is what becomes of the namespaces of a project that is being deleted. They go only where somebody has confirmed
// that: by the Project's name, or by that of the namespace which the Project is deleted with.
func (r *Reconciler) endingPolicy(ctx context.Context, project *v1alpha1.Project) (v1alpha1.DeletionPolicy, error) {
	policy := policyOf(project)
	if policy == v1alpha1.DeletionRetain || access.DeletionConfirmed(project) {
		return policy, nil
	}
	namespace := &corev1.Namespace{}
	err := r.Get(ctx, client.ObjectKey{Name: project.Namespace}, namespace, snapshot.Shared)
	if err == nil && namespace.DeletionTimestamp != nil {
		return policy, nil
	}
	return v1alpha1.DeletionRetain, client.IgnoreNotFound(err)
}

// organizationInOrder says whether the namespace that projects are made in is an organization's.
func (r *Reconciler) organizationInOrder(ctx context.Context, organization string) (bool, error) {
	err := r.Get(ctx, client.ObjectKey{Name: organization}, &v1alpha1.Organization{}, snapshot.Shared)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	namespace := &corev1.Namespace{}
	name := v1alpha1.OrganizationNamespace(organization)
	if err := r.Get(ctx, client.ObjectKey{Name: name}, namespace, snapshot.Shared); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return access.CheckOrganizationNamespace(namespace, organization) == access.NamespaceInOrder, nil
}

// keep makes the namespaces that aren't there and releases those that aren't asked for.
func (r *Reconciler) keep(
	ctx context.Context, organization string, project *v1alpha1.Project,
) (reconcile.Result, error) {
	if err := finalizer.Add(ctx, r.Client, project); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var errs []error
	for _, name := range project.NamespaceNames() {
		errs = append(errs, r.takeNamespace(ctx, name, organization, project.Name))
	}
	state, err := r.releaseOthers(
		ctx, organization, project.Name, project.NamespaceNames(), v1alpha1.DeletionRetain)
	if err := errors.Join(append(errs, err)...); err != nil {
		return reconcile.Result{}, err
	}
	return state.next(), nil
}

// takeNamespace makes a namespace where there is none. One that is there is used if it carries the labels: it is marked as
// managed then, so that it is released one day, and one whose Project hasn't come yet isn't. Any other is left alone.
func (r *Reconciler) takeNamespace(ctx context.Context, name, organization, project string) error {
	namespace := &corev1.Namespace{}
	err := r.Get(ctx, client.ObjectKey{Name: name}, namespace, client.DisableReadYourWritesConsistency)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if err != nil {
		namespace = nil
	}
	switch access.CheckProjectNamespace(name, namespace, organization, project) {
	case access.NamespaceMissing:
		return r.makeNamespace(ctx, name, organization, project)
	case access.NamespaceInOrder:
		if namespace.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByRoster {
			return nil
		}
		before := namespace.DeepCopy()
		namespace.Labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByRoster
		return r.Patch(ctx, namespace, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	}
	return nil
}

func (r *Reconciler) makeNamespace(ctx context.Context, name, organization, project string) error {
	carried := labels.Merge(r.NamespaceLabels, rbac.Labels(organization, ""))
	carried[v1alpha1.LabelProject] = project
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: carried}}
	if err := r.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make namespace %s: %w", name, err)
	}
	return nil
}

// releaseOthers releases all namespaces that carry the project's labels and aren't asked for, and says whether access in
// some of them isn't gone yet.
func (r *Reconciler) releaseOthers(
	ctx context.Context, organization, project string, asked []string, policy v1alpha1.DeletionPolicy,
) (state releaseState, err error) {
	var labelled corev1.NamespaceList
	err = r.List(ctx, &labelled, client.UnsafeDisableDeepCopy,
		client.MatchingFields{snapshot.NamespacesByProject: snapshot.NamespaceProject(organization, project)})
	if err != nil {
		return waiting, fmt.Errorf("list the namespaces of project %s of organization %s: %w", project, organization, err)
	}
	var errs []error
	for i := range labelled.Items {
		namespace := &labelled.Items[i]
		if slices.Contains(asked, namespace.Name) || namespace.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByRoster {
			continue
		}
		isReleased, err := r.releaseNamespace(ctx, namespace.DeepCopy(), policy)
		errs = append(errs, err)
		switch {
		case isReleased:
		case r.HoldsNamespace(organization, namespace.Name):
			state = max(state, held)
		default:
			state = waiting
		}
	}
	return state, errors.Join(errs...)
}

// releaseNamespace takes Roster's labels from a namespace, or deletes it, once no access of Roster's is left in it: a
// later project of the same name must not find it labelled.
func (r *Reconciler) releaseNamespace(
	ctx context.Context, namespace *corev1.Namespace, policy v1alpha1.DeletionPolicy,
) (released bool, err error) {
	var bindings rbacv1.RoleBindingList
	if err := r.Live.List(ctx, &bindings, client.InNamespace(namespace.Name)); err != nil {
		return false, fmt.Errorf("list the RBAC RoleBindings of namespace %s: %w", namespace.Name, err)
	}
	for i := range bindings.Items {
		if rbac.IsManaged(&bindings.Items[i]) {
			return false, nil
		}
	}
	if namespace.DeletionTimestamp != nil {
		return true, nil
	}
	if policy == v1alpha1.DeletionDelete {
		preconditions := client.Preconditions{UID: &namespace.UID, ResourceVersion: &namespace.ResourceVersion}
		err = r.Delete(ctx, namespace, preconditions)
		return err == nil, client.IgnoreNotFound(err)
	}
	before := namespace.DeepCopy()
	for _, label := range []string{v1alpha1.LabelOrganization, v1alpha1.LabelProject, v1alpha1.LabelManagedBy} {
		delete(namespace.Labels, label)
	}
	err = r.Patch(ctx, namespace, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return err == nil, client.IgnoreNotFound(err)
}

// releaseStray lets go a project outside of any organization's namespace, which never had a namespace of its own.
func (r *Reconciler) releaseStray(ctx context.Context, key client.ObjectKey) error {
	project := &v1alpha1.Project{}
	if err := r.Get(ctx, key, project); err != nil {
		return client.IgnoreNotFound(err)
	}
	if project.DeletionTimestamp == nil {
		return nil
	}
	return finalizer.Remove(ctx, r.Client, r.History, project)
}
