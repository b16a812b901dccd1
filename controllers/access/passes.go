package access

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
)

// arrivals counts what has arrived for each organization, so that a long sync notices that there is news.
type arrivals struct {
	lock   sync.Mutex
	counts map[string]uint64
}

func (a *arrivals) mark(organization string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.counts == nil {
		a.counts = map[string]uint64{}
	}
	a.counts[organization]++
}

func (a *arrivals) count(organization string) uint64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.counts[organization]
}

// pass is what the last sync of an organization saw and left undone. What is granted above an organization holds in it
// too, so an object is in force only when the passes of all organizations below have seen it as it is and failed nowhere.
type pass struct {
	organization string
	// arrived is how much had arrived for the organization when the sync began.
	arrived uint64
	// lineage are the names of the organization and those that it inherits from.
	lineage []string
	// seen is a fingerprint of the objects of each organization of the lineage, as they were looked at.
	seen map[string]uint64
	// failed says why what an object asks for isn't in force.
	failed map[engine.ObjectReference]string
	// revokesFailed: somebody may still have what was taken away.
	revokesFailed bool
	// reportDue is when the statuses that were put off must be written; zero if none were. Only the syncs of this
	// organization look at it.
	reportDue time.Time
}

// passes are the last passes by organization, since the manager started.
type passes struct {
	lock           sync.Mutex
	byOrganization map[string]*pass
}

func (p *passes) of(organization string) *pass {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.byOrganization[organization]
}

// reportDue is when statuses that the last pass put off must be written.
func (p *passes) reportDue(organization string) time.Time {
	if last := p.of(organization); last != nil {
		return last.reportDue
	}
	return time.Time{}
}

// record keeps a pass and says whether it tells anything new to the organizations above.
func (p *passes) record(organization string, latest *pass) (news bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.byOrganization == nil {
		p.byOrganization = map[string]*pass{}
	}
	previous := p.byOrganization[organization]
	p.byOrganization[organization] = latest
	if previous == nil || !slices.Equal(previous.lineage, latest.lineage) ||
		previous.arrived != latest.arrived ||
		len(previous.failed) > 0 || len(latest.failed) > 0 || previous.revokesFailed != latest.revokesFailed {
		return true
	}
	for _, name := range latest.lineage {
		if name != organization && previous.seen[name] != latest.seen[name] {
			return true
		}
	}
	return false
}

// inheriting are the passes of other organizations that looked at what this one grants.
func (p *passes) inheriting(organization string) []*pass {
	p.lock.Lock()
	defer p.lock.Unlock()
	var found []*pass
	for _, pass := range p.byOrganization {
		if pass.organization != organization && slices.Contains(pass.lineage, organization) {
			found = append(found, pass)
		}
	}
	return found
}

func (p *passes) forget(organization string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	delete(p.byOrganization, organization)
}

// fingerprints tell whether two passes looked at the same versions of what an organization grants to those below it.
func fingerprints(world engine.World, lineage []string) map[string]uint64 {
	seen := map[string]uint64{}
	relevant := sets.New(lineage...)
	add := func(organization, kind string, object client.Object) {
		if !relevant.Has(organization) {
			return
		}
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%s/%s/%d/%t", kind, object.GetUID(), object.GetGeneration(), object.GetDeletionTimestamp() == nil)
		// A sum doesn't depend on the order in which the cache lists.
		seen[organization] += hash.Sum64()
	}
	for _, object := range world.Organizations {
		add(object.Name, engine.KindOrganization, object)
	}
	for _, object := range world.Memberships {
		organization, _ := v1alpha1.OrganizationOf(object.Namespace)
		add(organization, engine.KindMembership, object)
	}
	for _, object := range world.Teams {
		organization, _ := v1alpha1.OrganizationOf(object.Namespace)
		add(organization, engine.KindTeam, object)
	}
	for _, object := range world.RoleBindings {
		organization, _ := v1alpha1.OrganizationOf(object.Namespace)
		add(organization, engine.KindRoleBinding, object)
	}
	return seen
}
