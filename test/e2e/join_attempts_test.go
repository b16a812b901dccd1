package e2e_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// Who attempts something about join requests: people of the agency that asks, and of the customer that is asked.
const (
	agencyOwner, agencyAdministrator     = "ana@tried-agency", "dana@tried-agency"
	agencyMaintainer, agencyMember       = "maya@tried-agency", "bo@tried-agency"
	customerOwner, customerAdministrator = "olga@tried", "adam@tried"
	customerViewer                       = "vera@tried"
	// requestWriter may write JoinRequests and their status in all organizations, and approve none.
	requestWriter  = "writer@tried-elsewhere"
	whatIsAsked    = "what is asked can't be changed; delete the JoinRequest and make another one"
	notRepresented = "asking for team tried-agency/designers takes the verb represent on it, " +
		"in namespace org-tried-agency; ask an owner or administrator of tried-agency to make the JoinRequest"
	notDecided = "spec.decision, spec.granted and spec.reason of join request designers are for who may approve join " +
		"requests in namespace org-tried; leave them out and wait for a decision"
	byRosterAlone = "a RoleBinding for a team of another organization is written by Roster from an approved JoinRequest and " +
		"isn't changed; delete the JoinRequest or this RoleBinding to end the access, and have the team ask anew for " +
		"something else"
	decisionStands = "a decision stands: an approved request can only be rejected, which ends the access, and a rejected one " +
		"must be made anew"
	grantStands = "spec.granted stands with the decision; set spec.decision to Rejected to end the access, and have the team " +
		"ask anew for something else"
)

// asking is a request of the agency's designers to the customer, changed a little.
func asking(change ...func(*v1alpha1.JoinRequest)) *v1alpha1.JoinRequest {
	request := joinRequest("tried", "designers", "tried-agency", "designers", "developer", "shop")
	for _, change := range change {
		change(request)
	}
	return request
}

func ofTeam(organization, team string) func(*v1alpha1.JoinRequest) {
	return func(request *v1alpha1.JoinRequest) {
		request.Spec.Team = v1alpha1.ExternalTeam{Organization: organization, Name: v1alpha1.ObjectName(team)}
	}
}

func inNamespace(organization string) func(*v1alpha1.JoinRequest) {
	return func(request *v1alpha1.JoinRequest) { request.Namespace = v1alpha1.OrganizationNamespace(organization) }
}

func forRole(role v1alpha1.RoleName) func(*v1alpha1.JoinRequest) {
	return func(request *v1alpha1.JoinRequest) { request.Spec.Role = role }
}

// The requests that are there: each of a team of the agency called like it.
var (
	waitingRequest  = joinRequest("tried", "waiting", "tried-agency", "waiting", "developer", "shop")
	approvedRequest = joinRequest("tried", "approved", "tried-agency", "approved", "developer", "shop")
	rejectedRequest = joinRequest("tried", "rejected", "tried-agency", "rejected", "developer", "shop")
	// The team of this one is gone.
	withdrawnRequest = joinRequest("tried", "withdrawn", "tried-agency", "withdrawn", "developer", "shop")
	handwritten      = &v1alpha1.RoleBinding{
		ObjectMeta: expectations.InOrganization("tried", "handwritten"),
		Spec: v1alpha1.RoleBindingSpec{
			Role: "viewer", Projects: []v1alpha1.ObjectName{"shop"},
			Subjects: []v1alpha1.Subject{{
				Kind: v1alpha1.SubjectTeam, Name: "designers", Organization: "tried-agency", UID: "any",
			}},
		},
	}
)

var joinAttempts = []attempt{
	{"an owner asks for a team", agencyOwner, creates, asking(), ""},
	{"an administrator asks for a team", agencyAdministrator, creates, asking(), ""},
	{"a maintainer asks for a team", agencyMaintainer, creates, asking(), notRepresented},
	{"a member asks for their own team", agencyMember, creates, asking(), notRepresented},
	{"an owner of the asked organization asks for another's team", customerOwner, creates, asking(), notRepresented},
	{"a team asks that isn't there", agencyOwner, creates, asking(ofTeam("tried-agency", "nobody")),
		`spec.team: there is no team "nobody" in organization "tried-agency", or no longer; correct the ` +
			"names, or delete the JoinRequest"},
	{"a role is asked for that isn't there", agencyOwner, creates, asking(forRole("wizard")),
		`spec.role: there is no role "wizard" in organization tried; ask for another one, such as viewer`},
	{"owner is asked for", agencyOwner, creates, asking(forRole("owner")),
		"owner isn't given to a team, and none grants nothing; ask for another role"},
	{"nothing is asked for", agencyOwner, creates, asking(func(r *v1alpha1.JoinRequest) { r.Spec.Projects = nil }),
		"ask for exactly one of projects and organizationWide: true"},
	{"a project and everything is asked for", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Spec.OrganizationWide = true }),
		"ask for exactly one of projects and organizationWide: true"},
	{"a project is asked for that isn't there, which the asker isn't to find out", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Spec.Projects = []v1alpha1.ObjectName{"nowhere"} }), ""},
	{"a closed organization is asked", agencyOwner, creates, asking(inNamespace("tried-closed")),
		"organization tried-closed takes no join requests (its spec.joinRequests is Closed); ask one of its owners to open them"},
	{"an organization is asked by its own team", customerOwner, creates, asking(ofTeam("tried", "home")),
		`spec.team.organization: team "home" is of organization tried itself; give it access by the Team or a RoleBinding`},
	{"an organization is asked by a team of the one above", customerOwner, creates,
		asking(ofTeam("tried", "home"), inNamespace("tried-below")),
		"spec.team.organization: organization tried-below is below tried; make the people of the team members of tried-below " +
			"instead, by Memberships"},
	{"an organization is asked by a team of one below", customerOwner, creates, asking(ofTeam("tried-below", "low")),
		"spec.team.organization: organization tried-below is below tried; make the people of the team members of tried instead, " +
			"by Memberships"},
	{"a team asks that waits already", agencyOwner, creates, asking(ofTeam("tried-agency", "waiting")),
		`spec.team: team "waiting" of organization tried-agency has asked already and waits for a decision: join request ` +
			"waiting; delete that one to ask for something else"},
	{"a team asks again that was rejected", agencyOwner, creates, asking(ofTeam("tried-agency", "rejected")), ""},
	{"who asks approves at once", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Spec.Decision = v1alpha1.JoinApproved }), notDecided},
	{"who asks says what is granted", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Spec.Granted = &v1alpha1.JoinGrant{Role: "administrator"} }), notDecided},
	{"who asks says to be somebody else", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Spec.RequestedBy = agencyMember }),
		"spec.requestedBy is the user who asks and is filled in by Roster; leave it out"},
	{"who asks keeps the request from going, by a finalizer", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Finalizers = []string{"agency.example/mine"} }),
		"metadata.finalizers would keep the join request in the organization that is asked; leave them out"},
	{"who asks names Roster's finalizer, as a copy of a request does", agencyOwner, creates,
		asking(func(r *v1alpha1.JoinRequest) { r.Finalizers = []string{v1alpha1.Finalizer} }), ""},

	{"who asked approves", agencyOwner, merges(`{"spec": {"decision": "Approved"}}`), waitingRequest,
		`User "ana@tried-agency" cannot patch resource "joinrequests" in API group "roster.dev" in the namespace "org-tried"`},
	{"a viewer rejects", customerViewer, merges(`{"spec": {"decision": "Rejected"}}`), waitingRequest,
		`User "vera@tried" cannot patch resource "joinrequests" in API group "roster.dev" in the namespace "org-tried"`},
	{"an owner approves", customerOwner, merges(`{"spec": {"decision": "Approved"}}`), waitingRequest, ""},
	{"an owner rejects and says why", customerOwner,
		merges(`{"spec": {"decision": "Rejected", "reason": "No"}}`), waitingRequest, ""},
	{"an administrator approves", customerAdministrator, merges(`{"spec": {"decision": "Approved"}}`), waitingRequest, ""},
	{"an administrator grants less", customerAdministrator,
		merges(`{"spec": {"decision": "Approved", "granted": {"role": "viewer"}}}`), waitingRequest, ""},
	{"an administrator grants a role that is an owner's to give", customerAdministrator,
		merges(`{"spec": {"decision": "Approved", "granted": {"role": "crawler"}}}`), waitingRequest,
		`spec.decision: approving team "waiting" of organization tried-agency takes the verb "assign" on role "crawler" in ` +
			"organization tried; grant less in spec.granted, or ask an owner of tried"},
	{"an administrator says beforehand that such a role is granted", customerAdministrator,
		merges(`{"spec": {"granted": {"role": "crawler"}}}`), waitingRequest,
		`spec.granted: granting it takes the verb "assign" on role "crawler" in organization tried; grant less in spec.granted, or ` +
			"ask an owner of tried"},
	{"an owner grants that role", customerOwner,
		merges(`{"spec": {"decision": "Approved", "granted": {"role": "crawler"}}}`), waitingRequest, ""},
	{"an owner grants owner", customerOwner,
		merges(`{"spec": {"decision": "Approved", "granted": {"role": "owner"}}}`), waitingRequest,
		"owner isn't given to a team, and none grants nothing; name another role, or set spec.decision: Rejected"},
	{"an owner grants a project that wasn't asked for", customerOwner,
		merges(`{"spec": {"decision": "Approved", "granted": {"projects": ["vault"]}}}`), waitingRequest,
		"spec.granted.projects can hold only projects that spec.projects asks for; leave the others out"},
	{"an owner asks for another role in the asker's name", customerOwner, merges(`{"spec": {"role": "viewer"}}`),
		waitingRequest, whatIsAsked},
	{"an owner asks for another team in the asker's name", customerOwner,
		merges(`{"spec": {"team": {"name": "designers"}}}`), waitingRequest, whatIsAsked},
	{"an owner takes the message back", customerOwner, merges(`{"spec": {"message": "Another"}}`), waitingRequest, whatIsAsked},
	{"an owner lets another user see the request", customerOwner,
		merges(`{"spec": {"requestedBy": "vera@tried"}}`), waitingRequest, whatIsAsked},
	{"an owner writes the status", customerOwner, mergesStatus(`{"status": {"phase": "Approved"}}`), waitingRequest,
		`User "olga@tried" cannot patch resource "joinrequests/status" in API group "roster.dev" in the namespace "org-tried"`},
	{"who may write statuses approves by the status", requestWriter, mergesStatus(`{"status": {"phase": "Approved"}}`),
		waitingRequest, "the status says what Roster found and is written by Roster alone; change the spec instead"},
	{"who may write requests decides", requestWriter, merges(`{"spec": {"decision": "Approved"}}`), waitingRequest,
		"spec.decision, spec.granted and spec.reason of join request waiting are for who may approve join requests in " +
			"namespace org-tried; leave them out and wait for a decision"},

	{"an owner rejects what was approved", customerOwner, merges(`{"spec": {"decision": "Rejected"}}`), approvedRequest, ""},
	{"an owner takes an approval back as if nothing had been said", customerOwner,
		merges(`{"spec": {"decision": null}}`), approvedRequest, decisionStands},
	{"an owner grants more after the approval", customerOwner,
		merges(`{"spec": {"granted": {"role": "administrator"}}}`), approvedRequest, grantStands},
	{"an owner approves what was rejected", customerOwner, merges(`{"spec": {"decision": "Approved"}}`), rejectedRequest,
		decisionStands},
	{"an owner opens what was rejected again", customerOwner, merges(`{"spec": {"decision": null}}`), rejectedRequest,
		decisionStands},

	{"an owner rejects what was rejected for another reason", customerOwner,
		merges(`{"spec": {"decision": "Rejected", "reason": "Really"}}`), rejectedRequest, ""},
	{"an owner approves what was withdrawn", customerOwner, merges(`{"spec": {"decision": "Approved"}}`), withdrawnRequest,
		`spec.team: there is no team "withdrawn" in organization "tried-agency", or no longer; correct the names, or delete ` +
			"the JoinRequest"},
	{"an owner rejects what was withdrawn", customerOwner, merges(`{"spec": {"decision": "Rejected"}}`), withdrawnRequest, ""},

	{"who asked withdraws", agencyOwner, deletes, waitingRequest, ""},
	{"who asked deletes what was rejected", agencyOwner, deletes, rejectedRequest, ""},
	{"who asked deletes what is withdrawn", agencyOwner, deletes, withdrawnRequest, ""},
	{"who asked says something else", agencyOwner, merges(`{"spec": {"message": "Please"}}`), waitingRequest,
		`User "ana@tried-agency" cannot patch resource "joinrequests" in API group "roster.dev" in the namespace "org-tried"`},
	{"who asked withdraws what was approved", agencyOwner, deletes, approvedRequest, ""},
	{"somebody else of the agency withdraws", agencyAdministrator, deletes, waitingRequest,
		`User "dana@tried-agency" cannot delete resource "joinrequests" in API group "roster.dev" in the namespace "org-tried"`},
	{"an administrator of the asked organization deletes it", customerAdministrator, deletes, waitingRequest, ""},

	{"an owner lets a team in by a RoleBinding", customerOwner, creates, handwritten, byRosterAlone},
}

// joinWorld makes the organizations and requests that are tried.
func joinWorld(ctx context.Context) {
	GinkgoHelper()
	agency := expectations.Organization("tried-agency", agencyOwner)
	customer := expectations.Organization("tried", customerOwner)
	closed := expectations.Organization("tried-closed", customerOwner)
	closed.Spec.JoinRequests = v1alpha1.JoinRequestsClosed
	below := expectations.Organization("tried-below", customerOwner)
	below.Spec.Parent = "tried"
	expect.Create(ctx, agency, customer, closed, below)
	expect.Ready(ctx, agency, customer, closed, below)
	crawler := &v1alpha1.Role{ObjectMeta: expectations.InOrganization("tried", "crawler")}
	crawler.Spec.Includes = []v1alpha1.RoleName{"viewer"}
	expect.Create(ctx, crawler,
		expectations.Membership("tried-agency", "dana", agencyAdministrator, "administrator"),
		expectations.Membership("tried-agency", "maya", agencyMaintainer, "maintainer"),
		expectations.Membership("tried-agency", "bo", agencyMember),
		expectations.Membership("tried", "adam", customerAdministrator, "administrator"),
		expectations.Membership("tried", "vera", customerViewer, "viewer"),
		expectations.Project("tried", "shop"))
	for _, name := range []string{"designers", "waiting", "approved", "rejected", "withdrawn"} {
		team := &v1alpha1.Team{ObjectMeta: expectations.InOrganization("tried-agency", name)}
		team.Spec.Members = []v1alpha1.Username{agencyMember}
		expect.Create(ctx, team)
	}
	home := &v1alpha1.Team{ObjectMeta: expectations.InOrganization("tried", "home")}
	low := &v1alpha1.Team{ObjectMeta: expectations.InOrganization("tried-below", "low")}
	expect.Create(ctx, home, low)
	expect.Ready(ctx, crawler, home, low)
	expect.Allowed(ctx, agencyAdministrator, "represent teams.roster.dev", "org-tried-agency")
	expect.Allowed(ctx, customerAdministrator, "approve joinrequests.roster.dev", "org-tried")
	giveInCluster(ctx, requestWriter, rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"joinrequests", "joinrequests/status"},
		Verbs: []string{"get", "update", "patch"},
	})

	asAgency := clientFor(cluster.As(agencyOwner))
	for _, request := range []*v1alpha1.JoinRequest{waitingRequest, approvedRequest, rejectedRequest, withdrawnRequest} {
		Expect(asAgency.Create(ctx, request)).To(Succeed())
		phase(ctx, request, v1alpha1.JoinRequestPending)
		expect.Allowed(ctx, customerOwner, "approve joinrequests.roster.dev", "org-tried")
	}
	Expect(patchAs(ctx, customerOwner, approvedRequest, `{"spec": {"decision": "Approved"}}`)).To(Succeed())
	Expect(patchAs(ctx, customerAdministrator, rejectedRequest, `{"spec": {"decision": "Rejected"}}`)).To(Succeed())
	expect.Delete(ctx, &v1alpha1.Team{ObjectMeta: expectations.InOrganization("tried-agency", "withdrawn")})
	phase(ctx, withdrawnRequest, v1alpha1.JoinRequestWithdrawn)
	phase(ctx, approvedRequest, v1alpha1.JoinRequestApproved)
	phase(ctx, rejectedRequest, v1alpha1.JoinRequestRejected)
	Eventually(func() error {
		return asAgency.Get(ctx, client.ObjectKeyFromObject(approvedRequest), &v1alpha1.JoinRequest{})
	}).WithContext(ctx).Should(Succeed())
}

var _ = Describe("About a join request, the API server", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { joinWorld(ctx) })

	attemptEach(joinAttempts)

	It("refuses an owner who changes the RoleBinding of an approved one, and lets them delete it", func(ctx SpecContext) {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(approvedRequest), approvedRequest)).To(Succeed())
		binding := &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization("tried", approvedRequest.Status.RoleBinding)}
		Expect(patchAs(ctx, customerOwner, binding, `{"spec": {"role": "administrator"}}`)).To(
			MatchError(HaveSuffix(": " + byRosterAlone)))
		// Roster ends the access of what is the request's own.
		Expect(patchAs(ctx, customerOwner, binding, `{"metadata": {"ownerReferences": null}}`)).To(
			MatchError(HaveSuffix(": " + byRosterAlone)))
		Expect(clientFor(cluster.As(customerOwner)).Delete(ctx, binding, client.DryRunAll)).To(Succeed())
	})

	It("refuses an eleventh that waits", func(ctx SpecContext) {
		agency(ctx, "flooding")
		customer(ctx, "flooded")
		asFlooder := clientFor(cluster.As("ana@flooding"))
		for i := range 11 {
			name := fmt.Sprintf("team%d", i)
			expect.Create(ctx, &v1alpha1.Team{ObjectMeta: expectations.InOrganization("flooding", name)})
			err := asFlooder.Create(ctx, joinRequest("flooded", name, "flooding", name, "viewer", "shop"))
			if i < 10 {
				Expect(err).NotTo(HaveOccurred(), name)
				continue
			}
			Expect(err).To(MatchError(HaveSuffix(": organization flooding would have 11 join requests that wait for a decision; " +
				"the bound is 10: wait for a decision, or delete one, or ask a cluster administrator to raise the manager's " +
				"flag --max-join-requests")))
		}
	})
})
