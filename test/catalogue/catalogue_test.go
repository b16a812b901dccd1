package catalogue_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/catalogue"
	"github.com/roster-dev/roster/test/environment"
)

func TestCatalogue(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Catalogue")
}

var _ = Describe("The built-in catalogue", func() {
	var roles catalogue.Roles

	BeforeEach(func() { roles = catalogue.RolesOf(read(configFolder("roles"))) })

	It("has ten roles, all in roster-system", func() {
		Expect(names(roles)).To(ConsistOf(
			"owner", "administrator", "maintainer", "developer", "editor", "viewer", "member", "billing", "none",
			"team-maintainer"))
		Expect(roles).To(HaveEach(HaveField("Namespace", v1alpha1.SystemNamespace)))
	})

	DescribeTable("is a chain with billing, none and team-maintainer beside it",
		func(name string, included ...string) {
			all, err := roles.WithIncluded(v1alpha1.RoleName(name))
			Expect(err).NotTo(HaveOccurred())
			Expect(all.Delete(v1alpha1.RoleName(name))).To(Equal(sets.New(as[v1alpha1.RoleName](included)...)))
		},
		func(name string, included ...string) string {
			return name + " includes " + strings.Join(included, ", ")
		},
		Entry(nil, "owner", "administrator", "maintainer", "developer", "editor", "viewer", "member", "billing"),
		Entry(nil, "administrator", "maintainer", "developer", "editor", "viewer", "member"),
		Entry(nil, "maintainer", "developer", "editor", "viewer", "member"),
		Entry(nil, "developer", "editor", "viewer", "member"),
		Entry(nil, "editor", "viewer", "member"),
		Entry(nil, "viewer", "member"),
		Entry(nil, "member"),
		Entry(nil, "billing"),
		Entry(nil, "none"),
		Entry(nil, "team-maintainer"),
	)

	It("names groups, resources and verbs one by one", func() {
		for name, role := range roles {
			for _, rule := range append(role.Spec.Rules, role.Spec.OrganizationRules...) {
				for _, part := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
					Expect(part).NotTo(BeEmpty(), string(name))
					Expect(part).NotTo(ContainElement(ContainSubstring("*")), string(name))
				}
			}
		}
	})

	DescribeTable("copies Kubernetes' roles and adds permissions",
		func(name, clusterRole string, permissions ...string) {
			role := roles[v1alpha1.RoleName(name)]
			Expect(strings.Join(role.Spec.ClusterRoles, " ")).To(Equal(clusterRole))
			Expect(roles.Permissions(v1alpha1.RoleName(name))).To(
				Equal(sets.New(as[v1alpha1.Permission](permissions)...)))
		},
		func(name, clusterRole string, _ ...string) string { return strings.TrimSpace(name + " " + clusterRole) },
		Entry(nil, "owner", "", "content.view", "content.create", "content.edit", "content.delete", "members.manage",
			"reports.view", "subscription.view", "subscription.manage"),
		Entry(nil, "administrator", "admin", "content.view", "content.create", "content.edit", "content.delete",
			"members.manage", "reports.view"),
		Entry(nil, "maintainer", "", "content.view", "content.create", "content.edit", "content.delete"),
		Entry(nil, "developer", "edit", "content.view", "content.create", "content.edit", "content.delete"),
		Entry(nil, "editor", "", "content.view", "content.create", "content.edit", "content.delete"),
		Entry(nil, "viewer", "view", "content.view"),
		Entry(nil, "member", ""),
		Entry(nil, "billing", "", "reports.view", "subscription.view", "subscription.manage"),
		Entry(nil, "none", ""),
		Entry(nil, "team-maintainer", ""),
	)

	DescribeTable("decides in the organization's namespace",
		func(role, verb, resource, name string, permitted bool) {
			asked := rbacv1.PolicyRule{APIGroups: []string{"roster.dev"}, Resources: []string{resource}, Verbs: []string{verb}}
			if name != "" {
				asked.ResourceNames = []string{name}
			}
			covered, _ := validation.Covers(organizationRules(roles, role), []rbacv1.PolicyRule{asked})
			Expect(covered).To(Equal(permitted))
		},
		func(role, verb, resource, name string, permitted bool) string {
			answer := map[bool]string{true: "may", false: "may not"}[permitted]
			return strings.TrimSpace(strings.Join([]string{role, answer, verb, resource, name}, " "))
		},
		Entry(nil, "owner", "assign", "roles", "", true),
		Entry(nil, "owner", "delete", "memberships", "", true),
		Entry(nil, "owner", "escalate", "roles", "", false),
		Entry(nil, "administrator", "assign", "roles", "", false),
		Entry(nil, "administrator", "assign", "roles", "owner", false),
		Entry(nil, "administrator", "assign", "roles", "administrator", true),
		Entry(nil, "administrator", "assign", "roles", "none", true),
		Entry(nil, "administrator", "create", "memberships", "", true),
		Entry(nil, "administrator", "create", "roles", "", true),
		Entry(nil, "administrator", "create", "rolebindings", "", true),
		Entry(nil, "administrator", "approve", "joinrequests", "", true),
		Entry(nil, "administrator", "represent", "teams", "", true),
		Entry(nil, "maintainer", "create", "teams", "", true),
		Entry(nil, "maintainer", "delete", "projects", "", true),
		Entry(nil, "maintainer", "create", "memberships", "", false),
		Entry(nil, "maintainer", "create", "rolebindings", "", false),
		Entry(nil, "maintainer", "assign", "roles", "viewer", false),
		Entry(nil, "developer", "create", "teams", "", false),
		Entry(nil, "member", "list", "memberships", "", true),
		Entry(nil, "member", "get", "projects", "shop", true),
		Entry(nil, "member", "watch", "teams", "", true),
		Entry(nil, "member", "update", "teams", "", false),
		Entry(nil, "billing", "list", "memberships", "", false),
		Entry(nil, "none", "list", "memberships", "", false),
		Entry(nil, "team-maintainer", "patch", "teams", "", true),
		Entry(nil, "team-maintainer", "create", "teams", "", false),
		Entry(nil, "team-maintainer", "delete", "teams", "", false),
		Entry(nil, "team-maintainer", "list", "memberships", "", false),
	)

	It("lets an administrator give every role of the catalogue but owner, and the one that Teams alone give", func() {
		var assigned []string
		for _, rule := range roles["administrator"].Spec.OrganizationRules {
			if strings.Join(rule.Verbs, " ") == "assign" {
				assigned = append(assigned, rule.ResourceNames...)
			}
		}
		Expect(append(assigned, "owner", "team-maintainer")).To(ConsistOf(names(roles)))
	})

	It("lets an editor change ConfigMaps and nothing else", func() {
		Expect(roles["editor"].Spec.Rules).To(ConsistOf(HaveField("Resources", ConsistOf("configmaps"))))
		Expect(roles["editor"].Spec.ClusterRoles).To(BeEmpty())
	})
})

var _ = Describe("The catalogue of", func() {
	for _, product := range catalogue.Catalogues {
		It(product.Folder+" permits what its matrix ticks and nothing else", func() {
			roles := rolesOf(product)
			matrix := matrixOf(product)
			holders := product.Holders(matrix)
			Expect(holders).NotTo(BeEmpty())
			for _, holder := range holders {
				Expect(roles.Permissions(holder.Roles...)).To(Equal(holder.Allowed), holder.Name)
				Expect(matrix.Columns()).To(ContainElements(sets.List(holder.Allowed)), holder.Name)
				Expect(holder.Allowed.Has(catalogue.ResetMFA)).To(BeFalse(), holder.Name)
			}
		})

		It(product.Folder+" has Roles for any organization, whose names nobody else uses", func() {
			builtIn := catalogue.RolesOf(read(configFolder("roles")))
			for name, role := range rolesOf(product) {
				Expect(role.Namespace).To(BeEmpty(), "the namespace is the organization's, given when it is applied")
				Expect(string(name)).To(HavePrefix(product.Prefix + "-"))
				Expect(builtIn).NotTo(HaveKey(name))
			}
		})

		It(product.Folder+" permits through no rule of a real resource", func() {
			for name, role := range rolesOf(product) {
				Expect(role.Spec.Rules).To(BeEmpty(), string(name))
				Expect(role.Spec.OrganizationRules).To(BeEmpty(), string(name))
				Expect(role.Spec.ClusterRoles).To(BeEmpty(), string(name))
			}
		})
	}

	It("modules gives each level of each module, the default of all and the owner", func() {
		modules := catalogue.Catalogues[1]
		holders := modules.Holders(matrixOf(modules))
		Expect(holders).To(HaveLen(2 + 5*3))
		Expect(holders).To(ContainElement(And(
			HaveField("Name", "billing-none"),
			HaveField("Roles", HaveLen(4)),
			HaveField("Allowed", HaveLen(4)),
		)))
	})
})

var _ = Describe("A kustomization", func() {
	DescribeTable("lists every manifest of its folder",
		func(file string, folder ...string) {
			directory := configFolder(folder...)
			content, err := os.ReadFile(filepath.Join(directory, file))
			Expect(err).NotTo(HaveOccurred())
			var listed struct {
				Resources []string `json:"resources"`
			}
			Expect(yaml.Unmarshal(content, &listed)).To(Succeed())
			there, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
			Expect(err).NotTo(HaveOccurred())
			present := sets.New[string]()
			for _, path := range there {
				present.Insert(filepath.Base(path))
			}
			Expect(listed.Resources).To(ConsistOf(sets.List(present.Delete(file))))
		},
		func(_ string, folder ...string) string { return filepath.Join(folder...) },
		Entry(nil, "kustomization.yaml", "policies"),
		Entry(nil, "kustomization.yaml", "roles"),
		Entry(nil, "kustomization.yaml", "samples", "acme"),
		Entry(nil, "Kustomization", "roles", "catalogues", "cdn-account"),
		Entry(nil, "Kustomization", "roles", "catalogues", "modules"),
		Entry(nil, "Kustomization", "roles", "catalogues", "search-analytics"),
		Entry(nil, "Kustomization", "roles", "catalogues", "web-publishing"),
	)
})

func configFolder(folder ...string) string {
	GinkgoHelper()
	root, err := environment.ModuleRoot()
	Expect(err).NotTo(HaveOccurred())
	return filepath.Join(append([]string{root, "config"}, folder...)...)
}

func read(directory string) []client.Object {
	GinkgoHelper()
	objects, err := catalogue.Read(directory)
	Expect(err).NotTo(HaveOccurred())
	return objects
}

func rolesOf(product catalogue.Catalogue) catalogue.Roles {
	GinkgoHelper()
	directory, err := product.Directory()
	Expect(err).NotTo(HaveOccurred())
	return catalogue.RolesOf(read(directory))
}

func matrixOf(product catalogue.Catalogue) *catalogue.Matrix {
	GinkgoHelper()
	matrix, err := product.Matrix()
	if errors.Is(err, fs.ErrNotExist) {
		Skip(err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	return matrix
}

func organizationRules(roles catalogue.Roles, name string) []rbacv1.PolicyRule {
	GinkgoHelper()
	included, err := roles.WithIncluded(v1alpha1.RoleName(name))
	Expect(err).NotTo(HaveOccurred())
	var rules []rbacv1.PolicyRule
	for each := range included {
		rules = append(rules, roles[each].Spec.OrganizationRules...)
	}
	return rules
}

func names(roles catalogue.Roles) []string {
	return as[string](sets.List(sets.KeySet(roles)))
}

// as converts strings of one type to strings of another.
func as[To, From ~string](values []From) []To {
	converted := make([]To, 0, len(values))
	for _, value := range values {
		converted = append(converted, To(value))
	}
	return converted
}
