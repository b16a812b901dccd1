package manager

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	tokencontroller "github.com/roster-dev/roster/controllers/token"
	"github.com/roster-dev/roster/internal/token"
	"github.com/roster-dev/roster/internal/upkeep"
)

// defaultTokenRetention is how long APITokens stay after their end.
const defaultTokenRetention = 30 * 24 * time.Hour

// TokenOptions say what APITokens are issued for.
type TokenOptions struct {
	// Server is the URL of the API server in the kubeconfigs of tokens; empty: the one by which the manager reaches it.
	Server string
	// ServerCAFile holds the authority that signs the certificate of Server; empty: the one that the manager trusts.
	ServerCAFile string
	// Retention is how long APITokens stay after they expired or were revoked.
	Retention time.Duration
}

func (o *TokenOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Server, "token-server", o.Server,
		"URL of the API server in the kubeconfigs of API tokens, as their users reach it; left out: as the manager reaches it")
	flags.StringVar(&o.ServerCAFile, "token-server-ca-file", o.ServerCAFile,
		"file with the authority, in PEM, that signs the certificate of that URL; left out: the one that the manager trusts")
	flags.DurationVar(&o.Retention, "token-retention", o.Retention,
		"how long API tokens stay as a record after they expired or were revoked, such as 720h for 30 days")
}

func (o *TokenOptions) validate() error {
	if o.Retention < 0 {
		return fmt.Errorf("--token-retention=%s: choose a duration such as 720h, or 0s to keep no record", o.Retention)
	}
	if o.Server == "" {
		return nil
	}
	if found, err := url.Parse(o.Server); err != nil || found.Scheme != "https" || found.Host == "" {
		return fmt.Errorf("--token-server=%s: give the URL of the API server, such as https://kubernetes.acme.example:6443", o.Server)
	}
	return nil
}

// server is where tokens are for.
func (o *TokenOptions) server(config *rest.Config) (token.Server, error) {
	config = rest.CopyConfig(config)
	if err := rest.LoadTLSFiles(config); err != nil {
		return token.Server{}, fmt.Errorf("read the authority of the API server: %w", err)
	}
	server := token.Server{URL: config.Host, CA: config.CAData}
	if o.Server != "" {
		server.URL = o.Server
	}
	if o.ServerCAFile != "" {
		content, err := os.ReadFile(o.ServerCAFile)
		if err != nil {
			return token.Server{}, fmt.Errorf("--token-server-ca-file: %w", err)
		}
		server.CA = content
	}
	return server, nil
}

// addTokens has tokens issued, replaced and ended.
func addTokens(manager ctrl.Manager, options *TokenOptions, recorder upkeep.History) error {
	server, err := options.server(manager.GetConfig())
	if err != nil {
		return err
	}
	kept, err := tokencontroller.NewKept(manager.GetConfig(), cache.Options{
		Scheme: manager.GetScheme(), Mapper: manager.GetRESTMapper(), HTTPClient: manager.GetHTTPClient(),
	})
	if err != nil {
		return err
	}
	if err := manager.Add(kept.Cache); err != nil {
		return err
	}
	controller := &tokencontroller.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Clock: clock.RealClock{}, Kept: kept, Server: server,
		Retention: options.Retention, UseKnown: &streamed{reader: manager.GetClient(), clock: clock.RealClock{}},
		History: recorder,
	}
	if err := controller.SetupWithManager(manager); err != nil {
		return fmt.Errorf("set up %T: %w", controller, err)
	}
	return nil
}
