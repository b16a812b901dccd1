package rbac_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

// library is all that a Role may refer to.
type library struct {
	roles        map[v1alpha1.RoleName]*v1alpha1.Role
	clusterRoles map[string]*rbacv1.ClusterRole
}

func (l library) References(_ *v1alpha1.Role, name v1alpha1.RoleName) []access.RoleReference {
	return []access.RoleReference{{Name: string(name)}, {Organization: "acme", Name: string(name)}}
}

// Included returns another copy each time, as a cache does.
func (l library) Included(_ *v1alpha1.Role, name v1alpha1.RoleName) *v1alpha1.Role {
	return l.roles[name].DeepCopy()
}

func (l library) ClusterRole(name string) *rbacv1.ClusterRole { return l.clusterRoles[name] }

func libraryOf(roles ...*v1alpha1.Role) library {
	l := library{roles: map[v1alpha1.RoleName]*v1alpha1.Role{}, clusterRoles: map[string]*rbacv1.ClusterRole{}}
	for _, role := range roles {
		l.roles[v1alpha1.RoleName(role.Name)] = role
	}
	return l
}

func roleOf(name string, spec v1alpha1.RoleSpec) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "org-acme", Name: name}, Spec: spec}
}

func including(name string, includes ...v1alpha1.RoleName) *v1alpha1.Role {
	return roleOf(name, v1alpha1.RoleSpec{Includes: includes, Rules: []rbacv1.PolicyRule{rule("", name, "get")}})
}

func rule(apiGroup, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{apiGroup}, Resources: []string{resource}, Verbs: verbs}
}

// compileRules compiles a Role of nothing but these rules in project namespaces.
func compileRules(rules ...rbacv1.PolicyRule) rbac.Compiled {
	return rbac.Compile(roleOf("crawler", v1alpha1.RoleSpec{Rules: rules}), libraryOf())
}

var _ = Describe("Compile", func() {
	It("keeps the rules of projects and of the organization apart, and gives permissions in both", func() {
		compiled := rbac.Compile(roleOf("crawler", v1alpha1.RoleSpec{
			Rules:             []rbacv1.PolicyRule{rule("apps", "deployments", "get")},
			OrganizationRules: []rbacv1.PolicyRule{rule("roster.dev", "teams", "list")},
			Permissions:       []v1alpha1.Permission{"crawls.start", "audits.read", "crawls.stop", "crawls.start"},
		}), libraryOf())
		virtual := []rbacv1.PolicyRule{
			rule(v1alpha1.PermissionsGroup, "audits", "read"), rule(v1alpha1.PermissionsGroup, "crawls", "start", "stop"),
		}
		Expect(compiled.Project).To(ConsistOf(append(virtual, rule("apps", "deployments", "get"))))
		Expect(compiled.Organization).To(ConsistOf(append(virtual, rule("roster.dev", "teams", "list"))))
		Expect(compiled.Permissions).To(Equal([]v1alpha1.Permission{"audits.read", "crawls.start", "crawls.stop"}))
	})

	It("copies the rules of ClusterRoles in for projects alone, and names those that aren't there", func() {
		sources := libraryOf()
		sources.clusterRoles["view"] = &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{
			rule("", "pods", "get"), {NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}},
		}}
		compiled := rbac.Compile(roleOf("crawler", v1alpha1.RoleSpec{ClusterRoles: []string{"view", "z", "a"}}), sources)
		Expect(compiled.Project).To(Equal([]rbacv1.PolicyRule{rule("", "pods", "get")}))
		Expect(compiled.Organization).To(BeEmpty())
		Expect(compiled.MissingClusterRoles).To(Equal([]string{"a", "z"}))
	})

	It("has the rules of the copy of a ClusterRole that isn't there any more, and of the ClusterRole once it is back", func() {
		sources := libraryOf()
		sources.clusterRoles[rbac.CopyOf("view")] = &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{
			rule("", "pods", "get"), rule("", "users", "impersonate"),
		}}
		viewer := roleOf("crawler", v1alpha1.RoleSpec{ClusterRoles: []string{"view"}})
		compiled := rbac.Compile(viewer, sources)
		Expect(compiled.Project).To(Equal([]rbacv1.PolicyRule{rule("", "pods", "get")}))
		Expect(compiled.MissingClusterRoles).To(Equal([]string{"view"}))
		Expect(compiled.Kept).To(Equal([]string{"view"}))

		sources.clusterRoles["view"] = &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{rule("", "services", "get")}}
		compiled = rbac.Compile(viewer, sources)
		Expect(compiled.Project).To(Equal([]rbacv1.PolicyRule{rule("", "services", "get")}))
		Expect(compiled.MissingClusterRoles).To(BeEmpty())
	})

	Context("with includes", func() {
		It("has what one that isn't there any more gave, of the first that its name meant", func() {
			sources := libraryOf()
			own := access.RoleReference{Organization: "acme", Name: "left"}
			sources.clusterRoles[rbac.OrganizationClusterRole(own)] = &rbacv1.ClusterRole{
				Rules: []rbacv1.PolicyRule{rule("", "organization", "get")},
			}
			compiled := rbac.Compile(including("top", "left"), sources)
			Expect(compiled.Organization).To(ConsistOf(rule("", "organization", "get")))
			Expect(compiled.Project).To(ConsistOf(rule("", "top", "get")))
			Expect(compiled.MissingRoles).To(Equal([]string{"left"}))

			sources.clusterRoles[rbac.ProjectClusterRole(access.RoleReference{Name: "left"})] = &rbacv1.ClusterRole{
				Rules: []rbacv1.PolicyRule{rule("", "project", "get")},
			}
			compiled = rbac.Compile(including("top", "left"), sources)
			Expect(compiled.Organization).To(BeEmpty())
			Expect(compiled.Project).To(ConsistOf(rule("", "top", "get"), rule("", "project", "get")))
		})

		It("has what all of them have, over any distance and once each", func() {
			compiled := rbac.Compile(including("top", "left", "right"), libraryOf(
				including("left", "bottom"), including("right", "bottom"), including("bottom")))
			Expect(compiled.Project).To(ConsistOf(rule("", "top", "get"), rule("", "left", "get"),
				rule("", "right", "get"), rule("", "bottom", "get")))
			Expect(compiled.Cycle).To(BeFalse())
			Expect(compiled.MissingRoles).To(BeEmpty())
		})

		It("names those that aren't there and has the others", func() {
			compiled := rbac.Compile(including("top", "absent", "left"), libraryOf(including("left", "away")))
			Expect(compiled.MissingRoles).To(Equal([]string{"absent", "away"}))
			Expect(compiled.Project).To(ConsistOf(rule("", "top", "get"), rule("", "left", "get")))
		})

		It("says Cycle of a Role that includes itself by way of others, and leaves its includes out", func() {
			top, left := including("top", "left"), including("left", "top")
			compiled := rbac.Compile(top, libraryOf(top, left))
			Expect(compiled.Cycle).To(BeTrue())
			Expect(compiled.Project).To(Equal([]rbacv1.PolicyRule{rule("", "top", "get")}))
		})

		It("doesn't say Cycle of a Role that includes one on a cycle, which brings its own rules alone", func() {
			top, left, right := including("top", "left"), including("left", "right"), including("right", "left")
			compiled := rbac.Compile(top, libraryOf(top, left, right))
			Expect(compiled.Cycle).To(BeFalse())
			Expect(compiled.Project).To(ConsistOf(rule("", "top", "get"), rule("", "left", "get")))
		})
	})

	writeVerbs := []string{"get", "list", "watch", "update", "patch", "delete", "deletecollection"}
	DescribeTable("leaves out what hands out identities",
		func(given rbacv1.PolicyRule, expected ...rbacv1.PolicyRule) {
			Expect(compileRules(given).Project).To(ConsistOf(expected))
		},
		Entry("impersonate", rule("", "users", "impersonate")),
		Entry("impersonate beside other verbs", rule("", "serviceaccounts", "get", "impersonate"),
			rule("", "serviceaccounts", "get")),
		Entry("impersonation that is constrained", rule("authentication.k8s.io", "users", "impersonate:user-info")),
		Entry("every verb on what can be impersonated", rule("", "serviceaccounts", "*"),
			rule("", "serviceaccounts", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")),
		Entry("create on tokens", rule("", "serviceaccounts/token", "create")),
		Entry("create on tokens by every verb", rule("", "serviceaccounts/token", "*"),
			rule("", "serviceaccounts/token", writeVerbs...)),
		Entry("create on tokens by every API group", rule("*", "serviceaccounts/token", "create")),
		Entry("create on tokens by every resource's token", rule("", "*/token", "create")),
		Entry("create on tokens by every resource", rule("", "*", "create", "get"), rule("", "*", "get")),
		Entry("create on tokens among other resources",
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "serviceaccounts/token"},
				Verbs: []string{"create", "get"}},
			rule("", "pods", "create", "get"), rule("", "serviceaccounts/token", "get")),
	)

	DescribeTable("keeps what doesn't",
		func(given rbacv1.PolicyRule) {
			compiled := compileRules(given)
			Expect(compiled.Project).To(Equal([]rbacv1.PolicyRule{given}))
			Expect(compiled.Narrowed).To(BeEmpty())
		},
		Entry("create on something else", rule("", "pods", "create")),
		Entry("every verb on something else", rule("apps", "deployments", "*")),
		Entry("every resource of a group without identities", rule("apps", "*", "get", "create")),
		Entry("every verb on every resource of a group without identities", rule("apps", "*", "*")),
		Entry("every virtual permission", rule(v1alpha1.PermissionsGroup, "*", "*")),
		Entry("named objects", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"},
			ResourceNames: []string{"ci"}, Verbs: []string{"get"}}),
	)

	It("leaves out paths that aren't resources, which a namespace can't give", func() {
		mixed := rule("", "pods", "get")
		mixed.NonResourceURLs = []string{"/metrics"}
		Expect(compileRules(mixed, rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}}).Project).
			To(Equal([]rbacv1.PolicyRule{rule("", "pods", "get")}))
	})

	It("says Narrowed where more than that had to be left out", func() {
		compiled := compileRules(rule("", "*", "*"))
		Expect(compiled.Project).To(Equal([]rbacv1.PolicyRule{rule("", "*", writeVerbs...)}))
		Expect(compiled.Narrowed).To(ConsistOf(`create on every resource of API groups [""] is left out, since it includes ` +
			`serviceaccounts/token; name the resources`))
	})

	It("compiles the same Role to the same rules, in whatever order they are written, and changes no Role", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			rules := rapid.SliceOf(rapid.Custom(drawRule)).Draw(t, "rules")
			before := fmt.Sprintf("%#v", rules)
			compiled := compileRules(rules...)
			if after := fmt.Sprintf("%#v", rules); before != after {
				t.Fatalf("the rules were\n%s\nand are now\n%s", before, after)
			}
			if len(rules) > 0 {
				rules = rapid.Permutation(rules).Draw(t, "order")
			}
			if again := compileRules(rules...); !reflect.DeepEqual(compiled, again) {
				t.Fatalf("%v in one order, %v in another", compiled, again)
			}
		})
	})

	It("never allows what hands out identities, and never more than is written", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			written := rapid.SliceOf(rapid.Custom(drawRule)).Draw(t, "rules")
			compiled := compileRules(written...).Project
			for _, group := range groups[1:] {
				for _, resource := range resources[1:] {
					for _, verb := range verbs[1:] {
						allowed := allows(compiled, group, resource, verb)
						if allowed && (handsOutIdentities(group, resource, verb) || !allows(written, group, resource, verb)) {
							t.Fatalf("%v compiles to %v, which allows %s on %q %s", written, compiled, verb, group, resource)
						}
					}
				}
			}
		})
	})
})

// What rules of properties are made of; the first of each stands for all.
var (
	groups    = []string{"*", "", "apps", "authentication.k8s.io"}
	resources = []string{"*", "pods", "serviceaccounts", "serviceaccounts/token", "*/token", "users", "userextras/scopes"}
	verbs     = []string{"*", "get", "create", "impersonate", "impersonate:user-info"}
)

func drawRule(t *rapid.T) rbacv1.PolicyRule {
	draw := func(label string, choices []string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(choices), 1, 3, rapid.ID).Draw(t, label)
	}
	return rbacv1.PolicyRule{
		APIGroups: draw("groups", groups), Resources: draw("resources", resources), Verbs: draw("verbs", verbs),
	}
}

func handsOutIdentities(group, resource, verb string) bool {
	identities := []string{"users", "serviceaccounts", "userextras/scopes"}
	inGroup := group == "" || group == "authentication.k8s.io"
	impersonates := strings.HasPrefix(verb, "impersonate") && inGroup && slices.Contains(identities, resource)
	return impersonates || group == "" && resource == "serviceaccounts/token" && verb == "create"
}

// allows says what RBAC does of a request, the names of objects aside.
func allows(rules []rbacv1.PolicyRule, group, resource, verb string) bool {
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		matches := func(values []string, wanted ...string) bool {
			return slices.ContainsFunc(values, func(value string) bool {
				return value == "*" || slices.Contains(wanted, value)
			})
		}
		wantedResources := []string{resource}
		if resource == "serviceaccounts/token" {
			wantedResources = append(wantedResources, "*/token")
		}
		return matches(rule.APIGroups, group) && matches(rule.Verbs, verb) && matches(rule.Resources, wantedResources...)
	})
}
