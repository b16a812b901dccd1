package access

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/removals"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// removalsPrefix begins the name of the ConfigMap that keeps an organization's state of removals.
	removalsPrefix = "roster-removals-"
	// removalsKey is where in it the state is.
	removalsKey = "state"
)

// guards are the states of removals by organization, since the manager started. It alone writes them, while it leads.
type guards struct {
	lock           sync.Mutex
	byOrganization map[string]*guard
}

// guard is the state of one organization. Only the syncs of that organization use it.
type guard struct {
	// state is nil while nothing was ever kept.
	state *removals.State
	// version is the ConfigMap's resourceVersion; empty where there is none.
	version string
	// unkept: the state has changed since it was kept.
	unkept bool
}

func (g *guards) of(organization string) *guard {
	g.lock.Lock()
	defer g.lock.Unlock()
	return g.byOrganization[organization]
}

// set remembers a guard, or forgets it where it is nil. What is remembered is never changed, only replaced.
func (g *guards) set(organization string, known *guard) {
	g.lock.Lock()
	defer g.lock.Unlock()
	if g.byOrganization == nil {
		g.byOrganization = map[string]*guard{}
	}
	if known == nil {
		delete(g.byOrganization, organization)
		return
	}
	g.byOrganization[organization] = known
}

// holding are the organizations in which a user keeps access because its removal is held.
func (g *guards) holding(user string) []string {
	g.lock.Lock()
	defer g.lock.Unlock()
	var found []string
	for organization, known := range g.byOrganization {
		if known.state != nil && known.state.Held.Has(user) {
			found = append(found, organization)
		}
	}
	return found
}

// HoldsNamespace says whether access in a project's namespace is kept only because its removal is held, so that the
// namespace isn't to be released although nothing asks for it.
func (r *Reconciler) HoldsNamespace(organization, namespace string) bool {
	known := r.guards.of(organization)
	return known != nil && known.state != nil && known.state.Held.Keeps(namespace)
}

// HoldsRole says whether users of an organization keep a role only because its removal is held, so that its ClusterRoles stay
// although the Role isn't there any more.
func (r *Reconciler) HoldsRole(organization string, role engine.RoleReference) bool {
	known := r.guards.of(organization)
	return known != nil && known.state != nil && known.state.Held.HasRole(role)
}

// guardRemovals adds to what is granted what is kept because its removal is held. What is decided is written down before
// anything is removed for it; where it can't be, everybody keeps what they had until the next sync.
func (s *organizationSync) guardRemovals(ctx context.Context) error {
	if s.result.Lineage == nil || s.result.Ended {
		return s.forgetRemovals(ctx)
	}
	organization := s.result.Lineage.Organizations[0]
	if organization.IsPersonal() {
		return nil
	}
	known, err := s.loadGuard(ctx)
	if err != nil {
		return err
	}
	decision := removals.Decide(known.state, removals.Situation{
		World: s.world, Result: s.result, Gives: s.gives(ctx), Now: s.Clock.Now(),
		Percent:  organization.Spec.Safeguards.RemovalPercent(),
		Approved: organization.Annotations[v1alpha1.AnnotationApproveRemovals],
		Nonce:    string(uuid.NewUUID()),
	})
	s.carryOut(ctx, known, decision)
	return nil
}

// carryOut keeps what was decided and grants what is held. Where it can't be kept, nothing that is guarded is removed.
func (s *organizationSync) carryOut(ctx context.Context, known *guard, decision removals.Decision) {
	next := &guard{state: &decision.State, version: known.version, unkept: true}
	switch {
	case decision.Urgent:
		s.guardErr = s.keepGuard(ctx, next)
	case decision.Changed:
		s.guards.set(s.result.Organization, next)
	}
	if s.guardErr != nil {
		s.held = known.state.Held
		s.result.Grants = append(s.result.Grants, decision.Cautious...)
		return
	}
	s.held = decision.State.Held
	s.grantHeld(decision)
}

// grantHeld grants what is held, until it ends.
func (s *organizationSync) grantHeld(decision removals.Decision) {
	s.result.Grants = append(s.result.Grants, decision.Grants...)
	next := decision.NextChange
	if !next.IsZero() && (s.result.NextChange.IsZero() || next.Before(s.result.NextChange)) {
		s.result.NextChange = next
	}
}

// keepAccess writes down what has changed of who has access, where that wasn't written before a removal.
func (s *organizationSync) keepAccess(ctx context.Context) error {
	known := s.guards.of(s.result.Organization)
	if known == nil || !known.unkept {
		return nil
	}
	return s.keepGuard(ctx, known)
}

// gives says whether a role gives anything where it holds. One that isn't compiled yet will.
func (s *organizationSync) gives(ctx context.Context) removals.Gives {
	known := map[string]bool{}
	hasRules := func(name string) bool {
		gives, found := known[name]
		if !found {
			clusterRole := &rbacv1.ClusterRole{}
			err := s.Get(ctx, client.ObjectKey{Name: name}, clusterRole, snapshot.Shared)
			gives = err != nil || len(clusterRole.Rules) > 0
			known[name] = gives
		}
		return gives
	}
	return func(role engine.RoleReference) (organization, projects bool) {
		return hasRules(rbac.OrganizationClusterRole(role)), hasRules(rbac.ProjectClusterRole(role))
	}
}

// loadGuard reads the state that was kept, once after the start.
func (s *organizationSync) loadGuard(ctx context.Context) (*guard, error) {
	organization := s.result.Organization
	if known := s.guards.of(organization); known != nil {
		return known, nil
	}
	kept := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: removalsPrefix + organization}
	err := s.live.Get(ctx, key, kept)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get ConfigMap %s, without which no removal can be judged: %w", key.Name, err)
	}
	loaded := &guard{}
	if err == nil {
		loaded.version = kept.ResourceVersion
		if loaded.state, err = removals.Decode(kept.BinaryData[removalsKey]); err != nil {
			return nil, fmt.Errorf("read ConfigMap %s in %s; delete it to let what was held go: %w", key.Name, key.Namespace, err)
		}
		if now := s.organization(); now != nil && loaded.state.Organization != now.UID {
			// It is that of an earlier organization of this name. The ConfigMap is written anew.
			loaded.state = nil
		}
	}
	s.guards.set(organization, loaded)
	return loaded, nil
}

// keepGuard writes a state and remembers it. Where somebody else has written it, it is read again by the next sync.
func (s *organizationSync) keepGuard(ctx context.Context, next *guard) error {
	content, err := removals.Encode(*next.state)
	if err != nil {
		return err
	}
	organization := s.result.Organization
	config := removalsConfigMap(organization)
	config.ResourceVersion = next.version
	config.BinaryData = map[string][]byte{removalsKey: content}
	if next.version != "" {
		err = s.Update(ctx, config, client.DisableReadYourWritesConsistency)
	}
	if next.version == "" || apierrors.IsNotFound(err) {
		// Where somebody deleted it, what is held is still known here.
		config.ResourceVersion = ""
		err = s.Create(ctx, config, client.DisableReadYourWritesConsistency)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		s.guards.set(organization, nil)
	}
	if err != nil {
		return fmt.Errorf("write ConfigMap %s in %s, which keeps what is held: %w", config.Name, config.Namespace, err)
	}
	s.guards.set(organization, &guard{state: next.state, version: config.ResourceVersion})
	return nil
}

// forgetRemovals deletes the state of an organization that is no more.
func (s *organizationSync) forgetRemovals(ctx context.Context) error {
	known, err := s.loadGuard(ctx)
	if err != nil {
		return err
	}
	if known.version != "" {
		err := s.Delete(ctx, removalsConfigMap(s.result.Organization), client.DisableReadYourWritesConsistency)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete ConfigMap %s: %w", removalsPrefix+s.result.Organization, err)
		}
	}
	if s.result.Lineage == nil {
		s.guards.set(s.result.Organization, nil)
		return nil
	}
	s.guards.set(s.result.Organization, &guard{})
	return nil
}

func removalsConfigMap(organization string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.SystemNamespace, Name: removalsPrefix + organization, Labels: rbac.Labels(organization, ""),
	}}
}

// approvalChanged lets through an Organization whose approval of held removals, or the confirmation of whose deletion, has
// changed.
func approvalChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
		return change.ObjectOld.GetAnnotations()[v1alpha1.AnnotationApproveRemovals] !=
			change.ObjectNew.GetAnnotations()[v1alpha1.AnnotationApproveRemovals] ||
			engine.DeletionConfirmed(change.ObjectOld) != engine.DeletionConfirmed(change.ObjectNew)
	}}
}
