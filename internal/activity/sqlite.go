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

	_ "modernc.org/sqlite" // The driver registers itself.
)

// pragmas are set on each connection, unless the URL sets them. FULL: what was acknowledged survives a power cut.
var pragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"}

// sqliteDatabase has one connection that writes, since SQLite has one writer at a time, and others that read beside it.
type sqliteDatabase struct {
	path             string
	opened           os.FileInfo
	reading, writing *sql.DB
}

func openSQLite(path string, options url.Values) (database, error) {
	opened, err := touch(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if options == nil {
		options = url.Values{}
	}
	options["_pragma"] = withDefaults(options["_pragma"])
	reading, err := sql.Open("sqlite", sqliteName(path, options))
	if err != nil {
		return nil, err
	}
	// A transaction that begins by reading couldn't always go on to write.
	options.Set("_txlock", "immediate")
	writing, err := sql.Open("sqlite", sqliteName(path, options))
	if err != nil {
		return nil, errors.Join(err, reading.Close())
	}
	writing.SetMaxOpenConns(1)
	reading.SetMaxOpenConns(4)
	return &sqliteDatabase{path: path, opened: opened, reading: reading, writing: writing}, nil
}

// openSQLiteURL takes what stands behind "file:", with or without the two slashes of a host that isn't there.
func openSQLiteURL(rest string) (database, error) {
	escaped, query, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, fmt.Errorf("the activity database URL file:%s: %w", rest, err)
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("the options of the activity database URL file:%s: %w", rest, err)
	}
	return openSQLite(path, options)
}

// touch makes the file, which holds names of people, for nobody but its owner.
func touch(path string) (os.FileInfo, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	return info, errors.Join(err, file.Close())
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

// usable notices that the file was moved or deleted: SQLite would go on writing to what nobody will ever find again.
func (d *sqliteDatabase) usable() error {
	now, err := os.Stat(d.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if !os.SameFile(d.opened, now) {
		return fmt.Errorf("%w: %s is another file than the one that was opened", ErrAway, d.path)
	}
	return nil
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
