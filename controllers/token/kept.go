package token

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/token"
)

// Kept are the ServiceAccounts and Secrets that carry an APIToken's name.
type Kept struct {
	// Reader reads from the cache.
	Reader client.Reader
	// Cache tells of changes.
	Cache cache.Cache
}

// NewKept makes the caches, which begin with the manager that they are added to. They are caches of their own: the
// manager's hold no Secret but that of the webhook's certificates.
func NewKept(config *rest.Config, options cache.Options) (Kept, error) {
	carriesName, err := labels.NewRequirement(v1alpha1.LabelAPIToken, selection.Exists, nil)
	utilruntime.Must(err)
	options.DefaultLabelSelector = labels.NewSelector().Add(*carriesName)
	options.DefaultTransform = cache.TransformStripManagedFields()
	made, err := cache.New(config, options)
	if err != nil {
		return Kept{}, fmt.Errorf("make the cache of API tokens' Secrets: %w", err)
	}
	return Kept{Reader: made, Cache: made}, nil
}

// state is what there is of a token, by the caches or by the API server itself.
func state(ctx context.Context, reader client.Reader, object *v1alpha1.APIToken) (token.State, error) {
	var lists [2][]metav1.PartialObjectMetadata
	for i, kind := range []string{"ServiceAccountList", "SecretList"} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
		err := reader.List(ctx, list, client.InNamespace(object.Namespace),
			client.MatchingLabels{v1alpha1.LabelAPIToken: object.Name})
		if err != nil {
			return token.State{}, fmt.Errorf("list what there is of API token %s: %w", client.ObjectKeyFromObject(object), err)
		}
		lists[i] = list.Items
	}
	return token.StateOf(object, lists[0], lists[1]), nil
}
