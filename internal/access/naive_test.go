package access_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// tuple is one answer to "who may do what where".
type tuple struct {
	kind, namespace, name string
	where                 string
	role                  access.RoleReference
}

// String writes a tuple as the tables do.
func (t tuple) String() string {
	subject := t.name
	if t.kind != rbacv1.UserKind {
		subject = strings.Trim(t.kind+" "+t.namespace+"/"+t.name, " ")
	}
	role := t.role.Name
	if t.role.Organization != "" {
		role = t.role.Organization + "/" + role
	}
	return fmt.Sprintf("%s: %s in %s", subject, role, t.where)
}

// naive answers the same questions as the engine by going through the definitions one by one: no index, no cache,
// nothing shared with the engine but its input. It is slow and meant to be read beside the design.
type naive struct {
	world access.World
	now   time.Time
}

// grants are all tuples of an organization.
func (n naive) grants(organization string) map[tuple]bool {
	granted := map[tuple]bool{}
	if n.ended(organization) || !n.organizationNamespaceCounts(organization) {
		return granted
	}
	for _, user := range n.everyUser() {
		for _, place := range n.grantsOfUser(user, organization) {
			granted[tuple{kind: rbacv1.UserKind, name: user, where: place.where, role: place.role}] = true
		}
	}
	if !n.requiresMFA(organization) {
		for _, group := range n.everyGroup() {
			for _, place := range n.grantsOfGroup(group, organization) {
				granted[tuple{kind: rbacv1.GroupKind, name: group, where: place.where, role: place.role}] = true
			}
		}
	}
	for answer := range n.grantsOfServiceAccounts(organization) {
		granted[answer] = true
	}
	for answer := range n.grantsOfTokens(organization) {
		granted[answer] = true
	}
	return granted
}

// roleAt is a role somewhere.
type roleAt struct {
	role  access.RoleReference
	where string
}

func (n naive) everyUser() []string {
	var users []string
	for _, organization := range n.world.Organizations {
		for _, owner := range organization.Spec.Owners {
			users = append(users, string(owner))
		}
	}
	for _, membership := range n.world.Memberships {
		if membership.Spec.User != "" {
			users = append(users, string(membership.Spec.User))
		}
	}
	// Who is listed in a team or a binding alone is no member anywhere and gets nothing.
	slices.Sort(users)
	return slices.Compact(users)
}

func (n naive) everyGroup() []string {
	var groups []string
	for _, team := range n.world.Teams {
		if team.Spec.IdentityGroup != "" {
			groups = append(groups, team.Spec.IdentityGroup)
		}
	}
	for _, binding := range n.world.RoleBindings {
		for _, subject := range binding.Spec.Subjects {
			if subject.Kind == v1alpha1.SubjectGroup {
				groups = append(groups, subject.Name)
			}
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// Users.

func (n naive) grantsOfUser(user, organization string) []roleAt {
	if n.heldBack(user, organization) {
		return nil
	}
	var answers []roleAt
	for _, role := range n.organizationWideRoles(user, organization) {
		for _, where := range n.everywhere(organization) {
			answers = append(answers, roleAt{role, where})
		}
	}
	answers = append(answers, n.grantsFromOutside(user, organization)...)
	if !n.isMember(user, organization) {
		return answers
	}
	for _, team := range n.teams(organization) {
		if n.isInTeam(user, team) {
			answers = append(answers, n.grantsOfTeam(team)...)
		}
		if slices.Contains(team.Spec.Maintainers, v1alpha1.Username(user)) {
			for _, role := range n.catalogueRole("team-maintainer") {
				answers = append(answers, roleAt{role, "org-" + organization})
			}
		}
	}
	for _, above := range n.lineage(organization) {
		if !n.isMember(user, above.Name) {
			continue
		}
		for _, binding := range n.bindings(above.Name) {
			if n.bindingNamesUser(binding, user) {
				answers = append(answers, n.grantsOfBinding(binding, organization)...)
			}
		}
	}
	return answers
}

// grantsFromOutside: by teams of other organizations that are let in here or, organization-wide, above.
func (n naive) grantsFromOutside(user, organization string) []roleAt {
	if n.climbEnds(user, organization) {
		return nil
	}
	var answers []roleAt
	for _, above := range n.lineage(organization) {
		for _, binding := range n.bindings(above.Name) {
			for _, subject := range binding.Spec.Subjects {
				if n.isInExternalTeam(user, subject) {
					answers = append(answers, n.grantsOfBinding(binding, organization)...)
				}
			}
		}
	}
	return answers
}

// isInExternalTeam: the very team is there, and the user is in it and may act in its organization.
func (n naive) isInExternalTeam(user string, subject v1alpha1.Subject) bool {
	home := n.organization(subject.Organization)
	if subject.Kind != v1alpha1.SubjectTeam || home == nil || naiveEnding(home) {
		return false
	}
	team := n.team(subject.Name, subject.Organization)
	return team != nil && string(team.UID) == subject.UID && subject.UID != "" && n.isInTeam(user, team) &&
		n.isMember(user, subject.Organization) && !n.heldBack(user, subject.Organization)
}

// climbEnds: the organization or one above has suspended the user or let the user's Membership end.
func (n naive) climbEnds(user, organization string) bool {
	if n.isOwner(user, organization) {
		return false
	}
	for _, above := range n.lineage(organization) {
		membership := n.membership(user, above.Name)
		if membership == nil {
			continue
		}
		if n.endsClimb(membership) {
			return true
		}
		if n.isActive(membership) && !slices.Contains(n.roleNames(membership, above), "none") {
			return false
		}
	}
	return false
}

// heldBack: a gate takes everything.
func (n naive) heldBack(user, organization string) bool {
	unknown, deactivated, notEnrolled := true, false, false
	for _, object := range n.world.Users {
		if string(object.Spec.Username) == user {
			unknown = false
			deactivated = deactivated || object.Spec.Deactivated
			notEnrolled = notEnrolled || !object.Spec.MFA.Enrolled
		}
	}
	return deactivated || n.requiresMFA(organization) && (unknown || notEnrolled)
}

// requiresMFA: the organization or one that is reached by following parents says so.
func (n naive) requiresMFA(organization string) bool {
	visited := map[string]bool{}
	for name := organization; !visited[name]; {
		visited[name] = true
		object := n.organization(name)
		if object.Spec.RequireMFA {
			return true
		}
		parent := n.parent(object)
		if parent == nil {
			return false
		}
		name = parent.Name
	}
	return false
}

// isOwner: of the organization or an ancestor.
func (n naive) isOwner(user, organization string) bool {
	for _, above := range n.lineage(organization) {
		if slices.Contains(above.Spec.Owners, v1alpha1.Username(user)) {
			return true
		}
	}
	return false
}

// isMember: an owner, or the climb meets an Active Membership before one that ends it.
func (n naive) isMember(user, organization string) bool {
	if n.isOwner(user, organization) {
		return true
	}
	for _, above := range n.lineage(organization) {
		membership := n.membership(user, above.Name)
		switch {
		case membership == nil:
		case n.endsClimb(membership):
			return false
		case n.isActive(membership):
			return true
		}
	}
	return false
}

// organizationWideRoles is "Role in an organization" of the design.
func (n naive) organizationWideRoles(user, organization string) []access.RoleReference {
	if n.isOwner(user, organization) {
		return n.catalogueRole(v1alpha1.RoleOwner)
	}
	for _, above := range n.lineage(organization) {
		membership := n.membership(user, above.Name)
		if membership == nil {
			continue
		}
		if n.endsClimb(membership) {
			return nil
		}
		if n.isActive(membership) && !slices.Equal(n.roleNames(membership, above), []v1alpha1.RoleName{"none"}) {
			var roles []access.RoleReference
			for _, name := range n.roleNames(membership, above) {
				roles = append(roles, n.role(name, above.Name)...)
			}
			return roles
		}
	}
	return nil
}

func (n naive) roleNames(membership *v1alpha1.Membership, organization *v1alpha1.Organization) []v1alpha1.RoleName {
	if len(membership.Spec.Roles) > 0 {
		return membership.Spec.Roles
	}
	if len(organization.Spec.Membership.DefaultRoles) > 0 {
		return organization.Spec.Membership.DefaultRoles
	}
	return []v1alpha1.RoleName{v1alpha1.RoleMember}
}

// membership is the one that counts of a user in an organization.
func (n naive) membership(user, organization string) *v1alpha1.Membership {
	var counts *v1alpha1.Membership
	for _, candidate := range n.world.Memberships {
		if string(candidate.Spec.User) != user || !n.lives(candidate, organization) {
			continue
		}
		if counts == nil || candidate.CreationTimestamp.Before(&counts.CreationTimestamp) ||
			candidate.CreationTimestamp.Equal(&counts.CreationTimestamp) && candidate.Name < counts.Name {
			counts = candidate
		}
	}
	return counts
}

func (n naive) isOpenOrDeclinedInvitation(membership *v1alpha1.Membership) bool {
	return membership.Spec.Invitation != nil && membership.Spec.Response != v1alpha1.InvitationAccepted
}

func (n naive) hasEnded(membership *v1alpha1.Membership) bool {
	return membership.Spec.ExpiresAt != nil && !n.now.Before(membership.Spec.ExpiresAt.Time)
}

func (n naive) endsClimb(membership *v1alpha1.Membership) bool {
	return membership.Spec.Suspended || !n.isOpenOrDeclinedInvitation(membership) && n.hasEnded(membership)
}

func (n naive) isActive(membership *v1alpha1.Membership) bool {
	return !membership.Spec.Suspended && !n.isOpenOrDeclinedInvitation(membership) && !n.hasEnded(membership)
}

// Groups and service accounts.

func (n naive) grantsOfGroup(group, organization string) []roleAt {
	var answers []roleAt
	for _, team := range n.teams(organization) {
		if n.standsForGroup(group, team) {
			answers = append(answers, n.grantsOfTeam(team)...)
		}
	}
	for _, binding := range n.bindings(organization) {
		for _, subject := range binding.Spec.Subjects {
			named := subject.Kind == v1alpha1.SubjectGroup && subject.Name == group
			byTeam := false
			isOwnTeam := subject.Kind == v1alpha1.SubjectTeam && subject.Organization == ""
			if team := n.team(subject.Name, organization); isOwnTeam && team != nil {
				byTeam = n.standsForGroup(group, team)
			}
			if named || byTeam {
				answers = append(answers, n.grantsOfBinding(binding, organization)...)
			}
		}
	}
	return answers
}

func (n naive) grantsOfServiceAccounts(organization string) map[tuple]bool {
	answers := map[tuple]bool{}
	for _, binding := range n.bindings(organization) {
		for _, subject := range binding.Spec.Subjects {
			if subject.Kind != v1alpha1.SubjectServiceAccount {
				continue
			}
			for _, project := range n.projects(organization) {
				home := n.projectNamespaces(project)
				if !slices.Contains(home, string(subject.Namespace)) {
					continue
				}
				for _, place := range n.grantsOfBinding(binding, organization) {
					if slices.Contains(home, place.where) && n.world.AtMostDeveloper.Has(place.role) {
						answers[tuple{
							rbacv1.ServiceAccountKind, string(subject.Namespace), subject.Name, place.where, place.role,
						}] = true
					}
				}
			}
		}
	}
	return answers
}

// Tokens.

// grantsOfTokens: a role where the token asks for it and its user holds it now, by that name or as part of another role.
func (n naive) grantsOfTokens(organization string) map[tuple]bool {
	answers := map[tuple]bool{}
	for _, token := range n.world.APITokens {
		if !n.lives(token, organization) || n.tokenHasEnded(token, organization) {
			continue
		}
		account := fmt.Sprintf("token-%s-%s", token.Name, token.UID[:min(13, len(token.UID))])
		for _, place := range n.grantsOfUser(string(token.Spec.User), organization) {
			for _, name := range token.Spec.Roles {
				asked := n.role(name, organization)
				if name == v1alpha1.RoleOwner {
					asked = n.catalogueRole(v1alpha1.RoleOwner)
				}
				for _, role := range asked {
					if n.tokenAsksFor(token, organization, place.where) && n.comesWith(place.role, role) {
						answers[tuple{rbacv1.ServiceAccountKind, token.Namespace, account, place.where, role}] = true
					}
				}
			}
		}
	}
	return answers
}

func (n naive) tokenHasEnded(token *v1alpha1.APIToken, organization string) bool {
	ends := []time.Time{token.CreationTimestamp.Add(90 * 24 * time.Hour)}
	if bound := n.organization(organization).Spec.Tokens.MaxTTL; bound != nil {
		ends = []time.Time{token.CreationTimestamp.Add(bound.Duration)}
	}
	if life := token.Spec.ExpiresAfter; life != nil {
		ends = append(ends, token.CreationTimestamp.Add(life.Duration))
	}
	return token.Spec.Revoked || slices.ContainsFunc(ends, func(end time.Time) bool { return !n.now.Before(end) })
}

func (n naive) tokenAsksFor(token *v1alpha1.APIToken, organization, where string) bool {
	if token.Spec.OrganizationWide {
		return slices.Contains(n.everywhere(organization), where)
	}
	return slices.ContainsFunc(n.projects(organization), func(project *v1alpha1.Project) bool {
		return slices.Contains(token.Spec.Projects, v1alpha1.ObjectName(project.Name)) &&
			slices.Contains(n.projectNamespaces(project), where)
	})
}

// comesWith: who holds a role holds what it includes, however far down, unless a Role on the way includes itself.
func (n naive) comesWith(held, asked access.RoleReference) bool {
	return n.below(held, true)[asked] || held == asked
}

// below are all Roles that following includes leads to, past Roles that include themselves or not.
func (n naive) below(role access.RoleReference, unlessCyclic bool) map[access.RoleReference]bool {
	found := map[access.RoleReference]bool{}
	from := map[access.RoleReference]bool{role: true}
	for range n.world.Roles {
		for at := range maps.Clone(from) {
			if unlessCyclic && n.below(at, false)[at] {
				continue
			}
			for _, part := range n.includes(at) {
				found[part], from[part] = true, true
			}
		}
	}
	return found
}

// includes are what the names in a Role mean where it lives.
func (n naive) includes(reference access.RoleReference) []access.RoleReference {
	home := "roster-system"
	if reference.Organization != "" {
		home = "org-" + reference.Organization
	}
	var parts []access.RoleReference
	for _, role := range n.world.Roles {
		if role.Namespace != home || role.Name != reference.Name {
			continue
		}
		for _, name := range role.Spec.Includes {
			switch {
			case name == v1alpha1.RoleOwner || name == v1alpha1.RoleNone:
				parts = append(parts, n.catalogueRole(string(name))...)
			case reference.Organization == "":
				parts = append(parts, n.catalogueRole(string(name))...)
			default:
				parts = append(parts, n.role(name, reference.Organization)...)
			}
		}
	}
	return parts
}

// Teams.

func (n naive) teams(organization string) []*v1alpha1.Team {
	var teams []*v1alpha1.Team
	for _, team := range n.world.Teams {
		if n.lives(team, organization) {
			teams = append(teams, team)
		}
	}
	return teams
}

func (n naive) team(name, organization string) *v1alpha1.Team {
	for _, team := range n.teams(organization) {
		if team.Name == name {
			return team
		}
	}
	return nil
}

// families are a team and all teams below it. A team on a cycle of parents is below none.
func (n naive) family(team *v1alpha1.Team) []*v1alpha1.Team {
	family := []*v1alpha1.Team{team}
	organization := strings.TrimPrefix(team.Namespace, "org-")
	for _, child := range n.teams(organization) {
		if string(child.Spec.Parent) == team.Name && !n.isOnTeamCycle(child) {
			family = append(family, n.family(child)...)
		}
	}
	return family
}

func (n naive) isOnTeamCycle(team *v1alpha1.Team) bool {
	organization := strings.TrimPrefix(team.Namespace, "org-")
	above := team
	for range len(n.world.Teams) {
		above = n.team(string(above.Spec.Parent), organization)
		if above == nil {
			return false
		}
		if above == team {
			return true
		}
	}
	return false
}

func (n naive) isInTeam(user string, team *v1alpha1.Team) bool {
	return slices.ContainsFunc(n.family(team), func(member *v1alpha1.Team) bool {
		return slices.Contains(member.Spec.Members, v1alpha1.Username(user))
	})
}

func (n naive) standsForGroup(group string, team *v1alpha1.Team) bool {
	return slices.ContainsFunc(n.family(team), func(member *v1alpha1.Team) bool {
		return member.Spec.IdentityGroup == group
	})
}

func (n naive) grantsOfTeam(team *v1alpha1.Team) []roleAt {
	organization := strings.TrimPrefix(team.Namespace, "org-")
	var answers []roleAt
	for _, role := range n.role(team.Spec.Role, organization) {
		for _, project := range n.projects(organization) {
			chosen := team.Spec.AllProjects || slices.Contains(team.Spec.Projects, v1alpha1.ObjectName(project.Name)) ||
				n.selects(team.Spec.ProjectSelector, project)
			if !chosen {
				continue
			}
			for _, where := range n.projectNamespaces(project) {
				answers = append(answers, roleAt{role, where})
			}
		}
	}
	return answers
}

// Bindings.

func (n naive) bindings(organization string) []*v1alpha1.RoleBinding {
	var bindings []*v1alpha1.RoleBinding
	for _, binding := range n.world.RoleBindings {
		if n.lives(binding, organization) {
			bindings = append(bindings, binding)
		}
	}
	return bindings
}

func (n naive) bindingNamesUser(binding *v1alpha1.RoleBinding, user string) bool {
	organization := strings.TrimPrefix(binding.Namespace, "org-")
	for _, subject := range binding.Spec.Subjects {
		if subject.Kind == v1alpha1.SubjectUser && subject.Name == user {
			return true
		}
		if subject.Kind != v1alpha1.SubjectTeam || subject.Organization != "" {
			continue
		}
		if team := n.team(subject.Name, organization); team != nil && n.isInTeam(user, team) {
			return true
		}
	}
	return false
}

// grantsOfBinding are what a binding gives its subjects in an organization: its own or one below.
func (n naive) grantsOfBinding(binding *v1alpha1.RoleBinding, organization string) []roleAt {
	if start := binding.Spec.NotBefore; start != nil && n.now.Before(start.Time) {
		return nil
	}
	if end := binding.Spec.ExpiresAt; end != nil && !n.now.Before(end.Time) {
		return nil
	}
	home := strings.TrimPrefix(binding.Namespace, "org-")
	var places []string
	if binding.Spec.OrganizationWide {
		places = n.everywhere(organization)
	} else if home == organization {
		for _, project := range n.projects(organization) {
			if slices.Contains(binding.Spec.Projects, v1alpha1.ObjectName(project.Name)) ||
				n.selects(binding.Spec.ProjectSelector, project) {
				places = append(places, n.projectNamespaces(project)...)
			}
		}
	}
	var answers []roleAt
	for _, role := range n.role(binding.Spec.Role, home) {
		for _, where := range places {
			answers = append(answers, roleAt{role, where})
		}
	}
	return answers
}

// Places.

// everywhere is where a role in an organization holds.
func (n naive) everywhere(organization string) []string {
	places := []string{"org-" + organization}
	for _, project := range n.projects(organization) {
		places = append(places, n.projectNamespaces(project)...)
	}
	return places
}

func (n naive) projects(organization string) []*v1alpha1.Project {
	var projects []*v1alpha1.Project
	for _, project := range n.world.Projects {
		if n.lives(project, organization) {
			projects = append(projects, project)
		}
	}
	return projects
}

func (n naive) selects(selector *metav1.LabelSelector, project *v1alpha1.Project) bool {
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return false
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(project.Labels))
}

// projectNamespaces are those of a project that count.
func (n naive) projectNamespaces(project *v1alpha1.Project) []string {
	organization := strings.TrimPrefix(project.Namespace, "org-")
	names := project.Spec.Namespaces
	if len(names) == 0 {
		names = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(organization + "-" + project.Name)}
	}
	var places []string
	for _, name := range names {
		forbidden := name == "default" || name == "roster-system" ||
			strings.HasPrefix(string(name), "kube-") || strings.HasPrefix(string(name), "org-")
		namespace := n.namespace(string(name))
		if forbidden || namespace == nil || namespace.DeletionTimestamp != nil {
			continue
		}
		if namespace.Labels["roster.dev/organization"] == organization &&
			namespace.Labels["roster.dev/project"] == project.Name {
			places = append(places, string(name))
		}
	}
	return places
}

func (n naive) namespace(name string) *corev1.Namespace {
	for _, namespace := range n.world.Namespaces {
		if namespace.Name == name {
			return namespace
		}
	}
	return nil
}

func (n naive) organizationNamespaceCounts(organization string) bool {
	// A Personal organization is the one object and has no namespace.
	if found := n.organization(organization); found != nil && found.Spec.Type == v1alpha1.OrganizationPersonal {
		return false
	}
	namespace := n.namespace("org-" + organization)
	if namespace == nil || namespace.DeletionTimestamp != nil {
		return false
	}
	_, belongsToProject := namespace.Labels["roster.dev/project"]
	return namespace.Labels["roster.dev/organization"] == organization && !belongsToProject
}

// lives: the object is in the organization's namespace, which counts, and isn't being deleted.
func (n naive) lives(object metav1.Object, organization string) bool {
	return object.GetNamespace() == "org-"+organization && object.GetDeletionTimestamp() == nil &&
		n.organizationNamespaceCounts(organization)
}

// Roles.

// role is what a name means that is written in an organization: one Role or none.
func (n naive) role(name v1alpha1.RoleName, organization string) []access.RoleReference {
	if name == v1alpha1.RoleNone || name == v1alpha1.RoleOwner {
		return nil
	}
	for _, role := range n.world.Roles {
		if role.Namespace == "roster-system" && role.Name == string(name) {
			return n.catalogueRole(string(name))
		}
	}
	lineage := n.lineage(organization)
	for _, above := range slices.Backward(lineage) {
		for _, role := range n.world.Roles {
			if role.Namespace != "org-"+above.Name || role.Name != string(name) ||
				!n.organizationNamespaceCounts(above.Name) {
				continue
			}
			if role.DeletionTimestamp != nil {
				return nil
			}
			return []access.RoleReference{{Organization: above.Name, Name: string(name)}}
		}
	}
	return nil
}

func (n naive) catalogueRole(name string) []access.RoleReference {
	for _, role := range n.world.Roles {
		if role.Namespace == "roster-system" && role.Name == name && role.DeletionTimestamp == nil {
			return []access.RoleReference{{Name: name}}
		}
	}
	return nil
}

// Organizations.

func (n naive) organization(name string) *v1alpha1.Organization {
	for _, organization := range n.world.Organizations {
		if organization.Name == name {
			return organization
		}
	}
	return nil
}

// parent is the organization above, unless it is missing or Personal.
func (n naive) parent(organization *v1alpha1.Organization) *v1alpha1.Organization {
	parent := n.organization(organization.Spec.Parent)
	if parent == nil || parent.Spec.Type == v1alpha1.OrganizationPersonal {
		return nil
	}
	return parent
}

func (n naive) isOnCycle(organization *v1alpha1.Organization) bool {
	above := organization
	for range len(n.world.Organizations) {
		above = n.parent(above)
		if above == nil {
			return false
		}
		if above == organization {
			return true
		}
	}
	return false
}

// lineage is the organization and those that it inherits from, nearest first.
func (n naive) lineage(name string) []*v1alpha1.Organization {
	organization := n.organization(name)
	lineage := []*v1alpha1.Organization{organization}
	for above := organization; !n.isOnCycle(above); {
		above = n.parent(above)
		if above == nil {
			break
		}
		lineage = append(lineage, above)
	}
	if len(lineage) > 8 {
		return lineage[:1]
	}
	return lineage
}

// naiveEnding: it is being deleted, and somebody has confirmed that.
func naiveEnding(organization *v1alpha1.Organization) bool {
	return organization.DeletionTimestamp != nil && (organization.Spec.Type == "Personal" ||
		organization.Annotations["roster.dev/confirm-deletion"] == organization.Name)
}

// ended: the organization isn't there, or is being deleted and nothing is left below it.
func (n naive) ended(name string) bool {
	organization := n.organization(name)
	if organization == nil {
		return true
	}
	if !naiveEnding(organization) {
		return false
	}
	for _, child := range n.world.Organizations {
		if child.Spec.Parent == name {
			return false
		}
	}
	for _, project := range n.world.Projects {
		if project.Namespace == "org-"+name {
			return false
		}
	}
	return true
}
