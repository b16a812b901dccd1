package report

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/csv"
	"fmt"
	htmltemplate "html/template"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	texttemplate "text/template"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/text"
)

//go:embed templates
var templates embed.FS

var functions = map[string]any{
	"title": title,
	"month": monthTitle,
	"utc":   func(at metav1.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") },
	"day":   func(at *metav1.Time) string { return at.UTC().Format("2 January 2006") },
}

var (
	textTemplate = texttemplate.Must(texttemplate.New("report.txt").Funcs(functions).ParseFS(templates, "templates/report.txt"))
	htmlTemplate = htmltemplate.Must(htmltemplate.New("report.html").Funcs(functions).ParseFS(templates, "templates/report.html"))
)

var trailingSpace = regexp.MustCompile(`(?m) +$`)

// columns of the tables, in the order of a row's cells.
var columns = []string{"Member", "Roles", "Source", "Status", "Last seen", "MFA", "Active tokens", "Stands out"}

// content is what the templates are given.
type content struct {
	Report  *viewv1alpha1.Report
	Columns []string
	Counts  []findingCount
	Rows    []row
	Table   string
}

// findingCount is how many members something stands out of.
type findingCount struct {
	Count int32
	Text  string
}

// row is a member in words.
type row struct {
	User, DisplayName, Email, Roles, OtherRoles, Source, Status, LastSeen, MFA, Tokens, Findings string
	StandsOut                                                                                    bool
}

func contentOf(report *viewv1alpha1.Report) content {
	made := content{Report: report, Columns: columns, Counts: countsOf(report.Summary)}
	for i := range report.Members {
		made.Rows = append(made.Rows, rowOf(&report.Members[i], report))
	}
	return made
}

func countsOf(summary viewv1alpha1.ReportSummary) []findingCount {
	numbers := map[viewv1alpha1.Finding]int32{
		viewv1alpha1.FindingElevatedAndStale: summary.ElevatedAndStale, viewv1alpha1.FindingNoSignIn: summary.NoSignIn,
		viewv1alpha1.FindingNoMFA: summary.NoMFA, viewv1alpha1.FindingTokensUnused: summary.TokensUnused,
	}
	var counts []findingCount
	for _, texts := range FindingTexts {
		if number := numbers[texts.Finding]; number > 0 {
			counts = append(counts, findingCount{number, texts.Long})
		}
	}
	return counts
}

func rowOf(member *viewv1alpha1.ReportMember, report *viewv1alpha1.Report) row {
	made := row{
		User: text.OneLine(cmp.Or(member.User, member.Email)), DisplayName: text.OneLine(member.DisplayName),
		Email: text.OneLine(member.Email), Roles: cmp.Or(strings.Join(member.Roles, ", "), "none"),
		OtherRoles: strings.Join(member.OtherRoles, ", "), Source: source(member.Source, report.Organization),
		Status: string(member.Status), LastSeen: lastSeen(member), MFA: "no", StandsOut: len(member.Findings) > 0,
	}
	if member.SuspendedBecause != "" {
		made.Status += " (" + member.SuspendedBecause + ")"
	}
	if member.MFA {
		made.MFA = "yes"
	}
	var tokens []string
	for _, token := range member.ActiveTokens {
		tokens = append(tokens, tokenText(token))
	}
	made.Tokens = strings.Join(tokens, ", ")
	var findings []string
	for _, texts := range FindingTexts {
		for _, finding := range member.Findings {
			if finding == texts.Finding {
				findings = append(findings, texts.Short)
			}
		}
	}
	made.Findings = strings.Join(findings, ", ")
	return made
}

func tokenText(token viewv1alpha1.ReportToken) string {
	switch {
	case token.LastUsed != nil:
		return token.Name + " (used " + day(token.LastUsed) + ")"
	case token.Unused:
		return token.Name + " (not used)"
	}
	return token.Name
}

func source(source viewv1alpha1.MemberSource, organization string) string {
	switch {
	case source.From == "" || source.From == organization && source.Type != viewv1alpha1.SourceTeam:
		return string(source.Type)
	case source.Type == viewv1alpha1.SourceInherited:
		return "Inherited from " + source.From
	}
	return string(source.Type) + " of " + source.From
}

// lastSeen never says never: of the time before the record nothing is known.
func lastSeen(member *viewv1alpha1.ReportMember) string {
	switch {
	case member.LastSeen != nil:
		return day(member.LastSeen)
	case member.NotSeenSince != nil:
		return "not since " + day(member.NotSeenSince)
	}
	return "unknown"
}

func day(at *metav1.Time) string { return at.UTC().Format(time.DateOnly) }

func title(report *viewv1alpha1.Report) string {
	name := text.OneLine(report.DisplayName)
	if name == "" || name == report.Organization {
		return report.Organization
	}
	return fmt.Sprintf("%s (%s)", name, report.Organization)
}

func monthTitle(report *viewv1alpha1.Report) string {
	month, err := ParseMonth(report.Name)
	if err != nil {
		return report.Name
	}
	return month.Title()
}

// Subject is that of the mail.
func Subject(report *viewv1alpha1.Report) string {
	return fmt.Sprintf("%s: members and what stands out, %s", title(report), monthTitle(report))
}

// Text is the report in plain text, with a table of fixed width.
func Text(report *viewv1alpha1.Report) (string, error) {
	made := contentOf(report)
	var table bytes.Buffer
	writer := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	if err := writeTable(writer, made.Rows); err != nil {
		return "", err
	}
	made.Table = trailingSpace.ReplaceAllString(table.String(), "")
	var out bytes.Buffer
	err := textTemplate.Execute(&out, made)
	return strings.TrimRight(out.String(), "\n") + "\n", err
}

func writeTable(writer *tabwriter.Writer, rows []row) error {
	if _, err := fmt.Fprintln(writer, strings.ToUpper(strings.Join(columns, "\t"))); err != nil {
		return err
	}
	for _, row := range rows {
		if row.OtherRoles != "" {
			row.Roles += " (in projects: " + row.OtherRoles + ")"
		}
		cells := []string{row.User, row.Roles, row.Source, row.Status, row.LastSeen, row.MFA, cmp.Or(row.Tokens, "-"), row.Findings}
		if _, err := fmt.Fprintln(writer, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return writer.Flush()
}

// HTML is the report as a page of its own, without pictures, scripts or links.
func HTML(report *viewv1alpha1.Report) (string, error) {
	var out bytes.Buffer
	err := htmlTemplate.Execute(&out, contentOf(report))
	return out.String(), err
}

// csvHeader are the columns of the CSV form. They are read by machines and don't change.
var csvHeader = []string{
	"user", "displayName", "email", "status", "roles", "otherRoles", "source", "lastSeen", "notSeenSince", "mfa", "activeTokens",
	"findings",
}

// CSV writes a line for each member.
func CSV(out io.Writer, report *viewv1alpha1.Report) error {
	writer := csv.NewWriter(out)
	if err := writer.Write(csvHeader); err != nil {
		return err
	}
	for i := range report.Members {
		member := &report.Members[i]
		words := rowOf(member, report)
		var tokens []string
		for _, token := range member.ActiveTokens {
			tokens = append(tokens, token.Name)
		}
		cells := []string{
			member.User, words.DisplayName, words.Email, words.Status, strings.Join(member.Roles, " "),
			strings.Join(member.OtherRoles, " "), words.Source, instant(member.LastSeen, "unknown"), instant(member.NotSeenSince, ""),
			words.MFA, strings.Join(tokens, " "), strings.Join(text.Strings(member.Findings), " "),
		}
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		if err := writer.Write(cells); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

func instant(at *metav1.Time, otherwise string) string {
	if at == nil {
		return otherwise
	}
	return at.UTC().Format(time.RFC3339)
}

// formulaStarts are the signs by which some spreadsheet takes a cell for a formula or a command.
const formulaStarts = "=+-\u2212@|%"

// cell keeps a spreadsheet from taking what somebody chose as a name for a formula. Some drop signs without a width, and read
// full-width ones as their plain forms.
func cell(words string) string {
	words = text.OneLine(words)
	seen := text.Visible(words)
	if startsFormula(seen) || startsFormula(norm.NFKC.String(seen)) {
		return "'" + words
	}
	return words
}

func startsFormula(words string) bool {
	first, _ := utf8.DecodeRuneInString(words)
	return words != "" && strings.ContainsRune(formulaStarts, first)
}
