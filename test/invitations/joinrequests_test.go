package invitations_test

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
	"github.com/roster-dev/roster/test/smtp"
)

// agency makes an organization with the team designers, in which bo is.
func (i *installation) agency(ctx context.Context, name string) {
	GinkgoHelper()
	organization, bo := expectations.Organization(name, owner(name)), expectations.Membership(name, "bo", "bo@"+name+".example")
	team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(name, "designers")}
	team.Spec.Members = []v1alpha1.Username{v1alpha1.Username("bo@" + name + ".example")}
	i.expect.Create(ctx, organization)
	i.expect.Ready(ctx, organization)
	i.expect.Create(ctx, bo, team)
	i.expect.Ready(ctx, bo, team)
}

// ask has the owner of an agency ask the present organization.
func (i *installation) ask(ctx context.Context, agency string) *v1alpha1.JoinRequest {
	GinkgoHelper()
	_, err := i.roster(ctx, owner(agency), "join", "request", agency+"/designers", "--organization", i.organization,
		"--role", "developer", "--project", "shop", "--message", "For the\nnew shop.")
	Expect(err).NotTo(HaveOccurred())
	return &v1alpha1.JoinRequest{ObjectMeta: expectations.InOrganization(i.organization, agency+"-designers")}
}

// tells waits until the condition Mailed of a request begins so, and returns all of it.
func (i *installation) tells(ctx context.Context, request *v1alpha1.JoinRequest, beginning string) string {
	GinkgoHelper()
	var text string
	Eventually(func() (string, error) {
		err := i.k8s.Get(ctx, client.ObjectKeyFromObject(request), request)
		if mailed := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionMailed); mailed != nil {
			text = string(mailed.Status) + " " + mailed.Reason + ": " + mailed.Message
		}
		return text, err
	}).WithContext(ctx).Should(HavePrefix(beginning))
	return text
}

// about are the mails that name an organization; those to others come when they can.
func (i *installation) about(organization string) []smtp.Message {
	return slices.DeleteFunc(i.server.Received(), func(message smtp.Message) bool {
		return !strings.Contains(message.Text, organization)
	})
}

// letters waits for a number of mails to somebody.
func (i *installation) letters(ctx context.Context, to string, number int) []smtp.Message {
	GinkgoHelper()
	found := func() []smtp.Message {
		var found []smtp.Message
		for _, message := range i.server.Received() {
			if strings.Join(message.To, ",") == to {
				found = append(found, message)
			}
		}
		return found
	}
	Eventually(found).WithContext(ctx).Should(HaveLen(number))
	return found()
}

func joinRequestSpecs() {
	It("is mailed to each owner, whose own command lets the team in, and each decision to who asked", func(ctx SpecContext) {
		i.mailed(ctx)
		i.agency(ctx, "studio")
		i.open(ctx, "gallery", func(o *v1alpha1.OrganizationSpec) {
			o.DisplayName, o.Owners = "The Gallery", append(o.Owners, "olga@gallery.example")
		})
		request := i.ask(ctx, "studio")
		mail := i.letters(ctx, "olga@gallery.example", 1)[0]
		other := i.letters(ctx, owner("gallery"), 1)[0]
		Expect(mail.Header.Get("Message-ID")).NotTo(Equal(other.Header.Get("Message-ID")))
		Expect(mail.Subject).To(Equal("Team designers of studio asks to join The Gallery (gallery)"))
		Expect(mail.Text).To(SatisfyAll(ContainSubstring("Asked by: owner@studio.example\nRole:     developer\nWhere:    shop\n"),
			ContainSubstring("> For the\n> new shop.")))
		Expect(mail.HTML).To(ContainSubstring("<strong>designers</strong>"))
		i.tells(ctx, request, "True Sent: the mail server has taken 2 of 2 mails (Requested)")
		i.expect.Refused(ctx, "bo@studio.example", "create deployments.apps", "gallery-shop")

		By("approving it as the mail says")
		approve := line(mail, "kubectl roster join approve")
		_, err := i.paste(ctx, owner("studio"), approve)
		Expect(err).To(MatchError(ContainSubstring("cannot patch")))
		Expect(i.paste(ctx, "olga@gallery.example", approve)).To(ContainSubstring("approved"))
		i.expect.Allowed(ctx, "bo@studio.example", "create deployments.apps", "gallery-shop")
		decision := i.letters(ctx, owner("studio"), 1)[0]
		Expect(decision.Subject).To(Equal("Your request to The Gallery (gallery) was approved"), "the installation's own")
		Expect(decision.Text).To(ContainSubstring("olga@gallery.example approved the request of owner@studio.example"))
		i.tells(ctx, request, "True Sent: the mail server has taken 1 of 1 mails (Approved)")

		By("ending it with a reason")
		_, err = i.paste(ctx, "olga@gallery.example", line(mail, "kubectl roster join reject")+" --reason 'We are done.'")
		Expect(err).NotTo(HaveOccurred())
		i.expect.Refused(ctx, "bo@studio.example", "create deployments.apps", "gallery-shop")
		Expect(i.letters(ctx, owner("studio"), 2)[1].Text).To(SatisfyAll(
			ContainSubstring("olga@gallery.example rejected the request"), ContainSubstring("> We are done.")))
		i.letters(ctx, "olga@gallery.example", 1)

		By("a manager that is started again mails nothing")
		Expect(i.manager.Stop()).To(Succeed())
		i.restart(ctx)
		before := len(i.about("gallery"))
		Consistently(func() []smtp.Message { return i.about("gallery") }).WithContext(ctx).Should(HaveLen(before))
	})

	It("waits for a server that greylists, and for settings that are there and right", func(ctx SpecContext) {
		i.agency(ctx, "atelier")
		i.open(ctx, "museum")
		request := i.ask(ctx, "atelier")
		Expect(i.tells(ctx, request, "False NoMailSettings")).To(HaveSuffix(
			"who may decide sees the request all the same: kubectl roster join list --organization museum"))
		bo := i.invite(ctx, "museum", "bo@museum.example")

		By("settings that can't be used")
		server, err := smtp.Start(smtp.StartTLS)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(server.Close)
		i.server = server
		server.Behave(to(owner("museum"), smtp.Once(smtp.ErrGreylisted)))
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "roster-mail"},
			Data:       map[string][]byte{"host": []byte("127.0.0.1"), "tls": []byte("perhaps"), "password": []byte("geheim")},
		}
		Expect(i.k8s.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(i.k8s.Delete(ctx, secret)).To(Succeed()) })
		Expect(i.tells(ctx, request, "False InvalidMailSettings")).NotTo(ContainSubstring("geheim"))
		Expect(i.says(ctx, bo, "InvalidMailSettings")).To(SatisfyAll(
			HavePrefix("the Secret roster-system/roster-mail can't be used: "), ContainSubstring("perhaps"),
			HaveSuffix("bo@museum.example can answer without the mail: kubectl roster accept museum"),
			Not(ContainSubstring("geheim"))))

		By("putting them right")
		i.change(ctx, server)
		i.received(ctx, 1)
		i.letters(ctx, owner("museum"), 1)
		Expect(i.tells(ctx, request, "True Sent")).To(ContainSubstring("1 of 1"))
		Expect(request.Status.Mails).To(ConsistOf(HaveField("Attempts", int32(2))))

		By("an invitation of whom no address is known")
		someone := i.invite(ctx, "museum", "nameless")
		Expect(i.says(ctx, someone, "NoAddress")).To(HavePrefix(
			`no mail address of user "nameless" is known: set spec.email and resend`))
	})

	It("of which a killed manager never hears whether the mail was taken isn't mailed twice", func(ctx SpecContext) {
		i.mailed(ctx)
		i.agency(ctx, "press")
		i.open(ctx, "paper")
		reached, end := make(chan struct{}), make(chan struct{})
		i.server.Behave(to(owner("paper"), func(mail smtp.Envelope) error {
			if mail.Data != nil {
				close(reached)
				<-end
			}
			return nil
		}))
		request := i.ask(ctx, "press")
		Eventually(reached).WithContext(ctx).Should(BeClosed())
		Expect(i.manager.Kill()).To(Succeed())
		close(end)
		i.server.Behave(nil)
		i.letters(ctx, owner("paper"), 1)
		i.restart(ctx)
		Expect(i.tells(ctx, request, "Unknown Unknown")).To(ContainSubstring("it isn't sent again"))
		Consistently(func() []smtp.Message { return i.about("paper") }, 2*time.Second).WithContext(ctx).Should(HaveLen(1))
	})
}
