// Package text makes safe to show what people wrote whom the reader may not know.
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
