package commands_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/roster-dev/roster/cmd/kubectl-roster/commands"
	"github.com/roster-dev/roster/internal/activity"
)

var _ = Describe("verify-activity", func() {
	var folder, database string

	run := func(arguments ...string) outcome {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		status := commands.Run(streams, append([]string{"verify-activity"}, arguments...))
		return outcome{Status: status, Output: out.String(), Complaints: errOut.String()}
	}
	tamper := func(statement string) {
		GinkgoHelper()
		pool, err := sql.Open("sqlite", database)
		Expect(err).NotTo(HaveOccurred())
		_, err = pool.Exec(statement)
		Expect(err).NotTo(HaveOccurred())
		Expect(pool.Close()).To(Succeed())
	}
	BeforeEach(func(ctx context.Context) {
		folder = GinkgoT().TempDir()
		database = filepath.Join(folder, "activity.db")
		store, err := activity.Open(ctx, database, clock.RealClock{})
		Expect(err).NotTo(HaveOccurred())
		var records []activity.Record
		for i := range 3 {
			for _, namespace := range []string{"org-acme", "org-globex"} {
				records = append(records, activity.Record{
					Key: fmt.Sprint(namespace, i), Time: time.Unix(int64(i), 0), Namespace: namespace, Actor: "ana", Action: "MemberAdded",
				})
			}
		}
		Expect(store.Append(ctx, records)).To(Succeed())
		Expect(store.Close()).To(Succeed())
	})

	const acme = `the chain of namespace org-acme holds: 3 entries, the last one is 3 with hash [0-9a-f]{64}\n`

	It("ends with status 0 where every chain holds, and tells the last hash of each", func() {
		Expect(run("--database-url", database)).To(HaveField("Output", MatchRegexp(
			"^"+acme+`the chain of namespace org-globex holds: 3 entries, the last one is 3 with hash [0-9a-f]{64}\n$`)))
		Expect(run("--database-url", "file:"+database, "-n", "org-acme")).To(SatisfyAll(
			HaveField("Status", 0), HaveField("Complaints", ""), HaveField("Output", MatchRegexp("^"+acme+"$"))))
	})

	DescribeTable("ends with status 1 where one is broken, says where, and looks at the others, too",
		func(statement, where string) {
			tamper(statement)
			Expect(run("--database-url", database)).To(SatisfyAll(
				HaveField("Status", 1),
				HaveField("Output", MatchRegexp("^"+acme+"the chain of namespace org-globex breaks at "+where+"\n$")),
				HaveField("Complaints", "error: the history was changed after it was written, or part of it is gone\n")))
			Expect(run("--database-url", database, "-n", "org-acme").Status).To(Equal(0))
		},
		Entry("changed", "UPDATE activity_records SET actor = 'bo' WHERE namespace = 'org-globex' AND sequence = 2",
			"entry 2: it was changed: its content doesn't have its hash"),
		Entry("removed", "DELETE FROM activity_records WHERE namespace = 'org-globex' AND sequence = 2",
			"entry 2: it is missing; the next one is 3"),
		Entry("removed at the end", "DELETE FROM activity_records WHERE namespace = 'org-globex' AND sequence = 3",
			"entry 3: it is missing; the last one is to be 3"),
		Entry("without its chain", "DELETE FROM activity_chains WHERE namespace = 'org-globex'",
			"entry 1: it was added behind the end of the chain, which is 0"),
	)

	It("never writes: the file stays as it is, with nothing beside it, and one that isn't there isn't made", func() {
		before, err := os.ReadFile(database)
		Expect(err).NotTo(HaveOccurred())
		Expect(run("--database-url", database).Status).To(Equal(0))
		Expect(os.ReadFile(database)).To(Equal(before))
		Expect(os.ReadDir(folder)).To(HaveLen(1))
		missing := filepath.Join(folder, "new", "activity.db")
		Expect(run("--database-url", missing)).To(SatisfyAll(
			HaveField("Status", 2), HaveField("Complaints", ContainSubstring("no such file"))))
		Expect(filepath.Dir(missing)).NotTo(BeADirectory())
	})

	It("ends with status 2 where that can't be found out, and says what to do", func() {
		notes := filepath.Join(folder, "notes.txt")
		Expect(os.WriteFile(notes, []byte("no database, but longer than the sixteen bytes of a header"), 0o600)).To(Succeed())
		for complaint, arguments := range map[string][]string{
			"name the database with --database-url":                              nil,
			`"acme": this takes no arguments; give the database`:                 {"acme"},
			"unknown flag: --database":                                           {"--database", database},
			"the activity database is damaged":                                   {"--database-url", notes},
			"is a folder, not a file":                                            {"--database-url", folder},
			`the activity database URL begins with "mysql:"`:                     {"--database-url", "mysql://db"},
			`-n "org-none": the database holds nothing of this namespace; leave`: {"--database-url", database, "-n", "org-none"},
		} {
			Expect(run(arguments...)).To(SatisfyAll(
				HaveField("Status", 2), HaveField("Output", ""), HaveField("Complaints", ContainSubstring(complaint))), complaint)
		}
		tamper("DROP TABLE activity_schema")
		Expect(run("--database-url", database)).To(SatisfyAll(
			HaveField("Status", 2), HaveField("Complaints", ContainSubstring("it isn't one that Roster made"))))
	})
})
