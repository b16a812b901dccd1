package e2e_test

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/test/expectations"
)

// takes is what somebody reads who writes a role, or widens what carries one, without the right to give it.
func takes(change, role, organization string) string {
	return fmt.Sprintf("%s takes the verb \"assign\" on role %q in organization %s; ask an owner of %[3]s", change, role, organization)
}

// takesBy is the same where another object carries the role.
func takesBy(carrier, change, role, organization string) string {
	return fmt.Sprintf("%s takes the verb \"assign\" on role %q, which %s carries, in organization %s; ask an owner of %[4]s",
		change, role, carrier, organization)
}

// gains is what somebody reads who uncovers what they may not give.
func gains(role, organization, subject, via string) string {
	return fmt.Sprintf("this would newly grant role %q in organization %s to %s (by %s): that takes the verb \"assign\" on the role "+
		"in that organization; ask an owner of %[2]s", role, organization, subject, via)
}

// isMissing is what somebody reads who refers to what isn't there.
func isMissing(what string) string {
	return what + `: not there, and could come to mean anything; only who holds "assign" on all roles of organization ` +
		"defended may refer to what doesn't exist: make it first, or ask an owner of defended"
}

func inDefended(name string) metav1.ObjectMeta { return expectations.InOrganization(defended, name) }

func membershipOf(name, user string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	return expectations.Membership(defended, name, user, roles...)
}

func invitation(name, email string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	membership := membershipOf(name, "", roles...)
	membership.Spec.Email, membership.Spec.Invitation = email, &v1alpha1.InvitationSpec{}
	return membership
}

var membershipAttempts = []attempt{
	{"a clerk makes a friend an administrator", clerk, creates, membershipOf("eve", "eve", "administrator"),
		takes("spec.roles: giving it", "administrator", defended)},
	{"a clerk makes a friend a mere member", clerk, creates, membershipOf("eve", "eve"),
		takes("spec.roles: giving it", "member", defended)},
	{"a clerk raises themself", clerk, merges(`{"spec": {"roles": ["administrator"]}}`), membershipOf("clara", ""),
		takes("spec.roles: giving it", "administrator", defended)},
	{"a clerk raises themself by server-side apply", clerk, applies(`{spec: {user: clara@defended.example, roles: [administrator]}}`),
		membershipOf("clara", ""), takes("spec.roles: giving it", "administrator", defended)},
	{"a clerk raises themself by replacing the object", clerk,
		replaces(func(m *v1alpha1.Membership) { m.Spec.Roles = append(m.Spec.Roles, "administrator") }),
		membershipOf("clara", ""), takes("spec.roles: giving it", "administrator", defended)},
	{"a clerk invites an address as administrator", clerk, creates, invitation("eve", "eve@elsewhere.example", "administrator"),
		takes("spec.roles: giving it", "administrator", defended)},
	{"a clerk invites a friend as administrator", clerk, creates, func() *v1alpha1.Membership {
		membership := membershipOf("eve", "eve", "administrator")
		membership.Spec.Invitation = &v1alpha1.InvitationSpec{}
		return membership
	}(), takes("spec.roles: giving it", "administrator", defended)},
	{"a clerk lifts a suspension", clerk, merges(`{"spec": {"suspended": false}}`), membershipOf("sam", ""),
		takes("spec.suspended: lifting the suspension", "administrator", defended)},
	{"a clerk deletes a Membership below, under which a higher role waits", clerk, deletes,
		expectations.Membership(defended+"-below", "vera", ""),
		gains("administrator", defended+"-below", `user "vera@defended.example"`, "Membership vera")},
	{"a clerk sets a Membership to [none], under which a higher role waits", clerk, merges(`{"spec": {"roles": ["none"]}}`),
		expectations.Membership(defended+"-below", "vera", ""),
		gains("administrator", defended+"-below", `user "vera@defended.example"`, "Membership vera")},
	{"a clerk lets the garbage collector delete a Membership below", clerk, merges(`{"metadata": {"ownerReferences":
		[{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "7f0b6ac4-41a5-4c83-9cd3-5f4fbd58a6a8"}]}}`),
		expectations.Membership(defended+"-below", "vera", ""), "metadata.ownerReferences let the garbage collector delete an object " +
			"without asking who may: only who holds assign on all roles of the organization sets them; leave them as they are"},
	{"an administrator above takes away what lowers them below", "vale@defended.example", deletes,
		expectations.Membership(defended+"-below", "vale", ""),
		gains("administrator", defended+"-below", `user "vale@defended.example"`, "Membership vale")},
	{"a clerk lets a Membership end, and so take more", clerk,
		merges(`{"spec": {"expiresAt": "2030-01-01T00:00:00Z"}}`), membershipOf("dora", ""), ""},
	{"a clerk removes a member", clerk, deletes, membershipOf("dora", ""), ""},
	{"a clerk changes a name", clerk, merges(`{"spec": {"displayName": "Dora"}}`), membershipOf("dora", ""), ""},
	{"a clerk names a role that isn't there", clerk, merges(`{"spec": {"roles": ["clerk", "coming"]}}`), membershipOf("clara", ""),
		isMissing(`role "coming"`)},
	{"an administrator gives a role of the catalogue", administrator, creates, membershipOf("eve", "eve", "developer"), ""},
	{"an administrator gives a role that the organization made", administrator, creates, membershipOf("eve", "eve", "deployer"),
		takes("spec.roles: giving it", "deployer", defended)},
	{"an administrator gives a role of the catalogue below", administrator, creates,
		expectations.Membership(defended+"-below", "eve", "eve", "developer"), ""},
	{"an owner gives a role that the organization made", ownerOfDefended, creates, membershipOf("eve", "eve", "deployer"), ""},
	{"an owner names a role that isn't there", ownerOfDefended, creates, membershipOf("eve", "eve", "coming"), ""},
	{"an administrator suspends an owner", administrator, creates, func() *v1alpha1.Membership {
		membership := membershipOf("owner", ownerOfDefended, "viewer")
		membership.Spec.Suspended = true
		return membership
	}(), `spec.suspended: "owner@defended.example" is an owner of organization defended, whom no Membership suspends; an owner takes ` +
		"the user out of its spec.owners, or somebody deactivates the User"},
	{"an owner gives owner as a role", ownerOfDefended, creates, membershipOf("eve", "eve", "owner"),
		"owner isn't given by a Membership; add the user to spec.owners of the Organization"},
	{"an owner makes a second Membership for a user", ownerOfDefended, creates, membershipOf("dora-2", developer, "viewer"),
		`spec.user: "dora@defended.example" has the Membership "dora" in this organization already; change that one`},
	{"an owner writes into another organization", ownerOfDefended, creates,
		expectations.Membership(defended+"-other", "eve", "eve", "viewer"), `User "owner@defended.example" cannot create resource ` +
			`"memberships" in API group "roster.dev" in the namespace "org-defended-other"`},
	{"a developer edits somebody else's Membership", developer, merges(`{"spec": {"roles": ["none"]}}`), membershipOf("emil", ""),
		`User "dora@defended.example" cannot patch resource "memberships" in API group "roster.dev" in the namespace "org-defended"`},
	{"an administrator of the cluster makes a Membership outside of any organization", "", creates,
		&v1alpha1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "eve"}, Spec: v1alpha1.MembershipSpec{User: "eve"}},
		`metadata.namespace: "default" isn't an organization's, so a Membership in it means nothing; make it in the namespace ` +
			"org-NAME of organization NAME"},
}

func teamNamed(name string, spec v1alpha1.TeamSpec) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: inDefended(name), Spec: spec}
}

var gainingTeamAttempts = []attempt{
	{"a clerk joins a team that carries administrator", clerk,
		merges(`{"spec": {"members": ["bo@defended.example", "clara@defended.example"]}}`), teamNamed("admins", v1alpha1.TeamSpec{}),
		takes("spec.members: adding clara@defended.example", "administrator", defended)},
	{"a clerk adds somebody who isn't a member yet", clerk, merges(`{"spec": {"members": ["bo@defended.example", "zoe"]}}`),
		teamNamed("admins", v1alpha1.TeamSpec{}), takes("spec.members: adding zoe", "administrator", defended)},
	{"a clerk joins by server-side apply", clerk, applies(`{spec: {members: [clara@defended.example]}}`),
		teamNamed("admins", v1alpha1.TeamSpec{}), takes("spec.members: adding clara@defended.example", "administrator", defended)},
	{"a clerk becomes the maintainer of a team that carries administrator", clerk,
		merges(`{"spec": {"maintainers": ["clara@defended.example"]}}`), teamNamed("admins", v1alpha1.TeamSpec{}),
		takes("spec.maintainers: adding clara@defended.example", "administrator", defended)},
	{"a clerk makes a team below one that carries administrator", clerk, creates,
		teamNamed("child", v1alpha1.TeamSpec{Parent: "admins", Members: []v1alpha1.Username{clerk}}),
		takesBy(`parent team "admins"`, `spec.parent: putting team "child" below it`, "administrator", defended)},
	{"a clerk moves a team below one that carries administrator", clerk, merges(`{"spec": {"parent": "admins"}}`),
		teamNamed("idle", v1alpha1.TeamSpec{}), takesBy(`parent team "admins"`, `spec.parent: putting team "idle" below it`, "administrator", defended)},
	{"a clerk adds somebody to a team that an organization-wide binding carries further below than they reach", clerk,
		merges(`{"spec": {"members": ["fay@defended.example"]}}`), teamNamed("reached", v1alpha1.TeamSpec{}),
		takesBy(`RoleBinding "reaching-down" to team "reached"`, "spec.members: adding fay@defended.example", "developer", defended)},
	{"a clerk gives a team a stronger role", clerk, merges(`{"spec": {"role": "administrator"}}`),
		teamNamed("makers", v1alpha1.TeamSpec{}), takes("spec.role: giving it", "administrator", defended)},
	{"a clerk adds a project to a team", clerk, merges(`{"spec": {"projects": ["shop", "site"]}}`),
		teamNamed("readers", v1alpha1.TeamSpec{}), takes("spec.projects: adding site", "viewer", defended)},
	{"a clerk gives a team all projects", clerk, merges(`{"spec": {"projects": null, "allProjects": true}}`),
		teamNamed("readers", v1alpha1.TeamSpec{}), takes("spec.allProjects: setting it", "viewer", defended)},
	{"a clerk lets a team's selector match more", clerk,
		merges(`{"spec": {"projectSelector": {"matchLabels": null, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}}}`),
		teamNamed("golden", v1alpha1.TeamSpec{}), takes("spec.projectSelector: changing it", "administrator", defended)},
	{"a clerk empties a team's selector", clerk, merges(`{"spec": {"projectSelector": {"matchLabels": null}}}`),
		teamNamed("golden", v1alpha1.TeamSpec{}), `spec.projectSelector: Invalid value: an empty projectSelector would mean every ` +
			"project; set allProjects: true if that is meant"},
	{"a clerk empties a team's projects", clerk, merges(`{"spec": {"projects": []}}`), teamNamed("makers", v1alpha1.TeamSpec{}),
		"spec.projects in body should have at least 1 items"},
	{"a clerk names an identity provider's group", clerk, merges(`{"spec": {"identityGroup": "oidc:everybody"}}`),
		teamNamed("admins", v1alpha1.TeamSpec{}), takes(`spec.identityGroup: naming group "oidc:everybody"`, "administrator", defended)},
	{"a clerk names a parent that isn't there", clerk, merges(`{"spec": {"parent": "coming"}}`),
		teamNamed("idle", v1alpha1.TeamSpec{}), isMissing(`team "coming"`)},
	{"a clerk names a project that isn't there", clerk, merges(`{"spec": {"role": "viewer", "projects": ["coming"]}}`),
		teamNamed("idle", v1alpha1.TeamSpec{}), isMissing(`project "coming"`)},
	{"a clerk names a role that isn't there", clerk, merges(`{"spec": {"role": "coming"}}`),
		teamNamed("idle", v1alpha1.TeamSpec{}), isMissing(`role "coming"`)},
	{"a clerk adds somebody to a team that carries nothing", clerk, merges(`{"spec": {"members": ["clara@defended.example"]}}`),
		teamNamed("idle", v1alpha1.TeamSpec{}), ""},
	{"a clerk takes everybody out of a team", clerk, merges(`{"spec": {"members": null}}`), teamNamed("admins", v1alpha1.TeamSpec{}), ""},
	{"a maintainer of the team adds somebody to it", maintainerOfTeam,
		merges(`{"spec": {"members": ["dora@defended.example", "gita@defended.example"]}}`), teamNamed("makers", v1alpha1.TeamSpec{}), ""},
	{"an administrator makes a team with a role of the catalogue", administrator, creates, teamNamed("more",
		v1alpha1.TeamSpec{Members: []v1alpha1.Username{developer}, Role: "maintainer", Projects: objectNames("shop")}), ""},
	{"an administrator makes a team with a role that the organization made", administrator, creates, teamNamed("more",
		v1alpha1.TeamSpec{Members: []v1alpha1.Username{developer}, Role: "deployer", Projects: objectNames("shop")}),
		takes("spec.role: giving it", "deployer", defended)},
	{"an owner leads a team's parents in a circle", ownerOfDefended, merges(`{"spec": {"parent": "lower"}}`),
		teamNamed("upper", v1alpha1.TeamSpec{}),
		`spec.parent: "lower" leads back to team "upper"; take spec.parent out of one of these teams: lower, upper`},
	{"an owner names a group where a second factor is required", "owner@defended-secured.example", creates,
		&v1alpha1.Team{ObjectMeta: expectations.InOrganization(defended+"-secured", "all"),
			Spec: v1alpha1.TeamSpec{IdentityGroup: "oidc:all"}},
		`spec.identityGroup: group "oidc:all" can't be given access here, since organization defended-secured requires a second ` +
			"factor, which can't be checked for a group; list the users instead"},
}

func bindingTo(role v1alpha1.RoleName, subjects ...v1alpha1.Subject) *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{ObjectMeta: inDefended("attempt"), Spec: v1alpha1.RoleBindingSpec{
		Role: role, Subjects: subjects, Projects: objectNames("shop"),
	}}
}

var (
	friend         = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "friend"}
	serviceAccount = func(namespace v1alpha1.NamespaceName) v1alpha1.Subject {
		return v1alpha1.Subject{Kind: v1alpha1.SubjectServiceAccount, Namespace: namespace, Name: "ci"}
	}
)

var roleBindingAttempts = []attempt{
	{"a clerk binds a friend to administrator", clerk, creates, bindingTo("administrator", friend),
		takes("spec.role: giving it", "administrator", defended)},
	{"a developer binds a friend to administrator", developer, creates, bindingTo("administrator", friend),
		`User "dora@defended.example" cannot create resource "rolebindings" in API group "roster.dev" in the namespace "org-defended"`},
	{"a clerk empties a binding's projects", clerk, merges(`{"spec": {"organizationWide": false, "projects": []}}`),
		&v1alpha1.RoleBinding{ObjectMeta: inDefended("soon-over")}, "spec.projects in body should have at least 1 items"},
	{"a clerk binds a friend from tomorrow on", clerk, creates, func() *v1alpha1.RoleBinding {
		binding := bindingTo("administrator", friend)
		begin := metav1.Date(2035, 1, 1, 0, 0, 0, 0, metav1.Now().Location())
		binding.Spec.NotBefore = &begin
		return binding
	}(), takes("spec.role: giving it", "administrator", defended)},
	{"a clerk binds a team", clerk, creates, bindingTo("administrator", v1alpha1.Subject{Kind: v1alpha1.SubjectTeam, Name: "idle"}),
		takes("spec.role: giving it", "administrator", defended)},
	{"a clerk lets a binding end later", clerk, merges(`{"spec": {"expiresAt": "2035-01-01T00:00:00Z"}}`),
		&v1alpha1.RoleBinding{ObjectMeta: inDefended("soon-over")},
		takes("spec.expiresAt: prolonging it", "developer", defended)},
	{"a clerk lets a binding end no more", clerk, merges(`{"spec": {"expiresAt": null}}`),
		&v1alpha1.RoleBinding{ObjectMeta: inDefended("soon-over")},
		takes("spec.expiresAt: prolonging it", "developer", defended)},
	{"a clerk lets a binding end at once", clerk, merges(`{"spec": {"expiresAt": "2026-01-01T00:00:00Z"}}`),
		&v1alpha1.RoleBinding{ObjectMeta: inDefended("soon-over")}, ""},
	{"a clerk binds a team that isn't there", clerk, creates,
		bindingTo("viewer", v1alpha1.Subject{Kind: v1alpha1.SubjectTeam, Name: "coming"}), isMissing(`team "coming"`)},
	{"an owner binds a ServiceAccount of another organization", ownerOfDefended, creates,
		bindingTo("viewer", serviceAccount("defended-other-shop")),
		`spec.subjects[0].namespace: "defended-other-shop" isn't a namespace of one of organization defended's projects, and a ` +
			"ServiceAccount holds roles only within its own project; make one in a project of defended"},
	{"an owner binds a ServiceAccount of kube-system", ownerOfDefended, creates, bindingTo("viewer", serviceAccount("kube-system")),
		"default, roster-system, kube-* and the organizations' own namespaces org-* can't " +
			"be a project's; name a namespace of the project's own"},
	{"an owner binds a ServiceAccount of the project to administrator", ownerOfDefended, creates,
		bindingTo("administrator", serviceAccount("defended-shop")),
		`spec.role: ServiceAccount "ci" can't hold role "administrator": whoever may start a Pod could use it, so it holds at most ` +
			"what developer may do; choose a weaker role"},
	{"an owner binds a ServiceAccount of the project to developer", ownerOfDefended, creates,
		bindingTo("developer", serviceAccount("defended-shop")), ""},
	{"an owner binds the group system:masters", ownerOfDefended, creates,
		bindingTo("viewer", v1alpha1.Subject{Kind: v1alpha1.SubjectGroup, Name: "system:masters"}),
		"a name that begins with system: belongs to Kubernetes itself and can't be given access here; use kind ServiceAccount with name " +
			"and namespace for a ServiceAccount"},
	{"an owner binds a group where a second factor is required", "owner@defended-secured.example", creates,
		&v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(defended+"-secured", "all"), Spec: v1alpha1.RoleBindingSpec{
			Role: "viewer", OrganizationWide: true,
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "oidc:all"}},
		}}, `spec.subjects[0].name: group "oidc:all" can't be given access here, since organization defended-secured requires a ` +
			"second factor, which can't be checked for a group; list the users instead"},
	{"an administrator binds a friend to a role of the catalogue", administrator, creates, bindingTo("maintainer", friend), ""},
	{"an owner binds owner as a role", ownerOfDefended, creates, bindingTo("owner", friend),
		"owner isn't given by a RoleBinding; add the user to spec.owners of the Organization"},
}

func projectNamed(name string, namespaces ...v1alpha1.NamespaceName) *v1alpha1.Project {
	project := expectations.Project(defended, name)
	project.Spec.Namespaces = namespaces
	return project
}

var projectAttempts = []attempt{
	{"a clerk labels a project so that a selector matches it", clerk, merges(`{"metadata": {"labels": {"tier": "gold"}}}`),
		projectNamed("site"), takesBy(`team "golden"`, `metadata.labels: labelling project "site"`, "administrator", defended)},
	{"a clerk labels a project by server-side apply", clerk, applies(`{metadata: {labels: {tier: gold}}}`),
		projectNamed("site"), takesBy(`team "golden"`, `metadata.labels: labelling project "site"`, "administrator", defended)},
	{"a clerk labels a project otherwise", clerk, merges(`{"metadata": {"labels": {"tier": "tin"}}}`), projectNamed("site"), ""},
	{"a clerk makes a project", clerk, creates, projectNamed("fresh"), ""},
	{"a clerk takes a name that somebody else will look for", clerk, creates, projectNamed("fresh", "monitoring"),
		`spec.namespaces: namespace "monitoring" isn't there, and its name doesn't begin with "defended-": only who may create ` +
			"namespaces in the whole cluster chooses such a name; choose another, or ask them to make and label it"},
	{"an owner takes kube-system", ownerOfDefended, creates, projectNamed("fresh", "kube-system"),
		"default, roster-system, kube-* and the organizations' own namespaces org-* can't be a " +
			"project's; name a namespace of the project's own"},
	{"an owner takes the organization's own namespace", ownerOfDefended, creates, projectNamed("fresh", "org-defended"),
		"default, roster-system, kube-* and the organizations' own namespaces org-* can't be a " +
			"project's; name a namespace of the project's own"},
	{"an owner takes another project's namespace", ownerOfDefended, creates, projectNamed("fresh", "defended-shop"),
		`spec.namespaces: namespace "defended-shop" is there already and isn't this project's; name another, or let who may edit ` +
			"namespaces label it roster.dev/organization=defended and roster.dev/project=fresh first"},
	{"an owner takes another organization's namespace", ownerOfDefended, creates, projectNamed("fresh", "defended-other-shop"),
		`spec.namespaces: namespace "defended-other-shop" is there already and isn't this project's; name another, or let who may ` +
			"edit namespaces label it roster.dev/organization=defended and roster.dev/project=fresh first"},
	{"an owner takes a namespace that is there without a label", ownerOfDefended,
		merges(`{"spec": {"namespaces": ["defended-site", "defended-stranger"]}}`), projectNamed("site"),
		`spec.namespaces: namespace "defended-stranger" is there already and isn't this project's; name another, or let who may ` +
			"edit namespaces label it roster.dev/organization=defended and roster.dev/project=site first"},
	{"an owner deletes a project's namespace", ownerOfDefended, deletes, namespaceNamed("defended-shop", nil),
		`User "owner@defended.example" cannot delete resource "namespaces" in API group "" in the namespace "defended-shop"`},
}

func customRole(name string, spec v1alpha1.RoleSpec) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: inDefended(name), Spec: spec}
}

func rulesOn(group, resource string, verbs ...string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}}
}

func beyond(rules string) string {
	return "this Role would newly allow what you may not do yourself in organization defended: " + rules +
		"; take it out, or ask who may"
}

var roleAttempts = []attempt{
	{"a clerk makes a Role that reads Secrets", clerk, creates,
		customRole("thief", v1alpha1.RoleSpec{Rules: rulesOn("", "secrets", "get")}), beyond("get on secrets")},
	{"a clerk makes a Role that reads Secrets by server-side apply", clerk,
		applies(`{spec: {rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]}}`), customRole("thief", v1alpha1.RoleSpec{}),
		beyond("get on secrets")},
	{"a clerk makes a Role that includes one that reads Secrets", clerk, creates,
		customRole("thief", v1alpha1.RoleSpec{Includes: roles("keyholder")}), beyond("get on secrets")},
	{"a clerk makes a Role that copies a ClusterRole that reads Secrets", clerk, creates,
		customRole("thief", v1alpha1.RoleSpec{ClusterRoles: []string{"defended-keyholder"}}), beyond("get on secrets")},
	{"a clerk lets a Role include one that reads Secrets", clerk, merges(`{"spec": {"includes": ["viewer", "keyholder"]}}`),
		customRole("deployer", v1alpha1.RoleSpec{}), beyond("get on secrets")},
	{"an administrator makes a Role that may do everything", administrator, creates,
		customRole("thief", v1alpha1.RoleSpec{Rules: rulesOn("*", "*", "*")}), beyond("get on * of *; list on * of *; watch on * of *; update on * of *; patch on * of *; and 2 more")},
	{"an administrator makes a Role that changes Nodes", administrator, creates,
		customRole("thief", v1alpha1.RoleSpec{Rules: rulesOn("", "nodes", "update")}), beyond("update on nodes")},
	{"an administrator makes a Role that escalates", administrator, creates,
		customRole("thief", v1alpha1.RoleSpec{Rules: rulesOn(rbacv1.GroupName, "roles", "escalate")}),
		beyond("escalate on roles of rbac.authorization.k8s.io")},
	{"an administrator makes a Role that gives every role", administrator, creates,
		customRole("thief", v1alpha1.RoleSpec{OrganizationRules: rulesOn("roster.dev", "roles", "assign")}),
		beyond("assign on roles of roster.dev")},
	{"an administrator makes a Role that is past the policies", administrator, creates,
		customRole("thief", v1alpha1.RoleSpec{OrganizationRules: rulesOn("roster.dev", "safeguards", "guard")}),
		beyond("guard on safeguards of roster.dev")},
	{"an administrator makes a Role of what they may do", administrator, creates,
		customRole("secretary", v1alpha1.RoleSpec{Rules: rulesOn("", "secrets", "get")}), ""},
	{"an administrator makes a Role with a permission that nobody vouches for", administrator, creates,
		customRole("crawler", v1alpha1.RoleSpec{Permissions: []v1alpha1.Permission{"crawls.trigger"}}),
		beyond("trigger on crawls of permissions.roster.dev")},
	{"an owner makes a Role with a permission", ownerOfDefended, creates,
		customRole("crawler", v1alpha1.RoleSpec{Permissions: []v1alpha1.Permission{"crawls.trigger"}}), ""},
	{"an administrator widens a Role that somebody holds", administrator,
		merges(`{"spec": {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}}`),
		customRole("deployer", v1alpha1.RoleSpec{}), takesBy(`Membership "emil"`, `spec: letting role "deployer" allow more`, "deployer", defended)},
	{"an owner widens a Role that somebody holds", ownerOfDefended,
		merges(`{"spec": {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}}`),
		customRole("deployer", v1alpha1.RoleSpec{}), ""},
	{"an administrator narrows a Role that somebody holds", administrator, merges(`{"spec": {"rules": null}}`),
		customRole("deployer", v1alpha1.RoleSpec{}), ""},
	{"an owner takes a name of the catalogue", ownerOfDefended, creates, customRole("developer", v1alpha1.RoleSpec{Includes: roles("viewer")}),
		`metadata.name: "developer" is used by the catalogue and means that Role here too; choose another name`},
	{"an owner below widens an inherited Role", "gus@defended.example", creates, &v1alpha1.Role{
		ObjectMeta: expectations.InOrganization(defended+"-below", "deployer"), Spec: v1alpha1.RoleSpec{ClusterRoles: []string{"admin"}},
	}, `metadata.name: "deployer" is used by organization defended and means that Role here too; choose another name`},
	{"an administrator includes a Role that isn't there", administrator, creates,
		customRole("hopeful", v1alpha1.RoleSpec{Includes: roles("coming")}), isMissing(`role "coming"`)},
	{"an administrator copies a ClusterRole that isn't there", administrator, creates,
		customRole("hopeful", v1alpha1.RoleSpec{ClusterRoles: []string{"coming"}}), isMissing(`ClusterRole "coming"`)},
}

var organizationAttempts = []attempt{
	{"an administrator of the cluster makes one whose namespace is somebody else's", "", creates,
		expectations.Organization("defended-taken", "ana"), `metadata.name: namespace "org-defended-taken" is there already and isn't ` +
			"this organization's; choose another name, or let who may edit namespaces label it roster.dev/organization=defended-taken first"},
	{"an administrator of the cluster puts it below one below it", "", merges(`{"spec": {"parent": "defended-below"}}`),
		expectations.Organization(defended, ""),
		`spec.parent: "defended-below" is below organization defended, which can't be below it as well; choose another parent`},
	{"an owner requires a second factor that no owner has", ownerOfDefended, merges(`{"spec": {"requireMFA": true}}`),
		expectations.Organization(defended, ""), "spec.requireMFA: none of the owners has a second factor enrolled, so nobody could act " +
			"for organization defended any more; let one of them enroll first: owner@defended.example"},
	{"an owner makes somebody an owner", ownerOfDefended,
		merges(`{"spec": {"owners": ["owner@defended.example", "bo@defended.example"]}}`), expectations.Organization(defended, ""), ""},
	{"an owner leaves it to somebody who can't act", ownerOfDefended, merges(`{"spec": {"owners": ["ghost"]}}`),
		expectations.Organization(defended, ""), "spec.owners: none of ghost may act now (deactivated, or without a second factor where " +
			"one is required), and one of the owners must; keep one of owner@defended.example"},
	{"an owner's last owner goes", ownerOfDefended, merges(`{"spec": {"owners": []}}`), expectations.Organization(defended, ""),
		"spec.owners: Invalid value: 0: spec.owners in body should have at least 1 items"},
}

func userAttempts() []attempt {
	known := func(username string) *v1alpha1.User {
		return &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: names.FromUsername(username)}}
	}
	return []attempt{
		{"an administrator of the cluster deactivates the last owner", "", merges(`{"spec": {"deactivated": true}}`),
			known(ownerOfDefended), `spec.deactivated: "owner@defended.example" is the last owner who may act for defended; name another ` +
				"owner there first"},
		{"an administrator of the cluster deactivates a member", "", merges(`{"spec": {"deactivated": true}}`), known(developer), ""},
		{"an administrator of the cluster deletes a User who is referred to", "", deletes, known(clerk),
			`user "clara@defended.example" is referred to by Membership org-defended/clara, Organization ` + personalOf(clerk) + "; set " +
				"spec.deactivated instead, which takes all access, or delete those first"},
		{"an administrator of the cluster makes a second User of a username", "", creates, &v1alpha1.User{
			ObjectMeta: metav1.ObjectMeta{Name: "dora-again"}, Spec: v1alpha1.UserSpec{Username: developer},
		}, fmt.Sprintf("spec.username: %q is the username of User %q already; change that one", developer, names.FromUsername(developer))},
	}
}
