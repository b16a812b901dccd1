package environment

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	rostercertificates "github.com/roster-dev/roster/internal/certificates"
)

// Names of the certificate and key pairs. Each of the three authorities vouches for one thing alone: a client of the
// API server is no client of etcd, and neither may speak in the name of others as the front proxy does.
const (
	apiAuthority        = "ca"
	apiServer           = "kube-apiserver"
	administrator       = "administrator"
	controllerManager   = "kube-controller-manager"
	etcdAuthority       = "etcd-ca"
	etcdServer          = "etcd"
	etcdClient          = "etcd-client"
	frontProxyAuthority = "front-proxy-ca"
	frontProxyClient    = "front-proxy-client"
	serviceAccounts     = "service-accounts"
	auditSender         = "roster-audit"
	person              = "person"
	rosterAuthority     = "roster-ca"
)

// Person is the username of somebody who has a certificate of their own, and so is authenticated and not impersonated.
const Person = "pia@person.example"

// certificates is a directory of PEM files.
type certificates string

func (c certificates) certificate(name string) string { return filepath.Join(string(c), name+".crt") }
func (c certificates) key(name string) string         { return filepath.Join(string(c), name+".key") }
func (c certificates) publicKey(name string) string   { return filepath.Join(string(c), name+".pub") }

// ensure makes all certificates, unless an earlier start did. They appear in one step, so that an interrupted start
// can't leave half of them.
func (c certificates) ensure() error {
	if _, err := os.Stat(string(c)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(string(c)), ".certificates-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }()
	if err := certificates(unfinished).make(); err != nil {
		return fmt.Errorf("make the certificates of the control plane: %w", err)
	}
	return os.Rename(unfinished, string(c))
}

func (c certificates) make() error {
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	authorities := map[string][]leaf{
		apiAuthority: {
			{name: apiServer, subject: pkix.Name{CommonName: apiServer}, usages: server},
			{name: administrator, subject: pkix.Name{CommonName: "local-administrator", Organization: []string{"system:masters"}}, usages: client},
			{name: controllerManager, subject: pkix.Name{CommonName: "system:kube-controller-manager"}, usages: client},
			{name: auditSender, subject: pkix.Name{CommonName: "system:" + auditSender}, usages: client},
			{name: person, subject: pkix.Name{CommonName: Person}, usages: client},
		},
		etcdAuthority: {
			// The server is a client, too: of itself.
			{name: etcdServer, subject: pkix.Name{CommonName: etcdServer}, usages: both},
			{name: etcdClient, subject: pkix.Name{CommonName: etcdClient}, usages: client},
		},
		frontProxyAuthority: {
			{name: frontProxyClient, subject: pkix.Name{CommonName: frontProxyClient}, usages: client},
		},
	}
	for name, leaves := range authorities {
		if err := c.makeAuthority(name, leaves); err != nil {
			return err
		}
	}
	if err := c.makeRosterAuthority(); err != nil {
		return err
	}
	return c.makeServiceAccountKeys()
}

// makeRosterAuthority makes what Roster would make at its first start: the API server is told whom to send its audit stream
// to before that.
func (c certificates) makeRosterAuthority() error {
	made, err := rostercertificates.NewAuthority(time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.certificate(rosterAuthority), made[rostercertificates.AuthorityCertificate], 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.key(rosterAuthority), made[rostercertificates.AuthorityKey], 0o600)
}

// leaf is a certificate that an authority signs.
type leaf struct {
	name    string
	subject pkix.Name
	usages  []x509.ExtKeyUsage
}

// makeAuthority makes an authority and what it signs. Its key is never stored: nothing is signed later.
func (c certificates) makeAuthority(name string, leaves []leaf) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	authority, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "roster-local-" + name}, key)
	if err != nil {
		return err
	}
	if err := c.writeCertificate(name, authority.Raw); err != nil {
		return err
	}
	for _, leaf := range leaves {
		if err := c.sign(leaf, authority, key); err != nil {
			return fmt.Errorf("%s: %w", leaf.name, err)
		}
	}
	return nil
}

func (c certificates) sign(leaf leaf, authority *x509.Certificate, authorityKey crypto.Signer) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      leaf.subject,
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  leaf.usages,
		DNSNames:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses:  []net.IP{net.ParseIP(loopback), net.ParseIP(firstServiceAddress)},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), authorityKey)
	if err != nil {
		return err
	}
	if err := c.writeCertificate(leaf.name, signed); err != nil {
		return err
	}
	return c.writeKey(leaf.name, key)
}

// makeServiceAccountKeys makes the pair that ServiceAccount tokens are signed and checked with.
func (c certificates) makeServiceAccountKeys() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(c.publicKey(serviceAccounts), "PUBLIC KEY", public); err != nil {
		return err
	}
	return c.writeKey(serviceAccounts, key)
}

func (c certificates) writeCertificate(name string, der []byte) error {
	return writePEM(c.certificate(name), cert.CertificateBlockType, der)
}

func (c certificates) writeKey(name string, key *ecdsa.PrivateKey) error {
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return keyutil.WriteKey(c.key(name), encoded)
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
