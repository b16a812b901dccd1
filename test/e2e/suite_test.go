package e2e_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

var (
	// cluster is the control plane that all processes of the suite share. Each spec has organizations of its own.
	cluster *environment.Cluster
	// k8s is an administrator's client, which reads from the API server itself.
	k8s client.Client
	// expect asks the cluster.
	expect *expectations.Expectations
	// unasked writes what the webhook refuses, as a race can that it doesn't see: Roster itself isn't asked about.
	unasked *expectations.Expectations

	// owned is the control plane in the process that started it.
	owned *environment.Cluster
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	RunSpecs(t, "End to end")
}

var _ = SynchronizedBeforeSuite(func(ctx context.Context) []byte {
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	started, err := environment.Start(ctx, environment.Options{Progress: GinkgoWriter, AuditStream: true, AuditManager: true})
	Expect(err).NotTo(HaveOccurred())
	owned = started
	Expect(owned.InstallRoster(ctx)).To(Succeed())
	_, err = owned.StartManager(ctx, "--metrics-secure")
	Expect(err).NotTo(HaveOccurred())
	Expect(owned.ConnectWebhook(ctx)).To(Succeed())
	Expect(owned.ConnectView(ctx)).To(Succeed())
	shared, err := json.Marshal(owned.Directory)
	Expect(err).NotTo(HaveOccurred())
	return shared
}, func(_ context.Context, shared []byte) {
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	var directory string
	Expect(json.Unmarshal(shared, &directory)).To(Succeed())
	attached, err := environment.Attach(directory, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	cluster = attached
	k8s = clientFor(cluster.Admin())
	expect = expectations.New(k8s)
	unasked = expectations.New(clientFor(cluster.As(environment.ManagerUser, "system:masters")))
})

var _ = SynchronizedAfterSuite(func() {}, func(ctx context.Context) {
	if owned == nil {
		return
	}
	defer func() { Expect(owned.Stop()).To(Succeed()) }()
	if suite, _ := GinkgoConfiguration(); len(suite.FocusStrings)+len(suite.SkipStrings)+len(suite.FocusFiles) == 0 {
		expectRightsUsed(ctx, owned)
	}
})

// clientFor reads from the API server itself, as whoever the configuration says.
func clientFor(config *rest.Config) client.Client {
	GinkgoHelper()
	made, err := client.NewWithWatch(config, client.Options{Scheme: manager.NewScheme()})
	Expect(err).NotTo(HaveOccurred())
	return made
}
