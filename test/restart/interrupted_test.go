package restart_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	seePods = "get pods"
	// manyProjects are enough that a grant in all of them can be interrupted.
	manyProjects = 200
	developers   = "roster:catalogue:developer:project"
)

// makeOrganization makes an organization with members who hold nothing by that, and projects p0 and so on.
func (i *installation) makeOrganization(ctx context.Context, name string, projects int, members ...string) {
	GinkgoHelper()
	account := expectations.Organization(name, "owner@"+name+".example")
	i.Create(ctx, account)
	i.Ready(ctx, account)
	for _, member := range members {
		membership := expectations.Membership(name, member, userOf(name, member), v1alpha1.RoleNone)
		i.Create(ctx, membership)
		i.Ready(ctx, membership)
	}
	workqueue.ParallelizeUntil(ctx, 16, projects, func(n int) {
		defer GinkgoRecover()
		i.Create(ctx, expectations.Project(name, projectNamed(n)))
	})
	Eventually(i.notReady).WithContext(ctx).WithTimeout(convergence).WithPolling(200 * time.Millisecond).Should(BeEmpty())
}

func userOf(organization, member string) string { return member + "@" + organization + ".example" }
func projectNamed(n int) string                 { return fmt.Sprintf("p%d", n) }

// grant is a RoleBinding that gives a member a role in some projects.
func grant(organization, name, member string, role v1alpha1.RoleName, projects ...v1alpha1.ObjectName) *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{
		ObjectMeta: expectations.InOrganization(organization, name),
		Spec: v1alpha1.RoleBindingSpec{
			Role: role, Projects: projects,
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: userOf(organization, member)}},
		},
	}
}

// bindingsOf are the bindings of one role in an organization.
func (i *installation) bindingsOf(ctx context.Context, organization, role string) ([]rbacv1.RoleBinding, error) {
	var list rbacv1.RoleBindingList
	err := i.List(ctx, &list, client.MatchingLabels{
		v1alpha1.LabelOrganization: organization, v1alpha1.LabelRole: role,
	})
	return list.Items, err
}

// holdUp has the API server refuse all writes of a role's bindings in projects p100 and up of an organization, so that what
// the manager does there isn't done before that is ended, however fast it is.
func (i *installation) holdUp(ctx context.Context, organization, role string) (end func()) {
	GinkgoHelper()
	late := "^" + organization + "-p[0-9]{3}$"
	deny := admissionregistrationv1.Deny
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "hold-up"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionregistrationv1.RuleWithOperations{
						Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
						Rule: admissionregistrationv1.Rule{
							APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"rolebindings"},
						},
					},
				}},
			},
			Validations: []admissionregistrationv1.Validation{{
				Expression: fmt.Sprintf("request.name != %q || !request.namespace.matches(%q)", role, late), Message: "held up",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: policy.ObjectMeta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{deny},
		},
	}
	i.Create(ctx, policy, binding)
	Eventually(func() error {
		return i.Client.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: organization + "-p100", Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}, client.DryRunAll)
	}).WithContext(ctx).Should(MatchError(ContainSubstring("held up")))
	return func() { i.Delete(ctx, binding, policy) }
}

// killDuring kills the manager when the number of bindings of a role has passed a mark, and returns what it left.
func (i *installation) killDuring(
	ctx context.Context, organization, role string, passed func(count int) bool,
) []rbacv1.RoleBinding {
	GinkgoHelper()
	Eventually(func() (bool, error) {
		bindings, err := i.bindingsOf(ctx, organization, role)
		return passed(len(bindings)), err
	}).WithContext(ctx).WithPolling(0).Should(BeTrue())
	Expect(i.manager.Kill()).To(Succeed())
	left, err := i.bindingsOf(ctx, organization, role)
	Expect(err).NotTo(HaveOccurred())
	AddReportEntry("bindings when the manager was killed", len(left))
	return left
}

// tamperEverywhere gives an intruder access in p0 to p2 of an organization, in three ways, and takes bo's in p1 and p2.
func (i *installation) tamperEverywhere(ctx context.Context, organization string) {
	GinkgoHelper()
	intruder := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "intruder"}
	bindingIn := func(project, name, clusterRole string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: organization + "-" + project, Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
			Subjects:   []rbacv1.Subject{intruder},
		}
	}
	expectations.Change(ctx, i.Expectations, bindingIn("p0", developers, developers), func(binding *rbacv1.RoleBinding) {
		binding.Labels = nil
		binding.Subjects = append(binding.Subjects, intruder)
	})
	i.Delete(ctx, bindingIn("p1", developers, developers), bindingIn("p2", developers, developers))
	const maintainers = "roster:catalogue:maintainer:project"
	i.Create(ctx, bindingIn("p1", developers, "admin"), bindingIn("p2", maintainers, maintainers))
}

// startReplica starts one of several managers, of which one works at a time.
func (i *installation) startReplica(ctx context.Context) *environment.Manager {
	GinkgoHelper()
	replica, err := i.cluster.StartManager(ctx, "--leader-elect=true")
	Expect(err).NotTo(HaveOccurred())
	return replica
}

// watched asks all the time whether a user may see pods.
type watched struct {
	asked, refused atomic.Int64
	stop           context.CancelFunc
	asking         sync.WaitGroup
}

func (i *installation) watch(ctx context.Context, user, namespace string) *watched {
	ctx, stop := context.WithCancel(ctx)
	w := &watched{stop: stop}
	w.asking.Go(func() {
		for ctx.Err() == nil {
			allowed, err := i.May(ctx, expectations.Access{User: user, Does: seePods, Namespace: namespace})
			if ctx.Err() == nil && (err != nil || !allowed) {
				w.refused.Add(1)
			}
			w.asked.Add(1)
		}
	})
	return w
}

// expectNoRefusal ends the watch and expects that the answer was always yes.
func (w *watched) expectNoRefusal() {
	GinkgoHelper()
	Eventually(w.asked.Load).Should(BeNumerically(">", w.asked.Load()+2))
	w.stop()
	w.asking.Wait()
	Expect(w.refused.Load()).To(BeZero(), "of %d questions", w.asked.Load())
}

var _ = Describe("A manager that", Ordered, func() {
	var i *installation

	BeforeAll(func(ctx context.Context) {
		i = install(ctx)
		i.applySample(ctx)
		token := &v1alpha1.APIToken{ObjectMeta: expectations.InOrganization("acme", "ci")}
		token.Spec = v1alpha1.APITokenSpec{
			User: "ana@acme.example", Roles: []v1alpha1.RoleName{"viewer"}, OrganizationWide: true,
		}
		i.Create(ctx, token)
		i.Ready(ctx, token)
		i.settle(ctx)
	})

	It("was stopped and started again sends no write in its first 60 s", func(ctx SpecContext) {
		begin := time.Now()
		Expect(i.manager.Restart(ctx)).To(Succeed())
		i.expectSilence(ctx, begin)
		i.expectEngine(ctx)
	})

	It("is stopped lets nothing of Roster's kinds be written, and everything else goes on", func(ctx SpecContext) {
		const name = "closed"
		i.makeOrganization(ctx, name, 1, "bo")
		given := grant(name, "given", "bo", "developer", "p0")
		i.Create(ctx, given)
		i.Ready(ctx, given)

		Expect(i.manager.Stop()).To(Succeed())
		refused := MatchError(ContainSubstring(".roster.dev\": failed to call webhook: "))
		Expect(i.Client.Create(ctx, grant(name, "more", "bo", "viewer", "p0"))).To(refused)
		Expect(i.Client.Delete(ctx, given)).To(refused)
		i.Allowed(ctx, userOf(name, "bo"), seePods, "closed-p0")
		i.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "closed-p0", Name: "content"}})
		i.Create(ctx, &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "closed"}})

		Expect(i.manager.Restart(ctx)).To(Succeed())
		i.Delete(ctx, given)
		i.Gone(ctx, given)
		i.Refused(ctx, userOf(name, "bo"), seePods, "closed-p0")
	})

	It("comes back puts in force what changed meanwhile, what takes access away first", func(ctx SpecContext) {
		const name = "downtime"
		i.makeOrganization(ctx, name, 6, "bo", "cy")
		departing := grant(name, "departing", "bo", "developer", "p0")
		i.Create(ctx, departing)
		i.Ready(ctx, departing)
		i.Allowed(ctx, userOf(name, "bo"), seePods, "downtime-p0")

		i.withoutWebhook(ctx)
		Expect(i.manager.Stop()).To(Succeed())
		arriving := grant(name, "arriving", "cy", "developer", "p1", "p2", "p3", "p4", "p5")
		i.Create(ctx, arriving)
		i.Delete(ctx, departing)
		begin := time.Now()
		Expect(i.manager.Restart(ctx)).To(Succeed())

		i.Refused(ctx, userOf(name, "bo"), seePods, "downtime-p0")
		i.Allowed(ctx, userOf(name, "cy"), seePods, "downtime-p1", "downtime-p5")
		i.Ready(ctx, arriving)
		i.Gone(ctx, departing)
		i.expectEngine(ctx)
		var namespaces []string
		Eventually(func() (int, error) {
			writes, err := i.bindingWritesSince(begin)
			namespaces = nil
			for _, write := range writes {
				namespaces = append(namespaces, write.Namespace)
			}
			return len(namespaces), err
		}).WithContext(ctx).Should(Equal(6))
		Expect(namespaces[0]).To(Equal("downtime-p0"), "the revoke comes first: %v", namespaces)
	})

	It("comes back undoes what was tampered with meanwhile", func(ctx SpecContext) {
		const name = "unwatched"
		i.makeOrganization(ctx, name, 3, "bo", "cy")
		kept := grant(name, "kept", "bo", "developer", "p0", "p1", "p2")
		forced := grant(name, "forced", "cy", "viewer", "p0")
		i.Create(ctx, kept, forced)
		i.Ready(ctx, kept, forced)

		i.withoutWebhook(ctx)
		Expect(i.manager.Stop()).To(Succeed())
		i.tamperEverywhere(ctx, name)
		// Somebody takes the finalizer, too: the object is gone and its access isn't.
		expectations.Change(ctx, i.Expectations, forced, func(forced *v1alpha1.RoleBinding) { forced.Finalizers = nil })
		i.Delete(ctx, forced)
		i.Gone(ctx, forced)
		i.Allowed(ctx, "intruder", seePods, "unwatched-p0", "unwatched-p1", "unwatched-p2")
		i.Refused(ctx, userOf(name, "bo"), seePods, "unwatched-p1", "unwatched-p2")
		Expect(i.manager.Restart(ctx)).To(Succeed())

		i.Refused(ctx, "intruder", seePods, "unwatched-p0", "unwatched-p1", "unwatched-p2")
		i.Refused(ctx, userOf(name, "cy"), seePods, "unwatched-p0")
		i.Allowed(ctx, userOf(name, "bo"), seePods, "unwatched-p0", "unwatched-p1", "unwatched-p2")
		i.expectEngine(ctx)
	})

	It("is killed in the middle of a big grant and of its revoke finishes both after its return", func(ctx SpecContext) {
		const name = "big"
		var members []string
		for n := range 20 {
			members = append(members, fmt.Sprintf("m%d", n))
		}
		i.makeOrganization(ctx, name, manyProjects, members...)
		team := &v1alpha1.Team{
			ObjectMeta: expectations.InOrganization(name, "everybody"),
			Spec:       v1alpha1.TeamSpec{Role: "developer", AllProjects: true},
		}
		for _, member := range members {
			team.Spec.Members = append(team.Spec.Members, v1alpha1.Username(userOf(name, member)))
		}

		release := i.holdUp(ctx, name, developers)
		i.Create(ctx, team)
		left := i.killDuring(ctx, name, "developer", func(count int) bool { return count >= 20 })
		Expect(len(left)).To(BeNumerically("<", manyProjects), "it hadn't finished")
		for _, binding := range left {
			Expect(binding.Subjects).To(HaveLen(len(members)), "%s holds all or nobody", binding.Namespace)
		}
		release()
		Expect(i.manager.Restart(ctx)).To(Succeed())
		i.Ready(ctx, team)
		Expect(i.differences(ctx)).To(BeEmpty(), "Ready says that all is in force")
		i.Allowed(ctx, userOf(name, "m0"), seePods, "big-p0", fmt.Sprintf("big-p%d", manyProjects-1))

		release = i.holdUp(ctx, name, developers)
		i.Delete(ctx, team)
		left = i.killDuring(ctx, name, "developer", func(count int) bool { return count <= manyProjects-20 })
		Expect(left).NotTo(BeEmpty(), "it hadn't finished")
		Expect(i.Get(ctx, client.ObjectKeyFromObject(team), team)).To(Succeed(), "the team stays until all its access is gone")
		release()
		Expect(i.manager.Restart(ctx)).To(Succeed())
		i.Gone(ctx, team)
		Expect(i.bindingsOf(ctx, name, "developer")).To(BeEmpty())
		i.Refused(ctx, userOf(name, "m0"), seePods, "big-p0", fmt.Sprintf("big-p%d", manyProjects-1))
		i.expectEngine(ctx)
	})

	It("waits for another one takes over when that one is killed or stops", func(ctx SpecContext) {
		const name = "replicas"
		// The API server reaches one of the replicas here, and not whichever runs.
		i.withoutWebhook(ctx)
		Expect(i.manager.Stop()).To(Succeed())
		begin := time.Now()
		first := i.startReplica(ctx)
		i.makeOrganization(ctx, name, 2, "bo", "cy")
		kept := grant(name, "kept", "bo", "viewer", "p0", "p1")
		i.Create(ctx, kept)
		i.Ready(ctx, kept)
		i.Allowed(ctx, userOf(name, "bo"), seePods, "replicas-p0")
		second := i.startReplica(ctx)
		steady := i.watch(ctx, userOf(name, "bo"), "replicas-p0")

		Expect(first.Kill()).To(Succeed())
		killed := time.Now()
		given := grant(name, "given", "cy", "viewer", "p0")
		i.Create(ctx, given)
		i.Ready(ctx, given)
		AddReportEntry("seconds until a killed leader was replaced", time.Since(killed).Seconds())
		i.Allowed(ctx, userOf(name, "cy"), seePods, "replicas-p0")

		Expect(first.Restart(ctx)).To(Succeed())
		Expect(second.Stop()).To(Succeed())
		stopped := time.Now()
		i.Delete(ctx, given)
		i.Gone(ctx, given)
		AddReportEntry("seconds until a stopped leader was replaced", time.Since(stopped).Seconds())
		i.Refused(ctx, userOf(name, "cy"), seePods, "replicas-p0")

		steady.expectNoRefusal()
		i.expectEngine(ctx)
		i.expectOneWriter(begin)
		Eventually(func() ([]string, error) {
			writes, err := i.bindingWritesSince(killed)
			return descriptions(writes), err
		}).WithContext(ctx).Should(HaveLen(2), "one grant and one revoke in one namespace")
	})
})

// expectOneWriter expects that no write of a binding or an Event was refused, as it would be if two managers wrote it. The
// API server gives up a write of a manager that is killed while it waits for the answer, with a status of 500 or more, which
// says nothing of a second one.
func (i *installation) expectOneWriter(begin time.Time) {
	GinkgoHelper()
	writes, err := i.writesSince(begin)
	Expect(err).NotTo(HaveOccurred())
	for _, write := range writes {
		ofOneWriter := write.Group == rbacv1.GroupName || write.Group == eventsv1.GroupName
		if ofOneWriter && write.Code < http.StatusInternalServerError {
			Expect(write.Code).To(BeNumerically("<", 300), write.String())
		}
	}
}
