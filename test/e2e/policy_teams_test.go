package e2e_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	membersAlone = "maintainers of team makers change its spec.members and spec.maintainers and nothing else of it; ask " +
		"somebody for the rest who may create teams in namespace org-policed"
	notTheirTeam = "team others is changed by its maintainers, and by who may create teams in namespace org-policed; ask one " +
		"of them to change it, or to add you to its spec.maintainers"
)

var (
	makers     = &v1alpha1.Team{ObjectMeta: expectations.InOrganization(policed, "makers")}
	otherTeam  = &v1alpha1.Team{ObjectMeta: expectations.InOrganization(policed, "others")}
	anotherOne = &v1alpha1.Team{ObjectMeta: expectations.InOrganization(policed, "another")}
)

var teamAttempts = []attempt{
	{"its maintainer adds a member", theTeamMaintainer,
		jsonPatches(`[{"op": "add", "path": "/spec/members/-", "value": "emil@policed.example"}]`), makers, ""},
	{"its maintainer takes everybody out", theTeamMaintainer, merges(`{"spec": {"members": null}}`), makers, ""},
	{"its maintainer names another maintainer", theTeamMaintainer,
		merges(`{"spec": {"maintainers": ["gita@policed.example", "dora@policed.example"]}}`), makers, ""},
	{"its maintainer replaces the members", theTeamMaintainer,
		replaces(func(t *v1alpha1.Team) { t.Spec.Members = []v1alpha1.Username{theTeamMaintainer} }), makers, ""},
	{"its maintainer changes the members by server-side apply", theTeamMaintainer,
		applies(`{spec: {members: [gita@policed.example]}}`), makers, ""},
	{"its maintainer changes the role", theTeamMaintainer, merges(`{"spec": {"role": "administrator"}}`), makers, membersAlone},
	{"its maintainer changes the role by server-side apply", theTeamMaintainer,
		applies(`{spec: {role: administrator}}`), makers, membersAlone},
	{"its maintainer changes the role together with the members", theTeamMaintainer,
		replaces(func(t *v1alpha1.Team) {
			t.Spec.Members, t.Spec.Role = []v1alpha1.Username{theTeamMaintainer}, "maintainer"
		}), makers, membersAlone},
	{"its maintainer adds a project", theTeamMaintainer,
		merges(`{"spec": {"projects": ["shop", "vault"]}}`), makers, membersAlone},
	{"its maintainer takes every project", theTeamMaintainer,
		merges(`{"spec": {"projects": null, "allProjects": true}}`), makers, membersAlone},
	{"its maintainer selects projects by label", theTeamMaintainer,
		merges(`{"spec": {"projects": null, "projectSelector": {"matchLabels": {"a": "b"}}}}`), makers, membersAlone},
	{"its maintainer takes role and projects away", theTeamMaintainer,
		merges(`{"spec": {"projects": null, "role": null}}`), makers, membersAlone},
	{"its maintainer makes it a child of another", theTeamMaintainer,
		merges(`{"spec": {"parent": "others"}}`), makers, membersAlone},
	{"its maintainer adds a group of the identity provider", theTeamMaintainer,
		merges(`{"spec": {"identityGroup": "oidc:everybody"}}`), makers, membersAlone},
	{"its maintainer changes its description", theTeamMaintainer,
		merges(`{"spec": {"description": "Ours"}}`), makers, membersAlone},
	{"its maintainer labels it", theTeamMaintainer, merges(`{"metadata": {"labels": {"a": "b"}}}`), makers, membersAlone},
	{"its maintainer annotates it", theTeamMaintainer,
		merges(`{"metadata": {"annotations": {"a": "b"}}}`), makers, membersAlone},
	{"its maintainer adds a finalizer", theTeamMaintainer,
		jsonPatches(`[{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/held"}]`), makers, membersAlone},
	{"its maintainer lets it go with an object that isn't there", theTeamMaintainer,
		merges(`{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "0"}]}}`),
		makers, membersAlone},
	{"its maintainer adds themself to another team", theTeamMaintainer,
		merges(`{"spec": {"members": ["gita@policed.example"]}}`), otherTeam, notTheirTeam},
	{"its maintainer makes themself one of another team", theTeamMaintainer,
		merges(`{"spec": {"maintainers": ["gita@policed.example"]}}`), otherTeam, notTheirTeam},
	{"its maintainer makes a team", theTeamMaintainer, creates, anotherOne, `User "gita@policed.example" cannot create ` +
		`resource "teams" in API group "roster.dev" in the namespace "org-policed"`},
	{"its maintainer deletes it", theTeamMaintainer, deletes, makers, `User "gita@policed.example" cannot delete ` +
		`resource "teams" in API group "roster.dev" in the namespace "org-policed"`},
	{"a developer adds themself", theDeveloper, merges(`{"spec": {"members": ["dora@policed.example"]}}`), otherTeam,
		`User "dora@policed.example" cannot patch resource "teams" in API group "roster.dev" in the namespace "org-policed"`},
	{"a maintainer of the organization changes its description", theMaintainer,
		merges(`{"spec": {"description": "Ours"}, "metadata": {"labels": {"a": "b"}}}`), makers, ""},
	{"a maintainer of the organization takes its projects away", theMaintainer,
		merges(`{"spec": {"projects": null, "role": null}}`), otherTeam, ""},
}

var _ = Describe("A Team of the greatest size", func() {
	It("is within what the policies may cost, for its last maintainer too", func(ctx SpecContext) {
		acme := openAccount(ctx, "crowd")
		acme.join(ctx, "gita", "member")
		crowd := &v1alpha1.Team{ObjectMeta: expectations.InOrganization(acme.Name, "crowd"), Spec: v1alpha1.TeamSpec{
			Role: "viewer",
		}}
		for n := range 5000 {
			crowd.Spec.Members = append(crowd.Spec.Members, v1alpha1.Username(fmt.Sprintf("somebody-%04d@crowd.example", n)))
		}
		for n := range 2000 {
			crowd.Spec.Projects = append(crowd.Spec.Projects, v1alpha1.ObjectName(fmt.Sprintf("project-%04d", n)))
		}
		for n := range 49 {
			crowd.Spec.Maintainers = append(crowd.Spec.Maintainers, v1alpha1.Username(fmt.Sprintf("maintainer-%d", n)))
		}
		crowd.Spec.Maintainers = append(crowd.Spec.Maintainers, v1alpha1.Username(acme.user("gita")))
		expect.Create(ctx, crowd)
		expect.Allowed(ctx, acme.user("gita"), "patch teams.roster.dev", acme.namespace())

		attempt{"its last maintainer takes the first member out", acme.user("gita"),
			jsonPatches(`[{"op": "remove", "path": "/spec/members/0"}]`), crowd, ""}.expectAnswer(ctx)
		attempt{"its last maintainer takes the last project out", acme.user("gita"),
			jsonPatches(`[{"op": "remove", "path": "/spec/projects/1999"}]`), crowd,
			"maintainers of team crowd change its spec.members and spec.maintainers and nothing else of it; ask somebody for " +
				"the rest who may create teams in namespace org-crowd"}.expectAnswer(ctx)
	})
})
