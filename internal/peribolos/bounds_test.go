package peribolos

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// schemaOf is that of a field of a kind's spec, with dots between the names.
func schemaOf(plural, field string) apiextensionsv1.JSONSchemaProps {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "roster.dev_"+plural+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	definition := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.Unmarshal(text, definition)).To(Succeed())
	schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for name := range strings.SplitSeq(field, ".") {
		schema = schema.Properties[name]
	}
	return schema
}

var _ = DescribeTable("An import keeps to the schema's bound of", func(plural, field string, bound int) {
	schema := schemaOf(plural, field)
	Expect([]*int64{schema.MaxLength, schema.MaxItems}).To(ContainElement(HaveValue(BeEquivalentTo(bound))))
},
	Entry("an organization's owners", "organizations", "owners", maxOwners),
	Entry("an organization's display name", "organizations", "displayName", maxDisplayName),
	Entry("an organization's description", "organizations", "description", maxDescription),
	Entry("a project's display name", "projects", "displayName", maxDisplayName),
	Entry("a username", "memberships", "user", maxUsername),
	Entry("a team's display name", "teams", "displayName", maxDisplayName),
	Entry("a team's description", "teams", "description", maxDescription),
	Entry("a team's members", "teams", "members", maxTeamMembers),
	Entry("a team's maintainers", "teams", "maintainers", maxMaintainers),
	Entry("a team's projects", "teams", "projects", maxProjects),
)
