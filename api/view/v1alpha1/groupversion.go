package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and version of the answers about an organization.
	GroupVersion = schema.GroupVersion{Group: "view.roster.dev", Version: "v1alpha1"}

	// SchemeBuilder collects the functions that register these types.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers these types in a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Member{}, &MemberList{},
		&Grant{}, &GrantList{},
		&Activity{}, &ActivityList{},
		&Report{}, &ReportList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
