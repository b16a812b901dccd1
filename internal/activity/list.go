package activity

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// DefaultLimit is how many entries a page has when the query doesn't say.
const DefaultLimit = 500

// Query asks for entries. Everything that is left out matches all.
type Query struct {
	Namespace, Actor, Action, ObjectKind, ObjectName string
	// OrganizationUID is the recorded one. Organization also matches what was recorded before uids were.
	OrganizationUID types.UID
	Organization    Organization
	// Since is the first moment that matches, Until the first one that doesn't any more.
	Since, Until time.Time
	// Limit is how many entries a page has at most; DefaultLimit when it is 0.
	Limit int
	// Continue is what the page before gave, with the same query otherwise.
	Continue string
}

// Organization tells the records of an organization from those of others that had its name before.
type Organization struct {
	UID types.UID
	// Created is the organization's creation. Records without a uid, which an earlier version stored, are the organization's if
	// they are from then or later.
	Created time.Time
}

// clockDifference is how far the clocks of the manager and the API server may be apart. Records of an organization that are
// that much older than it aren't looked for.
const clockDifference = 24 * time.Hour

// Page is a part of an answer.
type Page struct {
	Entries []LogEntry
	// Continue asks for what follows; empty when nothing does.
	Continue string
}

// List gives the newest entries first: by time, and of one time the last that was stored. A token stays good while
// entries are added: whatever was stored when the first page was read comes exactly once.
func (s *Store) List(ctx context.Context, query Query) (Page, error) {
	where, err := query.conditions()
	if err != nil {
		return Page{}, err
	}
	limit := query.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	// One more than asked for tells whether there is another page.
	text := fmt.Sprintf("SELECT %s FROM activity_records %s ORDER BY %s LIMIT %s", selected(), where.clause(),
		query.order(" DESC"), where.argument(limit+1))
	var page Page
	err = each(ctx, s.reading, text, where.arguments, func(rows *sql.Rows) error {
		entry, err := scanEntry(rows)
		page.Entries = append(page.Entries, entry)
		return err
	})
	if err != nil {
		return Page{}, explain("reading activities", err)
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Continue = tokenAfter(page.Entries[limit-1])
	}
	return page, nil
}

// order is that of an index, so that a page is read and not sorted.
func (q Query) order(direction string) string {
	columns := []string{"time" + direction, "namespace" + direction, "sequence" + direction}
	if q.Namespace != "" {
		columns = []string{"time" + direction, "sequence" + direction}
	}
	return strings.Join(columns, ", ")
}

func (q Query) conditions() (*conditions, error) {
	where := &conditions{}
	equal := []struct{ column, value string }{
		{"namespace", q.Namespace}, {"actor", q.Actor}, {"action", q.Action},
		{"object_kind", q.ObjectKind}, {"object_name", q.ObjectName}, {"organization_uid", string(q.OrganizationUID)},
	}
	for _, condition := range equal {
		if condition.value != "" {
			where.add(condition.column + " = " + where.argument(condition.value))
		}
	}
	if q.Organization.UID != "" {
		created := q.Organization.Created
		where.add(fmt.Sprintf("(organization_uid = %s OR organization_uid = '' AND time >= %s)",
			where.argument(string(q.Organization.UID)), where.argument(created.UnixMicro())))
		where.add("time >= " + where.argument(created.Add(-clockDifference).UnixMicro()))
	}
	if !q.Since.IsZero() {
		where.add("time >= " + where.argument(roundUp(q.Since).UnixMicro()))
	}
	if !q.Until.IsZero() {
		where.add("time < " + where.argument(roundUp(q.Until).UnixMicro()))
	}
	if q.Continue == "" {
		return where, nil
	}
	after, err := parseToken(q.Continue)
	if err != nil {
		return nil, err
	}
	place := []any{after.Time, after.Namespace, after.Sequence}
	if q.Namespace != "" {
		place = []any{after.Time, after.Sequence}
	}
	placeholders := make([]string, 0, len(place))
	for _, value := range place {
		placeholders = append(placeholders, where.argument(value))
	}
	where.add(fmt.Sprintf("(%s) < (%s)", q.order(""), strings.Join(placeholders, ", ")))
	return where, nil
}

// roundUp goes to the next microsecond, which is the first that a stored time at or after the instant can have.
func roundUp(instant time.Time) time.Time {
	return instant.Add(time.Microsecond - 1).Truncate(time.Microsecond)
}

// conditions gathers what rows must fulfil, with values beside the text and never in it.
type conditions struct {
	texts     []string
	arguments []any
}

func (c *conditions) add(condition string) { c.texts = append(c.texts, condition) }

func (c *conditions) argument(value any) string {
	c.arguments = append(c.arguments, value)
	return "$" + strconv.Itoa(len(c.arguments))
}

func (c *conditions) clause() string {
	if len(c.texts) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(c.texts, " AND ")
}

// token is the place of the last entry that was given.
type token struct {
	Time, Sequence int64
	Namespace      string
}

const tokenFormat = "%d/%d/%s"

func tokenAfter(entry LogEntry) string {
	place := fmt.Sprintf(tokenFormat, entry.Time.UnixMicro(), entry.Sequence, entry.Namespace)
	return base64.RawURLEncoding.EncodeToString([]byte(place))
}

func parseToken(text string) (token, error) {
	var after token
	place, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		_, err = fmt.Sscanf(string(place), tokenFormat, &after.Time, &after.Sequence, &after.Namespace)
	}
	if err != nil {
		return token{}, fmt.Errorf("continue %q: %w", text, ErrInvalidContinue)
	}
	return after, nil
}

func selected() string { return strings.Join(records.columns(), ", ") }

type querier interface {
	QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error)
}

// each hands every row to do.
func each(ctx context.Context, from querier, query string, arguments []any, do func(*sql.Rows) error) error {
	rows, err := from.QueryContext(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanEntry reads the columns of records.
func scanEntry(rows *sql.Rows) (LogEntry, error) {
	var entry LogEntry
	var micros, coalesced, gone int64
	into := []any{&entry.Sequence, &micros, &coalesced, &gone}
	for _, text := range entry.texts() {
		into = append(into, text)
	}
	err := rows.Scan(append(into, &entry.PreviousHash, &entry.Hash)...)
	entry.Time = time.UnixMicro(micros).UTC()
	entry.Coalesced, entry.Gone = coalesced != 0, gone != 0
	return entry, err
}
