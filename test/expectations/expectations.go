// Package expectations says in one line each what the tests expect of the cluster, so that a spec reads as a story and a
// failure points at its caller.
package expectations

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/status"
)

// Expectations ask one cluster.
type Expectations struct {
	client.Client
}

// New asks with an administrator's client that reads from the API server itself.
func New(client client.Client) *Expectations {
	return &Expectations{Client: client}
}

// Create makes objects in their order.
func (e *Expectations) Create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(e.Client.Create(ctx, object)).To(Succeed(), "%T %s", object, client.ObjectKeyFromObject(object))
	}
}

// Change reads an object, changes it and writes it back, again where somebody else was faster.
func Change[T client.Object](ctx context.Context, e *Expectations, object T, change func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := e.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return StopTrying("the object isn't there").Wrap(err)
		}
		change(object)
		err := e.Update(ctx, object)
		if err != nil && !apierrors.IsConflict(err) {
			return StopTrying("the change is refused").Wrap(err)
		}
		return err
	}).WithContext(ctx).Should(Succeed())
}

// Delete asks for objects to be deleted, and confirms it where that is asked for.
func (e *Expectations) Delete(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		e.Confirm(ctx, object)
		Expect(client.IgnoreNotFound(e.Client.Delete(ctx, object))).To(Succeed())
	}
}

// Confirm confirms that an Organization, a Project, a namespace or a Role of the catalogue may be deleted. Nothing else needs it.
func (e *Expectations) Confirm(ctx context.Context, object client.Object) {
	GinkgoHelper()
	switch object.(type) {
	case *v1alpha1.Organization, *v1alpha1.Project, *corev1.Namespace:
	default:
		if object.GetNamespace() != v1alpha1.SystemNamespace {
			return
		}
	}
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.AnnotationConfirmDeletion, object.GetName())
	err := e.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)))
	Expect(client.IgnoreNotFound(err)).To(Succeed())
}

// namespacePatience is how long an Organization may take to go, since Kubernetes deletes its namespace in passes over all
// kinds, eight seconds and more apart, until nothing is left in it.
const namespacePatience = 2 * time.Minute

// Gone waits until objects are no more.
func (e *Expectations) Gone(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		gone := Eventually(func() error {
			return e.Get(ctx, client.ObjectKeyFromObject(object), object)
		}).WithContext(ctx)
		if _, isOrganization := object.(*v1alpha1.Organization); isOrganization {
			gone = gone.WithTimeout(namespacePatience)
		}
		gone.Should(Satisfy(apierrors.IsNotFound), "%T %s", object, client.ObjectKeyFromObject(object))
	}
}

// Ready waits until objects say that what they ask for is in force, as kubectl wait does.
func (e *Expectations) Ready(ctx context.Context, objects ...status.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Eventually(func() string { return e.readiness(ctx, object) }).WithContext(ctx).
			Should(Equal("True InForce"), "%T %s", object, client.ObjectKeyFromObject(object))
	}
}

// NotReady waits until an object says that what it asks for isn't in force, and why.
func (e *Expectations) NotReady(ctx context.Context, object status.Object, reason string) {
	GinkgoHelper()
	Eventually(func() string { return e.readiness(ctx, object) }).WithContext(ctx).
		Should(Equal("False "+reason), "%T %s", object, client.ObjectKeyFromObject(object))
}

// readiness is the value and reason of Ready for the present generation, or says what is missing.
func (e *Expectations) readiness(ctx context.Context, object status.Object) string {
	if err := e.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err.Error()
	}
	condition := meta.FindStatusCondition(*object.GetConditions(), v1alpha1.ConditionReady)
	if condition == nil || condition.ObservedGeneration != object.GetGeneration() {
		return "nothing said of this generation yet"
	}
	return fmt.Sprintf("%s %s", condition.Status, condition.Reason)
}

// Access is what is asked for: VERB RESOURCE[.GROUP] in a namespace.
type Access struct {
	User      string
	Groups    []string
	Does      string
	Namespace string
}

// May says whether the API server would let somebody do something now.
func (e *Expectations) May(ctx context.Context, access Access) (bool, error) {
	verb, resource, _ := strings.Cut(access.Does, " ")
	resource, group, _ := strings.Cut(resource, ".")
	resource, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: access.User, Groups: append(access.Groups, "system:authenticated"),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: access.Namespace,
		},
	}}
	err := e.Client.Create(ctx, review)
	return review.Status.Allowed, err
}

// Allowed waits until a user may do something, such as "create deployments.apps", in all of some namespaces.
func (e *Expectations) Allowed(ctx context.Context, user, does string, namespaces ...string) {
	GinkgoHelper()
	e.eventually(ctx, true, user, does, namespaces)
}

// Refused waits until a user may not do something in any of some namespaces.
func (e *Expectations) Refused(ctx context.Context, user, does string, namespaces ...string) {
	GinkgoHelper()
	e.eventually(ctx, false, user, does, namespaces)
}

func (e *Expectations) eventually(ctx context.Context, allowed bool, user, does string, namespaces []string) {
	GinkgoHelper()
	Expect(namespaces).NotTo(BeEmpty(), "name the namespaces")
	for _, namespace := range namespaces {
		Eventually(func() (bool, error) {
			return e.May(ctx, Access{User: user, Does: does, Namespace: namespace})
		}).WithContext(ctx).Should(Equal(allowed), "%s: %s in %s", user, does, namespace)
	}
}

// ManagedBindings are Roster's RBAC RoleBindings in a namespace.
func (e *Expectations) ManagedBindings(ctx context.Context, namespace string) ([]rbacv1.RoleBinding, error) {
	var list rbacv1.RoleBindingList
	if err := e.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var managed []rbacv1.RoleBinding
	for i := range list.Items {
		if rbac.IsManaged(&list.Items[i]) {
			managed = append(managed, list.Items[i])
		}
	}
	return managed, nil
}

// Organization is a Standard organization with one owner.
func Organization(name, owner string) *v1alpha1.Organization {
	return &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.OrganizationSpec{Owners: []v1alpha1.Username{v1alpha1.Username(owner)}},
	}
}

// InOrganization is the metadata of an object in an organization's namespace.
func InOrganization(organization, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: name}
}

// Membership of a user, with the organization's default roles if none are named.
func Membership(organization, name, user string, roles ...v1alpha1.RoleName) *v1alpha1.Membership {
	return &v1alpha1.Membership{
		ObjectMeta: InOrganization(organization, name),
		Spec:       v1alpha1.MembershipSpec{User: v1alpha1.Username(user), Roles: roles},
	}
}

// Project with the namespace ORGANIZATION-NAME.
func Project(organization, name string) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: InOrganization(organization, name)}
}
