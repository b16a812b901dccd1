package manager

import (
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	// leaseName is the Lease that elects the leader.
	leaseName = "roster-manager"
	// renewDeadline is how long the leader tries to renew the Lease before it gives up. It bounds each request.
	renewDeadline = 10 * time.Second
)

// newLease is the lock by which one of several replicas becomes the leader, or nil where there is no election. The default
// one would make an Event at each change; a manager that finds nothing to do writes nothing but the Lease.
func newLease(config *rest.Config, options *Options) (resourcelock.Interface, error) {
	if !options.LeaderElection {
		return nil, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this replica: %w", err)
	}
	identity := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock,
		options.LeaderElectionNamespace, leaseName, identity, config, renewDeadline)
}
