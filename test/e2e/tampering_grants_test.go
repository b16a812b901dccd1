package e2e_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// watchedAccess asks all the time whether a user may do something.
type watchedAccess struct {
	asked, refused, failed atomic.Int64
	stop                   context.CancelFunc
	asking                 sync.WaitGroup
}

// askers are how many ask at the same time, so that there is always a question on its way.
const askers = 3

// watchAccess begins to ask. The user must have the access already.
func watchAccess(ctx context.Context, user, does, namespace string) *watchedAccess {
	ctx, stop := context.WithCancel(ctx)
	watched := &watchedAccess{stop: stop}
	for range askers {
		watched.asking.Go(func() {
			for ctx.Err() == nil {
				allowed, err := expect.May(ctx, expectations.Access{User: user, Does: does, Namespace: namespace})
				watched.note(ctx, allowed, err)
			}
		})
	}
	return watched
}

func (w *watchedAccess) note(ctx context.Context, allowed bool, err error) {
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		w.failed.Add(1)
	case !allowed:
		w.refused.Add(1)
	}
	w.asked.Add(1)
}

// expectNoBlink ends the watch and expects that the answer was always yes.
func (w *watchedAccess) expectNoBlink() {
	GinkgoHelper()
	// Some more, for what comes late.
	Eventually(w.asked.Load).Should(BeNumerically(">", w.asked.Load()+2*askers))
	w.stop()
	w.asking.Wait()
	AddReportEntry("questions while watching", w.asked.Load())
	Expect(w.failed.Load()).To(BeZero(), "questions that weren't answered")
	Expect(w.refused.Load()).To(BeZero(), "of %d questions", w.asked.Load())
}

// grantTo is a RoleBinding that gives a user a role in some projects.
func grantTo(organization, name, user string, role v1alpha1.RoleName, projects ...v1alpha1.ObjectName) *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{
		ObjectMeta: expectations.InOrganization(organization, name),
		Spec: v1alpha1.RoleBindingSpec{
			Role: role, Projects: projects,
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: user}},
		},
	}
}

// teamOf is a Team that gives its members a role in some projects.
func teamOf(organization, name string, role v1alpha1.RoleName, project v1alpha1.ObjectName, members ...v1alpha1.Username) *v1alpha1.Team {
	return &v1alpha1.Team{
		ObjectMeta: expectations.InOrganization(organization, name),
		Spec:       v1alpha1.TeamSpec{Role: role, Projects: []v1alpha1.ObjectName{project}, Members: members},
	}
}

// setRoles changes the roles of a Membership.
func setRoles(ctx context.Context, membership *v1alpha1.Membership, roles ...v1alpha1.RoleName) {
	GinkgoHelper()
	expectations.Change(ctx, expect, membership, func(membership *v1alpha1.Membership) { membership.Spec.Roles = roles })
}

var _ = Describe("What is easily got wrong about grants:", func() {
	It("roles set to [none] take the access away", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "grants-none")
		setRoles(ctx, w.membership, v1alpha1.RoleNone)
		expect.Ready(ctx, w.membership)
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
		Expect(expect.ManagedBindings(ctx, w.namespace)).NotTo(ContainElement(HaveField("Name", viewerBinding)))
		setRoles(ctx, w.membership, "viewer")
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
	})

	It("two bindings to one role survive the deletion of one", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "grants-two")
		setRoles(ctx, w.membership, v1alpha1.RoleNone)
		first := grantTo(w.organization, "first", w.viewer, "viewer", "site")
		second := grantTo(w.organization, "second", w.viewer, "viewer", "site")
		expect.Create(ctx, first, second)
		expect.Ready(ctx, first, second, w.membership)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)

		watched := watchAccess(ctx, w.viewer, seePods, w.namespace)
		expect.Delete(ctx, first)
		expect.Gone(ctx, first)
		watched.expectNoBlink()
		expect.Ready(ctx, second)

		expect.Delete(ctx, second)
		expect.Gone(ctx, second)
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
	})

	It("a role held by a Membership, a Team and a RoleBinding lasts until the last of them goes", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "grants-three")
		binding := grantTo(w.organization, "binding", w.viewer, "viewer", "site")
		team := teamOf(w.organization, "team", "viewer", "site", v1alpha1.Username(w.viewer))
		expect.Create(ctx, binding, team)
		expect.Ready(ctx, binding, team)

		watched := watchAccess(ctx, w.viewer, seePods, w.namespace)
		setRoles(ctx, w.membership, v1alpha1.RoleNone)
		expect.Ready(ctx, w.membership)
		expect.Delete(ctx, binding)
		expect.Gone(ctx, binding)
		watched.expectNoBlink()

		expect.Delete(ctx, team)
		expect.Gone(ctx, team)
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
	})

	It("deleting the last team takes its access", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "grants-team")
		team := teamOf(w.organization, "only", "developer", "site", v1alpha1.Username(w.viewer))
		expect.Create(ctx, team)
		expect.Ready(ctx, team)
		expect.Allowed(ctx, w.viewer, "delete pods", w.namespace)
		expect.Delete(ctx, team)
		expect.Gone(ctx, team)
		expect.Refused(ctx, w.viewer, "delete pods", w.namespace)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
	})

	It("a role in use that is deleted takes its users' access and readiness, and gives both back when it returns",
		func(ctx SpecContext) {
			w := makeWorkshop(ctx, "grants-role")
			role := readerOf(w.organization, "configmaps")
			setRoles(ctx, w.membership, "reader")
			at := "@" + w.organization + ".example"
			others := []*v1alpha1.Membership{
				expectations.Membership(w.organization, "in-team", "in-team"+at, v1alpha1.RoleNone),
				expectations.Membership(w.organization, "in-binding", "in-binding"+at, v1alpha1.RoleNone),
			}
			team := teamOf(w.organization, "team", "reader", "site", others[0].Spec.User)
			binding := grantTo(w.organization, "binding", "in-binding"+at, "reader", "site")
			expect.Create(ctx, role, others[0], others[1], team, binding)
			users := []string{w.viewer, "in-team" + at, "in-binding" + at}
			expect.Ready(ctx, role, w.membership, team, binding)
			for _, user := range users {
				expect.Allowed(ctx, user, "list configmaps", w.namespace)
			}

			expect.Delete(ctx, role)
			expect.NotReady(ctx, w.membership, "RoleNotFound")
			expect.NotReady(ctx, team, "RoleNotFound")
			expect.NotReady(ctx, binding, "RoleNotFound")
			for _, user := range users {
				expect.Refused(ctx, user, "list configmaps", w.namespace)
			}
			expect.Gone(ctx, role)

			// Applied again, as it came from the repository.
			again := readerOf(w.organization, "configmaps")
			expect.Create(ctx, again)
			expect.Ready(ctx, again, w.membership, team, binding)
			for _, user := range users {
				expect.Allowed(ctx, user, "list configmaps", w.namespace)
			}
		})
})

// holdBoth makes others hold both roles all the time, so that the bindings of neither come and go with the user.
func holdBoth(ctx context.Context, w workshop) {
	GinkgoHelper()
	for _, role := range []v1alpha1.RoleName{"developer", "viewer"} {
		name := "always-" + string(role)
		membership := expectations.Membership(w.organization, name, name+"@"+w.organization+".example", role)
		expect.Create(ctx, membership)
		expect.Ready(ctx, membership)
	}
}

var _ = Describe("A user whose role is exchanged", func() {
	const exchanges = 30

	It("is never refused what both roles allow, by a Membership", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "blink-membership")
		holdBoth(ctx, w)
		watched := watchAccess(ctx, w.viewer, seePods, w.namespace)
		for n := range exchanges {
			role := [...]v1alpha1.RoleName{"developer", "viewer"}[n%2]
			setRoles(ctx, w.membership, role)
			expect.Ready(ctx, w.membership)
		}
		watched.expectNoBlink()
		expect.Refused(ctx, w.viewer, "delete pods", w.namespace)
	})

	It("is never refused what both roles allow, by a Team and without waiting in between", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "blink-team")
		holdBoth(ctx, w)
		setRoles(ctx, w.membership, v1alpha1.RoleNone)
		team := teamOf(w.organization, "team", "viewer", "site", v1alpha1.Username(w.viewer))
		expect.Create(ctx, team)
		expect.Ready(ctx, w.membership, team)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
		watched := watchAccess(ctx, w.viewer, seePods, w.namespace)
		for n := range exchanges {
			expectations.Change(ctx, expect, team, func(team *v1alpha1.Team) {
				team.Spec.Role = [...]v1alpha1.RoleName{"developer", "viewer"}[n%2]
				// Somebody who comes and goes at the same time.
				team.Spec.Members = slices.DeleteFunc(team.Spec.Members, func(member v1alpha1.Username) bool {
					return member == v1alpha1.Username(w.owner)
				})
				if n%3 == 0 {
					team.Spec.Members = append(team.Spec.Members, v1alpha1.Username(w.owner))
				}
			})
		}
		expect.Ready(ctx, team)
		watched.expectNoBlink()
		expect.Refused(ctx, w.viewer, "delete pods", w.namespace)
	})

	It("is never refused anything while the grant moves from a Team to a RoleBinding of the same role", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "blink-move")
		setRoles(ctx, w.membership, v1alpha1.RoleNone)
		team := teamOf(w.organization, "team", "viewer", "site", v1alpha1.Username(w.viewer))
		expect.Create(ctx, team)
		expect.Ready(ctx, w.membership, team)
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
		watched := watchAccess(ctx, w.viewer, seePods, w.namespace)
		binding := grantTo(w.organization, "binding", w.viewer, "viewer", "site")
		expect.Create(ctx, binding)
		expect.Ready(ctx, binding)
		expect.Delete(ctx, team)
		expect.Gone(ctx, team)
		watched.expectNoBlink()
	})
})
