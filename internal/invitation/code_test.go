package invitation_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/internal/invitation"
)

var _ = Describe("A code", func() {
	It("holds 128 random bits, and nothing that says which invitation it is for", func() {
		code := invitation.NewCode()
		Expect(code).To(MatchRegexp("^[a-z2-7]{26}$"))
		Expect(invitation.NewCode()).NotTo(Equal(code))
	})

	It("matches its own hash and no other, as people copy it", func() {
		code := invitation.NewCode()
		hash := invitation.Hash(code)
		Expect(hash).NotTo(ContainSubstring(code))
		Expect(invitation.Matches(code, hash)).To(BeTrue())
		Expect(invitation.Matches(" "+strings.ToUpper(code)+"\n", hash)).To(BeTrue())
		Expect(invitation.Matches(invitation.NewCode(), hash)).To(BeFalse())
		Expect(invitation.Matches(code, "")).To(BeFalse())
		Expect(invitation.Matches("", "")).To(BeFalse())
	})

	It("of an earlier version, which began with a part that was the invitation's, is good until it is answered", func() {
		Expect(invitation.Matches("abcdefgh-"+invitation.NewCode(), invitation.Hash("x"))).To(BeFalse())
		earlier := "abcdefgh-" + invitation.NewCode()
		Expect(invitation.Matches(earlier, invitation.Hash(earlier))).To(BeTrue())
	})
})
