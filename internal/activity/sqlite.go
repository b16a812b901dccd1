package activity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	_ "modernc.org/sqlite" // The driver registers itself.
)

// pragmas are set on each connection, unless the URL sets them. FULL: what was acknowledged survives a power cut.
var pragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"}

// sqliteHeader is what every SQLite file begins with.
const sqliteHeader = "SQLite format 3\x00"

// sqliteDatabase has one connection that writes, since SQLite has one writer at a time, and others that read beside it.
type sqliteDatabase struct {
	path   string
	opened os.FileInfo
	// file is open beside the connections, to look at it; nil where nothing is written. It is closed after them: with the
	// first file that a process closes, its locks on it go, also those of the connections.
	file             *os.File
	begun, damaged   atomic.Bool
	reading, writing *sql.DB
}

func openSQLite(path string, options url.Values) (database, error) {
	file, opened, err := touch(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	options["_pragma"] = withDefaults(options["_pragma"])
	reading, err := sql.Open("sqlite", sqliteName(path, options))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// A transaction that begins by reading couldn't always go on to write.
	options.Set("_txlock", "immediate")
	writing, err := sql.Open("sqlite", sqliteName(path, options))
	if err != nil {
		return nil, errors.Join(err, reading.Close(), file.Close())
	}
	writing.SetMaxOpenConns(1)
	reading.SetMaxOpenConns(4)
	return &sqliteDatabase{path: path, opened: opened, file: file, reading: reading, writing: writing}, nil
}

// parseSQLiteURL takes what stands behind "file:", with or without the two slashes of a host that isn't there.
func parseSQLiteURL(rest string) (path string, options url.Values, err error) {
	escaped, query, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	path, err = url.PathUnescape(escaped)
	if err != nil {
		return "", nil, fmt.Errorf("the activity database URL file:%s: %w", rest, err)
	}
	options, err = url.ParseQuery(query)
	if err != nil {
		return "", nil, fmt.Errorf("the options of the activity database URL file:%s: %w", rest, err)
	}
	return path, options, nil
}

// touch makes the file, which holds names of people, for nobody but its owner.
func touch(path string) (*os.File, os.FileInfo, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func sqliteName(path string, options url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String()
}

func withDefaults(given []string) []string {
	for _, pragma := range pragmas {
		name, _, _ := strings.Cut(pragma, "(")
		isSet := func(other string) bool { return strings.HasPrefix(other, name) }
		if !slices.ContainsFunc(given, isSet) {
			given = append(given, pragma)
		}
	}
	return given
}

func (d *sqliteDatabase) pools() (reading, writing *sql.DB) { return d.reading, d.writing }

func (d *sqliteDatabase) close() error {
	err := errors.Join(d.reading.Close(), d.writing.Close())
	if d.file == nil {
		return err
	}
	if closing := d.file.Close(); !errors.Is(closing, os.ErrClosed) {
		err = errors.Join(err, closing)
	}
	return err
}

// usable notices that the file was moved or deleted: SQLite would go on writing to what nobody will ever find again. And
// that it was overwritten: SQLite would go on for long with the pages that it has in memory.
func (d *sqliteDatabase) usable() error {
	now, err := os.Stat(d.path)
	if err != nil {
		return fmt.Errorf("%w: %w: %w", ErrAway, errReplaced, err)
	}
	if !os.SameFile(d.opened, now) {
		return fmt.Errorf("%w: %w", ErrAway, errReplaced)
	}
	if d.isDamaged() {
		return fmt.Errorf("%w: %s was overwritten while it was open", ErrCorrupt, d.path)
	}
	return nil
}

// isDamaged stays true: what is copied over a file that is open doesn't fit what the connections have in memory.
func (d *sqliteDatabase) isDamaged() bool {
	if d.file == nil || d.damaged.Load() {
		return d.damaged.Load()
	}
	header := make([]byte, len(sqliteHeader))
	_, err := d.file.ReadAt(header, 0)
	switch whole := err == nil && string(header) == sqliteHeader; {
	case whole:
		d.begun.Store(true)
	case d.begun.Load():
		d.damaged.Store(true)
	}
	return d.damaged.Load()
}

// beginMigration needs no lock: every transaction that writes has one.
func (d *sqliteDatabase) beginMigration(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, createSchemaTable)
	return err
}

func (d *sqliteDatabase) forUpdate() string { return "" }

func (d *sqliteDatabase) isOneOf(column, argument string) string {
	return column + " IN (SELECT value FROM json_each(" + argument + "))"
}

func (d *sqliteDatabase) list(texts []string) (any, error) {
	encoded, err := json.Marshal(texts)
	return string(encoded), err
}

func (d *sqliteDatabase) insert(ctx context.Context, tx *sql.Tx, into table, rows []row) error {
	columns := into.columns()
	placeholders := make([]string, len(columns))
	for i := range columns {
		placeholders[i] = "$" + strconv.Itoa(i+1)
	}
	statement, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) %s",
		into.name, strings.Join(columns, ", "), strings.Join(placeholders, ", "), into.onConflict))
	if err != nil {
		return err
	}
	defer statement.Close()
	for _, row := range rows {
		if _, err := statement.ExecContext(ctx, row.arguments()...); err != nil {
			return err
		}
	}
	return nil
}

func (r row) arguments() []any {
	arguments := make([]any, 0, len(r.numbers)+len(r.texts))
	for _, number := range r.numbers {
		arguments = append(arguments, number)
	}
	for _, text := range r.texts {
		arguments = append(arguments, text)
	}
	return arguments
}
