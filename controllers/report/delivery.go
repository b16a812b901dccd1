package report

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/person"
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
	seen := sets.New[string]()
	add := func(address string) {
		if key := strings.ToLower(address); !seen.Has(key) {
			found = append(found, delivery{To: address})
			seen.Insert(key)
		}
	}
	for _, address := range organization.Spec.Reports.Recipients {
		add(string(address))
	}
	if len(found) > 0 {
		return found, nil
	}
	for _, owner := range organization.Spec.Owners {
		known, err := person.Find(ctx, r.Client, r.Live, string(owner))
		if err != nil {
			return nil, err
		}
		if known.Deactivated {
			continue
		}
		if known.Address != "" {
			add(known.Address)
			continue
		}
		found = append(found, delivery{
			Owner: string(owner), MailState: v1alpha1.MailState{
				Delivery:  v1alpha1.MailFailed,
				LastError: "no mail address is known: set spec.email of the User, or name spec.reports.recipients",
			},
		})
	}
	return found, nil
}

// mail makes one attempt: it is written down that it begins, then it is made, and then how it ended is written down. So
// whatever breaks off in between, nobody is mailed twice.
func (r *Reconciler) mail(
	ctx context.Context, organization *v1alpha1.Organization, kept *kept, number int,
) (unmailed, err error) {
	settings, err := r.Office.Settings(ctx)
	if _, isAboutSettings := mailer.ReasonOf(err); isAboutSettings {
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
	r.Office.Begin(&attempted.MailState)
	message, err := messageOf(settings, organization, content, attempted)
	if err != nil {
		return nil, err
	}
	if err := r.write(ctx, organization, kept); err != nil {
		return nil, err
	}
	r.Office.Deliver(ctx, attemptOf(organization, kept.record, number), settings, message)
	return nil, r.settle(ctx, organization, kept, number)
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

func attemptOf(organization *v1alpha1.Organization, record *record, number int) mailer.Attempt {
	delivery := record.Deliveries[number]
	return mailer.Attempt{Object: organization.UID, Mail: record.Month + " " + delivery.To, Number: delivery.Attempts}
}

// settle writes down how an attempt ended, if that is still the last one.
func (r *Reconciler) settle(ctx context.Context, organization *v1alpha1.Organization, begun *kept, number int) error {
	attempt := attemptOf(organization, begun.record, number)
	return r.Office.Settle(ctx, attempt, func(ctx context.Context, ended mailer.Outcome) error {
		kept, err := r.read(ctx, organization)
		if err != nil || kept.record == nil || number >= len(kept.Deliveries) ||
			attemptOf(organization, kept.record, number) != attempt || kept.Deliveries[number].Delivery != v1alpha1.MailSending {
			return err
		}
		r.Office.End(&kept.Deliveries[number].MailState, ended)
		return r.write(ctx, organization, kept)
	})
}

func (r *Reconciler) now() metav1.Time { return metav1.NewTime(r.Clock.Now()).Rfc3339Copy() }

// whom names a recipient.
func (d delivery) whom() string { return cmp.Or(d.To, d.Owner) }

// instantText is an instant for people.
func instantText(at time.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }
