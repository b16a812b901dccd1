package mail_test

import (
	"encoding/json"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/internal/mail"
)

// secret is a good one, with the changes; nil takes a key out.
func secret(changes map[string]any) map[string][]byte {
	data := map[string][]byte{
		"host": []byte("smtp.acme.example"), "username": []byte("roster"), "password": []byte("s3cret-value"),
		"from": []byte(from),
	}
	for key, value := range changes {
		if value == nil {
			delete(data, key)
		} else {
			data[key] = []byte(value.(string))
		}
	}
	return data
}

var _ = Describe("Settings", func() {
	It("are read from a Secret, with the usual port and STARTTLS where nothing else is said", func() {
		settings := parse(secret(nil))
		Expect(settings.Host).To(Equal("smtp.acme.example"))
		Expect(settings.Port).To(Equal(587))
		Expect(settings.TLS).To(Equal(mail.StartTLS))
		Expect(settings.Username).To(Equal("roster"))
		Expect(string(settings.Password)).To(Equal("s3cret-value"))
		Expect(settings.From.String()).To(Equal(`"Roster" <roster@acme.example>`))
		Expect(settings.ReplyTo).To(BeNil())
		Expect(settings.CA).To(BeNil())
		Expect(parse(secret(map[string]any{"tls": "tls"})).Port).To(Equal(465))
		Expect(parse(secret(map[string]any{"port": "2525\n"})).Port).To(Equal(2525))
	})

	It("need no credentials", func() {
		settings := parse(secret(map[string]any{"username": nil, "password": nil}))
		Expect(settings.Username).To(BeEmpty())
		Expect(settings.String()).To(Equal(`smtp.acme.example:587 (starttls), from "Roster" <roster@acme.example>`))
	})

	It("leave the line break at a password's end out, and a space in", func() {
		Expect(string(parse(secret(map[string]any{"password": "pass word \n"})).Password)).To(Equal("pass word "))
	})

	DescribeTable("never show the password", func(show func(mail.Settings) string) {
		shown := show(parse(secret(nil)))
		Expect(shown).To(ContainSubstring("smtp.acme.example"))
		Expect(shown).NotTo(ContainSubstring("s3cret-value"))
	},
		Entry("by String", mail.Settings.String),
		Entry("by %v", func(s mail.Settings) string { return fmt.Sprintf("%v", s) }),
		Entry("by %+v", func(s mail.Settings) string { return fmt.Sprintf("%+v", &s) }),
		Entry("by %#v", func(s mail.Settings) string { return fmt.Sprintf("%#v", s) }),
		Entry("inside something else", func(s mail.Settings) string {
			return fmt.Sprintf("%+v %#v", struct{ Mail mail.Settings }{s}, []mail.Settings{s})
		}),
		Entry("the password alone", func(s mail.Settings) string {
			return fmt.Sprintf("%s %s %q %x %#v", s.Host, s.Password, s.Password, s.Password, s.Password)
		}),
		Entry("by JSON, as logs do", func(s mail.Settings) string {
			s.Timeout = time.Second
			encoded, err := json.Marshal(s)
			Expect(err).NotTo(HaveOccurred())
			return string(encoded)
		}),
	)

	DescribeTable("name the key that is wrong, and what to write there", func(changes map[string]any, expected string) {
		_, err := mail.ParseSettings(secret(changes))
		Expect(err).To(MatchError(ContainSubstring(expected)))
		Expect(err).NotTo(MatchError(ContainSubstring("s3cret")))
	},
		Entry("no host", map[string]any{"host": nil}, "host is missing: give the mail server's name"),
		Entry("a URL as host", map[string]any{"host": "smtp://smtp.acme.example"},
			`host: "smtp://smtp.acme.example" is not a host name`),
		Entry("host and port", map[string]any{"host": "smtp.acme.example:25"}, "and the port in the key port"),
		Entry("no number as port", map[string]any{"port": "smtp"}, `port: "smtp" is not a port: use a number from 1 to 65535`),
		Entry("a port too high", map[string]any{"port": "65536"}, `port: "65536" is not a port`),
		Entry("an unknown mode", map[string]any{"tls": "ssl"}, `tls: "ssl" is not a mode: use starttls, tls, or none`),
		Entry("no encryption to another machine", map[string]any{"tls": "none"},
			`tls: "none" is allowed for a server on the same machine only (localhost, 127.0.0.1), and host is "smtp.acme.example"`),
		Entry("no encryption to what only looks like this machine",
			map[string]any{"tls": "none", "host": "127.0.0.1.acme.example"},
			`tls: "none" is allowed for a server on the same machine only`),
		Entry("no password", map[string]any{"password": nil}, "password is missing: a username is given"),
		Entry("no username", map[string]any{"username": nil}, "username is missing: a password is given"),
		Entry("a line break in the password", map[string]any{"password": "s3cret\nvalue"}, "password has control characters"),
		Entry("no sender", map[string]any{"from": nil}, "from is missing: give the address"),
		Entry("a sender that is no address", map[string]any{"from": "roster"},
			`from: "roster" is not a mail address: write NAME@DOMAIN`),
		Entry("two senders", map[string]any{"from": "a@b.example, c@d.example"}, "is not a mail address"),
		Entry("a sender beyond ASCII", map[string]any{"from": "roster@zoë.example"},
			"write an international domain in its xn-- form"),
		Entry("answers to no address", map[string]any{"reply-to": "help"}, `reply-to: "help" is not a mail address`),
		Entry("no certificate", map[string]any{"ca.crt": "s3cret key"}, "ca.crt holds no certificate"),
	)

	It("name all that is wrong at once", func() {
		_, err := mail.ParseSettings(map[string][]byte{"port": []byte("0")})
		Expect(err).To(MatchError(And(ContainSubstring("host"), ContainSubstring("port"), ContainSubstring("from"))))
	})

	DescribeTable("let a server on the same machine do without encryption", func(host string) {
		Expect(parse(secret(map[string]any{"tls": "none", "host": host})).Port).To(Equal(25))
	}, Entry(nil, "localhost"), Entry(nil, "127.0.0.1"), Entry(nil, "127.8.8.8"), Entry(nil, "::1"))
})
