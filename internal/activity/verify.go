package activity

import (
	"context"
	"database/sql"
	"errors"
	"iter"
)

// errEnough ends a look at rows early.
var errEnough = errors.New("enough")

// Verify says whether the chain of a namespace holds, and otherwise the first sequence where it breaks and why. Records
// that the retention removed aren't missed. The error tells that it couldn't be found out.
func (s *Store) Verify(ctx context.Context, namespace string) (Verdict, error) {
	var verdict Verdict
	err := s.read(ctx, func(tx *sql.Tx) error {
		chain, err := readChain(ctx, tx, namespace)
		if err != nil {
			return err
		}
		verdict, err = VerifyChain(chain, entriesOf(ctx, tx, namespace))
		return err
	})
	return verdict, explain("verifying the activities of namespace "+namespace, err)
}

// Chain gives what a client needs to verify entries that it got elsewhere.
func (s *Store) Chain(ctx context.Context, namespace string) (Chain, error) {
	chain, err := readChain(ctx, s.reading, namespace)
	return chain, explain("reading the chain of namespace "+namespace, err)
}

// Namespaces lists all chains by name.
func (s *Store) Namespaces(ctx context.Context) ([]string, error) {
	var namespaces []string
	err := each(ctx, s.reading, "SELECT namespace FROM activity_chains ORDER BY namespace", nil, func(rows *sql.Rows) error {
		var namespace string
		err := rows.Scan(&namespace)
		namespaces = append(namespaces, namespace)
		return err
	})
	return namespaces, explain("reading the chains", err)
}

// readChain takes a chain that isn't there for an empty one, so that entries without a chain are noticed.
func readChain(ctx context.Context, from querier, namespace string) (Chain, error) {
	chain := Chain{Namespace: namespace, Anchor: &Link{}, Head: &Link{}}
	err := each(ctx, from, `SELECT anchor_sequence, anchor_hash, head_sequence, head_hash FROM activity_chains
		WHERE namespace = $1`, []any{namespace}, func(rows *sql.Rows) error {
		return rows.Scan(&chain.Anchor.Sequence, &chain.Anchor.Hash, &chain.Head.Sequence, &chain.Head.Hash)
	})
	return chain, err
}

// entriesOf reads a chain from its beginning, without keeping it in memory.
func entriesOf(ctx context.Context, from querier, namespace string) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		query := "SELECT " + selected() + " FROM activity_records WHERE namespace = $1 ORDER BY sequence"
		err := each(ctx, from, query, []any{namespace}, func(rows *sql.Rows) error {
			entry, err := scanEntry(rows)
			if err != nil {
				return err
			}
			if !yield(entry, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(LogEntry{}, err)
		}
	}
}
