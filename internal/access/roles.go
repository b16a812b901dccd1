package access

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Roles finds Roles by name from where the name is written.
type Roles struct {
	index *index
}

// NewRoles reads the world's organizations, namespaces and Roles.
func NewRoles(world World) *Roles {
	return &Roles{index: newIndex(World{
		Organizations: world.Organizations, Roles: world.Roles, Namespaces: world.Namespaces,
	})}
}

// Find returns the Role that a name means in an organization ("" for the catalogue), or nil where it means none.
func (r *Roles) Find(organization string, name v1alpha1.RoleName) *v1alpha1.Role {
	role := r.Holder(organization, name)
	if role == nil || role.DeletionTimestamp != nil {
		return nil
	}
	return role
}

// Names are those of the organization's own Roles and of the Roles that it inherits, sorted, without the catalogue's.
func (r *Roles) Names(organization string) []v1alpha1.RoleName {
	names := sets.New[v1alpha1.RoleName]()
	if found := LineageOf(r.index.organizations, organization); found != nil {
		for _, at := range found.Organizations {
			for name := range r.index.roles[at.Name] {
				names.Insert(v1alpha1.RoleName(name))
			}
		}
	}
	return sets.List(names)
}

// Holder returns the Role that holds a name in an organization ("" for the catalogue), which may be going, or nil where
// the name is free.
func (r *Roles) Holder(organization string, name v1alpha1.RoleName) *v1alpha1.Role {
	var lineage []*v1alpha1.Organization
	if found := LineageOf(r.index.organizations, organization); found != nil {
		lineage = found.Organizations
	}
	return r.index.holder(name, lineage)
}

// References are what a name could mean in an organization ("" for the catalogue), the one that counts first.
func (r *Roles) References(organization string, name v1alpha1.RoleName) []RoleReference {
	references := []RoleReference{{Name: string(name)}}
	if lineage := LineageOf(r.index.organizations, organization); lineage != nil {
		for _, at := range slices.Backward(lineage.Organizations) {
			references = append(references, RoleReference{Organization: at.Name, Name: string(name)})
		}
	}
	return references
}

// ReferenceTo names a Role for good.
func ReferenceTo(role *v1alpha1.Role) RoleReference {
	if role.Namespace == v1alpha1.SystemNamespace {
		return RoleReference{Name: role.Name}
	}
	organization, _ := v1alpha1.OrganizationOf(role.Namespace)
	return RoleReference{Organization: organization, Name: role.Name}
}

// holder finds the Role that holds a name in a lineage, nearest organization first in the list. A name that the
// catalogue or an organization above uses is theirs, even while that Role is going, so that nobody can put another
// meaning under it: the farthest wins.
func (x *index) holder(name v1alpha1.RoleName, lineage []*v1alpha1.Organization) *v1alpha1.Role {
	if role := x.roles[""][string(name)]; role != nil {
		return role
	}
	if name == v1alpha1.RoleOwner || name == v1alpha1.RoleNone {
		return nil
	}
	for at := len(lineage) - 1; at >= 0; at-- {
		if role := x.roles[lineage[at].Name][string(name)]; role != nil {
			return role
		}
	}
	return nil
}

// RequiringMFA names the organization that requires a second factor of whoever is in the given one: itself or one above.
// It is empty where none does.
func (r *Roles) RequiringMFA(organization string) string {
	lineage := LineageOf(r.index.organizations, organization)
	if lineage == nil {
		return ""
	}
	for _, at := range lineage.Gates {
		if at.Spec.RequireMFA {
			return at.Name
		}
	}
	return ""
}
