package activity

import (
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

var _ = Describe("A PostgreSQL server", func() {
	BeforeEach(func() {
		// Whatever happens, the next spec finds it running.
		DeferCleanup(sharedServer().start)
	})

	for name, signal := range map[string]syscall.Signal{"stopped": syscall.SIGINT, "killed": syscall.SIGQUIT} {
		It("that is "+name+" and started again gets everything, in order", func(ctx SpecContext) {
			server := sharedServer()
			source := NewSource(server.freshDatabase(), clock.RealClock{})
			DeferCleanup(source.Close)
			writer := startWriter(source, WriterOptions{Backoff: wait.Backoff{Duration: 10 * time.Millisecond}})
			writer.Record(changes(1, 2000)...)
			Eventually(writer.State).Should(HaveField("Stored", BeNumerically(">", 0)))

			server.stop(signal)
			writer.Record(changes(2001, 4000)...)
			Eventually(writer.State).Should(HaveField("LastError", MatchError(ErrAway)))
			Expect(writer.State().Depth).To(BeNumerically(">=", 2000))

			server.start()
			Eventually(writer.State).WithTimeout(20 * time.Second).Should(And(HaveField("Depth", 0), HaveField("LastError", BeNil())))
			store, err := source.Store(ctx)
			Expect(err).NotTo(HaveOccurred())
			expectHolds(ctx, store, "org-acme", 4000)
			expectOrder(ctx, store, 4000)
		})
	}

	It("that is away at the start is found when it comes", func() {
		server := sharedServer()
		url := server.freshDatabase()
		server.stop(syscall.SIGINT)
		source := NewSource(url, clock.RealClock{})
		DeferCleanup(source.Close)
		writer := startWriter(source, WriterOptions{Backoff: wait.Backoff{Duration: 10 * time.Millisecond}})
		writer.Record(changes(1, 10)...)
		Eventually(writer.State).Should(HaveField("LastError", MatchError(ErrAway)))
		server.start()
		Eventually(writer.State).WithTimeout(20 * time.Second).Should(HaveField("Depth", 0))
	})

	It("refuses a database that can't hold every text", func(ctx SpecContext) {
		server := sharedServer()
		_, err := raw(server.url("postgres")).ExecContext(ctx,
			"CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
		Expect(err).NotTo(HaveOccurred())
		_, err = Open(ctx, server.url("latin"), clock.RealClock{})
		Expect(err).To(MatchError(ContainSubstring("its encoding is LATIN1: create it with ENCODING 'UTF8'")))
	})
})
