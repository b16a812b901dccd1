package activity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5/stdlib"
)

// OpenReading opens a database that is there to look at it, by the URL that Open takes. It makes nothing, migrates nothing
// and writes nothing; what writes fails. It may be read beside a manager that writes. Ping says at the end whether what was
// read counts.
func OpenReading(ctx context.Context, address string) (*Store, error) {
	database, err := opener{sqlite: readSQLite, postgreSQL: readPostgreSQL}.open(address)
	if err != nil {
		return nil, err
	}
	reading, writing := database.pools()
	store := &Store{database: database, reading: reading, writing: writing}
	if err := store.checkSchema(ctx); err != nil {
		return nil, errors.Join(explain("reading the activity database", err), store.Close())
	}
	return store, nil
}

// readPostgreSQL, as readSQLite, has one pool for all, whose connections can't write.
func readPostgreSQL(address string) (database, error) {
	config, err := postgreSQLConfig(address)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	return &postgresDatabase{pool: stdlib.OpenDB(*config)}, nil
}

func readSQLite(path string, options url.Values) (database, error) {
	opened, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if opened.IsDir() {
		return nil, fmt.Errorf("%w: %s is a folder, not a file", ErrAway, path)
	}
	options.Set("mode", "ro")
	closed := !isOpenSomewhere(path)
	if closed {
		// SQLite would otherwise leave files beside it, and a manager that runs as somebody else couldn't open those.
		options.Set("immutable", "1")
	}
	options["_pragma"] = append(options["_pragma"], "busy_timeout(5000)", "query_only(1)")
	pool, err := sql.Open("sqlite", sqliteName(path, options))
	if err != nil {
		return nil, err
	}
	database := &sqliteDatabase{path: path, opened: opened, reading: pool, writing: pool}
	if closed {
		return &closedSQLite{database}, nil
	}
	return database, nil
}

// isOpenSomewhere says whether an SQLite file has a log beside it: whoever has it open keeps one, and who was killed
// leaves one.
func isOpenSomewhere(path string) bool {
	_, err := os.Stat(path + "-wal")
	return !errors.Is(err, fs.ErrNotExist)
}

// closedSQLite is a file that nobody else had open when it was opened, and that is read without locks.
type closedSQLite struct{ *sqliteDatabase }

// usable notices that somebody has opened the file meanwhile: what was read may be of two moments.
func (d *closedSQLite) usable() error {
	if isOpenSomewhere(d.path) {
		return fmt.Errorf("%w: %s was opened by another process while it was read; ask again", ErrLocked, d.path)
	}
	return d.sqliteDatabase.usable()
}

// checkSchema refuses a database that isn't an activity database of this version or an older one.
func (s *Store) checkSchema(ctx context.Context) error {
	var version int
	err := s.reading.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM activity_schema").Scan(&version)
	if err != nil {
		return fmt.Errorf("it isn't one that Roster made, or can't be read: %w", err)
	}
	if err := refuseNewer(version); err != nil {
		return err
	}
	if version < len(migrations) {
		return fmt.Errorf("its schema is %d and this version reads %d: start a manager of this version with it first", version,
			len(migrations))
	}
	return nil
}

// Traces lists by name all namespaces of which the database holds anything, also a chain of which only entries are left.
func (s *Store) Traces(ctx context.Context) ([]string, error) {
	var namespaces []string
	query := "SELECT namespace FROM activity_chains UNION SELECT namespace FROM activity_records ORDER BY namespace"
	err := each(ctx, s.reading, query, nil, func(rows *sql.Rows) error {
		var namespace string
		err := rows.Scan(&namespace)
		namespaces = append(namespaces, namespace)
		return err
	})
	return namespaces, explain("reading the chains", err)
}
