package activity

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// connectTimeout is how long a server may take to answer.
const connectTimeout = 5 * time.Second

// database is what differs between SQLite and PostgreSQL.
type database interface {
	// beginMigration lets nobody else migrate until the transaction ends, and makes the table of versions.
	beginMigration(ctx context.Context, tx *sql.Tx) error
	insert(ctx context.Context, tx *sql.Tx, into table, rows []row) error
	// isOneOf is the condition that a column has one of the texts in the argument, which comes from list.
	isOneOf(column, argument string) string
	list(texts []string) (any, error)
	// forUpdate ends a SELECT whose rows nobody else may change until the transaction ends.
	forUpdate() string
	// usable tells whether what the connections lead to is still the database that was opened.
	usable() error
	pools() (reading, writing *sql.DB)
	close() error
}

// openDatabase takes postgres://… for PostgreSQL, and a path or file:/path for SQLite.
func openDatabase(address string) (database, error) {
	scheme, rest, found := strings.Cut(address, ":")
	switch {
	case address == "":
		return nil, fmt.Errorf("the activity database URL is empty: give a path, file:/path or postgres://user@host/name")
	case !found || strings.HasPrefix(address, "/") || strings.HasPrefix(address, "."):
		return openSQLite(address, nil)
	case scheme == "postgres" || scheme == "postgresql":
		return openPostgreSQL(address)
	case scheme == "file":
		return openSQLiteURL(rest)
	}
	return nil, unknownScheme(scheme)
}

// unknownScheme doesn't repeat the rest of the URL, which may hold a password.
func unknownScheme(scheme string) error {
	return fmt.Errorf("the activity database URL begins with %q: give a path, file:/path or postgres://user@host/name",
		scheme+":")
}
