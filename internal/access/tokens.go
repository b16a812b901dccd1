package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/text"
)

// KindAPIToken is named by explanations of what a token holds.
const KindAPIToken = "APIToken"

// ReasonRolesExceedUser says that a token asks for more than its user holds.
const ReasonRolesExceedUser = "RolesExceedUser"

// TokenHold says why a token's user holds nothing.
type TokenHold string

const (
	// TokenUserDeactivated: the User is deactivated.
	TokenUserDeactivated TokenHold = "UserDeactivated"
	// TokenUserLacksMFA: a second factor is required and the user has none.
	TokenUserLacksMFA TokenHold = "UserLacksMFA"
	// TokenUserSuspended: the user's Membership is suspended or has ended.
	TokenUserSuspended TokenHold = "UserSuspended"
	// TokenUserNotMember: the user has no place in the organization, and holds nothing in it.
	TokenUserNotMember TokenHold = "UserNotMember"
)

// APITokenOutcome is what is to be said of an APIToken.
type APITokenOutcome struct {
	// Revoked, Expired: it has ended and gives nothing.
	Revoked, Expired bool
	// End is when it ends by itself.
	End time.Time
	// HeldBack says why it gives nothing although it hasn't ended, or is empty.
	HeldBack TokenHold
	// Roles that it holds somewhere, and Exceeding those that it asks for beyond what its user holds.
	Roles, Exceeding []v1alpha1.RoleName
	// Readers may read the token's Secret: its user and who made it, as far as nothing holds them back.
	Readers  []rbacv1.Subject
	Problems []Problem
}

func (x *index) addAPITokens() {
	for _, token := range x.world.APITokens {
		if organization, ok := x.organizationOf(token); ok && token.DeletionTimestamp == nil {
			x.apiTokens[organization] = append(x.apiTokens[organization], token)
		}
	}
	for _, tokens := range x.apiTokens {
		slices.SortFunc(tokens, byName[*v1alpha1.APIToken])
	}
}

// heldGrant is a role that a user holds in a scope.
type heldGrant struct {
	role  RoleReference
	scope *Scope
}

// addAPITokens grants to tokens what they ask for of what their users hold. It comes last: all that users hold is known.
func (e *evaluation) addAPITokens() {
	tokens := e.index.apiTokens[e.lineage[0].Name]
	if len(tokens) == 0 || e.unhindered {
		return
	}
	held := e.heldByUsersOf(tokens)
	for _, token := range tokens {
		e.result.APITokens[token.Name] = e.addAPIToken(token, held[string(token.Spec.User)])
	}
}

// heldByUsersOf gathers once what all users of some tokens hold. What a group of the identity provider holds isn't counted:
// nobody here knows who is in it.
func (e *evaluation) heldByUsersOf(tokens []*v1alpha1.APIToken) map[string][]heldGrant {
	users := sets.New[string]()
	for _, token := range tokens {
		users.Insert(string(token.Spec.User))
	}
	held := map[string][]heldGrant{}
	for _, grant := range e.result.Grants {
		for _, subject := range grant.Subjects {
			if subject.Kind == rbacv1.UserKind && users.Has(subject.Name) {
				held[subject.Name] = append(held[subject.Name], heldGrant{grant.Role, grant.Scope})
			}
		}
	}
	return held
}

func (e *evaluation) addAPIToken(token *v1alpha1.APIToken, held []heldGrant) APITokenOutcome {
	policy := e.lineage[0].Spec.Tokens
	outcome := APITokenOutcome{Revoked: token.Spec.Revoked, End: token.End(policy)}
	outcome.Expired = !outcome.Revoked && token.Ended(policy, e.now)
	if outcome.Revoked || outcome.Expired {
		return outcome
	}
	e.changesAt(outcome.End)
	projects, problems := e.chosenProjects(projectChoice{names: token.Spec.Projects, all: token.Spec.OrganizationWide})
	outcome.Problems = problems
	if outcome.HeldBack = e.tokenHold(string(token.Spec.User), held); outcome.HeldBack != "" {
		return outcome
	}
	outcome.Readers = e.readersOf(token)
	breadth := inProjects
	if token.Spec.OrganizationWide {
		breadth = inOrganization
	}
	asked := e.scopeOf(projects, breadth)
	for _, name := range token.Spec.Roles {
		e.addTokenRole(token, name, asked, held, &outcome)
	}
	if len(outcome.Exceeding) > 0 {
		outcome.Problems = append(outcome.Problems, rolesExceedUser(token, outcome.Exceeding))
	}
	return outcome
}

// addTokenRole grants a role of a token where its user holds it.
func (e *evaluation) addTokenRole(
	token *v1alpha1.APIToken, name v1alpha1.RoleName, asked *Scope, held []heldGrant, outcome *APITokenOutcome,
) {
	// Whether the user is an owner is told by what the user holds.
	role, found := e.find(name, 0)
	if !found {
		outcome.Problems = append(outcome.Problems, roleNotFound(name))
		return
	}
	scope, isWhole := e.within(asked, role, held)
	isSomewhere := scope.Organization || len(scope.Namespaces) > 0
	if !isWhole && (!token.Spec.OrganizationWide || !isSomewhere) {
		outcome.Exceeding = append(outcome.Exceeding, name)
	}
	if !isSomewhere {
		return
	}
	outcome.Roles = append(outcome.Roles, name)
	e.grant(Grant{
		Role: role, Scope: scope, Until: outcome.End, Via: []ObjectReference{referenceTo(KindAPIToken, token)},
		Subjects: []rbacv1.Subject{{
			Kind: rbacv1.ServiceAccountKind, Namespace: token.Namespace, Name: token.ServiceAccountName(),
		}},
	})
}

// within is the part of a scope in which a role is held, and whether that is all of it.
func (e *evaluation) within(asked *Scope, role RoleReference, held []heldGrant) (scope *Scope, isWhole bool) {
	namespaces := sets.New[string]()
	inOrganization := false
	for _, grant := range held {
		if grant.role != role && !e.includedIn(grant.role).Has(role) {
			continue
		}
		if grant.scope == asked {
			// Mostly so, for who holds a role in the whole organization.
			return asked, true
		}
		inOrganization = inOrganization || grant.scope.Organization
		namespaces.Insert(grant.scope.Namespaces...)
	}
	part := &Scope{Organization: asked.Organization && inOrganization}
	for _, namespace := range asked.Namespaces {
		if namespaces.Has(namespace) {
			part.Namespaces = append(part.Namespaces, namespace)
		}
	}
	isWhole = part.Organization == asked.Organization && len(part.Namespaces) == len(asked.Namespaces)
	if isWhole {
		return asked, true
	}
	return e.shared(part), false
}

// shared is one Scope for all that are alike, so that many tokens in many namespaces stay small.
func (e *evaluation) shared(scope *Scope) *Scope {
	key := fmt.Sprintf("part/%t/%s", scope.Organization, strings.Join(scope.Namespaces, ","))
	if e.scopes[key] == nil {
		e.scopes[key] = scope
	}
	return e.scopes[key]
}

// includedIn are the roles that holding a role comes with, worked out as its rules are: a Role on a cycle of includes
// includes nothing.
func (e *evaluation) includedIn(role RoleReference) sets.Set[RoleReference] {
	if included, known := e.included[role]; known {
		return included
	}
	included := sets.New(role)
	for next := []RoleReference{role}; len(next) > 0; next = next[1:] {
		if e.includesItself(next[0]) {
			continue
		}
		for _, part := range e.directlyIncluded(next[0]) {
			if !included.Has(part) {
				included.Insert(part)
				next = append(next, part)
			}
		}
	}
	e.included[role] = included
	return included
}

func (e *evaluation) includesItself(role RoleReference) bool {
	seen := sets.New[RoleReference]()
	for next := e.directlyIncluded(role); len(next) > 0; next = next[1:] {
		if next[0] == role {
			return true
		}
		if !seen.Has(next[0]) {
			seen.Insert(next[0])
			next = append(next, e.directlyIncluded(next[0])...)
		}
	}
	return false
}

// directlyIncluded are the Roles that a Role's includes name, where the Role lives.
func (e *evaluation) directlyIncluded(reference RoleReference) []RoleReference {
	role := e.index.roles[reference.Organization][reference.Name]
	if role == nil {
		return nil
	}
	var lineage []*v1alpha1.Organization
	if found := LineageOf(e.index.organizations, reference.Organization); found != nil {
		lineage = found.Organizations
	}
	var included []RoleReference
	for _, name := range role.Spec.Includes {
		if part := e.index.holder(name, lineage); part != nil && part.DeletionTimestamp == nil {
			included = append(included, ReferenceTo(part))
		}
	}
	return included
}

// tokenHold says why a token's user holds nothing here, where there is a reason besides the roles.
func (e *evaluation) tokenHold(user string, held []heldGrant) TokenHold {
	switch gate := e.gate(user); {
	case gate == v1alpha1.SuspendedDeactivated:
		return TokenUserDeactivated
	case gate == v1alpha1.SuspendedMFARequired:
		return TokenUserLacksMFA
	case len(held) > 0 || e.placeHere(user).member:
		return ""
	case e.endsClimb(user):
		return TokenUserSuspended
	}
	return TokenUserNotMember
}

// readersOf are those who may read the Secret of a token that isn't held back. Who has made it for somebody else need be no
// member.
func (e *evaluation) readersOf(token *v1alpha1.APIToken) []rbacv1.Subject {
	user := string(token.Spec.User)
	readers := []rbacv1.Subject{userSubject(user)}
	if creator := token.Annotations[v1alpha1.AnnotationCreatedBy]; creator != "" && creator != user && e.gate(creator) == "" {
		readers = append(readers, SubjectOf(creator))
	}
	return readers
}

// SubjectOf names whoever has a username as RBAC does: a ServiceAccount, or else a user.
func SubjectOf(username string) rbacv1.Subject {
	if namespace, name, err := serviceaccount.SplitUsername(username); err == nil {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return userSubject(username)
}

func rolesExceedUser(token *v1alpha1.APIToken, exceeding []v1alpha1.RoleName) Problem {
	where := "anywhere in this organization"
	if !token.Spec.OrganizationWide {
		where = "in all of spec.projects"
	}
	return Problem{
		Reason: ReasonRolesExceedUser, Terminal: true,
		Message: fmt.Sprintf("spec.roles asks for more than user %q holds: %s isn't held %s, and is granted only where it is; "+
			"take it out, or have the user given the role", token.Spec.User, Enumerate(text.Strings(exceeding)), where),
	}
}
