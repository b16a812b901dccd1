package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APITokenPhase is where an APIToken stands.
//
// +kubebuilder:validation:Enum=Active;Expired;Revoked
type APITokenPhase string

const (
	// APITokenActive has a token, or is about to have one.
	APITokenActive APITokenPhase = "Active"
	// APITokenExpired has come to its end. It is final.
	APITokenExpired APITokenPhase = "Expired"
	// APITokenRevoked was ended by somebody. It is final.
	APITokenRevoked APITokenPhase = "Revoked"
)

const (
	// SecretTypeAPIToken is the type of the Secret that holds a token: token, server, ca.crt and kubeconfig.
	SecretTypeAPIToken = "roster.dev/api-token"
	// SecretTypeCredential is the type of the empty Secret that one issued token is bound to, and dies with.
	SecretTypeCredential = "roster.dev/api-token-credential"
	// LabelAPIToken names the APIToken that a ServiceAccount or Secret was made for.
	LabelAPIToken = "roster.dev/api-token"

	// AnnotationRotate on an APIToken asks for a new token when its value changes. By custom the value is the time.
	AnnotationRotate = "roster.dev/rotate"
	// AnnotationCreatedBy is the authenticated user who made an APIToken. Roster writes it at admission.
	AnnotationCreatedBy = "roster.dev/created-by"

	// ConditionIssued says whether the Secret of an APIToken holds a token, and until when.
	ConditionIssued = "Issued"
	// ConditionUserHeldBack is True on an APIToken that gives nothing because its user holds nothing: suspended,
	// deactivated, without a second factor that is required, or no member any more.
	ConditionUserHeldBack = "UserHeldBack"
	// ConditionExpiresSoon is True on an APIToken whose end is near.
	ConditionExpiresSoon = "ExpiresSoon"
	// ConditionUnused is True on an APIToken that wasn't used for 90 days, where it is known when it was used.
	ConditionUnused = "Unused"
)

// TokenFinalizer keeps an APIToken until its ServiceAccount and Secrets are gone. The access it stands for is kept by
// Finalizer, as for every kind that gives access.
const TokenFinalizer = "roster.dev/token"

// DefaultMaxTokenTTL bounds the life of tokens in an organization that says nothing, as the schema's default does.
const DefaultMaxTokenTTL = 90 * 24 * time.Hour

// TokenRotation replaces the token from time to time.
//
// +kubebuilder:validation:XValidation:rule="!has(self.overlap) || duration(self.overlap) < duration(self.every)",message="overlap is how long the old token works beside the new one, and must be shorter than every; choose a shorter overlap"
type TokenRotation struct {
	// every is how long a token is handed out before the next one is. A duration such as 168h, at least 10m, which is the
	// shortest life that Kubernetes gives a token.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="every is a duration such as 168h, at least 10m and at most 87600h (ten years)"
	Every metav1.Duration `json:"every"`

	// overlap is how long the old token works beside the new one, so that who reads the Secret has time to read it again.
	// 1h unless set, or half of every where that is shorter. 0s ends the old token with the rotation.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('0s')",message="overlap is a duration such as 1h, and 0s for none"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
}

// APITokenSpec says whose token it is, what it may do at most, and how long it lives.
//
// +kubebuilder:validation:XValidation:rule="[has(self.projects), has(self.organizationWide) && self.organizationWide].filter(x, x).size() == 1",message="say where the token works by exactly one of projects and organizationWide: true"
// +kubebuilder:validation:XValidation:rule="!(has(oldSelf.revoked) && oldSelf.revoked) || (has(self.revoked) && self.revoked)",message="a revoked token stays revoked; make another APIToken",fieldPath=".revoked"
// +kubebuilder:validation:XValidation:rule="has(self.expiresAfter) == has(oldSelf.expiresAfter) && (!has(self.expiresAfter) || duration(self.expiresAfter) == duration(oldSelf.expiresAfter))",message="the life of a token is fixed when it is made; make another APIToken",fieldPath=".expiresAfter"
// +kubebuilder:validation:XValidation:rule="has(self.secretName) == has(oldSelf.secretName) && (!has(self.secretName) || self.secretName == oldSelf.secretName)",message="the name of the Secret is fixed when the token is made; make another APIToken",fieldPath=".secretName"
type APITokenSpec struct {
	// user is whose token it is: it never may do more than this user, and dies with the user's access. Whoever creates the
	// APIToken, if left out; another one takes the verb impersonate on that user.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a token stays its user's; make another APIToken"
	User Username `json:"user"`

	// description says what the token is for.
	// +optional
	// +kubebuilder:validation:MaxLength=2000
	Description string `json:"description,omitempty"`

	// roles are the names of Roles, 1 to 16. Each holds where the user holds it, or a role that includes it, and nowhere
	// else; owner for an owner alone.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="!('none' in self)",message="none grants nothing; leave it out"
	Roles []RoleName `json:"roles"`

	// projects are the names of the projects in which the token works, 1 to 100.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Projects []ObjectName `json:"projects,omitempty"`

	// organizationWide lets the token work everywhere in this organization where the user holds the roles: its namespace and
	// its projects. Organizations below have tokens of their own.
	// +optional
	OrganizationWide bool `json:"organizationWide,omitempty"`

	// expiresAfter is how long the token lives from its creation. A duration such as 720h, at least 10m; the organization's
	// tokens.maxTTL bounds it, and is what counts where this is left out.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('10m') && duration(self) <= duration('87600h')",message="expiresAfter is a duration such as 720h, at least 10m, the shortest life that Kubernetes gives a token, and at most 87600h (ten years)"
	ExpiresAfter *metav1.Duration `json:"expiresAfter,omitempty"`

	// rotation replaces the token in the Secret from time to time. Left out: it is replaced on demand alone, by the
	// annotation roster.dev/rotate.
	// +optional
	Rotation *TokenRotation `json:"rotation,omitempty"`

	// revoked ends the token for good. The object stays as a record.
	// +optional
	Revoked bool `json:"revoked,omitempty"`

	// secretName is the name of the Secret in this namespace that the token is written to; the APIToken's name, if left out.
	// There must be none of that name.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="secretName is a DNS label: lower-case letters, digits and '-', beginning and ending with a letter or digit"
	SecretName string `json:"secretName,omitempty"`
}

// APITokenStatus is what Roster found and did. It never holds the token.
type APITokenStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready, Reconciling, Stalled, Issued, UserHeldBack, ExpiresSoon, Unused.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// phase is Active, Expired or Revoked.
	// +optional
	Phase APITokenPhase `json:"phase,omitempty"`

	// roles are those that the token holds somewhere now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Roles []RoleName `json:"roles,omitempty"`

	// tokenID identifies the token that was issued last, as the API server's audit log does: JTI=….
	// +optional
	TokenID string `json:"tokenID,omitempty"`

	// previousTokenID identifies the token before it, which works beside it for the overlap.
	// +optional
	PreviousTokenID string `json:"previousTokenID,omitempty"`

	// issuedAt is when the token was issued last.
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// expiresAt is when the APIToken ends. It never moves to a later time.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// rotatesAt is when the token is replaced next by itself.
	// +optional
	RotatesAt *metav1.Time `json:"rotatesAt,omitempty"`

	// endedAt is when the APIToken expired or was revoked. The object is removed 30 days later, unless the manager is told
	// otherwise.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`

	// lastUsedAt is when the API server last saw the token, to about five minutes. Nothing where that isn't known.
	// +optional
	LastUsedAt *metav1.Time `json:"lastUsedAt,omitempty"`

	// lastUsed says the same for people to read, or that it is unknown, which isn't never.
	// +optional
	// +kubebuilder:default=unknown
	LastUsed string `json:"lastUsed,omitempty"`

	// secretName is the Secret that holds the token.
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// serviceAccount is the ServiceAccount in this namespace that the token authenticates as.
	// +optional
	ServiceAccount string `json:"serviceAccount,omitempty"`
}

// Use records when the token was last used.
func (s *APITokenStatus) Use(at metav1.Time) { s.LastUsedAt, s.LastUsed = &at, readable(at) }

// APIToken is a credential for automation, never stronger than the user it belongs to.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=apitokens,shortName=tok,categories=roster
// +kubebuilder:selectablefield:JSONPath=`.spec.user`
// +kubebuilder:printcolumn:name=User,type=string,JSONPath=`.spec.user`
// +kubebuilder:printcolumn:name=Roles,type=string,JSONPath=`.spec.roles`
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name=Expires,type=string,JSONPath=`.status.expiresAt`
// +kubebuilder:printcolumn:name=Last-Used,type=string,JSONPath=`.status.lastUsed`
// +kubebuilder:printcolumn:name=Ready,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="an API token's name has at most 63 characters and no dot; choose another one",fieldPath=".metadata"
type APIToken struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec APITokenSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={}
	Status APITokenStatus `json:"status,omitempty"`
}

// APITokenList is a list of APITokens.
//
// +kubebuilder:object:root=true
type APITokenList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []APIToken `json:"items"`
}

// GetConditions returns the conditions of the status.
func (t *APIToken) GetConditions() *[]metav1.Condition { return &t.Status.Conditions }

// SetObservedGeneration records which generation the status speaks of.
func (t *APIToken) SetObservedGeneration(generation int64) { t.Status.ObservedGeneration = generation }

// SecretName is the name of the Secret that the token is written to.
func (t *APIToken) SecretName() string {
	if t.Spec.SecretName != "" {
		return t.Spec.SecretName
	}
	return t.Name
}

// uidLength is how much of an APIToken's uid its ServiceAccount is called by.
const uidLength = 13

// ServiceAccountName is the name of the ServiceAccount that the token authenticates as. It is another one for another
// APIToken of the same name, so that nothing meant for the one reaches the other.
func (t *APIToken) ServiceAccountName() string {
	uid := string(t.UID)
	return "token-" + t.Name + "-" + uid[:min(len(uid), uidLength)]
}

// End is when the token ends: its own life and the organization's bound, whichever is shorter, and never later than was
// said before.
func (t *APIToken) End(policy TokenPolicy) time.Time {
	life := policy.Longest()
	if own := t.Spec.ExpiresAfter; own != nil && own.Duration < life {
		life = own.Duration
	}
	end := t.CreationTimestamp.Add(life)
	if said := t.Status.ExpiresAt; said != nil && said.Time.Before(end) {
		return said.Time
	}
	return end
}

// Ended says whether the token was revoked or has come to its end.
func (t *APIToken) Ended(policy TokenPolicy, now time.Time) bool {
	return t.Spec.Revoked || t.Status.EndedAt != nil || !now.Before(t.End(policy))
}
