// Package token decides on the life of an APIToken: when a token is issued, replaced and ended. All of it is pure; what each
// token may do is for internal/access to say.
package token

import (
	"cmp"
	"slices"
	"time"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// defaultOverlap is how long a token works beside the next one that nothing else is said of.
const defaultOverlap = time.Hour

// Slack is how much less than was asked for a token may live without that being of account: clocks and roundings.
const Slack = time.Minute

// Credential is one token that was issued: the Secret that it is bound to and dies with.
type Credential struct {
	Name     string
	IssuedAt time.Time
}

// Delivery is what the Secret says of the token that it holds.
type Delivery struct {
	// Credential is the name of the Secret that the token is bound to.
	Credential string
	// ID of the token, as the API server's audit log writes it.
	ID                  string
	IssuedAt, ExpiresAt time.Time
	// Rotation is the request for a new token that this one answers.
	Rotation string
}

// State is what there is of an APIToken in the cluster.
type State struct {
	// HasAccount: its ServiceAccount is there.
	HasAccount bool
	// Credentials are all that were issued and haven't ended.
	Credentials []Credential
	// Delivery is that of its Secret, nil where there is none.
	Delivery *Delivery
}

// IsEmpty says whether nothing is left that a token could work by.
func (s State) IsEmpty() bool {
	return !s.HasAccount && len(s.Credentials) == 0 && s.Delivery == nil
}

// Plan is what is to be done now, and when to look again.
type Plan struct {
	// Ends: everything that is there goes. Nothing else is to be done then.
	Ends bool
	// Issues a token that lives for Life, because of Because.
	Issues  bool
	Life    time.Duration
	Because string
	// Discards are the credentials that have had their time.
	Discards []string
	// End is when the APIToken ends, RotatesAt when its token is replaced next by itself; zero for never.
	End, RotatesAt time.Time
	// Next is when something is to be done by itself; zero for never.
	Next time.Time
}

// IsQuiet says whether nothing is to be written.
func (p Plan) IsQuiet(state State) bool {
	return !p.Issues && len(p.Discards) == 0 && (!p.Ends || state.IsEmpty())
}

// Decide says what is to be done of an APIToken.
func Decide(token *v1alpha1.APIToken, policy v1alpha1.TokenPolicy, state State, now time.Time) Plan {
	plan := Plan{End: token.End(policy)}
	if token.DeletionTimestamp != nil || token.Ended(policy, now) {
		plan.Ends = true
		return plan
	}
	plan.Next = plan.End
	current := currentCredential(state)
	if plan.Because = reasonToIssue(token, state, current, plan.End, now); plan.Because != "" {
		plan.Issues, plan.Life = true, lifeOf(token, plan.End, now)
		if current == nil {
			// Whoever took away the Secret, or what the token was bound to, means the tokens before to end too.
			plan.discardAll(state)
		}
		// A present token goes on for the overlap, once there is another one.
		return plan
	}
	plan.RotatesAt = rotatesAt(token, *state.Delivery, plan.End)
	plan.lookAgain(plan.RotatesAt)
	plan.discard(token, state, now)
	return plan
}

// currentCredential is the one that the delivered token is bound to, or nil where it is gone.
func currentCredential(state State) *Credential {
	if state.Delivery == nil {
		return nil
	}
	at := slices.IndexFunc(state.Credentials, func(c Credential) bool { return c.Name == state.Delivery.Credential })
	if at < 0 {
		return nil
	}
	return &state.Credentials[at]
}

func reasonToIssue(
	token *v1alpha1.APIToken, state State, current *Credential, end, now time.Time,
) string {
	asked := token.Annotations[v1alpha1.AnnotationRotate]
	switch {
	case !state.HasAccount, current == nil:
		return "there is no token that works"
	case asked != "" && asked != state.Delivery.Rotation:
		return "a rotation was asked for"
	}
	if due := rotatesAt(token, *state.Delivery, end); !due.IsZero() && !now.Before(due) {
		return "it is time for the next one"
	}
	return ""
}

// rotatesAt is when the present token is replaced by itself; zero for never. Where the API server has given it a shorter
// life than was asked for, that is earlier.
func rotatesAt(token *v1alpha1.APIToken, delivery Delivery, end time.Time) time.Time {
	rotation := token.Spec.Rotation
	if rotation == nil {
		return time.Time{}
	}
	due := delivery.IssuedAt.Add(rotation.Every.Duration)
	if early := rotatesEarly(token, delivery); delivery.ExpiresAt.Add(Slack).Before(end) && early.Before(due) {
		due = early
	}
	if !due.Before(end) {
		return time.Time{}
	}
	return due
}

// rotatesEarly is when the present token must be replaced before it ends.
func rotatesEarly(token *v1alpha1.APIToken, delivery Delivery) time.Time {
	half := delivery.IssuedAt.Add(delivery.ExpiresAt.Sub(delivery.IssuedAt) / 2)
	early := delivery.ExpiresAt.Add(-Overlap(token))
	if early.Before(half) {
		// A life shorter than the overlap must not mean a new token at once.
		return half
	}
	return early
}

// lifeOf is how long the next token is to live.
func lifeOf(token *v1alpha1.APIToken, end, now time.Time) time.Duration {
	life := end.Sub(now)
	if rotation := token.Spec.Rotation; rotation != nil {
		life = min(life, rotation.Every.Duration+Overlap(token))
	}
	return life
}

// Overlap is how long a token works beside the next one.
func Overlap(token *v1alpha1.APIToken) time.Duration {
	rotation := token.Spec.Rotation
	switch {
	case rotation == nil:
		return defaultOverlap
	case rotation.Overlap != nil:
		return rotation.Overlap.Duration
	}
	return min(defaultOverlap, rotation.Every.Duration/2)
}

// discard ends the tokens before the present one when their overlap is over, each counted from the one after it. One that was
// issued and never delivered, as by a manager that was stopped in between, ends at once.
func (p *Plan) discard(token *v1alpha1.APIToken, state State, now time.Time) {
	issued := slices.SortedFunc(slices.Values(state.Credentials), func(a, b Credential) int {
		return cmp.Or(a.IssuedAt.Compare(b.IssuedAt), cmp.Compare(a.Name, b.Name))
	})
	current := slices.IndexFunc(issued, func(c Credential) bool { return c.Name == state.Delivery.Credential })
	for at, credential := range issued {
		switch {
		case at == current:
		case at > current:
			p.Discards = append(p.Discards, credential.Name)
		default:
			end := issued[at+1].IssuedAt.Add(Overlap(token))
			if !now.Before(end) {
				p.Discards = append(p.Discards, credential.Name)
				continue
			}
			p.lookAgain(end)
		}
	}
}

func (p *Plan) discardAll(state State) {
	for _, credential := range state.Credentials {
		p.Discards = append(p.Discards, credential.Name)
	}
}

// lookAgain remembers an instant at which something is to be done.
func (p *Plan) lookAgain(instant time.Time) {
	if !instant.IsZero() && (p.Next.IsZero() || instant.Before(p.Next)) {
		p.Next = instant
	}
}
