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

// AuditedWrite is one request that the API server answered and whose verb is none of get, list and watch. Requests on
// leases, and questions about rights, are left out.
type AuditedWrite struct {
	Time                                          time.Time
	User, Verb                                    string
	Group, Resource, Subresource, Namespace, Name string
	// Code is the HTTP status that was answered.
	Code int32
}

// What is the verb and the resource: VERB RESOURCE.GROUP/SUBRESOURCE.
func (w AuditedWrite) What() string {
	what := w.Verb + " " + schema.GroupResource{Group: w.Group, Resource: w.Resource}.String()
	if w.Subresource != "" {
		what += "/" + w.Subresource
	}
	return what
}

// String shows the write on one line, for the message of a failed test.
func (w AuditedWrite) String() string {
	return fmt.Sprintf("%s %s %s/%s by %s: %d", w.Time.Format(time.StampMicro), w.What(), w.Namespace, w.Name, w.User, w.Code)
}

// Writes lists the write requests of a user so far, or of everybody when user is empty, in the order of their answers.
// An impersonated user counts as the one who writes. The API server notes a request while it answers it: a test that
// expects a write asks Eventually.
func (c *Cluster) Writes(user string) ([]AuditedWrite, error) {
	logs, err := filepath.Glob(c.path("audit*.log"))
	if err != nil {
		return nil, err
	}
	// The names of full logs hold their time. The log in use has none, so it would come first.
	slices.SortFunc(logs, func(a, b string) int {
		return slices.Compare([]string{inUse(a), a}, []string{inUse(b), b})
	})
	var writes []AuditedWrite
	for _, log := range logs {
		found, err := readAuditLog(log, user)
		if err != nil {
			return nil, err
		}
		writes = append(writes, found...)
	}
	return writes, nil
}

func inUse(path string) string {
	if filepath.Base(path) == auditLog {
		return "1"
	}
	return "0"
}

func readAuditLog(path, user string) ([]AuditedWrite, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var writes []AuditedWrite
	for {
		line, rest, whole := bytes.Cut(content, []byte("\n"))
		if !whole {
			// The API server is in the middle of the last line.
			return writes, nil
		}
		content = rest
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if write := auditedWrite(&event); isWrite(&event) && (user == "" || user == write.User) {
			writes = append(writes, write)
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

func auditedWrite(event *auditv1.Event) AuditedWrite {
	write := AuditedWrite{Time: event.RequestReceivedTimestamp.Time, User: event.User.Username, Verb: event.Verb}
	if event.ImpersonatedUser != nil {
		write.User = event.ImpersonatedUser.Username
	}
	if event.ResponseStatus != nil {
		write.Code = event.ResponseStatus.Code
	}
	if object := event.ObjectRef; object != nil {
		write.Group, write.Resource, write.Subresource = object.APIGroup, object.Resource, object.Subresource
		write.Namespace, write.Name = object.Namespace, object.Name
	}
	return write
}
