package access

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/history"
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
