package activity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
)

// encoding names how an entry is hashed. Another way gets another name, and so other hashes.
const encoding = "roster.dev/activity/v1"

// Link is a place in a chain.
type Link struct {
	Sequence int64
	Hash     string
}

// Chain is what is known of a namespace's chain beside its entries.
type Chain struct {
	Namespace string
	// Anchor is the last entry that the retention removed; its sequence is 0 while none was. Nil: not known, and the
	// first entry is believed.
	Anchor *Link
	// Head is the last entry. Nil: not known, and entries that are missing at the end go unseen.
	Head *Link
}

// Verdict says whether a chain holds.
type Verdict struct {
	Namespace string
	// Entries is how many were looked at.
	Entries int64
	// Last is the last entry that is in order. Whoever notes it can tell later whether the chain was written anew.
	Last Link
	// Broken is the first place where the chain doesn't hold; nil when it does.
	Broken *Break
}

// Break is a place where a chain doesn't hold, and why.
type Break struct {
	Sequence int64
	Why      string
}

// Holds says whether the chain was found in order.
func (v Verdict) Holds() bool { return v.Broken == nil }

// String is one sentence for people.
func (v Verdict) String() string {
	if v.Holds() {
		return fmt.Sprintf("the chain of namespace %s holds: %d entries, the last one is %d",
			v.Namespace, v.Entries, v.Last.Sequence)
	}
	return fmt.Sprintf("the chain of namespace %s breaks at entry %d: %s", v.Namespace, v.Broken.Sequence, v.Broken.Why)
}

// ComputeHash hashes everything in the entry but the hash itself.
func (e LogEntry) ComputeHash() string {
	sum := sha256.Sum256(e.encode())
	return hex.EncodeToString(sum[:])
}

// encode writes the entry so that no two entries read the same: numbers have a fixed length, and texts tell theirs.
func (e LogEntry) encode() []byte {
	encoded := appendText(nil, encoding)
	for _, number := range e.numbers() {
		encoded = binary.BigEndian.AppendUint64(encoded, uint64(number))
	}
	texts := e.texts()
	// The last two came later: an entry that was hashed without them keeps its hash.
	for range 2 {
		if last := len(texts) - 1; *texts[last] == "" {
			texts = texts[:last]
		}
	}
	for _, text := range texts {
		encoded = appendText(encoded, *text)
	}
	return appendText(encoded, e.PreviousHash)
}

func (e LogEntry) numbers() []int64 {
	return []int64{e.Sequence, e.Time.UnixMicro(), number(e.Coalesced), number(e.Gone)}
}

func appendText(encoded []byte, text string) []byte {
	encoded = binary.BigEndian.AppendUint64(encoded, uint64(len(text)))
	return append(encoded, text...)
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// next puts a record behind the link.
func (l Link) next(record Record) LogEntry {
	entry := LogEntry{Record: record, Sequence: l.Sequence + 1, PreviousHash: l.Hash}
	entry.Hash = entry.ComputeHash()
	return entry
}

func (e LogEntry) link() Link { return Link{Sequence: e.Sequence, Hash: e.Hash} }

// VerifyChain looks at the entries of a namespace in the order of their sequence. The error is that of the entries: then
// nobody could tell whether the chain holds.
func VerifyChain(chain Chain, entries iter.Seq2[LogEntry, error]) (Verdict, error) {
	verdict := Verdict{Namespace: chain.Namespace}
	last := chain.Anchor
	for entry, err := range entries {
		if err != nil {
			return verdict, err
		}
		verdict.Entries++
		if last == nil {
			last = &Link{Sequence: entry.Sequence - 1, Hash: entry.PreviousHash}
		}
		if verdict.Broken = follows(chain.Namespace, *last, entry); verdict.Broken != nil {
			return verdict, nil
		}
		link := entry.link()
		last = &link
		verdict.Last = link
	}
	if last == nil {
		last = &Link{}
	}
	verdict.Broken = endsAt(chain.Head, *last)
	return verdict, nil
}

func follows(namespace string, last Link, entry LogEntry) *Break {
	switch {
	case entry.Sequence > last.Sequence+1:
		return &Break{last.Sequence + 1, fmt.Sprintf("it is missing; the next one is %d", entry.Sequence)}
	case entry.Sequence <= last.Sequence:
		return &Break{entry.Sequence, fmt.Sprintf("it comes after entry %d", last.Sequence)}
	case entry.Namespace != namespace:
		return &Break{entry.Sequence, fmt.Sprintf("it belongs to namespace %q", entry.Namespace)}
	case entry.Hash != entry.ComputeHash():
		return &Break{entry.Sequence, "it was changed: its content doesn't have its hash"}
	case entry.PreviousHash != last.Hash:
		return &Break{entry.Sequence, fmt.Sprintf("it doesn't follow from entry %d: one of the two was replaced", last.Sequence)}
	}
	return nil
}

func endsAt(head *Link, last Link) *Break {
	switch {
	case head == nil || *head == last:
		return nil
	case head.Sequence > last.Sequence:
		return &Break{last.Sequence + 1, fmt.Sprintf("it is missing; the last one is to be %d", head.Sequence)}
	case head.Sequence < last.Sequence:
		return &Break{head.Sequence + 1, fmt.Sprintf("it was added behind the end of the chain, which is %d", head.Sequence)}
	}
	return &Break{last.Sequence, "it was replaced: the chain ends with another hash"}
}
