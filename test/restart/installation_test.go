package restart_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	// convergence is how long thousands of objects may take on a busy machine.
	convergence = 5 * time.Minute
	// quiet is how long a manager that has converged must not have written to count as done.
	quiet = 5 * time.Second
	// silence is how long a manager with nothing to do is watched.
	silence = time.Minute
)

// installation is a control plane of a container's own, with Roster on it.
type installation struct {
	*expectations.Expectations
	cluster *environment.Cluster
	manager *environment.Manager
}

// install starts a control plane and the manager, until the container's end.
func install(ctx context.Context) *installation {
	GinkgoHelper()
	if _, err := environment.FindBinaries(); err != nil {
		Skip(err.Error())
	}
	cluster, err := environment.Start(ctx, environment.Options{Progress: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
	Expect(cluster.InstallRoster(ctx)).To(Succeed())
	admin, err := client.New(cluster.Admin(), client.Options{Scheme: manager.NewScheme()})
	Expect(err).NotTo(HaveOccurred())
	i := &installation{Expectations: expectations.New(admin), cluster: cluster}
	i.manager, err = cluster.StartManager(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { expectations.ShowManagerLog(i.manager.LogPath()) })
	Expect(cluster.ConnectWebhook(ctx)).To(Succeed())
	return i
}

// withoutWebhook lets Roster's kinds be written in the rest of a spec while no manager answers, as an administrator can.
// With the webhook nothing of that kind is written then.
func (i *installation) withoutWebhook(ctx context.Context) {
	GinkgoHelper()
	Expect(i.cluster.DisconnectWebhook(ctx)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(i.cluster.ConnectWebhook(ctx)).To(Succeed()) })
}

// settle waits until all objects are Ready and the manager writes no more, and returns all that it wrote so far.
func (i *installation) settle(ctx context.Context) []environment.AuditedRequest {
	GinkgoHelper()
	Eventually(i.notReady).WithContext(ctx).WithTimeout(convergence).WithPolling(time.Second).Should(BeEmpty())
	var writes []environment.AuditedRequest
	Eventually(func(g Gomega) {
		before := len(writes)
		var err error
		writes, err = i.cluster.Writes(environment.ManagerUser)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(len(writes)-before).To(BeZero(), "it still writes")
		// What came of the last writes, such as Personal organizations, must be Ready, too.
		g.Expect(i.notReady(ctx)).To(BeEmpty())
	}).WithContext(ctx).WithTimeout(convergence).WithPolling(quiet).Should(Succeed())
	return writes
}

// notReady says of the first few objects that aren't Ready what they are.
func (i *installation) notReady(ctx context.Context) ([]string, error) {
	var pending []string
	for _, list := range []client.ObjectList{
		&v1alpha1.OrganizationList{}, &v1alpha1.MembershipList{}, &v1alpha1.TeamList{},
		&v1alpha1.ProjectList{}, &v1alpha1.RoleList{}, &v1alpha1.RoleBindingList{},
	} {
		if err := i.List(ctx, list); err != nil {
			return nil, err
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			if object := item.(status.Object); !isReady(object) {
				pending = append(pending, fmt.Sprintf("%T %s", object, client.ObjectKeyFromObject(object)))
			}
			return nil
		})
		if err != nil || len(pending) > 0 {
			return pending[:min(5, len(pending))], err
		}
	}
	return nil, nil
}

func isReady(object status.Object) bool {
	ready := meta.FindStatusCondition(*object.GetConditions(), v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == object.GetGeneration()
}

// writesSince are the manager's writes from an instant on.
func (i *installation) writesSince(begin time.Time) ([]environment.AuditedRequest, error) {
	return i.cluster.WritesSince(environment.ManagerUser, begin)
}

// bindingWritesSince are those of them that are about RBAC RoleBindings.
func (i *installation) bindingWritesSince(begin time.Time) ([]environment.AuditedRequest, error) {
	all, err := i.writesSince(begin)
	var writes []environment.AuditedRequest
	for _, write := range all {
		if write.Group == rbacv1.GroupName && write.Resource == "rolebindings" {
			writes = append(writes, write)
		}
	}
	return writes, err
}

// expectSilence expects that the manager writes nothing for a minute, counted from an instant.
func (i *installation) expectSilence(ctx context.Context, begin time.Time) {
	GinkgoHelper()
	Consistently(func() ([]string, error) {
		writes, err := i.writesSince(begin)
		return descriptions(writes), err
	}).WithContext(ctx).WithTimeout(time.Until(begin.Add(silence))).WithPolling(5 * time.Second).Should(BeEmpty())
	Expect(i.manager.Running()).To(BeTrue())
}

func descriptions(writes []environment.AuditedRequest) []string {
	var texts []string
	for _, write := range writes {
		texts = append(texts, write.String())
	}
	return texts
}

// memory is what the manager's process uses now, and the most it ever used, as Linux says.
func (i *installation) memory() string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.manager.PID()))
	if errors.Is(err, fs.ErrNotExist) {
		return "unknown"
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmHWM:") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, ", ")
}
