// Package invitation holds what the mailing of an invitation and the answer to it have to agree on: the code.
package invitation

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// secretSize is how many random bytes a code holds.
	secretSize = 16
	// handleSize is how many bytes say which invitation a code is for.
	handleSize = 5
)

// letters can't be mistaken for one another when somebody types them.
var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewCode is a code for the invitation of a Membership: which invitation it is for, and 128 random bits.
func NewCode(membership types.UID) string {
	secret := make([]byte, secretSize)
	// It never fails: without randomness the process ends.
	_, _ = rand.Read(secret)
	return handle(membership) + "-" + write(secret)
}

// IsFor says whether a code, right or wrong, is meant for the invitation of a Membership. Who has never seen the
// invitation can't tell, and so can't use up the wrong codes that it bears.
func IsFor(code string, membership types.UID) bool {
	written, _, _ := strings.Cut(normal(code), "-")
	return written == handle(membership)
}

// Hash is what is kept of a code. The code's own bits are random, so that a plain hash can't be turned back.
func Hash(code string) string {
	hash := sha256.Sum256([]byte(normal(code)))
	return hex.EncodeToString(hash[:])
}

// Matches says whether a code is the one whose hash is kept, in the same time whatever is wrong with it.
func Matches(code, hash string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(Hash(code)), []byte(hash)) == 1
}

func handle(membership types.UID) string {
	hash := sha256.Sum256([]byte("invitation " + membership))
	return write(hash[:handleSize])
}

func write(bytes []byte) string { return strings.ToLower(letters.EncodeToString(bytes)) }

// normal is a code as it was made: people copy it with spaces around it, and some keyboards begin with a capital.
func normal(code string) string { return strings.ToLower(strings.TrimSpace(code)) }
