package manager

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/roster-dev/roster/internal/audit"
	"github.com/roster-dev/roster/internal/certificates"
	"github.com/roster-dev/roster/internal/invitation"
	"github.com/roster-dev/roster/internal/reports"
	"github.com/roster-dev/roster/internal/view"
)

// certificateInterval is how often the view API looks for its certificate at the first start.
const certificateInterval = 100 * time.Millisecond

// addView serves the view API with the webhook's certificates: those that Roster keeps, or else those of the folder.
func addView(
	ctx context.Context, manager ctrl.Manager, options *Options, kept *certificates.Serving, activities view.Activities,
) error {
	if options.ViewAddress == "" {
		return nil
	}
	seen := &audit.Recorder{Client: manager.GetClient(), Clock: clock.RealClock{}}
	if err := manager.Add(seen); err != nil {
		return err
	}
	serverOptions := view.Options{
		Address: options.ViewAddress, Kubeconfig: options.Kubeconfig,
		Live:  manager.GetAPIReader(),
		Paths: map[string]http.Handler{audit.Path: &audit.Handler{Recorder: seen}},
	}
	if err := chooseViewCertificate(ctx, manager, options, kept, &serverOptions); err != nil {
		return err
	}
	answers := view.NewAnswers(manager.GetClient(), clock.RealClock{}, options.ViewPageRows)
	if err := answers.Follow(ctx, manager.GetCache()); err != nil {
		return err
	}
	live, writer := manager.GetAPIReader(), manager.GetClient()
	responder := &invitation.Responder{
		Live: live, Writer: writer, Clock: clock.RealClock{},
		Budget: &invitation.Budget{Live: live, Writer: writer, Clock: clock.RealClock{}},
	}
	server := view.NewServer(serverOptions, answers, activities, &reports.Store{Live: live, Writer: writer}, responder)
	if err := manager.AddReadyzCheck("view", server.Ready); err != nil {
		return err
	}
	return manager.Add(server)
}

func chooseViewCertificate(
	ctx context.Context, manager ctrl.Manager, options *Options, kept *certificates.Serving, server *view.Options,
) error {
	if kept == nil {
		files, err := dynamiccertificates.NewDynamicServingContentFromFiles("view",
			filepath.Join(options.WebhookCertDir, corev1.TLSCertKey), filepath.Join(options.WebhookCertDir, corev1.TLSPrivateKeyKey))
		server.Certificate = files
		server.CertificateIsThere = func(context.Context) error { return nil }
		return err
	}
	informer, err := manager.GetCache().GetInformer(ctx, &corev1.Secret{})
	if err != nil {
		return err
	}
	content := certificates.NewContent(kept)
	server.Certificate = content
	server.CertificateIsThere = func(ctx context.Context) error {
		return wait.PollUntilContextCancel(ctx, certificateInterval, true, func(ctx context.Context) (bool, error) {
			_, err := kept.Current(ctx)
			return err == nil, nil
		})
	}
	_, err = informer.AddEventHandler(content)
	return err
}
