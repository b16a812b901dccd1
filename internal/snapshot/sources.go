package snapshot

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// Sources finds what Roles refer to, for compiling them.
type Sources struct {
	ctx    context.Context
	reader client.Reader
	roles  map[string]*access.Roles
}

// NewSources reads by a reader, each organization's Roles once.
func NewSources(ctx context.Context, reader client.Reader) *Sources {
	return &Sources{ctx: ctx, reader: reader, roles: map[string]*access.Roles{}}
}

// Included finds a Role by its name where another one lives.
func (s *Sources) Included(by *v1alpha1.Role, name v1alpha1.RoleName) *v1alpha1.Role {
	organization := access.ReferenceTo(by).Organization
	if roles := s.rolesOf(organization); roles != nil {
		return roles.Find(organization, name)
	}
	return nil
}

// References are the Roles that a name could mean where another one lives.
func (s *Sources) References(by *v1alpha1.Role, name v1alpha1.RoleName) []access.RoleReference {
	organization := access.ReferenceTo(by).Organization
	if roles := s.rolesOf(organization); roles != nil {
		return roles.References(organization, name)
	}
	return nil
}

func (s *Sources) rolesOf(organization string) *access.Roles {
	if s.roles[organization] == nil {
		loaded, err := LoadRoles(s.ctx, s.reader, organization)
		if err != nil {
			return nil
		}
		s.roles[organization] = loaded
	}
	return s.roles[organization]
}

// ClusterRole finds a ClusterRole by its name.
func (s *Sources) ClusterRole(name string) *rbacv1.ClusterRole {
	clusterRole := &rbacv1.ClusterRole{}
	if err := s.reader.Get(s.ctx, client.ObjectKey{Name: name}, clusterRole, Shared); err != nil {
		return nil
	}
	return clusterRole
}
