package report

import (
	"fmt"
	"time"
)

// monthForm is how a month is written: 2026-11.
const monthForm = "2006-01"

// Month is one month of the calendar, in UTC. The zero Month is none.
type Month struct{ start time.Time }

// MonthOf is the month that an instant is in.
func MonthOf(at time.Time) Month {
	at = at.UTC()
	return Month{time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)}
}

// ParseMonth reads a month such as 2026-11.
func ParseMonth(text string) (Month, error) {
	start, err := time.Parse(monthForm, text)
	if err != nil {
		return Month{}, fmt.Errorf("month %q: write year and month, such as 2026-11", text)
	}
	return Month{start}, nil
}

// String is the month as ParseMonth reads it.
func (m Month) String() string { return m.start.Format(monthForm) }

// Title is the month for people: November 2026.
func (m Month) Title() string { return m.start.Format("January 2006") }

// End is the first instant after the month.
func (m Month) End() time.Time { return m.start.AddDate(0, 1, 0) }

// Previous is the month before.
func (m Month) Previous() Month { return Month{m.start.AddDate(0, -1, 0)} }

// After says whether the month comes after another one.
func (m Month) After(other Month) bool { return m.start.After(other.start) }
