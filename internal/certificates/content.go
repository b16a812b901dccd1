package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"sync"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// Content gives the serving certificate to a server of k8s.io/apiserver, and tells it when there is a new one. It is to
// hear of changes of the Secret.
type Content struct {
	serving *Serving

	lock      sync.Mutex
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = &Content{}

// NewContent gives what is served.
func NewContent(serving *Serving) *Content {
	return &Content{serving: serving}
}

// Name is how the server calls it in its log.
func (*Content) Name() string { return SecretName }

// AddListener adds who is told of a new certificate.
func (c *Content) AddListener(listener dynamiccertificates.Listener) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.listeners = append(c.listeners, listener)
}

// CurrentCertKeyContent is the certificate and its key, or nothing while there are none.
func (c *Content) CurrentCertKeyContent() (certificate, key []byte) {
	current, err := c.serving.Current(context.Background())
	if err != nil {
		return nil, nil
	}
	return encode(current)
}

func encode(pair *tls.Certificate) (certificate, key []byte) {
	for _, one := range pair.Certificate {
		certificate = append(certificate, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: one})...)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// OnAdd hears of the Secret.
func (c *Content) OnAdd(any, bool) { c.changed() }

// OnUpdate hears of its changes.
func (c *Content) OnUpdate(_, _ any) { c.changed() }

// OnDelete has nothing to tell: the last certificate is served on until there is another.
func (*Content) OnDelete(any) {}

func (c *Content) changed() {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, listener := range c.listeners {
		listener.Enqueue()
	}
}
