package admission_test

import (
	"path"
	"reflect"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/authority"
	"github.com/roster-dev/roster/internal/rbac"
)

// mark says by which request one element of an object was written, such as a member of a Team or a label of a Project.
type mark struct {
	*request
	element string
}

// placement is a user in an organization.
type placement struct{ organization, user string }

// provenance is who wrote what there is. Taking away needs no author, unless it uncovers something.
type provenance struct {
	marks map[objectKey]map[string]*mark
	// uncovered is who took away what kept a Membership from counting; joined is who made the user a member.
	uncovered, joined map[placement]*mark
	// places are the Memberships that count.
	places map[placement]string
}

// newProvenance has the pipeline as the author of all.
func newProvenance(first *moment) provenance {
	p := provenance{
		marks: map[objectKey]map[string]*mark{}, uncovered: map[placement]*mark{}, joined: map[placement]*mark{},
		places: placesAt(first),
	}
	for _, objects := range first.objects {
		for _, object := range objects {
			p.mark(&request{author: pipeline, after: object, began: first, ended: first})
		}
	}
	return p
}

// record notes who wrote what is new.
func (p *provenance) record(r *request, before, after *moment) {
	if role, is := r.after.(*v1alpha1.Role); is && !widens(role, before, after) && !refersToMore(r) {
		r = &request{number: r.number, author: pipeline, before: r.before, after: r.after, began: before, ended: before}
	}
	p.mark(r)
	switch r.object().(type) {
	case *v1alpha1.Membership, *v1alpha1.Organization:
		p.recordPlaces(r, placesAt(after))
	}
}

// refersToMore says whether a Role newly includes another, which may come to allow more later.
func refersToMore(r *request) bool {
	before, is := r.before.(*v1alpha1.Role)
	return is && len(authority.Added(before.Spec.Includes, r.after.(*v1alpha1.Role).Spec.Includes)) > 0
}

// widens says whether a Role allows more than it did.
func widens(role *v1alpha1.Role, before, after *moment) bool {
	for _, name := range []string{
		rbac.ProjectClusterRole(access.ReferenceTo(role)), rbac.OrganizationClusterRole(access.ReferenceTo(role)),
	} {
		had, there := find[*rbacv1.ClusterRole](before, "", name)
		has, _ := find[*rbacv1.ClusterRole](after, "", name)
		if !there {
			return true
		}
		if covered, _ := validation.Covers(had.Rules, has.Rules); !covered {
			return true
		}
	}
	return false
}

func (p *provenance) mark(r *request) {
	key := keyOf(r.object())
	if r.after == nil {
		delete(p.marks, key)
		return
	}
	marks := map[string]*mark{}
	for _, element := range elementsOf(r.after) {
		marks[element] = &mark{r, element}
		if r.before == nil {
			continue
		}
		if known := p.marks[key][carriedOn(r.before, r.after, element)]; known != nil {
			marks[element] = known
		}
	}
	p.marks[key] = marks
}

// recordPlaces: a Membership that comes to count without having been written was uncovered.
func (p *provenance) recordPlaces(r *request, places map[placement]string) {
	written := access.ObjectReference{Namespace: r.object().GetNamespace(), Name: r.object().GetName()}
	for at, source := range places {
		previous, was := p.places[at]
		if !was {
			p.joined[at] = &mark{r, "member of the organization"}
		}
		switch {
		case source == previous && was:
		case strings.HasSuffix(source, "/"+written.Namespace+"/"+written.Name):
			delete(p.uncovered, at)
		case was && path.Dir(source) == path.Dir(previous):
			// A duplicate was written as if it were the only one.
		case p.duplicates(r, previous):
			// As if the other one had come second, and had never counted.
		default:
			p.uncovered[at] = &mark{r, "uncovered"}
		}
	}
	for at := range p.places {
		if _, is := places[at]; !is {
			delete(p.joined, at)
			delete(p.uncovered, at)
		}
	}
	p.places = places
}

// duplicates says whether a request made a Membership beside the one that counted, before anybody could see that one.
func (p *provenance) duplicates(r *request, counted string) bool {
	parts := strings.Split(counted, "/")
	if len(parts) != 3 || r.before != nil {
		return false
	}
	other := p.marks[objectKey{reflect.TypeFor[*v1alpha1.Membership](), parts[1], parts[2]}][exists]
	return other != nil && r.cached < other.committed
}

// placesAt are the members of all organizations, and by which object each holds roles.
func placesAt(m *moment) map[placement]string {
	places := map[placement]string{}
	for _, organization := range all[*v1alpha1.Organization](m) {
		for _, member := range evaluated(m, organization.Name, m.at).Members {
			source := ""
			if len(member.Via) > 0 {
				source = member.Via[0].String()
			}
			places[placement{organization.Name, member.User}] = source
		}
	}
	return places
}

// maintainership is what makes the author of a request a maintainer of the team that it changes.
func (p *provenance) maintainership(r *request) *mark {
	team, isTeam := r.before.(*v1alpha1.Team)
	if !isTeam || r.after == nil || !maintains(team, r.author) {
		return nil
	}
	return p.marks[keyOf(team)]["maintainer "+r.author]
}
