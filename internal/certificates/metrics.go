package certificates

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// servingEnd is there once a certificate is served, so that none is never taken for one that ended in 1970.
var servingEnd = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "roster_webhook_certificate_end_timestamp_seconds",
	Help: "When the certificate ends that the webhook and the view API serve, in seconds since 1970. Only of those that " +
		"Roster makes.",
}, nil)

func init() {
	metrics.Registry.MustRegister(servingEnd)
}
