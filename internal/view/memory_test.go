package view

import (
	"context"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// memory is a cache: what it gives is shared, as that of the manager is, so that measuring what a request allocates counts no
// copies that the manager doesn't make.
type memory struct {
	objects map[reflect.Type][]client.Object
}

func newMemory(objects ...client.Object) *memory {
	m := &memory{objects: map[reflect.Type][]client.Object{}}
	m.put(objects...)
	return m
}

func (m *memory) put(objects ...client.Object) {
	for _, object := range objects {
		m.remove(object)
		kind := reflect.TypeOf(object)
		m.objects[kind] = append(m.objects[kind], object)
	}
}

func (m *memory) remove(object client.Object) {
	kind, key := reflect.TypeOf(object), client.ObjectKeyFromObject(object)
	m.objects[kind] = slices.DeleteFunc(m.objects[kind], func(other client.Object) bool {
		return client.ObjectKeyFromObject(other) == key
	})
}

// Get implements client.Reader.
func (m *memory) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for _, found := range m.objects[reflect.TypeOf(into)] {
		if found.GetName() == key.Name && found.GetNamespace() == key.Namespace {
			reflect.ValueOf(into).Elem().Set(reflect.ValueOf(found).Elem())
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// List implements client.Reader, with the indexes that the view API asks for.
func (m *memory) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	asked := &client.ListOptions{}
	asked.ApplyOptions(options)
	items := reflect.ValueOf(into).Elem().FieldByName("Items")
	kind := reflect.PointerTo(items.Type().Elem())
	found := reflect.MakeSlice(items.Type(), 0, len(m.objects[kind]))
	for _, object := range m.objects[kind] {
		if (asked.Namespace == "" || asked.Namespace == object.GetNamespace()) && isIndexed(object, asked.FieldSelector) {
			found = reflect.Append(found, reflect.ValueOf(object).Elem())
		}
	}
	items.Set(found)
	return nil
}

func isIndexed(object client.Object, selector fields.Selector) bool {
	if selector == nil {
		return true
	}
	for _, requirement := range selector.Requirements() {
		switch requirement.Field {
		case snapshot.NamespacesByOrganization:
			return object.GetLabels()[v1alpha1.LabelOrganization] == requirement.Value
		case snapshot.OrganizationsByParent:
			return object.(*v1alpha1.Organization).Spec.Parent == requirement.Value
		}
	}
	return false
}

var _ client.Reader = &memory{}

func typeOf(object client.Object) reflect.Type { return reflect.TypeOf(object) }

func groupByType(objects []client.Object) map[reflect.Type][]client.Object {
	grouped := map[reflect.Type][]client.Object{}
	for _, object := range objects {
		grouped[typeOf(object)] = append(grouped[typeOf(object)], object)
	}
	return grouped
}
