package activity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

var monday = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// change is the number-th change in acme, a minute after the one before.
func change(number int) Record {
	name := fmt.Sprintf("user-%d", number)
	return Record{
		Key: fmt.Sprintf("change-%d", number), Time: monday.Add(time.Duration(number) * time.Minute), Namespace: "org-acme",
		Object: Object{Kind: "Membership", Namespace: "org-acme", Name: name, UID: types.UID("uid-" + name)},
		Actor:  "ana@acme.example", Action: "MemberAdded", Field: "spec.roles", New: `["viewer"]`,
	}
}

func changes(from, to int) []Record {
	var list []Record
	for number := from; number <= to; number++ {
		list = append(list, change(number))
	}
	return list
}

// appendInTurn appends as the writer does: again, where others have kept the database locked for too long.
func appendInTurn(ctx context.Context, store *Store, records []Record) {
	GinkgoHelper()
	Eventually(func() error {
		err := store.Append(ctx, records)
		if err != nil && !errors.Is(err, ErrLocked) {
			return StopTrying("the records are refused").Wrap(err)
		}
		return err
	}).Should(Succeed())
}

func keysOf(entries []LogEntry) []string {
	keys := make([]string, 0, len(entries))
	for _, entry := range entries {
		keys = append(keys, entry.Key)
	}
	return keys
}

func expectHolds(ctx context.Context, store *Store, namespace string, entries int) {
	GinkgoHelper()
	verdict, err := store.Verify(ctx, namespace)
	Expect(err).NotTo(HaveOccurred())
	Expect(verdict.Holds()).To(BeTrue(), verdict.String())
	Expect(verdict.Entries).To(BeEquivalentTo(entries))
}

func all(ctx context.Context, store *Store, query Query) []LogEntry {
	GinkgoHelper()
	var entries []LogEntry
	for {
		page, err := store.List(ctx, query)
		Expect(err).NotTo(HaveOccurred())
		entries = append(entries, page.Entries...)
		if query.Continue = page.Continue; query.Continue == "" {
			return entries
		}
	}
}

var _ = onEachDatabase("The store", func(fresh func() string) {
	var url string
	var store *Store

	BeforeEach(func(ctx SpecContext) {
		url = fresh()
		store = open(ctx, url)
	})

	It("gives back every field as it was recorded", func(ctx SpecContext) {
		record := Record{
			Key: "k", Time: monday.Add(123456789 * time.Nanosecond), Namespace: "org-acme", OrganizationUID: "o-1",
			Object: Object{Kind: "Team", Namespace: "org-acme", Name: "press", UID: "u-1"},
			Actor:  UnknownActor, ActorUnknownBecause: "the stamp was missing", Action: "TeamChanged", Field: "spec.members",
			Previous: `["ä"]`, New: "'; DROP TABLE activity_records; --", Note: "two\nlines", Coalesced: true, Gone: true, Cause: "c",
		}
		Expect(store.Append(ctx, []Record{record})).To(Succeed())

		entries := all(ctx, store, Query{})
		Expect(entries).To(HaveLen(1))
		record.Time = record.Time.Truncate(time.Microsecond)
		Expect(entries[0].Record).To(Equal(record))
		Expect(entries[0].Hash).To(Equal(entries[0].ComputeHash()))
	})

	It("takes what a database would refuse: zeros, broken UTF-8, long keys and actors, nothing at all", func(ctx SpecContext) {
		long := string(slices.Repeat([]byte("ä"), 100_000))
		hostile := Record{Key: long, Actor: long, New: "a\x00b\xffc", Note: long}
		Expect(store.Append(ctx, []Record{hostile, {}, hostile})).To(Succeed())
		Expect(store.Append(ctx, []Record{hostile})).To(Succeed())

		entries := all(ctx, store, Query{Namespace: DefaultNamespace})
		Expect(entries).To(HaveLen(2))
		expectHolds(ctx, store, DefaultNamespace, 2)
	})

	It("stores a record once, however often it comes", func(ctx SpecContext) {
		Expect(store.Append(ctx, changes(1, 5))).To(Succeed())
		Expect(store.Append(ctx, changes(1, 5))).To(Succeed())
		Expect(store.Append(ctx, append(changes(3, 8), changes(6, 8)...))).To(Succeed())

		Expect(keysOf(all(ctx, store, Query{}))).To(Equal([]string{
			"change-8", "change-7", "change-6", "change-5", "change-4", "change-3", "change-2", "change-1",
		}))
		expectHolds(ctx, store, "org-acme", 8)
	})

	It("has a chain for each namespace", func(ctx SpecContext) {
		globex := change(100)
		globex.Namespace = "org-globex"
		Expect(store.Append(ctx, []Record{change(1), globex, change(2)})).To(Succeed())

		Expect(store.Namespaces(ctx)).To(Equal([]string{"org-acme", "org-globex"}))
		expectHolds(ctx, store, "org-acme", 2)
		expectHolds(ctx, store, "org-globex", 1)
	})

	It("goes on where it stopped when it is opened again", func(ctx SpecContext) {
		Expect(store.Append(ctx, changes(1, 3))).To(Succeed())
		Expect(store.Close()).To(Succeed())
		again := open(ctx, url)
		Expect(again.Ping(ctx)).To(Succeed())
		Expect(again.Append(ctx, changes(2, 6))).To(Succeed())
		expectHolds(ctx, again, "org-acme", 6)
	})

	It("says so when a newer version made the database", func(ctx SpecContext) {
		_, err := raw(url).ExecContext(ctx, "INSERT INTO activity_schema (version, applied) VALUES (99, 0)")
		Expect(err).NotTo(HaveOccurred())
		_, err = Open(ctx, url, clock.RealClock{})
		Expect(err).To(MatchError(ErrNewerSchema))
		Expect(err).To(MatchError(ContainSubstring("its schema is 99, this version knows 4")))
	})

	It("knows what objects were made with, also from a database of the version before", func(ctx SpecContext) {
		made, gone := change(1), change(2)
		made.Field, gone.Field, gone.Gone = "", "", true
		Expect(store.Append(ctx, []Record{made, gone})).To(Succeed())
		Expect(store.Close()).To(Succeed())
		_, err := raw(url).ExecContext(ctx, "DELETE FROM activity_values WHERE field = ''")
		Expect(err).NotTo(HaveOccurred())
		goBack(ctx, url, 2)
		again := open(ctx, url)
		Expect(again.Latest(ctx, made.Object.UID)).To(Equal(map[string]string{"": made.New}))
		Expect(again.Latest(ctx, gone.Object.UID)).To(BeEmpty())
	})

	It("keeps the chains of a database of the version before, which knew no uids", func(ctx SpecContext) {
		before, stated := changes(1, 4), change(5)
		stated.State = "as it stands"
		Expect(store.Append(ctx, append(before, stated))).To(Succeed())
		Expect(store.Close()).To(Succeed())
		goBack(ctx, url, 3)
		again := open(ctx, url)
		expectHolds(ctx, again, "org-acme", 5)
		Expect(again.Append(ctx, ofOrganization("acme-1", changes(6, 7)...))).To(Succeed())
		expectHolds(ctx, again, "org-acme", 7)
		known, err := again.LatestAll(ctx, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(known["uid-user-5"].OrganizationUID).To(BeEmpty())
		Expect(known["uid-user-7"].OrganizationUID).To(BeEquivalentTo("acme-1"))
		Expect(known["uid-user-7"].Changed).To(Equal(change(7).Time))
	})

	It("is opened by many at once", func(ctx SpecContext) {
		empty := fresh()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				defer GinkgoRecover()
				store, err := Open(ctx, empty, clock.RealClock{})
				Expect(err).NotTo(HaveOccurred())
				Expect(store.Close()).To(Succeed())
			})
		}
		group.Wait()
	})

	It("doesn't let the chain fork when several append at the same time", func(ctx SpecContext) {
		appenders := []*Store{open(ctx, url), open(ctx, url), open(ctx, url), open(ctx, url)}
		var group sync.WaitGroup
		for appender, own := range appenders {
			group.Go(func() {
				defer GinkgoRecover()
				for batch := range 15 {
					// Half of what each appends, another one appends too.
					from := appender/2*1000 + batch*10
					appendInTurn(ctx, own, append(changes(from, from+9), inGlobex(changes(from, from+9))...))
				}
			})
		}
		group.Wait()
		expectHolds(ctx, store, "org-acme", 300)
		expectHolds(ctx, store, "org-globex", 300)
	})

	It("takes 10,000 records in a few seconds", func(ctx SpecContext) {
		flood := changes(1, 10_000)
		started := time.Now()
		for batch := range slices.Chunk(flood, 1000) {
			Expect(store.Append(ctx, batch)).To(Succeed())
		}
		took := time.Since(started)
		AddReportEntry("10,000 records", took.String())
		Expect(took).To(BeNumerically("<", time.Minute))
		expectHolds(ctx, store, "org-acme", 10_000)
	})

	Describe("List", func() {
		It("filters by each field and by time", func(ctx SpecContext) {
			removed := change(3)
			removed.Actor, removed.Action, removed.Object.Kind, removed.Object.Name = "bo", "TeamRemoved", "Team", "press"
			Expect(store.Append(ctx, append(changes(1, 2), removed))).To(Succeed())
			Expect(store.Append(ctx, inGlobex(changes(4, 4)))).To(Succeed())

			for _, query := range []Query{
				{Actor: "bo"}, {Action: "TeamRemoved"}, {ObjectKind: "Team"}, {ObjectName: "press"},
				{Namespace: "org-acme", Since: removed.Time}, {Since: removed.Time, Until: removed.Time.Add(1)},
			} {
				Expect(keysOf(all(ctx, store, query))).To(Equal([]string{"change-3"}), "%+v", query)
			}
			Expect(keysOf(all(ctx, store, Query{Until: removed.Time}))).To(Equal([]string{"change-2", "change-1"}))
			Expect(keysOf(all(ctx, store, Query{Namespace: "org-globex"}))).To(Equal([]string{"globex-change-4"}))
			Expect(all(ctx, store, Query{Namespace: "org-globex", Actor: "bo"})).To(BeEmpty())
		})

		It("tells the organizations of one name apart by uid, and what has none by time", func(ctx SpecContext) {
			first, second := change(10).Time, change(20).Time
			Expect(store.Append(ctx, changes(10, 12))).To(Succeed())
			Expect(store.Append(ctx, ofOrganization("acme-1", changes(13, 14)...))).To(Succeed())
			// A late one, which nobody knew the organization of any more.
			Expect(store.Append(ctx, ofOrganization(UnknownOrganization, change(22)))).To(Succeed())
			Expect(store.Append(ctx, ofOrganization("acme-1", change(23)))).To(Succeed())
			Expect(store.Append(ctx, changes(20, 20))).To(Succeed())
			// The manager's clock is behind that of the API server.
			Expect(store.Append(ctx, ofOrganization("acme-2", change(19), change(21)))).To(Succeed())

			of := func(uid types.UID, created time.Time) Query {
				return Query{Namespace: "org-acme", Organization: Organization{UID: uid, Created: created}}
			}
			Expect(keysOf(all(ctx, store, of("acme-2", second)))).To(Equal([]string{"change-21", "change-20", "change-19"}))
			paged := of("acme-2", second)
			paged.Limit = 1
			Expect(keysOf(all(ctx, store, paged))).To(Equal([]string{"change-21", "change-20", "change-19"}))
			Expect(keysOf(all(ctx, store, of("acme-1", first)))).To(ContainElements(
				"change-23", "change-14", "change-13", "change-12", "change-11", "change-10"))
			Expect(all(ctx, store, of("acme-3", change(30).Time))).To(BeEmpty())

			By("a cluster administrator asks for the deleted one by its uid")
			Expect(keysOf(all(ctx, store, Query{OrganizationUID: "acme-1"}))).To(Equal([]string{
				"change-23", "change-14", "change-13"}))
			expectHolds(ctx, store, "org-acme", 10)
		})

		It("gives everything exactly once in pages while records are added", func(ctx SpecContext) {
			same := changes(1, 50)
			for i := range same {
				same[i].Time = monday.Add(time.Duration(i/10) * time.Second)
			}
			Expect(store.Append(ctx, append(same, inGlobex(same)...))).To(Succeed())
			for _, namespace := range []string{"org-acme", ""} {
				before := keysOf(all(ctx, store, Query{Namespace: namespace, Limit: 1000}))
				query := Query{Namespace: namespace, Limit: 7}
				var paged []string
				for added := 1000; ; added++ {
					page, err := store.List(ctx, query)
					Expect(err).NotTo(HaveOccurred())
					Expect(len(page.Entries)).To(BeNumerically("<=", 7))
					paged = append(paged, keysOf(page.Entries)...)
					if query.Continue = page.Continue; query.Continue == "" {
						break
					}
					Expect(store.Append(ctx, changes(added, added))).To(Succeed())
				}
				Expect(paged).To(Equal(before))
			}
		})

		It("refuses a token that it didn't give", func(ctx SpecContext) {
			for _, continued := range []string{"?", "bm90IG9uZQ", "MS8yMw"} {
				_, err := store.List(ctx, Query{Continue: continued})
				Expect(err).To(MatchError(ErrInvalidContinue))
			}
		})
	})

	Describe("Latest", func() {
		It("knows the last values of what isn't gone, also after a late record", func(ctx SpecContext) {
			first, second, other := change(1), change(1), change(1)
			second.Key, second.New = "changed", `["maintainer"]`
			other.Key, other.Field, other.New = "suspended", "spec.suspended", "true"
			Expect(store.Append(ctx, []Record{first, second})).To(Succeed())
			Expect(store.Append(ctx, []Record{other, change(2)})).To(Succeed())

			gone := change(3)
			gone.Key, gone.Gone, gone.Field, gone.New = "removed", true, "", ""
			made := change(1)
			made.Key, made.Field, made.New = "made", "", `{"spec.roles":"[\"viewer\"]"}`
			Expect(store.Append(ctx, []Record{made})).To(Succeed())
			late := change(3)
			late.Key = "late"
			Expect(store.Append(ctx, []Record{change(3), gone})).To(Succeed())
			Expect(store.Append(ctx, []Record{late})).To(Succeed())

			Expect(store.Latest(ctx, "uid-user-1")).To(Equal(map[string]string{
				"": made.New, "spec.roles": `["maintainer"]`, "spec.suspended": "true",
			}))
			Expect(store.Latest(ctx, "uid-user-3")).To(BeEmpty())
			known, err := store.LatestAll(ctx, "Membership")
			Expect(err).NotTo(HaveOccurred())
			Expect(known).To(HaveLen(2))
			Expect(known["uid-user-2"]).To(Equal(Recorded{
				Namespace: "org-acme", Object: change(2).Object, Changed: change(2).Time, Values: map[string]string{"spec.roles": `["viewer"]`},
			}))
			Expect(store.LatestAll(ctx, "Team")).To(BeEmpty())
			Expect(store.LatestAll(ctx, "")).To(HaveLen(2))
		})
	})

	Describe("Prune", func() {
		It("keeps the chain verifiable, and the last values", func(ctx SpecContext) {
			Expect(store.Append(ctx, changes(1, 20))).To(Succeed())
			Expect(store.Prune(ctx, change(11).Time)).To(BeEquivalentTo(10))
			Expect(store.Prune(ctx, change(11).Time)).To(BeZero())
			expectHolds(ctx, store, "org-acme", 10)
			Expect(store.Latest(ctx, "uid-user-1")).NotTo(BeEmpty())

			Expect(store.Append(ctx, changes(21, 22))).To(Succeed())
			expectHolds(ctx, store, "org-acme", 12)
			Expect(store.Prune(ctx, change(100).Time)).To(BeEquivalentTo(12))
			expectHolds(ctx, store, "org-acme", 0)
			Expect(store.Append(ctx, changes(23, 24))).To(Succeed())
			expectHolds(ctx, store, "org-acme", 2)
		})

		It("keeps an old record that stands behind a younger one", func(ctx SpecContext) {
			Expect(store.Append(ctx, []Record{change(1), change(9), change(2)})).To(Succeed())
			Expect(store.Prune(ctx, change(5).Time)).To(BeEquivalentTo(1))
			expectHolds(ctx, store, "org-acme", 2)
		})

		It("removes more than it does at once", func(ctx SpecContext) {
			Expect(store.Append(ctx, changes(1, pruneAtOnce+20))).To(Succeed())
			Expect(store.Prune(ctx, change(pruneAtOnce+11).Time)).To(BeEquivalentTo(pruneAtOnce + 10))
			expectHolds(ctx, store, "org-acme", 10)
		})

		It("removes no evidence of tampering", func(ctx SpecContext) {
			Expect(store.Append(ctx, changes(1, 10))).To(Succeed())
			_, err := raw(url).ExecContext(ctx, "UPDATE activity_records SET actor = 'bo' WHERE sequence = 4")
			Expect(err).NotTo(HaveOccurred())
			Expect(store.Prune(ctx, change(100).Time)).To(BeEquivalentTo(3))
			verdict, err := store.Verify(ctx, "org-acme")
			Expect(err).NotTo(HaveOccurred())
			Expect(verdict.Broken).To(HaveField("Sequence", BeEquivalentTo(4)))
		})
	})

	DescribeTable("Verify finds tampering where it is",
		func(ctx SpecContext, sequence int, why string, statements ...string) {
			Expect(store.Append(ctx, changes(1, 12))).To(Succeed())
			Expect(store.Prune(ctx, change(3).Time)).To(BeEquivalentTo(2))
			expectHolds(ctx, store, "org-acme", 10)
			database := raw(url)
			for _, statement := range statements {
				_, err := database.ExecContext(ctx, statement)
				Expect(err).NotTo(HaveOccurred())
			}
			verdict, err := store.Verify(ctx, "org-acme")
			Expect(err).NotTo(HaveOccurred())
			Expect(verdict.Holds()).To(BeFalse())
			Expect(verdict.Broken.Sequence).To(BeEquivalentTo(sequence), verdict.String())
			Expect(verdict.Broken.Why).To(ContainSubstring(why))
		},
		Entry("another actor", 7, "its content doesn't have its hash",
			"UPDATE activity_records SET actor = 'bo@acme.example' WHERE sequence = 7"),
		Entry("another time", 7, "its content", "UPDATE activity_records SET time = time + 1 WHERE sequence = 7"),
		Entry("text moved from a field to the next", 7, "its content",
			`UPDATE activity_records SET previous = '["viewer"]', new = '' WHERE sequence = 7`),
		Entry("the first one changed", 3, "its content", "UPDATE activity_records SET note = 'x' WHERE sequence = 3"),
		Entry("one deleted", 7, "it is missing; the next one is 8", "DELETE FROM activity_records WHERE sequence = 7"),
		Entry("the oldest deleted", 3, "it is missing", "DELETE FROM activity_records WHERE sequence <= 5"),
		Entry("the newest deleted", 11, "it is missing; the last one is to be 12",
			"DELETE FROM activity_records WHERE sequence > 10"),
		Entry("all deleted", 3, "it is missing", "DELETE FROM activity_records"),
		Entry("deleted and closed up", 7, "its content", "DELETE FROM activity_records WHERE sequence = 7",
			"UPDATE activity_records SET sequence = 7 WHERE sequence = 8"),
		Entry("two swapped", 5, "its content", "UPDATE activity_records SET sequence = 100 WHERE sequence = 5",
			"UPDATE activity_records SET sequence = 5 WHERE sequence = 9",
			"UPDATE activity_records SET sequence = 9 WHERE sequence = 100"),
		Entry("one inserted in the middle", 7, "its content",
			"UPDATE activity_records SET sequence = sequence + 100 WHERE sequence >= 7",
			"UPDATE activity_records SET sequence = sequence - 99 WHERE sequence >= 100", copied(3, 7)),
		Entry("one added at the end", 13, "it was added behind the end", forged(12, 13)),
		Entry("one moved to another chain", 12, "it is missing",
			"UPDATE activity_records SET namespace = 'org-globex' WHERE sequence = 12"),
		Entry("the anchor moved", 3, "it comes after entry 4",
			"UPDATE activity_chains SET anchor_sequence = 4"),
		Entry("the chain forgotten", 1, "it is missing", "DELETE FROM activity_chains"),
	)

	It("finds an entry that was replaced together with its hash", func(ctx SpecContext) {
		Expect(store.Append(ctx, changes(1, 5))).To(Succeed())
		entries := all(ctx, store, Query{})
		for sequence, found := range map[int]int64{3: 4, 5: 5} {
			forged := entries[5-sequence]
			forged.Actor = "bo"
			_, err := raw(url).ExecContext(ctx, "UPDATE activity_records SET actor = $1, hash = $2 WHERE sequence = $3",
				"bo", forged.ComputeHash(), sequence)
			Expect(err).NotTo(HaveOccurred())
			verdict, err := store.Verify(ctx, "org-acme")
			Expect(err).NotTo(HaveOccurred())
			Expect(verdict.Broken).To(HaveField("Sequence", found))
			_, err = raw(url).ExecContext(ctx, "UPDATE activity_records SET actor = $1, hash = $2 WHERE sequence = $3",
				change(1).Actor, entries[5-sequence].Hash, sequence)
			Expect(err).NotTo(HaveOccurred())
		}
		expectHolds(ctx, store, "org-acme", 5)
	})
})

// copied is the SQL that puts a copy of one entry at another sequence, as it is.
func copied(from, to int) string {
	return fmt.Sprintf(`INSERT INTO activity_records SELECT %d, time, coalesced, gone, namespace, 'copy', object_kind,
		object_namespace, object_name, object_uid, actor, actor_unknown_because, action, field, previous, new, note, cause,
		previous_hash, hash, state, organization_uid FROM activity_records WHERE sequence = %d`, to, from)
}

// forged is the SQL that adds an entry whose place in the chain is right.
func forged(last, sequence int) string {
	anchored := Link{}
	var head LogEntry
	for _, record := range changes(1, last) {
		head = anchored.next(record.complete(monday))
		anchored = head.link()
	}
	added := anchored.next(change(sequence).complete(monday))
	return fmt.Sprintf(`INSERT INTO activity_records VALUES (%d, %d, 0, 0, 'org-acme', '%s', 'Membership', 'org-acme',
		'%s', '%s', '%s', '', 'MemberAdded', 'spec.roles', '', '%s', '', '', '%s', '%s', '', '')`, sequence, added.Time.UnixMicro(), added.Key,
		added.Object.Name, added.Object.UID, added.Actor, added.New, added.PreviousHash, added.Hash)
}

// ofOrganization are records with an organization's uid.
func ofOrganization(uid types.UID, list ...Record) []Record {
	list = slices.Clone(list)
	for i := range list {
		list[i].OrganizationUID = uid
	}
	return list
}

// goBack makes a database what an earlier version made of it.
func goBack(ctx context.Context, url string, version int) {
	GinkgoHelper()
	for _, statement := range []string{
		"ALTER TABLE activity_records DROP COLUMN organization_uid", "ALTER TABLE activity_objects DROP COLUMN organization_uid",
		fmt.Sprintf("DELETE FROM activity_schema WHERE version > %d", version),
	} {
		_, err := raw(url).ExecContext(ctx, statement)
		Expect(err).NotTo(HaveOccurred())
	}
}

func inGlobex(list []Record) []Record {
	list = slices.Clone(list)
	for i := range list {
		list[i].Namespace = "org-globex"
		list[i].Key = "globex-" + list[i].Key
	}
	return list
}
