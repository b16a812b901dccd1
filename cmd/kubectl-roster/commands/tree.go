package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/xlab/treeprint"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/text"
)

// atOnce is how many organizations are asked about at the same time.
const atOnce = 8

// tree holds the options of "tree".
type tree struct {
	connection
	genericiooptions.IOStreams
}

// content is what is in an organization.
type content struct {
	organization
	members map[viewv1alpha1.MemberStatus]int
	teams   []team
	// hidden says that the caller may not see members and teams.
	hidden bool
}

// team is what a tree shows of one.
type team struct {
	name, parent, role string
	members            int
}

// newTreeCommand returns the command that draws organizations.
func newTreeCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := tree{connection: newConnection(streams), IOStreams: streams}
	command := &cobra.Command{
		Use:   "tree [ORGANIZATION]",
		Short: "Draw organizations with those below them, their teams and how many members they have",
		Long: `Draw organizations with those below them, their teams and how many members they have.
Without an ORGANIZATION: all that you may see. Personal organizations are left out.`,
		Example: `  # Everything that you may see
  kubectl roster tree

  # The organization acme and all below it
  kubectl roster tree acme`,
		Args: func(_ *cobra.Command, arguments []string) error {
			if len(arguments) > 1 {
				return fmt.Errorf("%q: name one ORGANIZATION, or none for all", arguments[1])
			}
			return nil
		},
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.run(command.Context(), arguments)
		},
	}
	options.addFlags(command)
	// A tree begins with an organization, not with a namespace.
	_ = command.Flags().MarkHidden("namespace")
	return command
}

func (o *tree) run(ctx context.Context, arguments []string) error {
	reader, err := o.client()
	if err != nil {
		return err
	}
	visible, err := visibleOrganizations(ctx, reader)
	if err != nil {
		return err
	}
	above, known := hierarchyOf(visible)
	roots := above.roots
	if len(arguments) == 1 {
		roots = arguments
		if _, found := known[arguments[0]]; !found {
			return fmt.Errorf("organization %q: there is none of this name that you may see; those that you may: kubectl roster tree",
				arguments[0])
		}
	}
	contents, err := readContents(ctx, reader, known, above.below(roots))
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		_, err := fmt.Fprintln(o.ErrOut, "No organizations found that you may see")
		return err
	}
	for _, root := range roots {
		if _, err := fmt.Fprint(o.Out, drawOrganization(root, above, contents)); err != nil {
			return err
		}
	}
	return nil
}

func hierarchyOf(visible []organization) (hierarchy, map[string]organization) {
	parents, known := map[string]string{}, map[string]organization{}
	for _, one := range visible {
		parents[one.name], known[one.name] = one.parent, one
	}
	return newHierarchy(parents), known
}

// readContents asks about some organizations, a few at a time.
func readContents(
	ctx context.Context, reader client.Reader, known map[string]organization, names []string,
) (map[string]*content, error) {
	contents := map[string]*content{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, name := range names {
		one := &content{organization: known[name], members: map[viewv1alpha1.MemberStatus]int{}}
		contents[name] = one
		group.Go(func() error { return one.read(ctx, reader) })
	}
	return contents, group.Wait()
}

// read counts members and teams. Who may not see the ones is told so; nobody may see the others alone.
func (c *content) read(ctx context.Context, reader client.Reader) error {
	var members viewv1alpha1.MemberList
	err := listAll(ctx, reader, &members, client.InNamespace(c.namespace()))
	if apierrors.IsForbidden(err) {
		c.hidden = true
		return nil
	}
	if err != nil {
		return explain(err, schema.GroupResource{Group: viewv1alpha1.GroupVersion.Group, Resource: "members"}, c.namespace())
	}
	for i := range members.Items {
		c.members[members.Items[i].Status]++
	}
	var teams v1alpha1.TeamList
	if err := reader.List(ctx, &teams, client.InNamespace(c.namespace())); err != nil {
		return explain(err, schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "teams"}, c.namespace())
	}
	for i := range teams.Items {
		spec := &teams.Items[i].Spec
		c.teams = append(c.teams, team{
			name: teams.Items[i].Name, parent: string(spec.Parent), role: string(spec.Role),
			members: sets.New(spec.Members...).Len(),
		})
	}
	return nil
}

// drawOrganization draws an organization and all below it.
func drawOrganization(name string, above hierarchy, contents map[string]*content) string {
	drawn := treeprint.NewWithRoot(contents[name].heading())
	drawInside(drawn, name, above, contents)
	return drawn.String()
}

func drawInside(into treeprint.Tree, name string, above hierarchy, contents map[string]*content) {
	contents[name].drawTeams(into)
	for _, child := range above.children[name] {
		drawInside(into.AddBranch(contents[child].heading()), child, above, contents)
	}
}

func (c *content) heading() string {
	heading := c.name
	// Owners elsewhere choose it: it mustn't draw lines of its own, or speak to the terminal.
	if shown := text.OneLine(c.displayName); shown != "" {
		heading += " (" + shown + ")"
	}
	if c.hidden {
		return heading + ": members and teams aren't yours to see"
	}
	heading += ": " + text.Count(c.members[viewv1alpha1.MemberActive], "member")
	if invited := c.members[viewv1alpha1.MemberInvited]; invited > 0 {
		heading += fmt.Sprintf(", %d invited", invited)
	}
	if suspended := c.members[viewv1alpha1.MemberSuspended]; suspended > 0 {
		heading += fmt.Sprintf(", %d suspended", suspended)
	}
	return heading
}

func (c *content) drawTeams(into treeprint.Tree) {
	parents, known := map[string]string{}, map[string]team{}
	for _, one := range c.teams {
		parents[one.name], known[one.name] = one.parent, one
	}
	above := newHierarchy(parents)
	var draw func(into treeprint.Tree, names []string)
	draw = func(into treeprint.Tree, names []string) {
		for _, name := range names {
			draw(into.AddBranch(known[name].heading()), above.children[name])
		}
	}
	draw(into, above.roots)
}

func (t team) heading() string {
	heading := "team " + t.name
	if t.role != "" {
		heading += " (" + t.role + ")"
	}
	return heading + ": " + text.Count(t.members, "member")
}
