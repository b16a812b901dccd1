package view

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/history"
)

// wide is the priority of columns that only -o wide shows.
const wide = 1

// table shows objects of one kind in rows.
type table[T any] struct {
	columns []metav1.TableColumnDefinition
	cells   func(*T) []any
}

// ConvertToTable makes the table that kubectl get prints.
func (t table[T]) ConvertToTable(_ context.Context, object, tableOptions runtime.Object) (*metav1.Table, error) {
	made := &metav1.Table{}
	if options, ok := tableOptions.(*metav1.TableOptions); !ok || !options.NoHeaders {
		made.ColumnDefinitions = t.columns
	}
	if list, err := meta.ListAccessor(object); err == nil {
		made.ResourceVersion, made.Continue = list.GetResourceVersion(), list.GetContinue()
		made.RemainingItemCount = list.GetRemainingItemCount()
		err := meta.EachListItem(object, func(item runtime.Object) error { return t.add(made, item) })
		return made, err
	}
	if one, err := meta.Accessor(object); err == nil {
		made.ResourceVersion = one.GetResourceVersion()
	}
	return made, t.add(made, object)
}

func (t table[T]) add(made *metav1.Table, object runtime.Object) error {
	row, ok := any(object).(*T)
	if !ok {
		return fmt.Errorf("a %T has no place in this table", object)
	}
	made.Rows = append(made.Rows, metav1.TableRow{Cells: t.cells(row), Object: runtime.RawExtension{Object: object}})
	return nil
}

// column is one that is always shown; the description is that of a column, in a sentence.
func column(name, description string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: "string", Description: description}
}

func wideColumn(name, description string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: "string", Description: description, Priority: wide}
}

func newMemberCells(clock clock.PassiveClock) table[viewv1alpha1.Member] {
	return table[viewv1alpha1.Member]{
		columns: []metav1.TableColumnDefinition{
			column("User", "The username, or the address of who was invited without one."),
			column("Roles", "The organization-wide roles."),
			column("Source", "Where the roles come from."),
			column("Status", "Active, Invited or Suspended."),
			column("Last-Seen", "How long ago the user was last seen, as far as that is known."),
			wideColumn("Teams", "The Teams that list the user."),
			wideColumn("Email", "Where mail for the user goes."),
			wideColumn("Expires", "When the place ends by itself."),
			wideColumn("Name", "The name to get this one member by."),
		},
		cells: func(m *viewv1alpha1.Member) []any {
			user := m.User
			if user == "" {
				user = m.Email
			}
			status := string(m.Status)
			if m.SuspendedBecause != "" {
				status += " (" + m.SuspendedBecause + ")"
			}
			return []any{
				user, orNone(strings.Join(m.Roles, ",")), sourceText(m), status, ago(m.LastSeen, clock.Now()),
				orNone(strings.Join(m.Teams, ",")), orNone(m.Email), date(m.ExpiresAt), m.Name,
			}
		},
	}
}

func sourceText(member *viewv1alpha1.Member) string {
	source := member.Source
	here := source.From == "" || v1alpha1.OrganizationNamespace(source.From) == member.Namespace
	switch {
	case here:
		return string(source.Type)
	case source.Type == viewv1alpha1.SourceInherited:
		return "Inherited from " + source.From
	}
	return string(source.Type) + " of " + source.From
}

func newGrantCells() table[viewv1alpha1.Grant] {
	return table[viewv1alpha1.Grant]{
		columns: []metav1.TableColumnDefinition{
			column("User", "Who holds the role: a username, or a group."),
			column("Namespace", "Where the role holds."),
			column("Role", "The role."),
			column("Via", "The chain of objects that gives it."),
			wideColumn("Expires", "When it ends by itself."),
			wideColumn("Name", "The name to get this one grant by."),
		},
		cells: func(g *viewv1alpha1.Grant) []any {
			holder := g.User
			if g.Group != "" {
				holder = "group " + g.Group
			}
			return []any{holder, g.TargetNamespace, g.Role, viaText(g.Via), date(g.ExpiresAt), g.Name}
		},
	}
}

func viaText(via []viewv1alpha1.Object) string {
	parts := make([]string, 0, len(via))
	for _, object := range via {
		parts = append(parts, objectText(object))
	}
	return orNone(strings.Join(parts, " > "))
}

// objectText writes an object as kubectl would be asked for it.
func objectText(object viewv1alpha1.Object) string {
	if object.Namespace == "" {
		return object.Kind + "/" + object.Name
	}
	return object.Kind + "/" + object.Namespace + "/" + object.Name
}

func newActivityCells() table[viewv1alpha1.Activity] {
	return table[viewv1alpha1.Activity]{
		columns: []metav1.TableColumnDefinition{
			column("Time", "When it happened."),
			column("Actor", "Who did it."),
			column("Action", "What was done."),
			column("Object", "To what."),
			column("Change", "The previous value and the new one."),
			wideColumn("Note", "The same in a sentence."),
			wideColumn("Name", "The key of the record."),
		},
		cells: func(a *viewv1alpha1.Activity) []any {
			return []any{
				a.Time.UTC().Format(time.RFC3339), a.Actor, a.Action, objectText(a.Object), changeText(a), orNone(a.Note), a.Name,
			}
		},
	}
}

// changeText says what it was before and what it is now; of a new object what it was made with.
func changeText(activity *viewv1alpha1.Activity) string {
	change := ""
	if activity.Field == "" && activity.New != "" {
		return "with " + history.ShownValues(activity.New)
	}
	if activity.Previous != "" || activity.New != "" {
		change = orNone(activity.Previous) + " → " + orNone(activity.New)
	}
	if activity.Field != "" && change != "" {
		change = activity.Field + ": " + change
	}
	return orNone(change)
}

func newProfileCells() table[selfv1alpha1.Profile] {
	return table[selfv1alpha1.Profile]{
		columns: []metav1.TableColumnDefinition{
			column("User", "The username that the API server authenticated."),
			column("Organizations", "The organizations with the roles held in each; by a team: one that let in a team of the user."),
			column("Teams", "The Teams that list the user."),
			column("Invitations", "The organizations that wait for an answer."),
		},
		cells: func(p *selfv1alpha1.Profile) []any {
			var organizations, teams, invitations []string
			for _, organization := range p.Organizations {
				organizations = append(organizations, organizationText(organization))
				for _, team := range organization.Teams {
					teams = append(teams, organization.Name+"/"+team)
				}
			}
			organizations = append(organizations, elsewhereTexts(p.Elsewhere)...)
			for _, invitation := range p.Invitations {
				invitations = append(invitations, invitation.Organization)
			}
			return []any{
				p.User, orNone(strings.Join(organizations, ",")), orNone(strings.Join(teams, ",")),
				orNone(strings.Join(invitations, ",")),
			}
		},
	}
}

func organizationText(organization selfv1alpha1.ProfileOrganization) string {
	text := organization.Name
	if len(organization.Roles) > 0 {
		text += "=" + strings.Join(organization.Roles, "+")
	}
	if organization.SuspendedBecause != "" {
		text += " (" + organization.SuspendedBecause + ")"
	}
	return text
}

// elsewhereTexts are the roles that are held as a guest, one text an organization.
func elsewhereTexts(grants []selfv1alpha1.ProfileGrant) []string {
	roles := map[string]sets.Set[string]{}
	for _, grant := range grants {
		if roles[grant.Organization] == nil {
			roles[grant.Organization] = sets.New[string]()
		}
		roles[grant.Organization].Insert(grant.Role)
	}
	var found []string
	for _, organization := range sets.List(sets.KeySet(roles)) {
		found = append(found, organization+"="+strings.Join(sets.List(roles[organization]), "+")+" (by a team)")
	}
	return found
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

func ago(at *metav1.Time, now time.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(at.Time))
}

func date(at *metav1.Time) string {
	if at.IsZero() {
		return "<never>"
	}
	return at.UTC().Format(time.RFC3339)
}
