package view

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// rememberedRemovals is how many members who are gone are remembered for watches that come back.
const rememberedRemovals = 1000

// memberTable is who is a member, sorted by name, and since when. Versions are microseconds, so that they also grow from
// one start of the manager to the next.
type memberTable struct {
	// version of the latest change.
	version uint64
	// known is the version from which on all removals are remembered.
	known   uint64
	rows    []memberRow
	removed []memberRow
}

// memberRow is a member with the versions of its first and last appearance.
type memberRow struct {
	*viewv1alpha1.Member
	created, changed uint64
}

// newMemberTable compares members with those before, and gives a new version to whoever changed.
func newMemberTable(members []*viewv1alpha1.Member, before *memberTable, now time.Time) memberTable {
	next := uint64(now.UnixMicro())
	if before == nil {
		before = &memberTable{version: next, known: next}
	} else {
		next = max(next, before.version+1)
	}
	table := memberTable{version: before.version, known: before.known, removed: before.removed}
	kept := 0
	for _, member := range members {
		row := memberRow{Member: member, created: next, changed: next}
		if last, found := before.find(member.Name); found {
			kept++
			row = successor(last, row)
		} else {
			row.setVersion()
		}
		table.version = max(table.version, row.changed)
		table.rows = append(table.rows, row)
	}
	if kept < len(before.rows) {
		table.version = next
		table.remember(before.rows, next)
	}
	return table
}

// successor is a member as it is now: the row before, where nothing has changed.
func successor(last, row memberRow) memberRow {
	row.ResourceVersion = last.ResourceVersion
	if apiequality.Semantic.DeepEqual(last.Member, row.Member) {
		return last
	}
	row.created = last.created
	row.setVersion()
	return row
}

// setVersion writes the version into a row that nobody has seen yet.
func (r memberRow) setVersion() {
	r.ResourceVersion = strconv.FormatUint(r.changed, 10)
}

// remember notes who of those before is gone.
func (t *memberTable) remember(before []memberRow, version uint64) {
	t.removed = slices.Clone(t.removed)
	for _, last := range before {
		if _, found := t.find(last.Name); !found {
			gone := memberRow{Member: last.DeepCopy(), created: last.created, changed: version}
			gone.setVersion()
			t.removed = append(t.removed, gone)
		}
	}
	if surplus := len(t.removed) - rememberedRemovals; surplus > 0 {
		t.known = t.removed[surplus-1].changed
		t.removed = t.removed[surplus:]
	}
}

func (t *memberTable) find(name string) (memberRow, bool) {
	at, found := t.search(name)
	if !found {
		return memberRow{}, false
	}
	return t.rows[at], true
}

func (t *memberTable) search(name string) (int, bool) {
	return slices.BinarySearchFunc(t.rows, name, func(row memberRow, name string) int { return strings.Compare(row.Name, name) })
}

// remaining is the number of rows behind a name.
func (t *memberTable) remaining(name string) int {
	at, found := t.search(name)
	if found {
		at++
	}
	return len(t.rows) - at
}

// after are the rows behind a name that are selected, with the names that continue a list behind them.
func (t *memberTable) after(name string, selection selection) iter.Seq2[string, *viewv1alpha1.Member] {
	return func(yield func(string, *viewv1alpha1.Member) bool) {
		at, found := t.search(name)
		if found {
			at++
		}
		for _, row := range t.rows[at:] {
			if selection.selectsMember(row.Member) && !yield(row.Name, row.Member) {
				return
			}
		}
	}
}
