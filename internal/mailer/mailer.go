// Package mailer hands mails to the server that there is now, each exactly once, and knows which one that is.
package mailer

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/mail"
)

// DefaultSecret is the name of the Secret with the settings.
const DefaultSecret = "roster-mail"

// ErrNoSettings says that no mail is sent in this installation.
var ErrNoSettings = errors.New("no mail settings")

// NewCache keeps the one Secret, so that Roster needs no right to read others.
func NewCache(config *rest.Config, scheme *runtime.Scheme, secret string) (cache.Cache, error) {
	return cache.New(config, cache.Options{Scheme: scheme, ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{
			v1alpha1.SystemNamespace: {FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, secret)},
		}},
	}})
}

// Mailer reads the settings each time that a mail is due: what is changed counts from the next mail on.
type Mailer struct {
	Reader client.Reader
	// Secret is the name of the Secret in roster-system.
	Secret string
}

// Settings are the present ones, ErrNoSettings where there are none, or what is wrong with them. No error holds a secret.
func (m *Mailer) Settings(ctx context.Context) (mail.Settings, error) {
	secret := &corev1.Secret{}
	err := m.Reader.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: m.Secret}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return mail.Settings{}, fmt.Errorf("%w: make the Secret %s/%s to have mails sent", ErrNoSettings,
			v1alpha1.SystemNamespace, m.Secret)
	case err != nil:
		return mail.Settings{}, fmt.Errorf("read the mail settings: %w", err)
	}
	settings, err := mail.ParseSettings(secret.Data)
	if err != nil {
		return mail.Settings{}, &SettingsError{Secret: v1alpha1.SystemNamespace + "/" + m.Secret, Problem: err}
	}
	return settings, nil
}

// Reasons of conditions, where the settings keep a mail from being sent.
const (
	ReasonNoSettings      = "NoMailSettings"
	ReasonInvalidSettings = "InvalidMailSettings"
)

// ReasonOf says of an error of Settings whether it is about the settings, which other settings mend, and which reason a
// condition has for it.
func ReasonOf(err error) (reason string, isAboutSettings bool) {
	var invalid *SettingsError
	switch {
	case errors.Is(err, ErrNoSettings):
		return ReasonNoSettings, true
	case errors.As(err, &invalid):
		return ReasonInvalidSettings, true
	}
	return "", false
}

// SettingsError says that there are settings that can't be used.
type SettingsError struct {
	// Secret that holds them, as NAMESPACE/NAME.
	Secret  string
	Problem error
}

// Error names the Secret and all keys that are wrong.
func (e *SettingsError) Error() string {
	return fmt.Sprintf("the Secret %s can't be used: %v", e.Secret, e.Problem)
}

// Unwrap is what is wrong.
func (e *SettingsError) Unwrap() error { return e.Problem }
