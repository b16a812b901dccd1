package rbac

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Fingerprints tell one set of holders in a namespace from another. They remember lists by where they lie in memory, since
// many namespaces share them; so one is for one sync.
type Fingerprints struct {
	lists map[location][sha256.Size]byte
}

// Of is the fingerprint of who holds what, and empty where nobody holds anything.
func (f *Fingerprints) Of(holders map[string]Holders) string {
	hash, anybody := sha256.New(), false
	for _, clusterRole := range slices.Sorted(maps.Keys(holders)) {
		if subjects := holders[clusterRole].Subjects; len(subjects) > 0 {
			anybody = true
			// A Hash takes every text.
			_, _ = fmt.Fprintf(hash, "%q %x\n", clusterRole, f.list(subjects))
		}
	}
	if !anybody {
		return ""
	}
	const length = 32
	return hex.EncodeToString(hash.Sum(nil))[:length]
}

func (f *Fingerprints) list(subjects []rbacv1.Subject) [sha256.Size]byte {
	at := locationOf(subjects)
	if known, found := f.lists[at]; found {
		return known
	}
	hash := sha256.New()
	for _, subject := range subjects {
		_, _ = fmt.Fprintf(hash, "%q %q %q\n", subject.Kind, subject.Namespace, subject.Name)
	}
	if f.lists == nil {
		f.lists = map[location][sha256.Size]byte{}
	}
	f.lists[at] = [sha256.Size]byte(hash.Sum(nil))
	return f.lists[at]
}
