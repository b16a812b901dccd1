package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// JoinRequestPhase is where a JoinRequest stands.
//
// +kubebuilder:validation:Enum=Pending;Approved;Rejected;Withdrawn
type JoinRequestPhase string

const (
	// JoinRequestPending waits for a decision.
	JoinRequestPending JoinRequestPhase = "Pending"
	// JoinRequestApproved gives the team what was granted.
	JoinRequestApproved JoinRequestPhase = "Approved"
	// JoinRequestRejected gives nothing.
	JoinRequestRejected JoinRequestPhase = "Rejected"
	// JoinRequestWithdrawn gives nothing any more: the team, its organization or the RoleBinding is gone. It is final, as
	// Rejected is; who wants access again asks again.
	JoinRequestWithdrawn JoinRequestPhase = "Withdrawn"
)

// JoinDecision is what the asked organization says.
//
// +kubebuilder:validation:Enum=Approved;Rejected
type JoinDecision string

const (
	// JoinApproved lets the team in.
	JoinApproved JoinDecision = "Approved"
	// JoinRejected doesn't, or no longer.
	JoinRejected JoinDecision = "Rejected"
)

// ExternalTeam names a team of another organization.
type ExternalTeam struct {
	// organization is the team's, another one than the one that is asked.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Organization string `json:"organization"`

	// name is the Team's.
	// +required
	Name ObjectName `json:"name"`
}

// JoinGrant is what is granted of what was asked.
type JoinGrant struct {
	// role is granted instead of the one that was asked for. Left out: the one that was asked for.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != 'owner' && self != 'none'",message="owner isn't given to a team, and none grants nothing; name another role, or set spec.decision: Rejected"
	Role RoleName `json:"role,omitempty"`

	// projects are granted instead of what was asked for, and are among the projects that were asked for where any were
	// named. Left out: all that was asked for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Projects []ObjectName `json:"projects,omitempty"`
}

// JoinRequestSpec says which team asks for what, which can't be changed, and what the asked organization decides.
//
// +kubebuilder:validation:XValidation:rule="[has(self.projects), has(self.organizationWide) && self.organizationWide].filter(x, x).size() == 1",message="ask for exactly one of projects and organizationWide: true"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.decision) || (has(self.decision) && (self.decision == oldSelf.decision || self.decision == 'Rejected'))",message="a decision stands: an approved request can only be rejected, which ends the access, and a rejected one must be made anew",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="!has(self.granted) || !has(self.granted.projects) || !has(self.projects) || self.granted.projects.all(p, p in self.projects)",message="spec.granted.projects can hold only projects that spec.projects asks for; leave the others out",fieldPath=".granted"
type JoinRequestSpec struct {
	// team asks for access.
	// +required
	Team ExternalTeam `json:"team"`

	// role is asked for: the name of a Role as the asked organization knows it.
	// +required
	// +kubebuilder:validation:XValidation:rule="self != 'owner' && self != 'none'",message="owner isn't given to a team, and none grants nothing; ask for another role"
	Role RoleName `json:"role"`

	// projects are the names of the projects that are asked for, 1 to 100.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Projects []ObjectName `json:"projects,omitempty"`

	// organizationWide asks for the role in the whole organization: its namespace, all its projects, and all organizations
	// below it.
	// +optional
	OrganizationWide bool `json:"organizationWide,omitempty"`

	// message says to the owners why.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Message string `json:"message,omitempty"`

	// requestedBy is the user who asks, and who may see and delete this JoinRequest. Roster fills it in.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	RequestedBy string `json:"requestedBy,omitempty"`

	// decision is the asked organization's: Approved or Rejected. It takes the verb approve on joinrequests, and Approved
	// takes the verb assign on the role that is granted. It stands, but that what was approved may be rejected, which ends
	// the access.
	// +optional
	Decision JoinDecision `json:"decision,omitempty"`

	// granted is less than what was asked for. Left out: what was asked for.
	// +optional
	Granted *JoinGrant `json:"granted,omitempty"`

	// reason says why it was decided so.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Reason string `json:"reason,omitempty"`
}

// JoinMailAbout is what a mail about a JoinRequest says.
//
// +kubebuilder:validation:Enum=Requested;Approved;Rejected
type JoinMailAbout string

const (
	// JoinMailRequested asks an owner to decide.
	JoinMailRequested JoinMailAbout = "Requested"
	// JoinMailApproved tells who asked.
	JoinMailApproved JoinMailAbout = "Approved"
	// JoinMailRejected tells who asked, also of an end to what was approved.
	JoinMailRejected JoinMailAbout = "Rejected"
)

// JoinMail is a mail about a JoinRequest to one person.
type JoinMail struct {
	// about is what the mail says.
	// +required
	About JoinMailAbout `json:"about"`

	// recipient is the first 16 hexadecimal digits of the HMAC-SHA-256 of the username, by the uid of the organization that is
	// asked. Who asks sees this, and isn't to learn from it who the owners are, nor to find out by guessing names.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Recipient string `json:"recipient"`

	// lastError says where it failed and the server's code; Roster's log has the server's words.
	MailState `json:",inline"`
}

// JoinRequestStatus is what Roster found and did.
type JoinRequestStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, and Mailed of the mails that the phase asks for.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// phase is Pending, Approved, Rejected or Withdrawn.
	// +optional
	Phase JoinRequestPhase `json:"phase,omitempty"`

	// teamUID is the uid of the team that asks. Another team that comes to the same name later gets nothing by this.
	// +optional
	TeamUID string `json:"teamUID,omitempty"`

	// roleBinding is the name of the RoleBinding that gives what was granted, once it was made. Deleting it ends the access.
	// +optional
	RoleBinding string `json:"roleBinding,omitempty"`

	// decidedBy is the user who decided.
	// +optional
	DecidedBy string `json:"decidedBy,omitempty"`

	// decidedAt is when Roster saw the decision.
	// +optional
	DecidedAt *metav1.Time `json:"decidedAt,omitempty"`

	// mails are those about this request, one a person: to each owner of the asked organization while it is pending, to who
	// asked once it is decided.
	// +optional
	// +listType=map
	// +listMapKey=about
	// +listMapKey=recipient
	// +kubebuilder:validation:MaxItems=52
	Mails []JoinMail `json:"mails,omitempty"`
}

// JoinRequest asks an organization to let a team of another one in. It is made in the namespace of the organization that is
// asked, by who may represent the team; who may approve join requests there decides.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=jr,categories=roster
// +kubebuilder:selectablefield:JSONPath=`.spec.team.organization`
// +kubebuilder:printcolumn:name=From,type=string,JSONPath=`.spec.team.organization`
// +kubebuilder:printcolumn:name=Team,type=string,priority=1,JSONPath=`.spec.team.name`
// +kubebuilder:printcolumn:name=Role,type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a join request's name has at most 63 characters; choose a shorter one",fieldPath=".metadata"
type JoinRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec JoinRequestSpec `json:"spec"`
	// +optional
	Status JoinRequestStatus `json:"status,omitempty"`
}

// JoinRequestList is a list of JoinRequests.
//
// +kubebuilder:object:root=true
type JoinRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []JoinRequest `json:"items"`
}

// GetConditions returns the conditions of the status.
func (j *JoinRequest) GetConditions() *[]metav1.Condition { return &j.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (j *JoinRequest) SetObservedGeneration(generation int64) {
	j.Status.ObservedGeneration = generation
}

// IsPending says whether nobody has decided yet and the request still stands.
func (j *JoinRequest) IsPending() bool {
	return j.DeletionTimestamp == nil && j.Spec.Decision == "" && j.Status.Phase != JoinRequestWithdrawn
}

// GrantedRole is the role that an approval gives.
func (j *JoinRequest) GrantedRole() RoleName {
	if j.Spec.Granted != nil && j.Spec.Granted.Role != "" {
		return j.Spec.Granted.Role
	}
	return j.Spec.Role
}

// GrantedProjects are the projects in which an approval gives the role; none: in the whole organization.
func (j *JoinRequest) GrantedProjects() []ObjectName {
	if j.Spec.Granted != nil && len(j.Spec.Granted.Projects) > 0 {
		return j.Spec.Granted.Projects
	}
	return j.Spec.Projects
}
