package activity

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
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

// opener opens either kind of database, to write in it or only to read.
type opener struct {
	sqlite     func(path string, options url.Values) (database, error)
	postgreSQL func(address string) (database, error)
}

// open takes postgres://… for PostgreSQL, and a path or file:/path for SQLite.
func (o opener) open(address string) (database, error) {
	scheme, rest, found := strings.Cut(address, ":")
	switch {
	case address == "":
		return nil, fmt.Errorf("the activity database URL is empty: give a path, file:/path or postgres://user@host/name")
	case !found || strings.HasPrefix(address, "/") || strings.HasPrefix(address, "."):
		return o.sqlite(address, url.Values{})
	case scheme == "postgres" || scheme == "postgresql":
		return o.postgreSQL(address)
	case scheme == "file":
		path, options, err := parseSQLiteURL(rest)
		if err != nil {
			return nil, err
		}
		return o.sqlite(path, options)
	}
	// The rest of the URL may hold a password.
	return nil, fmt.Errorf("the activity database URL begins with %q: give a path, file:/path or "+
		"postgres://user@host/name", scheme+":")
}
