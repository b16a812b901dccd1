// Package text makes texts fit where they are shown and kept: safe though the reader may not know who wrote them, and cut to
// what there is room for.
package text

import (
	"strings"
	"unicode"
)

// OneLine is the text without anything that could look like a second line or turn the order of letters around.
func OneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd")))
}
