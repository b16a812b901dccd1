package removals_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/removals"
	"github.com/roster-dev/roster/test/effort"
)

// large is 1,000 users in 1,000 projects by one team, and, where asked, by a team of each user's own besides.
func large(ownTeams bool) (*story, []string) {
	projects := numbered("project", 1000)
	s := newStory(projects...)
	users := numbered("bo", 1000)
	s.join(users, "member")
	var names []v1alpha1.ObjectName
	for _, project := range projects {
		names = append(names, v1alpha1.ObjectName(project))
	}
	s.team("all", users, "viewer", names...)
	for at, user := range users {
		if ownTeams {
			s.team("own-"+user, []string{user}, "developer", names[at])
		}
	}
	s.sync()
	return s, users
}

// The bounds leave room for the race detector and a slow machine; without them a decision takes about a tenth.
var _ = DescribeTable("For 1,000 users in 1,000 namespaces the guard decides within milliseconds",
	func(ownTeams bool, change func(s *story, users []string), most time.Duration) {
		s, users := large(ownTeams)
		change(s, users)
		result := engine.Evaluate(s.world, acme, s.now)
		situation := removals.Situation{World: s.world, Result: result, Gives: gives, Now: s.now, Percent: 20}
		taken := effort.Least(fmt.Sprintf("own teams: %v", ownTeams), func() { removals.Decide(s.state, situation) })
		Expect(taken).To(BeNumerically("<", most))
	},
	Entry("where nothing changed", false, func(*story, []string) {}, 50*time.Millisecond),
	Entry("where a project came", false, func(s *story, _ []string) { s.project("new") }, 100*time.Millisecond),
	Entry("where each has a team too and a project came", true, func(s *story, _ []string) { s.project("new") },
		300*time.Millisecond),
	Entry("where half of the users go", false, func(s *story, users []string) { s.leave(users[:500]...) }, time.Second),
	Entry("where the big team goes that all had besides their own", true, func(s *story, _ []string) {
		s.world.Teams = s.world.Teams[1:]
	}, 5*time.Second),
)
