// Package v1alpha1 holds the resources that people and pipelines apply to say who may do what: organizations, their
// members, teams, projects, roles and role bindings, and what is known of each user.
//
// +kubebuilder:object:generate=true
// +groupName=roster.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and version of Roster's resources.
	GroupVersion = schema.GroupVersion{Group: "roster.dev", Version: "v1alpha1"}

	// SchemeBuilder collects the functions that register Roster's types.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers Roster's types in a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Organization{}, &OrganizationList{},
		&Membership{}, &MembershipList{},
		&Team{}, &TeamList{},
		&Project{}, &ProjectList{},
		&Role{}, &RoleList{},
		&RoleBinding{}, &RoleBindingList{},
		&User{}, &UserList{},
		&JoinRequest{}, &JoinRequestList{},
		&APIToken{}, &APITokenList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
