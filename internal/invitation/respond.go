package invitation

import (
	"context"
	"encoding/json"
	"errors"
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
	// Budget counts the wrong codes of each caller.
	Budget *Budget
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
	if answer.Code != "" {
		// Before anything is looked up: whether the code is right isn't told to a caller who has given too many wrong ones.
		if err := r.Budget.Check(ctx, username); err != nil {
			return status, err
		}
	}
	// Each attempt decides anew: what was read may have been resent, revoked or answered meanwhile.
	err := retry.OnError(retry.DefaultBackoff, isOverrun, func() error {
		found, err := r.find(ctx, username, answer)
		if err != nil {
			return err
		}
		change := answerTo(found, username, answer, r.Clock.Now())
		status.Membership = found.membership.Name
		status.Roles = text.Strings(access.RolesOf(found.membership, found.organization))
		if change.Confirmed != nil {
			status.Confirmed = change.Confirmed.Email
		}
		if !effect {
			return nil
		}
		return r.write(ctx, found.membership, username, change)
	})
	switch wrong := (*wrongCodeError)(nil); {
	case errors.As(err, &wrong):
		return status, r.refuseWrongCode(ctx, username, answer.Organization, wrong)
	case isOverrun(err):
		return status, apierrors.NewServerTimeout(answers, "create", 1)
	case apierrors.IsNotFound(err) && !isAnswer(err):
		return status, notInvited(username, answer.Organization)
	}
	return status, err
}

// invitation is a Membership with its organization.
type invitation struct {
	membership   *v1alpha1.Membership
	organization *v1alpha1.Organization
	// byCode: the answer came with the code that was mailed last.
	byCode bool
}

// wrongCodeError says that a code is of no invitation that the caller could answer with it. Why isn't told: there may be no such
// organization or no such invitation, the code may be of an earlier mail, or somebody else's.
type wrongCodeError struct {
	// needless: the caller is invited by username, and can answer without a code.
	needless bool
}

// Error is for logs; the caller reads what refuseWrongCode says.
func (*wrongCodeError) Error() string { return "wrong code" }

// refuseWrongCode counts a wrong code against the caller, and against nobody else.
func (r *Responder) refuseWrongCode(ctx context.Context, username, organization string, wrong *wrongCodeError) error {
	number, err := r.Budget.Spend(ctx, username)
	if err != nil {
		return err
	}
	advice := ""
	if wrong.needless {
		advice = "; you are invited by username, so you can also answer without a code"
	}
	return apierrors.NewForbidden(answers, organization, fmt.Errorf(
		"no invitation of organization %s waits for this code (wrong code %d of %d within an hour): copy the code whole from "+
			"the newest mail, as the code of an earlier mail is good no more once the invitation is resent; one that was accepted "+
			"or revoked takes no code%s", organization, number, maxWrongCodes, advice))
}

// find is the open invitation that an answer is for.
func (r *Responder) find(ctx context.Context, username string, answer selfv1alpha1.AnswerSpec) (*invitation, error) {
	organization, err := r.organization(ctx, username, answer.Organization)
	if answer.Code != "" && isAnswer(err) {
		return nil, &wrongCodeError{}
	}
	if err != nil {
		return nil, err
	}
	own, err := r.memberships(ctx, organization.Name, username)
	if err != nil {
		return nil, err
	}
	if answer.Code != "" {
		return r.byCode(ctx, organization, own, answer)
	}
	if len(own) == 0 {
		return nil, notInvited(username, organization.Name)
	}
	return &invitation{membership: own[0], organization: organization}, r.checkOpen(own[0], organization)
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

// byCode is the open invitation that a code is for: the caller's own, or one to an address alone. Whatever the code is, the
// same is looked up.
func (r *Responder) byCode(
	ctx context.Context, organization *v1alpha1.Organization, own []*v1alpha1.Membership, answer selfv1alpha1.AnswerSpec,
) (*invitation, error) {
	unclaimed, err := r.memberships(ctx, organization.Name, "")
	if err != nil {
		return nil, err
	}
	fits := func(membership *v1alpha1.Membership) bool { return Matches(answer.Code, stateOf(membership).CodeHash) }
	if len(own) > 0 && fits(own[0]) {
		return &invitation{own[0], organization, true}, r.checkOpen(own[0], organization)
	}
	at := slices.IndexFunc(unclaimed, fits)
	switch {
	case at < 0:
		return nil, &wrongCodeError{needless: len(own) > 0 && r.checkOpen(own[0], organization) == nil}
	case len(own) > 0 && answer.Response == string(v1alpha1.InvitationAccepted):
		return nil, conflict("you have the Membership %q in organization %s already, so this invitation can't become yours: "+
			"decline it, or ask an administrator to delete one of the two", own[0].Name, organization.Name)
	}
	return &invitation{unclaimed[at], organization, true}, r.checkOpen(unclaimed[at], organization)
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

// change is what an answer makes of a Membership's spec.
type change struct {
	Response   v1alpha1.InvitationResponse `json:"response"`
	User       string                      `json:"user,omitempty"`
	Invitation *v1alpha1.InvitationSpec    `json:"invitation,omitempty"`
	Confirmed  *v1alpha1.ConfirmedAddress  `json:"confirmed,omitempty"`
}

// answerTo is what an answer changes. A caller who declines an invitation to an address stays unknown to the Membership, so
// that the address can be invited again. Accepting with the code confirms the address that the code was mailed to, whatever
// address the Membership names by now.
func answerTo(found *invitation, username string, answer selfv1alpha1.AnswerSpec, now time.Time) change {
	membership := found.membership
	change := change{Response: v1alpha1.InvitationResponse(answer.Response)}
	if membership.Spec.Invitation == nil {
		change.Invitation = &v1alpha1.InvitationSpec{}
	}
	if change.Response != v1alpha1.InvitationAccepted {
		return change
	}
	if membership.Spec.User == "" {
		change.User = username
	}
	if address := stateOf(membership).CodeAddress; found.byCode && address != "" {
		change.Confirmed = &v1alpha1.ConfirmedAddress{Email: address, At: metav1.NewTime(now).Rfc3339Copy()}
	}
	return change
}

// write changes a Membership, on the version that the change was decided on.
func (r *Responder) write(ctx context.Context, membership *v1alpha1.Membership, username string, change change) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": membership.UID, "resourceVersion": membership.ResourceVersion,
			"annotations": map[string]string{v1alpha1.AnnotationChangedBy: username},
		},
		"spec": change,
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

func refusal(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Group: answers.Group, Kind: answers.Resource,
			Causes: []metav1.StatusCause{{Type: answered, Message: message}}},
	}}
}

func isAnswer(err error) bool { return apierrors.HasStatusCause(err, answered) }
