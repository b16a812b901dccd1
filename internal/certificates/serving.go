package certificates

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Serving is the serving certificate as the Secret has it now, in every replica.
type Serving struct {
	reader client.Reader

	lock        sync.Mutex
	version     string
	certificate *tls.Certificate
}

// NewServing reads the Secret from a cache.
func NewServing(reader client.Reader) *Serving {
	return &Serving{reader: reader}
}

// GetCertificate is for a TLS server's configuration.
func (s *Serving) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.Current(hello.Context())
}

// Current is the certificate to serve, or why there is none.
func (s *Serving) Current(ctx context.Context) (*tls.Certificate, error) {
	secret := &corev1.Secret{}
	if err := s.reader.Get(ctx, theSecret.NamespacedName, secret); err != nil {
		return nil, fmt.Errorf("read the webhook's certificate: %w", err)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.certificate != nil && s.version == secret.ResourceVersion {
		return s.certificate, nil
	}
	certificate, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("the webhook's certificate in Secret %s can't be used (yet): %w", SecretName, err)
	}
	s.certificate, s.version = &certificate, secret.ResourceVersion
	servingEnd.WithLabelValues().Set(float64(certificate.Leaf.NotAfter.Unix()))
	return s.certificate, nil
}
