package activity

import (
	"errors"
	"iter"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

var _ = Describe("The chain", func() {
	It("holds as it was made, from whatever anchor, and breaks where anything was done to it", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			entries := drawChain(t)
			anchored := rapid.IntRange(0, len(entries)-1).Draw(t, "anchor")
			chain := Chain{Namespace: "org-acme", Anchor: &Link{}, Head: new(entries[len(entries)-1].link())}
			if anchored > 0 {
				chain.Anchor = new(entries[anchored-1].link())
			}
			entries = entries[anchored:]
			if verdict := verified(t, chain, entries); !verdict.Holds() || verdict.Last != *chain.Head {
				t.Fatalf("not tampered with: %s", verdict)
			}
			if verdict := verified(t, Chain{Namespace: "org-acme"}, entries); !verdict.Holds() {
				t.Fatalf("without knowledge of the chain: %s", verdict)
			}
			tampered, broken := tamper(t, entries)
			verdict := verified(t, chain, tampered)
			if verdict.Holds() || verdict.Broken.Sequence != broken {
				t.Fatalf("it breaks at %d, but: %s", broken, verdict)
			}
		})
	})

	It("isn't judged when the entries can't be read", func() {
		gone := errors.New("connection lost")
		_, err := VerifyChain(Chain{Namespace: "org-acme"}, func(yield func(LogEntry, error) bool) { yield(LogEntry{}, gone) })
		Expect(err).To(MatchError(gone))
	})

	It("has the hash that it always had", func() {
		// Another hash would break every chain there is: who changes the encoding names a new one.
		entry := Link{Sequence: 41, Hash: "before"}.next(change(42).complete(monday))
		Expect(entry.Hash).To(Equal("ec71c6641da166566c7de4b040564dc8d7629c0621c6f455846f77b782d0eb24"))
	})
})

func drawChain(t *rapid.T) []LogEntry {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "ana", "an", "[]"}), rapid.String())
	count := rapid.IntRange(1, 12).Draw(t, "entries")
	var last Link
	var entries []LogEntry
	for range count {
		record := Record{
			Time:      time.UnixMicro(rapid.Int64Range(0, 1e15).Draw(t, "time")),
			Coalesced: rapid.Bool().Draw(t, "coalesced"),
		}
		for _, field := range record.texts() {
			*field = text.Draw(t, "text")
		}
		record.Namespace = "org-acme"
		entry := last.next(record.complete(monday))
		last = entry.link()
		entries = append(entries, entry)
	}
	return entries
}

func verified(t *rapid.T, chain Chain, entries []LogEntry) Verdict {
	verdict, err := VerifyChain(chain, withoutErrors(entries))
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

func withoutErrors(entries []LogEntry) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// tamper does one thing to the entries, and says where the chain then breaks.
func tamper(t *rapid.T, entries []LogEntry) ([]LogEntry, int64) {
	entries = slices.Clone(entries)
	at := rapid.IntRange(0, len(entries)-1).Draw(t, "at")
	sequence := entries[at].Sequence
	switch rapid.SampledFrom([]string{"change", "flag", "time", "shift", "delete", "repeat", "swap", "cut"}).Draw(t, "tamper") {
	case "change":
		texts := entries[at].texts()
		field := rapid.IntRange(0, len(texts)-1).Draw(t, "field")
		*texts[field] += "x"
	case "flag":
		entries[at].Gone = !entries[at].Gone
	case "time":
		entries[at].Time = entries[at].Time.Add(time.Microsecond)
	case "shift":
		// The same letters one after the other, but the border between two fields moved.
		entries[at].Object.UID += types.UID("x")
		entries[at].Actor = "y" + entries[at].Actor
	case "delete":
		return slices.Delete(entries, at, at+1), sequence
	case "repeat":
		return slices.Insert(entries, at, entries[at]), sequence
	case "swap":
		if at == 0 {
			return entries[:0], sequence
		}
		entries[at-1], entries[at] = entries[at], entries[at-1]
		return entries, entries[at].Sequence
	case "cut":
		return entries[:at], sequence
	}
	return entries, sequence
}
