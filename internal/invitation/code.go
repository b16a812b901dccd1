// Package invitation holds what the mailing of an invitation and the answer to it have to agree on: the code.
package invitation

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"
)

// secretSize is how many random bytes a code holds.
const secretSize = 16

// letters can't be mistaken for one another when somebody types them.
var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewCode is 128 random bits. No part of a code says which invitation it is for: the invitation is found by the hash of the
// whole code, so that nobody can address somebody else's invitation with a wrong one.
func NewCode() string {
	secret := make([]byte, secretSize)
	// It never fails: without randomness the process ends.
	_, _ = rand.Read(secret)
	return strings.ToLower(letters.EncodeToString(secret))
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

// normal is a code as it was made: people copy it with spaces around it, and some keyboards begin with a capital.
func normal(code string) string { return strings.ToLower(strings.TrimSpace(code)) }
