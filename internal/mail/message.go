// Package mail writes Roster's mails from templates and hands them to an SMTP server. It decides nothing: who is
// mailed, when, and what is remembered of it, is for the controllers.
package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// maxAddress is the longest address that SMTP carries (RFC 5321, 4.5.3.1.3).
const maxAddress = 254

// Content is what a mail says: the same as plain text and as HTML.
type Content struct {
	Subject string
	Text    string
	HTML    string
}

// Message is one mail to one person, so that one bad address never holds up another one's mail.
type Message struct {
	// ID is the Message-ID without its angle brackets, such as 5f3c@acme.example. The same mail has the same ID each
	// time that it is sent, so that a second copy can be told as such. See MessageID.
	ID string
	// To is whom it goes to; the name may be empty.
	To netmail.Address
	// Date is when it was written.
	Date time.Time
	Content
	// Attachments go with it.
	Attachments []Attachment
}

// Attachment is a file that goes with a mail.
type Attachment struct {
	// Name of the file.
	Name string
	// Type is the content's media type, such as text/csv; the text is UTF-8.
	Type    string
	Content []byte
}

// MessageID is the ID of the mail that the parts name: always the same for the same parts, different for others, and
// without anything of them to be read in it. Mails carry the sender's domain.
func MessageID(from netmail.Address, parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		// With its length in front, no part can run into the next one.
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	// Half of the hash is enough, and keeps the header on one line.
	return hex.EncodeToString(hash.Sum(nil)[:16]) + "@" + domainOf(from)
}

// messageIDs are those that need no quoting anywhere (RFC 5322, 3.6.4).
var messageIDs = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$`)

// validate refuses what can't be a mail, before a server is asked.
func (m Message) validate() error {
	switch {
	case !messageIDs.MatchString(m.ID):
		return fmt.Errorf("message ID %q: it must look like 5f3c@acme.example", m.ID)
	case m.Date.IsZero():
		return fmt.Errorf("message %s has no date", m.ID)
	case strings.TrimSpace(m.Subject) == "" || strings.TrimSpace(m.Text) == "" || strings.TrimSpace(m.HTML) == "":
		return fmt.Errorf("message %s needs a subject, a text and an HTML part", m.ID)
	}
	return validateAddress(m.To.Address)
}

// validateAddress takes NAME@DOMAIN alone. What would need quoting in a header or a command is refused: nobody has such
// an address, but it is how others have been tricked.
func validateAddress(address string) error {
	parsed, err := netmail.ParseAddress("<" + address + ">")
	strange := strings.ContainsFunc(address, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune("\"<>()[],;:\\\ufffd", r)
	})
	if err != nil || strange || parsed.Address != address || len(address) > maxAddress {
		return fmt.Errorf("%q is not a mail address: write NAME@DOMAIN, at most %d characters", address, maxAddress)
	}
	return nil
}

// compose is the message as it goes over the wire.
func (s Settings) compose(message Message) ([]byte, error) {
	composed := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	composed.FromMailAddress(header(s.From))
	composed.ToMailAddress(header(message.To))
	if s.ReplyTo != nil {
		composed.ReplyToMailAddress(header(*s.ReplyTo))
	}
	composed.SetMessageIDWithValue(message.ID)
	composed.SetDateWithValue(message.Date.UTC())
	composed.Subject(headerText(message.Subject))
	// Says to vacation notices and ticket systems not to answer (RFC 3834).
	composed.SetGenHeader("Auto-Submitted", "auto-generated")
	composed.SetBodyString(gomail.TypeTextPlain, message.Text)
	composed.AddAlternativeString(gomail.TypeTextHTML, message.HTML)
	for _, attachment := range message.Attachments {
		err := composed.AttachReader(attachment.Name, bytes.NewReader(attachment.Content),
			gomail.WithFileContentType(gomail.ContentType(attachment.Type)))
		if err != nil {
			return nil, fmt.Errorf("message %s: attach %s: %w", message.ID, attachment.Name, err)
		}
	}
	var out bytes.Buffer
	if _, err := composed.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("message %s can't be written: %w", message.ID, err)
	}
	return out.Bytes(), nil
}

func header(address netmail.Address) *netmail.Address {
	// Next to letters beyond ASCII the standard library leaves a backslash as it is, where readers take it for an escape.
	name := strings.ReplaceAll(headerText(address.Name), `\`, "/")
	return &netmail.Address{Name: name, Address: address.Address}
}

func domainOf(address netmail.Address) string {
	return address.Address[strings.LastIndex(address.Address, "@")+1:]
}
