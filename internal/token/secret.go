package token

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
)

// The keys of a token's Secret.
const (
	KeyToken      = "token"
	KeyServer     = "server"
	KeyCA         = "ca.crt"
	KeyKubeconfig = "kubeconfig"
)

// What the Secrets say of the tokens that they hold or stand for.
const (
	annotationCredential = "roster.dev/credential"
	annotationID         = "roster.dev/token-id"
	annotationIssuedAt   = "roster.dev/issued-at"
	annotationExpiresAt  = "roster.dev/expires-at"
)

// Server is where tokens are for.
type Server struct {
	// URL of the API server, as who holds a token reaches it.
	URL string
	// CA is the authority that signs its certificate, in PEM; empty for those that every machine trusts.
	CA []byte
}

// Account is the ServiceAccount that a token authenticates as.
func Account(token *v1alpha1.APIToken) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta: owned(token, token.ServiceAccountName()), AutomountServiceAccountToken: ptr.To(false),
	}
}

// NewCredential is the Secret that the next token is to be bound to.
func NewCredential(token *v1alpha1.APIToken, suffix string, now time.Time) *corev1.Secret {
	meta := owned(token, token.ServiceAccountName()+"-"+suffix)
	meta.Annotations = map[string]string{annotationIssuedAt: written(now)}
	return &corev1.Secret{ObjectMeta: meta, Type: v1alpha1.SecretTypeCredential}
}

// Deliver is the Secret that holds a token.
func Deliver(token *v1alpha1.APIToken, delivery Delivery, text string, server Server) (*corev1.Secret, error) {
	kubeconfig, err := kubeconfigFor(token, text, server)
	if err != nil {
		return nil, err
	}
	meta := owned(token, token.SecretName())
	meta.Annotations = map[string]string{
		annotationCredential:      delivery.Credential,
		annotationID:              delivery.ID,
		annotationIssuedAt:        written(delivery.IssuedAt),
		annotationExpiresAt:       written(delivery.ExpiresAt),
		v1alpha1.AnnotationRotate: delivery.Rotation,
	}
	return &corev1.Secret{ObjectMeta: meta, Type: v1alpha1.SecretTypeAPIToken, Data: map[string][]byte{
		KeyToken: []byte(text), KeyServer: []byte(server.URL), KeyCA: server.CA, KeyKubeconfig: kubeconfig,
	}}, nil
}

func kubeconfigFor(token *v1alpha1.APIToken, text string, server Server) ([]byte, error) {
	organization, _ := v1alpha1.OrganizationOf(token.Namespace)
	name := organization + "-" + token.Name
	content, err := clientcmd.Write(clientcmdapi.Config{
		CurrentContext: name,
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server.URL, CertificateAuthorityData: server.CA}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: text}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
	})
	if err != nil {
		return nil, fmt.Errorf("write the kubeconfig of API token %s: it can't be encoded", token.Name)
	}
	return content, nil
}

// Reader is the ClusterRole by which the one Secret is read. Who is bound to it is for the sync of the organization.
func Reader(token *v1alpha1.APIToken) *rbacv1.ClusterRole {
	organization, _ := v1alpha1.OrganizationOf(token.Namespace)
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{
			Name: rbac.TokenReader(organization, token.Name), Labels: rbac.Labels(organization, ""),
		},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{token.SecretName()},
			Verbs: []string{"get"},
		}},
	}
}

func owned(token *v1alpha1.APIToken, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: token.Namespace, Name: name,
		Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster, v1alpha1.LabelAPIToken: token.Name,
		},
		OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(token, v1alpha1.GroupVersion.WithKind("APIToken")),
		},
	}
}

// StateOf reads what there is of an APIToken from the metadata of ServiceAccounts and Secrets that carry its name.
func StateOf(token *v1alpha1.APIToken, accounts, secrets []metav1.PartialObjectMetadata) State {
	var state State
	for i := range accounts {
		account := &accounts[i]
		isAccount := account.Name == token.ServiceAccountName() && metav1.IsControlledBy(account, token)
		state.HasAccount = state.HasAccount || isAccount && account.DeletionTimestamp == nil
	}
	for i := range secrets {
		secret := &secrets[i]
		switch {
		case !metav1.IsControlledBy(secret, token) || secret.DeletionTimestamp != nil:
		case secret.Name == token.SecretName():
			state.Delivery = &Delivery{
				Credential: secret.Annotations[annotationCredential], ID: secret.Annotations[annotationID],
				IssuedAt: read(secret, annotationIssuedAt), ExpiresAt: read(secret, annotationExpiresAt),
				Rotation: secret.Annotations[v1alpha1.AnnotationRotate],
			}
		case strings.HasPrefix(secret.Name, token.ServiceAccountName()+"-"):
			state.Credentials = append(state.Credentials, Credential{
				Name: secret.Name, IssuedAt: read(secret, annotationIssuedAt),
			})
		}
	}
	return state
}

func written(instant time.Time) string { return instant.UTC().Format(time.RFC3339Nano) }

// read reads an instant; the zero time, which is long ago, where somebody has spoilt it.
func read(object metav1.Object, annotation string) time.Time {
	instant, err := time.Parse(time.RFC3339Nano, object.GetAnnotations()[annotation])
	if err != nil {
		return time.Time{}
	}
	return instant
}
