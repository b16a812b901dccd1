package smtp

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"sync"

	"k8s.io/client-go/util/cert"
)

type pair struct {
	certificate tls.Certificate
	authority   []byte
}

// made once a process: keys take a while.
var made = sync.OnceValues(func() (pair, error) {
	both, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return pair{}, fmt.Errorf("no certificate for the mail server: %w", err)
	}
	certificate, err := tls.X509KeyPair(both, key)
	// The server's certificate comes first, its authority's second.
	_, authority := pem.Decode(both)
	return pair{certificate: certificate, authority: authority}, err
})

// certificates are the server's, and as PEM its authority's.
func certificates() (certificate tls.Certificate, authority []byte, err error) {
	p, err := made()
	return p.certificate, p.authority, err
}
