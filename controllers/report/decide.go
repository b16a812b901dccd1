package report

import (
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/report"
)

// step is what is to be done next about an organization's reports.
type step int

const (
	// wait: nothing until an instant.
	wait step = iota
	// begin: monthly reports were switched on.
	begin
	// take: a month has ended and wasn't reported.
	take
	// settle: an attempt to mail a report was begun, and how it ended isn't written down.
	settle
	// send: a report is to be mailed now.
	send
)

// decision is a step with what it is about.
type decision struct {
	step step
	// month that take is about.
	month report.Month
	// delivery that settle and send are about.
	delivery int
	// due is when wait ends.
	due time.Time
}

// decide is what is to be done at an instant. Of several months that were missed only the last is reported: there is only
// the present to tell of.
func decide(record *record, now time.Time, office *mailer.Office) decision {
	if record == nil {
		return decision{step: begin}
	}
	for i := range record.Deliveries {
		if record.Deliveries[i].Delivery == v1alpha1.MailSending {
			return decision{step: settle, delivery: i}
		}
	}
	last := report.MonthOf(now).Previous()
	if last.End().After(record.Since.Time) && isAfter(last, record.Month) {
		return decision{step: take, month: last}
	}
	next := decision{step: wait, due: nextMonth(now)}
	for i := range record.Deliveries {
		switch step, due := office.Next(record.Deliveries[i].MailState); {
		case step == mailer.Send:
			return decision{step: send, delivery: i}
		case step == mailer.Wait && due.Before(next.due):
			next.due = due
		}
	}
	return next
}

// nextMonth is when the present month has ended.
func nextMonth(now time.Time) time.Time { return report.MonthOf(now).End() }

func isAfter(month report.Month, last string) bool {
	before, err := report.ParseMonth(last)
	return err != nil || month.After(before)
}
