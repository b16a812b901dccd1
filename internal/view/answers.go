// Package view answers questions about organizations as an extension API server: who is a member, who may do what and
// why, what was changed. Answers are computed from the manager's caches when they are asked for; nothing is stored.
package view

import (
	"context"
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
	"github.com/roster-dev/roster/internal/snapshot"
)

// listLife is how long the chunks of a list may come from the answer that it began with.
const listLife = 30 * time.Second

// Answers works out what is asked of organizations, and keeps each answer until something changes.
type Answers struct {
	reader  client.Reader
	clock   clock.PassiveClock
	changes *changes
	seed    maphash.Seed

	lock sync.Mutex
	kept map[string]*kept
}

// NewAnswers reads from caches that keep the indexes of internal/snapshot.
func NewAnswers(reader client.Reader, clock clock.PassiveClock) *Answers {
	return &Answers{
		reader: reader, clock: clock, changes: newChanges(), seed: maphash.MakeSeed(), kept: map[string]*kept{},
	}
}

// Follow has the answers follow what arrives in the caches. To be called once, before anything is asked.
func (a *Answers) Follow(ctx context.Context, informers cache.Informers) error {
	return a.changes.follow(ctx, informers)
}

// kept is the last answer about one organization, and what it rests on.
type kept struct {
	lock   sync.Mutex
	answer *answer
	count  uint64
	// evaluated is the fingerprint of what the engine reads, shown of what is shown besides.
	evaluated, shown uint64
	// checked is when the answer was last known to be current.
	checked time.Time
}

// recent is the last answer if it isn't old.
func (k *kept) recent(now time.Time) *answer {
	k.lock.Lock()
	defer k.lock.Unlock()
	if now.Sub(k.checked) >= listLife {
		return nil
	}
	return k.answer
}

// answer is what is known of one organization at one instant. It doesn't change any more.
type answer struct {
	result  access.Result
	members memberTable
	grants  func() *grantTable
}

// continuing is the answer that a list began with, if that isn't long ago: the chunks of a list speak of one instant, and
// cost nothing where much is changing.
func (a *Answers) continuing(ctx context.Context, organization string, start position) (*answer, error) {
	if start.in(v1alpha1.OrganizationNamespace(organization)) != "" {
		if answer := a.place(organization).recent(a.clock.Now()); answer != nil {
			return answer, nil
		}
	}
	return a.of(ctx, organization)
}

// of is the answer about an organization as the caches have it now.
func (a *Answers) of(ctx context.Context, organization string) (*answer, error) {
	kept := a.place(organization)
	kept.lock.Lock()
	defer kept.lock.Unlock()
	count, _ := a.changes.seen()
	now := a.clock.Now()
	lasts := kept.answer != nil && !changedByItself(kept.answer.result, now)
	if lasts && kept.count == count {
		kept.checked = now
		return kept.answer, nil
	}
	facts, err := a.load(ctx, organization)
	if err != nil {
		return nil, err
	}
	evaluated, shown := a.fingerprints(facts)
	switch {
	case !lasts || kept.evaluated != evaluated:
		kept.answer = newAnswer(facts, kept.answer, now)
	case kept.shown != shown:
		kept.answer = kept.answer.withUsers(facts, now)
	}
	kept.count, kept.evaluated, kept.shown, kept.checked = count, evaluated, shown, now
	if kept.answer.result.Lineage == nil {
		a.forget(organization)
	}
	return kept.answer, nil
}

func (a *Answers) place(organization string) *kept {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.kept[organization] == nil {
		a.kept[organization] = &kept{}
	}
	return a.kept[organization]
}

func (a *Answers) forget(organization string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	delete(a.kept, organization)
}

// changedByItself says whether an instant has passed at which an evaluation changes although no object does.
func changedByItself(result access.Result, now time.Time) bool {
	return !result.NextChange.IsZero() && !now.Before(result.NextChange)
}

// facts are what an answer is made from. They belong to the cache and must not be changed.
type facts struct {
	organization string
	world        access.World
	users        []v1alpha1.User
}

func (a *Answers) load(ctx context.Context, organization string) (facts, error) {
	world, err := snapshot.Load(ctx, a.reader, organization)
	if err != nil {
		return facts{}, err
	}
	var users v1alpha1.UserList
	if err := a.reader.List(ctx, &users, snapshot.Shared); err != nil {
		return facts{}, err
	}
	return facts{organization: organization, world: world, users: users.Items}, nil
}

func newAnswer(facts facts, before *answer, now time.Time) *answer {
	result := access.Evaluate(facts.world, facts.organization, now)
	var last *memberTable
	if before != nil {
		last = &before.members
	}
	return &answer{
		result:  result,
		members: newMemberTable(members.Of(facts.world, facts.users, result), last, now),
		grants:  sync.OnceValue(func() *grantTable { return newGrantTable(result) }),
	}
}

// withUsers is the same answer with what is known of users now: when they were last seen changes every few minutes, and
// nobody's access with it.
func (a *answer) withUsers(facts facts, now time.Time) *answer {
	next := *a
	next.members = newMemberTable(members.Of(facts.world, facts.users, a.result), &a.members, now)
	return &next
}

// fingerprints differ when any of the objects does, in whatever order they are listed: the first by what the engine reads of
// them, the second also by what is shown of users besides.
func (a *Answers) fingerprints(facts facts) (evaluated, shown uint64) {
	var sum uint64
	addAll(a.seed, &sum, facts.world.Organizations)
	addAll(a.seed, &sum, facts.world.Memberships)
	addAll(a.seed, &sum, facts.world.Teams)
	addAll(a.seed, &sum, facts.world.Projects)
	addAll(a.seed, &sum, facts.world.Roles)
	addAll(a.seed, &sum, facts.world.RoleBindings)
	addAll(a.seed, &sum, facts.world.Namespaces)
	for _, token := range facts.world.APITokens {
		sum += generationHash(a.seed, token)
	}
	for i := range facts.users {
		sum += generationHash(a.seed, &facts.users[i])
		shown += versionHash(a.seed, &facts.users[i])
	}
	for role := range facts.world.AtMostDeveloper {
		sum += maphash.String(a.seed, role.Organization+"/"+role.Name)
	}
	return sum, shown
}

func addAll[T client.Object](seed maphash.Seed, sum *uint64, objects []T) {
	for _, object := range objects {
		*sum += versionHash(seed, object)
	}
}

func versionHash(seed maphash.Seed, object client.Object) uint64 {
	return maphash.String(seed, string(object.GetUID())+"/"+object.GetResourceVersion())
}

// generationHash differs when the spec does, and when the object begins to be deleted.
func generationHash(seed maphash.Seed, object client.Object) uint64 {
	return maphash.String(seed, string(object.GetUID())+"/"+strconv.FormatInt(object.GetGeneration(), 10))
}

// inScope are the organizations whose answers a namespace asks for: the one that it belongs to, or all of them, by the
// names of their namespaces, where none is named.
func (a *Answers) inScope(ctx context.Context, namespace string) ([]string, error) {
	if namespace != "" {
		organization, found := v1alpha1.OrganizationOf(namespace)
		if !found {
			return nil, nil
		}
		return []string{organization}, nil
	}
	var organizations v1alpha1.OrganizationList
	if err := a.reader.List(ctx, &organizations, snapshot.Shared); err != nil {
		return nil, err
	}
	var names []string
	for i := range organizations.Items {
		if !organizations.Items[i].IsPersonal() {
			names = append(names, organizations.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
