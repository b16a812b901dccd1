package commands

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// why holds the options of "why".
type why struct {
	scope
	genericiooptions.IOStreams
}

// standing is all that is known of why a user may do something in an organization, or may not.
type standing struct {
	user, organization string
	// member is the user's place; nil where there is none.
	member *viewv1alpha1.Member
	// grants are what the user holds, in the namespaces that were asked about.
	grants []viewv1alpha1.Grant
	// memberships are the user's own in this organization.
	memberships []v1alpha1.Membership
	// hidden says that the caller may see nothing but their own place.
	hidden bool
}

// newWhyCommand returns the command that says where somebody's access comes from.
func newWhyCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := why{scope: scope{connection: newConnection(streams)}, IOStreams: streams}
	command := &cobra.Command{
		Use:   "why USER",
		Short: "Say where somebody's access comes from, or what takes it",
		Long: `Say where somebody's access comes from, or what takes it: for each namespace and role the
chain of objects that gives it, from the one that names the role to the one that names
the user, and otherwise the suspension, deactivation, missing second factor, expiry or
invitation by which nothing is held.

Without -n and --organization, in all organizations that you may see. What an identity
provider's group gives isn't known by user: look for it with grants --search GROUP.`,
		Example: `  # Where bo's access comes from, everywhere
  kubectl roster why bo@acme.example

  # In one organization, and in one namespace of a project
  kubectl roster why bo@acme.example --organization acme
  kubectl roster why bo@acme.example -n acme-shop`,
		Args: oneArgument("USER", "the username that the API server authenticates, such as bo@acme.example"),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.run(command.Context(), arguments[0])
		},
	}
	options.addFlags(command)
	command.Flags().Lookup("namespace").Usage = anyNamespace
	return command
}

func (o *why) run(ctx context.Context, user string) error {
	where, named, err := o.named(ctx)
	if err != nil {
		return err
	}
	reader, err := o.client()
	if err != nil {
		return err
	}
	asked := inquiry{reader: reader, user: user, namespace: where.namespace}
	var found []*standing
	if named {
		found, err = asked.in(ctx, where.organization)
	} else {
		found, err = asked.everywhere(ctx)
	}
	if err != nil {
		return err
	}
	text := explainStandings(user, found)
	if text == "" {
		text = nothingFound(user, where)
		above, err := asked.above(ctx, where)
		if err != nil {
			return err
		}
		text += explainStandings(user, above)
	}
	_, err = fmt.Fprint(o.Out, text)
	return err
}

func nothingFound(user string, where place) string {
	if where.organization == "" {
		return fmt.Sprintf("%s has no place and holds nothing in any organization that you may see\n", user)
	}
	organization, _ := v1alpha1.OrganizationOf(where.organization)
	return fmt.Sprintf("%s has no place in organization %s and holds nothing there; a Membership gives one\n",
		user, organization)
}

// inquiry asks about one user.
type inquiry struct {
	reader client.Reader
	user   string
	// namespace is the only one to look for grants in; empty for all.
	namespace string
}

// everywhere asks about all organizations at once where the caller may, and otherwise about each of the caller's own.
func (q inquiry) everywhere(ctx context.Context) ([]*standing, error) {
	found, err := q.ask(ctx, "")
	if !apierrors.IsForbidden(err) {
		return found, err
	}
	own, err := ownProfile(ctx, q.reader)
	if err != nil {
		return nil, err
	}
	organizations := sets.New[string]()
	for _, place := range own.Organizations {
		if place.Type != string(v1alpha1.OrganizationPersonal) {
			organizations.Insert(place.Name)
		}
	}
	for _, held := range own.Elsewhere {
		organizations.Insert(held.Organization)
	}
	for _, organization := range sets.List(organizations) {
		here, err := q.in(ctx, v1alpha1.OrganizationNamespace(organization))
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
		found = append(found, here...)
	}
	return found, nil
}

// above asks about the organizations above one where nothing was found: what ends there is inherited no more. It tells
// what the caller may see of them.
func (q inquiry) above(ctx context.Context, where place) ([]*standing, error) {
	name, found := v1alpha1.OrganizationOf(where.organization)
	if !found {
		return nil, nil
	}
	visible, err := visibleOrganizations(ctx, q.reader)
	if err != nil {
		return nil, err
	}
	_, known := hierarchyOf(visible)
	var standings []*standing
	for one, seen := known[known[name].parent]; seen; one, seen = known[one.parent] {
		here, err := q.ask(ctx, one.namespace())
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
		standings = append(standings, here...)
		// Each is looked at once, also where parents form a cycle.
		delete(known, one.name)
	}
	return standings, nil
}

// in asks about one organization. Whom it tells nothing, Roster still tells why in their own profile.
func (q inquiry) in(ctx context.Context, organization string) ([]*standing, error) {
	found, err := q.ask(ctx, organization)
	if !apierrors.IsForbidden(err) {
		return found, err
	}
	own, profileErr := ownProfile(ctx, q.reader)
	if profileErr != nil || own.User != q.user {
		return nil, err
	}
	for _, place := range own.Organizations {
		if v1alpha1.OrganizationNamespace(place.Name) == organization {
			return []*standing{ownStanding(q.user, place, guestGrants(own, place.Name, q.namespace))}, nil
		}
	}
	name, _ := v1alpha1.OrganizationOf(organization)
	if held := guestGrants(own, name, q.namespace); len(held) > 0 {
		return []*standing{{user: q.user, organization: name, grants: held, hidden: true}}, nil
	}
	return nil, err
}

// guestGrants are what a profile says of an organization that let in a team of the user, one a namespace.
func guestGrants(own *selfv1alpha1.Profile, organization, namespace string) []viewv1alpha1.Grant {
	var found []viewv1alpha1.Grant
	for _, held := range own.Elsewhere {
		for _, where := range held.Namespaces {
			if held.Organization == organization && (namespace == "" || namespace == where) {
				found = append(found, viewv1alpha1.Grant{
					TargetNamespace: where, Role: held.Role, Via: held.Via, ExpiresAt: held.ExpiresAt,
				})
			}
		}
	}
	return found
}

// ownStanding is what a profile says of one organization.
func ownStanding(
	user string, place selfv1alpha1.ProfileOrganization, held []viewv1alpha1.Grant,
) *standing {
	member := &viewv1alpha1.Member{
		User: user, Roles: place.Roles, Status: viewv1alpha1.MemberActive, SuspendedBecause: place.SuspendedBecause,
		Source: viewv1alpha1.MemberSource{Type: viewv1alpha1.SourceType(place.Source)}, Teams: place.Teams,
	}
	if place.SuspendedBecause != "" {
		member.Status = viewv1alpha1.MemberSuspended
	}
	return &standing{user: user, organization: place.Name, member: member, grants: held, hidden: true}
}

// ask reads members, grants and Memberships in an organization's namespace, or in all.
func (q inquiry) ask(ctx context.Context, namespace string) ([]*standing, error) {
	var members viewv1alpha1.MemberList
	var grants viewv1alpha1.GrantList
	var memberships v1alpha1.MembershipList
	ofUser := client.MatchingFields{"user": q.user}
	ofGrants := client.MatchingFields{"user": q.user}
	if q.namespace != "" {
		ofGrants["namespace"] = q.namespace
	}
	view := viewv1alpha1.GroupVersion.Group
	for _, question := range []struct {
		list     client.ObjectList
		selector client.MatchingFields
		resource schema.GroupResource
	}{
		{&members, ofUser, schema.GroupResource{Group: view, Resource: "members"}},
		{&grants, ofGrants, schema.GroupResource{Group: view, Resource: "grants"}},
		{&memberships, client.MatchingFields{"spec.user": q.user},
			schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "memberships"}},
	} {
		if err := listAll(ctx, q.reader, question.list, client.InNamespace(namespace), question.selector); err != nil {
			return nil, explain(err, question.resource, namespace)
		}
	}
	return q.gather(members.Items, grants.Items, memberships.Items), nil
}

// gather sorts what was found by organization.
func (q inquiry) gather(
	members []viewv1alpha1.Member, grants []viewv1alpha1.Grant, memberships []v1alpha1.Membership,
) []*standing {
	found := map[string]*standing{}
	in := func(namespace string) *standing {
		organization, _ := v1alpha1.OrganizationOf(namespace)
		if found[organization] == nil {
			found[organization] = &standing{user: q.user, organization: organization}
		}
		return found[organization]
	}
	for i := range members {
		in(members[i].Namespace).member = &members[i]
	}
	for i := range grants {
		// A group may have the name of a user.
		if grants[i].Group == "" {
			here := in(grants[i].Namespace)
			here.grants = append(here.grants, grants[i])
		}
	}
	for i := range memberships {
		here := in(memberships[i].Namespace)
		here.memberships = append(here.memberships, memberships[i])
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *standing) int {
		return cmp.Compare(a.organization, b.organization)
	})
}
