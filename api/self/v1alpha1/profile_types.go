package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// ProfileName is the only name that a Profile has: it is the one of whoever asks.
const ProfileName = "me"

// Profile is what Roster knows of whoever asks: their organizations with roles and teams, what they hold elsewhere by a team
// that was let in, and the invitations that wait for their answer. Its only name is me.
//
// +kubebuilder:object:root=true
type Profile struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// user is the username that the API server authenticated.
	User string `json:"user"`

	// organizations are those where the user has a place, sorted by name.
	// +optional
	// +listType=atomic
	Organizations []ProfileOrganization `json:"organizations,omitempty"`

	// elsewhere is what the user holds in other organizations, by teams of theirs that were let in there.
	// +optional
	// +listType=atomic
	Elsewhere []ProfileGrant `json:"elsewhere,omitempty"`

	// invitations wait for the user's answer.
	// +optional
	// +listType=atomic
	Invitations []ProfileInvitation `json:"invitations,omitempty"`

	// tokens are the user's APITokens that haven't ended, sorted by organization and name.
	// +optional
	// +listType=atomic
	Tokens []ProfileToken `json:"tokens,omitempty"`

	// lastSeen is when the user was last seen in the cluster, as far as that is known.
	// +optional
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`
}

// ProfileOrganization is the user's place in one organization.
type ProfileOrganization struct {
	// name of the organization.
	Name string `json:"name"`

	// displayName is what people call the organization.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// type is Standard, or Personal for the organization that Roster makes for a user who owns none.
	// +optional
	Type string `json:"type,omitempty"`

	// parent is the organization above.
	// +optional
	Parent string `json:"parent,omitempty"`

	// roles are the user's organization-wide roles.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`

	// source is Owner, Direct or Inherited.
	Source string `json:"source"`

	// suspendedBecause says why all access here is held back, while it is: MFARequired, Deactivated or Requested.
	// +optional
	SuspendedBecause string `json:"suspendedBecause,omitempty"`

	// teams are the organization's Teams that list the user as a member.
	// +optional
	// +listType=atomic
	Teams []string `json:"teams,omitempty"`
}

// ProfileGrant is a role that the user holds in an organization that has let in a team of theirs.
type ProfileGrant struct {
	// organization that let the team in.
	Organization string `json:"organization"`

	// displayName is what people call the organization.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// role is the name of the Role.
	Role string `json:"role"`

	// namespaces are where the role holds.
	// +optional
	// +listType=atomic
	Namespaces []string `json:"namespaces,omitempty"`

	// via is the chain of objects that gives the role, from the JoinRequest to the Team that lists the user.
	// +optional
	// +listType=atomic
	Via []viewv1alpha1.Object `json:"via,omitempty"`

	// expiresAt is when it ends by itself.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// ProfileInvitation is an invitation that waits for the user's answer.
type ProfileInvitation struct {
	// organization that invites.
	Organization string `json:"organization"`

	// roles that the user would hold.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`

	// expiresAt is when the invitation can no longer be answered.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// ProfileToken is an APIToken of the user's.
type ProfileToken struct {
	// organization in which it works.
	Organization string `json:"organization"`

	// name of the APIToken.
	Name string `json:"name"`

	// roles that it holds somewhere now.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`

	// secretName is the Secret in the organization's namespace that holds the token.
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// expiresAt is when it ends.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// lastUsedAt is when it was last used, as far as that is known.
	// +optional
	LastUsedAt *metav1.Time `json:"lastUsedAt,omitempty"`
}

// ProfileList is a list of Profiles.
//
// +kubebuilder:object:root=true
type ProfileList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Profile `json:"items"`
}
