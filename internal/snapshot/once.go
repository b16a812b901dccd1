package snapshot

import (
	"context"
	"fmt"
	"reflect"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// once remembers what it has read.
type once struct {
	client.Reader
	read map[string]answered
}

// answered is one remembered answer. The object is a pointer to what was read.
type answered struct {
	object reflect.Value
	err    error
}

// Once reads each object and each list at most once, so that several questions about the world are answered from one state
// of it. The objects are shared between the answers and must not be changed. It isn't safe for concurrent use.
func Once(reader client.Reader) client.Reader { return &once{reader, map[string]answered{}} }

// Get reads one object.
func (o *once) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return o.answer(fmt.Sprintf("%T %s %s", object, object.GetObjectKind().GroupVersionKind(), key), object, func() error {
		return o.Reader.Get(ctx, key, object, options...)
	})
}

// List reads many.
func (o *once) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	key := fmt.Sprintf("%T %s %s %v %v", list, list.GetObjectKind().GroupVersionKind(), asked.Namespace, asked.FieldSelector,
		asked.LabelSelector)
	return o.answer(key, list, func() error { return o.Reader.List(ctx, list, options...) })
}

// answer fills in what is remembered under a key, or else reads it.
func (o *once) answer(key string, into any, read func() error) error {
	value := reflect.ValueOf(into).Elem()
	known, found := o.read[key]
	if !found {
		err := read()
		known = answered{reflect.New(value.Type()), err}
		known.object.Elem().Set(value)
		o.read[key] = known
		return err
	}
	value.Set(known.object.Elem())
	return known.err
}
