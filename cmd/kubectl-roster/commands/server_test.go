package commands_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/cmd/kubectl-roster/commands"
)

// Where the API server has what the plugin asks for.
const (
	viewPath   = "/apis/view.roster.dev/v1alpha1/"
	rosterPath = "/apis/roster.dev/v1alpha1/"
	mePath     = "/apis/self.roster.dev/v1alpha1/profiles/me"
)

// server answers in place of an API server.
type server struct {
	*httptest.Server
	// answers are objects by path and, where there is one, "?" and the field selector or continue token.
	answers map[string]any
	// warnings come with the answers of these paths.
	warnings map[string]string

	lock  sync.Mutex
	asked []string
}

func newServer() *server {
	made := &server{answers: map[string]any{}, warnings: map[string]string{}}
	made.Server = httptest.NewServer(http.HandlerFunc(made.answer))
	DeferCleanup(made.Close)
	return made
}

func (s *server) answer(writer http.ResponseWriter, request *http.Request) {
	key := request.URL.Path
	query := request.URL.Query()
	if warning := s.warnings[key]; warning != "" {
		writer.Header().Set("Warning", `299 - "`+warning+`"`)
	}
	if next := query.Get("continue"); next != "" {
		key += "?" + next
	} else if selector := query.Get("fieldSelector"); selector != "" {
		key += "?" + selector
	}
	s.lock.Lock()
	s.asked = append(s.asked, key)
	s.lock.Unlock()
	found, known := s.answers[key]
	if !known {
		http.Error(writer, "404 page not found", http.StatusNotFound)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	switch found := found.(type) {
	case int:
		writer.Header().Set("Content-Type", "text/plain")
		http.Error(writer, strings.ToLower(http.StatusText(found)), found)
		return
	case *apierrors.StatusError:
		found.ErrStatus.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		writer.WriteHeader(int(found.ErrStatus.Code))
		_ = json.NewEncoder(writer).Encode(found.ErrStatus)
		return
	}
	_ = json.NewEncoder(writer).Encode(found)
}

// requests are the paths that were asked for since the last call.
func (s *server) requests() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// outcome is what a command did.
type outcome struct {
	Status             int
	Output, Complaints string
}

// run runs the plugin against the server.
func (s *server) run(arguments ...string) outcome {
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	status := commands.Run(streams, append(arguments, "--server", s.URL, "--kubeconfig", "/dev/null"))
	return outcome{Status: status, Output: out.String(), Complaints: errOut.String()}
}

// prints expects that a command succeeds and prints exactly some lines.
func (s *server) prints(command string, lines ...string) {
	GinkgoHelper()
	Expect(s.run(strings.Fields(command)...)).To(Equal(outcome{Output: strings.Join(lines, "\n") + "\n"}))
}

// fails expects that a command ends with status 1 and says why.
func (s *server) fails(command, complaint string) {
	GinkgoHelper()
	found := s.run(strings.Fields(command)...)
	Expect(found.Status).To(Equal(1))
	Expect(found.Output).To(BeEmpty())
	Expect(found.Complaints).To(SatisfyAll(HavePrefix("error: "), ContainSubstring(complaint)))
}

func forbidden(resource string) *apierrors.StatusError {
	resourceName, group, _ := strings.Cut(resource, ".")
	return apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: resourceName}, "", nil)
}

// table shows objects with one column each.
func table(next string, column string, rows ...metav1.TableRow) *metav1.Table {
	made := &metav1.Table{
		TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"},
		ColumnDefinitions: []metav1.TableColumnDefinition{
			{Name: column, Type: "string"}, {Name: "Name", Type: "string", Priority: 1},
		},
		Rows: rows,
	}
	made.Continue = next
	return made
}

func row(cell string, object runtime.Object) metav1.TableRow {
	return metav1.TableRow{Cells: []any{cell, "wide-" + cell}, Object: runtime.RawExtension{Object: object}}
}

func ofView(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: viewv1alpha1.GroupVersion.String(), Kind: kind}
}

func in(organization, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: v1alpha1.OrganizationNamespace(organization), Name: name}
}

func member(organization, user string, status viewv1alpha1.MemberStatus, roles ...string) viewv1alpha1.Member {
	return viewv1alpha1.Member{
		TypeMeta: ofView("Member"), ObjectMeta: in(organization, user), User: user, Status: status, Roles: roles,
		Source: viewv1alpha1.MemberSource{Type: viewv1alpha1.SourceDirect, From: organization},
	}
}

func members(items ...viewv1alpha1.Member) *viewv1alpha1.MemberList {
	return &viewv1alpha1.MemberList{TypeMeta: ofView("MemberList"), Items: items}
}

func grants(items ...viewv1alpha1.Grant) *viewv1alpha1.GrantList {
	return &viewv1alpha1.GrantList{TypeMeta: ofView("GrantList"), Items: items}
}

func memberships(items ...v1alpha1.Membership) *v1alpha1.MembershipList {
	return &v1alpha1.MembershipList{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MembershipList"}, Items: items,
	}
}

func teams(items ...v1alpha1.Team) *v1alpha1.TeamList {
	return &v1alpha1.TeamList{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TeamList"}, Items: items,
	}
}

func me(user string, organizations ...selfv1alpha1.ProfileOrganization) *selfv1alpha1.Profile {
	return &selfv1alpha1.Profile{
		TypeMeta:   metav1.TypeMeta{APIVersion: selfv1alpha1.GroupVersion.String(), Kind: "Profile"},
		ObjectMeta: metav1.ObjectMeta{Name: selfv1alpha1.ProfileName}, User: user, Organizations: organizations,
	}
}
