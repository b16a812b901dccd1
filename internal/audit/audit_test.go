package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/audit"
	"github.com/roster-dev/roster/internal/snapshot"
)

var noon = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

// installation is what one replica sees, with a clock of its own.
type installation struct {
	client.Client
	clock  *clocktesting.FakeClock
	writes atomic.Int32
	// conflicts are answered to so many writes.
	conflicts atomic.Int32
	// stop stops the replica that was started last.
	stop func()
}

func install(objects ...client.Object) *installation {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	i := &installation{clock: clocktesting.NewFakeClock(noon)}
	objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}})
	i.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).
		WithIndex(&v1alpha1.User{}, snapshot.UsersByUsername, func(object client.Object) []string {
			return []string{string(object.(*v1alpha1.User).Spec.Username)}
		}).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourceUpdate: func(
				ctx context.Context, client client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption,
			) error {
				if i.conflicts.Add(-1) >= 0 {
					return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("users").GroupResource(), object.GetName(), nil)
				}
				i.writes.Add(1)
				return client.SubResource(name).Update(ctx, object, options...)
			},
		}).Build()
	return i
}

// start is a replica that has just started.
func (i *installation) start() http.Handler {
	recorder := &audit.Recorder{Client: i, Clock: i.clock}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- recorder.Start(ctx) }()
	i.stop = sync.OnceFunc(func() {
		stop()
		Eventually(done).Should(Receive(BeNil()))
	})
	DeferCleanup(i.stop)
	return &audit.Handler{Recorder: recorder}
}

// pass lets the pause between two rounds of writes, and some time besides, go by. Right after it the next pause may have begun.
func (i *installation) pass(duration time.Duration) {
	GinkgoHelper()
	Eventually(i.clock.HasWaiters).Should(BeTrue())
	i.clock.Step(duration)
}

func (i *installation) seen(ctx context.Context, name string) func() *metav1.Time {
	return func() *metav1.Time {
		user := &v1alpha1.User{}
		Expect(i.Get(ctx, client.ObjectKey{Name: name}, user)).To(Succeed())
		return user.Status.LastSeenAt
	}
}

func person(name string) *v1alpha1.User {
	return &v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{Username: v1alpha1.Username(name + "@acme.example")},
	}
}

func token(name, id string) *v1alpha1.APIToken {
	return &v1alpha1.APIToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: name}, Status: v1alpha1.APITokenStatus{TokenID: id},
	}
}

func event(username string, at time.Time) auditv1.Event {
	return auditv1.Event{
		Level: auditv1.LevelMetadata, Stage: auditv1.StageResponseComplete,
		User: authenticationv1.UserInfo{Username: username}, RequestReceivedTimestamp: metav1.NewMicroTime(at),
	}
}

// post sends a batch, and returns the status that is answered.
func post(handler http.Handler, events ...auditv1.Event) int {
	GinkgoHelper()
	body, err := json.Marshal(auditv1.EventList{
		TypeMeta: metav1.TypeMeta{APIVersion: auditv1.SchemeGroupVersion.String(), Kind: "EventList"}, Items: events,
	})
	Expect(err).NotTo(HaveOccurred())
	return answer(handler, http.MethodPost, body).Code
}

func answer(handler http.Handler, method string, body []byte) *httptest.ResponseRecorder {
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(method, audit.Path, bytes.NewReader(body)))
	return response
}

func at(when time.Time) types.GomegaMatcher {
	return WithTransform(func(t *metav1.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return t.UTC()
	}, Equal(when))
}

var _ = Describe("The audit stream", func() {
	It("tells when a user was last seen, with at most one write in five minutes", func(ctx SpecContext) {
		i := install(person("bo"))
		stream := i.start()
		Expect(post(stream, event("bo@acme.example", noon.Add(-time.Second)), event("bo@acme.example", noon),
			event("bo@acme.example", noon.Add(-time.Minute)))).To(Equal(http.StatusOK))
		Eventually(i.seen(ctx, "bo")).Should(at(noon))
		i.pass(time.Second)
		i.clock.Step(4*time.Minute + 58*time.Second)
		post(stream, event("bo@acme.example", i.clock.Now()))
		i.pass(time.Second)
		Expect(i.writes.Load()).To(Equal(int32(1)))
		post(stream, event("bo@acme.example", i.clock.Now()))
		Eventually(i.seen(ctx, "bo")).Should(at(noon.Add(5 * time.Minute)))
		Expect(i.writes.Load()).To(Equal(int32(2)))
	})

	It("writes nothing after a restart of who was written before, and nothing of nobody", func(ctx SpecContext) {
		i := install(person("bo"), person("ana"))
		post(i.start(), event("bo@acme.example", noon))
		Eventually(i.seen(ctx, "bo")).Should(at(noon))
		i.stop()
		restarted := i.start()
		post(restarted, event("bo@acme.example", noon.Add(time.Second)), event("eve@nowhere.example", noon),
			event("ana@acme.example", noon))
		Eventually(func() *metav1.Time {
			i.clock.Step(time.Second)
			return i.seen(ctx, "ana")()
		}).Should(at(noon))
		Consistently(i.writes.Load, "100ms").Should(Equal(int32(2)), "of bo before the restart, of ana after it")
	})

	It("writes again what somebody else was faster with", func(ctx SpecContext) {
		i := install(person("bo"))
		i.conflicts.Store(1)
		post(i.start(), event("bo@acme.example", noon))
		i.pass(time.Second)
		Eventually(i.seen(ctx, "bo")).Should(at(noon))
	})

	It("tells of who was authenticated, and of no component and nobody who is impersonated", func(ctx SpecContext) {
		i := install(person("bo"), person("ana"), token("ci", "JTI=1"), token("cd", "JTI=2"))
		impersonated := event("ana@acme.example", noon)
		impersonated.ImpersonatedUser = &authenticationv1.UserInfo{Username: "bo@acme.example"}
		used := event("system:serviceaccount:org-acme:token-ci", noon)
		used.User.Extra = map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=1"}}
		elsewhere := event("system:serviceaccount:default:default", noon)
		elsewhere.User.Extra = map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=2"}}
		post(i.start(), impersonated, used, elsewhere, event("system:serviceaccount:roster-system:roster-manager", noon),
			event("system:anonymous", noon), event("", noon))
		Eventually(i.seen(ctx, "ana")).Should(at(noon))
		i.pass(time.Second)
		Expect(i.seen(ctx, "bo")()).To(BeNil())
		ci, cd := token("ci", ""), token("cd", "")
		Expect(i.Get(ctx, client.ObjectKeyFromObject(ci), ci)).To(Succeed())
		Expect(ci.Status.LastUsedAt).To(at(noon))
		Expect(i.Get(ctx, client.ObjectKeyFromObject(cd), cd)).To(Succeed())
		Expect(cd.Status.LastUsedAt).To(BeNil())
		Expect(i.writes.Load()).To(Equal(int32(2)))
	})

	It("tells of a token that has been replaced and still works", func(ctx SpecContext) {
		ci := token("ci", "JTI=2")
		ci.Status.PreviousTokenID = "JTI=1"
		i := install(ci)
		used := event("system:serviceaccount:org-acme:token-ci", noon)
		used.User.Extra = map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=1"}}
		post(i.start(), used)
		Eventually(func() (*metav1.Time, error) {
			err := i.Get(ctx, client.ObjectKeyFromObject(ci), ci)
			return ci.Status.LastUsedAt, err
		}).WithContext(ctx).Should(at(noon))
		Expect(ci.Status.LastUsed).To(Equal(noon.Format(time.RFC3339)))
	})

	It("is noted once with the time of its beginning", func(ctx SpecContext) {
		i := install()
		since := func() *metav1.Time {
			namespace := &corev1.Namespace{}
			Expect(i.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, namespace)).To(Succeed())
			return audit.StreamSince(namespace)
		}
		stream := i.start()
		Expect(since()).To(BeNil())
		post(stream, event("system:apiserver", noon))
		Eventually(since).Should(at(noon))
		i.pass(time.Hour)
		post(stream, event("system:apiserver", i.clock.Now()))
		i.pass(time.Second)
		Expect(since()).To(at(noon))
	})

	It("from a clock that is ahead counts as of now", func(ctx SpecContext) {
		i := install(person("bo"))
		post(i.start(), event("bo@acme.example", noon.Add(24*time.Hour)))
		Eventually(i.seen(ctx, "bo")).Should(at(noon))
	})

	DescribeTable("is refused where it isn't one", func(method, body string, status int, message string) {
		response := answer(install().start(), method, []byte(body))
		Expect(response.Code).To(Equal(status))
		Expect(response.Body.String()).To(ContainSubstring(message))
	},
		Entry("no batch", http.MethodPost, "secret", http.StatusBadRequest, "this is no batch of the audit webhook backend"),
		Entry("a single record", http.MethodPost, `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, http.StatusBadRequest,
			"audit.k8s.io/v1, Kind=Event is no batch"),
		Entry("another kind", http.MethodPost, `{"kind":"Pod","apiVersion":"v1"}`, http.StatusBadRequest, "send an EventList"),
		Entry("a question", http.MethodGet, "", http.StatusMethodNotAllowed, "posted here"),
		Entry("too much", http.MethodPost, string(make([]byte, 10<<20+1)), http.StatusRequestEntityTooLarge,
			"10485760 bytes at most"),
	)
})
