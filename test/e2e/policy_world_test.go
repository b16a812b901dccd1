package e2e_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// policed is the organization in which the attempts on the policies are made.
const policed = "policed"

// Who attempts. Those of the organization hold its real roles and no others.
const (
	theOwner          = "owner@policed.example"
	theOwnerBelow     = "gus@policed.example"
	theAdministrator  = "bo@policed.example"
	theMaintainer     = "cy@policed.example"
	theDeveloper      = "dora@policed.example"
	theViewer         = "emil@policed.example"
	theBilling        = "farid@policed.example"
	theTeamMaintainer = "gita@policed.example"
	theOutsider       = "olga@elsewhere.example"
	theOtherOwner     = "owner@policed-other.example"
	theServiceAccount = "system:serviceaccount:policed-shop:builder"

	// thePipeline writes every one of Roster's kinds everywhere, with their status, and holds no verb of Roster's own.
	thePipeline = "pipeline@policed.example"
	// theFounder holds found, adopt on the organization, and assign, as what is moved brings its roles along.
	theFounder = "founder@policed.example"
	// theIdentityProvider and theSupportDesk write Users; the one attests second factors, the other resets them.
	theIdentityProvider = "identity@policed.example"
	theSupportDesk      = "support@policed.example"
	// theBinder may bind the role view in every namespace.
	theBinder = "binder@policed.example"
	// theUpdater makes and changes projects and namespaces, and deletes none.
	theUpdater = "updater@policed.example"
	// theClerk writes Roles in roster-system.
	theClerk = "clerk@policed.example"
)

// makePoliced makes the organization and all that is attempted on.
func makePoliced(ctx context.Context) {
	GinkgoHelper()
	makeClusterRights(ctx)
	acme := openAccount(ctx, policed)
	acme.below(ctx, policed+"-below")
	openAccount(ctx, policed+"-other").below(ctx, policed+"-child")
	for name, confirmed := range map[string]string{policed + "-leaving": policed + "-leaving", policed + "-mistaken": policed} {
		leaving := expectations.Organization(name, theOwner)
		leaving.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: confirmed}
		made(ctx, leaving)
	}
	for name, role := range map[string]v1alpha1.RoleName{
		"bo": "administrator", "cy": "maintainer", "dora": "developer", "emil": "viewer", "farid": "billing", "gita": "member",
	} {
		acme.join(ctx, name, role)
	}
	acme.project(ctx, "shop")
	acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
		Role: "viewer", Subjects: acme.people("emil"), OrganizationWide: true,
	})
	for _, name := range []string{"vault", "archive"} {
		project := expectations.Project(policed, name)
		project.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		made(ctx, project)
	}
	expect.Confirm(ctx, expectations.Project(policed, "archive"))
	expect.Confirm(ctx, namespaceNamed("policed-archive", nil))
	makeTeams(ctx, acme)
	for name, enrolled := range map[string]bool{"policed-enrolled": true, "policed-plain": false} {
		expect.Create(ctx, &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.UserSpec{
			Username: v1alpha1.Username(name), MFA: v1alpha1.MultiFactorAuthentication{Enrolled: enrolled},
		}})
	}
	expect.Create(ctx, handMade("policed-shop", "legacy", "view", theOutsider))
	expect.Allowed(ctx, theTeamMaintainer, "update teams.roster.dev", acme.namespace())
	expect.Allowed(ctx, theAdministrator, "create rolebindings.rbac.authorization.k8s.io", "policed-shop")
}

// makeTeams makes a team that has a maintainer and one that has none.
func makeTeams(ctx context.Context, acme account) {
	GinkgoHelper()
	spec := v1alpha1.TeamSpec{Members: acme.users("dora"), Role: "viewer", Projects: objectNames("shop")}
	acme.team(ctx, "others", spec)
	spec.Maintainers = acme.users("gita")
	acme.team(ctx, "makers", spec)
}

// makeClusterRights gives those who aren't of the organization what they hold in the cluster.
func makeClusterRights(ctx context.Context) {
	GinkgoHelper()
	writes := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	kinds := []string{"organizations", "memberships", "teams", "projects", "roles", "rolebindings", "users"}
	written := kinds
	for _, kind := range kinds {
		written = append(written, kind+"/status")
	}
	roster := func(verbs []string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: resources, Verbs: verbs}
	}
	adopts := roster([]string{"adopt"}, "organizations")
	adopts.ResourceNames = []string{policed}
	giveInCluster(ctx, thePipeline, roster(writes, written...))
	giveInCluster(ctx, theFounder, roster(append(writes, "found"), "organizations"), adopts, roster([]string{"assign"}, "roles"))
	giveInCluster(ctx, theIdentityProvider, roster(append(writes, "attest-mfa"), "users"))
	giveInCluster(ctx, theSupportDesk, roster(append(writes, "reset-mfa"), "users"))
	changes := []string{"get", "create", "update", "patch"}
	giveInCluster(ctx, theUpdater, roster(changes, "projects"),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: changes})
	giveInCluster(ctx, theClerk, roster(writes, "roles"))
	giveInCluster(ctx, theBinder,
		rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: writes},
		rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}})
}

// giveInCluster gives a user a ClusterRole of these rules.
func giveInCluster(ctx context.Context, user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "attempts:" + user}
	expect.Create(ctx,
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects:   []rbacv1.Subject{rbacUser(user)},
		})
}

var _ = Describe("A policy", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) { makePoliced(ctx) })

	Context("on what is the owners' of an Organization", func() { attemptEach(ownersAttempts) })
	Context("on an Organization's place in the tree", func() { attemptEach(placesAttempts) })
	Context("on a Team's maintainers", func() { attemptEach(teamAttempts) })
	Context("on deletions", func() { attemptEach(deletionAttempts) })
	Context("on bindings made by hand", func() { attemptEach(bindingAttempts) })
	Context("on second factors", func() { attemptEach(secondFactorAttempts) })
	Context("on Roster's own marks", func() { attemptEach(markAttempts) })
	Context("on Events of the history", func() { attemptEach(historyAttempts) })
	Context("on the status", func() { attemptEach(statusAttempts()) })
	Context("on the catalogue", func() { attemptEach(catalogueAttempts) })

	It("type-checks without a warning", func(ctx SpecContext) {
		Eventually(func(g Gomega) {
			var policies admissionregistrationv1.ValidatingAdmissionPolicyList
			g.Expect(k8s.List(ctx, &policies)).To(Succeed())
			g.Expect(len(policies.Items)).To(BeNumerically(">=", 11))
			for _, policy := range policies.Items {
				g.Expect(policy.Status.ObservedGeneration).To(Equal(policy.Generation), policy.Name)
				g.Expect(policy.Status.TypeChecking).NotTo(BeNil(), policy.Name)
				for _, warning := range policy.Status.TypeChecking.ExpressionWarnings {
					g.Expect(fmt.Sprintf("%s: %s: %s", policy.Name, warning.FieldRef, warning.Warning)).To(BeEmpty())
				}
			}
		}).WithContext(ctx).Should(Succeed())
	})
})

// named is the metadata of an object of the cluster.
func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
