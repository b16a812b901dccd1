package e2e_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// apiToken is one of a user, in some projects or, without any, in the whole organization.
func apiToken(organization, name, user string, roles []v1alpha1.RoleName, projects ...v1alpha1.ObjectName) *v1alpha1.APIToken {
	return &v1alpha1.APIToken{
		ObjectMeta: expectations.InOrganization(organization, name),
		Spec: v1alpha1.APITokenSpec{
			User: v1alpha1.Username(user), Roles: roles, Projects: projects, OrganizationWide: len(projects) == 0,
		},
	}
}

// asUser is a user's own client.
func asUser(user string) client.Client {
	GinkgoHelper()
	return clientFor(cluster.As(user))
}

// secretOf reads a token's Secret as a user.
func secretOf(ctx context.Context, token *v1alpha1.APIToken, user string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: token.Namespace, Name: token.SecretName()}
	return secret, asUser(user).Get(ctx, key, secret)
}

// kubeconfigOf writes the kubeconfig of a token's Secret to a file of the spec, as the user who may read it would.
func kubeconfigOf(ctx context.Context, token *v1alpha1.APIToken) string {
	GinkgoHelper()
	var secret *corev1.Secret
	Eventually(func() (err error) {
		secret, err = secretOf(ctx, token, string(token.Spec.User))
		return err
	}).WithContext(ctx).Should(Succeed())
	Expect(secret.Type).To(BeEquivalentTo(v1alpha1.SecretTypeAPIToken))
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(path, secret.Data["kubeconfig"], 0o600)).To(Succeed())
	return path
}

// kubectlWith runs kubectl with nothing but a kubeconfig, and returns what it says.
func kubectlWith(ctx context.Context, kubeconfig string, arguments ...string) (string, error) {
	arguments = append([]string{
		"--kubeconfig", kubeconfig, "--cache-dir", filepath.Join(filepath.Dir(kubeconfig), "cache"),
	}, arguments...)
	output, err := exec.CommandContext(ctx, cluster.KubectlCommand(ctx).Path, arguments...).CombinedOutput()
	if err != nil {
		return "", errors.New(string(output))
	}
	return string(output), nil
}

// podsIn is what a token's holder may see of a project: an error says that it may not.
func podsIn(ctx context.Context, kubeconfig, namespace string) error {
	_, err := kubectlWith(ctx, kubeconfig, "get", "pods", "-n", namespace)
	return err
}

// expectWorks waits until a token lets its holder see Pods, or until it doesn't.
func expectWorks(ctx context.Context, kubeconfig, namespace string) {
	GinkgoHelper()
	Eventually(podsIn).WithContext(ctx).WithArguments(kubeconfig, namespace).WithPolling(200 * time.Millisecond).Should(Succeed())
}

func expectForbidden(ctx context.Context, kubeconfig, namespace string) {
	GinkgoHelper()
	Eventually(podsIn).WithContext(ctx).WithArguments(kubeconfig, namespace).WithPolling(200 * time.Millisecond).
		Should(MatchError(ContainSubstring("is forbidden")))
}

// isUnknown: the API server doesn't know the token any more, which its cache can put off by ten seconds.
var isUnknown = Or(ContainSubstring("Unauthorized"), ContainSubstring("must be logged in"))

// expectUnknown waits until the API server doesn't know the token any more.
func expectUnknown(ctx context.Context, kubeconfig, namespace string) {
	GinkgoHelper()
	Eventually(podsIn).WithContext(ctx).WithArguments(kubeconfig, namespace).WithPolling(time.Second).
		Should(MatchError(isUnknown))
}

// expectRefused waits until a token that has ended is refused: it has no rights any more, or isn't known.
func expectRefused(ctx context.Context, kubeconfig, namespace string) {
	GinkgoHelper()
	Eventually(podsIn).WithContext(ctx).WithArguments(kubeconfig, namespace).WithPolling(200 * time.Millisecond).
		Should(MatchError(Or(ContainSubstring("is forbidden"), isUnknown)))
}

// tokenIn is the token that a kubeconfig holds.
func tokenIn(kubeconfig string) string {
	GinkgoHelper()
	loaded, err := clientcmd.LoadFromFile(kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	return loaded.AuthInfos[loaded.Contexts[loaded.CurrentContext].AuthInfo].Token
}

// tracesOf are what betrays a token: its signature, and the whole as a Secret shows it.
func tracesOf(token string) []string {
	return []string{token[strings.LastIndex(token, ".")+1:], base64.StdEncoding.EncodeToString([]byte(token))}
}

// containAnyOf matches a text that holds one of some others.
func containAnyOf(texts []string) types.GomegaMatcher {
	var matchers []types.GomegaMatcher
	for _, text := range texts {
		matchers = append(matchers, ContainSubstring(text))
	}
	return Or(matchers...)
}

var _ = Describe("An API token", func() {
	const owner = "ana@tokens"

	// stage makes an organization with two projects, and a user who is a developer in the whole of it.
	stage := func(ctx context.Context, organization, user string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
		GinkgoHelper()
		membership := expectations.Membership(organization, "bo", user, roles...)
		made := expectations.Organization(organization, owner)
		expect.Create(ctx, made)
		expect.Ready(ctx, made)
		expect.Create(ctx, expectations.Project(organization, "shop"), expectations.Project(organization, "site"), membership)
		expect.Ready(ctx, membership)
		return membership
	}

	It("lets kubectl do what its roles allow in its projects, and no more once the user's role is lowered", func(ctx context.Context) {
		const organization, bo = "tokened", "bo@tokened"
		membership := stage(ctx, organization, bo, "developer")
		token := apiToken(organization, "ci", "", []v1alpha1.RoleName{"editor", "viewer"}, "shop")
		Expect(asUser(bo).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		Expect(token.Spec.User).To(BeEquivalentTo(bo))
		Expect(token.Status.TokenID).To(HavePrefix("JTI="))
		kubeconfig := kubeconfigOf(ctx, token)
		expectWorks(ctx, kubeconfig, "tokened-shop")
		expectForbidden(ctx, kubeconfig, "tokened-site")
		expectForbidden(ctx, kubeconfig, "org-tokened")
		_, err := kubectlWith(ctx, kubeconfig, "create", "configmap", "words", "-n", "tokened-shop")
		Expect(err).NotTo(HaveOccurred())
		_, err = kubectlWith(ctx, kubeconfig, "create", "deployment", "web", "--image=web", "-n", "tokened-shop")
		Expect(err).To(MatchError(ContainSubstring("is forbidden")))

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Roles = []v1alpha1.RoleName{"viewer"} })
		expect.Ready(ctx, membership)
		_, err = kubectlWith(ctx, kubeconfig, "create", "configmap", "more", "-n", "tokened-shop")
		Expect(err).To(MatchError(ContainSubstring("is forbidden")))
		expectWorks(ctx, kubeconfig, "tokened-shop")
		expect.NotReady(ctx, token, "RolesExceedUser")
		Expect(token.Status.Roles).To(ConsistOf(v1alpha1.RoleName("viewer")))

		expect.Delete(ctx, membership)
		expect.Gone(ctx, membership)
		Expect(podsIn(ctx, kubeconfig, "tokened-shop")).To(MatchError(ContainSubstring("is forbidden")))
		expect.NotReady(ctx, token, "UserNotMember")
	})

	It("works beside the next one for the overlap of a rotation, and not after, and goes whole when it is deleted", func(ctx context.Context) {
		const organization, bo = "rotated", "bo@rotated"
		stage(ctx, organization, bo, "viewer")
		token := apiToken(organization, "ci", bo, []v1alpha1.RoleName{"viewer"})
		token.Spec.Rotation = &v1alpha1.TokenRotation{
			Every: metav1.Duration{Duration: time.Hour}, Overlap: &metav1.Duration{Duration: 5 * time.Second},
		}
		Expect(asUser(bo).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		before := kubeconfigOf(ctx, token)
		expectWorks(ctx, before, "rotated-shop")
		first := token.Status.TokenID

		// A patch, as Roster notes meanwhile when the token was used last.
		Expect(patchAs(ctx, bo, token, fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`,
			v1alpha1.AnnotationRotate, time.Now().Format(time.RFC3339)))).To(Succeed())
		Eventually(func() (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(token), token)
			return token.Status.TokenID, err
		}).WithContext(ctx).ShouldNot(Equal(first))
		// First what works for the overlap alone.
		Expect(podsIn(ctx, before, "rotated-shop")).To(Succeed())
		after := kubeconfigOf(ctx, token)
		Expect(tokenIn(after)).NotTo(Equal(tokenIn(before)))
		Expect(podsIn(ctx, after, "rotated-shop")).To(Succeed())
		expectUnknown(ctx, before, "rotated-shop")
		Expect(podsIn(ctx, after, "rotated-shop")).To(Succeed())

		// Deleted so that the garbage collector is asked to leave what the token consists of.
		Expect(asUser(bo).Delete(ctx, token, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		expectRefused(ctx, after, "rotated-shop")
		expect.Gone(ctx, token)
		for _, list := range []client.ObjectList{&corev1.SecretList{}, &corev1.ServiceAccountList{}} {
			Expect(k8s.List(ctx, list, client.InNamespace(token.Namespace), client.HasLabels{v1alpha1.LabelAPIToken})).To(Succeed())
			Expect(meta.LenList(list)).To(BeZero(), "%T", list)
		}
	})

	It("is made anew where its Secret is deleted, and is refused for good once it is revoked", func(ctx context.Context) {
		const organization, bo = "reissued", "bo@reissued"
		stage(ctx, organization, bo, "viewer")
		token := apiToken(organization, "ci", bo, []v1alpha1.RoleName{"viewer"}, "shop")
		token.Spec.SecretName = "pipeline"
		Expect(asUser(bo).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		before := kubeconfigOf(ctx, token)
		secret := &corev1.Secret{ObjectMeta: expectations.InOrganization(organization, "pipeline")}
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		var after string
		Eventually(func(g Gomega) {
			after = kubeconfigOf(ctx, token)
			g.Expect(tokenIn(after)).NotTo(Equal(tokenIn(before)))
		}).WithContext(ctx).Should(Succeed())
		expectWorks(ctx, after, "reissued-shop")

		administrator := "dana@reissued"
		expect.Create(ctx, expectations.Membership(organization, "dana", administrator, "administrator"))
		expect.Allowed(ctx, administrator, "revoke apitokens.roster.dev", "org-reissued")
		revoke := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"revoked": true}}`))
		Expect(asUser(administrator).Patch(ctx, token, revoke)).To(Succeed())
		expectRefused(ctx, after, "reissued-shop")
		expect.Gone(ctx, secret)
		expect.NotReady(ctx, token, "Revoked")
		Eventually(func() (v1alpha1.APITokenPhase, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(token), token)
			return token.Status.Phase, err
		}).WithContext(ctx).Should(Equal(v1alpha1.APITokenRevoked))
		expect.Gone(ctx, &corev1.ServiceAccount{ObjectMeta: expectations.InOrganization(organization, token.ServiceAccountName())})
		Consistently(func() bool {
			return strings.Contains(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret).Error(), "not found")
		}).WithContext(ctx).Should(BeTrue())

		expect.Delete(ctx, token)
		expect.Gone(ctx, token)
	})
})

var _ = Describe("An API token of who is held back", func() {
	const owner = "ana@tokens"

	It("gives nothing while its user is suspended, deactivated or without a second factor, and gives it back after", func(ctx context.Context) {
		const organization, bo = "held-token", "bo@held-token"
		membership := expectations.Membership(organization, "bo", bo, "viewer")
		person := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "owner-held-token"}, Spec: v1alpha1.UserSpec{
			Username: "ana@held-token", MFA: v1alpha1.MultiFactorAuthentication{Enrolled: true},
		}}
		within := expectations.Organization(organization, "ana@held-token")
		expect.Create(ctx, person, within)
		expect.Ready(ctx, within)
		expect.Create(ctx, expectations.Project(organization, "shop"), membership)
		expect.Ready(ctx, membership)
		token := apiToken(organization, "ci", bo, []v1alpha1.RoleName{"viewer"}, "shop")
		Expect(asUser(bo).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		account := "system:serviceaccount:org-held-token:" + token.ServiceAccountName()
		expect.Allowed(ctx, account, "get pods", "held-token-shop")
		held := func(reason string) {
			GinkgoHelper()
			expect.Refused(ctx, account, "get pods", "held-token-shop")
			expect.NotReady(ctx, token, reason)
			_, err := secretOf(ctx, token, bo)
			Expect(err).To(MatchError(ContainSubstring("is forbidden")))
		}
		back := func() {
			GinkgoHelper()
			expect.Allowed(ctx, account, "get pods", "held-token-shop")
			expect.Ready(ctx, token)
		}

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = true })
		held("UserSuspended")
		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = false })
		back()
		user := personOf(ctx, bo)
		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		held("UserDeactivated")
		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = false })
		back()
		expectations.Change(ctx, expect, within, func(o *v1alpha1.Organization) { o.Spec.RequireMFA = true })
		held("UserLacksMFA")
		expectations.Change(ctx, expect, within, func(o *v1alpha1.Organization) { o.Spec.RequireMFA = false })
		back()
	})

	It("is refused with all others of its user once that is deactivated", func(ctx context.Context) {
		const organization, bo, count = "swept-tokens", "bo@swept-tokens", 20
		membership := expectations.Membership(organization, "bo", bo, "viewer")
		made := expectations.Organization(organization, owner)
		expect.Create(ctx, made)
		expect.Ready(ctx, made)
		expect.Create(ctx, expectations.Project(organization, "shop"), membership)
		expect.Ready(ctx, membership)
		tokens := make([]*v1alpha1.APIToken, count)
		asBo := asUser(bo)
		for i := range tokens {
			tokens[i] = apiToken(organization, fmt.Sprintf("ci-%d", i), bo, []v1alpha1.RoleName{"viewer"}, "shop")
			Expect(asBo.Create(ctx, tokens[i])).To(Succeed())
		}
		holders := make([]client.Client, count)
		for i, token := range tokens {
			expect.Ready(ctx, token)
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfigOf(ctx, token))
			Expect(err).NotTo(HaveOccurred())
			holders[i] = clientFor(config)
			Expect(holders[i].List(ctx, &corev1.PodList{}, client.InNamespace("swept-tokens-shop"))).To(Succeed())
		}
		expectations.Change(ctx, expect, personOf(ctx, bo), func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		begin := time.Now()
		for _, holder := range holders {
			Eventually(func() error {
				return holder.List(ctx, &corev1.PodList{}, client.InNamespace("swept-tokens-shop"))
			}).WithContext(ctx).Should(MatchError(ContainSubstring("is forbidden")))
		}
		AddReportEntry("time until the last one is refused", time.Since(begin).String())
		for _, holder := range holders {
			Expect(holder.List(ctx, &corev1.PodList{}, client.InNamespace("swept-tokens-shop"))).NotTo(Succeed())
		}
	})

	It("stands nowhere but in its Secret", func(ctx context.Context) {
		const organization, bo = "secret-token", "bo@secret-token"
		made := expectations.Organization(organization, bo)
		expect.Create(ctx, made)
		expect.Ready(ctx, made)
		expect.Create(ctx, expectations.Project(organization, "shop"))
		token := apiToken(organization, "ci", bo, []v1alpha1.RoleName{"viewer"}, "shop")
		token.Spec.Description = "no-secret-at-all"
		expect.Allowed(ctx, bo, "create apitokens.roster.dev", "org-secret-token")
		Expect(asUser(bo).Create(ctx, token)).To(Succeed())
		expect.Ready(ctx, token)
		kubeconfig := kubeconfigOf(ctx, token)
		expectWorks(ctx, kubeconfig, "secret-token-shop")
		traces := tracesOf(tokenIn(kubeconfig))
		found, err := cluster.Kubectl(ctx, "get", "secret", "ci", "-n", "org-secret-token", "-o", "yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(containAnyOf(traces), "what is looked for is found where it is")
		Eventually(func() (string, error) {
			return cluster.Kubectl(ctx, "get", "activities.view.roster.dev", "-n", "org-secret-token", "-o", "yaml")
		}).WithContext(ctx).Should(ContainSubstring("TokenIssued"))
		for _, arguments := range [][]string{
			{"get", "events", "-A", "-o", "yaml"},
			{"get", "activities.view.roster.dev,grants.view.roster.dev,members.view.roster.dev", "-n", "org-secret-token", "-o", "yaml"},
			{"get", "roster", "-A", "-o", "yaml"},
			{"get", "reports.view.roster.dev", time.Now().UTC().Format("2006-01"), "-n", "org-secret-token", "-o", "yaml"},
			{"get", "configmaps,serviceaccounts", "-A", "-o", "yaml"},
		} {
			Expect(cluster.Kubectl(ctx, arguments...)).NotTo(containAnyOf(traces), "kubectl %v", arguments)
		}
		status, metrics, err := newScraper(ctx, "token-scraper", true).get(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(http.StatusOK))
		Expect(metrics).NotTo(containAnyOf(traces), "metrics")
		// What the API server keeps in its audit log is what it sends as its audit stream.
		var files []string
		for _, pattern := range []string{"*.log", "*.db*"} {
			matching, err := filepath.Glob(filepath.Join(cluster.Directory, pattern))
			Expect(err).NotTo(HaveOccurred())
			files = append(files, matching...)
		}
		for _, name := range []string{"audit.log", environment.ManagerProcess + ".log", filepath.Base(cluster.ActivityDatabase())} {
			Expect(files).To(ContainElement(filepath.Join(cluster.Directory, name)))
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			isThere, err := containAnyOf(traces).Match(string(content))
			Expect(err).NotTo(HaveOccurred())
			Expect(isThere).To(BeFalse(), file)
		}
	})
})

// personOf is the User that Roster made for somebody.
func personOf(ctx context.Context, username string) *v1alpha1.User {
	GinkgoHelper()
	var users v1alpha1.UserList
	Eventually(func() ([]v1alpha1.User, error) {
		err := k8s.List(ctx, &users, client.MatchingFields{"spec.username": username})
		return users.Items, err
	}).WithContext(ctx).Should(HaveLen(1))
	return &users.Items[0]
}

var _ = Describe("The plugin", func() {
	It("makes, lists, rotates and revokes a token, and prints none", func(ctx context.Context) {
		const organization, bo = "plugged-token", "bo@plugged-token"
		made := expectations.Organization(organization, bo)
		expect.Create(ctx, made)
		expect.Ready(ctx, made)
		expect.Allowed(ctx, bo, "create apitokens.roster.dev", "org-plugged-token")
		run := func(arguments ...string) string {
			GinkgoHelper()
			output, err := plugin(ctx, bo, append([]string{"token"}, append(arguments, "--organization", organization)...)...)
			Expect(err).NotTo(HaveOccurred())
			return output
		}
		Expect(run("create", "ci", "--role", "viewer", "--organization-wide", "--expires-after", "24h", "--rotate-every", "1h",
			"--overlap", "0s")).To(Equal("apitoken.roster.dev/ci created: its token comes in Secret ci of namespace org-plugged-token\n"))
		token := apiToken(organization, "ci", bo, nil)
		expect.Ready(ctx, token)
		Expect(run("list")).To(MatchRegexp(`ci +bo@plugged-token +\["viewer"\] +Active +20\S+Z +unknown`))
		first := token.Status.TokenID
		Expect(run("rotate", "ci")).To(Equal("apitoken.roster.dev/ci: a new token comes in its Secret\n"))
		Eventually(func() (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(token), token)
			return token.Status.TokenID, err
		}).WithContext(ctx).ShouldNot(Equal(first))
		Eventually(func() (string, error) { return plugin(ctx, bo, "profile", "-o", "jsonpath={.tokens[*].name}") }).
			WithContext(ctx).Should(Equal("ci"))
		Eventually(func() int32 { return personOf(ctx, bo).Status.ActiveTokens }).WithContext(ctx).Should(BeEquivalentTo(1))
		Expect(run("revoke", "ci")).To(Equal("apitoken.roster.dev/ci: it is revoked\n"))
		expect.NotReady(ctx, token, "Revoked")
		_, err := plugin(ctx, bo, "token", "rotate", "ci", "--organization", organization)
		Expect(err).To(MatchError(ContainSubstring("API token ci has ended and gets no new token")))
		Eventually(func() string { return run("list") }).WithContext(ctx).Should(ContainSubstring("Revoked"))
		Eventually(func() int32 { return personOf(ctx, bo).Status.ActiveTokens }).WithContext(ctx).Should(BeZero())
	})
})
