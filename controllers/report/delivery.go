package report

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/retry"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/report"
	"github.com/roster-dev/roster/internal/reports"
)

// csvType is the media type of the attachment.
const csvType = "text/csv"

// take keeps the report of a month, and notes whom it goes to.
func (r *Reconciler) take(
	ctx context.Context, organization *v1alpha1.Organization, kept *kept, month report.Month,
) error {
	if _, err := r.report(ctx, organization, month); err != nil {
		return err
	}
	deliveries, err := r.recipients(ctx, organization)
	if err != nil {
		return err
	}
	kept.Month, kept.Deliveries = month.String(), deliveries
	return r.write(ctx, organization, kept)
}

// report is the one that is kept of a month; it is made now, where there is none.
func (r *Reconciler) report(
	ctx context.Context, organization *v1alpha1.Organization, month report.Month,
) (*viewv1alpha1.Report, error) {
	found, err := r.Store.Get(ctx, organization, month)
	if found != nil || err != nil {
		return found, err
	}
	made, err := reports.Make(ctx, r.Client, organization.Name, month, r.Clock.Now())
	if err != nil {
		return nil, err
	}
	return r.Store.Keep(ctx, organization, month, made)
}

// recipients are those that the organization names, or else its owners.
func (r *Reconciler) recipients(ctx context.Context, organization *v1alpha1.Organization) ([]delivery, error) {
	var found []delivery
	known := sets.New[string]()
	add := func(address string) {
		if !known.Has(address) {
			found = append(found, delivery{To: address})
			known.Insert(address)
		}
	}
	for _, address := range organization.Spec.Reports.Recipients {
		add(string(address))
	}
	if len(found) > 0 {
		return found, nil
	}
	for _, owner := range organization.Spec.Owners {
		person, err := mailer.Find(ctx, r.Client, string(owner))
		if err != nil {
			return nil, err
		}
		if person.Deactivated {
			continue
		}
		if person.Address != "" {
			add(person.Address)
			continue
		}
		found = append(found, delivery{
			Owner: string(owner), State: v1alpha1.MailFailed,
			Error: "no mail address is known: set spec.email of the User, or name spec.reports.recipients",
		})
	}
	return found, nil
}

// mail makes one attempt: it is written down that it begins, then it is made, and then how it ended is written down. So
// whatever breaks off in between, nobody is mailed twice.
func (r *Reconciler) mail(
	ctx context.Context, organization *v1alpha1.Organization, kept *kept, number int,
) (unmailed, err error) {
	settings, err := r.Mailer.Settings(ctx)
	var invalid *mailer.SettingsError
	if errors.Is(err, mailer.ErrNoSettings) || errors.As(err, &invalid) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	month, err := report.ParseMonth(kept.Month)
	if err != nil {
		return nil, err
	}
	content, err := r.report(ctx, organization, month)
	if err != nil {
		return nil, err
	}
	attempted := &kept.Deliveries[number]
	attempted.State, attempted.Error = v1alpha1.MailSending, ""
	attempted.Attempts++
	now := r.now()
	attempted.AttemptedAt = &now
	message, err := messageOf(settings, organization, content, attempted)
	if err != nil {
		return nil, err
	}
	if err := r.write(ctx, organization, kept); err != nil {
		return nil, err
	}
	failure := r.send(ctx, settings, message)
	done := outcome{state: mailer.OutcomeOf(failure).Delivery}
	if failure != nil {
		done.problem = failure.Error()
	}
	r.outcomes.Store(attemptOf(organization, kept.record, number), done)
	return nil, r.settle(ctx, organization, number)
}

func (r *Reconciler) send(ctx context.Context, settings mail.Settings, message mail.Message) error {
	if r.Send != nil {
		return r.Send(ctx, settings, message)
	}
	return mail.NewSender(settings).Send(ctx, message)
}

// messageOf is the mail of a month to one recipient. It has the same ID at each attempt.
func messageOf(
	settings mail.Settings, organization *v1alpha1.Organization, content *viewv1alpha1.Report, to *delivery,
) (mail.Message, error) {
	text, textErr := report.Text(content)
	html, htmlErr := report.HTML(content)
	var table bytes.Buffer
	if err := errors.Join(textErr, htmlErr, report.CSV(&table, content)); err != nil {
		return mail.Message{}, fmt.Errorf("write the report of %s: %w", content.Name, err)
	}
	return mail.Message{
		ID: mail.MessageID(settings.From, "report", string(organization.UID), content.Name, to.To),
		To: netmail.Address{Address: to.To}, Date: to.AttemptedAt.Time,
		Content: mail.Content{Subject: report.Subject(content), Text: text, HTML: html},
		Attachments: []mail.Attachment{{
			Name: fmt.Sprintf("%s-%s.csv", organization.Name, content.Name), Type: csvType, Content: table.Bytes(),
		}},
	}, nil
}

// attempt is one attempt of one mail.
type attempt struct {
	organization types.UID
	month, to    string
	number       int32
}

// outcome is how it ended.
type outcome struct {
	state   v1alpha1.MailDelivery
	problem string
}

func attemptOf(organization *v1alpha1.Organization, record *record, number int) attempt {
	delivery := record.Deliveries[number]
	return attempt{organization.UID, record.Month, delivery.To, delivery.Attempts}
}

// settle writes down how an attempt ended. Where nobody knows, Roster was stopped in the middle, and says so.
func (r *Reconciler) settle(ctx context.Context, organization *v1alpha1.Organization, number int) error {
	// A manager that is told to stop still writes it down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		kept, err := r.read(ctx, organization)
		if err != nil || kept.record == nil || number >= len(kept.Deliveries) ||
			kept.Deliveries[number].State != v1alpha1.MailSending {
			return err
		}
		delivery := &kept.Deliveries[number]
		which := attemptOf(organization, kept.record, number)
		delivery.State = v1alpha1.MailUnknown
		delivery.Error = "Roster was stopped while the mail was being sent: it may have been sent or not, and isn't sent again"
		if found, ok := r.outcomes.Load(which); ok {
			ended := found.(outcome)
			delivery.State, delivery.Error = ended.state, ended.problem
		}
		if err := r.write(ctx, organization, kept); err != nil {
			return err
		}
		r.outcomes.Delete(which)
		return nil
	})
}

func (r *Reconciler) now() metav1.Time { return metav1.NewTime(r.Clock.Now()).Rfc3339Copy() }

// whom names a recipient.
func (d delivery) whom() string { return cmp.Or(d.To, d.Owner) }

// instantText is an instant for people.
func instantText(at time.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }
