package peribolos_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/peribolos"
)

func TestPeribolos(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Peribolos")
}

// result is what an import gave. Places in it are relative to the folder of the test's files.
type result struct {
	objects  []client.Object
	problems []string
	err      string
}

// importFiles writes files into an empty folder and imports the paths below it; none means the folder acme.
func importFiles(files map[string]string, paths ...string) result {
	GinkgoHelper()
	return importAs("", files, paths...)
}

// importAs does the same with a given name of the organization.
func importAs(organization string, files map[string]string, paths ...string) result {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	}
	if len(paths) == 0 {
		paths = []string{"acme"}
	}
	for i := range paths {
		paths[i] = filepath.Join(folder, paths[i])
	}
	return importPaths(organization, folder, paths...)
}

// importPaths imports paths and takes the folder out of all messages.
func importPaths(organization, folder string, paths ...string) result {
	GinkgoHelper()
	relative := strings.NewReplacer(folder+string(filepath.Separator), "")
	configuration, err := peribolos.Load(paths, organization)
	if err != nil {
		return result{err: relative.Replace(err.Error())}
	}
	objects, problems, err := peribolos.Convert(configuration)
	if err != nil {
		return result{err: relative.Replace(err.Error())}
	}
	imported := result{objects: objects}
	for _, problem := range problems {
		imported.problems = append(imported.problems, relative.Replace(problem.String()))
	}
	return imported
}

// importOrganization imports one file, acme/org.yaml.
func importOrganization(content string) result {
	GinkgoHelper()
	return importFiles(map[string]string{"acme/org.yaml": content})
}

// all returns the objects of a type, in order. It expects that the import didn't fail.
func all[T client.Object](imported result) []T {
	GinkgoHelper()
	Expect(imported.err).To(BeEmpty())
	var found []T
	for _, object := range imported.objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// one returns the object of a type that has a name.
func one[T client.Object](imported result, name string) T {
	GinkgoHelper()
	names := []string{}
	for _, object := range all[T](imported) {
		if object.GetName() == name {
			return object
		}
		names = append(names, object.GetName())
	}
	Expect(names).To(ContainElement(name))
	panic("unreachable")
}

// namesOf returns the names of the objects of a type, in order.
func namesOf[T client.Object](imported result) []string {
	GinkgoHelper()
	names := []string{}
	for _, object := range all[T](imported) {
		names = append(names, object.GetName())
	}
	return names
}

// usernames returns usernames as the API has them.
func usernames(texts ...string) []v1alpha1.Username {
	converted := []v1alpha1.Username{}
	for _, text := range texts {
		converted = append(converted, v1alpha1.Username(text))
	}
	return converted
}
