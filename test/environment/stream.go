package environment

import (
	"context"
	"errors"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	rostercertificates "github.com/roster-dev/roster/internal/certificates"
)

const (
	auditPolicyFile = "audit-policy.yaml"
	auditConfigFile = "audit-webhook.kubeconfig"
	// rosterServer is for whom Roster's certificate is, by whatever address it is reached.
	rosterServer = "roster.roster-system.svc"
)

// writesPolicy records who changed what, and leaves out what is no change: reads, questions about rights, and the leases of
// leader elections.
const writesPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}, {group: authorization.k8s.io}]
- level: Metadata
`

// streamPolicy records reads, too, since they show that somebody is there; not those of the cluster's own components, which
// are most. With managerReads it is the policy of docs/operations.md.
const streamPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}, {group: authentication.k8s.io}]
- level: None
  verbs: [get, list, watch]
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]
- level: None
  verbs: [get, list, watch]
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: None
  users: ["system:serviceaccount:roster-system:roster-manager"]
  resources: [{group: authorization.k8s.io}]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*", "/metrics"]
`

// What the policies end with: what no rule before leaves out is recorded.
const (
	managerReads = `- level: None
  verbs: [get, list, watch]
  users: ["system:serviceaccount:roster-system:roster-manager"]
`
	theRest = `- level: Metadata
`
)

// writeAuditFiles writes the policy and, with the audit stream on, where the stream goes: to the port on which the manager
// will serve its view API.
func (c *Cluster) writeAuditFiles() error {
	if !c.state.AuditStream {
		return os.WriteFile(c.path(auditPolicyFile), []byte(writesPolicy), 0o600)
	}
	port := c.state.ViewPort
	if err := choosePort(&port, port); err != nil {
		return err
	}
	if err := c.update(func(state *state) { state.ViewPort = port }); err != nil {
		return err
	}
	policy := streamPolicy + managerReads + theRest
	if c.options.AuditManager {
		policy = streamPolicy + theRest
	}
	const name = "roster"
	config, err := clientcmd.Write(clientcmdapi.Config{
		CurrentContext: name,
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server: "https://" + address(port) + "/audit", TLSServerName: rosterServer,
			CertificateAuthority: c.certificates.certificate(rosterAuthority),
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificate: c.certificates.certificate(auditSender), ClientKey: c.certificates.key(auditSender),
		}},
		Contexts: map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
	})
	return errors.Join(err,
		writeFile(c.path(auditConfigFile), config),
		os.WriteFile(c.path(auditPolicyFile), []byte(policy), 0o600))
}

// streamArguments are those of the API server.
func (c *Cluster) streamArguments() map[string]string {
	arguments := map[string]string{"audit-policy-file": c.path(auditPolicyFile)}
	if c.state.AuditStream {
		arguments["audit-webhook-config-file"] = c.path(auditConfigFile)
		arguments["audit-webhook-mode"] = "batch"
		arguments["audit-webhook-batch-max-wait"] = "1s"
		// At its end the API server would wait a minute for a manager that was stopped before it.
		arguments["audit-webhook-initial-backoff"] = "100ms"
	}
	return arguments
}

// installAuthority gives Roster the authority that the API server trusts already.
func (c *Cluster) installAuthority(ctx context.Context) error {
	if !c.state.AuditStream {
		return nil
	}
	certificate, err := os.ReadFile(c.certificates.certificate(rosterAuthority))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.certificates.key(rosterAuthority))
	if err != nil {
		return err
	}
	admin, err := client.New(c.Admin(), client.Options{})
	if err != nil {
		return err
	}
	err = admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ManagerNamespace, Name: rostercertificates.SecretName},
		Data:       map[string][]byte{rostercertificates.AuthorityCertificate: certificate, rostercertificates.AuthorityKey: key},
	})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
