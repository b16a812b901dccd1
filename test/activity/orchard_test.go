package activity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/controllers/history"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	name      = "orchard"
	namespace = "org-orchard"
	workloads = "orchard-press"
	ana       = "ana@orchard.example"
	bo        = "bo@orchard.example"
	developer = "create deployments.apps"
)

// orchard is an organization on a control plane of its own, whose history is in a database of its own.
type orchard struct {
	*expectations.Expectations
	// owner writes as ana.
	owner    *expectations.Expectations
	cluster  *environment.Cluster
	manager  *environment.Manager
	database string
	team     *v1alpha1.Team
	// described is how often ana has described the team.
	described int
	// expected is what is to be recorded, in its order: each change once.
	expected []string
}

// plant starts all of it, until the end of the spec.
func plant(ctx context.Context, database string) *orchard {
	GinkgoHelper()
	if _, err := environment.FindBinaries(); err != nil {
		Skip(err.Error())
	}
	cluster, err := environment.Start(ctx, environment.Options{Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
	Expect(cluster.InstallRoster(ctx)).To(Succeed())
	o := &orchard{
		Expectations: expectations.New(clientFor(cluster.Admin())), owner: expectations.New(clientFor(cluster.As(ana))),
		cluster: cluster, database: database,
		team:     &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, "pickers")},
		expected: []string{"TeamCreated by " + ana},
	}
	o.manager, err = cluster.StartManager(ctx, "--activity-database-url="+database)
	Expect(err).NotTo(HaveOccurred())
	Expect(cluster.ConnectWebhook(ctx)).To(Succeed())
	Expect(cluster.ConnectView(ctx)).To(Succeed())
	organization, project := expectations.Organization(name, ana), expectations.Project(name, "press")
	o.Create(ctx, organization)
	o.Ready(ctx, organization)
	o.owner.Create(ctx, project, o.team)
	o.Ready(ctx, project, o.team)
	return o
}

func clientFor(config *rest.Config) client.Client {
	GinkgoHelper()
	made, err := client.New(config, client.Options{Scheme: manager.NewScheme()})
	Expect(err).NotTo(HaveOccurred())
	return made
}

// describe changes the team's description so often: to the number of the change.
func (o *orchard) describe(ctx context.Context, times int) {
	GinkgoHelper()
	for range times {
		previous := ""
		if o.described > 0 {
			previous = strconv.Itoa(o.described)
		}
		o.described++
		o.expected = append(o.expected, fmt.Sprintf("%s→%d by %s", previous, o.described, ana))
		expectations.Change(ctx, o.owner, o.team, func(team *v1alpha1.Team) { team.Spec.Description = strconv.Itoa(o.described) })
	}
}

// goesOn expects that access is given and taken, and that the webhook stamps and refuses.
func (o *orchard) goesOn(ctx context.Context) {
	GinkgoHelper()
	o.describe(ctx, 5)
	Expect(o.team.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, ana), "the webhook stamps")
	member := expectations.Membership(name, "bo", bo, v1alpha1.RoleDeveloper)
	o.owner.Create(ctx, member)
	o.Allowed(ctx, bo, developer, workloads)
	o.Ready(ctx, member)
	second := expectations.Membership(name, "second", bo, v1alpha1.RoleDeveloper)
	Expect(o.owner.Client.Create(ctx, second)).To(Satisfy(apierrors.IsInvalid), "the webhook refuses")
	o.owner.Delete(ctx, member)
	o.Refused(ctx, bo, developer, workloads)
	o.Gone(ctx, member)
	o.expected = append(o.expected, "MemberAdded by "+ana, "MemberRemoved by "+ana)
	o.describe(ctx, 5)
	Expect(o.manager.Ready(ctx)).To(Succeed())
}

// restartWithout starts the manager again while its database is away, and waits until it follows the changes: of what
// happens before that, as of what happens while it is stopped, one record may stand for several changes.
func (o *orchard) restartWithout(ctx context.Context) {
	GinkgoHelper()
	const following = "The activity store isn't there. Changes are recorded as Events"
	said := func() (int, error) {
		log, err := os.ReadFile(o.manager.LogPath())
		return strings.Count(string(log), following), err
	}
	before, err := said()
	Expect(err).NotTo(HaveOccurred())
	Expect(o.manager.Restart(ctx)).To(Succeed())
	Eventually(said).WithContext(ctx).Should(Equal(before + 1))
}

// says expects the condition and the metric that tell how the store is.
func (o *orchard) says(ctx context.Context, status corev1.ConditionStatus, reason string) {
	GinkgoHelper()
	Eventually(func() (string, error) {
		var system corev1.Namespace
		err := o.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, &system)
		for _, condition := range system.Status.Conditions {
			if condition.Type == history.ConditionStored {
				return fmt.Sprintf("%s %s", condition.Status, condition.Reason), err
			}
		}
		return "nothing", err
	}).WithContext(ctx).Should(Equal(fmt.Sprintf("%s %s", status, reason)))
	failing := BeNumerically(">", 0)
	if status == corev1.ConditionTrue {
		failing = BeZero()
	}
	Eventually(o.metric).WithArguments(ctx, "roster_activity_failing_seconds").WithContext(ctx).Should(failing)
}

func (o *orchard) metric(ctx context.Context, metric string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.manager.MetricsURL(), nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, metric+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", metric)
}

// recorded are the changes of the team and of bo's Membership as kubectl lists them to ana, the oldest first.
func (o *orchard) recorded(ctx context.Context) ([]string, error) {
	output, err := o.cluster.Kubectl(ctx, "get", "activities", "--namespace", namespace, "--output", "json", "--as", ana)
	if err != nil {
		return nil, err
	}
	var list viewv1alpha1.ActivityList
	if err := json.Unmarshal([]byte(output), &list); err != nil {
		return nil, err
	}
	var recorded []string
	for _, change := range slices.Backward(list.Items) {
		text := change.Action + " by " + change.Actor
		if change.Field == "spec.description" {
			text = fmt.Sprintf("%s→%s by %s", change.Previous, change.New, change.Actor)
		}
		if change.Coalesced {
			text += ", perhaps several"
		}
		if change.Object.Kind == "Team" || change.Object.Kind == "Membership" && change.Object.Name == "bo" {
			recorded = append(recorded, text)
		}
	}
	return recorded, nil
}

// isWhole expects that the history has everything, and that its chain holds.
func (o *orchard) isWhole(ctx context.Context) {
	GinkgoHelper()
	Eventually(o.recorded).WithArguments(ctx).WithContext(ctx).Should(Equal(o.expected))
	store, err := activity.Open(ctx, o.database, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(store.Close()).To(Succeed()) }()
	verdict, err := store.Verify(ctx, namespace)
	Expect(err).NotTo(HaveOccurred())
	Expect(verdict.Holds()).To(BeTrue(), verdict.String())
}
