package text

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// brailleBlank is a symbol to Unicode, and a space to the eye.
const brailleBlank = '\u2800'

// invisible are the signs that have no width of their own: zero-width spaces and joiners, soft hyphens, fillers, tags.
var invisible = []*unicode.RangeTable{unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector}

// NameFlaw says what two names would be mistaken for each other by, and how to mend it: white space at the ends, signs that
// can't be seen or turn the order of others around, and letters that can be written in two ways. Empty: there is none.
func NameFlaw(name string) string {
	if flaw := LineFlaw(name); flaw != "" {
		return flaw
	}
	if trimmed := strings.TrimSpace(name); trimmed != name {
		return fmt.Sprintf("begins or ends with white space; write %q", trimmed)
	}
	for _, sign := range name {
		switch {
		case unicode.In(sign, invisible...):
			return holds(sign, "an invisible character")
		case sign != ' ' && unicode.IsSpace(sign) || sign == brailleBlank:
			return holds(sign, "which looks like a space and is none")
		}
	}
	if !norm.NFC.IsNormalString(name) {
		return fmt.Sprintf("isn't in Unicode's normalization form C (NFC), by which names are compared; write %+q",
			norm.NFC.String(name))
	}
	return ""
}

// LineFlaw says what keeps a text from being shown on one line as it is, and how to mend it. Empty: nothing does, and OneLine
// leaves all signs of the text as they are.
func LineFlaw(text string) string {
	for _, sign := range text {
		switch {
		case unicode.IsControl(sign), unicode.In(sign, unicode.Zl, unicode.Zp):
			return holds(sign, "a control character")
		case unicode.Is(unicode.Bidi_Control, sign):
			return holds(sign, "a bidirectional control character")
		}
	}
	return ""
}

func holds(sign rune, what string) string { return fmt.Sprintf("holds %U, %s; remove it", sign, what) }

// Visible is a text without invisible characters, and without the white space that these kept from being at its ends.
func Visible(text string) string {
	return strings.TrimSpace(strings.Map(func(sign rune) rune {
		if unicode.In(sign, invisible...) {
			return -1
		}
		return sign
	}, text))
}
