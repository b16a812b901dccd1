package token

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var (
	census = newTokenCensus()
	issued = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "roster_tokens_issued_total", Help: "Tokens that were issued for APITokens, the first ones and those of rotations.",
	})
)

func init() { metrics.Registry.MustRegister(census.phases, census.flags, issued) }

// noticed are the conditions that somebody should look at, and what the metric calls them.
var noticed = map[string]string{
	v1alpha1.ConditionUnused:       "unused",
	v1alpha1.ConditionExpiresSoon:  "expires_soon",
	v1alpha1.ConditionUserHeldBack: "user_held_back",
}

// tokenCensus counts the APITokens that this process has seen: none where another replica leads.
type tokenCensus struct {
	phases, flags *prometheus.GaugeVec
	lock          sync.Mutex
	known         map[types.NamespacedName]counted
}

// counted is as what a token was counted.
type counted struct {
	phase v1alpha1.APITokenPhase
	flags []string
}

func newTokenCensus() *tokenCensus {
	c := &tokenCensus{
		phases: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roster_tokens", Help: "APITokens, by phase.",
		}, []string{"phase"}),
		flags: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roster_tokens_noticed", Help: "Active APITokens that somebody should look at, by why.",
		}, []string{"why"}),
		known: map[types.NamespacedName]counted{},
	}
	for _, phase := range []v1alpha1.APITokenPhase{
		v1alpha1.APITokenActive, v1alpha1.APITokenExpired, v1alpha1.APITokenRevoked,
	} {
		c.phases.WithLabelValues(string(phase))
	}
	for _, why := range noticed {
		c.flags.WithLabelValues(why)
	}
	return c
}

// count replaces what a token was counted as.
func (c *tokenCensus) count(key types.NamespacedName, object *v1alpha1.APIToken) {
	now := counted{phase: object.Status.Phase}
	for condition, why := range noticed {
		if meta.IsStatusConditionTrue(object.Status.Conditions, condition) {
			now.flags = append(now.flags, why)
		}
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.add(c.known[key], -1)
	c.known[key] = now
	c.add(now, 1)
}

// forget takes a token that is gone out of the numbers.
func (c *tokenCensus) forget(key types.NamespacedName) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.add(c.known[key], -1)
	delete(c.known, key)
}

func (c *tokenCensus) add(token counted, sign float64) {
	if token.phase == "" {
		return
	}
	c.phases.WithLabelValues(string(token.phase)).Add(sign)
	for _, why := range token.flags {
		c.flags.WithLabelValues(why).Add(sign)
	}
}
