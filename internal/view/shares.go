package view

import (
	"fmt"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

const (
	// mostRequests is how many requests are answered at once, without watches. Each may take the memory of one answer.
	mostRequests = 40
	// mostRequestsOfUser is how many of them may be one user's. kube-apiserver's API Priority and Fairness lets a single user
	// have more than all of these as long as it isn't busy itself.
	mostRequestsOfUser = 8
	// retryAfter is in how many seconds to ask again. Kubernetes' clients do so by themselves.
	retryAfter = 1
)

// shares bound how much of the view API one user takes at once.
type shares struct {
	lock     sync.Mutex
	inFlight map[string]int
}

// withFairShares is the handler chain of an API server, with a bound for each user.
func withFairShares(handler http.Handler, config *genericapiserver.Config) http.Handler {
	bound := &shares{inFlight: map[string]int{}}
	return genericapiserver.DefaultBuildHandlerChain(bound.handle(handler, config.Serializer), config)
}

// handle passes requests for objects on to the next handler, and refuses those of a user who has too many in flight.
func (s *shares) handle(next http.Handler, serializer runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, asked *http.Request) {
		ctx := asked.Context()
		info, found := request.RequestInfoFrom(ctx)
		user, known := request.UserFrom(ctx)
		if !found || !known || !info.IsResourceRequest || info.Verb == "watch" {
			next.ServeHTTP(writer, asked)
			return
		}
		name := user.GetName()
		if !s.begin(name) {
			refused := apierrors.NewTooManyRequests(fmt.Sprintf("user %q has %d requests to %s in flight, the most that are answered "+
				"at once; ask again when one of them is answered", name, mostRequestsOfUser, info.APIGroup), retryAfter)
			version := schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}
			responsewriters.ErrorNegotiated(refused, serializer, version, writer, asked)
			return
		}
		defer s.end(name)
		next.ServeHTTP(writer, asked)
	})
}

func (s *shares) begin(user string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.inFlight[user] == mostRequestsOfUser {
		return false
	}
	s.inFlight[user]++
	return true
}

func (s *shares) end(user string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.inFlight[user]--; s.inFlight[user] == 0 {
		delete(s.inFlight, user)
	}
}
