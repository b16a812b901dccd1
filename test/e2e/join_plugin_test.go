package e2e_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("kubectl roster join", func() {
	It("asks, lists, approves, rejects and withdraws", func(ctx SpecContext) {
		agency(ctx, "pluginagency")
		customer(ctx, "pluginasked")
		ana, olga, bo := "ana@pluginagency", "olga@pluginasked", "bo@pluginagency"
		ask := "join request pluginagency/designers --organization pluginasked --role developer --project shop"
		expectPlugin(ctx, ana, ask, "joinrequest.roster.dev/pluginagency-designers created: it waits for the owners\n")
		request := &v1alpha1.JoinRequest{ObjectMeta: expectations.InOrganization("pluginasked", "pluginagency-designers")}
		phase(ctx, request, v1alpha1.JoinRequestPending)
		listed := func() (string, error) {
			return plugin(ctx, olga, "join", "list", "--organization", "pluginasked", "-o", "wide")
		}
		Expect(listed()).To(MatchRegexp(
			`^NAME +FROM +TEAM +ROLE +PHASE +AGE\npluginagency-designers +pluginagency +designers +developer +Pending +\S+\n$`))

		expectPluginRefused(ctx, ana, "join approve pluginagency-designers --organization pluginasked", "patch")
		expectPlugin(ctx, olga, "join approve pluginagency-designers --organization pluginasked --role viewer",
			"joinrequest.roster.dev/pluginagency-designers approved\n")
		expect.Allowed(ctx, bo, "list pods", "pluginasked-shop")
		expect.Refused(ctx, bo, "create deployments.apps", "pluginasked-shop")

		expectPlugin(ctx, olga, "join reject pluginagency-designers --organization pluginasked --reason Over",
			"joinrequest.roster.dev/pluginagency-designers rejected\n")
		expect.Refused(ctx, bo, "list pods", "pluginasked-shop")
		phase(ctx, request, v1alpha1.JoinRequestRejected)
		Expect(listed()).To(ContainSubstring("Rejected"))

		Eventually(func() (string, error) {
			return plugin(ctx, olga, "activity", "--organization", "pluginasked", "--actor", olga)
		}).WithContext(ctx).Should(SatisfyAll(ContainSubstring("JoinRequestApproved"), ContainSubstring("BindingCreated"),
			ContainSubstring("JoinRequestRejected"), ContainSubstring("BindingRemoved")))

		expectPlugin(ctx, ana, "join withdraw pluginagency-designers --organization pluginasked",
			"joinrequest.roster.dev/pluginagency-designers withdrawn\n")
		expect.Gone(ctx, request)
		expectPlugin(ctx, ana, ask, "joinrequest.roster.dev/pluginagency-designers created: it waits for the owners\n")
		phase(ctx, request, v1alpha1.JoinRequestPending)
	})

	It("says what is missing before it asks anybody", func(ctx SpecContext) {
		for arguments, problem := range map[string]string{
			"join request designers --organization acme --role viewer --project shop": "name the team with its organization",
			"join request agency/designers --organization acme --project shop":        "name the role to ask for",
			"join request agency/designers --organization acme --role viewer":         "say where: --project NAME",
			"join approve --organization acme":                                        "name the join request",
		} {
			expectPluginRefused(ctx, "ana@nowhere", arguments, problem)
		}
	})
})
