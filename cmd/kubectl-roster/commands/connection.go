package commands

import (
	"io"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// Requests a second, and how many at once: as kubectl does.
const (
	requestRate  = 50
	requestBurst = 300
)

// connection reaches the API server as kubectl does, by the same flags.
type connection struct {
	*genericclioptions.ConfigFlags
	// warnings is where the API server's warnings go.
	warnings io.Writer
}

func newConnection(streams genericiooptions.IOStreams) connection {
	return connection{ConfigFlags: genericclioptions.NewConfigFlags(true), warnings: streams.ErrOut}
}

// addFlags adds kubectl's flags to a command.
func (c connection) addFlags(command *cobra.Command) {
	c.AddFlags(command.Flags())
	// The organization's flags say what the namespace means here.
	command.Flags().Lookup("namespace").Usage = "Namespace of the organization to ask about, such as org-acme"
}

func (c connection) config() (*rest.Config, error) {
	config, err := c.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = requestRate, requestBurst
	// By a warning the API server says, for one, that a role is misspelled; without this nobody would see it.
	config.WarningHandler = rest.NewWarningWriter(c.warnings, rest.WarningWriterOptions{Deduplicate: true})
	return config, nil
}

// client reads objects.
func (c connection) client() (client.Client, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	scheme := newScheme()
	return client.New(config, client.Options{Scheme: scheme, Mapper: newMapper()})
}

// rows reads what the server shows in tables.
func (c connection) rows(kind schema.GroupVersionKind) (rest.Interface, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return apiutil.RESTClientForGVK(kind, false, false, config, serializer.NewCodecFactory(newScheme()), httpClient)
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, v1alpha1.AddToScheme, viewv1alpha1.AddToScheme, selfv1alpha1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	return scheme
}

// newMapper knows the kinds that the plugin reads, so that it needs no discovery: a group that isn't served then shows in
// the answer to the request itself.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(v1alpha1.GroupVersion.WithKind("Organization"), meta.RESTScopeRoot)
	mapper.Add(v1alpha1.GroupVersion.WithKind("Membership"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("Team"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("JoinRequest"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("APIToken"), meta.RESTScopeNamespace)
	mapper.Add(viewv1alpha1.GroupVersion.WithKind("Member"), meta.RESTScopeNamespace)
	mapper.Add(viewv1alpha1.GroupVersion.WithKind("Grant"), meta.RESTScopeNamespace)
	mapper.Add(viewv1alpha1.GroupVersion.WithKind("Report"), meta.RESTScopeNamespace)
	mapper.Add(selfv1alpha1.GroupVersion.WithKind("Profile"), meta.RESTScopeRoot)
	mapper.Add(selfv1alpha1.GroupVersion.WithKind("Answer"), meta.RESTScopeRoot)
	return mapper
}
