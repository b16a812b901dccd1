package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UserSpec is what is known of a person across organizations.
//
// +kubebuilder:validation:XValidation:rule="self.username == oldSelf.username",message="spec.username can't be changed; make a User for the other username"
type UserSpec struct {
	// username is the name by which the API server knows the user. Can't be changed.
	// +required
	Username Username `json:"username"`

	// email is where mail for the user goes. It is set by those who may write Users, never by Roster, and takes precedence
	// over the username and over status.confirmed.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\s@<>]+@[^\s@<>]+$`
	Email string `json:"email,omitempty"`

	// displayName is what people call the user. It is set by those who may write Users, never by Roster.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// deactivated takes all of the user's access everywhere while it is true.
	// +optional
	Deactivated bool `json:"deactivated,omitempty"`

	// mfa says whether the user has a second factor, as the identity provider attests it.
	// +optional
	// +kubebuilder:default={}
	MFA MultiFactorAuthentication `json:"mfa,omitempty"`
}

// MultiFactorAuthentication is what the identity provider attests of a user's second factor.
type MultiFactorAuthentication struct {
	// enrolled is true when the user has a second factor. Organizations with requireMFA give no access without it.
	// +optional
	// +kubebuilder:default=false
	Enrolled bool `json:"enrolled"`

	// method is what the second factor is, such as webauthn or totp.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Method string `json:"method,omitempty"`

	// since is when the second factor was enrolled.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +kubebuilder:validation:XValidation:rule="self.getFullYear() >= 1970 && self.getFullYear() <= 9999",message="a time lies between the years 1970 and 9999 in UTC; choose another"
	Since *metav1.Time `json:"since,omitempty"`
}

// UserStatus is where the user is a member.
type UserStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// organizations are those of which the user is a member now, the first 200 by name, with the roles held
	// organization-wide.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=200
	Organizations []UserOrganization `json:"organizations,omitempty"`

	// organizationCount is the number of organizations of which the user is a member now.
	// +optional
	OrganizationCount int32 `json:"organizationCount"`

	// ownedOrganizations are those whose spec.owners names the user, the first 200 by name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	OwnedOrganizations []string `json:"ownedOrganizations,omitempty"`

	// invitations are the organizations that wait for the user's answer, the first 200 by name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Invitations []string `json:"invitations,omitempty"`

	// confirmed is the mail address that the user confirmed last, by accepting an invitation with the code that was mailed
	// there. Mail goes to it where spec.email is empty and the username is no mail address.
	// +optional
	Confirmed *ConfirmedAddress `json:"confirmed,omitempty"`

	// activeTokens is the number of the user's APITokens, in all organizations, that haven't ended.
	// +optional
	ActiveTokens int32 `json:"activeTokens"`

	// leftAt is since when nothing but the user's Personal organization needs the User: no Membership and no other organization.
	// A User that Roster made, and nobody changed, goes some time later, with that organization. Left out: the User stays.
	// +optional
	LeftAt *metav1.Time `json:"leftAt,omitempty"`

	// lastSeenAt is when the user last used the API, where that is recorded.
	// +optional
	LastSeenAt *metav1.Time `json:"lastSeenAt,omitempty"`

	// lastSeen says the same for people to read, or that it is unknown, which isn't never.
	// +optional
	// +kubebuilder:default=unknown
	LastSeen string `json:"lastSeen,omitempty"`
}

// See records when the user was last seen.
func (s *UserStatus) See(at metav1.Time) { s.LastSeenAt, s.LastSeen = &at, readable(at) }

// readable is an instant as columns of kubectl show it.
func readable(at metav1.Time) string { return at.UTC().Format(time.RFC3339) }

// UserOrganization is a user's place in an organization.
type UserOrganization struct {
	// name of the organization.
	Name string `json:"name"`
	// roles that the user holds organization-wide.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Roles []RoleName `json:"roles,omitempty"`
	// source of the roles: Direct, Inherited or Owner.
	// +optional
	Source GrantSource `json:"source,omitempty"`
}

// User is what is known of a person across organizations. Its name derives from its username; of two Users with one
// username the stricter counts.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=usr,categories=roster
// +kubebuilder:selectablefield:JSONPath=`.spec.username`
// +kubebuilder:selectablefield:JSONPath=`.spec.email`
// +kubebuilder:printcolumn:name=Username,type=string,JSONPath=`.spec.username`
// +kubebuilder:printcolumn:name=MFA,type=boolean,JSONPath=`.spec.mfa.enrolled`
// +kubebuilder:printcolumn:name=Organizations,type=integer,JSONPath=`.status.organizationCount`
// +kubebuilder:printcolumn:name=Last-Seen,type=string,JSONPath=`.status.lastSeen`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type User struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec UserSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={}
	Status UserStatus `json:"status,omitempty"`
}

// UserList is a list of Users.
//
// +kubebuilder:object:root=true
type UserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []User `json:"items"`
}

// GetConditions returns the conditions of the status.
func (u *User) GetConditions() *[]metav1.Condition { return &u.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (u *User) SetObservedGeneration(generation int64) { u.Status.ObservedGeneration = generation }
