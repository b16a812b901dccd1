package restart_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

// holders are the subjects by NAMESPACE CLUSTERROLE, sorted. A subject that is bound twice stands there twice.
type holders map[string][]string

func (h holders) add(namespace, clusterRole string, subjects []rbacv1.Subject) {
	key := namespace + " " + clusterRole
	for _, subject := range subjects {
		h[key] = append(h[key], fmt.Sprintf("%s %s/%s", subject.Kind, subject.Namespace, subject.Name))
	}
	slices.Sort(h[key])
}

// expectEngine waits until the cluster's RBAC is what the engine says of all objects, no more and no less.
func (i *installation) expectEngine(ctx context.Context) {
	GinkgoHelper()
	Eventually(i.differences).WithContext(ctx).WithPolling(time.Second).Should(BeEmpty())
}

// differences are a few of the places where somebody holds what the engine doesn't say, or doesn't hold what it says.
func (i *installation) differences(ctx context.Context) ([]string, error) {
	held, err := i.held(ctx)
	if err != nil {
		return nil, err
	}
	granted, err := i.granted(ctx)
	if err != nil {
		return nil, err
	}
	var differences []string
	for place := range granted {
		if !slices.Equal(held[place], granted[place]) {
			differences = append(differences,
				fmt.Sprintf("%s: %d hold it, %d should", place, len(held[place]), len(granted[place])))
		}
	}
	for place, subjects := range held {
		if granted[place] == nil {
			differences = append(differences, fmt.Sprintf("%s: %d hold it, nobody should", place, len(subjects)))
		}
	}
	slices.Sort(differences)
	return differences[:min(5, len(differences))], nil
}

// held is what is in the bindings that are Roster's.
func (i *installation) held(ctx context.Context) (holders, error) {
	var bindings rbacv1.RoleBindingList
	var clusterBindings rbacv1.ClusterRoleBindingList
	for _, list := range []client.ObjectList{&bindings, &clusterBindings} {
		if err := i.List(ctx, list); err != nil {
			return nil, err
		}
	}
	held := holders{}
	for n := range bindings.Items {
		if binding := &bindings.Items[n]; rbac.IsManaged(binding) {
			held.add(binding.Namespace, binding.RoleRef.Name, binding.Subjects)
		}
	}
	for _, binding := range clusterBindings.Items {
		if strings.HasPrefix(binding.Name, "roster:org:") {
			held.add("", binding.RoleRef.Name, binding.Subjects)
		}
	}
	return held, nil
}

// granted is what the engine says now.
func (i *installation) granted(ctx context.Context) (holders, error) {
	world, err := i.world(ctx)
	if err != nil {
		return nil, err
	}
	binds, err := i.binds(ctx)
	if err != nil {
		return nil, err
	}
	granted := holders{}
	for _, organization := range world.Organizations {
		if organization.IsPersonal() {
			continue
		}
		result := access.Evaluate(world, organization.Name, time.Now())
		for namespace, byRole := range rbac.DesiredBindings(result, binds) {
			for clusterRole, holders := range byRole {
				granted.add(namespace, clusterRole, holders.Subjects)
			}
		}
		if _, binding := rbac.OrganizationAccess(result); binding != nil {
			granted.add("", binding.RoleRef.Name, binding.Subjects)
		}
	}
	return granted, nil
}

// world is everything that the API server has.
func (i *installation) world(ctx context.Context) (access.World, error) {
	var organizations v1alpha1.OrganizationList
	var memberships v1alpha1.MembershipList
	var teams v1alpha1.TeamList
	var projects v1alpha1.ProjectList
	var roles v1alpha1.RoleList
	var bindings v1alpha1.RoleBindingList
	var tokens v1alpha1.APITokenList
	var users v1alpha1.UserList
	var namespaces corev1.NamespaceList
	for _, list := range []client.ObjectList{
		&organizations, &memberships, &teams, &projects, &roles, &bindings, &tokens, &users, &namespaces,
	} {
		if err := i.List(ctx, list); err != nil {
			return access.World{}, err
		}
	}
	return access.World{
		Organizations: pointers(organizations.Items), Memberships: pointers(memberships.Items),
		Teams: pointers(teams.Items), Projects: pointers(projects.Items), Roles: pointers(roles.Items),
		RoleBindings: pointers(bindings.Items), APITokens: pointers(tokens.Items),
		Users: pointers(users.Items), Namespaces: pointers(namespaces.Items),
	}, nil
}

// binds knows the ClusterRoles that have rules.
func (i *installation) binds(ctx context.Context) (func(clusterRole string) bool, error) {
	var list rbacv1.ClusterRoleList
	if err := i.List(ctx, &list); err != nil {
		return nil, err
	}
	rules := map[string]int{}
	for _, clusterRole := range list.Items {
		rules[clusterRole.Name] = len(clusterRole.Rules)
	}
	return func(clusterRole string) bool { return rules[clusterRole] > 0 }, nil
}

func pointers[T any](items []T) []*T {
	var result []*T
	for n := range items {
		result = append(result, &items[n])
	}
	return result
}
