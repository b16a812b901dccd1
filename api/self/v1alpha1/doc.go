// Package v1alpha1 holds what every authenticated user may ask about themselves, and about nobody else.
//
// +kubebuilder:object:generate=true
// +kubebuilder:skip
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.roster.self.v1alpha1
// +groupName=self.roster.dev
package v1alpha1
