package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed templates
var embedded embed.FS

// The kinds of mail, each of three templates.
const (
	invitationMail   = "invitation"
	joinRequestMail  = "join-request"
	joinDecisionMail = "join-decision"
)

// The templates of a mail.
const (
	subjectPart = ".subject"
	textPart    = ".txt"
	htmlPart    = ".html"
)

// functions are what templates may call besides the built-in ones.
var functions = map[string]any{
	// list: viewer, billing
	"list": func(words []string) string { return strings.Join(words, ", ") },
	// utc: 31 January 2027, 09:30 UTC
	"utc": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
	// quote: each line behind a mark, so that somebody's words can't pass for the mail's.
	"quote": func(text string) string { return "> " + strings.ReplaceAll(text, "\n", "\n> ") },
}

// executer is a template of either package.
type executer interface {
	Execute(writer io.Writer, data any) error
}

// Templates write the mails.
type Templates struct {
	// parts by file name, such as invitation.txt.
	parts map[string]executer
}

// LoadTemplates reads the templates of a folder; those that aren't there are the built-in ones, and without a folder
// all are. A template that can't be used is refused here rather than when the first mail is due: the error names
// each file and what is wrong.
func LoadTemplates(directory string) (*Templates, error) {
	templates := &Templates{parts: map[string]executer{}}
	problems := []error{unknownFiles(directory)}
	for mail := range samples() {
		for _, part := range []string{subjectPart, textPart, htmlPart} {
			problems = append(problems, templates.load(directory, mail, part))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return templates, nil
}

// Invitation writes the mail to the invited person.
func (t *Templates) Invitation(data Invitation) (Content, error) {
	return write(t, invitationMail, data)
}

// JoinRequest writes the mail to an owner of the organization that is asked.
func (t *Templates) JoinRequest(data JoinRequest) (Content, error) {
	return write(t, joinRequestMail, data)
}

// JoinDecision writes the mail to who asked.
func (t *Templates) JoinDecision(data JoinDecision) (Content, error) {
	return write(t, joinDecisionMail, data)
}

func write[T any](t *Templates, mail string, data T) (Content, error) {
	clean := cleaned(data)
	subject, subjectErr := t.execute(mail+subjectPart, clean)
	text, textErr := t.execute(mail+textPart, clean)
	html, htmlErr := t.execute(mail+htmlPart, clean)
	return Content{Subject: headerText(subject), Text: text, HTML: html}, errors.Join(subjectErr, textErr, htmlErr)
}

func (t *Templates) execute(name string, data any) (string, error) {
	var out bytes.Buffer
	if err := t.parts[name].Execute(&out, data); err != nil {
		return "", fmt.Errorf("mail template %s: %w", name, err)
	}
	return strings.TrimSpace(out.String()) + "\n", nil
}

// load reads and parses one template, and tries it with all samples.
func (t *Templates) load(directory, mail, part string) error {
	name := mail + part
	where, content, err := read(directory, name)
	if err != nil {
		return err
	}
	if t.parts[name], err = parse(name, string(content)); err != nil {
		return fmt.Errorf("mail template %s: %w", where, err)
	}
	for _, sample := range samples()[mail] {
		written, err := t.execute(name, sample)
		if err != nil {
			return fmt.Errorf("%s: %w; its fields are %s", where, err, strings.Join(fields(sample), ", "))
		}
		if strings.TrimSpace(written) == "" {
			return fmt.Errorf("mail template %s: it writes nothing for %+v: say something, or delete the file to have "+
				"the built-in one", where, sample)
		}
	}
	return nil
}

// read is the content of the folder's file, or of the built-in one, and which of them it is.
func read(directory, name string) (where string, content []byte, err error) {
	if directory != "" {
		where = filepath.Join(directory, name)
		content, err = os.ReadFile(where)
		if !errors.Is(err, fs.ErrNotExist) {
			return where, content, err
		}
	}
	content, err = embedded.ReadFile(path.Join("templates", name))
	return name, content, err
}

func parse(name, content string) (executer, error) {
	if path.Ext(name) == htmlPart {
		return htmltemplate.New(name).Funcs(functions).Parse(content)
	}
	return texttemplate.New(name).Funcs(functions).Parse(content)
}

// unknownFiles refuses what looks like a template and isn't one: with a misspelt name it would never be used.
func unknownFiles(directory string) error {
	if directory == "" {
		return nil
	}
	files, err := os.ReadDir(directory)
	if err != nil {
		return fmt.Errorf("mail templates: %w: name a folder that can be read, or none to have the built-in ones", err)
	}
	known := names()
	var unknown []error
	for _, file := range files {
		isTemplate := slices.Contains([]string{subjectPart, textPart, htmlPart}, path.Ext(file.Name()))
		if isTemplate && !strings.HasPrefix(file.Name(), ".") && !slices.Contains(known, file.Name()) {
			unknown = append(unknown, fmt.Errorf("mail template %s: there is no such template: use one of %s",
				filepath.Join(directory, file.Name()), strings.Join(known, ", ")))
		}
	}
	return errors.Join(unknown...)
}

func names() []string {
	var all []string
	for mail := range samples() {
		all = append(all, mail+subjectPart, mail+textPart, mail+htmlPart)
	}
	slices.Sort(all)
	return all
}

// fields are what a template may name of the data.
func fields(data any) []string {
	var all []string
	of := reflect.TypeOf(data)
	for i := range of.NumField() {
		all = append(all, of.Field(i).Name)
	}
	for i := range of.NumMethod() {
		if method := of.Method(i); method.Type.NumIn() == 1 && method.Type.Out(0).Kind() == reflect.String {
			all = append(all, method.Name)
		}
	}
	return all
}

// samples are what templates are tried with: everything filled in, and only what is never empty, so that both sides of
// a condition are seen.
func samples() map[string][]any {
	full := Invitation{
		Organization: "acme", OrganizationDisplayName: "The Acme Company", InvitedBy: "ana@acme.example",
		Invitee: "bo@acme.example", Roles: []string{"viewer", "billing"}, Code: "SAMPLE-CODE",
		User: "bo@acme.example", Address: "bo@acme.example", ExpiresAt: time.Date(2027, time.January, 31, 9, 30, 0, 0, time.UTC), PortalURL: "https://portal.acme.example/invitations",
	}.WithCommands()
	bare := Invitation{Organization: "acme", InvitedBy: "ana", Invitee: "bo", ExpiresAt: full.ExpiresAt}.WithCommands()
	request := JoinRequest{
		Organization: "acme", OrganizationDisplayName: "The Acme Company", Team: "designers", RequestingOrganization: "agency",
		RequestedBy: "cy@agency.example", Role: "editor", Projects: []string{"shop", "press"}, Message: "For the\nnew shop.",
		ApproveCommand: "kubectl roster join approve agency-designers -n org-acme",
		RejectCommand:  "kubectl roster join reject agency-designers -n org-acme",
	}
	bareRequest := request
	bareRequest.OrganizationDisplayName, bareRequest.Projects, bareRequest.Message = "", nil, ""
	approved := JoinDecision{
		Organization: "acme", OrganizationDisplayName: "The Acme Company", Team: "designers", RequestingOrganization: "agency",
		RequestedBy: "cy@agency.example", Approved: true, Role: "viewer", Projects: []string{"shop"},
		DecidedBy: "ana@acme.example", Reason: "Welcome.\nOnly the shop for now.",
	}
	rejected := approved
	rejected.OrganizationDisplayName, rejected.Approved, rejected.Role = "", false, ""
	rejected.Projects, rejected.Reason = nil, ""
	bareApproved := rejected
	bareApproved.Approved, bareApproved.Role = true, "viewer"
	return map[string][]any{
		invitationMail: {full, bare}, joinRequestMail: {request, bareRequest},
		joinDecisionMail: {approved, bareApproved, rejected},
	}
}
