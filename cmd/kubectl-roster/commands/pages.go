package commands

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// listAll reads a list page by page: the view API never gives all rows in one answer.
func listAll(ctx context.Context, reader client.Reader, into client.ObjectList, options ...client.ListOption) error {
	pages := pager.New(func(ctx context.Context, asked metav1.ListOptions) (runtime.Object, error) {
		page := into.DeepCopyObject().(client.ObjectList)
		paging := []client.ListOption{client.Limit(asked.Limit), client.Continue(asked.Continue)}
		return page, reader.List(ctx, page, slices.Concat(options, paging)...)
	})
	// The fallback asks for everything in one answer, and would take the first page for it.
	pages.FullListIfExpired = false
	var items []runtime.Object
	err := pages.EachListItem(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
		items = append(items, item)
		return nil
	})
	if err != nil {
		return err
	}
	return meta.SetList(into, items)
}
