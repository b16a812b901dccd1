package invitations_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// The places where an invitation can stand; each is a Membership called so.
const (
	invitedOne, declinedOne, expiredOne, suspendedOne, acceptedOne = "invited", "declined", "expired", "suspended", "accepted"
)

// What is said about invitations that aren't open, and about what is nobody's to change.
const (
	ownAnswer = "spec.response is the invited person's own answer and is set by Roster alone; leave it as it is"
	waits     = "spec.invitation waits for the person's own answer and can't be taken out before it is accepted; delete the " +
		"Membership to revoke the invitation"
	userStays  = "spec.user can't be changed once it is set; delete the Membership and make one for the other user"
	notToSend  = "annotation roster.dev/resend-invitation: there is no invitation to resend, as the user is a member already"
	wasRefused = "the invitation to organization placed was declined already: ask an administrator there to resend it"
	isHeld     = "the invitation to organization placed is suspended: ask an administrator there"
	isMember   = "you have accepted the invitation to organization placed already"
	isMemberTo = `is a member already and no invitation is open; to remove the member: kubectl delete memberships.roster.dev ` +
		"accepted -n org-placed"
)

func personOf(place string) string { return place + "@placed.example" }

// placed makes an organization with an invitation in each place.
func (i *installation) placed(ctx context.Context) {
	GinkgoHelper()
	i.open(ctx, "placed")
	for _, place := range []string{invitedOne, declinedOne, expiredOne, suspendedOne, acceptedOne} {
		membership := expectations.Membership("placed", place, personOf(place), "developer")
		membership.Spec.Invitation = &v1alpha1.InvitationSpec{}
		if place == expiredOne {
			membership.Spec.Invitation.ExpiresAfter = &metav1.Duration{Duration: time.Second}
		}
		i.expect.Create(ctx, membership)
		if place != expiredOne {
			i.is(ctx, membership, v1alpha1.MembershipInvited)
		}
	}
	membership := func(place string) *v1alpha1.Membership { return expectations.Membership("placed", place, "") }
	for place, answer := range map[string]string{declinedOne: "decline", acceptedOne: "accept"} {
		_, err := i.roster(ctx, personOf(place), answer, "placed")
		Expect(err).NotTo(HaveOccurred())
	}
	expectations.Change(ctx, i.expect, membership(suspendedOne), func(m *v1alpha1.Membership) { m.Spec.Suspended = true })
	i.is(ctx, membership(declinedOne), v1alpha1.MembershipDeclined)
	i.is(ctx, membership(suspendedOne), v1alpha1.MembershipSuspended)
	i.is(ctx, membership(acceptedOne), v1alpha1.MembershipActive)
	i.is(ctx, membership(expiredOne), v1alpha1.MembershipExpired)
}

// changes are what an owner may try, with the message that refuses it, by where the invitation stands; nothing is refused
// where there is none.
var changes = []struct {
	what    string
	does    func(*v1alpha1.Membership)
	refused map[string]string
}{
	{"says that it was accepted", responded(v1alpha1.InvitationAccepted), map[string]string{
		invitedOne: ownAnswer, declinedOne: ownAnswer, expiredOne: ownAnswer, suspendedOne: ownAnswer,
	}},
	{"says that it was declined", responded(v1alpha1.InvitationDeclined), map[string]string{
		invitedOne: ownAnswer, expiredOne: ownAnswer, suspendedOne: ownAnswer, acceptedOne: ownAnswer,
	}},
	{"takes the answer back", responded(""), map[string]string{declinedOne: ownAnswer, acceptedOne: ownAnswer}},
	{"takes the invitation out", func(m *v1alpha1.Membership) { m.Spec.Invitation = nil }, map[string]string{
		invitedOne: waits, declinedOne: waits, expiredOne: waits, suspendedOne: waits,
	}},
	{"makes it another user's", func(m *v1alpha1.Membership) { m.Spec.User = "eve@placed.example" }, map[string]string{
		invitedOne: userStays, declinedOne: userStays, expiredOne: userStays, suspendedOne: userStays, acceptedOne: userStays,
	}},
	{"resends it", resent, map[string]string{acceptedOne: notToSend}},
	{"changes its roles", func(m *v1alpha1.Membership) { m.Spec.Roles = []v1alpha1.RoleName{"viewer"} }, nil},
	{"suspends it, or no longer", func(m *v1alpha1.Membership) { m.Spec.Suspended = !m.Spec.Suspended }, nil},
}

func transitionSpecs() {
	BeforeAll(func(ctx SpecContext) { i.placed(ctx) })

	for _, place := range []string{invitedOne, declinedOne, expiredOne, suspendedOne, acceptedOne} {
		It("that is "+place+" may be changed in some ways by an owner, and by nobody in others", func(ctx SpecContext) {
			membership := expectations.Membership("placed", place, "")
			Expect(i.k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)).To(Succeed())
			for _, change := range changes {
				By("an owner " + change.what)
				changed := membership.DeepCopy()
				change.does(changed)
				err := i.as(owner("placed")).Patch(ctx, changed, client.MergeFrom(membership), client.DryRunAll)
				if message := change.refused[place]; message != "" {
					Expect(err).To(MatchError(HaveSuffix(message)), change.what)
				} else {
					Expect(err).NotTo(HaveOccurred(), change.what)
				}
			}
			By("the invited person and the owner delete it")
			asPerson := i.as(personOf(place))
			Expect(asPerson.Delete(ctx, membership, client.DryRunAll)).To(MatchError(ContainSubstring(
				`cannot delete resource "memberships"`)))
			Expect(i.as(owner("placed")).Delete(ctx, membership, client.DryRunAll)).To(Succeed())
		})
	}

	DescribeTable("is answered by the person in one place alone:", func(ctx SpecContext, place, message string) {
		for _, response := range []v1alpha1.InvitationResponse{v1alpha1.InvitationAccepted, v1alpha1.InvitationDeclined} {
			answer := selfv1alpha1.AnswerSpec{Organization: "placed", Response: string(response)}
			_, err := i.answer(ctx, personOf(place), answer, "--dry-run=server")
			if message == "" {
				Expect(err).NotTo(HaveOccurred())
			} else {
				Expect(err).To(MatchError(ContainSubstring(message)))
			}
		}
		i.may(ctx, personOf(place), "placed", place == acceptedOne)
	},
		Entry("invited", invitedOne, ""),
		Entry("declined", declinedOne, wasRefused),
		Entry("expired", expiredOne, "the invitation to organization placed expired at "),
		Entry("suspended", suspendedOne, isHeld),
		Entry("accepted", acceptedOne, isMember),
	)

	It("that was accepted can't be revoked as one that wasn't", func(ctx SpecContext) {
		_, err := i.roster(ctx, owner("placed"), "revoke", personOf(acceptedOne), "--organization", "placed")
		Expect(err).To(MatchError(ContainSubstring(isMemberTo)))
		i.may(ctx, personOf(acceptedOne), "placed", true)
	})
}
