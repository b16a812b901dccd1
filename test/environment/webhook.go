package environment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// webhookTimeout is how long the manager and the API server may take until the webhook is asked.
	webhookTimeout = time.Minute
	// webhookConfiguration is the name of both webhook configurations.
	webhookConfiguration = "roster"
	// changedBy is the annotation by which an answer of the mutating webhook is known.
	changedBy = "roster.dev/changed-by"
	// missingRole is the name of a Role that isn't there, of which the validating webhook warns.
	missingRole = "webhook-is-asked"
)

// webhookOverlay is config/webhook for a manager outside of the cluster: the API server finds it on this machine, under
// the name localhost and the manager's own port.
const webhookOverlay = `resources:
- %[1]s
patches:
- target: {kind: Service, name: roster}
  patch: |-
    - {op: replace, path: /spec, value: {type: ExternalName, externalName: localhost, ports: [{name: webhook, port: %[2]d}, {name: view, port: %[3]d}]}}
- target: {kind: MutatingWebhookConfiguration}
  patch: |-
    - {op: replace, path: /webhooks/0/clientConfig/service/port, value: %[2]d}
    - {op: replace, path: /webhooks/1/clientConfig/service/port, value: %[2]d}
- target: {kind: ValidatingWebhookConfiguration}
  patch: |-
    - {op: replace, path: /webhooks/0/clientConfig/service/port, value: %[2]d}
`

// ConnectWebhook applies config/webhook for the manager that was started last, and returns when the API server asks it.
// From then on Roster's kinds can't be written while the manager is down.
func (c *Cluster) ConnectWebhook(ctx context.Context) error {
	c.progress("connecting the webhook")
	overlay, err := c.writeOverlay("webhook", webhookOverlay)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, overlay); err != nil {
		return err
	}
	trial, err := c.newTrial()
	if err != nil {
		return err
	}
	var notAsked error
	err = pollFor(ctx, webhookTimeout, func(ctx context.Context) (bool, error) {
		if notAsked = authorityIsTrusted(ctx, trial); notAsked == nil {
			notAsked = trial.isAnswered(ctx)
		}
		return notAsked == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the API server doesn't reach the webhook: %w: %w", err, notAsked)
	}
	return nil
}

// DisconnectWebhook removes the webhook configurations, as an administrator does who must write Roster's kinds while no
// manager runs, and returns when the API server asks no more.
func (c *Cluster) DisconnectWebhook(ctx context.Context) error {
	_, err := c.Kubectl(ctx, "delete", "--ignore-not-found",
		"mutatingwebhookconfiguration/"+webhookConfiguration, "validatingwebhookconfiguration/"+webhookConfiguration)
	if err != nil {
		return err
	}
	trial, err := c.newTrial()
	if err != nil {
		return err
	}
	var failure error
	err = pollFor(ctx, webhookTimeout, func(ctx context.Context) (bool, error) {
		var stamped, warned bool
		stamped, warned, failure = trial.write(ctx)
		return failure == nil && !stamped && !warned, nil
	})
	if err != nil {
		return fmt.Errorf("the API server still asks the webhook: %w", errors.Join(err, failure))
	}
	return nil
}

// writeOverlay writes a kustomization over a folder of config. It is told the folder, the webhook's port and the view API's.
func (c *Cluster) writeOverlay(folder, kustomization string) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	overlay := c.path(folder)
	if err := os.MkdirAll(overlay, 0o700); err != nil {
		return "", err
	}
	// kustomize takes relative paths only, and sees through links.
	from, err := filepath.EvalSymlinks(overlay)
	if err != nil {
		return "", err
	}
	to, err := filepath.EvalSymlinks(filepath.Join(root, "config", folder))
	if err != nil {
		return "", err
	}
	base, err := filepath.Rel(from, to)
	if err != nil {
		return "", err
	}
	content := fmt.Sprintf(kustomization, filepath.ToSlash(base), c.state.WebhookPort, c.state.ViewPort)
	return overlay, os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(content), 0o600)
}

// authorityIsTrusted says whether the manager has told the API server its authority.
func authorityIsTrusted(ctx context.Context, reader client.Reader) error {
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	for _, configuration := range []client.Object{&validating, &mutating} {
		if err := reader.Get(ctx, client.ObjectKey{Name: webhookConfiguration}, configuration); err != nil {
			return err
		}
	}
	var configs []admissionregistrationv1.WebhookClientConfig
	for i := range validating.Webhooks {
		configs = append(configs, validating.Webhooks[i].ClientConfig)
	}
	for i := range mutating.Webhooks {
		configs = append(configs, mutating.Webhooks[i].ClientConfig)
	}
	for i := range configs {
		if len(configs[i].CABundle) == 0 {
			return fmt.Errorf("webhook %s has no caBundle yet", *configs[i].Service.Path)
		}
	}
	return nil
}

// trial writes what no one keeps, to learn which webhooks the API server asks.
type trial struct {
	client.Client
	warnings bytes.Buffer
}

func (c *Cluster) newTrial() (*trial, error) {
	made, config := &trial{}, c.Admin()
	config.WarningHandler = rest.NewWarningWriter(&made.warnings, rest.WarningWriterOptions{})
	var err error
	made.Client, err = client.New(config, client.Options{})
	return made, err
}

// write makes an Organization as a dry run. Where they are asked, one webhook stamps it with its author, and the other warns
// of the Role that isn't there.
func (t *trial) write(ctx context.Context) (stamped, warned bool, err error) {
	organization := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "roster.dev/v1alpha1", "kind": "Organization",
		"metadata": map[string]any{"name": "webhook-is-asked"},
		"spec": map[string]any{
			"owners": []any{"ana@webhook.example"}, "membership": map[string]any{"defaultRoles": []any{missingRole}},
		},
	}}
	t.warnings.Reset()
	err = t.Create(ctx, organization, &client.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return organization.GetAnnotations()[changedBy] != "", strings.Contains(t.warnings.String(), missingRole), err
}

// isAnswered says which webhook isn't asked, or can't be.
func (t *trial) isAnswered(ctx context.Context) error {
	stamped, warned, err := t.write(ctx)
	switch {
	case err != nil:
		return err
	case !stamped:
		return fmt.Errorf("a new Organization has no annotation %s", changedBy)
	case !warned:
		return fmt.Errorf("a new Organization may name a Role that isn't there, without a warning")
	}
	return nil
}
