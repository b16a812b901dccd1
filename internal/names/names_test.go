package names_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/internal/names"
)

var _ = Describe("FromUsername", func() {
	DescribeTable("gives a DNS label",
		func(username, name string) {
			Expect(names.FromUsername(username)).To(Equal(name))
		},
		Entry("the username where it is one", "k8s-ci-robot", "k8s-ci-robot"),
		Entry("digits alone are one", "249043822", "249043822"),
		Entry("a hash where case is lost", "MadhavJivrajani", "madhavjivrajani-w76vff2diyltqxrllahgd6wehe"),
		Entry("a hash where signs are lost", "ana@acme.example", "ana-acme-example-xmb3ug7myasbmthqry3rhbnxgx"),
		Entry("a hash where signs at the ends are lost", "-ana-", "ana-vmndlqjathqmptxbwl63kcdays"),
		Entry("a hash where nothing can be kept", "日本", "x-z4vl6dc34mtmxerkod4bmp4ra6"),
		Entry("a hash where the username ends like one", "ana-0123456789", "ana-0123456789-vt3af6v4xlcyfv4evtkz3jdj2r"),
		Entry("a hash where the username ends like a long one", "ana-abcdefghijklmnopqrstuvwxyz", "ana-abcdefghijklmnopqrstuvwxyz-m5msq2vxtkbevl2mbtdyzj625q"),
	)

	It("cuts a long username and adds a hash", func() {
		name := names.FromUsername(strings.Repeat("a", 64))
		Expect(name).To(HavePrefix(strings.Repeat("a", 36) + "-"))
		Expect(name).To(HaveLen(63))
	})

	It("ends with more than 128 bits of a hash, also where a Personal organization leaves 31 characters", func() {
		Expect(names.FromUsername("Ana")).To(MatchRegexp("^ana-[a-z2-7]{26}$"))
		Expect(names.Label("ana@acme.example", 31)).To(MatchRegexp("^ana-[a-z2-7]{26}$"))
	})

	It("gives a username whose name is taken other names, one for each number", func() {
		first, second := names.Other("ana", 1, names.MaxLength), names.Other("ana", 2, names.MaxLength)
		Expect([]string{first, second}).To(HaveEach(MatchRegexp("^ana-[a-z2-7]{26}$")))
		Expect(first).NotTo(Equal(second))
		Expect(names.FromUsername(first)).NotTo(Equal(first))
	})

	It("gives a valid and the same DNS label for every username, and different ones for different usernames", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			// Few letters and many signs make usernames that are alike likely.
			username := rapid.OneOf(rapid.StringMatching(`[aA.@-]{1,6}`), rapid.StringN(1, 253, -1))
			one, other := username.Draw(t, "one"), username.Draw(t, "other")
			name := names.FromUsername(one)
			if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
				t.Fatalf("%q gives %q: %v", one, name, problems)
			}
			if name != names.FromUsername(one) {
				t.Fatalf("%q gives two names", one)
			}
			if one != other && name == names.FromUsername(other) {
				t.Fatalf("%q and %q both give %q", one, other, name)
			}
			if derived := names.FromUsername(name); name != one && derived == name {
				t.Fatalf("the username %q would have the name of %q", name, one)
			}
		})
	})
})

var _ = Describe("Label", func() {
	It("obeys any length from 16 up", func() {
		rapid.Check(GinkgoT(), func(t *rapid.T) {
			text := rapid.String().Draw(t, "text")
			maxLength := rapid.IntRange(16, names.MaxLength).Draw(t, "maxLength")
			label := names.Label(text, maxLength)
			if problems := validation.IsDNS1123Label(label); len(problems) > 0 || len(label) > maxLength {
				t.Fatalf("%q gives %q (%d characters): %v", text, label, len(label), problems)
			}
		})
	})

	It("doesn't leave a second hyphen before the hash where it cuts", func() {
		Expect(names.Label("abcd-efghijklmnop", 16)).To(MatchRegexp("^abcd-[0-9a-f]{10}$"))
	})
})

var _ = Describe("Readable", func() {
	DescribeTable("gives a DNS label without a hash where it can",
		func(text, label string) {
			Expect(names.Readable(text, 20)).To(MatchRegexp("^" + label + "$"))
		},
		Entry("lower case, and a hyphen for a space", "Client WG Leads", "client-wg-leads"),
		Entry("no hyphen at the beginning", ".github", "github"),
		Entry("a hash where it is too long", "registry.k8s.io-maintainers", "registry-[0-9a-f]{10}"),
		Entry("a hash where nothing can be kept", "...", "x-[0-9a-f]{10}"),
	)
})

var _ = Describe("Unique", func() {
	It("tells texts apart that would share a label, and leaves the exact one its own", func() {
		labels := names.Unique([]string{"Docs Writers", "docs-writers", "docs.writers", "Other", "Other"}, 63)
		Expect(labels).To(HaveLen(4))
		Expect(labels).To(HaveKeyWithValue("docs-writers", "docs-writers"))
		Expect(labels).To(HaveKeyWithValue("Other", "other"))
		Expect(labels["Docs Writers"]).To(MatchRegexp("^docs-writers-[a-z2-7]{26}$"))
		Expect(labels["docs.writers"]).To(MatchRegexp("^docs-writers-[a-z2-7]{26}$"))
		Expect(labels["docs.writers"]).NotTo(Equal(labels["Docs Writers"]))
	})

	It("doesn't depend on the order of the texts", func() {
		Expect(names.Unique([]string{"A b", "a-b", "c"}, 63)).To(Equal(names.Unique([]string{"c", "a-b", "A b"}, 63)))
	})
})
