package mail_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/roster-dev/roster/internal/mail"
)

// folder has these files.
func folder(files map[string]string) string {
	GinkgoHelper()
	directory := GinkgoT().TempDir()
	for name, content := range files {
		Expect(os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600)).To(Succeed())
	}
	return directory
}

var anInvitation = mail.Invitation{
	Organization: "acme", OrganizationDisplayName: "The Acme Company", InvitedBy: "ana@acme.example",
	Invitee: "bo@agency.example", Roles: []string{"viewer", "billing"}, Code: "K7Q2-9XWD", Address: "bo@agency.example",
	ExpiresAt: time.Date(2027, time.January, 31, 10, 30, 0, 0, time.FixedZone("CET", 3600)),
	PortalURL: "https://portal.acme.example/invitations",
}.WithCommands()

var _ = Describe("The mail to an invited person", func() {
	It("says who invites, to what, with which roles, until when, and how to answer", func() {
		content, err := templates().Invitation(anInvitation)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Subject).To(Equal("ana@acme.example invites you to The Acme Company (acme)"))
		Expect(content.Text).To(Equal(`Hello bo@agency.example,

ana@acme.example invites you to the organization The Acme Company (acme).

Roles you would have: viewer, billing
Please answer before: 31 January 2027, 09:30 UTC

Answer in your browser:

    https://portal.acme.example/invitations

Or with kubectl. To accept:

    kubectl roster accept acme --code K7Q2-9XWD

To decline:

    kubectl roster decline acme --code K7Q2-9XWD

Without the roster plugin, paste this to accept; to decline, write Declined
in place of Accepted:

kubectl create -f - <<'EOF'
apiVersion: self.roster.dev/v1alpha1
kind: Answer
spec:
  code: K7Q2-9XWD
  organization: acme
  response: Accepted
EOF

The code is for you alone: whoever has it can answer in your place. Please
don't pass this mail on. Accepting confirms that
bo@agency.example is your mail address, also for
other organizations. If it isn't yours, don't accept.

Nothing happens until you accept. If you didn't expect this, you can ignore
it.
`))
		Expect(content.HTML).To(And(
			ContainSubstring("<strong>The Acme Company (acme)</strong>"),
			ContainSubstring(`<a href="https://portal.acme.example/invitations">`),
			ContainSubstring("viewer, billing"), ContainSubstring("31 January 2027, 09:30 UTC"),
			ContainSubstring("<pre>kubectl roster accept acme --code K7Q2-9XWD</pre>"),
			ContainSubstring("kind: Answer\nspec:\n  code: K7Q2-9XWD"),
		))
	})

	It("says what the code does where the username is known", func() {
		known := anInvitation
		known.User = "bo"
		content, err := templates().Invitation(known)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Text).To(ContainSubstring(`
Only bo can accept. Accepting with the code confirms that
bo@agency.example is your mail address, also for
other organizations. If it isn't yours, leave the code out.

Nothing happens until you accept.`))
		Expect(content.HTML).To(ContainSubstring("<p>Only bo can accept. Accepting with the code confirms that bo@agency.example is"))
		for _, part := range []string{content.Text, content.HTML} {
			Expect(part).NotTo(ContainSubstring("in your place"))
		}
	})

	It("leaves out what there isn't", func() {
		content, err := templates().Invitation(mail.Invitation{
			Organization: "acme", InvitedBy: "ana", Invitee: "bo", ExpiresAt: anInvitation.ExpiresAt,
		}.WithCommands())
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Subject).To(Equal("ana invites you to acme"))
		for _, part := range []string{content.Text, content.HTML} {
			Expect(part).NotTo(MatchRegexp("--code|for you alone|browser|Roles|href"))
			Expect(part).To(ContainSubstring("kubectl roster accept acme"))
		}
		Expect(content.Text).NotTo(ContainSubstring("\n\n\n"))
	})

	It("has no pictures, scripts, or links elsewhere", func() {
		content, err := templates().Invitation(anInvitation)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.HTML).NotTo(MatchRegexp(`(?i)<(img|script|link|iframe|form)|url\(|src=`))
		Expect(strings.Count(content.HTML, "http")).To(Equal(1))
	})

	It("escapes names in HTML, keeps them on their line, and links to web pages alone", func() {
		hostile := anInvitation
		hostile.InvitedBy = "<b>ana</b>\n\nYour code is 1234"
		hostile.PortalURL = "javascript:alert(1)"
		content, err := templates().Invitation(hostile)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.HTML).To(ContainSubstring("&lt;b&gt;ana&lt;/b&gt;  Your code is 1234"))
		Expect(content.HTML).NotTo(ContainSubstring("javascript:"))
		Expect(content.Text).To(ContainSubstring("<b>ana</b>  Your code is 1234 invites you"))
	})
})

// pasted is what kubectl is given when the command is pasted into a shell: its arguments, and its input.
func pasted(command string) (arguments []string, input string) {
	GinkgoHelper()
	shell := exec.Command("sh", "-c", `kubectl() { printf '%s\0' "$@"; case "$1" in create) cat;; esac; }`+"\n"+command)
	output, err := shell.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	given := strings.Split(string(output), "\x00")
	return given[:len(given)-1], given[len(given)-1]
}

var _ = Describe("The commands that answer", func() {
	It("can be pasted into a shell as they are, whatever the names are", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			g := NewWithT(t)
			// No text holds a NUL, neither an argument nor YAML.
			organization := strings.ReplaceAll(hostile().Draw(t, "organization"), "\x00", "$(reboot) `reboot` 'EOF\nEOF\n")
			i := mail.Invitation{Organization: organization, Code: "$HOME"}.WithCommands()
			arguments, _ := pasted(i.AcceptCommand)
			g.Expect(arguments).To(HaveLen(5))
			g.Expect(arguments[:2]).To(Equal([]string{"roster", "accept"}))
			g.Expect(arguments[3:]).To(Equal([]string{"--code", "$HOME"}))
			arguments, input := pasted(i.KubectlCommand)
			g.Expect(arguments).To(Equal([]string{"create", "-f", "-"}))
			g.Expect(input).To(HavePrefix("apiVersion: self.roster.dev/v1alpha1\nkind: Answer\nspec:\n"))
			g.Expect(yaml.Unmarshal([]byte(input), &map[string]any{})).To(Succeed())
		})
	})

	It("are one word for a shell, and text for YAML", func() {
		hostile := mail.Invitation{Organization: "acme'; rm -rf /\nEOF\nreboot", Code: "yes"}.WithCommands()
		Expect(hostile.AcceptCommand).To(Equal(`kubectl roster accept 'acme'\''; rm -rf / EOF reboot' --code yes`))
		lines := strings.Split(hostile.KubectlCommand, "\n")
		Expect(lines[0]).To(Equal("kubectl create -f - <<'EOF'"))
		Expect(lines[1 : len(lines)-1]).NotTo(ContainElement("EOF"))
		Expect(lines[len(lines)-1]).To(Equal("EOF"))

		var answer struct{ Spec map[string]string }
		manifest := strings.Join(lines[1:len(lines)-1], "\n")
		Expect(yaml.UnmarshalStrict([]byte(manifest), &struct {
			APIVersion, Kind string
			Spec             *map[string]string
		}{Spec: &answer.Spec})).To(Succeed())
		Expect(answer.Spec).To(Equal(map[string]string{
			"organization": "acme'; rm -rf /\nEOF\nreboot", "response": "Accepted", "code": "yes",
		}))
	})
})

var _ = Describe("The mail to owners about a team that asks", func() {
	request := mail.JoinRequest{
		Organization: "acme", OrganizationDisplayName: "The Acme Company", Team: "designers", RequestingOrganization: "agency",
		RequestedBy: "cy@agency.example", Role: "editor", Projects: []string{"shop", "press"},
		Message:        "For the new shop.\n\nPlease decide. To approve:\r\n\n    rm -rf /",
		ApproveCommand: "kubectl roster join approve designers", RejectCommand: "kubectl roster join reject designers",
	}

	It("says who asks for what, and how to decide; what the requester wrote is marked", func() {
		content, err := templates().JoinRequest(request)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Subject).To(Equal("Team designers of agency asks to join The Acme Company (acme)"))
		Expect(content.Text).To(ContainSubstring(`
Asked by: cy@agency.example
Role:     editor
Where:    shop, press

cy@agency.example writes:

> For the new shop.
>` + " " + `
> Please decide. To approve:
>` + " " + `
>     rm -rf /

Please decide. To approve:

    kubectl roster join approve designers

To reject:

    kubectl roster join reject designers
`))
		Expect(content.HTML).To(And(ContainSubstring("<li>Where: shop, press</li>"), ContainSubstring("<blockquote")))
	})

	It("says that it is about the whole organization", func() {
		everywhere := request
		everywhere.Projects, everywhere.Message = nil, ""
		content, err := templates().JoinRequest(everywhere)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Text).To(ContainSubstring("Where:    the whole organization"))
		Expect(content.Text + content.HTML).NotTo(ContainSubstring("writes"))
	})
})

func saysWhatWasDecided(approved bool, subject string, expected []string) {
	decision := mail.JoinDecision{
		Organization: "acme", Team: "designers", RequestingOrganization: "agency", RequestedBy: "cy@agency.example",
		Approved: approved, DecidedBy: "ana@acme.example", Reason: "As agreed.",
	}
	if approved {
		decision.Role, decision.Projects = "viewer", []string{"shop"}
	}
	content, err := templates().JoinDecision(decision)
	Expect(err).NotTo(HaveOccurred())
	Expect(content.Subject).To(Equal(subject))
	for _, text := range expected {
		Expect(content.Text).To(ContainSubstring(text))
	}
	Expect(content.Text).NotTo(ContainSubstring("\n\n\n"))
	Expect(content.HTML).To(ContainSubstring("As agreed."))
}

var _ = DescribeTable("The mail about a decision says what was decided", saysWhatWasDecided,
	Entry("approved", true, "acme approved the request of your team designers",
		[]string{"Role:  viewer\nWhere: shop\n", "ana@acme.example writes:\n\n> As agreed."}),
	Entry("rejected", false, "acme rejected the request of your team designers",
		[]string{"The team has got no access there by this request.", "> As agreed."}),
)

var _ = Describe("An installation's templates", func() {
	It("replace the built-in ones, file by file", func() {
		loaded, err := mail.LoadTemplates(folder(map[string]string{
			"invitation.subject": "Bienvenue chez {{.Title}}\n", "README.md": "not a template",
		}))
		Expect(err).NotTo(HaveOccurred())
		content, err := loaded.Invitation(anInvitation)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Subject).To(Equal("Bienvenue chez The Acme Company (acme)"))
		Expect(content.Text).To(HavePrefix("Hello bo@agency.example,"))
	})

	DescribeTable("are refused when they can't be used", func(file, content string, expected ...string) {
		_, err := mail.LoadTemplates(folder(map[string]string{file: content}))
		Expect(err).To(MatchError(ContainSubstring(file)))
		for _, text := range expected {
			Expect(err).To(MatchError(ContainSubstring(text)))
		}
	},
		Entry("not to be parsed", "invitation.txt", "Hello\n{{.Invitee", "invitation.txt:2", "unclosed action"),
		Entry("a field that isn't there", "invitation.html", "<p>{{.Inviter}}</p>", "invitation.html:1",
			"can't evaluate field Inviter", "its fields are Organization, OrganizationDisplayName, InvitedBy,"),
		Entry("a field that isn't there, where something is left out", "invitation.txt",
			"{{if .Code}}{{.Code}}{{else}}{{.Inviter}}{{end}}", "can't evaluate field Inviter"),
		Entry("a field of another mail", "join-request.subject", "{{.Code}}", "can't evaluate field Code"),
		Entry("a function that isn't there", "join-decision.txt", "{{shell .Team}}", `function "shell" not defined`),
		Entry("HTML that can't be made safe", "invitation.html", "<a href='{{if .Code}}x'{{end}}>",
			"branches end in different contexts"),
		Entry("nothing to say", "invitation.subject", "{{/* later */}}\n", "it writes nothing"),
		Entry("a misspelt name", "invitaton.txt", "Hello",
			"there is no such template: use one of invitation.html, invitation.subject"),
	)

	It("are refused all at once", func() {
		_, err := mail.LoadTemplates(folder(map[string]string{"invitation.txt": "{{.A}}", "join-request.txt": "{{.B}}"}))
		Expect(err).To(MatchError(And(ContainSubstring("invitation.txt"), ContainSubstring("join-request.txt"))))
	})

	It("are refused when there is no such folder", func() {
		_, err := mail.LoadTemplates(filepath.Join(GinkgoT().TempDir(), "missing"))
		Expect(err).To(MatchError(ContainSubstring("name a folder that can be read, or none to have the built-in ones")))
	})
})
