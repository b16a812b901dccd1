package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeletionPolicy says what becomes of a project's namespaces when the project goes.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// DeletionRetain keeps the namespaces: they lose Roster's labels and bindings, nothing else.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete deletes the namespaces with all that is in them.
	DeletionDelete DeletionPolicy = "Delete"
)

// ProjectSpec says what a project is and which namespaces hold its workloads.
type ProjectSpec struct {
	// displayName is what people call the project.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName,omitempty"`

	// description says what the project is for.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Description string `json:"description,omitempty"`

	// namespaces hold the project's workloads, 1 to 50. Left out: one, named ORGANIZATION-PROJECT. A namespace that isn't
	// there is made. One that is there is used only if it carries the labels roster.dev/organization and
	// roster.dev/project with this organization's and this project's name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Namespaces []NamespaceName `json:"namespaces,omitempty"`

	// deletionPolicy says what becomes of the namespaces when the project is deleted: Retain keeps them, Delete deletes
	// them with all that is in them.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ProjectStatus is what Roster found and did.
type ProjectStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// namespaces are those that are there and belong to the project.
	// +optional
	// +listType=atomic
	Namespaces []string `json:"namespaces,omitempty"`

	// legacyBindings are RBAC RoleBindings in the project's namespaces that Roster didn't make, by namespace and name, at
	// most the first 200. They keep working and can be deleted; members can't make new ones.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	LegacyBindings []LegacyBinding `json:"legacyBindings,omitempty"`
}

// LegacyBinding is an RBAC RoleBinding that Roster didn't make.
type LegacyBinding struct {
	// namespace that it is in.
	Namespace string `json:"namespace"`
	// name of the RoleBinding.
	Name string `json:"name"`
	// role that it binds: ClusterRole/edit, or Role/deployer for one of the namespace itself.
	Role string `json:"role"`
	// subjects that it binds to: "User bo@acme.example", "Group oidc:all", "ServiceAccount acme-shop/ci"; the first 20, and
	// how many more there are.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=21
	Subjects []string `json:"subjects,omitempty"`
}

// Project is a unit of work with one or more namespaces for its workloads, made in the organization's namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=proj,categories=roster
// +kubebuilder:printcolumn:name=Namespaces,type=string,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a project's name is a DNS label of at most 63 characters: lower-case letters, digits and '-', beginning and ending with a letter or digit",fieldPath=".metadata"
type Project struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec ProjectSpec `json:"spec,omitempty"`
	// +optional
	Status ProjectStatus `json:"status,omitempty"`
}

// ProjectList is a list of Projects.
//
// +kubebuilder:object:root=true
type ProjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Project `json:"items"`
}

// GetConditions returns the conditions of the status.
func (p *Project) GetConditions() *[]metav1.Condition { return &p.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (p *Project) SetObservedGeneration(generation int64) { p.Status.ObservedGeneration = generation }

// NamespaceNames returns the namespaces that the project asks for: those it names, or the one that is named after the
// organization and the project.
func (p *Project) NamespaceNames() []string {
	if len(p.Spec.Namespaces) == 0 {
		organization, _ := OrganizationOf(p.Namespace)
		return []string{organization + "-" + p.Name}
	}
	names := make([]string, 0, len(p.Spec.Namespaces))
	for _, name := range p.Spec.Namespaces {
		names = append(names, string(name))
	}
	return names
}
