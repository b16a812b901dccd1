package view

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/options"
	clientrest "k8s.io/client-go/rest"
	"k8s.io/component-base/compatibility"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	viewopenapi "github.com/roster-dev/roster/internal/view/openapi"
)

// rightsLife is how long a yes of kube-apiserver is kept: long enough for the chunks of a list, and short enough for a right
// that was taken. It matters only past kube-apiserver, which asks RBAC before it passes anything on.
const rightsLife = 2 * time.Second

// Options of the server.
type Options struct {
	// Address is where it listens: HOST:PORT.
	Address string
	// Kubeconfig is the file to reach kube-apiserver with, which says who callers are and what they may; empty in a cluster.
	Kubeconfig string
	// Certificate is what the server shows of itself.
	Certificate dynamiccertificates.CertKeyContentProvider
	// CertificateIsThere returns once there is one.
	CertificateIsThere func(context.Context) error
	// Live reads from the API server itself.
	Live client.Reader
	// Paths are served besides, to whom RBAC allows them (nonResourceURLs).
	Paths map[string]http.Handler
}

// Server is an extension API server. Who somebody is and what they may is decided by kube-apiserver.
type Server struct {
	options    Options
	answers    *Answers
	activities Activities
	kept       KeptReports
	responses  Responses
	serves     atomic.Bool
}

// NewServer answers from the caches, and from where activities and reports are kept, if they are. What invited people say
// goes to the responses.
func NewServer(
	options Options, answers *Answers, activities Activities, kept KeptReports, responses Responses,
) *Server {
	return &Server{options: options, answers: answers, activities: activities, kept: kept, responses: responses}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica answers.
func (*Server) NeedLeaderElection() bool { return false }

// Ready says whether the server listens.
func (s *Server) Ready(*http.Request) error {
	if !s.serves.Load() {
		return fmt.Errorf("the view API doesn't serve yet")
	}
	return nil
}

// Start implements manager.Runnable: it serves until the context ends.
func (s *Server) Start(ctx context.Context) error {
	if err := s.options.CertificateIsThere(ctx); err != nil {
		return fmt.Errorf("wait for the view API's certificate: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Address)
	if err != nil {
		return fmt.Errorf("serve the view API: %w", err)
	}
	server, err := s.build(ctx, listener)
	if err != nil {
		return fmt.Errorf("serve the view API: %w", err)
	}
	server.AddPostStartHookOrDie("roster-view-serves", func(genericapiserver.PostStartHookContext) error {
		s.serves.Store(true)
		return nil
	})
	return server.PrepareRun().RunWithContext(ctx)
}

// newScheme knows what is served.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(viewv1alpha1.AddToScheme(scheme))
	utilruntime.Must(selfv1alpha1.AddToScheme(scheme))
	utilruntime.Must(addSelectableFields(scheme))
	unversioned := schema.GroupVersion{Version: "v1"}
	metav1.AddToGroupVersion(scheme, unversioned)
	scheme.AddUnversionedTypes(unversioned, &metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{},
		&metav1.APIGroup{}, &metav1.APIResourceList{})
	return scheme
}

func (s *Server) build(ctx context.Context, listener net.Listener) (*genericapiserver.GenericAPIServer, error) {
	scheme := newScheme()
	codecs := serializer.NewCodecFactory(scheme)
	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.NewEffectiveVersionFromString("1.0", "", "")
	config.ExternalAddress = listener.Addr().String()
	// It is for hooks that ask this very server; there are none.
	config.LoopbackClientConfig = &clientrest.Config{}
	config.SecureServing = &genericapiserver.SecureServingInfo{Listener: listener, Cert: s.options.Certificate}
	// Metrics and profiles are the manager's, at addresses of their own.
	config.MaxRequestsInFlight, config.BuildHandlerChainFunc = mostRequests, withFairShares
	config.EnableIndex, config.EnableMetrics, config.EnableProfiling = false, false, false
	namer := openapi.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(viewopenapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(viewopenapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config.PostProcessSpec = describeFieldValidation
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = "Roster", "Roster"
	if err := s.delegate(config); err != nil {
		return nil, err
	}
	server, err := config.Complete(nil).New("roster-view", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, err
	}
	for group, resources := range s.resources(ctx) {
		info := genericapiserver.NewDefaultAPIGroupInfo(group, scheme, runtime.NewParameterCodec(scheme), codecs)
		info.VersionedResourcesStorageMap[viewv1alpha1.GroupVersion.Version] = resources
		if err := server.InstallAPIGroup(&info); err != nil {
			return nil, err
		}
	}
	for path, handler := range s.options.Paths {
		server.Handler.NonGoRestfulMux.Handle(path, handler)
	}
	return server, nil
}

// delegate has kube-apiserver say who a caller is and what they may do. A name in a header counts only from who shows the
// certificate that kube-apiserver shows.
func (s *Server) delegate(config *genericapiserver.Config) error {
	authentication := options.NewDelegatingAuthenticationOptions()
	authentication.RemoteKubeConfigFile, authentication.CacheTTL = s.options.Kubeconfig, rightsLife
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, config.OpenAPIConfig); err != nil {
		return fmt.Errorf("%w; the manager reads it with the rights of config/rbac/view.yaml", err)
	}
	authorization := options.NewDelegatingAuthorizationOptions()
	authorization.RemoteKubeConfigFile, authorization.AllowCacheTTL = s.options.Kubeconfig, rightsLife
	// kube-apiserver has let the request pass a moment ago; a no of the moment before would be wrong by now.
	authorization.DenyCacheTTL = 0
	return authorization.ApplyTo(&config.Authorization)
}

func (s *Server) resources(ctx context.Context) map[string]map[string]rest.Storage {
	return map[string]map[string]rest.Storage{
		viewv1alpha1.GroupVersion.Group: {
			"members": &memberStorage{table: newMemberCells(s.answers.clock), answers: s.answers, ends: ctx},
			"grants":  &grantStorage{table: newGrantCells(), answers: s.answers},
			"activities": &activityStorage{
				table: newActivityCells(), activities: s.activities, live: s.options.Live, pageRows: s.answers.pageRows,
			},
			"reports": &reportStorage{table: newReportCells(), answers: s.answers, kept: s.kept},
		},
		selfv1alpha1.GroupVersion.Group: {
			"profiles": &profileStorage{table: newProfileCells(), answers: s.answers},
			"answers":  &answerStorage{responses: s.responses},
		},
	}
}
