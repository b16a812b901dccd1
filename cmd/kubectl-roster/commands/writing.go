package commands

import (
	"context"
	"fmt"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writing is what the commands have in common that make and change objects of one organization.
type writing struct {
	scope
	genericiooptions.IOStreams
}

func newWriting(streams genericiooptions.IOStreams) writing {
	return writing{scope: scope{connection: newConnection(streams)}, IOStreams: streams}
}

// open is a client, and the namespace of the organization that the flags name.
func (w *writing) open(ctx context.Context) (client.Client, string, error) {
	place, err := w.whole(ctx)
	if err != nil {
		return nil, "", err
	}
	server, err := w.client()
	return server, place.organization, err
}

func (w *writing) say(format string, arguments ...any) error {
	_, err := fmt.Fprintf(w.Out, format+"\n", arguments...)
	return err
}

// namesOf are what flags give as names of one type, such as v1alpha1.RoleName; nil where they give none.
func namesOf[T ~string](texts []string) []T {
	var found []T
	for _, text := range texts {
		found = append(found, T(text))
	}
	return found
}
