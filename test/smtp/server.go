// Package smtp is a mail server for tests: a real one, on a free port of 127.0.0.1, with TLS by an authority of its own
// and with authentication. It keeps what it takes, and can be told to behave badly.
//
//	server, err := smtp.Start(smtp.StartTLS)
//	DeferCleanup(server.Close)
//	server.Behave(smtp.Once(smtp.ErrGreylisted))
//	// ... send ...
//	Eventually(server.Received).Should(HaveLen(1))
package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// The one user that the server lets in.
const (
	Username = "roster"
	Password = "correct horse/battery=staple"
)

// Mode is how the server encrypts, in the words of the Secret's key tls.
type Mode string

const (
	// StartTLS is offered, and needed before authentication.
	StartTLS Mode = "starttls"
	// ImplicitTLS encrypts from the first byte.
	ImplicitTLS Mode = "tls"
	// NoTLS offers no encryption, and takes passwords in clear.
	NoTLS Mode = "none"
)

// Answers to give from a behaviour.
var (
	// ErrGreylisted is how servers turn away who they don't know yet: try again later.
	ErrGreylisted = &gosmtp.SMTPError{
		Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 7, 1}, Message: "Greylisted, try again later",
	}
	// ErrNoSuchUser is for good.
	ErrNoSuchUser = &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "No such user here"}
	// ErrHangUp cuts the connection instead of an answer. Given for a whole mail, the mail is kept all the same: the
	// client can't know.
	ErrHangUp = errors.New("the connection is cut")
)

// Envelope is what the server knows when it is asked to take a mail.
type Envelope struct {
	// Username that the client has authenticated as; empty: none.
	Username string
	From     string
	To       []string
	// Data is the mail; nil while the recipient is named, before there is one.
	Data []byte
}

// Behaviour decides on a mail: it is asked when a recipient is named, and again when the mail is there. nil takes it;
// see ErrGreylisted, ErrNoSuchUser and ErrHangUp. It may also block.
type Behaviour func(Envelope) error

// Once answers so the first time that it is asked, and takes everything after.
func Once(answer error) Behaviour {
	var asked atomic.Bool
	return func(Envelope) error {
		if asked.Swap(true) {
			return nil
		}
		return answer
	}
}

// Server is a mail server that runs.
type Server struct {
	mode      Mode
	server    *gosmtp.Server
	listener  net.Listener
	authority []byte

	mutex      sync.Mutex
	behaviour  Behaviour
	received   []Message
	transcript strings.Builder
}

// Start runs a server on a free port. Close it.
func Start(mode Mode) (*Server, error) {
	s := &Server{mode: mode}
	return s, s.listen("127.0.0.1:0")
}

// Restart runs a server again that was closed, on the same port, with what it has received and how it behaves.
func (s *Server) Restart() error { return s.listen(s.Address()) }

func (s *Server) listen(address string) error {
	certificate, authority, err := certificates()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("no port for the mail server: %w", err)
	}
	server := gosmtp.NewServer(gosmtp.BackendFunc(s.session))
	server.Domain = "localhost"
	// Clients that go away in the middle are what is tested.
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.Debug = transcriber{s}
	server.AllowInsecureAuth = s.mode == NoTLS
	s.server, s.listener, s.authority = server, listener, authority
	security := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	switch s.mode {
	case StartTLS:
		server.TLSConfig = security
	case ImplicitTLS:
		listener = tls.NewListener(listener, security)
	}
	go func() { _ = server.Serve(listener) }()
	return nil
}

// Close stops the server and cuts its connections. It may be called again.
func (s *Server) Close() error {
	// The server only knows its listener once it serves.
	return errors.Join(ignoreClosed(s.server.Close()), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, gosmtp.ErrServerClosed) {
		return nil
	}
	return err
}

// Host that the server's certificate is for.
func (s *Server) Host() string { return "127.0.0.1" }

// Port that it listens on.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Address is host and port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// CA is the certificate of the authority that signed the server's, as PEM.
func (s *Server) CA() []byte { return s.authority }

// SecretData are the settings for a client, as they stand in a Secret.
func (s *Server) SecretData(from string) map[string][]byte {
	return map[string][]byte{
		"host": []byte(s.Host()), "port": []byte(strconv.Itoa(s.Port())), "tls": []byte(s.mode), "ca.crt": s.CA(),
		"username": []byte(Username), "password": []byte(Password), "from": []byte(from),
	}
}

// Behave sets what the server says to mails from now on; nil takes all, as at the start.
func (s *Server) Behave(behaviour Behaviour) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.behaviour = behaviour
}

// Received are the mails that were taken, oldest first.
func (s *Server) Received() []Message {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.received)
}

// Transcript is all that both sides have said, decrypted.
func (s *Server) Transcript() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.transcript.String()
}

// transcriber keeps what is said.
type transcriber struct{ server *Server }

// Write adds to the transcript.
func (t transcriber) Write(said []byte) (int, error) {
	t.server.mutex.Lock()
	defer t.server.mutex.Unlock()
	return t.server.transcript.Write(said)
}

func (s *Server) session(connection *gosmtp.Conn) (gosmtp.Session, error) {
	return &session{server: s, connection: connection}, nil
}

func (s *Server) decide(envelope Envelope) error {
	s.mutex.Lock()
	behaviour := s.behaviour
	s.mutex.Unlock()
	if behaviour == nil {
		return nil
	}
	// Not under the lock: it may block.
	return behaviour(envelope)
}

func (s *Server) keep(message Message) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.received = append(s.received, message)
}

// session is one client's connection.
type session struct {
	server     *Server
	connection *gosmtp.Conn
	envelope   Envelope
}

var _ gosmtp.AuthSession = &session{}

// AuthMechanisms offers PLAIN alone.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth lets the one user in.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != Username || password != Password {
			return gosmtp.ErrAuthFailed
		}
		s.envelope.Username = username
		return nil
	}), nil
}

// Mail begins a mail, for who has authenticated.
func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	if s.envelope.Username == "" {
		return gosmtp.ErrAuthRequired
	}
	s.envelope.From = from
	return nil
}

// Rcpt asks the behaviour whether the recipient is wanted.
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.envelope.To = append(s.envelope.To, to)
	return s.answer(s.server.decide(s.envelope))
}

// Data takes the mail, if the behaviour does.
func (s *session) Data(reader io.Reader) error {
	data, err := io.ReadAll(reader)
	if err != nil {
		return err
	}
	s.envelope.Data = data
	decision := s.server.decide(s.envelope)
	if decision != nil && !errors.Is(decision, ErrHangUp) {
		return decision
	}
	message, err := parse(s.envelope)
	if err != nil {
		return &gosmtp.SMTPError{Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	_, message.Encrypted = s.connection.TLSConnectionState()
	s.server.keep(message)
	return s.answer(decision)
}

func (s *session) answer(decision error) error {
	if errors.Is(decision, ErrHangUp) {
		_ = s.connection.Conn().Close()
	}
	return decision
}

// Reset forgets the mail, and not who has authenticated.
func (s *session) Reset() { s.envelope = Envelope{Username: s.envelope.Username} }

// Logout has nothing to end.
func (s *session) Logout() error { return nil }
