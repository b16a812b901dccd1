package access

import (
	"slices"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/history"
	"github.com/roster-dev/roster/internal/rbac"
)

// identities are the uids of the organizations that were synced last, by their names, which are used again.
type identities struct {
	lock   sync.Mutex
	byName map[string]types.UID
}

// replace notes the uid of an organization, and reports whether another organization had its name at the last sync.
func (i *identities) replace(organization string, uid types.UID) bool {
	i.lock.Lock()
	defer i.lock.Unlock()
	if i.byName == nil {
		i.byName = map[string]types.UID{}
	}
	before, known := i.byName[organization]
	i.byName[organization] = uid
	return known && before != uid
}

// succeed drops what is remembered of an earlier organization that had the name of this one: nothing of it may show in the
// new one's history, hold a removal or count as a sync.
func (s *organizationSync) succeed() {
	organization := s.organization()
	if organization == nil {
		return
	}
	s.cause.changes = s.causesOf(s.cause.changes)
	if !s.identities.replace(organization.Name, organization.UID) {
		return
	}
	s.passes.forget(organization.Name)
	s.guards.set(organization.Name, nil)
	totals.forget(organization.Name)
	s.cause.tampered, s.cause.unanswered = nil, unanswered{}
}

// organization is the one that this sync is of; nil where there is none.
func (s *organizationSync) organization() *v1alpha1.Organization {
	for _, organization := range s.world.Organizations {
		if organization.Name == s.result.Organization {
			return organization
		}
	}
	return nil
}

// causesOf leaves out the changes of an earlier organization that had the name of this one, and of the objects in it.
func (s *organizationSync) causesOf(causes []history.Cause) []history.Cause {
	organization := s.organization()
	if organization == nil {
		return causes
	}
	return slices.DeleteFunc(slices.Clone(causes), func(cause history.Cause) bool {
		object := cause.Object
		switch {
		case object.Kind == engine.KindOrganization && object.Name == organization.Name:
			return object.UID != organization.UID
		case object.Namespace == v1alpha1.OrganizationNamespace(organization.Name):
			return cause.Created.Before(organization.CreationTimestamp.Time)
		}
		return false
	})
}

// findLeftBehind finds the bindings that were there before the organization: an earlier one of its name gave them, and was
// gone before its access was. Only the first sync finds any; what is in such a binding after it is the organization's own.
func (s *organizationSync) findLeftBehind(actual []*rbacv1.RoleBinding) {
	organization := s.organization()
	if organization == nil || s.passes.of(organization.Name) != nil {
		return
	}
	s.leftBehind = sets.New[types.NamespacedName]()
	for _, binding := range actual {
		if binding.CreationTimestamp.Before(&organization.CreationTimestamp) {
			s.leftBehind.Insert(types.NamespacedName{Namespace: binding.Namespace, Name: binding.Name})
		}
	}
}

// recordLeftBehind records for the earlier organization what its people lost in a namespace, and returns what else was
// exchanged there.
func (s *organizationSync) recordLeftBehind(access history.Access, change rbac.NamespaceChange) []rbac.Exchange {
	var others []rbac.Exchange
	earlier := access
	for _, exchange := range change.Exchanges {
		if s.leftBehind.Has(types.NamespacedName{Namespace: change.Namespace, Name: exchange.Binding}) {
			lost := exchange
			lost.Gained, exchange.Lost = nil, nil
			earlier.Exchanges = append(earlier.Exchanges, lost)
		}
		others = append(others, exchange)
	}
	earlier.Object, earlier.OrganizationUID = history.Object{Kind: engine.KindOrganization, Name: s.result.Organization}, history.UnknownOrganization
	earlier.Causes, earlier.State = nil, ""
	earlier.Otherwise = history.Actor{Name: history.ActorRoster, Because: "the organization that had this name is gone"}
	if changed, found := earlier.Changed(); found {
		s.History.Later(changed)
	}
	return others
}
