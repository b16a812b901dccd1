package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
)

// pluginBinary is the kubectl plugin: the one beside the manager that ROSTER_MANAGER names, else one that is built.
var pluginBinary = sync.OnceValues(func() (string, error) {
	if manager := os.Getenv(environment.ManagerVariable); manager != "" {
		return filepath.Join(filepath.Dir(manager), "kubectl-roster"), nil
	}
	root, err := environment.ModuleRoot()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(os.TempDir(), fmt.Sprintf("kubectl-roster.%d", os.Getpid()))
	build := exec.Command("go", "build", "-o", binary, "./cmd/kubectl-roster")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/kubectl-roster: %w: %s", err, output)
	}
	DeferCleanup(os.Remove, binary)
	return binary, nil
})

// plugin runs the kubectl plugin as a user. The error is what it says on standard error where it fails.
func plugin(ctx context.Context, user string, arguments ...string) (string, error) {
	binary, err := pluginBinary()
	if err != nil {
		return "", err
	}
	arguments = append(arguments, "--kubeconfig", cluster.AdminKubeconfig(), "--as", user)
	command := exec.CommandContext(ctx, binary, arguments...)
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kubectl roster %s: %w: %s", strings.Join(arguments, " "), err, problems.String())
	}
	return output.String(), nil
}

// expectPlugin waits until the plugin says exactly something to a user.
func expectPlugin(ctx context.Context, user, command, expected string) {
	GinkgoHelper()
	Eventually(func() (string, error) { return plugin(ctx, user, strings.Fields(command)...) }).WithContext(ctx).
		Should(Equal(expected), command)
}

// expectPluginRefused waits until the plugin tells a user why it doesn't answer.
func expectPluginRefused(ctx context.Context, user, command, expected string) {
	GinkgoHelper()
	Eventually(func() error {
		_, err := plugin(ctx, user, strings.Fields(command)...)
		return err
	}).WithContext(ctx).Should(MatchError(ContainSubstring(expected)), command)
}

// printed puts lines together as a command prints them.
func printed(lines ...string) string { return strings.Join(lines, "\n") + "\n" }

var _ = Describe("kubectl roster members", func() {
	It("shows who is in an organization, searched by username, name and address", func(ctx SpecContext) {
		acme := openAccount(ctx, "plug-members")
		acme.join(ctx, "bo", "viewer")
		named := expectations.Membership(acme.Name, "cy", acme.user("cy"), "developer")
		named.Spec.DisplayName, named.Spec.Email = "Cyrus Boyle", "post@elsewhere.example"
		expect.Create(ctx, named)
		expect.Ready(ctx, named)
		whole, bo := []string{
			"USER                         ROLES       SOURCE   STATUS   LAST-SEEN",
			"bo@plug-members.example      viewer      Direct   Active   <unknown>",
			"cy@plug-members.example      developer   Direct   Active   <unknown>",
			"owner@plug-members.example   owner       Owner    Active   <unknown>",
		}, acme.user("bo")
		expectPlugin(ctx, bo, "members --organization plug-members", printed(whole...))
		expectPlugin(ctx, bo, "members -n org-plug-members --chunk-size 1", printed(whole...))
		expectPlugin(ctx, bo, "members -n org-plug-members --search BO", printed(
			"USER                      ROLES       SOURCE   STATUS   LAST-SEEN",
			"bo@plug-members.example   viewer      Direct   Active   <unknown>",
			"cy@plug-members.example   developer   Direct   Active   <unknown>",
		))
		expectPlugin(ctx, bo, "members -n org-plug-members --search @elsewhere -o jsonpath={.items[*].user}", acme.user("cy"))
		expectPlugin(ctx, bo, "members -n org-plug-members --field-selector role=owner --no-headers",
			"owner@plug-members.example   owner   Owner   Active   <unknown>\n")
		Expect(plugin(ctx, bo, "members", "-n", "org-plug-members", "-o", "wide", "--limit", "1")).
			To(MatchRegexp(`^USER .* NAME\nbo@plug-members.example .*\n$`))
		Expect(plugin(ctx, bo, "members", "-n", "org-plug-members", "-o", "yaml")).
			To(HavePrefix("apiVersion: v1\nitems:\n- apiVersion: view.roster.dev/v1alpha1\n"))
		kubectl, err := cluster.Kubectl(ctx, "--as", bo, "get", "members", "-n", "org-plug-members", "-o", "json")
		Expect(err).NotTo(HaveOccurred())
		Expect(plugin(ctx, bo, "members", "-n", "org-plug-members", "-o", "json")).To(MatchJSON(kubectl))
	})

	It("refuses a stranger, and says which right is missing and who gives it", func(ctx SpecContext) {
		openAccount(ctx, "plug-stranger")
		const right = "which the role member gives; an owner or administrator of plug-stranger gives that by a Membership"
		for _, resource := range []string{"members", "grants"} {
			expectPluginRefused(ctx, "stranger@plug.example", resource+" -n org-plug-stranger",
				"it takes the right to list "+resource+".view.roster.dev in org-plug-stranger, "+right)
		}
		expectPluginRefused(ctx, "stranger@plug.example", "activity --organization plug-stranger",
			"it takes the right to list activities.view.roster.dev in org-plug-stranger, "+right)
		expectPluginRefused(ctx, "stranger@plug.example", "why bo@plug.example -n org-plug-stranger", right)
		expectPluginRefused(ctx, "stranger@plug.example", "members -A", "name one organization with --organization instead")
		expectPluginRefused(ctx, "stranger@plug.example", "members",
			`your present namespace "default" is no organization's: name one with --organization NAME or -n org-NAME`)
		expectPlugin(ctx, "stranger@plug.example", "tree", "")
	})
})

var _ = Describe("kubectl roster grants", func() {
	It("shows who holds what in an organization or in one namespace, searched by username, name and address",
		func(ctx SpecContext) {
			acme := openAccount(ctx, "plug-grants")
			acme.project(ctx, "shop")
			acme.join(ctx, "bo", "viewer")
			named := expectations.Membership(acme.Name, "cy", acme.user("cy"), "developer")
			named.Spec.DisplayName = "Bob"
			expect.Create(ctx, named)
			expect.Ready(ctx, named)
			searched := "grants -n org-plug-grants --search bo --field-selector namespace=org-plug-grants"
			expectPlugin(ctx, acme.user("bo"), searched, printed(
				"USER                     NAMESPACE         ROLE        VIA",
				"bo@plug-grants.example   org-plug-grants   viewer      Membership/org-plug-grants/bo",
				"cy@plug-grants.example   org-plug-grants   developer   Membership/org-plug-grants/cy",
			))
			expectPlugin(ctx, acme.user("bo"), "grants -n plug-grants-shop --no-headers", printed(
				"bo@plug-grants.example      plug-grants-shop   viewer      Membership/org-plug-grants/bo",
				"cy@plug-grants.example      plug-grants-shop   developer   Membership/org-plug-grants/cy",
				"owner@plug-grants.example   plug-grants-shop   owner       Organization/plug-grants",
			))
			expectPluginRefused(ctx, acme.user("bo"), "members -n plug-grants-shop",
				`namespace "plug-grants-shop" is a project's, and this is about a whole organization: use -n org-plug-grants`)
		})
})

var _ = Describe("kubectl roster profile", func() {
	It("shows everybody their own places and invitations, also with what is above", func(ctx SpecContext) {
		acme := openAccount(ctx, "plug-me")
		acme.below(ctx, "plug-me-sub")
		acme.join(ctx, "bo", "viewer")
		Eventually(func() (string, error) { return plugin(ctx, acme.user("bo"), "profile") }).WithContext(ctx).
			Should(MatchRegexp(
				`(?s)^USER +ORGANIZATIONS +TEAMS +INVITATIONS\nbo@plug-me.example .*plug-me=viewer,plug-me-sub=viewer`))
		expectPlugin(ctx, acme.user("bo"), `profile -o jsonpath={.organizations[?(@.name=="plug-me-sub")].parent}`, "plug-me")
		expectPlugin(ctx, "stranger@plug-me.example", "profile -o name", "profile.self.roster.dev/me\n")
	})
})

var _ = Describe("kubectl roster tree", func() {
	It("draws organizations, those below, teams and members, as far as the caller may see them", func(ctx SpecContext) {
		acme := openAccount(ctx, "plug-tree")
		emea := acme.below(ctx, "plug-tree-emea")
		acme.join(ctx, "bo", "viewer")
		emea.join(ctx, "di", "viewer")
		acme.project(ctx, "shop")
		acme.team(ctx, "all", v1alpha1.TeamSpec{Role: "editor", Projects: objectNames("shop")})
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Parent: "all", Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		invited := expectations.Membership(acme.Name, "ed", acme.user("ed"), "viewer")
		invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, invited)
		drawn := printed(
			"plug-tree: 2 members, 1 invited",
			"├── team all (editor): 0 members",
			"│   └── team makers (developer): 1 member",
			"└── plug-tree-emea: 4 members",
		)
		expectPlugin(ctx, acme.user("bo"), "tree", drawn)
		expectPlugin(ctx, acme.user("owner"), "tree plug-tree", drawn)
		expectPlugin(ctx, "system:admin", "tree plug-tree --as-group system:masters", drawn)
		By("who is in the lower one alone sees no more than that")
		expectPlugin(ctx, acme.user("di"), "tree", "plug-tree-emea: 4 members\n")
		expectPluginRefused(ctx, acme.user("di"), "tree plug-tree",
			`organization "plug-tree": there is none of this name that you may see`)
	})
})

var _ = Describe("kubectl roster activity", func() {
	It("shows what was changed by whom, by actor and time", func(ctx SpecContext) {
		acme := openAccount(ctx, "plug-activity")
		bo := expectations.Membership(acme.Name, "bo", acme.user("bo"), "viewer")
		Expect(clientFor(cluster.As(acme.user("owner"))).Create(ctx, bo)).To(Succeed())
		expect.Ready(ctx, bo)
		added := `^TIME +ACTOR +ACTION +OBJECT +CHANGE\n` +
			`20\S+Z +owner@plug-activity.example +MemberAdded +Membership/org-plug-activity/bo .*\n$`
		command := strings.Fields("activity -n org-plug-activity --actor owner@plug-activity.example " +
			"--field-selector action=MemberAdded")
		Eventually(func() (string, error) { return plugin(ctx, acme.user("bo"), append(command, "--since", "1h")...) }).
			WithContext(ctx).Should(MatchRegexp(added))
		expectPlugin(ctx, acme.user("bo"), strings.Join(command, " ")+" --since 2100-01-01", "")
		expectPlugin(ctx, acme.user("bo"), "activity -n org-plug-activity --actor nobody", "")
		expectPluginRefused(ctx, acme.user("bo"), "activity -n org-plug-activity --since yesterday",
			`--since "yesterday": give a duration`)
	})
})

var _ = Describe("kubectl roster verify-activity", func() {
	It("finds that the manager's history holds, while the manager writes it, and changes nothing", func(ctx SpecContext) {
		acme := openAccount(ctx, "plug-verify")
		acme.join(ctx, "bo", "viewer")
		binary, err := pluginBinary()
		Expect(err).NotTo(HaveOccurred())
		database := cluster.ActivityDatabase()
		verified := func() (string, error) {
			output, err := exec.CommandContext(ctx, binary,
				"verify-activity", "--database-url", database, "-n", acme.namespace()).CombinedOutput()
			return string(output), err
		}
		Eventually(verified).WithContext(ctx).Should(MatchRegexp(
			`^the chain of namespace org-plug-verify holds: \d+ entries, the last one is \d+ with hash [0-9a-f]{64}\n$`))
	})
})

var _ = Describe("kubectl roster why", func() {
	It("prints the chain that gives each role: as an owner, a member, of a team, by a binding, from above", func(
		ctx SpecContext,
	) {
		acme := openAccount(ctx, "plug-why")
		emea := acme.below(ctx, "plug-why-emea")
		acme.project(ctx, "shop")
		acme.join(ctx, "bo", "member")
		acme.team(ctx, "all", v1alpha1.TeamSpec{Role: "editor", Projects: objectNames("shop")})
		acme.team(ctx, "makers", v1alpha1.TeamSpec{
			Parent: "all", Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop"),
		})
		acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
			Role: "viewer", Subjects: acme.people("bo"), OrganizationWide: true,
		})
		acme.bind(ctx, "crew", v1alpha1.RoleBindingSpec{
			Role: "billing", Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "makers"}},
			Projects: objectNames("shop"),
		})
		expectPlugin(ctx, acme.user("bo"), "why bo@plug-why.example", printed(
			"bo@plug-why.example in organization plug-why: active, as a member",
			"  org-plug-why",
			"    member   by a membership   Membership/org-plug-why/bo",
			"    viewer   by a binding      RoleBinding/org-plug-why/wide",
			"  plug-why-shop",
			"    billing     by a binding to a team        RoleBinding/org-plug-why/crew > Team/org-plug-why/makers",
			"    developer   as a member of a team         Team/org-plug-why/makers",
			"    editor      as a member of a child team   Team/org-plug-why/all > Team/org-plug-why/makers",
			"    viewer      by a binding                  RoleBinding/org-plug-why/wide",
			"",
			"bo@plug-why.example in organization plug-why-emea: active, as a member of organization plug-why above",
			"  org-plug-why-emea",
			"    member   by a membership of plug-why above   Membership/org-plug-why/bo",
			"    viewer   by a binding of plug-why above      RoleBinding/org-plug-why/wide",
		))
		expectPlugin(ctx, acme.user("owner"), "why owner@plug-why.example -n "+emea.namespace(), printed(
			"owner@plug-why.example in organization plug-why-emea: active, as an owner of organization plug-why above",
			"  org-plug-why-emea",
			"    owner   as an owner of plug-why above   Organization/plug-why",
		))
		By("in one namespace of a project")
		expectPlugin(ctx, acme.user("bo"), "why owner@plug-why.example -n plug-why-shop", printed(
			"owner@plug-why.example in organization plug-why: active, as an owner",
			"  plug-why-shop",
			"    owner   as an owner   Organization/plug-why",
		))
		expectPlugin(ctx, acme.user("bo"), "why nobody@plug-why.example --organization plug-why",
			"nobody@plug-why.example has no place in organization plug-why and holds nothing there; a Membership gives one\n")
	})

	It("prints the gate that takes it: suspended, deactivated, without a second factor, expired", func(ctx SpecContext) {
		acme := openAccount(ctx, "plug-gates")
		emea := acme.below(ctx, "plug-gates-emea")
		owner := acme.user("owner")
		membership := acme.join(ctx, "bo", "viewer")
		acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo")})
		heading := "bo@plug-gates.example in organization plug-gates: suspended, holds nothing"
		would := "  holds then: in the organization viewer; what the teams give that list the user: makers"

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = true })
		requested := []string{
			heading, "  taken by Requested: spec.suspended of Membership/org-plug-gates/bo is true",
			"  given back when it is false again", would,
		}
		expectPlugin(ctx, owner, "why bo@plug-gates.example --organization plug-gates", printed(requested...))
		By("what is suspended above is inherited no more")
		expectPlugin(ctx, owner, "why bo@plug-gates.example -n "+emea.namespace(), printed(append([]string{
			"bo@plug-gates.example has no place in organization plug-gates-emea and holds nothing there; a Membership gives one",
		}, requested...)...))
		By("who is suspended is told so, and nothing else")
		expectPlugin(ctx, acme.user("bo"), "why bo@plug-gates.example --organization plug-gates", printed(
			heading, "  taken by Requested: spec.suspended of the Membership is true", "  given back when it is false again",
			"  holds then: what the teams give that list the user: makers"))
		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) { m.Spec.Suspended = false })
		expect.Ready(ctx, membership)

		enroll(ctx, owner, true)
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = true })
		expectPlugin(ctx, owner, "why bo@plug-gates.example -n org-plug-gates", printed(
			heading,
			"  taken by MFARequired: the organization or one above requires a second factor, and no User says that this user has one",
			"  given back when the user's identity provider, or the support desk, attests one", would))
		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.RequireMFA = false })
		expect.Ready(ctx, membership)

		user := userCalled(ctx, acme.user("bo"))
		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = true })
		deactivated := printed(heading,
			"  taken by Deactivated: the User is deactivated, here and in every other organization",
			"  given back when spec.deactivated of the User is false again", would)
		expectPlugin(ctx, owner, "why bo@plug-gates.example -n org-plug-gates", deactivated)
		expectPlugin(ctx, acme.user("bo"), "why bo@plug-gates.example -n org-plug-gates", deactivated)
		expectations.Change(ctx, expect, user, func(u *v1alpha1.User) { u.Spec.Deactivated = false })
		expect.Ready(ctx, membership)

		expectations.Change(ctx, expect, membership, func(m *v1alpha1.Membership) {
			m.Spec.ExpiresAt = &metav1.Time{Time: m.CreationTimestamp.Time}
		})
		Eventually(func() (bool, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(membership), membership)
			return membership.Status.Phase == v1alpha1.MembershipExpired, err
		}).WithContext(ctx).Should(BeTrue())
		expectPlugin(ctx, owner, "why bo@plug-gates.example -n org-plug-gates", printed(
			"bo@plug-gates.example in organization plug-gates: no member, holds nothing",
			"  taken by an end: Membership/org-plug-gates/bo has expired at "+membership.Spec.ExpiresAt.UTC().Format(time.RFC3339),
			"  given back by a later spec.expiresAt, or by a new invitation where it wasn't answered in time"))
	})
})
