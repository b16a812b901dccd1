package invitation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/text"
)

// Responder writes what invited people answer into their Memberships.
type Responder struct {
	// Live reads from the API server itself: an answer is decided on what is, not on what a cache holds.
	Live client.Reader
	// Writer writes as Roster.
	Writer client.Client
	// Clock says what has expired.
	Clock clock.PassiveClock
}

// Respond answers the invitation that a user has in an organization, or the one that the code is for. Without effect, it
// only says what would come of it.
func (r *Responder) Respond(
	ctx context.Context, username string, answer selfv1alpha1.AnswerSpec, effect bool,
) (selfv1alpha1.AnswerStatus, error) {
	if err := validate(username, answer); err != nil {
		return selfv1alpha1.AnswerStatus{}, err
	}
	var status selfv1alpha1.AnswerStatus
	// Each attempt decides anew: what was read may have been resent, revoked or answered meanwhile.
	err := retry.OnError(retry.DefaultBackoff, isOverrun, func() error {
		found, err := r.find(ctx, username, answer)
		if err != nil {
			return err
		}
		status.Membership = found.membership.Name
		status.Roles = text.Strings(access.RolesOf(found.membership, found.organization))
		if !effect {
			return nil
		}
		return r.write(ctx, found.membership, username, v1alpha1.InvitationResponse(answer.Response))
	})
	if isOverrun(err) {
		return status, apierrors.NewServerTimeout(answers, "create", 1)
	}
	if apierrors.IsNotFound(err) && !isAnswer(err) {
		return status, notInvited(username, answer.Organization)
	}
	return status, err
}

// invitation is a Membership with its organization.
type invitation struct {
	membership   *v1alpha1.Membership
	organization *v1alpha1.Organization
}

// find is the open invitation that an answer is for.
func (r *Responder) find(ctx context.Context, username string, answer selfv1alpha1.AnswerSpec) (*invitation, error) {
	organization, err := r.organization(ctx, username, answer.Organization)
	if err != nil {
		return nil, err
	}
	own, err := r.memberships(ctx, organization.Name, username)
	if err != nil {
		return nil, err
	}
	if answer.Code != "" && len(own) > 0 && IsFor(answer.Code, own[0].UID) {
		// Who has accepted by code is known by name from then on.
		return &invitation{own[0], organization}, r.checkOpen(own[0], organization)
	}
	if answer.Code != "" {
		membership, err := r.byCode(ctx, organization, username, answer.Code)
		if err != nil {
			return nil, err
		}
		if len(own) > 0 && answer.Response == string(v1alpha1.InvitationAccepted) {
			return nil, conflict("you have the Membership %q in organization %s already, so this invitation can't become yours: "+
				"decline it, or ask an administrator to delete one of the two", own[0].Name, organization.Name)
		}
		return &invitation{membership, organization}, nil
	}
	if len(own) == 0 {
		return nil, notInvited(username, organization.Name)
	}
	return &invitation{own[0], organization}, r.checkOpen(own[0], organization)
}

// organization is one that is in use. Of others nothing is told, and not whether there is one.
func (r *Responder) organization(ctx context.Context, username, name string) (*v1alpha1.Organization, error) {
	if len(validation.IsDNS1123Label(name)) > 0 {
		// The API server can't be asked about what is no name, and there is none such.
		return nil, notInvited(username, name)
	}
	organization, namespace := &v1alpha1.Organization{}, &corev1.Namespace{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: name}, organization); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, notInvited(username, name)
		}
		return nil, err
	}
	err := r.Live.Get(ctx, client.ObjectKey{Name: v1alpha1.OrganizationNamespace(name)}, namespace)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if err != nil || organization.DeletionTimestamp != nil ||
		access.CheckOrganizationNamespace(namespace, name) != access.NamespaceInOrder {
		return nil, notInvited(username, name)
	}
	return organization, nil
}

// memberships are those of a user in an organization, the one that counts first; of no user, the invitations by address.
func (r *Responder) memberships(ctx context.Context, organization, username string) ([]*v1alpha1.Membership, error) {
	var list v1alpha1.MembershipList
	err := r.Live.List(ctx, &list, client.InNamespace(v1alpha1.OrganizationNamespace(organization)),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("spec.user", username)})
	if err != nil {
		return nil, fmt.Errorf("read the memberships of organization %s: %w", organization, err)
	}
	var found []*v1alpha1.Membership
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			found = append(found, &list.Items[i])
		}
	}
	slices.SortFunc(found, access.CompareAge)
	return found, nil
}

// byCode is the open invitation to an address that a code is for. A wrong one is counted against the invitation that it
// is meant for, before anything is said of it.
func (r *Responder) byCode(
	ctx context.Context, organization *v1alpha1.Organization, username, code string,
) (*v1alpha1.Membership, error) {
	candidates, err := r.memberships(ctx, organization.Name, "")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(candidates, func(membership *v1alpha1.Membership) bool { return IsFor(code, membership.UID) })
	if at < 0 {
		return nil, apierrors.NewForbidden(answers, organization.Name, fmt.Errorf(
			"no invitation of organization %s waits for this code: copy it whole from the mail; an invitation that was "+
				"accepted, revoked or resent has no use for the code of an earlier mail", organization.Name))
	}
	membership := candidates[at]
	state := stateOf(membership)
	if err := r.checkOpen(membership, organization); err != nil {
		return nil, err
	}
	if state.WrongCodes >= v1alpha1.MaxWrongCodes {
		return nil, tooManyWrongCodes(organization.Name)
	}
	if Matches(code, state.CodeHash) {
		return membership, nil
	}
	if err := r.countWrongCode(ctx, membership, username); err != nil {
		return nil, err
	}
	if state.WrongCodes+1 >= v1alpha1.MaxWrongCodes {
		return nil, tooManyWrongCodes(organization.Name)
	}
	return nil, apierrors.NewForbidden(answers, organization.Name, fmt.Errorf(
		"wrong code (%d of %d): copy the code of the last mail; after %[2]d wrong ones the invitation must be resent",
		state.WrongCodes+1, v1alpha1.MaxWrongCodes))
}

// countWrongCode fails on a conflict, so that no two guesses count as one.
func (r *Responder) countWrongCode(ctx context.Context, membership *v1alpha1.Membership, username string) error {
	counted := membership.DeepCopy()
	if counted.Status.Invitation == nil {
		counted.Status.Invitation = &v1alpha1.InvitationStatus{}
	}
	counted.Status.Invitation.WrongCodes++
	counted.Status.Invitation.WrongCodeBy = username
	return r.Writer.Status().Update(ctx, counted)
}

// checkOpen says why an invitation can't be answered.
func (r *Responder) checkOpen(membership *v1alpha1.Membership, organization *v1alpha1.Organization) error {
	now := r.Clock.Now()
	switch {
	case !access.IsInvitation(membership):
		return conflict("you are a member of organization %s without an invitation: there is nothing to answer", organization.Name)
	case membership.Spec.Response == v1alpha1.InvitationAccepted:
		return conflict("you have accepted the invitation to organization %s already", organization.Name)
	case membership.Spec.Response == v1alpha1.InvitationDeclined:
		return conflict("the invitation to organization %s was declined already: ask an administrator there to resend it",
			organization.Name)
	case membership.Spec.Suspended:
		return conflict("the invitation to organization %s is suspended: ask an administrator there", organization.Name)
	}
	if access.PhaseOf(membership, organization, now).MembershipPhase == v1alpha1.MembershipInvited {
		return nil
	}
	return conflict("the invitation to organization %s expired at %s: ask an administrator there to resend it",
		organization.Name, access.InvitationEnd(membership, organization).UTC().Format(time.RFC3339))
}

// write sets the response, on the version that it was decided on. Who declines an invitation to an address stays unknown
// to the Membership, so that the address can be invited again.
func (r *Responder) write(
	ctx context.Context, membership *v1alpha1.Membership, username string, response v1alpha1.InvitationResponse,
) error {
	spec := map[string]any{"response": response}
	if membership.Spec.User == "" && response == v1alpha1.InvitationAccepted {
		spec["user"] = username
	}
	if membership.Spec.Invitation == nil {
		spec["invitation"] = map[string]any{}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": membership.UID, "resourceVersion": membership.ResourceVersion,
			"annotations": map[string]string{v1alpha1.AnnotationChangedBy: username},
		},
		"spec": spec,
	})
	if err != nil {
		return err
	}
	return r.Writer.Patch(ctx, membership.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
}

func stateOf(membership *v1alpha1.Membership) v1alpha1.InvitationStatus {
	if membership.Status.Invitation == nil {
		return v1alpha1.InvitationStatus{}
	}
	return *membership.Status.Invitation
}

func validate(username string, answer selfv1alpha1.AnswerSpec) error {
	switch {
	case strings.HasPrefix(username, "system:"):
		return apierrors.NewForbidden(answers, answer.Organization, fmt.Errorf(
			"%s is no person, and only people are members: answer as the person who is invited", username))
	case text.NameFlaw(username) != "":
		return apierrors.NewForbidden(answers, answer.Organization, fmt.Errorf(
			"your username %+q %s, as whoever runs the identity provider can", username, text.NameFlaw(username)))
	case answer.Organization == "":
		return apierrors.NewBadRequest("spec.organization is missing: name the organization that invites you")
	case answer.Response != string(v1alpha1.InvitationAccepted) && answer.Response != string(v1alpha1.InvitationDeclined):
		return apierrors.NewBadRequest(fmt.Sprintf("spec.response: %q is no answer: say %s or %s", answer.Response,
			v1alpha1.InvitationAccepted, v1alpha1.InvitationDeclined))
	}
	return nil
}

// answers is the resource that errors speak of.
var answers = selfv1alpha1.GroupVersion.WithResource("answers").GroupResource()

// answered marks the errors that are what an answer comes to, so that those of the API server can be told from them.
const answered metav1.CauseType = "InvitationNotOpen"

func conflict(format string, arguments ...any) error {
	return refusal(http.StatusConflict, metav1.StatusReasonConflict, fmt.Sprintf(format, arguments...))
}

func notInvited(username, organization string) error {
	return refusal(http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf(
		"no invitation of organization %q waits for %s: it was revoked, the organization is gone, or there was none; your "+
			"invitations: kubectl roster profile; an invitation that was mailed with a code is answered with it: --code CODE",
		organization, username))
}

func tooManyWrongCodes(organization string) error {
	return refusal(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
		"wrong code (%d of %[1]d): this invitation takes no more; ask an administrator of organization %s to resend it",
		v1alpha1.MaxWrongCodes, organization))
}

func refusal(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Group: answers.Group, Kind: answers.Resource,
			Causes: []metav1.StatusCause{{Type: answered, Message: message}}},
	}}
}

// isOverrun: somebody else has changed the Membership since it was read.
func isOverrun(err error) bool { return apierrors.IsConflict(err) && !isAnswer(err) }

func isAnswer(err error) bool { return apierrors.HasStatusCause(err, answered) }
