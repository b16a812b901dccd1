package mailer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
)

const (
	// firstRetry is how long after a first failure a mail is tried again. It doubles with each failure, up to lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = 30 * time.Minute
	// recordTimeout is how long the outcome of an attempt may take to be written when the manager stops.
	recordTimeout = 5 * time.Second
)

// Step is what is to be done next about a mail.
type Step int

const (
	// Rest: nothing.
	Rest Step = iota
	// Settle: an attempt was begun, and how it ended isn't written down.
	Settle
	// Send: it is to be sent now.
	Send
	// Wait: it is to be sent later.
	Wait
)

// Source knows the server that mails are sent by now.
type Source interface {
	// Settings are the present ones; see ErrNoSettings and SettingsError.
	Settings(ctx context.Context) (mail.Settings, error)
}

// Office makes attempts to send mails. Each is written down before and after by who asks for it, in an object's status, so
// that whatever breaks off in between, nobody is mailed twice.
type Office struct {
	Source
	// Clock says when the next attempt is due.
	Clock clock.PassiveClock
	// Hand hands a mail to the server. Left out: by SMTP.
	Hand func(ctx context.Context, settings mail.Settings, message mail.Message) error

	// outcomes of attempts that couldn't be written down yet, by Attempt.
	outcomes sync.Map
	// settingsChanged is when the settings changed last, in seconds, as far as this process has seen.
	settingsChanged atomic.Int64
}

// Attempt is one attempt to send one mail.
type Attempt struct {
	// Object whose status keeps the mail's state.
	Object types.UID
	// Mail of that object.
	Mail string
	// Number of the attempt, from 1.
	Number int32
}

// Outcome is how an attempt ended.
type Outcome struct {
	Delivery v1alpha1.MailDelivery
	// Message says what went wrong, with the server's words; Brief says it without them, and without its name.
	Message, Brief string
}

// Next is what is to be done about a mail now, and for Wait until when. Settings that have changed since an attempt are
// worth another one at once.
func (o *Office) Next(state v1alpha1.MailState) (Step, time.Time) {
	switch state.Delivery {
	case v1alpha1.MailSending:
		return Settle, time.Time{}
	case "":
		return Send, time.Time{}
	case v1alpha1.MailRetrying:
		due := state.AttemptedAt.Add(delay(state.Attempts))
		if !o.Clock.Now().Before(due) || state.AttemptedAt.Unix() < o.settingsChanged.Load() {
			return Send, time.Time{}
		}
		return Wait, due
	}
	return Rest, time.Time{}
}

// delay is how long after an attempt the next one is due.
func delay(attempts int32) time.Duration {
	wait := firstRetry
	for range attempts - 1 {
		if wait >= lastRetry {
			return lastRetry
		}
		wait *= 2
	}
	return min(wait, lastRetry)
}

// Begin notes that an attempt is made. It must be written down before Deliver.
func (o *Office) Begin(state *v1alpha1.MailState) {
	now := o.now()
	state.Delivery, state.AttemptedAt = v1alpha1.MailSending, &now
	state.Attempts++
}

// Deliver hands a mail over, and keeps how that ended for Settle.
func (o *Office) Deliver(ctx context.Context, attempt Attempt, settings mail.Settings, message mail.Message) Outcome {
	hand := o.Hand
	if hand == nil {
		hand = func(ctx context.Context, settings mail.Settings, message mail.Message) error {
			return mail.NewSender(settings).Send(ctx, message)
		}
	}
	outcome := outcomeOf(hand(ctx, settings, message))
	o.outcomes.Store(attempt, outcome)
	return outcome
}

// outcomeOf says how an attempt ended. What may have been sent isn't tried again; what is the server's fault or passes by
// itself is.
func outcomeOf(err error) Outcome {
	if err == nil {
		return Outcome{Delivery: v1alpha1.MailSent}
	}
	outcome := Outcome{Delivery: v1alpha1.MailRetrying, Message: err.Error(), Brief: "the mail couldn't be sent"}
	var failed *mail.Error
	if errors.As(err, &failed) {
		outcome.Brief = string(failed.Stage)
		if failed.Code != 0 {
			outcome.Brief += ": " + strconv.Itoa(failed.Code)
		}
		switch {
		case failed.Uncertain:
			outcome.Delivery = v1alpha1.MailUnknown
		case !failed.Temporary() && !failed.OfServer():
			outcome.Delivery = v1alpha1.MailFailed
		}
	}
	return outcome
}

// Settle has it written down how an attempt ended. Where nobody knows, Roster was stopped in the middle, and says so. What
// can't be written is kept for the next time.
func (o *Office) Settle(ctx context.Context, attempt Attempt, record func(context.Context, Outcome) error) error {
	const unknown = "Roster was stopped while the mail was being sent: it may have been sent or not"
	outcome := Outcome{Delivery: v1alpha1.MailUnknown, Message: unknown, Brief: unknown}
	if kept, found := o.outcomes.Load(attempt); found {
		outcome = kept.(Outcome)
	}
	// A manager that is told to stop still writes it down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return record(ctx, outcome) })
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write down how a mail went: %w", err)
	}
	o.outcomes.Delete(attempt)
	return nil
}

// End notes in a state how the attempt ended.
func (o *Office) End(state *v1alpha1.MailState, outcome Outcome) {
	state.Delivery, state.LastError = outcome.Delivery, outcome.Message
	if outcome.Delivery == v1alpha1.MailSent {
		now := o.now()
		state.SentAt = &now
	}
}

func (o *Office) now() metav1.Time { return metav1.NewTime(o.Clock.Now()).Rfc3339Copy() }
