package joinrequest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// accessName is that of the ClusterRole and of the RBAC RoleBinding by which who asks sees and withdraws the one request.
func accessName(request *v1alpha1.JoinRequest) string {
	organization, _ := v1alpha1.OrganizationOf(request.Namespace)
	return "roster:join:" + organization + ":" + request.Name
}

// showToRequester lets who made the request see it and delete it, and nothing else of the organization that is asked.
func (r *Reconciler) showToRequester(ctx context.Context, organization string, request *v1alpha1.JoinRequest) error {
	if request.Spec.RequestedBy == "" {
		return nil
	}
	name, subject := accessName(request), subjectOf(request.Spec.RequestedBy)
	found := &rbacv1.RoleBinding{}
	// A cache could still hold that of an earlier request of the same name.
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: request.Namespace, Name: name}, found)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("get RBAC RoleBinding %s: %w", name, err)
	case err == nil && slices.Equal(found.Subjects, []rbacv1.Subject{subject}):
		return nil
	case err == nil:
		if err := r.hideFromRequester(ctx, request); err != nil {
			return err
		}
	}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"joinrequests"},
			ResourceNames: []string{request.Name}, Verbs: []string{"get", "list", "watch", "delete"},
		}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{subject},
	}
	for _, object := range []client.Object{role, binding} {
		if err := r.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("let %s see join request %s of organization %s: %w", request.Spec.RequestedBy, request.Name,
				organization, err)
		}
	}
	return nil
}

// hideFromRequester takes it back: another request could come to the same name.
func (r *Reconciler) hideFromRequester(ctx context.Context, request *v1alpha1.JoinRequest) error {
	name := accessName(request)
	for _, object := range []client.Object{
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: name}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}},
	} {
		if err := r.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove %T %s: %w", object, name, err)
		}
	}
	return nil
}

// subjectOf names a user as RBAC does.
func subjectOf(username string) rbacv1.Subject {
	const prefix = "system:serviceaccount:"
	if account, isAccount := strings.CutPrefix(username, prefix); isAccount {
		if namespace, name, complete := strings.Cut(account, ":"); complete {
			return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
		}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: username}
}
