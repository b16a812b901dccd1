package environment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

const auditLog = "audit.log"

// AuditedRequest is one that the API server answered, or began to answer for as long as somebody watches.
type AuditedRequest struct {
	Time                                          time.Time
	User, Verb                                    string
	Group, Resource, Subresource, Namespace, Name string
	// Code is the HTTP status that was answered.
	Code int32
}

// What is the verb and the resource: VERB RESOURCE.GROUP/SUBRESOURCE.
func (r AuditedRequest) What() string {
	what := r.Verb + " " + schema.GroupResource{Group: r.Group, Resource: r.Resource}.String()
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	return what
}

// String shows the request on one line, for the message of a failed test.
func (r AuditedRequest) String() string {
	return fmt.Sprintf("%s %s %s/%s by %s: %d", r.Time.Format(time.StampMicro), r.What(), r.Namespace, r.Name, r.User, r.Code)
}

// Writes lists the requests of a user so far whose verb is none of get, list and watch, or those of everybody when user is
// empty, in the order of their answers. Requests on leases, and questions about rights, are left out. An impersonated user
// counts as the one who writes. The API server notes a request while it answers it: a test that expects a write asks
// Eventually.
func (c *Cluster) Writes(user string) ([]AuditedRequest, error) { return c.audited(user, isWrite) }

// WritesSince lists those that came from an instant on, and not those before it that were answered after it.
func (c *Cluster) WritesSince(user string, begin time.Time) ([]AuditedRequest, error) {
	writes, err := c.Writes(user)
	return slices.DeleteFunc(writes, func(write AuditedRequest) bool { return write.Time.Before(begin) }), err
}

// Requests lists what a user wrote and read so far, as far as the audit log tells; see Options.AuditManager.
func (c *Cluster) Requests(user string) ([]AuditedRequest, error) {
	return c.audited(user, func(*auditv1.Event) bool { return true })
}

func (c *Cluster) audited(user string, isAsked func(*auditv1.Event) bool) ([]AuditedRequest, error) {
	logs, err := filepath.Glob(c.path("audit*.log"))
	if err != nil {
		return nil, err
	}
	// The names of full logs hold their time. The log in use has none, so it would come first.
	slices.SortFunc(logs, func(a, b string) int {
		return slices.Compare([]string{inUse(a), a}, []string{inUse(b), b})
	})
	var requests []AuditedRequest
	for _, log := range logs {
		found, err := readAuditLog(log, user, isAsked)
		if err != nil {
			return nil, err
		}
		requests = append(requests, found...)
	}
	return requests, nil
}

func inUse(path string) string {
	if filepath.Base(path) == auditLog {
		return "1"
	}
	return "0"
}

func readAuditLog(path, user string, isAsked func(*auditv1.Event) bool) ([]AuditedRequest, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var requests []AuditedRequest
	for {
		line, rest, whole := bytes.Cut(content, []byte("\n"))
		if !whole {
			// The API server is in the middle of the last line.
			return requests, nil
		}
		content = rest
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if request := auditedRequest(&event); isAsked(&event) && (user == "" || user == request.User) {
			requests = append(requests, request)
		}
	}
}

// isWrite: with the audit stream on, the log has reads and questions about rights, too.
func isWrite(event *auditv1.Event) bool {
	switch {
	case event.Stage != auditv1.StageResponseComplete, slices.Contains([]string{"get", "list", "watch"}, event.Verb):
		return false
	}
	return event.ObjectRef == nil || event.ObjectRef.APIGroup != authorizationv1.GroupName
}

func auditedRequest(event *auditv1.Event) AuditedRequest {
	request := AuditedRequest{Time: event.RequestReceivedTimestamp.Time, User: event.User.Username, Verb: event.Verb}
	if event.ImpersonatedUser != nil {
		request.User = event.ImpersonatedUser.Username
	}
	if event.ResponseStatus != nil {
		request.Code = event.ResponseStatus.Code
	}
	if object := event.ObjectRef; object != nil {
		request.Group, request.Resource, request.Subresource = object.APIGroup, object.Resource, object.Subresource
		request.Namespace, request.Name = object.Namespace, object.Name
	}
	return request
}
