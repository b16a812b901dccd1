package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MemberStatus says whether a member may act now.
type MemberStatus string

const (
	// MemberActive may act.
	MemberActive MemberStatus = "Active"
	// MemberInvited hasn't accepted yet and holds nothing.
	MemberInvited MemberStatus = "Invited"
	// MemberSuspended holds nothing for as long as that lasts.
	MemberSuspended MemberStatus = "Suspended"
)

// SourceType says by what somebody has a place in an organization.
type SourceType string

const (
	// SourceOwner: spec.owners of the organization or of one above names the user.
	SourceOwner SourceType = "Owner"
	// SourceDirect: a Membership of the organization itself.
	SourceDirect SourceType = "Direct"
	// SourceInherited: a Membership of an organization above.
	SourceInherited SourceType = "Inherited"
	// SourceTeam: a Team of another organization that was let in.
	SourceTeam SourceType = "Team"
)

// MemberSource says where a member's place comes from.
type MemberSource struct {
	// type is Owner, Direct, Inherited or Team.
	Type SourceType `json:"type"`

	// from is the organization that says so: this one, one above, or the one whose Team it is.
	// +optional
	From string `json:"from,omitempty"`
}

// Member is one user's effective place in an organization, wherever it comes from. It is computed when it is asked for,
// and can't be written: change the Membership, the Organization's owners or the Team instead. Select by the fields user,
// role, source and status.
//
// +kubebuilder:object:root=true
type Member struct {
	metav1.TypeMeta `json:",inline"`
	// metadata has a name that derives from the user, and the organization's namespace.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// user is the username that the API server authenticates. Left out for an invitation to an address whose user isn't
	// known yet.
	// +optional
	User string `json:"user,omitempty"`

	// email is where mail for the user goes, as the Membership or the User says.
	// +optional
	Email string `json:"email,omitempty"`

	// displayName is what people call the user.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// roles are the organization-wide roles: held now where status is Active, and otherwise those that the user holds
	// once accepted or no longer suspended. What Teams and RoleBindings give is in grants.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`

	// source says where the roles come from.
	Source MemberSource `json:"source"`

	// status is Active, Invited or Suspended.
	Status MemberStatus `json:"status"`

	// suspendedBecause is MFARequired, Deactivated or Requested while status is Suspended.
	// +optional
	SuspendedBecause string `json:"suspendedBecause,omitempty"`

	// teams are the organization's Teams that list the user as a member.
	// +optional
	// +listType=atomic
	Teams []string `json:"teams,omitempty"`

	// expiresAt is when the place, or the invitation, ends by itself.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// lastSeen is when the user was last seen in the cluster, as far as that is known.
	// +optional
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`
}

// MemberList is a list of Members.
//
// +kubebuilder:object:root=true
type MemberList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Member `json:"items"`
}
