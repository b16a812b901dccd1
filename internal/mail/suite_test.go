package mail_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/test/smtp"
)

func TestMail(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Mail")
}

const from = "Roster <roster@acme.example>"

// start runs a mail server for the spec, and gives the settings to reach it.
func start(mode smtp.Mode) (*smtp.Server, mail.Settings) {
	GinkgoHelper()
	server, err := smtp.Start(mode)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	return server, parse(server.SecretData(from))
}

func parse(data map[string][]byte) mail.Settings {
	GinkgoHelper()
	settings, err := mail.ParseSettings(data)
	Expect(err).NotTo(HaveOccurred())
	return settings
}

// speak runs a server in clear that says to each line what it is told to; an empty answer says nothing.
func speak(answer func(line string) string) mail.Settings {
	GinkgoHelper()
	return listen(func(connection net.Conn) {
		lines := bufio.NewScanner(connection)
		for reply := answer(greeting); reply != hangUp; {
			_, _ = fmt.Fprint(connection, reply)
			if !lines.Scan() {
				return
			}
			reply = answer(lines.Text())
		}
	})
}

// What a server that speaks is asked for before the first line, and may answer.
const (
	greeting = "(greeting)"
	hangUp   = "(hang up)"
)

// listen runs a server that does as it is told with every connection.
func listen(serve func(net.Conn)) mail.Settings {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = connection.Close() }()
				serve(connection)
			}()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	return parse(map[string][]byte{
		"host": []byte("127.0.0.1"), "port": []byte(port), "tls": []byte("none"), "from": []byte(from),
	})
}

// polite answers as a server does that takes everything.
func polite(line string) string {
	command, _, _ := strings.Cut(line, " ")
	switch command {
	case greeting:
		return "220 mail.acme.example\r\n"
	case "EHLO":
		return "250-mail.acme.example\r\n250 AUTH PLAIN\r\n"
	case "AUTH":
		return "235 welcome\r\n"
	case "DATA":
		return "354 go on\r\n"
	case "MAIL", "RCPT", ".":
		return "250 fine\r\n"
	case "*":
		return "501 cancelled\r\n"
	case "QUIT":
		return "221 bye\r\n"
	}
	// A line of the mail.
	return ""
}

// invitation is a mail as it is usually sent.
func invitation() mail.Message {
	GinkgoHelper()
	content, err := templates().Invitation(mail.Invitation{
		Organization: "acme", OrganizationDisplayName: "The Acme Company", InvitedBy: "ana@acme.example",
		Invitee: "Bo", Roles: []string{"viewer", "billing"}, Code: "K7Q2-9XWD", ExpiresAt: date.Add(72 * time.Hour),
	}.WithCommands())
	Expect(err).NotTo(HaveOccurred())
	return message(content)
}

var date = time.Date(2027, time.January, 28, 9, 30, 0, 0, time.UTC)

func message(content mail.Content) mail.Message {
	m := mail.Message{ID: "5f3c@acme.example", Date: date, Content: content}
	m.To.Name, m.To.Address = "Bo", "bo@agency.example"
	return m
}

func templates() *mail.Templates {
	GinkgoHelper()
	loaded, err := mail.LoadTemplates("")
	Expect(err).NotTo(HaveOccurred())
	return loaded
}
