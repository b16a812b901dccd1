package invitation_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/internal/invitation"
)

var _ = Describe("A code", func() {
	It("holds 128 random bits, and says which invitation it is for", func() {
		code := invitation.NewCode("u1")
		Expect(code).To(MatchRegexp("^[a-z2-7]{8}-[a-z2-7]{26}$"))
		Expect(invitation.NewCode("u1")).NotTo(Equal(code))
		Expect(invitation.IsFor(code, "u1")).To(BeTrue())
		Expect(invitation.IsFor(code, "u2")).To(BeFalse())
		Expect(invitation.IsFor("", "u1")).To(BeFalse())
	})

	It("matches its own hash and no other, as people copy it", func() {
		code := invitation.NewCode("u1")
		hash := invitation.Hash(code)
		Expect(hash).NotTo(ContainSubstring(code))
		Expect(invitation.Matches(code, hash)).To(BeTrue())
		Expect(invitation.Matches(" "+strings.ToUpper(code)+"\n", hash)).To(BeTrue())
		Expect(invitation.Matches(invitation.NewCode("u1"), hash)).To(BeFalse())
		Expect(invitation.Matches(code, "")).To(BeFalse())
		Expect(invitation.Matches("", "")).To(BeFalse())
	})
})
