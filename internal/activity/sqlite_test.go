package activity

import (
	"bytes"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
)

var _ = Describe("An SQLite file", func() {
	var path string

	BeforeEach(func() {
		path = filepath.Join(GinkgoT().TempDir(), "state", "activity.db")
	})

	It("is made with its folder, for nobody but its owner", func(ctx SpecContext) {
		store := open(ctx, path)
		Expect(store.Append(ctx, changes(1, 1))).To(Succeed())
		for _, name := range []string{path, path + "-wal"} {
			info, err := os.Stat(name)
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)), name)
		}
	})

	It("may have a name that means something in a URL", func(ctx SpecContext) {
		strange := filepath.Join(filepath.Dir(path), "a b?c#d%20e.db")
		store := open(ctx, strange)
		Expect(store.Append(ctx, changes(1, 1))).To(Succeed())
		Expect(strange).To(BeAnExistingFile())

		same := open(ctx, "file://"+filepath.Dir(path)+"/a%20b%3fc%23d%2520e.db?_pragma=busy_timeout(100)")
		expectHolds(ctx, same, "org-acme", 1)
	})

	It("that is full takes nothing of a batch, says what to do, and goes on when it has room", func(ctx SpecContext) {
		store := open(ctx, "file:"+path+"?_pragma=max_page_count(80)")
		Expect(store.Append(ctx, changes(1, 10))).To(Succeed())
		err := store.Append(ctx, changes(11, 1000))
		Expect(err).To(MatchError(ErrFull))
		Expect(Reason(err)).To(Equal("DatabaseFull"))
		expectHolds(ctx, store, "org-acme", 10)

		_, err = store.writing.ExecContext(ctx, "PRAGMA max_page_count = 100000")
		Expect(err).NotTo(HaveOccurred())
		Expect(store.Append(ctx, changes(11, 1000))).To(Succeed())
		expectHolds(ctx, store, "org-acme", 1000)
	})

	It("that somebody else has locked says so, is read all the same, and goes on when they are done", func(ctx SpecContext) {
		store := open(ctx, "file:"+path+"?_pragma=busy_timeout(20)")
		Expect(store.Append(ctx, changes(1, 10))).To(Succeed())
		other, err := raw(path).Conn(ctx)
		Expect(err).NotTo(HaveOccurred())
		_, err = other.ExecContext(ctx, "BEGIN EXCLUSIVE")
		Expect(err).NotTo(HaveOccurred())

		err = store.Append(ctx, changes(11, 20))
		Expect(err).To(MatchError(ErrLocked))
		Expect(Reason(err)).To(Equal("DatabaseLocked"))
		expectHolds(ctx, store, "org-acme", 10)

		_, err = other.ExecContext(ctx, "ROLLBACK")
		Expect(err).NotTo(HaveOccurred())
		Expect(other.Close()).To(Succeed())
		Expect(store.Append(ctx, changes(11, 20))).To(Succeed())
	})

	It("that is no database isn't touched, and the error says what to do", func(ctx SpecContext) {
		garbage := bytes.Repeat([]byte("this is no database. "), 1000)
		Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
		Expect(os.WriteFile(path, garbage, 0o600)).To(Succeed())
		_, err := Open(ctx, path, clock.RealClock{})
		Expect(err).To(MatchError(ErrCorrupt))
		Expect(err).To(MatchError(ContainSubstring("move it aside")))
		Expect(Reason(err)).To(Equal("DatabaseCorrupt"))
		Expect(os.ReadFile(path)).To(Equal(garbage))
	})

	It("that is damaged inside is never taken for one that holds", func(ctx SpecContext) {
		store := open(ctx, path)
		Expect(store.Append(ctx, changes(1, 1000))).To(Succeed())
		Expect(store.Close()).To(Succeed())
		content, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		for at := 40 * 4096; at < len(content)-4096; at += 4096 {
			copy(content[at:], bytes.Repeat([]byte{0xa5}, 1000))
		}
		Expect(os.WriteFile(path, content, 0o600)).To(Succeed())

		damaged := open(ctx, path)
		verdict, err := damaged.Verify(ctx, "org-acme")
		Expect(err != nil || !verdict.Holds()).To(BeTrue())
		Expect(damaged.Append(ctx, changes(1001, 2000))).To(MatchError(ErrCorrupt))
	})

	It("that was moved away isn't written any more; a Source makes a new one", func(ctx SpecContext) {
		source := NewSource(path, clock.RealClock{})
		DeferCleanup(source.Close)
		Expect(source.Append(ctx, changes(1, 10))).To(Succeed())
		Expect(os.Rename(path, path+".aside")).To(Succeed())

		Expect(source.Ping(ctx)).To(MatchError(ErrAway))
		Expect(source.Append(ctx, changes(11, 15))).To(Succeed())
		store, err := source.Store(ctx)
		Expect(err).NotTo(HaveOccurred())
		expectHolds(ctx, store, "org-acme", 5)
	})

	DescribeTable("that can't be is refused with what to do",
		func(ctx SpecContext, url, message string) {
			_, err := Open(ctx, url, clock.RealClock{})
			Expect(err).To(MatchError(ContainSubstring(message)))
			Expect(err).NotTo(MatchError(ContainSubstring("geheim")))
		},
		Entry("no URL", "", "is empty: give a path"),
		Entry("another database", "mysql://roster:geheim@db/roster", `begins with "mysql:": give a path`),
		Entry("a PostgreSQL URL with a mistake", "postgres://roster:geheim@db:port/roster", "the activity database URL"),
		Entry("a folder", "/", "see that it runs"),
		Entry("a PostgreSQL server that isn't there", "postgres://roster:geheim@127.0.0.1:1/roster", "can't be reached"),
	)
})
