package admission

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/snapshot"
)

// The garbage collector and the namespace controller delete what has lost its owner or its namespace. Nobody asks them to
// give anything.
const (
	garbageCollector    = "system:serviceaccount:kube-system:generic-garbage-collector"
	namespaceController = "system:serviceaccount:kube-system:namespace-controller"
)

// review is the work on one change.
type review struct {
	*Validator
	change
	ctx context.Context
	// organization that the object belongs to, or is.
	organization string
	// worldBefore and worldAfter read one state of the world, without the change and with it, so that no change that
	// somebody else makes meanwhile counts as this author's.
	worldBefore, worldAfter client.Reader
	now                     time.Time

	// dangling are references to what doesn't exist.
	dangling []string
	// demands are the rights that the change takes by itself, and gains what it uncovers.
	demands  []demand
	gains    []access.Gain
	warnings []string
	// answers of the API server to what was asked, which wait for it.
	answers map[authorizationv1.ResourceAttributes]func() (bool, error)
}

func newReview(ctx context.Context, validator *Validator, change change) *review {
	r := &review{
		Validator: validator, change: change, ctx: ctx, now: validator.Clock.Now(),
		answers: map[authorizationv1.ResourceAttributes]func() (bool, error){},
	}
	if organization, ok := v1alpha1.OrganizationOf(change.any().GetNamespace()); ok {
		r.organization = organization
	}
	if _, ok := change.any().(*v1alpha1.Organization); ok {
		r.organization = change.any().GetName()
	}
	r.read(validator.Cached)
	return r
}

func (r *review) read(reader client.Reader) {
	world := snapshot.Once(reader)
	r.worldBefore = snapshot.Replacing(world, r.any(), r.before)
	r.worldAfter = snapshot.Replacing(world, r.any(), r.after)
}

// readCurrent has the review read what the API server holds now, unless the author may give every role anyway. A watch that has
// stalled must not hide that an object carries a role by now.
func (r *review) readCurrent() error {
	all, err := r.mayAssign("", r.organization)
	if err == nil && !all {
		r.read(r.current())
	}
	return err
}

func (r *review) current() client.Reader { return snapshot.Fresh(r.Cached, r.Live, r.Writer.Scheme()) }

// decide returns a refusal, another error where it couldn't decide, or nothing.
func (r *review) decide() error {
	if r.isQuiet() || r.after == nil && r.isCleanup() {
		return nil
	}
	for _, look := range []func() error{
		r.home, r.refuseUnreadableNames, r.examine, r.askForDangling, r.askForDemands, r.askForGains, r.refuseExcess,
	} {
		if err := look(); err != nil {
			return err
		}
	}
	return nil
}

func (r *review) isCleanup() bool {
	return r.author.Username == garbageCollector || r.author.Username == namespaceController
}

// home says where an object can be that belongs to an organization.
func (r *review) home() error {
	namespace := r.any().GetNamespace()
	if r.after == nil || namespace == "" {
		return nil
	}
	if r.organization == "" {
		return invalid(ruleNotInAnOrganization,
			"metadata.namespace: %q isn't an organization's, so a %s in it means nothing; make it in the namespace "+
				"org-NAME of organization NAME", namespace, r.kind)
	}
	inUse, err := r.organizationInUse(r.organization)
	if err != nil || inUse || r.before != nil {
		return err
	}
	r.dangling = append(r.dangling, fmt.Sprintf("organization %s", r.organization))
	return nil
}

func (r *review) organizationInUse(organization string) (bool, error) {
	found, err := r.found(client.ObjectKey{Name: organization}, &v1alpha1.Organization{})
	if err != nil || !found {
		return false, err
	}
	namespace := &corev1.Namespace{}
	found, err = r.found(client.ObjectKey{Name: v1alpha1.OrganizationNamespace(organization)}, namespace)
	return found && access.CheckOrganizationNamespace(namespace, organization) == access.NamespaceInOrder, err
}

// found reads an object with the change made. One that the caches don't hold may have been made a moment ago, by the same
// kubectl apply perhaps, so the API server has the last word on what isn't there.
func (r *review) found(key client.ObjectKey, object client.Object) (bool, error) {
	err := r.worldAfter.Get(r.ctx, key, object, snapshot.Shared)
	if apierrors.IsNotFound(err) && !r.isChanged(key, object) {
		err = r.Live.Get(r.ctx, key, object)
	}
	return err == nil, client.IgnoreNotFound(err)
}

func (r *review) isChanged(key client.ObjectKey, object client.Object) bool {
	return reflect.TypeOf(object) == reflect.TypeOf(r.any()) && key == client.ObjectKeyFromObject(r.any())
}

func (r *review) examine() error {
	switch r.any().(type) {
	case *v1alpha1.Membership:
		return r.examineMembership(as[v1alpha1.Membership](r.before), as[v1alpha1.Membership](r.after))
	case *v1alpha1.Team:
		return r.examineTeam(as[v1alpha1.Team](r.before), as[v1alpha1.Team](r.after))
	case *v1alpha1.RoleBinding:
		return r.examineRoleBinding(as[v1alpha1.RoleBinding](r.before), as[v1alpha1.RoleBinding](r.after))
	case *v1alpha1.Project:
		return r.examineProject(as[v1alpha1.Project](r.before), as[v1alpha1.Project](r.after))
	case *v1alpha1.Role:
		return r.examineRole(as[v1alpha1.Role](r.before), as[v1alpha1.Role](r.after))
	case *v1alpha1.Organization:
		return r.examineOrganization(as[v1alpha1.Organization](r.before), as[v1alpha1.Organization](r.after))
	case *v1alpha1.JoinRequest:
		return r.examineJoinRequest(as[v1alpha1.JoinRequest](r.before), as[v1alpha1.JoinRequest](r.after))
	case *v1alpha1.APIToken:
		return r.examineAPIToken(as[v1alpha1.APIToken](r.before), as[v1alpha1.APIToken](r.after))
	case *v1alpha1.User:
		return r.examineUser(as[v1alpha1.User](r.before), as[v1alpha1.User](r.after))
	}
	return nil
}

// as is an object as what it is, nil where it isn't there.
func as[T any, P interface {
	*T
	client.Object
}](object client.Object) P {
	typed, _ := object.(P)
	return typed
}

// askForDangling: what doesn't exist yet could come to mean anything, so only who may give every role refers to it.
func (r *review) askForDangling() error {
	if len(r.dangling) == 0 {
		return nil
	}
	list := access.Enumerate(r.dangling)
	may, err := r.mayAssign("", r.organization)
	if err != nil {
		return err
	}
	if !may {
		return forbidden(ruleMissingReference,
			"%s: not there, and could come to mean anything; only who holds \"assign\" on all roles of organization %s "+
				"may refer to what doesn't exist: make it first, or ask an owner of %[2]s", list, r.organization)
	}
	r.warnings = append(r.warnings, list+": not there yet; nothing is granted by it until it is")
	return nil
}

// askForGains: nobody uncovers what they may not give, wherever it takes effect.
func (r *review) askForGains() error {
	for _, gain := range r.gains {
		may, err := r.mayAssign(gain.Role.Name, gain.Organization)
		if err != nil {
			return err
		}
		if !may {
			return forbidden(ruleMayNotAssign,
				"this would newly grant role %q in organization %s to %s %q (by %s): that takes the verb \"assign\" on the role "+
					"in that organization; ask an owner of %[2]s", gain.Role.Name, gain.Organization,
				strings.ToLower(gain.Subject.Kind), gain.Subject.Name, chain(gain.Via))
		}
	}
	return nil
}

func chain(via []access.ObjectReference) string {
	names := make([]string, 0, len(via))
	for _, reference := range via {
		names = append(names, reference.Kind+" "+reference.Name)
	}
	return strings.Join(names, " of ")
}

// mayAssign says whether the author may give a role in an organization; with no role: every role.
func (r *review) mayAssign(role, organization string) (bool, error) {
	return r.answer(assignment(role, organization))()
}

func assignment(role, organization string) authorizationv1.ResourceAttributes {
	return attributes("assign", "roles", v1alpha1.OrganizationNamespace(organization), role)
}

// may asks the API server, once, whether the author may do something with Roster's objects.
func (r *review) may(verb, resource, namespace, name string) (bool, error) {
	return r.answer(attributes(verb, resource, namespace, name))()
}

func attributes(verb, resource, namespace, name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource, Namespace: namespace, Name: name,
	}
}

// answer is what waits for the API server's answer, which is asked for once, when somebody first waits.
func (r *review) answer(asked authorizationv1.ResourceAttributes) func() (bool, error) {
	if r.answers[asked] == nil {
		r.answers[asked] = sync.OnceValues(func() (bool, error) { return r.ask(asked) })
	}
	return r.answers[asked]
}

func (r *review) ask(asked authorizationv1.ResourceAttributes) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range r.author.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	question := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: r.author.Username, UID: r.author.UID, Groups: r.author.Groups, Extra: extra, ResourceAttributes: &asked,
	}}
	if err := r.Writer.Create(r.ctx, question, client.DisableReadYourWritesConsistency); err != nil {
		return false, fmt.Errorf("ask whether %s may %s %s: %w", r.author.Username, asked.Verb, asked.Resource, err)
	}
	return question.Status.Allowed, nil
}

// gainIn finds what the change newly grants in some organizations.
func (r *review) gainIn(organizations []string) error {
	for _, organization := range organizations {
		before, err := snapshot.LoadCautiously(r.ctx, r.worldBefore, organization)
		if err != nil {
			return err
		}
		after, err := snapshot.LoadCautiously(r.ctx, r.worldAfter, organization)
		if err != nil {
			return err
		}
		r.gains = append(r.gains, access.Gains(before, after, organization, []time.Time{r.now})...)
	}
	return nil
}

// withDescendants are the organization and all below it.
func (r *review) withDescendants() ([]string, error) {
	descendants, err := snapshot.Descendants(r.ctx, r.worldAfter, r.organization)
	return append([]string{r.organization}, descendants...), err
}

// missingRoles notes the names that mean no Role where they are written.
func (r *review) missingRoles(names ...v1alpha1.RoleName) error {
	if len(names) == 0 {
		return nil
	}
	isMissing := func(roles *access.Roles) func(v1alpha1.RoleName) bool {
		return func(name v1alpha1.RoleName) bool {
			return name != "" && name != v1alpha1.RoleNone && roles.Find(r.organization, name) == nil
		}
	}
	roles, err := snapshot.LoadRoles(r.ctx, r.worldAfter, r.organization)
	if err != nil || !slices.ContainsFunc(names, isMissing(roles)) {
		return err
	}
	// One that was made a moment ago, by the same kubectl apply perhaps, may not be in the caches yet.
	roles, err = snapshot.LoadRoles(r.ctx, r.Live, r.organization)
	if err != nil {
		return err
	}
	for _, name := range names {
		if isMissing(roles)(name) {
			r.dangling = append(r.dangling, fmt.Sprintf("role %q", name))
		}
	}
	return nil
}

// missingProjects notes the names of projects that aren't there. The API server has the last word on what the caches lack.
func (r *review) missingProjects(asked []v1alpha1.ObjectName) error {
	for _, reader := range []client.Reader{r.worldAfter, r.Live} {
		if len(asked) == 0 {
			return nil
		}
		var projects v1alpha1.ProjectList
		namespace := client.InNamespace(v1alpha1.OrganizationNamespace(r.organization))
		if err := reader.List(r.ctx, &projects, namespace, snapshot.Shared); err != nil {
			return err
		}
		there := sets.New[v1alpha1.ObjectName]()
		for i := range projects.Items {
			if projects.Items[i].DeletionTimestamp == nil {
				there.Insert(v1alpha1.ObjectName(projects.Items[i].Name))
			}
		}
		asked = slices.DeleteFunc(slices.Clone(asked), there.Has)
	}
	for _, name := range asked {
		r.dangling = append(r.dangling, fmt.Sprintf("project %q", name))
	}
	return nil
}

// exists says whether there is an object in the organization's namespace, with the change made.
func (r *review) exists(name string, object client.Object) (bool, error) {
	key := client.ObjectKey{Namespace: v1alpha1.OrganizationNamespace(r.organization), Name: name}
	found, err := r.found(key, object)
	return found && object.GetDeletionTimestamp() == nil, err
}
