package admission_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// chain is all that a user's role somewhere rests on, by who wrote it.
type chain struct {
	organization, user, place string
	role                      access.RoleReference
	via                       []access.ObjectReference
	at                        time.Time
	// name is who wrote the role's name; subject, of a RoleBinding, is who wrote the one that the user is, or is in; own are
	// the other fields of the object that names the role.
	name, subject *mark
	own           []*mark
	// edges are how the user is in the set that holds the role, from the top: Teams below Teams, and the member.
	edges []*mark
	// content is what the Role allows, ground what else all that takes: projects, labels, a Membership that was uncovered;
	// joined is what made the user a member.
	content, ground []*mark
	joined          *mark
}

// violation is a chain of which one element was written by somebody who may not give the role.
type violation struct {
	chain
	blamed *mark
	// covered: the user holds the same by another chain that is in order.
	covered bool
}

// String tells what is held and whose doing it isn't for.
func (v violation) String() string {
	return fmt.Sprintf("%s holds role %q in organization %s (%s) at %s by %v, where %q of %s was written by %s, who may not give it (#%d)",
		v.user, v.role.Name, v.organization, v.place, v.at.Format(time.TimeOnly), v.via, v.blamed.element, keyOf(v.blamed.object()),
		v.blamed.author, v.blamed.number)
}

// violations are all grants, now and when dates begin and end, that nobody who may give the role wrote.
func (c *cluster) violations() []violation {
	m := c.latest()
	var found []violation
	for _, organization := range all[*v1alpha1.Organization](m) {
		for _, at := range instants(m) {
			found = append(found, c.violationsAt(m, organization.Name, at)...)
		}
	}
	return found
}

func (c *cluster) violationsAt(m *moment, organization string, at time.Time) []violation {
	var found []violation
	var justified []chain
	for _, grant := range evaluated(m, organization, at).Grants {
		if grant.Role == (access.RoleReference{Name: v1alpha1.RoleTeamMaintainer}) {
			continue
		}
		for _, one := range c.chains(m, organization, grant) {
			one.at = at
			if blamed := one.blame(); blamed != nil {
				found = append(found, violation{chain: one, blamed: blamed})
			} else {
				justified = append(justified, one)
			}
		}
	}
	for i, v := range found {
		found[i].covered = slices.ContainsFunc(justified, func(other chain) bool {
			return other.user == v.user && other.role == v.role && (other.place == v.place || other.place == everything)
		})
	}
	return found
}

// evaluated takes nobody for held back, which may be lifted without asking again.
func evaluated(m *moment, organization string, at time.Time) access.Result {
	world := m.world()
	world.Users = nil
	return access.Evaluate(world, organization, at)
}

// instants are now and whenever something begins or ends.
func instants(m *moment) []time.Time {
	found := []time.Time{m.at}
	for _, binding := range all[*v1alpha1.RoleBinding](m) {
		found = append(found, beginOf(binding), endOf(binding))
	}
	for _, membership := range all[*v1alpha1.Membership](m) {
		found = append(found, endOf(membership))
	}
	found = slices.DeleteFunc(found, func(at time.Time) bool { return at.Before(m.at) })
	slices.SortFunc(found, time.Time.Compare)
	return slices.CompactFunc(found, time.Time.Equal)
}

// beginOf is when an object's grant begins; zero is always.
func beginOf(object client.Object) time.Time {
	if binding, is := object.(*v1alpha1.RoleBinding); is && binding.Spec.NotBefore != nil {
		return binding.Spec.NotBefore.Time
	}
	return time.Time{}
}

// endOf is when an object's grant ends; zero is never.
func endOf(object client.Object) time.Time {
	var end *metav1.Time
	switch object := object.(type) {
	case *v1alpha1.Membership:
		end = object.Spec.ExpiresAt
	case *v1alpha1.RoleBinding:
		end = object.Spec.ExpiresAt
	}
	if end == nil {
		return time.Time{}
	}
	return end.Time
}

// isLater compares two ends, of which zero is never.
func isLater(before, after time.Time) bool {
	return !before.IsZero() && (after.IsZero() || after.After(before))
}

// blame is an element of the chain whose author had no right to write it, or nil.
//
// Whoever names the role may give it, where it is written and wherever it takes effect. Whoever adds to the set that holds it
// may give it too, or maintains the team, or did so before somebody who may give the role tied the set to it: that author
// could see who is in the set. All else may also have been there before somebody who may give the role wrote any part.
func (c *chain) blame() *mark {
	if !c.isAuthorized(c.name) && !c.isSpread(c.name) {
		return c.name
	}
	tied := []*mark{c.name}
	for _, own := range append(present(c.subject), c.own...) {
		if !c.isJustified(own, tied) {
			return own
		}
	}
	tied = append(tied, present(c.subject)...)
	for _, edge := range c.edges {
		if !c.isJustified(edge, tied) {
			return edge
		}
		tied = append(tied, edge)
	}
	tied = append(tied, c.own...)
	for _, edge := range c.edges {
		for above := edge.maintainer; above != nil; above = above.maintainer {
			tied = append(tied, above)
		}
	}
	tied = slices.Concat(tied, c.content, c.ground)
	for _, other := range slices.Concat(c.content, c.ground) {
		if !c.isJustified(other, tied) {
			return other
		}
	}
	isBefore := func(edge *mark) bool { return c.joined.isBefore(edge) }
	if c.joined != nil && !c.isJustified(c.joined, tied) && !slices.ContainsFunc(c.edges, isBefore) {
		return c.joined
	}
	return nil
}

func (c *chain) isJustified(element *mark, tied []*mark) bool {
	return c.isAuthorized(element) || element.isMaintainers() && c.isJustified(element.maintainer, tied) ||
		c.isBeforeAuthorized(element, tied) || c.isSpread(element)
}

// isBeforeAuthorized says whether somebody who may give the role wrote one of the others after the element was let through.
func (c *chain) isBeforeAuthorized(element *mark, others []*mark) bool {
	return slices.ContainsFunc(others, func(other *mark) bool { return c.isAuthorized(other) && element.isBefore(other) })
}

// isSpread says whether the author could give the role where the element is written, and somebody who may give it below as well
// made it reach there.
func (c *chain) isSpread(element *mark) bool {
	return c.mayGive(element, organizationOf(element.object())) && c.isBeforeAuthorized(element, slices.Concat(c.own, c.ground))
}

// isMaintainers says whether it is a part of a team that its maintainers may write, written by one.
func (m *mark) isMaintainers() bool {
	return m.maintainer != nil && (strings.HasPrefix(m.element, "member ") || strings.HasPrefix(m.element, "maintainer "))
}

// isAuthorized says whether the author could give the role, where the element is written and where it takes effect.
func (c *chain) isAuthorized(element *mark) bool {
	return c.mayGive(element, organizationOf(element.object()), c.organization)
}

// mayGive says whether the author could give the role in some organizations when the review began, or when it ended.
func (c *chain) mayGive(element *mark, organizations ...string) bool {
	return slices.ContainsFunc([]*moment{element.began, element.ended}, func(m *moment) bool {
		return !slices.ContainsFunc(organizations, func(organization string) bool {
			return organization != "" && !m.mayAssign(element.author, c.role.Name, organization)
		})
	})
}

// isBefore says whether the element was let through before the other was written. What has to do with Memberships and
// Organizations is judged by what the caches hold.
func (m *mark) isBefore(other *mark) bool {
	if isCached(m.object()) || isCached(other.object()) {
		return m.cached < other.committed
	}
	return m.admitted < other.committed
}

func isCached(object client.Object) bool {
	switch object.(type) {
	case *v1alpha1.Membership, *v1alpha1.Organization:
		return true
	}
	return false
}

// usersOf are those of the subjects of a grant who are users.
func usersOf(grant access.Grant) []string {
	var users []string
	for _, subject := range grant.Subjects {
		if subject.Kind == rbacv1.UserKind {
			users = append(users, subject.Name)
		}
	}
	return users
}
