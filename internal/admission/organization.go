package admission

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineOrganization asks whether it has its place in the forest, and who would come to hold something in it and below.
func (r *review) examineOrganization(before, after *v1alpha1.Organization) error {
	if after == nil {
		return nil
	}
	previous := &v1alpha1.Organization{}
	if before != nil {
		previous = before
	} else if err := r.refuseTakenNamespace(after); err != nil {
		return err
	}
	if err := r.checkOrganization(previous, after); err != nil {
		return err
	}
	r.demandHere(authority.OfOrganization(before, after))
	if before != nil && before.Spec.Parent == after.Spec.Parent && before.Spec.Type == after.Spec.Type {
		return nil
	}
	organizations, err := r.withDescendants()
	if err != nil {
		return err
	}
	if before == nil {
		// Whoever makes an organization names its owners; those below may have waited for it.
		return r.gainIn(organizations[1:])
	}
	return r.gainIn(organizations)
}

// checkOrganization looks at what has changed of it.
func (r *review) checkOrganization(before, after *v1alpha1.Organization) error {
	if before.Spec.Parent != after.Spec.Parent {
		if err := r.checkParent(after); err != nil {
			return err
		}
	}
	if after.Spec.RequireMFA && !before.Spec.RequireMFA {
		if err := r.refuseMFAWithoutOwner(after); err != nil {
			return err
		}
	}
	if len(before.Spec.Owners) > 0 && !slices.Equal(before.Spec.Owners, after.Spec.Owners) {
		if err := r.refuseLosingOwners(before, after); err != nil {
			return err
		}
	}
	return r.missingRoles(authority.Added(before.Spec.Membership.DefaultRoles, after.Spec.Membership.DefaultRoles)...)
}

// refuseTakenNamespace: a namespace of that name that isn't labelled is somebody else's.
func (r *review) refuseTakenNamespace(organization *v1alpha1.Organization) error {
	if organization.IsPersonal() {
		return nil
	}
	name := v1alpha1.OrganizationNamespace(organization.Name)
	namespace := &corev1.Namespace{}
	err := r.Cached.Get(r.ctx, client.ObjectKey{Name: name}, namespace, snapshot.Shared)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if access.CheckOrganizationNamespace(namespace, organization.Name) == access.NamespaceTaken {
		return invalid(ruleNamespaceTaken,
			"metadata.name: namespace %q is there already and isn't this organization's; choose another name, or let who "+
				"may edit namespaces label it %s=%s first", name, v1alpha1.LabelOrganization, organization.Name)
	}
	return nil
}

// checkParent follows the parents up, and the organizations below down, with the change made.
func (r *review) checkParent(organization *v1alpha1.Organization) error {
	path := []string{organization.Name}
	for name := organization.Spec.Parent; name != ""; {
		if slices.Contains(path, name) {
			return invalid(ruleParentCycle,
				"spec.parent: %q is below organization %s, which can't be below it as well; choose another parent",
				organization.Spec.Parent, organization.Name)
		}
		parent := &v1alpha1.Organization{}
		found, err := r.found(client.ObjectKey{Name: name}, parent)
		if err != nil {
			return err
		}
		if !found {
			if name == organization.Spec.Parent {
				r.dangling = append(r.dangling, fmt.Sprintf("organization %q", name))
			}
			break
		}
		if parent.IsPersonal() {
			return invalid(ruleParentPersonal,
				"spec.parent: %q is a Personal organization, which has none below it; choose another parent", name)
		}
		path = append(path, name)
		name = parent.Spec.Parent
	}
	below, err := r.height(organization.Name, len(path))
	if err != nil {
		return err
	}
	if depth := len(path) + below; depth > v1alpha1.MaxOrganizationDepth {
		return invalid(ruleTooDeep,
			"spec.parent: below %q the organizations would be %d deep, and may be %d; choose a parent further up",
			organization.Spec.Parent, depth, v1alpha1.MaxOrganizationDepth)
	}
	return nil
}

// height is how many levels of organizations are below one, counted as far as it matters.
func (r *review) height(organization string, depth int) (int, error) {
	if depth > v1alpha1.MaxOrganizationDepth {
		return 0, nil
	}
	var children v1alpha1.OrganizationList
	below := client.MatchingFields{snapshot.OrganizationsByParent: organization}
	err := r.worldAfter.List(r.ctx, &children, below, snapshot.Shared)
	if err != nil {
		return 0, err
	}
	highest := 0
	for i := range children.Items {
		levels, err := r.height(children.Items[i].Name, depth+1)
		if err != nil {
			return 0, err
		}
		highest = max(highest, levels+1)
	}
	return highest, nil
}

// refuseLosingOwners: whoever owns it now must be able to act, if somebody was before.
func (r *review) refuseLosingOwners(before, after *v1alpha1.Organization) error {
	roles, err := snapshot.LoadRoles(r.ctx, r.worldAfter, after.Name)
	if err != nil {
		return err
	}
	requireMFA := roles.RequiringMFA(after.Name) != ""
	had, err := r.availableOwners(before, requireMFA)
	if err != nil || len(had) == 0 {
		return err
	}
	have, err := r.availableOwners(after, requireMFA)
	if err != nil || len(have) > 0 {
		return err
	}
	return invalid(ruleUnavailableOwners,
		"spec.owners: none of %s may act now (deactivated, or without a second factor where one is required), and one of "+
			"the owners must; keep one of %s", joined(after.Spec.Owners), joined(had))
}

// refuseMFAWithoutOwner: nobody could act any more.
func (r *review) refuseMFAWithoutOwner(organization *v1alpha1.Organization) error {
	available, err := r.availableOwners(organization, true)
	if err != nil || len(available) > 0 {
		return err
	}
	return invalid(ruleMFAWithoutOwner,
		"spec.requireMFA: none of the owners has a second factor enrolled, so nobody could act for organization %s any "+
			"more; let one of them enroll first: %s", organization.Name, joined(organization.Spec.Owners))
}
