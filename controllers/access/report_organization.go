package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/text"
)

// Reasons of an organization's and a project's conditions.
const (
	reasonNamespaceTaken       = "NamespaceTaken"
	reasonNamespacePending     = "NamespacePending"
	reasonNamespaceTerminating = "NamespaceTerminating"
	reasonNamespaceForbidden   = "NamespaceForbidden"
	reasonDeletionBlocked      = "DeletionBlocked"
	reasonDeletionUnconfirmed  = "DeletionUnconfirmed"
	reasonDeleting             = "Deleting"
)

func (s *organizationSync) organizationStatus(organization *v1alpha1.Organization) status.Object {
	reference := engine.ObjectReference{Kind: engine.KindOrganization, Name: organization.Name}
	problems := append(s.organizationProblems(organization), s.result.Problems...)
	if organization.IsPersonal() {
		problems = personalProblems(organization)
	}
	readiness, known := s.readiness(reference, organization, problems, s.organizationReadiness())
	if !known {
		return nil
	}
	if len(problems) == 0 && organization.DeletionTimestamp != nil {
		readiness = status.Readiness{State: status.Progressing, Reason: reasonDeleting,
			Message: "the organization's access and namespace are being removed"}
	}
	s.countOrganization(organization)
	status.Report(organization, readiness)
	s.reportRemovals(organization)
	available := s.result.Owners.Available > 0
	if !s.result.Ended {
		status.Say(organization, v1alpha1.ConditionOwnersAvailable, available, ownersReason(available),
			ownersMessage(s.result.Owners))
	}
	return organization
}

func (s *organizationSync) countOrganization(organization *v1alpha1.Organization) {
	organization.Status.Namespace = s.result.Namespace
	organization.Status.Depth = int32(len(s.result.Lineage.Organizations))
	organization.Status.Path = pathOf(s.result.Lineage)
	organization.Status.Owners = s.result.Owners
	organization.Status.Members = s.memberCounts()
	organization.Status.Teams = int32(len(s.result.Teams))
	organization.Status.Tokens = s.liveTokens()
	organization.Status.PendingJoinRequests = s.outside.asked
	organization.Status.Projects = 0
	for _, project := range s.world.Projects {
		if project.DeletionTimestamp == nil && s.result.Namespace != "" {
			organization.Status.Projects++
		}
	}
}

// liveTokens counts the tokens that haven't ended.
func (s *organizationSync) liveTokens() int32 {
	var count int32
	for _, outcome := range s.result.APITokens {
		if !outcome.Revoked && !outcome.Expired {
			count++
		}
	}
	return count
}

func pathOf(lineage *engine.Lineage) string {
	var names []string
	for _, organization := range slices.Backward(lineage.Organizations) {
		names = append(names, organization.Name)
	}
	return strings.Join(names, "/")
}

func (s *organizationSync) memberCounts() v1alpha1.MemberCounts {
	var counts v1alpha1.MemberCounts
	for _, member := range s.result.Members {
		switch {
		case member.Gate != "":
			counts.Suspended++
		case member.Source == v1alpha1.SourceDirect,
			member.Source == v1alpha1.SourceOwner && member.Via[0].Name == s.result.Organization:
			counts.Active++
		default:
			counts.Inherited++
		}
	}
	for _, outcome := range s.result.Memberships {
		switch {
		case outcome.Phase == v1alpha1.MembershipInvited:
			counts.Invited++
		case outcome.SuspendedBecause == v1alpha1.SuspendedRequested:
			counts.Suspended++
		}
	}
	return counts
}

func ownersReason(available bool) string {
	if available {
		return "Available"
	}
	return "NoneAvailable"
}

func ownersMessage(owners v1alpha1.OwnerCounts) string {
	if owners.Available > 0 {
		return fmt.Sprintf("%d of %d owners may act", owners.Available, owners.Declared)
	}
	return "no owner may act: each is deactivated or lacks the second factor that is required; activate one, have a second " +
		"factor attested, or name another owner in spec.owners"
}

// organizationProblems are what keeps the organization from being in order.
func (s *organizationSync) organizationProblems(organization *v1alpha1.Organization) []engine.Problem {
	var problems []engine.Problem
	switch {
	case organization.DeletionTimestamp == nil:
	case !engine.IsEnding(organization):
		problems = append(problems, deletionUnconfirmed(organization))
	case !s.result.Ended:
		problems = append(problems, s.deletionBlocked(organization))
	}
	if problem := s.result.Lineage.Problem; problem != "" {
		problems = append(problems, engine.Problem{
			Reason: string(problem), Message: lineageMessage(problem, organization), Terminal: problem != engine.ParentNotFound,
		})
	}
	if s.result.Ended {
		return problems
	}
	name := v1alpha1.OrganizationNamespace(organization.Name)
	state := engine.CheckOrganizationNamespace(s.namespaces[name], organization.Name)
	if problem, bad := namespaceProblem(name, state, v1alpha1.LabelOrganization+": "+organization.Name); bad {
		problems = append(problems, problem)
	}
	return problems
}

// deletionUnconfirmed says why an organization that is being deleted stays in force.
func deletionUnconfirmed(organization *v1alpha1.Organization) engine.Problem {
	return engine.Problem{
		Reason: reasonDeletionUnconfirmed,
		Message: fmt.Sprintf("organization %s is being deleted and nobody has confirmed that, as when the "+
			"CustomResourceDefinition organizations.roster.dev is deleted, so its access and its namespace stay; if that is "+
			"intended, confirm it: kubectl annotate organizations.roster.dev %s %s=%s; if not, see \"When a kind was deleted\" in "+
			"docs/operations.md",
			organization.Name, organization.Name, v1alpha1.AnnotationConfirmDeletion, organization.Name),
	}
}

// deletionBlocked says what still needs an organization that is to go.
func (s *organizationSync) deletionBlocked(organization *v1alpha1.Organization) engine.Problem {
	var projects, children []string
	for _, project := range s.world.Projects {
		projects = append(projects, project.Name)
	}
	for _, other := range s.world.Organizations {
		if other.Spec.Parent == organization.Name {
			children = append(children, other.Name)
		}
	}
	var needs []string
	if len(children) > 0 {
		needs = append(needs, fmt.Sprintf("%s (%s)",
			text.Count(len(children), "sub-organization"), engine.Enumerate(children)))
	}
	if len(projects) > 0 {
		needs = append(needs, fmt.Sprintf("%s (%s)", text.Count(len(projects), "project"), engine.Enumerate(projects)))
	}
	return engine.Problem{
		Reason: reasonDeletionBlocked,
		Message: fmt.Sprintf("the organization is to be deleted and waits for its %s; delete or move them first",
			strings.Join(needs, " and ")),
	}
}

// personalProblems says why a Personal organization that is to go is still there: one that isn't kept is gone at once.
func personalProblems(organization *v1alpha1.Organization) []engine.Problem {
	switch {
	case organization.DeletionTimestamp == nil:
		return nil
	case !engine.IsEnding(organization):
		return []engine.Problem{deletionUnconfirmed(organization)}
	}
	return []engine.Problem{{
		Reason: reasonDeletionBlocked,
		Message: fmt.Sprintf("the organization is to be deleted and waits, because it is the last one that %q owns, who is a "+
			"member of others; it goes once the user owns another organization or is a member of none",
			organization.Spec.Owners[0]),
	}}
}

func lineageMessage(problem engine.LineageProblem, organization *v1alpha1.Organization) string {
	parent := organization.Spec.Parent
	switch problem {
	case engine.ParentNotFound:
		return fmt.Sprintf("there is no organization %q; make it, or take it out of spec.parent", parent)
	case engine.ParentPersonal:
		return fmt.Sprintf("organization %q is Personal and can't have others below it; choose another spec.parent", parent)
	case engine.ParentCycle:
		return fmt.Sprintf("following spec.parent from %q leads back to this organization, so none of them inherits; "+
			"take spec.parent out of one of them", parent)
	}
	return fmt.Sprintf("organizations nest at most %d deep and this one would be deeper, so it inherits nothing; "+
		"choose a spec.parent nearer to the root", v1alpha1.MaxOrganizationDepth)
}

// namespaceProblem says what is wrong with a namespace that somebody asks for.
func namespaceProblem(name string, state engine.NamespaceState, labels string) (engine.Problem, bool) {
	switch state {
	case engine.NamespaceMissing:
		return engine.Problem{Reason: reasonNamespacePending,
			Message: fmt.Sprintf("namespace %s isn't there yet", name)}, true
	case engine.NamespaceTaken:
		return engine.Problem{Reason: reasonNamespaceTaken, Terminal: true,
			Message: fmt.Sprintf("namespace %s is there and isn't labelled for this, so it is left alone; label it %s, or "+
				"choose another name", name, labels)}, true
	case engine.NamespaceTerminating:
		return engine.Problem{Reason: reasonNamespaceTerminating,
			Message: fmt.Sprintf("namespace %s is being deleted", name)}, true
	case engine.NamespaceForbidden:
		return engine.Problem{Reason: reasonNamespaceForbidden, Terminal: true,
			Message: fmt.Sprintf("namespace %q can't be a project's: it is the cluster's or an organization's own, or its "+
				"name is longer than 63 characters; choose another name in spec.namespaces", name)}, true
	}
	return engine.Problem{}, false
}

func (s *organizationSync) projectStatus(project *v1alpha1.Project) status.Object {
	var inOrder []string
	var problems []engine.Problem
	labels := fmt.Sprintf("%s: %s and %s: %s",
		v1alpha1.LabelOrganization, s.result.Organization, v1alpha1.LabelProject, project.Name)
	for _, name := range project.NamespaceNames() {
		state := engine.CheckProjectNamespace(name, s.namespaces[name], s.result.Organization, project.Name)
		if problem, bad := namespaceProblem(name, state, labels); bad {
			problems = append(problems, problem)
			continue
		}
		inOrder = append(inOrder, name)
		if err := s.written.failed[name]; err != nil {
			problems = append(problems, engine.Problem{Reason: reasonNotInForce,
				Message: fmt.Sprintf("the bindings in namespace %s can't be written and are tried again: %v", name, err)})
		}
	}
	readiness := status.Readiness{State: status.InForce, Reason: status.ReasonInForce,
		Message: "the namespaces are there and all access in them is in force"}
	if len(problems) > 0 {
		readiness = problemReadiness(problems)
	}
	project.Status.Namespaces = inOrder
	project.Status.LegacyBindings = s.legacyBindings(inOrder)
	status.Report(project, readiness)
	return project
}
