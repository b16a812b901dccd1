package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SubjectKind is the kind of who is granted a role.
//
// +kubebuilder:validation:Enum=User;Team;ServiceAccount;Group
type SubjectKind string

const (
	// SubjectUser is a user, by username.
	SubjectUser SubjectKind = "User"
	// SubjectTeam is a Team; its members and those of its child teams are granted the role.
	SubjectTeam SubjectKind = "Team"
	// SubjectServiceAccount is a ServiceAccount of a project's namespace, within that project.
	SubjectServiceAccount SubjectKind = "ServiceAccount"
	// SubjectGroup is a group of the identity provider.
	SubjectGroup SubjectKind = "Group"
)

// Subject is who is granted a role.
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'ServiceAccount') == has(self.__namespace__)",message="a ServiceAccount needs its namespace, one of the project's; leave namespace out for other kinds"
// +kubebuilder:validation:XValidation:rule="self.kind == 'ServiceAccount' || !self.name.startsWith('system:')",message="a name that begins with system: belongs to Kubernetes itself and can't be given access here; use kind ServiceAccount with name and namespace for a ServiceAccount"
// +kubebuilder:validation:XValidation:rule="self.kind != 'ServiceAccount' || self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="a ServiceAccount's name is lower-case letters, digits, '-' and '.', without its namespace; put the namespace in spec.subjects[].namespace",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="has(self.organization) == has(self.uid) && (!has(self.organization) || self.kind == 'Team')",message="organization and uid belong to a Team of another organization, which a JoinRequest lets in; leave both out"
type Subject struct {
	// kind is User, Team, ServiceAccount or Group.
	// +required
	Kind SubjectKind `json:"kind"`

	// name is the username, the Team, the ServiceAccount or the group.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// namespace is the ServiceAccount's: one of the project's namespaces. It holds the role within that project alone, and
	// at most what developer may do.
	// +optional
	Namespace NamespaceName `json:"namespace,omitempty"`

	// organization is that of a Team of another organization, which an approved JoinRequest lets in. Its members are those
	// of that Team and its child teams who are members of their own organization. Written by Roster alone.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Organization string `json:"organization,omitempty"`

	// uid is that of the Team of another organization: another Team of the same name gets nothing by this.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid,omitempty"`
}

// IsExternal says whether the subject is a Team of another organization.
func (s Subject) IsExternal() bool { return s.Kind == SubjectTeam && s.Organization != "" }

// RoleBindingSpec says who is granted which role where and for how long.
//
// +kubebuilder:validation:XValidation:rule="[has(self.projects), has(self.projectSelector), has(self.organizationWide) && self.organizationWide].filter(x, x).size() == 1",message="choose exactly one of projects, projectSelector and organizationWide: true"
// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) || !has(self.expiresAt) || self.notBefore < self.expiresAt",message="notBefore must be earlier than expiresAt; set an earlier spec.notBefore or a later spec.expiresAt"
type RoleBindingSpec struct {
	// role is the name of a Role.
	// +required
	// +kubebuilder:validation:XValidation:rule="self != 'owner'",message="owner isn't given by a RoleBinding; add the user to spec.owners of the Organization"
	// +kubebuilder:validation:XValidation:rule="self != 'none'",message="none grants nothing; delete the RoleBinding instead"
	Role RoleName `json:"role"`

	// subjects are who is granted the role, 1 to 500.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=500
	Subjects []Subject `json:"subjects"`

	// projects are the names of projects, at least 1 and at most 2,000.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2000
	Projects []ObjectName `json:"projects,omitempty"`

	// projectSelector chooses projects by their labels. Never empty.
	// +optional
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="an empty projectSelector would mean every project; set organizationWide: true if everything is meant"
	ProjectSelector *metav1.LabelSelector `json:"projectSelector,omitempty"`

	// organizationWide grants the role in the organization's namespace, in all its projects, and in all organizations
	// below it.
	// +optional
	OrganizationWide bool `json:"organizationWide,omitempty"`

	// notBefore is when the grant begins. Without it: at once.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +kubebuilder:validation:XValidation:rule="self.getFullYear() >= 1970 && self.getFullYear() <= 9999",message="a time lies between the years 1970 and 9999 in UTC; choose another"
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// expiresAt is when the grant ends. Without it: never.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +kubebuilder:validation:XValidation:rule="self.getFullYear() >= 1970 && self.getFullYear() <= 9999",message="a time lies between the years 1970 and 9999 in UTC; choose another"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// RoleBindingStatus is what Roster found and did.
type RoleBindingStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, MembersMissing, Ungated.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// subjects is the number of subjects that the spec lists.
	// +optional
	Subjects int32 `json:"subjects"`

	// scope says in words where the grant holds: Organization, 3 projects.
	// +optional
	Scope string `json:"scope,omitempty"`
}

// RoleBinding grants a Role to subjects in projects or in the whole organization, possibly for a time. Made in the
// organization's namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rrb,categories=roster
// +kubebuilder:printcolumn:name=Role,type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name=Subjects,type=integer,JSONPath=`.status.subjects`
// +kubebuilder:printcolumn:name=Scope,type=string,JSONPath=`.status.scope`
// +kubebuilder:printcolumn:name=Expires,type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type RoleBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec RoleBindingSpec `json:"spec"`
	// +optional
	Status RoleBindingStatus `json:"status,omitempty"`
}

// RoleBindingList is a list of RoleBindings.
//
// +kubebuilder:object:root=true
type RoleBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RoleBinding `json:"items"`
}

// GetConditions returns the conditions of the status.
func (b *RoleBinding) GetConditions() *[]metav1.Condition { return &b.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (b *RoleBinding) SetObservedGeneration(generation int64) {
	b.Status.ObservedGeneration = generation
}
