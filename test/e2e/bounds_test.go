package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// flood has so many writers make objects at once, and says how many got through. All others must be refused with the message.
func flood(writers, each int, write func(number int) error, message string) int {
	GinkgoHelper()
	var passed, asked atomic.Int32
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			defer GinkgoRecover()
			for range each {
				err := write(int(asked.Add(1)))
				if err == nil {
					passed.Add(1)
					continue
				}
				Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
				Expect(err).To(MatchError(HaveSuffix(": " + message)))
			}
		})
	}
	all.Wait()
	return int(passed.Load())
}

var _ = Describe("A plain member who makes very many API tokens", Ordered, func() {
	const refusal = "organization hoard would have 21 API tokens of user bo@hoard.example that haven't ended; the bound is 20: " +
		"revoke or delete one that isn't needed, or ask a cluster administrator to raise the manager's flag --max-api-tokens"
	var bo, cleo string
	write := func(ctx context.Context, user string, number int) error {
		token := apiToken("hoard", fmt.Sprintf("%s-%d", user[:2], number), user, []v1alpha1.RoleName{"member"})
		return asUser(user).Create(ctx, token)
	}
	tokens := func(ctx context.Context, user string) []v1alpha1.APIToken {
		GinkgoHelper()
		var list v1alpha1.APITokenList
		Expect(k8s.List(ctx, &list, client.InNamespace("org-hoard"), client.MatchingFields{"spec.user": user})).To(Succeed())
		return list.Items
	}

	BeforeAll(func(ctx SpecContext) {
		hoard := openAccount(ctx, "hoard")
		hoard.join(ctx, "bo", "member")
		hoard.join(ctx, "cleo", "member")
		bo, cleo = hoard.user("bo"), hoard.user("cleo")
		expect.Allowed(ctx, bo, "create apitokens.roster.dev", "org-hoard")
		expect.Allowed(ctx, cleo, "create apitokens.roster.dev", "org-hoard")
	})

	It("gets 20, though 24 writers make them at once", func(ctx SpecContext) {
		Expect(flood(24, 10, func(number int) error { return write(ctx, bo, number) }, refusal)).To(Equal(20))
		Expect(tokens(ctx, bo)).To(HaveLen(20))
	})

	It("keeps nobody else from making theirs", func(ctx SpecContext) {
		Expect(write(ctx, cleo, 1)).To(Succeed())
	})

	It("gets one more for each that is revoked or deleted, and may change what there is", func(ctx SpecContext) {
		Expect(write(ctx, bo, 1000)).To(MatchError(HaveSuffix(": " + refusal)))
		mine := tokens(ctx, bo)
		Expect(patchAs(ctx, bo, &mine[0], `{"spec": {"description": "of the nightly run"}}`)).To(Succeed())
		Expect(patchAs(ctx, bo, &mine[0], `{"spec": {"revoked": true}}`)).To(Succeed())
		Expect(asUser(bo).Delete(ctx, &mine[1])).To(Succeed())
		for _, number := range []int{1001, 1002} {
			Eventually(func() error { return write(ctx, bo, number) }).WithContext(ctx).Should(Succeed())
		}
		Expect(write(ctx, bo, 1003)).To(MatchError(HaveSuffix(": " + refusal)))
	})

	It("is warned where they may pass the safeguards, and not refused", func(ctx SpecContext) {
		heard := &warnings{}
		config := cluster.As(bo, "system:masters")
		config.WarningHandler = heard
		token := apiToken("hoard", "beyond", bo, []v1alpha1.RoleName{"member"})
		Expect(clientFor(config).Create(ctx, token)).To(Succeed())
		Expect(heard.said).To(ContainElement(refusal))
	})
})

// low are bounds that a test reaches.
var low = []string{
	"--max-memberships=4", "--max-invitations=2", "--max-teams=3", "--max-listed-names=8", "--max-role-bindings=3",
	"--max-roles=2", "--max-projects=2", "--max-project-namespaces=3", "--max-join-requests=2", "--max-api-tokens=1",
}

// growing is something of which an owner makes one after the other until there may be no more.
type growing struct {
	thing string
	// make one, and how many may be made.
	make func(organization string, number int) client.Object
	most int
	// refusal of the next one.
	refusal string
}

func listing(name string, members ...v1alpha1.Username) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TeamSpec{Members: members}}
}

var growths = []growing{
	{"memberships", func(organization string, number int) client.Object {
		return expectations.Membership(organization, fmt.Sprint("m", number), fmt.Sprintf("m%d@%s", number, organization), "member")
	}, 4, "would have 5 memberships and users whose removal is held; the bound is 4: delete the Memberships of users who have " +
		"left, or approve the removals that are held, or ask a cluster administrator to raise the manager's flag --max-memberships"},
	{"invitations", func(organization string, number int) client.Object {
		invited := expectations.Membership(organization, fmt.Sprint("i", number), fmt.Sprintf("i%d@%s", number, organization), "member")
		invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
		return invited
	}, 2, "would have 3 invitations that wait for an answer; the bound is 2: wait for answers, or delete the " +
		"Memberships of invitations that aren't needed, or ask a cluster administrator to raise the manager's flag --max-invitations"},
	{"teams", func(organization string, number int) client.Object {
		return &v1alpha1.Team{ObjectMeta: expectations.InOrganization(organization, fmt.Sprint("t", number))}
	}, 3, "would have 4 teams; the bound is 3: delete one that isn't needed, or ask a cluster administrator to raise " +
		"the manager's flag --max-teams"},
	{"names", func(organization string, number int) client.Object {
		team := listing(fmt.Sprint("n", number), "a@x", "b@x", "c@x")
		team.Namespace, team.Spec.Maintainers = "org-"+organization, []v1alpha1.Username{"a@x"}
		return team
	}, 2, "would have 12 names listed in Teams and RoleBindings; the bound is 8: list fewer members, maintainers or " +
		"subjects, or one Team as the subject of a RoleBinding, or ask a cluster administrator to raise the manager's flag " +
		"--max-listed-names"},
	{"bindings", func(organization string, number int) client.Object {
		return &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(organization, fmt.Sprint("b", number)),
			Spec: v1alpha1.RoleBindingSpec{Role: "viewer", OrganizationWide: true, Subjects: []v1alpha1.Subject{{Kind: "User", Name: "a@x"}}}}
	}, 3, "would have 4 role bindings; the bound is 3: delete one that isn't needed, or put several subjects into one, " +
		"or ask a cluster administrator to raise the manager's flag --max-role-bindings"},
	{"roles", func(organization string, number int) client.Object {
		return &v1alpha1.Role{ObjectMeta: expectations.InOrganization(organization, fmt.Sprint("r", number))}
	}, 2, "would have 3 roles; the bound is 2: delete one that isn't needed, or ask a cluster administrator to raise " +
		"the manager's flag --max-roles"},
	{"projects", func(organization string, number int) client.Object {
		return expectations.Project(organization, fmt.Sprint("p", number))
	}, 2, "would have 3 projects; the bound is 2: delete one that isn't needed, or ask a cluster administrator to raise " +
		"the manager's flag --max-projects"},
	{"namespaces", func(organization string, number int) client.Object {
		project := expectations.Project(organization, fmt.Sprint("p", number))
		for _, suffix := range []string{"a", "b"} {
			namespace := fmt.Sprintf("%s-%d-%s", organization, number, suffix)
			project.Spec.Namespaces = append(project.Spec.Namespaces, v1alpha1.NamespaceName(namespace))
		}
		return project
	}, 1, "would have 4 namespaces of projects; the bound is 3: name fewer in spec.namespaces, or ask a cluster " +
		"administrator to raise the manager's flag --max-project-namespaces"},
	{"tokens", func(organization string, number int) client.Object {
		return apiToken(organization, fmt.Sprint("k", number), "ana@"+organization, []v1alpha1.RoleName{"viewer"})
	}, 1, "would have 2 API tokens of user ana@bound-tokens that haven't ended; the bound is 1: revoke or delete one " +
		"that isn't needed, or ask a cluster administrator to raise the manager's flag --max-api-tokens"},
}

// They have a control plane of their own, since no other spec goes with bounds that low.
var _ = Describe("Where bounds are low, an owner", Ordered, func() {
	var bounded *environment.Cluster
	var there *expectations.Expectations

	BeforeAll(func(ctx SpecContext) {
		started, err := environment.Start(ctx, environment.Options{Progress: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(started.Stop()).To(Succeed()) })
		Expect(started.InstallRoster(ctx)).To(Succeed())
		running, err := started.StartManager(ctx, low...)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { expectations.ShowManagerLog(running.LogPath()) })
		Expect(started.ConnectWebhook(ctx)).To(Succeed())
		bounded, there = started, expectations.New(clientFor(started.Admin()))
	}, NodeTimeout(2*time.Minute))

	open := func(ctx context.Context, name string) client.Client {
		GinkgoHelper()
		organization := expectations.Organization(name, "ana@"+name)
		there.Create(ctx, organization)
		there.Ready(ctx, organization)
		there.Allowed(ctx, "ana@"+name, "create teams.roster.dev", "org-"+name)
		return clientFor(bounded.As("ana@" + name))
	}

	for _, growing := range growths {
		It("is refused "+growing.thing+" beyond the bound, and has room again once one is deleted", func(ctx SpecContext) {
			name := "bound-" + growing.thing
			ana := open(ctx, name)
			for number := range growing.most {
				Expect(ana.Create(ctx, growing.make(name, number))).To(Succeed())
			}
			refused := MatchError(HaveSuffix(": organization " + name + " " + growing.refusal))
			Expect(ana.Create(ctx, growing.make(name, growing.most))).To(refused)
			Expect(ana.Create(ctx, growing.make(name, growing.most), client.DryRunAll)).To(refused)
			err := ana.Create(ctx, growing.make(name, 0))
			Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "a name that is taken: %v", err)
			there.Delete(ctx, growing.make(name, 0))
			Eventually(func() error { return ana.Create(ctx, growing.make(name, growing.most)) }).WithContext(ctx).Should(Succeed())
		})
	}

	It("above a bound may change and lessen what there is, and add nothing", func(ctx SpecContext) {
		ana := open(ctx, "above")
		team := listing("makers", "a@x", "b@x", "c@x", "d@x", "e@x", "f@x", "g@x", "h@x", "i@x", "j@x")
		team.Namespace = "org-above"
		// An administrator of the cluster may pass the safeguards.
		there.Create(ctx, team)
		change := func(change func(*v1alpha1.TeamSpec)) error {
			GinkgoHelper()
			// The manager writes its finalizer meanwhile.
			return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
				Expect(ana.Get(ctx, client.ObjectKeyFromObject(team), team)).To(Succeed())
				change(&team.Spec)
				return ana.Update(ctx, team)
			})
		}
		Expect(change(func(spec *v1alpha1.TeamSpec) { spec.Description = "ten" })).To(Succeed())
		Expect(change(func(spec *v1alpha1.TeamSpec) { spec.Members[0] = "k@x" })).To(Succeed())
		Expect(change(func(spec *v1alpha1.TeamSpec) { spec.Members = spec.Members[1:] })).To(Succeed())
		Expect(change(func(spec *v1alpha1.TeamSpec) { spec.Members = append(spec.Members, "l@x") })).To(MatchError(HaveSuffix(
			": organization above would have 10 names listed in Teams and RoleBindings; the bound is 8: list fewer " +
				"members, maintainers or subjects, or one Team as the subject of a RoleBinding, or ask a cluster administrator to " +
				"raise the manager's flag --max-listed-names")))
	})

	It("makes no more teams than may be, though 2 to 24 writers make them at once, in 200 rounds", func(ctx SpecContext) {
		const most = 3
		var refused atomic.Int32
		var lanes sync.WaitGroup
		for lane := range raceLanes {
			lanes.Go(func() {
				defer GinkgoRecover()
				for round := range raceRounds / raceLanes {
					name := fmt.Sprintf("crowd-%d-%d", lane, round)
					ana, writers := open(ctx, name), 2+(lane+raceLanes*round)%23
					made := flood(writers, 1, func(number int) error {
						return ana.Create(ctx, &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, fmt.Sprint("t", number))})
					}, "organization "+name+" would have 4 teams; the bound is 3: delete one that isn't needed, or ask a cluster "+
						"administrator to raise the manager's flag --max-teams")
					Expect(made).To(Equal(min(writers, most)))
					refused.Add(int32(writers - made))
				}
			})
		}
		lanes.Wait()
		AddReportEntry("rounds", fmt.Sprintf("%d; %d writes refused", raceRounds, refused.Load()))
	}, NodeTimeout(5*time.Minute))
})
