package mail_test

import (
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/test/smtp"
)

// hostile draws what somebody might call themselves or their organization to get more into a mail than a name.
func hostile() *rapid.Generator[string] {
	pieces := rapid.SampledFrom([]string{
		"\r\n", "\n", "\r", "\r\n\r\n", "\r\n.\r\n", "Bcc: eve@evil.example", "Content-Type: text/html", "\x00", "\x1b[31m",
		"\u2028", "\u0085", "\u202e", "\xff\xfe", "=?utf-8?q?=0D=0ABcc:_eve@evil.example?=", "=?", "?=", "\"", "\\", "<", ">",
		"<script>alert(1)</script>", "<img src=https://evil.example/p.png>", "</title>", "{{.Code}}", "--", ": ", ",", ";",
		" ", "   ", "\t", "zoë", "小明", "😀", "a", "Acme", strings.Repeat("long", 60),
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(pieces, 0, 8).Draw(t, "pieces"), "")
	})
}

// Each mail has exactly these, once.
var (
	headers = []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
	ofParts = []string{"Content-Transfer-Encoding", "Content-Type"}
)

var _ = Describe("Hostile names", func() {
	It("add no header, no recipient, no part and no markup", func(ctx SpecContext) {
		server, settings := start(smtp.NoTLS)
		sent := 0
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			g := NewWithT(t)
			settings.From.Name = hostile().Draw(t, "from")
			m := message(drawnContent(g, t))
			m.To.Name = hostile().Draw(t, "to")
			if rapid.Bool().Draw(t, "with a subject of its own") {
				m.Subject = "About " + hostile().Draw(t, "subject")
			}
			g.Expect(mail.NewSender(settings).Send(ctx, m)).To(Succeed())
			sent++

			g.Expect(server.Received()).To(HaveLen(sent))
			received := server.Received()[sent-1]
			g.Expect(received.To).To(Equal([]string{"bo@agency.example"}))
			expectOnce(g, received.Header, headers)
			expectOnce(g, received.PartHeaders[0], ofParts)
			expectOnce(g, received.PartHeaders[1], ofParts)
			g.Expect(received.PartHeaders).To(HaveLen(2))
			expectOneAddress(g, received.Header, "From", "roster@acme.example")
			expectOneAddress(g, received.Header, "To", "bo@agency.example")
			g.Expect(strings.IndexFunc(received.Subject, unicode.IsControl)).To(Equal(-1), "subject %q", received.Subject)
			g.Expect(received.Text).To(Equal(m.Text))
			g.Expect(received.HTML).To(Equal(m.HTML))
			g.Expect(received.HTML).NotTo(MatchRegexp(`(?i)<(script|img)`))
			g.Expect(strings.Count(received.HTML, "</title>")).To(Equal(1))
		})
	})
})

// drawnContent is one of the mails, with drawn names in all of its fields.
func drawnContent(g *WithT, t *rapid.T) mail.Content {
	name := func(field string) string { return hostile().Draw(t, field) }
	var content mail.Content
	var err error
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		content, err = templates().Invitation(mail.Invitation{
			Organization: name("organization"), OrganizationDisplayName: name("display name"), InvitedBy: name("invited by"),
			Invitee: name("invitee"), Roles: []string{name("role")}, Code: name("code"), PortalURL: name("portal"),
			User: name("user"), Address: name("address"), ExpiresAt: time.Unix(1<<31, 0),
		}.WithCommands())
	case 1:
		content, err = templates().JoinRequest(mail.JoinRequest{
			Organization: name("organization"), OrganizationDisplayName: name("display name"), Team: name("team"),
			RequestingOrganization: name("requesting"), RequestedBy: name("requested by"), Role: name("role"),
			Projects: []string{name("project")}, Message: name("message"),
			ApproveCommand: name("approve"), RejectCommand: name("reject"),
		})
	default:
		content, err = templates().JoinDecision(mail.JoinDecision{
			Organization: name("organization"), OrganizationDisplayName: name("display name"), Team: name("team"),
			RequestingOrganization: name("requesting"), RequestedBy: name("requested by"), Role: name("role"),
			Projects: []string{name("project")}, Reason: name("reason"), DecidedBy: name("decided by"),
			Approved: rapid.Bool().Draw(t, "approved"),
		})
	}
	g.Expect(err).NotTo(HaveOccurred())
	return content
}

// expectOnce wants exactly these headers, each once.
func expectOnce(g *WithT, header map[string][]string, expected []string) {
	var found []string
	for name, values := range header {
		found = append(found, name)
		g.Expect(values).To(HaveLen(1), "header %s", name)
	}
	g.Expect(found).To(ConsistOf(expected))
}

func expectOneAddress(g *WithT, header netmail.Header, name, expected string) {
	addresses, err := header.AddressList(name)
	g.Expect(err).NotTo(HaveOccurred(), "header %s: %s", name, header.Get(name))
	g.Expect(addresses).To(HaveLen(1))
	g.Expect(addresses[0].Address).To(Equal(expected))
	g.Expect(strings.IndexFunc(addresses[0].Name, unicode.IsControl)).To(Equal(-1), "name %q", addresses[0].Name)
}

var _ = Describe("A message's ID", func() {
	of := func(parts ...string) string {
		return mail.MessageID(netmail.Address{Address: "roster@acme.example"}, parts...)
	}

	It("is always the same for the same parts", func() {
		Expect(of("uid", "1")).To(And(Equal(of("uid", "1")), MatchRegexp(`^[0-9a-f]{32}@acme\.example$`)))
	})

	It("is another one for another send, and for parts that are cut elsewhere", func() {
		Expect(of("uid", "1")).NotTo(Or(Equal(of("uid", "2")), Equal(of("uid1")), Equal(of("ui", "d1"))))
	})
})
