package access

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// addExternalTeam grants to the members of another organization's team, as members of their own organization. That one
// decides who they are; what holds them back there holds them back here, and so does what holds them back here. A group of
// the identity provider isn't carried along.
func (e *evaluation) addExternalTeam(to bindingTarget, subject v1alpha1.Subject, outcome *RoleBindingOutcome) {
	home := e.homeOf(subject)
	if home == nil {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason: ReasonTeamNotFound, Terminal: true,
			Message: fmt.Sprintf("the team %q of organization %q that was let in is gone; delete the JoinRequest or this "+
				"RoleBinding", subject.Name, subject.Organization),
		})
		return
	}
	team := home.index.teams[subject.Organization][subject.Name]
	via := append(joinRequestOf(to.binding), to.via...)
	for _, source := range home.teamSources(subject.Organization, team) {
		users := slices.DeleteFunc(home.actingMembers(source.team.Spec.Members), func(user string) bool {
			return e.gate(user) != "" || e.isShutOut(user)
		})
		e.give(to, userSubjects(users), to.scope, append(slices.Clone(via), source.via...))
	}
	e.changesAt(home.result.NextChange)
}

// joinRequestOf is the JoinRequest that made a RoleBinding, if one did.
func joinRequestOf(binding *v1alpha1.RoleBinding) []ObjectReference {
	owner := metav1.GetControllerOf(binding)
	if owner == nil || owner.Kind != KindJoinRequest {
		return nil
	}
	return []ObjectReference{{Kind: KindJoinRequest, Namespace: binding.Namespace, Name: owner.Name}}
}

// homeOf is the organization of an external team, looked at for its members, or nil where the organization is going or the
// very team isn't there.
func (e *evaluation) homeOf(subject v1alpha1.Subject) *evaluation {
	team := e.index.teams[subject.Organization][subject.Name]
	if team == nil || string(team.UID) != subject.UID || subject.UID == "" {
		return nil
	}
	if home, known := e.others[subject.Organization]; known {
		return home
	}
	var home *evaluation
	lineage := LineageOf(e.index.organizations, subject.Organization)
	if lineage != nil && !IsEnding(lineage.Organizations[0]) {
		home = newEvaluation(e.index, lineage, e.now, e.unhindered, Result{})
	}
	e.others[subject.Organization] = home
	return home
}

// isShutOut says whether this organization has suspended a member of an external team itself, or let that one's own
// Membership end.
func (e *evaluation) isShutOut(user string) bool {
	e.placeHere(user) // It remembers when that changes.
	return e.endsClimb(user)
}
