package mail

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Invitation is what the templates invitation.* may say. Texts are on one line unless said otherwise.
type Invitation struct {
	// Organization that invites, by name, and what people call it, which may be empty.
	Organization, OrganizationDisplayName string
	// InvitedBy is the username of who invites.
	InvitedBy string
	// Invitee is the invited person's name, username or address.
	Invitee string
	// Roles that the person would hold; none when it is only membership.
	Roles []string
	// ExpiresAt is when the invitation can no longer be answered.
	ExpiresAt time.Time
	// User is the username of the invited person; empty where it isn't known yet.
	User string
	// Address that the mail goes to.
	Address string
	// Code answers the invitation of somebody whose user isn't known yet, and confirms the address; empty where the mail goes
	// to an address that is the person's already. It is the one secret that a mail carries.
	Code string
	// AcceptCommand and DeclineCommand answer with the kubectl plugin. WithCommands fills them in.
	AcceptCommand, DeclineCommand string
	// KubectlCommand accepts without it; it has several lines.
	KubectlCommand string `lines:""`
	// PortalURL is a page to answer on; empty where the installation has none.
	PortalURL string
}

// Title is what people call the organization, with its name.
func (i Invitation) Title() string { return title(i.OrganizationDisplayName, i.Organization) }

// JoinRequest is what the templates join-request.* may say: they go to owners, who decide.
type JoinRequest struct {
	// Organization that is asked, by name, and what people call it, which may be empty.
	Organization, OrganizationDisplayName string
	// Team that asks, of the organization RequestingOrganization.
	Team, RequestingOrganization string
	// RequestedBy is the username of who asks for the team.
	RequestedBy string
	// Role that is asked for, in these projects; none: in the whole organization.
	Role     string
	Projects []string
	// Message is what the requester wrote; it may have several lines, and may be empty.
	Message string `lines:""`
	// ApproveCommand and RejectCommand decide.
	ApproveCommand, RejectCommand string
}

// Title is what people call the organization that is asked, with its name.
func (j JoinRequest) Title() string { return title(j.OrganizationDisplayName, j.Organization) }

// JoinDecision is what the templates join-decision.* may say: they go to who asked.
type JoinDecision struct {
	// Organization that was asked, by name, and what people call it, which may be empty.
	Organization, OrganizationDisplayName string
	// Team that asked, of the organization RequestingOrganization.
	Team, RequestingOrganization string
	// RequestedBy is the username of who asked for the team.
	RequestedBy string
	// Approved, or rejected.
	Approved bool
	// Role that was granted, in these projects; none: in the whole organization. Empty when rejected.
	Role     string
	Projects []string
	// DecidedBy is the username of the owner who decided.
	DecidedBy string
	// Reason that the owner gave; it may have several lines, and may be empty.
	Reason string `lines:""`
}

// Title is what people call the organization that was asked, with its name.
func (j JoinDecision) Title() string { return title(j.OrganizationDisplayName, j.Organization) }

// Decision is approved or rejected.
func (j JoinDecision) Decision() string {
	if j.Approved {
		return "approved"
	}
	return "rejected"
}

func title(displayName, name string) string {
	if displayName == "" || displayName == name {
		return name
	}
	return fmt.Sprintf("%s (%s)", displayName, name)
}

// answer is an Answer of self.roster.dev as the invited person would write it.
type answer struct {
	metav1.TypeMeta `json:",inline"`
	Spec            answerSpec `json:"spec"`
}

type answerSpec struct {
	Organization string `json:"organization"`
	Response     string `json:"response"`
	Code         string `json:"code,omitempty"`
}

// WithCommands is the invitation with the commands that answer it, to be pasted into a shell as they are.
func (i Invitation) WithCommands() Invitation {
	arguments := " " + quoted(i.Organization)
	if i.Code != "" {
		arguments += " --code " + quoted(i.Code)
	}
	i.AcceptCommand = "kubectl roster accept" + arguments
	i.DeclineCommand = "kubectl roster decline" + arguments
	// A struct of texts always has a YAML form, which never begins a line with the mark that ends the input.
	manifest, _ := yaml.Marshal(answer{
		TypeMeta: metav1.TypeMeta{APIVersion: "self.roster.dev/v1alpha1", Kind: "Answer"},
		Spec:     answerSpec{Organization: i.Organization, Response: "Accepted", Code: i.Code},
	})
	i.KubectlCommand = "kubectl create -f - <<'EOF'\n" + string(manifest) + "EOF"
	return i
}

var plainWords = regexp.MustCompile(`^[A-Za-z0-9._@%+=:/][A-Za-z0-9._@%+=:/-]*$`)

// quoted is the text as one word for a shell.
func quoted(text string) string {
	if plainWords.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(oneLine(text), "'", `'\''`) + "'"
}
