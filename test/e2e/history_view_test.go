package e2e_test

import (
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("The history in the view API", func() {
	It("tells with kubectl get activities who changed what, the newest first, back to the beginning", func(ctx SpecContext) {
		const name, ana = "hist-view", "ana@acme.example"
		organization := expectations.Organization(name, "owner@"+name)
		expect.Create(ctx, organization)
		expect.Ready(ctx, organization)
		member := historyMembership(name)
		Expect(author(ana).Create(ctx, member)).To(Succeed())
		changed(ctx, "pipeline@acme.example", member, func(m *v1alpha1.Membership) { m.Spec.Roles = []v1alpha1.RoleName{"editor"} })
		Expect(author(ana).Delete(ctx, member)).To(Succeed())
		expect.Gone(ctx, member)

		Eventually(func() ([]told, error) {
			output, err := cluster.Kubectl(ctx, "get", "activities", "--namespace", "org-"+name, "--output", "json", "--as", "owner@"+name)
			if err != nil {
				return nil, err
			}
			var list viewv1alpha1.ActivityList
			if err := json.Unmarshal([]byte(output), &list); err != nil {
				return nil, err
			}
			var found []told
			for _, activity := range list.Items {
				if activity.Object.Kind == "Membership" {
					found = append(found, told{activity.Action, activity.Actor, activity.Field, activity.Previous, activity.New})
				}
			}
			return found, nil
		}).WithContext(ctx).Should(Equal([]told{
			{Action: "MemberRemoved", Actor: ana},
			{"MemberRolesChanged", "pipeline@acme.example", "spec.roles", `["viewer"]`, `["editor"]`},
			{Action: "MemberAdded", Actor: ana, New: `{"spec.roles":"[\"viewer\"]","spec.user":"bo@hist-view"}`},
		}))

		By("chunks come together as the whole")
		list := []string{"get", "activities", "--namespace", "org-" + name, "--output", "name", "--as", "owner@" + name}
		Eventually(func(g Gomega) {
			whole, err := cluster.Kubectl(ctx, list...)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(strings.Count(whole, "\n")).To(BeNumerically(">", 4))
			g.Expect(cluster.Kubectl(ctx, append(list, "--chunk-size=2")...)).To(Equal(whole))
		}).WithContext(ctx).Should(Succeed())
	})
})
