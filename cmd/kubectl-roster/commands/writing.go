package commands

import (
	"context"
	"fmt"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
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

func roleNames(texts []string) []v1alpha1.RoleName {
	var found []v1alpha1.RoleName
	for _, text := range texts {
		found = append(found, v1alpha1.RoleName(text))
	}
	return found
}

func objectNames(texts []string) []v1alpha1.ObjectName {
	var found []v1alpha1.ObjectName
	for _, text := range texts {
		found = append(found, v1alpha1.ObjectName(text))
	}
	return found
}
