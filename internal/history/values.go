package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/roster-dev/roster/internal/text"
)

const (
	// wholeValue is how long a value may be to be recorded whole. Of a longer one the size, a hash and what differs are: a
	// Team of thousands that changes by one member, ten thousand times, must not fill etcd.
	wholeValue = 8 << 10
	// longestValue bounds what is recorded of one value.
	longestValue = 90 << 10
	// longestNote is what Kubernetes lets the note of an Event be.
	longestNote = 1024
)

// textOf writes a value as it is recorded: texts as they are, nothing for what is zero, and JSON for the rest.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case *metav1.Time:
		if value == nil {
			return ""
		}
		return value.UTC().Format(time.RFC3339)
	}
	encoded, err := json.Marshal(value)
	if text := string(encoded); err == nil && text != "null" && text != "{}" && text != "[]" {
		return text
	}
	return ""
}

// entries are the texts of a recorded list, and false for other values.
func entries(value string) ([]string, bool) {
	if value == "" {
		return nil, true
	}
	var list []string
	if !strings.HasPrefix(value, "[") || json.Unmarshal([]byte(value), &list) != nil {
		return nil, false
	}
	return list, true
}

// difference is what one list has and the other lacks.
func difference(previous, next string) (added, removed []string, isList bool) {
	before, first := entries(previous)
	after, second := entries(next)
	if !first || !second {
		return nil, nil, false
	}
	had, has := sets.New(before...), sets.New(after...)
	added = slices.DeleteFunc(slices.Clone(after), had.Has)
	removed = slices.DeleteFunc(slices.Clone(before), has.Has)
	return added, removed, true
}

// digest stands for a value that is too long to be recorded whole.
func digest(value string) string {
	hash := sha256.Sum256([]byte(value))
	size := fmt.Sprintf("%d bytes", len(value))
	if list, isList := entries(value); isList {
		size = fmt.Sprintf("%d entries", len(list))
	}
	return fmt.Sprintf("%s, sha256:%s", size, hex.EncodeToString(hash[:]))
}

// recorded is what is kept of a value by itself.
func recorded(value string) string {
	if len(value) <= wholeValue {
		return value
	}
	return digest(value)
}

// recordedPair is what is kept of a value before and after: of long ones what differs.
func recordedPair(previous, next string) (before, after string) {
	before, after = recorded(previous), recorded(next)
	if before == previous && after == next {
		return before, after
	}
	added, removed, isList := difference(previous, next)
	if !isList {
		return before, after
	}
	if len(removed) > 0 {
		before = text.Cut(before+", of them removed: "+strings.Join(removed, ", "), longestValue)
	}
	if len(added) > 0 {
		after = text.Cut(after+", of them added: "+strings.Join(added, ", "), longestValue)
	}
	return before, after
}

// stands says whether what is kept of a value is kept of this one.
func stands(kept, value string) bool {
	return kept == value || len(value) > wholeValue && strings.HasPrefix(kept, digest(value))
}

// shown is a value as people read it.
func shown(value string) string {
	if value == "" {
		return "none"
	}
	if list, isList := entries(value); isList {
		return strings.Join(list, ", ")
	}
	return value
}

// shownPair is a value before and after as people read it: of lists that are too long what differs.
func shownPair(previous, next string) string {
	whole := shown(previous) + " → " + shown(next)
	if len(whole) < longestNote-128 {
		return whole
	}
	added, removed, isList := difference(previous, next)
	if !isList {
		return whole
	}
	var parts []string
	if len(added) > 0 {
		parts = append(parts, "added "+strings.Join(added, ", "))
	}
	if len(removed) > 0 {
		parts = append(parts, "removed "+strings.Join(removed, ", "))
	}
	return strings.Join(parts, "; ")
}

// ShownValues are the values that an object was made with, as people read them.
func ShownValues(encoded string) string {
	values := map[string]string{}
	if json.Unmarshal([]byte(encoded), &values) != nil {
		return encoded
	}
	var parts []string
	for _, path := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, strings.TrimPrefix(path, "spec.")+" "+shown(values[path]))
	}
	return strings.Join(parts, "; ")
}
