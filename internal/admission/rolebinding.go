package admission

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineRoleBinding asks for the right to give the role.
func (r *review) examineRoleBinding(before, after *v1alpha1.RoleBinding) error {
	r.demandHere(authority.OfRoleBinding(before, after))
	if after == nil {
		return nil
	}
	if before == nil {
		before = &v1alpha1.RoleBinding{}
	}
	return r.checkRoleBinding(before, after)
}

func (r *review) checkRoleBinding(before, after *v1alpha1.RoleBinding) error {
	for at, subject := range after.Spec.Subjects {
		if len(authority.Added(before.Spec.Subjects, []v1alpha1.Subject{subject})) == 0 {
			continue
		}
		if err := r.checkSubject(fmt.Sprintf("spec.subjects[%d]", at), subject); err != nil {
			return err
		}
	}
	if err := r.checkAccountsRole(after); err != nil {
		return err
	}
	if after.Spec.Role != before.Spec.Role {
		if err := r.missingRoles(after.Spec.Role); err != nil {
			return err
		}
	}
	return r.missingProjects(authority.Added(before.Spec.Projects, after.Spec.Projects))
}

func (r *review) checkSubject(field string, subject v1alpha1.Subject) error {
	switch subject.Kind {
	case v1alpha1.SubjectGroup:
		return r.refuseGroup(field+".name", subject.Name)
	case v1alpha1.SubjectTeam:
		found, err := r.exists(subject.Name, &v1alpha1.Team{})
		if err == nil && !found {
			r.dangling = append(r.dangling, fmt.Sprintf("team %q", subject.Name))
		}
		return err
	case v1alpha1.SubjectServiceAccount:
		return r.checkServiceAccount(field, subject)
	}
	return nil
}

// checkServiceAccount refuses one that lives with somebody else.
func (r *review) checkServiceAccount(field string, subject v1alpha1.Subject) error {
	namespace := &corev1.Namespace{}
	found, err := r.found(client.ObjectKey{Name: string(subject.Namespace)}, namespace)
	if err != nil {
		return err
	}
	if !found {
		r.dangling = append(r.dangling, fmt.Sprintf("namespace %q", subject.Namespace))
		return nil
	}
	labels := namespace.Labels
	if labels[v1alpha1.LabelOrganization] != r.organization || labels[v1alpha1.LabelProject] == "" {
		return invalid(ruleServiceAccountElsewhere,
			"%s.namespace: %q isn't a namespace of one of organization %s's projects, and a ServiceAccount holds roles "+
				"only within its own project; make one in a project of %[3]s", field, subject.Namespace, r.organization)
	}
	return nil
}

// checkAccountsRole: whoever may start a Pod in a project can be any ServiceAccount there.
func (r *review) checkAccountsRole(binding *v1alpha1.RoleBinding) error {
	account := slices.IndexFunc(binding.Spec.Subjects, func(subject v1alpha1.Subject) bool {
		return subject.Kind == v1alpha1.SubjectServiceAccount
	})
	if account < 0 {
		return nil
	}
	roles, err := snapshot.LoadRoles(r.ctx, r.worldAfter, r.organization)
	if err != nil {
		return err
	}
	role, developer := roles.Find(r.organization, binding.Spec.Role), roles.Find("", v1alpha1.RoleDeveloper)
	if role == nil || developer == nil {
		return nil
	}
	most := r.rulesOf(rbac.ProjectClusterRole(access.ReferenceTo(developer)))
	beyond := notCovered(most, r.rulesOf(rbac.ProjectClusterRole(access.ReferenceTo(role))))
	if len(beyond) == 0 {
		return nil
	}
	return invalid(ruleServiceAccountTooStrong,
		"spec.role: ServiceAccount %q can't hold role %q: whoever may start a Pod could use it, so it holds at most what "+
			"developer may do; choose a weaker role", binding.Spec.Subjects[account].Name, binding.Spec.Role)
}
