package catalogue

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// kustomization is the one manifest in a folder that isn't an object for the API server.
const kustomization = "kustomization.yaml"

// Read decodes every manifest in the folder itself, in the order of the files' names. A field that its kind doesn't have
// and a field that stands twice are errors.
func Read(directory string) ([]client.Object, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, file := range files {
		if filepath.Base(file) == kustomization {
			continue
		}
		inFile, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, inFile...)
	}
	return objects, nil
}

func readFile(path string) ([]client.Object, error) {
	decoder, err := strictDecoder()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var objects []client.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		decoded, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		object, isObject := decoded.(client.Object)
		if !isObject {
			return nil, fmt.Errorf("%T has no metadata: write one object a document instead of a list", decoded)
		}
		objects = append(objects, object)
	}
}

func strictDecoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
}

// Roles are Roles by name.
type Roles map[v1alpha1.RoleName]*v1alpha1.Role

// RolesOf picks the Roles from among the objects.
func RolesOf(objects []client.Object) Roles {
	roles := Roles{}
	for _, object := range objects {
		if role, isRole := object.(*v1alpha1.Role); isRole {
			roles[v1alpha1.RoleName(role.Name)] = role
		}
	}
	return roles
}

// WithIncluded are the named roles and all that they include, directly and through others.
func (r Roles) WithIncluded(names ...v1alpha1.RoleName) (sets.Set[v1alpha1.RoleName], error) {
	found := sets.New[v1alpha1.RoleName]()
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		role, exists := r[name]
		if !exists {
			return nil, fmt.Errorf("no Role %s among the manifests: add it, or take it out of the list that names it", name)
		}
		if !found.Has(name) {
			found.Insert(name)
			queue = append(queue, role.Spec.Includes...)
		}
	}
	return found, nil
}

// Permissions are what the named roles permit with all that they include.
func (r Roles) Permissions(names ...v1alpha1.RoleName) (sets.Set[v1alpha1.Permission], error) {
	included, err := r.WithIncluded(names...)
	permissions := sets.New[v1alpha1.Permission]()
	for name := range included {
		permissions.Insert(r[name].Spec.Permissions...)
	}
	return permissions, err
}
