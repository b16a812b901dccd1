package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	webhook "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/admission"
)

// request is what somebody asks of the API server: to make one version of an object the other; nil is none. It is admitted
// first and committed later, and others come between the two.
type request struct {
	number        int
	author        string
	before, after client.Object
	// admitted is the number of writes before the review, cached of those that the caches showed it.
	admitted, cached int
	// committed is the number of the write that it became, 0 until then.
	committed int
	// began and ended are the moments at which the review did.
	began, ended *moment
	// maintainer is what made the author a maintainer of the team that they change as such.
	maintainer *mark
	answer     webhook.Response
}

func (r *request) object() client.Object {
	if r.after != nil {
		return r.after
	}
	return r.before
}

// String says who asks for what.
func (r *request) String() string {
	switch {
	case r.before == nil:
		return fmt.Sprintf("#%d %s creates %s %s", r.number, r.author, keyOf(r.after), written(r.after))
	case r.after == nil:
		return fmt.Sprintf("#%d %s deletes %s", r.number, r.author, keyOf(r.before))
	}
	return fmt.Sprintf("#%d %s updates %s from %s to %s", r.number, r.author, keyOf(r.before), written(r.before), written(r.after))
}

// written is what of an object matters here.
func written(object client.Object) string {
	text, err := json.Marshal(reflect.ValueOf(object).Elem().FieldByName("Spec").Interface())
	utilruntime.Must(err)
	if labels := object.GetLabels(); len(labels) > 0 {
		return fmt.Sprintf("%s labels %v", text, labels)
	}
	return string(text)
}

// cluster is a model of the API server with Roster's webhook. It keeps every moment, and who wrote what.
type cluster struct {
	mutex     sync.Mutex
	moments   []*moment
	validator *admission.Validator
	clock     *testingclock.FakePassiveClock

	// lag is how many writes the caches are behind.
	lag int
	// interruption happens in the review at hand before so many lists are read.
	interruption      func()
	untilInterruption int

	// forced writes what the webhook would refuse, too.
	forced bool

	requests int
	// told is the story in words.
	told []string
	// counts is how many requests came to what.
	counts map[string]int
	provenance
}

// newCluster holds some objects, of which the pipeline wrote each.
func newCluster(objects ...client.Object) *cluster {
	c := &cluster{counts: map[string]int{}, clock: testingclock.NewFakePassiveClock(time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC))}
	first := &moment{at: c.clock.Now(), objects: map[reflect.Type][]client.Object{}}
	for _, object := range slices.Concat(objects, catalogue(), kubernetesRoles()) {
		object.SetCreationTimestamp(metav1.NewTime(c.clock.Now().Add(-time.Hour)))
		object.SetUID(types.UID(keyOf(object).String()))
		object.SetResourceVersion("0")
		first = first.with(keyOf(object), object, first.at)
	}
	first.number = 0
	c.moments = []*moment{first.compiled()}
	c.provenance = newProvenance(first)
	c.validator = admission.NewValidator(cachedClient{reader: reader{c.cached}, answer: c.reviewAccess}, liveReader{c}, c.clock)
	return c
}

// latest is what the API server holds.
func (c *cluster) latest() *moment {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.moments[len(c.moments)-1]
}

// cached is what the caches hold.
func (c *cluster) cached() *moment {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.moments[max(0, len(c.moments)-1-c.lag)]
}

func (c *cluster) reviewAccess(review *authorizationv1.SubjectAccessReview) {
	review.Status.Allowed = c.latest().allowed(review.Spec.User, *review.Spec.ResourceAttributes)
}

// liveReader reads from the API server, where other writes come between two reads.
type liveReader struct{ *cluster }

// Get reads one object.
func (l liveReader) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	return reader{l.latest}.Get(ctx, key, into, options...)
}

// List reads many.
func (l liveReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if l.untilInterruption--; l.untilInterruption == 0 && l.interruption != nil {
		l.interruption()
	}
	return reader{l.latest}.List(ctx, list, options...)
}

// ask has a request reviewed, and says whether it was let through. It isn't committed yet.
func (c *cluster) ask(author string, before, after client.Object) (*request, bool) {
	began := c.latest()
	c.requests++
	r := &request{
		number: c.requests, author: author, before: before, after: after, admitted: began.number, cached: c.cached().number,
		began: began,
	}
	if before == nil {
		after.SetCreationTimestamp(metav1.NewTime(c.clock.Now()))
		after.SetUID(types.UID(fmt.Sprint("request-", r.number)))
	}
	r.maintainer = c.maintainership(r)
	if r.answer.Allowed = true; !c.forced {
		r.answer = c.validator.Handle(context.Background(), r.review())
	}
	r.ended = c.latest()
	if !r.answer.Allowed {
		c.counts["refused"]++
		c.tell("%s: refused after write %d: %s", r, r.admitted, r.answer.Result.Message)
		return r, false
	}
	c.counts["admitted"]++
	c.tell("%s: admitted after write %d, caches at %d", r, r.admitted, r.cached)
	return r, true
}

// review is the request as the webhook is sent it.
func (r *request) review() webhook.Request {
	kind := keyOf(r.object()).kind.Elem().Name()
	review := admissionv1.AdmissionRequest{
		UID: types.UID(strconv.Itoa(r.number)), Operation: admissionv1.Update, Name: r.object().GetName(),
		Kind:      metav1.GroupVersionKind(v1alpha1.GroupVersion.WithKind(kind)),
		Resource:  metav1.GroupVersionResource(v1alpha1.GroupVersion.WithResource(strings.ToLower(kind) + "s")),
		Namespace: r.object().GetNamespace(), UserInfo: authenticationv1.UserInfo{Username: r.author},
	}
	switch {
	case r.before == nil:
		review.Operation = admissionv1.Create
	case r.after == nil:
		review.Operation = admissionv1.Delete
	}
	for _, version := range []struct {
		object client.Object
		raw    *[]byte
	}{{r.before, &review.OldObject.Raw}, {r.after, &review.Object.Raw}} {
		if version.object != nil {
			text, err := json.Marshal(version.object)
			utilruntime.Must(err)
			*version.raw = text
		}
	}
	return webhook.Request{AdmissionRequest: review}
}

// commit writes what was admitted, unless the object was changed meanwhile, or its name taken.
func (c *cluster) commit(r *request) bool {
	last := c.latest()
	key := keyOf(r.object())
	if current := last.get(key); (current == nil) != (r.before == nil) ||
		current != nil && current.GetResourceVersion() != r.before.GetResourceVersion() {
		c.counts["conflicts"]++
		c.tell("#%d is a conflict", r.number)
		return false
	}
	r.committed = last.number + 1
	if r.admitted < last.number {
		c.counts["committed after others"]++
	}
	if r.after != nil {
		r.after.SetResourceVersion(strconv.Itoa(r.committed))
	}
	next := last.with(key, r.after, c.clock.Now())
	if _, isRole := r.object().(*v1alpha1.Role); isRole {
		next = next.compiled()
	}
	c.mutex.Lock()
	c.moments = append(c.moments, next)
	c.mutex.Unlock()
	c.tell("#%d is write %d", r.number, r.committed)
	c.record(r, last, next)
	return true
}

func (c *cluster) tell(format string, arguments ...any) {
	c.told = append(c.told, fmt.Sprintf(format, arguments...))
}
