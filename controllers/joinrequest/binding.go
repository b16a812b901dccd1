package joinrequest

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
)

// bindingName is that of the RoleBinding of a request. A later request of the same name makes another one.
func bindingName(request *v1alpha1.JoinRequest) string {
	const digits = 8
	uid := string(request.UID)
	return "join-" + request.Name + "-" + uid[:min(digits, len(uid))]
}

// approve gives what is granted, once: where its RoleBinding was deleted since, the request is over.
func (r *Reconciler) approve(ctx context.Context, request *v1alpha1.JoinRequest, team *v1alpha1.Team) error {
	request.Status.TeamUID = string(team.UID)
	request.Status.Phase = v1alpha1.JoinRequestApproved
	binding, err := r.binding(ctx, request)
	if err != nil {
		if says := obstacle(err, ""); says != "" {
			status.Report(request, status.Readiness{State: status.Progressing, Reason: "NotInForce", Message: says})
		}
		return err
	}
	wasMade := request.Status.RoleBinding != ""
	switch {
	case binding == nil && wasMade, binding != nil && binding.DeletionTimestamp != nil:
		return r.over(ctx, request, v1alpha1.JoinRequestWithdrawn, "Withdrawn",
			"the RoleBinding that gave the access was deleted; whoever wants access asks again")
	case binding == nil:
		if binding, err = r.makeBinding(ctx, request, team); err != nil {
			return err
		}
	}
	request.Status.RoleBinding = binding.Name
	status.Report(request, readinessOf(binding))
	return nil
}

// foreignBindingError is the name of a RoleBinding that somebody else made where that of a request is to be.
type foreignBindingError string

// Error says what to do.
func (f foreignBindingError) Error() string {
	return fmt.Sprintf("RoleBinding %s isn't this join request's own; delete it, and this goes on", string(f))
}

// obstacle says what keeps a request from being carried out. What the API server said isn't for who asks, who reads it too.
func obstacle(err error, otherwise string) string {
	var foreign foreignBindingError
	if errors.As(err, &foreign) {
		return foreign.Error()
	}
	return otherwise
}

// binding is the RoleBinding of a request, as the API server has it, or nil.
func (r *Reconciler) binding(ctx context.Context, request *v1alpha1.JoinRequest) (*v1alpha1.RoleBinding, error) {
	binding := &v1alpha1.RoleBinding{}
	key := client.ObjectKey{Namespace: request.Namespace, Name: bindingName(request)}
	if err := r.Live.Get(ctx, key, binding); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("get RoleBinding %s: %w", key, err)
	}
	if !metav1.IsControlledBy(binding, request) {
		return nil, foreignBindingError(key.Name)
	}
	return binding, nil
}

func (r *Reconciler) makeBinding(
	ctx context.Context, request *v1alpha1.JoinRequest, team *v1alpha1.Team,
) (*v1alpha1.RoleBinding, error) {
	binding := &v1alpha1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: bindingName(request)},
		Spec: v1alpha1.RoleBindingSpec{
			Role:     request.GrantedRole(),
			Projects: request.GrantedProjects(),
			Subjects: []v1alpha1.Subject{{
				Kind: v1alpha1.SubjectTeam, Name: team.Name, Organization: request.Spec.Team.Organization, UID: string(team.UID),
			}},
		},
	}
	if decidedBy := request.Status.DecidedBy; decidedBy != "" {
		// The access is who approved's doing, and the history says so.
		binding.Annotations = map[string]string{v1alpha1.AnnotationChangedBy: decidedBy}
	}
	binding.Spec.OrganizationWide = len(binding.Spec.Projects) == 0
	unblocked := controllerutil.WithBlockOwnerDeletion(false)
	if err := controllerutil.SetControllerReference(request, binding, r.Scheme(), unblocked); err != nil {
		return nil, err
	}
	if err := r.Create(ctx, binding); err != nil {
		return nil, fmt.Errorf("make RoleBinding %s: %w", binding.Name, err)
	}
	return binding, nil
}

// removeBinding asks for the RoleBinding to go and says whether it is gone. Its own finalizer keeps it until the access is.
func (r *Reconciler) removeBinding(ctx context.Context, request *v1alpha1.JoinRequest) (gone bool, err error) {
	binding, err := r.binding(ctx, request)
	if err != nil || binding == nil {
		return err == nil, err
	}
	if binding.DeletionTimestamp != nil {
		return false, nil
	}
	if err := r.noteEndedBy(ctx, request, binding); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	err = r.Delete(ctx, binding, client.Preconditions{UID: &binding.UID})
	return false, client.IgnoreNotFound(err)
}

// noteEndedBy writes on a RoleBinding that is about to go who ended it, where somebody did, for the history.
func (r *Reconciler) noteEndedBy(
	ctx context.Context, request *v1alpha1.JoinRequest, binding *v1alpha1.RoleBinding,
) error {
	endedBy := request.Annotations[v1alpha1.AnnotationDeletedBy]
	if endedBy == "" && request.Status.Phase == v1alpha1.JoinRequestRejected {
		endedBy = request.Status.DecidedBy
	}
	if endedBy == "" || binding.Annotations[v1alpha1.AnnotationDeletedBy] != "" {
		return nil
	}
	before := binding.DeepCopy()
	metav1.SetMetaDataAnnotation(&binding.ObjectMeta, v1alpha1.AnnotationDeletedBy, endedBy)
	return r.Patch(ctx, binding, client.MergeFrom(before))
}

// readinessOf says of the request what is true of its RoleBinding.
func readinessOf(binding *v1alpha1.RoleBinding) status.Readiness {
	ready := meta.FindStatusCondition(binding.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.ObservedGeneration != binding.Generation:
		return status.Readiness{State: status.Progressing, Reason: "NotInForce",
			Message: fmt.Sprintf("RoleBinding %s isn't in force yet", binding.Name)}
	case ready.Status == metav1.ConditionTrue:
		return status.Readiness{State: status.InForce, Reason: status.ReasonInForce,
			Message: fmt.Sprintf("RoleBinding %s is in force: %s", binding.Name, ready.Message)}
	}
	return status.Readiness{State: status.Progressing, Reason: ready.Reason,
		Message: fmt.Sprintf("RoleBinding %s isn't in force: %s", binding.Name, ready.Message)}
}
