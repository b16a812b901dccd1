// Package names derives the names of objects from texts that people chose: usernames, team names, repositories. A name
// is a DNS label, and the same text always gives the same name.
package names

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// MaxLength is the most characters that a DNS label has.
const MaxLength = validation.DNS1123LabelMaxLength

const (
	// hashLength is how many letters and digits of a hash a name ends with: 130 bits, so that nobody finds a second text for
	// the same name, however long they search.
	hashLength = 26
	// shortHashLength is for labels that have no room for more: 40 bits, which only chance doesn't meet.
	shortHashLength = 10
	// leastReadable is how much room a long hash leaves for what people read.
	leastReadable = 4
)

// letters write 5 bits each.
var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// endsLikeHash finds texts that end like the names made here. They get a hash of their own, as otherwise somebody could
// choose a text that is exactly the name of another one.
var endsLikeHash = regexp.MustCompile(`-([a-z2-7]{26}|[0-9a-f]{10})$`)

// FromUsername returns the name of the objects that stand for a user: the username itself where it is a DNS label, and
// otherwise its lower-case letters and digits, '-' for other signs, and a hash of the exact username. Different
// usernames give different names, also where they differ in case or signs alone.
func FromUsername(username string) string {
	return Label(username, MaxLength)
}

// Label returns a DNS label of at most maxLength characters (at least 16) for a text: the text itself where it is one,
// and otherwise what can be kept of it with a hash of the exact text. Different texts give different labels: nobody finds two
// with the same where maxLength is 31 or more, and below that nobody meets two by chance.
func Label(text string, maxLength int) string {
	if kept := plain(text); kept == text && fits(kept, maxLength) {
		return kept
	}
	return hashed(text, text, maxLength)
}

// Other returns another label for a text whose own is taken, and yet another one for each number from 1 on.
func Other(text string, number, maxLength int) string {
	// A text that people choose holds no NUL.
	return hashed(text, fmt.Sprintf("%s\x00%d", text, number), maxLength)
}

// hashed returns what can be kept of a text with a hash.
func hashed(text, of string, maxLength int) string {
	hash := sha256.Sum256([]byte(of))
	suffix := "-" + strings.ToLower(letters.EncodeToString(hash[:]))[:hashLength]
	if maxLength-len(suffix) < leastReadable {
		suffix = "-" + hex.EncodeToString(hash[:])[:shortHashLength]
	}
	kept := plain(text)
	if room := maxLength - len(suffix); len(kept) > room {
		kept = strings.TrimRight(kept[:room], "-")
	}
	if kept == "" {
		kept = "x"
	}
	return kept + suffix
}

// Readable returns a DNS label of at most maxLength characters (at least 16) for a text, without a hash where lower case
// and '-' for other signs are all that it takes: "Client WG Leads" gives client-wg-leads. Different texts can give the
// same label; Unique tells them apart.
func Readable(text string, maxLength int) string {
	if kept := plain(text); fits(kept, maxLength) {
		return kept
	}
	return Label(text, maxLength)
}

// Unique returns a DNS label of at most maxLength characters (at least 16) for each of the texts: the readable one, and
// where several texts would share it, one with a hash for each that isn't the label itself. The order of the texts
// doesn't matter.
func Unique(texts []string, maxLength int) map[string]string {
	sharing := map[string]int{}
	labels := make(map[string]string, len(texts))
	for _, text := range texts {
		if _, seen := labels[text]; seen {
			continue
		}
		labels[text] = Readable(text, maxLength)
		sharing[labels[text]]++
	}
	for text, label := range labels {
		if sharing[label] > 1 {
			labels[text] = Label(text, maxLength)
		}
	}
	return labels
}

// plain returns a text in lower case, with '-' for each sign that is neither a letter a to z nor a digit, and none at the
// ends.
func plain(text string) string {
	keep := func(sign rune) rune {
		if sign >= 'a' && sign <= 'z' || sign >= '0' && sign <= '9' {
			return sign
		}
		return '-'
	}
	return strings.Trim(strings.Map(keep, strings.ToLower(text)), "-")
}

// fits says whether a plain text can be a name as it is.
func fits(kept string, maxLength int) bool {
	return kept != "" && len(kept) <= maxLength && !endsLikeHash.MatchString(kept)
}
