package access_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
)

// tokenOf adds bo's token ci, whose ServiceAccount is token-ci-1.
func tokenOf(organization string, options ...func(*v1alpha1.APIToken)) element {
	return func(w *access.World) {
		object := &v1alpha1.APIToken{ObjectMeta: meta("org-"+organization, "ci")}
		object.UID, object.CreationTimestamp = "1", metav1.NewTime(now.Add(-time.Hour))
		object.Spec.User, object.Spec.Roles = "bo", []v1alpha1.RoleName{"viewer"}
		for _, option := range options {
			option(object)
		}
		object.Spec.OrganizationWide = len(object.Spec.Projects) == 0
		w.APITokens = append(w.APITokens, object)
	}
}

func tokenRoles(roles ...string) func(*v1alpha1.APIToken) {
	return func(t *v1alpha1.APIToken) { t.Spec.Roles = names[v1alpha1.RoleName](roles) }
}

func tokenProjects(projects ...string) func(*v1alpha1.APIToken) {
	return func(t *v1alpha1.APIToken) { t.Spec.Projects = names[v1alpha1.ObjectName](projects) }
}

// including makes a Role of the catalogue include others.
func including(name string, others ...string) element {
	return func(w *access.World) {
		for _, role := range w.Roles {
			if role.Namespace == v1alpha1.SystemNamespace && role.Name == name {
				role.Spec.Includes = names[v1alpha1.RoleName](others)
			}
		}
	}
}

// tokenGrants is what the token of a world holds.
func tokenGrants(w access.World) []string {
	GinkgoHelper()
	var held []string
	for _, line := range grantsIn(w, "acme") {
		if rest, ofToken := strings.CutPrefix(line, "ServiceAccount org-acme/token-ci-1: "); ofToken {
			held = append(held, rest)
		}
	}
	return held
}

var _ = Describe("An APIToken", func() {
	shops := []element{organization("acme"), project("acme", "shop"), project("acme", "site")}
	acme := func(elements ...element) access.World { return world(append(shops[:3:3], elements...)...) }

	DescribeTable("holds", func(w access.World, expected ...string) {
		Expect(tokenGrants(w)).To(ConsistOf(expected))
	},
		Entry("everywhere what its user holds everywhere", acme(member("acme", "bo", roles("viewer")), tokenOf("acme")),
			"viewer in org-acme", "viewer in acme-shop", "viewer in acme-site"),
		Entry("in its projects alone what its user holds everywhere",
			acme(member("acme", "bo", roles("viewer")), tokenOf("acme", tokenProjects("shop"))), "viewer in acme-shop"),
		Entry("everywhere what its user holds by a team in one project",
			acme(member("acme", "bo", roles("member")), team("acme", "press", of("bo"), as("viewer"), on("shop")), tokenOf("acme")),
			"viewer in acme-shop"),
		Entry("a role that its user's role includes, however far down",
			acme(member("acme", "bo", roles("administrator")), including("administrator", "developer"),
				including("developer", "viewer"), tokenOf("acme", tokenProjects("shop"))), "viewer in acme-shop"),
		Entry("nothing that its user's role includes by way of a circle, as its rules don't",
			acme(member("acme", "bo", roles("administrator")), including("administrator", "developer"),
				including("developer", "administrator", "viewer"), tokenOf("acme", tokenProjects("shop")))),
		Entry("nothing stronger than its user's role, though that is included in it",
			acme(member("acme", "bo", roles("viewer")), including("developer", "viewer"),
				tokenOf("acme", tokenRoles("developer"), tokenProjects("shop")))),
		Entry("nothing that a group holds which stands for a team",
			acme(member("acme", "bo", roles("member")), team("acme", "press", standingFor("oidc:red"), as("viewer"), on("shop")),
				tokenOf("acme"))),
		Entry("owner, where its user is one",
			world(organization("acme", ownedBy("olga", "bo")), tokenOf("acme", tokenRoles("owner"))), "owner in org-acme"),
		Entry("no owner, where its user is none",
			acme(member("acme", "bo", roles("administrator")), tokenOf("acme", tokenRoles("owner")))),
		Entry("nothing while its user is suspended",
			acme(member("acme", "bo", roles("viewer"), suspended), tokenOf("acme"))),
		Entry("nothing while its user is deactivated",
			acme(member("acme", "bo", roles("viewer")), user("bo", deactivated), tokenOf("acme"))),
		Entry("nothing once it is revoked",
			acme(member("acme", "bo", roles("viewer")), tokenOf("acme", func(t *v1alpha1.APIToken) { t.Spec.Revoked = true }))),
		Entry("nothing from its end on",
			acme(member("acme", "bo", roles("viewer")), tokenOf("acme", func(t *v1alpha1.APIToken) {
				t.Spec.ExpiresAfter = &metav1.Duration{Duration: time.Hour}
			}))),
	)

	It("says which roles its user doesn't hold in all of its projects, and holds the rest", func() {
		w := acme(member("acme", "bo", roles("viewer")), team("acme", "press", of("bo"), as("developer"), on("shop")),
			tokenOf("acme", tokenRoles("viewer", "developer"), tokenProjects("shop", "site")))
		Expect(tokenGrants(w)).To(ConsistOf("viewer in acme-shop", "viewer in acme-site", "developer in acme-shop"))
		outcome := access.Evaluate(w, "acme", now).APITokens["ci"]
		Expect(outcome.Exceeding).To(ConsistOf(v1alpha1.RoleName("developer")))
		Expect(outcome.Problems).To(ConsistOf(HaveField("Reason", access.ReasonRolesExceedUser)))
	})

	It("is evaluated anew exactly at its end, though no object changes", func() {
		w := acme(member("acme", "bo", roles("viewer")), tokenOf("acme", func(t *v1alpha1.APIToken) {
			t.Spec.ExpiresAfter = &metav1.Duration{Duration: 2 * time.Hour}
		}))
		Expect(access.Evaluate(w, "acme", now).NextChange).To(Equal(now.Add(time.Hour)))
	})

	It("may be read by its user and by who made it, unless something holds them back", func() {
		byMaker := func(t *v1alpha1.APIToken) { t.Annotations = map[string]string{v1alpha1.AnnotationCreatedBy: "maker"} }
		readers := func(elements ...element) []string {
			var found []string
			outcome := access.Evaluate(acme(append(elements, tokenOf("acme", byMaker))...), "acme", now).APITokens["ci"]
			for _, reader := range outcome.Readers {
				found = append(found, reader.Name)
			}
			return found
		}
		Expect(readers(member("acme", "bo"))).To(ConsistOf("bo", "maker"))
		Expect(readers(member("acme", "bo"), user("maker", deactivated))).To(ConsistOf("bo"))
		Expect(readers(member("acme", "bo", suspended))).To(BeEmpty())
		Expect(readers()).To(BeEmpty(), "who has left")
	})

	It("may be read by its user whom a team of another organization lets in, as long as it does", func() {
		letIn := binding("acme", "viewer", toExternal("agency", "press"), forProjects("shop"))
		outcome := access.Evaluate(hosting(letIn, tokenOf("acme")), "acme", now).APITokens["ci"]
		Expect(outcome.HeldBack).To(BeEmpty())
		Expect(outcome.Readers).To(ConsistOf(HaveField("Name", "bo")))
		outcome = access.Evaluate(hosting(tokenOf("acme")), "acme", now).APITokens["ci"]
		Expect(outcome.HeldBack).To(Equal(access.TokenUserNotMember))
		Expect(outcome.Readers).To(BeEmpty())
	})
})
