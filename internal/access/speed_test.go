package access_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/test/effort"
)

// numbered are n names: bo-0, bo-1 and so on.
func numbered(prefix string, n int) []string {
	values := make([]string, 0, n)
	for i := range n {
		values = append(values, fmt.Sprintf("%s-%d", prefix, i))
	}
	return values
}

// members adds a Membership for each user.
func members(organization string, users []string, options ...func(*v1alpha1.Membership)) element {
	return func(w *access.World) {
		for _, user := range users {
			member(organization, user, options...)(w)
		}
	}
}

// effortOf is what evaluating a world takes.
func effortOf(name string, world access.World) time.Duration {
	GinkgoHelper()
	return effort.Least(name, func() { Expect(evaluate(world, "acme").Grants).NotTo(BeEmpty()) })
}

// The bounds leave room for the race detector and a slow machine; without them an evaluation takes about a tenth.
var _ = Describe("Evaluating", func() {
	It("takes less than a second for 1,000 users in 1,000 namespaces through one team", func() {
		users, projects := numbered("user", 1000), numbered("project", 1000)
		elements := []element{
			organization("acme"), members("acme", users, roles("member")),
			team("acme", "all", of(users...), as("developer"), on(projects...)),
		}
		for _, name := range projects {
			elements = append(elements, project("acme", name))
		}
		Expect(effortOf("1,000 users, 1,000 namespaces", world(elements...))).To(BeNumerically("<", time.Second))
	})

	It("takes less than three seconds for 10,000 members", func() {
		elements := []element{organization("acme"), members("acme", numbered("user", 10000), roles("viewer"))}
		for _, name := range numbered("project", 100) {
			elements = append(elements, project("acme", name))
		}
		Expect(effortOf("10,000 members", world(elements...))).To(BeNumerically("<", 3*time.Second))
	})
})
