package manager

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/controllers/access"
	"github.com/roster-dev/roster/controllers/installation"
	"github.com/roster-dev/roster/controllers/joinrequest"
	"github.com/roster-dev/roster/controllers/organization"
	"github.com/roster-dev/roster/controllers/project"
	"github.com/roster-dev/roster/controllers/role"
	"github.com/roster-dev/roster/controllers/user"
	"github.com/roster-dev/roster/internal/metrics"
	"github.com/roster-dev/roster/internal/snapshot"
)

// ownLabels are what Roster itself puts on namespaces.
var ownLabels = map[string]struct{}{
	v1alpha1.LabelOrganization: {}, v1alpha1.LabelProject: {}, v1alpha1.LabelManagedBy: {}, v1alpha1.LabelRole: {},
}

// NewScheme knows Roster's types and Kubernetes' own.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Run runs the manager until the context ends.
func Run(ctx context.Context, options *Options) error {
	if err := options.Validate(); err != nil {
		return err
	}
	config, err := loadConfig(options.Kubeconfig)
	if err != nil {
		return err
	}
	manager, err := New(ctx, config, options)
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

func loadConfig(kubeconfig string) (*rest.Config, error) {
	var config *rest.Config
	var err error
	if kubeconfig == "" {
		config, err = rest.InClusterConfig()
	} else {
		config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("find the API server (give --kubeconfig outside of a cluster): %w", err)
	}
	// The API server shares its capacity fairly by itself; waiting here would only delay a revoke.
	config.QPS = -1
	// The API server takes the field manager from it.
	config.UserAgent = v1alpha1.FieldManager
	return config, nil
}

// New wires the controllers into a manager.
func New(ctx context.Context, config *rest.Config, options *Options) (ctrl.Manager, error) {
	lease, err := newLease(config, options)
	if err != nil {
		return nil, err
	}
	certificate := &metricsCertificate{}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                              NewScheme(),
		Metrics:                             metricsOptions(options, certificate),
		HealthProbeBindAddress:              options.HealthAddress,
		PprofBindAddress:                    options.ProfilingAddress,
		LeaderElection:                      options.LeaderElection,
		LeaderElectionID:                    leaseName,
		LeaderElectionResourceLockInterface: lease,
		LeaderElectionReleaseOnCancel:       true,
		RenewDeadline:                       ptr.To(renewDeadline),
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         cachedObjects(),
		},
		Client:    client.Options{Cache: CacheOptions()},
		NewClient: metrics.NewClient,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if err := snapshot.AddIndexes(ctx, manager.GetFieldIndexer()); err != nil {
		return nil, err
	}
	recorder, shown, err := addHistory(manager, options)
	if err != nil {
		return nil, err
	}
	if err := addControllers(ctx, manager, options, recorder); err != nil {
		return nil, err
	}
	if err := addMail(manager, &options.Mail); err != nil {
		return nil, err
	}
	if err := addTokens(manager, &options.Tokens, recorder); err != nil {
		return nil, err
	}
	serving, err := addWebhook(ctx, manager, options)
	if err != nil {
		return nil, err
	}
	certificate.serving = serving
	if err := addView(ctx, manager, options, serving, shown); err != nil {
		return nil, err
	}
	if err := manager.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return manager, nil
}

// CacheOptions are how the controllers read from the caches.
func CacheOptions() *client.CacheOptions {
	return &client.CacheOptions{
		// A sync must not take its own writes for somebody else's because the cache is late.
		EnableReadYourWritesConsistency: ptr.To(true),
	}
}

func addControllers(ctx context.Context, manager ctrl.Manager, options *Options, recorder access.History) error {
	reads, live := manager.GetClient(), manager.GetAPIReader()
	bindings, err := access.BindingsOf(ctx, manager.GetCache())
	if err != nil {
		return err
	}
	accessSync := access.NewReconciler(reads, live, bindings, clock.RealClock{})
	accessSync.ShardSize, accessSync.History = options.ShardSize, recorder
	for _, controller := range []interface{ SetupWithManager(ctrl.Manager) error }{
		accessSync,
		&organization.Reconciler{
			Client: reads, Live: live, Clock: clock.RealClock{}, NamespaceLabels: options.NamespaceLabels,
			PersonalOrganizations: options.PersonalOrganizations, History: recorder,
		},
		&installation.Reconciler{Client: reads, Clock: clock.RealClock{}},
		&project.Reconciler{
			Client: reads, Live: live, NamespaceLabels: options.NamespaceLabels, HoldsNamespace: accessSync.HoldsNamespace,
			History: recorder,
		},
		&role.Reconciler{Client: reads, Live: live, Holds: accessSync.HoldsRole, History: recorder},
		&role.Copies{Client: reads},
		&joinrequest.Reconciler{Client: reads, Live: live, Clock: clock.RealClock{}, History: recorder},
		&user.Reconciler{
			Client: reads, Live: live, Clock: clock.RealClock{}, PersonalOrganizations: options.PersonalOrganizations,
			LeaverRetention: options.LeaverRetention, History: recorder,
		},
	} {
		if err := controller.SetupWithManager(manager); err != nil {
			return fmt.Errorf("set up %T: %w", controller, err)
		}
	}
	return nil
}
