package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/peribolos"
)

// importPeribolos holds the options of "import peribolos".
type importPeribolos struct {
	genericiooptions.IOStreams
	paths        []string
	organization string
	output       string
}

// newImportPeribolosCommand returns the command that imports configurations of peribolos.
func newImportPeribolosCommand(streams genericiooptions.IOStreams) *cobra.Command {
	options := importPeribolos{IOStreams: streams}
	command := &cobra.Command{
		Use:   "peribolos PATH...",
		Short: "Turn a peribolos configuration of GitHub organizations into Roster's manifests",
		Long: `Turn a peribolos configuration of GitHub organizations into Roster's manifests.

Each PATH is a file, or a folder that is read with all YAML files below it. What
can't be carried over is said on standard error with its file and line, and the
rest is written. The same input gives the same output.`,
		Example: `  # See what an organization becomes
  kubectl roster import peribolos org.yaml

  # Write the manifests into a folder, one file a kind, and apply them
  kubectl roster import peribolos config/acme -o manifests
  kubectl apply --server-side -f manifests`,
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return errors.New("name at least one PATH: a file or a folder with a peribolos configuration")
			}
			options.paths = paths
			return options.run()
		},
	}
	command.Flags().StringVarP(&options.output, "output-dir", "o", "",
		"folder to write the manifests to, one file a kind; it is made if it isn't there (default: standard output)")
	command.Flags().StringVar(&options.organization, "organization", "",
		"name of the organization (default: what the file says under orgs, else the name of the folder)")
	return command
}

// run reads, converts and writes, and says what it did on standard error.
func (o *importPeribolos) run() error {
	if err := o.checkOrganization(); err != nil {
		return err
	}
	configuration, err := peribolos.Load(o.paths, o.organization)
	if err != nil {
		return err
	}
	objects, problems, err := peribolos.Convert(configuration)
	if err != nil {
		return err
	}
	if err := o.write(objects); err != nil {
		return err
	}
	return o.report(objects, problems)
}

// checkOrganization refuses a name that isn't one: what somebody typed is not changed for them.
func (o *importPeribolos) checkOrganization() error {
	if o.organization == "" {
		return nil
	}
	const longest = v1alpha1.MaxOrganizationNameLength
	if faults := validation.IsDNS1123Label(o.organization); len(faults) > 0 || len(o.organization) > longest {
		return fmt.Errorf("--organization %q: an organization's name is a DNS label of at most %d characters: lower-case "+
			"letters, digits and '-', beginning and ending with a letter or digit", o.organization, longest)
	}
	return nil
}

// write writes the manifests to the folder, or to standard output.
func (o *importPeribolos) write(objects []client.Object) error {
	if o.output == "" {
		manifests, err := peribolos.Manifests(objects)
		if err != nil {
			return err
		}
		_, err = o.Out.Write(manifests)
		return err
	}
	files, err := peribolos.Files(objects)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.output, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		if err := writeOrRemove(filepath.Join(o.output, file.Name), file.Data); err != nil {
			return err
		}
	}
	return nil
}

// writeOrRemove writes a file, or removes it if there is nothing to write: what an earlier import left there would give
// access that the configuration doesn't give any more.
func writeOrRemove(path string, data []byte) error {
	if len(data) > 0 {
		return os.WriteFile(path, data, 0o644)
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// report says what couldn't be carried over, and how much was.
func (o *importPeribolos) report(objects []client.Object, problems []peribolos.Problem) error {
	var text strings.Builder
	for _, problem := range problems {
		fmt.Fprintln(&text, problem)
	}
	counts := map[string]int{}
	for _, object := range objects {
		counts[object.GetObjectKind().GroupVersionKind().Kind]++
	}
	fmt.Fprintf(&text, "organizations: %d, memberships: %d, projects: %d, teams: %d, role bindings: %d, "+
		"not carried over as written: %d\n", counts["Organization"], counts["Membership"], counts["Project"],
		counts["Team"], counts["RoleBinding"], len(problems))
	_, err := fmt.Fprint(o.ErrOut, text.String())
	return err
}
