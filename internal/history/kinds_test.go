package history

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// end is a moment at which something ends.
var end = metav1.NewTime(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))

// stampedMeta is the metadata of an object that ana changed last.
func stampedMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "org-acme", Name: "it", UID: "uid", Generation: 7, ResourceVersion: "70",
		Annotations: map[string]string{v1alpha1.AnnotationChangedBy: "ana"},
	}
}

// line is a change of one field of an object: its old and new values, what the change is called and what is recorded of it.
type line struct {
	before, after               client.Object
	action, field               string
	previous, next              string
	isWarning, isOfRosterItself bool
}

// of makes a line from what the spec or status was and became.
func of[T client.Object](action, field, previous, next string, object T, before, after func(T)) line {
	old, changed := object.DeepCopyObject().(T), object.DeepCopyObject().(T)
	before(old)
	after(changed)
	return line{before: old, after: changed, action: action, field: field, previous: previous, next: next}
}

func nothing[T client.Object](T) {}

func (l line) byRoster() line {
	l.isOfRosterItself = true
	return l
}

func (l line) warning() line {
	l.isWarning = true
	return l
}

var (
	organization = &v1alpha1.Organization{ObjectMeta: stampedMeta()}
	membership   = &v1alpha1.Membership{ObjectMeta: stampedMeta()}
	team         = &v1alpha1.Team{ObjectMeta: stampedMeta()}
	project      = &v1alpha1.Project{ObjectMeta: stampedMeta()}
	role         = &v1alpha1.Role{ObjectMeta: stampedMeta()}
	binding      = &v1alpha1.RoleBinding{ObjectMeta: stampedMeta()}
	joinRequest  = &v1alpha1.JoinRequest{ObjectMeta: stampedMeta()}
	user         = &v1alpha1.User{ObjectMeta: stampedMeta()}
)

type (
	org   = *v1alpha1.Organization
	mbr   = *v1alpha1.Membership
	tm    = *v1alpha1.Team
	proj  = *v1alpha1.Project
	rrole = *v1alpha1.Role
	rrb   = *v1alpha1.RoleBinding
	jr    = *v1alpha1.JoinRequest
	usr   = *v1alpha1.User
)

var lines = []line{
	of("OrganizationRenamed", "spec.displayName", "", "Acme", organization, nothing, func(o org) { o.Spec.DisplayName = "Acme" }),
	of("OrganizationDescribed", "spec.description", "", "Rockets", organization, nothing,
		func(o org) { o.Spec.Description = "Rockets" }),
	of("OrganizationMoved", "spec.parent", "acme", "", organization, func(o org) { o.Spec.Parent = "acme" }, nothing),
	of("OrganizationTypeChanged", "spec.type", "Personal", "Standard", organization,
		func(o org) { o.Spec.Type = v1alpha1.OrganizationPersonal }, func(o org) { o.Spec.Type = v1alpha1.OrganizationStandard }),
	of("OwnersAdded", "spec.owners", `["ana"]`, `["ana","bo"]`, organization,
		func(o org) { o.Spec.Owners = names("ana") }, func(o org) { o.Spec.Owners = names("ana", "bo") }),
	of("OwnersRemoved", "spec.owners", `["ana","bo"]`, `["bo"]`, organization,
		func(o org) { o.Spec.Owners = names("ana", "bo") }, func(o org) { o.Spec.Owners = names("bo") }),
	of("OwnersChanged", "spec.owners", `["ana"]`, `["bo"]`, organization,
		func(o org) { o.Spec.Owners = names("ana") }, func(o org) { o.Spec.Owners = names("bo") }),
	of("MFARequired", "spec.requireMFA", "false", "true", organization, nothing, func(o org) { o.Spec.RequireMFA = true }),
	of("MFANotRequired", "spec.requireMFA", "true", "false", organization, func(o org) { o.Spec.RequireMFA = true }, nothing),
	of("MembershipPolicyChanged", "spec.membership", "", `{"defaultRoles":["viewer"]}`, organization, nothing,
		func(o org) { o.Spec.Membership.DefaultRoles = []v1alpha1.RoleName{"viewer"} }),
	of("JoinRequestPolicyChanged", "spec.joinRequests", "Open", "Closed", organization,
		func(o org) { o.Spec.JoinRequests = v1alpha1.JoinRequestsOpen },
		func(o org) { o.Spec.JoinRequests = v1alpha1.JoinRequestsClosed }),
	of("SafeguardsChanged", "spec.safeguards", "", `{"maxRemovalPercent":100}`, organization, nothing,
		func(o org) { o.Spec.Safeguards.MaxRemovalPercent = ptr.To[int32](100) }),
	of("ReportPolicyChanged", "spec.reports", "", `{"monthly":true}`, organization, nothing,
		func(o org) { o.Spec.Reports.Monthly = true }),
	of("RemovalsApproved", "metadata.annotations[roster.dev/approve-removals]", "", "d1", organization, nothing,
		func(o org) { o.Annotations[v1alpha1.AnnotationApproveRemovals] = "d1" }),
	of("RemovalsHeld", "status.heldRemovals", "", "2 users, digest d1: bo, cy", organization, nothing, func(o org) {
		o.Status.HeldRemovals = &v1alpha1.HeldRemovals{Digest: "d1", Count: 2, Users: []string{"bo", "cy"}}
	}).byRoster().warning(),
	of("RemovalsNoLongerHeld", "status.heldRemovals", "1 users, digest d1: bo", "", organization, func(o org) {
		o.Status.HeldRemovals = &v1alpha1.HeldRemovals{Digest: "d1", Count: 1, Users: []string{"bo"}}
	}, nothing).byRoster(),

	of("MemberIdentified", "spec.user", "", "bo", membership, nothing, func(m mbr) { m.Spec.User = "bo" }),
	of("MemberAddressChanged", "spec.email", "", "bo@x", membership, nothing, func(m mbr) { m.Spec.Email = "bo@x" }),
	of("MemberRenamed", "spec.displayName", "", "Bo", membership, nothing, func(m mbr) { m.Spec.DisplayName = "Bo" }),
	of("MemberRolesChanged", "spec.roles", `["viewer"]`, `["developer"]`, membership,
		func(m mbr) { m.Spec.Roles = []v1alpha1.RoleName{"viewer"} }, func(m mbr) { m.Spec.Roles = []v1alpha1.RoleName{"developer"} }),
	of("InvitationChanged", "spec.invitation", "", "invited", membership, nothing,
		func(m mbr) { m.Spec.Invitation = &v1alpha1.InvitationSpec{} }),
	of("InvitationAnswered", "spec.response", "", "Accepted", membership, nothing,
		func(m mbr) { m.Spec.Response = v1alpha1.InvitationAccepted }),
	of("InvitationResent", "metadata.annotations[roster.dev/resend-invitation]", "", "again", membership, nothing,
		func(m mbr) { m.Annotations[v1alpha1.AnnotationResendInvitation] = "again" }),
	of("MemberAddressConfirmed", "spec.confirmed", "", "bo@x", membership, nothing,
		func(m mbr) { m.Spec.Confirmed = &v1alpha1.ConfirmedAddress{Email: "bo@x", At: end} }),
	of("MemberSuspended", "spec.suspended", "false", "true", membership, nothing, func(m mbr) { m.Spec.Suspended = true }),
	of("MemberResumed", "spec.suspended", "true", "false", membership, func(m mbr) { m.Spec.Suspended = true }, nothing),
	of("MemberExpiryChanged", "spec.expiresAt", "", "2030-01-02T03:04:05Z", membership, nothing,
		func(m mbr) { m.Spec.ExpiresAt = &end }),
	of("MemberExpired", "status.phase", "", "Expired", membership,
		func(m mbr) { m.Status.Phase = v1alpha1.MembershipActive }, func(m mbr) { m.Status.Phase = v1alpha1.MembershipExpired }).byRoster(),
	of("MemberHeldBack", "status.suspendedBecause", "", "MFARequired", membership, nothing,
		func(m mbr) { m.Status.SuspendedBecause = v1alpha1.SuspendedMFARequired }).byRoster(),

	of("TeamRenamed", "spec.displayName", "", "Press", team, nothing, func(t tm) { t.Spec.DisplayName = "Press" }),
	of("TeamDescribed", "spec.description", "", "Writers", team, nothing, func(t tm) { t.Spec.Description = "Writers" }),
	of("TeamMoved", "spec.parent", "", "staff", team, nothing, func(t tm) { t.Spec.Parent = "staff" }),
	of("TeamMembersAdded", "spec.members", "", `["bo"]`, team, nothing, func(t tm) { t.Spec.Members = names("bo") }),
	of("TeamMembersRemoved", "spec.members", `["bo"]`, "", team, func(t tm) { t.Spec.Members = names("bo") }, nothing),
	of("TeamMaintainersAdded", "spec.maintainers", "", `["bo"]`, team, nothing, func(t tm) { t.Spec.Maintainers = names("bo") }),
	of("TeamGroupChanged", "spec.identityGroup", "", "oidc:press", team, nothing, func(t tm) { t.Spec.IdentityGroup = "oidc:press" }),
	of("TeamRoleChanged", "spec.role", "viewer", "developer", team,
		func(t tm) { t.Spec.Role = "viewer" }, func(t tm) { t.Spec.Role = "developer" }),
	of("TeamProjectsRemoved", "spec.projects", `["a","b"]`, `["a"]`, team,
		func(t tm) { t.Spec.Projects = []v1alpha1.ObjectName{"a", "b"} }, func(t tm) { t.Spec.Projects = []v1alpha1.ObjectName{"a"} }),
	of("TeamProjectsChanged", "spec.projectSelector", "", `{"matchLabels":{"tier":"gold"}}`, team, nothing,
		func(t tm) {
			t.Spec.ProjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
		}),
	of("TeamProjectsAll", "spec.allProjects", "false", "true", team, nothing, func(t tm) { t.Spec.AllProjects = true }),

	of("ProjectRenamed", "spec.displayName", "", "Shop", project, nothing, func(p proj) { p.Spec.DisplayName = "Shop" }),
	of("ProjectDescribed", "spec.description", "", "Sells", project, nothing, func(p proj) { p.Spec.Description = "Sells" }),
	of("ProjectNamespacesAdded", "spec.namespaces", "", `["acme-shop"]`, project, nothing,
		func(p proj) { p.Spec.Namespaces = []v1alpha1.NamespaceName{"acme-shop"} }),
	of("ProjectDeletionPolicyChanged", "spec.deletionPolicy", "Retain", "Delete", project,
		func(p proj) { p.Spec.DeletionPolicy = v1alpha1.DeletionRetain }, func(p proj) { p.Spec.DeletionPolicy = v1alpha1.DeletionDelete }),
	of("ProjectLabelled", "metadata.labels", "", `{"tier":"gold"}`, project, nothing,
		func(p proj) { p.Labels = map[string]string{"tier": "gold"} }),

	of("RoleRenamed", "spec.displayName", "", "Crawler", role, nothing, func(r rrole) { r.Spec.DisplayName = "Crawler" }),
	of("RoleDescribed", "spec.description", "", "Crawls", role, nothing, func(r rrole) { r.Spec.Description = "Crawls" }),
	of("RoleOrganizationRulesChanged", "spec.organizationRules", `[{"verbs":["get"]}]`, "", role,
		func(r rrole) { r.Spec.OrganizationRules = []rbacv1.PolicyRule{{Verbs: []string{"get"}}} }, nothing),
	of("RoleIncludesAdded", "spec.includes", "", `["viewer"]`, role, nothing,
		func(r rrole) { r.Spec.Includes = []v1alpha1.RoleName{"viewer"} }),
	of("RoleClusterRolesRemoved", "spec.clusterRoles", `["edit"]`, "", role,
		func(r rrole) { r.Spec.ClusterRoles = []string{"edit"} }, nothing),
	of("RoleRulesChanged", "spec.rules", "", `[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]`, role, nothing,
		func(r rrole) {
			r.Spec.Rules = []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
		}),
	of("RolePermissionsAdded", "spec.permissions", "", `["crawls.start"]`, role, nothing,
		func(r rrole) { r.Spec.Permissions = []v1alpha1.Permission{"crawls.start"} }),
	of("RolePermissionsRemoved", "spec.permissions", `["crawls.start"]`, "", role,
		func(r rrole) { r.Spec.Permissions = []v1alpha1.Permission{"crawls.start"} }, nothing),

	of("BindingRoleChanged", "spec.role", "viewer", "editor", binding,
		func(b rrb) { b.Spec.Role = "viewer" }, func(b rrb) { b.Spec.Role = "editor" }),
	of("BindingSubjectsAdded", "spec.subjects", "", `["User bo","ServiceAccount acme-shop/ci"]`, binding, nothing, func(b rrb) {
		b.Spec.Subjects = []v1alpha1.Subject{
			{Kind: v1alpha1.SubjectUser, Name: "bo"}, {Kind: v1alpha1.SubjectServiceAccount, Namespace: "acme-shop", Name: "ci"}}
	}),
	of("BindingSubjectsAdded", "spec.subjects", "", `["Team agency/press"]`, binding, nothing, func(b rrb) {
		b.Spec.Subjects = []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Organization: "agency", Name: "press"}}
	}),
	of("BindingProjectsAdded", "spec.projects", "", `["shop"]`, binding, nothing,
		func(b rrb) { b.Spec.Projects = []v1alpha1.ObjectName{"shop"} }),
	of("BindingProjectsChanged", "spec.projectSelector", "", `{"matchLabels":{"tier":"gold"}}`, binding, nothing,
		func(b rrb) {
			b.Spec.ProjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
		}),
	of("BindingOrganizationWide", "spec.organizationWide", "false", "true", binding, nothing,
		func(b rrb) { b.Spec.OrganizationWide = true }),
	of("BindingBeginningChanged", "spec.notBefore", "", "2030-01-02T03:04:05Z", binding, nothing,
		func(b rrb) { b.Spec.NotBefore = &end }),
	of("BindingExpiryChanged", "spec.expiresAt", "2030-01-02T03:04:05Z", "", binding, func(b rrb) { b.Spec.ExpiresAt = &end }, nothing),
	of("BindingExpired", "status.conditions[Ready]", "", "Expired", binding, nothing, func(b rrb) {
		b.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: "Expired"}}
	}).byRoster(),

	of("JoinRequestChanged", "spec.team", "agency/press", "agency/design", joinRequest,
		func(j jr) { j.Spec.Team = v1alpha1.ExternalTeam{Organization: "agency", Name: "press"} },
		func(j jr) { j.Spec.Team = v1alpha1.ExternalTeam{Organization: "agency", Name: "design"} }),
	of("JoinRequestChanged", "spec.role", "", "viewer", joinRequest, nothing, func(j jr) { j.Spec.Role = "viewer" }),
	of("JoinRequestProjectsAdded", "spec.projects", "", `["shop"]`, joinRequest, nothing,
		func(j jr) { j.Spec.Projects = []v1alpha1.ObjectName{"shop"} }),
	of("JoinRequestOrganizationWide", "spec.organizationWide", "false", "true", joinRequest, nothing,
		func(j jr) { j.Spec.OrganizationWide = true }),
	of("JoinRequestChanged", "spec.message", "", "Let us in", joinRequest, nothing, func(j jr) { j.Spec.Message = "Let us in" }),
	of("JoinRequestChanged", "spec.requestedBy", "", "ana", joinRequest, nothing, func(j jr) { j.Spec.RequestedBy = "ana" }),
	of("JoinRequestApproved", "spec.decision", "", "Approved", joinRequest, nothing,
		func(j jr) { j.Spec.Decision = v1alpha1.JoinApproved }),
	of("JoinRequestRejected", "spec.decision", "Approved", "Rejected", joinRequest,
		func(j jr) { j.Spec.Decision = v1alpha1.JoinApproved }, func(j jr) { j.Spec.Decision = v1alpha1.JoinRejected }),
	of("JoinGrantChanged", "spec.granted", "", `{"role":"viewer"}`, joinRequest, nothing,
		func(j jr) { j.Spec.Granted = &v1alpha1.JoinGrant{Role: "viewer"} }),
	of("JoinReasonChanged", "spec.reason", "", "No", joinRequest, nothing, func(j jr) { j.Spec.Reason = "No" }),
	of("JoinRequestWithdrawn", "status.phase", "", "Withdrawn", joinRequest,
		func(j jr) { j.Status.Phase = v1alpha1.JoinRequestApproved },
		func(j jr) { j.Status.Phase = v1alpha1.JoinRequestWithdrawn }).byRoster(),

	of("UserIdentified", "spec.username", "bo", "bo@x", user,
		func(u usr) { u.Spec.Username = "bo" }, func(u usr) { u.Spec.Username = "bo@x" }),
	of("UserAddressChanged", "spec.email", "", "bo@x", user, nothing, func(u usr) { u.Spec.Email = "bo@x" }),
	of("UserRenamed", "spec.displayName", "Bo", "", user, func(u usr) { u.Spec.DisplayName = "Bo" }, nothing),
	of("UserDeactivated", "spec.deactivated", "false", "true", user, nothing, func(u usr) { u.Spec.Deactivated = true }),
	of("UserActivated", "spec.deactivated", "true", "false", user, func(u usr) { u.Spec.Deactivated = true }, nothing),
	of("MFAAttested", "spec.mfa", "", "enrolled by totp since 2030-01-02T03:04:05Z", user, nothing,
		func(u usr) {
			u.Spec.MFA = v1alpha1.MultiFactorAuthentication{Enrolled: true, Method: "totp", Since: &end}
		}),
	of("MFAReset", "spec.mfa", "enrolled", "", user, func(u usr) { u.Spec.MFA.Enrolled = true }, nothing),
	of("MFAChanged", "spec.mfa", "enrolled", "enrolled by key", user, func(u usr) { u.Spec.MFA.Enrolled = true },
		func(u usr) { u.Spec.MFA = v1alpha1.MultiFactorAuthentication{Enrolled: true, Method: "key"} }),
	of("UserAddressConfirmed", "status.confirmed", "", "bo@x", user, nothing,
		func(u usr) { u.Status.Confirmed = &v1alpha1.ConfirmedAddress{Email: "bo@x", At: end} }).byRoster(),
}

func names(names ...v1alpha1.Username) []v1alpha1.Username { return names }

var _ = Describe("A change of a field", func() {
	for _, line := range lines {
		It(fmt.Sprintf("of a %T is %s: %s → %s", line.after, line.action, shown(line.previous), shown(line.next)), func() {
			kind, found := KindOf(line.after)
			Expect(found).To(BeTrue())
			changes := kind.Changes(line.before, line.after)
			Expect(changes).To(HaveLen(1))
			change := changes[0]
			Expect(change.Action).To(Equal(line.action))
			Expect(change.Field).To(Equal(line.field))
			Expect(change.Previous).To(Equal(line.previous))
			Expect(change.New).To(Equal(line.next))
			Expect(change.Warning).To(Equal(line.isWarning))
			Expect(change.Organization).To(Equal(map[bool]string{true: "org-it", false: "org-acme"}[kind.Name() == kindOrganization]))
			if line.isOfRosterItself {
				Expect(change.Actor.Name).To(Equal(ActorRoster))
				Expect(change.Actor.Because).NotTo(BeEmpty())
			} else {
				Expect(change.Actor).To(Equal(Actor{Name: "ana"}))
			}
			Expect(kind.Changes(line.after, line.after)).To(BeEmpty())
		})
	}

	It("is in a table for each field of each spec, and shown above", func() {
		shown := map[string]bool{}
		for _, line := range lines {
			kind, _ := KindOf(line.after)
			shown[kind.Name()+" "+line.field] = true
		}
		for _, kind := range Kinds {
			spec, found := reflect.TypeOf(kind.Prototype()).Elem().FieldByName("Spec")
			Expect(found).To(BeTrue())
			for field := range spec.Type.Fields() {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				Expect(kind.Fields()).To(ContainElement("spec."+name), kind.Name())
			}
			for _, path := range kind.Fields() {
				Expect(shown).To(HaveKey(kind.Name() + " " + path))
			}
		}
	})
})

var _ = Describe("An object", func() {
	for _, kind := range Kinds {
		fresh := func() client.Object {
			object := kind.Prototype()
			object.SetName("it")
			object.SetUID("uid")
			object.SetAnnotations(map[string]string{v1alpha1.AnnotationChangedBy: "ana"})
			return object
		}

		It("that is a "+kind.Name()+" is made and removed, each told once, with who did it", func() {
			object := fresh()
			made := kind.Changes(nil, object)
			Expect(made).To(HaveLen(1))
			Expect(made[0].Actor).To(Equal(Actor{Name: "ana"}))
			Expect(made[0].Field).To(BeEmpty())
			Expect(made[0].Gone).To(BeFalse())

			going := fresh()
			going.SetDeletionTimestamp(&end)
			going.SetAnnotations(map[string]string{v1alpha1.AnnotationChangedBy: "ana", v1alpha1.AnnotationDeletedBy: "bo"})
			removed := kind.Changes(object, going)
			Expect(removed).To(HaveLen(1))
			Expect(removed[0].Actor).To(Equal(Actor{Name: "bo"}))
			Expect(removed[0].Gone).To(BeTrue())
			Expect(removed[0].Name()).To(Equal(kind.Removal(going).Name()))
			Expect(kind.Changes(going, nil)).To(BeEmpty(), "it was told when the deletion was asked for")
			Expect(kind.Changes(object, nil)[0].Name()).To(Equal(removed[0].Name()), "one without a finalizer goes at once")
			Expect(kind.Vanished(Known{Object: removed[0].Object}).Name()).To(Equal(removed[0].Name()))
		})

		It("that is a "+kind.Name()+" and that Roster made goes by Roster, where nobody else deleted it", func() {
			object := fresh()
			object.SetLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster})
			Expect(kind.Changes(object, nil)[0].Actor.Name).To(Equal(ActorRoster))
			object.SetAnnotations(map[string]string{v1alpha1.AnnotationDeletedBy: "bo"})
			Expect(kind.Changes(object, nil)[0].Actor).To(Equal(Actor{Name: "bo"}))
		})

		It("that is a "+kind.Name()+" and that nobody stamped was changed by somebody unknown, with the reason", func() {
			object := fresh()
			object.SetAnnotations(nil)
			change := kind.Changes(nil, object)[0]
			Expect(change.Actor.Name).To(Equal(ActorUnknown))
			Expect(change.Actor.Because).To(ContainSubstring("webhook wasn't asked"))
			removal := kind.Changes(object, nil)[0]
			Expect(removal.Actor.Name).To(Equal(ActorUnknown))
			Expect(removal.Actor.Because).NotTo(BeEmpty())
		})
	}

	It("of which a broken watch skipped versions has changes that say that they may stand for several", func() {
		next, later := team.DeepCopy(), team.DeepCopy()
		next.Generation, next.Spec.DisplayName = team.Generation+1, "Press"
		later.Generation, later.Spec.DisplayName = team.Generation+2, "Press"
		Expect(teams.Changes(team, next)).To(HaveExactElements(HaveField("Coalesced", false)))
		Expect(teams.Changes(team, later)).To(HaveExactElements(HaveField("Coalesced", true)))
	})

	It("that was deleted and made again while the watch was broken is removed and made", func() {
		again := team.DeepCopy()
		again.UID = "another"
		changes := teams.Changes(team, again)
		Expect(changes).To(HaveLen(2))
		Expect(changes[0].Action).To(Equal("TeamRemoved"))
		Expect(changes[1].Action).To(Equal("TeamCreated"))
	})
})

var _ = Describe("What happened while Roster was away", func() {
	recordedAs := func(object *v1alpha1.Team, later map[string]string) Known {
		made := teams.Changes(nil, object)[0]
		values := map[string]string{"": made.New}
		for field, value := range later {
			values[field] = value
		}
		return Known{Object: made.Object, Values: values}
	}

	It("is nothing where all is as it was recorded", func() {
		full := team.DeepCopy()
		full.Spec = v1alpha1.TeamSpec{DisplayName: "Press", Members: names("bo"), Role: "viewer", AllProjects: true}
		Expect(teams.Missed(recordedAs(full, nil), full)).To(BeEmpty())
		Expect(teams.Missed(recordedAs(team, nil), team)).To(BeEmpty())
	})

	It("is one change a field, which says that it may stand for several", func() {
		before, after := team.DeepCopy(), team.DeepCopy()
		before.Spec.Members, after.Spec.Members = names("bo"), names("bo", "di")
		changes := teams.Missed(recordedAs(before, map[string]string{"spec.members": `["bo","cy"]`}), after)
		Expect(changes).To(HaveLen(1))
		Expect(changes[0].Previous).To(Equal(`["bo","cy"]`))
		Expect(changes[0].New).To(Equal(`["bo","di"]`))
		Expect(changes[0].Coalesced).To(BeTrue())
		Expect(changes[0].Name()).To(Equal(teams.Changes(before, after)[0].Name()), "as if it had been seen")
	})

	It("is one record of an object that was made and changed, which says that it may stand for several", func() {
		made := team.DeepCopy()
		made.Generation = 1
		Expect(teams.Found(made)).To(HaveExactElements(HaveField("Coalesced", false)))
		changed := made.DeepCopy()
		changed.Generation = 2
		found := teams.Found(changed)
		Expect(found).To(HaveExactElements(And(HaveField("Action", "TeamCreated"), HaveField("Coalesced", true))))
		Expect(found[0].Name()).To(Equal(teams.Changes(nil, made)[0].Name()), "as if it had been seen")
	})

	It("says that it may stand for several where an object is gone", func() {
		Expect(teams.Vanished(recordedAs(team, nil)).Coalesced).To(BeTrue())
	})

	It("is seen in lists that are too long to be recorded whole", func() {
		before := team.DeepCopy()
		for n := range 5000 {
			before.Spec.Members = append(before.Spec.Members, v1alpha1.Username(fmt.Sprintf("user-%d@acme.example", n)))
		}
		known := recordedAs(before, nil)
		Expect(len(known.Values[""])).To(BeNumerically("<", 1000))
		Expect(teams.Missed(known, before)).To(BeEmpty())
		after := before.DeepCopy()
		after.Spec.Members[17] = "another@acme.example"
		Expect(teams.Missed(known, after)).To(HaveLen(1))
	})
})
