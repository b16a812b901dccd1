package activity

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
)

const (
	appenderURL = "ROSTER_TEST_APPENDER_URL"
	batchSize   = 100
)

// appendForever stores one batch after the other, and writes a line once each is acknowledged.
func appendForever(url string) {
	ctx := context.Background()
	store, err := Open(ctx, url, clock.RealClock{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for batch := 0; ; batch++ {
		if err := store.Append(ctx, changes(batch*batchSize, (batch+1)*batchSize-1)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(batch)
	}
}

var _ = onEachDatabase("A process that is killed while it appends", func(fresh func() string) {
	It("leaves whole batches, all that were acknowledged, and a chain that holds", func(ctx SpecContext) {
		url := fresh()
		store := open(ctx, url)
		for range 5 {
			acknowledged := appendUntilKilled(url, 3+rand.IntN(12))
			// A server may still carry out what the appender has asked for last.
			Eventually(func(g Gomega) {
				entries := len(all(ctx, store, Query{Limit: 10_000}))
				verdict, err := store.Verify(ctx, "org-acme")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(verdict.Holds()).To(BeTrue(), verdict.String())
				g.Expect(verdict.Entries).To(BeEquivalentTo(entries))
				g.Expect(entries % batchSize).To(BeZero())
				g.Expect(entries).To(BeNumerically(">=", acknowledged*batchSize))
			}).Should(Succeed())
		}
	})
})

// appendUntilKilled kills an appender after some batches, while it goes on with the next, and says how many were
// acknowledged.
func appendUntilKilled(url string, batches int) int {
	GinkgoHelper()
	executable, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	child := exec.Command(executable)
	child.Env = append(os.Environ(), appenderURL+"="+url)
	child.Stderr = GinkgoWriter
	output, err := child.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(child.Start()).To(Succeed())
	scanner := bufio.NewScanner(output)
	acknowledged := 0
	for acknowledged < batches && scanner.Scan() {
		acknowledged++
	}
	Expect(child.Process.Kill()).To(Succeed())
	for scanner.Scan() {
		acknowledged++
	}
	Expect(child.Wait()).To(MatchError(ContainSubstring("killed")))
	Expect(acknowledged).To(BeNumerically(">=", batches))
	return acknowledged
}
