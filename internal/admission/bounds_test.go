package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
)

func inAcme(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "org-acme", Name: name}
}

// numberedUsers are so many.
func numberedUsers(count int) []v1alpha1.Username {
	all := make([]v1alpha1.Username, count)
	for at := range all {
		all[at] = v1alpha1.Username(fmt.Sprintf("user-%d", at))
	}
	return all
}

func teamOfSize(name string, size int) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: inAcme(name), Spec: v1alpha1.TeamSpec{Members: numberedUsers(size)}}
}

func tokenOf(user v1alpha1.Username, name string) *v1alpha1.APIToken {
	return &v1alpha1.APIToken{ObjectMeta: inAcme(name), Spec: v1alpha1.APITokenSpec{User: user}}
}

// boundsWith are the default bounds but for one.
func boundsWith(thing thing, most int) Bounds {
	bounds := DefaultBounds()
	for at := range bounds {
		if bounds[at].thing == thing {
			bounds[at].Most = most
		}
	}
	return bounds
}

var _ = Describe("An object counts for the bounds", func() {
	within := func(thing thing) scope { return scope{thing: thing, organization: "acme"} }
	invitation := func(change func(*v1alpha1.Membership)) *v1alpha1.Membership {
		membership := &v1alpha1.Membership{ObjectMeta: inAcme("bo"), Spec: v1alpha1.MembershipSpec{
			User: "bo", Invitation: &v1alpha1.InvitationSpec{},
		}}
		change(membership)
		return membership
	}
	ofBo := func(thing thing) scope { return scope{thing: thing, organization: "acme", user: "bo"} }
	ended := tokenOf("bo", "ci")
	ended.Status.EndedAt = ptr.To(metav1.Now())
	revoked := tokenOf("bo", "ci")
	revoked.Spec.Revoked = true
	asking := func(change func(*v1alpha1.JoinRequest)) *v1alpha1.JoinRequest {
		request := &v1alpha1.JoinRequest{ObjectMeta: inAcme("makers")}
		request.Spec.Team.Organization = "agency"
		change(request)
		return request
	}
	member, open := amounts{within(thingMemberships): 1}, amounts{within(thingMemberships): 1, within(thingInvitations): 1}

	DescribeTable("as what it is", func(object client.Object, expected amounts) {
		Expect(amountsOf(object)).To(Equal(expected))
	},
		Entry("a member", &v1alpha1.Membership{ObjectMeta: inAcme("bo"), Spec: v1alpha1.MembershipSpec{User: "bo"}}, member),
		Entry("an invitation", invitation(func(*v1alpha1.Membership) {}), open),
		Entry("an invitation to an address", invitation(func(m *v1alpha1.Membership) { m.Spec.User, m.Spec.Invitation = "", nil }), open),
		Entry("an invitation that is suspended, as it is open once that is lifted",
			invitation(func(m *v1alpha1.Membership) { m.Spec.Suspended, m.Status.Phase = true, v1alpha1.MembershipSuspended }), open),
		Entry("an invitation that was accepted",
			invitation(func(m *v1alpha1.Membership) { m.Spec.Response = v1alpha1.InvitationAccepted }), member),
		Entry("an invitation that was declined",
			invitation(func(m *v1alpha1.Membership) { m.Spec.Response = v1alpha1.InvitationDeclined }), member),
		Entry("an invitation that wasn't answered in time",
			invitation(func(m *v1alpha1.Membership) { m.Status.Phase = v1alpha1.MembershipExpired }), member),
		Entry("an invitation that wasn't answered in time and is to be resent", invitation(func(m *v1alpha1.Membership) {
			m.Status.Phase, m.Annotations = v1alpha1.MembershipExpired, map[string]string{v1alpha1.AnnotationResendInvitation: "2"}
			m.Status.Invitation = &v1alpha1.InvitationStatus{Resent: "1"}
		}), open),
		Entry("a team, by all its names", &v1alpha1.Team{ObjectMeta: inAcme("makers"), Spec: v1alpha1.TeamSpec{
			Members: numberedUsers(3), Maintainers: numberedUsers(2),
		}}, amounts{within(thingTeams): 1, within(thingListedNames): 5}),
		Entry("a role binding, by its subjects", &v1alpha1.RoleBinding{ObjectMeta: inAcme("ci"), Spec: v1alpha1.RoleBindingSpec{
			Subjects: make([]v1alpha1.Subject, 4),
		}}, amounts{within(thingRoleBindings): 1, within(thingListedNames): 4}),
		Entry("a role", &v1alpha1.Role{ObjectMeta: inAcme("deployer")}, amounts{within(thingRoles): 1}),
		Entry("a project with the namespace of its name", &v1alpha1.Project{ObjectMeta: inAcme("shop")},
			amounts{within(thingProjects): 1, within(thingProjectNamespaces): 1}),
		Entry("a token, by its user", tokenOf("bo", "ci"), amounts{ofBo(thingAPITokens): 1, ofBo(thingAPITokenRecords): 1}),
		Entry("a token that has ended", ended, amounts{ofBo(thingAPITokenRecords): 1}),
		Entry("a token that was revoked a moment ago", revoked, amounts{ofBo(thingAPITokenRecords): 1}),
		Entry("a join request, by the organization that asks", asking(func(*v1alpha1.JoinRequest) {}), amounts{
			{thing: thingJoinRequests, organization: "agency"}: 1, {thing: thingJoinRequestRecords, organization: "agency"}: 1,
		}),
		Entry("a join request that was withdrawn",
			asking(func(j *v1alpha1.JoinRequest) { j.Status.Phase = v1alpha1.JoinRequestWithdrawn }),
			amounts{{thing: thingJoinRequestRecords, organization: "agency"}: 1}),
		Entry("a join request that was decided", asking(func(j *v1alpha1.JoinRequest) { j.Spec.Decision = v1alpha1.JoinRejected }), nil),
		Entry("an organization, by the users whose removal it holds", &v1alpha1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: "acme"},
			Status:     v1alpha1.OrganizationStatus{HeldRemovals: &v1alpha1.HeldRemovals{Count: 7}},
		}, amounts{within(thingMemberships): 7}),
		Entry("an organization that holds none, for nothing", &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}, nil),
		Entry("a role of the catalogue, for nothing",
			&v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "viewer"}}, nil),
	)
})

var _ = Describe("A bound", func() {
	names := scope{thing: thingListedNames, organization: "acme"}
	tokens := scope{thing: thingAPITokens, organization: "acme", user: "bo"}
	bounds := boundsWith(thingListedNames, 10)

	DescribeTable("is exceeded", func(there, before, after int, expected *excess) {
		more := growth(amounts{names: before}, amounts{names: after})
		Expect(bounds.exceeded(amounts{names: there}, more)).To(Equal(expected))
	},
		Entry("never by what reaches it", 7, 0, 3, nil),
		Entry("by what goes beyond", 7, 0, 4, &excess{scope: names, amount: 11}),
		Entry("by what is there and grows", 10, 3, 4, &excess{scope: names, amount: 11}),
		Entry("never by what stays, though there is more than may be", 50, 20, 20, nil),
		Entry("never by what shrinks, though there is more than may be", 50, 20, 19, nil),
		Entry("never by what grows elsewhere", 0, 0, 10, nil),
	)

	It("of 0 is none", func() {
		Expect(boundsWith(thingListedNames, 0).exceeded(amounts{names: 1_000_000}, amounts{names: 1})).To(BeNil())
	})

	It("leaves room for records of what has ended, and never keeps anybody from ending a token", func() {
		Expect(DefaultBounds().of(thingAPITokenRecords).Most).To(Equal(500))
		Expect(DefaultBounds().of(thingJoinRequestRecords).Most).To(Equal(250))
		revoked := tokenOf("bo", "ci")
		revoked.Spec.Revoked = true
		Expect(growth(amountsOf(tokenOf("bo", "ci")), amountsOf(revoked))).To(BeEmpty())
	})

	DescribeTable("says how much there would be, how much may be, what to do and who can raise it",
		func(found excess, expected string) {
			Expect(DefaultBounds().message(&found)).To(Equal(expected))
		},
		Entry("of tokens", excess{tokens, 21}, "organization acme would have 21 API tokens of user bo that haven't ended; the bound is "+
			"20: revoke or delete one that isn't needed, or ask a cluster administrator to raise the manager's flag "+
			"--max-api-tokens"),
		Entry("of ended tokens", excess{scope{thingAPITokenRecords, "acme", "bo"}, 501}, "organization acme would have 501 API tokens of "+
			"user bo, with those that have ended and are kept as a record; the bound is 500: delete some that have ended, or ask a "+
			"cluster administrator to raise the manager's flag --max-api-tokens"),
		Entry("of names", excess{names, 600_001}, "organization acme would have 600001 names listed in Teams and RoleBindings; the "+
			"bound is 600000: list fewer members, maintainers or subjects, or one Team as the subject of a RoleBinding, or "+
			"ask a cluster administrator to raise the manager's flag --max-listed-names"),
	)

	It("below 0 is refused, with the flag and what to choose", func() {
		Expect(boundsWith(thingTeams, -1).Validate()).To(MatchError("--max-teams=-1: choose a number from 1, or 0 for no bound"))
		Expect(DefaultBounds().Validate()).To(Succeed())
	})
})

var _ = Describe("The tally", func() {
	now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	var counting *Tally
	BeforeEach(func() { counting = NewTally(boundsWith(thingListedNames, 10)) })
	passes := func(before, after client.Object, at time.Time) bool {
		return counting.admit(before, after, false, at) == nil
	}

	It("counts what comes, changes and goes", func() {
		counting.OnAdd(teamOfSize("makers", 8), true)
		Expect(passes(nil, teamOfSize("more", 3), now)).To(BeFalse())
		counting.OnUpdate(teamOfSize("makers", 8), teamOfSize("makers", 7))
		Expect(passes(nil, teamOfSize("more", 3), now)).To(BeTrue())
		counting.OnAdd(teamOfSize("more", 3), false)
		counting.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: teamOfSize("makers", 7)})
		Expect(passes(nil, teamOfSize("last", 7), now)).To(BeTrue())
		counting.OnDelete(teamOfSize("more", 3))
		Expect(counting.counted).To(BeEmpty())
	})

	It("counts what was let pass and isn't in the caches yet, once", func() {
		Expect(passes(nil, teamOfSize("makers", 6), now)).To(BeTrue())
		Expect(passes(nil, teamOfSize("more", 5), now)).To(BeFalse())
		Expect(passes(nil, teamOfSize("makers", 6), now)).To(BeTrue(), "the same once more, as after a conflict")
		counting.OnAdd(teamOfSize("makers", 6), false)
		Expect(counting.awaited).To(BeEmpty())
		Expect(passes(nil, teamOfSize("more", 4), now)).To(BeTrue())
	})

	It("counts one that grows twice before the caches follow for what it becomes", func() {
		Expect(passes(nil, teamOfSize("makers", 4), now)).To(BeTrue())
		Expect(passes(teamOfSize("makers", 4), teamOfSize("makers", 8), now)).To(BeTrue())
		counting.OnAdd(teamOfSize("makers", 4), false)
		Expect(passes(nil, teamOfSize("more", 3), now)).To(BeFalse())
		Expect(passes(teamOfSize("makers", 8), teamOfSize("makers", 11), now)).To(BeFalse())
		counting.OnUpdate(teamOfSize("makers", 4), teamOfSize("makers", 8))
		Expect(counting.awaited).To(BeEmpty())
		Expect(passes(nil, teamOfSize("more", 2), now)).To(BeTrue())
	})

	It("forgets what was let pass and never came", func() {
		Expect(passes(nil, teamOfSize("makers", 6), now)).To(BeTrue())
		Expect(passes(nil, teamOfSize("more", 5), now.Add(cachesFollow-1))).To(BeFalse())
		Expect(passes(nil, teamOfSize("more", 5), now.Add(cachesFollow))).To(BeTrue())
	})

	It("remembers no dry run, and refuses one", func() {
		Expect(counting.admit(nil, teamOfSize("makers", 6), true, now)).To(BeNil())
		Expect(counting.awaited).To(BeEmpty())
		Expect(counting.admit(nil, teamOfSize("makers", 11), true, now)).NotTo(BeNil())
	})
})

var _ = Describe("Requests that would exceed a bound", func() {
	const bound, writers, requests = 20, 24, 480
	creation := func(object client.Object, user string) admission.Request {
		raw, err := json.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Kind: metav1.GroupVersionKind{Kind: "APIToken"}, Name: object.GetName(),
			Namespace: object.GetNamespace(), Object: runtime.RawExtension{Raw: raw},
			UserInfo: authenticationv1.UserInfo{Username: user},
		}}
	}
	validatorOf := func(mayAll bool) *Validator {
		world := fuzzedWorld(mayAll)
		validator := NewValidator(world, world, testingclock.NewFakePassiveClock(time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)))
		validator.tally = NewTally(DefaultBounds())
		return validator
	}
	attempt := func(ctx context.Context, validator *Validator, name string) admission.Response {
		token := tokenOf("bo", name)
		token.Spec.Roles, token.Spec.OrganizationWide = []v1alpha1.RoleName{"viewer"}, true
		return validator.Handle(ctx, creation(token, "bo"))
	}

	It("are refused past it, though 24 writers ask at once and no cache follows", func(ctx SpecContext) {
		validator := validatorOf(false)
		var passed atomic.Int32
		var all sync.WaitGroup
		for writer := range writers {
			all.Go(func() {
				defer GinkgoRecover()
				for number := range requests / writers {
					answer := attempt(ctx, validator, fmt.Sprintf("token-%d-%d", writer, number))
					if answer.Allowed {
						passed.Add(1)
						continue
					}
					Expect(answer.Result.Code).To(BeEquivalentTo(403))
					Expect(answer.Result.Message).To(HavePrefix("organization acme would have 21 API tokens of user bo"))
				}
			})
		}
		all.Wait()
		Expect(passed.Load()).To(BeEquivalentTo(bound))
	})

	It("pass with a warning for who may pass the safeguards", func(ctx SpecContext) {
		validator := validatorOf(true)
		for number := range bound {
			Expect(attempt(ctx, validator, fmt.Sprintf("token-%d", number)).Allowed).To(BeTrue())
		}
		answer := attempt(ctx, validator, "another")
		Expect(answer.Allowed).To(BeTrue())
		Expect(answer.Warnings).To(ContainElement(HavePrefix("organization acme would have 21 API tokens of user bo")))
	})
})
