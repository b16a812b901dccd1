package admission

import (
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineProject asks for the right to give what newly reaches the project: by its name, or by labels that a selector
// matches.
func (r *review) examineProject(before, after *v1alpha1.Project) error {
	if after == nil {
		return nil
	}
	var had []string
	if before != nil {
		had = before.NamespaceNames()
	}
	for _, name := range authority.Added(had, after.NamespaceNames()) {
		if err := r.checkProjectNamespace(name, after); err != nil {
			return err
		}
	}
	if err := r.readCurrent(); err != nil {
		return err
	}
	var teams v1alpha1.TeamList
	var bindings v1alpha1.RoleBindingList
	for _, list := range []client.ObjectList{&teams, &bindings} {
		if err := r.worldAfter.List(r.ctx, list, client.InNamespace(after.Namespace), snapshot.Shared); err != nil {
			return err
		}
	}
	r.demandHere(authority.OfProject(before, after, snapshot.Pointers(teams.Items), snapshot.Pointers(bindings.Items), r.now))
	return nil
}

func (r *review) checkProjectNamespace(name string, project *v1alpha1.Project) error {
	namespace := &corev1.Namespace{}
	err := r.Cached.Get(r.ctx, client.ObjectKey{Name: name}, namespace, snapshot.Shared)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if apierrors.IsNotFound(err) {
		namespace = nil
	}
	switch access.CheckProjectNamespace(name, namespace, r.organization, project.Name) {
	case access.NamespaceForbidden:
		return invalid(ruleNamespaceForbidden,
			"spec.namespaces: %q can't be a project's namespace: it is the cluster's or an organization's own, or longer "+
				"than 63 characters; name another", name)
	case access.NamespaceTaken:
		return invalid(ruleNamespaceTaken,
			"spec.namespaces: namespace %q is there already and isn't this project's; name another, or let who may edit "+
				"namespaces label it %s=%s and %s=%s first", name, v1alpha1.LabelOrganization, r.organization,
			v1alpha1.LabelProject, project.Name)
	}
	if namespace == nil {
		if err := r.askForName(name); err != nil {
			return err
		}
	}
	return r.refuseSharedNamespace(name, project)
}

// askForName: a namespace that Roster makes is the project's. One that doesn't bear the organization's name may be meant
// for somebody else, who would find it in the project's hands.
func (r *review) askForName(name string) error {
	if strings.HasPrefix(name, r.organization+"-") {
		return nil
	}
	may, err := r.answer(authorizationv1.ResourceAttributes{Verb: "create", Resource: "namespaces"})()
	if err != nil || may {
		return err
	}
	return forbidden(ruleNamespaceForeignName,
		"spec.namespaces: namespace %q isn't there, and its name doesn't begin with %q: only who may create namespaces in "+
			"the whole cluster chooses such a name; choose another, or ask them to make and label it", name, r.organization+"-")
}

// refuseSharedNamespace refuses a namespace that another project asks for, although it isn't there yet.
func (r *review) refuseSharedNamespace(name string, project *v1alpha1.Project) error {
	var projects v1alpha1.ProjectList
	err := r.Cached.List(r.ctx, &projects, client.MatchingFields{snapshot.ProjectsByNamespace: name}, snapshot.Shared)
	if err != nil {
		return err
	}
	other := slices.IndexFunc(projects.Items, func(other v1alpha1.Project) bool {
		return client.ObjectKeyFromObject(&other) != client.ObjectKeyFromObject(project) && other.DeletionTimestamp == nil
	})
	if other < 0 {
		return nil
	}
	// Which organization's it is isn't this author's to know.
	return invalid(ruleNamespaceShared, "spec.namespaces: namespace %q is another project's; name another", name)
}
