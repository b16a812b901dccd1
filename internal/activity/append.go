package activity

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
)

// Append stores records in their order, all of them or none. A record whose key is stored already, or comes twice, is
// left out, so that whoever doesn't know whether an append succeeded repeats it.
func (s *Store) Append(ctx context.Context, changes []Record) error {
	if len(changes) == 0 {
		return nil
	}
	fresh := s.completed(changes)
	err := s.write(ctx, func(tx *sql.Tx) error { return s.append(ctx, tx, fresh) })
	return explain("storing activities", err)
}

// completed leaves one record a key.
func (s *Store) completed(changes []Record) []Record {
	now := s.clock.Now()
	seen := sets.New[string]()
	fresh := make([]Record, 0, len(changes))
	for _, record := range changes {
		record = record.complete(now)
		if !seen.Has(record.Key) {
			seen.Insert(record.Key)
			fresh = append(fresh, record)
		}
	}
	return fresh
}

func (s *Store) append(ctx context.Context, tx *sql.Tx, changes []Record) error {
	heads, err := s.lockHeads(ctx, tx, changes)
	if err != nil {
		return err
	}
	// Only now: while the heads are locked, nobody else stores one of these keys.
	known, err := s.known(ctx, tx, changes)
	if err != nil {
		return err
	}
	entries := make([]LogEntry, 0, len(changes))
	for _, record := range changes {
		if known.Has(record.Key) {
			continue
		}
		entry := heads[record.Namespace].next(record)
		heads[record.Namespace] = entry.link()
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return nil
	}
	if err := s.database.insert(ctx, tx, records, rowsOf(entries)); err != nil {
		return err
	}
	if err := saveHeads(ctx, tx, heads); err != nil {
		return err
	}
	return s.remember(ctx, tx, entries)
}

// lockHeads takes the chains in the order of their names, so that two appenders never wait for each other.
func (s *Store) lockHeads(ctx context.Context, tx *sql.Tx, changes []Record) (map[string]Link, error) {
	heads := map[string]Link{}
	for _, record := range changes {
		heads[record.Namespace] = Link{}
	}
	for _, namespace := range slices.Sorted(maps.Keys(heads)) {
		head, err := s.lockHead(ctx, tx, namespace)
		if err != nil {
			return nil, err
		}
		heads[namespace] = head
	}
	return heads, nil
}

func (s *Store) lockHead(ctx context.Context, tx *sql.Tx, namespace string) (Link, error) {
	_, err := tx.ExecContext(ctx, `INSERT INTO activity_chains
		(namespace, head_sequence, head_hash, anchor_sequence, anchor_hash) VALUES ($1, 0, '', 0, '')
		ON CONFLICT (namespace) DO NOTHING`, namespace)
	if err != nil {
		return Link{}, err
	}
	var head Link
	err = tx.QueryRowContext(ctx, `SELECT head_sequence, head_hash FROM activity_chains WHERE namespace = $1 `+
		s.database.forUpdate(), namespace).Scan(&head.Sequence, &head.Hash)
	return head, err
}

func saveHeads(ctx context.Context, tx *sql.Tx, heads map[string]Link) error {
	for _, namespace := range slices.Sorted(maps.Keys(heads)) {
		_, err := tx.ExecContext(ctx, `UPDATE activity_chains SET head_sequence = $1, head_hash = $2 WHERE namespace = $3`,
			heads[namespace].Sequence, heads[namespace].Hash, namespace)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) known(ctx context.Context, tx *sql.Tx, changes []Record) (sets.Set[string], error) {
	keys := make([]string, 0, len(changes))
	for _, record := range changes {
		keys = append(keys, record.Key)
	}
	list, err := s.database.list(keys)
	if err != nil {
		return nil, err
	}
	known := sets.New[string]()
	err = each(ctx, tx, "SELECT record_key FROM activity_records WHERE "+s.database.isOneOf("record_key", "$1"),
		[]any{list}, func(rows *sql.Rows) error {
			var key string
			err := rows.Scan(&key)
			known.Insert(key)
			return err
		})
	return known, err
}

// remember keeps what Latest answers: it must outlive the records, which the retention removes.
func (s *Store) remember(ctx context.Context, tx *sql.Tx, entries []LogEntry) error {
	newest, latest := latestOf(entries)
	if len(newest) == 0 {
		return nil
	}
	if err := s.database.insert(ctx, tx, objects, sortedRows(newest)); err != nil {
		return err
	}
	if len(latest) > 0 {
		if err := s.database.insert(ctx, tx, values, sortedRows(latest)); err != nil {
			return err
		}
	}
	uids, err := s.database.list(slices.Sorted(maps.Keys(newest)))
	if err != nil {
		return err
	}
	ofThese := s.database.isOneOf("uid", "$1")
	_, err = tx.ExecContext(ctx, "DELETE FROM activity_values WHERE "+ofThese+
		" AND uid IN (SELECT uid FROM activity_objects WHERE gone = 1 AND "+ofThese+")", uids)
	return err
}

// latestOf gives one row an object, and one row a field of an object.
func latestOf(entries []LogEntry) (newest, latest map[string]row) {
	newest, latest = map[string]row{}, map[string]row{}
	for _, entry := range entries {
		uid := string(entry.Object.UID)
		if uid == "" {
			continue
		}
		gone := number(entry.Gone)
		if before, seen := newest[uid]; seen {
			gone = max(gone, before.numbers[1])
		}
		newest[uid] = row{
			numbers: []int64{entry.Time.UnixMicro(), gone},
			texts: []string{
				uid, entry.Namespace, entry.Object.Kind, entry.Object.Namespace, entry.Object.Name, string(entry.OrganizationUID),
			},
		}
		// What an object was made with has no field of its own; it stands until a field is changed.
		if entry.Field != "" || entry.New != "" {
			latest[uid+"\x00"+entry.Field] = row{texts: []string{uid, entry.Field, cmp.Or(entry.State, entry.New)}}
		}
	}
	return newest, latest
}

// sortedRows lets appenders touch rows in the same order, so that they never wait for each other.
func sortedRows(byKey map[string]row) []row {
	rows := slices.Collect(maps.Values(byKey))
	slices.SortFunc(rows, func(a, b row) int {
		return strings.Compare(strings.Join(a.texts[:2], "\x00"), strings.Join(b.texts[:2], "\x00"))
	})
	return rows
}

func rowsOf(entries []LogEntry) []row {
	rows := make([]row, 0, len(entries))
	for i := range entries {
		rows = append(rows, entries[i].row())
	}
	return rows
}

// row has the columns of records.
func (e LogEntry) row() row {
	result := row{numbers: e.numbers()}
	for _, text := range e.texts() {
		result.texts = append(result.texts, *text)
	}
	result.texts = append(result.texts, e.PreviousHash, e.Hash)
	return result
}
