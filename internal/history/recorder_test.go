package history

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
)

// keptLog keeps what the store is handed.
type keptLog struct{ records []activity.Record }

func (k *keptLog) Record(records ...activity.Record) { k.records = append(k.records, records...) }

// builder makes clusters that know Roster's kinds.
func builder() *fake.ClientBuilder {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))).To(Succeed())
	return fake.NewClientBuilder().WithScheme(scheme)
}

// organizationAt is an organization acme of some uid with its namespace, both made at an instant.
func organizationAt(uid types.UID, made time.Time) []client.Object {
	created := metav1.NewTime(made)
	return []client.Object{
		&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: uid, CreationTimestamp: created}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "org-acme", Labels: map[string]string{v1alpha1.LabelOrganization: "acme"}, CreationTimestamp: created,
		}},
	}
}

var _ = Describe("The organization that a change is recorded for", func() {
	monday := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	teamMade := func(uid types.UID, made time.Time) *v1alpha1.Team {
		made = made.Add(time.Second)
		return &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{
			Namespace: "org-acme", Name: "press", UID: uid, CreationTimestamp: metav1.NewTime(made),
		}}
	}
	var log *keptLog
	var cluster client.Client
	var recorder *Recorder

	// remake has another organization take the place of the first.
	remake := func(ctx context.Context, uid types.UID, made time.Time) {
		GinkgoHelper()
		for _, object := range organizationAt(uid, made) {
			Expect(client.IgnoreNotFound(cluster.Delete(ctx, object))).To(Succeed())
			Expect(cluster.Create(ctx, object)).To(Succeed())
		}
	}
	write := func(ctx context.Context, changes ...Change) types.UID {
		GinkgoHelper()
		for _, change := range changes {
			Expect(recorder.Write(ctx, change)).To(Succeed())
		}
		return log.records[len(log.records)-1].OrganizationUID
	}
	BeforeEach(func() {
		log, cluster = &keptLog{}, builder().WithObjects(organizationAt("first", monday)...).Build()
		recorder = NewRecorder(cluster, log)
	})

	It("stays the one that the object was first seen in, although another has its name meanwhile", func(ctx SpecContext) {
		old := teamMade("old", monday)
		Expect(write(ctx, teams.Changes(nil, old)...)).To(BeEquivalentTo("first"))
		remake(ctx, "second", monday.Add(time.Second))
		Expect(write(ctx, teams.Changes(old, nil)...)).To(BeEquivalentTo("first"))
		Expect(write(ctx, teams.Changes(nil, teamMade("new", monday.Add(time.Hour)))...)).To(BeEquivalentTo("second"))
		Expect(write(ctx, organizations.Removal(organizationAt("first", monday)[0]))).To(BeEquivalentTo("first"))
	})

	It("is none that is there where the object was there before it", func(ctx SpecContext) {
		remake(ctx, "second", monday.Add(time.Hour))
		Expect(write(ctx, teams.Changes(teamMade("old", monday), nil)...)).To(Equal(activity.UnknownOrganization))
		vanished := Known{Object: Object{Kind: "Team", Namespace: "org-acme", Name: "press", UID: "gone"}, Recorded: monday}
		Expect(write(ctx, teams.Vanished(vanished))).To(Equal(activity.UnknownOrganization))
		vanished.Object.UID, vanished.OrganizationUID = "known", "first"
		Expect(write(ctx, teams.Vanished(vanished))).To(BeEquivalentTo("first"))
	})

	It("is one that comes after its namespace and the objects in it", func(ctx SpecContext) {
		organization := organizationAt("first", monday.Add(time.Minute))[0]
		Expect(cluster.Delete(ctx, organization)).To(Succeed())
		early := teams.Changes(nil, teamMade("early", monday))[0]
		Expect(recorder.Write(ctx, early)).To(MatchError(errOrganizationComes))
		Expect(log.records).To(BeEmpty())
		organization.SetResourceVersion("")
		Expect(cluster.Create(ctx, organization)).To(Succeed())
		Expect(write(ctx, early)).To(BeEquivalentTo("first"))
	})

	It("comes back from the Event", func(ctx SpecContext) {
		write(ctx, teams.Changes(nil, teamMade("old", monday))...)
		Expect(listRecords(ctx, cluster)).To(HaveExactElements(HaveField("OrganizationUID", BeEquivalentTo("first"))))
	})
})

var _ = Describe("The recorder", func() {
	It("makes an Event in the namespace default where the organization's takes none", func(ctx SpecContext) {
		refuse := interceptor.Funcs{Create: func(
			ctx context.Context, cluster client.WithWatch, object client.Object, options ...client.CreateOption,
		) error {
			if object.GetNamespace() != metav1.NamespaceDefault {
				return apierrors.NewForbidden(eventsv1.Resource("events"), object.GetName(), errors.New("exceeded quota"))
			}
			return cluster.Create(ctx, object, options...)
		}}
		cluster := builder().WithInterceptorFuncs(refuse).WithObjects(organizationAt("acme", time.Time{})...).Build()
		log := &keptLog{}
		made := teams.Changes(nil, team)[0]
		Expect(NewRecorder(cluster, log).Write(ctx, made)).To(Succeed())
		Expect(log.records).To(HaveExactElements(SatisfyAll(
			HaveField("Namespace", "org-acme"), HaveField("OrganizationUID", BeEquivalentTo("acme")))))
		Expect(listRecords(ctx, cluster)).To(HaveExactElements(HaveField("Key", made.Name())))
	})
})
