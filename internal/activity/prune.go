package activity

import (
	"context"
	"database/sql"
	"time"
)

// pruneAtOnce bounds a transaction: appenders wait for it.
const pruneAtOnce = 1000

// Prune removes what is older than a moment, and says how many records that were. A chain loses entries from its
// beginning only: an older entry behind a younger one stays until that one goes. What was last removed is kept as the
// chain's anchor, so that the rest can still be verified. From where a chain is broken, nothing is removed: it would be the
// evidence.
func (s *Store) Prune(ctx context.Context, before time.Time) (int64, error) {
	namespaces, err := s.Namespaces(ctx)
	if err != nil {
		return 0, err
	}
	var removed int64
	for _, namespace := range namespaces {
		for {
			some, err := s.pruneSome(ctx, namespace, before)
			removed += some
			if err != nil {
				return removed, explain("removing old activities of namespace "+namespace, err)
			}
			if some < pruneAtOnce {
				break
			}
		}
	}
	return removed, explain("removing old activities", s.forgetGone(ctx, before))
}

func (s *Store) pruneSome(ctx context.Context, namespace string, before time.Time) (int64, error) {
	var removed int64
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := s.lockHead(ctx, tx, namespace); err != nil {
			return err
		}
		anchor, err := lastOlder(ctx, tx, namespace, before)
		if err != nil || anchor.Sequence == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE activity_chains SET anchor_sequence = $1, anchor_hash = $2 WHERE namespace = $3",
			anchor.Sequence, anchor.Hash, namespace)
		if err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, "DELETE FROM activity_records WHERE namespace = $1 AND sequence <= $2",
			namespace, anchor.Sequence)
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	return removed, err
}

// lastOlder finds the last of the entries at the beginning of a chain that are all older; no sequence when there is none.
func lastOlder(ctx context.Context, tx *sql.Tx, namespace string, before time.Time) (Link, error) {
	chain, err := readChain(ctx, tx, namespace)
	if err != nil {
		return Link{}, err
	}
	var found Link
	last := *chain.Anchor
	for entry, err := range entriesOf(ctx, tx, namespace) {
		if err != nil {
			return Link{}, err
		}
		done := entry.Sequence-chain.Anchor.Sequence > pruneAtOnce
		if done || !entry.Time.Before(before) || follows(namespace, last, entry) != nil {
			break
		}
		last = entry.link()
		found = last
	}
	return found, nil
}

// forgetGone removes what kept late records from bringing an object back.
func (s *Store) forgetGone(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM activity_objects WHERE gone = 1 AND changed < $1", before.UnixMicro())
		return err
	})
}
