package token_test

import (
	"encoding/base64"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/token"
)

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

func lasting(life time.Duration) *metav1.Duration { return &metav1.Duration{Duration: life} }

// made is a token that was made at noon and lives for ten days.
func made(change ...func(*v1alpha1.APIToken)) *v1alpha1.APIToken {
	object := &v1alpha1.APIToken{ObjectMeta: metav1.ObjectMeta{Name: "ci", CreationTimestamp: metav1.NewTime(noon)}}
	object.Spec.ExpiresAfter = lasting(240 * time.Hour)
	for _, change := range change {
		change(object)
	}
	return object
}

func rotating(every time.Duration, overlap *metav1.Duration) func(*v1alpha1.APIToken) {
	return func(object *v1alpha1.APIToken) {
		object.Spec.Rotation = &v1alpha1.TokenRotation{Every: metav1.Duration{Duration: every}, Overlap: overlap}
	}
}

func asked(when string) func(*v1alpha1.APIToken) {
	return func(object *v1alpha1.APIToken) {
		object.Annotations = map[string]string{v1alpha1.AnnotationRotate: when}
	}
}

// delivered is a state in which a was issued at noon, and b, if a time is given, after it; the last one is in the Secret.
func delivered(life time.Duration, after ...time.Duration) token.State {
	state := token.State{HasAccount: true}
	for i, at := range append([]time.Duration{0}, after...) {
		name := string(rune('a' + i))
		state.Credentials = append(state.Credentials, token.Credential{Name: name, IssuedAt: noon.Add(at)})
		state.Delivery = &token.Delivery{Credential: name, IssuedAt: noon.Add(at), ExpiresAt: noon.Add(at + life)}
	}
	return state
}

func decide(object *v1alpha1.APIToken, state token.State, after time.Duration) token.Plan {
	return token.Decide(object, v1alpha1.TokenPolicy{}, state, noon.Add(after))
}

var _ = Describe("A token's life", func() {
	const day = 24 * time.Hour

	It("begins with one that lives as long as the APIToken", func() {
		plan := decide(made(), token.State{}, time.Minute)
		Expect(plan.Issues).To(BeTrue())
		Expect(plan.Life).To(Equal(10*day - time.Minute))
	})

	It("is bounded by the organization, and ends exactly then", func() {
		policy := v1alpha1.TokenPolicy{MaxTTL: lasting(day)}
		Expect(token.Decide(made(), policy, token.State{}, noon).Life).To(Equal(day))
		last := noon.Add(day - 1)
		Expect(token.Decide(made(), policy, delivered(day), last)).To(And(HaveField("Ends", false), HaveField("Next", noon.Add(day))))
		Expect(token.Decide(made(), policy, delivered(day), noon.Add(day)).Ends).To(BeTrue())
	})

	It("never gets longer than was said, when the organization allows more", func() {
		object := made(func(t *v1alpha1.APIToken) { t.Status.ExpiresAt = &metav1.Time{Time: noon.Add(day)} })
		Expect(decide(object, delivered(day), day).Ends).To(BeTrue())
	})

	DescribeTable("needs nothing until", func(object *v1alpha1.APIToken, life, until time.Duration) {
		state := delivered(life)
		plan := decide(object, state, until-1)
		Expect(plan.IsQuiet(state)).To(BeTrue())
		Expect(plan.Next).To(Equal(noon.Add(until)))
		Expect(decide(object, state, until).IsQuiet(state)).To(BeFalse())
	},
		Entry("its end", made(), 10*day, 10*day),
		Entry("the rotation", made(rotating(day, lasting(time.Hour))), day+time.Hour, day),
		Entry("the overlap before the end of what the API server gave it", made(rotating(5*day, lasting(time.Hour))), day,
			day-time.Hour),
		Entry("half of what the API server gave it, where that is shorter than the overlap",
			made(rotating(5*day, lasting(2*day))), day, day/2),
		Entry("its end, where that comes before the rotation", made(rotating(20*day, nil)), 10*day, 10*day),
	)

	It("goes on beside the next one for the overlap", func() {
		object := made(rotating(day, lasting(time.Hour)))
		state := delivered(day+time.Hour, day)
		within := decide(object, state, day+time.Hour-1)
		Expect(within.Discards).To(BeEmpty())
		Expect(within.Next).To(Equal(noon.Add(day + time.Hour)))
		Expect(decide(object, state, day+time.Hour).Discards).To(ConsistOf("a"))
	})

	It("is rotated on demand, once for each time that is asked", func() {
		object, state := made(asked("now")), delivered(10*day)
		plan := decide(object, state, time.Hour)
		Expect(plan.Issues).To(BeTrue())
		Expect(plan.Discards).To(BeEmpty())
		state.Delivery.Rotation = "now"
		Expect(decide(object, state, time.Hour).Issues).To(BeFalse())
	})

	DescribeTable("begins anew, and ends what was issued before, when", func(spoil func(*token.State), discards ...string) {
		state := delivered(10*day, time.Hour)
		spoil(&state)
		plan := decide(made(), state, 2*time.Hour)
		Expect(plan.Issues).To(BeTrue())
		Expect(plan.Discards).To(ConsistOf(discards))
	},
		Entry("its Secret is gone", func(s *token.State) { s.Delivery = nil }, "a", "b"),
		Entry("what the token is bound to is gone", func(s *token.State) { s.Credentials = s.Credentials[:1] }, "a"),
	)

	It("begins anew when its ServiceAccount is gone", func() {
		state := delivered(10 * day)
		state.HasAccount = false
		Expect(decide(made(), state, time.Hour).Issues).To(BeTrue())
	})

	It("ends at once what was issued and never delivered", func() {
		state := delivered(10 * day)
		state.Credentials = append(state.Credentials, token.Credential{Name: "lost", IssuedAt: noon.Add(time.Minute)})
		Expect(decide(made(), state, time.Minute).Discards).To(ConsistOf("lost"))
	})

	DescribeTable("is over, and begins no more, when", func(end func(*v1alpha1.APIToken)) {
		object := made(end, asked("now"))
		Expect(decide(object, token.State{}, time.Minute)).To(And(HaveField("Ends", true), HaveField("Issues", false)))
		Expect(decide(object, token.State{}, time.Minute).IsQuiet(token.State{})).To(BeTrue())
		Expect(decide(object, delivered(day), time.Minute).IsQuiet(delivered(day))).To(BeFalse())
	},
		Entry("it is revoked", func(t *v1alpha1.APIToken) { t.Spec.Revoked = true }),
		Entry("it is being deleted", func(t *v1alpha1.APIToken) { t.DeletionTimestamp = &metav1.Time{Time: noon} }),
		Entry("it has ended before", func(t *v1alpha1.APIToken) { t.Status.EndedAt = &metav1.Time{Time: noon} }),
	)
})

var _ = Describe("What should be looked at of a token", func() {
	const day = 24 * time.Hour

	DescribeTable("is that it ends soon", func(life, before time.Duration) {
		Expect(token.ExpiresSoonAt(made(), noon.Add(life))).To(Equal(noon.Add(life - before)))
	},
		Entry("a week before the end of a long one", 90*day, 7*day),
		Entry("a tenth of its life before that of a short one", 10*time.Hour, time.Hour),
	)

	It("is that nobody uses it, where that is known", func() {
		_, known := token.UnusedAt(made(), time.Time{})
		Expect(known).To(BeFalse())
		at, known := token.UnusedAt(made(), noon.Add(-day))
		Expect(known).To(BeTrue())
		Expect(at).To(Equal(noon.Add(90 * day)))
		at, _ = token.UnusedAt(made(), noon.Add(day))
		Expect(at).To(Equal(noon.Add(91*day)), "what happened before it was known isn't held against it")
		used := made(func(t *v1alpha1.APIToken) { t.Status.LastUsedAt = &metav1.Time{Time: noon.Add(2 * day)} })
		at, _ = token.UnusedAt(used, time.Time{})
		Expect(at).To(Equal(noon.Add(92 * day)))
	})
})

var _ = Describe("A request for a token", func() {
	DescribeTable("asks for", func(life time.Duration, seconds int) {
		request := token.Request(life, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bound", UID: "7"}})
		Expect(request.Spec.ExpirationSeconds).To(HaveValue(BeEquivalentTo(seconds)))
		Expect(request.Spec.BoundObjectRef.UID).To(BeEquivalentTo("7"))
	},
		Entry("the life that it is to have", time.Hour, 3600),
		Entry("ten minutes at least, as Kubernetes gives no less", time.Minute, 600),
		Entry("never the one number of seconds that Kubernetes makes a year of", 3607*time.Second, 3606),
	)

	It("is answered by a token with an ID, and says nothing of the text where there is none", func() {
		payload := base64.RawURLEncoding.EncodeToString([]byte(`{"jti": "42"}`))
		Expect(token.ID("header." + payload + ".signature")).To(Equal("JTI=42"))
		for _, text := range []string{"opaque-secret", "a.opaque-secret.c", "a." + base64.RawURLEncoding.EncodeToString([]byte("{}")) + ".c"} {
			_, err := token.ID(text)
			Expect(err).To(MatchError(Not(ContainSubstring("opaque"))))
		}
	})
})
