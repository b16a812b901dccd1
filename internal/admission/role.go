package admission

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/text"
)

// examineRole asks two things: whether the author may do all that the Role newly allows, and whether they may give it to
// those who hold it already, or come to hold it by its name.
func (r *review) examineRole(before, after *v1alpha1.Role) error {
	if after != nil && before == nil {
		if err := r.refuseTakenName(after); err != nil {
			return err
		}
	}
	if err := r.readCurrent(); err != nil {
		return err
	}
	if after != nil {
		if err := r.examineRules(before, after); err != nil {
			return err
		}
	}
	return r.demandWidened(before, after)
}

// refuseTakenName: a name that the catalogue or an organization above uses means that Role.
func (r *review) refuseTakenName(role *v1alpha1.Role) error {
	roles, err := snapshot.LoadRoles(r.ctx, r.worldBefore, r.organization)
	if err != nil {
		return err
	}
	holder := roles.Holder(r.organization, v1alpha1.RoleName(role.Name))
	reserved := slices.Contains([]string{v1alpha1.RoleOwner, v1alpha1.RoleNone, v1alpha1.RoleTeamMaintainer}, role.Name)
	switch {
	case holder == nil && !reserved:
		return nil
	case holder == nil || holder.Namespace == v1alpha1.SystemNamespace:
		return invalid(ruleRoleNameTaken,
			"metadata.name: %q is used by the catalogue and means that Role here too; choose another name", role.Name)
	}
	return invalid(ruleRoleNameTaken,
		"metadata.name: %q is used by organization %s and means that Role here too; choose another name", role.Name,
		access.ReferenceTo(holder).Organization)
}

// examineRules: what a Role newly allows its author must hold, or escalate.
func (r *review) examineRules(before, after *v1alpha1.Role) error {
	now := rbac.Compile(after, snapshot.NewSources(r.ctx, r.worldAfter))
	if now.Cycle {
		return invalid(ruleIncludesCycle,
			"spec.includes: %q leads back to this Role by way of %s; take one of the includes out", after.Name,
			joined(after.Spec.Includes))
	}
	var had rbac.Compiled
	if before != nil {
		had = rbac.Compile(before, snapshot.NewSources(r.ctx, r.worldBefore))
	}
	for _, name := range authority.Added(had.MissingRoles, now.MissingRoles) {
		r.dangling = append(r.dangling, fmt.Sprintf("role %q", name))
	}
	for _, name := range authority.Added(had.MissingClusterRoles, now.MissingClusterRoles) {
		r.dangling = append(r.dangling, fmt.Sprintf("ClusterRole %q", name))
	}
	return r.askForRules(had, now)
}

func joined[T ~string](names []T) string {
	return strings.Join(text.Strings(names), ", ")
}

func (r *review) askForRules(had, now rbac.Compiled) error {
	project, organization := notCovered(had.Project, now.Project), notCovered(had.Organization, now.Organization)
	if len(project)+len(organization) == 0 {
		return nil
	}
	namespace := v1alpha1.OrganizationNamespace(r.organization)
	if escalates, err := r.may("escalate", "roles", namespace, r.any().GetName()); err != nil || escalates {
		return err
	}
	held, err := r.rulesOfAuthor()
	if err != nil {
		return err
	}
	project, organization = notCovered(held.Project, project), notCovered(held.Organization, organization)
	beyond := slices.Concat(project, organization)
	if len(beyond) == 0 {
		return nil
	}
	return forbidden(ruleBeyondOwnRights,
		"this Role would newly allow what you may not do yourself in organization %s: %s; take it out, or ask who may",
		r.organization, describeRules(beyond))
}

// notCovered are the rules of which something isn't covered.
func notCovered(held, asked []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	_, missing := validation.Covers(held, asked)
	return missing
}

// describedRules is how many rules a message shows.
const describedRules = 5

func describeRules(rules []rbacv1.PolicyRule) string {
	var texts []string
	for _, rule := range rules {
		text := fmt.Sprintf("%s on %s", strings.Join(rule.Verbs, ", "), strings.Join(rule.Resources, ", "))
		if group := strings.Join(rule.APIGroups, ", "); group != "" {
			text += " of " + group
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) > describedRules {
		texts = append(texts[:describedRules], fmt.Sprintf("and %d more", len(texts)-describedRules))
	}
	return strings.Join(texts, "; ")
}

// rulesOfAuthor are what the author may do in the whole organization, by Roster's roles, and in the whole cluster.
func (r *review) rulesOfAuthor() (rbac.Compiled, error) {
	var held rbac.Compiled
	world, err := snapshot.LoadUsers(r.ctx, r.worldBefore, r.organization, sets.New(r.author.Username))
	if err != nil {
		return held, err
	}
	for _, grant := range access.Evaluate(world, r.organization, r.now).Grants {
		if !grant.Scope.Organization || !slices.ContainsFunc(grant.Subjects, r.isAuthor) {
			continue
		}
		held.Project = append(held.Project, r.rulesOf(rbac.ProjectClusterRole(grant.Role))...)
		held.Organization = append(held.Organization, r.rulesOf(rbac.OrganizationClusterRole(grant.Role))...)
	}
	var bindings rbacv1.ClusterRoleBindingList
	if err := r.Cached.List(r.ctx, &bindings, snapshot.Shared); err != nil {
		return held, err
	}
	for i := range bindings.Items {
		if slices.ContainsFunc(bindings.Items[i].Subjects, r.isAuthor) {
			rules := r.rulesOf(bindings.Items[i].RoleRef.Name)
			held.Project, held.Organization = append(held.Project, rules...), append(held.Organization, rules...)
		}
	}
	return held, r.addVirtualPermissions(&held)
}

// addVirtualPermissions: what a permission means is for a product to say, and which there are for the owners to decide.
func (r *review) addVirtualPermissions(held *rbac.Compiled) error {
	all, err := r.mayAssign("", r.organization)
	if all {
		every := rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.PermissionsGroup}, Resources: []string{rbacv1.ResourceAll}, Verbs: []string{rbacv1.VerbAll},
		}
		held.Project, held.Organization = append(held.Project, every), append(held.Organization, every)
	}
	return err
}

func (r *review) isAuthor(subject rbacv1.Subject) bool {
	switch subject.Kind {
	case rbacv1.UserKind:
		return subject.Name == r.author.Username
	case rbacv1.GroupKind:
		return slices.Contains(r.author.Groups, subject.Name)
	}
	return serviceaccount.MatchesUsername(subject.Namespace, subject.Name, r.author.Username)
}

// rulesOf are the rules of a ClusterRole; none where it isn't there.
func (r *review) rulesOf(clusterRole string) []rbacv1.PolicyRule {
	found := &rbacv1.ClusterRole{}
	if err := r.Cached.Get(r.ctx, client.ObjectKey{Name: clusterRole}, found, snapshot.Shared); err != nil {
		return nil
	}
	return found.Rules
}
