package activity

import (
	"context"
	"database/sql"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Recorded is what the store last heard of an object that isn't gone.
type Recorded struct {
	// Namespace is that of the records.
	Namespace string
	// OrganizationUID is that of the last record.
	OrganizationUID types.UID
	Object          Object
	// Changed is the time of the last record.
	Changed time.Time
	// Values are the new values of the last change of each field. That of the field without a name is what the object was made
	// with.
	Values map[string]string
}

// Latest gives the last recorded values of an object by field; none when it isn't known, or gone. The retention doesn't
// take them away.
func (s *Store) Latest(ctx context.Context, uid types.UID) (map[string]string, error) {
	latest := map[string]string{}
	err := each(ctx, s.reading, "SELECT field, value FROM activity_values WHERE uid = $1", []any{string(uid)},
		func(rows *sql.Rows) error {
			var field, value string
			err := rows.Scan(&field, &value)
			latest[field] = value
			return err
		})
	return latest, explain("reading the last recorded values", err)
}

// LatestAll gives all objects of a kind, or of every kind when it is empty, that aren't gone as far as the store knows:
// compared with what is there, they tell what happened while nobody looked.
func (s *Store) LatestAll(ctx context.Context, kind string) (map[types.UID]Recorded, error) {
	all := map[types.UID]Recorded{}
	err := each(ctx, s.reading, `SELECT o.uid, o.chain, o.organization_uid, o.changed, o.kind, o.namespace, o.name, v.field, v.value
		FROM activity_objects o LEFT JOIN activity_values v ON v.uid = o.uid
		WHERE o.gone = 0 AND ($1 = '' OR o.kind = $1)`, []any{kind},
		func(rows *sql.Rows) error {
			var of Recorded
			var field, value sql.NullString
			var changed int64
			err := rows.Scan((*string)(&of.Object.UID), &of.Namespace, (*string)(&of.OrganizationUID), &changed,
				&of.Object.Kind, &of.Object.Namespace, &of.Object.Name, &field, &value)
			of.Changed = time.UnixMicro(changed).UTC()
			if err != nil {
				return err
			}
			if known, seen := all[of.Object.UID]; seen {
				of = known
			} else {
				of.Values = map[string]string{}
				all[of.Object.UID] = of
			}
			if field.Valid {
				of.Values[field.String] = value.String
			}
			return nil
		})
	return all, explain("reading the last recorded values", err)
}
