package admission

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "roster_admission_refusals_total",
		Help: "Changes that the webhook refused, by the rule that they would break.",
	}, []string{"rule"})
	undecided = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "roster_admission_undecided_total",
		Help: "Changes that were refused because an error kept the webhook from deciding on them.",
	})
)

func init() {
	metrics.Registry.MustRegister(refusals, undecided)
	// A counter that is there from the start shows its first increase, too.
	for _, rule := range rules {
		refusals.WithLabelValues(string(rule))
	}
}
