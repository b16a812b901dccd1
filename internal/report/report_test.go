package report_test

import (
	"bytes"
	"encoding/csv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/report"
)

var (
	now    = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	months = report.MonthOf(now).Previous()
)

func daysAgo(days int) *metav1.Time { return &metav1.Time{Time: now.AddDate(0, 0, -days)} }

// person is a User with a second factor who has been known for long.
func person(name string, lastSeen *metav1.Time) v1alpha1.User {
	return v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: *daysAgo(1000)},
		Spec:       v1alpha1.UserSpec{Username: v1alpha1.Username(name), MFA: v1alpha1.MultiFactorAuthentication{Enrolled: true}},
		Status:     v1alpha1.UserStatus{LastSeenAt: lastSeen},
	}
}

func membership(user string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	return &v1alpha1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: user},
		Spec:       v1alpha1.MembershipSpec{User: v1alpha1.Username(user), Roles: roles},
	}
}

func token(user, name string, lastUsed *metav1.Time) v1alpha1.APIToken {
	return v1alpha1.APIToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: name, CreationTimestamp: *daysAgo(200)},
		Spec:       v1alpha1.APITokenSpec{User: v1alpha1.Username(user)},
		Status:     v1alpha1.APITokenStatus{Phase: v1alpha1.APITokenActive, LastUsedAt: lastUsed},
	}
}

// acme is an organization that ana owns, recorded for a year.
func acme(memberships ...*v1alpha1.Membership) report.Facts {
	world := access.World{
		Organizations: []*v1alpha1.Organization{{
			ObjectMeta: metav1.ObjectMeta{Name: "acme"},
			Spec:       v1alpha1.OrganizationSpec{DisplayName: "Acme Goods", Owners: []v1alpha1.Username{"ana"}},
		}},
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{
			Name: "org-acme", Labels: map[string]string{v1alpha1.LabelOrganization: "acme"},
		}}},
		Memberships: memberships,
	}
	for _, name := range []string{"owner", "administrator", "viewer", "member"} {
		world.Roles = append(world.Roles, &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.SystemNamespace, Name: name,
		}})
	}
	return report.Facts{
		Organization: "acme", World: world, LastSeenSince: daysAgo(365), Users: []v1alpha1.User{person("ana", daysAgo(0))},
	}
}

func find(made *viewv1alpha1.Report, user string) viewv1alpha1.ReportMember {
	GinkgoHelper()
	for _, member := range made.Members {
		if member.User == user {
			return member
		}
	}
	Fail("no row of " + user)
	return viewv1alpha1.ReportMember{}
}

const (
	stale    = viewv1alpha1.FindingNoSignIn
	elevated = viewv1alpha1.FindingElevatedAndStale
	noMFA    = viewv1alpha1.FindingNoMFA
	unused   = viewv1alpha1.FindingTokensUnused
)

func findings(expected ...viewv1alpha1.Finding) []viewv1alpha1.Finding { return expected }

var _ = DescribeTable("What stands out of a member", func(change func(*report.Facts), expected []viewv1alpha1.Finding) {
	facts := acme(membership("bo", "viewer"))
	facts.Users = append(facts.Users, person("bo", daysAgo(1)))
	change(&facts)
	Expect(find(report.New(facts, months, now), "bo").Findings).To(Equal(expected))
},
	Entry("nothing", func(*report.Facts) {}, nil),
	Entry("no sign-in for 90 days", func(f *report.Facts) { f.Users[1].Status.LastSeenAt = daysAgo(90) }, findings(stale)),
	Entry("nothing a second before that", func(f *report.Facts) {
		f.Users[1].Status.LastSeenAt = &metav1.Time{Time: daysAgo(90).Add(time.Second)}
	}, nil),
	Entry("never seen since it is recorded", func(f *report.Facts) { f.Users[1].Status.LastSeenAt = nil }, findings(stale)),
	Entry("nothing of who hasn't been known for long", func(f *report.Facts) {
		f.Users[1].Status.LastSeenAt, f.Users[1].CreationTimestamp = nil, *daysAgo(30)
	}, nil),
	Entry("nothing where it isn't recorded", func(f *report.Facts) {
		f.Users[1].Status.LastSeenAt, f.LastSeenSince = daysAgo(300), nil
	}, nil),
	Entry("nothing where it is recorded since lately", func(f *report.Facts) {
		f.Users[1].Status.LastSeenAt, f.LastSeenSince = nil, daysAgo(30)
	}, nil),
	Entry("nothing where the record has stopped: nobody was seen", func(f *report.Facts) {
		f.Users[0].Status.LastSeenAt, f.Users[1].Status.LastSeenAt = daysAgo(80), daysAgo(100)
	}, nil),
	Entry("elevated and stale", func(f *report.Facts) {
		f.World.Memberships[0].Spec.Roles = []v1alpha1.RoleName{"administrator"}
		f.Users[1].Status.LastSeenAt = daysAgo(100)
	}, findings(elevated, stale)),
	Entry("no second factor", func(f *report.Facts) { f.Users[1].Spec.MFA.Enrolled = false }, findings(noMFA)),
	Entry("no second factor by the stricter of two Users", func(f *report.Facts) {
		other := person("bo", nil)
		other.Spec.MFA.Enrolled = false
		f.Users = append(f.Users, other)
	}, findings(noMFA)),
	Entry("no second factor of whom nothing is known", func(f *report.Facts) { f.Users = f.Users[:1] }, findings(noMFA)),
	Entry("tokens unused", func(f *report.Facts) {
		f.Tokens = []v1alpha1.APIToken{token("bo", "used", daysAgo(1)), token("bo", "unused", daysAgo(91))}
	}, findings(unused)),
	Entry("a token that was never used", func(f *report.Facts) {
		f.Tokens = []v1alpha1.APIToken{token("bo", "unused", nil)}
	}, findings(unused)),
	Entry("nothing of tokens that have ended, and of others'", func(f *report.Facts) {
		f.Tokens = []v1alpha1.APIToken{token("bo", "ended", nil), token("ana", "others", nil), token("bo", "elsewhere", nil)}
		f.Tokens[0].Status.Phase, f.Tokens[2].Namespace = v1alpha1.APITokenRevoked, "org-globex"
	}, nil),
	Entry("nothing of who is suspended and holds nothing", func(f *report.Facts) {
		f.World.Memberships[0].Spec.Suspended = true
		f.Users[1].Status.LastSeenAt = daysAgo(100)
	}, nil),
)

var _ = Describe("A report", func() {
	var made *viewv1alpha1.Report

	BeforeEach(func() {
		facts := acme(membership("bo", "viewer"), membership("cy", "administrator"), membership("di", "viewer"))
		facts.World.Memberships[2].Spec.DisplayName = "=HYPERLINK(\"http://evil\")\n\u202edi"
		facts.World.Memberships[2].Spec.Email = "@di"
		facts.Users = append(facts.Users, person("bo", daysAgo(2)), person("cy", daysAgo(120)))
		facts.Tokens = []v1alpha1.APIToken{token("bo", "ci", daysAgo(3))}
		made = report.New(facts, months, now)
	})

	It("has a row for each member, of whom most stands out first, and counts them", func() {
		var users []string
		for _, member := range made.Members {
			users = append(users, member.User)
		}
		Expect(users).To(Equal([]string{"cy", "di", "ana", "bo"}))
		Expect(made.Summary).To(Equal(viewv1alpha1.ReportSummary{
			Members: 4, Active: 4, ActiveTokens: 1, NoSignIn: 1, ElevatedAndStale: 1, NoMFA: 1,
		}))
		Expect(made.Name).To(Equal("2026-12"))
		Expect(made.TakenAt.Time).To(Equal(now))
	})

	It("reads in plain text", func() {
		text, err := report.Text(made)
		Expect(err).NotTo(HaveOccurred())
		Expect(text).To(Equal(`Acme Goods (acme): who is in it, and what stands out
Report of December 2026, as of 1 January 2027, 00:00 UTC

Members: 4, of whom 4 may act. Active API tokens: 1.
Owners, administrators and maintainers without a sign-in for 90 days: 1
Members without a sign-in for 90 days: 1
Members without a second factor: 1
Who was seen is recorded since 1 January 2026.

MEMBER  ROLES          SOURCE  STATUS  LAST SEEN   MFA  ACTIVE TOKENS         STANDS OUT
cy      administrator  Direct  Active  2026-09-03  yes  -                     elevated and stale, no sign-in for 90 days
di      viewer         Direct  Active  unknown     no   -                     no second factor
ana     owner          Owner   Active  2027-01-01  yes  -
bo      viewer         Direct  Active  2026-12-30  yes  ci (used 2026-12-29)
`))
	})

	It("says unknown, and nobody is stale, where the audit stream doesn't arrive", func() {
		text, err := report.Text(report.New(func() report.Facts {
			facts := acme()
			facts.LastSeenSince, facts.Users = nil, nil
			return facts
		}(), months, now))
		Expect(err).NotTo(HaveOccurred())
		Expect(text).To(ContainSubstring("When members were last seen is unknown: the API server's audit stream doesn't\narrive"))
		Expect(text).To(MatchRegexp(`ana +owner +Owner +Active +unknown`))
		Expect(text).NotTo(ContainSubstring("never"))
	})

	It("in HTML escapes what people chose, and has no links, pictures or scripts", func() {
		html, err := report.HTML(made)
		Expect(err).NotTo(HaveOccurred())
		Expect(html).To(ContainSubstring("=HYPERLINK(&#34;http://evil&#34;) di<br>di"))
		Expect(html).NotTo(MatchRegexp(`(?i)<(img|script|link|iframe|form|a)\b|url\(|src=|javascript`))
	})

	It("in CSV has a line a member, in which no spreadsheet finds a formula", func() {
		var out bytes.Buffer
		Expect(report.CSV(&out, made)).To(Succeed())
		lines, err := csv.NewReader(&out).ReadAll()
		Expect(err).NotTo(HaveOccurred())
		Expect(lines).To(HaveLen(5))
		Expect(lines[2]).To(Equal([]string{
			"di", `'=HYPERLINK("http://evil") di`, "'@di", "Active", "viewer", "", "Direct", "unknown", "", "no", "", "NoMFA",
		}))
		Expect(lines[4]).To(Equal([]string{
			"bo", "", "", "Active", "viewer", "", "Direct", "2026-12-30T00:00:00Z", "", "yes", "ci", "",
		}))
	})
})

var _ = DescribeTable("A cell of a CSV report that begins with", func(name string, formula bool) {
	var out bytes.Buffer
	made := &viewv1alpha1.Report{Members: []viewv1alpha1.ReportMember{{User: "bo", DisplayName: name}}}
	Expect(report.CSV(&out, made)).To(Succeed())
	lines, err := csv.NewReader(&out).ReadAll()
	Expect(err).NotTo(HaveOccurred())
	if formula {
		Expect(lines[1][1]).To(HavePrefix("'"))
	} else {
		Expect(lines[1][1]).To(Equal(name))
	}
},
	Entry("an equals sign", "=1", true), Entry("a plus", "+1", true), Entry("a minus", "-1", true), Entry("an at", "@SUM(1)", true),
	Entry("a full-width equals sign", "＝1", true), Entry("a full-width plus", "＋1", true),
	Entry("a full-width minus", "－1", true), Entry("a full-width at", "＠SUM(1)", true),
	Entry("a full-width bar", "｜1", true), Entry("a small equals sign", "﹦1", true), Entry("a raised plus", "⁺1", true),
	Entry("a true minus", "\u22121", true), Entry("an equals sign with a stroke through it", "=\u0338", true),
	Entry("a zero-width space and an equals sign", "\u200b=1", true),
	Entry("a byte order mark and a full-width equals sign", "\ufeff＝1", true),
	Entry("a soft hyphen, a space and an at", "\u00ad @SUM(1)", true), Entry("an override and an equals sign", "\u202e=1", true),
	Entry("a tab and an equals sign", "\t=1", true), Entry("a carriage return and an equals sign", "\r=1", true),
	Entry("a line feed and an equals sign", "\n=1", true), Entry("a letter", "Bo = 1", false), Entry("an accent", "Émil", false),
)

var _ = DescribeTable("A month", func(text string, valid bool) {
	month, err := report.ParseMonth(text)
	if !valid {
		Expect(err).To(MatchError(ContainSubstring("write year and month, such as 2026-11")))
		return
	}
	Expect(month.String()).To(Equal(text))
	Expect(report.MonthOf(month.End()).Previous()).To(Equal(month))
},
	Entry(nil, "2026-11", true), Entry(nil, "2026-12", true), Entry(nil, "2026-13", false), Entry(nil, "2026-1", false),
	Entry(nil, "now", false), Entry(nil, "", false),
)
