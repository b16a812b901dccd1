package access_test

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// pinned gives a team of the world its uid.
func pinned(organization, name string) element {
	return func(w *access.World) {
		for _, team := range w.Teams {
			if team.Namespace == "org-"+organization && team.Name == name {
				team.UID = types.UID(uidOf(organization, name))
			}
		}
	}
}

// toExternal lets in a team of another organization.
func toExternal(organization, name string) func(*v1alpha1.RoleBindingSpec) {
	return toExternalUID(organization, name, uidOf(organization, name))
}

func toExternalUID(organization, name, uid string) func(*v1alpha1.RoleBindingSpec) {
	return func(b *v1alpha1.RoleBindingSpec) {
		b.Subjects = append(b.Subjects, v1alpha1.Subject{
			Kind: v1alpha1.SubjectTeam, Name: name, Organization: organization, UID: uid,
		})
	}
}

// hosting is acme with the project shop, and agency with the team press of bo, who is a member there.
func hosting(elements ...element) access.World {
	return world(append([]element{
		organization("acme"), project("acme", "shop"), organization("agency"), member("agency", "bo"),
		team("agency", "press", of("bo", "stranger")), pinned("agency", "press"),
	}, elements...)...)
}

var _ = Describe("A team of another organization", func() {
	It("is explained from the JoinRequest that let it in to the team that lists the user", func() {
		world := hosting(team("agency", "juniors", of("bo"), within("press")),
			binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop")))
		owner := metav1.OwnerReference{Kind: access.KindJoinRequest, Name: "agency-press", Controller: ptr.To(true)}
		world.RoleBindings[0].OwnerReferences = []metav1.OwnerReference{owner}
		var chains []string
		for _, grant := range access.Evaluate(world, "acme", now).Grants {
			if slices.ContainsFunc(grant.Subjects, func(subject rbacv1.Subject) bool { return subject.Name == "bo" }) {
				chains = append(chains, fmt.Sprint(grant.Via))
			}
		}
		letIn := fmt.Sprintf("JoinRequest/org-acme/agency-press RoleBinding/org-acme/%s Team/org-agency/press", world.RoleBindings[0].Name)
		Expect(chains).To(ConsistOf("["+letIn+"]", "["+letIn+" Team/org-agency/juniors]"))
	})

	DescribeTable("gives its members what it was let in for", grants,
		Entry("in a project, and nothing in the organization's namespace",
			hosting(binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))), "acme",
			"bo: viewer in acme-shop"),
		Entry("in the whole organization",
			hosting(binding("acme", "viewer", toExternal("agency", "press"), organizationWide)), "acme",
			"bo: viewer in org-acme", "bo: viewer in acme-shop"),
		Entry("in organizations below, where the binding is organization-wide",
			hosting(organization("emea", below("acme")),
				binding("acme", "viewer", toExternal("agency", "press"), organizationWide)), "emea",
			"bo: viewer in org-emea"),
		Entry("to the members of its child teams too",
			hosting(member("agency", "cy"), team("agency", "juniors", of("cy"), within("press")),
				binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))), "acme",
			"bo: viewer in acme-shop", "cy: viewer in acme-shop"),
		Entry("to who is a member of its organization by one above",
			world(organization("acme"), project("acme", "shop"), organization("group"), organization("agency", below("group")),
				member("group", "bo"), team("agency", "press", of("bo")), pinned("agency", "press"),
				binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))), "acme",
			"bo: viewer in acme-shop"),
	)

	DescribeTable("gives nothing", grants,
		Entry("that has another uid than the one that was let in",
			hosting(binding("acme", "viewer", toExternalUID("agency", "press", "another"), forProjects("shop"))), "acme"),
		Entry("for a team of the same name in the organization itself",
			world(organization("acme"), project("acme", "shop"), member("acme", "bo", roles("none")),
				team("acme", "press", of("bo")), pinned("acme", "press"),
				binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))), "acme"),
		Entry("once its organization is being deleted",
			hosting(binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop")),
				deleting(access.KindOrganization, "", "agency")), "acme"),
		Entry("once it is being deleted itself",
			hosting(binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop")),
				deleting(access.KindTeam, "org-agency", "press")), "acme"),
		Entry("to its group of the identity provider",
			hosting(team("agency", "group", standingFor("oidc:press")), pinned("agency", "group"),
				binding("acme", "viewer", toExternal("agency", "group"), forProjects("shop"))), "acme"),
		Entry("to who is suspended here",
			hosting(member("acme", "bo", suspended),
				binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))), "acme"),
		Entry("to who lacks the second factor that its organization requires",
			world(organization("acme"), project("acme", "shop"), organization("agency", requiringMFA), member("agency", "bo"),
				team("agency", "press", of("bo")), pinned("agency", "press"),
				binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))), "acme"),
		Entry("in its own organization",
			hosting(binding("acme", "administrator", toExternal("agency", "press"), organizationWide)), "agency",
			"bo: member in org-agency"),
	)
})
