package history

import (
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/activity"
)

// eventsOf are the Events of changes, where the Recorder makes them.
func eventsOf(changes ...Change) []client.Object {
	var events []client.Object
	for _, change := range changes {
		events = append(events, NewEvent(change, change.Organization))
	}
	return events
}

var _ = Describe("What a start knows of earlier runs", func() {
	full := team.DeepCopy()
	full.Spec = v1alpha1.TeamSpec{DisplayName: "Press", Members: names("bo"), Role: "viewer", AllProjects: true}
	changed := full.DeepCopy()
	changed.Generation++
	changed.Spec.Members = names("bo", "cy")

	It("is in the store once Kubernetes has forgotten the Events, and then nothing is recorded anew", func(ctx SpecContext) {
		source := activity.NewSource("file:"+filepath.Join(GinkgoT().TempDir(), "activity.db"), clock.RealClock{})
		DeferCleanup(source.Close)
		var records []activity.Record
		for _, object := range eventsOf(append(teams.Changes(nil, full), teams.Changes(full, changed)...)...) {
			records = append(records, RecordOf(object.(*eventsv1.Event)))
		}
		Expect(source.Append(ctx, records)).To(Succeed())

		baseline := NewBaseline(source, fake.NewClientBuilder().Build())
		Expect(baseline.Load(ctx)).To(Succeed())
		known, found := baseline.Known(changed.UID)
		Expect(found).To(BeTrue())
		Expect(teams.Missed(known, changed)).To(BeEmpty())
	})

	It("is in the Events that are where Roster makes them, and in no others", func(ctx SpecContext) {
		made := teams.Changes(nil, full)[0]
		cluster := fake.NewClientBuilder().WithObjects(
			NewEvent(made, "org-acme"), NewEvent(made, "default"), NewEvent(made, "acme-shop"), NewEvent(made, "org-globex"),
		).Build()
		Expect(listRecords(ctx, cluster)).To(HaveLen(2))
	})
})
