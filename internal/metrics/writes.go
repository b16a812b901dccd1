// Package metrics counts what Roster writes to RBAC, and what it puts right there.
package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

const (
	create = "create"
	update = "update"
	remove = "delete"
)

var writes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "roster_rbac_writes_total",
	Help: "Objects of RBAC that Roster wrote, by kind and verb. What the API server refused isn't counted.",
}, []string{"kind", "verb"})

// TamperingUndone counts what others had done to Roster's objects of RBAC.
var TamperingUndone = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "roster_tampering_undone_total",
	Help: "Objects of RBAC of Roster's that somebody else changed or deleted and that were put right.",
})

func init() {
	metrics.Registry.MustRegister(writes, TamperingUndone)
	// A counter that is there from the start shows its first increase, too.
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "RoleBinding"} {
		for _, verb := range []string{create, update, remove} {
			writes.WithLabelValues(kind, verb)
		}
	}
}

// NewClient makes a manager's client, which counts the writes to RBAC that succeed.
func NewClient(config *rest.Config, options client.Options) (client.Client, error) {
	made, err := client.New(config, options)
	if err != nil {
		return nil, err
	}
	return Counting(made), nil
}

// Counting is the same client, which counts the writes to RBAC that succeed. Patches aren't counted: Roster makes none.
func Counting(inner client.Client) client.Client {
	return counting{inner}
}

type counting struct{ client.Client }

// Create makes an object.
func (c counting) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	return c.count(object, create, c.Client.Create(ctx, object, options...))
}

// Update changes an object.
func (c counting) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	return c.count(object, update, c.Client.Update(ctx, object, options...))
}

// Delete deletes an object.
func (c counting) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	return c.count(object, remove, c.Client.Delete(ctx, object, options...))
}

func (c counting) count(object runtime.Object, verb string, err error) error {
	if err != nil {
		return err
	}
	kind, unknown := apiutil.GVKForObject(object, c.Scheme())
	if unknown == nil && kind.Group == rbacv1.GroupName {
		writes.WithLabelValues(kind.Kind, verb).Inc()
	}
	return nil
}
