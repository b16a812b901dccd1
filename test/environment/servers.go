package environment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	serviceNetwork      = "10.0.0.0/24"
	firstServiceAddress = "10.0.0.1"
	// etcdQuota is 8 GB, four times the default: a benchmark writes large bindings faster than old ones are compacted.
	etcdQuota = "8589934592"
)

// usefulControllers are the controllers of kube-controller-manager whose work can be seen here. There are no nodes, so
// everything about Pods, volumes and routes would only cost time.
var usefulControllers = []string{
	"namespace-controller",
	"garbage-collector-controller",
	"clusterrole-aggregation-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"validatingadmissionpolicy-status-controller",
}

func (c *Cluster) startEtcd(ctx context.Context) error {
	c.progress("starting etcd")
	return onFreePort(c.state.EtcdPort, func(port int) error {
		process, err := c.launch(command{name: etcdServer, path: c.binary(etcdServer), arguments: c.etcdArguments(port)})
		if err != nil {
			return err
		}
		config := &rest.Config{Host: "https://" + address(port), TLSClientConfig: rest.TLSClientConfig{
			CAFile:   c.certificates.certificate(etcdAuthority),
			CertFile: c.certificates.certificate(etcdClient),
			KeyFile:  c.certificates.key(etcdClient),
		}}
		return c.whenReady(ctx, process, config, "/health", func(state *state) { state.EtcdPort = port })
	})
}

// etcdArguments: nothing here must survive a crash of the machine, so etcd needn't wait for the disk.
func (c *Cluster) etcdArguments(port int) []string {
	client := "https://" + address(port)
	const peer = "https://" + loopback + ":0"
	return flags(map[string]string{
		"name":                        "roster",
		"data-dir":                    c.path("etcd"),
		"unsafe-no-fsync":             "true",
		"quota-backend-bytes":         etcdQuota,
		"log-level":                   "warn",
		"listen-client-urls":          client,
		"advertise-client-urls":       client,
		"listen-peer-urls":            peer,
		"initial-advertise-peer-urls": peer,
		"initial-cluster":             "roster=" + peer,
		"client-cert-auth":            "true",
		"trusted-ca-file":             c.certificates.certificate(etcdAuthority),
		"cert-file":                   c.certificates.certificate(etcdServer),
		"key-file":                    c.certificates.key(etcdServer),
		"peer-client-cert-auth":       "true",
		"peer-trusted-ca-file":        c.certificates.certificate(etcdAuthority),
		"peer-cert-file":              c.certificates.certificate(etcdServer),
		"peer-key-file":               c.certificates.key(etcdServer),
	})
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	c.progress("starting kube-apiserver")
	if err := c.writeAuditFiles(); err != nil {
		return err
	}
	preferred := c.options.Port
	if preferred == 0 {
		preferred = c.state.Port
	}
	return onFreePort(preferred, func(port int) error {
		if c.options.Port != 0 && port != c.options.Port {
			return fmt.Errorf("%w: %s", ErrPortTaken, address(c.options.Port))
		}
		process, err := c.launch(command{name: apiServer, path: c.binary(apiServer), arguments: c.apiServerArguments(port)})
		if err != nil {
			return err
		}
		if err := c.update(func(state *state) { state.Port = port }); err != nil {
			return err
		}
		return c.whenReady(ctx, process, c.Admin(), "/readyz", func(*state) {})
	})
}

func (c *Cluster) apiServerArguments(port int) []string {
	arguments := map[string]string{
		"bind-address": loopback,
		"secure-port":  fmt.Sprint(port),
		// The address of a loopback interface is no valid endpoint of the Service "kubernetes".
		"advertise-address":        loopback,
		"endpoint-reconciler-type": "none",
		"service-cluster-ip-range": serviceNetwork,
		"authorization-mode":       "RBAC",
		"allow-privileged":         "true",

		"tls-cert-file":        c.certificates.certificate(apiServer),
		"tls-private-key-file": c.certificates.key(apiServer),
		"client-ca-file":       c.certificates.certificate(apiAuthority),

		"etcd-servers":  "https://" + address(c.state.EtcdPort),
		"etcd-cafile":   c.certificates.certificate(etcdAuthority),
		"etcd-certfile": c.certificates.certificate(etcdClient),
		"etcd-keyfile":  c.certificates.key(etcdClient),

		"service-account-issuer":           "https://kubernetes.default.svc",
		"service-account-key-file":         c.certificates.publicKey(serviceAccounts),
		"service-account-signing-key-file": c.certificates.key(serviceAccounts),

		"proxy-client-cert-file":             c.certificates.certificate(frontProxyClient),
		"proxy-client-key-file":              c.certificates.key(frontProxyClient),
		"requestheader-client-ca-file":       c.certificates.certificate(frontProxyAuthority),
		"requestheader-allowed-names":        frontProxyClient,
		"requestheader-username-headers":     "X-Remote-User",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",

		"audit-log-path":      c.path(auditLog),
		"audit-log-maxsize":   "500",
		"audit-log-maxbackup": "4",
	}
	maps.Copy(arguments, c.streamArguments())
	maps.Copy(arguments, c.options.APIServerArguments)
	return flags(arguments)
}

// startControllerManager gives each controller its own ServiceAccount, as clusters in production do: rules that except
// the namespace controller or the garbage collector would otherwise not be tried.
func (c *Cluster) startControllerManager(ctx context.Context) error {
	c.progress("starting kube-controller-manager")
	kubeconfig := c.path(controllerManager + ".kubeconfig")
	if err := WriteKubeconfig(kubeconfig, c.clientConfig(controllerManager)); err != nil {
		return err
	}
	process, err := c.launch(command{name: controllerManager, path: c.binary(controllerManager), arguments: flags(map[string]string{
		"kubeconfig":                       kubeconfig,
		"secure-port":                      "0",
		"leader-elect":                     "false",
		"controllers":                      strings.Join(usefulControllers, ","),
		"use-service-account-credentials":  "true",
		"service-account-private-key-file": c.certificates.key(serviceAccounts),
		"root-ca-file":                     c.certificates.certificate(apiAuthority),
		"kube-api-qps":                     "1000",
		"kube-api-burst":                   "2000",
	})})
	if err != nil {
		return err
	}
	reader, err := client.New(c.Admin(), client.Options{})
	if err != nil {
		return err
	}
	if err := process.waitUntil(ctx, func(ctx context.Context) error { return controllersWork(ctx, reader) }); err != nil {
		return errors.Join(err, c.StopProcess(process))
	}
	return nil
}

// controllersWork looks at what the controllers make in an empty cluster: the ServiceAccount of the default namespace
// and the rules of the ClusterRoles that are put together from others.
func controllersWork(ctx context.Context, reader client.Reader) error {
	if err := reader.Get(ctx, client.ObjectKey{Namespace: "default", Name: "default"}, &corev1.ServiceAccount{}); err != nil {
		return err
	}
	for _, name := range []string{"admin", "edit", "view"} {
		var role rbacv1.ClusterRole
		if err := reader.Get(ctx, client.ObjectKey{Name: name}, &role); err != nil {
			return err
		}
		if len(role.Rules) == 0 {
			return fmt.Errorf("ClusterRole %s has no rules yet", name)
		}
	}
	return nil
}

// whenReady waits until the server answers on the path, and then notes the change of the state. A server that doesn't
// get ready is stopped.
func (c *Cluster) whenReady(ctx context.Context, process *Process, config *rest.Config, path string, change func(*state)) error {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return errors.Join(err, c.StopProcess(process))
	}
	err = process.waitUntil(ctx, func(ctx context.Context) error { return answers(ctx, httpClient, config.Host+path) })
	if err != nil {
		err = markAddressInUse(err, process)
		return errors.Join(err, c.StopProcess(process))
	}
	return c.update(change)
}

// answers asks a server for its health.
func answers(ctx context.Context, httpClient *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	return errors.Join(fmt.Errorf("GET %s: %s: %s", url, response.Status, body), err)
}

// flags renders arguments in a fixed order.
func flags(arguments map[string]string) []string {
	var rendered []string
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		rendered = append(rendered, "--"+name+"="+arguments[name])
	}
	return rendered
}
