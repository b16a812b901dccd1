package joinrequest

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/upkeep"
)

// accessName is that of the ClusterRole and of the RBAC RoleBinding by which who asks sees and withdraws the one request.
func accessName(request *v1alpha1.JoinRequest) string {
	organization, _ := v1alpha1.OrganizationOf(request.Namespace)
	return rbac.JoinRequester(organization, request.Name)
}

// showToRequester lets who made the request see it and delete it, and nothing else of the organization that is asked.
func (r *Reconciler) showToRequester(ctx context.Context, organization string, request *v1alpha1.JoinRequest) error {
	if request.Spec.RequestedBy == "" {
		return nil
	}
	name := accessName(request)
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
		Subjects:   []rbacv1.Subject{access.SubjectOf(request.Spec.RequestedBy)},
	}
	// A cache could still hold those of an earlier request of the same name.
	keeper := upkeep.Keeper{Reader: r.Live, Writer: r.Client, History: r.History}
	source := upkeep.Source{Object: request, InForce: request.Status.Phase != ""}
	err := keeper.ClusterRole(ctx, role, source)
	if err == nil {
		err = keeper.RoleBinding(ctx, binding, source)
	}
	if err != nil {
		return fmt.Errorf("let %s see join request %s of organization %s: %w", request.Spec.RequestedBy, request.Name,
			organization, err)
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
