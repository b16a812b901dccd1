package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// crowd gives many people, whose names sort by their numbers, a Membership each, and returns their names.
func (a account) crowd(ctx context.Context, prefix string, number int, roles ...v1alpha1.RoleName) []string {
	GinkgoHelper()
	var people []string
	for at := range number {
		people = append(people, fmt.Sprintf("%s-%03d", prefix, at))
	}
	a.joinAll(ctx, people, roles...)
	for _, name := range people {
		expect.Ready(ctx, expectations.Membership(a.Name, name, a.user(name)))
	}
	return people
}

func (a account) joinAll(ctx context.Context, people []string, roles ...v1alpha1.RoleName) {
	GinkgoHelper()
	for _, name := range people {
		expect.Create(ctx, expectations.Membership(a.Name, name, a.user(name), roles...))
	}
}

// deleteEach deletes objects of the organization one after another, as kubectl does, and waits until they are gone.
func (a account) deleteEach(ctx context.Context, kind string, names ...string) {
	GinkgoHelper()
	arguments := append([]string{"--namespace", a.namespace(), "delete", "--timeout=60s", kind}, names...)
	output, err := cluster.Kubectl(ctx, arguments...)
	Expect(err).NotTo(HaveOccurred(), output)
}

// whoMay are those of some people who may do something in a namespace now.
func (a account) whoMay(ctx context.Context, people []string, does, namespace string) ([]string, error) {
	var allowed []string
	for _, name := range people {
		may, err := expect.May(ctx, expectations.Access{User: a.user(name), Does: does, Namespace: namespace})
		if err != nil {
			return nil, err
		}
		if may {
			allowed = append(allowed, name)
		}
	}
	return allowed, nil
}

// expectOnly waits until of some people exactly those may do something in a namespace.
func (a account) expectOnly(ctx context.Context, people, allowed []string, does, namespace string) {
	GinkgoHelper()
	Eventually(func() ([]string, error) { return a.whoMay(ctx, people, does, namespace) }).WithContext(ctx).
		Should(HaveExactElements(allowed))
}

// held are the people whose removal is held, and the digest of that, as the status says.
func (a account) held(ctx context.Context) (people []string, digest string, err error) {
	organization := &v1alpha1.Organization{}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(a.Organization), organization); err != nil {
		return nil, "", err
	}
	held := organization.Status.HeldRemovals
	if held == nil {
		return nil, "", nil
	}
	for _, user := range held.Users {
		people = append(people, strings.TrimSuffix(user, "@"+a.domain))
	}
	Expect(held.Count).To(BeEquivalentTo(len(people)))
	return people, held.Digest, nil
}

// expectHeld waits until exactly some people's removals are held, and returns the digest.
func (a account) expectHeld(ctx context.Context, people []string) (digest string) {
	GinkgoHelper()
	Eventually(func() (found []string, err error) {
		found, digest, err = a.held(ctx)
		return found, err
	}).WithContext(ctx).Should(HaveExactElements(people))
	return digest
}

// approve puts a digest on the Organization, as the condition's message says.
func (a account) approve(ctx context.Context, digest string) {
	GinkgoHelper()
	output, err := cluster.Kubectl(ctx, "annotate", "organization", a.Name,
		v1alpha1.AnnotationApproveRemovals+"="+digest, "--overwrite")
	Expect(err).NotTo(HaveOccurred(), output)
}

// expectUnheld waits until nothing is held and the organization is Ready again.
func (a account) expectUnheld(ctx context.Context) {
	GinkgoHelper()
	a.expectHeld(ctx, nil)
	expect.Ready(ctx, a.Organization)
	expectCondition(ctx, a.Organization, v1alpha1.ConditionRemovalsHeld, "")
}

var _ = Describe("When very many Memberships are deleted", func() {
	It("a budget of users loses access, the others keep it until exactly that is approved or taken back", func(ctx SpecContext) {
		acme := openAccount(ctx, "held-members")
		shop := acme.project(ctx, "shop")
		people := acme.crowd(ctx, "bo", 120, "viewer")
		acme.expectOnly(ctx, people, people, asViewer, shop)

		By("60 of 121 go, of whom 24 may")
		acme.deleteEach(ctx, "mbr", people[:60]...)
		first := acme.expectHeld(ctx, people[24:60])
		acme.expectOnly(ctx, people, people[24:], asViewer, shop)
		acme.expectOnly(ctx, people, people[24:], asMember, acme.namespace())
		message := fmt.Sprintf("36 users keep access that nothing gives any more, because more was removed within 10 "+
			"minutes than spec.safeguards.maxRemovalPercent lets go: %s and 26 more (all in status.heldRemovals; digest %s); put "+
			"back what was removed, or let exactly these removals go: kubectl annotate organization held-members "+
			"roster.dev/approve-removals=%s --overwrite", strings.Join(usernames(acme, people[24:34]), ", "), first, first)
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionRemovalsHeld, "True RemovalsHeld: "+message)
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionReady, "False RemovalsHeld: "+message)

		By("a second burst is held too, and what is to be added is added")
		acme.deleteEach(ctx, "mbr", people[60:70]...)
		acme.join(ctx, "new", "viewer")
		expect.Allowed(ctx, acme.user("new"), asViewer, shop)
		second := acme.expectHeld(ctx, people[24:70])
		Expect(second).NotTo(Equal(first))

		By("a stale digest changes nothing")
		acme.approve(ctx, first)
		Consistently(func() ([]string, error) {
			held, _, err := acme.held(ctx)
			return held, err
		}).WithContext(ctx).Should(HaveExactElements(people[24:70]))
		acme.expectOnly(ctx, people, people[24:], asViewer, shop)

		By("manifests that come back end it for their users")
		acme.joinAll(ctx, people[24:40], "viewer")
		third := acme.expectHeld(ctx, people[40:70])

		By("the digest lets the others go")
		acme.approve(ctx, third)
		acme.expectUnheld(ctx)
		acme.expectOnly(ctx, people, slices.Concat(people[24:40], people[70:]), asViewer, shop)

		By("the window stays spent")
		acme.deleteEach(ctx, "mbr", people[119])
		acme.expectHeld(ctx, people[119:])
		expect.Allowed(ctx, acme.user(people[119]), asViewer, shop)
		acme.joinAll(ctx, people[119:], "viewer")
		acme.expectUnheld(ctx)
	})

	It("a safeguard that the same commit loosens doesn't count yet", func(ctx SpecContext) {
		acme := openAccount(ctx, "held-loosened")
		shop := acme.project(ctx, "shop")
		people := acme.crowd(ctx, "bo", 30, "viewer")
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Safeguards.MaxRemovalPercent = ptr.To(int32(100)) })
		expect.Ready(ctx, acme.Organization)
		acme.deleteEach(ctx, "mbr", people...)
		acme.expectHeld(ctx, people[20:])
		acme.expectOnly(ctx, people, people[20:], asViewer, shop)
	})

	It("who is deactivated has nothing meanwhile, and has it back when activated again", func(ctx SpecContext) {
		acme := openAccount(ctx, "held-gated")
		shop := acme.project(ctx, "shop")
		people := acme.crowd(ctx, "bo", 23, "viewer")
		user := userCalled(ctx, acme.user(people[22]))
		acme.deleteEach(ctx, "mbr", people...)
		acme.expectHeld(ctx, people[20:])

		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		acme.expectOnly(ctx, people, people[20:22], asViewer, shop)
		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = false })
		acme.expectOnly(ctx, people, people[20:], asViewer, shop)
	})

	It("nobody is held when the organization goes too", func(ctx SpecContext) {
		acme := openAccount(ctx, "held-ending")
		people := acme.crowd(ctx, "bo", 30, "viewer")
		acme.deleteEach(ctx, "mbr", people...)
		acme.expectHeld(ctx, people[20:])
		expectations.Change(ctx, expect, acme.Organization, func(o *v1alpha1.Organization) {
			o.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: o.Name}
		})
		expect.Delete(ctx, acme.Organization)
		expect.Gone(ctx, acme.Organization)
		const state = "roster-removals-held-ending"
		expect.Gone(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: state}})
		acme.expectOnly(ctx, people, nil, asMember, acme.namespace())
	})
})

func usernames(a account, people []string) []string {
	var users []string
	for _, name := range people {
		users = append(users, a.user(name))
	}
	return users
}

var _ = Describe("Of 30 people in a team's project", func() {
	var acme account
	var team *v1alpha1.Team
	var people []string
	var shop string

	// form makes an organization of its own for each spec.
	form := func(ctx context.Context, name string) {
		GinkgoHelper()
		acme = openAccount(ctx, name)
		shop = acme.project(ctx, "shop")
		people = acme.crowd(ctx, "bo", 30)
		team = acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users(people...), Role: "developer", Projects: objectNames("shop"),
		})
		acme.expectOnly(ctx, people, people, asDeveloper, shop)
	}

	It("10 are held when the list of members is emptied, and it ends when they are listed again", func(ctx SpecContext) {
		form(ctx, "held-list")
		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.Members = nil })
		acme.expectHeld(ctx, people[20:])
		acme.expectOnly(ctx, people, people[20:], asDeveloper, shop)
		acme.expectOnly(ctx, people, people, asMember, acme.namespace())
		expectations.Change(ctx, expect, team, func(t *v1alpha1.Team) { t.Spec.Members = acme.users(people...) })
		acme.expectUnheld(ctx)
		acme.expectOnly(ctx, people, people, asDeveloper, shop)
	})

	It("10 are held when the team is deleted, and it is made again under its name", func(ctx SpecContext) {
		form(ctx, "held-team")
		acme.deleteEach(ctx, "team", "makers")
		acme.expectHeld(ctx, people[20:])
		acme.expectOnly(ctx, people, people[20:], asDeveloper, shop)
		acme.team(ctx, "makers", team.Spec)
		acme.expectUnheld(ctx)
		acme.expectOnly(ctx, people, people, asDeveloper, shop)
	})

	It("10 are held when the project is deleted, which goes without its namespace until that is approved", func(ctx SpecContext) {
		form(ctx, "held-project")
		acme.deleteEach(ctx, "proj", "shop")
		digest := acme.expectHeld(ctx, people[20:])
		acme.expectOnly(ctx, people, people[20:], asDeveloper, shop)
		Expect(labelsOf(ctx, shop)).To(HaveKeyWithValue(v1alpha1.LabelProject, "shop"))
		acme.approve(ctx, digest)
		acme.expectUnheld(ctx)
		acme.expectOnly(ctx, people, nil, asDeveloper, shop)
		Eventually(labelsOf).WithContext(ctx).WithArguments(shop).ShouldNot(HaveKey(v1alpha1.LabelOrganization))
	})

	It("10 are held when the project is deleted, and it takes its namespace again when it comes back", func(ctx SpecContext) {
		form(ctx, "held-project-back")
		acme.deleteEach(ctx, "proj", "shop")
		acme.expectHeld(ctx, people[20:])
		acme.project(ctx, "shop")
		acme.expectUnheld(ctx)
		acme.expectOnly(ctx, people, people, asDeveloper, shop)
	})

	It("none is held by suspension or expiry", func(ctx SpecContext) {
		form(ctx, "held-never")
		for at, name := range people {
			membership := expectations.Membership(acme.Name, name, acme.user(name))
			expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) {
				if m.Spec.Suspended = at%2 == 0; !m.Spec.Suspended {
					m.Spec.ExpiresAt = ptr.To(m.CreationTimestamp)
				}
			})
		}
		acme.expectOnly(ctx, people, nil, asDeveloper, shop)
		acme.expectOnly(ctx, people, nil, asMember, acme.namespace())
		acme.expectUnheld(ctx)
	})

	It("none is held by deactivation", func(ctx SpecContext) {
		form(ctx, "held-never-gate")
		for _, name := range people {
			user := userCalled(ctx, acme.user(name))
			expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		}
		acme.expectOnly(ctx, people, nil, asDeveloper, shop)
		acme.expectUnheld(ctx)
	})
})
