package certificates

import (
	"bytes"
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// theSecret is the one request that there is.
var theSecret = reconcile.Request{
	NamespacedName: client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: SecretName},
}

// Watched narrows the caches to the one Secret, the two configurations and Roster's APIServices, so that Roster needs no
// right to change others.
func Watched() map[client.Object]cache.ByObject {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector(metav1.ObjectNameField, name) }
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{
			v1alpha1.SystemNamespace: {FieldSelector: named(SecretName)},
		}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: named(ConfigurationName)},
		&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: named(ConfigurationName)},
		newAPIService(): {Label: labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": "roster"})},
	}
}

// Reconciler makes the certificates and renews them, and keeps the authority in the webhook configurations and the
// APIServices current. It writes nothing where all is as it should be.
type Reconciler struct {
	client.Client
	Clock clock.PassiveClock
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	ask := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{theSecret}
	})
	return ctrl.NewControllerManagedBy(manager).
		Named("certificates").
		Watches(&corev1.Secret{}, ask).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, ask).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, ask).
		Watches(newAPIService(), ask).
		// Before the first start there is nothing that could be watched.
		WatchesRawSource(source.Func(func(
			_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
		) error {
			queue.Add(theSecret)
			return nil
		})).
		Complete(r)
}

// Reconcile renews in this order: a new authority is trusted by the API server before a certificate of it is served.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	secret := &corev1.Secret{}
	if err := r.Get(ctx, theSecret.NamespacedName, secret); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("read the webhook's certificates: %w", err)
	}
	if secret.Data == nil {
		secret.Data = data{}
	}
	now := r.Clock.Now()
	if !authorityLasts(secret.Data, now) {
		if err := renewAuthority(secret.Data, now); err != nil {
			return ctrl.Result{}, err
		}
		if err := r.write(ctx, secret); err != nil {
			return ctrl.Result{}, err
		}
	}
	if err := r.inject(ctx, secret.Data[AuthorityCertificate]); err != nil {
		return ctrl.Result{}, err
	}
	if !servingLasts(secret.Data, now) {
		if err := renewServing(secret.Data, now); err != nil {
			return ctrl.Result{}, err
		}
		if err := r.write(ctx, secret); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{RequeueAfter: renewal(secret.Data).Sub(now)}, nil
}

// write fails on a conflict when another replica was faster: the certificates that it made are the ones to use.
func (r *Reconciler) write(ctx context.Context, secret *corev1.Secret) error {
	var err error
	if secret.ResourceVersion == "" {
		secret.Namespace, secret.Name = theSecret.Namespace, theSecret.Name
		secret.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster}
		err = r.Create(ctx, secret)
	} else {
		err = r.Update(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("write the webhook's certificates: %w", err)
	}
	return nil
}

// inject tells the API server which authority to trust, in the configurations and APIServices that are there.
func (r *Reconciler) inject(ctx context.Context, authority []byte) error {
	for _, name := range APIServiceNames {
		if err := r.injectAPIService(ctx, name, authority); err != nil {
			return err
		}
	}
	for _, configuration := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{},
	} {
		err := r.Get(ctx, client.ObjectKey{Name: ConfigurationName}, configuration)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %T %s: %w", configuration, ConfigurationName, err)
		}
		if !trust(configuration, authority) {
			continue
		}
		if err := r.Update(ctx, configuration); err != nil {
			return fmt.Errorf("write the authority into %T %s: %w", configuration, ConfigurationName, err)
		}
	}
	return nil
}

// trust puts the authority into all webhooks of a configuration, and says whether it wasn't there yet.
func trust(configuration client.Object, authority []byte) bool {
	changed := false
	for _, config := range clientConfigs(configuration) {
		if !bytes.Equal(config.CABundle, authority) {
			config.CABundle = authority
			changed = true
		}
	}
	return changed
}

func clientConfigs(configuration client.Object) []*admissionregistrationv1.WebhookClientConfig {
	var configs []*admissionregistrationv1.WebhookClientConfig
	switch configuration := configuration.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range configuration.Webhooks {
			configs = append(configs, &configuration.Webhooks[i].ClientConfig)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range configuration.Webhooks {
			configs = append(configs, &configuration.Webhooks[i].ClientConfig)
		}
	}
	return configs
}
