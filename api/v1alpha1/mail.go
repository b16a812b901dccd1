package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MailDelivery is how far a mail has come.
//
// +kubebuilder:validation:Enum=Sending;Sent;Retrying;Failed;Unknown
type MailDelivery string

const (
	// MailSending: the mail is being handed to the server. It is written down before.
	MailSending MailDelivery = "Sending"
	// MailSent: the server has taken the mail.
	MailSent MailDelivery = "Sent"
	// MailRetrying: the server hasn't taken the mail, and will be asked again.
	MailRetrying MailDelivery = "Retrying"
	// MailFailed: the server won't take the mail, or what it says was over before it did; it isn't tried again.
	MailFailed MailDelivery = "Failed"
	// MailUnknown: the mail may have been sent or not, since Roster or the connection broke off in the middle. It isn't
	// sent again by itself.
	MailUnknown MailDelivery = "Unknown"
)

// MailState is what is remembered of a mail, before and after each attempt, so that nobody is mailed twice.
type MailState struct {
	// delivery is how far the mail has come; left out: it hasn't been tried.
	// +optional
	Delivery MailDelivery `json:"delivery,omitempty"`

	// attempts is how often the mail was tried.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// attemptedAt is when it was last tried.
	// +optional
	AttemptedAt *metav1.Time `json:"attemptedAt,omitempty"`

	// sentAt is when a server took it.
	// +optional
	SentAt *metav1.Time `json:"sentAt,omitempty"`

	// lastError says why the mail wasn't sent, or may not have been.
	// +optional
	LastError string `json:"lastError,omitempty"`
}
