package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/rbac"
)

const (
	// concurrentWrites is how many requests one sync has in flight. The API server takes most with so many.
	concurrentWrites = 64
	// undisturbed is how long a sync grants before it breaks off for news, so that a stream of changes can't keep it from
	// ever granting anything.
	undisturbed = 100 * time.Millisecond
	// longestPostponement is how long statuses may be put off for the sake of news.
	longestPostponement = time.Second
)

// written is what became of the writes of a sync.
type written struct {
	// done are the changes that were carried out, also in part: then with the exchanges of the bindings that were written.
	done []rbac.NamespaceChange
	// failed are the errors by namespace.
	failed map[string]error
	// unanswered are the writes that failed and may have been made.
	unanswered unanswered
	// revokesFailed: somebody may still have what was to be taken away.
	revokesFailed bool
	// outdated: a binding has changed since it was looked at, so that it has to be looked at again.
	outdated bool
	// interrupted: grants are left to the next sync.
	interrupted bool
	// between is the error of what was done after the revokes.
	between error
}

func (w written) err() error {
	errs := []error{w.between}
	for _, namespace := range slices.Sorted(maps.Keys(w.failed)) {
		errs = append(errs, fmt.Errorf("namespace %s: %w", namespace, w.failed[namespace]))
	}
	return errors.Join(errs...)
}

// write carries the changes out, many at a time, each namespace for itself: those that take access away first, which
// wait for nothing; then what has to be done between; then those that only give, until there is news.
func (r *Reconciler) write(
	ctx context.Context, changes []rbac.NamespaceChange, hasNews func() bool, between func() error,
) written {
	giving := slices.IndexFunc(changes, func(change rbac.NamespaceChange) bool { return !change.Revokes })
	if giving < 0 {
		giving = len(changes)
	}
	result := written{failed: map[string]error{}, unanswered: unanswered{}}
	r.writeAll(ctx, changes[:giving], func() bool { return false }, &result)
	result.between = between()
	begin := time.Now()
	r.writeAll(ctx, changes[giving:], func() bool { return time.Since(begin) > undisturbed && hasNews() }, &result)
	return result
}

func (r *Reconciler) writeAll(
	ctx context.Context, changes []rbac.NamespaceChange, interrupted func() bool, result *written,
) {
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(concurrentWrites)
	for _, change := range changes {
		if interrupted() {
			result.interrupted = true
			break
		}
		group.Go(func() error {
			carriedOut, unanswered, err := r.writeNamespace(ctx, change)
			lock.Lock()
			defer lock.Unlock()
			if err == nil || len(carriedOut.Exchanges) > 0 {
				result.done = append(result.done, carriedOut)
			}
			if len(unanswered) > 0 {
				result.unanswered[change.Namespace] = unanswered
			}
			switch {
			case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
				result.outdated = true
			case err != nil:
				result.failed[change.Namespace] = err
				result.revokesFailed = result.revokesFailed || change.Revokes
			}
			return nil
		})
	}
	// The functions keep their errors by namespace and return none: one namespace never stops the others.
	_ = group.Wait()
}

// writeNamespace carries out the changes in one namespace. No write waits for the success of another one: what is to be
// taken away is taken away also where something couldn't be given. What it returns is what was carried out of the change, the
// next sync finds only the rest to do; and what may have been.
func (r *Reconciler) writeNamespace(
	ctx context.Context, change rbac.NamespaceChange,
) (carriedOut rbac.NamespaceChange, unanswered []rbac.Exchange, err error) {
	var errs []error
	failed := map[string]error{}
	versions := map[string]string{}
	for _, write := range append(slices.Clone(change.First), change.Then...) {
		name := write.Binding.Name
		if version := versions[name]; version != "" {
			write.Binding.ResourceVersion = version
		}
		version, err := r.writeBinding(ctx, write)
		versions[name] = version
		if err != nil {
			errs = append(errs, err)
			failed[name] = errors.Join(failed[name], err)
		}
	}
	if len(errs) == 0 {
		return change, nil, nil
	}
	carriedOut = change
	carriedOut.Exchanges = nil
	for _, exchange := range change.Exchanges {
		switch failure := failed[exchange.Binding]; {
		case failure == nil:
			carriedOut.Exchanges = append(carriedOut.Exchanges, exchange)
		case isUnanswered(failure):
			unanswered = append(unanswered, exchange)
		}
	}
	return carriedOut, unanswered, errors.Join(errs...)
}

// writeBinding sends one write and returns the version that came of it.
func (r *Reconciler) writeBinding(ctx context.Context, write rbac.Write) (version string, err error) {
	// The list of subjects is shared between namespaces, and the client reads the answer into the object.
	binding := *write.Binding
	binding.Subjects = slices.Clone(binding.Subjects)
	switch write.Verb {
	case rbac.Create:
		err = r.create(ctx, &binding)
	case rbac.Update:
		err = r.Update(ctx, &binding)
	case rbac.Delete:
		err = r.remove(ctx, &binding)
	case rbac.Replace:
		if err = r.remove(ctx, &binding); err == nil {
			binding.UID, binding.ResourceVersion = "", ""
			err = r.create(ctx, &binding)
		}
	}
	if err != nil {
		return "", fmt.Errorf("%s RoleBinding %s: %w", write.Verb, binding.Name, err)
	}
	if write.Verb != rbac.Delete {
		r.ownWrites.note(&binding)
	}
	return binding.ResourceVersion, nil
}

// create makes a binding, unless its namespace is going: then nobody needs it, and the namespace's change makes the sync
// see that.
func (r *Reconciler) create(ctx context.Context, binding *rbacv1.RoleBinding) error {
	err := r.Create(ctx, binding)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}

// remove deletes the very binding, and the very version of it, that the decision was made on.
func (r *Reconciler) remove(ctx context.Context, binding *rbacv1.RoleBinding) error {
	preconditions := client.Preconditions{UID: &binding.UID, ResourceVersion: &binding.ResourceVersion}
	r.causes.ownDeletions.Store(binding.UID, nil)
	err := r.Delete(ctx, binding, preconditions)
	if err != nil {
		r.causes.ownDeletions.Delete(binding.UID)
	}
	return client.IgnoreNotFound(err)
}
