package manager

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/roster-dev/roster/internal/admission"
	"github.com/roster-dev/roster/internal/certificates"
)

// cachedObjects narrows the caches to what is needed of some kinds.
func cachedObjects() map[client.Object]cache.ByObject {
	objects := map[client.Object]cache.ByObject{
		&rbacv1.RoleBinding{}: {Transform: newSubjectLists().transform},
	}
	maps.Copy(objects, certificates.Watched())
	return objects
}

// webhookServer answers in every replica, whoever leads, from its start with the caches in sync and counted.
type webhookServer struct {
	server webhook.Server
	tally  *admission.Tally
}

// Start implements manager.Runnable.
func (s webhookServer) Start(ctx context.Context) error {
	if !s.tally.WaitForSync(ctx) {
		return nil
	}
	return s.server.Start(ctx)
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (webhookServer) NeedLeaderElection() bool { return false }

// addWebhook serves admission, with certificates that Roster keeps itself unless a folder of them is given. It returns
// those that Roster keeps.
func addWebhook(ctx context.Context, manager ctrl.Manager, options *Options) (*certificates.Serving, error) {
	host, port, err := splitAddress(options.WebhookAddress)
	if err != nil {
		return nil, err
	}
	var serving *certificates.Serving
	serverOptions := webhook.Options{Host: host, Port: port, CertDir: options.WebhookCertDir}
	if options.WebhookCertDir == "" {
		if serving, err = keepCertificates(ctx, manager); err != nil {
			return nil, err
		}
		serverOptions.TLSOpts = []func(*tls.Config){func(config *tls.Config) { config.GetCertificate = serving.GetCertificate }}
	}
	server := webhook.NewServer(serverOptions)
	tally, err := admission.AddTo(ctx, manager, server, options.Bounds)
	if err != nil {
		return nil, err
	}
	if err := manager.AddReadyzCheck("webhook", server.StartedChecker()); err != nil {
		return nil, err
	}
	return serving, manager.Add(webhookServer{server: server, tally: tally})
}

// keepCertificates has the leader make and renew the certificates, and every replica wait for them.
func keepCertificates(ctx context.Context, manager ctrl.Manager) (*certificates.Serving, error) {
	controller := &certificates.Reconciler{Client: manager.GetClient(), Clock: clock.RealClock{}}
	if err := controller.SetupWithManager(manager); err != nil {
		return nil, fmt.Errorf("set up %T: %w", controller, err)
	}
	// A replica that doesn't lead runs no controller that would ask for it.
	if _, err := manager.GetCache().GetInformer(ctx, &corev1.Secret{}); err != nil {
		return nil, fmt.Errorf("watch the webhook's certificates: %w", err)
	}
	serving := certificates.NewServing(manager.GetCache())
	return serving, manager.AddReadyzCheck("webhook-certificates", func(request *http.Request) error {
		_, err := serving.Current(request.Context())
		return err
	})
}

// splitAddress reads HOST:PORT; without a host all of the machine's addresses are meant.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	const lowest, highest = 1, 65535
	port, err = strconv.Atoi(text)
	if err != nil || port < lowest || port > highest {
		return "", 0, fmt.Errorf("port %q is no number from %d to %d", text, lowest, highest)
	}
	return host, port, nil
}
