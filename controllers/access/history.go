package access

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
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
	changes []history.Cause
	// tampered are the versions of the bindings that others changed.
	tampered map[types.NamespacedName]string
	// unanswered are the writes of earlier syncs that may have been made.
	unanswered unanswered
}

func (c *causes) change(organization string, do func(*cause)) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.byOrganization == nil {
		c.byOrganization = map[string]*cause{}
	}
	if c.byOrganization[organization] == nil {
		c.byOrganization[organization] = &cause{tampered: map[types.NamespacedName]string{}, unanswered: unanswered{}}
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
		c.change(organization, func(cause *cause) {
			cause.tampered[client.ObjectKeyFromObject(binding)] = binding.GetResourceVersion()
		})
	}
}

// take hands over what has happened so far, and forgets it.
func (c *causes) take(organization string) cause {
	c.lock.Lock()
	defer c.lock.Unlock()
	taken := c.byOrganization[organization]
	delete(c.byOrganization, organization)
	if taken == nil {
		return cause{unanswered: unanswered{}}
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
		for binding, version := range taken.tampered {
			if _, known := cause.tampered[binding]; !known {
				cause.tampered[binding] = version
			}
		}
		cause.unanswered.add(taken.unanswered)
	})
}

// takeCause takes what the next sync follows from. A write of this manager's own that came back before it was noted was
// taken for somebody else's; by now it is noted.
func (r *Reconciler) takeCause(organization string) cause {
	taken := r.causes.take(organization)
	maps.DeleteFunc(taken.tampered, r.ownWrites.matchVersion)
	return taken
}

// isTampered says whether somebody else changed a binding since the last sync.
func (s *organizationSync) isTampered(namespace, binding string) bool {
	_, tampered := s.cause.tampered[types.NamespacedName{Namespace: namespace, Name: binding}]
	return tampered
}

// keepCause leaves to the next sync what this one didn't finish.
func (s *organizationSync) keepCause() {
	if !s.isWritten {
		s.causes.giveBack(s.result.Organization, s.cause)
	}
}

// recordEffects has recorded what the sync did, one change a namespace.
func (s *organizationSync) recordEffects() {
	s.countTampering()
	s.keepUnanswered()
	isFirst := s.passes.of(s.result.Organization) == nil
	changes := effectsOf(s.written.done, s.made)
	if s.History == nil || len(changes) == 0 && !isFirst {
		return
	}
	effects := s.effects()
	for _, change := range changes {
		if access, found := effects.in(change.Namespace); found {
			s.recordAccess(access, change)
		}
	}
	if isFirst && s.written.err() == nil && !s.written.interrupted && !s.written.outdated {
		effects.recordStanding()
	}
}

// effects are what a sync did to who holds what.
type effects struct {
	*organizationSync
	projects     map[string]*v1alpha1.Project
	causes       []history.Cause
	otherwise    history.Actor
	fingerprints rbac.Fingerprints
}

func (s *organizationSync) effects() *effects {
	e := &effects{
		organizationSync: s, causes: s.cause.changes, otherwise: s.otherwise(),
		projects: map[string]*v1alpha1.Project{},
	}
	if len(e.causes) == 0 {
		// The cache may show a change a moment before this controller is told of it.
		e.causes = s.causesOf(s.causes.peek(s.result.Organization))
	}
	for _, project := range s.world.Projects {
		e.projects[project.Name] = project
	}
	return e
}

// in is about a namespace of the organization, if it stays: what is in one that is being deleted goes with it.
func (e *effects) in(name string) (history.Access, bool) {
	namespace := e.namespaces[name]
	if namespace != nil && namespace.DeletionTimestamp != nil {
		return history.Access{}, false
	}
	access := e.accessIn(name)
	if namespace != nil {
		access.Object = placeOf(access.Object, e.projects[namespace.Labels[v1alpha1.LabelProject]])
	}
	access.Causes, access.Otherwise = e.causes, e.otherwise
	access.State = e.fingerprints.Of(e.desired[name])
	return access, true
}

// recordStanding says how access stands after the first sync of this run. The run before may have been killed between
// changing it and recording that.
func (e *effects) recordStanding() {
	for _, namespace := range e.world.Namespaces {
		if namespace.Labels[v1alpha1.LabelOrganization] != e.result.Organization {
			continue
		}
		if access, found := e.in(namespace.Name); found {
			e.History.Later(access.Standing(e.desired[namespace.Name]))
		}
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

// recordAccess tells apart what undoes tampering, what was left behind by an earlier organization, and what follows from
// changes.
func (s *organizationSync) recordAccess(access history.Access, change rbac.NamespaceChange) {
	var undone []rbac.Exchange
	exchanges := s.recordLeftBehind(access, change)
	for _, exchange := range exchanges {
		if s.isTampered(change.Namespace, exchange.Binding) {
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
	if s.result.Lineage == nil {
		access.OrganizationUID = history.UnknownOrganization
		return access
	}
	access.Object.UID = s.result.Lineage.Organizations[0].UID
	access.OrganizationUID = access.Object.UID
	return access
}

// otherwise is who did what no change of an object explains.
func (s *organizationSync) otherwise() history.Actor {
	if s.passes.of(s.result.Organization) == nil {
		return history.Actor{
			Name: history.ActorUnknown, Because: "the change that this follows from was made while Roster was away",
		}
	}
	return history.Actor{Name: history.ActorRoster,
		Because: "no object was changed: an end or a beginning has come, or a namespace has"}
}
