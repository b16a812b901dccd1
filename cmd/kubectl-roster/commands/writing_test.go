package commands_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/roster-dev/roster/api/v1alpha1"
)

var _ = Describe("The commands that write", func() {
	const inAcme = rosterPath + "namespaces/org-acme/"
	var (
		cluster     *server
		memberships = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "memberships"}
		tokens      = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "apitokens"}
		namespaces  = schema.GroupResource{Resource: "namespaces"}
	)
	BeforeEach(func() { cluster = newServer() })

	It("show what the API server warns of", func() {
		cluster.answers[inAcme+"memberships"] = &v1alpha1.Membership{}
		cluster.warnings[inAcme+"memberships"] = "role develper: not there yet"
		found := cluster.run("invite", "bo", "-n", "org-acme", "--role", "develper")
		Expect(found.Status).To(BeZero())
		Expect(found.Complaints).To(Equal("Warning: role develper: not there yet\n"))
	})

	DescribeTable("say what to do where they are refused", func(answer *apierrors.StatusError, command, complaint string) {
		for _, path := range []string{"memberships", "apitokens", "apitokens/ci"} {
			cluster.answers[inAcme+path] = answer
		}
		found := cluster.run(strings.Fields(command + " -n org-acme")...)
		Expect(found.Status).To(Equal(1))
		Expect(found.Complaints).To(Equal("error: " + complaint + "\n"))
	},
		Entry("by RBAC", refusedBecause(`User "cy" cannot create resource "memberships" in API group "roster.dev" in the namespace "org-acme"`),
			"invite bo", `User "cy" cannot create resource "memberships" in API group "roster.dev" in the namespace "org-acme": `+
				"ask an owner or administrator of organization acme (your own organizations: kubectl roster profile)"),
		Entry("by a policy, which says it itself", refusedBecause("denied request: ask an owner of agency"),
			"invite bo", "denied request: ask an owner of agency"),
		Entry("since that one is invited already", apierrors.NewAlreadyExists(memberships, "bo"), "invite bo",
			`memberships.roster.dev "bo" already exists: to invite again who hasn't accepted: kubectl roster resend bo -n org-acme`),
		Entry("since there is a token of that name", apierrors.NewAlreadyExists(tokens, "ci"),
			"token create ci --role viewer --project shop", `apitokens.roster.dev "ci" already exists: to have that one's token `+
				"replaced: kubectl roster token rotate ci -n org-acme"),
		Entry("since there is no such organization", apierrors.NewNotFound(namespaces, "org-acme"), "invite bo",
			`namespaces "org-acme" not found: there is no organization "acme"; correct the name (your own organizations: kubectl `+
				"roster profile)"),
		Entry("since there is no such object", apierrors.NewNotFound(tokens, "ci"), "token rotate ci",
			`apitokens.roster.dev "ci" not found: correct the name; those that are there: kubectl get apitokens.roster.dev -n org-acme`),
	)
})

func refusedBecause(reason string) *apierrors.StatusError {
	refused := forbidden("memberships.roster.dev")
	refused.ErrStatus.Message = reason
	return refused
}
