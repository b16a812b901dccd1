package text

import (
	"strings"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Cut", func() {
	It("leaves a text that is short enough as it is", func() {
		Expect(Cut("orchard", len("orchard"))).To(Equal("orchard"))
	})

	It("ends with a mark, within the limit", func() {
		Expect(Cut("orchard", 6)).To(Equal("orc…"))
	})

	It("never leaves half a sign, wherever the limit falls", func() {
		text := strings.Repeat("Obstgärten ", 10)
		for limit := len(mark); limit < len(text); limit++ {
			cut := Cut(text, limit)
			Expect(utf8.ValidString(cut)).To(BeTrue(), "%d bytes: %q", limit, cut)
			Expect(len(cut)).To(BeNumerically("<=", limit))
		}
	})
})
