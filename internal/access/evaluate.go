package access

import (
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Result is who may do what in one organization at one instant, and what is to be said of the objects that say so.
type Result struct {
	// Organization is the name that was asked for.
	Organization string
	// Lineage is the organization's place in the forest; nil where there is no such organization.
	Lineage *Lineage
	// Ended: the organization isn't there, or is going and nothing needs it any more. Nothing is granted.
	Ended bool
	// Namespace is the organization's own, or empty while it isn't there for use.
	Namespace string

	// Members are all users who have a place in the organization, sorted by name, also those held back.
	Members []Member
	// Grants are all effective grants. A user may have the same role at the same place by several.
	Grants []Grant
	// Owners counts the organization's own owners.
	Owners v1alpha1.OwnerCounts

	// Problems of the organization itself.
	Problems []Problem
	// What is to be said of the objects in the organization's namespace, by name.
	Memberships  map[string]MembershipOutcome
	Teams        map[string]TeamOutcome
	RoleBindings map[string]RoleBindingOutcome
	APITokens    map[string]APITokenOutcome

	// NextChange is when the result changes although no object does; zero when it doesn't.
	NextChange time.Time
}

// Member is a user's place in the organization.
type Member struct {
	User string
	// Roles held organization-wide, before the gate.
	Roles []v1alpha1.RoleName
	// Source of the roles.
	Source v1alpha1.GrantSource
	// Gate takes everything while it isn't empty.
	Gate v1alpha1.SuspensionReason
	// Until is when the Membership that gives the roles ends by itself; zero for never.
	Until time.Time
	// Via is what gives the place.
	Via []ObjectReference
}

// Grant is one role for some subjects somewhere, and the chain of objects that it comes from.
type Grant struct {
	Role RoleReference
	// Subjects of RBAC, sorted.
	Subjects []rbacv1.Subject
	// Scope is where the role holds. Grants with the same scope share it.
	Scope *Scope
	// Until is when the Membership or RoleBinding that gives it ends by itself; zero for never.
	Until time.Time
	// Via is the chain of objects that gives it, from the one that names the role to the one that names the subjects.
	Via []ObjectReference
}

// Scope is where a grant holds.
type Scope struct {
	// Organization: in the organization's own namespace too.
	Organization bool
	// AllProjects: in every project, also in those to come.
	AllProjects bool
	// Projects are the names of those that are meant otherwise, sorted.
	Projects []string
	// Namespaces of projects, sorted.
	Namespaces []string
}

// Problem keeps an object from being in force.
type Problem struct {
	// Reason is one word for machines.
	Reason string
	// Message is for people and says what to do.
	Message string
	// Terminal: nothing changes until somebody changes the object.
	Terminal bool
}

// The reasons of Problems.
const (
	ReasonRoleNotFound      = "RoleNotFound"
	ReasonProjectNotFound   = "ProjectNotFound"
	ReasonNamespaceNotReady = "NamespaceNotReady"
	ReasonTeamNotFound      = "TeamNotFound"
	ReasonParentNotFound    = "ParentNotFound"
	ReasonParentCycle       = "ParentCycle"
	ReasonDuplicate         = "Duplicate"
	ReasonSubjectNotAllowed = "SubjectNotAllowed"
	ReasonGroupNotAllowed   = "GroupNotAllowed"
	ReasonInvalidSelector   = "InvalidSelector"
)

// MembershipOutcome is what is to be said of a Membership.
type MembershipOutcome struct {
	Phase            v1alpha1.MembershipPhase
	SuspendedBecause v1alpha1.SuspensionReason
	Roles            []v1alpha1.RoleName
	Source           v1alpha1.GrantSource
	Problems         []Problem
}

// TeamOutcome is what is to be said of a Team.
type TeamOutcome struct {
	// Members and Projects that the team's grant reaches.
	Members, Projects int
	// Missing are listed users who aren't members of the organization.
	Missing []string
	// Ungated: an identity provider's group holds the grant.
	Ungated  bool
	Problems []Problem
}

// RoleBindingOutcome is what is to be said of a RoleBinding.
type RoleBindingOutcome struct {
	// Projects that the grant reaches.
	Projects int
	// Waiting, Expired: outside of the time window, so nothing is granted.
	Waiting, Expired bool
	Missing          []string
	Ungated          bool
	Problems         []Problem
}

// evaluation is the work on one Result.
type evaluation struct {
	index      *index
	now        time.Time
	unhindered bool // see evaluateUnhindered
	lineage    []*v1alpha1.Organization
	owners     []sets.Set[string]
	requireMFA bool
	places     map[string]place
	scopes     map[string]*Scope
	children   map[string]map[string][]*v1alpha1.Team // by organization and parent
	others     map[string]*evaluation                 // of organizations whose teams are let in
	included   map[RoleReference]sets.Set[RoleReference]
	result     Result
}

// Evaluate says who may do what in an organization at an instant, and why.
func Evaluate(world World, organization string, now time.Time) Result {
	return evaluate(world, organization, now, false)
}

// evaluateUnhindered is Evaluate as if nothing kept anything from being in force that may go without asking again: nobody is
// held back, whether deactivated or without a second factor, and the namespaces of projects are there. It grants nothing to
// APITokens, which never hold more than their users.
func evaluateUnhindered(world World, organization string, now time.Time) Result {
	return evaluate(world, organization, now, true)
}

func evaluate(world World, organization string, now time.Time, unhindered bool) Result {
	index := newIndex(world)
	lineage := LineageOf(index.organizations, organization)
	result := Result{
		Organization: organization,
		Lineage:      lineage,
		Memberships:  map[string]MembershipOutcome{},
		Teams:        map[string]TeamOutcome{},
		RoleBindings: map[string]RoleBindingOutcome{},
		APITokens:    map[string]APITokenOutcome{},
	}
	if lineage == nil {
		result.Ended = true
		return result
	}
	self := lineage.Organizations[0]
	if IsEnding(self) && !HasDependents(world, organization) {
		result.Ended = true
		return result
	}
	result.Namespace = index.organizationNamespace(organization)
	evaluation := newEvaluation(index, lineage, now, unhindered, result)
	evaluation.addMembers()
	evaluation.addMembershipOutcomes()
	evaluation.addTeams()
	for level := range evaluation.lineage {
		evaluation.addRoleBindings(level)
	}
	evaluation.addAPITokens()
	return evaluation.result
}

func newEvaluation(
	index *index, lineage *Lineage, now time.Time, unhindered bool, result Result,
) *evaluation {
	e := &evaluation{
		index:      index,
		now:        now,
		unhindered: unhindered,
		lineage:    lineage.Organizations,
		places:     map[string]place{},
		scopes:     map[string]*Scope{},
		children:   map[string]map[string][]*v1alpha1.Team{},
		others:     map[string]*evaluation{},
		included:   map[RoleReference]sets.Set[RoleReference]{},
		result:     result,
	}
	e.addGates(lineage)
	return e
}

// MemberOf says which place one user has in an organization. It needs no more of the world than the organization with its
// ancestors and their namespaces, and the user's own Memberships and Users.
func MemberOf(world World, organization, user string, now time.Time) (member Member, found bool) {
	index := newIndex(world)
	lineage := LineageOf(index.organizations, organization)
	if lineage == nil {
		return Member{}, false
	}
	e := newEvaluation(index, lineage, now, false, Result{})
	return e.member(user)
}

func (e *evaluation) member(user string) (member Member, found bool) {
	place := e.placeHere(user)
	return Member{
		User: user, Roles: place.roles, Source: place.source, Gate: e.gate(user), Until: place.until, Via: place.via,
	}, place.member
}

// changesAt remembers the earliest instant after now at which the result changes by itself.
func (e *evaluation) changesAt(instant time.Time) {
	if !instant.After(e.now) {
		return
	}
	if e.result.NextChange.IsZero() || instant.Before(e.result.NextChange) {
		e.result.NextChange = instant
	}
}

func (e *evaluation) addGates(lineage *Lineage) {
	requiresMFA := func(organization *v1alpha1.Organization) bool { return organization.Spec.RequireMFA }
	e.requireMFA = !e.unhindered && slices.ContainsFunc(lineage.Gates, requiresMFA)
	for _, organization := range e.lineage {
		owners := sets.New[string]()
		for _, owner := range organization.Spec.Owners {
			owners.Insert(string(owner))
		}
		e.owners = append(e.owners, owners)
	}
	e.result.Owners.Declared = int32(e.owners[0].Len())
	for owner := range e.owners[0] {
		if e.gate(owner) == "" {
			e.result.Owners.Available++
		}
	}
}

// addMembers finds everybody who has a place in the organization, and grants their roles everywhere in it.
func (e *evaluation) addMembers() {
	candidates := sets.New[string]()
	for level, organization := range e.lineage {
		candidates = candidates.Union(e.owners[level])
		for user := range e.index.memberships[organization.Name] {
			candidates.Insert(user)
		}
	}
	everywhere := e.scopeOf(e.index.projects[e.lineage[0].Name], inOrganization)
	for _, user := range sets.List(candidates) {
		member, found := e.member(user)
		if !found {
			continue
		}
		e.result.Members = append(e.result.Members, member)
		if member.Gate != "" {
			continue
		}
		level, find := e.placeHere(user).level, e.resolve
		if member.Source == v1alpha1.SourceOwner {
			find = e.find
		}
		for _, name := range member.Roles {
			if role, found := find(name, level); found {
				e.grant(Grant{
					Role: role, Subjects: []rbacv1.Subject{userSubject(user)}, Scope: everywhere,
					Until: member.Until, Via: member.Via,
				})
			}
		}
	}
	if _, found := e.find(v1alpha1.RoleOwner, 0); !found {
		e.result.Problems = append(e.result.Problems, roleNotFound(v1alpha1.RoleOwner))
	}
}

// addMembershipOutcomes says of each Membership of the organization itself where it stands.
func (e *evaluation) addMembershipOutcomes() {
	self := e.lineage[0]
	for _, membership := range e.index.world.Memberships {
		organization, ok := e.index.organizationOf(membership)
		if !ok || organization != self.Name || membership.DeletionTimestamp != nil {
			continue
		}
		e.result.Memberships[membership.Name] = e.membershipOutcome(membership, self)
	}
}

func (e *evaluation) membershipOutcome(
	membership *v1alpha1.Membership, self *v1alpha1.Organization,
) MembershipOutcome {
	phase := PhaseOf(membership, self, e.now)
	e.changesAt(phase.Until)
	outcome := MembershipOutcome{Phase: phase.MembershipPhase}
	if other := e.index.memberships[self.Name][string(membership.Spec.User)]; other != nil && other != membership {
		outcome.Problems = append(outcome.Problems, Problem{
			Reason: ReasonDuplicate, Terminal: true,
			Message: fmt.Sprintf("user %q has the older Membership %q in this organization, which counts; delete one of the two",
				membership.Spec.User, other.Name),
		})
		return outcome
	}
	user := string(membership.Spec.User)
	place, gate := e.placeHere(user), e.gate(user)
	isOwner := place.source == v1alpha1.SourceOwner
	switch {
	case phase.MembershipPhase == v1alpha1.MembershipSuspended && !isOwner:
		outcome.SuspendedBecause = v1alpha1.SuspendedRequested
	case gate != "" && (phase.MembershipPhase == v1alpha1.MembershipActive || isOwner):
		outcome.Phase, outcome.SuspendedBecause = v1alpha1.MembershipSuspended, gate
	case isOwner:
		// No Membership lowers, suspends or ends an ownership.
		outcome.Phase = v1alpha1.MembershipActive
	}
	if gate == "" && user != "" {
		outcome.Roles, outcome.Source = place.roles, place.source
	}
	for _, name := range RolesOf(membership, self) {
		if _, found := e.resolve(name, 0); !found && name != v1alpha1.RoleNone {
			outcome.Problems = append(outcome.Problems, roleNotFound(name))
		}
	}
	return outcome
}

// resolve finds the Role that a name means where it is written: at a level of the lineage. The schema lets nobody write
// owner; should it be there all the same, it means nothing, since only spec.owners makes an owner.
func (e *evaluation) resolve(name v1alpha1.RoleName, level int) (RoleReference, bool) {
	if name == v1alpha1.RoleOwner {
		return RoleReference{}, false
	}
	return e.find(name, level)
}

// find finds a Role at a level of the lineage, owner too.
func (e *evaluation) find(name v1alpha1.RoleName, level int) (RoleReference, bool) {
	role := e.index.holder(name, e.lineage[level:])
	if role == nil || role.DeletionTimestamp != nil {
		return RoleReference{}, false
	}
	return ReferenceTo(role), true
}

func roleNotFound(name v1alpha1.RoleName) Problem {
	return Problem{
		Reason: ReasonRoleNotFound,
		Message: fmt.Sprintf("role %q is neither in the catalogue nor in this organization or one above; "+
			"make the Role or name another", name),
	}
}

// grant adds a grant unless it would give nothing.
func (e *evaluation) grant(grant Grant) {
	if grant.Role.Name == v1alpha1.RoleNone || len(grant.Subjects) == 0 || e.isNowhere(grant.Scope) {
		return
	}
	e.result.Grants = append(e.result.Grants, grant)
}

func userSubject(user string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}
}

func groupSubject(group string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}
}
