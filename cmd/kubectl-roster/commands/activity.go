package commands

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// activity holds the options of "activity".
type activity struct {
	listing
	actor string
	since string
}

// newActivityCommand returns the command that lists what was changed by whom.
func newActivityCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := activity{listing: newListing(streams, "Activity", "activities")}
	command := &cobra.Command{
		Use:     "activity",
		Aliases: []string{"activities"},
		Short:   "List what was changed in an organization, by whom, from what to what",
		Long: `List what was changed in an organization, by whom, from what to what, the newest first,
as far back as changes are kept.`,
		Example: `  # What happened in the organization acme since yesterday
  kubectl roster activity --organization acme --since 24h

  # What ana changed this year, with whole sentences
  kubectl roster activity -n org-acme --actor ana@acme.example --since 2026-01-01 -o wide

  # The last ten changes of Teams
  kubectl roster activity -n org-acme --field-selector kind=Team --limit 10`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context(), time.Now()) },
	}
	options.addFlags(command, "actor, action, kind and name")
	command.Flags().StringVar(&options.actor, "actor", "", "Only changes that this user made, or unknown")
	command.Flags().StringVar(&options.since, "since", "",
		"Only changes since then: a duration such as 90m, 24h or 7d, a day such as 2026-01-31, or a time such as "+
			"2026-01-31T08:00:00Z")
	return command
}

func (o *activity) run(ctx context.Context, now time.Time) error {
	since, err := parseSince(o.since, now)
	if err != nil {
		return err
	}
	server, query, err := o.open(ctx)
	if err != nil {
		return err
	}
	query.selector = selectAlso(o.selector, "actor", o.actor)
	if !since.IsZero() {
		// The newest come first, so that the first that is too old is the last to look at.
		query.choose = func(change *unstructured.Unstructured) choice {
			if at, err := time.Parse(time.RFC3339, fieldText(change, "time")); err == nil && at.Before(since) {
				return end
			}
			return take
		}
	}
	return o.show(ctx, server, query)
}

// parseSince reads a duration back from now, a day or a time. Nothing is the beginning of time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if back, ok := parseDuration(text); ok && back >= 0 {
		return now.Add(-back), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if since, err := time.Parse(layout, text); err == nil {
			return since, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %q: give a duration such as 90m, 24h or 7d, a day such as 2026-01-31, or a time "+
		"such as 2026-01-31T08:00:00Z", text)
}

// parseDuration also knows days, which Go leaves out since not all are equally long.
func parseDuration(text string) (time.Duration, bool) {
	const day = 24 * time.Hour
	if days, found := strings.CutSuffix(text, "d"); found {
		number, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(number) * day, err == nil
	}
	duration, err := time.ParseDuration(text)
	return duration, err == nil
}
