package activity

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations are SQL that both databases read. They are only ever added to: what has a number has been run somewhere.
var migrations = []string{
	`CREATE TABLE activity_chains (
		namespace TEXT PRIMARY KEY,
		head_sequence BIGINT NOT NULL,
		head_hash TEXT NOT NULL,
		anchor_sequence BIGINT NOT NULL,
		anchor_hash TEXT NOT NULL
	);
	CREATE TABLE activity_records (
		sequence BIGINT NOT NULL,
		time BIGINT NOT NULL,
		coalesced BIGINT NOT NULL,
		gone BIGINT NOT NULL,
		namespace TEXT NOT NULL,
		record_key TEXT NOT NULL UNIQUE,
		object_kind TEXT NOT NULL,
		object_namespace TEXT NOT NULL,
		object_name TEXT NOT NULL,
		object_uid TEXT NOT NULL,
		actor TEXT NOT NULL,
		actor_unknown_because TEXT NOT NULL,
		action TEXT NOT NULL,
		field TEXT NOT NULL,
		previous TEXT NOT NULL,
		new TEXT NOT NULL,
		note TEXT NOT NULL,
		cause TEXT NOT NULL,
		previous_hash TEXT NOT NULL,
		hash TEXT NOT NULL,
		PRIMARY KEY (namespace, sequence)
	);
	CREATE INDEX activity_records_by_time ON activity_records (time, namespace, sequence);
	CREATE INDEX activity_records_by_namespace ON activity_records (namespace, time, sequence);
	CREATE INDEX activity_records_by_actor ON activity_records (namespace, actor, time, sequence);
	CREATE TABLE activity_objects (
		changed BIGINT NOT NULL,
		gone BIGINT NOT NULL,
		uid TEXT PRIMARY KEY,
		chain TEXT NOT NULL,
		kind TEXT NOT NULL,
		namespace TEXT NOT NULL,
		name TEXT NOT NULL
	);
	CREATE TABLE activity_values (
		uid TEXT NOT NULL,
		field TEXT NOT NULL,
		value TEXT NOT NULL,
		PRIMARY KEY (uid, field)
	);`,
	`ALTER TABLE activity_records ADD COLUMN state TEXT NOT NULL DEFAULT ''`,
	// Version 2 didn't keep what objects were made with.
	`INSERT INTO activity_values (uid, field, value)
		SELECT made.object_uid, '', made.new FROM activity_records made
		JOIN activity_objects o ON o.uid = made.object_uid
		WHERE o.gone = 0 AND made.field = '' AND made.new <> ''
		ON CONFLICT DO NOTHING`,
	// Version 3 knew organizations by their names alone. What it stored keeps its hashes, and so has no uid; see Organization.
	`ALTER TABLE activity_records ADD COLUMN organization_uid TEXT NOT NULL DEFAULT '';
	ALTER TABLE activity_objects ADD COLUMN organization_uid TEXT NOT NULL DEFAULT ''`,
}

// table is where rows are inserted: columns of numbers first, then columns of texts.
type table struct {
	name           string
	numbers, texts []string
	// onConflict is what happens to a row whose key is there.
	onConflict string
}

type row struct {
	numbers []int64
	texts   []string
}

var (
	records = table{
		name:    "activity_records",
		numbers: []string{"sequence", "time", "coalesced", "gone"},
		texts: []string{
			"namespace", "record_key", "object_kind", "object_namespace", "object_name", "object_uid",
			"actor", "actor_unknown_because", "action", "field", "previous", "new", "note", "cause", "state", "organization_uid",
			"previous_hash", "hash",
		},
	}
	objects = table{
		name:    "activity_objects",
		numbers: []string{"changed", "gone"},
		texts:   []string{"uid", "chain", "kind", "namespace", "name", "organization_uid"},
		// Who is gone stays gone, whatever is told of it afterwards.
		onConflict: `ON CONFLICT (uid) DO UPDATE SET changed = excluded.changed, chain = excluded.chain,
			kind = excluded.kind, namespace = excluded.namespace, name = excluded.name,
			organization_uid = excluded.organization_uid,
			gone = CASE WHEN activity_objects.gone = 1 THEN 1 ELSE excluded.gone END`,
	}
	values = table{
		name:       "activity_values",
		texts:      []string{"uid", "field", "value"},
		onConflict: "ON CONFLICT (uid, field) DO UPDATE SET value = excluded.value",
	}
)

func (t table) columns() []string {
	return append(append([]string(nil), t.numbers...), t.texts...)
}

// migrate brings the schema up to date, wholly or not at all.
func (s *Store) migrate(ctx context.Context) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.database.beginMigration(ctx, tx); err != nil {
			return err
		}
		var version int
		err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM activity_schema").Scan(&version)
		if err != nil {
			return err
		}
		if err := refuseNewer(version); err != nil {
			return err
		}
		for number := version + 1; number <= len(migrations); number++ {
			if _, err := tx.ExecContext(ctx, migrations[number-1]); err != nil {
				return fmt.Errorf("migration %d: %w", number, err)
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO activity_schema (version, applied) VALUES ($1, $2)",
				number, s.clock.Now().UnixMicro())
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func refuseNewer(version int) error {
	if version > len(migrations) {
		return fmt.Errorf("%w (its schema is %d, this version knows %d)", ErrNewerSchema, version, len(migrations))
	}
	return nil
}

const createSchemaTable = "CREATE TABLE IF NOT EXISTS activity_schema (version INTEGER PRIMARY KEY, applied BIGINT NOT NULL)"
