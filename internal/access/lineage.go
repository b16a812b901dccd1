package access

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Lineage is an organization's place in the forest.
type Lineage struct {
	// Organizations are the organization itself and those that it inherits from, nearest first. An edge that isn't in
	// order (a parent that doesn't exist or is Personal, a cycle, too deep) is cut here, so that broken objects give less
	// access and never more.
	Organizations []*v1alpha1.Organization
	// Gates are all organizations above, cut edges or not, whose requireMFA holds here.
	Gates []*v1alpha1.Organization
	// Problem says what is wrong with the organization's own edge to its parent, or is empty.
	Problem LineageProblem
}

// LineageProblem says why an organization's parent doesn't count.
type LineageProblem string

const (
	// ParentNotFound says that there is no organization of that name.
	ParentNotFound LineageProblem = "ParentNotFound"
	// ParentPersonal says that the parent is Personal: a Personal organization has no organizations below it.
	ParentPersonal LineageProblem = "ParentPersonal"
	// ParentCycle says that following the parents leads back to the organization.
	ParentCycle LineageProblem = "ParentCycle"
	// ParentTooDeep says that the organization would be deeper than MaxOrganizationDepth.
	ParentTooDeep LineageProblem = "ParentTooDeep"
)

// LineageOf follows an organization's parents. It returns nil where there is no such organization.
func LineageOf(organizations map[string]*v1alpha1.Organization, name string) *Lineage {
	organization := organizations[name]
	if organization == nil {
		return nil
	}
	path := []*v1alpha1.Organization{organization}
	lineage := &Lineage{}
	inherited := 0
	for at := organization; at.Spec.Parent != ""; {
		parent := organizations[at.Spec.Parent]
		problem := checkParent(parent)
		if problem == "" && slices.Contains(path, parent) {
			// Every edge of a cycle is cut, so that no member of it inherits from another: an organization below
			// the cycle keeps what it inherits up to and with the first member of the cycle.
			inherited = slices.Index(path, parent) + 1
			if inherited == 1 {
				lineage.Problem = ParentCycle
			}
			break
		}
		if problem != "" {
			if at == organization {
				lineage.Problem = problem
			}
			break
		}
		path = append(path, parent)
		at = parent
	}
	if inherited == 0 {
		inherited = len(path)
	}
	if inherited > v1alpha1.MaxOrganizationDepth {
		inherited = 1
		lineage.Problem = ParentTooDeep
	}
	lineage.Gates = path
	lineage.Organizations = path[:inherited]
	return lineage
}

func checkParent(parent *v1alpha1.Organization) LineageProblem {
	switch {
	case parent == nil:
		return ParentNotFound
	case parent.IsPersonal():
		return ParentPersonal
	}
	return ""
}

// DeletionConfirmed says whether the deletion of an object was confirmed by its name. A policy asks for that before anything is
// deleted; but when a CustomResourceDefinition is deleted, the API server deletes all objects of that kind and asks nobody.
func DeletionConfirmed(object metav1.Object) bool {
	return object.GetAnnotations()[v1alpha1.AnnotationConfirmDeletion] == object.GetName()
}

// IsEnding says whether an organization is being deleted and that was confirmed. Otherwise it stays in force. A Personal one
// has nothing to lose, and Roster deletes those of users who have left.
func IsEnding(organization *v1alpha1.Organization) bool {
	return organization.DeletionTimestamp != nil && (organization.IsPersonal() || DeletionConfirmed(organization))
}

// HasDependents says whether organizations or projects still need the organization, so that it can't go yet.
func HasDependents(world World, name string) bool {
	isChild := func(organization *v1alpha1.Organization) bool { return organization.Spec.Parent == name }
	isProject := func(project *v1alpha1.Project) bool {
		return project.Namespace == v1alpha1.OrganizationNamespace(name)
	}
	return slices.ContainsFunc(world.Organizations, isChild) || slices.ContainsFunc(world.Projects, isProject)
}
