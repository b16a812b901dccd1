package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// InvitationResponse is what an invited person answered.
//
// +kubebuilder:validation:Enum=Accepted;Declined
type InvitationResponse string

const (
	// InvitationAccepted makes the Membership Active.
	InvitationAccepted InvitationResponse = "Accepted"
	// InvitationDeclined leaves the Membership without access.
	InvitationDeclined InvitationResponse = "Declined"
)

// MembershipPhase is where a Membership stands.
//
// +kubebuilder:validation:Enum=Invited;Active;Declined;Expired;Suspended
type MembershipPhase string

const (
	// MembershipInvited waits for the user's answer; it gives nothing and takes nothing.
	MembershipInvited MembershipPhase = "Invited"
	// MembershipActive gives its roles.
	MembershipActive MembershipPhase = "Active"
	// MembershipDeclined was declined by the user; it gives nothing and takes nothing.
	MembershipDeclined MembershipPhase = "Declined"
	// MembershipExpired has reached its end, or its invitation was not answered in time.
	MembershipExpired MembershipPhase = "Expired"
	// MembershipSuspended takes all access here and below while it lasts.
	MembershipSuspended MembershipPhase = "Suspended"
)

// SuspensionReason says why access is held back.
//
// +kubebuilder:validation:Enum=MFARequired;Deactivated;Requested
type SuspensionReason string

const (
	// SuspendedMFARequired: the organization or one above requires a second factor that the user hasn't enrolled.
	SuspendedMFARequired SuspensionReason = "MFARequired"
	// SuspendedDeactivated: the User is deactivated.
	SuspendedDeactivated SuspensionReason = "Deactivated"
	// SuspendedRequested: spec.suspended is set.
	SuspendedRequested SuspensionReason = "Requested"
)

// GrantSource says where a user's roles in an organization come from.
//
// +kubebuilder:validation:Enum=Direct;Inherited;Owner
type GrantSource string

const (
	// SourceDirect is a Membership of the organization itself.
	SourceDirect GrantSource = "Direct"
	// SourceInherited is a Membership of an organization above.
	SourceInherited GrantSource = "Inherited"
	// SourceOwner is an ownership of the organization or one above.
	SourceOwner GrantSource = "Owner"
)

// MembershipSpec says who is a member and with which roles.
//
// +kubebuilder:validation:XValidation:rule="has(self.user) || has(self.email)",message="set spec.user to the username that the API server authenticates, or spec.email to invite somebody whose username isn't known yet"
// +kubebuilder:validation:XValidation:rule="has(oldSelf.user) || !has(oldSelf.email) || !has(self.email) || self.email == oldSelf.email",message="spec.email can't be changed while it is who is invited; delete the Membership and invite the other address"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.user) || (has(self.user) && self.user == oldSelf.user)",message="spec.user can't be changed once it is set; delete the Membership and make one for the other user"
type MembershipSpec struct {
	// user is the username that the API server authenticates. Can't be changed once set.
	// +optional
	User Username `json:"user,omitempty"`

	// email is where the invitation is mailed, with a code. Alone, without user, it invites: the person who answers with the
	// code becomes the user. Beside user it is a claim of the organization, which counts for nothing else until the user
	// confirms the address by answering with the code.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\s@<>]+@[^\s@<>]+$`
	Email string `json:"email,omitempty"`

	// displayName is what people call the user.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// roles are what the user may do everywhere in the organization and those below: 1 to 16 names of Roles. Left out:
	// the organization's defaultRoles. [none]: no role here, what an organization above gives stays.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="!('owner' in self)",message="owner isn't given by a Membership; add the user to spec.owners of the Organization"
	// +kubebuilder:validation:XValidation:rule="!('none' in self) || size(self) == 1",message="none means no role at all and stands alone; remove it or the other roles"
	Roles []RoleName `json:"roles,omitempty"`

	// invitation, when present, makes the user answer before the Membership gives anything. Filled in at creation where
	// the organization has requireAcceptance and where email stands alone; it stays until it is accepted.
	// +optional
	Invitation *InvitationSpec `json:"invitation,omitempty"`

	// response is the user's answer to the invitation. Set by Roster alone.
	// +optional
	Response InvitationResponse `json:"response,omitempty"`

	// confirmed is the mail address that the user confirmed, by accepting with the code that was mailed there. Left out: the
	// user accepted without a code, or has not accepted. Set by Roster alone.
	// +optional
	Confirmed *ConfirmedAddress `json:"confirmed,omitempty"`

	// suspended takes all of the user's access in this organization and those below while it is true. An owner's isn't
	// taken.
	// +optional
	Suspended bool `json:"suspended,omitempty"`

	// expiresAt ends the Membership; from then on it is like a suspended one. Without it there is no end.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +kubebuilder:validation:XValidation:rule="self.getFullYear() >= 1970 && self.getFullYear() <= 9999",message="a time lies between the years 1970 and 9999 in UTC; choose another"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// InvitationSpec says how an invitation is made.
type InvitationSpec struct {
	// expiresAfter is how long the invitation can be answered, counted from when it was made or last resent. Left out: the
	// organization's membership.invitationTTL. A duration such as 72h, at most 8760h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="expiresAfter is a duration such as 72h or 90m, more than 0 and at most 8760h (a year)"
	ExpiresAfter *metav1.Duration `json:"expiresAfter,omitempty"`
}

// MembershipStatus is where a Membership stands and what is in force.
type MembershipStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, and Mailed for an invitation.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// phase is Invited, Active, Declined, Expired or Suspended.
	// +optional
	Phase MembershipPhase `json:"phase,omitempty"`

	// suspendedBecause says why access is held back while it is.
	// +optional
	SuspendedBecause SuspensionReason `json:"suspendedBecause,omitempty"`

	// roles are the roles that the user holds here and now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Roles []RoleName `json:"roles,omitempty"`

	// source says where these roles come from: Direct, Inherited or Owner.
	// +optional
	Source GrantSource `json:"source,omitempty"`

	// invitation is the state of the invitation.
	// +optional
	Invitation *InvitationStatus `json:"invitation,omitempty"`
}

// InvitationStatus is the state of an invitation.
type InvitationStatus struct {
	// openedAt is when the invitation was last resent; its life counts from then. Left out: from the Membership's creation.
	// +optional
	OpenedAt *metav1.Time `json:"openedAt,omitempty"`

	// expiresAt is when the invitation can no longer be answered.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// resent is the last value of the annotation roster.dev/resend-invitation that was acted on.
	// +optional
	Resent string `json:"resent,omitempty"`

	// sends counts what was to be mailed: 1, and one more each time the invitation is resent. A mail that is tried again
	// is the same send.
	// +optional
	Sends int32 `json:"sends,omitempty"`

	// What follows is of the mail of the last send, but for sentAt, which is of the last one that a server took.
	MailState `json:",inline"`

	// codeHash is the SHA-256 of the code that was mailed last; it replaces the code of each earlier mail.
	// +optional
	CodeHash string `json:"codeHash,omitempty"`

	// codeAddress is the address that this code was mailed to.
	// +optional
	CodeAddress string `json:"codeAddress,omitempty"`
}

// ConfirmedAddress is a mail address that a user confirmed to be theirs.
type ConfirmedAddress struct {
	// email is the address.
	// +kubebuilder:validation:MaxLength=254
	Email string `json:"email"`
	// at is when the user confirmed it; of several addresses, the one confirmed last counts.
	At metav1.Time `json:"at"`
}

// Membership is one user's place in an organization, made in the organization's namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mbr,categories=roster
// +kubebuilder:selectablefield:JSONPath=`.spec.user`
// +kubebuilder:printcolumn:name=User,type=string,JSONPath=`.spec.user`
// +kubebuilder:printcolumn:name=Roles,type=string,JSONPath=`.status.roles`
// +kubebuilder:printcolumn:name=Source,type=string,JSONPath=`.status.source`
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type Membership struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec MembershipSpec `json:"spec"`
	// +optional
	Status MembershipStatus `json:"status,omitempty"`
}

// MembershipList is a list of Memberships.
//
// +kubebuilder:object:root=true
type MembershipList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Membership `json:"items"`
}

// GetConditions returns the conditions of the status.
func (m *Membership) GetConditions() *[]metav1.Condition { return &m.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (m *Membership) SetObservedGeneration(generation int64) {
	m.Status.ObservedGeneration = generation
}
