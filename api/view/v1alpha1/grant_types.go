package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Object names an object of Roster's.
type Object struct {
	// kind of the object, such as Team.
	Kind string `json:"kind"`

	// namespace of the object; left out for an Organization.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// name of the object.
	Name string `json:"name"`
}

// Grant is one role that somebody holds in one namespace, and the chain of objects that gives it. Who holds the same role
// there in two ways has two grants. Grants are computed when they are asked for and can't be written. Select by the fields
// user, namespace and role.
//
// +kubebuilder:object:root=true
type Grant struct {
	metav1.TypeMeta `json:",inline"`
	// metadata has a name that derives from user, namespace, role and chain, and the organization's namespace.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// user is the username that holds the role; a ServiceAccount's is system:serviceaccount:NAMESPACE:NAME.
	// +optional
	User string `json:"user,omitempty"`

	// group is the identity provider's group that holds the role, where it isn't a user.
	// +optional
	Group string `json:"group,omitempty"`

	// namespace is where the role holds: the organization's own namespace or one of a project's.
	TargetNamespace string `json:"namespace"`

	// role is the name of the Role.
	Role string `json:"role"`

	// roleOrganization is the organization whose Role it is; left out for the catalogue's.
	// +optional
	RoleOrganization string `json:"roleOrganization,omitempty"`

	// via is the chain of objects that gives the role, from the one that names the role to the one that names the user.
	// +optional
	// +listType=atomic
	Via []Object `json:"via,omitempty"`

	// expiresAt is when the grant ends by itself.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// GrantList is a list of Grants.
//
// +kubebuilder:object:root=true
type GrantList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Grant `json:"items"`
}
