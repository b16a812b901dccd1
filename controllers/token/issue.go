package token

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/token"
)

// suffixLength is that of what tells the Secrets apart that the tokens of one APIToken are bound to.
const suffixLength = 6

// unseen writes past the manager's caches, which hold none of these.
var unseen = client.DisableReadYourWritesConsistency

// isTaken says what is in the way of the token's Secret: one of that name that isn't the token's.
func (r *Reconciler) isTaken(ctx context.Context, object *v1alpha1.APIToken) (string, error) {
	found := metadataOf("Secret")
	key := client.ObjectKey{Namespace: object.Namespace, Name: object.SecretName()}
	err := r.Live.Get(ctx, key, found)
	if err != nil {
		return "", client.IgnoreNotFound(err)
	}
	if metav1.IsControlledBy(found, object) {
		return "", nil
	}
	// Nobody is to read by this token's right what isn't this token's.
	return fmt.Sprintf("Secret %s is there and isn't this token's; delete it, or make another APIToken with another "+
		"spec.secretName", key.Name), r.removeReader(ctx, object)
}

// issue issues a token. What it was to be bound to doesn't stay where that fails.
func (r *Reconciler) issue(ctx context.Context, object *v1alpha1.APIToken, plan token.Plan, state *token.State) error {
	account := token.Account(object)
	if err := r.Create(ctx, account, unseen); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make ServiceAccount %s: %w", account.Name, err)
	}
	credential := token.NewCredential(object, rand.String(suffixLength), r.Clock.Now())
	if err := r.Create(ctx, credential, unseen); err != nil {
		return fmt.Errorf("make Secret %s, which the token is to be bound to: %w", credential.Name, err)
	}
	if err := r.deliver(ctx, object, account, credential, plan, state); err != nil {
		return errors.Join(err, r.discard(ctx, object, credential.Name))
	}
	issued.Inc()
	return nil
}

// deliver requests a token and writes it to its Secret. The text is in no error, and nowhere but in that Secret.
func (r *Reconciler) deliver(
	ctx context.Context, object *v1alpha1.APIToken, account *corev1.ServiceAccount, credential *corev1.Secret, plan token.Plan,
	state *token.State,
) error {
	now := r.Clock.Now()
	request := token.Request(plan.Life, credential)
	if err := r.SubResource("token").Create(ctx, account, request); err != nil {
		return fmt.Errorf("request a token for ServiceAccount %s: %w", account.Name, err)
	}
	id, err := token.ID(request.Status.Token)
	if err != nil {
		return err
	}
	delivery := token.Delivery{
		Credential: credential.Name, ID: id, IssuedAt: now,
		// By this manager's clock: the API server says until when by its own.
		ExpiresAt: now.Add(request.Status.ExpirationTimestamp.Sub(credential.CreationTimestamp.Time)),
		Rotation:  object.Annotations[v1alpha1.AnnotationRotate],
	}
	secret, err := token.Deliver(object, delivery, request.Status.Token, r.Server)
	if err != nil {
		return err
	}
	if err := r.writeSecret(ctx, secret, state.Delivery != nil); err != nil {
		return err
	}
	state.HasAccount, state.Delivery = true, &delivery
	state.Credentials = append(state.Credentials, token.Credential{Name: credential.Name, IssuedAt: now})
	return nil
}

// writeSecret makes the Secret, or replaces what is in the token's own.
func (r *Reconciler) writeSecret(ctx context.Context, secret *corev1.Secret, isThere bool) error {
	write := func() error { return r.Create(ctx, secret, unseen) }
	if isThere {
		write = func() error { return r.Update(ctx, secret, unseen) }
	}
	// A refusal by a webhook could quote what was sent, so its text goes no further.
	if err := write(); err != nil {
		return fmt.Errorf("write Secret %s: the API server refuses it (%s)", secret.Name, apierrors.ReasonForError(err))
	}
	return nil
}

// discard ends a token that was issued before.
func (r *Reconciler) discard(ctx context.Context, object *v1alpha1.APIToken, name string) error {
	secret := metadataOf("Secret")
	secret.Namespace, secret.Name = object.Namespace, name
	if err := r.Delete(ctx, secret, unseen); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Secret %s, so that the token bound to it ends: %w", name, err)
	}
	return nil
}

// end takes away all that a token could work by, as the API server has it: first what tokens are bound to. The right to read
// the Secret goes before the Secret: its name is free for somebody else's from then on.
func (r *Reconciler) end(ctx context.Context, object *v1alpha1.APIToken) error {
	found, err := state(ctx, r.Live, object)
	if err != nil {
		return err
	}
	for _, credential := range found.Credentials {
		if err := r.discard(ctx, object, credential.Name); err != nil {
			return err
		}
	}
	if err := r.removeReader(ctx, object); err != nil {
		return err
	}
	if found.Delivery != nil {
		if err := r.discard(ctx, object, object.SecretName()); err != nil {
			return err
		}
	}
	if !found.HasAccount {
		return nil
	}
	if err := r.Delete(ctx, token.Account(object), unseen); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete ServiceAccount %s: %w", object.ServiceAccountName(), err)
	}
	return nil
}
