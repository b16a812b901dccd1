package manager

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/audit"
	"github.com/roster-dev/roster/internal/report"
	"github.com/roster-dev/roster/internal/snapshot"
)

// lookedThrough is how long the last sighting of anybody isn't looked for again: many tokens ask for it.
const lookedThrough = time.Minute

// streamed says of which time the API server's audit stream has told who uses tokens.
type streamed struct {
	reader client.Reader
	clock  clock.PassiveClock

	lock          sync.Mutex
	looked, until time.Time
}

// Since is when the stream first arrived.
func (s *streamed) Since(ctx context.Context) time.Time {
	namespace := &corev1.Namespace{}
	if err := s.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, namespace, snapshot.Shared); err != nil {
		return time.Time{}
	}
	if since := audit.StreamSince(namespace); since != nil {
		return since.Time
	}
	return time.Time{}
}

// Until is the last sighting of anybody. Where that can't be told, nothing is certain.
func (s *streamed) Until(ctx context.Context) time.Time {
	s.lock.Lock()
	defer s.lock.Unlock()
	now := s.clock.Now()
	if now.Sub(s.looked) < lookedThrough {
		return s.until
	}
	var users v1alpha1.UserList
	var tokens v1alpha1.APITokenList
	for _, list := range []client.ObjectList{&users, &tokens} {
		if err := s.reader.List(ctx, list, snapshot.Shared); err != nil {
			return time.Time{}
		}
	}
	s.looked, s.until = now, report.LastSighting(users.Items, tokens.Items)
	return s.until
}
