package history

import (
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const kindOrganization = "Organization"

// Kinds are the kinds of which changes are recorded. A field of a kind is one line; a new kind is a table and its
// entry here.
var Kinds = []Kind{organizations, memberships, teams, projects, roles, roleBindings, joinRequests, apiTokens, users}

var organizations = kind[*v1alpha1.Organization]{
	name: kindOrganization, made: "OrganizationCreated", removed: "OrganizationRemoved",
	fields: []field[*v1alpha1.Organization]{
		plain("spec.displayName", "OrganizationRenamed", func(o *v1alpha1.Organization) string { return o.Spec.DisplayName }),
		plain("spec.description", "OrganizationDescribed", func(o *v1alpha1.Organization) string { return o.Spec.Description }),
		plain("spec.parent", "OrganizationMoved", func(o *v1alpha1.Organization) string { return o.Spec.Parent }),
		plain("spec.type", "OrganizationTypeChanged", func(o *v1alpha1.Organization) string { return string(o.Spec.Type) }),
		list("spec.owners", "Owners", func(o *v1alpha1.Organization) []v1alpha1.Username { return o.Spec.Owners }),
		flag("spec.requireMFA", "MFARequired", "MFANotRequired",
			func(o *v1alpha1.Organization) bool { return o.Spec.RequireMFA }),
		plain("spec.membership", "MembershipPolicyChanged",
			func(o *v1alpha1.Organization) v1alpha1.MembershipPolicy { return o.Spec.Membership }),
		plain("spec.tokens", "TokenPolicyChanged",
			func(o *v1alpha1.Organization) string { return durationOf(o.Spec.Tokens.MaxTTL) }),
		plain("spec.joinRequests", "JoinRequestPolicyChanged",
			func(o *v1alpha1.Organization) string { return string(o.Spec.JoinRequests) }),
		plain("spec.safeguards", "SafeguardsChanged",
			func(o *v1alpha1.Organization) v1alpha1.Safeguards { return o.Spec.Safeguards }),
		plain("spec.reports", "ReportPolicyChanged",
			func(o *v1alpha1.Organization) v1alpha1.ReportPolicy { return o.Spec.Reports }),
		mark("metadata.annotations["+v1alpha1.AnnotationApproveRemovals+"]", "RemovalsApproved", "RemovalsApprovalWithdrawn",
			func(o *v1alpha1.Organization) string { return o.Annotations[v1alpha1.AnnotationApproveRemovals] }).inMetadata(),
		mark("status.heldRemovals", "RemovalsHeld", "RemovalsNoLongerHeld", heldRemovals).
			byRoster("the safeguard against removing too much at once decides").asWarning(),
	},
}

func heldRemovals(organization *v1alpha1.Organization) string {
	held := organization.Status.HeldRemovals
	if held == nil {
		return ""
	}
	const named = 10
	users, more := held.Users, ""
	if len(users) > named {
		users, more = users[:named], fmt.Sprintf(" and %d more", int(held.Count)-named)
	}
	return fmt.Sprintf("%d users, digest %s: %s%s", held.Count, held.Digest, shown(textOf(users)), more)
}

var memberships = kind[*v1alpha1.Membership]{
	name: "Membership", made: "MemberAdded", removed: "MemberRemoved",
	fields: []field[*v1alpha1.Membership]{
		plain("spec.user", "MemberIdentified", func(m *v1alpha1.Membership) string { return string(m.Spec.User) }),
		plain("spec.email", "MemberAddressChanged", func(m *v1alpha1.Membership) string { return m.Spec.Email }),
		plain("spec.displayName", "MemberRenamed", func(m *v1alpha1.Membership) string { return m.Spec.DisplayName }),
		plain("spec.roles", "MemberRolesChanged", func(m *v1alpha1.Membership) []v1alpha1.RoleName { return m.Spec.Roles }),
		plain("spec.invitation", "InvitationChanged", invitation),
		plain("spec.response", "InvitationAnswered", func(m *v1alpha1.Membership) string { return string(m.Spec.Response) }),
		plain("spec.confirmed", "MemberAddressConfirmed",
			func(m *v1alpha1.Membership) string { return confirmedAddress(m.Spec.Confirmed) }),
		flag("spec.suspended", "MemberSuspended", "MemberResumed",
			func(m *v1alpha1.Membership) bool { return m.Spec.Suspended }),
		plain("spec.expiresAt", "MemberExpiryChanged", func(m *v1alpha1.Membership) any { return m.Spec.ExpiresAt }),
		mark("metadata.annotations["+v1alpha1.AnnotationResendInvitation+"]", "InvitationResent", "InvitationResendForgotten",
			func(m *v1alpha1.Membership) string { return m.Annotations[v1alpha1.AnnotationResendInvitation] }).inMetadata(),
		mark("status.phase", "MemberExpired", "MemberNoLongerExpired", expiredMembership).
			byRoster("its end has come or was put off"),
		mark("status.suspendedBecause", "MemberHeldBack", "MemberNoLongerHeldBack", gate).
			byRoster("a gate takes access for as long as it holds"),
	},
}

func invitation(membership *v1alpha1.Membership) string {
	invitation := membership.Spec.Invitation
	switch {
	case invitation == nil:
		return ""
	case invitation.ExpiresAfter == nil:
		return "invited"
	}
	return "invited for " + invitation.ExpiresAfter.Duration.String()
}

// confirmedAddress is the address alone: confirming the same one again changes nothing.
func confirmedAddress(confirmed *v1alpha1.ConfirmedAddress) string {
	if confirmed == nil {
		return ""
	}
	return confirmed.Email
}

func expiredMembership(membership *v1alpha1.Membership) string {
	if membership.Status.Phase == v1alpha1.MembershipExpired {
		return string(v1alpha1.MembershipExpired)
	}
	return ""
}

// gate is what holds a member back besides spec.suspended, which is recorded as what it is.
func gate(membership *v1alpha1.Membership) string {
	if membership.Status.SuspendedBecause == v1alpha1.SuspendedRequested {
		return ""
	}
	return string(membership.Status.SuspendedBecause)
}

var teams = kind[*v1alpha1.Team]{
	name: "Team", made: "TeamCreated", removed: "TeamRemoved",
	fields: []field[*v1alpha1.Team]{
		plain("spec.displayName", "TeamRenamed", func(t *v1alpha1.Team) string { return t.Spec.DisplayName }),
		plain("spec.description", "TeamDescribed", func(t *v1alpha1.Team) string { return t.Spec.Description }),
		plain("spec.parent", "TeamMoved", func(t *v1alpha1.Team) string { return string(t.Spec.Parent) }),
		list("spec.members", "TeamMembers", func(t *v1alpha1.Team) []v1alpha1.Username { return t.Spec.Members }),
		list("spec.maintainers", "TeamMaintainers", func(t *v1alpha1.Team) []v1alpha1.Username { return t.Spec.Maintainers }),
		plain("spec.identityGroup", "TeamGroupChanged", func(t *v1alpha1.Team) string { return t.Spec.IdentityGroup }),
		plain("spec.role", "TeamRoleChanged", func(t *v1alpha1.Team) string { return string(t.Spec.Role) }),
		list("spec.projects", "TeamProjects", func(t *v1alpha1.Team) []v1alpha1.ObjectName { return t.Spec.Projects }),
		plain("spec.projectSelector", "TeamProjectsChanged", func(t *v1alpha1.Team) any { return t.Spec.ProjectSelector }),
		flag("spec.allProjects", "TeamProjectsAll", "TeamProjectsNamed",
			func(t *v1alpha1.Team) bool { return t.Spec.AllProjects }),
	},
}

var projects = kind[*v1alpha1.Project]{
	name: "Project", made: "ProjectCreated", removed: "ProjectRemoved",
	fields: []field[*v1alpha1.Project]{
		plain("spec.displayName", "ProjectRenamed", func(p *v1alpha1.Project) string { return p.Spec.DisplayName }),
		plain("spec.description", "ProjectDescribed", func(p *v1alpha1.Project) string { return p.Spec.Description }),
		list("spec.namespaces", "ProjectNamespaces",
			func(p *v1alpha1.Project) []v1alpha1.NamespaceName { return p.Spec.Namespaces }),
		plain("spec.deletionPolicy", "ProjectDeletionPolicyChanged",
			func(p *v1alpha1.Project) string { return string(p.Spec.DeletionPolicy) }),
		// Selectors of Teams and RoleBindings match them.
		plain("metadata.labels", "ProjectLabelled",
			func(p *v1alpha1.Project) map[string]string { return p.Labels }).inMetadata(),
	},
}

var roles = kind[*v1alpha1.Role]{
	name: "Role", made: "RoleCreated", removed: "RoleRemoved",
	fields: []field[*v1alpha1.Role]{
		plain("spec.displayName", "RoleRenamed", func(r *v1alpha1.Role) string { return r.Spec.DisplayName }),
		plain("spec.description", "RoleDescribed", func(r *v1alpha1.Role) string { return r.Spec.Description }),
		list("spec.includes", "RoleIncludes", func(r *v1alpha1.Role) []v1alpha1.RoleName { return r.Spec.Includes }),
		list("spec.clusterRoles", "RoleClusterRoles", func(r *v1alpha1.Role) []string { return r.Spec.ClusterRoles }),
		plain("spec.rules", "RoleRulesChanged", func(r *v1alpha1.Role) any { return r.Spec.Rules }),
		plain("spec.organizationRules", "RoleOrganizationRulesChanged",
			func(r *v1alpha1.Role) any { return r.Spec.OrganizationRules }),
		list("spec.permissions", "RolePermissions", func(r *v1alpha1.Role) []v1alpha1.Permission { return r.Spec.Permissions }),
	},
}

var roleBindings = kind[*v1alpha1.RoleBinding]{
	name: "RoleBinding", made: "BindingCreated", removed: "BindingRemoved",
	fields: []field[*v1alpha1.RoleBinding]{
		plain("spec.role", "BindingRoleChanged", func(b *v1alpha1.RoleBinding) string { return string(b.Spec.Role) }),
		list("spec.subjects", "BindingSubjects", subjects),
		list("spec.projects", "BindingProjects",
			func(b *v1alpha1.RoleBinding) []v1alpha1.ObjectName { return b.Spec.Projects }),
		plain("spec.projectSelector", "BindingProjectsChanged",
			func(b *v1alpha1.RoleBinding) any { return b.Spec.ProjectSelector }),
		flag("spec.organizationWide", "BindingOrganizationWide", "BindingNotOrganizationWide",
			func(b *v1alpha1.RoleBinding) bool { return b.Spec.OrganizationWide }),
		plain("spec.notBefore", "BindingBeginningChanged", func(b *v1alpha1.RoleBinding) any { return b.Spec.NotBefore }),
		plain("spec.expiresAt", "BindingExpiryChanged", func(b *v1alpha1.RoleBinding) any { return b.Spec.ExpiresAt }),
		mark("status.conditions[Ready]", "BindingExpired", "BindingNoLongerExpired", expiredBinding).
			byRoster("its end has come or was put off"),
	},
}

func subjects(binding *v1alpha1.RoleBinding) []string {
	var names []string
	for _, subject := range binding.Spec.Subjects {
		name := subject.Name
		if subject.IsExternal() {
			name = subject.Organization + "/" + name
		}
		if subject.Namespace != "" {
			name = string(subject.Namespace) + "/" + name
		}
		names = append(names, string(subject.Kind)+" "+name)
	}
	return names
}

func expiredBinding(binding *v1alpha1.RoleBinding) string {
	const expired = "Expired"
	ready := meta.FindStatusCondition(binding.Status.Conditions, v1alpha1.ConditionReady)
	if ready != nil && ready.Reason == expired {
		return expired
	}
	return ""
}

var joinRequests = kind[*v1alpha1.JoinRequest]{
	name: "JoinRequest", made: "JoinRequested", removed: "JoinRequestRemoved",
	fields: []field[*v1alpha1.JoinRequest]{
		plain("spec.team", "JoinRequestChanged", func(j *v1alpha1.JoinRequest) string {
			return j.Spec.Team.Organization + "/" + string(j.Spec.Team.Name)
		}),
		plain("spec.role", "JoinRequestChanged", func(j *v1alpha1.JoinRequest) string { return string(j.Spec.Role) }),
		list("spec.projects", "JoinRequestProjects",
			func(j *v1alpha1.JoinRequest) []v1alpha1.ObjectName { return j.Spec.Projects }),
		flag("spec.organizationWide", "JoinRequestOrganizationWide", "JoinRequestNotOrganizationWide",
			func(j *v1alpha1.JoinRequest) bool { return j.Spec.OrganizationWide }),
		plain("spec.message", "JoinRequestChanged", func(j *v1alpha1.JoinRequest) string { return j.Spec.Message }),
		plain("spec.requestedBy", "JoinRequestChanged", func(j *v1alpha1.JoinRequest) string { return j.Spec.RequestedBy }),
		{path: "spec.decision", value: func(j *v1alpha1.JoinRequest) string { return string(j.Spec.Decision) },
			action: func(_, next string) string { return "JoinRequest" + next }},
		plain("spec.granted", "JoinGrantChanged", func(j *v1alpha1.JoinRequest) any { return j.Spec.Granted }),
		plain("spec.reason", "JoinReasonChanged", func(j *v1alpha1.JoinRequest) string { return j.Spec.Reason }),
		mark("status.phase", "JoinRequestWithdrawn", "JoinRequestNoLongerWithdrawn", withdrawn).
			byRoster("the team, its organization or the RoleBinding is gone"),
	},
}

func withdrawn(request *v1alpha1.JoinRequest) string {
	if request.Status.Phase == v1alpha1.JoinRequestWithdrawn {
		return string(v1alpha1.JoinRequestWithdrawn)
	}
	return ""
}

var users = kind[*v1alpha1.User]{
	name: "User", made: "UserCreated", removed: "UserRemoved",
	fields: []field[*v1alpha1.User]{
		plain("spec.username", "UserIdentified", func(u *v1alpha1.User) string { return string(u.Spec.Username) }),
		plain("spec.email", "UserAddressChanged", func(u *v1alpha1.User) string { return u.Spec.Email }),
		plain("spec.displayName", "UserRenamed", func(u *v1alpha1.User) string { return u.Spec.DisplayName }),
		flag("spec.deactivated", "UserDeactivated", "UserActivated", func(u *v1alpha1.User) bool { return u.Spec.Deactivated }),
		{path: "spec.mfa", value: secondFactor, action: secondFactorAction},
		plain("status.confirmed", "UserAddressConfirmed",
			func(u *v1alpha1.User) string { return confirmedAddress(u.Status.Confirmed) }).
			byRoster("the user accepted an invitation with the code that was mailed there"),
	},
}

// secondFactor says how a user's second factor was attested, and no secret: there is none in a User.
func secondFactor(user *v1alpha1.User) string {
	factor := user.Spec.MFA
	if !factor.Enrolled {
		return ""
	}
	text := "enrolled"
	if factor.Method != "" {
		text += " by " + factor.Method
	}
	if factor.Since != nil {
		text += " since " + textOf(factor.Since)
	}
	return text
}

func secondFactorAction(previous, next string) string {
	switch {
	case previous == "":
		return "MFAAttested"
	case next == "":
		return "MFAReset"
	}
	return "MFAChanged"
}

// KindOf finds the table of an object.
func KindOf(object client.Object) (Kind, bool) {
	for _, kind := range Kinds {
		if reflect.TypeOf(kind.Prototype()) == reflect.TypeOf(object) {
			return kind, true
		}
	}
	return nil, false
}

// KindNamed finds the table of a kind.
func KindNamed(name string) (Kind, bool) {
	for _, kind := range Kinds {
		if kind.Name() == name {
			return kind, true
		}
	}
	return nil, false
}
