// Package audit takes the API server's audit stream and keeps from it when users and API tokens were last seen. It is
// no history: records that are lost while nobody takes them are made up for by the next request of the same user.
package audit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// Path is where the audit stream is taken. Who may post there is for RBAC to say (nonResourceURLs).
const Path = "/audit"

// maxBody is the most that one request may hold: what kube-apiserver cuts its batches to (--audit-webhook-truncate-enabled),
// and several times what its default of 400 records comes to at the level Metadata.
const maxBody = 10 << 20

const (
	// systemPrefix begins the names of what belongs to Kubernetes itself: nobody of them is a person.
	systemPrefix = "system:"
	// tokenUsers begins the usernames of API tokens: ServiceAccounts in organizations' own namespaces.
	tokenUsers = "system:serviceaccount:" + v1alpha1.OrganizationNamespacePrefix
	// tokenID begins the id of a ServiceAccount's token among those of credentials.
	tokenID = "JTI="
)

// Handler takes batches of records from the API server's audit webhook backend. Its caller was authenticated and
// authorized before.
type Handler struct {
	// Recorder keeps who was seen.
	Recorder *Recorder
}

// ServeHTTP answers as soon as the batch is read: the API server needn't wait for what becomes of it.
func (h *Handler) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		response.Header().Set("Allow", http.MethodPost)
		http.Error(response, "the audit stream is posted here", http.StatusMethodNotAllowed)
		return
	}
	events, err := read(http.MaxBytesReader(response, request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(response, fmt.Sprintf("a batch may hold %d bytes at most: lower --audit-webhook-batch-max-size", maxBody),
			http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	h.take(events)
}

func read(body io.Reader) ([]auditv1.Event, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read the batch: %w", err)
	}
	object, kind, err := audit.Codecs.UniversalDeserializer().Decode(content, nil, nil)
	if err != nil {
		// What was sent may hold anything, and isn't repeated.
		return nil, errors.New("this is no batch of the audit webhook backend: send an EventList of audit.k8s.io/v1")
	}
	list, ok := object.(*auditv1.EventList)
	if !ok {
		return nil, fmt.Errorf("%s is no batch of the audit webhook backend: send an EventList of audit.k8s.io/v1", kind)
	}
	return list.Items, nil
}

func (h *Handler) take(events []auditv1.Event) {
	eventsTaken.Add(float64(len(events)))
	for i := range events {
		for _, who := range seenIn(&events[i]) {
			h.Recorder.saw(who, events[i].RequestReceivedTimestamp.Time)
		}
	}
	if len(events) > 0 {
		h.Recorder.wake()
	}
}

// seenIn says who a record shows to have been there: whoever was authenticated. Somebody who is impersonated wasn't, and
// Kubernetes' and Roster's own components aren't people. A token's use is the token's, not its user's.
func seenIn(event *auditv1.Event) []identity {
	name := event.User.Username
	switch {
	case strings.HasPrefix(name, tokenUsers):
		return tokensIn(event)
	case name == "" || strings.HasPrefix(name, systemPrefix):
		return nil
	}
	return []identity{{user: name}}
}

func tokensIn(event *auditv1.Event) []identity {
	var tokens []identity
	for _, credential := range event.User.Extra[user.CredentialIDKey] {
		if strings.HasPrefix(credential, tokenID) {
			tokens = append(tokens, identity{token: credential})
		}
	}
	return tokens
}
