package invitations_test

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// The messages for wrong codes.
const (
	waitsForNone = "no invitation of organization %s waits for this code (wrong code %d of 5 within an hour)"
	isRefused    = "you have given 5 wrong codes within an hour, so codes from you are refused until "
)

// answers answers an invitation as a user, past the plugin, which takes a second to start.
func (i *installation) answers(ctx context.Context, user, organization, code string) error {
	GinkgoHelper()
	answer := &selfv1alpha1.Answer{
		ObjectMeta: metav1.ObjectMeta{Name: organization},
		Spec: selfv1alpha1.AnswerSpec{
			Organization: organization, Response: string(v1alpha1.InvitationAccepted), Code: code,
		},
	}
	return i.as(user).Create(ctx, answer)
}

// atOnce answers as several callers at the same time, and returns what each was told.
func atOnce(callers int, answer func(caller int) error) []error {
	told := make([]error, callers)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			defer GinkgoRecover()
			told[caller] = answer(caller)
		})
	}
	all.Wait()
	return told
}

// handleOf is what an earlier version began the code of an invitation with, which whoever could read the Membership could
// compute.
func handleOf(membership *v1alpha1.Membership) string {
	hash := sha256.Sum256([]byte("invitation " + membership.UID))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:5]))
}

// byAddress invites an address and has a plain member read the invitation.
func (i *installation) byAddress(ctx context.Context, organization, saboteur string) (*v1alpha1.Membership, string) {
	GinkgoHelper()
	i.mailed(ctx)
	i.open(ctx, organization)
	member := expectations.Membership(organization, "saboteur", saboteur, "member")
	i.expect.Create(ctx, member)
	i.expect.Ready(ctx, member)
	someone := i.invite(ctx, organization, "", "--email", "bo@elsewhere.example")
	right := code(i.received(ctx, 1))
	i.expect.Allowed(ctx, saboteur, "get memberships.roster.dev", v1alpha1.OrganizationNamespace(organization))
	Expect(i.as(saboteur).Get(ctx, client.ObjectKeyFromObject(someone), someone)).To(Succeed())
	return someone, right
}

func codeSpecs() {
	It("isn't used up by a member who reads the invitation and answers with wrong ones", func(ctx SpecContext) {
		eve := "eve@sabotaged.example"
		someone, right := i.byAddress(ctx, "sabotaged", eve)
		Expect(right).NotTo(HavePrefix(handleOf(someone)))
		guesses := []string{
			handleOf(someone) + "-" + strings.Repeat("a", 26), someone.Status.Invitation.CodeHash, string(someone.UID), wrong(right),
			"nonsense",
		}
		for at, guess := range guesses {
			Expect(i.answers(ctx, eve, "sabotaged", guess)).To(MatchError(ContainSubstring(
				fmt.Sprintf(waitsForNone, "sabotaged", at+1))))
		}
		By("from then on the member learns nothing, not even whether a code is right")
		for _, guess := range []string{right, wrong(right)} {
			Expect(i.answers(ctx, eve, "sabotaged", guess)).To(MatchError(HavePrefix(isRefused)))
		}
		Expect(i.answers(ctx, eve, "nowhere", "nonsense")).To(MatchError(HavePrefix(isRefused)), "for all organizations together")
		By("also once the manager is started again")
		Expect(i.manager.Stop()).To(Succeed())
		i.restart(ctx)
		Expect(i.answers(ctx, eve, "sabotaged", right)).To(MatchError(HavePrefix(isRefused)))
		By("and the invited person answers as if nothing had happened")
		after := &v1alpha1.Membership{}
		Expect(i.k8s.Get(ctx, client.ObjectKeyFromObject(someone), after)).To(Succeed())
		Expect(after.ResourceVersion).To(Equal(someone.ResourceVersion), "nothing is written into the invitation")
		Expect(i.roster(ctx, "bo", "accept", "sabotaged", "--code", right)).To(ContainSubstring("You are now a member"))
		i.may(ctx, "bo", "sabotaged", true)
	})

	It("isn't used up by callers who answer at once, and each is counted for themself", func(ctx SpecContext) {
		_, right := i.byAddress(ctx, "crowded", "eve@crowded.example")
		for _, callers := range []int{2, 8, 24} {
			By(fmt.Sprintf("%d callers, each for the first time", callers))
			for _, err := range atOnce(callers, func(caller int) error {
				return i.answers(ctx, fmt.Sprintf("eve-%d-%d@crowded.example", callers, caller), "crowded", wrong(right))
			}) {
				Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf(waitsForNone, "crowded", 1))))
			}
			By(fmt.Sprintf("one caller, %d times", callers))
			counted, refused := 0, 0
			for _, err := range atOnce(callers, func(int) error {
				return i.answers(ctx, fmt.Sprintf("mallory-%d@crowded.example", callers), "crowded", wrong(right))
			}) {
				switch {
				case strings.HasPrefix(err.Error(), isRefused):
					refused++
				default:
					Expect(err).To(MatchError(ContainSubstring("no invitation of organization crowded waits for this code")))
					counted++
				}
			}
			Expect(counted).To(Equal(min(callers, 5)))
			Expect(refused).To(Equal(callers - counted))
		}
		By("the invited person, among 24 others")
		for caller, err := range atOnce(25, func(caller int) error {
			if caller == 12 {
				return i.answers(ctx, "bo", "crowded", right)
			}
			return i.answers(ctx, fmt.Sprintf("late-%d@crowded.example", caller), "crowded", wrong(right))
		}) {
			Expect(err == nil).To(Equal(caller == 12), "%v", err)
		}
		i.may(ctx, "bo", "crowded", true)
		By("what is kept of callers names none of them")
		kept := &corev1.ConfigMap{}
		Expect(i.k8s.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "roster-wrong-codes"}, kept)).To(Succeed())
		Expect(fmt.Sprint(kept.Data)).NotTo(ContainSubstring("crowded.example"))
	})

	It("of an earlier mail is refused with what to do, and the new one is good", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "again")
		i.invite(ctx, "again", "", "--email", "bo@elsewhere.example")
		earlier := code(i.received(ctx, 1))
		Expect(i.roster(ctx, owner("again"), "resend", "bo@elsewhere.example", "--organization", "again")).To(
			ContainSubstring("is invited again"))
		newer := code(i.received(ctx, 2))
		Expect(newer).NotTo(Equal(earlier))
		_, err := i.roster(ctx, "bo@again.example", "accept", "again", "--code", earlier)
		Expect(err).To(MatchError(ContainSubstring("copy the code whole from the newest mail, as the code of an earlier mail is " +
			"good no more once the invitation is resent")))
		Expect(i.roster(ctx, "bo@again.example", "accept", "again", "--code", newer)).To(ContainSubstring("You are now a member"))
	})

	It("is refused in the same words whether there is an invitation, an organization, or neither", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "silent")
		i.invite(ctx, "silent", "", "--email", "bo@elsewhere.example")
		right := code(i.received(ctx, 1))
		i.open(ctx, "empty")
		words := func(user, organization string) string {
			err := i.answers(ctx, user, organization, wrong(right))
			Expect(err).To(HaveOccurred())
			return strings.ReplaceAll(err.Error(), organization, "X")
		}
		told := words("fay@silent.example", "silent")
		Expect(words("gus@silent.example", "empty")).To(Equal(told))
		Expect(words("hal@silent.example", "nowhere")).To(Equal(told))
		Expect(words("ida@silent.example", "no/name")).To(Equal(told))
	})

	It("that is wrong keeps nobody from answering an invitation by username without one", func(ctx SpecContext) {
		i.mailed(ctx)
		i.open(ctx, "needless")
		i.invite(ctx, "needless", "bo@needless.example")
		for range 5 {
			Expect(i.answers(ctx, "bo@needless.example", "needless", "nonsense")).To(MatchError(HaveSuffix(
				"; you are invited by username, so you can also answer without a code")))
		}
		Expect(i.answers(ctx, "bo@needless.example", "needless", "")).To(Succeed())
		i.may(ctx, "bo@needless.example", "needless", true)
	})
}
