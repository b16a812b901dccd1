package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AnswerSpec is what an invited person says.
type AnswerSpec struct {
	// organization that invites.
	Organization string `json:"organization"`

	// response is Accepted or Declined.
	Response string `json:"response"`

	// code that was mailed. An invitation to an address alone takes no answer without it; to a caller who is invited by
	// username, it confirms the address that it was mailed to. Left out: the caller is invited by username.
	// +optional
	Code string `json:"code,omitempty"`
}

// AnswerStatus is what came of the answer.
type AnswerStatus struct {
	// membership that was answered, in the organization's namespace.
	// +optional
	Membership string `json:"membership,omitempty"`

	// roles that the user was invited to.
	// +optional
	// +listType=atomic
	Roles []string `json:"roles,omitempty"`

	// confirmed is the mail address that the caller confirmed by the code: from now on other organizations' mails for the
	// caller may go there.
	// +optional
	Confirmed string `json:"confirmed,omitempty"`
}

// Answer accepts or declines an invitation. It is only ever created, by the invited person, and isn't kept: what was
// answered stands in the Membership.
//
// +kubebuilder:object:root=true
type Answer struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec AnswerSpec `json:"spec"`
	// +optional
	Status AnswerStatus `json:"status,omitempty"`
}
