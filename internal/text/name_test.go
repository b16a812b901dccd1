package text

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"pgregory.net/rapid"
)

var _ = Describe("NameFlaw", func() {
	DescribeTable("names the sign that a reader can't see, and what to do",
		func(name, flaw string) {
			Expect(NameFlaw(name)).To(Equal(flaw))
		},
		Entry("a space at the end", "bo@pear.example ", `begins or ends with white space; write "bo@pear.example"`),
		Entry("an ideographic space at the beginning", "\u3000bo", `begins or ends with white space; write "bo"`),
		Entry("a line break", "bo\n", "holds U+000A, a control character; remove it"),
		Entry("NUL", "b\x00o", "holds U+0000, a control character; remove it"),
		Entry("a line separator", "b\u2028o", "holds U+2028, a control character; remove it"),
		Entry("a right-to-left override", "bo\u202e@pear.example", "holds U+202E, a bidirectional control character; remove it"),
		Entry("an isolate", "b\u2066o", "holds U+2066, a bidirectional control character; remove it"),
		Entry("a zero-width space", "b\u200bo", "holds U+200B, an invisible character; remove it"),
		Entry("a byte order mark", "\ufeffbo", "holds U+FEFF, an invisible character; remove it"),
		Entry("a soft hyphen", "b\u00ado", "holds U+00AD, an invisible character; remove it"),
		Entry("a Hangul filler", "b\u3164o", "holds U+3164, an invisible character; remove it"),
		Entry("a variation selector", "b\ufe0fo", "holds U+FE0F, an invisible character; remove it"),
		Entry("a no-break space", "ana\u00a0smith", "holds U+00A0, which looks like a space and is none; remove it"),
		Entry("a blank of Braille", "b\u2800o", "holds U+2800, which looks like a space and is none; remove it"),
		Entry("a letter and its accent apart", "ame\u0301lie",
			`isn't in Unicode's normalization form C (NFC), by which names are compared; write "am\u00e9lie"`),
	)

	DescribeTable("finds nothing in what can be read",
		func(name string) {
			Expect(NameFlaw(name)).To(BeEmpty())
		},
		Entry("an address", "bo@pear.example"), Entry("nothing", ""), Entry("a space within", "Ana Smith"),
		Entry("a prefix of an identity provider", "oidc:https://issuer.example#248289761001"),
		Entry("an accent", "amélie"), Entry("Arabic", "عمر"), Entry("Chinese", "王小明"), Entry("Devanagari", "अनिल"),
	)
})

var _ = Describe("LineFlaw", func() {
	It("lets joiners be, which names need in some languages", func() {
		Expect(LineFlaw("نیم\u200cفاصله")).To(BeEmpty())
	})

	It("finds something exactly where OneLine changes a sign", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			text := rapid.String().Draw(t, "text")
			inside := "x" + text + "x"
			if (LineFlaw(inside) == "") != (OneLine(inside) == strings.ToValidUTF8(inside, "\ufffd")) {
				t.Fatalf("%q: %q, but OneLine makes %q of it", inside, LineFlaw(inside), OneLine(inside))
			}
		})
	})
})
