// Package manager wires Roster's controllers into one process.
package manager

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/pflag"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/roster-dev/roster/internal/activity"
	"github.com/roster-dev/roster/internal/admission"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/view"
)

// shortestRetention is the least time for which the history can be kept: what a manager records again from Events, which
// Kubernetes keeps for an hour, must not be what was removed for its age.
const shortestRetention = 24 * time.Hour

// defaultLeaverRetention is 30 days: a user who comes back after a holiday finds what was there.
const defaultLeaverRetention = 30 * 24 * time.Hour

// Options are the manager's flags.
type Options struct {
	// Kubeconfig is the file to reach the API server with; empty in a cluster.
	Kubeconfig string
	// MetricsAddress and HealthAddress are where metrics and probes are served; "0" switches one off.
	MetricsAddress, HealthAddress string
	// MetricsSecure serves metrics encrypted, and to those only who may get the path /metrics.
	MetricsSecure bool
	// WebhookAddress is where the API server's questions are answered.
	WebhookAddress string
	// WebhookCertDir holds tls.crt and tls.key for the webhook; empty: Roster makes and renews them.
	WebhookCertDir string
	// ViewAddress is where the view API is served; empty for none.
	ViewAddress string
	// ViewPageRows is the most rows of one answer of the view API.
	ViewPageRows int
	// ProfilingAddress is where Go's profiles are served; empty for none.
	ProfilingAddress string
	// LeaderElection makes all replicas but one wait.
	LeaderElection bool
	// LeaderElectionNamespace holds the Lease.
	LeaderElectionNamespace string
	// PersonalOrganizations are made for active members who own none.
	PersonalOrganizations bool
	// LeaverRetention is how long Users and Personal organizations that Roster made stay after their users have left.
	LeaverRetention time.Duration
	// NamespaceLabels are put on namespaces that Roster makes.
	NamespaceLabels map[string]string
	// ShardSize is the most subjects of one RBAC RoleBinding.
	ShardSize int
	// ActivityDatabaseURL is the database that keeps the history: a SQLite file, or postgres://…. Empty: no history is kept,
	// as Events neither.
	ActivityDatabaseURL string
	// ActivityRetention is how long it keeps it.
	ActivityRetention time.Duration
	// Mail says what is mailed, and how.
	Mail MailOptions
	// Tokens say what APITokens are issued for.
	Tokens TokenOptions
	// Bounds are how much one organization may have.
	Bounds admission.Bounds
}

// DefaultOptions are the options of a manager without flags.
func DefaultOptions() *Options {
	return &Options{
		MetricsAddress:          "127.0.0.1:8080",
		HealthAddress:           "127.0.0.1:8081",
		WebhookAddress:          "127.0.0.1:9443",
		ViewAddress:             "127.0.0.1:9444",
		ViewPageRows:            view.DefaultPageRows,
		LeaderElectionNamespace: "roster-system",
		PersonalOrganizations:   true,
		LeaverRetention:         defaultLeaverRetention,
		NamespaceLabels:         map[string]string{"pod-security.kubernetes.io/enforce": "baseline"},
		ShardSize:               rbac.MaxShardSize,
		ActivityDatabaseURL:     "activity.db",
		ActivityRetention:       activity.DefaultRetention,
		Mail:                    MailOptions{Secret: mailer.DefaultSecret},
		Tokens:                  TokenOptions{Retention: defaultTokenRetention},
		Bounds:                  admission.DefaultBounds(),
	}
}

// AddFlags binds the options to flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig,
		"file to reach the API server with; left out in a cluster")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", o.MetricsAddress,
		"address that metrics are served on; 0 for none")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure,
		"serve metrics by HTTPS with the webhook's certificate, and only to who may get the path /metrics (ClusterRole "+
			"roster-metrics-reader); else unencrypted to everybody who reaches the address")
	flags.StringVar(&o.HealthAddress, "health-probe-bind-address", o.HealthAddress,
		"address that /healthz and /readyz are served on; 0 for none")
	flags.StringVar(&o.WebhookAddress, "webhook-bind-address", o.WebhookAddress,
		"address that the API server's admission requests are answered on")
	flags.StringVar(&o.WebhookCertDir, "webhook-cert-dir", o.WebhookCertDir,
		"folder with tls.crt and tls.key for the webhook, whose authority you put into the webhook configurations yourself; "+
			"left out: Roster makes and renews certificates and tells the API server")
	flags.StringVar(&o.ViewAddress, "api-bind-address", o.ViewAddress,
		"address that the view API (members, grants, activities, reports, profiles) is served on, and the API server's audit "+
			"stream taken; empty for none")
	flags.IntVar(&o.ViewPageRows, "view-page-rows", o.ViewPageRows,
		fmt.Sprintf("the most rows of one answer of the view API, 1 to %d; clients ask for the others with continue",
			view.MaxPageRows))
	flags.StringVar(&o.ProfilingAddress, "pprof-bind-address", o.ProfilingAddress,
		"address that Go's profiles are served on; left out for none")
	flags.BoolVar(&o.LeaderElection, "leader-elect", o.LeaderElection,
		"of several replicas let one work at a time")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", o.LeaderElectionNamespace,
		"namespace of the lease that elects the leader")
	flags.BoolVar(&o.PersonalOrganizations, "personal-organizations", o.PersonalOrganizations,
		"make a Personal organization for every active member who owns none")
	flags.DurationVar(&o.LeaverRetention, "leaver-retention", o.LeaverRetention,
		"how long Users and Personal organizations that Roster made by itself stay after their users have left, such as 720h for 30 "+
			"days; those of users who were never seen stay no longer than they were there before")
	flags.StringToStringVar(&o.NamespaceLabels, "namespace-labels", o.NamespaceLabels,
		"labels of namespaces that Roster makes")
	o.addHistoryFlags(flags)
	o.Mail.addFlags(flags)
	o.Tokens.addFlags(flags)
	o.Bounds.AddFlags(flags)
	flags.IntVar(&o.ShardSize, "shard-size", o.ShardSize,
		fmt.Sprintf("the most subjects of one RBAC RoleBinding, 1 to %d", rbac.MaxShardSize))
}

// addHistoryFlags binds the options of the history.
func (o *Options) addHistoryFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.ActivityDatabaseURL, "activity-database-url", o.ActivityDatabaseURL,
		"database that keeps the history of all changes: the path of a SQLite file, for one replica, or "+
			"postgres://USER:PASSWORD@HOST/NAME; empty: no history is kept")
	flags.DurationVar(&o.ActivityRetention, "activity-retention", o.ActivityRetention,
		"how long the history is kept, such as 9600h for 400 days")
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if o.ShardSize < 1 || o.ShardSize > rbac.MaxShardSize {
		errs = append(errs, fmt.Errorf("--shard-size=%d: choose a number from 1 to %d", o.ShardSize, rbac.MaxShardSize))
	}
	if _, _, err := splitAddress(o.WebhookAddress); err != nil {
		errs = append(errs, fmt.Errorf("--webhook-bind-address=%s: %w; give HOST:PORT, such as 127.0.0.1:9443",
			o.WebhookAddress, err))
	}
	if o.LeaverRetention < 0 {
		errs = append(errs, fmt.Errorf("--leaver-retention=%s: choose a duration such as 720h, or 0s to keep nothing",
			o.LeaverRetention))
	}
	if o.ActivityRetention < shortestRetention {
		errs = append(errs, fmt.Errorf("--activity-retention=%s: choose %s or more; Kubernetes itself keeps Events for an hour",
			o.ActivityRetention, shortestRetention))
	}
	if _, _, err := splitAddress(o.ViewAddress); o.ViewAddress != "" && err != nil {
		errs = append(errs, fmt.Errorf("--api-bind-address=%s: %w; give HOST:PORT, such as 127.0.0.1:9444, or leave it empty",
			o.ViewAddress, err))
	}
	if o.ViewPageRows < 1 || o.ViewPageRows > view.MaxPageRows {
		errs = append(errs, fmt.Errorf("--view-page-rows=%d: choose a number from 1 to %d", o.ViewPageRows, view.MaxPageRows))
	}
	problems := metav1validation.ValidateLabels(o.NamespaceLabels, field.NewPath("--namespace-labels"))
	if err := problems.ToAggregate(); err != nil {
		errs = append(errs, err)
	}
	for _, key := range slices.Sorted(maps.Keys(o.NamespaceLabels)) {
		if _, own := ownLabels[key]; own {
			errs = append(errs, fmt.Errorf("--namespace-labels: %s is Roster's own label; leave it out", key))
		}
	}
	errs = append(errs, o.Mail.validate()...)
	return errors.Join(append(errs, o.Tokens.validate(), o.Bounds.Validate())...)
}
