package snapshot

import (
	"context"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// fresh reads from the caches, and makes up for what they lack.
type fresh struct {
	client.Reader
	live   client.Reader
	scheme *runtime.Scheme
}

// Fresh reads objects by name, and all of a namespace, as the API server holds them, at the cost of their metadata: an object
// whose resourceVersion the caches hold is theirs, and only the others are read whole. So a watch that has stalled hides
// nothing. Lists by an index are the caches' own.
func Fresh(cached, live client.Reader, scheme *runtime.Scheme) client.Reader {
	return fresh{Reader: cached, live: live, scheme: scheme}
}

// Get reads one object.
func (f fresh) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	kind, err := apiutil.GVKForObject(object, f.scheme)
	if err != nil {
		return err
	}
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(kind)
	if err := f.live.Get(ctx, key, metadata); err != nil {
		return err
	}
	err = f.Reader.Get(ctx, key, object, options...)
	if apierrors.IsNotFound(err) || err == nil && object.GetResourceVersion() != metadata.ResourceVersion {
		// The maps and slices of the cached object belong to the cache.
		reflect.ValueOf(object).Elem().SetZero()
		return f.live.Get(ctx, key, object)
	}
	return err
}

// List reads many.
func (f fresh) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := f.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if asked.FieldSelector != nil || asked.LabelSelector != nil || asked.Namespace == "" {
		return nil
	}
	versions, err := f.versions(ctx, list, asked.Namespace)
	if err != nil {
		return err
	}
	return f.refresh(ctx, list, versions)
}

// versions are the resourceVersions of all objects of a kind in a namespace, by name, as the API server's own cache has them:
// a list that waits for the very latest takes a hundred times as long.
func (f fresh) versions(ctx context.Context, list client.ObjectList, namespace string) (map[client.ObjectKey]string, error) {
	kind, err := apiutil.GVKForObject(list, f.scheme)
	if err != nil {
		return nil, err
	}
	metadata := &metav1.PartialObjectMetadataList{}
	metadata.SetGroupVersionKind(kind)
	anyVersion := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}
	if err := f.live.List(ctx, metadata, client.InNamespace(namespace), anyVersion); err != nil {
		return nil, err
	}
	versions := make(map[client.ObjectKey]string, len(metadata.Items))
	for i := range metadata.Items {
		versions[client.ObjectKeyFromObject(&metadata.Items[i])] = metadata.Items[i].ResourceVersion
	}
	return versions, nil
}

// refresh reads again what differs from the API server's versions, or is in one of the two alone. Which of the two is the
// older one, only the API server tells.
func (f fresh) refresh(ctx context.Context, list client.ObjectList, versions map[client.ObjectKey]string) error {
	objects, err := meta.ExtractList(list)
	if err != nil {
		return err
	}
	kept := make([]runtime.Object, 0, len(objects))
	for _, object := range objects {
		cached := object.(client.Object)
		if key := client.ObjectKeyFromObject(cached); versions[key] == cached.GetResourceVersion() {
			kept = append(kept, object)
			delete(versions, key)
		} else {
			// It is another one by now, or gone.
			versions[key] = ""
		}
	}
	for key := range versions {
		object, err := f.newItem(list)
		if err != nil {
			return err
		}
		switch err := f.live.Get(ctx, key, object); {
		case err == nil:
			kept = append(kept, object)
		case !apierrors.IsNotFound(err):
			return err
		}
	}
	return meta.SetList(list, kept)
}

// newItem is an empty object of the kind that a list holds.
func (f fresh) newItem(list client.ObjectList) (client.Object, error) {
	kind, err := apiutil.GVKForObject(list, f.scheme)
	if err != nil {
		return nil, err
	}
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	object, err := f.scheme.New(kind)
	if err != nil {
		return nil, err
	}
	return object.(client.Object), nil
}
