package admission

import (
	"encoding/json"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// apiTokens is the resource of APITokens.
const apiTokens = "apitokens"

// tokenUserPatch makes a token that names no user the token of who creates it. A ServiceAccount can have none: the schema
// refuses its name.
func tokenUserPatch(request *admissionv1.AdmissionRequest, object *stamped) ([]jsonpatch.JsonPatchOperation, error) {
	if request.Resource.Resource != apiTokens || len(object.Spec) == 0 || string(object.Spec) == "null" {
		return nil, nil
	}
	var spec struct {
		User string `json:"user"`
	}
	if err := json.Unmarshal(object.Spec, &spec); err != nil {
		return nil, fmt.Errorf("read the user of the API token: %w", err)
	}
	if spec.User != "" {
		return nil, nil
	}
	return []jsonpatch.JsonPatchOperation{
		jsonpatch.NewOperation("add", "/spec/user", request.UserInfo.Username),
	}, nil
}

// stampCreator writes who makes an object of a kind for which that counts, whatever the request says itself.
func stampCreator(annotations map[string]string, request *admissionv1.AdmissionRequest, old *stamped) {
	delete(annotations, v1alpha1.AnnotationCreatedBy)
	switch {
	case request.Resource.Resource != apiTokens:
	case old == nil:
		annotations[v1alpha1.AnnotationCreatedBy] = request.UserInfo.Username
	default:
		keep(annotations, old, v1alpha1.AnnotationCreatedBy)
	}
}
