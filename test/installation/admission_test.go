package installation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// withStaticPolicies has the API server ask the policies of config/policies/static, as docs/operations.md says.
func withStaticPolicies() environment.Options {
	GinkgoHelper()
	root, err := environment.ModuleRoot()
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "admission.yaml")
	Expect(os.WriteFile(file, fmt.Appendf(nil, `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionPolicy
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ValidatingAdmissionPolicyConfiguration
    staticManifestsDir: %s
`, filepath.Join(root, "config", "policies", "static")), 0o600)).To(Succeed())
	return environment.Options{APIServerArguments: map[string]string{
		"admission-control-config-file": file, "feature-gates": "ManifestBasedAdmissionControlConfig=true",
	}}
}

var _ = Describe("The deletion of Roster's admission configuration", func() {
	const webhook, policy = "validatingwebhookconfigurations.admissionregistration.k8s.io roster",
		"validatingadmissionpolicies.admissionregistration.k8s.io installation.roster.dev"

	It("takes a confirmation where the API server has its own manifests, also while the manager is away", func(ctx SpecContext) {
		i := install(ctx, withStaticPolicies())
		Expect(i.manager.Stop()).To(Succeed())
		for _, what := range []string{
			webhook, policy, "mutatingwebhookconfigurations.admissionregistration.k8s.io roster",
			"validatingadmissionpolicybindings.admissionregistration.k8s.io installation.roster.dev",
		} {
			remove := append([]string{"delete"}, strings.Fields(what)...)
			Expect(strings.TrimSpace(i.kubectl(ctx, remove...))).To(HaveSuffix(
				"its deletion has to be confirmed; if it is intended, confirm it and delete it again: kubectl %s",
				strings.Join(confirmation(what), " ")))
			i.does(ctx, confirmation(what)...)
			i.does(ctx, remove...)
		}
	})

	It("is said where it has none, until they are applied again", func(ctx SpecContext) {
		i := install(ctx, environment.Options{})
		i.found(ctx, "acme", 0, "")
		configured := func(value string) {
			GinkgoHelper()
			i.does(ctx, "wait", "--for=condition=roster.dev/WebhookConfigured="+value, "namespace/roster-system", "--timeout=30s")
		}
		i.does(ctx, append([]string{"delete"}, strings.Fields(webhook)...)...)
		configured("False")
		Expect(i.cluster.ConnectWebhook(ctx)).To(Succeed())
		configured("True")
		i.Create(ctx, expectations.Membership("acme", "bo", "bo@acme"))
	})
})
