package environment

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tokenLifetime is longer than any local control plane lives.
const tokenLifetime = 365 * 24 * time.Hour

// AdminKubeconfig is the path of a kubeconfig for Admin.
func (c *Cluster) AdminKubeconfig() string { return c.path("kubeconfig") }

func (c *Cluster) writeAdminKubeconfig(context.Context) error {
	return WriteKubeconfig(c.AdminKubeconfig(), c.Admin())
}

// Person is a client configuration by which the API server authenticates the user Person itself.
func (c *Cluster) Person() *rest.Config { return c.clientConfig(person) }

// AuditSender is a client configuration of who may send the audit stream.
func (c *Cluster) AuditSender() *rest.Config { return c.clientConfig(auditSender) }

// As is a client configuration that acts as the user and the groups. The API server adds system:authenticated.
func (c *Cluster) As(user string, groups ...string) *rest.Config {
	config := c.Admin()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return config
}

// ServiceAccount is a client configuration with a token of the ServiceAccount, which must exist.
func (c *Cluster) ServiceAccount(ctx context.Context, namespace, name string) (*rest.Config, error) {
	admin, err := client.New(c.Admin(), client.Options{})
	if err != nil {
		return nil, err
	}
	lifetime := int64(tokenLifetime.Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("request a token for ServiceAccount %s/%s: %w", namespace, name, err)
	}
	config := rest.AnonymousClientConfig(c.Admin())
	config.BearerToken = request.Status.Token
	return config, nil
}

// WriteKubeconfig writes a kubeconfig with the one context that the client configuration describes. Certificates go
// into the file itself, so that it can be moved.
func WriteKubeconfig(path string, config *rest.Config) error {
	config = rest.CopyConfig(config)
	if err := rest.LoadTLSFiles(config); err != nil {
		return err
	}
	const name = "roster"
	kubeconfig := clientcmdapi.Config{
		CurrentContext: name,
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server:                   config.Host,
			CertificateAuthorityData: config.CAData,
		}},
		Contexts: map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: config.CertData,
			ClientKeyData:         config.KeyData,
			Token:                 config.BearerToken,
			Impersonate:           config.Impersonate.UserName,
			ImpersonateGroups:     config.Impersonate.Groups,
		}},
	}
	content, err := clientcmd.Write(kubeconfig)
	if err != nil {
		return err
	}
	return writeFile(path, content)
}
