package e2e_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	confirmOrganization = "with organization policed goes all access that it gives; if that is meant, confirm it and delete " +
		"it again: kubectl annotate organizations.roster.dev policed roster.dev/confirm-deletion=policed"
	confirmMistaken = "with organization policed-mistaken goes all access that it gives; if that is meant, confirm it and " +
		"delete it again: kubectl annotate organizations.roster.dev policed-mistaken " +
		"roster.dev/confirm-deletion=policed-mistaken"
	confirmProject = "with project vault go its namespaces and all that is in them, as its deletionPolicy is Delete; if that " +
		"is meant, confirm it and delete it again: kubectl annotate --namespace org-policed projects.roster.dev vault " +
		"roster.dev/confirm-deletion=vault"
	confirmNamespace = "with namespace policed-shop of organization policed goes all that is in it; if that is meant, confirm " +
		"it and delete it again: kubectl annotate namespaces policed-shop roster.dev/confirm-deletion=policed-shop"
	confirmOrganizationNamespace = "with namespace org-policed of organization policed goes all that is in it; if that is " +
		"meant, confirm it and delete it again: kubectl annotate namespaces org-policed roster.dev/confirm-deletion=org-policed"
)

var deletionAttempts = []attempt{
	{"an owner deletes the organization", theOwner, deletes, ourOrganization, confirmOrganization},
	{"an administrator of the cluster deletes an organization", "", deletes, ourOrganization, confirmOrganization},
	{"an administrator of the cluster deletes organizations all at once", "", deletesCollection, ourOrganization,
		confirmOrganization},
	{"somebody deletes an organization that was confirmed by another's name", "", deletes,
		expectations.Organization("policed-mistaken", theOwner), confirmMistaken},
	{"an owner deletes an organization and has confirmed it", theOwner, deletes,
		expectations.Organization("policed-leaving", theOwner), ""},
	{"an administrator of the cluster deletes at once what is confirmed", "", deletesCollection,
		expectations.Organization("policed-leaving", theOwner), ""},
	{"an owner writes the confirmation", theOwner,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "policed"}}}`), ourOrganization, ""},
	{"somebody who may only change projects confirms a deletion beforehand", theUpdater,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "vault"}}}`), expectations.Project(policed, "vault"),
		confirmedByDeleters("vault")},
	{"somebody who may only make projects confirms a deletion beforehand", theUpdater, creates, confirmed("fresh"),
		confirmedByDeleters("fresh")},
	{"somebody who may only change projects changes one that is confirmed", theUpdater,
		merges(`{"spec": {"description": "Ours"}}`), expectations.Project(policed, "archive"), ""},
	{"somebody who may only change projects takes a confirmation back", theUpdater,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": null}}}`), expectations.Project(policed, "archive"), ""},
	{"a maintainer confirms a deletion", theMaintainer,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "vault"}}}`), expectations.Project(policed, "vault"), ""},
	{"a maintainer deletes a project with its namespaces", theMaintainer, deletes,
		expectations.Project(policed, "vault"), confirmProject},
	{"an administrator of the cluster deletes a project with its namespaces", "", deletes,
		expectations.Project(policed, "vault"), confirmProject},
	{"a pipeline deletes projects all at once", thePipeline, deletesCollection,
		expectations.Project(policed, "vault"), confirmProject},
	{"a maintainer deletes a project with its namespaces and has confirmed it", theMaintainer, deletes,
		expectations.Project(policed, "archive"), ""},
	{"a maintainer deletes a project that keeps its namespaces", theMaintainer, deletes,
		expectations.Project(policed, "shop"), ""},
	{"an administrator of the cluster deletes a project's namespace", "", deletes,
		namespaceNamed("policed-shop", nil), confirmNamespace},
	{"somebody who may only change namespaces confirms a deletion beforehand", theUpdater,
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "policed-shop"}}}`), namespaceNamed("policed-shop", nil),
		"metadata.annotations: roster.dev/confirm-deletion confirms that namespace policed-shop of organization policed is " +
			"deleted, and is set by whoever may delete all namespaces; leave it as it is"},
	{"an administrator of the cluster confirms the deletion of a namespace", "",
		merges(`{"metadata": {"annotations": {"roster.dev/confirm-deletion": "policed-shop"}}}`), namespaceNamed("policed-shop", nil), ""},
	{"an administrator of the cluster deletes an organization's namespace", "", deletes,
		namespaceNamed("org-policed", nil), confirmOrganizationNamespace},
	{"an administrator of the cluster deletes a namespace and has confirmed it", "", deletes,
		namespaceNamed("policed-archive", nil), ""},
	{"an owner deletes a project's namespace", theOwner, deletes, namespaceNamed("policed-archive", nil),
		`User "owner@policed.example" cannot delete resource "namespaces" in API group "" in the namespace "policed-archive"`},
}

// confirmed is a project whose deletion is confirmed from the beginning.
func confirmed(name string) *v1alpha1.Project {
	project := expectations.Project(policed, name)
	project.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: name}
	return project
}

func confirmedByDeleters(project string) string {
	return "metadata.annotations: roster.dev/confirm-deletion confirms that project " + project + " is deleted, and is set by " +
		"whoever may delete it; leave it out, or ask somebody who may delete projects in namespace org-policed"
}

const throughRoster = "access to namespace policed-shop of organization policed is given through Roster, not by " +
	"RoleBindings of rbac.authorization.k8s.io; make a Membership, Team or RoleBinding of roster.dev in namespace " +
	"org-policed instead"

var bindingAttempts = []attempt{
	{"an administrator makes one", theAdministrator, creates, handMade("policed-shop", "mine", "view", "eve"), throughRoster},
	{"an owner makes one", theOwner, creates, handMade("policed-shop", "mine", "view", "eve"), throughRoster},
	{"an administrator binds a service account", theAdministrator, creates, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "policed-shop", Name: "mine"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "policed-shop", Name: "default"}},
	}, throughRoster},
	{"an administrator makes one by server-side apply", theAdministrator,
		applies(`{roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}`),
		handMade("policed-shop", "mine", "view", "eve"), throughRoster},
	{"an administrator adds somebody to one that is there", theAdministrator,
		jsonPatches(`[{"op": "add", "path": "/subjects/-", "value":
			{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}}]`),
		handMade("policed-shop", "legacy", "view", ""), throughRoster},
	{"an administrator adds somebody to one of Roster's", theAdministrator,
		jsonPatches(`[{"op": "add", "path": "/subjects/-", "value":
			{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}}]`),
		handMade("policed-shop", "roster:catalogue:viewer:project", "", ""), throughRoster},
	{"an administrator makes one by hand in the organization's namespace", theAdministrator, creates,
		handMade("org-policed", "mine", "view", "eve"), `User "bo@policed.example" cannot create resource "rolebindings" in ` +
			`API group "rbac.authorization.k8s.io" in the namespace "org-policed"`},
	{"an administrator deletes one that is there", theAdministrator, deletes,
		handMade("policed-shop", "legacy", "view", ""), ""},
	{"an administrator makes a Role of Kubernetes", theAdministrator, creates, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: "policed-shop", Name: "mine"},
	}, ""},
	{"who may bind in the whole cluster makes one", theBinder, creates, handMade("policed-shop", "mine", "view", "eve"), ""},
	{"who may bind in the whole cluster adds somebody to one", theBinder,
		jsonPatches(`[{"op": "add", "path": "/subjects/-", "value":
			{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}}]`),
		handMade("policed-shop", "legacy", "view", ""), ""},
	{"an administrator of the cluster makes one", "", creates, handMade("policed-shop", "mine", "view", "eve"), ""},
}

var _ = Describe("A deletion that is confirmed", func() {
	It("is refused, confirmed with the very command that the refusal names, and done", func(ctx SpecContext) {
		acme := openAccount(ctx, "confirmed")
		project := expectations.Project(acme.Name, "shop")
		project.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		made(ctx, project)
		_, err := cluster.Kubectl(ctx, "delete", "--namespace", acme.namespace(), "projects.roster.dev", "shop", "--wait=false")
		Expect(err).To(MatchError(ContainSubstring("kubectl annotate --namespace org-confirmed projects.roster.dev shop " +
			"roster.dev/confirm-deletion=shop")))
		_, err = cluster.Kubectl(ctx, "annotate", "--namespace", "org-confirmed", "projects.roster.dev", "shop",
			"roster.dev/confirm-deletion=shop")
		Expect(err).NotTo(HaveOccurred())
		_, err = cluster.Kubectl(ctx, "delete", "--namespace", acme.namespace(), "projects.roster.dev", "shop", "--wait=false")
		Expect(err).NotTo(HaveOccurred())
		expect.Gone(ctx, project, namespaceNamed("confirmed-shop", nil))

		_, err = cluster.Kubectl(ctx, "delete", "organizations.roster.dev", "confirmed", "--wait=false")
		Expect(err).To(MatchError(ContainSubstring("kubectl annotate organizations.roster.dev confirmed " +
			"roster.dev/confirm-deletion=confirmed")))
		_, err = cluster.Kubectl(ctx, "annotate", "organizations.roster.dev", "confirmed", "roster.dev/confirm-deletion=confirmed")
		Expect(err).NotTo(HaveOccurred())
		_, err = cluster.Kubectl(ctx, "delete", "organizations.roster.dev", "confirmed", "--wait=false")
		Expect(err).NotTo(HaveOccurred())
		expect.Gone(ctx, acme.Organization, namespaceNamed("org-confirmed", nil))
	})
})

var _ = Describe("A deletion in the foreground", func() {
	It("is finished by the garbage collector, which no policy holds up", func(ctx SpecContext) {
		acme := openAccount(ctx, "foreground")
		acme.project(ctx, "shop")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{Role: "viewer", Projects: objectNames("shop")})
		Expect(k8s.Delete(ctx, team, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		expect.Gone(ctx, team)
		expect.Delete(ctx, expectations.Project(acme.Name, "shop"))
		expect.Confirm(ctx, acme.Organization)
		Expect(k8s.Delete(ctx, acme.Organization, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		expect.Gone(ctx, acme.Organization)
	})
})
