package activity

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// migrationLock is a number that nobody else takes for an advisory lock: "roster" in ASCII.
const migrationLock = 0x726f73746572

type postgresDatabase struct{ pool *sql.DB }

func postgreSQLConfig(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("the activity database URL: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	return config, nil
}

func openPostgreSQL(address string) (database, error) {
	config, err := postgreSQLConfig(address)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(8)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return &postgresDatabase{pool: pool}, nil
}

func (d *postgresDatabase) pools() (reading, writing *sql.DB) { return d.pool, d.pool }

func (d *postgresDatabase) close() error { return d.pool.Close() }

func (d *postgresDatabase) usable() error { return nil }

func (d *postgresDatabase) beginMigration(ctx context.Context, tx *sql.Tx) error {
	var encoding string
	if err := tx.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the activity database can't hold every text, its encoding is %s: create it with ENCODING 'UTF8'",
			encoding)
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, createSchemaTable)
	return err
}

func (d *postgresDatabase) forUpdate() string { return "FOR UPDATE" }

func (d *postgresDatabase) isOneOf(column, argument string) string {
	return column + " = ANY(" + argument + "::text[])"
}

func (d *postgresDatabase) list(texts []string) (any, error) { return texts, nil }

// insert sends all rows at once, a list a column: a statement a row would wait for the network each time.
func (d *postgresDatabase) insert(ctx context.Context, tx *sql.Tx, into table, rows []row) error {
	var lists []string
	var arguments []any
	for i := range into.numbers {
		column := make([]int64, len(rows))
		for j, row := range rows {
			column[j] = row.numbers[i]
		}
		arguments = append(arguments, column)
		lists = append(lists, "$"+strconv.Itoa(len(arguments))+"::bigint[]")
	}
	for i := range into.texts {
		column := make([]string, len(rows))
		for j, row := range rows {
			column[j] = row.texts[i]
		}
		arguments = append(arguments, column)
		lists = append(lists, "$"+strconv.Itoa(len(arguments))+"::text[]")
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM unnest(%s) %s",
		into.name, strings.Join(into.columns(), ", "), strings.Join(lists, ", "), into.onConflict), arguments...)
	return err
}
