package invitations_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/test/environment"
	"github.com/roster-dev/roster/test/expectations"
	"github.com/roster-dev/roster/test/smtp"
)

// reported waits until the condition Reported of an organization has a reason.
func (i *installation) reported(ctx context.Context, organization, reason string) {
	GinkgoHelper()
	Eventually(func() (string, error) {
		found := &v1alpha1.Organization{}
		err := i.k8s.Get(ctx, client.ObjectKey{Name: organization}, found)
		condition := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionReported)
		if condition == nil {
			return "", err
		}
		return condition.Reason, err
	}).WithContext(ctx).Should(Equal(reason))
}

// reportMails are those that the server has taken of an organization's reports.
func (i *installation) reportMails(organization string) []smtp.Message {
	var found []smtp.Message
	for _, message := range i.server.Received() {
		if strings.Contains(message.Subject, "("+organization+"): members and what stands out") {
			found = append(found, message)
		}
	}
	return found
}

// switchedOnEarlier makes it so that monthly reports were switched on long ago, while the manager is down.
func (i *installation) switchedOnEarlier(ctx context.Context, organization string) {
	GinkgoHelper()
	record := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "roster-reports-" + organization}
	Expect(i.k8s.Get(ctx, key, record)).To(Succeed())
	record.Data["record.json"] = `{"since":"2020-01-01T00:00:00Z"}`
	Expect(i.k8s.Update(ctx, record)).To(Succeed())
}

// seen writes when a user was last seen, and whether a second factor is attested, as Roster and the identity provider do.
func (i *installation) seen(ctx context.Context, username string, mfa bool, at time.Time) {
	GinkgoHelper()
	asRoster, err := client.New(i.cluster.As(environment.ManagerUser, "system:masters"), client.Options{Scheme: i.k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		var users v1alpha1.UserList
		if err := asRoster.List(ctx, &users, client.MatchingFields{"spec.username": username}); err != nil {
			return err
		}
		if len(users.Items) != 1 {
			return fmt.Errorf("%d Users of %s, as Roster still makes one", len(users.Items), username)
		}
		user := &users.Items[0]
		user.Spec.MFA.Enrolled = mfa
		if err := asRoster.Update(ctx, user); err != nil {
			return err
		}
		user.Status.LastSeenAt = &metav1.Time{Time: at}
		return asRoster.Status().Update(ctx, user)
	}).WithContext(ctx).Should(Succeed())
}

// recordedSince makes it so that who was seen is recorded since then.
func (i *installation) recordedSince(ctx context.Context, at time.Time) {
	GinkgoHelper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{map[string]any{
		"type": "roster.dev/LastSeen", "status": "True", "reason": "AuditStream", "lastTransitionTime": at.Format(time.RFC3339),
	}}}})
	Expect(err).NotTo(HaveOccurred())
	Expect(i.cluster.Kubectl(ctx, "patch", "namespace", v1alpha1.SystemNamespace, "--subresource=status", "--type=strategic",
		"--patch", string(patch))).NotTo(BeEmpty())
}

// linesOf are what the CSV form says of each member, by the names of its columns.
func linesOf(content []byte) map[string]map[string]string {
	GinkgoHelper()
	lines, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	Expect(err).NotTo(HaveOccurred())
	members := map[string]map[string]string{}
	for _, line := range lines[1:] {
		cells := map[string]string{}
		for i, name := range lines[0] {
			cells[name] = line[i]
		}
		members[cells["user"]] = cells
	}
	return members
}

var _ = Describe("A monthly report", Serial, Ordered, func() {
	const organization = "monthly"
	var (
		i        *installation
		mail     smtp.Message
		last     = time.Now().UTC().AddDate(0, 0, 1-time.Now().UTC().Day()).AddDate(0, -1, 0).Format("2006-01")
		longAgo  = time.Now().AddDate(0, 0, -100)
		justNow  = time.Now().Add(-time.Hour).Truncate(time.Second)
		user     = func(name string) string { return name + "@monthly.example" }
		findings = map[string]string{
			owner(organization): "", user("bo"): "NoMFA", user("cy"): "ElevatedAndStale NoSignIn", user("di"): "", user("ed"): "",
		}
	)

	BeforeAll(func(ctx SpecContext) {
		i = install(ctx)
		i.mailed(ctx)
		i.open(ctx, organization, func(o *v1alpha1.OrganizationSpec) { o.DisplayName = "Monthly Goods" })
		suspended := expectations.Membership(organization, "di", user("di"), "viewer")
		suspended.Spec.Suspended = true
		invited := expectations.Membership(organization, "ed", user("ed"), "viewer")
		invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
		bo, cy := expectations.Membership(organization, "bo", user("bo"), "viewer"),
			expectations.Membership(organization, "cy", user("cy"), "administrator")
		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(organization, "makers"), Spec: v1alpha1.TeamSpec{
			Role: "developer", Members: []v1alpha1.Username{v1alpha1.Username(user("bo"))}, Projects: []v1alpha1.ObjectName{"shop"},
		}}
		token := &v1alpha1.APIToken{ObjectMeta: expectations.InOrganization(organization, "ci"), Spec: v1alpha1.APITokenSpec{
			User: v1alpha1.Username(user("bo")), Roles: []v1alpha1.RoleName{"viewer"}, OrganizationWide: true,
		}}
		i.expect.Create(ctx, suspended, invited, bo, cy, team, token)
		i.expect.Ready(ctx, bo, cy, team, token)
		i.seen(ctx, owner(organization), true, justNow)
		i.seen(ctx, user("bo"), false, justNow)
		i.seen(ctx, user("cy"), true, longAgo)
		i.seen(ctx, user("di"), true, longAgo)
		i.recordedSince(ctx, longAgo.AddDate(0, 0, -1))
	}, NodeTimeout(5*time.Minute))

	AfterEach(func() { expectations.ShowManagerLog(i.manager.LogPath()) })

	It("of a month that was missed while the manager was down is mailed when it is back, and once though it restarts twice",
		func(ctx SpecContext) {
			changed := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: organization}}
			Expect(i.k8s.Get(ctx, client.ObjectKeyFromObject(changed), changed)).To(Succeed())
			expectations.Change(ctx, i.expect, changed, func(o *v1alpha1.Organization) { o.Spec.Reports.Monthly = true })
			i.reported(ctx, organization, "Waiting")
			Expect(i.reportMails(organization)).To(BeEmpty())
			Expect(i.manager.Stop()).To(Succeed())
			i.switchedOnEarlier(ctx, organization)
			for range 3 {
				i.restart(ctx)
				i.reported(ctx, organization, "Sent")
			}
			Expect(i.reportMails(organization)).To(HaveLen(1))
			mail = i.reportMails(organization)[0]
			Expect(mail.To).To(Equal([]string{owner(organization)}))
		})

	It("says of each member what the cluster says", func(ctx SpecContext) {
		lines := linesOf(mail.Attachments[organization+"-"+last+".csv"])
		answer, err := i.cluster.Kubectl(ctx, "get", "members", "-n", "org-"+organization, "-o", "json")
		Expect(err).NotTo(HaveOccurred())
		var members viewv1alpha1.MemberList
		Expect(json.Unmarshal([]byte(answer), &members)).To(Succeed())
		Expect(members.Items).To(HaveLen(5))
		Expect(lines).To(HaveLen(5))
		for _, member := range members.Items {
			line := lines[member.User]
			Expect(line["roles"]).To(Equal(strings.Join(member.Roles, " ")), member.User)
			Expect(line["source"]).To(Equal(string(member.Source.Type)), member.User)
			Expect(line["status"]).To(HavePrefix(string(member.Status)), member.User)
			seen := "unknown"
			if member.LastSeen != nil {
				seen = member.LastSeen.UTC().Format(time.RFC3339)
			}
			Expect(line["lastSeen"]).To(Equal(seen), member.User)
			Expect(line["findings"]).To(Equal(findings[member.User]), member.User)
			Expect(mail.HTML).To(ContainSubstring("<td style=\"padding:6px 10px;border:1px solid #d1d9e0\">" + member.User + "</td>"))
			Expect(mail.Text).To(MatchRegexp(`(?m)^%s +%s`, member.User, strings.Join(member.Roles, ", ")))
		}
		Expect(lines[user("bo")]["otherRoles"]).To(Equal("developer"))
		for name, line := range lines {
			Expect(line["mfa"]).To(Equal(map[bool]string{true: "yes", false: "no"}[name != user("bo") && name != user("ed")]), name)
			Expect(line["activeTokens"]).To(Equal(map[bool]string{true: "ci"}[name == user("bo")]), name)
		}
		Expect(mail.Text).To(ContainSubstring("Owners, administrators and maintainers without a sign-in for 90 days: 1\n"))
	})

	It("is kept, and read by who has the role billing, and by no mere member", func(ctx SpecContext) {
		billing := expectations.Membership(organization, "fay", user("fay"), "billing")
		i.expect.Create(ctx, billing)
		i.expect.Ready(ctx, billing)
		present := time.Now().UTC().Format("2006-01")
		Eventually(func() (string, error) {
			return i.cluster.Kubectl(ctx, "get", "reports", "-n", "org-"+organization, "--as", user("fay"), "--no-headers")
		}).WithContext(ctx).Should(SatisfyAll(
			MatchRegexp(`(?m)^%s +6 +1 +1 +2 +0 +now$`, present), MatchRegexp(`(?m)^%s +5 +1 +1 +1 +0 +2\S+Z$`, last)))
		Expect(i.roster(ctx, user("fay"), "report", "--organization", organization, "--month", last)).To(Equal(mail.Text))
		Expect(i.roster(ctx, user("fay"), "report", "-n", "org-"+organization, "-o", "csv")).To(ContainSubstring(user("fay")))
		Expect(i.cluster.Kubectl(ctx, "get", "reports", last, "-n", "org-"+organization, "-o", "jsonpath={.kept}")).To(Equal("true"))
		_, err := i.roster(ctx, user("bo"), "report", "--organization", organization)
		Expect(err).To(MatchError(ContainSubstring("which the role billing gives")))
		_, err = i.roster(ctx, user("fay"), "report", "--organization", organization, "--month", "2020-01")
		Expect(err).To(MatchError(ContainSubstring("no report of 2020-01 is kept of organization monthly: reports are kept of months")))
		_, err = i.roster(ctx, user("fay"), "report", "--organization", organization, "--month", "lately")
		Expect(err).To(MatchError(ContainSubstring(`month "lately": write year and month, such as 2026-11`)))
	})

	It("goes with its organization", func(ctx SpecContext) {
		project := expectations.Project(organization, "shop")
		i.expect.Delete(ctx, project)
		i.expect.Gone(ctx, project)
		gone := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: organization}}
		i.expect.Confirm(ctx, gone)
		Expect(i.k8s.Delete(ctx, gone)).To(Succeed())
		i.expect.Gone(ctx, gone,
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "roster-reports-" + organization}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
				Namespace: v1alpha1.SystemNamespace, Name: "roster-report-" + organization + "-" + last,
			}})
	})
})
