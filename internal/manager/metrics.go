package manager

import (
	"crypto/tls"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/roster-dev/roster/internal/certificates"
)

// metricsCertificate is what secure metrics are served with. The server of metrics is there before the certificates are.
type metricsCertificate struct{ serving *certificates.Serving }

func (m *metricsCertificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if m.serving == nil {
		return nil, errors.New("the webhook's certificate isn't there yet")
	}
	return m.serving.GetCertificate(hello)
}

// metricsOptions serve metrics as they are asked for: to everybody who reaches the address, or encrypted and to who may
// get the path /metrics. They are encrypted with the webhook's certificate.
func metricsOptions(options *Options, certificate *metricsCertificate) metricsserver.Options {
	if !options.MetricsSecure {
		return metricsserver.Options{BindAddress: options.MetricsAddress}
	}
	secure := metricsserver.Options{
		BindAddress: options.MetricsAddress, SecureServing: true, CertDir: options.WebhookCertDir,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
	}
	if options.WebhookCertDir == "" {
		secure.TLSOpts = []func(*tls.Config){func(config *tls.Config) { config.GetCertificate = certificate.get }}
	}
	return secure
}
