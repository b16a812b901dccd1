package commands

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/report"
)

// reports is the resource that reports are read from.
var reports = schema.GroupResource{Group: viewv1alpha1.GroupVersion.Group, Resource: "reports"}

// reportOptions holds the options of "report".
type reportOptions struct {
	scope
	genericiooptions.IOStreams
	month, format string
}

// newReportCommand returns the command that shows a monthly report.
func newReportCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := reportOptions{scope: scope{connection: newConnection(streams)}, IOStreams: streams}
	command := &cobra.Command{
		Use:   "report",
		Short: "Show who is in an organization, when they were last seen, and what stands out",
		Long: `Show every member of an organization with roles, when they were last seen, active API
tokens, and what stands out. The present month is worked out now; a month before is the
report that was kept when it had ended (kubectl get reports lists them).`,
		Example: `  # How the organization acme stands now
  kubectl roster report --organization acme

  # The report of November, as a page
  kubectl roster report -n org-acme --month 2026-11 -o html > report.html

  # As a table for a spreadsheet
  kubectl roster report -n org-acme -o csv > report.csv`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command)
	command.Flags().StringVar(&options.month, "month", "", "Month of the report, such as 2026-11; the present one, if left out")
	command.Flags().StringVarP(&options.format, "output", "o", "text", "Output format: text, html or csv")
	return command
}

func (o *reportOptions) run(ctx context.Context) error {
	write, err := reportWriter(o.format)
	if err != nil {
		return err
	}
	month := report.MonthOf(time.Now())
	if o.month != "" {
		if month, err = report.ParseMonth(o.month); err != nil {
			return fmt.Errorf("--month: %w", err)
		}
	}
	where, err := o.whole(ctx)
	if err != nil {
		return err
	}
	reader, err := o.client()
	if err != nil {
		return err
	}
	found := &viewv1alpha1.Report{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: where.organization, Name: month.String()}, found); err != nil {
		return explain(err, reports, where.organization)
	}
	return write(o.Out, found)
}

// reportWriter writes a report in a format.
func reportWriter(format string) (func(io.Writer, *viewv1alpha1.Report) error, error) {
	switch format {
	case "text":
		return whole(report.Text), nil
	case "html":
		return whole(report.HTML), nil
	case "csv":
		return report.CSV, nil
	}
	return nil, fmt.Errorf("--output=%s: choose text, html or csv; kubectl get reports has yaml, json and others", format)
}

// whole writes what is made as one text.
func whole(
	render func(*viewv1alpha1.Report) (string, error),
) func(io.Writer, *viewv1alpha1.Report) error {
	return func(out io.Writer, found *viewv1alpha1.Report) error {
		text, err := render(found)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text)
		return err
	}
}
