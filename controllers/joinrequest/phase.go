package joinrequest

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
)

// carryOut brings a request to where it is to stand, and says so in its status.
func (r *Reconciler) carryOut(ctx context.Context, organization string, request *v1alpha1.JoinRequest) error {
	team, err := r.askingTeam(ctx, request)
	if err != nil {
		return err
	}
	r.noteDecision(request)
	isOver := request.Status.Phase == v1alpha1.JoinRequestWithdrawn
	switch {
	case request.Spec.Decision == v1alpha1.JoinRejected:
		return r.over(ctx, request, v1alpha1.JoinRequestRejected, "Rejected", rejection(request))
	case isOver, team == nil:
		return r.over(ctx, request, v1alpha1.JoinRequestWithdrawn, "Withdrawn",
			"the team, its organization or the RoleBinding is gone, and the request with it; whoever wants access asks again")
	case request.Spec.Decision == v1alpha1.JoinApproved:
		return r.approve(ctx, request, team)
	}
	request.Status.TeamUID = string(team.UID)
	request.Status.Phase = v1alpha1.JoinRequestPending
	status.Report(request, status.Readiness{State: status.Held, Reason: "Pending",
		Message: fmt.Sprintf("the request waits for who may approve it in organization %s", organization)})
	return nil
}

// askingTeam is the very team that asked, or nil where it or its organization is gone or going. Nothing ends for good on
// what a cache says.
func (r *Reconciler) askingTeam(ctx context.Context, request *v1alpha1.JoinRequest) (*v1alpha1.Team, error) {
	asking := request.Spec.Team
	team, organization := &v1alpha1.Team{}, &v1alpha1.Organization{}
	for _, reader := range []client.Reader{r.Client, r.Live} {
		stands, err := there(ctx, reader, client.ObjectKey{Name: asking.Organization}, organization)
		if err == nil && stands {
			namespace := v1alpha1.OrganizationNamespace(asking.Organization)
			stands, err = there(ctx, reader, client.ObjectKey{Namespace: namespace, Name: string(asking.Name)}, team)
		}
		if err != nil {
			return nil, err
		}
		if stands && (request.Status.TeamUID == "" || request.Status.TeamUID == string(team.UID)) {
			return team, nil
		}
	}
	return nil, nil
}

// there reads an object and says whether it is there to stay.
func there(ctx context.Context, reader client.Reader, key client.ObjectKey, object client.Object) (bool, error) {
	err := reader.Get(ctx, key, object, client.DisableReadYourWritesConsistency)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("get %T %s: %w", object, key, err)
	}
	return err == nil && object.GetDeletionTimestamp() == nil, nil
}

// noteDecision keeps who decided, and when Roster saw it.
func (r *Reconciler) noteDecision(request *v1alpha1.JoinRequest) {
	decided := map[v1alpha1.JoinDecision]v1alpha1.JoinRequestPhase{
		v1alpha1.JoinApproved: v1alpha1.JoinRequestApproved, v1alpha1.JoinRejected: v1alpha1.JoinRequestRejected,
	}[request.Spec.Decision]
	if decided == "" || decided == request.Status.Phase || request.Status.Phase == v1alpha1.JoinRequestWithdrawn {
		return
	}
	now := metav1.NewTime(r.Clock.Now())
	request.Status.DecidedBy, request.Status.DecidedAt = request.Annotations[v1alpha1.AnnotationChangedBy], &now
}

func rejection(request *v1alpha1.JoinRequest) string {
	if request.Spec.Reason == "" {
		return "the request was rejected; ask anew for something else"
	}
	return "the request was rejected: " + request.Spec.Reason
}

// over ends whatever the request gave. Until that is gone it says so.
func (r *Reconciler) over(
	ctx context.Context, request *v1alpha1.JoinRequest, phase v1alpha1.JoinRequestPhase, reason, message string,
) error {
	request.Status.Phase = phase
	gone, err := r.removeBinding(ctx, request)
	readiness := status.Readiness{State: status.Held, Reason: reason, Message: message}
	if err != nil || !gone {
		readiness = status.Readiness{State: status.Progressing, Reason: reason,
			Message: obstacle(err, "access that is to be taken away can't be taken yet, and is tried again")}
	}
	status.Report(request, readiness)
	return err
}
