package e2e_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/test/expectations"
)

const (
	seePods       = "get pods"
	viewerBinding = "roster:catalogue:viewer:project"
	ownerBinding  = "roster:catalogue:owner:project"
	// foreignClusterRole is one of Kubernetes' own, stronger than what a viewer holds.
	foreignClusterRole = "admin"
)

// workshop is an organization that a spec has for itself: one project with one namespace, an owner and a viewer.
type workshop struct {
	organization, namespace string
	owner, viewer, intruder string

	account    *v1alpha1.Organization
	project    *v1alpha1.Project
	membership *v1alpha1.Membership
}

// makeWorkshop makes an organization and returns when the viewer may look at pods.
func makeWorkshop(ctx context.Context, organization string) workshop {
	GinkgoHelper()
	at := "@" + organization + ".example"
	w := workshop{
		organization: organization, namespace: organization + "-site",
		owner: "owner" + at, viewer: "viewer" + at, intruder: "intruder" + at,
		account:    expectations.Organization(organization, "owner"+at),
		project:    expectations.Project(organization, "site"),
		membership: expectations.Membership(organization, "viewer", "viewer"+at, "viewer"),
	}
	expect.Create(ctx, w.account)
	expect.Ready(ctx, w.account)
	expect.Create(ctx, w.project, w.membership)
	expect.Ready(ctx, w.project, w.membership)
	expect.Allowed(ctx, w.viewer, seePods, w.namespace)
	return w
}

// bindingOf is the viewers' binding as it is now.
func (w workshop) bindingOf(ctx context.Context) *rbacv1.RoleBinding {
	GinkgoHelper()
	binding := &rbacv1.RoleBinding{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: viewerBinding}, binding)).To(Succeed())
	return binding
}

// meaning is what matters of a binding: who holds what, and by which labels it is found.
type meaning struct {
	RoleRef  rbacv1.RoleRef
	Subjects []rbacv1.Subject
	Labels   map[string]string
}

func meaningOf(ctx context.Context, key client.ObjectKey) (meaning, error) {
	if key.Namespace == "" {
		binding := &rbacv1.ClusterRoleBinding{}
		err := k8s.Get(ctx, key, binding)
		return meaning{binding.RoleRef, binding.Subjects, binding.Labels}, err
	}
	binding := &rbacv1.RoleBinding{}
	err := k8s.Get(ctx, key, binding)
	return meaning{binding.RoleRef, binding.Subjects, binding.Labels}, err
}

func rbacUser(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// handMade is a binding that somebody makes by hand.
func handMade(namespace, name, clusterRole, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{rbacUser(user)},
	}
}

// replaceByHand puts an object in the place of another one of its name. Roster may be faster in between.
func replaceByHand(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(func() error {
		if err := client.IgnoreNotFound(k8s.Delete(ctx, object.DeepCopyObject().(client.Object))); err != nil {
			return err
		}
		return k8s.Create(ctx, object.DeepCopyObject().(client.Object))
	}).WithContext(ctx).WithPolling(0).Should(Succeed())
}

var _ = Describe("A managed binding that somebody tampered with", func() {
	// No object of Roster's is touched: the binding's own watch is what undoes it.
	DescribeTable("is what it was again",
		func(ctx SpecContext, organization string, tamper func(context.Context, workshop, *rbacv1.RoleBinding)) {
			w := makeWorkshop(ctx, organization)
			binding := w.bindingOf(ctx)
			key := client.ObjectKeyFromObject(binding)
			before, err := meaningOf(ctx, key)
			Expect(err).NotTo(HaveOccurred())

			tamper(ctx, w, binding)

			Eventually(meaningOf).WithContext(ctx).WithArguments(key).Should(Equal(before))
			expect.Allowed(ctx, w.viewer, seePods, w.namespace)
			expect.Refused(ctx, w.intruder, seePods, w.namespace)
			expect.Refused(ctx, w.viewer, "delete pods", w.namespace)
		},
		Entry("after a subject was added", "tamper-added",
			func(ctx context.Context, w workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
					binding.Subjects = append(binding.Subjects, rbacUser(w.intruder))
				})
			}),
		Entry("after its subject was removed", "tamper-removed",
			func(ctx context.Context, _ workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) { binding.Subjects = nil })
			}),
		Entry("after its subject was exchanged", "tamper-exchanged",
			func(ctx context.Context, w workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
					binding.Subjects = []rbacv1.Subject{rbacUser(w.intruder)}
				})
			}),
		Entry("after its labels were stripped", "tamper-stripped",
			func(ctx context.Context, _ workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) { binding.Labels = nil })
			}),
		Entry("after its labels were stripped and a subject was added", "tamper-hidden",
			func(ctx context.Context, w workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
					binding.Labels = nil
					binding.Subjects = append(binding.Subjects, rbacUser(w.intruder))
				})
			}),
		Entry("after it was labelled as an organization's that isn't there", "tamper-labelled",
			func(ctx context.Context, _ workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
					binding.Labels[v1alpha1.LabelOrganization] = "tamper-nobody"
				})
			}),
		Entry("after it was labelled as another role's", "tamper-role-label",
			func(ctx context.Context, _ workshop, binding *rbacv1.RoleBinding) {
				expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
					binding.Labels[v1alpha1.LabelRole] = "developer"
				})
			}),
		Entry("after it was deleted", "tamper-deleted",
			func(ctx context.Context, _ workshop, binding *rbacv1.RoleBinding) { expect.Delete(ctx, binding) }),
		Entry("after another one with another role took its name", "tamper-replaced",
			func(ctx context.Context, w workshop, binding *rbacv1.RoleBinding) {
				replaceByHand(ctx, handMade(binding.Namespace, binding.Name, foreignClusterRole, w.intruder))
			}),
		Entry("after another one with another role took its name and labels", "tamper-disguised",
			func(ctx context.Context, w workshop, binding *rbacv1.RoleBinding) {
				disguised := handMade(binding.Namespace, binding.Name, foreignClusterRole, w.viewer)
				disguised.Labels = binding.Labels
				replaceByHand(ctx, disguised)
			}),
	)

	It("isn't taken over by the organization that its label was changed to", func(ctx SpecContext) {
		w, other := makeWorkshop(ctx, "tamper-label-from"), makeWorkshop(ctx, "tamper-label-to")
		binding := w.bindingOf(ctx)
		before, err := meaningOf(ctx, client.ObjectKeyFromObject(binding))
		Expect(err).NotTo(HaveOccurred())
		expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) {
			binding.Labels[v1alpha1.LabelOrganization] = other.organization
		})
		Eventually(meaningOf).WithContext(ctx).WithArguments(client.ObjectKeyFromObject(binding)).Should(Equal(before))
		expect.Allowed(ctx, w.viewer, seePods, w.namespace)
		expect.Allowed(ctx, other.viewer, seePods, other.namespace)
		expect.Refused(ctx, w.viewer, seePods, other.namespace)
	})

	It("is removed with the grant that ends while its labels are stripped", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "tamper-stripped-end")
		binding := w.bindingOf(ctx)
		// Each of the two may arrive first: the sync must find the binding by its name.
		expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) { binding.Labels = nil })
		expect.Delete(ctx, w.membership)
		expect.Gone(ctx, w.membership)
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
		expect.Gone(ctx, binding)
	})

	It("is removed with the grant that ends after its labels were stripped and given back", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "tamper-stripped-later")
		binding := w.bindingOf(ctx)
		before := binding.Labels
		expectations.Change(ctx, expect, binding, func(binding *rbacv1.RoleBinding) { binding.Labels = nil })
		Eventually(func() map[string]string { return w.bindingOf(ctx).Labels }).WithContext(ctx).Should(Equal(before))
		expect.Delete(ctx, w.membership)
		expect.Gone(ctx, w.membership, binding)
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
	})
})

var _ = Describe("A binding made by hand in a project's namespace", func() {
	DescribeTable("is removed when it passes for one of Roster's",
		func(ctx SpecContext, organization, name, clusterRole string, labels map[string]string) {
			w := makeWorkshop(ctx, organization)
			extra := handMade(w.namespace, name, clusterRole, w.intruder)
			extra.Labels = labels
			expect.Create(ctx, extra)
			expect.Gone(ctx, extra)
			expect.Refused(ctx, w.intruder, seePods, w.namespace)
			expect.Allowed(ctx, w.viewer, seePods, w.namespace)
		},
		Entry("by the name of a role that somebody holds there, as a further shard", "tamper-extra-shard",
			viewerBinding+":shard-2", viewerBinding, nil),
		Entry("by the name of a shard that nothing would reach", "tamper-extra-far",
			viewerBinding+":shard-999", foreignClusterRole, nil),
		Entry("by the name of a role that nobody holds there", "tamper-extra-role",
			"roster:catalogue:maintainer:project", "roster:catalogue:maintainer:project", nil),
		Entry("by the name of a role that isn't there", "tamper-extra-none",
			"roster:org:tamper-extra-none:missing:project", foreignClusterRole, nil),
		Entry("by its labels", "tamper-extra-labels", "helper", foreignClusterRole, map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster, v1alpha1.LabelOrganization: "tamper-extra-labels",
		}),
		Entry("by one label alone", "tamper-extra-label", "helper", foreignClusterRole, map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByRoster,
		}),
	)

	It("gets its one rightful holder when it takes the name of the owners' binding", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "tamper-extra-owner")
		key := client.ObjectKey{Namespace: w.namespace, Name: ownerBinding}
		before, err := meaningOf(ctx, key)
		Expect(err).NotTo(HaveOccurred())
		replaceByHand(ctx, handMade(w.namespace, ownerBinding, ownerBinding, w.intruder))
		Eventually(meaningOf).WithContext(ctx).WithArguments(key).Should(Equal(before))
		expect.Refused(ctx, w.intruder, seePods, w.namespace)
		expect.Allowed(ctx, w.owner, seePods, w.namespace)
	})

	It("stays when it isn't Roster's", func(ctx SpecContext) {
		w := makeWorkshop(ctx, "tamper-legacy")
		legacy := handMade(w.namespace, "legacy", "view", w.intruder)
		expect.Create(ctx, legacy)
		expect.Allowed(ctx, w.intruder, seePods, w.namespace)
		// Something to sync for, so that the binding has been looked at.
		expect.Delete(ctx, w.membership)
		expect.Gone(ctx, w.membership)
		expect.Refused(ctx, w.viewer, seePods, w.namespace)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(legacy), legacy)).To(Succeed())
	})
})

var _ = Describe("A compiled ClusterRole that somebody tampered with", func() {
	DescribeTable("is what it was again, and who holds it keeps it",
		func(ctx SpecContext, organization string, tamper func(context.Context, *rbacv1.ClusterRole)) {
			w := makeWorkshop(ctx, organization)
			role := readerOf(w.organization, "configmaps")
			expect.Create(ctx, role)
			expect.Ready(ctx, role)
			expectations.Change(ctx, expect, w.membership, func(membership *v1alpha1.Membership) {
				membership.Spec.Roles = []v1alpha1.RoleName{"reader"}
			})
			expect.Ready(ctx, w.membership)
			expect.Allowed(ctx, w.viewer, "list configmaps", w.namespace)
			compiled := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role.Status.ClusterRole}}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(compiled), compiled)).To(Succeed())
			before := compiled.DeepCopy()
			binding := &rbacv1.RoleBinding{}
			key := client.ObjectKey{Namespace: w.namespace, Name: compiled.Name}
			Expect(k8s.Get(ctx, key, binding)).To(Succeed())
			uid := binding.UID

			tamper(ctx, compiled)

			Eventually(func(g Gomega) {
				found := &rbacv1.ClusterRole{}
				g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(compiled), found)).To(Succeed())
				g.Expect(found.Rules).To(Equal(before.Rules))
				g.Expect(found.Labels).To(Equal(before.Labels))
				g.Expect(found.AggregationRule).To(BeNil())
			}).WithContext(ctx).Should(Succeed())
			expect.Allowed(ctx, w.viewer, "list configmaps", w.namespace)
			expect.Refused(ctx, w.viewer, "list secrets", w.namespace)
			Expect(k8s.Get(ctx, key, binding)).To(Succeed())
			Expect(binding.UID).To(Equal(uid), "nobody's binding was deleted and made again")
			Eventually(changesOf(ctx, role.UID, "TamperingUndone")).WithContext(ctx).Should(ContainElement(
				told{Action: "TamperingUndone", Actor: "unknown", Field: "ClusterRole " + compiled.Name}))
		},
		Entry("after it was widened", "tamper-role-wide",
			func(ctx context.Context, compiled *rbacv1.ClusterRole) {
				expectations.Change(ctx, expect, compiled, func(compiled *rbacv1.ClusterRole) {
					compiled.Rules = append(compiled.Rules, secretsRule())
				})
			}),
		Entry("after it was exchanged", "tamper-role-exchanged",
			func(ctx context.Context, compiled *rbacv1.ClusterRole) {
				expectations.Change(ctx, expect, compiled, func(compiled *rbacv1.ClusterRole) {
					compiled.Rules = []rbacv1.PolicyRule{secretsRule()}
				})
			}),
		Entry("after its labels were stripped", "tamper-role-stripped",
			func(ctx context.Context, compiled *rbacv1.ClusterRole) {
				expectations.Change(ctx, expect, compiled, func(compiled *rbacv1.ClusterRole) { compiled.Labels = nil })
			}),
		Entry("after it was made to gather the rules of others", "tamper-role-gathers",
			func(ctx context.Context, compiled *rbacv1.ClusterRole) {
				expectations.Change(ctx, expect, compiled, func(compiled *rbacv1.ClusterRole) {
					compiled.AggregationRule = everythingAggregated()
				})
			}),
		Entry("after it was deleted, again and again", "tamper-role-deleted",
			func(ctx context.Context, compiled *rbacv1.ClusterRole) {
				for range 10 {
					uid := compiled.UID
					expect.Delete(ctx, compiled)
					Eventually(func(g Gomega) {
						g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(compiled), compiled)).To(Succeed())
						g.Expect(compiled.UID).NotTo(Equal(uid))
					}).WithContext(ctx).Should(Succeed())
				}
			}),
	)
})

// readerOf is a custom role that lists one resource in projects.
func readerOf(organization, resource string) *v1alpha1.Role {
	return &v1alpha1.Role{
		ObjectMeta: expectations.InOrganization(organization, "reader"),
		Spec: v1alpha1.RoleSpec{Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{"list"},
		}}},
	}
}

func secretsRule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}}
}

// everythingAggregated makes Kubernetes copy the rules of the ClusterRole admin, secrets among them, into a ClusterRole.
func everythingAggregated() *rbacv1.AggregationRule {
	return &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{
		MatchLabels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-edit": "true"},
	}}}
}

var _ = Describe("The owners' access to their Organization object", func() {
	DescribeTable("is what it was again",
		func(ctx SpecContext, organization string, tamper func(context.Context, workshop)) {
			w := makeWorkshop(ctx, organization)
			expectOrganizationAccess(ctx, w, w.owner, true)
			key := client.ObjectKey{Name: "roster:org:" + organization}
			before, err := meaningOf(ctx, key)
			Expect(err).NotTo(HaveOccurred())
			role := &rbacv1.ClusterRole{}
			Expect(k8s.Get(ctx, key, role)).To(Succeed())
			rules, labels := role.Rules, role.Labels

			tamper(ctx, w)

			Eventually(meaningOf).WithContext(ctx).WithArguments(key).Should(Equal(before))
			Eventually(func(g Gomega) {
				found := &rbacv1.ClusterRole{}
				g.Expect(k8s.Get(ctx, key, found)).To(Succeed())
				g.Expect(found.Rules).To(Equal(rules))
				g.Expect(found.Labels).To(Equal(labels))
				g.Expect(found.AggregationRule).To(BeNil())
			}).WithContext(ctx).Should(Succeed())
			expectOrganizationAccess(ctx, w, w.owner, true)
			expectOrganizationAccess(ctx, w, w.intruder, false)
			account := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: w.organization}}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(account), account)).To(Succeed())
			Eventually(changesOf(ctx, account.UID, "TamperingUndone")).WithContext(ctx).Should(
				ContainElement(HaveField("Field", HaveSuffix("roster:org:"+w.organization))))
		},
		Entry("after a subject was added to the binding", "tamper-org-added", func(ctx context.Context, w workshop) {
			changeOrganizationBinding(ctx, w, func(binding *rbacv1.ClusterRoleBinding) {
				binding.Subjects = append(binding.Subjects, rbacUser(w.intruder))
			})
		}),
		Entry("after the owner was removed from the binding", "tamper-org-removed", func(ctx context.Context, w workshop) {
			changeOrganizationBinding(ctx, w, func(binding *rbacv1.ClusterRoleBinding) { binding.Subjects = nil })
		}),
		Entry("after the binding's labels were stripped", "tamper-org-stripped", func(ctx context.Context, w workshop) {
			changeOrganizationBinding(ctx, w, func(binding *rbacv1.ClusterRoleBinding) { binding.Labels = nil })
		}),
		Entry("after the binding was deleted", "tamper-org-deleted", func(ctx context.Context, w workshop) {
			expect.Delete(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "roster:org:" + w.organization}})
		}),
		Entry("after another binding took its name", "tamper-org-replaced", func(ctx context.Context, w workshop) {
			byHand := handMade("", "roster:org:"+w.organization, "view", w.intruder)
			replaceByHand(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: byHand.ObjectMeta, RoleRef: byHand.RoleRef, Subjects: byHand.Subjects,
			})
		}),
		Entry("after the ClusterRole was narrowed", "tamper-org-narrowed", func(ctx context.Context, w workshop) {
			changeOrganizationRole(ctx, w, func(role *rbacv1.ClusterRole) { role.Rules = nil })
		}),
		Entry("after the ClusterRole was widened", "tamper-org-widened", func(ctx context.Context, w workshop) {
			changeOrganizationRole(ctx, w, func(role *rbacv1.ClusterRole) { role.Rules[0].ResourceNames = nil })
		}),
		Entry("after the ClusterRole was made to gather the rules of others", "tamper-org-gathers",
			func(ctx context.Context, w workshop) {
				changeOrganizationRole(ctx, w, func(role *rbacv1.ClusterRole) {
					role.AggregationRule = everythingAggregated()
				})
			}),
		Entry("after the ClusterRole was deleted", "tamper-org-roleless", func(ctx context.Context, w workshop) {
			expect.Delete(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "roster:org:" + w.organization}})
		}),
	)
})

func changeOrganizationBinding(ctx context.Context, w workshop, change func(*rbacv1.ClusterRoleBinding)) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "roster:org:" + w.organization}
	expectations.Change(ctx, expect, &rbacv1.ClusterRoleBinding{ObjectMeta: meta}, change)
}

func changeOrganizationRole(ctx context.Context, w workshop, change func(*rbacv1.ClusterRole)) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "roster:org:" + w.organization}
	expectations.Change(ctx, expect, &rbacv1.ClusterRole{ObjectMeta: meta}, change)
}

// expectOrganizationAccess waits until a user may change the Organization object itself, or may not.
func expectOrganizationAccess(ctx context.Context, w workshop, user string, allowed bool) {
	GinkgoHelper()
	Eventually(func() (bool, error) {
		return mayChangeOrganization(ctx, user, w.organization)
	}).WithContext(ctx).Should(Equal(allowed), fmt.Sprintf("%s: update organization %s", user, w.organization))
}

func mayChangeOrganization(ctx context.Context, user, organization string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: []string{"system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "update", Group: v1alpha1.GroupVersion.Group, Resource: "organizations", Name: organization,
		},
	}}
	err := k8s.Create(ctx, review)
	return review.Status.Allowed, err
}

// single is an object that one user alone reaches, and by what.
type single struct {
	object  client.Object
	role    client.ObjectKey
	binding client.ObjectKey
}

var _ = Describe("What a single object is reached by", Ordered, func() {
	var request, token single

	BeforeAll(func(ctx SpecContext) {
		agency(ctx, "tamper-agency")
		customer(ctx, "tamper-customer")
		asked := letIn(ctx, "tamper-customer", "tamper-agency", "developer")
		made := apiToken("tamper-customer", "ci", "olga@tamper-customer", []v1alpha1.RoleName{"viewer"}, "shop")
		Expect(clientFor(cluster.As("olga@tamper-customer")).Create(ctx, made)).To(Succeed())
		expect.Ready(ctx, made)
		reachedBy := func(object client.Object, name string) single {
			return single{object, client.ObjectKey{Name: name}, client.ObjectKey{Namespace: object.GetNamespace(), Name: name}}
		}
		request = reachedBy(asked, "roster:join:tamper-customer:"+asked.Name)
		token = reachedBy(made, "roster:token:tamper-customer:ci")
	})

	DescribeTable("is what it was again, and the history says so",
		func(ctx SpecContext, of *single, tamper func(context.Context, *rbacv1.ClusterRole, *rbacv1.RoleBinding)) {
			role, binding := &rbacv1.ClusterRole{}, &rbacv1.RoleBinding{}
			Expect(k8s.Get(ctx, of.role, role)).To(Succeed())
			Expect(k8s.Get(ctx, of.binding, binding)).To(Succeed())
			rules, subjects := role.Rules, binding.Subjects
			undone := changesOf(ctx, of.object.GetUID(), "TamperingUndone")
			before, err := undone()
			Expect(err).NotTo(HaveOccurred())

			tamper(ctx, role.DeepCopy(), binding.DeepCopy())

			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, of.role, role)).To(Succeed())
				g.Expect(role.Rules).To(Equal(rules))
				g.Expect(role.AggregationRule).To(BeNil())
				g.Expect(k8s.Get(ctx, of.binding, binding)).To(Succeed())
				g.Expect(binding.Subjects).To(Equal(subjects))
			}).WithContext(ctx).Should(Succeed())
			Eventually(undone).WithContext(ctx).Should(HaveLen(len(before) + 1))
		},
		Entry("after a join request's ClusterRole was widened", &request, widenRules),
		Entry("after a join request's ClusterRole was deleted", &request, deleteRole),
		Entry("after a subject was added to a join request's binding", &request, addIntruder),
		Entry("after a join request's binding was deleted", &request, deleteBinding),
		Entry("after a token's ClusterRole was widened", &token, widenRules),
		Entry("after a token's ClusterRole was deleted", &token, deleteRole),
	)
})

func widenRules(ctx context.Context, role *rbacv1.ClusterRole, _ *rbacv1.RoleBinding) {
	GinkgoHelper()
	role.Rules = append(role.Rules, secretsRule())
	Expect(k8s.Update(ctx, role)).To(Succeed())
}

func deleteRole(ctx context.Context, role *rbacv1.ClusterRole, _ *rbacv1.RoleBinding) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, role)).To(Succeed())
}

func addIntruder(ctx context.Context, _ *rbacv1.ClusterRole, binding *rbacv1.RoleBinding) {
	GinkgoHelper()
	binding.Subjects = append(binding.Subjects, rbacUser("intruder"))
	Expect(k8s.Update(ctx, binding)).To(Succeed())
}

func deleteBinding(ctx context.Context, _ *rbacv1.ClusterRole, binding *rbacv1.RoleBinding) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, binding)).To(Succeed())
}
