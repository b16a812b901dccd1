package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/authority"
)

// Validator decides on changes of Roster's objects: what needs other objects to be told, and whether somebody would gain
// what the author of the change may not give.
type Validator struct {
	// Cached reads from the caches.
	Cached client.Reader
	// Live reads from the API server: what the author has only just changed counts already.
	Live client.Reader
	// Writer asks the API server what users may do, and stamps deletions.
	Writer client.Client
	// Clock says what has begun and ended.
	Clock clock.PassiveClock

	decoder admission.Decoder
	// tally says what there is too much of; nil: nothing is bounded.
	tally *Tally
}

// NewValidator reads by the caches and from the API server itself.
func NewValidator(cached client.Client, live client.Reader, clock clock.PassiveClock) *Validator {
	return &Validator{
		Cached: cached, Live: live, Writer: cached, Clock: clock, decoder: admission.NewDecoder(cached.Scheme()),
	}
}

// Handle answers one request.
func (v *Validator) Handle(ctx context.Context, request admission.Request) admission.Response {
	change, err := v.decode(request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	review := newReview(ctx, v, change)
	if err := review.decide(); err != nil {
		var refused refusal
		if errors.As(err, &refused) {
			refusals.WithLabelValues(string(refused.rule)).Inc()
			return refused.response(review.warnings)
		}
		return failed(fmt.Errorf("decide on %s: %w", change, err))
	}
	if request.Operation == admissionv1.Delete {
		if err := stampDeletion(ctx, v.Live, v.Writer, request, change.before); err != nil {
			return failed(fmt.Errorf("note who deletes %s: %w", change, err))
		}
	}
	return admission.Allowed("").WithWarnings(review.warnings...)
}

// failed refuses what an error keeps from being decided on.
func failed(err error) admission.Response {
	undecided.Inc()
	return admission.Errored(http.StatusInternalServerError, err)
}

// refusal is why a change can't be made, for the one who asked.
type refusal struct {
	rule    rule
	reason  metav1.StatusReason
	message string
}

// Error is the message.
func (r refusal) Error() string { return r.message }

func (r refusal) response(warnings []string) admission.Response {
	code := int32(http.StatusForbidden)
	if r.reason == metav1.StatusReasonInvalid {
		code = http.StatusUnprocessableEntity
	}
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
		Warnings: warnings,
		Result:   &metav1.Status{Code: code, Reason: r.reason, Message: r.message},
	}}
}

// invalid refuses what can't be, whoever asks.
func invalid(rule rule, format string, arguments ...any) error {
	return refusal{rule, metav1.StatusReasonInvalid, fmt.Sprintf(format, arguments...)}
}

// forbidden refuses what the author has no right to.
func forbidden(rule rule, format string, arguments ...any) error {
	return refusal{rule, metav1.StatusReasonForbidden, fmt.Sprintf(format, arguments...)}
}

// change is what somebody asks to be done to one object.
type change struct {
	kind   string
	author authenticationv1.UserInfo
	// before and after are the object; nil where it isn't there.
	before, after client.Object
	// isDryRun: nothing will be written.
	isDryRun bool
}

// String names the object, for errors.
func (c change) String() string {
	object := c.any()
	if object.GetNamespace() == "" {
		return c.kind + " " + object.GetName()
	}
	return c.kind + " " + object.GetNamespace() + "/" + object.GetName()
}

// any version of the object, to say which one it is.
func (c change) any() client.Object {
	if c.after != nil {
		return c.after
	}
	return c.before
}

// newObjects make an empty object of each kind that is decided on.
var newObjects = map[string]func() client.Object{
	"Organization": func() client.Object { return &v1alpha1.Organization{} },
	"Membership":   func() client.Object { return &v1alpha1.Membership{} },
	"Team":         func() client.Object { return &v1alpha1.Team{} },
	"Project":      func() client.Object { return &v1alpha1.Project{} },
	"Role":         func() client.Object { return &v1alpha1.Role{} },
	"RoleBinding":  func() client.Object { return &v1alpha1.RoleBinding{} },
	"JoinRequest":  func() client.Object { return &v1alpha1.JoinRequest{} },
	"APIToken":     func() client.Object { return &v1alpha1.APIToken{} },
	"User":         func() client.Object { return &v1alpha1.User{} },
}

func (v *Validator) decode(request admission.Request) (change, error) {
	result := change{kind: request.Kind.Kind, author: request.UserInfo, isDryRun: ptr.Deref(request.DryRun, false)}
	newObject := newObjects[request.Kind.Kind]
	if newObject == nil {
		return result, fmt.Errorf("kind %s isn't decided on here", request.Kind.Kind)
	}
	for _, version := range []struct {
		raw  runtime.RawExtension
		into *client.Object
	}{{request.OldObject, &result.before}, {request.Object, &result.after}} {
		if len(version.raw.Raw) == 0 {
			continue
		}
		object := newObject()
		if err := v.decoder.DecodeRaw(version.raw, object); err != nil {
			return result, err
		}
		*version.into = object
	}
	if result.any() == nil {
		return result, errors.New("the request holds no object")
	}
	return result, nil
}

// isQuiet says whether nothing that access depends on changes: what is written is metadata alone, or the object is going
// already.
func (c change) isQuiet() bool {
	switch {
	case c.before == nil:
		return false
	case c.after == nil:
		return c.before.GetDeletionTimestamp() != nil
	}
	return reflect.DeepEqual(specOf(c.before), specOf(c.after)) &&
		reflect.DeepEqual(c.before.GetLabels(), c.after.GetLabels()) && !authority.Resends(c.before, c.after)
}

// specOf is what somebody asks of an object.
func specOf(object client.Object) any {
	return reflect.ValueOf(object).Elem().FieldByName("Spec").Interface()
}
