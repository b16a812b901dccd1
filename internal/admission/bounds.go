package admission

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
)

// thing is what a bound counts. The flag that sets the bound is --max-THING.
type thing string

const (
	thingAPITokens         thing = "api-tokens"
	thingInvitations       thing = "invitations"
	thingJoinRequests      thing = "join-requests"
	thingListedNames       thing = "listed-names"
	thingMemberships       thing = "memberships"
	thingProjectNamespaces thing = "project-namespaces"
	thingProjects          thing = "projects"
	thingRoleBindings      thing = "role-bindings"
	thingRoles             thing = "roles"
	thingTeams             thing = "teams"

	// All of them, with those that have ended and are kept as a record. So to end one is no growth.
	thingAPITokenRecords    thing = "records of " + thingAPITokens
	thingJoinRequestRecords thing = "records of " + thingJoinRequests
)

// recordsEach is how many there may be, with those that have ended, for each one that may be without them.
const recordsEach = 25

// Bound is how much there may be of something in one organization.
type Bound struct {
	thing thing
	// Most is the number; 0: there is no bound.
	Most int
	// called is what a message calls the thing, and remedy what its reader can do.
	called, remedy string
	// rule by which refusals are counted; ruleBeyondBound if left out.
	rule rule
}

// Flag is the name of the flag that sets the bound.
func (b *Bound) Flag() string { return "max-" + string(b.thing) }

// Bounds are all of them.
type Bounds []Bound

// DefaultBounds hold organizations of 10,000 members with room to grow.
func DefaultBounds() Bounds {
	return Bounds{
		{thing: thingMemberships, Most: 20_000, called: "memberships and users whose removal is held",
			remedy: "delete the Memberships of users who have left, or approve the removals that are held"},
		{thing: thingInvitations, Most: 2_000, called: "invitations that wait for an answer",
			remedy: "wait for answers, or delete the Memberships of invitations that aren't needed"},
		{thing: thingTeams, Most: 2_000, called: "teams", remedy: "delete one that isn't needed"},
		{thing: thingListedNames, Most: 600_000, called: "names listed in Teams and RoleBindings",
			remedy: "list fewer members, maintainers or subjects, or one Team as the subject of a RoleBinding"},
		{thing: thingRoleBindings, Most: 5_000, called: "role bindings",
			remedy: "delete one that isn't needed, or put several subjects into one"},
		{thing: thingRoles, Most: 500, called: "roles", remedy: "delete one that isn't needed"},
		{thing: thingProjects, Most: 5_000, called: "projects", remedy: "delete one that isn't needed"},
		{thing: thingProjectNamespaces, Most: 10_000, called: "namespaces of projects", remedy: "name fewer in spec.namespaces"},
		{thing: thingAPITokens, Most: 20, called: "API tokens of user %s that haven't ended",
			remedy: "revoke or delete one that isn't needed"},
		{thing: thingJoinRequests, Most: 10, called: "join requests that wait for a decision",
			remedy: "wait for a decision, or delete one", rule: ruleJoinFlood},
	}
}

// AddFlags binds each bound to its flag.
func (b Bounds) AddFlags(flags *pflag.FlagSet) {
	for at := range b {
		called := strings.ReplaceAll(b[at].called, "user %s", "one user")
		if b[at].thing == thingJoinRequests {
			called = "join requests of its teams that wait for a decision"
		}
		flags.IntVar(&b[at].Most, b[at].Flag(), b[at].Most, fmt.Sprintf("the most %s in one organization; 0 for no bound", called))
	}
}

// Validate says what is wrong with the bounds.
func (b Bounds) Validate() error {
	for at := range b {
		if b[at].Most < 0 {
			return fmt.Errorf("--%s=%d: choose a number from 1, or 0 for no bound", b[at].Flag(), b[at].Most)
		}
	}
	return nil
}

// of is the bound of a thing. With what has ended, there may be recordsEach times as much.
func (b Bounds) of(thing thing) Bound {
	for _, bound := range b {
		switch {
		case bound.thing == thing:
			return bound
		case thing == thingAPITokenRecords && bound.thing == thingAPITokens:
			bound.Most *= recordsEach
			bound.called = "API tokens of user %s, with those that have ended and are kept as a record"
			bound.remedy = "delete some that have ended"
			return bound
		case thing == thingJoinRequestRecords && bound.thing == thingJoinRequests:
			bound.Most *= recordsEach
			bound.called = "join requests without a decision, with those that were withdrawn"
			bound.remedy = "delete some that were withdrawn"
			return bound
		}
	}
	return Bound{}
}

// scope is within what something is counted.
type scope struct {
	thing thing
	// organization that has it; of a JoinRequest the one that asks.
	organization string
	// user whose it is; for APITokens alone.
	user v1alpha1.Username
}

// amounts are how much there is in some scopes.
type amounts map[scope]int

// amountsOf is what one object counts for. A user whose removal is held keeps what a member has.
func amountsOf(object client.Object) amounts {
	if organization, isOne := object.(*v1alpha1.Organization); isOne {
		if held := organization.Status.HeldRemovals; held != nil {
			return amounts{{thing: thingMemberships, organization: organization.Name}: int(held.Count)}
		}
		return nil
	}
	organization, ok := v1alpha1.OrganizationOf(object.GetNamespace())
	if !ok {
		return nil
	}
	of := func(thing thing) scope { return scope{thing: thing, organization: organization} }
	switch object := object.(type) {
	case *v1alpha1.Membership:
		if isOpen(object) {
			return amounts{of(thingMemberships): 1, of(thingInvitations): 1}
		}
		return amounts{of(thingMemberships): 1}
	case *v1alpha1.Team:
		return amounts{of(thingTeams): 1, of(thingListedNames): len(object.Spec.Members) + len(object.Spec.Maintainers)}
	case *v1alpha1.RoleBinding:
		return amounts{of(thingRoleBindings): 1, of(thingListedNames): len(object.Spec.Subjects)}
	case *v1alpha1.Role:
		return amounts{of(thingRoles): 1}
	case *v1alpha1.Project:
		return amounts{of(thingProjects): 1, of(thingProjectNamespaces): len(object.NamespaceNames())}
	case *v1alpha1.APIToken:
		counted := amounts{{thing: thingAPITokenRecords, organization: organization, user: object.Spec.User}: 1}
		if !object.Spec.Revoked && object.Status.EndedAt == nil {
			counted[scope{thing: thingAPITokens, organization: organization, user: object.Spec.User}] = 1
		}
		return counted
	case *v1alpha1.JoinRequest:
		if object.Spec.Decision != "" {
			return nil
		}
		counted := amounts{{thing: thingJoinRequestRecords, organization: object.Spec.Team.Organization}: 1}
		if object.Status.Phase != v1alpha1.JoinRequestWithdrawn {
			counted[scope{thing: thingJoinRequests, organization: object.Spec.Team.Organization}] = 1
		}
		return counted
	}
	return nil
}

// isOpen says whether an invitation waits for an answer, or is to be made anew. One of a suspended Membership does so once the
// suspension is lifted.
func isOpen(membership *v1alpha1.Membership) bool {
	if !access.IsInvitation(membership) || membership.Spec.Response == v1alpha1.InvitationAccepted {
		return false
	}
	resent := ""
	if membership.Status.Invitation != nil {
		resent = membership.Status.Invitation.Resent
	}
	isUnanswered := membership.Spec.Response == "" && membership.Status.Phase != v1alpha1.MembershipExpired
	asked := membership.Annotations[v1alpha1.AnnotationResendInvitation]
	return isUnanswered || asked != "" && asked != resent
}

// growth is how much more there is after than before, in the scopes where there is more.
func growth(before, after amounts) amounts {
	more := amounts{}
	for scope, amount := range after {
		if amount > before[scope] {
			more[scope] = amount - before[scope]
		}
	}
	return more
}

// excess is a bound that would be exceeded.
type excess struct {
	scope scope
	// amount that there would be.
	amount int
}

// exceeded looks for a bound that is exceeded where something is to grow from what is counted; nil: there is none.
func (b Bounds) exceeded(counted, growth amounts) *excess {
	// In the order of their names, so that the same request reads the same refusal.
	scopes := slices.SortedFunc(maps.Keys(growth), func(x, y scope) int { return strings.Compare(string(x.thing), string(y.thing)) })
	for _, scope := range scopes {
		if amount, most := counted[scope]+growth[scope], b.of(scope.thing).Most; most > 0 && amount > most {
			return &excess{scope: scope, amount: amount}
		}
	}
	return nil
}

// message says what would be exceeded, and what to do.
func (b Bounds) message(found *excess) string {
	bound := b.of(found.scope.thing)
	called := bound.called
	if found.scope.user != "" {
		called = fmt.Sprintf(called, found.scope.user)
	}
	return fmt.Sprintf("organization %s would have %d %s; the bound is %d: %s, or ask a cluster administrator to raise the "+
		"manager's flag --%s", found.scope.organization, found.amount, called, bound.Most, bound.remedy, bound.Flag())
}

// refuseExcess refuses what makes more of something than there may be. What lessens it, or leaves it as it is, passes though
// there is too much. It is the last look, since what it lets pass is counted from then on.
func (r *review) refuseExcess() error {
	if r.tally == nil || r.after == nil {
		return nil
	}
	exists, err := r.existsAlready()
	if err != nil || exists {
		return err
	}
	found := r.tally.admit(r.before, r.after, r.isDryRun, r.now)
	if found == nil {
		return nil
	}
	// Whoever may pass the safeguards isn't bounded.
	may, err := r.may("guard", "safeguards", "", "")
	if err != nil {
		return err
	}
	message := r.tally.bounds.message(found)
	if !may {
		return forbidden(cmp.Or(r.tally.bounds.of(found.scope.thing).rule, ruleBeyondBound), "%s", message)
	}
	r.warnings = append(r.warnings, message)
	return nil
}

// existsAlready says whether what is to be made is there: the API server says so itself, and nothing grows by it.
func (r *review) existsAlready() (bool, error) {
	if r.before != nil {
		return false, nil
	}
	err := r.Cached.Get(r.ctx, client.ObjectKeyFromObject(r.after), newObjects[r.kind](), snapshot.Shared)
	return err == nil, client.IgnoreNotFound(err)
}
