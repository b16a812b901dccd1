package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/controllers/access"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/history"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/test/expectations"
)

const viewing = "viewer tests." + v1alpha1.PermissionsGroup

// recorder notes writes and refuses those that a spec wants to fail.
type recorder struct {
	lock   sync.Mutex
	writes []string
	refuse func(write string) bool
	// silence are writes that are made, and whose answer is lost.
	silence func(write string) bool
}

// note keeps a write, and returns an error where it is to fail.
func (r *recorder) note(verb string, object client.Object) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	kind := fmt.Sprintf("%T", object)
	write := fmt.Sprintf("%s %s %s", verb, kind[strings.LastIndex(kind, ".")+1:], client.ObjectKeyFromObject(object))
	r.writes = append(r.writes, write)
	if r.refuse != nil && r.refuse(write) {
		return errors.New("refused by the test")
	}
	return nil
}

// answer is an error where the answer to a write that was made is lost.
func (r *recorder) answer(verb string, object client.Object) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.silence != nil && r.silence(fmt.Sprintf("%s %s", verb, client.ObjectKeyFromObject(object))) {
		return errors.New("no answer")
	}
	return nil
}

func (r *recorder) silenceWhen(silence func(write string) bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.silence = silence
}

func (r *recorder) refuseWhen(refuse func(write string) bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.refuse = refuse
}

func (r *recorder) take() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	taken := r.writes
	r.writes = nil
	return taken
}

// noting is a client whose writes a recorder notes.
type noting struct {
	client.Client
	recorder *recorder
}

func (n noting) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	if err := n.recorder.note("create", object); err != nil {
		return err
	}
	if err := n.Client.Create(ctx, object, options...); err != nil {
		return err
	}
	return n.recorder.answer("create", object)
}

func (n noting) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	if err := n.recorder.note("update", object); err != nil {
		return err
	}
	if err := n.Client.Update(ctx, object, options...); err != nil {
		return err
	}
	return n.recorder.answer("update", object)
}

func (n noting) Patch(
	ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption,
) error {
	if err := n.recorder.note("patch", object); err != nil {
		return err
	}
	return n.Client.Patch(ctx, object, patch, options...)
}

func (n noting) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	if err := n.recorder.note("delete", object); err != nil {
		return err
	}
	if err := n.Client.Delete(ctx, object, options...); err != nil {
		return err
	}
	return n.recorder.answer("delete", object)
}

func (n noting) Status() client.SubResourceWriter {
	return notingStatus{SubResourceWriter: n.Client.Status(), recorder: n.recorder}
}

// notingStatus notes the writes of statuses.
type notingStatus struct {
	client.SubResourceWriter
	recorder *recorder
}

func (n notingStatus) Update(
	ctx context.Context, object client.Object, options ...client.SubResourceUpdateOption,
) error {
	if err := n.recorder.note("status", object); err != nil {
		return err
	}
	return n.SubResourceWriter.Update(ctx, object, options...)
}

// told keeps what a sync has recorded.
type told struct {
	lock    sync.Mutex
	changes []string
}

func (t *told) Removed(context.Context, client.Object) error { return nil }

func (t *told) Later(changes ...history.Change) {
	t.lock.Lock()
	defer t.lock.Unlock()
	for _, change := range changes {
		if !change.Standing {
			t.changes = append(t.changes, change.Action+" "+change.Field+": "+change.New)
		}
	}
}

func (t *told) take() []string {
	t.lock.Lock()
	defer t.lock.Unlock()
	taken := t.changes
	t.changes = nil
	return taken
}

func viewer() engine.RoleReference { return engine.RoleReference{Name: "viewer"} }

var _ = Describe("A sync", func() {
	var (
		organization string
		shop         string
		fake         *clocktesting.FakePassiveClock
		notes        *recorder
		reconciler   *access.Reconciler
	)

	BeforeEach(func(ctx SpecContext) {
		organization = "sync-" + utilrand.String(8)
		fake = clocktesting.NewFakePassiveClock(time.Now())
		notes = &recorder{}
		reconciler = access.NewReconciler(noting{Client: cached, recorder: notes}, expect, bindings, fake)
		makeOrganization(ctx, organization)
		shop = makeProject(ctx, organization, "shop")
	})

	reconciled := func(ctx context.Context) (reconcile.Result, error) {
		return reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKey{Name: organization}})
	}
	// settle reconciles until there is nothing left to write.
	settle := func(ctx context.Context) (result reconcile.Result) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			notes.take()
			var err error
			result, err = reconciled(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(notes.take()).To(BeEmpty())
		}).WithContext(ctx).Should(Succeed())
		return result
	}

	It("asks to be called exactly when a binding expires, and takes the access away then", func(ctx SpecContext) {
		end := metav1.NewTime(fake.Now().Add(time.Hour).Truncate(time.Second))
		expect.Create(ctx,
			expectations.Membership(organization, "bo", "bo@"+organization, v1alpha1.RoleNone),
			&v1alpha1.RoleBinding{
				ObjectMeta: expectations.InOrganization(organization, "for-an-hour"),
				Spec: v1alpha1.RoleBindingSpec{
					Role: "viewer", Projects: []v1alpha1.ObjectName{"shop"}, ExpiresAt: &end,
					Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: "bo@" + organization}},
				},
			})
		inCache(ctx, &v1alpha1.RoleBindingList{}, organization, 1)
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 1)
		result := settle(ctx)
		expect.Allowed(ctx, "bo@"+organization, viewing, shop)
		Expect(result.RequeueAfter).To(Equal(end.Sub(fake.Now())))

		fake.SetTime(end.Add(-time.Nanosecond))
		settle(ctx)
		expect.Allowed(ctx, "bo@"+organization, viewing, shop)

		fake.SetTime(end.Time)
		settle(ctx)
		expect.Refused(ctx, "bo@"+organization, viewing, shop)
		expect.NotReady(ctx, &v1alpha1.RoleBinding{
			ObjectMeta: expectations.InOrganization(organization, "for-an-hour"),
		}, "Expired")
	})

	It("gives an object its finalizer before it gives the access", func(ctx SpecContext) {
		expect.Create(ctx, expectations.Membership(organization, "bo", "bo@"+organization, "viewer"))
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 1)
		_, err := reconciled(ctx)
		Expect(err).NotTo(HaveOccurred())
		writes := notes.take()
		finalizer := position(writes, "patch", "Membership")
		grant := position(writes, "create", rbac.ProjectClusterRole(viewer()))
		Expect(finalizer).To(BeNumerically(">=", 0), "%v", writes)
		Expect(finalizer).To(BeNumerically("<", grant), "%v", writes)
	})

	It("keeps what failed from being called Ready, finishes the others, and says so until it succeeds", func(ctx SpecContext) {
		blog := makeProject(ctx, organization, "blog")
		expect.Create(ctx, expectations.Membership(organization, "bo", "bo@"+organization, "viewer"))
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 1)
		inCache(ctx, &v1alpha1.ProjectList{}, organization, 2)
		notes.refuseWhen(func(write string) bool {
			return strings.Contains(write, "RoleBinding "+shop+"/") && strings.Contains(write, "viewer")
		})
		Eventually(func() error {
			_, err := reconciled(ctx)
			return err
		}).WithContext(ctx).Should(MatchError(ContainSubstring("namespace " + shop + ": create RoleBinding")))
		expect.Allowed(ctx, "bo@"+organization, viewing, blog)
		bo := expectations.Membership(organization, "bo", "bo@"+organization)
		expect.NotReady(ctx, bo, "NotInForce")

		notes.refuseWhen(nil)
		settle(ctx)
		expect.Allowed(ctx, "bo@"+organization, viewing, shop)
		expect.Ready(ctx, bo)
	})

	It("records what it gave in a namespace where something else failed, and that once it succeeds", func(ctx SpecContext) {
		records := &told{}
		reconciler.History = records
		expect.Create(ctx, expectations.Membership(organization, "bo", "bo@"+organization, "viewer"),
			expectations.Membership(organization, "cy", "cy@"+organization, "developer"))
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 2)
		notes.refuseWhen(func(write string) bool {
			return strings.Contains(write, "RoleBinding "+shop+"/") && strings.Contains(write, "developer")
		})
		_, err := reconciled(ctx)
		Expect(err).To(MatchError(ContainSubstring("developer")))
		Expect(records.take()).To(ContainElement(
			MatchRegexp("^AccessGranted access in " + shop + ": .*viewer: bo@" + organization + "$")))

		notes.refuseWhen(nil)
		settle(ctx)
		Expect(records.take()).To(ConsistOf("AccessGranted access in " + shop + ": developer: cy@" + organization))
	})

	It("records what it gave and took although the answer was lost, once", func(ctx SpecContext) {
		records := &told{}
		reconciler.History = records
		bo := expectations.Membership(organization, "bo", "bo@"+organization, "viewer")
		for _, step := range []struct {
			verb, told string
			do         func()
			count      int
		}{
			{"create", "AccessGranted access in " + shop + ": viewer: bo@" + organization, func() { expect.Create(ctx, bo) }, 1},
			{"delete", "AccessRevoked access in " + shop + ": ", func() { expect.Delete(ctx, bo) }, 0},
		} {
			settle(ctx)
			records.take()
			step.do()
			if step.count > 0 {
				inCache(ctx, &v1alpha1.MembershipList{}, organization, step.count)
			}
			notes.silenceWhen(func(write string) bool {
				return strings.HasPrefix(write, step.verb+" "+shop+"/") && strings.Contains(write, "viewer")
			})
			Eventually(func() error {
				_, err := reconciled(ctx)
				return err
			}).WithContext(ctx).Should(MatchError(ContainSubstring("no answer")))
			notes.silenceWhen(nil)
			settle(ctx)
			about := slices.DeleteFunc(records.take(), func(told string) bool { return !strings.Contains(told, shop) })
			Expect(about).To(ConsistOf(step.told))
		}
	})

	It("keeps a deleted Membership until its access is gone, though taking it away fails at first", func(ctx SpecContext) {
		bo := expectations.Membership(organization, "bo", "bo@"+organization, "viewer")
		expect.Create(ctx, bo)
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 1)
		settle(ctx)
		expect.Allowed(ctx, "bo@"+organization, viewing, shop)

		expect.Delete(ctx, bo)
		Eventually(func(g Gomega) {
			found := &v1alpha1.Membership{}
			g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(bo), found)).To(Succeed())
			g.Expect(found.DeletionTimestamp).NotTo(BeNil())
		}).WithContext(ctx).Should(Succeed())
		notes.refuseWhen(func(write string) bool { return strings.Contains(write, "RoleBinding "+shop+"/") })
		_, err := reconciled(ctx)
		Expect(err).To(HaveOccurred())
		Expect(expect.Get(ctx, client.ObjectKeyFromObject(bo), bo)).To(Succeed(), "the finalizer holds it")

		notes.refuseWhen(nil)
		settle(ctx)
		expect.Refused(ctx, "bo@"+organization, viewing, shop)
		expect.Gone(ctx, bo)
	})

	It("takes access away before it gives any", func(ctx SpecContext) {
		expect.Create(ctx, expectations.Membership(organization, "bo", "bo@"+organization, "viewer"))
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 1)
		settle(ctx)
		for number := range 5 {
			makeProject(ctx, organization, fmt.Sprintf("more-%d", number))
		}
		expect.Delete(ctx, expectations.Membership(organization, "bo", "bo@"+organization))
		expect.Create(ctx, expectations.Membership(organization, "chloe", "chloe@"+organization, "developer"))
		inCache(ctx, &v1alpha1.ProjectList{}, organization, 6)
		Eventually(func(g Gomega) {
			found := &v1alpha1.Membership{}
			g.Expect(cached.Get(ctx, client.ObjectKey{
				Namespace: v1alpha1.OrganizationNamespace(organization), Name: "bo"}, found)).To(Succeed())
			g.Expect(found.DeletionTimestamp).NotTo(BeNil())
			g.Expect(cached.Get(ctx, client.ObjectKey{
				Namespace: v1alpha1.OrganizationNamespace(organization), Name: "chloe"}, found)).To(Succeed())
		}).WithContext(ctx).Should(Succeed())
		notes.take()
		_, err := reconciled(ctx)
		Expect(err).NotTo(HaveOccurred())
		writes := notes.take()
		revoke := position(writes, "delete", shop+"/"+rbac.ProjectClusterRole(viewer()))
		Expect(revoke).To(BeNumerically(">=", 0), "%v", writes)
		Expect(revoke).To(BeNumerically("<", position(writes, "create", "more-0")), "%v", writes)
	})

	It("writes nothing when it is called again", func(ctx SpecContext) {
		expect.Create(ctx, expectations.Membership(organization, "bo", "bo@"+organization, "viewer"))
		inCache(ctx, &v1alpha1.MembershipList{}, organization, 1)
		settle(ctx)
		for range 10 {
			_, err := reconciled(ctx)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(notes.take()).To(BeEmpty())
	})
})

// position is where the first write stands that holds all of some texts, or -1.
func position(writes []string, texts ...string) int {
	for at, write := range writes {
		holds := true
		for _, text := range texts {
			holds = holds && strings.Contains(write, text)
		}
		if holds {
			return at
		}
	}
	return -1
}

func labelled(name, organization, project string) *corev1.Namespace {
	labels := map[string]string{v1alpha1.LabelOrganization: organization}
	if project != "" {
		labels[v1alpha1.LabelProject] = project
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// makeOrganization makes an organization and its namespace, and waits until the cache holds both.
func makeOrganization(ctx context.Context, name string) {
	GinkgoHelper()
	createdInCache(ctx, expectations.Organization(name, "owner@"+name),
		labelled(v1alpha1.OrganizationNamespace(name), name, ""))
}

// makeProject makes a project and its namespace, and waits until the cache holds both.
func makeProject(ctx context.Context, organization, name string) string {
	GinkgoHelper()
	namespace := labelled(organization+"-"+name, organization, name)
	createdInCache(ctx, namespace, expectations.Project(organization, name))
	return namespace.Name
}

// createdInCache makes objects, and waits until the cache holds them.
func createdInCache(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	expect.Create(ctx, objects...)
	for _, object := range objects {
		Eventually(func() error {
			return cached.Get(ctx, client.ObjectKeyFromObject(object), object)
		}).WithContext(ctx).Should(Succeed())
	}
}

// inCache waits until the cache holds a number of objects of an organization.
func inCache(ctx context.Context, list client.ObjectList, organization string, number int) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(cached.List(ctx, list, client.InNamespace(v1alpha1.OrganizationNamespace(organization)))).To(Succeed())
		g.Expect(list).To(HaveField("Items", HaveLen(number)))
	}).WithContext(ctx).Should(Succeed())
}
