package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/text"
)

// Reasons of conditions besides the engine's.
const (
	reasonNotInForce           = "NotInForce"
	reasonNotInAnOrganization  = "NotInAnOrganization"
	reasonOrganizationNotReady = "OrganizationNotReady"
)

// report says of the organization and of the objects in it how far they are from what they ask for.
func (s *organizationSync) report(ctx context.Context) error {
	if s.result.Lineage == nil {
		return s.reportStrays(ctx, v1alpha1.OrganizationNamespace(s.result.Organization))
	}
	if err := s.lookOutside(ctx); err != nil {
		return err
	}
	organization := s.world.Organizations[0]
	after := s.organizationStatus(organization.DeepCopy())
	s.count(organization, after)
	errs := []error{s.writeStatus(ctx, organization, after)}
	if s.result.Ended {
		return errors.Join(errs...)
	}
	if s.result.Namespace == "" {
		errs = append(errs, s.reportStrays(ctx, v1alpha1.OrganizationNamespace(s.result.Organization)))
		return errors.Join(errs...)
	}
	begin := time.Now()
	errs = append(errs, s.forEach(s.changedStatuses(), func(object status.Object) error {
		if time.Since(begin) > undisturbed && s.hasNews() {
			// The next sync says it: news may take access away and must not wait for a thousand statuses.
			s.outdated.Store(true)
			return nil
		}
		return s.settle(status.Write(ctx, s.Client, object))
	}))
	return errors.Join(errs...)
}

// changedStatuses are copies of the objects of which something else is to be said than before.
func (s *organizationSync) changedStatuses() []status.Object {
	objects := s.objects()
	for _, project := range s.world.Projects {
		objects = append(objects, project)
	}
	var changed []status.Object
	for _, object := range objects {
		if object.GetDeletionTimestamp() != nil {
			continue
		}
		if finalized, found := s.finalized.Load(object.GetUID()); found {
			object = finalized.(status.Object)
		}
		if after := s.statusOf(object); after != nil && status.Changed(object, after) {
			changed = append(changed, after)
		}
	}
	return changed
}

// statusOf is a copy of the object with the status that it should have, or nil where that can't be told yet.
func (s *organizationSync) statusOf(object status.Object) status.Object {
	switch object := object.(type) {
	case *v1alpha1.Membership:
		return s.membershipStatus(object.DeepCopy())
	case *v1alpha1.Team:
		return s.teamStatus(object.DeepCopy())
	case *v1alpha1.RoleBinding:
		return s.roleBindingStatus(object.DeepCopy())
	case *v1alpha1.APIToken:
		return s.apiTokenStatus(object.DeepCopy())
	case *v1alpha1.Project:
		return s.projectStatus(object.DeepCopy())
	}
	return nil
}

// writeStatus writes a status that has changed. Where the object has changed too, the next sync writes it.
func (s *organizationSync) writeStatus(ctx context.Context, before, after status.Object) error {
	if after == nil {
		return nil
	}
	return s.settle(status.Update(ctx, s.Client, before, after))
}

// readiness is what the conditions of an object say, and false where that can't be told before an organization below has
// been synced: then the status stays, with the generation that it speaks of.
func (s *organizationSync) readiness(
	reference engine.ObjectReference, object status.Object, problems []engine.Problem, otherwise status.Readiness,
) (status.Readiness, bool) {
	if len(problems) > 0 {
		return problemReadiness(problems), true
	}
	if message := s.failure(reference); message != "" {
		return status.Readiness{State: status.Progressing, Reason: reasonNotInForce, Message: message}, true
	}
	if s.revokesFailed() && !reportsOn(object) {
		return status.Readiness{State: status.Progressing, Reason: reasonNotInForce,
			Message: "access that is to be taken away here or below can't be taken yet, and is tried again"}, true
	}
	return otherwise, s.waitsFor == ""
}

// reportsOn says whether the status speaks of the present generation.
func reportsOn(object status.Object) bool {
	ready := meta.FindStatusCondition(*object.GetConditions(), v1alpha1.ConditionReady)
	return ready != nil && ready.ObservedGeneration == object.GetGeneration()
}

// failure says why an object isn't in force, here or in an organization below.
func (s *organizationSync) failure(reference engine.ObjectReference) string {
	if message := s.pass.failed[reference]; message != "" {
		return message
	}
	for _, below := range s.below {
		if below.failed[reference] != "" {
			return fmt.Sprintf("in organization %s: %s", below.organization, below.failed[reference])
		}
	}
	return ""
}

func problemReadiness(problems []engine.Problem) status.Readiness {
	readiness := status.Readiness{State: status.Progressing, Reason: problems[0].Reason}
	var messages []string
	for _, problem := range problems {
		messages = append(messages, problem.Message)
		if problem.Terminal {
			readiness.State = status.Stalled
		}
	}
	readiness.Message = strings.Join(messages, "; ")
	return readiness
}

func (s *organizationSync) membershipStatus(membership *v1alpha1.Membership) status.Object {
	outcome := s.result.Memberships[membership.Name]
	reference := engine.ObjectReference{
		Kind: engine.KindMembership, Namespace: membership.Namespace, Name: membership.Name,
	}
	readiness, known := s.readiness(reference, membership, outcome.Problems, membershipReadiness(membership, outcome))
	if !known {
		return nil
	}
	membership.Status.Phase = outcome.Phase
	membership.Status.SuspendedBecause = outcome.SuspendedBecause
	membership.Status.Roles = outcome.Roles
	membership.Status.Source = outcome.Source
	reportInvitation(membership, s.world.Organizations[0])
	status.Report(membership, readiness)
	return membership
}

// reportInvitation says when an invitation ends. How far its mail has come is for the invitation's controller to say.
func reportInvitation(membership *v1alpha1.Membership, organization *v1alpha1.Organization) {
	if !engine.IsInvitation(membership) {
		membership.Status.Invitation = nil
		meta.RemoveStatusCondition(&membership.Status.Conditions, v1alpha1.ConditionMailed)
		return
	}
	if membership.Status.Invitation == nil {
		membership.Status.Invitation = &v1alpha1.InvitationStatus{}
	}
	end := metav1.NewTime(engine.InvitationEnd(membership, organization))
	membership.Status.Invitation.ExpiresAt = &end
}

func membershipReadiness(membership *v1alpha1.Membership, outcome engine.MembershipOutcome) status.Readiness {
	held := func(reason, message string) status.Readiness {
		return status.Readiness{State: status.Held, Reason: reason, Message: message}
	}
	switch outcome.Phase {
	case v1alpha1.MembershipInvited:
		return held("Invited", "the invitation waits for the user's answer")
	case v1alpha1.MembershipDeclined:
		return held("Declined",
			"the user declined the invitation; invite again with kubectl roster resend, or delete the Membership")
	case v1alpha1.MembershipExpired:
		if engine.IsInvitation(membership) && membership.Spec.Response == "" {
			return held("Expired", "the invitation wasn't answered in time; invite again with kubectl roster resend, or delete "+
				"the Membership")
		}
		return held("Expired", "the Membership has reached spec.expiresAt; set a later one, or delete the Membership")
	case v1alpha1.MembershipSuspended:
		return held(string(outcome.SuspendedBecause), suspensionMessage(membership, outcome.SuspendedBecause))
	}
	return status.Readiness{State: status.InForce, Reason: status.ReasonInForce,
		Message: "the user's access is in force here and in all organizations below"}
}

func suspensionMessage(membership *v1alpha1.Membership, reason v1alpha1.SuspensionReason) string {
	switch reason {
	case v1alpha1.SuspendedMFARequired:
		return fmt.Sprintf("the organization or one above requires a second factor, and no User says that %q has one; "+
			"access comes back when one is enrolled", membership.Spec.User)
	case v1alpha1.SuspendedDeactivated:
		return fmt.Sprintf("user %q is deactivated; access comes back when the User is activated", membership.Spec.User)
	}
	return "spec.suspended is set; access comes back when it is taken out"
}

func (s *organizationSync) teamStatus(team *v1alpha1.Team) status.Object {
	outcome := s.result.Teams[team.Name]
	reference := engine.ObjectReference{Kind: engine.KindTeam, Namespace: team.Namespace, Name: team.Name}
	readiness, known := s.readiness(reference, team, outcome.Problems, status.Readiness{
		State: status.InForce, Reason: status.ReasonInForce, Message: teamMessage(team, outcome),
	})
	if !known {
		return nil
	}
	team.Status.Members, team.Status.Projects = int32(outcome.Members), int32(outcome.Projects)
	s.reportOutside(team)
	status.Report(team, readiness)
	flagSubjects(team, outcome.Missing, outcome.Ungated)
	return team
}

func teamMessage(team *v1alpha1.Team, outcome engine.TeamOutcome) string {
	if team.Spec.Role == "" {
		return "the team names no role and grants nothing by itself"
	}
	return fmt.Sprintf("role %s is in force for %d members in %d projects",
		team.Spec.Role, outcome.Members, outcome.Projects)
}

func flagSubjects(object status.Object, missing []string, ungated bool) {
	status.Flag(object, v1alpha1.ConditionMembersMissing, len(missing) > 0, "NotMembers",
		fmt.Sprintf("not members of the organization, so nothing is granted to them: %s", engine.Enumerate(missing)))
	status.Flag(object, v1alpha1.ConditionUngated, ungated, "Group",
		"the identity provider decides who is in the group; suspension, deactivation and expiry don't reach its members")
}

func (s *organizationSync) roleBindingStatus(binding *v1alpha1.RoleBinding) status.Object {
	outcome := s.result.RoleBindings[binding.Name]
	reference := engine.ObjectReference{
		Kind: engine.KindRoleBinding, Namespace: binding.Namespace, Name: binding.Name,
	}
	readiness, known := s.readiness(reference, binding, outcome.Problems, bindingReadiness(binding, outcome))
	if !known {
		return nil
	}
	binding.Status.Subjects = int32(len(binding.Spec.Subjects))
	binding.Status.Scope = "Organization"
	if !binding.Spec.OrganizationWide {
		binding.Status.Scope = text.Count(outcome.Projects, "project")
	}
	status.Report(binding, readiness)
	flagSubjects(binding, outcome.Missing, outcome.Ungated)
	return binding
}

func bindingReadiness(binding *v1alpha1.RoleBinding, outcome engine.RoleBindingOutcome) status.Readiness {
	switch {
	case outcome.Expired:
		return status.Readiness{State: status.Held, Reason: "Expired",
			Message: fmt.Sprintf("the grant ended at %s; set a later spec.expiresAt or delete the RoleBinding",
				binding.Spec.ExpiresAt.UTC().Format(time.RFC3339))}
	case outcome.Waiting:
		return status.Readiness{State: status.Held, Reason: "NotYetValid",
			Message: fmt.Sprintf("the grant begins at %s", binding.Spec.NotBefore.UTC().Format(time.RFC3339))}
	}
	return status.Readiness{State: status.InForce, Reason: status.ReasonInForce,
		Message: fmt.Sprintf("role %s is in force", binding.Spec.Role)}
}

// reportStrays says of objects in a namespace that isn't an organization's that they mean nothing, and lets them go.
func (r *Reconciler) reportStrays(ctx context.Context, namespace string) error {
	strays, err := r.strays(ctx, namespace)
	if err != nil {
		return err
	}
	var errs []error
	for _, stray := range strays {
		if stray.GetDeletionTimestamp() != nil {
			errs = append(errs, r.releaseStray(ctx, stray))
			continue
		}
		after := stray.DeepCopyObject().(status.Object)
		status.Report(after, strayReadiness(namespace))
		errs = append(errs, status.Update(ctx, r.Client, stray, after))
	}
	return errors.Join(errs...)
}

func strayReadiness(namespace string) status.Readiness {
	if organization, ok := v1alpha1.OrganizationOf(namespace); ok {
		return status.Readiness{State: status.Progressing, Reason: reasonOrganizationNotReady,
			Message: fmt.Sprintf("namespace %s isn't in use by an organization; make the Organization %q, whose status says "+
				"what keeps it from using the namespace", namespace, organization)}
	}
	return status.Readiness{State: status.Stalled, Reason: reasonNotInAnOrganization,
		Message: fmt.Sprintf("namespace %s isn't an organization's, so this gives nothing; make it in the namespace "+
			"org-NAME of organization NAME", namespace)}
}

// strays are all of Roster's objects in a namespace.
func (r *Reconciler) strays(ctx context.Context, namespace string) ([]status.Object, error) {
	var memberships v1alpha1.MembershipList
	var teams v1alpha1.TeamList
	var bindings v1alpha1.RoleBindingList
	var projects v1alpha1.ProjectList
	var tokens v1alpha1.APITokenList
	for _, list := range []client.ObjectList{&memberships, &teams, &bindings, &projects, &tokens} {
		if err := r.List(ctx, list, client.InNamespace(namespace), snapshot.Shared); err != nil {
			return nil, fmt.Errorf("list %T in namespace %s: %w", list, namespace, err)
		}
	}
	var objects []status.Object
	for i := range memberships.Items {
		objects = append(objects, &memberships.Items[i])
	}
	for i := range teams.Items {
		objects = append(objects, &teams.Items[i])
	}
	for i := range bindings.Items {
		objects = append(objects, &bindings.Items[i])
	}
	for i := range projects.Items {
		objects = append(objects, &projects.Items[i])
	}
	for i := range tokens.Items {
		objects = append(objects, &tokens.Items[i])
	}
	return objects, nil
}
