package mail

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
)

// The keys of the Secret that ParseSettings reads.
const (
	KeyHost     = "host"
	KeyPort     = "port"
	KeyTLS      = "tls"
	KeyUsername = "username"
	KeyPassword = "password"
	KeyFrom     = "from"
	KeyReplyTo  = "reply-to"
	KeyCA       = "ca.crt"
)

// TLSMode says how the connection to the server is encrypted.
type TLSMode string

const (
	// StartTLS begins in clear and must be encrypted before anything is said; a server that doesn't offer it gets no mail.
	StartTLS TLSMode = "starttls"
	// ImplicitTLS is encrypted from the first byte.
	ImplicitTLS TLSMode = "tls"
	// NoTLS encrypts nothing, and is for a server on the same machine alone.
	NoTLS TLSMode = "none"
)

// DefaultTimeout is the longest that sending a mail takes, from the first packet to the last.
const DefaultTimeout = 30 * time.Second

var defaultPorts = map[TLSMode]int{StartTLS: 587, ImplicitTLS: 465, NoTLS: 25}

// Password prints as stars wherever it is printed.
type Password string

const redacted = "***"

// String hides the password.
func (Password) String() string { return redacted }

// GoString hides the password.
func (Password) GoString() string { return redacted }

// MarshalText hides the password from JSON and YAML, so from logs.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Settings say which server takes the mails, and in whose name they are sent.
type Settings struct {
	// Host is the server's name or IP address; its certificate must be for it.
	Host string
	Port int
	TLS  TLSMode
	// Username and Password are both empty for a server that asks for none.
	Username string
	Password Password
	// From is who the mails are from.
	From netmail.Address
	// ReplyTo is where answers go; nil: to From.
	ReplyTo *netmail.Address
	// CA are the authorities whose certificates are trusted; nil: those of the system.
	CA *x509.CertPool
	// Timeout is the longest that sending a mail takes; 0, or more than DefaultTimeout: DefaultTimeout.
	Timeout time.Duration
}

// String names the server and the sender, and never the password.
func (s Settings) String() string {
	as := ""
	if s.Username != "" {
		as = " as " + s.Username
	}
	return fmt.Sprintf("%s (%s)%s, from %s", s.address(), s.TLS, as, s.From.String())
}

// GoString is String: the password isn't shown for %#v either.
func (s Settings) GoString() string { return s.String() }

func (s Settings) address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

func (s Settings) timeout() time.Duration {
	if s.Timeout <= 0 || s.Timeout > DefaultTimeout {
		return DefaultTimeout
	}
	return s.Timeout
}

// ParseSettings reads the data of a Secret. An error names every key that is wrong and what to write there instead; it
// never contains the password.
func ParseSettings(data map[string][]byte) (Settings, error) {
	value := func(key string) string { return strings.TrimSpace(string(data[key])) }
	settings := Settings{
		Host: value(KeyHost), TLS: TLSMode(value(KeyTLS)), Username: value(KeyUsername),
		// A line break at the end is left there by whoever wrote the file, and a space may be meant.
		Password: Password(strings.TrimRight(string(data[KeyPassword]), "\r\n")),
	}
	problems := []error{validateHost(settings.Host), validateCredentials(settings)}
	var err error
	settings.TLS, err = parseTLS(settings.TLS, settings.Host)
	problems = append(problems, err)
	settings.Port, err = parsePort(value(KeyPort), settings.TLS)
	problems = append(problems, err)
	settings.CA, err = parseCA(data[KeyCA])
	problems = append(problems, err)
	from, err := parseFrom(value(KeyFrom))
	problems = append(problems, err)
	settings.ReplyTo, err = parseAddress(KeyReplyTo, value(KeyReplyTo))
	problems = append(problems, err)
	if err := errors.Join(problems...); err != nil {
		return Settings{}, err
	}
	settings.From = *from
	return settings, nil
}

func validateHost(host string) error {
	switch {
	case host == "":
		return fmt.Errorf("%s is missing: give the mail server's name, such as smtp.acme.example", KeyHost)
	case net.ParseIP(host) != nil, len(validation.IsDNS1123Subdomain(strings.ToLower(host))) == 0:
		return nil
	}
	return fmt.Errorf("%s: %q is not a host name or IP address: write the name alone, and the port in the key %s",
		KeyHost, host, KeyPort)
}

func parseTLS(mode TLSMode, host string) (TLSMode, error) {
	switch mode {
	case "":
		return StartTLS, nil
	case StartTLS, ImplicitTLS:
		return mode, nil
	case NoTLS:
		if isLoopback(host) {
			return mode, nil
		}
		return mode, fmt.Errorf("%s: %q is allowed for a server on the same machine only (localhost, 127.0.0.1), and %s is %q: "+
			"use %s or %s", KeyTLS, mode, KeyHost, host, StartTLS, ImplicitTLS)
	}
	return mode, fmt.Errorf("%s: %q is not a mode: use %s, %s, or %s for a server on the same machine",
		KeyTLS, mode, StartTLS, ImplicitTLS, NoTLS)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func parsePort(text string, mode TLSMode) (int, error) {
	if text == "" {
		return defaultPorts[mode], nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%s: %q is not a port: use a number from 1 to 65535, usually %d for %s and %d for %s",
			KeyPort, text, defaultPorts[StartTLS], StartTLS, defaultPorts[ImplicitTLS], ImplicitTLS)
	}
	return port, nil
}

func validateCredentials(settings Settings) error {
	switch {
	case settings.Username != "" && settings.Password == "":
		return fmt.Errorf("%s is missing: a %s is given; give both, or neither for a server that asks for none",
			KeyPassword, KeyUsername)
	case settings.Username == "" && settings.Password != "":
		return fmt.Errorf("%s is missing: a %s is given; give both, or neither for a server that asks for none",
			KeyUsername, KeyPassword)
	case strings.ContainsFunc(settings.Username, unicode.IsControl):
		return fmt.Errorf("%s: %q has control characters: take them out", KeyUsername, settings.Username)
	case strings.ContainsFunc(string(settings.Password), unicode.IsControl):
		return fmt.Errorf("%s has control characters, such as a line break in the middle: take them out", KeyPassword)
	}
	return nil
}

func parseFrom(text string) (*netmail.Address, error) {
	if text == "" {
		return nil, fmt.Errorf("%s is missing: give the address that mails are from, such as Roster <roster@acme.example>",
			KeyFrom)
	}
	from, err := parseAddress(KeyFrom, text)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(from.Address, func(r rune) bool { return r > unicode.MaxASCII }) {
		return nil, fmt.Errorf("%s: %q must be of ASCII letters, as not every server on the way takes others: "+
			"write an international domain in its xn-- form", KeyFrom, from.Address)
	}
	return from, nil
}

// parseAddress is nil for no text.
func parseAddress(key, text string) (*netmail.Address, error) {
	if text == "" {
		return nil, nil
	}
	address, err := netmail.ParseAddress(text)
	if err != nil || validateAddress(address.Address) != nil {
		return nil, fmt.Errorf("%s: %q is not a mail address: write NAME@DOMAIN or DISPLAY NAME <NAME@DOMAIN>", key, text)
	}
	return address, nil
}

// parseCA is nil for no text: the system's authorities are trusted.
func parseCA(pem []byte) (*x509.CertPool, error) {
	if strings.TrimSpace(string(pem)) == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate: put the authority's certificate there as PEM (BEGIN CERTIFICATE), "+
			"or leave the key out to trust those of the system", KeyCA)
	}
	return pool, nil
}
