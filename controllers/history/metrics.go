package history

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/roster-dev/roster/internal/activity"
)

var (
	pending = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "roster_history_changes_pending", Help: "Changes that were seen and aren't recorded as Events yet.",
	})
	recorded = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "roster_history_changes_recorded_total", Help: "Changes that were recorded, by the kind of their object.",
	}, []string{"kind"})
	failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "roster_history_event_failures_total", Help: "Attempts to make an Event that failed and were repeated.",
	})

	// writing is the Writer of the manager that leads in this process.
	writing atomic.Pointer[activity.Writer]
)

func init() {
	metrics.Registry.MustRegister(pending, recorded, failures,
		ofWriter("roster_activity_queue_records", "Records that wait for the activity store.", gauge,
			func(state activity.WriterState) float64 { return float64(state.Depth) }),
		ofWriter("roster_activity_queue_age_seconds", "How long the oldest of them has waited.", gauge,
			func(state activity.WriterState) float64 { return secondsSince(state.Oldest) }),
		ofWriter("roster_activity_stored_records_total", "Records that were handed to the activity store.", counter,
			func(state activity.WriterState) float64 { return float64(state.Stored) }),
		ofWriter("roster_activity_refused_records_total",
			"Records that didn't fit in memory and are read from Events again.", counter,
			func(state activity.WriterState) float64 { return float64(state.Refused) }),
		ofWriter("roster_activity_failing_seconds", "For how long the activity store has taken nothing; 0 while it does.", gauge,
			func(state activity.WriterState) float64 { return secondsSince(state.FailingSince) }),
	)
}

// makeMetric makes a metric of what a function says at each scrape.
type makeMetric func(options prometheus.Opts, value func() float64) prometheus.Collector

func gauge(options prometheus.Opts, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts(options), value)
}

func counter(options prometheus.Opts, value func() float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts(options), value)
}

// ofWriter shows a part of the Writer's state; 0 while this process doesn't lead.
func ofWriter(name, help string, build makeMetric, value func(activity.WriterState) float64) prometheus.Collector {
	return build(prometheus.Opts{Name: name, Help: help}, func() float64 {
		writer := writing.Load()
		if writer == nil {
			return 0
		}
		return value(writer.State())
	})
}

func secondsSince(instant time.Time) float64 {
	if instant.IsZero() {
		return 0
	}
	return time.Since(instant).Seconds()
}
