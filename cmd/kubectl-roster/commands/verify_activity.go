package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	activitystore "github.com/roster-dev/roster/internal/activity"
)

// Exit statuses of verify-activity besides ExitDone, which says that every chain holds.
const (
	// ExitBroken says that a chain doesn't hold.
	ExitBroken = 1
	// ExitUnread says that nobody can tell: it was called wrongly, or the database can't be read.
	ExitUnread = 2
)

// errBroken is told on standard output, chain by chain.
var errBroken = errors.New("the history was changed after it was written, or part of it is gone")

// verifyActivity holds the options of "verify-activity".
type verifyActivity struct {
	genericiooptions.IOStreams
	database  string
	namespace string
}

// newVerifyActivityCommand returns the command that looks whether the history was tampered with.
func newVerifyActivityCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := verifyActivity{IOStreams: streams}
	command := &cobra.Command{
		Use:   "verify-activity",
		Short: "Say whether the history was tampered with, and where",
		Long: `Say whether the history was tampered with, and where. Each record carries the hash of the
one before it; this reads the database itself, without the cluster, and never writes.

Who can write to the database can also write a whole chain anew. So keep the last
entry's hash somewhere else, and compare: with the same number, the hash must be the same.

The exit status is 0 if every chain holds, 1 if one is broken, 2 if that can't be found out.`,
		Example: `  # The file of a manager with --activity-database-url=/var/lib/roster/activity.db
  kubectl roster verify-activity --database-url /var/lib/roster/activity.db

  # One organization's chain in PostgreSQL, with the password in PGPASSWORD or ~/.pgpass
  kubectl roster verify-activity --database-url postgres://reader@db.example/roster -n org-acme`,
		Args: func(_ *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return unread(fmt.Errorf("%q: this takes no arguments; give the database with --database-url", arguments[0]))
			}
			return nil
		},
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unread(err) })
	command.Flags().StringVar(&options.database, "database-url", "",
		"Database to read, as the manager's --activity-database-url: a SQLite file, or postgres://USER@HOST/NAME")
	command.Flags().StringVarP(&options.namespace, "namespace", "n", "",
		"Only the chain of this namespace, such as org-acme")
	return command
}

// unread is an error that leaves open whether the chains hold.
func unread(err error) error { return statusError{error: err, status: ExitUnread} }

func (o *verifyActivity) run(ctx context.Context) (err error) {
	if o.database == "" {
		return unread(errors.New("name the database with --database-url, as the manager's --activity-database-url does"))
	}
	store, err := activitystore.OpenReading(ctx, o.database)
	if err != nil {
		return unread(err)
	}
	defer func() {
		if closing := store.Close(); err == nil && closing != nil {
			err = unread(closing)
		}
	}()
	namespaces, err := o.chains(ctx, store)
	if err != nil {
		return unread(err)
	}
	broken := o.verify(ctx, store, namespaces)
	if err := store.Ping(ctx); err != nil {
		return unread(err)
	}
	return broken
}

// chains are the namespaces to look at.
func (o *verifyActivity) chains(ctx context.Context, store *activitystore.Store) ([]string, error) {
	all, err := store.Traces(ctx)
	if err != nil || o.namespace == "" {
		return all, err
	}
	if !slices.Contains(all, o.namespace) {
		return nil, fmt.Errorf("-n %q: the database holds nothing of this namespace; leave -n out to verify all %d chains",
			o.namespace, len(all))
	}
	return []string{o.namespace}, nil
}

// verify looks at every chain, also after one that is broken.
func (o *verifyActivity) verify(ctx context.Context, store *activitystore.Store, namespaces []string) error {
	if len(namespaces) == 0 {
		_, err := fmt.Fprintln(o.Out, "the database holds no activities")
		return err
	}
	var broken error
	for _, namespace := range namespaces {
		verdict, err := store.Verify(ctx, namespace)
		if err != nil {
			return unread(err)
		}
		line := verdict.String()
		switch {
		case !verdict.Holds():
			broken = statusError{error: errBroken, status: ExitBroken}
		case verdict.Entries > 0:
			line += " with hash " + verdict.Last.Hash
		}
		if _, err := fmt.Fprintln(o.Out, line); err != nil {
			return unread(err)
		}
	}
	return broken
}
