package user

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/names"
)

// mostNames is how many names are tried for one object. That many are taken where somebody means it.
const mostNames = 8

// createNamed creates the object that stands for a user, under a name that follows from the username, so that it can't be
// made twice, and says whether it did. Where another user's object has that name, it gets the next one; nothing is made where
// the object is the user's own and the cache only doesn't hold it yet.
func (r *Reconciler) createNamed(
	ctx context.Context, object client.Object, prefix, username string, maxLength int, isTheirs func(client.Object) bool,
) (made bool, err error) {
	name := names.Label(username, maxLength)
	for number := 1; number <= mostNames; number++ {
		object.SetName(prefix + name)
		err := r.Create(ctx, object)
		if err == nil || !apierrors.IsAlreadyExists(err) {
			return err == nil, wrapped(err, object, username)
		}
		taken := object.DeepCopyObject().(client.Object)
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(object), taken); err != nil {
			return false, wrapped(err, object, username)
		}
		if isTheirs(taken) {
			return false, nil
		}
		name = names.Other(username, number, maxLength)
	}
	return false, wrapped(fmt.Errorf("other users' objects have the %d names that were tried; delete one that isn't in use", mostNames),
		object, username)
}

func wrapped(err error, object client.Object, username string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("make %T %s for %s: %w", object, object.GetName(), username, err)
}
