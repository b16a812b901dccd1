package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/certificates"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// servedAs is the name in the certificate that metrics are served with.
const servedAs = "roster.roster-system.svc"

// scraper reads the manager's metrics with a token, and trusts nobody but Roster's own authority.
type scraper struct {
	token       string
	authorities *x509.CertPool
}

// newScraper is a ServiceAccount that may read metrics, or may not.
func newScraper(ctx context.Context, name string, mayRead bool) scraper {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: environment.ManagerNamespace, Name: name}
	account := &corev1.ServiceAccount{ObjectMeta: meta}
	Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, account))).To(Succeed())
	if mayRead {
		Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "roster-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: meta.Namespace, Name: name}},
		}))).To(Succeed())
	}
	config, err := cluster.ServiceAccount(ctx, meta.Namespace, name)
	Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: meta.Namespace, Name: certificates.SecretName}, secret)).To(Succeed())
	authorities := x509.NewCertPool()
	Expect(authorities.AppendCertsFromPEM(secret.Data[certificates.AuthorityCertificate])).To(BeTrue())
	return scraper{token: config.BearerToken, authorities: authorities}
}

func (s scraper) get(ctx context.Context) (status int, text string, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.authorities, ServerName: servedAs}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+cluster.MetricsAddress()+"/metrics", nil)
	if err != nil {
		return 0, "", err
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), errors.Join(err, response.Body.Close())
}

// value is what a metric says now. One that isn't there says nothing, which no test takes for 0.
func (s scraper) value(ctx context.Context, series string) float64 {
	GinkgoHelper()
	status, text, err := s.get(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(status).To(Equal(http.StatusOK), text)
	for line := range strings.Lines(text) {
		if number, found := strings.CutPrefix(line, series+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			Expect(err).NotTo(HaveOccurred())
			return value
		}
	}
	Fail("no metric " + series)
	return 0
}

// documentedMetrics are those of the reference, from a heading on.
func documentedMetrics(heading, end string) []string {
	GinkgoHelper()
	root, err := environment.ModuleRoot()
	Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(root, "docs", "reference", "metrics.md"))
	Expect(err).NotTo(HaveOccurred())
	_, text, found := strings.Cut(string(content), heading)
	Expect(found).To(BeTrue(), heading)
	text, _, found = strings.Cut(text, end)
	Expect(found).To(BeTrue(), end)
	var names []string
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:gauge|counter|histogram) \\|")
	for _, match := range rows.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	Expect(names).NotTo(BeEmpty())
	return names
}

// Numbers are of all organizations together: nobody else may change any meanwhile.
var _ = Describe("The metrics of a running manager", Serial, func() {
	const (
		active    = `roster_memberships{phase="Active"}`
		suspended = `roster_memberships{phase="Suspended"}`
		ready     = `roster_organizations{ready="true",type="Standard"}`
	)
	var prometheus scraper

	BeforeEach(func(ctx SpecContext) { prometheus = newScraper(ctx, "metrics-prometheus", true) })

	It("are shown to who may read them, and to nobody else", func(ctx SpecContext) {
		status, text, err := prometheus.get(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(http.StatusOK), text)
		status, text, err = newScraper(ctx, "metrics-stranger", false).get(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(http.StatusForbidden), text)
		for _, token := range []string{"", "forged"} {
			status, text, err = scraper{token: token, authorities: prometheus.authorities}.get(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(status).NotTo(Equal(http.StatusOK))
			Expect(text).NotTo(ContainSubstring("roster_"))
		}
	})

	It("count a refused Membership by its rule", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "metrics-refused")
		const rule = `roster_admission_refusals_total{rule="duplicate-membership"}`
		before := prometheus.value(ctx, rule)
		err := k8s.Create(ctx, expectations.Membership(w.organization, "again", w.viewer, "viewer"))
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(prometheus.value(ctx, rule)).To(Equal(before + 1))
	})

	It("count a binding that was tampered with, and the writes that undo it", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "metrics-tampered")
		const undone, updates = "roster_tampering_undone_total", `roster_rbac_writes_total{kind="RoleBinding",verb="update"}`
		binding := w.bindingOf(ctx)
		tamperings, writes := prometheus.value(ctx, undone), prometheus.value(ctx, updates)
		expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
			binding.Subjects = append(binding.Subjects, rbacUser(w.intruder))
		})
		expect.Refused(ctx, w.intruder, seePods, w.namespace)
		Eventually(prometheus.value).WithContext(ctx).WithArguments(undone).Should(Equal(tamperings + 1))
		Expect(prometheus.value(ctx, updates)).To(BeNumerically(">", writes))
	})

	It("count no tampering where access is given and taken", func(ctx SpecContext) {
		before := prometheus.value(ctx, "roster_tampering_undone_total")
		w := makeWorkshop(ctx, "metrics-untampered")
		for _, role := range []v1alpha1.RoleName{"developer", "viewer", "maintainer", "viewer"} {
			expectations.Change(ctx, expect, w.membership, func(membership *v1alpha1.Membership) {
				membership.Spec.Roles = []v1alpha1.RoleName{role}
			})
			expect.Ready(ctx, w.membership)
		}
		Expect(prometheus.value(ctx, "roster_tampering_undone_total")).To(Equal(before))
	})

	It("follow a suspension and its end", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "metrics-suspended")
		activeBefore, suspendedBefore := prometheus.value(ctx, active), prometheus.value(ctx, suspended)
		suspend := func(suspended bool) {
			expectations.Change(ctx, expect, w.membership, func(membership *v1alpha1.Membership) {
				membership.Spec.Suspended = suspended
			})
		}
		suspend(true)
		Eventually(prometheus.value).WithContext(ctx).WithArguments(suspended).Should(Equal(suspendedBefore + 1))
		Eventually(prometheus.value).WithContext(ctx).WithArguments(active).Should(Equal(activeBefore - 1))
		suspend(false)
		Eventually(prometheus.value).WithContext(ctx).WithArguments(suspended).Should(Equal(suspendedBefore))
		Eventually(prometheus.value).WithContext(ctx).WithArguments(active).Should(Equal(activeBefore))
	})

	It("rise with an organization and fall when it goes", func(ctx SpecContext) {
		organizations, grants := prometheus.value(ctx, ready), prometheus.value(ctx, "roster_grants")
		account := expectations.Organization("metrics-going", "owner@metrics-going.example")
		expect.Create(ctx, account)
		expect.Ready(ctx, account)
		Eventually(prometheus.value).WithContext(ctx).WithArguments(ready).Should(Equal(organizations + 1))
		Eventually(prometheus.value).WithContext(ctx).WithArguments("roster_grants").Should(BeNumerically(">", grants))
		expect.Delete(ctx, account)
		expect.Gone(ctx, account)
		Eventually(prometheus.value).WithContext(ctx).WithArguments(ready).Should(Equal(organizations))
		Eventually(prometheus.value).WithContext(ctx).WithArguments("roster_grants").Should(Equal(grants))
	})

	It("tell how long a change took to be in force, and that none waits", func(ctx SpecContext) {
		before := prometheus.value(ctx, "roster_sync_lag_seconds_count")
		makeWorkshop(ctx, "metrics-lag")
		Expect(prometheus.value(ctx, "roster_sync_lag_seconds_count")).To(BeNumerically(">", before))
		Eventually(prometheus.value).WithContext(ctx).WithArguments("roster_sync_oldest_change_seconds").Should(BeZero())
	})

	It("are all that the reference names, the API server's too, and hold nobody's name", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "metrics-named")
		_, text, err := prometheus.get(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, name := range documentedMetrics("## Roster's own", "The API server, which") {
			if name != "leader_election_master_status" { // The suite's manager is alone and elects nobody.
				Expect(text).To(ContainSubstring("\n# TYPE " + name + " "))
			}
		}
		for _, name := range []string{w.viewer, w.owner, "@", w.organization} {
			Expect(text).NotTo(ContainSubstring(name))
		}
		By("asking the API server, after a policy and the webhook have refused something")
		Expect(k8s.Delete(ctx, w.account)).NotTo(Succeed(), "nobody confirmed it")
		Expect(k8s.Create(ctx, expectations.Membership(w.organization, "again", w.viewer, "viewer"))).NotTo(Succeed())
		config := rest.CopyConfig(cluster.Admin())
		caller, err := rest.HTTPClientFor(config)
		Expect(err).NotTo(HaveOccurred())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/metrics", nil)
		Expect(err).NotTo(HaveOccurred())
		response, err := caller.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		served, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		for _, name := range documentedMetrics("The API server, which", "`up` is") {
			Expect(string(served)).To(ContainSubstring("\n# TYPE " + name + " "))
		}
	})
})
