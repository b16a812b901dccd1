package invitation_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/internal/invitation"
)

var _ = Describe("An answer", func() {
	It("makes nobody a member under a username that can't be read", func(ctx context.Context) {
		answer := selfv1alpha1.AnswerSpec{Organization: "acme", Response: "Accepted"}
		_, err := (&invitation.Responder{}).Respond(ctx, "bo\u202e@acme.example", answer, true)
		Expect(err).To(MatchError(HaveSuffix(`your username "bo\u202e@acme.example" holds U+202E, a bidirectional control ` +
			"character; remove it, as whoever runs the identity provider can")))
	})
})
