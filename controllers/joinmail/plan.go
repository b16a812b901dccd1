package joinmail

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mailer"
)

// newsFor is how long a decision is worth a mail: who sets a mail server up doesn't mean to tell of all decisions ever made.
const newsFor = 72 * time.Hour

// step is what is to be done next about the mails of a request.
type step int

const (
	// rest: nothing, until something changes.
	rest step = iota
	// settle: an attempt was begun, and how it ended isn't written down.
	settle
	// giveUp: it says that mails will be sent which no longer will.
	giveUp
	// gather: it is to be found out who is to be mailed.
	gather
	// send: one is to be sent now.
	send
	// wait: one is to be sent later.
	wait
)

// plan is what is next, about which of the mails, and when.
type plan struct {
	step step
	mail int
	due  time.Time
}

func (r *Reconciler) plan(request *v1alpha1.JoinRequest) plan {
	about := r.aboutOf(request)
	mails := request.Status.Mails
	later := plan{step: rest}
	known := false
	for i := range mails {
		next, due := r.Office.Next(mails[i].MailState)
		switch {
		case next == mailer.Settle:
			return plan{step: settle, mail: i}
		case mails[i].About != about:
			continue
		case next == mailer.Send && later.step != send:
			later = plan{step: send, mail: i}
		case next == mailer.Wait && later.step != send && (later.step == rest || due.Before(later.due)):
			later = plan{step: wait, mail: i, due: due}
		}
		known = true
	}
	switch {
	case request.DeletionTimestamp != nil, isUnderWay(request):
		return plan{step: rest}
	case isStale(request, about):
		return plan{step: giveUp}
	case about != "" && !known:
		return plan{step: gather}
	}
	return later
}

// isUnderWay says whether a decision isn't carried out yet: what is to be mailed turns out then.
func isUnderWay(request *v1alpha1.JoinRequest) bool {
	switch request.Status.Phase {
	case v1alpha1.JoinRequestWithdrawn:
		return false
	case v1alpha1.JoinRequestPending, "":
		return request.Spec.Decision != ""
	}
	return string(request.Spec.Decision) != string(request.Status.Phase)
}

// aboutOf is what is to be mailed as a request stands now; empty for nothing.
func (r *Reconciler) aboutOf(request *v1alpha1.JoinRequest) v1alpha1.JoinMailAbout {
	decidedAt := request.Status.DecidedAt
	isNews := decidedAt != nil && r.Clock.Now().Before(decidedAt.Add(newsFor))
	switch {
	case request.IsPending() && request.Status.Phase == v1alpha1.JoinRequestPending:
		return v1alpha1.JoinMailRequested
	case isNews && request.Spec.Decision == v1alpha1.JoinApproved && request.Status.Phase == v1alpha1.JoinRequestApproved:
		return v1alpha1.JoinMailApproved
	case isNews && request.Spec.Decision == v1alpha1.JoinRejected && request.Status.Phase == v1alpha1.JoinRequestRejected:
		return v1alpha1.JoinMailRejected
	}
	return ""
}

// isStale says whether mails wait to be sent that say what is no longer so, or the condition promises any.
func isStale(request *v1alpha1.JoinRequest, about v1alpha1.JoinMailAbout) bool {
	condition := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionMailed)
	promises := condition != nil && slices.Contains([]string{
		string(v1alpha1.MailRetrying), mailer.ReasonNoSettings, mailer.ReasonInvalidSettings,
	}, condition.Reason)
	return about == "" && promises || slices.ContainsFunc(request.Status.Mails, func(mail v1alpha1.JoinMail) bool {
		return mail.About != about && isWaiting(mail.MailState)
	})
}

func isWaiting(state v1alpha1.MailState) bool {
	return state.Delivery == "" || state.Delivery == v1alpha1.MailRetrying
}
