package environment_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/test/environment"
)

const patience = 30 * time.Second

func clientFor(config *rest.Config) client.Client {
	GinkgoHelper()
	made, err := client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	return made
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

var _ = Describe("A control plane", Ordered, func() {
	var cluster *environment.Cluster
	var admin client.Client

	BeforeAll(func(ctx context.Context) {
		if _, err := environment.FindBinaries(); err != nil {
			Skip(err.Error())
		}
		var err error
		cluster, err = environment.Start(ctx, environment.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
		admin = clientFor(cluster.Admin())
	})

	It("finishes the deletion of a namespace", func(ctx context.Context) {
		Expect(admin.Create(ctx, namespace("going"))).To(Succeed())
		Expect(admin.Delete(ctx, namespace("going"))).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Name: "going"}, namespace("")))
		}, patience).Should(BeTrue())
	})

	It("collects what belonged to a deleted object", func(ctx context.Context) {
		owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "owner"}}
		Expect(admin.Create(ctx, owner)).To(Succeed())
		owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "owned", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID},
		}}}
		Expect(admin.Create(ctx, owned)).To(Succeed())
		Expect(admin.Delete(ctx, owner)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(owned), owned))
		}, patience).Should(BeTrue())
	})

	It("adds the rules of a labelled ClusterRole to the ClusterRole that asks for them", func(ctx context.Context) {
		part := &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "part", Labels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"example.test"}, Resources: []string{"things"}, Verbs: []string{"get"}}},
		}
		Expect(admin.Create(ctx, part)).To(Succeed())
		Eventually(func() []rbacv1.PolicyRule {
			var view rbacv1.ClusterRole
			Expect(admin.Get(ctx, client.ObjectKey{Name: "view"}, &view)).To(Succeed())
			return view.Rules
		}, patience).Should(ContainElement(part.Rules[0]))
	})

	It("lets a user do what RBAC grants, and nothing else", func(ctx context.Context) {
		Expect(admin.Create(ctx, namespace("granted"))).To(Succeed())
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "granted", Name: "edit"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "bo@acme.example"}},
		}
		Expect(admin.Create(ctx, binding)).To(Succeed())

		bo := clientFor(cluster.As("bo@acme.example"))
		configuration := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "granted", Name: "made-by-bo"}}
		Eventually(func() error { return bo.Create(ctx, configuration) }, patience).Should(Succeed())
		configuration = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "made-by-bo"}}
		Expect(apierrors.IsForbidden(bo.Create(ctx, configuration))).To(BeTrue())
	})

	It("notes the writes of a user, and no reads", func(ctx context.Context) {
		const user = "writer@acme.example"
		writer := clientFor(cluster.As(user, "system:masters"))
		configuration := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "written"}}
		Expect(writer.Create(ctx, configuration)).To(Succeed())
		Expect(writer.Get(ctx, client.ObjectKeyFromObject(configuration), configuration)).To(Succeed())
		Expect(writer.List(ctx, &corev1.ConfigMapList{})).To(Succeed())
		Expect(writer.Delete(ctx, configuration)).To(Succeed())

		Eventually(func() []string {
			writes, err := cluster.Writes(user)
			Expect(err).NotTo(HaveOccurred())
			var seen []string
			for _, write := range writes {
				seen = append(seen, write.Verb+" "+write.Resource+" "+write.Namespace+"/"+write.Name)
			}
			return seen
		}, patience).Should(Equal([]string{"create configmaps default/written", "delete configmaps default/written"}))
	})

	It("gives a ServiceAccount a token and a kubeconfig that work", func(ctx context.Context) {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "robot"}}
		Expect(admin.Create(ctx, account)).To(Succeed())
		config, err := cluster.ServiceAccount(ctx, "default", "robot")
		Expect(err).NotTo(HaveOccurred())
		path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		Expect(environment.WriteKubeconfig(path, config)).To(Succeed())
		loaded, err := clientcmd.BuildConfigFromFlags("", path)
		Expect(err).NotTo(HaveOccurred())

		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "default", Verb: "get", Resource: "secrets"},
		}}
		Expect(clientFor(loaded).Create(ctx, review)).To(Succeed())
		Expect(review.Status.Allowed).To(BeFalse())
	})

	It("is there for kubectl", func(ctx context.Context) {
		output, err := cluster.Kubectl(ctx, "get", "namespaces", "--output=name")
		Expect(err).NotTo(HaveOccurred())
		Expect(output).To(ContainSubstring("namespace/kube-system"))
	})

	It("is found again by its directory", func() {
		found, err := environment.Attach(cluster.Directory, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Expect(found.URL()).To(Equal(cluster.URL()))
		Expect(found.Missing()).To(BeEmpty())
		var names []string
		for _, process := range found.Processes() {
			Expect(process.Running()).To(BeTrue())
			names = append(names, process.Name)
		}
		Expect(names).To(Equal([]string{"etcd", "kube-apiserver", "kube-controller-manager"}))
	})
})

var _ = Describe("A control plane that was stopped", func() {
	It("starts again with the data it had", func(ctx context.Context) {
		if _, err := environment.FindBinaries(); err != nil {
			Skip(err.Error())
		}
		options := environment.Options{Directory: GinkgoT().TempDir()}
		first, err := environment.Start(ctx, options)
		Expect(err).NotTo(HaveOccurred())
		Expect(clientFor(first.Admin()).Create(ctx, namespace("kept"))).To(Succeed())
		processes := first.Processes()
		Expect(processes[2].Kill()).To(Succeed())
		Expect(first.Stop()).To(Succeed())
		for _, process := range processes {
			Expect(process.Running()).To(BeFalse(), process.Name)
		}

		second, err := environment.Start(ctx, options)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(second.Stop()).To(Succeed()) })
		Expect(clientFor(second.Admin()).Get(ctx, client.ObjectKey{Name: "kept"}, namespace(""))).To(Succeed())
	})
})

var _ = Describe("Start", func() {
	It("refuses a port that somebody else uses", func(ctx context.Context) {
		listener := listen()
		_, err := environment.Start(ctx, environment.Options{Directory: GinkgoT().TempDir(), Port: port(listener)})
		Expect(err).To(MatchError(environment.ErrPortTaken))
	})

	It("says how to get the binaries when there are none", func(ctx context.Context) {
		empty := GinkgoT().TempDir()
		_, err := environment.Start(ctx, environment.Options{Directory: GinkgoT().TempDir(), BinaryDirectory: empty})
		Expect(err).To(MatchError(ContainSubstring("run `make k8s`")))
	})

	It("says what a server said before it ended", func(ctx context.Context) {
		binaries := GinkgoT().TempDir()
		for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
			script := "#!/bin/sh\necho the disk is on fire\nexit 1\n"
			Expect(os.WriteFile(filepath.Join(binaries, name), []byte(script), 0o700)).To(Succeed())
		}
		_, err := environment.Start(ctx, environment.Options{Directory: GinkgoT().TempDir(), BinaryDirectory: binaries})
		Expect(err).To(MatchError(And(ContainSubstring("etcd did not become ready"), ContainSubstring("the disk is on fire"))))
	})
})
