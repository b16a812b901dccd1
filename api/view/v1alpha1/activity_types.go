package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Activity is one change that happened in an organization. The newest comes first. Select by the fields actor, action,
// kind, name, organizationUID and metadata.namespace.
//
// +kubebuilder:object:root=true
type Activity struct {
	metav1.TypeMeta `json:",inline"`
	// metadata has the record's key as its name, and the organization's namespace.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// organizationUID is the metadata.uid of the Organization that the change belongs to, or unknown for one that was gone already.
	// It is left out where the change belongs to none, and for what was recorded before uids were.
	// +optional
	OrganizationUID types.UID `json:"organizationUID,omitempty"`

	// time of the change.
	Time metav1.MicroTime `json:"time"`

	// actor is the authenticated user who made the change, or unknown.
	Actor string `json:"actor"`

	// actorUnknownBecause says why the actor couldn't be known.
	// +optional
	ActorUnknownBecause string `json:"actorUnknownBecause,omitempty"`

	// action is what was done, such as RolesChanged.
	Action string `json:"action"`

	// object is what it happened to.
	Object Object `json:"object"`

	// field is what of the object was changed, such as spec.roles.
	// +optional
	Field string `json:"field,omitempty"`

	// previous is the value before.
	// +optional
	Previous string `json:"previous,omitempty"`

	// new is the value after.
	// +optional
	New string `json:"new,omitempty"`

	// note says it in a sentence.
	// +optional
	Note string `json:"note,omitempty"`

	// coalesced says that several changes were seen as one.
	// +optional
	Coalesced bool `json:"coalesced,omitempty"`
}

// ActivityList is a list of Activities.
//
// +kubebuilder:object:root=true
type ActivityList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Activity `json:"items"`
}
