package admission_test

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// The people of the drawn stories.
const (
	owner, subOwner    = "ana", "lia"
	administrator      = "adm"      // lowered to viewer in the organization below
	maintainer, second = "mt", "mo" // hold the catalogue's maintainer, and may give no role
	captain            = "tom"      // maintains a team, and is a plain member
	clerk              = "kim"      // writes Memberships and RoleBindings, and may give viewer alone
	plain, other       = "bo", "cy" // members
	stranger           = "dee"      // isn't one
)

// keeper is a Role of the organization that owners alone may give.
const keeper = "keeper"

// labelKeys are the labels that selectors ask for.
var labelKeys = []string{"tier", "known"}

func metaOf(organization, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: name}
}

func organization(name, parent string, owners ...v1alpha1.Username) *v1alpha1.Organization {
	return &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.OrganizationSpec{Parent: parent, Owners: owners},
	}
}

func membership(organization, user string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	return &v1alpha1.Membership{
		ObjectMeta: metaOf(organization, user), Spec: v1alpha1.MembershipSpec{User: v1alpha1.Username(user), Roles: roles},
	}
}

func team(organization, name string, spec v1alpha1.TeamSpec) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: metaOf(organization, name), Spec: spec}
}

func project(organization, name, tier string) *v1alpha1.Project {
	object := &v1alpha1.Project{ObjectMeta: metaOf(organization, name)}
	if tier != "" {
		object.Labels = map[string]string{"tier": tier}
	}
	return object
}

func roleBinding(organization, name string, spec v1alpha1.RoleBindingSpec) *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{ObjectMeta: metaOf(organization, name), Spec: spec}
}

func role(organization, name string, spec v1alpha1.RoleSpec) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: metaOf(organization, name), Spec: spec}
}

func namespace(name, organization, project string) *corev1.Namespace {
	labels := map[string]string{v1alpha1.LabelOrganization: organization}
	if project != "" {
		labels[v1alpha1.LabelProject] = project
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// umbra is an organization with one below it.
func umbra() []client.Object {
	rules := v1alpha1.RoleSpec{}
	rules.OrganizationRules = append(rules.OrganizationRules, rosters("memberships,rolebindings", "create,update,patch,delete"),
		rosters("roles", "assign", "viewer"))
	return []client.Object{
		namespace("org-umbra", "umbra", ""), namespace("org-lab", "lab", ""), namespace("roster-system", "", ""),
		namespace("umbra-shop", "umbra", "shop"), namespace("umbra-till", "umbra", "till"), namespace("lab-shop", "lab", "shop"),
		namespace("lab-till", "lab", "till"),
		organization("umbra", "", owner), organization("lab", "umbra", subOwner),
		role("umbra", clerk, rules),
		role("umbra", keeper, v1alpha1.RoleSpec{Includes: []v1alpha1.RoleName{"developer"}}),
		role("umbra", "helper", v1alpha1.RoleSpec{Includes: []v1alpha1.RoleName{"viewer"}}),
		membership("umbra", administrator, "administrator"), membership("lab", administrator, "viewer"),
		membership("umbra", maintainer, "maintainer"), membership("umbra", second, "maintainer"),
		membership("umbra", captain, "member"), membership("umbra", clerk, clerk),
		membership("umbra", plain, "member"), membership("umbra", other, "developer"), membership("lab", other, "viewer"),
		project("umbra", "shop", "gold"), project("umbra", "till", ""), project("lab", "shop", ""),
		team("umbra", "makers", v1alpha1.TeamSpec{
			Role: "developer", Projects: []v1alpha1.ObjectName{"shop"}, Maintainers: []v1alpha1.Username{captain},
		}),
		team("umbra", "kids", v1alpha1.TeamSpec{}),
		roleBinding("umbra", "helpers", v1alpha1.RoleBindingSpec{
			Role: "helper", Projects: []v1alpha1.ObjectName{"shop"},
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "kids"}},
		}),
	}
}
