package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// kubectlAs runs the real kubectl as a user and returns what it prints, with a single space between columns.
func kubectlAs(ctx context.Context, user string, arguments ...string) (string, error) {
	output, err := cluster.Kubectl(ctx, append([]string{"--as", user}, arguments...)...)
	return regexp.MustCompile(` {2,}`).ReplaceAllString(strings.ReplaceAll(output, " \n", "\n"), " "), err
}

// lines are what kubectl prints as a user.
func lines(ctx context.Context, user string, arguments ...string) func() ([]string, error) {
	return func() ([]string, error) {
		output, err := kubectlAs(ctx, user, arguments...)
		var found []string
		for _, line := range strings.Split(strings.TrimSpace(output), "\n") {
			found = append(found, strings.TrimSpace(line))
		}
		return found, err
	}
}

// expectLines waits until kubectl prints exactly some lines to a user.
func expectLines(ctx context.Context, user, command string, expected ...string) {
	GinkgoHelper()
	Eventually(lines(ctx, user, strings.Fields(command)...)).WithContext(ctx).Should(HaveExactElements(expected))
}

var _ = Describe("kubectl get members", func() {
	It("shows every effective member, where the roles come from, and who is invited or suspended", func(ctx SpecContext) {
		acme := openAccount(ctx, "view-members")
		shop := acme.project(ctx, "shop")
		Expect(shop).NotTo(BeEmpty())
		acme.join(ctx, "bo", "viewer")
		acme.join(ctx, "cy", "developer", "billing")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		suspended := expectations.Membership(acme.Name, "di", acme.user("di"), "viewer")
		suspended.Spec.Suspended = true
		expect.Create(ctx, suspended)
		invited := expectations.Membership(acme.Name, "ed", acme.user("ed"), "viewer")
		invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, invited)
		emea := acme.below(ctx, "view-members-emea")

		heading := "USER ROLES SOURCE STATUS LAST-SEEN"
		expectLines(ctx, acme.user("bo"), "get members -n org-view-members",
			heading,
			"bo@view-members.example viewer Direct Active <unknown>",
			"cy@view-members.example developer,billing Direct Active <unknown>",
			"di@view-members.example viewer Direct Suspended (Requested) <unknown>",
			"ed@view-members.example viewer Direct Invited <unknown>",
			"owner@view-members.example owner Owner Active <unknown>",
		)
		expectLines(ctx, acme.user("bo"), "get members -n "+emea.namespace(),
			heading,
			"bo@view-members.example viewer Inherited from view-members Active <unknown>",
			"cy@view-members.example developer,billing Inherited from view-members Active <unknown>",
			"gus@view-members.example owner Owner Active <unknown>",
			"owner@view-members.example owner Owner of view-members Active <unknown>",
		)

		By("fields select, also one of several roles")
		expectLines(ctx, acme.user("bo"), "get members -n org-view-members --field-selector role=viewer,status=Active",
			heading, "bo@view-members.example viewer Direct Active <unknown>")
		expectLines(ctx, acme.user("bo"), "get members -n org-view-members --field-selector role=billing",
			heading, "cy@view-members.example developer,billing Direct Active <unknown>")
		expectLines(ctx, acme.user("bo"), "get members -n org-view-members --field-selector source!=Direct",
			heading, "owner@view-members.example owner Owner Active <unknown>")
		_, err := kubectlAs(ctx, acme.user("bo"), "get", "members", "-n", "org-view-members", "--field-selector", "age=7")
		Expect(err).To(MatchError(ContainSubstring(
			`"age" is no field to select by; choose from metadata.name, user, role, source, status`)))
		_, err = kubectlAs(ctx, acme.user("bo"), "get", "members", "-n", "org-view-members", "-l", "a=b")
		Expect(err).To(MatchError(ContainSubstring(
			`labelSelector "a=b": a Member has no labels; select by fields instead: user, role, source, status`)))

		By("chunks come together as the whole, and other formats show all fields")
		whole, err := kubectlAs(ctx, acme.user("bo"), "get", "members", "-n", "org-view-members")
		Expect(err).NotTo(HaveOccurred())
		Expect(kubectlAs(ctx, acme.user("bo"), "get", "members", "-n", "org-view-members", "--chunk-size=2")).To(Equal(whole))
		Expect(lines(ctx, acme.user("bo"), "get", "members", "-n", "org-view-members", "-o", "wide")()).To(ContainElement(
			MatchRegexp("^bo@view-members.example viewer Direct Active <unknown> makers <none> <never> bo-view-members-example-[a-z2-7]+$")))
		yaml, err := cluster.Kubectl(ctx, "--as", acme.user("bo"), "get", "members", "-n", "org-view-members", "-o", "yaml",
			"--field-selector", "user="+acme.user("bo"))
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml).To(SatisfyAll(ContainSubstring("kind: Member\n"), ContainSubstring("roles:\n  - viewer\n"),
			ContainSubstring("source:\n    from: view-members\n    type: Direct\n"), ContainSubstring("teams:\n  - makers\n")))
		name, err := cluster.Kubectl(ctx, "--as", acme.user("bo"), "get", "members", "-n", "org-view-members", "-o", "name",
			"--field-selector", "role=billing")
		Expect(err).NotTo(HaveOccurred())
		Expect(kubectlAs(ctx, acme.user("bo"), "get", "-n", "org-view-members", strings.TrimSpace(name), "-o", "jsonpath={.user}")).
			To(Equal(acme.user("cy")))
	})

	It("is for the organization's members alone, and ends with the membership", func(ctx SpecContext) {
		acme, globex := openAccount(ctx, "view-acme"), openAccount(ctx, "view-globex")
		membership := acme.join(ctx, "bo", "member")
		globex.join(ctx, "gil", "administrator")
		commands := []string{"get members", "get grants", "get members --watch"}
		for _, command := range commands {
			_, err := kubectlAs(ctx, globex.user("gil"), append(strings.Fields(command), "-n", acme.namespace())...)
			Expect(err).To(MatchError(ContainSubstring("(Forbidden)")), command)
		}
		expectLines(ctx, acme.user("bo"), "get members -n org-view-acme --field-selector role=member -o name",
			"member.view.roster.dev/"+memberName(ctx, acme, "bo"))
		expect.Delete(ctx, membership)
		Eventually(func() error {
			_, err := kubectlAs(ctx, acme.user("bo"), "get", "members", "-n", acme.namespace())
			return err
		}).WithContext(ctx).Should(MatchError(ContainSubstring("(Forbidden)")))
	})

	It("--watch shows who comes, changes and goes", func(ctx SpecContext) {
		acme := openAccount(ctx, "view-watch")
		acme.join(ctx, "bo", "viewer")
		running, stop := context.WithCancel(ctx)
		defer stop()
		output := gbytes.NewBuffer()
		kubectl := cluster.KubectlCommand(running, "--as", acme.user("bo"), "get", "members", "-n", acme.namespace(),
			"--watch", "--output-watch-events")
		kubectl.Stdout, kubectl.Stderr = output, GinkgoWriter
		Expect(kubectl.Start()).To(Succeed())
		Eventually(output).WithContext(ctx).Should(gbytes.Say(`ADDED +owner@view-watch.example +owner +Owner`))

		cy := acme.join(ctx, "cy", "viewer")
		Eventually(output).WithContext(ctx).Should(gbytes.Say(`ADDED +cy@view-watch.example +viewer +Direct +Active`))
		expectations.Change(ctx, expect, cy, func(m *v1alpha1.Membership) { m.Spec.Roles = []v1alpha1.RoleName{"developer"} })
		Eventually(output).WithContext(ctx).Should(gbytes.Say(`MODIFIED +cy@view-watch.example +developer +Direct +Active`))
		expect.Delete(ctx, cy)
		Eventually(output).WithContext(ctx).Should(gbytes.Say(`DELETED +cy@view-watch.example`))
		Expect(strings.Count(string(output.Contents()), "bo@view-watch.example")).To(Equal(1), "who doesn't change is told once")
		stop()
		Expect(kubectl.Wait()).To(HaveOccurred(), "it watches until it is stopped")
	})
})

// memberName is the name of somebody's row.
func memberName(ctx context.Context, acme account, name string) string {
	GinkgoHelper()
	found, err := kubectlAs(ctx, acme.user("owner"), "get", "members", "-n", acme.namespace(),
		"--field-selector", "user="+acme.user(name), "-o", "jsonpath={.items[*].metadata.name}")
	Expect(err).NotTo(HaveOccurred())
	return found
}

var _ = Describe("kubectl explain", func() {
	DescribeTable("describes", func(ctx SpecContext, what string, expected ...string) {
		explained := func() (string, error) {
			return cluster.Kubectl(ctx, "--as", "anybody@view.example", "explain", what)
		}
		// The API server fetches descriptions now and then.
		Eventually(explained).WithContext(ctx).WithTimeout(time.Minute).Should(ContainSubstring(expected[0]))
		for _, text := range expected {
			Expect(explained()).To(MatchRegexp(text))
		}
	},
		Entry("members", "members", "view.roster.dev", "KIND: +Member", `roles\s+<\[\]string>`, "Active, Invited or Suspended"),
		Entry("the source of a member", "members.source", "MemberSource", `from\s+<string>`, `type\s+<string>`),
		Entry("grants", "grants", "view.roster.dev", "KIND: +Grant", `via\s+<\[\]Object>`),
		Entry("activities", "activities", "view.roster.dev", "KIND: +Activity", `actor\s+<string>`),
		Entry("profiles", "profiles", "self.roster.dev", "KIND: +Profile", `organizations\s+<\[\]ProfileOrganization>`),
	)
})

var _ = Describe("kubectl get grants", func() {
	It("shows each role, where it holds, and the chain of objects that gives it", func(ctx SpecContext) {
		acme := openAccount(ctx, "view-grants")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.team(ctx, "all", v1alpha1.TeamSpec{Role: "editor", Projects: objectNames("shop")})
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Parent: "all", Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
			Role: "viewer", Subjects: acme.people("bo"), Projects: objectNames("shop"),
		})
		expectLines(ctx, acme.user("bo"), "get grants -n org-view-grants --field-selector user="+acme.user("bo"),
			"USER NAMESPACE ROLE VIA",
			"bo@view-grants.example org-view-grants member Membership/org-view-grants/bo",
			"bo@view-grants.example view-grants-shop developer Team/org-view-grants/makers",
			"bo@view-grants.example view-grants-shop editor Team/org-view-grants/all > Team/org-view-grants/makers",
			"bo@view-grants.example view-grants-shop viewer RoleBinding/org-view-grants/wide",
		)
		expectLines(ctx, acme.user("bo"), "get grants -n org-view-grants --field-selector role=editor,namespace="+shop,
			"USER NAMESPACE ROLE VIA",
			"bo@view-grants.example view-grants-shop editor Team/org-view-grants/all > Team/org-view-grants/makers",
		)
		whole, err := kubectlAs(ctx, acme.user("bo"), "get", "grants", "-n", "org-view-grants")
		Expect(err).NotTo(HaveOccurred())
		Expect(kubectlAs(ctx, acme.user("bo"), "get", "grants", "-n", "org-view-grants", "--chunk-size=2")).To(Equal(whole))
		names, err := kubectlAs(ctx, acme.user("bo"), "get", "grants", "-n", "org-view-grants", "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		all := strings.Fields(names)
		Expect(sets.New(all...)).To(HaveLen(len(all)), "each has a name of its own")
		for _, name := range all {
			Expect(kubectlAs(ctx, acme.user("bo"), "get", "-n", "org-view-grants", name, "-o", "name")).To(Equal(name + "\n"))
		}
	})
})

var _ = Describe("kubectl get profiles me", func() {
	It("shows everybody their own organizations, teams and invitations, and nobody else's", func(ctx SpecContext) {
		acme, globex := openAccount(ctx, "view-me"), openAccount(ctx, "view-me-globex")
		acme.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		invited := expectations.Membership(globex.Name, "bo", acme.user("bo"), "viewer")
		invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, invited)

		Eventually(lines(ctx, acme.user("bo"), "get", "profiles", "me")).WithContext(ctx).Should(HaveExactElements(
			"USER ORGANIZATIONS TEAMS INVITATIONS",
			// A Personal organization is made for everybody who owns none.
			MatchRegexp(`^bo@view-me.example (.*=owner,)?view-me=viewer(,.*=owner)? view-me/makers view-me-globex$`)))
		Expect(kubectlAs(ctx, globex.user("owner"), "get", "profiles", "me", "-o", "jsonpath={.user} {.organizations[*].name}")).
			To(Equal(globex.user("owner") + " view-me-globex"))
		expectLines(ctx, "stranger@view-me.example", "get profiles me",
			"USER ORGANIZATIONS TEAMS INVITATIONS", "stranger@view-me.example <none> <none> <none>")

		By("no other name is there to be asked for")
		_, err := kubectlAs(ctx, acme.user("bo"), "get", "profiles", "owner")
		Expect(err).To(MatchError(ContainSubstring("(Forbidden)")))
		_, err = cluster.Kubectl(ctx, "get", "profiles", "owner")
		Expect(err).To(MatchError(ContainSubstring(`profile "owner": the only name is me, which is your own`)))
	})
})

var _ = Describe("kubectl get activities", func() {
	It("answers, or says that nothing is kept", func(ctx SpecContext) {
		acme := openAccount(ctx, "view-activities")
		output, err := kubectlAs(ctx, acme.user("owner"), "get", "activities", "-n", acme.namespace())
		if err != nil {
			Expect(err).To(MatchError(ContainSubstring("this manager runs without an activity store")))
			return
		}
		Expect(output).NotTo(BeEmpty())
	})
})

var _ = Describe("Nothing of the view API", func() {
	It("can be written", func(ctx SpecContext) {
		acme := openAccount(ctx, "view-written")
		for _, command := range []string{"delete members --all", "delete grants --all"} {
			_, err := cluster.Kubectl(ctx, append(strings.Fields(command), "-n", acme.namespace())...)
			Expect(err).To(MatchError(ContainSubstring("MethodNotAllowed")), fmt.Sprint(command))
		}
	})
})
