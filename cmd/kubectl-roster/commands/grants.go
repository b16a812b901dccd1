package commands

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
)

// grants holds the options of "grants".
type grants struct {
	listing
	search string
}

// newGrantsCommand returns the command that lists who may do what where.
func newGrantsCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := grants{listing: newListing(streams, "Grant", "grants")}
	command := &cobra.Command{
		Use:   "grants",
		Short: "List who holds which role in which namespace, and the chain of objects that gives it",
		Long: `List who holds which role in which namespace, and the chain of objects that gives it:
one row for each way by which a role is held. With the namespace of a project, only
what is held there.`,
		Example: `  # Who may do what in the organization acme
  kubectl roster grants --organization acme

  # Who may do what in one namespace of a project
  kubectl roster grants -n acme-shop

  # What somebody holds whose name, username or address has "bo" in it
  kubectl roster grants -n org-acme --search bo`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command, "user, namespace and role")
	command.Flags().StringVar(&options.search, "search", "",
		"Only whose username, group, name or address has this in it, in whatever case")
	command.Flags().Lookup("namespace").Usage = anyNamespace
	return command
}

func (o *grants) run(ctx context.Context) error {
	where, err := o.one(ctx)
	if err != nil {
		return err
	}
	server, err := o.server()
	if err != nil {
		return err
	}
	query := o.query(where.organization)
	query.selector = selectAlso(o.selector, "namespace", where.namespace)
	if o.search != "" {
		named, err := o.usersNamed(ctx, server, where.organization)
		if err != nil {
			return err
		}
		query.choose = func(grant *unstructured.Unstructured) choice {
			if named.Has(fieldText(grant, "user")) || contains(o.search, fieldText(grant, "user"), fieldText(grant, "group")) {
				return take
			}
			return leave
		}
	}
	return o.show(ctx, server, query)
}

// usersNamed are the members whose name or address has what is looked for: grants themselves know usernames only.
func (o *grants) usersNamed(ctx context.Context, server rest.Interface, organization string) (sets.Set[string], error) {
	query := o.query(organization)
	query.resource.Resource, query.selector, query.limit = "members", "", 0
	query.choose = func(member *unstructured.Unstructured) choice { return chooseMember(o.search, member) }
	found, err := query.rows(ctx, server)
	if err != nil {
		return nil, err
	}
	users := sets.New[string]()
	for _, row := range found.Rows {
		users.Insert(fieldText(objectOf(row), "user"))
	}
	// Of who is invited by an address alone, the username isn't known.
	return users.Delete(""), nil
}

// selectAlso adds a field to a field selector, unless there is no value to ask for.
func selectAlso(selector, field, value string) string {
	switch {
	case value == "":
		return selector
	case selector == "":
		return fields.OneTermEqualSelector(field, value).String()
	}
	return selector + "," + fields.OneTermEqualSelector(field, value).String()
}
