package commands

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// defaultChunk is how many rows one request brings, as kubectl does it.
const defaultChunk = 500

// listing is what the commands have in common that print rows of the view API.
type listing struct {
	scope
	output
	kind     schema.GroupVersionKind
	resource string
	selector string
	limit    int64
	chunk    int64
}

func newListing(streams genericiooptions.IOStreams, kind, resource string) listing {
	return listing{
		scope: scope{connection: newConnection(streams)}, output: newOutput(streams),
		kind: viewv1alpha1.GroupVersion.WithKind(kind), resource: resource,
	}
}

func (l *listing) addFlags(command *cobra.Command, fields string) {
	l.scope.addFlags(command)
	l.addAllFlag(command)
	l.output.addFlags(command)
	command.Flags().StringVar(&l.selector, "field-selector", "", "Select by the fields "+fields+", such as "+
		"FIELD=VALUE,FIELD=VALUE")
	command.Flags().Int64Var(&l.limit, "limit", 0, "The most rows to print; 0: all")
	command.Flags().Int64Var(&l.chunk, "chunk-size", defaultChunk, "How many rows one request brings; 0: as many as the server gives")
}

// query asks for the rows of an organization.
func (l *listing) query(organization string) query {
	return query{
		resource: l.kind.GroupVersion().WithResource(l.resource), namespace: organization,
		selector: l.selector, limit: l.limit, chunk: l.chunk,
	}
}

// server is where the rows come from.
func (l *listing) server() (rest.Interface, error) {
	for _, number := range []struct {
		flag  string
		value int64
	}{{"--limit", l.limit}, {"--chunk-size", l.chunk}} {
		if number.value < 0 {
			return nil, fmt.Errorf("%s=%d: give a number of rows, or 0 for all", number.flag, number.value)
		}
	}
	// A format that doesn't exist is told before anything is asked.
	if _, err := l.printer(); err != nil {
		return nil, err
	}
	return l.rows(l.kind)
}

// open is where the rows of a whole organization come from, and the question for all of them.
func (l *listing) open(ctx context.Context) (rest.Interface, query, error) {
	where, err := l.whole(ctx)
	if err != nil {
		return nil, query{}, err
	}
	server, err := l.server()
	return server, l.query(where.organization), err
}

// run asks for all rows of an organization and prints them.
func (l *listing) run(ctx context.Context) error {
	server, query, err := l.open(ctx)
	if err != nil {
		return err
	}
	return l.show(ctx, server, query)
}

// show asks and prints.
func (l *listing) show(ctx context.Context, from rest.Interface, query query) error {
	found, err := query.rows(ctx, from)
	if err != nil {
		return err
	}
	l.withNamespace = query.namespace == ""
	printer, err := l.printer()
	switch {
	case err != nil:
		return err
	case printer == nil && len(found.Rows) == 0 && query.namespace == "":
		return l.note("No %s found", l.resource)
	case printer == nil && len(found.Rows) == 0:
		return l.note("No %s found in %s%s", l.resource, query.namespace, query.ifNone)
	}
	if err := l.printAll(&found.Table); err != nil {
		return err
	}
	if found.more {
		return l.note("There are more; --limit=%d shows no more of them.", l.limit)
	}
	return nil
}
