package admission_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// pipeline syncs access from a repository and may do everything.
const pipeline = "pipeline"

// may says whether RBAC allows a user something in an organization's namespace, as Roster's bindings are at that moment.
func (m *moment) may(user, verb, resource, name, organization string) bool {
	return user == pipeline || m.allowed(user, authorizationv1.ResourceAttributes{
		Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource, Name: name,
		Namespace: v1alpha1.OrganizationNamespace(organization),
	})
}

func (m *moment) mayAssign(user, role, organization string) bool {
	return m.may(user, "assign", "roles", role, organization)
}

func (m *moment) allowed(user string, asked authorizationv1.ResourceAttributes) bool {
	organization, ok := v1alpha1.OrganizationOf(asked.Namespace)
	if !ok || user == pipeline {
		return user == pipeline
	}
	rule := rbacv1.PolicyRule{Verbs: []string{asked.Verb}, APIGroups: []string{asked.Group}, Resources: []string{asked.Resource}}
	if asked.Name != "" {
		rule.ResourceNames = []string{asked.Name}
	}
	covered, _ := validation.Covers(m.rulesIn(organization)[user], []rbacv1.PolicyRule{rule})
	return covered
}

// rulesIn are what all users may do in an organization's namespace.
func (m *moment) rulesIn(organization string) map[string][]rbacv1.PolicyRule {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if rules, known := m.rules[organization]; known {
		return rules
	}
	rules := map[string][]rbacv1.PolicyRule{}
	for _, grant := range access.Evaluate(m.world(), organization, m.at).Grants {
		role, found := find[*rbacv1.ClusterRole](m, "", rbac.OrganizationClusterRole(grant.Role))
		if !grant.Scope.Organization || !found {
			continue
		}
		for _, subject := range grant.Subjects {
			rules[subject.Name] = append(rules[subject.Name], role.Rules...)
		}
	}
	if m.rules == nil {
		m.rules = map[string]map[string][]rbacv1.PolicyRule{}
	}
	m.rules[organization] = rules
	return rules
}

// compiled is a moment in which the ClusterRoles are those of its Roles.
func (m *moment) compiled() *moment {
	sources := snapshot.NewSources(context.Background(), reader{func() *moment { return m }})
	kind := reflect.TypeFor[*rbacv1.ClusterRole]()
	own := func(object client.Object) bool { return strings.HasPrefix(object.GetName(), "roster:") }
	clusterRoles := slices.DeleteFunc(slices.Clone(m.objects[kind]), own)
	for _, role := range all[*v1alpha1.Role](m) {
		rules, reference := rbac.Compile(role, sources), access.ReferenceTo(role)
		clusterRoles = append(clusterRoles,
			clusterRole(rbac.ProjectClusterRole(reference), rules.Project...),
			clusterRole(rbac.OrganizationClusterRole(reference), rules.Organization...))
	}
	m.objects[kind] = clusterRoles
	return m
}

func clusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
}

// kubernetesRoles stand for view, edit and admin of Kubernetes.
func kubernetesRoles() []client.Object {
	look := core("pods,configmaps", "get,list")
	change := core("pods,configmaps,secrets", "get,list,create,update,delete")
	return []client.Object{
		clusterRole("view", look), clusterRole("edit", look, change), clusterRole("admin", look, change, core("services", "delete")),
	}
}

func core(resources, verbs string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: strings.Split(resources, ","), Verbs: strings.Split(verbs, ","),
	}
}

func rosters(resources, verbs string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: strings.Split(resources, ","), ResourceNames: names,
		Verbs: strings.Split(verbs, ","),
	}
}

// catalogue are the Roles that every organization can use.
func catalogue() []client.Object {
	paths, err := filepath.Glob("../../config/roles/*.yaml")
	utilruntime.Must(err)
	var roles []client.Object
	for _, path := range paths {
		text, err := os.ReadFile(path)
		utilruntime.Must(err)
		role := &v1alpha1.Role{}
		utilruntime.Must(yaml.Unmarshal(text, role))
		if role.Kind == "Role" {
			roles = append(roles, role)
		}
	}
	return roles
}

// passesPolicies says whether config/policies lets a request through. Most of them hold what no story tries; this is that of a
// team's maintainers.
func passesPolicies(m *moment, r *request) bool {
	before, isTeam := r.before.(*v1alpha1.Team)
	if !isTeam || r.after == nil || m.may(r.author, "create", "teams", "", organizationOf(before)) {
		return true
	}
	others := before.DeepCopy()
	after := r.after.(*v1alpha1.Team)
	others.Spec.Members, others.Spec.Maintainers = after.Spec.Members, after.Spec.Maintainers
	return maintains(before, r.author) && reflect.DeepEqual(others.Spec, after.Spec) &&
		reflect.DeepEqual(before.Labels, after.Labels)
}

func maintains(team *v1alpha1.Team, user string) bool {
	return slices.Contains(team.Spec.Maintainers, v1alpha1.Username(user))
}

// organizationOf is the organization that an object belongs to, or is.
func organizationOf(object client.Object) string {
	if organization, ok := v1alpha1.OrganizationOf(object.GetNamespace()); ok {
		return organization
	}
	if _, is := object.(*v1alpha1.Organization); is {
		return object.GetName()
	}
	return ""
}
