package history

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

var _ = Describe("The recorder", func() {
	It("makes an Event in the namespace default where the organization's takes none", func(ctx SpecContext) {
		scheme := runtime.NewScheme()
		Expect(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))).To(Succeed())
		refuse := interceptor.Funcs{Create: func(
			ctx context.Context, cluster client.WithWatch, object client.Object, options ...client.CreateOption,
		) error {
			if object.GetNamespace() != metav1.NamespaceDefault {
				return apierrors.NewForbidden(eventsv1.Resource("events"), object.GetName(), errors.New("exceeded quota"))
			}
			return cluster.Create(ctx, object, options...)
		}}
		cluster := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(refuse).WithObjects(
			&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "acme"}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: "org-acme", Labels: map[string]string{v1alpha1.LabelOrganization: "acme"},
			}},
		).Build()
		log := &keptLog{}
		made := teams.Changes(nil, team)[0]
		Expect(NewRecorder(cluster, log).Write(ctx, made)).To(Succeed())
		Expect(log.records).To(HaveExactElements(HaveField("Namespace", "org-acme")))
		Expect(listRecords(ctx, cluster)).To(HaveExactElements(HaveField("Key", made.Name())))
	})
})
