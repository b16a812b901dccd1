package joinmail

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/person"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/internal/text"
)

const (
	// reasonNoLonger is a reason of the condition Mailed.
	reasonNoLonger = "NoLongerNews"

	noAddress = "no mail address of this user is known: set spec.email of the User"
	// recipientDigits of a username's hash tell the mails of a request apart.
	recipientDigits = 16
)

// recipientOf stands for a username where who asks can read it. They can guess names, but not the uid of the organization
// that they ask, which they don't see.
func recipientOf(organization *v1alpha1.Organization, username string) string {
	hash := hmac.New(sha256.New, []byte(organization.UID))
	hash.Write([]byte(username))
	return hex.EncodeToString(hash.Sum(nil))[:recipientDigits]
}

// gather notes whom to mail, once: an owner who is named later isn't mailed what waits already.
func (r *Reconciler) gather(ctx context.Context, request *v1alpha1.JoinRequest) error {
	if _, err := r.Office.Settings(ctx); err != nil {
		return r.unmailed(ctx, request, err)
	}
	before, about := request.DeepCopy(), r.aboutOf(request)
	recipients, err := r.recipients(ctx, request, about)
	if err != nil {
		return err
	}
	for _, one := range recipients {
		if find(request, about, one.mark) != nil {
			continue
		}
		known, err := person.Find(ctx, r.Client, r.Live, one.username)
		if err != nil {
			return err
		}
		mail := v1alpha1.JoinMail{About: about, Recipient: one.mark}
		if known.Address == "" || known.Deactivated {
			mail.Delivery, mail.LastError = v1alpha1.MailFailed, noAddress
		}
		request.Status.Mails = append(request.Status.Mails, mail)
	}
	summarize(request, about)
	return status.Update(ctx, r.Client, before, request)
}

// recipient is somebody whom a mail is for, with what stands for them in the status.
type recipient struct{ username, mark string }

// recipients are those whom a mail is for.
func (r *Reconciler) recipients(
	ctx context.Context, request *v1alpha1.JoinRequest, about v1alpha1.JoinMailAbout,
) ([]recipient, error) {
	organization, err := r.organization(ctx, request)
	if err != nil {
		return nil, err
	}
	usernames := []string{request.Spec.RequestedBy}
	if about == v1alpha1.JoinMailRequested {
		usernames = text.Strings(organization.Spec.Owners)
	}
	var found []recipient
	for _, username := range usernames {
		found = append(found, recipient{username, recipientOf(organization, username)})
	}
	return found, nil
}

// organization is the one that is asked.
func (r *Reconciler) organization(ctx context.Context, request *v1alpha1.JoinRequest) (*v1alpha1.Organization, error) {
	name, _ := v1alpha1.OrganizationOf(request.Namespace)
	organization := &v1alpha1.Organization{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: name}, organization); err != nil {
		return nil, fmt.Errorf("read Organization %s: %w", name, err)
	}
	return organization, nil
}

// unmailed says why nothing is mailed now. Other settings make another attempt.
func (r *Reconciler) unmailed(ctx context.Context, request *v1alpha1.JoinRequest, problem error) error {
	reason, isAboutSettings := mailer.ReasonOf(problem)
	if !isAboutSettings {
		return problem
	}
	before := request.DeepCopy()
	// What is wrong with the settings isn't for who asks.
	ctrl.LoggerFrom(ctx).Info("a join request isn't mailed", "problem", problem.Error())
	say(request, metav1.ConditionFalse, reason, "Roster can't send mail now; "+withoutMail(request))
	return status.Update(ctx, r.Client, before, request)
}

// send makes one attempt: it is written down that it begins, then it is made, and then how it ended is written down.
func (r *Reconciler) send(ctx context.Context, request *v1alpha1.JoinRequest, mail *v1alpha1.JoinMail) error {
	settings, err := r.Office.Settings(ctx)
	if err != nil {
		return r.unmailed(ctx, request, err)
	}
	username, err := r.username(ctx, request, mail)
	if err != nil {
		return err
	}
	known, err := person.Find(ctx, r.Client, r.Live, username)
	if err != nil {
		return err
	}
	if known.Address == "" || known.Deactivated {
		before := request.DeepCopy()
		mail.Delivery, mail.LastError = v1alpha1.MailFailed, noAddress
		summarize(request, mail.About)
		return status.Update(ctx, r.Client, before, request)
	}
	r.Office.Begin(&mail.MailState)
	message, err := r.message(ctx, settings, request, mail, username, known)
	if err != nil {
		return err
	}
	summarize(request, mail.About)
	// Not by status.Update: a mail about a request that is gone isn't sent.
	if err := r.Status().Update(ctx, request); err != nil {
		return err
	}
	// What is written may be read back into other memory.
	mail = find(request, mail.About, mail.Recipient)
	done := r.Office.Deliver(ctx, attemptOf(request, mail), settings, message)
	if done.Message != "" {
		ctrl.LoggerFrom(ctx).Info("a mail about a join request failed", "recipient", username, "problem", done.Message)
	}
	return r.settle(ctx, request, mail)
}

// username is whom a mail is for; empty for an owner who is none any more.
func (r *Reconciler) username(ctx context.Context, request *v1alpha1.JoinRequest, mail *v1alpha1.JoinMail) (string, error) {
	recipients, err := r.recipients(ctx, request, mail.About)
	for _, one := range recipients {
		if one.mark == mail.Recipient {
			return one.username, err
		}
	}
	return "", err
}

// attemptOf is the attempt that was begun last.
func attemptOf(request *v1alpha1.JoinRequest, mail *v1alpha1.JoinMail) mailer.Attempt {
	return mailer.Attempt{Object: request.UID, Mail: string(mail.About) + "/" + mail.Recipient, Number: mail.Attempts}
}

func find(request *v1alpha1.JoinRequest, about v1alpha1.JoinMailAbout, recipient string) *v1alpha1.JoinMail {
	for i := range request.Status.Mails {
		if mail := &request.Status.Mails[i]; mail.About == about && mail.Recipient == recipient {
			return mail
		}
	}
	return nil
}

// settle writes down how an attempt ended, if that is still the last one.
func (r *Reconciler) settle(ctx context.Context, request *v1alpha1.JoinRequest, mail *v1alpha1.JoinMail) error {
	attempt, about, recipient := attemptOf(request, mail), mail.About, mail.Recipient
	return r.Office.Settle(ctx, attempt, func(ctx context.Context, done mailer.Outcome) error {
		live := &v1alpha1.JoinRequest{}
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(request), live); err != nil {
			return err
		}
		state := find(live, about, recipient)
		if state == nil || attemptOf(live, state) != attempt {
			return nil
		}
		before := live.DeepCopy()
		r.Office.End(&state.MailState, done)
		state.LastError = done.Brief
		summarize(live, about)
		return status.Update(ctx, r.Client, before, live)
	})
}

// giveUp says of mails that they are sent no more, since what they say is over.
func (r *Reconciler) giveUp(ctx context.Context, request *v1alpha1.JoinRequest) error {
	before, about := request.DeepCopy(), r.aboutOf(request)
	for i := range request.Status.Mails {
		if mail := &request.Status.Mails[i]; mail.About != about && isWaiting(mail.MailState) {
			mail.Delivery = v1alpha1.MailFailed
		}
	}
	say(request, metav1.ConditionFalse, reasonNoLonger, "the request went on before everything about it was mailed")
	return status.Update(ctx, r.Client, before, request)
}

// summarize says of all mails about one thing how far they are: of the one that is worst off, and how many are sent.
func summarize(request *v1alpha1.JoinRequest, about v1alpha1.JoinMailAbout) {
	worst, problem := v1alpha1.MailSent, ""
	sent, all := 0, 0
	for i := range request.Status.Mails {
		mail := &request.Status.Mails[i]
		if mail.About != about {
			continue
		}
		all++
		delivery := mail.Delivery
		if delivery == "" {
			delivery = v1alpha1.MailSending
		}
		if delivery == v1alpha1.MailSent {
			sent++
		}
		if badness[delivery] > badness[worst] {
			worst, problem = delivery, mail.LastError
		}
	}
	message := fmt.Sprintf("the mail server has taken %d of %d mails (%s)", sent, all, about)
	value := metav1.ConditionFalse
	switch worst {
	case v1alpha1.MailSent:
		value = metav1.ConditionTrue
	case v1alpha1.MailSending:
		value = metav1.ConditionUnknown
	case v1alpha1.MailUnknown:
		value = metav1.ConditionUnknown
		message += "; " + problem + "; it isn't sent again; " + withoutMail(request)
	case v1alpha1.MailRetrying:
		message += "; " + problem + "; it is tried again; " + withoutMail(request)
	case v1alpha1.MailFailed:
		message += "; " + problem + "; " + withoutMail(request)
	}
	say(request, value, string(worst), message)
}

var badness = map[v1alpha1.MailDelivery]int{
	v1alpha1.MailSent: 0, v1alpha1.MailUnknown: 1, v1alpha1.MailFailed: 2, v1alpha1.MailRetrying: 3, v1alpha1.MailSending: 4,
}

func say(request *v1alpha1.JoinRequest, value metav1.ConditionStatus, reason, message string) {
	status.Set(request, v1alpha1.ConditionMailed, value, reason, message)
}

// withoutMail says how what isn't mailed can be seen all the same.
func withoutMail(request *v1alpha1.JoinRequest) string {
	organization, _ := v1alpha1.OrganizationOf(request.Namespace)
	if request.Spec.Decision == "" {
		return "who may decide sees the request all the same: kubectl roster join list --organization " + organization
	}
	return fmt.Sprintf("who asked sees the decision all the same: kubectl get joinrequest %s -n %s -o yaml", request.Name,
		request.Namespace)
}
