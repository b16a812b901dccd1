package removals

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
)

const (
	// windowLength is the time within which removals count together.
	windowLength = 10 * time.Minute
	// AlwaysAllowed is how many users may lose access within a window, however small the organization.
	AlwaysAllowed = 20
	// switchedOff is the percentage from which nothing is held.
	switchedOff = 100
	// digestBytes are enough to tell one set of held removals from another.
	digestBytes = 8
)

// State is what is remembered of an organization between syncs and restarts.
type State struct {
	// Organization is the object that this is about: a later one of the same name begins anew.
	Organization types.UID
	Access       Access
	Held         Hold
	Window       Window
	// LetGo is when users last lost access to a namespace; older than a window it says nothing.
	LetGo     map[string]time.Time
	Safeguard Safeguard
}

// Hold is what is held: users who keep what they had, though nothing gives it any more.
type Hold struct {
	Groups []Group
	Since  time.Time
	// Nonce tells this hold from others of the same users, so that no earlier approval fits.
	Nonce string
}

// Window is a time in which one budget holds.
type Window struct {
	Begin time.Time
	// Users is the number who had access when it began.
	Users int
	// Percent of them may lose it.
	Percent int
}

// Safeguard is the percentage that counts. A tighter one counts at once; a looser one, which may have come with the very
// commit that removes, a window later.
type Safeguard struct {
	Percent int
	// Asked is the looser one that waits, Since when; meaningless while Since is zero.
	Asked int
	Since time.Time
}

// Situation is what a decision is made on.
type Situation struct {
	World  engine.World
	Result engine.Result
	Gives  Gives
	Now    time.Time
	// Percent is spec.safeguards.maxRemovalPercent.
	Percent int
	// Approved is the digest that the annotation holds.
	Approved string
	// Nonce for a hold that begins now.
	Nonce string
}

// Decision is what to do.
type Decision struct {
	// State to keep.
	State State
	// Changed: the state differs from the last one. Urgent: it has to be kept before anything is written for it.
	Changed, Urgent bool
	// Grants are what the held users keep.
	Grants []engine.Grant
	// Cautious is what they and all others keep who would lose anything, as long as the state can't be kept.
	Cautious []engine.Grant
	// NextChange is when something held ends by itself; zero when nothing does.
	NextChange time.Time
}

// Decide compares what users had with what they have now. Without a last state nobody had anything.
func Decide(last *State, s Situation) Decision {
	decision := decide(last, s)
	if s.Approved == "" || decision.State.Held.Digest() != s.Approved {
		return decision
	}
	// What is held now is what was approved before, as when what was removed besides has been put back. Nothing else may
	// happen that would have it looked at again.
	again := decide(&decision.State, s)
	again.Cautious = append(again.Cautious, decision.Cautious...)
	return again
}

func decide(last *State, s Situation) Decision {
	organization := s.Result.Lineage.Organizations[0]
	if last == nil || last.Organization != organization.UID {
		return Decision{Changed: true, State: State{
			Organization: organization.UID, Access: AccessOf(s.Result), Safeguard: Safeguard{Percent: s.Percent},
		}}
	}
	next := *last
	next.Access = AccessOf(s.Result)
	next.Safeguard = last.Safeguard.follow(s.Percent, s.Now, len(last.Held.Groups) > 0)
	sameAccess := last.Access.People == next.Access.People && equalGroups(last.Access.Groups, next.Access.Groups)
	if sameAccess && len(last.Held.Groups) == 0 {
		return Decision{State: next, Changed: next.Safeguard != last.Safeguard}
	}
	removing := newRemoving(last, s)
	next.Held, next.Window, next.LetGo = removing.judge(next.Safeguard)
	heldChanged := next.Held.Nonce != last.Held.Nonce || !equalGroups(next.Held.Groups, last.Held.Groups)
	decision := Decision{
		State:   next,
		Urgent:  heldChanged || removing.letsGo,
		Changed: heldChanged || removing.letsGo || !sameAccess || next.Safeguard != last.Safeguard,
		Grants:  removing.grants(next.Held.Groups),
	}
	for _, group := range next.Held.Groups {
		if decision.NextChange.IsZero() || !group.Until.IsZero() && group.Until.Before(decision.NextChange) {
			decision.NextChange = group.Until
		}
	}
	if decision.Urgent {
		decision.Cautious = removing.grants(removing.all())
	}
	return decision
}

// follow takes over what the organization asks for.
func (g Safeguard) follow(percent int, now time.Time, holding bool) Safeguard {
	switch {
	case percent <= g.Percent:
		return Safeguard{Percent: percent}
	case g.Since.IsZero() || g.Asked != percent:
		return Safeguard{Percent: g.Percent, Asked: percent, Since: now.UTC().Round(0)}
	case !holding && !now.Before(g.Since.Add(windowLength)):
		return Safeguard{Percent: percent}
	}
	return g
}

// removing is the work on one decision about removals.
type removing struct {
	last      *State
	situation Situation
	// heldBack is asked only where something is held or lost.
	heldBack func(user string) bool
	// stillHeld was held before and nothing has given it back; lost is new. Both leave out what isn't guarded.
	stillHeld, lost losses
	// letsGo: somebody loses access now by this decision.
	letsGo bool
}

func newRemoving(last *State, s Situation) *removing {
	r := &removing{last: last, situation: s}
	comparison := newComparison(last, s)
	now := comparison.reachOf(s.Result.Grants)
	r.stillHeld, r.lost = comparison.losses(last.Held.Groups, now), comparison.losses(last.Access.Groups, now)
	if len(r.stillHeld)+len(r.lost) == 0 {
		return r
	}
	// What would be there but for a gate, a suspension or an end was taken by that and isn't guarded.
	lifted := engine.Evaluate(engine.Lifted(s.World), s.Result.Organization, s.Now)
	removed := comparison.reachOf(slices.Concat(s.Result.Grants, lifted.Grants))
	r.stillHeld, r.lost = comparison.losses(last.Held.Groups, removed), comparison.losses(last.Access.Groups, removed)
	r.heldBack = engine.HeldBack(s.World, s.Result.Organization, s.Now)
	r.letGoOfVanished(comparison)
	maps.DeleteFunc(r.lost, func(user string, _ []Grant) bool {
		return len(r.stillHeld[user]) == 0 && r.heldBack(user)
	})
	return r
}

// letGoOfVanished holds nothing of a vanished Role for users who are held back now: their Membership may be deleted next, and
// then nothing would hold them back. The Role gives it again when it comes back.
func (r *removing) letGoOfVanished(comparison *comparison) {
	for user, grants := range r.stillHeld {
		if !r.heldBack(user) {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(grants), func(grant Grant) bool { return comparison.restored[grant.Role] != nil })
		if r.stillHeld[user] = kept; len(kept) == 0 {
			delete(r.stillHeld, user)
		}
	}
}

// judge says who of those who lose something is held, and what that leaves of the budget.
func (r *removing) judge(safeguard Safeguard) (Hold, Window, map[string]time.Time) {
	now := r.situation.Now
	held := r.stillHeld
	if r.approved() {
		held, r.letsGo = losses{}, true
	}
	hold := Hold{Since: r.last.Held.Since, Nonce: r.last.Held.Nonce}
	if len(held) == 0 {
		hold.Since, hold.Nonce = now.UTC().Round(0), r.situation.Nonce
	}
	window, letGo := r.last.Window, r.last.LetGo
	var candidates []string
	for user := range r.lost {
		if held[user] == nil {
			candidates = append(candidates, user)
		}
	}
	beyond := sets.New[string]()
	if len(candidates) > 0 {
		slices.Sort(candidates)
		window = r.windowFor(safeguard, len(held) > 0)
		letGo, beyond = r.spend(window, candidates, len(held) > 0)
		r.letsGo = r.letsGo || beyond.Len() < len(candidates)
	}
	hold.Groups = r.gather(held, func(user string) bool { return held[user] != nil || beyond.Has(user) })
	if len(hold.Groups) == 0 {
		hold = Hold{}
	}
	return hold, window, letGo
}

// approved says whether exactly what was held is to be let go.
func (r *removing) approved() bool {
	digest := r.last.Held.Digest()
	return digest != "" && r.situation.Approved == digest
}

// windowFor is the window that a removal falls into now. While anything is held none begins.
func (r *removing) windowFor(safeguard Safeguard, holding bool) Window {
	window, now := r.last.Window, r.situation.Now
	if !holding && (window.Begin.IsZero() || !now.Before(window.Begin.Add(windowLength))) {
		return Window{Begin: now.UTC().Round(0), Users: r.last.Access.People, Percent: safeguard.Percent}
	}
	window.Percent = min(window.Percent, safeguard.Percent)
	return window
}

// budget is how many users may lose access within the length of the window.
func (w Window) budget() int {
	return max(AlwaysAllowed, w.Users*w.Percent/100)
}

// spend lets users go as far as the budget reaches, and returns who has been let go lately and who is beyond. Who loses
// something for the second time within a window doesn't count twice. Owners never spend the budget, since they are the ones who
// approve: what goes with the Role owner is always held.
func (r *removing) spend(
	window Window, candidates []string, holding bool,
) (letGo map[string]time.Time, beyond sets.Set[string]) {
	now := r.situation.Now
	beyond = sets.New[string]()
	letGo = maps.Clone(r.last.LetGo)
	maps.DeleteFunc(letGo, func(_ string, at time.Time) bool { return !now.Before(at.Add(windowLength)) })
	if letGo == nil {
		letGo = map[string]time.Time{}
	}
	if window.Percent >= switchedOff && !holding {
		return letGo, beyond
	}
	used := len(letGo)
	for _, user := range candidates {
		if slices.ContainsFunc(r.lost[user], isOwnership) {
			beyond.Insert(user)
			continue
		}
		_, again := letGo[user]
		if !again && (holding || used >= window.budget()) {
			beyond.Insert(user)
			continue
		}
		if !again {
			used++
		}
		letGo[user] = now.UTC().Round(0)
	}
	return letGo, beyond
}

func isOwnership(grant Grant) bool { return grant.Role.Name == v1alpha1.RoleOwner }

// gather joins what was held and what is newly lost, of the users that are chosen.
func (r *removing) gather(held losses, chosen func(user string) bool) []Group {
	groups := newGrouping()
	for _, of := range []losses{held, r.lost} {
		for user, grants := range of {
			if !chosen(user) {
				continue
			}
			for _, grant := range grants {
				grant.Scope = groups.scopes.shared(grant.Scope)
				groups.add(grant, user)
			}
		}
	}
	return groups.sorted()
}

// all is what everybody would keep of whom anything guarded is taken.
func (r *removing) all() []Group {
	return r.gather(r.stillHeld, func(string) bool { return true })
}

// grants are what users keep, as far as nothing holds them back today.
func (r *removing) grants(groups []Group) []engine.Grant {
	via := []engine.ObjectReference{{Kind: engine.KindOrganization, Name: r.situation.Result.Organization}}
	var grants []engine.Grant
	for _, group := range groups {
		var subjects []rbacv1.Subject
		for _, user := range group.Users {
			if !r.heldBack(user) {
				subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
			}
		}
		if len(subjects) > 0 {
			grants = append(grants, engine.Grant{
				Role: group.Role, Subjects: subjects, Scope: group.Scope, Until: group.Until, Via: via,
			})
		}
	}
	return grants
}

// Digest names exactly what is held; empty if nothing is.
func (h Hold) Digest() string {
	if len(h.Groups) == 0 {
		return ""
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%q\n", h.Nonce)
	for _, group := range h.Groups {
		fmt.Fprintf(hash, "%q %q %d %v %q %q\n", group.Role, group.Origin, group.Until.Unix(),
			group.Scope.Organization, group.Scope.Namespaces, group.Users)
	}
	return hex.EncodeToString(hash.Sum(nil)[:digestBytes])
}

// Users are the names of all who are held, sorted.
func (h Hold) Users() []string { return usersOf(h.Groups) }

// Has says whether a user is held.
func (h Hold) Has(user string) bool {
	return slices.ContainsFunc(h.Groups, func(group Group) bool {
		_, found := slices.BinarySearch(group.Users, user)
		return found
	})
}

// HasRole says whether anybody keeps a role.
func (h Hold) HasRole(role engine.RoleReference) bool {
	return slices.ContainsFunc(h.Groups, func(group Group) bool { return group.Role == role })
}

// Keeps says whether access in a project's namespace is held.
func (h Hold) Keeps(namespace string) bool {
	return slices.ContainsFunc(h.Groups, func(group Group) bool {
		_, found := slices.BinarySearch(group.Scope.Namespaces, namespace)
		return found
	})
}
