// Package installation says of the installation as a whole what policies and people ask of it.
package installation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/certificates"
	"github.com/roster-dev/roster/internal/snapshot"
	"github.com/roster-dev/roster/internal/status"
)

// ConditionOrganizationsExist is the condition of the Namespace roster-system that says whether there are organizations, those
// that are being deleted too. The policy installation.roster.dev reads it, also while Roster is away: without it the policy
// would have to be asked once for each Organization.
const ConditionOrganizationsExist corev1.NamespaceConditionType = "roster.dev/OrganizationsExist"

// ConditionWebhookConfigured is the condition of the Namespace roster-system that says whether the webhook configurations are
// there, from the first time on that they weren't. The API server lets no policy hold their deletion.
const ConditionWebhookConfigured corev1.NamespaceConditionType = "roster.dev/WebhookConfigured"

// theNamespace is the one request that there is.
var theNamespace = reconcile.Request{NamespacedName: client.ObjectKey{Name: v1alpha1.SystemNamespace}}

// Reconciler writes the conditions.
type Reconciler struct {
	client.Client
	Clock clock.PassiveClock
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	enqueue := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{theNamespace}
	})
	return ctrl.NewControllerManagedBy(manager).
		Named("installation").
		Watches(&v1alpha1.Organization{}, enqueue, builder.WithPredicates(comesOrGoes)).
		Watches(&corev1.Namespace{}, enqueue, builder.WithPredicates(predicate.NewPredicateFuncs(isSystemNamespace))).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, enqueue, builder.WithPredicates(comesOrGoes)).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, enqueue, builder.WithPredicates(comesOrGoes)).
		Complete(r)
}

// comesOrGoes lets through objects that are made or gone, and no changes.
var comesOrGoes = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

func isSystemNamespace(object client.Object) bool {
	return object.GetName() == v1alpha1.SystemNamespace
}

// Reconcile writes the conditions where they have changed.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	namespace := &corev1.Namespace{}
	if err := r.Get(ctx, request.NamespacedName, namespace, snapshot.Shared); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var organizations v1alpha1.OrganizationList
	if err := r.List(ctx, &organizations, client.Limit(1), snapshot.Shared); err != nil {
		return reconcile.Result{}, fmt.Errorf("list Organizations: %w", err)
	}
	missing, err := r.missingConfigurations(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	exist := len(organizations.Items) > 0
	for _, wanted := range []corev1.NamespaceCondition{existence(exist), webhookConfigured(exist, missing)} {
		written := status.NamespaceCondition(namespace, wanted.Type)
		// Where the webhook was never missing, nothing is said of it.
		isUsual := written == nil && wanted.Type == ConditionWebhookConfigured && wanted.Status == corev1.ConditionTrue
		if isUsual || written != nil && written.Status == wanted.Status && written.Message == wanted.Message {
			continue
		}
		wanted.LastTransitionTime = metav1.NewTime(r.Clock.Now())
		// The next condition is written when the Namespace has changed, which comes back here.
		return reconcile.Result{}, status.SayOfNamespace(ctx, r.Client, namespace, wanted)
	}
	return reconcile.Result{}, nil
}

// missingConfigurations are the webhook configurations that the API server doesn't have.
func (r *Reconciler) missingConfigurations(ctx context.Context) ([]string, error) {
	var missing []string
	for kind, configuration := range map[string]client.Object{
		"MutatingWebhookConfiguration":   &admissionregistrationv1.MutatingWebhookConfiguration{},
		"ValidatingWebhookConfiguration": &admissionregistrationv1.ValidatingWebhookConfiguration{},
	} {
		err := r.Get(ctx, client.ObjectKey{Name: certificates.ConfigurationName}, configuration, snapshot.Shared)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get %s %s: %w", kind, certificates.ConfigurationName, err)
		}
		if err != nil {
			missing = append(missing, kind+" "+certificates.ConfigurationName)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

func existence(organizationsExist bool) corev1.NamespaceCondition {
	if organizationsExist {
		return corev1.NamespaceCondition{
			Type: ConditionOrganizationsExist, Status: corev1.ConditionTrue, Reason: "Exist",
			Message: "there are organizations: deleting Roster's CustomResourceDefinitions, APIServices, the catalogue's Roles or " +
				"this namespace has to be confirmed",
		}
	}
	return corev1.NamespaceCondition{
		Type: ConditionOrganizationsExist, Status: corev1.ConditionFalse, Reason: "None",
		Message: "there are no organizations: Roster can be removed",
	}
}

func webhookConfigured(organizationsExist bool, missing []string) corev1.NamespaceCondition {
	if organizationsExist && len(missing) > 0 {
		return corev1.NamespaceCondition{
			Type: ConditionWebhookConfigured, Status: corev1.ConditionFalse, Reason: "NotFound",
			Message: "not there, so the API server asks Roster about no write of its kinds, and only schema and policies hold: " +
				strings.Join(missing, ", ") + "; apply config/webhook",
		}
	}
	return corev1.NamespaceCondition{
		Type: ConditionWebhookConfigured, Status: corev1.ConditionTrue, Reason: "Configured",
		Message: "the API server asks Roster about all writes of its kinds",
	}
}
