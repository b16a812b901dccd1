// Package view answers questions about organizations as an extension API server: who is a member, who may do what and
// why, what was changed. Answers are computed from the manager's caches when they are asked for; nothing is stored.
package view

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/members"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// listLife is how long an answer that was replaced still serves the lists that began with it.
	listLife = 30 * time.Second
	// rememberedAnswers is how many of those there are of one organization at most.
	rememberedAnswers = 8
)

// Answers works out what is asked of organizations, and keeps each answer until something changes.
type Answers struct {
	reader  client.Reader
	clock   clock.PassiveClock
	changes *changes
	// pageRows is the most rows of one answer.
	pageRows int

	lock sync.Mutex
	// kept are the answers by the uids of organizations: one that is made under the name of another never gets that one's.
	kept map[types.UID]*kept
}

// NewAnswers reads from caches that keep the indexes of internal/snapshot. No answer has more rows than pageRows.
func NewAnswers(reader client.Reader, clock clock.PassiveClock, pageRows int) *Answers {
	return &Answers{
		reader: reader, clock: clock, changes: newChanges(), pageRows: pageRows, kept: map[types.UID]*kept{},
	}
}

// Follow has the answers follow what arrives in the caches. To be called once, before anything is asked.
func (a *Answers) Follow(ctx context.Context, informers cache.Informers) error {
	if err := a.changes.follow(ctx, informers); err != nil {
		return err
	}
	informer, err := informers.GetInformer(ctx, &v1alpha1.Organization{})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(deleted any) {
		if unknown, ok := deleted.(toolscache.DeletedFinalStateUnknown); ok {
			deleted = unknown.Obj
		}
		if organization, ok := deleted.(*v1alpha1.Organization); ok {
			a.forget(organization.UID)
		}
	}})
	return err
}

// kept is the last answer about one organization, and what it rests on.
type kept struct {
	lock   sync.Mutex
	answer *answer
	count  uint64
	// evaluated is the fingerprint of what the engine reads, shown of what is shown besides.
	evaluated, shown uint64
	// replaced are earlier answers that lists began with, the oldest first.
	replaced []replaced
}

// replaced is an earlier answer, and until when it may serve.
type replaced struct {
	*answer
	until time.Time
}

// replace puts a new answer in place of the last one, which the lists that began with it may need a little longer.
func (k *kept) replace(next *answer, now time.Time) {
	if k.answer != nil && k.answer.isContinued.Load() {
		k.replaced = append(k.replaced, replaced{k.answer, now.Add(listLife)})
	}
	k.replaced = slices.DeleteFunc(k.replaced, func(earlier replaced) bool { return !now.Before(earlier.until) })
	k.replaced = k.replaced[max(0, len(k.replaced)-rememberedAnswers):]
	k.answer = next
}

// answer is what is known of one organization at one instant. It doesn't change any more.
type answer struct {
	uid     types.UID
	result  access.Result
	members memberTable
	grants  func() *grantTable
	// versions tell this answer's members, and its grants, from those of other answers. They follow from what the answer rests
	// on, so that each replica gives the same ones.
	versions versions
	// isContinued: a list that began with this answer goes on.
	isContinued *atomic.Bool
}

type versions struct{ members, grants string }

// continuing is the answer that a list began with, which need not be the last one; nil where it isn't kept any more.
func (a *Answers) continuing(
	ctx context.Context, organization string, isBeginning func(*answer) bool,
) (*answer, error) {
	found := &v1alpha1.Organization{}
	err := a.reader.Get(ctx, client.ObjectKey{Name: organization}, found, snapshot.Shared)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if beginning := a.place(found.UID).find(a.clock.Now(), isBeginning); beginning != nil {
		return beginning, nil
	}
	// Another replica gave the beginning, perhaps, of what is the same here.
	latest, err := a.of(ctx, organization)
	if err != nil || !isBeginning(latest) {
		return nil, err
	}
	return latest, nil
}

func (k *kept) find(now time.Time, isBeginning func(*answer) bool) *answer {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.answer != nil && isBeginning(k.answer) {
		return k.answer
	}
	for _, earlier := range k.replaced {
		if now.Before(earlier.until) && isBeginning(earlier.answer) {
			return earlier.answer
		}
	}
	return nil
}

// of is the answer about an organization as the caches have it now.
func (a *Answers) of(ctx context.Context, organization string) (*answer, error) {
	found := &v1alpha1.Organization{}
	err := a.reader.Get(ctx, client.ObjectKey{Name: organization}, found, snapshot.Shared)
	switch {
	case apierrors.IsNotFound(err):
		return newAnswer(facts{organization: organization}, nil, a.clock.Now()), nil
	case err != nil:
		return nil, err
	}
	kept := a.place(found.UID)
	kept.lock.Lock()
	defer kept.lock.Unlock()
	count, _ := a.changes.seen()
	now := a.clock.Now()
	lasts := kept.answer != nil && !changedByItself(kept.answer.result, now)
	if lasts && kept.count == count {
		return kept.answer, nil
	}
	facts, err := a.load(ctx, organization)
	if err != nil {
		return nil, err
	}
	if facts.uid() != found.UID {
		// The organization has gone meanwhile; another one may have its name.
		return newAnswer(facts, nil, now), nil
	}
	evaluated, shown := fingerprints(facts)
	switch {
	case !lasts || kept.evaluated != evaluated:
		kept.replace(newAnswer(facts, kept.answer, now).withVersions(evaluated, shown), now)
	case kept.shown != shown:
		kept.replace(kept.answer.withUsers(facts, now).withVersions(evaluated, shown), now)
	}
	kept.count, kept.evaluated, kept.shown = count, evaluated, shown
	return kept.answer, nil
}

// withVersions names an answer by the fingerprints of what it rests on, and by the instant until which it lasts.
func (a *answer) withVersions(evaluated, shown uint64) *answer {
	a.versions.grants = fmt.Sprintf("%x-%x", evaluated, a.result.NextChange.Unix())
	a.versions.members = fmt.Sprintf("%s-%x", a.versions.grants, shown)
	return a
}

func (a *Answers) place(organization types.UID) *kept {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.kept[organization] == nil {
		a.kept[organization] = &kept{}
	}
	return a.kept[organization]
}

func (a *Answers) forget(organization types.UID) {
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
	// empty are the ClusterRoles of Roles without a rule: nobody is bound to one, and nobody holds it.
	empty sets.Set[string]
}

// uid is that of the organization; empty where there is none.
func (f facts) uid() types.UID {
	for _, organization := range f.world.Organizations {
		if organization.Name == f.organization {
			return organization.UID
		}
	}
	return ""
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
	empty, err := a.emptyRoles(ctx, world.Roles)
	return facts{organization: organization, world: world, users: users.Items, empty: empty}, err
}

// emptyRoles are the ClusterRoles of Roles that are compiled and have no rule. One that isn't compiled yet may come to have
// some.
func (a *Answers) emptyRoles(ctx context.Context, roles []*v1alpha1.Role) (sets.Set[string], error) {
	empty := sets.New[string]()
	for _, role := range roles {
		reference := access.ReferenceTo(role)
		for _, name := range []string{rbac.ProjectClusterRole(reference), rbac.OrganizationClusterRole(reference)} {
			compiled := &rbacv1.ClusterRole{}
			err := a.reader.Get(ctx, client.ObjectKey{Name: name}, compiled, snapshot.Shared)
			if client.IgnoreNotFound(err) != nil {
				return nil, err
			}
			if err == nil && len(compiled.Rules) == 0 {
				empty.Insert(name)
			}
		}
	}
	return empty, nil
}

func newAnswer(facts facts, before *answer, now time.Time) *answer {
	result := access.Evaluate(facts.world, facts.organization, now)
	var last *memberTable
	if before != nil {
		last = &before.members
	}
	return &answer{
		uid: facts.uid(), isContinued: &atomic.Bool{},
		result:  result,
		members: newMemberTable(members.Of(facts.world, facts.users, result), last, now),
		grants:  sync.OnceValue(func() *grantTable { return newGrantTable(result, facts.empty) }),
	}
}

// withUsers is the same answer with what is known of users now: when they were last seen changes every few minutes, and
// nobody's access with it.
func (a *answer) withUsers(facts facts, now time.Time) *answer {
	next := *a
	next.isContinued = &atomic.Bool{}
	next.members = newMemberTable(members.Of(facts.world, facts.users, a.result), &a.members, now)
	return &next
}

// fingerprints differ when any of the objects does, in whatever order they are listed: the first by what the engine reads of
// them and what is shown of grants, the second also by what is shown of users besides.
func fingerprints(facts facts) (evaluated, shown uint64) {
	var sum uint64
	addAll(&sum, facts.world.Organizations)
	addAll(&sum, facts.world.Memberships)
	addAll(&sum, facts.world.Teams)
	addAll(&sum, facts.world.Projects)
	addAll(&sum, facts.world.Roles)
	addAll(&sum, facts.world.RoleBindings)
	addAll(&sum, facts.world.Namespaces)
	for _, token := range facts.world.APITokens {
		sum += generationHash(token)
	}
	for i := range facts.users {
		sum += generationHash(&facts.users[i])
		shown += versionHash(&facts.users[i])
	}
	for role := range facts.world.AtMostDeveloper {
		sum += hash(role.Organization, role.Name)
	}
	for name := range facts.empty {
		sum += hash("empty", name)
	}
	return sum, shown
}

func addAll[T client.Object](sum *uint64, objects []T) {
	for _, object := range objects {
		*sum += versionHash(object)
	}
}

func versionHash(object client.Object) uint64 {
	return hash(string(object.GetUID()), object.GetResourceVersion())
}

// generationHash differs when the spec does, and when the object begins to be deleted.
func generationHash(object client.Object) uint64 {
	return hash(string(object.GetUID()), strconv.FormatInt(object.GetGeneration(), 10))
}

func hash(parts ...string) uint64 {
	sum := fnv.New64a()
	for _, part := range parts {
		// A Hash takes every text.
		_, _ = io.WriteString(sum, part)
		_, _ = sum.Write([]byte{0})
	}
	return sum.Sum64()
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
