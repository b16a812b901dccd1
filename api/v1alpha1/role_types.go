package v1alpha1

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PermissionsGroup is the virtual API group of permissions that no resource of the cluster stands for. A product asks
// for them with a SubjectAccessReview: group permissions.roster.dev, resource crawls, verb start.
const PermissionsGroup = "permissions.roster.dev"

// Permission is RESOURCE.VERB of the virtual API group permissions.roster.dev, such as crawls.start.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=127
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a permission is RESOURCE.VERB, both of lower-case letters, digits and '-', such as crawls.start"
type Permission string

// RoleSpec says what a role permits. Rules that hand out identities (the verb impersonate, and create on
// serviceaccounts/token) are left out when the role is compiled.
type RoleSpec struct {
	// displayName is what people call the role.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// description says what the role is for.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Description string `json:"description,omitempty"`

	// includes are other Roles, up to 32, whose permissions this role has too, with all that they include. Names resolve
	// where this Role lives: in its organization, then in those above, then in the catalogue. No cycles.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="!('owner' in self)",message="owner can't be included; only spec.owners of an Organization makes an owner"
	Includes []RoleName `json:"includes,omitempty"`

	// clusterRoles are Kubernetes ClusterRoles, up to 32, whose rules are copied in for project namespaces, and followed
	// when they change.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(name, !name.startsWith('roster:') && !name.startsWith('system:'))",message="name a ClusterRole that is neither Roster's own (roster:) nor Kubernetes' own (system:); use includes for another Role"
	ClusterRoles []string `json:"clusterRoles,omitempty"`

	// rules hold in project namespaces, up to 100.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:XValidation:rule="self.all(rule, size(rule.verbs) > 0 && has(rule.apiGroups) && size(rule.apiGroups) > 0 && has(rule.resources) && size(rule.resources) > 0 && !has(rule.nonResourceURLs))",message="each rule names verbs, apiGroups (\"\" is the core group) and resources, and no nonResourceURLs: a role holds in namespaces"
	Rules []rbacv1.PolicyRule `json:"rules,omitempty"`

	// organizationRules hold in the organization's namespace, up to 100.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:XValidation:rule="self.all(rule, size(rule.verbs) > 0 && has(rule.apiGroups) && size(rule.apiGroups) > 0 && has(rule.resources) && size(rule.resources) > 0 && !has(rule.nonResourceURLs))",message="each rule names verbs, apiGroups (\"\" is the core group) and resources, and no nonResourceURLs: a role holds in namespaces"
	OrganizationRules []rbacv1.PolicyRule `json:"organizationRules,omitempty"`

	// permissions are RESOURCE.VERB of the virtual API group permissions.roster.dev, up to 200. They hold in project
	// namespaces and in the organization's.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Permissions []Permission `json:"permissions,omitempty"`
}

// RoleStatus is what the role was compiled to.
type RoleStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, Narrowed.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// clusterRole is the ClusterRole that holds in project namespaces.
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// organizationClusterRole is the ClusterRole that holds in the organization's namespace.
	// +optional
	OrganizationClusterRole string `json:"organizationClusterRole,omitempty"`

	// permissions are all virtual permissions that the role has, with those of the roles that it includes.
	// +optional
	// +listType=atomic
	Permissions []string `json:"permissions,omitempty"`

	// effectiveRules is the number of rules in the two ClusterRoles together.
	// +optional
	EffectiveRules int32 `json:"effectiveRules"`
}

// Role is a named set of permissions. Those in roster-system are the catalogue, which every organization can use; those
// in an organization's namespace are for that organization and the ones below it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rrole,categories=roster
// +kubebuilder:printcolumn:name=Includes,type=string,JSONPath=`.spec.includes`
// +kubebuilder:printcolumn:name=Rules,type=integer,JSONPath=`.status.effectiveRules`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a role's name is a DNS label of at most 63 characters: lower-case letters, digits and '-', beginning and ending with a letter or digit",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.includes) || !(self.metadata.name in self.spec.includes)",message="a role can't include itself; take its own name out of spec.includes",fieldPath=".spec.includes"
type Role struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec RoleSpec `json:"spec,omitempty"`
	// +optional
	Status RoleStatus `json:"status,omitempty"`
}

// RoleList is a list of Roles.
//
// +kubebuilder:object:root=true
type RoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Role `json:"items"`
}

// GetConditions returns the conditions of the status.
func (r *Role) GetConditions() *[]metav1.Condition { return &r.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (r *Role) SetObservedGeneration(generation int64) { r.Status.ObservedGeneration = generation }
