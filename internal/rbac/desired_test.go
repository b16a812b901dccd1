package rbac_test

import (
	"fmt"
	"reflect"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

func always(string) bool { return true }

var _ = Describe("DesiredBindings", func() {
	viewer, editor := access.RoleReference{Name: "viewer"}, access.RoleReference{Name: "editor"}
	shop := &access.Scope{Namespaces: []string{"acme-shop"}}
	both := &access.Scope{Organization: true, Namespaces: []string{"acme-mill", "acme-shop"}}

	It("gathers who holds a role in a namespace, sorted and once each", func() {
		desired := rbac.DesiredBindings(access.Result{Namespace: "org-acme", Grants: []access.Grant{
			{Role: viewer, Scope: shop, Subjects: []rbacv1.Subject{user("cy"), user("bo")}},
			{Role: viewer, Scope: both, Subjects: []rbacv1.Subject{user("bo"), group("oidc:all")}},
			{Role: viewer, Scope: both, Subjects: []rbacv1.Subject{user("amy"), account("acme-shop", "ci")}},
			{Role: editor, Scope: shop, Subjects: []rbacv1.Subject{user("bo")}},
		}}, always)
		everywhere := []rbacv1.Subject{group("oidc:all"), account("acme-shop", "ci"), user("amy"), user("bo")}
		Expect(desired).To(Equal(rbac.Desired{
			"org-acme":  {"roster:catalogue:viewer:organization": {Role: viewer, Subjects: everywhere}},
			"acme-mill": {"roster:catalogue:viewer:project": {Role: viewer, Subjects: everywhere}},
			"acme-shop": {
				"roster:catalogue:viewer:project": {Role: viewer, Subjects: append(everywhere, user("cy"))},
				"roster:catalogue:editor:project": {Role: editor, Subjects: []rbacv1.Subject{user("bo")}},
			},
		}))
	})

	It("leaves out a ClusterRole that doesn't bind", func() {
		desired := rbac.DesiredBindings(access.Result{Namespace: "org-acme", Grants: []access.Grant{
			{Role: viewer, Scope: both, Subjects: []rbacv1.Subject{user("bo")}},
		}}, func(clusterRole string) bool { return clusterRole == "roster:catalogue:viewer:organization" })
		Expect(desired).To(HaveLen(1))
		Expect(desired).To(HaveKey("org-acme"))
	})

	It("is empty where nothing is granted", func() {
		Expect(rbac.DesiredBindings(access.Result{}, always)).To(BeEmpty())
	})

	It("says of every namespace exactly what the grants say one by one, and changes none of them", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			result := drawResult(t)
			before := fmt.Sprintf("%#v", result.Grants)
			found := holdings{}
			for namespace, roles := range rbac.DesiredBindings(result, always) {
				for clusterRole, holders := range roles {
					for _, subject := range holders.Subjects {
						found.add(t, holding{namespace, clusterRole, subject})
					}
				}
			}
			if expected := expandGrants(result); !reflect.DeepEqual(expected, found) {
				t.Fatalf("expected %v, found %v", expected, found)
			}
			if after := fmt.Sprintf("%#v", result.Grants); before != after {
				t.Fatalf("the grants were\n%s\nand are now\n%s", before, after)
			}
		})
	})
})

// holding is one subject with one ClusterRole in one namespace.
type holding struct {
	namespace, clusterRole string
	subject                rbacv1.Subject
}

type holdings map[holding]bool

// add fails where the same is said twice.
func (h holdings) add(t *rapid.T, one holding) {
	if h[one] {
		t.Fatalf("%v is said twice", one)
	}
	h[one] = true
}

func expandGrants(result access.Result) holdings {
	expanded := holdings{}
	for _, grant := range result.Grants {
		for _, subject := range grant.Subjects {
			for _, namespace := range grant.Scope.Namespaces {
				expanded[holding{namespace, rbac.ProjectClusterRole(grant.Role), subject}] = true
			}
			if grant.Scope.Organization {
				expanded[holding{result.Namespace, rbac.OrganizationClusterRole(grant.Role), subject}] = true
			}
		}
	}
	return expanded
}

func drawResult(t *rapid.T) access.Result {
	roles := []access.RoleReference{{Name: "viewer"}, {Name: "editor"}, {Organization: "acme", Name: "viewer"}}
	subjects := []rbacv1.Subject{
		user("bo"), user("cy"), user("di"), group("bo"), account("one", "ci"), account("two", "ci"),
	}
	var scopes []*access.Scope
	for range 3 {
		scopes = append(scopes, &access.Scope{
			Organization: rapid.Bool().Draw(t, "organization"),
			Namespaces: rapid.SliceOfNDistinct(
				rapid.SampledFrom([]string{"one", "two", "three"}), 0, 3, rapid.ID).Draw(t, "namespaces"),
		})
	}
	result := access.Result{Namespace: "org-acme"}
	for range rapid.IntRange(0, 8).Draw(t, "grants") {
		result.Grants = append(result.Grants, access.Grant{
			Role:     rapid.SampledFrom(roles).Draw(t, "role"),
			Scope:    rapid.SampledFrom(scopes).Draw(t, "scope"),
			Subjects: rapid.SliceOfN(rapid.SampledFrom(subjects), 1, 4).Draw(t, "subjects"),
		})
	}
	return result
}
