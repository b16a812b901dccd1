package manager

import (
	"fmt"
	"net/url"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/roster-dev/roster/controllers/invitation"
	"github.com/roster-dev/roster/controllers/joinmail"
	"github.com/roster-dev/roster/controllers/report"
	"github.com/roster-dev/roster/internal/mail"
	"github.com/roster-dev/roster/internal/mailer"
	"github.com/roster-dev/roster/internal/reports"
)

// MailOptions are the flags of what is mailed.
type MailOptions struct {
	// Secret in roster-system holds the settings of the mail server; nothing is mailed while it isn't there.
	Secret string
	// Templates is a folder with templates of an installation's own; empty: the built-in ones.
	Templates string
	// PortalURL is the page on which invitations are answered, with {organization} for the organization; empty for none.
	PortalURL string
}

func (o *MailOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Secret, "mail-secret", o.Secret,
		"Secret in roster-system with the settings of the mail server; nothing is mailed while it isn't there")
	flags.StringVar(&o.Templates, "mail-templates", o.Templates,
		"folder with mail templates of your own; those that aren't in it are the built-in ones")
	flags.StringVar(&o.PortalURL, "portal-url", o.PortalURL,
		"page on which invitations are answered, such as https://portal.acme.example/join/{organization}; left out for none")
}

func (o *MailOptions) validate() []error {
	var errs []error
	if problems := validation.IsDNS1123Subdomain(o.Secret); len(problems) > 0 {
		errs = append(errs, fmt.Errorf("--mail-secret=%s: %s", o.Secret, problems[0]))
	}
	if o.PortalURL == "" {
		return errs
	}
	parsed, err := url.Parse(o.PortalURL)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		errs = append(errs, fmt.Errorf("--portal-url=%s: give a whole address, such as https://portal.acme.example", o.PortalURL))
	}
	return errs
}

// addMail mails invitations, about join requests, and monthly reports.
func addMail(manager ctrl.Manager, options *MailOptions) error {
	templates, err := mail.LoadTemplates(options.Templates)
	if err != nil {
		return fmt.Errorf("--mail-templates=%s: %w", options.Templates, err)
	}
	secrets, err := mailer.NewCache(manager.GetConfig(), manager.GetScheme(), options.Secret)
	if err != nil {
		return fmt.Errorf("watch the mail settings: %w", err)
	}
	if err := manager.Add(secrets); err != nil {
		return err
	}
	source, now := &mailer.Mailer{Reader: secrets, Secret: options.Secret}, clock.RealClock{}
	invitations := &invitation.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Clock: now,
		Office: &mailer.Office{Source: source, Clock: now}, Templates: templates, PortalURL: options.PortalURL,
	}
	if err := invitations.SetupWithManager(manager, secrets); err != nil {
		return err
	}
	joinRequests := &joinmail.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Clock: now,
		Office: &mailer.Office{Source: source, Clock: now}, Templates: templates,
	}
	if err := joinRequests.SetupWithManager(manager, secrets); err != nil {
		return err
	}
	monthly := &report.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Clock: now,
		Office: &mailer.Office{Source: source, Clock: now},
		Store:  &reports.Store{Live: manager.GetAPIReader(), Writer: manager.GetClient()},
	}
	return monthly.SetupWithManager(manager, secrets)
}
