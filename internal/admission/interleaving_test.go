package admission_test

import (
	"reflect"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("Whatever several people ask for at once", func() {
	It("nobody gains a role that nobody who may give it wrote for them, or for a set that they are rightly in", func() {
		holdsInStories(anyViolation)
	})

	It("whoever makes an empty Team, or takes something out of a Team or a RoleBinding, isn't refused for what others do", func() {
		holdsInStories(func(s *story) string {
			if len(s.wronged) > 0 {
				return s.wronged[0].String() + " is refused: " + s.wronged[0].answer.Result.Message
			}
			return ""
		})
	})
})

func anyViolation(s *story) string {
	if found := s.violations(); len(found) > 0 {
		return found[0].String()
	}
	return ""
}

// storiesACheck are drawn for each check of rapid, of which there are 100 unless -rapid.checks asks for more.
const storiesACheck = 2

// holdsInStories draws stories in which nothing may be wrong after any step, and shows the shortest in which something is.
func holdsInStories(wrong func(*story) string) {
	GinkgoHelper()
	counts := map[string]int{}
	rapid.Check(GinkgoT(), func(t *rapid.T) {
		for range storiesACheck {
			steps := drawSteps(t)
			s := newStory()
			found := s.play(steps, wrong)
			for what, times := range s.counts {
				counts[what] += times
			}
			if found != "" {
				t.Fatal(shortest(steps, wrong))
			}
		}
	})
	AddReportEntry("Requests", counts)
}

// shortest tells a story in which something is wrong, without what that doesn't take.
func shortest(steps []step, wrong func(*story) string) string {
	steps = shortened(steps, func(steps []step) bool { return newStory().play(steps, wrong) != "" })
	s := newStory()
	return s.play(steps, wrong) + "\n" + strings.Join(s.told, "\n")
}

// story is what happens to an organization.
type story struct {
	*cluster
	// pending are admitted and not yet committed.
	pending []*request
	// wronged are refused although nobody may refuse them.
	wronged []*request
}

func newStory() *story { return &story{cluster: newCluster(umbra()...)} }

// play goes on until something is wrong.
func (s *story) play(steps []step, wrong func(*story) string) string {
	for _, step := range steps {
		s.take(step)
		if found := wrong(s); found != "" {
			return found
		}
	}
	for len(s.pending) > 0 {
		s.commitOne(0)
		if found := wrong(s); found != "" {
			return found
		}
	}
	return ""
}

func (s *story) take(step step) {
	s.clock.SetTime(s.clock.Now().Add(time.Duration(step.seconds) * time.Second))
	if step.commits {
		s.commitOne(step.which)
		return
	}
	asked := step.request(s.latest())
	if asked == nil {
		return
	}
	s.lag, s.interruption, s.untilInterruption = step.lag, func() { s.commitOne(step.which) }, step.read
	r, admitted := s.ask(asked.author, asked.before, asked.after)
	s.lag, s.interruption = 0, nil
	switch {
	case !admitted && r.isHarmless():
		s.wronged = append(s.wronged, r)
	case !admitted:
	case step.waits:
		s.pending = append(s.pending, r)
	default:
		s.commit(r)
	}
}

// commitOne commits one of those that wait.
func (s *story) commitOne(which int) {
	if len(s.pending) == 0 {
		return
	}
	which %= len(s.pending)
	r := s.pending[which]
	s.pending = slices.Delete(slices.Clone(s.pending), which, which+1)
	s.commit(r)
}

// idle is a Team that nobody refers to.
const idle = "idle"

// isHarmless says whether nothing could come of a request but less, whatever others write: a Team of nobody for nothing, and a
// Team or a RoleBinding that loses something.
func (r *request) isHarmless() bool {
	if team, is := r.after.(*v1alpha1.Team); is && r.before == nil {
		return team.Name == idle && reflect.DeepEqual(team.Spec, v1alpha1.TeamSpec{})
	}
	switch r.before.(type) {
	case *v1alpha1.Team, *v1alpha1.RoleBinding:
	default:
		return false
	}
	if r.after == nil {
		return true
	}
	if !reflect.DeepEqual(selectorOf(r.before), selectorOf(r.after)) || endOf(r.before) != endOf(r.after) ||
		beginOf(r.before) != beginOf(r.after) {
		return false
	}
	before := elementsOf(r.before)
	return !slices.ContainsFunc(elementsOf(r.after), func(element string) bool {
		return !slices.Contains(before, element)
	})
}
