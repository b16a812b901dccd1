package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/internal/rbac"
)

// namedSubjects is how many of those who gain or lose access are named.
const namedSubjects = 10

// someone is who tampers.
var someone = Actor{Name: ActorUnknown, Because: "Kubernetes' own RBAC objects don't tell who changed them"}

// Cause is a change that others follow from.
type Cause struct {
	Object Object
	Actor  Actor
	// Created is when the object was made.
	Created time.Time
}

// CauseOf is the last change of an object, and false for kinds of which no changes are recorded.
func CauseOf(object client.Object) (Cause, bool) {
	kind, found := KindOf(object)
	if !found {
		return Cause{}, false
	}
	cause := Cause{Object: objectOf(kind, object), Actor: authorOf(object), Created: object.GetCreationTimestamp().Time}
	if remover := removerOf(object); object.GetDeletionTimestamp() != nil || remover.Name != ActorUnknown {
		cause.Actor = remover
	}
	return cause, true
}

func objectOf(kind Kind, object client.Object) Object {
	return Object{Kind: kind.Name(), Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID()}
}

// Access is what one sync did to who holds what in a namespace.
type Access struct {
	// Object is the Project or the Organization that the namespace belongs to, Organization the organization's own namespace.
	Object          Object
	Organization    string
	OrganizationUID types.UID
	Namespace       string
	Time            time.Time
	// Exchanges are who gained and lost what.
	Exchanges []rbac.Exchange
	// State tells who holds what now from any other state; empty where nobody holds anything.
	State string
	// Causes are the changes that it follows from; Otherwise stands for them where there are none.
	Causes    []Cause
	Otherwise Actor
}

// Changed tells that access was granted and revoked; false where nobody gained or lost anything.
func (a Access) Changed() (Change, bool) {
	gained, gains := enumerate(a.Exchanges, gainers)
	lost, losses := enumerate(a.Exchanges, losers)
	change := a.change(lost, gained)
	change.Actor, change.Cause = a.actor()
	change.Remark = fmt.Sprintf("in namespace %s: %d granted, %d revoked", a.Namespace, gains, losses)
	switch {
	case gains == 0 && losses == 0:
		return change, false
	case losses == 0:
		change.Action = "AccessGranted"
	case gains == 0:
		change.Action = "AccessRevoked"
	default:
		change.Action = "AccessChanged"
	}
	return change, true
}

// TamperingUndone tells that somebody had changed RBAC RoleBindings of Roster's and that they are again what they should be.
func (a Access) TamperingUndone() Change {
	gained, _ := enumerate(a.Exchanges, gainers)
	lost, _ := enumerate(a.Exchanges, losers)
	change := a.change(lost, gained)
	change.Action, change.Warning = "TamperingUndone", true
	// The same sync may have granted or revoked access in the same namespace, which is another change.
	change.Version += " tampering"
	change.Actor = someone
	var bindings []string
	for _, exchange := range a.Exchanges {
		bindings = append(bindings, exchange.Binding)
	}
	change.Remark = fmt.Sprintf("in namespace %s somebody changed or removed the RBAC RoleBindings %s, and Roster undid it",
		a.Namespace, strings.Join(bindings, ", "))
	return change
}

// TamperingUndone tells that somebody had changed or deleted what was made for an object of a kind that is recorded, and that
// it is again what it should be. The version is that of what was put right.
func TamperingUndone(object client.Object, what, version string) Change {
	kind, _ := KindOf(object)
	change := Change{
		Object: objectOf(kind, object), Existed: object.GetCreationTimestamp().Time, Time: time.Now(), Field: what, Version: version,
		Action: "TamperingUndone", Warning: true, Actor: someone,
		Remark: fmt.Sprintf("somebody changed or removed %s, and Roster undid it", what),
	}
	change.Organization = change.Object.chain()
	return change
}

// Standing tells who holds what, for a start that doesn't know whether the run before has recorded it.
func (a Access) Standing(holders map[string]rbac.Holders) Change {
	var held []rbac.Exchange
	for clusterRole, holders := range holders {
		held = append(held, rbac.Exchange{ClusterRole: clusterRole, Gained: holders.Subjects})
	}
	now, count := enumerate(held, gainers)
	change := a.change("", now)
	change.Action, change.Standing, change.Coalesced = "AccessChanged", true, true
	change.Actor = Actor{Name: ActorUnknown, Because: "Roster was stopped before it recorded what it had changed"}
	change.Remark = fmt.Sprintf("in namespace %s: %d hold access now", a.Namespace, count)
	return change
}

func (a Access) change(previous, next string) Change {
	return Change{
		Object: a.Object, Organization: a.Organization, OrganizationUID: a.OrganizationUID, Time: a.Time, Field: "access in " + a.Namespace,
		Previous: previous, New: next, Version: a.Time.Format(time.RFC3339Nano),
		State: a.State,
	}
}

// actor is who made the changes that this follows from, and the object where it is one.
func (a Access) actor() (Actor, Object) {
	names := sets.New[string]()
	for _, cause := range a.Causes {
		names.Insert(cause.Actor.Name)
	}
	switch {
	case len(a.Causes) == 0:
		return a.Otherwise, Object{}
	case len(a.Causes) == 1:
		return a.Causes[0].Actor, a.Causes[0].Object
	case len(names) == 1:
		return a.Causes[0].Actor, Object{}
	}
	return Actor{Name: strings.Join(sets.List(names), ", ")}, Object{}
}

func gainers(exchange rbac.Exchange) (those, others []rbacv1.Subject) {
	return exchange.Gained, exchange.Lost
}

func losers(exchange rbac.Exchange) (those, others []rbacv1.Subject) {
	return exchange.Lost, exchange.Gained
}

// enumerate names those who are on one side of the exchanges and not on the other, a role after the other, and counts them.
func enumerate(
	exchanges []rbac.Exchange, sides func(rbac.Exchange) (those, others []rbacv1.Subject),
) (text string, count int) {
	byRole := map[string][][2][]rbacv1.Subject{}
	for _, exchange := range exchanges {
		role := exchange.ClusterRole
		if reference, found := rbac.RoleOfClusterRole(role); found {
			role = reference.Name
		}
		those, others := sides(exchange)
		byRole[role] = append(byRole[role], [2][]rbacv1.Subject{those, others})
	}
	var parts []string
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		subjects := net(byRole[role])
		if len(subjects) == 0 {
			continue
		}
		count += len(subjects)
		parts = append(parts, role+": "+nameSubjects(subjects))
	}
	return strings.Join(parts, "; "), count
}

// net leaves out who only moves from one binding of a role to another.
func net(pairs [][2][]rbacv1.Subject) []rbacv1.Subject {
	if len(pairs) == 1 {
		return pairs[0][0]
	}
	others := sets.New[rbacv1.Subject]()
	for _, pair := range pairs {
		others.Insert(pair[1]...)
	}
	var left []rbacv1.Subject
	for _, pair := range pairs {
		for _, subject := range pair[0] {
			if !others.Has(subject) {
				left = append(left, subject)
			}
		}
	}
	return left
}

func nameSubjects(subjects []rbacv1.Subject) string {
	var names []string
	for _, subject := range subjects[:min(len(subjects), namedSubjects)] {
		name := subject.Name
		switch subject.Kind {
		case rbacv1.ServiceAccountKind:
			name = "ServiceAccount " + subject.Namespace + "/" + name
		case rbacv1.GroupKind:
			name = "Group " + name
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if more := len(subjects) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
