// Command apidocs writes the reference page of Roster's kinds from their CustomResourceDefinitions, whose descriptions are
// the docstrings of the Go types.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// kinds in the order in which they are explained, by their plural.
var kinds = []string{
	"organizations", "memberships", "teams", "projects", "roles", "rolebindings", "joinrequests", "apitokens", "users",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: apidocs FOLDER-OF-CUSTOMRESOURCEDEFINITIONS PAGE")
		os.Exit(1)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "reference of the kinds:", err)
		os.Exit(1)
	}
}

// run writes the page only once all of it is there.
func run(folder, output string) error {
	definitions := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(kinds))
	for _, kind := range kinds {
		path := filepath.Join(folder, "roster.dev_"+kind+".yaml")
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(content, definition); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		definitions = append(definitions, definition)
	}
	return os.WriteFile(output, []byte(page(definitions)), 0o644)
}
