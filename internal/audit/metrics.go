package audit

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	eventsTaken = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "roster_audit_events_total", Help: "Records of the API server's audit stream that were taken.",
	})
	writes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "roster_last_seen_writes_total", Help: "Writes of when a user or a token was last seen.",
	})
)

func init() {
	metrics.Registry.MustRegister(eventsTaken, writes)
}
