package access_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/controllers/access"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// The suite calls Reconcile itself, against a real API server and with a clock that it sets. No controller runs, so what
// the others would make (namespaces, compiled ClusterRoles) the specs make themselves.
var (
	controlPlane *environment.Cluster
	// cached reads from caches with the manager's indexes, as the sync does.
	cached client.Client
	// bindings are the RBAC RoleBindings in those caches.
	bindings toolscache.Indexer
	expect   *expectations.Expectations
)

func TestAccess(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(10 * time.Millisecond)
	RunSpecs(t, "Access sync")
}

var _ = BeforeSuite(func(ctx context.Context) {
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	started, err := environment.Start(ctx, environment.Options{Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	controlPlane = started
	DeferCleanup(func() { Expect(started.Stop()).To(Succeed()) })
	Expect(started.InstallRoster(ctx)).To(Succeed())

	caches, err := cluster.New(started.Admin(), func(options *cluster.Options) {
		options.Scheme = manager.NewScheme()
		options.Client.Cache = manager.CacheOptions()
	})
	Expect(err).NotTo(HaveOccurred())
	running, stop := context.WithCancel(context.Background())
	DeferCleanup(stop)
	Expect(snapshot.AddIndexes(running, caches.GetFieldIndexer())).To(Succeed())
	go func() {
		defer GinkgoRecover()
		Expect(caches.Start(running)).To(Succeed())
	}()
	Expect(caches.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
	cached = caches.GetClient()
	bindings, err = access.BindingsOf(ctx, caches.GetCache())
	Expect(err).NotTo(HaveOccurred())

	live, err := client.New(started.Admin(), client.Options{Scheme: manager.NewScheme()})
	Expect(err).NotTo(HaveOccurred())
	expect = expectations.New(live)
	for _, role := range []string{v1alpha1.RoleOwner, "viewer", "developer"} {
		compileByHand(ctx, engine.RoleReference{Name: role})
	}
})

// compileByHand makes the ClusterRoles of a Role of the catalogue: it may get ConfigMaps of a name like its own, so that
// each role can be told from the others.
func compileByHand(ctx context.Context, role engine.RoleReference) {
	GinkgoHelper()
	for _, name := range []string{rbac.ProjectClusterRole(role), rbac.OrganizationClusterRole(role)} {
		createdInCache(ctx, &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: rbac.Labels("", role.Name)},
			Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{v1alpha1.PermissionsGroup}, Resources: []string{"tests"}, Verbs: []string{role.Name},
			}},
		})
	}
}
