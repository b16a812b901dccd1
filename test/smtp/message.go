package smtp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
)

// Message is a mail that the server took, read the way that a mail program would.
type Message struct {
	Envelope
	// Encrypted: it came over TLS.
	Encrypted bool
	// Header as it came; Subject is decoded.
	Header  netmail.Header
	Subject string
	// Text and HTML are the decoded parts, in which lines end with \n; PartHeaders are theirs, in the order they came.
	Text        string
	HTML        string
	PartHeaders []textproto.MIMEHeader
	// Attachments by their names.
	Attachments map[string][]byte
}

// parse takes a mail apart.
func parse(envelope Envelope) (Message, error) {
	message := Message{Envelope: envelope}
	read, err := netmail.ReadMessage(bytes.NewReader(envelope.Data))
	if err != nil {
		return Message{}, fmt.Errorf("the mail can't be read: %w", err)
	}
	message.Header = read.Header
	if message.Subject, err = new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject")); err != nil {
		return Message{}, fmt.Errorf("the subject can't be read: %w", err)
	}
	return message, message.read(read.Header.Get("Content-Type"), read.Body)
}

// read takes the parts of a body: a text and an HTML part, or these in a part of their own with attachments behind it.
func (m *Message) read(contentType string, body io.Reader) error {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/alternative" && mediaType != "multipart/mixed" {
		return fmt.Errorf("the mail is %q and neither multipart/alternative nor multipart/mixed", mediaType)
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	for {
		// A raw part, as the decoding is to be seen to be right.
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a part can't be read: %w", err)
		}
		if err := m.take(part, mediaType); err != nil {
			return err
		}
	}
}

func (m *Message) take(part *multipart.Part, within string) error {
	switch {
	case within == "multipart/alternative":
		return m.add(part)
	case part.FileName() == "":
		return m.read(part.Header.Get("Content-Type"), part)
	}
	content, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
	if err != nil {
		return fmt.Errorf("attachment %s can't be decoded: %w", part.FileName(), err)
	}
	if m.Attachments == nil {
		m.Attachments = map[string][]byte{}
	}
	m.Attachments[part.FileName()] = content
	return nil
}

func (m *Message) add(part *multipart.Part) error {
	m.PartHeaders = append(m.PartHeaders, part.Header)
	if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "quoted-printable" {
		return fmt.Errorf("a part is encoded as %q and not as quoted-printable", encoding)
	}
	content, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		return fmt.Errorf("a part can't be decoded: %w", err)
	}
	text := string(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	switch contentType := part.Header.Get("Content-Type"); contentType {
	case "text/plain; charset=UTF-8":
		m.Text = text
	case "text/html; charset=UTF-8":
		m.HTML = text
	default:
		return fmt.Errorf("a part is %q and neither text nor HTML", contentType)
	}
	return nil
}
