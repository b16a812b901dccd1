package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/warning"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

func organization(name string, uid types.UID) *v1alpha1.Organization {
	return &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid},
		Spec:       v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{"ana"}},
	}
}

func namespaceOf(organization, project, name string) *corev1.Namespace {
	labels := map[string]string{v1alpha1.LabelOrganization: organization}
	if project != "" {
		labels[v1alpha1.LabelProject] = project
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// compiled are a Role of the catalogue and its ClusterRoles. That for projects has no rule where the role is member.
func compiled(name string) []client.Object {
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}
	inProjects := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: rbac.ProjectClusterRole(access.RoleReference{Name: name})}, Rules: rules,
	}
	if name == v1alpha1.RoleMember {
		inProjects.Rules = nil
	}
	return []client.Object{catalogue(name), inProjects, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: rbac.OrganizationClusterRole(access.RoleReference{Name: name})}, Rules: rules,
	}}
}

// company is an organization acme with members and projects: everybody is a developer, and in a team that is in all projects.
func company(members, projects int) *memory {
	cluster := newMemory(organization("acme", "uid"), namespaceOf("acme", "", "org-acme"))
	for _, role := range []string{"owner", "member", "viewer", "developer"} {
		cluster.put(compiled(role)...)
	}
	team := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "all"}}
	team.Spec.Role, team.Spec.AllProjects = "viewer", true
	var objects []client.Object
	for at := range members {
		username := fmt.Sprintf("user-%05d@acme.example", at)
		team.Spec.Members = append(team.Spec.Members, v1alpha1.Username(username))
		objects = append(objects, membership(username, "developer"), &v1alpha1.User{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("user-%05d", at), UID: types.UID(username)},
			Spec:       v1alpha1.UserSpec{Username: v1alpha1.Username(username)},
		})
	}
	for at := range projects {
		name := fmt.Sprintf("project-%03d", at)
		objects = append(objects, &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: name}},
			namespaceOf("acme", name, "acme-"+name))
	}
	for kind, list := range groupByType(append(objects, team)) {
		cluster.objects[kind] = append(cluster.objects[kind], list...)
	}
	return cluster
}

// newGrants and newMembers answer from a cluster that changes when change is called.
func newGrants(cluster *memory, pageRows int) (*grantStorage, *clocktesting.FakePassiveClock) {
	fake := clocktesting.NewFakePassiveClock(now)
	return &grantStorage{table: newGrantCells(), answers: NewAnswers(cluster, fake, pageRows)}, fake
}

func listGrants(ctx context.Context, storage *grantStorage, options metainternalversion.ListOptions) (*viewv1alpha1.GrantList, error) {
	list, err := storage.List(request.WithNamespace(ctx, "org-acme"), &options)
	if err != nil {
		return nil, err
	}
	return list.(*viewv1alpha1.GrantList), nil
}

func listMembers(ctx context.Context, answers *Answers, options metainternalversion.ListOptions) (*viewv1alpha1.MemberList, error) {
	list, err := (&memberStorage{answers: answers}).List(request.WithNamespace(ctx, "org-acme"), &options)
	if err != nil {
		return nil, err
	}
	return list.(*viewv1alpha1.MemberList), nil
}

func usersOf(members *viewv1alpha1.MemberList) []string {
	var users []string
	for _, member := range members.Items {
		users = append(users, member.User)
	}
	return users
}

// warnings keeps what clients are warned of.
type warnings struct{ texts []string }

func (w *warnings) AddWarning(_, text string) { w.texts = append(w.texts, text) }

var _ = Describe("An answer of the view API", func() {
	It("has at most so many rows, says how many follow, and the pages are the whole", func(ctx SpecContext) {
		storage, _ := newGrants(company(20, 5), 30)
		told := &warnings{}
		whole := 0
		for row := range mustAnswer(ctx, storage.answers).grants().after("", nil) {
			Expect(row).NotTo(BeEmpty())
			whole++
		}
		Expect(whole).To(Equal(6+20*(1+5+5)), "owner; developer in the organization and the projects, viewer in the projects")
		seen, next := map[string]bool{}, ""
		for limit := range slices.Values([]int64{0, 50, 7, 0, 0, 0, 0, 0, 0, 0, 0}) {
			list, err := listGrants(warning.WithWarningRecorder(ctx, told), storage, metainternalversion.ListOptions{Limit: limit, Continue: next})
			Expect(err).NotTo(HaveOccurred())
			Expect(len(list.Items)).To(BeNumerically("<=", 30))
			if limit > 0 {
				Expect(len(list.Items)).To(BeEquivalentTo(min(limit, 30)))
			}
			for _, item := range list.Items {
				Expect(seen[item.Name]).To(BeFalse())
				seen[item.Name] = true
			}
			if next = list.Continue; next == "" {
				Expect(list.RemainingItemCount).To(BeNil())
				break
			}
			Expect(list.RemainingItemCount).To(HaveValue(BeEquivalentTo(whole - len(seen))))
		}
		Expect(seen).To(HaveLen(whole))
		Expect(told.texts).To(Equal([]string{"these are the first 30 rows, the most that one answer has; the others follow with its " +
			"metadata.continue, by which kubectl asks for them itself"}), "once, to who asked for all")

		By("members are bounded as well")
		members, err := listMembers(ctx, storage.answers, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(members.Items).To(HaveLen(21))
		Expect(members.Continue).To(BeEmpty())
		storage.answers.pageRows = 7
		members, err = listMembers(ctx, storage.answers, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(members.Items).To(HaveLen(7))
		Expect(members.RemainingItemCount).To(HaveValue(BeEquivalentTo(14)))
	})

	It("goes on with what it began with though that changes, and says that it has expired when that is too long ago", func(ctx SpecContext) {
		cluster := company(20, 5)
		storage, fake := newGrants(cluster, 30)
		first, err := listGrants(ctx, storage, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		members, err := listMembers(ctx, storage.answers, metainternalversion.ListOptions{Limit: 5})
		Expect(err).NotTo(HaveOccurred())

		left := membership("user-00015@acme.example")
		cluster.remove(left)
		storage.answers.changes.note()
		_, err = listGrants(ctx, storage, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		ofLeft := func(next string) (rows int, err error) {
			for next != "" {
				list, err := listGrants(ctx, storage, metainternalversion.ListOptions{Continue: next})
				if err != nil {
					return rows, err
				}
				for _, item := range list.Items {
					if item.User == left.Name && item.Role == "developer" {
						rows++
					}
				}
				next = list.Continue
			}
			return rows, nil
		}
		Expect(ofLeft(first.Continue)).To(Equal(6))
		rest, err := listMembers(ctx, storage.answers, metainternalversion.ListOptions{Continue: members.Continue})
		Expect(err).NotTo(HaveOccurred())
		Expect(usersOf(rest)).To(ContainElement(left.Name))

		fake.SetTime(now.Add(listLife))
		_, err = ofLeft(first.Continue)
		Expect(err).To(Satisfy(apierrors.IsResourceExpired))
		Expect(err).To(MatchError(ContainSubstring("list again from the beginning")))
		By("the refusal has a continue that goes on with what there is now")
		var expired apierrors.APIStatus
		Expect(errors.As(err, &expired)).To(BeTrue())
		Expect(ofLeft(expired.Status().Continue)).To(BeZero())

		By("what is the same goes on, however long ago it began")
		again, err := listGrants(ctx, storage, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		fake.SetTime(now.Add(time.Hour))
		storage.answers.changes.note()
		Expect(ofLeft(again.Continue)).To(BeZero())

		By("another replica knows what is the same there")
		other, _ := newGrants(cluster, 30)
		_, err = listGrants(ctx, other, metainternalversion.ListOptions{Continue: again.Continue})
		Expect(err).NotTo(HaveOccurred())
	})

	It("tells an organization nothing of another that had its name: no member, no grant, no continue, no watch", func(ctx SpecContext) {
		cluster := company(20, 2)
		storage, fake := newGrants(cluster, 10)
		answers := storage.answers
		grants, err := listGrants(ctx, storage, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		members, err := listMembers(ctx, answers, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		old, err := answers.watchMembers(ctx, context.Background(), "acme", &metainternalversion.ListOptions{
			ResourceVersion: members.ResourceVersion,
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(old.Stop)

		for _, object := range slices.Clone(cluster.objects[typeOf(&v1alpha1.Membership{})]) {
			cluster.remove(object)
		}
		cluster.remove(&v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: "all"}})
		cluster.put(organization("acme", "another"), membership("new@acme.example", "viewer"))
		fake.SetTime(now.Add(time.Second))
		answers.changes.note()

		var last watch.Event
		for event := range old.ResultChan() {
			last = event
		}
		Expect(last.Type).To(Equal(watch.Error))
		Expect(last.Object.(*metav1.Status).Reason).To(Equal(metav1.StatusReasonExpired))
		latest, err := listMembers(ctx, answers, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(usersOf(latest)).To(ConsistOf("ana", "new@acme.example"))
		_, err = listMembers(ctx, answers, metainternalversion.ListOptions{Continue: members.Continue})
		Expect(err).To(Satisfy(apierrors.IsResourceExpired))
		_, err = listGrants(ctx, storage, metainternalversion.ListOptions{Continue: grants.Continue})
		Expect(err).To(Satisfy(apierrors.IsResourceExpired))
		_, err = answers.watchMembers(ctx, context.Background(), "acme", &metainternalversion.ListOptions{
			ResourceVersion: members.ResourceVersion,
		})
		Expect(err).To(Satisfy(apierrors.IsResourceExpired), "it would be told who is gone")
	})
})

// mustAnswer is the answer about acme.
func mustAnswer(ctx context.Context, answers *Answers) *answer {
	GinkgoHelper()
	answer, err := answers.of(ctx, "acme")
	Expect(err).NotTo(HaveOccurred())
	return answer
}

var _ = Describe("A page of grants of 1,000 people in 200 projects", func() {
	const most = 20 << 20

	// cost is how many bytes one request allocates, with the table that kubectl asks for and its JSON.
	cost := func(storage *grantStorage, options metainternalversion.ListOptions, before func()) int64 {
		GinkgoHelper()
		const times = 3
		var begin, end runtime.MemStats
		runtime.ReadMemStats(&begin)
		for range times {
			before()
			list, err := listGrants(context.Background(), storage, options)
			Expect(err).NotTo(HaveOccurred())
			table, err := storage.ConvertToTable(context.Background(), list, nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(json.NewEncoder(io.Discard).Encode(table)).To(Succeed())
		}
		runtime.ReadMemStats(&end)
		return int64(end.TotalAlloc-begin.TotalAlloc) / times
	}
	nothing := func() {}

	It("costs at most 20 MB, also where it is the first after a change, and whatever is selected", func() {
		storage, _ := newGrants(company(1000, 200), DefaultPageRows)
		first, err := listGrants(context.Background(), storage, metainternalversion.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(first.Items).To(HaveLen(DefaultPageRows))
		Expect(first.RemainingItemCount).To(HaveValue(BeNumerically(">", 390_000)))
		changed := func() {
			// The world is another one to every request.
			storage.answers.changes.note()
			storage.answers.place("uid").evaluated++
		}
		for what, one := range map[string]struct {
			options metainternalversion.ListOptions
			before  func()
		}{
			"all":                   {metainternalversion.ListOptions{}, nothing},
			"all, after a change":   {metainternalversion.ListOptions{}, changed},
			"the second page":       {metainternalversion.ListOptions{Continue: first.Continue}, nothing},
			"a role nobody has":     {metainternalversion.ListOptions{FieldSelector: fields.OneTermEqualSelector(fieldRole, "x")}, nothing},
			"a namespace":           {metainternalversion.ListOptions{FieldSelector: fields.OneTermEqualSelector(fieldNamespace, "acme-project-100")}, nothing},
			"a name that isn't one": {metainternalversion.ListOptions{FieldSelector: fields.OneTermEqualSelector(fieldName, "x.y")}, nothing},
			"not a role":            {metainternalversion.ListOptions{FieldSelector: fields.OneTermNotEqualSelector(fieldRole, "developer")}, nothing},
		} {
			bytes := cost(storage, one.options, one.before)
			AddReportEntry(what, fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20)))
			Expect(bytes).To(BeNumerically("<=", most), what)
		}
	})

	It("has the world evaluated once for all who ask at the same time", func(ctx SpecContext) {
		storage, _ := newGrants(company(100, 20), DefaultPageRows)
		answers := make([]*answer, 16)
		var group sync.WaitGroup
		for at := range answers {
			group.Go(func() {
				defer GinkgoRecover()
				answers[at] = mustAnswer(ctx, storage.answers)
			})
		}
		group.Wait()
		for _, other := range answers {
			Expect(other).To(BeIdenticalTo(answers[0]))
		}
	})
})

var _ = Describe("A user's share of the view API", func() {
	It("is so many requests at once; others are answered meanwhile, and watches don't count", func() {
		begun, finish := make(chan string, 2*mostRequestsOfUser), make(chan struct{})
		handler := (&shares{inFlight: map[string]int{}}).handle(http.HandlerFunc(func(_ http.ResponseWriter, asked *http.Request) {
			user, _ := request.UserFrom(asked.Context())
			begun <- user.GetName()
			<-finish
		}), serializer.NewCodecFactory(newScheme()))
		ask := func(name, verb string) *httptest.ResponseRecorder {
			asked := httptest.NewRequest(http.MethodGet, "/apis/view.roster.dev/v1alpha1/namespaces/org-acme/grants", nil)
			ctx := request.WithUser(asked.Context(), &user.DefaultInfo{Name: name})
			ctx = request.WithRequestInfo(ctx, &request.RequestInfo{
				IsResourceRequest: true, Verb: verb, APIGroup: viewv1alpha1.GroupVersion.Group, APIVersion: "v1alpha1",
			})
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, asked.WithContext(ctx))
			return answer
		}
		var group sync.WaitGroup
		for range mostRequestsOfUser {
			group.Go(func() { ask("eve", "list") })
		}
		group.Go(func() { ask("eve", "watch") })
		for range mostRequestsOfUser + 1 {
			Eventually(begun).Should(Receive(Equal("eve")))
		}
		refused := ask("eve", "list")
		Expect(refused.Code).To(Equal(http.StatusTooManyRequests))
		Expect(refused.Header().Get("Retry-After")).To(Equal("1"))
		Expect(refused.Body.String()).To(ContainSubstring(
			`user \"eve\" has 8 requests to view.roster.dev in flight, the most that are answered at once; ask again when one of them`))
		group.Go(func() { ask("bo", "list") })
		Eventually(begun).Should(Receive(Equal("bo")))
		close(finish)
		group.Wait()
		Expect(ask("eve", "list").Code).To(Equal(http.StatusOK))
		Expect(strings.TrimSpace(<-begun)).To(Equal("eve"))
	})
})
