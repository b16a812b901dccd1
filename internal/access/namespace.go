package access

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// NamespaceState says whether a namespace is there for the organization or project that asks for it.
type NamespaceState int

const (
	// NamespaceInOrder says that it is there and carries the labels.
	NamespaceInOrder NamespaceState = iota
	// NamespaceMissing says that it isn't there yet.
	NamespaceMissing
	// NamespaceTaken says that it is there without the labels, so that it is somebody else's.
	NamespaceTaken
	// NamespaceTerminating says that it is being deleted.
	NamespaceTerminating
	// NamespaceForbidden says that no project may have a namespace of that name.
	NamespaceForbidden
)

// CheckOrganizationNamespace says whether a namespace, nil where there is none, may serve as an organization's own.
func CheckOrganizationNamespace(namespace *corev1.Namespace, organization string) NamespaceState {
	return checkLabels(namespace, organization, "")
}

// CheckProjectNamespace says whether a namespace, nil where there is none of that name, may serve a project.
func CheckProjectNamespace(name string, namespace *corev1.Namespace, organization, project string) NamespaceState {
	if forbiddenForProjects(name) {
		return NamespaceForbidden
	}
	return checkLabels(namespace, organization, project)
}

func checkLabels(namespace *corev1.Namespace, organization, project string) NamespaceState {
	switch {
	case namespace == nil:
		return NamespaceMissing
	case namespace.Labels[v1alpha1.LabelOrganization] != organization,
		namespace.Labels[v1alpha1.LabelProject] != project:
		return NamespaceTaken
	case namespace.DeletionTimestamp != nil:
		return NamespaceTerminating
	}
	return NamespaceInOrder
}

// forbiddenForProjects names the namespaces that are the cluster's, Roster's, or an organization's own, which includes
// those of organizations that don't exist yet.
func forbiddenForProjects(name string) bool {
	return name == "default" || name == v1alpha1.SystemNamespace || len(name) > maxNamespaceName ||
		strings.HasPrefix(name, "kube-") || strings.HasPrefix(name, v1alpha1.OrganizationNamespacePrefix)
}

// maxNamespaceName is the most characters that the name of a namespace has.
const maxNamespaceName = 63
