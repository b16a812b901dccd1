package environment_test

import (
	"net"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/test/environment"
)

func listen() net.Listener {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	return listener
}

func port(listener net.Listener) int {
	return listener.Addr().(*net.TCPAddr).Port
}

var _ = Describe("A process of an earlier command", func() {
	It("is told apart from a later process with the same pid, which is left alone", func() {
		recycled := &environment.Process{Name: "etcd", PID: os.Getpid(), StartTime: "another boot/1"}
		Expect(recycled.Running()).To(BeFalse())
		Expect(recycled.Kill()).To(Succeed())
	})
})

var _ = Describe("Attach", func() {
	It("says that there is no control plane in an empty directory", func() {
		_, err := environment.Attach(GinkgoT().TempDir(), GinkgoWriter)
		Expect(err).To(MatchError(os.ErrNotExist))
	})
})
