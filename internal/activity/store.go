package activity

import (
	"context"
	"database/sql"
	"errors"

	"k8s.io/utils/clock"
)

// Store is an open activity database. Its methods may be called at the same time, also from several processes: they take
// turns at a chain, so that it never forks.
type Store struct {
	database         database
	reading, writing *sql.DB
	clock            clock.PassiveClock
}

// Open connects to a database and brings its schema up to date. A path, or file:/path, is one SQLite file, which is made
// when it isn't there, readable by nobody else; options such as ?_pragma=busy_timeout(100) are SQLite's.
// postgres://user:password@host:port/name is a PostgreSQL database.
func Open(ctx context.Context, url string, clock clock.PassiveClock) (*Store, error) {
	database, err := opener{sqlite: openSQLite, postgreSQL: openPostgreSQL}.open(url)
	if err != nil {
		return nil, err
	}
	reading, writing := database.pools()
	store := &Store{database: database, reading: reading, writing: writing, clock: clock}
	if err := store.migrate(ctx); err != nil {
		return nil, errors.Join(explain("opening the activity database", err), store.Close())
	}
	return store, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	return s.database.close()
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.database.usable(); err != nil {
		return err
	}
	var version int
	err := s.reading.QueryRowContext(ctx, "SELECT MAX(version) FROM activity_schema").Scan(&version)
	return explain("asking the activity database", err)
}

// write does all in one transaction, or nothing.
func (s *Store) write(ctx context.Context, do func(*sql.Tx) error) error {
	if err := s.database.usable(); err != nil {
		return err
	}
	return inTransaction(ctx, s.writing, nil, do)
}

// read sees the database as it is at one moment.
func (s *Store) read(ctx context.Context, do func(*sql.Tx) error) error {
	return inTransaction(ctx, s.reading, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true}, do)
}

func inTransaction(ctx context.Context, pool *sql.DB, options *sql.TxOptions, do func(*sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		if undone := tx.Rollback(); undone != nil && !errors.Is(undone, sql.ErrTxDone) {
			return errors.Join(err, undone)
		}
		return err
	}
	return tx.Commit()
}
