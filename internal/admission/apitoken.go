package admission

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
)

// examineAPIToken asks what only other objects tell: whether the Secret's name is free, and whether a change asks for more
// than the user holds. A new token may ask for that, since a repository may bring it before the user's Membership: it gets
// what the user holds, and says so. Nothing is gained by a token that isn't held, so nobody needs assign for it.
func (r *review) examineAPIToken(before, after *v1alpha1.APIToken) error {
	switch {
	case after == nil || after.DeletionTimestamp != nil:
		return nil
	case before == nil:
		// Of one that is there already the API server says so itself, and not that that one's Secret is in the way.
		err := r.Cached.Get(r.ctx, client.ObjectKeyFromObject(after), &v1alpha1.APIToken{}, snapshot.Shared)
		if !apierrors.IsNotFound(err) {
			return err
		}
		if err := r.refuseTakenSecret(after); err != nil {
			return err
		}
		return r.warnOfProblems(after)
	}
	return r.refuseExceeding(before, after)
}

// refuseTakenSecret: a token is never written to, or read from, a Secret that was there before it.
func (r *review) refuseTakenSecret(token *v1alpha1.APIToken) error {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	key := client.ObjectKey{Namespace: token.Namespace, Name: token.SecretName()}
	err := r.Live.Get(r.ctx, key, secret)
	if err == nil {
		return invalid(ruleTokenSecretTaken,
			"spec.secretName: Secret %q is there already and isn't this token's; choose another name", key.Name)
	}
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	var tokens v1alpha1.APITokenList
	if err := r.Cached.List(r.ctx, &tokens, client.InNamespace(token.Namespace), snapshot.Shared); err != nil {
		return err
	}
	for i := range tokens.Items {
		if other := &tokens.Items[i]; other.SecretName() == key.Name && other.Name != token.Name {
			return invalid(ruleTokenSecretTaken,
				"spec.secretName: Secret %q is that of API token %q; choose another name", key.Name, other.Name)
		}
	}
	return nil
}

// warnOfProblems tells who makes a token why it won't do all that it asks for, such as a misspelled role.
func (r *review) warnOfProblems(token *v1alpha1.APIToken) error {
	outcome, err := r.outcome(r.worldAfter, token)
	for _, problem := range outcome.Problems {
		r.warnings = append(r.warnings, problem.Message)
	}
	return err
}

// refuseExceeding: who changes a token doesn't ask for more than its user holds now.
func (r *review) refuseExceeding(before, after *v1alpha1.APIToken) error {
	exceeding, err := r.exceedingRoles(r.worldAfter, after)
	if err != nil || len(exceeding) == 0 {
		return err
	}
	known, err := r.exceedingRoles(r.worldBefore, before)
	if err != nil {
		return err
	}
	for _, role := range exceeding {
		if !slices.Contains(known, role) {
			return forbidden(ruleTokenExceedsUser,
				"spec.roles: user %q doesn't hold role %q in all the places that this token asks for, and a token never does more "+
					"than its user; leave it out, or have the user given the role first", after.Spec.User, role)
		}
	}
	return nil
}

func (r *review) exceedingRoles(reader client.Reader, token *v1alpha1.APIToken) ([]v1alpha1.RoleName, error) {
	outcome, err := r.outcome(reader, token)
	if err == nil && outcome.HeldBack != "" {
		return token.Spec.Roles, nil
	}
	return outcome.Exceeding, err
}

func (r *review) outcome(reader client.Reader, token *v1alpha1.APIToken) (access.APITokenOutcome, error) {
	world, err := snapshot.LoadToken(r.ctx, reader, r.organization, token)
	if err != nil {
		return access.APITokenOutcome{}, fmt.Errorf("work out what API token %s asks for: %w", token.Name, err)
	}
	return access.Evaluate(world, r.organization, r.now).APITokens[token.Name], nil
}
