package certificates

import (
	"context"
	"encoding/base64"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// APIServiceNames are the APIServices whose requests Roster answers, with the same certificates as the webhook.
var APIServiceNames = []string{"v1alpha1.view.roster.dev", "v1alpha1.self.roster.dev"}

// newAPIService is an empty APIService. Roster needs no more of it than one field.
func newAPIService() *unstructured.Unstructured {
	service := &unstructured.Unstructured{}
	service.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	return service
}

// injectAPIService puts the authority into an APIService, if there is one without it.
func (r *Reconciler) injectAPIService(ctx context.Context, name string, authority []byte) error {
	service := newAPIService()
	err := r.Get(ctx, client.ObjectKey{Name: name}, service)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read APIService %s: %w", name, err)
	}
	wanted := base64.StdEncoding.EncodeToString(authority)
	present, _, err := unstructured.NestedString(service.Object, "spec", "caBundle")
	if err != nil {
		return fmt.Errorf("read the authority in APIService %s: %w", name, err)
	}
	if present == wanted {
		return nil
	}
	if err := unstructured.SetNestedField(service.Object, wanted, "spec", "caBundle"); err != nil {
		return fmt.Errorf("put the authority into APIService %s: %w", name, err)
	}
	if err := r.Update(ctx, service); err != nil {
		return fmt.Errorf("write the authority into APIService %s: %w", name, err)
	}
	return nil
}
