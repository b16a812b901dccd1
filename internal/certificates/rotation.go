// Package certificates keeps the certificates by which the API server knows Roster's webhook: it makes them, renews them
// in time, and tells the API server which authority to trust.
package certificates

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const (
	// ServiceName is the Service that the API server reaches the webhook by.
	ServiceName = "roster"
	// SecretName is where the certificates are kept.
	SecretName = "roster-webhook-certificates"
	// ConfigurationName is the name of both webhook configurations.
	ConfigurationName = "roster"

	// AuthorityCertificate is the key of the Secret with the authority's certificate. Another one behind it is the
	// authority before, trusted until the serving certificate is renewed the next time.
	AuthorityCertificate = "ca.crt"
	// AuthorityKey is the key of the Secret with the authority's private key.
	AuthorityKey = "ca.key"

	serverName    = ServiceName + "." + v1alpha1.SystemNamespace + ".svc"
	authorityName = "roster-webhook-authority"

	authorityLife = 10 * 365 * 24 * time.Hour
	servingLife   = 365 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is renewed.
	renewBefore = 90 * 24 * time.Hour
	// backdate bears with clocks that are late.
	backdate = time.Hour

	certificateBlock = "CERTIFICATE"
)

// data are the certificates and keys as the Secret holds them.
type data = map[string][]byte

var serverUse = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}

func maker() *rotator.CertRotator {
	return &rotator.CertRotator{
		CAName: authorityName, CAOrganization: ServiceName, DNSName: serverName, ExtKeyUsages: &serverUse,
	}
}

// NewAuthority is the data of a Secret with an authority and nothing else, from which Roster goes on: for who must trust it
// before Roster runs.
func NewAuthority(now time.Time) (map[string][]byte, error) {
	made := data{}
	return made, renewAuthority(made, now)
}

// authorityLasts says whether the authority is in order and needn't be renewed yet.
func authorityLasts(kept data, now time.Time) bool {
	authority, key := kept[AuthorityCertificate], kept[AuthorityKey]
	valid, err := rotator.ValidCert(authority, authority, key, authorityName, nil, now.Add(renewBefore))
	return err == nil && valid
}

// servingLasts says whether the serving certificate is in order, of the present authority, and needn't be renewed yet.
func servingLasts(kept data, now time.Time) bool {
	valid, err := rotator.ValidCert(kept[AuthorityCertificate],
		kept[corev1.TLSCertKey], kept[corev1.TLSPrivateKeyKey], serverName, &serverUse, now.Add(renewBefore))
	return err == nil && valid
}

// renewAuthority makes a new authority. The one before stays behind it, since its serving certificate is still in use.
func renewAuthority(kept data, now time.Time) error {
	authority, err := maker().CreateCACert(now.Add(-backdate), now.Add(authorityLife))
	if err != nil {
		return fmt.Errorf("make the webhook's authority: %w", err)
	}
	kept[AuthorityCertificate] = append(authority.CertPEM, present(kept[AuthorityCertificate])...)
	kept[AuthorityKey] = authority.KeyPEM
	return nil
}

// renewServing makes a new serving certificate, and forgets the authority before when the last serving certificate was of
// the present one already.
func renewServing(kept data, now time.Time) error {
	pair, err := tls.X509KeyPair(kept[AuthorityCertificate], kept[AuthorityKey])
	if err != nil {
		return fmt.Errorf("read the webhook's authority: %w", err)
	}
	key, isRSA := pair.PrivateKey.(*rsa.PrivateKey)
	if !isRSA {
		return fmt.Errorf("the key %s of Secret %s is of type %T, want RSA: delete the Secret to have it made anew",
			AuthorityKey, SecretName, pair.PrivateKey)
	}
	if last := parse(kept[corev1.TLSCertKey]); last != nil && last.CheckSignatureFrom(pair.Leaf) == nil {
		kept[AuthorityCertificate] = present(kept[AuthorityCertificate])
	}
	certificate, certificateKey, err := maker().CreateCertPEM(
		&rotator.KeyPairArtifacts{Cert: pair.Leaf, Key: key}, now.Add(-backdate), now.Add(servingLife))
	if err != nil {
		return fmt.Errorf("make the webhook's serving certificate: %w", err)
	}
	kept[corev1.TLSCertKey], kept[corev1.TLSPrivateKeyKey] = certificate, certificateKey
	return nil
}

// renewal is when the next of the certificates is to be renewed.
func renewal(kept data) time.Time {
	authority, serving := parse(kept[AuthorityCertificate]), parse(kept[corev1.TLSCertKey])
	if authority == nil || serving == nil {
		return time.Time{}
	}
	end := authority.NotAfter
	if serving.NotAfter.Before(end) {
		end = serving.NotAfter
	}
	return end.Add(-renewBefore)
}

// present is the first of several certificates, or nothing where there is none that can be read.
func present(certificates []byte) []byte {
	certificate := parse(certificates)
	if certificate == nil {
		return nil
	}
	var first bytes.Buffer
	// A buffer takes everything.
	_ = pem.Encode(&first, &pem.Block{Type: certificateBlock, Bytes: certificate.Raw})
	return first.Bytes()
}

// parse reads the first of several certificates; nil where it can't be read.
func parse(certificates []byte) *x509.Certificate {
	block, _ := pem.Decode(certificates)
	if block == nil || block.Type != certificateBlock {
		return nil
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return certificate
}
