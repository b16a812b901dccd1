package activity_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	_ "modernc.org/sqlite" // The driver registers itself.
)

// outage takes a database away, and gives it back.
type outage struct {
	reason     string
	begin, end func(ctx context.Context)
}

// survives expects that nothing is lost by an outage, and that everything else goes on.
func (o *orchard) survives(ctx context.Context, outage outage) {
	GinkgoHelper()
	o.describe(ctx, 5)
	o.isWhole(ctx)
	outage.begin(ctx)
	o.goesOn(ctx)
	o.says(ctx, corev1.ConditionFalse, outage.reason)
	outage.end(ctx)
	o.says(ctx, corev1.ConditionTrue, "Stored")
	o.isWhole(ctx)
}

var _ = Describe("A manager whose history is in PostgreSQL", Ordered, func() {
	var server *postgreSQL
	var o *orchard

	BeforeAll(func(ctx SpecContext) {
		server = startPostgreSQL(ctx)
		o = plant(ctx, server.url())
	}, NodeTimeout(5*time.Minute))

	It("gives and takes access while the server is stopped, says so, and records everything later", func(ctx SpecContext) {
		o.survives(ctx, outage{reason: "DatabaseAway", begin: func(context.Context) { server.stop() }, end: server.start})
	}, SpecTimeout(5*time.Minute))

	It("gives and takes access while the server hangs, says so, and records everything when it goes on", func(ctx SpecContext) {
		o.survives(ctx, outage{
			reason: "DatabaseAway",
			begin:  func(context.Context) { server.hang() },
			end:    func(context.Context) { server.goOn() },
		})
	}, SpecTimeout(5*time.Minute))

	It("starts while the server is stopped, and records everything when it is back", func(ctx SpecContext) {
		o.describe(ctx, 5)
		o.isWhole(ctx)
		server.stop()
		o.restartWithout(ctx)
		o.says(ctx, corev1.ConditionFalse, "DatabaseAway")
		o.goesOn(ctx)
		// After a restart it takes the API server a moment to see that the view API is there again.
		Eventually(func() error {
			_, err := o.recorded(ctx)
			return err
		}).WithContext(ctx).Should(MatchError(ContainSubstring("the activity store doesn't answer: DatabaseAway")))
		server.start(ctx)
		o.says(ctx, corev1.ConditionTrue, "Stored")
		o.isWhole(ctx)
	}, SpecTimeout(5*time.Minute))
})

var _ = Describe("A manager whose history is in an SQLite file", Ordered, func() {
	var o *orchard

	BeforeAll(func(ctx SpecContext) {
		o = plant(ctx, filepath.Join(GinkgoT().TempDir(), "activity.db"))
	}, NodeTimeout(5*time.Minute))

	It("gives and takes access while somebody else has locked it, says so, and records everything later", func(ctx SpecContext) {
		other, err := sql.Open("sqlite", "file:"+o.database)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(other.Close)
		other.SetMaxOpenConns(1)
		o.survives(ctx, outage{
			reason: "DatabaseLocked",
			begin:  func(ctx context.Context) { execute(ctx, other, "BEGIN EXCLUSIVE") },
			end:    func(ctx context.Context) { execute(ctx, other, "ROLLBACK") },
		})
	}, SpecTimeout(5*time.Minute))

	for damage, do := range map[string]func(path string){"overwritten": overwrite, "truncated": truncate} {
		It("that is "+damage+" gives and takes access, says so, and records all anew once it is put aside", func(ctx SpecContext) {
			o.survives(ctx, outage{
				reason: "DatabaseCorrupt",
				begin:  func(context.Context) { do(o.database) },
				end:    func(context.Context) { putAside(o.database) },
			})
		}, SpecTimeout(5*time.Minute))
	}

	It("starts with a damaged one, says so, and records everything anew once it is put aside", func(ctx SpecContext) {
		o.describe(ctx, 5)
		o.isWhole(ctx)
		Expect(o.manager.Stop()).To(Succeed())
		overwrite(o.database)
		o.restartWithout(ctx)
		o.says(ctx, corev1.ConditionFalse, "DatabaseCorrupt")
		o.goesOn(ctx)
		putAside(o.database)
		o.says(ctx, corev1.ConditionTrue, "Stored")
		o.isWhole(ctx)
	}, SpecTimeout(5*time.Minute))
})

var _ = Describe("A manager whose history is on a volume of its own", func() {
	It("gives and takes access while its volume is full, says so, and records everything later", func(ctx SpecContext) {
		volume := smallVolume(ctx)
		o := plant(ctx, filepath.Join(volume, "activity.db"))
		filler := filepath.Join(volume, "filler")
		o.survives(ctx, outage{
			reason: "DatabaseFull",
			begin:  func(context.Context) { fill(filler) },
			end:    func(context.Context) { Expect(os.Remove(filler)).To(Succeed()) },
		})
	}, SpecTimeout(5*time.Minute))
})

func execute(ctx context.Context, database *sql.DB, statement string) {
	GinkgoHelper()
	_, err := database.ExecContext(ctx, statement)
	Expect(err).NotTo(HaveOccurred())
}

// smallVolume is a file system of its own, which is soon full.
func smallVolume(ctx context.Context) string {
	GinkgoHelper()
	volume := GinkgoT().TempDir()
	output, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", volume).CombinedOutput()
	if err != nil {
		Skip("a file system that can be filled can't be mounted here: " + string(output))
	}
	DeferCleanup(func(ctx context.Context) {
		Expect(exec.CommandContext(ctx, "umount", "--lazy", volume).Run()).To(Succeed())
	})
	return volume
}

// fill writes a file until nothing more fits.
func fill(path string) {
	GinkgoHelper()
	file, err := os.Create(path)
	Expect(err).NotTo(HaveOccurred())
	_, err = io.Copy(file, endless{})
	Expect(errors.Join(err, file.Close())).To(MatchError(syscall.ENOSPC))
}

type endless struct{}

func (endless) Read(buffer []byte) (int, error) { return len(buffer), nil }

// overwrite writes nonsense over all of a file, as a broken disk or a wrong command can.
func overwrite(path string) {
	GinkgoHelper()
	info, err := os.Stat(path)
	Expect(err).NotTo(HaveOccurred())
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	Expect(err).NotTo(HaveOccurred())
	nonsense := make([]byte, info.Size())
	for i := range nonsense {
		nonsense[i] = byte(i%251 + 1)
	}
	_, err = file.Write(nonsense)
	Expect(errors.Join(err, file.Close())).To(Succeed())
}

func truncate(path string) {
	GinkgoHelper()
	Expect(os.Truncate(path, 0)).To(Succeed())
}

// putAside does what the error asks for.
func putAside(path string) {
	GinkgoHelper()
	for _, end := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+end, path+end+".aside"); !errors.Is(err, os.ErrNotExist) {
			Expect(err).NotTo(HaveOccurred())
		}
	}
}
