package rbac

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// Sources are what a Role may refer to.
type Sources interface {
	// Included returns the Role that a name means where the given Role lives, or nil.
	Included(by *v1alpha1.Role, name v1alpha1.RoleName) *v1alpha1.Role
	// References are the Roles that a name could mean where the given Role lives, the one that counts first.
	References(by *v1alpha1.Role, name v1alpha1.RoleName) []access.RoleReference
	// ClusterRole returns the Kubernetes ClusterRole of that name, or nil.
	ClusterRole(name string) *rbacv1.ClusterRole
}

// Compiled is what a Role comes to.
type Compiled struct {
	// Project are the rules in project namespaces, Organization those in the organization's namespace.
	Project, Organization []rbacv1.PolicyRule
	// Permissions are all virtual permissions, sorted.
	Permissions []v1alpha1.Permission
	// MissingRoles and MissingClusterRoles are names that mean nothing. What they would add is left out, but for what they added
	// while they meant something and is Kept, by name.
	MissingRoles, MissingClusterRoles, Kept []string
	// Cycle: the Role includes itself by way of others; all it includes is left out.
	Cycle bool
	// Narrowed says what was left out because it would hand out identities and can't be told apart from the rest.
	Narrowed []string
}

// Compile works out the rules of a Role with all that it includes.
func Compile(role *v1alpha1.Role, sources Sources) Compiled {
	var compiled Compiled
	compiled.Cycle = includesItself(role, sources)
	permissions := sets.New[v1alpha1.Permission]()
	for _, part := range closure(role, sources, &compiled) {
		compiled.addRules(part, sources)
		permissions.Insert(part.Spec.Permissions...)
	}
	compiled.Permissions = sets.List(permissions)
	virtual := permissionRules(compiled.Permissions)
	compiled.Project = distinct(append(compiled.Project, virtual...))
	compiled.Organization = distinct(append(compiled.Organization, virtual...))
	slices.Sort(compiled.Narrowed)
	compiled.Narrowed = slices.Compact(compiled.Narrowed)
	slices.Sort(compiled.MissingRoles)
	slices.Sort(compiled.MissingClusterRoles)
	slices.Sort(compiled.Kept)
	return compiled
}

// closure is the Role and everything that it includes, each once, nearest first. A Role on a cycle includes nothing.
func closure(role *v1alpha1.Role, sources Sources, compiled *Compiled) []*v1alpha1.Role {
	roles := []*v1alpha1.Role{role}
	for next := 0; next < len(roles); next++ {
		at := roles[next]
		if includesItself(at, sources) {
			continue
		}
		for _, name := range at.Spec.Includes {
			included := sources.Included(at, name)
			switch {
			case included == nil:
				compiled.MissingRoles = append(compiled.MissingRoles, string(name))
				compiled.addVanished(at, name, sources)
			case !containsRole(roles, included):
				roles = append(roles, included)
			}
		}
	}
	return roles
}

func includesItself(role *v1alpha1.Role, sources Sources) bool {
	seen := []*v1alpha1.Role{role}
	for next := 0; next < len(seen); next++ {
		for _, name := range seen[next].Spec.Includes {
			included := sources.Included(seen[next], name)
			if included == nil {
				continue
			}
			if isSameRole(included, role) {
				return true
			}
			if !containsRole(seen, included) {
				seen = append(seen, included)
			}
		}
	}
	return false
}

func containsRole(roles []*v1alpha1.Role, role *v1alpha1.Role) bool {
	return slices.ContainsFunc(roles, func(other *v1alpha1.Role) bool { return isSameRole(other, role) })
}

// isSameRole goes by the name: the sources may return another copy each time they are asked.
func isSameRole(a, b *v1alpha1.Role) bool {
	return a.Namespace == b.Namespace && a.Name == b.Name
}

// addVanished adds the rules of a Role that isn't there any more, where the ClusterRoles that were made for it are kept.
func (c *Compiled) addVanished(by *v1alpha1.Role, name v1alpha1.RoleName, sources Sources) {
	for _, reference := range sources.References(by, name) {
		project := sources.ClusterRole(ProjectClusterRole(reference))
		organization := sources.ClusterRole(OrganizationClusterRole(reference))
		if project != nil {
			c.Project = append(c.Project, project.Rules...)
		}
		if organization != nil {
			c.Organization = append(c.Organization, organization.Rules...)
		}
		if project != nil || organization != nil {
			c.Kept = append(c.Kept, string(name))
			return
		}
	}
}

func (c *Compiled) addRules(role *v1alpha1.Role, sources Sources) {
	for _, rule := range role.Spec.Rules {
		c.Project = append(c.Project, c.harmless(rule)...)
	}
	for _, rule := range role.Spec.OrganizationRules {
		c.Organization = append(c.Organization, c.harmless(rule)...)
	}
	for _, name := range role.Spec.ClusterRoles {
		clusterRole := sources.ClusterRole(name)
		if clusterRole == nil {
			c.MissingClusterRoles = append(c.MissingClusterRoles, name)
			if clusterRole = sources.ClusterRole(CopyOf(name)); clusterRole == nil {
				continue
			}
			c.Kept = append(c.Kept, name)
		}
		for _, rule := range clusterRole.Rules {
			c.Project = append(c.Project, c.harmless(rule)...)
		}
	}
}

// permissionRules are the rules of the virtual API group, one a resource.
func permissionRules(permissions []v1alpha1.Permission) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, permission := range permissions {
		resource, verb, _ := strings.Cut(string(permission), ".")
		if last := len(rules) - 1; last >= 0 && rules[last].Resources[0] == resource {
			rules[last].Verbs = append(rules[last].Verbs, verb)
			continue
		}
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.PermissionsGroup}, Resources: []string{resource}, Verbs: []string{verb},
		})
	}
	return rules
}

// distinct sorts rules and leaves out those that stand there already, so that the same Role always compiles to the
// same rules.
func distinct(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	type keyed struct {
		key  string
		rule rbacv1.PolicyRule
	}
	entries := make([]keyed, 0, len(rules))
	for _, rule := range rules {
		// A PolicyRule is lists of strings, which always encode.
		key, _ := json.Marshal(rule)
		entries = append(entries, keyed{string(key), rule})
	}
	slices.SortFunc(entries, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	entries = slices.CompactFunc(entries, func(a, b keyed) bool { return a.key == b.key })
	var result []rbacv1.PolicyRule
	for _, entry := range entries {
		result = append(result, entry.rule)
	}
	return result
}

// resourceVerbs are what "*" stands for where it can't stay.
var resourceVerbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// identityResources are what the verb impersonate is asked for.
var identityResources = sets.New("users", "groups", "serviceaccounts", "uids")

// identityGroups are the API groups that these resources are in.
var identityGroups = sets.New("", "authentication.k8s.io", rbacv1.APIGroupAll)

// harmless is a rule without what hands out identities: impersonate, and create on serviceaccounts/token. Who can be
// somebody else isn't held by any gate.
func (c *Compiled) harmless(rule rbacv1.PolicyRule) []rbacv1.PolicyRule {
	// A binding in a namespace gives no access to paths that aren't resources.
	rule.NonResourceURLs = nil
	if slices.ContainsFunc(rule.APIGroups, identityGroups.Has) && slices.ContainsFunc(rule.Resources, namesIdentity) {
		rule.Verbs = expandVerbs(rule.Verbs)
	}
	rule.Verbs = without(rule.Verbs, func(verb string) bool { return strings.HasPrefix(verb, "impersonate") })
	rules := c.withoutTokens(rule)
	return slices.DeleteFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return len(rule.Resources) == 0 || len(rule.Verbs) == 0
	})
}

func namesIdentity(resource string) bool {
	return resource == rbacv1.ResourceAll || identityResources.Has(resource) || strings.HasPrefix(resource, "userextras")
}

// withoutTokens splits a rule so that nothing in it allows create on serviceaccounts/token.
func (c *Compiled) withoutTokens(rule rbacv1.PolicyRule) []rbacv1.PolicyRule {
	creates := slices.Contains(rule.Verbs, "create") || slices.Contains(rule.Verbs, rbacv1.VerbAll)
	inCore := slices.Contains(rule.APIGroups, "") || slices.Contains(rule.APIGroups, rbacv1.APIGroupAll)
	if !creates || !inCore {
		return []rbacv1.PolicyRule{rule}
	}
	isCreate := func(verb string) bool { return verb == "create" }
	if slices.Contains(rule.Resources, rbacv1.ResourceAll) {
		c.Narrowed = append(c.Narrowed, fmt.Sprintf(
			"create on every resource of API groups %q is left out, since it includes serviceaccounts/token; name the resources",
			rule.APIGroups))
		rule.Verbs = without(expandVerbs(rule.Verbs), isCreate)
		return []rbacv1.PolicyRule{rule}
	}
	isToken := func(resource string) bool { return resource == "serviceaccounts/token" || resource == "*/token" }
	tokens := rule
	tokens.Resources = without(rule.Resources, func(resource string) bool { return !isToken(resource) })
	tokens.Verbs = without(expandVerbs(rule.Verbs), isCreate)
	rule.Resources = without(rule.Resources, isToken)
	return []rbacv1.PolicyRule{rule, tokens}
}

// expandVerbs writes "*" out.
func expandVerbs(verbs []string) []string {
	if slices.Contains(verbs, rbacv1.VerbAll) {
		return resourceVerbs
	}
	return verbs
}

// without is a copy that lacks some elements: what is given belongs to somebody else.
func without(values []string, unwanted func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(values), unwanted)
}
