package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TeamSpec says who is in a team and what the team may do where.
//
// +kubebuilder:validation:XValidation:rule="[has(self.projects), has(self.projectSelector), has(self.allProjects) && self.allProjects].filter(x, x).size() <= 1",message="choose one of projects, projectSelector and allProjects; leave the others out"
// +kubebuilder:validation:XValidation:rule="has(self.role) || !(has(self.projects) || has(self.projectSelector) || (has(self.allProjects) && self.allProjects))",message="name the role that the team holds in its projects in spec.role, or leave the projects out"
type TeamSpec struct {
	// displayName is what people call the team.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// description says what the team is for.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Description string `json:"description,omitempty"`

	// parent is a team of the same organization; what it is granted reaches this team's members too.
	// +optional
	Parent ObjectName `json:"parent,omitempty"`

	// members are usernames, up to 5,000. Who isn't a member of the organization gets nothing and is named in the
	// condition MembersMissing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5000
	Members []Username `json:"members,omitempty"`

	// maintainers are usernames, up to 50, who may edit members and maintainers of this team. It gives them none of the
	// team's access; for that they are members too.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Maintainers []Username `json:"maintainers,omitempty"`

	// identityGroup is a group of the identity provider, as the API server sees it, that is granted the same besides the
	// members. The identity provider decides who is in it, so it is refused where a second factor is required.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="a group that begins with system: belongs to Kubernetes itself; name a group of the identity provider"
	IdentityGroup string `json:"identityGroup,omitempty"`

	// role is what the team's members may do in its projects.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != 'owner'",message="owner isn't given by a Team; add the users to spec.owners of the Organization"
	Role RoleName `json:"role,omitempty"`

	// projects are the names of projects, at least 1 and at most 2,000.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2000
	Projects []ObjectName `json:"projects,omitempty"`

	// projectSelector chooses projects by their labels. Never empty.
	// +optional
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="an empty projectSelector would mean every project; set allProjects: true if that is meant"
	ProjectSelector *metav1.LabelSelector `json:"projectSelector,omitempty"`

	// allProjects grants the role in every project of the organization, also in those to come.
	// +optional
	AllProjects bool `json:"allProjects,omitempty"`
}

// TeamStatus is what Roster found and did.
type TeamStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, MembersMissing, Ungated.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// members is the number of users whom the team's grant reaches: its own members and those of its child teams.
	// +optional
	Members int32 `json:"members"`

	// projects is the number of projects that the team's grant reaches.
	// +optional
	Projects int32 `json:"projects"`

	// externalAccess is where the team is let in by other organizations, sorted; the first 500.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	ExternalAccess []ExternalAccess `json:"externalAccess,omitempty"`

	// pendingJoinRequests are the organizations that were asked to let the team in and haven't decided, sorted; the first
	// 500.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	PendingJoinRequests []string `json:"pendingJoinRequests,omitempty"`
}

// MaxExternalAccess is how many other organizations a Team's status lists.
const MaxExternalAccess = 500

// ExternalAccess is what another organization lets a team do.
type ExternalAccess struct {
	// organization lets the team in.
	// +required
	Organization string `json:"organization"`
	// role that the team's members hold there.
	// +required
	Role RoleName `json:"role"`
	// projects in which they hold it; none: in the whole organization.
	// +optional
	// +listType=atomic
	Projects []ObjectName `json:"projects,omitempty"`
}

// Team is members × projects × one role, made in the organization's namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=team,categories=roster
// +kubebuilder:printcolumn:name=Role,type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name=Members,type=integer,JSONPath=`.status.members`
// +kubebuilder:printcolumn:name=Projects,type=integer,JSONPath=`.status.projects`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a team's name has at most 63 characters; choose a shorter one",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.parent) || self.spec.parent != self.metadata.name",message="a team can't be its own parent; leave spec.parent out for a team at the top",fieldPath=".spec.parent"
type Team struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec TeamSpec `json:"spec"`
	// +optional
	Status TeamStatus `json:"status,omitempty"`
}

// TeamList is a list of Teams.
//
// +kubebuilder:object:root=true
type TeamList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Team `json:"items"`
}

// GetConditions returns the conditions of the status.
func (t *Team) GetConditions() *[]metav1.Condition { return &t.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (t *Team) SetObservedGeneration(generation int64) { t.Status.ObservedGeneration = generation }
