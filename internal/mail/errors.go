package mail

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Stage is what was being done when sending failed.
type Stage string

const (
	// StageMessage: the mail itself is at fault, and no server was asked.
	StageMessage Stage = "writing the message"
	// StageConnect: reaching the server, encrypting the connection, authenticating.
	StageConnect Stage = "connecting"
	// StageSender: the server was told who the mail is from.
	StageSender Stage = "naming the sender"
	// StageRecipient: the server was told who the mail is for.
	StageRecipient Stage = "naming the recipient"
	// StageContent: the server was given the mail.
	StageContent Stage = "handing over the message"
)

// maxText is the most characters of a server's answer that are kept.
const maxText = 300

// Error says why a mail wasn't sent. It holds no secret: it may stand in a condition or a log.
type Error struct {
	Stage Stage
	// Server is the server's host and port.
	Server string
	// Code is the server's answer, such as 550; 0 where the server didn't answer.
	Code int
	// Text is what the server said, or what is wrong and what to do about it.
	Text string
	// Uncertain: the whole mail was handed over and the answer is missing, so it may have been sent all the same.
	Uncertain bool

	temporary bool
	cause     error
}

// Error names the server, what was being done, and the answer.
func (e *Error) Error() string {
	text := e.Text
	if e.Code != 0 {
		text = fmt.Sprintf("%d %s", e.Code, e.Text)
	}
	if e.Uncertain {
		text += " (the mail may have been sent all the same)"
	}
	if e.Server == "" {
		return fmt.Sprintf("%s: %s", e.Stage, text)
	}
	return fmt.Sprintf("mail server %s: %s: %s", e.Server, e.Stage, text)
}

// Temporary says that the same mail may be taken later: after a 4xx answer, a refused connection, or none in time.
func (e *Error) Temporary() bool { return e.temporary }

// OfServer says that the server or the settings are at fault and not this mail: other mails will fail the same way
// until somebody changes something.
func (e *Error) OfServer() bool { return e.Stage == StageConnect || e.Stage == StageSender }

// Unwrap is the cause, where it isn't the server's answer.
func (e *Error) Unwrap() error { return e.cause }

// failure classifies what went wrong in a stage.
func (s Settings) failure(ctx context.Context, stage Stage, err error) *Error {
	failed := &Error{Stage: stage, Server: s.address()}
	var answer *textproto.Error
	switch {
	case errors.As(err, &answer):
		failed.Code, failed.temporary = answer.Code, answer.Code/100 != 5
		failed.Text = s.withoutSecrets(answer.Msg)
	case ctx.Err() != nil:
		// The connection was cut because of it, so err only tells that it is closed.
		failed.temporary, failed.cause = true, context.Cause(ctx)
		failed.Text = s.notInTime(failed.cause)
	default:
		failed.cause = err
		failed.temporary, failed.Text = s.explain(err)
	}
	return failed
}

func (s Settings) notInTime(cause error) string {
	if errors.Is(cause, context.Canceled) {
		return "cancelled"
	}
	return "no answer in time: see that the server is up, and that " + s.expects()
}

// explain says of an error without a server's answer whether it may pass by itself.
func (s Settings) explain(err error) (temporary bool, text string) {
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	var alert tls.AlertError
	var network net.Error
	switch {
	case errors.As(err, &untrusted):
		return false, fmt.Sprintf("its certificate isn't trusted: %v: put the certificate of its authority into %s",
			untrusted.Err, KeyCA)
	case errors.As(err, &notTLS), errors.As(err, &alert):
		return false, fmt.Sprintf("%v: see whether %s", err, s.expects())
	case errors.As(err, &network) && network.Timeout():
		return true, s.notInTime(err)
	case errors.As(err, &network), errors.Is(err, net.ErrClosed):
		return true, s.withoutSecrets(err.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true, "it closed the connection"
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		return false, "it doesn't offer STARTTLS, and nothing is sent in clear: see whether " + s.expects()
	case strings.Contains(err.Error(), "does not support SMTP AUTH"), errors.Is(err, gomail.ErrNoSupportedAuthDiscovered):
		return false, fmt.Sprintf("it offers no way to authenticate that is known here: leave out %s and %s if it needs none, "+
			"and see whether %s", KeyUsername, KeyPassword, s.expects())
	}
	return false, s.withoutSecrets(err.Error())
}

func (s Settings) expects() string {
	return fmt.Sprintf("%s=%s is what it expects on port %d", KeyTLS, s.TLS, s.Port)
}

// withoutSecrets is one line of a server's answer. Some servers repeat the command that they didn't like, and that may
// be the one with the password in it.
func (s Settings) withoutSecrets(text string) string {
	if password := string(s.Password); password != "" {
		plain := "\x00" + s.Username + "\x00" + password
		for _, secret := range []string{base64.StdEncoding.EncodeToString([]byte(plain)),
			base64.StdEncoding.EncodeToString([]byte(password)), password} {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	text = strings.Join(strings.Fields(oneLine(text)), " ")
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return text
}
