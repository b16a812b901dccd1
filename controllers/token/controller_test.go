package token

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/token"
)

func TestToken(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Token controller")
}

var noon = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

// bench is the controller with a clock and an API server that issues tokens.
type bench struct {
	*Reconciler
	clock  *clocktesting.FakePassiveClock
	object *v1alpha1.APIToken
	// longest is the longest life that the API server gives a token.
	longest time.Duration
	issued  int
	writes  int
	// since when the audit stream arrives, and until when it did where it has stopped.
	since, until time.Time
	// deletions are the names of what was to be deleted.
	deletions []string
	// quota refuses what is to be made.
	quota func(client.Object) error
	// readerStays: the ClusterRole by which the Secret is read can't be deleted.
	readerStays error
}

func newBench(object *v1alpha1.APIToken, others ...client.Object) *bench {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	b := &bench{clock: clocktesting.NewFakePassiveClock(noon), object: object, longest: 10000 * time.Hour}
	organization := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
	organization.Status.Namespace = "org-acme"
	object.Namespace, object.Name, object.UID = "org-acme", "ci", "0123456789abcdef"
	object.CreationTimestamp = metav1.NewTime(noon)
	object.Spec.User = "bo@acme.example"
	store := fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(others, object, organization)...).
		WithStatusSubresource(object, organization).WithInterceptorFuncs(interceptor.Funcs{
		SubResourceCreate: b.issueToken, SubResourceUpdate: b.updateStatus, Create: b.create,
		Delete: b.delete,
	}).Build()
	Expect(store.Status().Update(context.Background(), organization)).To(Succeed())
	b.Reconciler = &Reconciler{
		Client: store, Live: store, Clock: b.clock, Kept: Kept{Reader: store}, Retention: 30 * 24 * time.Hour,
		Server:   token.Server{URL: "https://kubernetes.acme.example", CA: []byte("authority")},
		UseKnown: b,
	}
	b.since = noon
	return b
}

// issueToken answers as the TokenRequest API does.
func (b *bench) issueToken(
	_ context.Context, _ client.Client, _ string, _, asked client.Object, _ ...client.SubResourceCreateOption,
) error {
	request := asked.(*authenticationv1.TokenRequest)
	life := min(time.Duration(*request.Spec.ExpirationSeconds)*time.Second, b.longest)
	b.issued++
	payload := base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"jti": "%d"}`, b.issued)))
	request.Status.Token = "header." + payload + ".signature"
	request.Status.ExpirationTimestamp = metav1.NewTime(b.clock.Now().Add(life))
	return nil
}

func (b *bench) updateStatus(
	ctx context.Context, to client.Client, resource string, object client.Object, options ...client.SubResourceUpdateOption,
) error {
	b.writes++
	return to.SubResource(resource).Update(ctx, object, options...)
}

// create dates what is made, which a real API server does.
func (b *bench) create(ctx context.Context, to client.WithWatch, object client.Object, options ...client.CreateOption) error {
	object.SetCreationTimestamp(metav1.NewTime(b.clock.Now()))
	if b.quota != nil && b.quota(object) != nil {
		return b.quota(object)
	}
	return to.Create(ctx, object, options...)
}

// Since implements UseKnown.
func (b *bench) Since(context.Context) time.Time { return b.since }

// Until implements UseKnown.
func (b *bench) Until(context.Context) time.Time {
	if b.until.IsZero() {
		return b.clock.Now()
	}
	return b.until
}

func (b *bench) delete(ctx context.Context, to client.WithWatch, object client.Object, options ...client.DeleteOption) error {
	b.deletions = append(b.deletions, object.GetName())
	if _, isReader := object.(*rbacv1.ClusterRole); isReader && b.readerStays != nil {
		return b.readerStays
	}
	return to.Delete(ctx, object, options...)
}

// at has the controller look after some time, and returns for how long it then waits. The object is as it is after that.
func (b *bench) at(ctx context.Context, after time.Duration) time.Duration {
	GinkgoHelper()
	b.clock.SetTime(noon.Add(after))
	result, err := b.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b.object)})
	Expect(err).NotTo(HaveOccurred())
	Expect(client.IgnoreNotFound(b.Get(ctx, client.ObjectKeyFromObject(b.object), b.object))).To(Succeed())
	return result.RequeueAfter
}

func (b *bench) secrets(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	var list corev1.SecretList
	Expect(b.List(ctx, &list)).To(Succeed())
	return list.Items
}

// metered is how many tokens the metrics count for some reason, of how many in a phase. All specs have the one token.
func metered(why string, phase v1alpha1.APITokenPhase) string {
	return fmt.Sprintf("%v of %v", testutil.ToFloat64(census.flags.WithLabelValues(why)),
		testutil.ToFloat64(census.phases.WithLabelValues(string(phase))))
}

func (b *bench) condition(name string) *metav1.Condition {
	return meta.FindStatusCondition(b.object.Status.Conditions, name)
}

var _ = Describe("The controller of tokens", func() {
	const day = 24 * time.Hour
	living := func(life time.Duration) *v1alpha1.APIToken {
		object := &v1alpha1.APIToken{}
		object.Spec.ExpiresAfter = &metav1.Duration{Duration: life}
		return object
	}

	It("issues a token, says so, and writes nothing more until something is due", func(ctx SpecContext) {
		b := newBench(living(100 * day))
		Expect(b.at(ctx, 0)).To(Equal(83*day), "a week before its end")
		Expect(b.object.Status.TokenID).To(Equal("JTI=1"))
		Expect(b.object.Status.ExpiresAt.UTC()).To(Equal(noon.Add(90*day)), "the organization's bound")
		secret := &corev1.Secret{}
		Expect(b.Get(ctx, client.ObjectKey{Namespace: "org-acme", Name: "ci"}, secret)).To(Succeed())
		Expect(secret.Data).To(And(HaveKeyWithValue("server", []byte("https://kubernetes.acme.example")),
			HaveKeyWithValue("ca.crt", []byte("authority")), HaveKey("token"), HaveKey("kubeconfig")))
		writes := b.writes
		b.at(ctx, time.Hour)
		Expect(b.writes).To(Equal(writes))
		Expect(b.issued).To(Equal(1))
	})

	It("ends a token exactly at its end, keeps the record for thirty days, and removes it", func(ctx SpecContext) {
		b := newBench(living(day))
		b.at(ctx, 0)
		Expect(b.at(ctx, day-time.Second)).To(Equal(time.Second))
		Expect(b.condition(v1alpha1.ConditionExpiresSoon)).To(HaveField("Status", metav1.ConditionTrue))
		Expect(metered("expires_soon", v1alpha1.APITokenActive)).To(Equal("1 of 1"))
		Expect(b.at(ctx, day)).To(Equal(30 * day))
		Expect(b.object.Status.Phase).To(Equal(v1alpha1.APITokenExpired))
		Expect(b.condition(v1alpha1.ConditionExpiresSoon)).To(BeNil())
		Expect(metered("expires_soon", v1alpha1.APITokenExpired)).To(Equal("0 of 1"))
		Expect(b.secrets(ctx)).To(BeEmpty())
		b.at(ctx, 31*day-time.Second)
		Expect(b.object.DeletionTimestamp).To(BeNil())
		b.at(ctx, 31*day)
		Expect(b.object.DeletionTimestamp).NotTo(BeNil())
		b.at(ctx, 31*day)
		Expect(client.IgnoreNotFound(b.Get(ctx, client.ObjectKeyFromObject(b.object), &v1alpha1.APIToken{}))).To(Succeed())
	})

	It("rotates a token on schedule, and lets the old one go after the overlap", func(ctx SpecContext) {
		object := living(30 * day)
		object.Spec.Rotation = &v1alpha1.TokenRotation{
			Every: metav1.Duration{Duration: day}, Overlap: &metav1.Duration{Duration: time.Hour},
		}
		b := newBench(object)
		Expect(b.at(ctx, 0)).To(Equal(day))
		Expect(b.object.Status.RotatesAt.UTC()).To(Equal(noon.Add(day)))
		Expect(b.at(ctx, day)).To(Equal(time.Hour))
		Expect(b.object.Status.TokenID).To(Equal("JTI=2"))
		Expect(b.object.Status.PreviousTokenID).To(Equal("JTI=1"))
		Expect(b.secrets(ctx)).To(HaveLen(3), "the one with the token, and those that the two are bound to")
		b.at(ctx, day+time.Hour)
		Expect(b.secrets(ctx)).To(HaveLen(2))
	})

	It("says where the API server gives a token less than was asked for, and honours it", func(ctx SpecContext) {
		b := newBench(living(30 * day))
		b.longest = day
		b.at(ctx, 0)
		Expect(b.condition(v1alpha1.ConditionIssued)).To(And(HaveField("Reason", "Shortened"),
			HaveField("Message", ContainSubstring("the API server issues tokens for 24h0m0s at most, so this one ends at 2027-01-05"))))
		Expect(b.object.Status.ExpiresAt.UTC()).To(Equal(noon.Add(day)))
		b.at(ctx, day)
		Expect(b.object.Status.Phase).To(Equal(v1alpha1.APITokenExpired))
		Expect(b.issued).To(Equal(1))
	})

	It("touches no Secret that isn't the token's, and says so", func(ctx SpecContext) {
		foreign := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "ci"}, Data: map[string][]byte{"password": []byte("theirs")},
		}
		b := newBench(living(day), foreign)
		b.at(ctx, 0)
		Expect(b.condition(v1alpha1.ConditionIssued)).To(HaveField("Reason", "SecretTaken"))
		Expect(b.secrets(ctx)).To(HaveExactElements(HaveField("Data", HaveKey("password"))))
		Expect(b.issued).To(BeZero())
		Expect(b.deletions).To(BeEmpty(), "what waits writes nothing")
		Expect(b.Delete(ctx, foreign)).To(Succeed())
		b.at(ctx, time.Minute)
		Expect(b.condition(v1alpha1.ConditionIssued)).To(HaveField("Status", metav1.ConditionTrue))
	})

	It("lets nobody read by a token's name what takes the place of its Secret", func(ctx SpecContext) {
		b := newBench(living(day))
		b.at(ctx, 0)
		reader := token.Reader(b.object)
		Expect(b.Get(ctx, client.ObjectKeyFromObject(reader), reader)).To(Succeed())
		Expect(reader.Rules).To(ConsistOf(And(HaveField("ResourceNames", ConsistOf("ci")), HaveField("Verbs", ConsistOf("get")))))
		name := client.ObjectKey{Namespace: "org-acme", Name: "ci"}
		secret := &corev1.Secret{}
		Expect(b.Get(ctx, name, secret)).To(Succeed())
		Expect(b.Delete(ctx, secret)).To(Succeed())
		Expect(b.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}})).To(Succeed())
		b.at(ctx, time.Minute)
		Expect(b.condition(v1alpha1.ConditionIssued)).To(HaveField("Reason", "SecretTaken"))
		Expect(apierrors.IsNotFound(b.Get(ctx, client.ObjectKeyFromObject(reader), reader))).To(BeTrue())
	})

	It("says why no token can be issued, once, and issues it when one can", func(ctx SpecContext) {
		b := newBench(living(day))
		b.quota = func(object client.Object) error {
			if _, isSecret := object.(*corev1.Secret); !isSecret {
				return nil
			}
			return apierrors.NewForbidden(corev1.Resource("secrets"), object.GetName(), errors.New("exceeded quota: few"))
		}
		writes := b.writes
		for range 2 {
			_, err := b.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b.object)})
			Expect(err).To(MatchError(ContainSubstring("exceeded quota")))
		}
		Expect(b.Get(ctx, client.ObjectKeyFromObject(b.object), b.object)).To(Succeed())
		Expect(b.condition(v1alpha1.ConditionIssued)).To(And(HaveField("Reason", "NotIssued"), HaveField("Message",
			HaveSuffix(`secrets "token-ci-0123456789abc-…" is forbidden: exceeded quota: few`))))
		Expect(b.writes).To(Equal(writes+1), "the name of each attempt is no news")
		b.quota = nil
		b.at(ctx, 0)
		Expect(b.condition(v1alpha1.ConditionIssued)).To(HaveField("Status", metav1.ConditionTrue))
	})

	It("frees the name of an ended token's Secret only once nobody may read by it, and ends the token all the same", func(ctx SpecContext) {
		b := newBench(living(day))
		b.at(ctx, 0)
		b.readerStays = errors.New("the API server is busy")
		b.clock.SetTime(noon.Add(day))
		request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b.object)}
		_, err := b.Reconcile(ctx, request)
		Expect(err).To(MatchError(b.readerStays))
		Expect(b.secrets(ctx)).To(ConsistOf(HaveField("Name", "ci")), "what the token was bound to is gone")
		b.readerStays = nil
		b.at(ctx, day)
		Expect(b.secrets(ctx)).To(BeEmpty())
		Expect(b.object.Status.Phase).To(Equal(v1alpha1.APITokenExpired))
	})

	It("says that nobody uses a token, where it is known", func(ctx SpecContext) {
		object := living(0)
		object.Spec.ExpiresAfter = nil
		b := newBench(object)
		organization := &v1alpha1.Organization{}
		Expect(b.Get(ctx, client.ObjectKey{Name: "acme"}, organization)).To(Succeed())
		organization.Spec.Tokens.MaxTTL = &metav1.Duration{Duration: 365 * day}
		Expect(b.Update(ctx, organization)).To(Succeed())
		b.since = time.Time{}
		b.at(ctx, 0)
		Expect(b.at(ctx, 100*day)).To(Equal(time.Hour), "the stream may come")
		Expect(b.condition(v1alpha1.ConditionUnused)).To(BeNil(), "unknown isn't never")
		b.since = noon.Add(20 * day)
		Expect(b.at(ctx, 100*day)).To(Equal(10 * day))
		b.until = noon.Add(110*day - time.Second)
		Expect(b.at(ctx, 120*day)).To(Equal(time.Hour), "the stream has stopped")
		Expect(b.condition(v1alpha1.ConditionUnused)).To(BeNil(), "what wasn't told isn't held against it")
		b.until = noon.Add(110 * day)
		b.at(ctx, 120*day)
		Expect(b.condition(v1alpha1.ConditionUnused)).To(HaveField("Status", metav1.ConditionTrue))
		Expect(metered("unused", v1alpha1.APITokenActive)).To(Equal("1 of 1"))
	})

	It("counts a token of who is held back, as long as they are", func(ctx SpecContext) {
		b := newBench(living(day))
		b.at(ctx, 0)
		Expect(metered("user_held_back", v1alpha1.APITokenActive)).To(Equal("0 of 1"))
		for _, isHeld := range []bool{true, false} {
			status.Flag(b.object, v1alpha1.ConditionUserHeldBack, isHeld, "UserSuspended", "")
			Expect(b.Status().Update(ctx, b.object)).To(Succeed())
			b.at(ctx, 0)
			Expect(metered("user_held_back", v1alpha1.APITokenActive)).To(Equal(map[bool]string{true: "1 of 1", false: "0 of 1"}[isHeld]))
		}
	})
})
