package activity

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitecodes "modernc.org/sqlite/lib"
)

// What can be wrong with the database, each with its remedy.
var (
	ErrCorrupt = errors.New("the activity database is damaged: put a backup in its place (of an SQLite file, move it " +
		"aside with its -wal and -shm first), or none; Roster then goes on with what Kubernetes Events still hold")
	ErrFull = errors.New("the activity database is full: give its volume more room, or keep records for a shorter time")
	// ErrLocked passes by itself when the other one is done.
	ErrLocked = errors.New("the activity database is locked by somebody else: look for another process that has it open")
	ErrAway   = errors.New("the activity database can't be reached or written: see that it runs, that its URL and " +
		"credentials are right, and that its volume is writable")
	// ErrNewerSchema keeps an older Roster from writing what a newer one wouldn't understand.
	ErrNewerSchema = errors.New("the activity database was made by a newer Roster: run that version, or restore " +
		"an older backup")
	// ErrInvalidContinue is the caller's mistake.
	ErrInvalidContinue = errors.New("continue is not a token that a list of activities has given: leave it out to begin anew")
)

// errReplaced: what was stored is somewhere else now.
var errReplaced = errors.New("the file isn't the one any more that was opened")

var reasons = map[error]string{
	ErrCorrupt: "DatabaseCorrupt", ErrFull: "DatabaseFull", ErrLocked: "DatabaseLocked", ErrAway: "DatabaseAway",
	ErrNewerSchema: "DatabaseNewer",
}

// Reason is the error's reason for a condition or a metric: one of a few words.
func Reason(err error) string {
	for sentinel, reason := range reasons {
		if errors.Is(err, sentinel) {
			return reason
		}
	}
	return "DatabaseError"
}

// explain adds what is wrong to an error of the database, when that can be told.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if what := whatIsWrong(err); what != nil && !errors.Is(err, what) {
		return fmt.Errorf("%s: %w: %w", doing, what, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func whatIsWrong(err error) error {
	if ofSQLite := new(sqlite.Error); errors.As(err, &ofSQLite) {
		return wrongWithSQLite(ofSQLite.Code())
	}
	if ofPostgreSQL := new(pgconn.PgError); errors.As(err, &ofPostgreSQL) {
		return wrongWithPostgreSQL(ofPostgreSQL.Code)
	}
	var ofConnect *pgconn.ConnectError
	var ofNetwork net.Error
	switch {
	case errors.As(err, &ofConnect), errors.As(err, &ofNetwork), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, context.DeadlineExceeded):
		return ErrAway
	}
	return nil
}

// wrongWithSQLite looks at the low byte: the others only tell where it happened.
func wrongWithSQLite(code int) error {
	switch code & 0xff {
	case sqlitecodes.SQLITE_CORRUPT, sqlitecodes.SQLITE_NOTADB:
		return ErrCorrupt
	case sqlitecodes.SQLITE_FULL:
		return ErrFull
	case sqlitecodes.SQLITE_BUSY, sqlitecodes.SQLITE_LOCKED:
		return ErrLocked
	case sqlitecodes.SQLITE_CANTOPEN, sqlitecodes.SQLITE_READONLY, sqlitecodes.SQLITE_IOERR, sqlitecodes.SQLITE_PERM:
		return ErrAway
	}
	return nil
}

func wrongWithPostgreSQL(state string) error {
	switch {
	case state == "53100":
		return ErrFull
	case state == "55P03":
		return ErrLocked
	case state == "XX001", state == "XX002":
		return ErrCorrupt
	// Connections, credentials, databases that don't exist, too many connections, servers that come or go, or only read.
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "28"), strings.HasPrefix(state, "3D"),
		strings.HasPrefix(state, "53"), strings.HasPrefix(state, "57P"), state == "25006":
		return ErrAway
	}
	return nil
}
