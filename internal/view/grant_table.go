package view

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/internal/rbac"
)

// keySeparator stands between the parts of a grant's key. It is in no username and no name.
const keySeparator = "\x00"

// grantTable finds grants by who holds them. A thousand members in a thousand namespaces have a million grants, so a
// grant's own row is made only when it is asked for.
type grantTable struct {
	result  access.Result
	grants  []heldGrant
	holders []string // the keys of subjects, sorted
	held    map[string][]int
	byName  map[string][]string // the first part of a grant's name, to holders
	// before is the number of rows before each holder's, in the order of holders, and at last that of all rows.
	before []int
}

// heldGrant is a grant with where it is worth a row: a role without a rule gives nothing there, and nobody is bound to it.
type heldGrant struct {
	*access.Grant
	via                        string
	inOrganization, inProjects bool
}

func (g *heldGrant) rows() int {
	rows := 0
	if g.inOrganization {
		rows++
	}
	if g.inProjects {
		rows += len(g.Scope.Namespaces)
	}
	return rows
}

// newGrantTable leaves out what the ClusterRoles that are empty would give.
func newGrantTable(result access.Result, empty sets.Set[string]) *grantTable {
	table := &grantTable{result: result, held: map[string][]int{}, byName: map[string][]string{}}
	for i := range result.Grants {
		grant := &result.Grants[i]
		held := heldGrant{
			Grant: grant, via: chain(grant.Via),
			inOrganization: grant.Scope.Organization && result.Namespace != "" &&
				!empty.Has(rbac.OrganizationClusterRole(grant.Role)),
			inProjects: !empty.Has(rbac.ProjectClusterRole(grant.Role)),
		}
		if held.rows() == 0 {
			continue
		}
		for _, subject := range grant.Subjects {
			key := holderKey(subject)
			table.held[key] = append(table.held[key], len(table.grants))
		}
		table.grants = append(table.grants, held)
	}
	table.holders = slices.Sorted(maps.Keys(table.held))
	table.before = make([]int, 0, len(table.holders)+1)
	rows := 0
	for _, holder := range table.holders {
		name := holderName(holder)
		table.byName[name] = append(table.byName[name], holder)
		table.before = append(table.before, rows)
		for _, grant := range table.held[holder] {
			rows += table.grants[grant].rows()
		}
	}
	table.before = append(table.before, rows)
	return table
}

// holderKey sorts by name first.
func holderKey(subject rbacv1.Subject) string {
	name := subject.Name
	if subject.Kind == rbacv1.ServiceAccountKind {
		name = serviceaccount.MakeUsername(subject.Namespace, subject.Name)
	}
	return name + keySeparator + subject.Kind
}

func splitHolderKey(key string) (name, kind string) {
	name, kind, _ = strings.Cut(key, keySeparator)
	return name, kind
}

// holderName begins the names of a holder's grants.
func holderName(key string) string {
	name, kind := splitHolderKey(key)
	if kind == rbacv1.GroupKind {
		name = "group " + name
	}
	return names.FromUsername(name)
}

// grantPlace is a grant in one of the namespaces where it holds.
type grantPlace struct {
	*heldGrant
	namespace string
}

func (p grantPlace) key() string {
	return strings.Join([]string{p.namespace, p.Role.Name, p.Role.Organization, p.via}, keySeparator)
}

// places are the grants of a holder that are selected, in order. They take the place of what the buffer holds.
func (t *grantTable) places(buffer []grantPlace, holder string, selection selection) []grantPlace {
	places := buffer[:0]
	for _, i := range t.held[holder] {
		grant := &t.grants[i]
		if !selection.selects(fieldRole, grant.Role.Name) {
			continue
		}
		if grant.inOrganization && selection.selects(fieldNamespace, t.result.Namespace) {
			places = append(places, grantPlace{grant, t.result.Namespace})
		}
		if !grant.inProjects {
			continue
		}
		for _, namespace := range grant.Scope.Namespaces {
			if selection.selects(fieldNamespace, namespace) {
				places = append(places, grantPlace{grant, namespace})
			}
		}
	}
	slices.SortFunc(places, func(a, b grantPlace) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.Role.Name, b.Role.Name),
			strings.Compare(a.Role.Organization, b.Role.Organization), strings.Compare(a.via, b.via))
	})
	return places
}

func chain(via []access.ObjectReference) string {
	parts := make([]string, 0, len(via))
	for _, object := range via {
		parts = append(parts, object.String())
	}
	return strings.Join(parts, " > ")
}

// after are the grants behind a key that are selected, with the keys that continue a list behind them. User, role and
// namespace are compared before a row is made.
func (t *grantTable) after(key string, selection selection) iter.Seq2[string, *viewv1alpha1.Grant] {
	return func(yield func(string, *viewv1alpha1.Grant) bool) {
		var places []grantPlace
		start := holderOf(key)
		at, _ := slices.BinarySearch(t.holders, start)
		for _, holder := range t.holders[at:] {
			if name, _ := splitHolderKey(holder); !selection.selects(fieldUser, name) || !selection.mayBeNamed(holder) {
				continue
			}
			places = t.places(places, holder, selection)
			for _, place := range places {
				rowKey := holder + keySeparator + place.key()
				if holder == start && rowKey <= key {
					continue
				}
				row := t.row(holder, place)
				if selection.selects(fieldName, row.Name) && !yield(rowKey, row) {
					return
				}
			}
		}
	}
}

// mayBeNamed says whether one of a holder's grants may have the name that is selected.
func (s selection) mayBeNamed(holder string) bool {
	name, exact := s.exactly(fieldName)
	return !exact || strings.HasPrefix(name, holderName(holder)+".")
}

// remaining is the number of all rows behind a key.
func (t *grantTable) remaining(key string) int {
	holder := holderOf(key)
	at, found := slices.BinarySearch(t.holders, holder)
	remaining := t.before[len(t.holders)] - t.before[at]
	if !found {
		return remaining
	}
	for _, place := range t.places(nil, holder, nil) {
		if holder+keySeparator+place.key() > key {
			break
		}
		remaining--
	}
	return remaining
}

// holderOf is the part of a grant's key that says who holds it.
func holderOf(key string) string {
	name, rest, _ := strings.Cut(key, keySeparator)
	kind, _, _ := strings.Cut(rest, keySeparator)
	return name + keySeparator + kind
}

func (t *grantTable) find(name string) *viewv1alpha1.Grant {
	first, _, _ := strings.Cut(name, ".")
	for _, holder := range t.byName[first] {
		for _, place := range t.places(nil, holder, nil) {
			if row := t.row(holder, place); row.Name == name {
				return row
			}
		}
	}
	return nil
}

func (t *grantTable) row(holder string, place grantPlace) *viewv1alpha1.Grant {
	const hashLength = 32
	hash := sha256.Sum256([]byte(place.key()))
	row := &viewv1alpha1.Grant{
		TargetNamespace: place.namespace, Role: place.Role.Name, RoleOrganization: place.Role.Organization,
		ExpiresAt: members.Instant(place.Until),
	}
	row.Namespace = v1alpha1.OrganizationNamespace(t.result.Organization)
	row.Name = holderName(holder) + "." + hex.EncodeToString(hash[:])[:hashLength]
	name, kind := splitHolderKey(holder)
	if kind == rbacv1.GroupKind {
		row.Group = name
	} else {
		row.User = name
	}
	for _, object := range place.Via {
		row.Via = append(row.Via, viewv1alpha1.Object{Kind: object.Kind, Namespace: object.Namespace, Name: object.Name})
	}
	return row
}
