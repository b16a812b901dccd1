package snapshot

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// replacing reads the world as it is, but for one object.
type replacing struct {
	client.Reader
	identity client.Object
	object   client.Object
}

// Replacing reads the world as it would be if one object were what is given, or weren't there if that is nil. The identity
// says which object: any version of it.
func Replacing(reader client.Reader, identity, object client.Object) client.Reader {
	if object != nil && reflect.ValueOf(object).IsNil() {
		object = nil
	}
	return &replacing{Reader: reader, identity: identity, object: object}
}

// Get reads one object.
func (r *replacing) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if reflect.TypeOf(into) != reflect.TypeOf(r.identity) || key != client.ObjectKeyFromObject(r.identity) {
		return r.Reader.Get(ctx, key, into, options...)
	}
	if r.object == nil {
		return apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource(fmt.Sprintf("%T", into)).GroupResource(), key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(r.object).Elem())
	return nil
}

// List reads many.
func (r *replacing) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := r.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	var asked client.ListOptions
	asked.ApplyOptions(options)
	switch list := list.(type) {
	case *v1alpha1.OrganizationList:
		list.Items = replaced[v1alpha1.Organization](r, list.Items, asked)
	case *v1alpha1.MembershipList:
		list.Items = replaced[v1alpha1.Membership](r, list.Items, asked)
	case *v1alpha1.TeamList:
		list.Items = replaced[v1alpha1.Team](r, list.Items, asked)
	case *v1alpha1.ProjectList:
		list.Items = replaced[v1alpha1.Project](r, list.Items, asked)
	case *v1alpha1.RoleList:
		list.Items = replaced[v1alpha1.Role](r, list.Items, asked)
	case *v1alpha1.JoinRequestList:
		list.Items = replaced[v1alpha1.JoinRequest](r, list.Items, asked)
	case *v1alpha1.APITokenList:
		list.Items = replaced[v1alpha1.APIToken](r, list.Items, asked)
	case *v1alpha1.RoleBindingList:
		list.Items = replaced[v1alpha1.RoleBinding](r, list.Items, asked)
	}
	return nil
}

// pointer is a pointer to one of Roster's types.
type pointer[T any] interface {
	*T
	client.Object
}

// replaced are the items with the one object as it is to be.
func replaced[T any, P pointer[T]](r *replacing, items []T, asked client.ListOptions) []T {
	if _, concerned := r.identity.(P); !concerned {
		return items
	}
	key := client.ObjectKeyFromObject(r.identity)
	// The list may be the cache's own.
	result := slices.DeleteFunc(slices.Clone(items), func(item T) bool { return client.ObjectKeyFromObject(P(&item)) == key })
	if object, there := r.object.(P); there && matches(object, asked) {
		result = append(result, *object)
	}
	return result
}

// matches says whether a list with these options holds an object.
func matches(object client.Object, asked client.ListOptions) bool {
	if asked.Namespace != "" && asked.Namespace != object.GetNamespace() {
		return false
	}
	if asked.FieldSelector == nil {
		return true
	}
	for _, requirement := range asked.FieldSelector.Requirements() {
		for _, index := range indexes {
			if reflect.TypeOf(index.object) == reflect.TypeOf(object) && index.field == requirement.Field &&
				!slices.Contains(index.values(object), requirement.Value) {
				return false
			}
		}
	}
	return true
}
