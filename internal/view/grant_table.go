package view

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
	"github.com/roster-dev/roster/internal/names"
)

// keySeparator stands between the parts of a grant's key. It is in no username and no name.
const keySeparator = "\x00"

// grantTable finds grants by who holds them. A thousand members in a thousand namespaces have a million grants, so a
// grant's own row is made only when it is asked for.
type grantTable struct {
	result  access.Result
	holders []string // the keys of subjects, sorted
	grants  map[string][]int
	byName  map[string][]string // the first part of a grant's name, to holders
}

func newGrantTable(result access.Result) *grantTable {
	table := &grantTable{result: result, grants: map[string][]int{}, byName: map[string][]string{}}
	for i := range result.Grants {
		for _, subject := range result.Grants[i].Subjects {
			key := holderKey(subject)
			table.grants[key] = append(table.grants[key], i)
		}
	}
	for key := range table.grants {
		table.holders = append(table.holders, key)
		name := holderName(key)
		table.byName[name] = append(table.byName[name], key)
	}
	slices.Sort(table.holders)
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
	grant     *access.Grant
	namespace string
	via       string
}

func (p grantPlace) key() string {
	return strings.Join([]string{p.namespace, p.grant.Role.Name, p.grant.Role.Organization, p.via}, keySeparator)
}

// places are all grants of a holder, in order.
func (t *grantTable) places(holder string) []grantPlace {
	var places []grantPlace
	for _, i := range t.grants[holder] {
		grant := &t.result.Grants[i]
		via := chain(grant.Via)
		if grant.Scope.Organization && t.result.Namespace != "" {
			places = append(places, grantPlace{grant: grant, namespace: t.result.Namespace, via: via})
		}
		for _, namespace := range grant.Scope.Namespaces {
			places = append(places, grantPlace{grant: grant, namespace: namespace, via: via})
		}
	}
	slices.SortFunc(places, func(a, b grantPlace) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.grant.Role.Name, b.grant.Role.Name),
			cmp.Compare(a.grant.Role.Organization, b.grant.Role.Organization), cmp.Compare(a.via, b.via))
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

// after are the grants behind a key that are selected, with the keys that continue a list behind them. User, namespace and
// role are compared before a row is made.
func (t *grantTable) after(key string, selector fields.Selector) iter.Seq2[string, *viewv1alpha1.Grant] {
	return func(yield func(string, *viewv1alpha1.Grant) bool) {
		start := holderOf(key)
		at, _ := slices.BinarySearch(t.holders, start)
		for _, holder := range t.holders[at:] {
			if name, _ := splitHolderKey(holder); !selects(selector, fieldUser, name) {
				continue
			}
			for _, place := range t.places(holder) {
				rowKey := holder + keySeparator + place.key()
				if rowKey <= key || !place.selected(selector) {
					continue
				}
				row := t.row(holder, place)
				if selects(selector, fieldName, row.Name) && !yield(rowKey, row) {
					return
				}
			}
		}
	}
}

func (p grantPlace) selected(selector fields.Selector) bool {
	return selects(selector, fieldNamespace, p.namespace) && selects(selector, fieldRole, p.grant.Role.Name)
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
		for _, place := range t.places(holder) {
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
		TargetNamespace: place.namespace, Role: place.grant.Role.Name, RoleOrganization: place.grant.Role.Organization,
		ExpiresAt: members.Instant(place.grant.Until),
	}
	row.Namespace = v1alpha1.OrganizationNamespace(t.result.Organization)
	row.Name = holderName(holder) + "." + hex.EncodeToString(hash[:])[:hashLength]
	name, kind := splitHolderKey(holder)
	if kind == rbacv1.GroupKind {
		row.Group = name
	} else {
		row.User = name
	}
	for _, object := range place.grant.Via {
		row.Via = append(row.Via, viewv1alpha1.Object{Kind: object.Kind, Namespace: object.Namespace, Name: object.Name})
	}
	return row
}
