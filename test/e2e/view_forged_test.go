package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net/http"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// forged asks the view API itself, past the API server, as somebody who has every right.
func forged(ctx context.Context, path string, certificate *tls.Certificate) (status int, body string) {
	GinkgoHelper()
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		// An attacker doesn't mind whom he talks to, and shows a certificate whichever authorities are asked for.
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate, nil
		},
	}}}
	defer caller.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, cluster.ViewURL()+path, nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("X-Remote-User", "root@attacker.example")
	request.Header.Set("X-Remote-Group", "system:masters")
	response, err := caller.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return response.StatusCode, string(content)
}

// selfSigned is a client certificate with the name of the API server's own, by nobody's authority.
func selfSigned(name string) tls.Certificate {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	return tls.Certificate{Certificate: [][]byte{content}, PrivateKey: key}
}

var _ = Describe("A request past the API server with a forged X-Remote-User", func() {
	const members, me = "/apis/view.roster.dev/v1alpha1/namespaces/org-acme/members", "/apis/self.roster.dev/v1alpha1/profiles/me"

	It("is refused without a certificate", func(ctx SpecContext) {
		for _, path := range []string{members, me} {
			status, body := forged(ctx, path, &tls.Certificate{})
			Expect(status).To(Equal(http.StatusForbidden))
			Expect(body).To(ContainSubstring(`User \"system:anonymous\" cannot`))
		}
	})

	It("is refused with a certificate of the right name and the wrong authority", func(ctx SpecContext) {
		for _, path := range []string{members, me} {
			certificate := selfSigned("front-proxy-client")
			status, body := forged(ctx, path, &certificate)
			Expect(status).To(Equal(http.StatusUnauthorized), body)
		}
	})

	It("counts with the API server's own certificate alone", func(ctx SpecContext) {
		own := filepath.Join(cluster.Directory, "certificates", "front-proxy-client")
		certificate, err := tls.LoadX509KeyPair(own+".crt", own+".key")
		Expect(err).NotTo(HaveOccurred())
		status, body := forged(ctx, me, &certificate)
		Expect(status).To(Equal(http.StatusOK))
		Expect(body).To(ContainSubstring(`"user":"root@attacker.example"`))
	})

	It("doesn't carry a member's certificate further than the member", func(ctx SpecContext) {
		By("the API server's clients have certificates of another authority than its own")
		own := filepath.Join(cluster.Directory, "certificates", "administrator")
		certificate, err := tls.LoadX509KeyPair(own+".crt", own+".key")
		Expect(err).NotTo(HaveOccurred())
		status, body := forged(ctx, me, &certificate)
		Expect(status).To(Equal(http.StatusOK))
		Expect(body).NotTo(ContainSubstring("attacker"), "the certificate says who it is, not the header")
	})
})
