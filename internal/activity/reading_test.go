package activity

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
)

var _ = onEachDatabase("A store that is opened for reading", func(fresh func() string) {
	It("shows what another one writes, and can't write itself", func(ctx context.Context) {
		url := fresh()
		writing := open(ctx, url)
		Expect(writing.Append(ctx, []Record{{Key: "1", Namespace: "org-acme"}})).To(Succeed())
		reading, err := OpenReading(ctx, url)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(reading.Close)
		Expect(reading.Verify(ctx, "org-acme")).To(HaveField("Entries", int64(1)))
		Expect(writing.Append(ctx, []Record{{Key: "2", Namespace: "org-acme"}})).To(Succeed())
		Expect(reading.Verify(ctx, "org-acme")).To(HaveField("Entries", int64(2)))
		Expect(reading.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM activity_records")
			return err
		})).To(MatchError(MatchRegexp("read-?only")))
	})

	It("also names a chain of which only the entries are left", func(ctx context.Context) {
		url := fresh()
		records := []Record{{Key: "1", Namespace: "org-acme"}, {Key: "2", Namespace: "org-b"}}
		Expect(open(ctx, url).Append(ctx, records)).To(Succeed())
		_, err := raw(url).ExecContext(ctx, "DELETE FROM activity_chains WHERE namespace = 'org-acme'")
		Expect(err).NotTo(HaveOccurred())
		reading, err := OpenReading(ctx, url)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(reading.Close)
		Expect(reading.Traces(ctx)).To(Equal([]string{"org-acme", "org-b"}))
	})

	It("refuses a schema that it doesn't know, and a database that isn't one of these", func(ctx context.Context) {
		url := fresh()
		Expect(open(ctx, url).Close()).To(Succeed())
		pool := raw(url)
		_, err := pool.ExecContext(ctx, "INSERT INTO activity_schema (version, applied) VALUES (1000, 0)")
		Expect(err).NotTo(HaveOccurred())
		_, err = OpenReading(ctx, url)
		Expect(err).To(MatchError(ErrNewerSchema))
		_, err = pool.ExecContext(ctx, "DELETE FROM activity_schema")
		Expect(err).NotTo(HaveOccurred())
		_, err = OpenReading(ctx, url)
		Expect(err).To(MatchError(ContainSubstring("start a manager of this version with it first")))
		_, err = pool.ExecContext(ctx, "DROP TABLE activity_schema")
		Expect(err).NotTo(HaveOccurred())
		_, err = OpenReading(ctx, url)
		Expect(err).To(MatchError(ContainSubstring("it isn't one that Roster made")))
	})
})

var _ = Describe("An SQLite file that is opened for reading", func() {
	It("is left as it is, with nothing beside it", func(ctx context.Context) {
		folder := GinkgoT().TempDir()
		path := filepath.Join(folder, "activity.db")
		store, err := Open(ctx, path, clock.RealClock{})
		Expect(err).NotTo(HaveOccurred())
		Expect(store.Append(ctx, []Record{{Key: "1", Namespace: "org-acme"}})).To(Succeed())
		Expect(store.Close()).To(Succeed())
		before, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())

		reading, err := OpenReading(ctx, path)
		Expect(err).NotTo(HaveOccurred())
		Expect(reading.Verify(ctx, "org-acme")).To(Satisfy(Verdict.Holds))
		Expect(reading.Ping(ctx)).To(Succeed())
		Expect(reading.Close()).To(Succeed())
		Expect(os.ReadFile(path)).To(Equal(before))
		Expect(os.ReadDir(folder)).To(HaveLen(1))
	})

	It("says at the end that another process has opened it meanwhile", func(ctx context.Context) {
		path := filepath.Join(GinkgoT().TempDir(), "activity.db")
		store, err := Open(ctx, path, clock.RealClock{})
		Expect(err).NotTo(HaveOccurred())
		Expect(store.Close()).To(Succeed())
		reading, err := OpenReading(ctx, path)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(reading.Close)
		Expect(open(ctx, path).Append(ctx, []Record{{Key: "1", Namespace: "org-acme"}})).To(Succeed())
		Expect(reading.Ping(ctx)).To(MatchError(ContainSubstring("was opened by another process while it was read; ask again")))
	})

	It("isn't made where it is missing", func(ctx context.Context) {
		path := filepath.Join(GinkgoT().TempDir(), "new", "activity.db")
		_, err := OpenReading(ctx, path)
		Expect(err).To(MatchError(ErrAway))
		Expect(filepath.Dir(path)).NotTo(BeADirectory())
	})
})
