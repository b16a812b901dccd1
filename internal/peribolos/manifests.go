package peribolos

import (
	"bytes"
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// File is a file of manifests. Data is empty where there are no objects of its kind.
type File struct {
	Name string
	Data []byte
}

// files names the file of each kind. They are applied in the order of their names: each kind after those it refers to.
var files = []struct{ kind, name string }{
	{"Namespace", "00-namespaces.yaml"},
	{"Organization", "10-organizations.yaml"},
	{"Membership", "20-memberships.yaml"},
	{"Project", "30-projects.yaml"},
	{"Team", "40-teams.yaml"},
	{"RoleBinding", "50-rolebindings.yaml"},
}

// separator stands between the documents of a YAML stream.
const separator = "---\n"

// Files returns the manifests of objects, one file a kind, always the same ones.
func Files(objects []client.Object) ([]File, error) {
	written := make([]File, 0, len(files))
	for _, file := range files {
		ofKind := slices.DeleteFunc(slices.Clone(objects), func(object client.Object) bool {
			return kindOf(object) != file.kind
		})
		data, err := Manifests(ofKind)
		if err != nil {
			return nil, err
		}
		written = append(written, File{Name: file.name, Data: data})
	}
	return written, nil
}

// Manifests returns objects as one YAML stream, in their order.
func Manifests(objects []client.Object) ([]byte, error) {
	documents := make([][]byte, 0, len(objects))
	for _, object := range objects {
		document, err := manifest(object)
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return bytes.Join(documents, []byte(separator)), nil
}

// manifest returns an object as YAML, without its status, which is Roster's to write, and without empty mappings.
func manifest(object client.Object) ([]byte, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	withoutEmpty(content)
	_, hasSpec := content["spec"]
	if ofRoster := object.GetObjectKind().GroupVersionKind().Group == v1alpha1.GroupVersion.Group; ofRoster && !hasSpec {
		// The API asks for a spec, also where nothing is in it, as in that of a team without members.
		content["spec"] = map[string]any{}
	}
	return yaml.Marshal(content)
}

// withoutEmpty removes mappings that are empty, or hold nothing but empty ones, and keys without a value.
func withoutEmpty(content map[string]any) {
	for key, value := range content {
		nested, isMapping := value.(map[string]any)
		if isMapping {
			withoutEmpty(nested)
		}
		if value == nil || isMapping && len(nested) == 0 {
			delete(content, key)
		}
	}
}

// sortObjects sorts objects by kind in the order of the files, then by namespace and name.
func sortObjects(objects []client.Object) {
	rank := make(map[string]int, len(files))
	for i, file := range files {
		rank[file.kind] = i
	}
	slices.SortFunc(objects, func(a, b client.Object) int {
		return cmp.Or(
			cmp.Compare(rank[kindOf(a)], rank[kindOf(b)]),
			cmp.Compare(a.GetNamespace(), b.GetNamespace()),
			cmp.Compare(a.GetName(), b.GetName()),
		)
	})
}

func kindOf(object client.Object) string { return object.GetObjectKind().GroupVersionKind().Kind }
