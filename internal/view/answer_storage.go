package view

import (
	"context"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kube-openapi/pkg/spec3"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
)

// Responses takes answers to invitations.
type Responses interface {
	// Respond answers the invitation that a user has. Without effect, it only says what would come of it.
	Respond(
		ctx context.Context, username string, answer selfv1alpha1.AnswerSpec, effect bool,
	) (selfv1alpha1.AnswerStatus, error)
}

// answerStorage takes answers. Nothing of them is kept here: they stand in Memberships.
type answerStorage struct {
	responses Responses
}

var (
	_ rest.Storage              = &answerStorage{}
	_ rest.Scoper               = &answerStorage{}
	_ rest.SingularNameProvider = &answerStorage{}
)

// New is an empty Answer.
func (*answerStorage) New() runtime.Object { return &selfv1alpha1.Answer{} }

// Destroy has nothing to do.
func (*answerStorage) Destroy() {}

// NamespaceScoped says that who is invited needs no namespace.
func (*answerStorage) NamespaceScoped() bool { return false }

// GetSingularName is what one is called.
func (*answerStorage) GetSingularName() string { return "answer" }

// Create answers for the caller, and for nobody else: who answers is decided by who asks, never by what is sent.
func (s *answerStorage) Create(
	ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions,
) (runtime.Object, error) {
	answer, ok := object.(*selfv1alpha1.Answer)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("this is a %T and no Answer", object))
	}
	user, found := request.UserFrom(ctx)
	if !found {
		return nil, apierrors.NewUnauthorized("an answer is somebody's: authenticate")
	}
	if validate != nil {
		if err := validate(ctx, object.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	effect := options == nil || len(options.DryRun) == 0
	status, err := s.responses.Respond(ctx, user.GetName(), answer.Spec, effect)
	if err != nil {
		return nil, err
	}
	result := &selfv1alpha1.Answer{Spec: answer.Spec, Status: status}
	// The code isn't repeated: what is printed may be kept. The name is what kubectl calls what it has made.
	result.Spec.Code = ""
	result.Name = answer.Spec.Organization
	result.CreationTimestamp = metav1.Now()
	return result, nil
}

// describeFieldValidation tells kubectl that fields of an Answer are validated here. It looks for that at the operation
// that patches a kind; where it finds none, as for a kind that is only ever created, it asks for all
// CustomResourceDefinitions, which an invited person may not list, and gives up.
func describeFieldValidation(document *spec3.OpenAPI) (*spec3.OpenAPI, error) {
	collection := "/apis/" + selfv1alpha1.GroupVersion.String() + "/answers"
	if document.Paths == nil || document.Paths.Paths[collection] == nil || document.Paths.Paths[collection].Post == nil {
		return document, nil
	}
	created := document.Paths.Paths[collection].Post
	document.Paths.Paths[collection+"/{name}"] = &spec3.Path{PathProps: spec3.PathProps{Patch: &spec3.Operation{
		VendorExtensible: created.VendorExtensible,
		OperationProps: spec3.OperationProps{
			OperationId: "patchAnswer", Description: "Isn't served: an Answer is only ever created.",
			Parameters: created.Parameters,
			Responses: &spec3.Responses{ResponsesProps: spec3.ResponsesProps{
				StatusCodeResponses: map[int]*spec3.Response{http.StatusMethodNotAllowed: {
					ResponseProps: spec3.ResponseProps{Description: "Method Not Allowed"},
				}},
			}},
		},
	}}}
	return document, nil
}
