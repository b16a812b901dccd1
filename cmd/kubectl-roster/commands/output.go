package commands

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
)

// Formats besides those that kubectl has for single objects.
const (
	formatTable = "table"
	formatWide  = "wide"
)

// output prints what was found in the format that is asked for.
type output struct {
	genericiooptions.IOStreams
	formats   *genericclioptions.PrintFlags
	noHeaders bool
	// withNamespace shows a column that tells organizations apart.
	withNamespace bool
}

func newOutput(streams genericiooptions.IOStreams) output {
	return output{IOStreams: streams, formats: genericclioptions.NewPrintFlags("")}
}

func (o *output) addFlags(command *cobra.Command) {
	o.formats.AddFlags(command)
	command.Flags().Lookup("output").Usage = "Output format: table, wide, json, yaml, name, jsonpath=…, go-template=… " +
		"and others that kubectl has for objects"
	command.Flags().BoolVar(&o.noHeaders, "no-headers", false, "Print a table without the names of its columns")
}

// printer is nil where a table is asked for.
func (o *output) printer() (printers.ResourcePrinter, error) {
	switch *o.formats.OutputFormat {
	case "", formatTable, formatWide:
		return nil, nil
	}
	return o.formats.ToPrinter()
}

// printAll prints rows as a table, or their objects as a list.
func (o *output) printAll(table *metav1.Table) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	if printer == nil {
		return o.printTable(table)
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{
		"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"resourceVersion": ""},
	}}
	for _, row := range table.Rows {
		list.Items = append(list.Items, *objectOf(row))
	}
	return printer.PrintObj(list, o.Out)
}

// printOne prints the one row that there is.
func (o *output) printOne(table *metav1.Table) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	if printer == nil {
		return o.printTable(table)
	}
	for _, row := range table.Rows {
		if err := printer.PrintObj(objectOf(row), o.Out); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) printTable(table *metav1.Table) error {
	return printers.NewTablePrinter(printers.PrintOptions{
		NoHeaders: o.noHeaders, WithNamespace: o.withNamespace, Wide: *o.formats.OutputFormat == formatWide,
	}).PrintObj(runtime.Object(table), o.Out)
}

// note says something beside the answer.
func (o *output) note(format string, arguments ...any) error {
	_, err := fmt.Fprintf(o.ErrOut, format+"\n", arguments...)
	return err
}
