package access

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/roster-dev/roster/api/v1alpha1"
	rostermetrics "github.com/roster-dev/roster/internal/metrics"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/status"
)

var (
	// totals are those of the organizations that this process has synced: of none where another replica leads.
	totals = newCensus()

	syncLag = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "roster_sync_lag_seconds",
		Help: "Time from the arrival of the first change that a sync carried out until all that follows from it was in force.",
		// From a sync that writes little to one that failed until somebody saw to it.
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	})
	oldestChange = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "roster_sync_oldest_change_seconds",
		Help: "For how long the oldest change that isn't in force yet has waited; 0 where all are.",
	}, waiting.oldest)
)

func init() {
	metrics.Registry.MustRegister(totals, syncLag, oldestChange)
}

// numbers are what is counted of one organization.
type numbers struct {
	organizationType v1alpha1.OrganizationType
	ready            bool
	memberships      map[v1alpha1.MembershipPhase]int
	grants           int
	removalsHeld     int
}

// census adds up the numbers of all organizations. What changes in one changes the sums; nothing is listed for a scrape.
type census struct {
	organizations *prometheus.GaugeVec
	memberships   *prometheus.GaugeVec
	grants        prometheus.Gauge
	removalsHeld  prometheus.Gauge

	lock           sync.Mutex
	byOrganization map[string]numbers
}

func newCensus() *census {
	c := &census{
		organizations: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roster_organizations", Help: "Organizations, by type and by whether they are Ready.",
		}, []string{"type", "ready"}),
		memberships: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roster_memberships", Help: "Memberships, by phase.",
		}, []string{"phase"}),
		grants: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "roster_grants", Help: "Grants: a role that a subject is to hold in a namespace, each counted once.",
		}),
		removalsHeld: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "roster_removals_held", Help: "Users who keep access in an organization because its removal is held.",
		}),
		byOrganization: map[string]numbers{},
	}
	for _, one := range []v1alpha1.OrganizationType{v1alpha1.OrganizationStandard, v1alpha1.OrganizationPersonal} {
		c.organizations.WithLabelValues(string(one), "true")
		c.organizations.WithLabelValues(string(one), "false")
	}
	for _, phase := range []v1alpha1.MembershipPhase{
		v1alpha1.MembershipInvited, v1alpha1.MembershipActive, v1alpha1.MembershipDeclined, v1alpha1.MembershipExpired,
		v1alpha1.MembershipSuspended,
	} {
		c.memberships.WithLabelValues(string(phase))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *census) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, descriptions)
}

// Collect implements prometheus.Collector.
func (c *census) Collect(collected chan<- prometheus.Metric) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, collector := range []prometheus.Collector{c.organizations, c.memberships, c.grants, c.removalsHeld} {
		collector.Collect(collected)
	}
}

// count replaces what was counted of an organization.
func (c *census) count(organization string, now numbers) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.subtract(organization)
	c.byOrganization[organization] = now
	c.add(now, 1)
}

// forget takes an organization that is gone out of the sums.
func (c *census) forget(organization string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.subtract(organization)
	delete(c.byOrganization, organization)
}

func (c *census) subtract(organization string) {
	if before, known := c.byOrganization[organization]; known {
		c.add(before, -1)
	}
}

func (c *census) add(counted numbers, times int) {
	c.organizations.WithLabelValues(string(counted.organizationType), strconv.FormatBool(counted.ready)).Add(float64(times))
	for phase, memberships := range counted.memberships {
		c.memberships.WithLabelValues(string(phase)).Add(float64(times * memberships))
	}
	c.grants.Add(float64(times * counted.grants))
	c.removalsHeld.Add(float64(times * counted.removalsHeld))
}

// count counts the organization as this sync found it, with the status that it gets, or else keeps.
func (s *organizationSync) count(organization *v1alpha1.Organization, reported status.Object) {
	conditions := organization.Status.Conditions
	if reported != nil {
		conditions = *reported.GetConditions()
	}
	now := numbers{
		organizationType: organization.Spec.Type,
		ready:            meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady),
		memberships:      map[v1alpha1.MembershipPhase]int{},
		grants:           countGrants(s.desired),
		removalsHeld:     len(s.held.Users()),
	}
	if now.organizationType == "" {
		now.organizationType = v1alpha1.OrganizationStandard
	}
	for _, outcome := range s.result.Memberships {
		now.memberships[outcome.Phase]++
	}
	totals.count(organization.Name, now)
}

// countGrants counts subjects, not bindings: a role that a subject holds in a namespace.
func countGrants(desired rbac.Desired) int {
	grants := 0
	for _, holders := range desired {
		for _, held := range holders {
			grants += len(held.Subjects)
		}
	}
	return grants
}

// countTampering counts the bindings that this sync put right.
func (s *organizationSync) countTampering() {
	if len(s.cause.tampered) == 0 {
		return
	}
	for _, change := range s.written.done {
		for _, exchange := range change.Exchanges {
			if s.isTampered(change.Namespace, exchange.Binding) {
				rostermetrics.TamperingUndone.Inc()
			}
		}
	}
}
