// Package v1alpha1 holds what is answered and never stored: who is a member of an organization, who may do what in it and
// why, and what was changed.
//
// +kubebuilder:object:generate=true
// +kubebuilder:skip
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.roster.view.v1alpha1
// +groupName=view.roster.dev
package v1alpha1
