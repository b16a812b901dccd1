package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

func TestBenchmarks(t *testing.T) {
	RegisterFailHandler(Fail)
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	RunSpecs(t, "Benchmarks")
}

var _ = Describe("The benchmarks", func() {
	It("measure everything in a small size, lose nobody's access in a swap and write nothing after a restart", func(ctx context.Context) {
		small, err := parse([]string{
			"--users=20", "--namespaces=20", "--rounds=2", "--repairs=2", "--writers=8", "--idle=3s",
		})
		Expect(err).NotTo(HaveOccurred())
		var table bytes.Buffer
		found, err := measure(ctx, small, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		Expect(found.losses).To(BeEmpty())
		Expect(found.writes).To(BeEmpty())
		Expect(found.print(&table, small)).To(Succeed())
		GinkgoWriter.Println(table.String())
		for _, what := range []string{"grant", "swap", "one more project", "a user added", "restart", "memory"} {
			Expect(table.String()).To(ContainSubstring(what))
		}
	})

	It("measure in a small size what the webhook adds", func(ctx context.Context) {
		small, err := parse([]string{"--members=40", "--teams=4", "--requests=10"})
		Expect(err).NotTo(HaveOccurred())
		var table bytes.Buffer
		Expect(benchAdmission(ctx, small, &table, GinkgoWriter)).To(Succeed())
		GinkgoWriter.Println(table.String())
		for _, what := range []string{"an owner creates a Membership", "an administrator changes a Membership's roles"} {
			Expect(table.String()).To(ContainSubstring(what))
		}
	})

	It("measure in a small size how long an administrator waits where very many names are listed", func(ctx context.Context) {
		small, err := parse([]string{"--teams=2", "--requests=10"})
		Expect(err).NotTo(HaveOccurred())
		var table bytes.Buffer
		Expect(benchCrowd(ctx, small, &table, GinkgoWriter)).To(Succeed())
		GinkgoWriter.Println(table.String())
		for _, what := range []string{"creates a Membership", "creates an APIToken"} {
			Expect(table.String()).To(ContainSubstring(what))
		}
	})

	It("measure in a small size how long a viewer waits for a chunk of the members", func(ctx context.Context) {
		small, err := parse([]string{"--members=600", "--lists=2"})
		Expect(err).NotTo(HaveOccurred())
		var table bytes.Buffer
		Expect(benchView(ctx, small, &table, GinkgoWriter)).To(Succeed())
		GinkgoWriter.Println(table.String())
		for _, what := range []string{"members as objects", "members as a table"} {
			Expect(table.String()).To(ContainSubstring(what))
		}
	})

	DescribeTable("refuse sizes that mean nothing", func(argument, message string) {
		_, err := parse([]string{argument})
		Expect(err).To(MatchError(message))
	},
		Entry("more users than one binding holds", "--users=1001", "--users=1001: choose a number from 2 to 1000"),
		Entry("no round", "--rounds=0", "--rounds=0: choose a number from 1 to 100"),
		Entry("a part that there isn't", "--only=all", "--only=all: choose access, admission, crowd, view or tokens, or leave it out for all"),
		Entry("more bindings to tamper with than there are", "--repairs=2000", "--repairs=2000: choose a number from 1 to 1000"),
	)
})

var _ = Describe("A goal", func() {
	binding := func(namespace string, users ...string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: teamBinding}, Subjects: subjectsOf(users),
		}
	}
	var watching *observer
	var aim *goal

	BeforeEach(func() {
		watching = &observer{broken: make(chan error, 1)}
		aim = &goal{
			binding: teamBinding, namespaces: sets.New("a", "b"), subjects: []string{"ana", "bo"}, kept: []string{"ana"},
		}
		watching.aim(aim)
	})

	It("is reached once all namespaces have the wanted binding", func(ctx context.Context) {
		watching.observe(binding("a", "ana", "bo"), false)
		watching.observe(binding("c", "ana", "bo"), false)
		Expect(aim.done).To(BeEmpty())
		watching.observe(binding("b", "ana", "bo"), false)
		Expect(watching.wait(ctx, aim)).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(aim.losses).To(BeEmpty())
	})

	It("isn't reached while a binding has become wrong again", func() {
		watching.observe(binding("a", "ana", "bo"), false)
		watching.observe(binding("a", "ana"), false)
		watching.observe(binding("b", "ana", "bo"), false)
		Expect(aim.done).To(BeEmpty())
	})

	It("counts it as a loss when somebody who should stay is missing for a moment", func() {
		watching.observe(binding("a", "bo"), false)
		watching.observe(binding("a", "ana", "bo"), false)
		Expect(aim.losses).To(HaveLen(1))
	})

	It("counts it as a loss when a binding is deleted and made again", func() {
		watching.observe(binding("a", "ana", "bo"), true)
		watching.observe(binding("a", "ana", "bo"), false)
		Expect(aim.losses).To(HaveLen(1))
	})
})
