package commands

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// statusError is an error that decides the plugin's exit status.
type statusError struct {
	error
	status int
}

// Unwrap gives the error itself.
func (e statusError) Unwrap() error { return e.error }

// explain adds to an answer of the API server what to do about it. The resource was asked for in a namespace, or in all
// where that is empty. An answer that isn't one of the API itself (unexpected) comes from who doesn't know or reach it.
func explain(err error, resource schema.GroupResource, namespace string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: %s", err, missingRight(resource, namespace))
	case apierrors.IsNotFound(err) && apierrors.IsUnexpectedServerError(err):
		return fmt.Errorf("%s isn't served here (%w): %s", resource, err, installing(resource.Group))
	case apierrors.IsServiceUnavailable(err) && apierrors.IsUnexpectedServerError(err):
		return fmt.Errorf("%s can't be reached (%w): see what the API server says with: kubectl get apiservice %s; "+
			"Roster's manager serves it", resource, err, apiService(resource.Group))
	}
	return err
}

// explainWrite is explain for what changes an object, or looks for the one to change. A policy, the webhook and Roster's own
// API say themselves what to do instead; RBAC knows only what is missing.
func explainWrite(err error, resource schema.GroupResource, namespace string) error {
	organization, found := v1alpha1.OrganizationOf(namespace)
	byRBAC := fmt.Sprintf(" resource %q in API group ", resource.Resource)
	switch {
	case apierrors.IsForbidden(err) && found && strings.Contains(err.Error(), byRBAC):
		return fmt.Errorf("%w: ask an owner or administrator of organization %s (your own organizations: kubectl roster profile)",
			err, organization)
	case apierrors.IsForbidden(err):
		return err
	case apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err) && found:
		return fmt.Errorf("%w: %s", err, missingObject(err, resource, namespace, organization))
	}
	return explain(err, resource, namespace)
}

// missingObject says where to look for the name of what isn't there.
func missingObject(err error, resource schema.GroupResource, namespace, organization string) string {
	var answer apierrors.APIStatus
	if errors.As(err, &answer) && answer.Status().Details != nil && answer.Status().Details.Kind == "namespaces" {
		return fmt.Sprintf("there is no organization %q; correct the name (your own organizations: kubectl roster profile)",
			organization)
	}
	return fmt.Sprintf("correct the name; those that are there: kubectl get %s -n %s", resource, namespace)
}

func installing(group string) string {
	if group == v1alpha1.GroupVersion.Group {
		return "install Roster's CustomResourceDefinitions; what is there says: kubectl api-resources --api-group " + group
	}
	return "install Roster's view API (config/apiserver); what is there says: kubectl get apiservice " + apiService(group)
}

func apiService(group string) string { return viewv1alpha1.GroupVersion.Version + "." + group }

// missingRight says which right it takes, and who gives it.
func missingRight(resource schema.GroupResource, namespace string) string {
	organization, found := v1alpha1.OrganizationOf(namespace)
	switch {
	case namespace == "":
		return fmt.Sprintf("asking about all organizations at once takes the right to list %s in every namespace, which a "+
			"cluster's administrator gives; name one organization with --organization instead", resource)
	case !found:
		return fmt.Sprintf("it takes the right to get %s", resource)
	}
	role := v1alpha1.RoleMember
	if resource == reports {
		role = v1alpha1.RoleBilling
	}
	return fmt.Sprintf("it takes the right to list %s in %s, which the role %s gives; an owner or administrator of "+
		"%s gives that by a Membership (your own organizations: kubectl roster profile)", resource, namespace, role, organization)
}
