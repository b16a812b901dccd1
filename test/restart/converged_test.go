package restart_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/cmd/kubectl-roster/commands"
	"github.com/roster-dev/roster/test/catalogue"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// kubernetesData is the folder with the configuration of the kubernetes organization, which may not be there.
func kubernetesData() (folder string, missing error) {
	GinkgoHelper()
	root, err := environment.ModuleRoot()
	Expect(err).NotTo(HaveOccurred())
	shared := cmp.Or(os.Getenv(catalogue.SharedDataVariable), filepath.Join(root, "..", "shared", "data"))
	folder = filepath.Join(shared, "peribolos", "kubernetes")
	_, missing = os.Stat(folder)
	return folder, missing
}

// applyImport imports the kubernetes organization, or a small one where its data isn't there, and applies it.
func (i *installation) applyImport(ctx context.Context) {
	GinkgoHelper()
	data, missing := kubernetesData()
	if missing != nil {
		root, err := environment.ModuleRoot()
		Expect(err).NotTo(HaveOccurred())
		data = filepath.Join(root, "config", "samples", "peribolos", "organization.yaml")
	}
	manifests := filepath.Join(i.cluster.Directory, "import")
	var remarks bytes.Buffer
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: GinkgoWriter, ErrOut: &remarks}
	exit := commands.Run(streams, []string{"import", "peribolos", data, "--output-dir", manifests})
	Expect(exit).To(Equal(commands.ExitDone), remarks.String())
	Expect(i.cluster.Apply(ctx, manifests)).To(Succeed())
}

// applySample applies the small company of config/samples/acme.
func (i *installation) applySample(ctx context.Context) {
	GinkgoHelper()
	root, err := environment.ModuleRoot()
	Expect(err).NotTo(HaveOccurred())
	Expect(i.cluster.Apply(ctx, filepath.Join(root, "config", "samples", "acme"))).To(Succeed())
}

// applyJoinRequests has a team of another organization let into the small company, another one rejected, and a third wait.
func (i *installation) applyJoinRequests(ctx context.Context) {
	GinkgoHelper()
	agency := expectations.Organization("agency", "ana@agency.example")
	i.Create(ctx, agency)
	i.Ready(ctx, agency)
	for team, decision := range map[string]v1alpha1.JoinDecision{
		"designers": v1alpha1.JoinApproved, "writers": v1alpha1.JoinRejected, "testers": "",
	} {
		object := &v1alpha1.Team{ObjectMeta: expectations.InOrganization("agency", team)}
		object.Spec.Members = []v1alpha1.Username{"ana@agency.example"}
		i.Create(ctx, object)
		request := &v1alpha1.JoinRequest{ObjectMeta: expectations.InOrganization("acme", team)}
		request.Spec = v1alpha1.JoinRequestSpec{
			Team: v1alpha1.ExternalTeam{Organization: "agency", Name: v1alpha1.ObjectName(team)},
			Role: "viewer", OrganizationWide: true, Decision: decision,
		}
		i.Create(ctx, request)
	}
}

// byKind counts writes by verb, resource and, where it wasn't success, status.
func byKind(writes []environment.AuditedRequest) string {
	counts := map[string]int{}
	for _, write := range writes {
		kind := write.What()
		if write.Code >= http.StatusMultipleChoices {
			kind += fmt.Sprintf(" (%d)", write.Code)
		}
		counts[kind]++
	}
	var lines []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(lines, "\n")
}

// forgetEvents deletes all Events, as Kubernetes does after an hour: what was recorded is in the activity store alone.
func (i *installation) forgetEvents(ctx context.Context) {
	GinkgoHelper()
	var namespaces corev1.NamespaceList
	Expect(i.List(ctx, &namespaces)).To(Succeed())
	for _, namespace := range namespaces.Items {
		Expect(i.DeleteAllOf(ctx, &eventsv1.Event{}, client.InNamespace(namespace.Name))).To(Succeed())
	}
}

// It takes longest by far, so it begins first.
var _ = Describe("A large organization that has converged", Ordered, SpecPriority(1), func() {
	var i *installation

	BeforeAll(func(ctx context.Context) {
		i = install(ctx)
		before, err := i.cluster.Writes(environment.ManagerUser)
		Expect(err).NotTo(HaveOccurred())
		begin := time.Now()
		i.applySample(ctx)
		i.applyJoinRequests(ctx)
		i.applyImport(ctx)
		applied := time.Since(begin)
		after := i.settle(ctx)
		writes := after[len(before):]
		var memberships v1alpha1.MembershipList
		Expect(i.List(ctx, &memberships)).To(Succeed())
		last := writes[len(writes)-1].Time.Sub(begin)
		AddReportEntry("convergence", fmt.Sprintf(
			"%d Memberships; applied after %.1f s, last write after %.1f s; %d writes, %.2f a Membership; %s",
			len(memberships.Items), applied.Seconds(), last.Seconds(), len(writes),
			float64(len(writes))/float64(len(memberships.Items)), i.memory()))
		AddReportEntry("writes", byKind(writes))
	})

	It("has the RBAC that the engine says", func(ctx SpecContext) {
		i.expectEngine(ctx)
	})

	It("gets no write from an idle manager in 60 s", func(ctx SpecContext) {
		i.expectSilence(ctx, time.Now())
	})

	It("gets no write from a manager in the first 60 s after it was killed and started again", func(ctx SpecContext) {
		i.forgetEvents(ctx)
		Expect(i.manager.Kill()).To(Succeed())
		begin := time.Now()
		Expect(i.manager.Restart(ctx)).To(Succeed())
		AddReportEntry("seconds until ready", time.Since(begin).Seconds())
		i.expectSilence(ctx, begin)
		AddReportEntry("memory after the restart", i.memory())
		i.expectEngine(ctx)
	})

	It("loses at most a fifth of its people when very many Memberships are deleted, until that is approved or taken back",
		func(ctx SpecContext) {
			if _, missing := kubernetesData(); missing != nil {
				Skip(fmt.Sprintf("the shared test data isn't there, set %s to its folder: %v", catalogue.SharedDataVariable, missing))
			}
			i.expectRemovalsHeld(ctx)
		})
})
