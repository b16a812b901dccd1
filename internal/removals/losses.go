package removals

import (
	"encoding/binary"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
)

// Gives says whether a role gives anything in the organization's own namespace, and in those of projects.
type Gives func(role engine.RoleReference) (organization, projects bool)

// area is where something is given.
type area struct {
	scope                  *engine.Scope
	organization, projects bool
}

// losses are by user what they had in namespaces where nothing is left. Users who had and have the same share them.
type losses map[string][]Grant

// comparison finds losses. It works on each combination of what is had and what is left once, not on each user in each
// namespace.
type comparison struct {
	gives   Gives
	scopes  *sharedScopes
	numbers map[area]int
	areas   []area
	// guarded says of namespaces that losing them counts; "" is the organization's own.
	guarded map[string]bool
	// stands says whether what gave something could still give it.
	stands func(Grant) bool
	// restored is who would hold each Role that has vanished, and where, if it were still there.
	restored map[engine.RoleReference]reach
	covered  map[[2]int]bool
	left     map[string]map[string]bool
	lost     map[string][]Grant
}

func newComparison(last *State, s Situation) *comparison {
	c := &comparison{
		gives: s.Gives, scopes: newSharedScopes(), numbers: map[area]int{},
		guarded: guardedNamespaces(s.World, s.Result), restored: map[engine.RoleReference]reach{},
		covered: map[[2]int]bool{}, left: map[string]map[string]bool{},
	}
	vanished := vanishedRoles(last, s)
	c.stands = standing(s, vanished)
	if len(vanished) == 0 {
		return c
	}
	grants := map[engine.RoleReference][]engine.Grant{}
	world := engine.WithRoles(s.World, slices.Collect(maps.Keys(vanished))...)
	for _, grant := range engine.Evaluate(world, s.Result.Organization, s.Now).Grants {
		grants[grant.Role] = append(grants[grant.Role], grant)
	}
	for role := range vanished {
		c.restored[role] = c.reachOf(grants[role])
	}
	return c
}

// number numbers the place where a role holds, and says whether the role gives anything there.
func (c *comparison) number(role engine.RoleReference, scope *engine.Scope) (number int, gives bool) {
	organization, projects := c.gives(role)
	at := area{
		scope:        c.scopes.shared(scope),
		organization: organization && scope.Organization,
		projects:     projects && len(scope.Namespaces) > 0,
	}
	if !at.organization && !at.projects {
		return 0, false
	}
	number, known := c.numbers[at]
	if !known {
		number = len(c.areas)
		c.numbers[at] = number
		c.areas = append(c.areas, at)
	}
	return number, true
}

// reach is by user the numbers of the areas where the user has something, sorted and distinct.
type reach map[string][]int

func (c *comparison) reachOf(grants []engine.Grant) reach {
	found := reach{}
	for _, grant := range grants {
		number, gives := c.number(grant.Role, grant.Scope)
		if !gives {
			continue
		}
		for _, subject := range grant.Subjects {
			numbers := found[subject.Name]
			if subject.Kind != rbacv1.UserKind {
				continue
			}
			if at, known := slices.BinarySearch(numbers, number); !known {
				found[subject.Name] = slices.Insert(numbers, at, number)
			}
		}
	}
	return found
}

// losses compares what users had with what they reach now.
func (c *comparison) losses(had []Group, now reach) losses {
	byUser := map[string][]int{}
	for at, group := range had {
		if _, gives := c.number(group.Role, group.Scope); !gives || !c.stands(group.Grant) {
			continue
		}
		for _, user := range group.Users {
			// spec.owners alone says who is an owner; what owners may do goes with the Role.
			if group.Role.Name == v1alpha1.RoleOwner && len(c.restored[group.Role][user]) == 0 {
				continue
			}
			byUser[user] = append(byUser[user], at)
		}
	}
	c.lost = map[string][]Grant{}
	found := losses{}
	for user, groups := range byUser {
		key := keyOf(groups) + keyOf(now[user])
		for _, at := range groups {
			key += keyOf(c.restored[had[at].Role][user])
		}
		lost, known := c.lost[key]
		if !known {
			lost = c.lostOf(had, groups, user, now[user])
			c.lost[key] = lost
		}
		if len(lost) > 0 {
			found[user] = lost
		}
	}
	return found
}

// keyOf begins with the length, so that keys can be put one after another.
func keyOf(numbers []int) string {
	key := binary.AppendUvarint(make([]byte, 0, 2+2*len(numbers)), uint64(len(numbers)))
	for _, number := range numbers {
		key = binary.AppendUvarint(key, uint64(number))
	}
	return string(key)
}

// lostOf is what is lost of some groups by a user who reaches some areas now. Where a Role has vanished that the user would
// still hold, it is lost, whatever else the user has there: nobody took it from this user.
func (c *comparison) lostOf(had []Group, groups []int, user string, now []int) []Grant {
	var lost []Grant
	for _, at := range groups {
		number, _ := c.number(had[at].Role, had[at].Scope)
		vanished := c.restored[had[at].Role][user]
		if len(vanished) == 0 && slices.ContainsFunc(now, func(other int) bool { return c.covers(other, number) }) {
			continue
		}
		left := c.namespacesOf(now)
		if len(vanished) > 0 {
			left = maps.Clone(left)
			for namespace := range c.namespacesOf(vanished) {
				delete(left, namespace)
			}
		}
		if scope := c.without(c.areas[number], left); scope != nil {
			grant := had[at].Grant
			grant.Scope = scope
			lost = append(lost, grant)
		}
	}
	return lost
}

// covers says whether one area holds all of another one.
func (c *comparison) covers(whole, part int) bool {
	if whole == part {
		return true
	}
	key := [2]int{whole, part}
	covers, known := c.covered[key]
	if !known {
		covers = c.without(c.areas[part], c.namespacesOf([]int{whole})) == nil
		c.covered[key] = covers
	}
	return covers
}

// namespacesOf are all namespaces of some areas; "" is the organization's own.
func (c *comparison) namespacesOf(areas []int) map[string]bool {
	key := keyOf(areas)
	if found := c.left[key]; found != nil {
		return found
	}
	found := map[string]bool{}
	for _, number := range areas {
		at := c.areas[number]
		if at.organization {
			found[""] = true
		}
		if !at.projects {
			continue
		}
		for _, namespace := range at.scope.Namespaces {
			found[namespace] = true
		}
	}
	c.left[key] = found
	return found
}

// without is what of an area is guarded and isn't left, or nil.
func (c *comparison) without(at area, left map[string]bool) *engine.Scope {
	lost := &engine.Scope{Organization: at.organization && c.guarded[""] && !left[""]}
	if at.projects {
		for _, namespace := range at.scope.Namespaces {
			if c.guarded[namespace] && !left[namespace] {
				lost.Namespaces = append(lost.Namespaces, namespace)
			}
		}
	}
	if !lost.Organization && len(lost.Namespaces) == 0 {
		return nil
	}
	return c.scopes.shared(lost)
}

// guardedNamespaces are those that are there to be lost: the organization's own as "", and those of its projects, also
// where the Project is gone and the namespace isn't released yet. A project whose deletion was confirmed, and that takes
// its namespaces along, isn't among them.
func guardedNamespaces(world engine.World, result engine.Result) map[string]bool {
	ending := map[string]bool{}
	for _, project := range world.Projects {
		ending[project.Name] = project.DeletionTimestamp != nil && engine.DeletionConfirmed(project) &&
			project.Spec.DeletionPolicy == v1alpha1.DeletionDelete
	}
	guarded := map[string]bool{"": result.Namespace != ""}
	for _, namespace := range world.Namespaces {
		project := namespace.Labels[v1alpha1.LabelProject]
		state := engine.CheckProjectNamespace(namespace.Name, namespace, result.Organization, project)
		guarded[namespace.Name] = project != "" && state == engine.NamespaceInOrder && !ending[project]
	}
	return guarded
}

// standing says of a grant whether the organizations that its Role and the grant itself are written in, here or above, are
// still there, and the grant hasn't ended. A grant that goes with an organization isn't an accident with Memberships, Teams,
// RoleBindings or Roles.
func standing(s Situation, vanished map[engine.RoleReference]bool) func(Grant) bool {
	roles := liveRoles(s.World)
	origins := map[string]bool{}
	for _, organization := range s.Result.Lineage.Organizations {
		origins[organization.Name] = !engine.IsEnding(organization) &&
			!namespaceIsEnding(s.World.Namespaces, organization.Name)
	}
	return func(grant Grant) bool {
		return (roles[grant.Role] || vanished[grant.Role]) && origins[grant.Origin] && grant.lasts(s.Now)
	}
}

// vanishedRoles are the Roles that users had or keep, and that are no more, in the catalogue, here or above. Those of an
// organization that this one isn't below any more aren't among them.
func vanishedRoles(last *State, s Situation) map[engine.RoleReference]bool {
	live, lineage := liveRoles(s.World), lineageOf(s.Result)
	vanished := map[engine.RoleReference]bool{}
	for _, groups := range [][]Group{last.Access.Groups, last.Held.Groups} {
		for _, group := range groups {
			role := group.Role
			if !live[role] && (role.Organization == "" || lineage.Has(role.Organization)) {
				vanished[role] = true
			}
		}
	}
	return vanished
}

// liveRoles are those that aren't being deleted.
func liveRoles(world engine.World) map[engine.RoleReference]bool {
	live := map[engine.RoleReference]bool{}
	for _, role := range world.Roles {
		if role.DeletionTimestamp == nil {
			live[engine.ReferenceTo(role)] = true
		}
	}
	return live
}

// namespaceIsEnding says whether an organization's namespace is being deleted and that was confirmed.
func namespaceIsEnding(namespaces []*corev1.Namespace, organization string) bool {
	return slices.ContainsFunc(namespaces, func(namespace *corev1.Namespace) bool {
		return namespace.Name == v1alpha1.OrganizationNamespace(organization) && namespace.DeletionTimestamp != nil &&
			engine.DeletionConfirmed(namespace)
	})
}
