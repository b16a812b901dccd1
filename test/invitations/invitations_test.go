package invitations_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
	"github.com/roster-dev/roster/test/smtp"
)

// i is the one installation of all specs.
var i *installation

var _ = Describe("With a mail server:", Serial, Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) { i = install(ctx) }, NodeTimeout(5*time.Minute))

	Describe("An invitation", invitationSpecs)
	Describe("An invitation", transitionSpecs)
	Describe("A code", codeSpecs)
	Describe("A mail address", addressSpecs)
	Describe("A join request", joinRequestSpecs)
})

func invitationSpecs() {
	It("by username is mailed once, and its own command makes the invited user a member", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "named", func(o *v1alpha1.OrganizationSpec) { o.DisplayName = "Named Goods" })
		bo := i.invite(ctx, "named", "bo@named.example", "--name", "Bo Hansen", "--expires-after", "72h")
		mail := i.received(ctx, 1)
		Expect(mail.To).To(Equal([]string{"bo@named.example"}))
		Expect(mail.Subject).To(Equal("owner@named.example invites you to Named Goods (named)"))
		Expect(mail.Text).To(SatisfyAll(HavePrefix("Hello Bo Hansen,\n"), ContainSubstring("Roles you would have: developer"),
			ContainSubstring("https://portal.roster.example/join/named"), Not(ContainSubstring("--code"))))
		i.is(ctx, bo, v1alpha1.MembershipInvited)
		i.says(ctx, bo, "Sent")
		Expect(bo.Status.Invitation.ExpiresAt.Time).To(Equal(bo.CreationTimestamp.Add(72 * time.Hour)))
		Expect(mail.Text).To(ContainSubstring(bo.Status.Invitation.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC")))
		i.may(ctx, "bo@named.example", "named", false)
		Expect(i.roster(ctx, "bo@named.example", "profile", "-o", "jsonpath={.invitations[0].organization}")).To(Equal("named"))
		Expect(i.roster(ctx, owner("named"), "members", "-n", "org-named", "--field-selector", "status=Invited",
			"-o", "jsonpath={.items[0].expiresAt}")).To(Equal(bo.Status.Invitation.ExpiresAt.UTC().Format(time.RFC3339)))
		organization := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "named"}}
		Eventually(func() (int32, error) {
			err := i.k8s.Get(ctx, client.ObjectKeyFromObject(organization), organization)
			return organization.Status.Members.Invited, err
		}).WithContext(ctx).Should(Equal(int32(1)))

		By("a change of roles mails nobody")
		expectations.Change(ctx, i.expect, bo, func(m *v1alpha1.Membership) {
			m.Spec.Roles = []v1alpha1.RoleName{"developer", "billing"}
		})

		Expect(i.paste(ctx, "bo@named.example", line(mail, "kubectl roster accept"))).To(Equal(
			"You are now a member of organization named, with: developer, billing.\n"))
		i.may(ctx, "bo@named.example", "named", true)
		i.is(ctx, bo, v1alpha1.MembershipActive)
		Expect(bo.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, "bo@named.example"))
		Expect(i.mails()).To(HaveLen(1))

		By("a rejoin after removal begins again")
		i.expect.Delete(ctx, bo)
		i.expect.Gone(ctx, bo)
		i.invite(ctx, "named", "bo@named.example")
		again := i.received(ctx, 2)
		Expect(again.Header.Get("Message-ID")).NotTo(Equal(mail.Header.Get("Message-ID")))
		i.may(ctx, "bo@named.example", "named", false)
	})

	It("is accepted without the plugin by what its mail says to paste", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "plain")
		bo := i.invite(ctx, "plain", "bo@plain.example")
		mail := i.received(ctx, 1)
		_, command, _ := strings.Cut(mail.Text, "\nkubectl create ")
		command, _, _ = strings.Cut(command, "\nEOF\n")
		Expect(i.paste(ctx, "bo@plain.example", "kubectl create "+command+"\nEOF")).To(Equal(
			"answer.self.roster.dev/plain created\n"))
		i.is(ctx, bo, v1alpha1.MembershipActive)
		i.may(ctx, "bo@plain.example", "plain", true)
	})

	It("by address makes whoever has the code its user, once", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "coded")
		someone := i.invite(ctx, "coded", "", "--email", "bo@elsewhere.example")
		mail := i.received(ctx, 1)
		i.is(ctx, someone, v1alpha1.MembershipInvited)
		Expect(mail.To).To(Equal([]string{"bo@elsewhere.example"}))
		right := code(mail)
		Expect(someone.Status.Invitation.CodeHash).NotTo(ContainSubstring(right))
		_, err := i.roster(ctx, "bo", "accept", "coded")
		Expect(err).To(MatchError(ContainSubstring(`no invitation of organization "coded" waits for bo: `)))
		_, err = i.roster(ctx, "bo", "accept", "coded", "--code", "nonsense")
		Expect(err).To(MatchError(ContainSubstring("no invitation of organization coded waits for this code")))
		_, err = i.roster(ctx, "eve", "accept", "coded", "--code", wrong(right))
		Expect(err).To(MatchError(ContainSubstring("(wrong code 1 of 5 within an hour): copy the code whole from the newest mail")))
		Expect(i.paste(ctx, "bo", line(mail, "kubectl roster accept"))).To(ContainSubstring("You are now a member"))
		i.is(ctx, someone, v1alpha1.MembershipActive)
		Expect(someone.Spec.User).To(Equal(v1alpha1.Username("bo")))
		i.may(ctx, "bo", "coded", true)
		_, err = i.roster(ctx, "eve", "accept", "coded", "--code", right)
		Expect(err).To(MatchError(ContainSubstring("no invitation of organization coded waits for this code")))
		_, err = i.roster(ctx, "bo", "accept", "coded", "--code", right)
		Expect(err).To(MatchError(ContainSubstring("you have accepted the invitation to organization coded already")))
		i.may(ctx, "eve", "coded", false)
		Eventually(func() (string, error) {
			return i.cluster.Kubectl(ctx, "get", "activities", "-n", "org-coded", "--as", owner("coded"))
		}).WithContext(ctx).Should(SatisfyAll(ContainSubstring("InvitationAnswered"), ContainSubstring("MemberAddressConfirmed")))
	})

	It("whose code two people answer with at once becomes that of one, and the other is told", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "raced")
		someone := i.invite(ctx, "raced", "", "--email", "bo@elsewhere.example")
		given := code(i.received(ctx, 1))
		refused, both := make(chan error, 2), []string{"fay@raced.example", "gus@raced.example"}
		for _, user := range both {
			go func() {
				_, err := i.roster(ctx, user, "accept", "raced", "--code", given)
				refused <- err
			}()
		}
		var first, second error
		Eventually(refused).WithContext(ctx).Should(Receive(&first))
		Eventually(refused).WithContext(ctx).Should(Receive(&second))
		Expect([]error{first, second}).To(ConsistOf(BeNil(), MatchError(ContainSubstring(
			"no invitation of organization raced waits for this code"))))
		i.is(ctx, someone, v1alpha1.MembershipActive)
		Expect(both).To(ContainElement(string(someone.Spec.User)))
	})

	It("that is declined gives nothing, and is answered anew once it is resent", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "declined")
		bo := i.invite(ctx, "declined", "bo@declined.example")
		first := i.received(ctx, 1)
		Expect(i.paste(ctx, "bo@declined.example", line(first, "kubectl roster decline"))).To(Equal(
			"You have declined the invitation to organization declined.\n"))
		i.is(ctx, bo, v1alpha1.MembershipDeclined)
		i.may(ctx, "bo@declined.example", "declined", false)
		for _, answer := range []string{"accept", "decline"} {
			_, err := i.roster(ctx, "bo@declined.example", answer, "declined")
			Expect(err).To(MatchError(ContainSubstring("was declined already: ask an administrator there to resend it")))
		}
		_, err := i.roster(ctx, owner("declined"), "resend", "bo@declined.example", "-n", "org-declined")
		Expect(err).NotTo(HaveOccurred())
		second := i.received(ctx, 2)
		Expect(second.Header.Get("Message-ID")).NotTo(Equal(first.Header.Get("Message-ID")))
		i.is(ctx, bo, v1alpha1.MembershipInvited)
		Expect(bo.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, owner("declined")))
		Expect(i.roster(ctx, "bo@declined.example", "accept", "declined")).To(ContainSubstring("You are now a member"))
		i.may(ctx, "bo@declined.example", "declined", true)
		_, err = i.roster(ctx, owner("declined"), "resend", "bo@declined.example", "-n", "org-declined")
		Expect(err).To(MatchError(ContainSubstring("is a member already and no invitation is open")))
	})

	It("of three seconds expires at its time, and is open again once it is resent", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "brief")
		bo := i.invite(ctx, "brief", "bo@brief.example", "--expires-after", "3s")
		i.expires(ctx, bo, 3*time.Second)
		end := bo.Status.Invitation.ExpiresAt.Time
		mailed := len(i.mails())
		_, err := i.roster(ctx, "bo@brief.example", "accept", "brief")
		Expect(err).To(MatchError(ContainSubstring("expired at " + end.UTC().Format(time.RFC3339) + ": ask an administrator")))
		expectations.Change(ctx, i.expect, bo, func(m *v1alpha1.Membership) {
			metav1.SetMetaDataAnnotation(&m.ObjectMeta, v1alpha1.AnnotationResendInvitation, "again")
			m.Spec.Invitation.ExpiresAfter = &metav1.Duration{Duration: time.Hour}
		})
		i.received(ctx, mailed+1)
		i.is(ctx, bo, v1alpha1.MembershipInvited)
		Expect(i.roster(ctx, "bo@brief.example", "accept", "brief")).To(ContainSubstring("You are now a member"))
		i.may(ctx, "bo@brief.example", "brief", true)
	})

	It("that is revoked can't be accepted any more", func(ctx SpecContext) {
		i.open(ctx, "revoked")
		bo := i.invite(ctx, "revoked", "bo@revoked.example")
		Expect(i.roster(ctx, owner("revoked"), "revoke", "bo@revoked.example", "--organization", "revoked")).To(
			ContainSubstring("the invitation of bo@revoked.example is revoked"))
		i.expect.Gone(ctx, bo)
		_, err := i.roster(ctx, "bo@revoked.example", "accept", "revoked")
		Expect(err).To(MatchError(ContainSubstring(`no invitation of organization "revoked" waits for bo@revoked.example`)))
	})

	It("is what every new Membership is where acceptance is required, and what was there stays", func(ctx SpecContext) {
		i.open(ctx, "careful")
		member := expectations.Membership("careful", "al", "al@careful.example", "developer")
		i.expect.Create(ctx, member)
		i.expect.Ready(ctx, member)
		organization := expectations.Organization("careful", "")
		expectations.Change(ctx, i.expect, organization, func(o *v1alpha1.Organization) {
			o.Spec.Membership.RequireAcceptance = true
		})
		bo := expectations.Membership("careful", "bo", "bo@careful.example", "developer")
		i.expect.Create(ctx, bo)
		i.is(ctx, bo, v1alpha1.MembershipInvited)
		i.may(ctx, "bo@careful.example", "careful", false)
		i.may(ctx, "al@careful.example", "careful", true)
		expectations.Change(ctx, i.expect, organization, func(o *v1alpha1.Organization) {
			o.Spec.Membership.RequireAcceptance = false
		})
		i.is(ctx, bo, v1alpha1.MembershipInvited)
		Expect(i.roster(ctx, "bo@careful.example", "accept", "careful")).To(ContainSubstring("You are now a member"))
		i.may(ctx, "bo@careful.example", "careful", true)
	})

	It("can be answered without a mail, and says so, until mail settings come", func(ctx SpecContext) {
		i.open(ctx, "mute")
		bo, cy := i.invite(ctx, "mute", "bo@mute.example"), i.invite(ctx, "mute", "cy@mute.example")
		someone := i.invite(ctx, "mute", "", "--email", "di@elsewhere.example")
		Expect(i.says(ctx, bo, "NoMailSettings")).To(Equal("no mail settings: make the Secret roster-system/roster-mail to have " +
			"mails sent; bo@mute.example can answer without the mail: kubectl roster accept mute"))
		Expect(i.says(ctx, someone, "NoMailSettings")).To(HaveSuffix(
			"nobody can answer before the code is mailed: invite by username instead where it is known"))
		Expect(i.roster(ctx, "bo@mute.example", "accept", "mute")).To(ContainSubstring("You are now a member"))
		i.may(ctx, "bo@mute.example", "mute", true)
		i.says(ctx, cy, "NoMailSettings")
		i.mailed(ctx)
		mailTo := func(user string) any { return HaveField("To", ConsistOf(user)) }
		Eventually(i.mails).WithContext(ctx).Should(ConsistOf(mailTo("cy@mute.example"), mailTo("di@elsewhere.example")))
	})

	Describe("to a mail server", func() {
		It("that greylists is tried again, with the same ID", func(ctx SpecContext) {
			i.mailed(ctx)
			i.open(ctx, "gray")
			i.server.Behave(to("bo@gray.example", smtp.Once(smtp.ErrGreylisted)))
			bo := i.invite(ctx, "gray", "bo@gray.example")
			Expect(i.says(ctx, bo, "Retrying")).To(SatisfyAll(ContainSubstring("451 "), ContainSubstring("it is tried again")))
			Expect(bo.Status.Invitation.LastError).To(ContainSubstring("Greylisted"))
			i.received(ctx, 1)
			i.says(ctx, bo, "Sent")
			Expect(bo.Status.Invitation.LastError).To(BeEmpty())
			Expect(bo.Status.Invitation.Sends).To(Equal(int32(1)))
			Expect(bo.Status.Invitation.Attempts).To(Equal(int32(2)))
		})

		It("that knows no such user fails for good, until it is resent", func(ctx SpecContext) {
			i.mailed(ctx)
			i.open(ctx, "unknown")
			i.server.Behave(to("bo@unknown.example", func(smtp.Envelope) error { return smtp.ErrNoSuchUser }))
			bo := i.invite(ctx, "unknown", "bo@unknown.example")
			Expect(i.says(ctx, bo, "Failed")).To(SatisfyAll(ContainSubstring("550 "), ContainSubstring("put that right and resend"),
				HaveSuffix("bo@unknown.example can answer without the mail: kubectl roster accept unknown")))
			i.server.Behave(nil)
			_, err := i.roster(ctx, owner("unknown"), "resend", bo.Name, "--organization", "unknown")
			Expect(err).NotTo(HaveOccurred())
			i.received(ctx, 1)
			i.says(ctx, bo, "Sent")
			Expect(bo.Status.Invitation.Sends).To(Equal(int32(2)))
		})

		It("that breaks off may have been mailed: that is said, and it isn't mailed twice", func(ctx SpecContext) {
			i.mailed(ctx)
			i.open(ctx, "cut")
			i.server.Behave(to("bo@cut.example", func(mail smtp.Envelope) error {
				if mail.Data == nil {
					return nil
				}
				return smtp.ErrHangUp
			}))
			someone := i.invite(ctx, "cut", "", "--email", "bo@cut.example")
			Expect(i.says(ctx, someone, "Unknown")).To(ContainSubstring("it isn't sent again by itself: ask the invited person"))
			Consistently(i.mails, 3*time.Second).WithContext(ctx).Should(HaveLen(1))
			By("the code of the mail is good all the same")
			Expect(i.roster(ctx, "bo", "accept", "cut", "--code", code(i.received(ctx, 1)))).To(ContainSubstring("You are now"))
		})

		It("that hangs holds nothing else up", func(ctx SpecContext) {
			i.mailed(ctx)
			i.open(ctx, "hung")
			end := make(chan struct{})
			DeferCleanup(func() { close(end) })
			i.server.Behave(func(smtp.Envelope) error {
				<-end
				return errors.New("too late")
			})
			for _, user := range []string{"al", "bo", "cy", "di", "ed", "flo"} {
				i.invite(ctx, "hung", user+"@hung.example")
			}
			member := expectations.Membership("hung", "gus", "gus@hung.example", "developer")
			i.expect.Create(ctx, member)
			i.expect.Ready(ctx, member)
			Expect(i.roster(ctx, "flo@hung.example", "accept", "hung")).To(ContainSubstring("You are now a member"))
			i.may(ctx, "flo@hung.example", "hung", true)
		})

		It("that is away for a while is mailed once it is back", func(ctx SpecContext) {
			i.mailed(ctx)
			i.open(ctx, "away")
			Expect(i.server.Close()).To(Succeed())
			bo := i.invite(ctx, "away", "bo@away.example")
			Expect(i.says(ctx, bo, "Retrying")).To(ContainSubstring("connection refused"))
			Expect(i.roster(ctx, owner("away"), "members", "-n", "org-away", "-o", "name")).NotTo(BeEmpty())
			back, err := smtp.Start(smtp.StartTLS)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(back.Close)
			i.server = back
			i.change(ctx, back)
			i.received(ctx, 1)
			i.says(ctx, bo, "Sent")
		})

		It("whose answer a killed manager never hears is said to be unknown, and isn't mailed twice", func(ctx SpecContext) {
			i.mailed(ctx)
			i.open(ctx, "killed")
			reached, end := make(chan struct{}), make(chan struct{})
			i.server.Behave(to("bo@killed.example", func(mail smtp.Envelope) error {
				if mail.Data != nil {
					close(reached)
					<-end
				}
				return nil
			}))
			bo := i.invite(ctx, "killed", "bo@killed.example")
			Eventually(reached).WithContext(ctx).Should(BeClosed())
			Expect(i.manager.Kill()).To(Succeed())
			close(end)
			i.server.Behave(nil)
			i.received(ctx, 1)
			i.restart(ctx)
			Expect(i.says(ctx, bo, "Unknown")).To(HavePrefix(
				"Roster was stopped while the mail was being sent: it may have been sent or not; it isn't sent again by itself"))
			Consistently(i.mails).WithContext(ctx).Should(HaveLen(1))
			Eventually(func() error {
				_, err := i.roster(ctx, owner("killed"), "resend", "bo@killed.example", "--organization", "killed")
				return err
			}).WithContext(ctx).Should(Succeed())
			i.received(ctx, 2)
			i.says(ctx, bo, "Sent")
		})
	})

	Describe("is answered and changed", func() {
		BeforeAll(func(ctx SpecContext) {
			i.open(ctx, "ruled")
			i.expect.Create(ctx, expectations.Membership("ruled", "adm", "adm@ruled.example", "administrator"),
				expectations.Membership("ruled", "al", "al@ruled.example", "developer"))
			i.may(ctx, "al@ruled.example", "ruled", true)
			releaser := &v1alpha1.Role{ObjectMeta: expectations.InOrganization("ruled", "releaser")}
			releaser.Spec.Includes = []v1alpha1.RoleName{"viewer"}
			i.expect.Create(ctx, releaser)
			for _, name := range []string{"bo", "custom"} {
				invitation := expectations.Membership("ruled", name, name+"@ruled.example", "developer")
				invitation.Spec.Invitation = &v1alpha1.InvitationSpec{}
				if name == "custom" {
					invitation.Spec.Roles = []v1alpha1.RoleName{"releaser"}
				}
				i.expect.Create(ctx, invitation)
				i.is(ctx, invitation, v1alpha1.MembershipInvited)
			}
			someone := expectations.Membership("ruled", "someone", "", "developer")
			someone.Spec.Email = "someone@elsewhere.example"
			i.expect.Create(ctx, someone)
			i.is(ctx, someone, v1alpha1.MembershipInvited)
			i.expect.Allowed(ctx, "adm@ruled.example", "patch memberships.roster.dev", "org-ruled")
		})

		DescribeTable("by nobody but who may: a change of a Membership by", func(
			ctx SpecContext, user, name string, change func(*v1alpha1.Membership), message string,
		) {
			membership := &v1alpha1.Membership{ObjectMeta: expectations.InOrganization("ruled", name)}
			Expect(i.k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)).To(Succeed())
			before := membership.DeepCopy()
			change(membership)
			Expect(i.as(user).Patch(ctx, membership, client.MergeFrom(before))).To(MatchError(ContainSubstring(message)))
		},
			Entry("an owner who accepts for the invited", owner("ruled"), "bo", responded(v1alpha1.InvitationAccepted),
				"spec.response is the invited person's own answer and is set by Roster alone"),
			Entry("an administrator who accepts for the invited", "adm@ruled.example", "bo", responded(v1alpha1.InvitationAccepted),
				"spec.response is the invited person's own answer"),
			Entry("the invited user, past the Answer", "bo@ruled.example", "bo", responded(v1alpha1.InvitationAccepted),
				`cannot patch resource "memberships"`),
			Entry("an owner who takes out the invitation", owner("ruled"), "bo",
				func(m *v1alpha1.Membership) { m.Spec.Invitation = nil },
				"spec.invitation waits for the person's own answer and can't be taken out before it is accepted"),
			Entry("an owner who makes themself the user of an invited address", owner("ruled"), "someone",
				func(m *v1alpha1.Membership) { m.Spec.User = "me@ruled.example" }, "spec.user becomes who answers with the mailed code"),
			Entry("an owner who confirms an address for the invited", owner("ruled"), "bo", confirmsAddress,
				"spec.confirmed is the address that the user confirmed with the mailed code and is set by Roster alone"),
			Entry("an owner who changes the invited address", owner("ruled"), "someone",
				func(m *v1alpha1.Membership) { m.Spec.Email = "me@ruled.example" },
				"spec.email can't be changed while it is who is invited"),
			Entry("an owner who invites a member", owner("ruled"), "al",
				func(m *v1alpha1.Membership) { m.Spec.Invitation = &v1alpha1.InvitationSpec{} },
				"spec.invitation can't be added for who is a member already"),
			Entry("an owner who resends to a member", owner("ruled"), "al", resent, "there is no invitation to resend"),
			Entry("an administrator who resends what they may not give", "adm@ruled.example", "custom", resent,
				`metadata.annotations: resending the invitation takes the verb "assign" on role "releaser" in organization ruled`),
			Entry("a member who resends", "al@ruled.example", "bo", resent, `cannot patch resource "memberships"`),
		)

		DescribeTable("by nobody but who may: an Answer of", func(
			ctx SpecContext, user string, answer selfv1alpha1.AnswerSpec, message string,
		) {
			_, err := i.answer(ctx, user, answer)
			Expect(err).To(MatchError(ContainSubstring(message)))
		},
			Entry("somebody who isn't invited", "eve@ruled.example", accepts("ruled"),
				`no invitation of organization "ruled" waits for eve`),
			Entry("somebody to an organization that isn't there", "bo@ruled.example", accepts("nowhere"),
				`no invitation of organization "nowhere" waits for bo@ruled.example`),
			Entry("somebody to what is no organization's name", "bo@ruled.example", accepts("ruled/bo"),
				`no invitation of organization "ruled/bo" waits for bo@ruled.example`),
			Entry("a member who was never invited", "al@ruled.example", accepts("ruled"),
				"you are a member of organization ruled without an invitation: there is nothing to answer"),
			Entry("a service account", "system:serviceaccount:default:default", accepts("ruled"),
				"is no person, and only people are members"),
			Entry("nobody in particular", "bo@ruled.example", selfv1alpha1.AnswerSpec{Organization: "ruled", Response: "Perhaps"},
				`spec.response: "Perhaps" is no answer: say Accepted or Declined`),
			Entry("no organization", "bo@ruled.example", accepts(""), "spec.organization is missing"),
		)

		It("at a dry run by nobody", func(ctx SpecContext) {
			_, err := i.answer(ctx, "bo@ruled.example", accepts("ruled"), "--dry-run=server")
			Expect(err).NotTo(HaveOccurred())
			i.is(ctx, expectations.Membership("ruled", "bo", ""), v1alpha1.MembershipInvited)
			i.may(ctx, "bo@ruled.example", "ruled", false)
		})
	})
}

// to has the server behave so to the mails of one recipient.
func to(recipient string, behaviour smtp.Behaviour) smtp.Behaviour {
	return func(mail smtp.Envelope) error {
		if slices.Contains(mail.To, recipient) {
			return behaviour(mail)
		}
		return nil
	}
}

func responded(answer v1alpha1.InvitationResponse) func(*v1alpha1.Membership) {
	return func(m *v1alpha1.Membership) { m.Spec.Response = answer }
}

func resent(membership *v1alpha1.Membership) {
	metav1.SetMetaDataAnnotation(&membership.ObjectMeta, v1alpha1.AnnotationResendInvitation, "now")
}

func accepts(organization string) selfv1alpha1.AnswerSpec {
	return selfv1alpha1.AnswerSpec{Organization: organization, Response: string(v1alpha1.InvitationAccepted)}
}

// wrong is a code that is like another one, but for its last letters.
func wrong(right string) string { return right[:len(right)-4] + "aaaa" }

// answer creates an Answer as a user with kubectl.
func (i *installation) answer(
	ctx context.Context, user string, answer selfv1alpha1.AnswerSpec, more ...string,
) (string, error) {
	manifest := "apiVersion: self.roster.dev/v1alpha1\nkind: Answer\nspec: {organization: '" + answer.Organization +
		"', response: '" + answer.Response + "'}\n"
	command := i.cluster.KubectlCommand(ctx, append([]string{"--as", user, "create", "-f", "-"}, more...)...)
	command.Stdin = strings.NewReader(manifest)
	return run(command)
}
