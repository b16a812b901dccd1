package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// systemPrefix begins the usernames that are no person's: ServiceAccounts and the parts of Kubernetes itself.
const systemPrefix = "system:"

// Stamper writes on each object who changed it last, and fills in what was left out at creation: whoever makes an
// Organization without owners is its owner, and a Membership may have to be accepted. A new Project gets the finalizer, which
// must be there before its namespaces are: so it takes no write of its own.
type Stamper struct {
	cached, live client.Reader
	// changed are the names of the Organizations whose change came by a moment ago, and may not be in the caches yet.
	changed *cache.Expiring
}

// NewStamper makes a Stamper that reads from the caches, and from the API server itself what they may not show yet.
func NewStamper(cached, live client.Reader) *Stamper {
	return &Stamper{cached: cached, live: live, changed: cache.NewExpiring()}
}

// stamped is what the stamps depend on. The spec stays as it came: a Team of thousands is compared, not understood.
type stamped struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     json.RawMessage   `json:"spec"`
}

// Handle answers one request.
func (s *Stamper) Handle(ctx context.Context, request admission.Request) admission.Response {
	s.noteOrganization(&request.AdmissionRequest)
	patches, err := stamp(&request.AdmissionRequest)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	invitation, err := s.invitationPatch(ctx, &request.AdmissionRequest)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.Patched("", append(patches, invitation...)...)
}

func stamp(request *admissionv1.AdmissionRequest) ([]jsonpatch.JsonPatchOperation, error) {
	object, err := decode(request.Object)
	if err != nil {
		return nil, err
	}
	if request.Operation == admissionv1.Create {
		owners, err := ownersPatch(request, object)
		if err != nil {
			return nil, err
		}
		requester, err := requesterPatch(request, object)
		if err != nil {
			return nil, err
		}
		user, err := tokenUserPatch(request, object)
		if err != nil {
			return nil, err
		}
		annotations := created(object, request.UserInfo.Username)
		stampCreator(annotations, request, nil)
		patches := annotationsPatch(object, annotations)
		return slices.Concat(patches, owners, requester, user, finalizerPatch(request, object)), nil
	}
	old, err := decode(request.OldObject)
	if err != nil {
		return nil, err
	}
	annotations := updated(old, object, request.UserInfo.Username)
	stampCreator(annotations, request, old)
	return annotationsPatch(object, annotations), nil
}

func decode(raw runtime.RawExtension) (*stamped, error) {
	object := &stamped{}
	if err := json.Unmarshal(raw.Raw, object); err != nil {
		return nil, fmt.Errorf("read the object of the request: %w", err)
	}
	return object, nil
}

// created are the annotations of a new object: whatever it says itself, its author is the user who asks.
func created(object *stamped, user string) map[string]string {
	annotations := withoutStamps(object)
	annotations[v1alpha1.AnnotationChangedBy] = user
	return annotations
}

// updated are the annotations of a changed object. Where nothing of account has changed, the old stamp stays, so that
// applying the same once more writes nothing.
func updated(old, object *stamped, user string) map[string]string {
	annotations := withoutStamps(object)
	keep(annotations, old, v1alpha1.AnnotationDeletedBy)
	if changed(old, object) {
		annotations[v1alpha1.AnnotationChangedBy] = user
	} else {
		keep(annotations, old, v1alpha1.AnnotationChangedBy)
	}
	return annotations
}

func withoutStamps(object *stamped) map[string]string {
	annotations := map[string]string{}
	maps.Copy(annotations, object.Metadata.Annotations)
	delete(annotations, v1alpha1.AnnotationChangedBy)
	delete(annotations, v1alpha1.AnnotationDeletedBy)
	return annotations
}

func keep(annotations map[string]string, old *stamped, key string) {
	if value, found := old.Metadata.Annotations[key]; found {
		annotations[key] = value
	}
}

// changed says whether the object's meaning has changed: spec, labels, or an annotation that Roster reads.
func changed(old, object *stamped) bool {
	return !sameJSON(old.Spec, object.Spec) ||
		!maps.Equal(old.Metadata.Labels, object.Metadata.Labels) ||
		!maps.Equal(ownAnnotations(old), ownAnnotations(object))
}

// ownAnnotations are those that Roster reads.
func ownAnnotations(object *stamped) map[string]string {
	annotations := withoutStamps(object)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return !strings.HasPrefix(key, v1alpha1.AnnotationPrefix) })
	return annotations
}

// sameJSON compares meanings only where the texts differ, which they hardly ever do for the same meaning.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var first, second any
	return json.Unmarshal(a, &first) == nil && json.Unmarshal(b, &second) == nil && reflect.DeepEqual(first, second)
}

func annotationsPatch(object *stamped, annotations map[string]string) []jsonpatch.JsonPatchOperation {
	const path = "/metadata/annotations"
	switch {
	case maps.Equal(object.Metadata.Annotations, annotations):
		return nil
	case len(annotations) == 0:
		return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("remove", path, nil)}
	}
	return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", path, annotations)}
}

// ownersPatch makes the person who creates an Organization without owners its owner. A pipeline must name them: the
// schema refuses an Organization that still has none.
func ownersPatch(request *admissionv1.AdmissionRequest, object *stamped) ([]jsonpatch.JsonPatchOperation, error) {
	user := request.UserInfo.Username
	if request.Resource.Resource != "organizations" || strings.HasPrefix(user, systemPrefix) {
		return nil, nil
	}
	if len(object.Spec) == 0 || string(object.Spec) == "null" {
		spec := map[string]any{"owners": []string{user}}
		return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", "/spec", spec)}, nil
	}
	var spec struct {
		Owners []string `json:"owners"`
	}
	if err := json.Unmarshal(object.Spec, &spec); err != nil {
		return nil, fmt.Errorf("read the owners of the organization: %w", err)
	}
	if len(spec.Owners) > 0 {
		return nil, nil
	}
	return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", "/spec/owners", []string{user})}, nil
}

// requesterPatch writes who makes a JoinRequest, where it doesn't say so. A policy refuses another name.
func requesterPatch(request *admissionv1.AdmissionRequest, object *stamped) ([]jsonpatch.JsonPatchOperation, error) {
	if request.Resource.Resource != "joinrequests" || len(object.Spec) == 0 {
		return nil, nil
	}
	var spec struct {
		RequestedBy string `json:"requestedBy"`
	}
	if err := json.Unmarshal(object.Spec, &spec); err != nil {
		return nil, fmt.Errorf("read who makes the join request: %w", err)
	}
	if spec.RequestedBy != "" {
		return nil, nil
	}
	return []jsonpatch.JsonPatchOperation{
		jsonpatch.NewOperation("add", "/spec/requestedBy", request.UserInfo.Username),
	}, nil
}

// finalizerPatch is for a Project alone, and where its controller takes the finalizer off again whatever else there is.
func finalizerPatch(request *admissionv1.AdmissionRequest, object *stamped) []jsonpatch.JsonPatchOperation {
	_, ok := v1alpha1.OrganizationOf(request.Namespace)
	finalizers := object.Metadata.Finalizers
	if request.Resource.Resource != "projects" || !ok || slices.Contains(finalizers, v1alpha1.Finalizer) {
		return nil
	}
	finalizers = append(slices.Clone(finalizers), v1alpha1.Finalizer)
	return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", "/metadata/finalizers", finalizers)}
}

// stampDeletion writes on an object who deletes it. It is called once everything else lets the deletion pass. The write
// makes the API server look at the object again and ask once more; then the stamp is there already.
//
// The object is looked at as it is now: whoever reaches the webhook past the API server could say anything of it, and must
// not change who deleted what is going.
func stampDeletion(
	ctx context.Context, live client.Reader, writer client.Writer, request admission.Request, object client.Object,
) error {
	user := request.UserInfo.Username
	if ptr.Deref(request.DryRun, false) || object.GetDeletionTimestamp() != nil ||
		object.GetAnnotations()[v1alpha1.AnnotationDeletedBy] == user {
		// The first deleter counts.
		return nil
	}
	// With the uid, an object of the same name that was made meanwhile isn't stamped.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": object.GetUID(), "annotations": map[string]string{v1alpha1.AnnotationDeletedBy: user},
	}})
	if err != nil {
		return err
	}
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(schema.GroupVersionKind(request.Kind))
	err = live.Get(ctx, client.ObjectKeyFromObject(object), metadata)
	if err != nil || metadata.GetDeletionTimestamp() != nil {
		return client.IgnoreNotFound(err)
	}
	err = writer.Patch(ctx, metadata, client.RawPatch(types.MergePatchType, patch), client.DisableReadYourWritesConsistency)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		// What is gone, or is another one by now, is for the API server to find out.
		return nil
	}
	return err
}
