package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Finding is something about a member that stands out.
type Finding string

const (
	// FindingNoSignIn: the user wasn't seen for 90 days.
	FindingNoSignIn Finding = "NoSignIn"
	// FindingElevatedAndStale: the same of an owner, an administrator or a maintainer.
	FindingElevatedAndStale Finding = "ElevatedAndStale"
	// FindingNoMFA: no second factor is attested.
	FindingNoMFA Finding = "NoMFA"
	// FindingTokensUnused: an active API token wasn't used for 90 days.
	FindingTokensUnused Finding = "TokensUnused"
)

// ReportSummary counts.
type ReportSummary struct {
	// members is the number of rows.
	Members int32 `json:"members"`
	// active is the number of members who may act.
	Active int32 `json:"active"`
	// activeTokens is the number of API tokens that are neither expired nor revoked.
	ActiveTokens int32 `json:"activeTokens"`
	// noSignIn is the number of active members who weren't seen for 90 days; 0 while it isn't known who was.
	NoSignIn int32 `json:"noSignIn"`
	// elevatedAndStale is the number of owners, administrators and maintainers among these.
	ElevatedAndStale int32 `json:"elevatedAndStale"`
	// noMFA is the number of active members of whom no second factor is attested.
	NoMFA int32 `json:"noMFA"`
	// tokensUnused is the number of active members with an API token that wasn't used for 90 days; 0 while that isn't known.
	TokensUnused int32 `json:"tokensUnused"`
}

// ReportMember is a member of the organization at the time of the report.
type ReportMember struct {
	// user is the username. Left out for an invitation to an address whose user isn't known yet.
	// +optional
	User string `json:"user,omitempty"`

	// email is where mail for the user goes.
	// +optional
	Email string `json:"email,omitempty"`

	// displayName is what people call the user.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// roles are the organization-wide roles, as members show them.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`

	// otherRoles are those besides that Teams and RoleBindings give somewhere in the organization.
	// +optional
	// +listType=atomic
	OtherRoles []string `json:"otherRoles,omitempty"`

	// source says where the roles come from.
	Source MemberSource `json:"source"`

	// status is Active, Invited or Suspended.
	Status MemberStatus `json:"status"`

	// suspendedBecause is MFARequired, Deactivated or Requested while status is Suspended.
	// +optional
	SuspendedBecause string `json:"suspendedBecause,omitempty"`

	// mfa says whether a second factor is attested.
	MFA bool `json:"mfa"`

	// lastSeen is when the user was last seen in the cluster, to about five minutes. Left out where that is unknown.
	// +optional
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`

	// notSeenSince is since when it is known that the user wasn't seen at all; only where lastSeen is left out.
	// +optional
	NotSeenSince *metav1.Time `json:"notSeenSince,omitempty"`

	// activeTokens are the user's API tokens in the organization that are neither expired nor revoked.
	// +optional
	// +listType=atomic
	ActiveTokens []ReportToken `json:"activeTokens,omitempty"`

	// findings are what stands out.
	// +optional
	// +listType=atomic
	Findings []Finding `json:"findings,omitempty"`
}

// ReportToken is an API token.
type ReportToken struct {
	// name of the APIToken.
	Name string `json:"name"`

	// expiresAt is when it ends.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// lastUsed is when it was last used. Left out where that is unknown.
	// +optional
	LastUsed *metav1.Time `json:"lastUsed,omitempty"`

	// unused says that it wasn't used for 90 days.
	// +optional
	Unused bool `json:"unused,omitempty"`
}

// Report is who is in an organization at the end of a month, with which roles, and what stands out. Its name is the month,
// such as 2026-11. The present month is worked out when it is asked for; a month before is the one that was kept when it
// ended, which is done while the organization's spec.reports.monthly is true. In a list the members are left out: get one
// report by its name.
//
// +kubebuilder:object:root=true
type Report struct {
	metav1.TypeMeta `json:",inline"`
	// metadata has the month for a name, and the organization's namespace.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// organization is the organization's name.
	Organization string `json:"organization"`

	// displayName is what people call the organization.
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// takenAt is the instant of which everything here is true.
	TakenAt metav1.Time `json:"takenAt"`

	// kept says that this is the report as it was made when the month had ended; otherwise it was worked out now.
	// +optional
	Kept bool `json:"kept,omitempty"`

	// lastSeenSince is since when it is recorded who was seen. Left out: it isn't, and nobody is said to be stale.
	// +optional
	LastSeenSince *metav1.Time `json:"lastSeenSince,omitempty"`

	// summary counts members and what stands out.
	Summary ReportSummary `json:"summary"`

	// members are all members, those of whom something stands out first. Left out in a list.
	// +optional
	// +listType=atomic
	Members []ReportMember `json:"members,omitempty"`

	// membersLeftOut is how many members, those of whom least stands out, a kept report leaves out that would be too large.
	// +optional
	MembersLeftOut int32 `json:"membersLeftOut,omitempty"`
}

// ReportList is a list of Reports without their members.
//
// +kubebuilder:object:root=true
type ReportList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Report `json:"items"`
}
