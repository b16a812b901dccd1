package mail_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/test/smtp"
)

// failing is the error of a mail that isn't sent.
func failing(ctx context.Context, settings mail.Settings) *mail.Error {
	GinkgoHelper()
	err := mail.NewSender(settings).Send(ctx, invitation())
	var failed *mail.Error
	Expect(errors.As(err, &failed)).To(BeTrue(), "error %v", err)
	Expect(failed.Error()).NotTo(ContainSubstring(smtp.Password))
	return failed
}

var _ = Describe("Sending a mail", func() {
	DescribeTable("hands it to a real server", func(ctx SpecContext, mode smtp.Mode, encrypted bool) {
		server, settings := start(mode)
		Expect(mail.NewSender(settings).Send(ctx, invitation())).To(Succeed())

		Expect(server.Received()).To(HaveLen(1))
		received := server.Received()[0]
		Expect(received.Encrypted).To(Equal(encrypted))
		Expect(received.Username).To(Equal(smtp.Username))
		Expect(received.From).To(Equal("roster@acme.example"))
		Expect(received.To).To(Equal([]string{"bo@agency.example"}))
		Expect(received.Subject).To(Equal("ana@acme.example invites you to The Acme Company (acme)"))
		Expect(received.Header).To(And(
			HaveKeyWithValue("From", []string{`"Roster" <roster@acme.example>`}),
			HaveKeyWithValue("To", []string{`"Bo" <bo@agency.example>`}),
			HaveKeyWithValue("Date", []string{"Thu, 28 Jan 2027 09:30:00 +0000"}),
			HaveKeyWithValue("Message-Id", []string{"<5f3c@acme.example>"}),
			HaveKeyWithValue("Auto-Submitted", []string{"auto-generated"}),
		))
		Expect(received.Text).To(Equal(invitation().Text))
		Expect(received.HTML).To(Equal(invitation().HTML))
	},
		Entry("by STARTTLS", smtp.StartTLS, true),
		Entry("by implicit TLS", smtp.ImplicitTLS, true),
		Entry("in clear on the same machine", smtp.NoTLS, false),
	)

	It("sends answers elsewhere where that is asked for", func(ctx SpecContext) {
		server, _ := start(smtp.StartTLS)
		data := server.SecretData(from)
		data["reply-to"] = []byte("Support <help@acme.example>")
		Expect(mail.NewSender(parse(data)).Send(ctx, invitation())).To(Succeed())
		Expect(server.Received()[0].Header.Get("Reply-To")).To(Equal(`"Support" <help@acme.example>`))
	})

	DescribeTable("counts as sent when only the goodbye fails", func(ctx SpecContext, goodbye string) {
		settings := speak(func(line string) string {
			if line == "QUIT" {
				return goodbye
			}
			return polite(line)
		})
		Expect(mail.NewSender(settings).Send(ctx, invitation())).To(Succeed())
	},
		Entry("as the server hangs up", SpecTimeout(10*time.Second), hangUp),
		Entry("as the server says nothing any more", SpecTimeout(10*time.Second), ""),
		Entry("as the server objects", SpecTimeout(10*time.Second), "500 stay\r\n"),
	)

	It("goes through once greylisting lets it", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		server.Behave(smtp.Once(smtp.ErrGreylisted))

		failed := failing(ctx, settings)
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Code).To(Equal(451))
		Expect(failed.Stage).To(Equal(mail.StageRecipient))
		Expect(failed.Text).To(ContainSubstring("Greylisted, try again later"))
		Expect(failed.Uncertain).To(BeFalse())
		Expect(failed.OfServer()).To(BeFalse())
		Expect(server.Received()).To(BeEmpty())

		Expect(mail.NewSender(settings).Send(ctx, invitation())).To(Succeed())
		Expect(server.Received()).To(HaveLen(1))
	})

	It("goes through once the server is up again", func(ctx SpecContext) {
		server, settings := start(smtp.ImplicitTLS)
		Expect(server.Close()).To(Succeed())
		Expect(failing(ctx, settings).Temporary()).To(BeTrue())
		Expect(server.Restart()).To(Succeed())
		Expect(mail.NewSender(settings).Send(ctx, invitation())).To(Succeed())
		Expect(server.Received()).To(HaveLen(1))
	})

	It("is possible while others are sent", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		sender, m := mail.NewSender(settings), invitation()
		sending, sendingContext := errgroup.WithContext(ctx)
		for range 20 {
			sending.Go(func() error { return sender.Send(sendingContext, m) })
		}
		Expect(sending.Wait()).To(Succeed())
		Expect(server.Received()).To(HaveLen(20))
	})

	It("authenticates by LOGIN with a server that knows nothing better", func(ctx SpecContext) {
		var welcome atomic.Bool
		encode := base64.StdEncoding.EncodeToString
		settings := speak(func(line string) string {
			switch {
			case strings.HasPrefix(line, "EHLO"):
				return "250-mail.acme.example\r\n250 AUTH LOGIN\r\n"
			case line == "AUTH LOGIN":
				return "334 " + encode([]byte("Username:")) + "\r\n"
			case line == encode([]byte(smtp.Username)):
				return "334 " + encode([]byte("Password:")) + "\r\n"
			case line == encode([]byte(smtp.Password)):
				welcome.Store(true)
				return "235 welcome\r\n"
			}
			return polite(line)
		})
		settings.Username, settings.Password = smtp.Username, smtp.Password
		Expect(mail.NewSender(settings).Send(ctx, invitation())).To(Succeed())
		Expect(welcome.Load()).To(BeTrue())
	})

	It("is refused for good, with the server's words", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		server.Behave(func(smtp.Envelope) error { return smtp.ErrNoSuchUser })
		failed := failing(ctx, settings)
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Code).To(Equal(550))
		Expect(failed).To(MatchError("mail server " + server.Address() +
			": naming the recipient: 550 5.1.1 No such user here"))
	})

	It("is refused for good when its content is", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		server.Behave(func(envelope smtp.Envelope) error {
			if envelope.Data == nil {
				return nil
			}
			return smtp.ErrNoSuchUser
		})
		failed := failing(ctx, settings)
		Expect(failed.Stage).To(Equal(mail.StageContent))
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Uncertain).To(BeFalse(), "the server has said no")
		Expect(server.Received()).To(BeEmpty())
	})

	It("says that it may have been sent when the last answer is missing", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		server.Behave(func(envelope smtp.Envelope) error {
			if envelope.Data == nil {
				return nil
			}
			return smtp.ErrHangUp
		})
		failed := failing(ctx, settings)
		Expect(failed.Uncertain).To(BeTrue())
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Error()).To(ContainSubstring("may have been sent all the same"))
		Expect(server.Received()).To(HaveLen(1))
	})

	It("fails for good with a wrong password, and doesn't show it", func(ctx SpecContext) {
		server, _ := start(smtp.StartTLS)
		data := server.SecretData(from)
		data["password"] = []byte("a-wrong-password")
		failed := failing(ctx, parse(data))
		Expect(failed.Code).To(Equal(535))
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.OfServer()).To(BeTrue())
		Expect(failed.Error()).NotTo(ContainSubstring("a-wrong-password"))
		Expect(server.Received()).To(BeEmpty())
	})

	It("keeps the password to itself when the server repeats it", func(ctx SpecContext) {
		settings := speak(func(line string) string {
			if strings.HasPrefix(line, "AUTH") {
				return "501 bad command " + line + " for " + smtp.Password + "\r\n"
			}
			return polite(line)
		})
		settings.Username, settings.Password = smtp.Username, smtp.Password
		failed := failing(ctx, settings)
		Expect(failed.Code).To(Equal(501))
		encoded := base64.StdEncoding.EncodeToString([]byte("\x00" + smtp.Username + "\x00" + smtp.Password))
		Expect(failed.Error()).NotTo(ContainSubstring(encoded))
		Expect(failed.Text).To(Equal("bad command AUTH PLAIN *** for ***"))
	})

	It("fails for now when the server is busy", func(ctx SpecContext) {
		failed := failing(ctx, speak(func(string) string { return "421 too many connections\r\n" }))
		Expect(failed.Code).To(Equal(421))
		Expect(failed.Temporary()).To(BeTrue())
	})

	It("fails for now when nobody listens", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		Expect(server.Close()).To(Succeed())
		failed := failing(ctx, settings)
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Text).To(ContainSubstring("connection refused"))
	})

	It("fails for now when the server hangs up", func(ctx SpecContext) {
		failed := failing(ctx, speak(func(string) string { return hangUp }))
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Text).To(Equal("it closed the connection"))
	})

	It("ends in time when the server says nothing", func(ctx SpecContext) {
		released := make(chan struct{})
		DeferCleanup(func() { close(released) })
		settings := listen(func(net.Conn) { <-released })
		settings.Timeout = 200 * time.Millisecond
		began := time.Now()
		failed := failing(ctx, settings)
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Text).To(ContainSubstring("no answer in time"))
		Expect(time.Since(began)).To(BeNumerically("<", 10*time.Second))
	})

	It("ends in time when the server falls silent in the middle", func(ctx SpecContext) {
		settings := speak(func(line string) string {
			if strings.HasPrefix(line, "RCPT") {
				return ""
			}
			return polite(line)
		})
		// It must reach the recipient in this time.
		settings.Timeout = time.Second
		failed := failing(ctx, settings)
		Expect(failed.Stage).To(Equal(mail.StageRecipient))
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Text).To(ContainSubstring("no answer in time"))
	})

	It("ends at once when the context does", func(ctx SpecContext) {
		sending, cancel := context.WithCancel(ctx)
		settings := speak(func(line string) string {
			if strings.HasPrefix(line, "MAIL") {
				cancel()
				return ""
			}
			return polite(line)
		})
		failed := failing(sending, settings)
		Expect(failed).To(MatchError(context.Canceled))
		Expect(failed.Temporary()).To(BeTrue())
		Expect(failed.Text).To(Equal("cancelled"))
	}, SpecTimeout(10*time.Second))

	DescribeTable("refuses a server whose certificate isn't trusted", func(ctx SpecContext, mode smtp.Mode) {
		server, _ := start(mode)
		data := server.SecretData(from)
		delete(data, "ca.crt")
		failed := failing(ctx, parse(data))
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.OfServer()).To(BeTrue())
		Expect(failed.Text).To(And(ContainSubstring("isn't trusted"), ContainSubstring("ca.crt")))
		Expect(server.Transcript()).NotTo(ContainSubstring("MAIL FROM"))
	},
		Entry("by STARTTLS", smtp.StartTLS),
		Entry("by implicit TLS", smtp.ImplicitTLS),
	)

	It("says nothing in clear to a server that doesn't offer STARTTLS", func(ctx SpecContext) {
		server, _ := start(smtp.NoTLS)
		data := server.SecretData(from)
		data["tls"] = []byte("starttls")
		failed := failing(ctx, parse(data))
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Text).To(HavePrefix("it doesn't offer STARTTLS, and nothing is sent in clear: see whether tls=starttls"))
		Expect(server.Received()).To(BeEmpty())
		Expect(server.Transcript()).To(ContainSubstring("EHLO acme.example"))
		Expect(server.Transcript()).NotTo(MatchRegexp(`(?m)^(AUTH|MAIL|RCPT|DATA)`))
	})

	It("names the setting when the port speaks no TLS", func(ctx SpecContext) {
		server, _ := start(smtp.NoTLS)
		data := server.SecretData(from)
		data["tls"] = []byte("tls")
		failed := failing(ctx, parse(data))
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Text).To(ContainSubstring("see whether tls=tls is what it expects on port"))
	})

	It("names the settings when the server can't authenticate", func(ctx SpecContext) {
		settings := speak(func(line string) string {
			if strings.HasPrefix(line, "EHLO") {
				return "250 mail.acme.example\r\n"
			}
			return polite(line)
		})
		settings.Username, settings.Password = smtp.Username, smtp.Password
		failed := failing(ctx, settings)
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Text).To(ContainSubstring("leave out username and password if it needs none"))
	})

	It("refuses letters beyond ASCII in an address for a server that doesn't take them", func(ctx SpecContext) {
		server, settings := start(smtp.StartTLS)
		m := invitation()
		m.To.Address = "zoë@agency.example"
		var failed *mail.Error
		Expect(errors.As(mail.NewSender(settings).Send(ctx, m), &failed)).To(BeTrue())
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Text).To(ContainSubstring("use an address without them"))
		Expect(server.Received()).To(BeEmpty())
	})

	cantBeSent := func(ctx SpecContext, change func(*mail.Message), expected string) {
		m := invitation()
		change(&m)
		err := mail.NewSender(mail.Settings{Host: "127.0.0.1", Port: 1}).Send(ctx, m)
		var failed *mail.Error
		Expect(errors.As(err, &failed)).To(BeTrue())
		Expect(failed.Stage).To(Equal(mail.StageMessage))
		Expect(failed.Temporary()).To(BeFalse())
		Expect(failed.Text).To(ContainSubstring(expected))
	}
	DescribeTable("asks no server when the message can't be sent", cantBeSent,
		Entry("no ID", func(m *mail.Message) { m.ID = "" }, `message ID ""`),
		Entry("a second header in the ID", func(m *mail.Message) { m.ID = "a@b\r\nBcc: eve@b" }, "must look like"),
		Entry("no date", func(m *mail.Message) { m.Date = time.Time{} }, "has no date"),
		Entry("no subject", func(m *mail.Message) { m.Subject = "\n" }, "needs a subject"),
		Entry("no address", func(m *mail.Message) { m.To.Address = "" }, "is not a mail address"),
		Entry("two addresses", func(m *mail.Message) { m.To.Address = "a@b.example, c@d.example" }, "is not a mail address"),
		Entry("a second command in the address", func(m *mail.Message) {
			m.To.Address = "bo@agency.example>\r\nRCPT TO:<eve@agency.example"
		}, "is not a mail address"),
		Entry("a quoted address", func(m *mail.Message) { m.To.Address = `"bo b"@agency.example` }, "is not a mail address"),
		Entry("a name in the address", func(m *mail.Message) { m.To.Address = "Bo <bo@agency.example>" }, "is not a mail address"),
		Entry("a long address", func(m *mail.Message) {
			m.To.Address = strings.Repeat("b", 254) + "@agency.example"
		}, "at most 254 characters"),
	)
})
