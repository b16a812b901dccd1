package admission_test

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
)

// objectKey names an object in the model of the API server.
type objectKey struct {
	kind            reflect.Type
	namespace, name string
}

func keyOf(object client.Object) objectKey {
	return objectKey{reflect.TypeOf(object), object.GetNamespace(), object.GetName()}
}

// String is how a story names the object.
func (k objectKey) String() string {
	name := k.name
	if k.namespace != "" {
		name = k.namespace + "/" + name
	}
	return k.kind.Elem().Name() + " " + name
}

// moment is all objects after some number of writes. It never changes.
type moment struct {
	number int
	at     time.Time
	// objects by kind, sorted by namespace and name.
	objects map[reflect.Type][]client.Object

	mutex sync.Mutex
	// rules by organization and user: what the user may do in the organization's namespace. Filled in when asked for.
	rules map[string]map[string][]rbacv1.PolicyRule
}

// with is the next moment: one object is as given, or is gone if that is nil.
func (m *moment) with(key objectKey, object client.Object, at time.Time) *moment {
	next := &moment{number: m.number + 1, at: at, objects: maps.Clone(m.objects)}
	others := slices.DeleteFunc(slices.Clone(m.objects[key.kind]), func(other client.Object) bool { return keyOf(other) == key })
	if object != nil {
		others = append(others, object)
		slices.SortFunc(others, func(a, b client.Object) int {
			return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
		})
	}
	next.objects[key.kind] = others
	return next
}

// get is an object, or nil where it isn't there.
func (m *moment) get(key objectKey) client.Object {
	for _, object := range m.objects[key.kind] {
		if keyOf(object) == key {
			return object
		}
	}
	return nil
}

// find is an object of a kind, and whether it is there.
func find[T client.Object](m *moment, namespace, name string) (object T, found bool) {
	object, found = m.get(objectKey{reflect.TypeOf(object), namespace, name}).(T)
	return object, found
}

func all[T client.Object](m *moment) []T {
	var objects []T
	for _, object := range m.objects[reflect.TypeFor[T]()] {
		objects = append(objects, object.(T))
	}
	return objects
}

// world is what the engine looks at.
func (m *moment) world() access.World {
	return access.World{
		Organizations: all[*v1alpha1.Organization](m), Memberships: all[*v1alpha1.Membership](m), Teams: all[*v1alpha1.Team](m),
		Projects: all[*v1alpha1.Project](m), Roles: all[*v1alpha1.Role](m), RoleBindings: all[*v1alpha1.RoleBinding](m),
		Namespaces: all[*corev1.Namespace](m),
	}
}

// indexed are the values of the manager's indexes, by kind and field.
type indexed map[reflect.Type]map[string]client.IndexerFunc

// IndexField remembers one.
func (i indexed) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	kind := reflect.TypeOf(object)
	if i[kind] == nil {
		i[kind] = map[string]client.IndexerFunc{}
	}
	i[kind][field] = values
	return nil
}

var (
	testScheme = runtime.NewScheme()
	indexes    = indexed{}
)

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(testScheme))
	utilruntime.Must(v1alpha1.AddToScheme(testScheme))
	utilruntime.Must(snapshot.AddIndexes(context.Background(), indexes))
}

// reader reads the moment that there is when it is asked.
type reader struct{ now func() *moment }

// Get reads one object.
func (r reader) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if metadata, is := into.(*metav1.PartialObjectMetadata); is {
		return r.getMetadata(key, metadata)
	}
	object := r.now().get(objectKey{reflect.TypeOf(into), key.Namespace, key.Name})
	if object == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: reflect.TypeOf(into).Elem().Name()}, key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(object).Elem())
	return nil
}

// List reads many.
func (r reader) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if metadata, is := list.(*metav1.PartialObjectMetadataList); is {
		for _, object := range r.now().objects[typeOf(metadata.GroupVersionKind())] {
			if object.GetNamespace() == asked.Namespace {
				metadata.Items = append(metadata.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
					Namespace: object.GetNamespace(), Name: object.GetName(), ResourceVersion: object.GetResourceVersion(),
				}})
			}
		}
		return nil
	}
	items := reflect.ValueOf(list).Elem().FieldByName("Items")
	kind := reflect.PointerTo(items.Type().Elem())
	found := reflect.MakeSlice(items.Type(), 0, 0)
	for _, object := range r.now().objects[kind] {
		if isAskedFor(kind, object, asked) {
			found = reflect.Append(found, reflect.ValueOf(object).Elem())
		}
	}
	items.Set(found)
	return nil
}

func (r reader) getMetadata(key client.ObjectKey, into *metav1.PartialObjectMetadata) error {
	object := r.now().get(objectKey{typeOf(into.GroupVersionKind()), key.Namespace, key.Name})
	if object == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: into.Kind}, key.Name)
	}
	into.Namespace, into.Name, into.ResourceVersion = object.GetNamespace(), object.GetName(), object.GetResourceVersion()
	return nil
}

// typeOf is the type of the objects of a kind, or of those in a list of a kind.
func typeOf(kind schema.GroupVersionKind) reflect.Type {
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	object, err := testScheme.New(kind)
	utilruntime.Must(err)
	return reflect.TypeOf(object)
}

func isAskedFor(kind reflect.Type, object client.Object, asked client.ListOptions) bool {
	if asked.Namespace != "" && asked.Namespace != object.GetNamespace() {
		return false
	}
	if asked.FieldSelector == nil {
		return true
	}
	for _, requirement := range asked.FieldSelector.Requirements() {
		if !slices.Contains(indexes[kind][requirement.Field](object), requirement.Value) {
			return false
		}
	}
	return true
}

// cachedClient is the manager's client: it reads a moment that is a little old, and has the API server answer what users may
// do.
type cachedClient struct {
	client.Client
	reader
	answer func(*authorizationv1.SubjectAccessReview)
}

// Get reads one object.
func (c cachedClient) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	return c.reader.Get(ctx, key, into, options...)
}

// List reads many.
func (c cachedClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return c.reader.List(ctx, list, options...)
}

// Create answers a SubjectAccessReview.
func (c cachedClient) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	if review, ok := object.(*authorizationv1.SubjectAccessReview); ok {
		c.answer(review)
	}
	return nil
}

// Patch stamps nothing: a stamp grants nothing.
func (c cachedClient) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return nil
}

// Scheme is what objects are decoded by.
func (c cachedClient) Scheme() *runtime.Scheme { return testScheme }
