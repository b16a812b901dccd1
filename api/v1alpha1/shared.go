package v1alpha1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// SystemNamespace is where Roster itself runs and where the catalogue, the Roles that every organization can use,
	// lives.
	SystemNamespace = "roster-system"

	// OrganizationNamespacePrefix begins the name of an organization's own namespace: organization acme owns org-acme.
	OrganizationNamespacePrefix = "org-"

	// Finalizer keeps an object until the access it stands for is gone.
	Finalizer = "roster.dev/access"

	// LabelOrganization names the organization that a namespace or a managed binding belongs to.
	LabelOrganization = "roster.dev/organization"
	// LabelProject names the project that a namespace belongs to.
	LabelProject = "roster.dev/project"
	// LabelRole names the Role that a managed binding or ClusterRole was made for.
	LabelRole = "roster.dev/role"
	// LabelManagedBy is the well-known label that says who keeps an object.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedByRoster is the value of LabelManagedBy on everything that Roster makes.
	ManagedByRoster = "roster"
	// FieldManager is the name under which the API server records what the manager wrote, in metadata.managedFields.
	FieldManager = "roster-manager"

	// AnnotationChangedBy is the authenticated user who last changed the spec, the labels or Roster's annotations of an
	// object. Roster writes it at admission; what a request says itself counts for nothing.
	AnnotationChangedBy = "roster.dev/changed-by"
	// AnnotationDeletedBy is the authenticated user who deleted an object that isn't gone yet; the first one counts.
	AnnotationDeletedBy = "roster.dev/deleted-by"
	// AnnotationConfirmDeletion must hold the name of an Organization, of a Project that deletes its namespaces, of one of
	// their namespaces, or of what all organizations rest on before it can be deleted.
	AnnotationConfirmDeletion = "roster.dev/confirm-deletion"
	// AnnotationApproveRemovals on an Organization lets exactly those removals go whose digest it holds.
	AnnotationApproveRemovals = "roster.dev/approve-removals"

	// AnnotationResendInvitation on a Membership invites again when its value changes: with a new life, a new mail and, for
	// an address, a new code. By custom the value is the time.
	AnnotationResendInvitation = "roster.dev/resend-invitation"

	// RoleOwner is the role of those whom an organization's spec.owners names, and of nobody else.
	RoleOwner = "owner"
	// RoleAdministrator is the catalogue's role for who runs an organization without owning it.
	RoleAdministrator = "administrator"
	// RoleMaintainer is the catalogue's role for who makes and changes projects and teams.
	RoleMaintainer = "maintainer"
	// RoleDeveloper is the most that a ServiceAccount may hold.
	RoleDeveloper = "developer"
	// RoleViewer is the catalogue's role for who sees what is in projects, except Secrets.
	RoleViewer = "viewer"
	// RoleMember is the role that a Membership gets which names none, unless its organization says otherwise.
	RoleMember = "member"
	// RoleBilling is the catalogue's role for an organization's subscription and reports.
	RoleBilling = "billing"
	// RoleTeamMaintainer lets the maintainers of a team change that team; a policy holds them to its members and
	// maintainers. Teams alone give it.
	RoleTeamMaintainer = "team-maintainer"
	// RoleNone says "no role here": the user is a member and holds what an ancestor gives.
	RoleNone = "none"
)

// MaxOrganizationNameLength is the most characters of an organization's name, as the schema has it.
const MaxOrganizationNameLength = 40

// MaxOrganizationDepth is how deep organizations may nest; an organization without a parent has depth 1.
const MaxOrganizationDepth = 8

// AnnotationPrefix begins all annotations and labels that are Roster's own.
const AnnotationPrefix = "roster.dev/"

const (
	// ConditionReady says that the cluster is what the object asks for.
	ConditionReady = "Ready"
	// ConditionReconciling is True while Roster works towards what the object asks for (read by kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when nothing changes until somebody changes the object or what it refers to (read by
	// kstatus).
	ConditionStalled = "Stalled"
	// ConditionMembersMissing is True on a Team or RoleBinding that lists users who aren't members of the organization.
	ConditionMembersMissing = "MembersMissing"
	// ConditionUngated is True where an identity provider's group holds access that Roster can't gate by user.
	ConditionUngated = "Ungated"
	// ConditionOwnersAvailable says whether at least one owner of the organization may act now.
	ConditionOwnersAvailable = "OwnersAvailable"
	// ConditionRemovalsHeld is True on an Organization while users keep access that more removals at once than its
	// safeguard lets go would take; the message says how many, whom, and the digest that approves it.
	ConditionRemovalsHeld = "RemovalsHeld"
	// ConditionMailed says of an invitation whether it was mailed, and if not how it can be answered all the same.
	ConditionMailed = "Mailed"
	// ConditionReported says of an Organization with monthly reports whether the last one was mailed, and when the next is due.
	ConditionReported = "Reported"
	// ConditionNarrowed is True on a Role of which something is left out on purpose; the message says what.
	ConditionNarrowed = "Narrowed"
)

// Username is the name by which the API server knows a user once authenticated.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="a name that begins with system: belongs to Kubernetes itself and can't be given access here; name a person's username"
type Username string

// RoleName is the name of a Role: of the organization, of one of its ancestors, or of the catalogue.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a role's name is a DNS label: lower-case letters, digits and '-', beginning and ending with a letter or digit"
type RoleName string

// ObjectName is the name of another object in the same organization.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
type ObjectName string

// NamespaceName is the name of a namespace that holds a project's workloads.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a namespace's name is a DNS label: lower-case letters, digits and '-', beginning and ending with a letter or digit"
// +kubebuilder:validation:XValidation:rule="!(self in ['default', 'roster-system']) && !self.startsWith('kube-') && !self.startsWith('org-')",message="default, roster-system, kube-* and the organizations' own namespaces org-* can't be a project's; name a namespace of the project's own"
type NamespaceName string

// Object is what Roster's kinds have in common.
//
// +kubebuilder:object:generate=false
type Object interface {
	metav1.Object
	// GetConditions returns the conditions of the object's status, to be read and changed.
	GetConditions() *[]metav1.Condition
	// SetObservedGeneration records which generation of the spec the status speaks of.
	SetObservedGeneration(int64)
}

// OrganizationNamespace returns the name of an organization's own namespace.
func OrganizationNamespace(organization string) string {
	return OrganizationNamespacePrefix + organization
}

// OrganizationOf returns the organization whose own namespace this would be, and whether the name is one of an
// organization's own namespace at all.
func OrganizationOf(namespace string) (organization string, found bool) {
	return strings.CutPrefix(namespace, OrganizationNamespacePrefix)
}
