package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// What several rules say to who reads them.
const (
	organizationLabel = "an organization's name is a DNS label of at most 40 characters: lower-case letters, digits and " +
		"'-', beginning and ending with a letter or digit"
	organizationReserved = "org, roster, default, kube, org-* and kube-* can't be an organization's name, as its namespaces " +
		"would look like the cluster's own or another organization's; choose another name"
	roleLabel = "a role's name is a DNS label: lower-case letters, digits and '-', beginning and ending with a " +
		"letter or digit"
	kubernetesName = "a name that begins with system: belongs to Kubernetes itself and can't be given access here; " +
		"name a person's username"
	kubernetesSubject = "a name that begins with system: belongs to Kubernetes itself and can't be given access here; " +
		"use kind ServiceAccount with name and namespace for a ServiceAccount"
	namespaceReserved = "default, roster-system, kube-* and the organizations' own namespaces org-* can't be a " +
		"project's; name a namespace of the project's own"
	chooseScope  = "choose exactly one of projects, projectSelector and organizationWide: true"
	projectLabel = "a project's name is a DNS label of at most 63 characters: lower-case letters, digits and '-', " +
		"beginning and ending with a letter or digit"
	roleNameLabel = "a role's name is a DNS label of at most 63 characters: lower-case letters, digits and '-', " +
		"beginning and ending with a letter or digit"
)

const timeInUTC = ": a time lies between the years 1970 and 9999 in UTC; choose another"

func boundUntil(times string) string {
	return "{role: viewer, subjects: [{kind: User, name: bo}], projects: [shop], " + times + "}"
}

var _ = Describe("The schema refuses", func() {
	DescribeTable("an Organization with", refuses("Organization"),
		Entry("a name of 41 characters", letters(41), "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationLabel),
		Entry("a name that isn't a DNS label", "acme.emea", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationLabel),
		Entry("the name org", "org", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationReserved),
		Entry("the name roster", "roster", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationReserved),
		Entry("the name default", "default", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationReserved),
		Entry("the name kube", "kube", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationReserved),
		Entry("a name that begins with org-", "org-acme", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationReserved),
		Entry("a name that begins with kube-", "kube-acme", "{owners: [ana@acme.example]}",
			"metadata: Invalid value: "+organizationReserved),
		Entry("itself as its parent", "acme", "{owners: [ana@acme.example], parent: acme}",
			"spec.parent: Invalid value: an organization can't be its own parent; leave spec.parent out for an organization that stands on its own"),
		Entry("an empty parent", "acme", `{owners: [ana@acme.example], parent: ""}`,
			`spec.parent: Invalid value: "": spec.parent in body should be at least 1 chars long`),
		Entry("a parent whose name is too long", "acme", "{owners: [ana@acme.example], parent: "+letters(41)+"}",
			"spec.parent: Too long: may not be more than 40 bytes"),
		Entry("a Personal one below another", "acme", "{owners: [ana@acme.example], type: Personal, parent: emea}",
			"spec: Invalid value: a Personal organization has no parent; leave spec.parent out or set spec.type to Standard"),
		Entry("a Personal one of two", "acme", "{owners: [ana@acme.example, bo@acme.example], type: Personal}",
			"spec: Invalid value: a Personal organization has exactly one owner; set spec.type to Standard to share it"),
		Entry("another type", "acme", "{owners: [ana@acme.example], type: Shared}",
			`spec.type: Unsupported value: "Shared": supported values: "Standard", "Personal"`),
		Entry("no owners", "acme", "{}",
			"spec.owners: Required value"),
		Entry("an empty list of owners", "acme", "{owners: []}",
			"spec.owners: Invalid value: 0: spec.owners in body should have at least 1 items"),
		Entry("51 owners", "acme", "{owners: ["+many(51, "name-%d")+"]}",
			"spec.owners: Too many: 51: must have at most 50 items"),
		Entry("an owner without a name", "acme", `{owners: [""]}`,
			`spec.owners[0]: Invalid value: "": spec.owners[0] in body should be at least 1 chars long`),
		Entry("an owner with a name of 254 characters", "acme", "{owners: ["+letters(254)+"]}",
			"spec.owners[0]: Too long: may not be more than 253 bytes"),
		Entry("an owner of Kubernetes' own", "acme", `{owners: ["system:admin"]}`,
			`spec.owners[0]: Invalid value: "system:admin": `+kubernetesName),
		Entry("a displayName of 201 characters", "acme", "{owners: [ana@acme.example], displayName: "+letters(201)+"}",
			"spec.displayName: Too long: may not be more than 200 bytes"),
		Entry("a description of 2,001 characters", "acme", "{owners: [ana@acme.example], description: "+letters(2001)+"}",
			"spec.description: Too long: may not be more than 2000 bytes"),
		Entry("no defaultRoles", "acme", "{owners: [ana@acme.example], membership: {defaultRoles: []}}",
			"spec.membership.defaultRoles: Invalid value: 0: spec.membership.defaultRoles in body should have at least 1 items"),
		Entry("17 defaultRoles", "acme", "{owners: [ana@acme.example], membership: {defaultRoles: ["+many(17, "name-%d")+"]}}",
			"spec.membership.defaultRoles: Too many: 17: must have at most 16 items"),
		Entry("owner as a default role", "acme", "{owners: [ana@acme.example], membership: {defaultRoles: [owner]}}",
			"spec.membership.defaultRoles: Invalid value: only spec.owners makes an owner; leave owner out of defaultRoles"),
		Entry("none beside another default role", "acme", "{owners: [ana@acme.example], membership: {defaultRoles: [none, viewer]}}",
			"spec.membership.defaultRoles: Invalid value: none means no role at all and stands alone; remove it or the other roles"),
		Entry("a default role that isn't a DNS label", "acme", "{owners: [ana@acme.example], membership: {defaultRoles: [The_Viewer]}}",
			`spec.membership.defaultRoles[0]: Invalid value: "The_Viewer": `+roleLabel),
		Entry("an invitationTTL of nothing", "acme", "{owners: [ana@acme.example], membership: {invitationTTL: 0s}}",
			`spec.membership.invitationTTL: Invalid value: "0s": invitationTTL is a duration such as 168h or 90m, more than 0 and at most 8760h (a year)`),
		Entry("an invitationTTL of more than a year", "acme", "{owners: [ana@acme.example], membership: {invitationTTL: 8761h}}",
			`spec.membership.invitationTTL: Invalid value: "8761h": invitationTTL is a duration such as 168h or 90m, more than 0 and at most 8760h (a year)`),
		Entry("an invitationTTL that isn't a duration", "acme", "{owners: [ana@acme.example], membership: {invitationTTL: a week}}",
			`spec.membership.invitationTTL: Invalid value: "a week": invitationTTL is a duration such as 168h or 90m, more than 0 and at most 8760h (a year)`),
		Entry("an invitationTTL in days, which Go can't read", "acme", "{owners: [ana@acme.example], membership: {invitationTTL: 7d}}",
			`spec.membership.invitationTTL: Invalid value: "7d": invitationTTL is a duration such as 168h or 90m, more than 0 and at most 8760h (a year)`),
	)

	DescribeTable("a Membership with", refuses("Membership"),
		Entry("nobody", "bo", "{roles: [viewer]}",
			"spec: Invalid value: set spec.user to the username that the API server authenticates, or spec.email to invite somebody whose username isn't known yet"),
		Entry("a user of Kubernetes' own", "bo", `{user: "system:admin"}`,
			`spec.user: Invalid value: "system:admin": `+kubernetesName),
		Entry("a user without a name", "bo", `{user: ""}`,
			`spec.user: Invalid value: "": spec.user in body should be at least 1 chars long`),
		Entry("a username of 254 characters", "bo", "{user: "+letters(254)+"}",
			"spec.user: Too long: may not be more than 253 bytes"),
		Entry("an email without a domain", "bo", "{email: bo.acme.example}",
			`spec.email: Invalid value: "bo.acme.example": spec.email in body should match '^[^\s@<>]+@[^\s@<>]+$'`),
		Entry("an email of two characters", "bo", `{email: "@"}`,
			`spec.email: Invalid value: "@": spec.email in body should be at least 3 chars long`),
		Entry("an email of 255 characters", "bo", "{email: "+letters(246)+"@mail.example}",
			"spec.email: Too long: may not be more than 254 bytes"),
		Entry("a displayName of 201 characters", "bo", "{user: bo@acme.example, displayName: "+letters(201)+"}",
			"spec.displayName: Too long: may not be more than 200 bytes"),
		Entry("an empty list of roles", "bo", "{user: bo@acme.example, roles: []}",
			"spec.roles: Invalid value: 0: spec.roles in body should have at least 1 items"),
		Entry("17 roles", "bo", "{user: bo@acme.example, roles: ["+many(17, "name-%d")+"]}",
			"spec.roles: Too many: 17: must have at most 16 items"),
		Entry("the role owner", "bo", "{user: bo@acme.example, roles: [owner]}",
			"spec.roles: Invalid value: owner isn't given by a Membership; add the user to spec.owners of the Organization"),
		Entry("none beside another role", "bo", "{user: bo@acme.example, roles: [viewer, none]}",
			"spec.roles: Invalid value: none means no role at all and stands alone; remove it or the other roles"),
		Entry("a role that isn't a DNS label", "bo", "{user: bo@acme.example, roles: [Viewer]}",
			`spec.roles[0]: Invalid value: "Viewer": `+roleLabel),
		Entry("a role without a name", "bo", `{user: bo@acme.example, roles: [""]}`,
			`spec.roles[0]: Invalid value: "": spec.roles[0] in body should be at least 1 chars long`,
			`spec.roles[0]: Invalid value: "": `+roleLabel),
		Entry("a role with a name of 64 characters", "bo", "{user: bo@acme.example, roles: ["+letters(64)+"]}",
			"spec.roles[0]: Too long: may not be more than 63 bytes"),
		Entry("an invitation that is over at once", "bo", "{user: bo@acme.example, invitation: {expiresAfter: 0s}}",
			`spec.invitation.expiresAfter: Invalid value: "0s": expiresAfter is a duration such as 72h or 90m, more than 0 and at most 8760h (a year)`),
		Entry("an invitation of more than a year", "bo", "{user: bo@acme.example, invitation: {expiresAfter: 8761h}}",
			`spec.invitation.expiresAfter: Invalid value: "8761h": expiresAfter is a duration such as 72h or 90m, more than 0 and at most 8760h (a year)`),
		Entry("an invitation that lasts no duration", "bo", "{user: bo@acme.example, invitation: {expiresAfter: forever}}",
			`spec.invitation.expiresAfter: Invalid value: "forever": expiresAfter is a duration such as 72h or 90m, more than 0 and at most 8760h (a year)`),
		Entry("an end that Go can't read", "bo", `{user: bo@acme.example, expiresAt: "2030-01-02t00:00:00z"}`,
			`spec.expiresAt: Invalid value: "2030-01-02t00:00:00z": spec.expiresAt in body should match '`+instant+`'`,
			`spec.expiresAt: Invalid value: "string": Invalid date-time formatted string 2030-01-02t00:00:00z: parsing time `+
				`"2030-01-02t00:00:00z" as "2006-01-02T15:04:05": cannot parse "t00:00:00z" as "T" evaluating rule`+timeInUTC),
		Entry("another response", "bo", "{user: bo@acme.example, invitation: {}, response: Maybe}",
			`spec.response: Unsupported value: "Maybe": supported values: "Accepted", "Declined"`),
		Entry("an end that lies beyond the last year in UTC", "bo", `{user: bo@acme.example, expiresAt: "9999-12-31T23:59:59-23:59"}`,
			`spec.expiresAt: Invalid value: "9999-12-31T23:59:59-23:59"`+timeInUTC),
		Entry("an end that isn't an instant", "bo", "{user: bo@acme.example, expiresAt: tomorrow}",
			`spec.expiresAt: Invalid value: "tomorrow": spec.expiresAt in body should match '`+instant+`'`,
			`spec.expiresAt: Invalid value: "tomorrow": spec.expiresAt in body must be of type date-time: "tomorrow"`),
	)

	DescribeTable("a Team with", refuses("Team"),
		Entry("a name of 64 characters", letters(64), "{}",
			"metadata: Invalid value: a team's name has at most 63 characters; choose a shorter one"),
		Entry("itself as its parent", "makers", "{parent: makers}",
			"spec.parent: Invalid value: a team can't be its own parent; leave spec.parent out for a team at the top"),
		Entry("an empty parent", "makers", `{parent: ""}`,
			`spec.parent: Invalid value: "": spec.parent in body should be at least 1 chars long`),
		Entry("a parent whose name is too long", "makers", "{parent: "+letters(64)+"}",
			"spec.parent: Too long: may not be more than 63 bytes"),
		Entry("projects and a projectSelector", "makers", "{role: viewer, projects: [shop], projectSelector: {matchLabels: {tier: web}}}",
			"spec: Invalid value: choose one of projects, projectSelector and allProjects; leave the others out"),
		Entry("projects and allProjects", "makers", "{role: viewer, projects: [shop], allProjects: true}",
			"spec: Invalid value: choose one of projects, projectSelector and allProjects; leave the others out"),
		Entry("projects and no role", "makers", "{projects: [shop]}",
			"spec: Invalid value: name the role that the team holds in its projects in spec.role, or leave the projects out"),
		Entry("allProjects and no role", "makers", "{allProjects: true}",
			"spec: Invalid value: name the role that the team holds in its projects in spec.role, or leave the projects out"),
		Entry("an empty list of projects", "makers", "{role: viewer, projects: []}",
			"spec.projects: Invalid value: 0: spec.projects in body should have at least 1 items"),
		Entry("a project without a name", "makers", `{role: viewer, projects: [""]}`,
			`spec.projects[0]: Invalid value: "": spec.projects[0] in body should be at least 1 chars long`),
		Entry("2,001 projects", "makers", "{role: viewer, projects: ["+many(2001, "name-%d")+"]}",
			"spec.projects: Too many: 2001: must have at most 2000 items"),
		Entry("an empty projectSelector", "makers", "{role: viewer, projectSelector: {}}",
			"spec.projectSelector: Invalid value: an empty projectSelector would mean every project; set allProjects: true if that is meant"),
		Entry("a projectSelector of empty parts", "makers", "{role: viewer, projectSelector: {matchLabels: {}, matchExpressions: []}}",
			"spec.projectSelector: Invalid value: an empty projectSelector would mean every project; set allProjects: true if that is meant"),
		Entry("the role owner", "makers", "{role: owner, projects: [shop]}",
			`spec.role: Invalid value: "owner": owner isn't given by a Team; add the users to spec.owners of the Organization`),
		Entry("a role that isn't a DNS label", "makers", "{role: The Viewer, projects: [shop]}",
			`spec.role: Invalid value: "The Viewer": `+roleLabel),
		Entry("5,001 members", "makers", "{members: ["+many(5001, "name-%d")+"]}",
			"spec.members: Too many: 5001: must have at most 5000 items"),
		Entry("a member of Kubernetes' own", "makers", `{members: ["system:serviceaccount:default:default"]}`,
			`spec.members[0]: Invalid value: "system:serviceaccount:default:default": `+kubernetesName),
		Entry("51 maintainers", "makers", "{maintainers: ["+many(51, "name-%d")+"]}",
			"spec.maintainers: Too many: 51: must have at most 50 items"),
		Entry("a maintainer of Kubernetes' own", "makers", `{maintainers: ["system:admin"]}`,
			`spec.maintainers[0]: Invalid value: "system:admin": `+kubernetesName),
		Entry("an identityGroup of Kubernetes' own", "makers", `{identityGroup: "system:masters"}`,
			`spec.identityGroup: Invalid value: "system:masters": a group that begins with system: belongs to Kubernetes itself; name a group of the identity provider`),
		Entry("an identityGroup of 254 characters", "makers", "{identityGroup: "+letters(254)+"}",
			"spec.identityGroup: Too long: may not be more than 253 bytes"),
		Entry("a displayName of 201 characters", "makers", "{displayName: "+letters(201)+"}",
			"spec.displayName: Too long: may not be more than 200 bytes"),
		Entry("a description of 2,001 characters", "makers", "{description: "+letters(2001)+"}",
			"spec.description: Too long: may not be more than 2000 bytes"),
	)

	DescribeTable("a Project with", refuses("Project"),
		Entry("a name that isn't a DNS label", "shop.web", "{}",
			"metadata: Invalid value: "+projectLabel),
		Entry("a name of 64 characters", letters(64), "{}",
			"metadata: Invalid value: "+projectLabel),
		Entry("an empty list of namespaces", "shop", "{namespaces: []}",
			"spec.namespaces: Invalid value: 0: spec.namespaces in body should have at least 1 items"),
		Entry("51 namespaces", "shop", "{namespaces: ["+many(51, "name-%d")+"]}",
			"spec.namespaces: Too many: 51: must have at most 50 items"),
		Entry("a namespace that isn't a DNS label", "shop", "{namespaces: [Shop]}",
			`spec.namespaces[0]: Invalid value: "Shop": a namespace's name is a DNS label: lower-case letters, digits and '-', beginning and ending with a letter or digit`),
		Entry("a namespace with a name of 64 characters", "shop", "{namespaces: ["+letters(64)+"]}",
			"spec.namespaces[0]: Too long: may not be more than 63 bytes"),
		Entry("the namespace default", "shop", "{namespaces: [default]}",
			`spec.namespaces[0]: Invalid value: "default": `+namespaceReserved),
		Entry("the namespace roster-system", "shop", "{namespaces: [roster-system]}",
			`spec.namespaces[0]: Invalid value: "roster-system": `+namespaceReserved),
		Entry("a namespace of the cluster's", "shop", "{namespaces: [kube-system]}",
			`spec.namespaces[0]: Invalid value: "kube-system": `+namespaceReserved),
		Entry("a namespace of an organization's", "shop", "{namespaces: [org-acme]}",
			`spec.namespaces[0]: Invalid value: "org-acme": `+namespaceReserved),
		Entry("another deletionPolicy", "shop", "{deletionPolicy: Orphan}",
			`spec.deletionPolicy: Unsupported value: "Orphan": supported values: "Retain", "Delete"`),
		Entry("a displayName of 201 characters", "shop", "{displayName: "+letters(201)+"}",
			"spec.displayName: Too long: may not be more than 200 bytes"),
		Entry("a description of 2,001 characters", "shop", "{description: "+letters(2001)+"}",
			"spec.description: Too long: may not be more than 2000 bytes"),
	)

	DescribeTable("a Role with", refuses("Role"),
		Entry("a rule without API groups", "release", "{rules: [{resources: [pods], verbs: [get]}]}",
			"spec.rules: Invalid value: "+wholeRules),
		Entry("a rule without verbs", "release", `{organizationRules: [{apiGroups: [""], resources: [pods], verbs: []}]}`,
			"spec.organizationRules: Invalid value: "+wholeRules),
		Entry("a rule for paths", "release", `{rules: [{apiGroups: [""], resources: [pods], nonResourceURLs: [/metrics], verbs: [get]}]}`,
			"spec.rules: Invalid value: "+wholeRules),
		Entry("a name that isn't a DNS label", "read.only", "{}",
			"metadata: Invalid value: "+roleNameLabel),
		Entry("a name of 64 characters", letters(64), "{}",
			"metadata: Invalid value: "+roleNameLabel),
		Entry("itself among its includes", "auditor", "{includes: [viewer, auditor]}",
			"spec.includes: Invalid value: a role can't include itself; take its own name out of spec.includes"),
		Entry("owner among its includes", "auditor", "{includes: [owner]}",
			"spec.includes: Invalid value: owner can't be included; only spec.owners of an Organization makes an owner"),
		Entry("33 includes", "auditor", "{includes: ["+many(33, "name-%d")+"]}",
			"spec.includes: Too many: 33: must have at most 32 items"),
		Entry("a ClusterRole of Roster's", "auditor", `{clusterRoles: ["roster:catalogue:owner:project"]}`,
			"spec.clusterRoles: Invalid value: name a ClusterRole that is neither Roster's own (roster:) nor Kubernetes' own (system:); use includes for another Role"),
		Entry("a ClusterRole of Kubernetes' own", "auditor", `{clusterRoles: ["system:node"]}`,
			"spec.clusterRoles: Invalid value: name a ClusterRole that is neither Roster's own (roster:) nor Kubernetes' own (system:); use includes for another Role"),
		Entry("a ClusterRole without a name", "auditor", `{clusterRoles: [""]}`,
			`spec.clusterRoles[0]: Invalid value: "": spec.clusterRoles[0] in body should be at least 1 chars long`),
		Entry("33 ClusterRoles", "auditor", "{clusterRoles: ["+many(33, "name-%d")+"]}",
			"spec.clusterRoles: Too many: 33: must have at most 32 items"),
		Entry("101 rules", "auditor", "{rules: ["+many(101, `{apiGroups: [""], resources: [r%d], verbs: [get]}`)+"]}",
			"spec.rules: Too many: 101: must have at most 100 items"),
		Entry("101 organizationRules", "auditor", "{organizationRules: ["+many(101, `{apiGroups: [""], resources: [r%d], verbs: [get]}`)+"]}",
			"spec.organizationRules: Too many: 101: must have at most 100 items"),
		Entry("a rule without verbs", "auditor", `{rules: [{apiGroups: [""], resources: [pods]}]}`,
			"spec.rules[0].verbs: Required value"),
		Entry("a permission without a verb", "auditor", "{permissions: [crawls]}",
			`spec.permissions[0]: Invalid value: "crawls": a permission is RESOURCE.VERB, both of lower-case letters, digits and '-', such as crawls.start`),
		Entry("a permission of two characters", "auditor", "{permissions: [a.]}",
			`spec.permissions[0]: Invalid value: "a.": spec.permissions[0] in body should be at least 3 chars long`,
			`spec.permissions[0]: Invalid value: "a.": a permission is RESOURCE.VERB, both of lower-case letters, digits and '-', such as crawls.start`),
		Entry("201 permissions", "auditor", "{permissions: ["+many(201, "crawls.verb-%d")+"]}",
			"spec.permissions: Too many: 201: must have at most 200 items"),
		Entry("a displayName of 201 characters", "auditor", "{displayName: "+letters(201)+"}",
			"spec.displayName: Too long: may not be more than 200 bytes"),
		Entry("a description of 2,001 characters", "auditor", "{description: "+letters(2001)+"}",
			"spec.description: Too long: may not be more than 2000 bytes"),
	)

	DescribeTable("a RoleBinding with", refuses("RoleBinding"),
		Entry("no role", "makers", "{subjects: [{kind: User, name: bo}], projects: [shop]}",
			"spec.role: Required value"),
		Entry("the role owner", "makers", "{role: owner, subjects: [{kind: User, name: bo}], projects: [shop]}",
			`spec.role: Invalid value: "owner": owner isn't given by a RoleBinding; add the user to spec.owners of the Organization`),
		Entry("the role none", "makers", "{role: none, subjects: [{kind: User, name: bo}], projects: [shop]}",
			`spec.role: Invalid value: "none": none grants nothing; delete the RoleBinding instead`),
		Entry("no subjects", "makers", "{role: viewer, projects: [shop]}",
			"spec.subjects: Required value"),
		Entry("an empty list of subjects", "makers", "{role: viewer, subjects: [], projects: [shop]}",
			"spec.subjects: Invalid value: 0: spec.subjects in body should have at least 1 items"),
		Entry("501 subjects", "makers", "{role: viewer, subjects: ["+many(501, "{kind: User, name: name-%d}")+"], projects: [shop]}",
			"spec.subjects: Too many: 501: must have at most 500 items"),
		Entry("a subject of another kind", "makers", "{role: viewer, subjects: [{kind: Robot, name: bo}], projects: [shop]}",
			`spec.subjects[0].kind: Unsupported value: "Robot": supported values: "User", "Team", "ServiceAccount", "Group"`),
		Entry("a subject without a name", "makers", `{role: viewer, subjects: [{kind: User, name: ""}], projects: [shop]}`,
			`spec.subjects[0].name: Invalid value: "": spec.subjects[0].name in body should be at least 1 chars long`),
		Entry("a ServiceAccount without a namespace", "makers", "{role: viewer, subjects: [{kind: ServiceAccount, name: ci}], projects: [shop]}",
			"spec.subjects[0]: Invalid value: a ServiceAccount needs its namespace, one of the project's; leave namespace out for other kinds"),
		Entry("a ServiceAccount by the name that the API server knows it by", "makers", `{role: viewer, subjects: [{kind: ServiceAccount, name: "system:serviceaccount:acme-shop:ci", namespace: acme-shop}], projects: [shop]}`,
			"spec.subjects[0].name: Invalid value: a ServiceAccount's name is lower-case letters, digits, '-' and '.', without its namespace; put the namespace in spec.subjects[].namespace"),
		Entry("a User with a namespace", "makers", "{role: viewer, subjects: [{kind: User, name: bo, namespace: acme-shop}], projects: [shop]}",
			"spec.subjects[0]: Invalid value: a ServiceAccount needs its namespace, one of the project's; leave namespace out for other kinds"),
		Entry("a User of Kubernetes' own", "makers", `{role: viewer, subjects: [{kind: User, name: "system:admin"}], projects: [shop]}`,
			"spec.subjects[0]: Invalid value: "+kubernetesSubject),
		Entry("a Group of Kubernetes' own", "makers", `{role: viewer, subjects: [{kind: Group, name: "system:authenticated"}], projects: [shop]}`,
			"spec.subjects[0]: Invalid value: "+kubernetesSubject),
		Entry("a ServiceAccount of a namespace of the cluster's", "makers", "{role: viewer, subjects: [{kind: ServiceAccount, name: ci, namespace: kube-system}], projects: [shop]}",
			`spec.subjects[0].namespace: Invalid value: "kube-system": `+namespaceReserved),
		Entry("no scope", "makers", "{role: viewer, subjects: [{kind: User, name: bo}]}",
			"spec: Invalid value: "+chooseScope),
		Entry("organizationWide: false and no other scope", "makers", "{role: viewer, subjects: [{kind: User, name: bo}], organizationWide: false}",
			"spec: Invalid value: "+chooseScope),
		Entry("two scopes", "makers", "{role: viewer, subjects: [{kind: User, name: bo}], projects: [shop], organizationWide: true}",
			"spec: Invalid value: "+chooseScope),
		Entry("an empty list of projects", "makers", "{role: viewer, subjects: [{kind: User, name: bo}], projects: []}",
			"spec.projects: Invalid value: 0: spec.projects in body should have at least 1 items"),
		Entry("2,001 projects", "makers", "{role: viewer, subjects: [{kind: User, name: bo}], projects: ["+many(2001, "name-%d")+"]}",
			"spec.projects: Too many: 2001: must have at most 2000 items"),
		Entry("an empty projectSelector", "makers", "{role: viewer, subjects: [{kind: User, name: bo}], projectSelector: {}}",
			"spec.projectSelector: Invalid value: an empty projectSelector would mean every project; set organizationWide: true if everything is meant"),
		Entry("an end that lies beyond the last year in UTC", "makers", boundUntil(`expiresAt: "9999-12-31T23:59:59-23:59"`),
			`spec.expiresAt: Invalid value: "9999-12-31T23:59:59-23:59"`+timeInUTC),
		Entry("a beginning that lies before the first year in UTC", "makers", boundUntil(`notBefore: "0000-01-01T00:00:00+01:00"`),
			`spec.notBefore: Invalid value: "0000-01-01T00:00:00+01:00"`+timeInUTC),
		Entry("an end that Go takes for none", "makers", boundUntil(`expiresAt: "0001-01-01T00:00:00Z"`),
			`spec.expiresAt: Invalid value: "0001-01-01T00:00:00Z"`+timeInUTC),
		Entry("an end before the beginning", "makers", `{role: viewer, subjects: [{kind: User, name: bo}], projects: [shop], notBefore: "2030-01-02T00:00:00Z", expiresAt: "2030-01-01T00:00:00Z"}`,
			"spec: Invalid value: notBefore must be earlier than expiresAt; set an earlier spec.notBefore or a later spec.expiresAt"),
	)

	DescribeTable("a User with", refuses("User"),
		Entry("a second factor from beyond the last year in UTC", "bo",
			`{username: bo, mfa: {enrolled: true, since: "9999-12-31T23:59:59-23:59"}}`, `spec.mfa.since: Invalid value: "9999-12-31T23:59:59-23:59"`+timeInUTC),
		Entry("no username", "bo", "{}",
			"spec.username: Required value"),
		Entry("a username of Kubernetes' own", "bo", `{username: "system:admin"}`,
			`spec.username: Invalid value: "system:admin": `+kubernetesName),
		Entry("an empty username", "bo", `{username: ""}`,
			`spec.username: Invalid value: "": spec.username in body should be at least 1 chars long`),
		Entry("an email without a domain", "bo", "{username: bo@acme.example, email: bo.acme.example}",
			`spec.email: Invalid value: "bo.acme.example": spec.email in body should match '^[^\s@<>]+@[^\s@<>]+$'`),
		Entry("a displayName of 201 characters", "bo", "{username: bo@acme.example, displayName: "+letters(201)+"}",
			"spec.displayName: Too long: may not be more than 200 bytes"),
		Entry("a method of 64 characters", "bo", "{username: bo@acme.example, mfa: {enrolled: true, method: "+letters(64)+"}}",
			"spec.mfa.method: Too long: may not be more than 63 bytes"),
	)
})

const (
	instant = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// wholeRules is what a rule has to name.
	wholeRules = `each rule names verbs, apiGroups ("" is the core group) and resources, and no nonResourceURLs: a role holds in namespaces`
)

var _ = Describe("The schema accepts", func() {
	DescribeTable("an Organization with", accepts("Organization"),
		Entry("a name of 40 characters", letters(40), "{owners: [ana@acme.example]}"),
		Entry("50 owners", "acme-fifty", "{owners: ["+many(50, "name-%d")+"]}"),
		Entry("a Personal type and one owner", "acme-personal", "{owners: [ana@acme.example], type: Personal}"),
	)

	DescribeTable("a Membership with", accepts("Membership"),
		Entry("nothing but an email", "bo", "{email: bo@acme.example}"),
		Entry("[none]", "bo", "{user: bo@acme.example, roles: [none]}"),
		Entry("a username with signs", "bo", `{user: "https://id.example/#Bo Ek"}`),
		Entry("an invitation of a year", "bo", "{user: bo@acme.example, invitation: {expiresAfter: 8760h}}"),
	)

	DescribeTable("a Team with", accepts("Team"),
		Entry("nothing", "makers", "{}"),
		Entry("a name of 63 characters", letters(63), "{}"),
		Entry("a role and no projects yet", "makers", "{role: viewer}"),
		Entry("5,000 members and 2,000 projects", "makers",
			"{role: viewer, members: ["+many(5000, "name-%d@acme.example")+"], projects: ["+many(2000, "name-%d")+"]}"),
		Entry("allProjects: false and projects", "makers", "{role: viewer, allProjects: false, projects: [shop]}"),
	)

	DescribeTable("a Project with", accepts("Project"),
		Entry("nothing", "shop", "{}"),
		Entry("50 namespaces", "shop", "{namespaces: ["+many(50, "shop-%d")+"]}"),
	)

	DescribeTable("a Role with", accepts("Role"),
		Entry("nothing", "auditor", "{}"),
		Entry("everything", "auditor", `{includes: [viewer], clusterRoles: [edit], permissions: [crawls.start], `+
			`rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}], organizationRules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`),
	)

	DescribeTable("a RoleBinding with", accepts("RoleBinding"),
		Entry("500 subjects", "makers", "{role: viewer, subjects: ["+many(500, "{kind: User, name: name-%d}")+"], projects: [shop]}"),
		Entry("a ServiceAccount", "makers",
			"{role: viewer, subjects: [{kind: ServiceAccount, name: ci, namespace: acme-shop}], projects: [shop]}"),
		Entry("organizationWide: false and projects", "makers",
			"{role: viewer, subjects: [{kind: Group, name: oidc:all}], organizationWide: false, projects: [shop]}"),
	)

	It("a Team of 5,000 members and 2,000 projects when the webhook is asked too", func(ctx SpecContext) {
		acme := openAccount(ctx, "schema-large")
		large := manifest("Team", "makers",
			"{role: viewer, members: ["+many(5000, "name-%d@acme.example")+"], projects: ["+many(2000, "name-%d")+"]}")
		large.SetNamespace(acme.namespace())
		Expect(k8s.Create(ctx, large, client.DryRunAll)).To(Succeed())
	})

	It("objects that leave out what has a default, and fills it in", func(ctx SpecContext) {
		organization := manifest("Organization", "schema-defaults", "{owners: [ana@schema.example]}")
		Expect(k8s.Create(ctx, organization, client.DryRunAll)).To(Succeed())
		Expect(organization.Object).To(HaveKeyWithValue("spec", map[string]any{
			"owners": []any{"ana@schema.example"}, "type": "Standard",
			"membership": map[string]any{"defaultRoles": []any{"member"}, "invitationTTL": "168h"},
			"safeguards": map[string]any{"maxRemovalPercent": int64(20)}, "joinRequests": "Open",
			"tokens": map[string]any{"maxTTL": "2160h"},
		}))
		project := manifest("Project", "schema-defaults", "{}")
		delete(project.Object, "spec")
		Expect(unasked.Client.Create(ctx, project, client.DryRunAll)).To(Succeed())
		Expect(project.Object).To(HaveKeyWithValue("spec", map[string]any{"deletionPolicy": "Retain"}))
		user := manifest("User", "schema-defaults", "{username: ana@schema.example}")
		Expect(k8s.Create(ctx, user, client.DryRunAll)).To(Succeed())
		Expect(user.Object).To(HaveKeyWithValue("spec", map[string]any{
			"username": "ana@schema.example", "mfa": map[string]any{"enrolled": false},
		}))
	})
})

var _ = Describe("The schema refuses to change", func() {
	It("the user of a Membership", func(ctx SpecContext) {
		acme := openAccount(ctx, "schema-user")
		membership := acme.join(ctx, "bo", "viewer")
		const message = "spec: Invalid value: spec.user can't be changed once it is set; delete the Membership and make one " +
			"for the other user"
		expectRefusedPatch(ctx, membership, `{"spec":{"user":"chloe@schema-user.example"}}`, message)
		expectRefusedPatch(ctx, membership, `{"spec":{"user":null,"email":"bo@schema-user.example"}}`, message)
	})

	It("an invitation's email to no address at all, and not to add its user", func(ctx SpecContext) {
		acme := openAccount(ctx, "schema-email")
		membership := expectations.Membership(acme.Name, "bo", "", "viewer")
		membership.Spec.Email = "bo@schema-email.example"
		expect.Create(ctx, membership)
		expectRefusedPatch(ctx, membership, `{"spec":{"email":null}}`, "spec: Invalid value: set spec.user to the username "+
			"that the API server authenticates, or spec.email to invite somebody whose username isn't known yet")
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"user":"bo@schema-email.example"}}`))
		Expect(k8s.Patch(ctx, membership, patch)).To(Succeed())
	})

	It("the username of a User", func(ctx SpecContext) {
		user := &v1alpha1.User{Spec: v1alpha1.UserSpec{Username: "bo@schema-username.example"}}
		user.Name = "schema-username"
		expect.Create(ctx, user)
		expectRefusedPatch(ctx, user, `{"spec":{"username":"chloe@schema-username.example"}}`,
			"spec: Invalid value: spec.username can't be changed; make a User for the other username")
	})

	It("a Standard organization to a Personal one", func(ctx SpecContext) {
		acme := openAccount(ctx, "schema-standard")
		expectRefusedPatch(ctx, acme.Organization, `{"spec":{"type":"Personal"}}`, `spec.type: Invalid value: "Personal": a `+
			"Standard organization can't become Personal; Roster makes Personal organizations by itself")
	})
})

var _ = Describe("kubectl", func() {
	It("shows what the schema refuses as it is", func(ctx SpecContext) {
		expectApplied(ctx, manifest("Organization", "schema-kubectl", `{owners: [""]}`), `The Organization "schema-kubectl" is `+
			`invalid: spec.owners[0]: Invalid value: "": spec.owners[0] in body should be at least 1 chars long`+"\n")
		expectApplied(ctx, manifest("Organization", "kube", "{owners: [ana@schema.example]}"),
			`The Organization "kube" is invalid: metadata: Invalid value: `+organizationReserved+"\n")
	})

	It("refuses a field that there isn't", func(ctx SpecContext) {
		expectApplied(ctx, manifest("Organization", "schema-typo", "{owner: ana@schema.example, owners: [ana@schema.example]}"),
			`strict decoding error: unknown field "spec.owner"`+"\n")
	})

	It("shows the columns of every kind", func(ctx SpecContext) {
		acme := openAccount(ctx, "schema-columns")
		emea := acme.below(ctx, "schema-columns-sub")
		acme.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop")})
		acme.bind(ctx, "makers", v1alpha1.RoleBindingSpec{
			Role: "editor", Subjects: acme.people("bo"), Projects: objectNames("shop"),
		})
		acme.role(ctx, "auditor", v1alpha1.RoleSpec{Includes: roles("viewer")})
		user := userCalled(ctx, acme.user("bo"))
		Eventually(placesOf(ctx, user)).WithContext(ctx).Should(HaveLen(3))

		header, row := table(ctx, "org", emea.Name)
		Expect(header).To(Equal("NAME PARENT OWNERS MEMBERS PROJECTS READY AGE"))
		Expect(row).To(HavePrefix("schema-columns-sub schema-columns 1 1 0 True"))
		header, row = table(ctx, "mbr", "bo", "-n", acme.namespace())
		Expect(header).To(Equal("NAME USER ROLES SOURCE PHASE READY AGE"))
		Expect(row).To(HavePrefix(`bo bo@schema-columns.example ["viewer"] Direct Active True`))
		header, row = table(ctx, "team", "makers", "-n", acme.namespace())
		Expect(header).To(Equal("NAME ROLE MEMBERS PROJECTS READY AGE"))
		Expect(row).To(HavePrefix("makers developer 1 1 True"))
		header, row = table(ctx, "proj", "shop", "-n", acme.namespace())
		Expect(header).To(Equal("NAME NAMESPACES READY AGE"))
		Expect(row).To(HavePrefix(`shop ["schema-columns-shop"] True`))
		header, row = table(ctx, "rrole", "auditor", "-n", acme.namespace())
		Expect(header).To(Equal("NAME INCLUDES RULES READY AGE"))
		Expect(row).To(HavePrefix(`auditor ["viewer"] `))
		header, row = table(ctx, "rrb", "makers", "-n", acme.namespace())
		Expect(header).To(Equal("NAME ROLE SUBJECTS SCOPE EXPIRES READY AGE"))
		Expect(row).To(HavePrefix("makers editor 1 1 project True"))
		header, row = table(ctx, "usr", user.Name)
		Expect(header).To(Equal("NAME USERNAME MFA ORGANIZATIONS LAST-SEEN AGE"))
		Expect(row).To(HavePrefix(user.Name + " bo@schema-columns.example false 3 unknown "))
		token := &v1alpha1.APIToken{ObjectMeta: expectations.InOrganization(acme.Name, "ci"), Spec: v1alpha1.APITokenSpec{
			User: v1alpha1.Username(acme.user("bo")), Roles: roles("viewer"), Projects: objectNames("shop"),
		}}
		made(ctx, token)
		header, row = table(ctx, "tok", "ci", "-n", acme.namespace())
		Expect(header).To(Equal("NAME USER ROLES PHASE EXPIRES LAST-USED AGE"))
		Expect(row).To(MatchRegexp(`^ci bo@schema-columns.example \["viewer"\] Active \S+ unknown `))
	})

	It("finds Memberships by user, Users by username and email, and Organizations by parent", func(ctx SpecContext) {
		acme, other := openAccount(ctx, "schema-fields"), openAccount(ctx, "schema-fields-other")
		emea := acme.below(ctx, "schema-fields-sub")
		acme.join(ctx, "bo", "viewer")
		acme.join(ctx, "chloe", "viewer")
		made(ctx, expectations.Membership(other.Name, "bo", acme.user("bo"), "viewer"))
		user := userCalled(ctx, acme.user("bo"))
		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Email = "bo.mail@schema-fields.example" })

		Expect(found(ctx, "mbr", "spec.user="+acme.user("bo"), "-A")).To(Equal("membership.roster.dev/bo membership.roster.dev/bo"))
		Expect(found(ctx, "mbr", "spec.user="+acme.user("chloe"), "-A")).To(Equal("membership.roster.dev/chloe"))
		Expect(found(ctx, "usr", "spec.username="+acme.user("bo"))).To(Equal("user.roster.dev/" + user.Name))
		Expect(found(ctx, "usr", "spec.email=bo.mail@schema-fields.example")).To(Equal("user.roster.dev/" + user.Name))
		Expect(found(ctx, "org", "spec.parent="+acme.Name)).To(Equal("organization.roster.dev/" + emea.Name))
	})

	It("finds all of Roster's kinds in the category roster", func(ctx SpecContext) {
		output, err := cluster.Kubectl(ctx, "api-resources", "--categories=roster", "-o", "name", "--sort-by=name")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Fields(output)).To(ConsistOf(
			"apitokens.roster.dev", "joinrequests.roster.dev", "memberships.roster.dev", "organizations.roster.dev",
			"projects.roster.dev", "rolebindings.roster.dev", "roles.roster.dev", "teams.roster.dev", "users.roster.dev"))
	})
})

// manifest is an object as somebody writes it. What has a namespace is in default.
func manifest(kind, name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{Object: map[string]any{}}
	var content map[string]any
	Expect(yaml.Unmarshal([]byte(spec), &content)).To(Succeed())
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetName(name)
	if kind != "Organization" && kind != "User" {
		object.SetNamespace("default")
	}
	object.Object["spec"] = content
	return object
}

// refuses makes the body of a table: the object is refused with exactly these causes, each as FIELD: MESSAGE. The webhook
// isn't asked, which would fill in an owner.
func refuses(kind string) any {
	return func(ctx SpecContext, name, spec string, causes ...string) {
		err := unasked.Client.Create(ctx, manifest(kind, name, spec), client.DryRunAll)
		Expect(causesOf(err)).To(Equal(causes))
	}
}

// accepts makes the body of a table: the object is accepted. The webhook isn't asked here either, since it wants namespaces
// of organizations.
func accepts(kind string) any {
	return func(ctx SpecContext, name, spec string) {
		Expect(unasked.Client.Create(ctx, manifest(kind, name, spec), client.DryRunAll)).To(Succeed())
	}
}

// causesOf is what kubectl lists of a refusal, without Kubernetes' own remark that it stopped looking for more.
func causesOf(err error) []string {
	GinkgoHelper()
	var refusal *apierrors.StatusError
	Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
	Expect(refusal.ErrStatus.Details).NotTo(BeNil(), "%v", err)
	var causes []string
	for _, cause := range refusal.ErrStatus.Details.Causes {
		if !strings.Contains(cause.Message, "some validation rules were not checked") {
			causes = append(causes, cause.Field+": "+cause.Message)
		}
	}
	return causes
}

func expectRefusedPatch(ctx context.Context, object client.Object, patch, cause string) {
	GinkgoHelper()
	err := k8s.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)))
	Expect(causesOf(err)).To(Equal([]string{cause}))
}

// expectApplied applies a manifest with kubectl and expects that it fails and what it shows at the end.
func expectApplied(ctx context.Context, object *unstructured.Unstructured, shown string) {
	GinkgoHelper()
	content, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "manifest.yaml")
	Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
	_, err = cluster.Kubectl(ctx, "apply", "--filename", file)
	Expect(err).To(MatchError(HaveSuffix(shown)))
}

// table is what kubectl get shows of one object: the header and the row, with single spaces.
func table(ctx context.Context, arguments ...string) (header, row string) {
	GinkgoHelper()
	output, err := cluster.Kubectl(ctx, append([]string{"get"}, arguments...)...)
	Expect(err).NotTo(HaveOccurred())
	lines := strings.Split(strings.TrimSpace(output), "\n")
	Expect(lines).To(HaveLen(2))
	return strings.Join(strings.Fields(lines[0]), " "), strings.Join(strings.Fields(lines[1]), " ")
}

// found are the names that kubectl get shows for a field selector.
func found(ctx context.Context, kind, selector string, arguments ...string) string {
	GinkgoHelper()
	arguments = append([]string{"get", kind, "--field-selector", selector, "--output", "name"}, arguments...)
	output, err := cluster.Kubectl(ctx, arguments...)
	Expect(err).NotTo(HaveOccurred())
	return strings.Join(strings.Fields(output), " ")
}

// letters is a text of that length.
func letters(count int) string { return strings.Repeat("a", count) }

// many is a list's elements, each with its number.
func many(count int, format string) string {
	elements := make([]string, 0, count)
	for i := range count {
		elements = append(elements, fmt.Sprintf(format, i))
	}
	return strings.Join(elements, ", ")
}
