package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OrganizationType says what an organization is for.
//
// +kubebuilder:validation:Enum=Standard;Personal
type OrganizationType string

const (
	// OrganizationStandard is an organization with a namespace, members and projects.
	OrganizationStandard OrganizationType = "Standard"
	// OrganizationPersonal is made by Roster for a user who owns no other; it is this one object and no namespace.
	OrganizationPersonal OrganizationType = "Personal"
)

// OrganizationSpec says what an organization is and who owns it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.parent) || self.type != 'Personal'",message="a Personal organization has no parent; leave spec.parent out or set spec.type to Standard"
// +kubebuilder:validation:XValidation:rule="self.type != 'Personal' || size(self.owners) == 1",message="a Personal organization has exactly one owner; set spec.type to Standard to share it"
type OrganizationSpec struct {
	// displayName is what people call the organization.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// description says what the organization is for.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Description string `json:"description,omitempty"`

	// parent is the organization above this one, whose members' roles are inherited. Without it the organization stands
	// on its own. Organizations form a forest, at most 8 deep.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Parent string `json:"parent,omitempty"`

	// type is Standard, or Personal for the organization that Roster makes for a user who owns none.
	// +optional
	// +kubebuilder:default=Standard
	// +kubebuilder:validation:XValidation:rule="oldSelf == self || self == 'Standard'",message="a Standard organization can't become Personal; Roster makes Personal organizations by itself"
	Type OrganizationType `json:"type,omitempty"`

	// owners are the usernames of those who may do everything in the organization and those below it. No Membership can
	// lower, suspend or end that. 1 to 50; that there is at least one is the owner invariant, held by this very list.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Owners []Username `json:"owners"`

	// requireMFA takes everybody's access in this organization and those below for as long as their User object doesn't
	// say that a second factor is enrolled.
	// +optional
	RequireMFA bool `json:"requireMFA,omitempty"`

	// membership says how people become members.
	// +optional
	// +kubebuilder:default={}
	Membership MembershipPolicy `json:"membership,omitempty"`

	// tokens bounds the APITokens of the organization.
	// +optional
	// +kubebuilder:default={}
	Tokens TokenPolicy `json:"tokens,omitempty"`

	// joinRequests says whether teams of other organizations may ask for access here: Open or Closed. Closed refuses new
	// requests; what was approved stays.
	// +optional
	// +kubebuilder:default=Open
	JoinRequests JoinRequestPolicy `json:"joinRequests,omitempty"`

	// safeguards hold back what looks like an accident.
	// +optional
	// +kubebuilder:default={}
	Safeguards Safeguards `json:"safeguards,omitempty"`

	// reports says whether a report of all members is mailed each month, and to whom.
	// +optional
	Reports ReportPolicy `json:"reports,omitempty"`
}

// ReportPolicy says whether a report is mailed each month.
type ReportPolicy struct {
	// monthly has a report of all members, their roles, when they were last seen and what stands out mailed on the first day
	// of each month (UTC), and kept. False unless set.
	// +optional
	Monthly bool `json:"monthly,omitempty"`

	// recipients are the mail addresses that the monthly report goes to, up to 50. Left out: the owners of the organization.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Recipients []MailAddress `json:"recipients,omitempty"`
}

// MailAddress is where mail goes: NAME@DOMAIN.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=254
// +kubebuilder:validation:Pattern=`^[^\s@<>]+@[^\s@<>]+$`
type MailAddress string

// TokenPolicy bounds APITokens.
type TokenPolicy struct {
	// maxTTL is the longest that an APIToken of this organization lives from its creation, whatever it says itself. 2160h (90
	// days) unless set. A shorter one counts for tokens that are there too, a longer one for new ones alone. A duration such
	// as 720h.
	// +optional
	// +kubebuilder:default="2160h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="maxTTL is a duration such as 720h, at least 10m, the shortest life that Kubernetes gives a token, and at most 87600h (ten years)"
	MaxTTL *metav1.Duration `json:"maxTTL,omitempty"`
}

// Longest is the longest that a token may live.
func (p TokenPolicy) Longest() time.Duration {
	if p.MaxTTL == nil {
		return DefaultMaxTokenTTL
	}
	return p.MaxTTL.Duration
}

// JoinRequestPolicy says whether others may ask for access.
//
// +kubebuilder:validation:Enum=Open;Closed
type JoinRequestPolicy string

const (
	// JoinRequestsOpen lets every organization's teams ask.
	JoinRequestsOpen JoinRequestPolicy = "Open"
	// JoinRequestsClosed lets nobody ask.
	JoinRequestsClosed JoinRequestPolicy = "Closed"
)

// Safeguards hold back what looks like an accident.
type Safeguards struct {
	// maxRemovalPercent is how much of those who have access may lose the last of it in some namespace within 10 minutes,
	// 0 to 100, because Memberships, Teams, RoleBindings or Projects are deleted or entries are taken from their lists. Up
	// to 20 users always may. What goes beyond is held until somebody approves it or the manifests come back; the condition
	// RemovalsHeld says how. 100 switches this off. A lower value counts at once, a higher one 10 minutes after it was set
	// and not while anything is held.
	// +optional
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxRemovalPercent *int32 `json:"maxRemovalPercent,omitempty"`
}

// defaultRemovalPercent is what an organization has that says nothing, as the schema's default does.
const defaultRemovalPercent = 20

// RemovalPercent returns how much of those who have access may lose it within 10 minutes.
func (s Safeguards) RemovalPercent() int {
	if s.MaxRemovalPercent == nil {
		return defaultRemovalPercent
	}
	return int(*s.MaxRemovalPercent)
}

// MembershipPolicy says what a new Membership gets that doesn't say so itself.
type MembershipPolicy struct {
	// defaultRoles are the roles of a Membership that names none.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={"member"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="!('owner' in self)",message="only spec.owners makes an owner; leave owner out of defaultRoles"
	// +kubebuilder:validation:XValidation:rule="!('none' in self) || size(self) == 1",message="none means no role at all and stands alone; remove it or the other roles"
	DefaultRoles []RoleName `json:"defaultRoles,omitempty"`

	// requireAcceptance makes each Membership that is made from now on an invitation, which the user must accept before it
	// gives anything. Memberships that are there already stay as they are, also when it is switched off.
	// +optional
	RequireAcceptance bool `json:"requireAcceptance,omitempty"`

	// invitationTTL is how long an invitation can be answered that doesn't say so itself. A duration such as 168h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="invitationTTL is a duration such as 168h or 90m, more than 0 and at most 8760h (a year)"
	InvitationTTL *metav1.Duration `json:"invitationTTL,omitempty"`
}

// OrganizationStatus is what Roster found and did.
type OrganizationStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, OwnersAvailable, RemovalsHeld, Reported.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// namespace is the organization's own namespace, once it is there and labelled.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// depth is the organization's place in its tree: 1 without a parent, at most 8.
	// +optional
	Depth int32 `json:"depth,omitempty"`

	// path names the organization's ancestors and itself, from the root: acme/emea/fr.
	// +optional
	Path string `json:"path,omitempty"`

	// owners counts the organization's own owners.
	// +optional
	Owners OwnerCounts `json:"owners,omitempty"`

	// members counts users by their place in the organization.
	// +optional
	Members MemberCounts `json:"members,omitempty"`

	// teams is the number of Teams in the organization.
	// +optional
	Teams int32 `json:"teams"`

	// projects is the number of Projects in the organization.
	// +optional
	Projects int32 `json:"projects"`

	// tokens is the number of APITokens in the organization that haven't ended.
	// +optional
	Tokens int32 `json:"tokens"`

	// pendingJoinRequests is the number of JoinRequests that wait for a decision.
	// +optional
	PendingJoinRequests int32 `json:"pendingJoinRequests"`

	// heldRemovals are the removals of access that are held, while any are.
	// +optional
	HeldRemovals *HeldRemovals `json:"heldRemovals,omitempty"`
}

// MaxHeldUsers is how many held users a status lists by name.
const MaxHeldUsers = 5000

// HeldRemovals are removals of access that wait for somebody to approve them, or for the manifests to come back.
type HeldRemovals struct {
	// digest names exactly these removals. The annotation roster.dev/approve-removals with this value lets them go.
	// +required
	Digest string `json:"digest"`
	// count is the number of users who keep access that nothing gives them any more.
	// +required
	Count int32 `json:"count"`
	// users are their names, sorted; the first 5,000.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5000
	Users []string `json:"users,omitempty"`
	// since is when the first of them was held.
	// +required
	Since metav1.Time `json:"since"`
}

// OwnerCounts counts the owners of an organization.
type OwnerCounts struct {
	// declared is the number of owners that the spec names.
	// +optional
	Declared int32 `json:"declared"`
	// available is the number of those who may act now: not deactivated, and with a second factor where one is required.
	// +optional
	Available int32 `json:"available"`
}

// MemberCounts counts users by their place in an organization.
type MemberCounts struct {
	// active is the number of members by an ownership or Membership of this very organization that may act now.
	// +optional
	Active int32 `json:"active"`
	// invited is the number of Memberships that wait for an answer.
	// +optional
	Invited int32 `json:"invited"`
	// suspended is the number of users whose access is held back: by request, deactivation or a missing second factor.
	// +optional
	Suspended int32 `json:"suspended"`
	// inherited is the number of members by an ancestor alone.
	// +optional
	Inherited int32 `json:"inherited"`
}

// Organization is an account: it has owners, members, teams and projects, a namespace of its own (org-NAME), and
// possibly a parent whose members it inherits. Its name is a DNS label of at most 40 characters.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=org,categories=roster
// +kubebuilder:selectablefield:JSONPath=`.spec.parent`
// +kubebuilder:printcolumn:name=Parent,type=string,JSONPath=`.spec.parent`
// +kubebuilder:printcolumn:name=Owners,type=integer,JSONPath=`.status.owners.declared`
// +kubebuilder:printcolumn:name=Members,type=integer,JSONPath=`.status.members.active`
// +kubebuilder:printcolumn:name=Projects,type=integer,JSONPath=`.status.projects`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="an organization's name is a DNS label of at most 40 characters: lower-case letters, digits and '-', beginning and ending with a letter or digit",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="!(self.metadata.name in ['org', 'roster', 'default', 'kube']) && !self.metadata.name.startsWith('org-') && !self.metadata.name.startsWith('kube-')",message="org, roster, default, kube, org-* and kube-* can't be an organization's name, as its namespaces would look like the cluster's own or another organization's; choose another name",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.parent) || self.spec.parent != self.metadata.name",message="an organization can't be its own parent; leave spec.parent out for an organization that stands on its own",fieldPath=".spec.parent"
type Organization struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec OrganizationSpec `json:"spec"`
	// +optional
	Status OrganizationStatus `json:"status,omitempty"`
}

// OrganizationList is a list of Organizations.
//
// +kubebuilder:object:root=true
type OrganizationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Organization `json:"items"`
}

// GetConditions returns the conditions of the status.
func (o *Organization) GetConditions() *[]metav1.Condition { return &o.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (o *Organization) SetObservedGeneration(generation int64) {
	o.Status.ObservedGeneration = generation
}

// IsPersonal says whether the organization is a user's own, without a namespace.
func (o *Organization) IsPersonal() bool { return o.Spec.Type == OrganizationPersonal }
