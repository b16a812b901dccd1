package access

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/roster-dev/roster/internal/rbac"
)

// unanswered are the exchanges of writes of which nobody knows whether they were made, by namespace. A later sync that finds
// one made has nothing to write there, and records it all the same.
type unanswered map[string][]rbac.Exchange

// isUnanswered says whether the API server may have done what was asked for although there is an error.
func isUnanswered(err error) bool {
	switch apierrors.ReasonForError(err) {
	case metav1.StatusReasonUnknown, metav1.StatusReasonTimeout, metav1.StatusReasonServerTimeout,
		metav1.StatusReasonInternalError, metav1.StatusReasonServiceUnavailable:
		return true
	}
	return false
}

func (u unanswered) add(other unanswered) {
	for namespace, exchanges := range other {
		u[namespace] = append(u[namespace], exchanges...)
	}
}

// forget leaves out the exchanges of bindings that were written since.
func (u unanswered) forget(change rbac.NamespaceChange) {
	isWritten := func(exchange rbac.Exchange) bool {
		return slices.ContainsFunc(change.Exchanges,
			func(written rbac.Exchange) bool { return written.Binding == exchange.Binding })
	}
	u[change.Namespace] = slices.DeleteFunc(u[change.Namespace], isWritten)
	if len(u[change.Namespace]) == 0 {
		delete(u, change.Namespace)
	}
}

// findMade looks which of the writes without an answer were made. What they did isn't somebody else's tampering.
func (s *organizationSync) findMade(actual []*rbacv1.RoleBinding) {
	if len(s.cause.unanswered) == 0 {
		return
	}
	bindings := map[types.NamespacedName]*rbacv1.RoleBinding{}
	for _, binding := range actual {
		bindings[types.NamespacedName{Namespace: binding.Namespace, Name: binding.Name}] = binding
	}
	for namespace, exchanges := range s.cause.unanswered {
		made := rbac.NamespaceChange{Namespace: namespace}
		for _, exchange := range exchanges {
			key := types.NamespacedName{Namespace: namespace, Name: exchange.Binding}
			if isMade(exchange, bindings[key]) {
				made.Exchanges = append(made.Exchanges, exchange)
				delete(s.cause.tampered, key)
			}
		}
		if len(made.Exchanges) > 0 {
			s.made = append(s.made, made)
			s.cause.unanswered.forget(made)
		}
	}
}

// keepUnanswered leaves to the next sync which writes of this one may have been made, and which earlier ones still may.
func (s *organizationSync) keepUnanswered() {
	for _, change := range s.written.done {
		s.cause.unanswered.forget(change)
	}
	s.cause.unanswered.add(s.written.unanswered)
}

// isMade says whether a binding is as an exchange leaves it. A binding is written whole, so one subject tells.
func isMade(exchange rbac.Exchange, binding *rbacv1.RoleBinding) bool {
	holds := func(subject rbacv1.Subject) bool {
		return binding != nil && binding.RoleRef.Name == exchange.ClusterRole && slices.Contains(binding.Subjects, subject)
	}
	if len(exchange.Gained) > 0 {
		return holds(exchange.Gained[0])
	}
	return len(exchange.Lost) > 0 && !holds(exchange.Lost[0])
}

// effectsOf are what this sync did and what it found done, one change a namespace.
func effectsOf(done, made []rbac.NamespaceChange) []rbac.NamespaceChange {
	effects := slices.Clone(done)
	for _, change := range made {
		at := slices.IndexFunc(effects, func(other rbac.NamespaceChange) bool { return other.Namespace == change.Namespace })
		if at < 0 {
			effects = append(effects, change)
			continue
		}
		effects[at].Exchanges = slices.Concat(change.Exchanges, effects[at].Exchanges)
	}
	return effects
}
