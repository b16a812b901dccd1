package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

// told is what an Event says of a change.
type told struct{ Action, Actor, Field, Previous, New string }

func tell(event *eventsv1.Event) told {
	return told{
		Action: event.Action, Actor: event.Annotations["roster.dev/actor"], Field: event.Annotations["roster.dev/field"],
		Previous: event.Annotations["roster.dev/previous"], New: event.Annotations["roster.dev/new"],
	}
}

// historyOf are the Events of an object, wherever they are.
func historyOf(ctx context.Context, uid types.UID) ([]eventsv1.Event, error) {
	var list eventsv1.EventList
	err := k8s.List(ctx, &list, client.MatchingFields{"reportingController": "roster.dev/roster"})
	var found []eventsv1.Event
	for _, event := range list.Items {
		if event.Regarding.UID == uid {
			found = append(found, event)
		}
	}
	return found, err
}

// changesOf gives what is told of an object's changes with an action.
func changesOf(ctx context.Context, uid types.UID, action string) func() ([]told, error) {
	return func() ([]told, error) {
		events, err := historyOf(ctx, uid)
		var changes []told
		for i := range events {
			if events[i].Action == action {
				changes = append(changes, tell(&events[i]))
			}
		}
		return changes, err
	}
}

// madeBy gives who made an object, as it is told.
func madeBy(ctx context.Context, uid types.UID) func() ([]string, error) {
	return func() ([]string, error) {
		events, err := historyOf(ctx, uid)
		var actors []string
		for i := range events {
			made := tell(&events[i])
			if made.Field == "" && made.New != "" {
				actors = append(actors, made.Actor)
			}
		}
		return actors, err
	}
}

// activitiesOf gives the same from the activities that the view API lists, as kubectl get does.
func activitiesOf(ctx context.Context, kind string, object client.Object, action string) func() ([]told, error) {
	namespace := object.GetNamespace()
	switch kind {
	case "Organization":
		namespace = v1alpha1.OrganizationNamespace(object.GetName())
	case "User":
		namespace = metav1.NamespaceDefault
	}
	return func() ([]told, error) {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(viewv1alpha1.GroupVersion.WithKind("ActivityList"))
		err := k8s.List(ctx, &list, client.InNamespace(namespace),
			client.MatchingFields{"kind": kind, "name": object.GetName(), "action": action})
		var changes []told
		for _, item := range list.Items {
			var activity viewv1alpha1.Activity
			err = errors.Join(err, runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &activity))
			changes = append(changes, told{activity.Action, activity.Actor, activity.Field, activity.Previous, activity.New})
		}
		return changes, err
	}
}

// author is a client of a user who may do everything.
func author(user string) client.Client {
	GinkgoHelper()
	return clientFor(cluster.As(user, "system:masters"))
}

// changed writes a change of an object as a user.
func changed[T client.Object](ctx context.Context, user string, object T, change func(T)) {
	GinkgoHelper()
	expectations.Change(ctx, expectations.New(author(user)), object, change)
}

// historyEntry is one kind and one change of it.
type historyEntry struct {
	// make gives the object before the change.
	make func(organization string) client.Object
	// change is made by ana.
	change func(object client.Object)
	// told is what is to be told of it.
	told told
}

func changeOf[T client.Object](prepare func(organization string) T, change func(T), told told) historyEntry {
	return historyEntry{
		make:   func(organization string) client.Object { return prepare(organization) },
		change: func(object client.Object) { change(object.(T)) },
		told:   told,
	}
}

func historyOrganization(organization string) *v1alpha1.Organization {
	made := expectations.Organization(organization, "owner@"+organization)
	made.Spec.DisplayName = "Before"
	return made
}

func historyMembership(organization string) *v1alpha1.Membership {
	return expectations.Membership(organization, "bo", "bo@"+organization, "viewer")
}

func historyTeam(organization string) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: expectations.InOrganization(organization, "press"), Spec: v1alpha1.TeamSpec{
		Members: []v1alpha1.Username{"bo@x"}, Role: "viewer", Projects: []v1alpha1.ObjectName{"one"},
	}}
}

func historyProject(organization string) *v1alpha1.Project {
	return expectations.Project(organization, "shop")
}

func historyRole(organization string) *v1alpha1.Role {
	return &v1alpha1.Role{ObjectMeta: expectations.InOrganization(organization, organization+"-crawler"),
		Spec: v1alpha1.RoleSpec{Permissions: []v1alpha1.Permission{"crawls.start"}}}
}

func historyBinding(organization string) *v1alpha1.RoleBinding {
	return &v1alpha1.RoleBinding{ObjectMeta: expectations.InOrganization(organization, "given"), Spec: v1alpha1.RoleBindingSpec{
		Role: "viewer", Projects: []v1alpha1.ObjectName{"one"},
		Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: "bo@x"}},
	}}
}

func historyUser(organization string) *v1alpha1.User {
	return &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: organization + "-bo"},
		Spec: v1alpha1.UserSpec{Username: v1alpha1.Username("bo@" + organization)}}
}

var (
	historyEnd  = metav1.NewTime(time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC))
	historySeen = 0
)

var _ = DescribeTable("The history tells who changed what, from what to what:",
	func(ctx SpecContext, entry historyEntry) {
		historySeen++
		name := fmt.Sprintf("hist-%d-%d", GinkgoParallelProcess(), historySeen)
		object := entry.make(name)
		if _, isOrganization := object.(*v1alpha1.Organization); !isOrganization {
			expect.Create(ctx, expectations.Organization(name, "owner@"+name))
			Eventually(func() error {
				return author("bo@maker").Create(ctx, object)
			}).WithContext(ctx).Should(Succeed())
		} else {
			Expect(author("bo@maker").Create(ctx, object)).To(Succeed())
		}
		changed(ctx, "ana@acme.example", object, entry.change)
		entry.told.Actor = "ana@acme.example"
		for _, text := range []*string{&entry.told.Previous, &entry.told.New} {
			*text = strings.ReplaceAll(*text, "ORG", name)
		}
		Eventually(changesOf(ctx, object.GetUID(), entry.told.Action)).WithContext(ctx).Should(ConsistOf(entry.told))
		kind, err := apiutil.GVKForObject(object, k8s.Scheme())
		Expect(err).NotTo(HaveOccurred())
		Eventually(activitiesOf(ctx, kind.Kind, object, entry.told.Action)).WithContext(ctx).Should(ConsistOf(entry.told))
		Eventually(madeBy(ctx, object.GetUID())).WithContext(ctx).Should(Equal([]string{"bo@maker"}))
	},
	Entry("an Organization is renamed", changeOf(historyOrganization,
		func(o *v1alpha1.Organization) { o.Spec.DisplayName = "After" },
		told{Action: "OrganizationRenamed", Field: "spec.displayName", Previous: "Before", New: "After"})),
	Entry("an owner is added", changeOf(historyOrganization,
		func(o *v1alpha1.Organization) { o.Spec.Owners = append(o.Spec.Owners, "cy@x") },
		told{Action: "OwnersAdded", Field: "spec.owners", Previous: `["owner@ORG"]`, New: `["owner@ORG","cy@x"]`})),
	Entry("an owner is removed", changeOf(
		func(name string) *v1alpha1.Organization {
			made := historyOrganization(name)
			made.Spec.Owners = append(made.Spec.Owners, "cy@x")
			return made
		},
		func(o *v1alpha1.Organization) { o.Spec.Owners = o.Spec.Owners[:1] },
		told{Action: "OwnersRemoved", Field: "spec.owners", Previous: `["owner@ORG","cy@x"]`, New: `["owner@ORG"]`})),
	Entry("a safeguard is loosened", changeOf(historyOrganization,
		func(o *v1alpha1.Organization) { o.Spec.Safeguards.MaxRemovalPercent = ptr.To[int32](100) },
		told{Action: "SafeguardsChanged", Field: "spec.safeguards",
			Previous: `{"maxRemovalPercent":20}`, New: `{"maxRemovalPercent":100}`})),
	Entry("a member gets other roles", changeOf(historyMembership,
		func(m *v1alpha1.Membership) { m.Spec.Roles = []v1alpha1.RoleName{"developer"} },
		told{Action: "MemberRolesChanged", Field: "spec.roles", Previous: `["viewer"]`, New: `["developer"]`})),
	Entry("a member is suspended", changeOf(historyMembership,
		func(m *v1alpha1.Membership) { m.Spec.Suspended = true },
		told{Action: "MemberSuspended", Field: "spec.suspended", Previous: "false", New: "true"})),
	Entry("a member gets an end", changeOf(historyMembership,
		func(m *v1alpha1.Membership) { m.Spec.ExpiresAt = &historyEnd },
		told{Action: "MemberExpiryChanged", Field: "spec.expiresAt", New: "2040-01-02T03:04:05Z"})),
	Entry("a team gets a member", changeOf(historyTeam,
		func(t *v1alpha1.Team) { t.Spec.Members = append(t.Spec.Members, "cy@x") },
		told{Action: "TeamMembersAdded", Field: "spec.members", Previous: `["bo@x"]`, New: `["bo@x","cy@x"]`})),
	Entry("a team loses a member", changeOf(historyTeam,
		func(t *v1alpha1.Team) { t.Spec.Members = nil },
		told{Action: "TeamMembersRemoved", Field: "spec.members", Previous: `["bo@x"]`})),
	Entry("a team gets a maintainer", changeOf(historyTeam,
		func(t *v1alpha1.Team) { t.Spec.Maintainers = []v1alpha1.Username{"cy@x"} },
		told{Action: "TeamMaintainersAdded", Field: "spec.maintainers", New: `["cy@x"]`})),
	Entry("a team gets another role", changeOf(historyTeam,
		func(t *v1alpha1.Team) { t.Spec.Role = "developer" },
		told{Action: "TeamRoleChanged", Field: "spec.role", Previous: "viewer", New: "developer"})),
	Entry("a team gets another project", changeOf(historyTeam,
		func(t *v1alpha1.Team) { t.Spec.Projects = []v1alpha1.ObjectName{"two"} },
		told{Action: "TeamProjectsChanged", Field: "spec.projects", Previous: `["one"]`, New: `["two"]`})),
	Entry("a project is renamed", changeOf(historyProject,
		func(p *v1alpha1.Project) { p.Spec.DisplayName = "Shop" },
		told{Action: "ProjectRenamed", Field: "spec.displayName", New: "Shop"})),
	Entry("a project gets labels, by which grants select it", changeOf(historyProject,
		func(p *v1alpha1.Project) { p.Labels = map[string]string{"tier": "gold"} },
		told{Action: "ProjectLabelled", Field: "metadata.labels", New: `{"tier":"gold"}`})),
	Entry("a role gets a permission", changeOf(historyRole,
		func(r *v1alpha1.Role) { r.Spec.Permissions = append(r.Spec.Permissions, "crawls.stop") },
		told{Action: "RolePermissionsAdded", Field: "spec.permissions",
			Previous: `["crawls.start"]`, New: `["crawls.start","crawls.stop"]`})),
	Entry("a role loses its permissions", changeOf(historyRole,
		func(r *v1alpha1.Role) { r.Spec.Permissions = nil },
		told{Action: "RolePermissionsRemoved", Field: "spec.permissions", Previous: `["crawls.start"]`})),
	Entry("a binding gets another subject", changeOf(historyBinding,
		func(b *v1alpha1.RoleBinding) { b.Spec.Subjects[0].Name = "cy@x" },
		told{Action: "BindingSubjectsChanged", Field: "spec.subjects", Previous: `["User bo@x"]`, New: `["User cy@x"]`})),
	Entry("a binding gets another role", changeOf(historyBinding,
		func(b *v1alpha1.RoleBinding) { b.Spec.Role = "developer" },
		told{Action: "BindingRoleChanged", Field: "spec.role", Previous: "viewer", New: "developer"})),
	Entry("a binding gets an end", changeOf(historyBinding,
		func(b *v1alpha1.RoleBinding) { b.Spec.ExpiresAt = &historyEnd },
		told{Action: "BindingExpiryChanged", Field: "spec.expiresAt", New: "2040-01-02T03:04:05Z"})),
	Entry("a user is deactivated", changeOf(historyUser,
		func(u *v1alpha1.User) { u.Spec.Deactivated = true },
		told{Action: "UserDeactivated", Field: "spec.deactivated", Previous: "false", New: "true"})),
	Entry("a user's second factor is attested", changeOf(historyUser,
		func(u *v1alpha1.User) {
			u.Spec.MFA = v1alpha1.MultiFactorAuthentication{Enrolled: true, Method: "totp"}
		},
		told{Action: "MFAAttested", Field: "spec.mfa", New: "enrolled by totp"})),
	Entry("a user's second factor is reset", changeOf(
		func(name string) *v1alpha1.User {
			user := historyUser(name)
			user.Spec.MFA.Enrolled = true
			return user
		},
		func(u *v1alpha1.User) { u.Spec.MFA.Enrolled = false },
		told{Action: "MFAReset", Field: "spec.mfa", Previous: "enrolled"})),
)
