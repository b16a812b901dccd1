package invitations_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/test/expectations"
)

// userOf waits until there is a User of a username.
func (i *installation) userOf(ctx context.Context, username string) *v1alpha1.User {
	GinkgoHelper()
	user := &v1alpha1.User{}
	Eventually(func() error {
		return i.k8s.Get(ctx, client.ObjectKey{Name: names.FromUsername(username)}, user)
	}).WithContext(ctx).Should(Succeed())
	return user
}

// confirms waits until a User has confirmed an address.
func (i *installation) confirms(ctx context.Context, username, address string) *v1alpha1.User {
	GinkgoHelper()
	user := i.userOf(ctx, username)
	Eventually(func() (*v1alpha1.ConfirmedAddress, error) {
		err := i.k8s.Get(ctx, client.ObjectKeyFromObject(user), user)
		return user.Status.Confirmed, err
	}).WithContext(ctx).Should(HaveValue(HaveField("Email", address)))
	return user
}

// mailsTo are the addresses that mails which name something went to.
func (i *installation) mailsTo(about string) []string {
	var addresses []string
	for _, message := range i.about(about) {
		addresses = append(addresses, message.To...)
	}
	return addresses
}

// asked makes a user the owner of an organization that is asked by an agency's team, which is mailed to the owner, and waits
// until that mail was sent or wasn't.
func (i *installation) asked(ctx context.Context, organization, user, told string) {
	GinkgoHelper()
	i.open(ctx, organization, func(o *v1alpha1.OrganizationSpec) { o.Owners = []v1alpha1.Username{v1alpha1.Username(user)} })
	i.agency(ctx, organization+"-agency")
	i.tells(ctx, i.ask(ctx, organization+"-agency"), told)
}

func confirmsAddress(membership *v1alpha1.Membership) {
	membership.Spec.Confirmed = &v1alpha1.ConfirmedAddress{Email: "me@ruled.example", At: metav1.Now()}
}

const (
	isMailed  = "True Sent: the mail server has taken 1 of 1 mails (Requested)"
	noAddress = "False Failed: the mail server has taken 0 of 1 mails (Requested); no mail address of this user is known"
)

func addressSpecs() {
	It("that another organization invites a user with never gets a mail of the user's own", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "evil")
		for _, ceo := range []string{"ceo@corp.example", "ceo-of-corp"} {
			membership := i.invite(ctx, "evil", ceo, "--email", "attacker@evil.example", "--name", "Mallory")
			i.is(ctx, membership, v1alpha1.MembershipInvited)
			i.says(ctx, membership, "Sent")
			user := i.userOf(ctx, ceo)
			Expect(user.Spec).To(Equal(v1alpha1.UserSpec{Username: v1alpha1.Username(ceo)}), "neither address nor name")
			_, err := i.roster(ctx, owner("evil"), "revoke", ceo, "--organization", "evil")
			Expect(err).NotTo(HaveOccurred())
			i.expect.Gone(ctx, membership)
		}
		Expect(i.mailsTo("evil")).To(ConsistOf("attacker@evil.example", "attacker@evil.example"), "evil's own mails")

		By("corp's mail goes to the address that is the username")
		i.asked(ctx, "corp", "ceo@corp.example", isMailed)
		Expect(i.mailsTo("Asked by: owner@corp-agency")).To(Equal([]string{"ceo@corp.example"}))
		By("and to nobody where none is known")
		i.asked(ctx, "corp-two", "ceo-of-corp", noAddress)
		invitation := expectations.Membership("corp-three", "ceo", "ceo-of-corp", "developer")
		invitation.Spec.Invitation = &v1alpha1.InvitationSpec{}
		i.open(ctx, "corp-three")
		i.expect.Create(ctx, invitation)
		Expect(i.says(ctx, invitation, "NoAddress")).To(HavePrefix(`no mail address of user "ceo-of-corp" is known`))
		By("until somebody who may write Users sets one")
		user := i.userOf(ctx, "ceo-of-corp")
		expectations.Change(ctx, i.expect, user, func(u *v1alpha1.User) { u.Spec.Email = "ceo@home.example" })
		i.asked(ctx, "corp-four", "ceo-of-corp", isMailed)
		Expect(i.mailsTo("Asked by: owner@corp-four-agency")).To(Equal([]string{"ceo@home.example"}))
	})

	It("counts for others once its user answers with the code that was mailed there, and stays the user's", func(
		ctx SpecContext,
	) {
		i.mailed(ctx)
		i.open(ctx, "first")
		membership := i.invite(ctx, "first", "bo-of-first", "--email", "Bo@Home.example")
		mail := i.received(ctx, 1)
		Expect(mail.Text).To(ContainSubstring("Only bo-of-first can accept. Accepting with the code confirms that\n" +
			"Bo@Home.example is your mail address"))
		_, err := i.roster(ctx, "eve-of-first", "accept", "first", "--code", code(mail))
		Expect(err).To(MatchError(ContainSubstring("no invitation of organization first waits for this code")))
		Expect(i.paste(ctx, "bo-of-first", line(mail, "kubectl roster accept"))).To(SatisfyAll(
			ContainSubstring("You are now a member of organization first"),
			HaveSuffix("You have confirmed that \"Bo@Home.example\" is your mail address, also for other organizations.\n")))
		i.is(ctx, membership, v1alpha1.MembershipActive)
		i.confirms(ctx, "bo-of-first", "Bo@Home.example")

		By("what the organization writes into the Membership from then on counts for nothing")
		expectations.Change(ctx, i.expect, membership, func(m *v1alpha1.Membership) { m.Spec.Email = "attacker@first.example" })
		By("nor does its deletion")
		i.expect.Delete(ctx, membership)
		i.expect.Gone(ctx, membership)
		i.asked(ctx, "second", "bo-of-first", isMailed)
		Expect(i.mailsTo("Asked by: owner@second-agency")).To(Equal([]string{"Bo@Home.example"}))
	})

	It("is confirmed as it was when its code was mailed, though the Membership names another one by now", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "swapped")
		membership := i.invite(ctx, "swapped", "bo-of-swapped", "--email", "bo@home.example")
		mail := i.received(ctx, 1)
		expectations.Change(ctx, i.expect, membership, func(m *v1alpha1.Membership) { m.Spec.Email = "attacker@swapped.example" })
		Expect(i.answers(ctx, "bo-of-swapped", "swapped", code(mail))).To(Succeed())
		i.confirms(ctx, "bo-of-swapped", "bo@home.example")
	})

	It("isn't confirmed by an answer without the code, or with that of an earlier mail", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "bare", func(o *v1alpha1.OrganizationSpec) { o.Membership.RequireAcceptance = true })
		membership := expectations.Membership("bare", "bo", "bo-of-bare", "developer")
		membership.Spec.Email = "bo@home.example"
		i.expect.Create(ctx, membership)
		earlier := code(i.received(ctx, 1))
		_, err := i.roster(ctx, owner("bare"), "resend", "bo", "--organization", "bare")
		Expect(err).NotTo(HaveOccurred())
		i.received(ctx, 2)
		Expect(i.answers(ctx, "bo-of-bare", "bare", earlier)).To(MatchError(ContainSubstring("wrong code 1 of 5")))
		Expect(i.answers(ctx, "bo-of-bare", "bare", "")).To(Succeed())
		i.is(ctx, membership, v1alpha1.MembershipActive)
		Expect(membership.Spec.Confirmed).To(BeNil())
		i.asked(ctx, "bare-two", "bo-of-bare", noAddress)
		Expect(i.userOf(ctx, "bo-of-bare").Status.Confirmed).To(BeNil())
	})

	It("is, of those that two organizations know, the one confirmed last, and one that is declared comes first", func(
		ctx SpecContext,
	) {
		i.mailed(ctx)
		i.open(ctx, "old-job")
		i.invite(ctx, "old-job", "bo-of-jobs", "--email", "bo@old.example")
		Expect(i.answers(ctx, "bo-of-jobs", "old-job", code(i.received(ctx, 1)))).To(Succeed())
		before := i.confirms(ctx, "bo-of-jobs", "bo@old.example").Status.Confirmed.At.Time
		i.open(ctx, "new-job")
		i.invite(ctx, "new-job", "bo-of-jobs", "--email", "bo@new.example")
		mail := i.received(ctx, 1)
		Expect(i.mailsTo("kubectl roster accept new-job")).To(Equal([]string{"bo@new.example"}), "an organization's own mail")
		Expect(i.userOf(ctx, "bo-of-jobs").Status.Confirmed.Email).To(Equal("bo@old.example"))
		// Times are kept by the second.
		Eventually(time.Now).WithContext(ctx).Should(BeTemporally(">=", before.Add(time.Second)))
		Expect(i.answers(ctx, "bo-of-jobs", "new-job", code(mail))).To(Succeed())
		user := i.confirms(ctx, "bo-of-jobs", "bo@new.example")
		i.asked(ctx, "jobs", "bo-of-jobs", isMailed)
		Expect(i.mailsTo("Asked by: owner@jobs-agency")).To(Equal([]string{"bo@new.example"}))
		expectations.Change(ctx, i.expect, user, func(u *v1alpha1.User) { u.Spec.Email = "bo@declared.example" })
		i.asked(ctx, "jobs-two", "bo-of-jobs", isMailed)
		Expect(i.mailsTo("Asked by: owner@jobs-two-agency")).To(Equal([]string{"bo@declared.example"}))
	})

	It("doesn't take the mails of a user whose username is an address, though the user confirms it with a code passed on", func(
		ctx SpecContext,
	) {
		i.mailed(ctx)
		i.open(ctx, "phisher")
		i.invite(ctx, "phisher", "", "--email", "attacker@phisher.example")
		Expect(i.answers(ctx, "cfo@phished.example", "phisher", code(i.received(ctx, 1)))).To(Succeed())
		i.confirms(ctx, "cfo@phished.example", "attacker@phisher.example")
		i.asked(ctx, "phished", "cfo@phished.example", isMailed)
		Expect(i.mailsTo("Asked by: owner@phished-agency")).To(Equal([]string{"cfo@phished.example"}))
	})

	It("that an earlier version copied from a Membership is forgotten, and nothing else of the User", func(ctx SpecContext) {
		asRoster := client.FieldOwner(v1alpha1.FieldManager)
		made := func(name string, spec v1alpha1.UserSpec) *v1alpha1.User {
			user := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster},
			}, Spec: spec}
			user.Spec.Username = v1alpha1.Username(name)
			return user
		}
		evil := v1alpha1.UserSpec{Email: "attacker@evil.example", DisplayName: "Mallory"}
		declared, corrected := made("declared", evil), made("corrected", v1alpha1.UserSpec{DisplayName: "Mallory"})
		evil.Deactivated, evil.MFA.Enrolled = true, true
		copied := made("copied", evil)
		Expect(i.k8s.Create(ctx, copied, asRoster)).To(Succeed())
		Expect(i.k8s.Create(ctx, corrected, asRoster)).To(Succeed())
		Expect(i.k8s.Create(ctx, declared)).To(Succeed())
		expectations.Change(ctx, i.expect, corrected, func(u *v1alpha1.User) { u.Spec.Email = "ceo@corp.example" })
		spec := func(user *v1alpha1.User) func() (v1alpha1.UserSpec, error) {
			return func() (v1alpha1.UserSpec, error) {
				err := i.k8s.Get(ctx, client.ObjectKeyFromObject(user), user)
				return user.Spec, err
			}
		}
		Eventually(spec(copied)).WithContext(ctx).Should(Equal(v1alpha1.UserSpec{
			Username: "copied", Deactivated: true, MFA: v1alpha1.MultiFactorAuthentication{Enrolled: true},
		}))
		Eventually(spec(corrected)).WithContext(ctx).Should(Equal(v1alpha1.UserSpec{
			Username: "corrected", Email: "ceo@corp.example",
		}))
		Consistently(spec(declared)).WithContext(ctx).Should(Equal(v1alpha1.UserSpec{
			Username: "declared", Email: "attacker@evil.example", DisplayName: "Mallory",
		}))
	})
}
