package history

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/snapshot"
)

const (
	// rememberedNames is how many changes are remembered as recorded, so that they aren't written twice.
	rememberedNames = 1 << 14
	// removalPatience is how long the removal of an object waits for its turn among the object's changes before it is recorded
	// out of turn.
	removalPatience = 2 * time.Second
	// namespacePatience is how long the Events of a new organization wait for its namespace, which comes a moment later, and
	// those of objects in a namespace for their organization, which a kubectl apply may create after them.
	namespacePatience = 3 * time.Second
)

// Log keeps records for good. It never makes its callers wait.
type Log interface {
	Record(records ...activity.Record)
}

// Recorder writes changes down: as an Event first, and then into the log.
type Recorder struct {
	client client.Client
	log    Log

	lock    sync.Mutex
	written *lru.Cache
	waiting map[string]chan struct{}
	// since is when each organization, by its uid, was first found without a namespace, and each namespace, by its name, first
	// without an organization.
	since *lru.Cache
	// belongs has the uids of the organizations that objects belong to, by the objects' uids. An object stays in one
	// organization; its last changes may be recorded when another organization has the name already.
	belongs *lru.Cache

	later   []Change
	arrived chan struct{}
}

// NewRecorder writes Events with a client, which reads from caches.
func NewRecorder(client client.Client, log Log) *Recorder {
	return &Recorder{
		client: client, log: log, written: lru.New(rememberedNames), waiting: map[string]chan struct{}{},
		since: lru.New(rememberedNames), belongs: lru.New(rememberedNames), arrived: make(chan struct{}, 1),
	}
}

// Write records a change. After an error it is to be called again; one that is recorded already costs nothing.
func (r *Recorder) Write(ctx context.Context, change Change) error {
	name := change.Name()
	if r.isWritten(name) {
		return nil
	}
	change, err := r.belong(ctx, change)
	if err != nil {
		return err
	}
	event, err := r.makeEvent(ctx, r.attribute(ctx, change))
	if err != nil {
		return err
	}
	r.log.Record(RecordOf(event))
	r.noteWritten(name)
	return nil
}

// Removed makes sure that the removal of an object is recorded, while a finalizer still keeps the object. The changes before
// it are given the time to be recorded first.
func (r *Recorder) Removed(ctx context.Context, object client.Object) error {
	kind, found := KindOf(object)
	if !found || object.GetDeletionTimestamp() == nil {
		return nil
	}
	removal := kind.Removal(object)
	name := removal.Name()
	recorded := r.await(name)
	if recorded == nil {
		return nil
	}
	patience := time.NewTimer(removalPatience)
	defer patience.Stop()
	select {
	case <-recorded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return r.Write(ctx, removal)
	}
}

// Later takes changes that are to be written when their turn comes, and doesn't make the caller wait.
func (r *Recorder) Later(changes ...Change) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.later = append(r.later, changes...)
	select {
	case r.arrived <- struct{}{}:
	default: // Whoever takes them is called already.
	}
}

// Taken hands over what Later has taken, until the context ends.
func (r *Recorder) Taken(ctx context.Context, hand func(Change)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.arrived:
		}
		r.lock.Lock()
		changes := r.later
		r.later = nil
		r.lock.Unlock()
		for _, change := range changes {
			hand(change)
		}
	}
}

func (r *Recorder) isWritten(name string) bool {
	_, found := r.written.Get(name)
	return found
}

func (r *Recorder) noteWritten(name string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.written.Add(name, nil)
	if recorded := r.waiting[name]; recorded != nil {
		close(recorded)
		delete(r.waiting, name)
	}
}

// await is closed when a change is recorded, and nil where it is already.
func (r *Recorder) await(name string) <-chan struct{} {
	r.lock.Lock()
	defer r.lock.Unlock()
	if _, found := r.written.Get(name); found {
		return nil
	}
	if r.waiting[name] == nil {
		r.waiting[name] = make(chan struct{})
	}
	return r.waiting[name]
}

// makeEvent makes the Event of a change where it belongs, or in the namespace default where that can't be.
func (r *Recorder) makeEvent(ctx context.Context, change Change) (*eventsv1.Event, error) {
	namespace, err := r.placeOf(ctx, change)
	if err != nil {
		return nil, err
	}
	event, err := r.create(ctx, change, namespace)
	// Forbidden: the namespace is going, or somebody put a quota on its Events. What holds up one change holds up all that
	// come after it, also those of other organizations.
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		event, err = r.create(ctx, change, metav1.NamespaceDefault)
	}
	if apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		// It would be refused forever, and hold up what follows.
		log.FromContext(ctx).Error(err, "Can't make the Event of a change; it is in the activity store alone",
			"object", change.Object.String(), "action", change.Action)
		return event, nil
	}
	return event, err
}

var (
	// errNamespaceComes: the namespace of a new organization isn't there yet.
	errNamespaceComes = errors.New("the organization's namespace is still to come")
	// errOrganizationComes: a namespace of an organization is there before it.
	errOrganizationComes = errors.New("the namespace's organization is still to come")
)

// belong gives a change the uid of its organization.
func (r *Recorder) belong(ctx context.Context, change Change) (Change, error) {
	name, found := v1alpha1.OrganizationOf(change.Organization)
	switch {
	case !found:
		return change, nil
	case change.OrganizationUID != "":
	case change.Object.Kind == kindOrganization:
		change.OrganizationUID = cmp.Or(change.Object.UID, UnknownOrganization)
	default:
		if known, found := r.belongs.Get(change.Object.UID); found {
			change.OrganizationUID = known.(types.UID)
			return change, nil
		}
		uid, err := r.organizationOf(ctx, name, change)
		if err != nil {
			return change, err
		}
		change.OrganizationUID = uid
	}
	if change.Object.UID != "" && change.OrganizationUID != UnknownOrganization {
		r.belongs.Add(change.Object.UID, change.OrganizationUID)
	}
	return change, nil
}

// organizationOf is the uid of the organization that has the name now, or UnknownOrganization where the object of the change
// was there before that organization and its namespace: it belonged to an earlier one, which is gone with all objects.
func (r *Recorder) organizationOf(ctx context.Context, name string, change Change) (types.UID, error) {
	organization := &v1alpha1.Organization{}
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, organization, snapshot.Shared)
	switch {
	case apierrors.IsNotFound(err) && !change.Gone && r.expects(change.Organization):
		return "", errOrganizationComes
	case apierrors.IsNotFound(err):
		return UnknownOrganization, nil
	case err != nil:
		return "", err
	}
	begin, namespace := organization.CreationTimestamp, &corev1.Namespace{}
	err = r.client.Get(ctx, client.ObjectKey{Name: change.Organization}, namespace, snapshot.Shared)
	if client.IgnoreNotFound(err) != nil {
		return "", err
	}
	if err == nil && namespace.CreationTimestamp.Before(&begin) {
		// A namespace may be there before its organization, and objects in it.
		begin = namespace.CreationTimestamp
	}
	if change.Existed.Before(begin.Time) {
		return UnknownOrganization, nil
	}
	return organization.UID, nil
}

// placeOf is the namespace of a change's Event: the organization's, but for one that is going, since all Events in it go
// with it, and the last ones must be there for whoever asks, and for the store; and but for one that is gone, since those who
// may read Events in the namespace now are another organization's.
func (r *Recorder) placeOf(ctx context.Context, change Change) (string, error) {
	namespace := change.Organization
	name, _ := v1alpha1.OrganizationOf(namespace)
	organization := &v1alpha1.Organization{}
	switch err := r.client.Get(ctx, client.ObjectKey{Name: name}, organization, snapshot.Shared); {
	case namespace == "", err == nil && (organization.DeletionTimestamp != nil || organization.UID != change.OrganizationUID):
		return metav1.NamespaceDefault, nil
	case client.IgnoreNotFound(err) != nil:
		return "", err
	}
	found := &corev1.Namespace{}
	err := r.client.Get(ctx, client.ObjectKey{Name: namespace}, found, snapshot.Shared)
	switch {
	case err == nil && change.Object.Kind == kindOrganization && found.Labels[v1alpha1.LabelOrganization] != name:
		// A namespace with an organization's name is somebody else's: nothing is written there.
		return metav1.NamespaceDefault, nil
	case err == nil:
		return namespace, nil
	case client.IgnoreNotFound(err) != nil:
		return "", err
	case r.expectsNamespace(organization):
		return "", errNamespaceComes
	}
	return metav1.NamespaceDefault, nil
}

// expectsNamespace says whether the namespace of a new organization may still come.
func (r *Recorder) expectsNamespace(organization *v1alpha1.Organization) bool {
	if organization.UID == "" || organization.IsPersonal() {
		return false
	}
	return r.expects(organization.UID)
}

// expects says whether what was missed just now may still come.
func (r *Recorder) expects(missing any) bool {
	since, found := r.since.Get(missing)
	if !found {
		r.since.Add(missing, time.Now())
		return true
	}
	return time.Since(since.(time.Time)) < namespacePatience
}

func (r *Recorder) create(ctx context.Context, change Change, namespace string) (*eventsv1.Event, error) {
	event := NewEvent(change, namespace)
	err := r.client.Create(ctx, event.DeepCopy(), client.DisableReadYourWritesConsistency)
	if apierrors.IsAlreadyExists(err) {
		err = nil
	}
	return event, err
}

// attribute finds who is behind a removal that Kubernetes carries out: with an organization go all objects in its
// namespace, and that is the doing of who deleted the organization.
func (r *Recorder) attribute(ctx context.Context, change Change) Change {
	if !change.Gone || !strings.HasPrefix(change.Actor.Name, systemActor) || change.Object.Kind == kindOrganization {
		return change
	}
	name, _ := v1alpha1.OrganizationOf(change.Organization)
	organization := &v1alpha1.Organization{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: name}, organization, snapshot.Shared); err != nil {
		return change
	}
	if organization.DeletionTimestamp == nil || organization.UID != change.OrganizationUID {
		return change
	}
	change.Cause = Object{Kind: kindOrganization, Name: name, UID: organization.UID}
	change.Actor = removerOf(organization)
	return change
}
