package e2e_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/names"
	"github.com/roster-dev/roster/internal/rbac"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/test/expectations"
)

var _ = Describe("The namespace of an organization", func() {
	It("is made with labels that say whose it is, and with the manager's", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-made")
		Expect(acme.Status.Namespace).To(Equal("org-life-made"))
		Expect(labelsOf(ctx, acme.namespace())).To(And(
			HaveKeyWithValue(v1alpha1.LabelOrganization, acme.Name),
			HaveKeyWithValue(v1alpha1.LabelManagedBy, v1alpha1.ManagedByRoster),
			HaveKeyWithValue("pod-security.kubernetes.io/enforce", "baseline"),
			Not(HaveKey(v1alpha1.LabelProject)),
		))
	})

	It("that is there without the label is left alone, and used once somebody labels it", func(ctx SpecContext) {
		namespace := namespaceLabelled("org-life-taken", map[string]string{"team": "stranger"})
		expect.Create(ctx, namespace)
		before := namespace.ResourceVersion
		organization := expectations.Organization("life-taken", "owner@life-taken.example")
		membership := expectations.Membership("life-taken", "bo", "bo@life-taken.example", "viewer")
		unasked.Create(ctx, organization)
		expect.Create(ctx, membership)
		expectCondition(ctx, organization, v1alpha1.ConditionReady, "False NamespaceTaken: namespace org-life-taken is there "+
			"and isn't labelled for this, so it is left alone; label it roster.dev/organization: life-taken, or choose another name")
		expect.NotReady(ctx, membership, "OrganizationNotReady")
		expectLeftAlone(ctx, namespace, before)
		expect.Refused(ctx, "owner@life-taken.example", asMember, namespace.Name)

		expectations.Change(ctx, expect, namespace, func(n *corev1.Namespace) {
			n.Labels[v1alpha1.LabelOrganization] = "life-taken"
		})
		expect.Ready(ctx, organization, membership)
		expect.Allowed(ctx, "owner@life-taken.example", asOwner, namespace.Name)
		expect.Allowed(ctx, "bo@life-taken.example", asMember, namespace.Name)

		expectations.Change(ctx, expect, namespace, func(n *corev1.Namespace) {
			delete(n.Labels, v1alpha1.LabelOrganization)
		})
		expect.Refused(ctx, "bo@life-taken.example", asMember, namespace.Name)
		expect.Refused(ctx, "owner@life-taken.example", asOwner, namespace.Name)
		expect.NotReady(ctx, organization, "NamespaceTaken")
	})

	It("may be there before the organization, with its label and what is to live in it", func(ctx SpecContext) {
		expect.Create(ctx, namespaceLabelled("org-life-early", map[string]string{v1alpha1.LabelOrganization: "life-early"}))
		membership := expectations.Membership("life-early", "bo", "bo@life-early.example", "viewer")
		project := expectations.Project("life-early", "shop")
		expect.Create(ctx, membership, project)
		expect.NotReady(ctx, membership, "OrganizationNotReady")
		expect.NotReady(ctx, project, "OrganizationNotReady")

		expect.Create(ctx, expectations.Organization("life-early", "owner@life-early.example"))
		expect.Ready(ctx, membership, project)
		expect.Allowed(ctx, "bo@life-early.example", asViewer, "life-early-shop")
	})
})

var _ = Describe("The namespaces of a project", func() {
	It("are made with labels that say whose they are", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-project-made")
		project := expectations.Project(acme.Name, "shop")
		project.Spec.Namespaces = []v1alpha1.NamespaceName{"life-project-made-a", "life-project-made-b"}
		made(ctx, project)
		Expect(project.Status.Namespaces).To(Equal([]string{"life-project-made-a", "life-project-made-b"}))
		for _, name := range project.Status.Namespaces {
			Expect(labelsOf(ctx, name)).To(And(
				HaveKeyWithValue(v1alpha1.LabelOrganization, acme.Name),
				HaveKeyWithValue(v1alpha1.LabelProject, "shop"),
				HaveKeyWithValue(v1alpha1.LabelManagedBy, v1alpha1.ManagedByRoster),
				HaveKeyWithValue("pod-security.kubernetes.io/enforce", "baseline"),
			))
		}
	})

	It("that are there without both labels are left alone, and used once somebody labels them", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-project-taken")
		acme.join(ctx, "bo", "viewer")
		namespace := namespaceLabelled("life-project-taken-shop", map[string]string{v1alpha1.LabelOrganization: acme.Name})
		expect.Create(ctx, namespace)
		before := namespace.ResourceVersion
		project := expectations.Project(acme.Name, "shop")
		unasked.Create(ctx, project)
		expectCondition(ctx, project, v1alpha1.ConditionReady, "False NamespaceTaken: namespace life-project-taken-shop is "+
			"there and isn't labelled for this, so it is left alone; label it roster.dev/organization: life-project-taken and "+
			"roster.dev/project: shop, or choose another name")
		expectLeftAlone(ctx, namespace, before)
		expect.Refused(ctx, acme.user("bo"), asViewer, namespace.Name)

		expectations.Change(ctx, expect, namespace, func(n *corev1.Namespace) { n.Labels[v1alpha1.LabelProject] = "shop" })
		expect.Ready(ctx, project)
		expect.Allowed(ctx, acme.user("bo"), asViewer, namespace.Name)
	})

	It("of another organization or project are never taken", func(ctx SpecContext) {
		acme, other := openAccount(ctx, "life-theirs"), openAccount(ctx, "life-thieves")
		shop := acme.project(ctx, "shop")
		other.join(ctx, "mallory", "administrator")
		thief := expectations.Project(other.Name, "shop")
		thief.Spec.Namespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(shop)}
		sibling := expectations.Project(acme.Name, "stock")
		sibling.Spec.Namespaces = thief.Spec.Namespaces
		unasked.Create(ctx, thief, sibling)
		expect.NotReady(ctx, thief, "NamespaceTaken")
		expect.NotReady(ctx, sibling, "NamespaceTaken")
		expect.Refused(ctx, other.user("mallory"), asViewer, shop)
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, shop)

		expect.Delete(ctx, thief, sibling)
		expect.Gone(ctx, thief, sibling)
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, shop)
		Expect(labelsOf(ctx, shop)).To(HaveKeyWithValue(v1alpha1.LabelProject, "shop"))
	})

	It("are released under Retain: labels and bindings go, the namespace and what else is in it stay", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-retain")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		content := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "content"}}
		foreign := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "somebody-elses"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "stranger@life-retain.example"}},
		}
		expect.Create(ctx, content, foreign)

		project := expectations.Project(acme.Name, "shop")
		expect.Delete(ctx, project)
		expect.Gone(ctx, project)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expect.Refused(ctx, acme.user("owner"), asViewer, shop)
		expect.Allowed(ctx, "stranger@life-retain.example", asViewer, shop)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(content), content)).To(Succeed())
		Expect(expect.ManagedBindings(ctx, shop)).To(BeEmpty())
		Expect(labelsOf(ctx, shop)).NotTo(Or(
			HaveKey(v1alpha1.LabelOrganization), HaveKey(v1alpha1.LabelProject), HaveKey(v1alpha1.LabelManagedBy)))

		again := expectations.Project(acme.Name, "shop")
		Expect(k8s.Create(ctx, again.DeepCopy())).To(MatchError(HaveSuffix(`: spec.namespaces: namespace "life-retain-shop" is ` +
			"there already and isn't this project's; name another, or let who may edit namespaces label it " +
			"roster.dev/organization=life-retain and roster.dev/project=shop first")))
		unasked.Create(ctx, again)
		expect.NotReady(ctx, again, "NamespaceTaken")
	})

	It("are released when spec.namespaces doesn't name them any more", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-unnamed")
		acme.join(ctx, "bo", "viewer")
		project := expectations.Project(acme.Name, "shop")
		project.Spec.Namespaces = []v1alpha1.NamespaceName{"life-unnamed-a", "life-unnamed-b"}
		made(ctx, project)
		expect.Allowed(ctx, acme.user("bo"), asViewer, "life-unnamed-a", "life-unnamed-b")

		expectations.Change(ctx, expect, project, func(p *v1alpha1.Project) { p.Spec.Namespaces = p.Spec.Namespaces[1:] })
		expect.Refused(ctx, acme.user("bo"), asViewer, "life-unnamed-a")
		Eventually(labelsOf).WithContext(ctx).WithArguments("life-unnamed-a").ShouldNot(HaveKey(v1alpha1.LabelProject))
		expect.Ready(ctx, project)
		expect.Allowed(ctx, acme.user("bo"), asViewer, "life-unnamed-b")
	})

	It("are deleted under deletionPolicy Delete", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-delete")
		project := expectations.Project(acme.Name, "shop")
		project.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		made(ctx, project)
		expect.Allowed(ctx, acme.user("owner"), asDeveloper, "life-delete-shop")

		expect.Delete(ctx, project)
		expect.Gone(ctx, project, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "life-delete-shop"}})
		expect.Refused(ctx, acme.user("owner"), asViewer, "life-delete-shop")
	})

	It("are never the cluster's or an organization's own", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-forbidden-name")
		project := expectations.Project(acme.Name, "a-name-too-long-together-with-its-organization")
		Expect(k8s.Create(ctx, project.DeepCopy())).To(MatchError(HaveSuffix(`: spec.namespaces: ` +
			`"life-forbidden-name-a-name-too-long-together-with-its-organization" can't be a project's namespace: it is the ` +
			"cluster's or an organization's own, or longer than 63 characters; name another")))
		unasked.Create(ctx, project)
		expectCondition(ctx, project, v1alpha1.ConditionReady, `False NamespaceForbidden: namespace `+
			`"life-forbidden-name-a-name-too-long-together-with-its-organization" can't be a project's: it is the cluster's or an `+
			"organization's own, or its name is longer than 63 characters; choose another name in spec.namespaces")

		expectations.Change(ctx, expect, project, func(p *v1alpha1.Project) {
			p.Spec.Namespaces = []v1alpha1.NamespaceName{"life-forbidden-shorter"}
		})
		expect.Ready(ctx, project)
	})
})

var _ = Describe("An Organization that is deleted", func() {
	It("takes all access, then its namespace with everything in it, then itself", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-organization-deleted")
		shop := acme.project(ctx, "shop")
		membership := acme.join(ctx, "bo", "developer")
		team := acme.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", AllProjects: true})
		binding := acme.bind(ctx, "wide", v1alpha1.RoleBindingSpec{
			Role: "viewer", Subjects: acme.people("bo"), OrganizationWide: true,
		})
		role := acme.role(ctx, "auditor", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}})
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("owner"), asOwner, acme.namespace())

		project := expectations.Project(acme.Name, "shop")
		expect.Delete(ctx, project)
		expect.Gone(ctx, project)
		Expect(labelsOf(ctx, shop)).NotTo(HaveKey(v1alpha1.LabelOrganization))

		expect.Delete(ctx, acme.Organization)
		expect.Refused(ctx, acme.user("bo"), asMember, acme.namespace())
		expect.Refused(ctx, acme.user("owner"), asOwner, acme.namespace())
		expect.Gone(ctx, membership, team, binding, role)
		expect.Gone(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: acme.namespace()}}, acme.Organization)
		expectNothingLeft(ctx, acme.Name)
		Expect(labelsOf(ctx, shop)).NotTo(BeNil(), "the project's namespace is kept")
	})

	It("may be made again, and finds nothing of the former one", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-again")
		acme.join(ctx, "bo", "viewer")
		expect.Delete(ctx, acme.Organization)
		expect.Gone(ctx, acme.Organization)
		again := openAccount(ctx, acme.Name)
		expect.Allowed(ctx, again.user("owner"), asOwner, again.namespace())
		expect.Refused(ctx, again.user("bo"), asMember, again.namespace())
	})

	It("with sub-organizations and projects says so and waits until they are gone", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-waits")
		emea, apac := acme.below(ctx, "life-waits-emea"), acme.below(ctx, "life-waits-apac")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		expect.Delete(ctx, acme.Organization)
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionReady, "False DeletionBlocked: the organization is to be "+
			"deleted and waits for its 2 sub-organizations (life-waits-apac, life-waits-emea) and 1 project (shop); delete or "+
			"move them first")
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)

		expect.Delete(ctx, emea.Organization)
		expect.Gone(ctx, emea.Organization)
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionReady, "False DeletionBlocked: the organization is to be "+
			"deleted and waits for its 1 sub-organization (life-waits-apac) and 1 project (shop); delete or move them first")

		apac.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Parent = "" })
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionReady, "False DeletionBlocked: the organization is to be "+
			"deleted and waits for its 1 project (shop); delete or move them first")

		expect.Delete(ctx, expectations.Project(acme.Name, "shop"))
		expect.Gone(ctx, acme.Organization)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		expectNothingLeft(ctx, acme.Name)
		expect.Ready(ctx, apac.Organization)
	})
})

var _ = Describe("An Organization's parent", func() {
	It("that isn't there makes it not Ready, and counts from when it is made", func(ctx SpecContext) {
		emea := expectations.Organization("life-orphan-sub", "owner@life-orphan.example")
		emea.Spec.Parent = "life-orphan"
		expect.Create(ctx, emea)
		expectCondition(ctx, emea, v1alpha1.ConditionReady,
			`False ParentNotFound: there is no organization "life-orphan"; make it, or take it out of spec.parent`)
		acme := openAccount(ctx, "life-orphan")
		expect.Ready(ctx, emea)
		Expect(emea.Status.Path).To(Equal("life-orphan/life-orphan-sub"))
		Expect(emea.Status.Depth).To(BeEquivalentTo(2))
		acme.join(ctx, "bo", "viewer")
		expect.Allowed(ctx, acme.user("bo"), asMember, "org-life-orphan-sub")
	})

	It("that leads back to itself counts for none on the cycle", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-cycle")
		emea := acme.below(ctx, "life-cycle-sub")
		acme.join(ctx, "bo", "viewer")
		expect.Allowed(ctx, acme.user("bo"), asMember, emea.namespace())
		expectations.Change(ctx, unasked, acme.Organization, func(o *v1alpha1.Organization) { o.Spec.Parent = emea.Name })
		expectCondition(ctx, acme.Organization, v1alpha1.ConditionReady, `False ParentCycle: following spec.parent from `+
			`"life-cycle-sub" leads back to this organization, so none of them inherits; take spec.parent out of one of them`)
		expect.NotReady(ctx, emea.Organization, "ParentCycle")
		expect.Refused(ctx, acme.user("bo"), asMember, emea.namespace())

		acme.change(ctx, func(spec *v1alpha1.OrganizationSpec) { spec.Parent = "" })
		expect.Ready(ctx, acme.Organization, emea.Organization)
		expect.Allowed(ctx, acme.user("bo"), asMember, emea.namespace())
	})
})

var _ = Describe("Organizations", func() {
	It("inherit down to the eighth level, and one that is deeper says so", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-deep-1")
		acme.join(ctx, "bo", "viewer")
		deepest := acme
		for level := 2; level <= v1alpha1.MaxOrganizationDepth; level++ {
			deepest = deepest.below(ctx, fmt.Sprintf("life-deep-%d", level))
		}
		Expect(deepest.Status.Depth).To(BeEquivalentTo(v1alpha1.MaxOrganizationDepth))
		expect.Allowed(ctx, acme.user("bo"), asMember, deepest.namespace())

		tooDeep := expectations.Organization("life-deep-9", acme.user("gus"))
		tooDeep.Spec.Parent = deepest.Name
		unasked.Create(ctx, tooDeep)
		expectCondition(ctx, tooDeep, v1alpha1.ConditionReady, "False ParentTooDeep: organizations nest at most 8 deep and "+
			"this one would be deeper, so it inherits nothing; choose a spec.parent nearer to the root")
		expect.Allowed(ctx, acme.user("gus"), asOwner, "org-life-deep-9")
		expect.Refused(ctx, acme.user("bo"), asMember, "org-life-deep-9")
	})

	It("have none below a Personal one", func(ctx SpecContext) {
		personal := expectations.Organization("life-below-personal", "bo@life-below-personal.example")
		personal.Spec.Type = v1alpha1.OrganizationPersonal
		made(ctx, personal)
		below := expectations.Organization("life-below-personal-sub", "owner@life-below-personal.example")
		below.Spec.Parent = personal.Name
		Expect(k8s.Create(ctx, below.DeepCopy())).To(MatchError(HaveSuffix(`: spec.parent: "life-below-personal" is a Personal ` +
			"organization, which has none below it; choose another parent")))
		unasked.Create(ctx, below)
		expectCondition(ctx, below, v1alpha1.ConditionReady, `False ParentPersonal: organization "life-below-personal" is `+
			"Personal and can't have others below it; choose another spec.parent")
		expect.Refused(ctx, "bo@life-below-personal.example", asMember, "org-life-below-personal-sub")
	})

	It("count their owners, members, teams and projects", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-counts")
		emea := acme.below(ctx, "life-counts-sub")
		acme.join(ctx, "bo", "viewer")
		emea.join(ctx, "chloe", "viewer")
		emea.team(ctx, "makers", v1alpha1.TeamSpec{Members: acme.users("bo", "chloe")})
		emea.project(ctx, "shop")
		suspended := expectations.Membership(emea.Name, "dmitri", acme.user("dmitri"), "viewer")
		suspended.Spec.Suspended = true
		invited := expectations.Membership(emea.Name, "emma", acme.user("emma"), "viewer")
		invited.Spec.Invitation = &v1alpha1.InvitationSpec{}
		expect.Create(ctx, suspended, invited)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(emea.Organization), emea.Organization)).To(Succeed())
			g.Expect(emea.Status.Owners).To(Equal(v1alpha1.OwnerCounts{Declared: 1, Available: 1}))
			// Active are gus, who owns it, and chloe; inherited are the owner of acme, and bo.
			g.Expect(emea.Status.Members).To(Equal(v1alpha1.MemberCounts{Active: 2, Invited: 1, Suspended: 1, Inherited: 2}))
			g.Expect(emea.Status.Teams).To(BeEquivalentTo(1))
			g.Expect(emea.Status.Projects).To(BeEquivalentTo(1))
		}).WithContext(ctx).Should(Succeed())
	})
})

var _ = Describe("A User", func() {
	It("is made for a member who has none, and says where the user is a member", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-user")
		emea := acme.below(ctx, "life-user-sub")
		membership := expectations.Membership(acme.Name, "bo", acme.user("bo"), "viewer")
		membership.Spec.Email, membership.Spec.DisplayName = "bo.mail@life-user.example", "Bo"
		made(ctx, membership)
		user := userCalled(ctx, acme.user("bo"))
		Expect(user.Name).To(Equal(names.FromUsername(acme.user("bo"))))
		Expect(user.Spec).To(Equal(v1alpha1.UserSpec{Username: v1alpha1.Username(acme.user("bo"))}),
			"what an organization writes into a Membership counts for no other")
		Eventually(placesOf(ctx, user)).WithContext(ctx).Should(Equal([]v1alpha1.UserOrganization{
			{Name: acme.Name, Roles: roles("viewer"), Source: v1alpha1.SourceDirect},
			{Name: emea.Name, Roles: roles("viewer"), Source: v1alpha1.SourceInherited},
			{Name: personalOf(acme.user("bo")), Roles: roles("owner"), Source: v1alpha1.SourceOwner},
		}))

		expect.Delete(ctx, membership)
		Eventually(placesOf(ctx, user)).WithContext(ctx).Should(ConsistOf(HaveField("Name", personalOf(acme.user("bo")))))
	})

	It("is made for an owner", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-user-owner")
		user := userCalled(ctx, acme.user("owner"))
		Eventually(placesOf(ctx, user)).WithContext(ctx).Should(Equal([]v1alpha1.UserOrganization{
			{Name: acme.Name, Roles: roles("owner"), Source: v1alpha1.SourceOwner},
		}))
		Expect(user.Status.OwnedOrganizations).To(Equal([]string{acme.Name}))
	})

	It("counts strictly where there are two of one username, and both say so", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-two-users")
		shop := acme.project(ctx, "shop")
		acme.join(ctx, "bo", "viewer")
		user := userCalled(ctx, acme.user("bo"))
		expect.Ready(ctx, user)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)

		second := &v1alpha1.User{
			ObjectMeta: metav1.ObjectMeta{Name: "life-two-users-second"},
			Spec:       v1alpha1.UserSpec{Username: v1alpha1.Username(acme.user("bo")), Deactivated: true},
		}
		unasked.Create(ctx, second)
		expect.Refused(ctx, acme.user("bo"), asViewer, shop)
		for _, duplicate := range []*v1alpha1.User{user, second} {
			expectCondition(ctx, duplicate, v1alpha1.ConditionReady, fmt.Sprintf("False Duplicate: several Users have the "+
				"username %q (%s, life-two-users-second), and the stricter counts; delete all but one", acme.user("bo"), user.Name))
		}

		expect.Delete(ctx, second)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		expect.Ready(ctx, user)
	})
})

var _ = Describe("A Personal organization", func() {
	It("is made for a member who owns none, and is one object and no namespace", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-personal")
		acme.join(ctx, "bo", "member")
		personal := personalOrganization(ctx, acme.user("bo"))
		Expect(personal.Spec.Type).To(Equal(v1alpha1.OrganizationPersonal))
		Expect(personal.Spec.Owners).To(Equal(acme.users("bo")))
		expect.Ready(ctx, personal)
		Expect(personal.Status.Namespace).To(BeEmpty())
		Expect(namespaceCalled(ctx, v1alpha1.OrganizationNamespace(personal.Name))).To(BeNil())
	})

	It("isn't made for who owns another organization", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-no-personal")
		acme.join(ctx, "owner", "member")
		user := userCalled(ctx, acme.user("owner"))
		expect.Ready(ctx, user)
		Consistently(func() error {
			return k8s.Get(ctx, client.ObjectKey{Name: personalOf(acme.user("owner"))}, &v1alpha1.Organization{})
		}).WithContext(ctx).Should(MatchError(ContainSubstring("not found")))
	})

	It("isn't let go while it is its user's last one, and goes once the user owns another", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-personal-kept")
		acme.join(ctx, "bo", "member")
		personal := personalOrganization(ctx, acme.user("bo"))
		expect.Ready(ctx, personal)
		expect.Delete(ctx, personal)
		expectCondition(ctx, personal, v1alpha1.ConditionReady, fmt.Sprintf("False DeletionBlocked: the organization is to be "+
			"deleted and waits, because it is the last one that %q owns, who is a member of others; it goes once the user owns "+
			"another organization or is a member of none", acme.user("bo")))
		Consistently(func() error {
			return k8s.Get(ctx, client.ObjectKeyFromObject(personal), personal)
		}).WithContext(ctx).Should(Succeed())

		another := expectations.Organization("life-personal-another", acme.user("bo"))
		made(ctx, another)
		expect.Gone(ctx, personal)
	})

	It("that is to go goes when its user isn't a member anywhere any more", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-personal-left")
		membership := acme.join(ctx, "bo", "member")
		personal := personalOrganization(ctx, acme.user("bo"))
		expect.Ready(ctx, personal)
		expect.Delete(ctx, personal)
		expect.NotReady(ctx, personal, "DeletionBlocked")
		expect.Delete(ctx, membership)
		expect.Gone(ctx, personal)
	})

	It("may be made Standard by giving it the type, and has a namespace then", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-personal-standard")
		acme.join(ctx, "bo", "member")
		personal := personalOrganization(ctx, acme.user("bo"))
		expectations.Change(ctx, expect, personal, func(o *v1alpha1.Organization) {
			o.Spec.Type = v1alpha1.OrganizationStandard
		})
		expect.Ready(ctx, personal)
		expect.Allowed(ctx, acme.user("bo"), asOwner, v1alpha1.OrganizationNamespace(personal.Name))
	})
})

var _ = Describe("An object of Roster's", func() {
	It("in a namespace that isn't an organization's says so, gives nothing, and can be deleted", func(ctx SpecContext) {
		namespace := namespaceLabelled("life-stray", nil)
		expect.Create(ctx, namespace)
		meta := metav1.ObjectMeta{Namespace: namespace.Name, Name: "bo"}
		project := &v1alpha1.Project{ObjectMeta: meta}
		strays := []status.Object{
			&v1alpha1.Membership{ObjectMeta: meta, Spec: v1alpha1.MembershipSpec{User: "bo@life-stray.example"}},
			&v1alpha1.Team{ObjectMeta: meta},
			&v1alpha1.RoleBinding{ObjectMeta: meta, Spec: v1alpha1.RoleBindingSpec{
				Role: "viewer", OrganizationWide: true,
				Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: "bo@life-stray.example"}},
			}},
			project,
		}
		for _, stray := range strays {
			unasked.Create(ctx, stray)
			expectCondition(ctx, stray, v1alpha1.ConditionReady, "False NotInAnOrganization: namespace life-stray isn't an "+
				"organization's, so this gives nothing; make it in the namespace org-NAME of organization NAME")
		}
		role := &v1alpha1.Role{ObjectMeta: meta}
		unasked.Create(ctx, role)
		expectCondition(ctx, role, v1alpha1.ConditionReady, "False NotInAnOrganization: namespace life-stray isn't an "+
			"organization's, so the Role means nothing; make it in the namespace org-NAME of organization NAME, or in "+
			"roster-system for every organization")
		expect.Refused(ctx, "bo@life-stray.example", asViewer, namespace.Name)
		for _, stray := range append(strays, role) {
			expect.Delete(ctx, stray)
			expect.Gone(ctx, stray)
		}
	})

	It("says what isn't there that it names, and is in force when that comes", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-missing")
		acme.join(ctx, "bo", "member")
		team := &v1alpha1.Team{
			ObjectMeta: expectations.InOrganization(acme.Name, "makers"),
			Spec: v1alpha1.TeamSpec{
				Members: acme.users("bo"), Role: "auditor", Projects: objectNames("shop"), Parent: "engineering",
			},
		}
		expect.Create(ctx, team)
		expectCondition(ctx, team, v1alpha1.ConditionReady, `False ParentNotFound: no team "engineering" in this organization; `+
			"make it or take it out of spec.parent; no such project in this organization: shop; make it or take it out of "+
			`spec.projects; role "auditor" is neither in the catalogue nor in this organization or one above; make the Role or `+
			"name another")
		binding := &v1alpha1.RoleBinding{
			ObjectMeta: expectations.InOrganization(acme.Name, "makers"),
			Spec: v1alpha1.RoleBindingSpec{
				Role: "viewer", Projects: objectNames("shop"),
				Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "engineering"}},
			},
		}
		expect.Create(ctx, binding)
		expectCondition(ctx, binding, v1alpha1.ConditionReady, "False ProjectNotFound: no such project in this organization: "+
			`shop; make it or take it out of spec.projects; no team "engineering" in this organization; make it or take it out of `+
			"spec.subjects")

		acme.team(ctx, "engineering", v1alpha1.TeamSpec{})
		acme.role(ctx, "auditor", v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}})
		shop := acme.project(ctx, "shop")
		expect.Ready(ctx, team, binding)
		expect.Allowed(ctx, acme.user("bo"), "list secrets", shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
	})

	It("that is a second Membership of one user says so, and counts once the older one is gone", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-duplicate")
		shop := acme.project(ctx, "shop")
		older := acme.join(ctx, "bo", "viewer")
		younger := expectations.Membership(acme.Name, "bo-again", acme.user("bo"), "developer")
		unasked.Create(ctx, younger)
		expectCondition(ctx, younger, v1alpha1.ConditionReady, fmt.Sprintf("False Duplicate: user %q has the older Membership "+
			"%q in this organization, which counts; delete one of the two", acme.user("bo"), "bo"))
		expect.Refused(ctx, acme.user("bo"), asDeveloper, shop)
		expect.Allowed(ctx, acme.user("bo"), asViewer, shop)
		expect.Ready(ctx, older)

		expect.Delete(ctx, older)
		expect.Ready(ctx, younger)
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, shop)
	})

	It("of any kind can be waited for with kubectl wait", func(ctx SpecContext) {
		acme := openAccount(ctx, "life-wait")
		expect.Create(ctx,
			expectations.Project(acme.Name, "shop"),
			expectations.Membership(acme.Name, "bo", acme.user("bo"), "auditor"),
			&v1alpha1.Team{
				ObjectMeta: expectations.InOrganization(acme.Name, "makers"),
				Spec:       v1alpha1.TeamSpec{Members: acme.users("bo"), Role: "developer", Projects: objectNames("shop")},
			},
			&v1alpha1.RoleBinding{
				ObjectMeta: expectations.InOrganization(acme.Name, "makers"),
				Spec: v1alpha1.RoleBindingSpec{
					Role: "editor", Subjects: acme.people("bo"), Projects: objectNames("shop"),
				},
			},
			&v1alpha1.Role{
				ObjectMeta: expectations.InOrganization(acme.Name, "auditor"),
				Spec:       v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{reads("", "secrets")}},
			},
		)
		user := userCalled(ctx, acme.user("owner"))
		wait := func(arguments ...string) {
			GinkgoHelper()
			_, err := cluster.Kubectl(ctx, append([]string{"wait", "--for=condition=Ready", "--timeout=60s"}, arguments...)...)
			Expect(err).NotTo(HaveOccurred())
		}
		wait("org/"+acme.Name, "usr/"+user.Name)
		wait("--namespace="+acme.namespace(),
			"proj/shop", "mbr/bo", "team/makers", "rrb/makers", "rrole/auditor")
		expect.Allowed(ctx, acme.user("bo"), asDeveloper, "life-wait-shop")
		expect.Allowed(ctx, acme.user("bo"), "list secrets", "life-wait-shop")
	})
})

// labelsOf are a namespace's labels, or nil where there is none.
func labelsOf(ctx context.Context, name string) (map[string]string, error) {
	namespace, err := namespaceCalled(ctx, name)
	if namespace == nil {
		return nil, err
	}
	return namespace.Labels, nil
}

func namespaceLabelled(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// expectLeftAlone holds a namespace against the version that somebody else wrote last, and looks for bindings in it.
func expectLeftAlone(ctx context.Context, namespace *corev1.Namespace, version string) {
	GinkgoHelper()
	Consistently(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		g.Expect(namespace.ResourceVersion).To(Equal(version))
		g.Expect(expect.ManagedBindings(ctx, namespace.Name)).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
}

// expectNothingLeft looks for what Roster made for an organization.
func expectNothingLeft(ctx context.Context, organization string) {
	GinkgoHelper()
	labels := client.MatchingLabels(rbac.Labels(organization, ""))
	var bindings rbacv1.RoleBindingList
	Expect(k8s.List(ctx, &bindings, labels)).To(Succeed())
	Expect(bindings.Items).To(BeEmpty())
	var clusterBindings rbacv1.ClusterRoleBindingList
	Expect(k8s.List(ctx, &clusterBindings, labels)).To(Succeed())
	Expect(clusterBindings.Items).To(BeEmpty())
	Eventually(func() ([]rbacv1.ClusterRole, error) {
		var clusterRoles rbacv1.ClusterRoleList
		err := k8s.List(ctx, &clusterRoles, labels)
		return clusterRoles.Items, err
	}).WithContext(ctx).Should(BeEmpty())
}

func placesOf(ctx context.Context, user *v1alpha1.User) func() ([]v1alpha1.UserOrganization, error) {
	return func() ([]v1alpha1.UserOrganization, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(user), user)
		return user.Status.Organizations, err
	}
}

// personalOf is the name of a user's Personal organization.
func personalOf(username string) string { return "personal-" + names.Label(username, 31) }

// personalOrganization waits for a user's Personal organization.
func personalOrganization(ctx context.Context, username string) *v1alpha1.Organization {
	GinkgoHelper()
	organization := &v1alpha1.Organization{}
	Eventually(func() error {
		return k8s.Get(ctx, client.ObjectKey{Name: personalOf(username)}, organization)
	}).WithContext(ctx).Should(Succeed())
	return organization
}
