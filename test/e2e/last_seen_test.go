package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// userOf is the User of a username, as far as there is one.
func userOf(ctx context.Context, username string) (*v1alpha1.User, error) {
	var users v1alpha1.UserList
	err := k8s.List(ctx, &users, client.MatchingFields{"spec.username": username})
	if err != nil || len(users.Items) == 0 {
		return &v1alpha1.User{}, err
	}
	return &users.Items[0], nil
}

// postAudit posts to where the audit stream is taken, as whoever the configuration says.
func postAudit(ctx context.Context, config *rest.Config, body []byte) int {
	GinkgoHelper()
	config = rest.CopyConfig(config)
	config.CAFile, config.Insecure = "", true
	tlsConfig, err := rest.TLSConfigFor(config)
	Expect(err).NotTo(HaveOccurred())
	if tlsConfig == nil {
		tlsConfig = &tls.Config{}
	}
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig}}
	defer caller.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, cluster.ViewURL()+"/audit", bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	if config.BearerToken != "" {
		request.Header.Set("Authorization", "Bearer "+config.BearerToken)
	}
	response, err := caller.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	return response.StatusCode
}

var _ = Describe("When a user was last seen", func() {
	It("is known once the user has asked the API server for anything, by one write and no more", func(ctx SpecContext) {
		const organization = "seen"
		here, away := environment.Person, "quinn@seen.example"
		seen := expectations.Organization(organization, "ana@seen.example")
		expect.Create(ctx, seen)
		expect.Ready(ctx, seen)
		members := []*v1alpha1.Membership{
			expectations.Membership(organization, "here", here, "viewer"),
			expectations.Membership(organization, "away", away, "viewer"),
		}
		expect.Create(ctx, members[0], members[1])
		expect.Ready(ctx, members[0], members[1])
		column := func(ctx context.Context, user string) (string, error) {
			table, err := cluster.Kubectl(ctx, "get", "members", "-n", "org-"+organization, "--field-selector", "user="+user, "--no-headers")
			fields := strings.Fields(table)
			if len(fields) < 5 {
				return table, err
			}
			return fields[4], err
		}
		Eventually(column).WithContext(ctx).WithArguments(here).Should(Equal("<unknown>"))

		began := time.Now().Truncate(time.Second)
		asking := clientFor(cluster.Person())
		Expect(asking.List(ctx, &v1alpha1.MembershipList{}, client.InNamespace("org-"+organization))).To(Succeed())
		Eventually(func(g Gomega, ctx context.Context) {
			user, err := userOf(ctx, here)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(user.Status.LastSeenAt).NotTo(BeNil())
			g.Expect(user.Status.LastSeenAt.Time).To(BeTemporally(">=", began))
		}).WithContext(ctx).Should(Succeed())
		Eventually(column).WithContext(ctx).WithArguments(here).Should(MatchRegexp(`^\d+s$`))

		By("who is impersonated wasn't there")
		Expect(clientFor(cluster.As(away)).List(ctx, &v1alpha1.MembershipList{}, client.InNamespace("org-"+organization))).To(Succeed())
		Expect(asking.List(ctx, &v1alpha1.MembershipList{}, client.InNamespace("org-"+organization))).To(Succeed())
		user, err := userOf(ctx, here)
		Expect(err).NotTo(HaveOccurred())
		Consistently(func(g Gomega, ctx context.Context) {
			now, err := userOf(ctx, here)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now.Status.LastSeenAt).To(Equal(user.Status.LastSeenAt))
			other, err := userOf(ctx, away)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(other.Status.LastSeenAt).To(BeNil())
		}, "2500ms").WithContext(ctx).Should(Succeed())
		Expect(column(ctx, away)).To(Equal("<unknown>"))
	})

	It("isn't touched by a token's use, which is kept of the token", func(ctx SpecContext) {
		const organization, bo = "used", "bo@used.example"
		membership := expectations.Membership(organization, "bo", bo, "viewer")
		used := expectations.Organization(organization, "ana@used.example")
		expect.Create(ctx, used)
		expect.Ready(ctx, used)
		expect.Create(ctx, membership)
		expect.Ready(ctx, membership)
		token := apiToken(organization, "ci", bo, []v1alpha1.RoleName{"viewer"})
		Expect(asUser(bo).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		Expect(kubectlWith(ctx, kubeconfigOf(ctx, token), "get", "apitokens", "-n", "org-"+organization)).NotTo(BeEmpty())
		Eventually(func() (*metav1.Time, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(token), token)
			return token.Status.LastUsedAt, err
		}).WithContext(ctx).ShouldNot(BeNil())
		user, err := userOf(ctx, bo)
		Expect(err).NotTo(HaveOccurred())
		Expect(user.Status.LastSeenAt).To(BeNil())
	})

	It("is taken from nobody but who may post to the audit path", func(ctx SpecContext) {
		nobody := rest.AnonymousClientConfig(cluster.Admin())
		stranger, err := cluster.ServiceAccount(ctx, "default", "default")
		Expect(err).NotTo(HaveOccurred())
		wrong := rest.CopyConfig(nobody)
		wrong.BearerToken = "guessed"
		for _, caller := range []*rest.Config{nobody, stranger, cluster.Person()} {
			Expect(postAudit(ctx, caller, []byte("{}"))).To(Equal(http.StatusForbidden))
		}
		Expect(postAudit(ctx, wrong, []byte("{}"))).To(Equal(http.StatusUnauthorized))
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "roster-audit"}}
		Expect(k8s.Create(ctx, account)).To(Succeed())
		byToken, err := cluster.ServiceAccount(ctx, account.Namespace, account.Name)
		Expect(err).NotTo(HaveOccurred())
		Expect(postAudit(ctx, byToken, []byte("{}"))).To(Equal(http.StatusBadRequest), "it was let in, and sent nonsense")
		sender := cluster.AuditSender()
		Expect(postAudit(ctx, sender, []byte("{}"))).To(Equal(http.StatusBadRequest))
		Expect(postAudit(ctx, sender, make([]byte, 11<<20))).To(Equal(http.StatusRequestEntityTooLarge))
		Expect(postAudit(ctx, sender, []byte(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`))).To(Equal(http.StatusOK))
	})
})
