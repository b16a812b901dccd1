package access

import (
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/finalizer"
	"github.com/roster-dev/roster/internal/history"
	"github.com/roster-dev/roster/internal/rbac"
)

// rememberedCauses is how many changes are remembered as what the next sync of an organization follows from.
const rememberedCauses = 32

// History keeps what happened.
type History interface {
	finalizer.Witness
	// Later records what the sync did, without making it wait.
	Later(changes ...history.Change)
}

// causes are the changes that the syncs of each organization follow from, and the bindings that others changed.
type causes struct {
	lock           sync.Mutex
	byOrganization map[string]*cause
	// ownDeletions are the UIDs of bindings that this manager deletes.
	ownDeletions sync.Map
}

// cause is what happened to one organization since its last sync began.
type cause struct {
	changes  []history.Cause
	tampered sets.Set[types.NamespacedName]
}

func (c *causes) change(organization string, do func(*cause)) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.byOrganization == nil {
		c.byOrganization = map[string]*cause{}
	}
	if c.byOrganization[organization] == nil {
		c.byOrganization[organization] = &cause{tampered: sets.New[types.NamespacedName]()}
	}
	do(c.byOrganization[organization])
}

// note remembers that an object was changed.
func (c *causes) note(organization string, object client.Object) {
	changed, found := history.CauseOf(object)
	if !found {
		return
	}
	c.change(organization, func(cause *cause) {
		same := func(other history.Cause) bool { return other.Object.UID == changed.Object.UID }
		cause.changes = append(slices.DeleteFunc(cause.changes, same), changed)
		if len(cause.changes) > rememberedCauses {
			cause.changes = cause.changes[1:]
		}
	})
}

// noteTampering remembers that a binding of Roster's was changed by somebody else.
func (c *causes) noteTampering(organization string, binding client.Object) {
	if _, own := c.ownDeletions.LoadAndDelete(binding.GetUID()); !own {
		c.change(organization, func(cause *cause) { cause.tampered.Insert(client.ObjectKeyFromObject(binding)) })
	}
}

// take hands over what has happened so far, and forgets it.
func (c *causes) take(organization string) cause {
	c.lock.Lock()
	defer c.lock.Unlock()
	taken := c.byOrganization[organization]
	delete(c.byOrganization, organization)
	if taken == nil {
		return cause{}
	}
	return *taken
}

// peek gives the changes so far, and keeps them for the next sync.
func (c *causes) peek(organization string) []history.Cause {
	c.lock.Lock()
	defer c.lock.Unlock()
	if known := c.byOrganization[organization]; known != nil {
		return slices.Clone(known.changes)
	}
	return nil
}

// giveBack keeps what a sync took and didn't finish for the next one.
func (c *causes) giveBack(organization string, taken cause) {
	c.change(organization, func(cause *cause) {
		cause.changes = append(taken.changes, cause.changes...)
		cause.tampered = cause.tampered.Union(taken.tampered)
	})
}

// keepCause leaves to the next sync what this one didn't finish.
func (s *organizationSync) keepCause() {
	if !s.isWritten {
		s.causes.giveBack(s.result.Organization, s.cause)
	}
}

// recordEffects has recorded what the sync did, one change a namespace.
func (s *organizationSync) recordEffects() {
	if s.History == nil || len(s.written.done) == 0 {
		return
	}
	causes := s.cause.changes
	if len(causes) == 0 {
		// The cache may show a change a moment before this controller is told of it.
		causes = s.causes.peek(s.result.Organization)
	}
	namespaces := map[string]*corev1.Namespace{}
	for _, namespace := range s.world.Namespaces {
		namespaces[namespace.Name] = namespace
	}
	projects := map[string]*v1alpha1.Project{}
	for _, project := range s.world.Projects {
		projects[project.Name] = project
	}
	otherwise := s.otherwise()
	for _, change := range s.written.done {
		namespace := namespaces[change.Namespace]
		if namespace != nil && namespace.DeletionTimestamp != nil {
			// What is in it goes with it.
			continue
		}
		access := s.accessIn(change.Namespace)
		if namespace != nil {
			access.Object = placeOf(access.Object, projects[namespace.Labels[v1alpha1.LabelProject]])
		}
		access.Causes, access.Otherwise = causes, otherwise
		s.recordAccess(access, change)
	}
}

// placeOf is the project that a namespace belongs to, or else the organization.
func placeOf(organization history.Object, project *v1alpha1.Project) history.Object {
	if project == nil {
		return organization
	}
	return history.Object{
		Kind: engine.KindProject, Namespace: project.Namespace, Name: project.Name, UID: project.UID,
	}
}

// recordAccess tells apart what undoes tampering and what follows from changes.
func (s *organizationSync) recordAccess(access history.Access, change rbac.NamespaceChange) {
	var undone []rbac.Exchange
	for _, exchange := range change.Exchanges {
		key := types.NamespacedName{Namespace: change.Namespace, Name: exchange.Binding}
		if s.cause.tampered.Has(key) {
			undone = append(undone, exchange)
			continue
		}
		access.Exchanges = append(access.Exchanges, exchange)
	}
	if changed, found := access.Changed(); found {
		s.History.Later(changed)
	}
	if len(undone) > 0 {
		access.Exchanges = undone
		s.History.Later(access.TamperingUndone())
	}
}

// accessIn is about a namespace of the organization.
func (s *organizationSync) accessIn(namespace string) history.Access {
	organization := s.result.Organization
	access := history.Access{
		Object:       history.Object{Kind: engine.KindOrganization, Name: organization},
		Organization: v1alpha1.OrganizationNamespace(organization), Namespace: namespace, Time: time.Now(),
	}
	if s.result.Lineage != nil {
		access.Object.UID = s.result.Lineage.Organizations[0].UID
	}
	return access
}

// otherwise is who did what no change of an object explains.
func (s *organizationSync) otherwise() history.Actor {
	if s.passes.of(s.result.Organization) == nil {
		return history.Actor{Name: history.ActorUnknown, Because: "the change that this follows from was made while Roster was away"}
	}
	return history.Actor{Name: history.ActorRoster,
		Because: "no object was changed: an end or a beginning has come, or a namespace has"}
}
