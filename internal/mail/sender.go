package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// goodbye is the longest that a server gets to answer that the connection ends.
const goodbye = time.Second

// Sender hands mails to the SMTP server of its settings, each over a connection of its own. It keeps no state: several
// may send at once.
type Sender struct {
	settings Settings
}

// NewSender is for settings as ParseSettings gives them.
func NewSender(settings Settings) *Sender {
	return &Sender{settings: settings}
}

// Send returns nil once the server has taken the mail, and an *Error else. It takes no longer than the settings'
// timeout, and ends at once when the context does.
func (s *Sender) Send(ctx context.Context, message Message) error {
	if err := message.validate(); err != nil {
		return &Error{Stage: StageMessage, Text: err.Error(), cause: err}
	}
	content, err := s.settings.compose(message)
	if err != nil {
		return &Error{Stage: StageMessage, Text: err.Error(), cause: err}
	}
	ctx, cancel := context.WithTimeout(ctx, s.settings.timeout())
	defer cancel()
	connection := &connection{}
	defer connection.close()
	client, err := s.dial(ctx, connection)
	if err != nil {
		return s.settings.failure(ctx, StageConnect, err)
	}
	if failed := s.handOver(ctx, client, message.To.Address, content); failed != nil {
		return failed
	}
	// The mail is with the server. Whether it also says goodbye changes nothing, and the caller, who has yet to write
	// down that the mail is sent, doesn't wait for it for long.
	_ = connection.SetDeadline(time.Now().Add(goodbye))
	_ = client.Quit()
	return nil
}

// connection is what was dialled: the library leaves it open when the greeting, TLS or authentication fails, and it
// doesn't look at the context after that.
type connection struct {
	net.Conn
	stop func() bool
}

func (c *connection) opened(ctx context.Context, opened net.Conn) {
	c.Conn = opened
	c.stop = context.AfterFunc(ctx, func() { _ = opened.Close() })
}

func (c *connection) close() {
	if c.Conn != nil {
		c.stop()
		_ = c.Close()
	}
}

// dial connects, encrypts and authenticates.
func (s *Sender) dial(ctx context.Context, connection *connection) (*smtp.Client, error) {
	security := &tls.Config{ServerName: s.settings.Host, RootCAs: s.settings.CA, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{
		gomail.WithPort(s.settings.Port),
		gomail.WithTimeout(s.settings.timeout()),
		gomail.WithTLSConfig(security),
		gomail.WithTLSPolicy(gomail.TLSMandatory),
		// The pod's own name means nothing outside, and has no dot, which some servers refuse.
		gomail.WithHELO(domainOf(s.settings.From)),
	}
	switch s.settings.TLS {
	case ImplicitTLS:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	options = append(options, s.authentication()...)
	options = append(options, gomail.WithDialContextFunc(
		func(dialContext context.Context, network, address string) (net.Conn, error) {
			opened, err := s.open(dialContext, network, address, security)
			if err == nil {
				connection.opened(ctx, opened)
			}
			return opened, err
		}))
	client, err := gomail.NewClient(s.settings.Host, options...)
	if err != nil {
		return nil, err
	}
	return client.DialToSMTPClientWithContext(ctx)
}

func (s *Sender) open(ctx context.Context, network, address string, security *tls.Config) (net.Conn, error) {
	if s.settings.TLS == ImplicitTLS {
		return (&tls.Dialer{Config: security}).DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// authentication prefers what doesn't show the server the password. In clear, which is to the same machine, the library
// has to be told that the others are meant.
func (s *Sender) authentication() []gomail.Option {
	if s.settings.Username == "" {
		return nil
	}
	mechanisms := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin}
	if s.settings.TLS == NoTLS {
		mechanisms = []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	}
	return []gomail.Option{
		gomail.WithOpportunisticSMTPAuth(mechanisms...),
		gomail.WithUsername(s.settings.Username), gomail.WithPassword(string(s.settings.Password)),
	}
}

// errNotInternational: only newer servers take letters beyond ASCII in an address (RFC 6531).
var errNotInternational = errors.New("the server takes no letters beyond ASCII in an address: use an address without them")

// handOver speaks the protocol step by step rather than by the library's Send, which doesn't tell what the server
// answered, and calls a mail failed that was taken when what comes after it fails.
func (s *Sender) handOver(ctx context.Context, client *smtp.Client, to string, content []byte) error {
	if international := strings.ContainsFunc(to, func(r rune) bool { return r > unicode.MaxASCII }); international {
		if supported, _ := client.Extension("SMTPUTF8"); !supported {
			return s.settings.failure(ctx, StageRecipient, errNotInternational)
		}
	}
	if err := client.Mail("<" + s.settings.From.Address + ">"); err != nil {
		return s.settings.failure(ctx, StageSender, err)
	}
	if err := client.Rcpt("<" + to + ">"); err != nil {
		return s.settings.failure(ctx, StageRecipient, err)
	}
	writer, err := client.Data()
	if err != nil {
		return s.settings.failure(ctx, StageContent, err)
	}
	if _, err := writer.Write(content); err != nil {
		return s.settings.failure(ctx, StageContent, err)
	}
	if err := writer.Close(); err != nil {
		failed := s.settings.failure(ctx, StageContent, err)
		var answer *textproto.Error
		failed.Uncertain = !errors.As(err, &answer)
		return failed
	}
	return nil
}
