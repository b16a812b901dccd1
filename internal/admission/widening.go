package admission

import (
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// demandWidened asks for the right to give each role whose name comes to allow more by a change of a Role, in each
// organization that gives it by that name, whether or not anybody is reached by it now.
func (r *review) demandWidened(before, after *v1alpha1.Role) error {
	organizations, err := r.withDescendants()
	if err != nil {
		return err
	}
	sources := snapshot.NewSources(r.ctx, r.worldAfter)
	comparison := roleComparison{name: v1alpha1.RoleName(r.any().GetName()), sources: sources}
	if after != nil {
		comparison.grew = opensRole(before, after) ||
			allowsMore(before, after, snapshot.NewSources(r.ctx, r.worldBefore), sources)
	}
	for _, organization := range organizations {
		if err := r.demandWidenedIn(organization, comparison); err != nil {
			return err
		}
	}
	return nil
}

// opensRole says whether a Role may come to allow more later by what it newly refers to, or by being there.
func opensRole(before, after *v1alpha1.Role) bool {
	if before == nil || after == nil {
		return after != nil
	}
	return len(authority.Added(before.Spec.Includes, after.Spec.Includes)) > 0 ||
		len(authority.Added(before.Spec.ClusterRoles, after.Spec.ClusterRoles)) > 0
}

func (r *review) demandWidenedIn(organization string, comparison roleComparison) error {
	had, err := snapshot.LoadRoles(r.ctx, r.worldBefore, organization)
	if err != nil {
		return err
	}
	have, err := snapshot.LoadRoles(r.ctx, r.worldAfter, organization)
	if err != nil {
		return err
	}
	for _, name := range have.Names(organization) {
		if !comparison.widens(had.Find(organization, name), have.Find(organization, name)) {
			continue
		}
		naming, found, err := r.naming(organization, name)
		if err != nil {
			return err
		}
		if found {
			r.demands = append(r.demands, demand{authority.Demand{
				Role: name, Everywhere: naming.Everywhere, Field: "spec", Change: fmt.Sprintf("letting role %q allow more", name),
				Carrier: naming.Carrier,
			}, organization})
		}
	}
	return nil
}

// naming is an object of an organization that gives a role by its name.
func (r *review) naming(organization string, role v1alpha1.RoleName) (naming authority.Carried, found bool, err error) {
	object := &v1alpha1.Organization{}
	err = r.worldAfter.Get(r.ctx, client.ObjectKey{Name: organization}, object, snapshot.Shared)
	if client.IgnoreNotFound(err) != nil {
		return naming, false, err
	}
	var memberships v1alpha1.MembershipList
	var teams v1alpha1.TeamList
	var bindings v1alpha1.RoleBindingList
	namespace := client.InNamespace(v1alpha1.OrganizationNamespace(organization))
	for _, list := range []client.ObjectList{&memberships, &teams, &bindings} {
		if err := r.worldAfter.List(r.ctx, list, namespace, snapshot.Shared); err != nil {
			return naming, false, err
		}
	}
	naming, found = authority.Naming(role, object.Spec.Membership.DefaultRoles, snapshot.Pointers(memberships.Items),
		snapshot.Pointers(teams.Items), snapshot.Pointers(bindings.Items), r.now)
	return naming, found, nil
}

// allowsMore says whether a Role allows more than before.
func allowsMore(before, after *v1alpha1.Role, sourcesBefore, sourcesAfter *snapshot.Sources) bool {
	had, has := rbac.Compile(before, sourcesBefore), rbac.Compile(after, sourcesAfter)
	return len(notCovered(had.Project, has.Project))+len(notCovered(had.Organization, has.Organization)) > 0
}

// roleComparison tells which names come to allow more by a change of one Role.
type roleComparison struct {
	name v1alpha1.RoleName
	// grew: the Role itself allows more, or may come to.
	grew    bool
	sources *snapshot.Sources
}

// widens says whether a name allows more than before, or will once it means the changed Role: a Role that is hidden by one of the
// same name above comes to count when that one goes. Had is the Role that the name meant before the change, has the one after;
// nil for none.
func (c roleComparison) widens(had, has *v1alpha1.Role) bool {
	switch {
	case has == nil:
		return false
	case had == nil || access.ReferenceTo(had) != access.ReferenceTo(has):
		// A name that comes to mean something, or something else.
		return true
	}
	return c.grew && c.reaches(has)
}

// reaches says whether a Role has the changed one's name, or includes that name.
func (c roleComparison) reaches(role *v1alpha1.Role) bool {
	seen := []access.RoleReference{access.ReferenceTo(role)}
	for next := []*v1alpha1.Role{role}; len(next) > 0; next = next[1:] {
		if next[0].Name == string(c.name) || slices.Contains(next[0].Spec.Includes, c.name) {
			return true
		}
		for _, name := range next[0].Spec.Includes {
			if included := c.sources.Included(next[0], name); included != nil && !slices.Contains(seen, access.ReferenceTo(included)) {
				seen = append(seen, access.ReferenceTo(included))
				next = append(next, included)
			}
		}
	}
	return false
}
