package text

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Strings", func() {
	It("are the values, and nil where there are none", func() {
		type role string
		Expect(Strings([]role{"viewer", "developer"})).To(Equal([]string{"viewer", "developer"}))
		Expect(Strings([]role{})).To(BeNil())
	})
})
