package removals_test

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/roster-dev/roster/api/v1alpha1"
	engine "github.com/roster-dev/roster/internal/access"
)

const shop = "acme-shop"

// crowd is an organization of 150 viewers and its owner: 20 percent of those are 30.
func crowd() (*story, []string) {
	s := newStory("shop", "blog")
	users := numbered("bo", 150)
	s.join(users, "viewer")
	s.sync()
	return s, users
}

var _ = Describe("Removals within ten minutes", func() {
	It("go at once as long as they are few, and the others are held by name", func() {
		s, users := crowd()
		s.leave(users[:25]...)
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users[25:]))
		Expect(s.held()).To(BeEmpty())

		s.leave(users[25:60]...)
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users[30:]))
		Expect(s.in("org-acme", users)).To(Equal(users[30:]))
		Expect(s.held()).To(Equal(users[30:60]))
		Expect(s.state.Held.Since).To(Equal(s.now))
	})

	It("count together however many syncs see them, and again only when they have aged", func() {
		s := newStory("shop")
		users := numbered("bo", 90)
		s.join(users, "viewer")
		s.sync()
		for at := range 20 {
			s.leave(users[at])
			s.after(10 * time.Second)
		}
		Expect(s.held()).To(BeEmpty())
		s.leave(users[20:22]...)
		s.after(10*time.Minute - 190*time.Second)
		Expect(s.held()).To(Equal(users[21:22]), "the first of them has aged")
	})

	It("are never fewer than 20, in the smallest organization and at zero percent", func() {
		s := newStory("shop")
		users := numbered("bo", 25)
		s.percent = 0
		s.join(users, "viewer")
		s.sync()
		s.leave(users...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[20:]))
	})

	It("count users, not what each of them loses", func() {
		s, users := crowd()
		s.team("makers", users[:30], "developer", "shop")
		s.sync()
		s.change(users[:30], func(m *v1alpha1.MembershipSpec) { m.Roles = []v1alpha1.RoleName{"member"} })
		s.after(time.Second)
		Expect(s.in("acme-blog", users)).To(Equal(users[30:]), "viewer in all projects became member, which gives nothing there")
		s.leave(users[:30]...)
		s.after(time.Minute)
		Expect(s.held()).To(BeEmpty(), "they are the same users")
		Expect(s.in("org-acme", users)).To(Equal(users[30:]))
	})

	It("are not what leaves somebody something in the namespace", func() {
		s, users := crowd()
		s.team("makers", users, "developer", "shop", "blog")
		s.sync()
		s.world.Teams = nil
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.state.LetGo).To(BeEmpty())
	})
})

var _ = Describe("What is held", func() {
	var s *story
	var users []string

	BeforeEach(func() {
		s, users = crowd()
		s.leave(users[:60]...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:60]))
	})

	It("stays held when the window is over, and takes what comes meanwhile along", func() {
		s.after(time.Hour)
		Expect(s.held()).To(Equal(users[30:60]))
		s.leave(users[60:70]...)
		s.after(time.Hour)
		Expect(s.held()).To(Equal(users[30:70]))
		Expect(s.in(shop, users)).To(Equal(users[30:]))
	})

	It("goes by its digest, exactly that, and opens no budget", func() {
		stale := s.digest()
		s.leave(users[60:70]...)
		s.after(time.Second)
		Expect(s.digest()).NotTo(Equal(stale))
		s.approved = stale
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:70]), "a stale digest changes nothing")

		s.approved = s.digest()
		s.leave(users[70:75]...)
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users[70:]))
		Expect(s.held()).To(Equal(users[70:75]), "what came later wasn't approved, and the window is spent")
		Expect(s.digest()).NotTo(Equal(s.approved))
	})

	It("goes as soon as it is what was approved, though nothing else happens after that", func() {
		approved := s.digest()
		s.leave(users[60:70]...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:70]))
		s.approved = approved
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:70]), "more is held than was approved")
		s.join(users[60:70], "viewer")
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.in(shop, users)).To(Equal(users[60:]))
	})

	It("isn't let go by the approval of an earlier hold of the same users", func() {
		s.approved = s.digest()
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		s.join(users[:60], "viewer")
		s.after(time.Hour)
		s.leave(users[:60]...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:60]))
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:60]), "the old approval is still there")
	})

	It("ends when the manifests come back, for each user who has something again", func() {
		s.join(users[30:50], "viewer")
		s.after(time.Minute)
		Expect(s.held()).To(Equal(users[50:60]))
		s.join(users[50:60], "viewer")
		s.after(time.Minute)
		Expect(s.held()).To(BeEmpty())
		Expect(s.digest()).To(BeEmpty())
		Expect(s.in(shop, users)).To(Equal(users[30:]))
	})

	It("is held where nothing is left, and ends there where something is", func() {
		s.join(users[30:60], "member")
		s.after(time.Minute)
		Expect(s.held()).To(Equal(users[30:60]))
		Expect(s.in(shop, users[30:60])).To(Equal(users[30:60]))
		Expect(s.state.Held.Groups).To(HaveLen(1))
		Expect(s.state.Held.Groups[0].Scope).To(Equal(&engine.Scope{Namespaces: []string{"acme-blog", shop}}))
	})

	It("is nothing for whom something holds back, and comes back when that does", func() {
		s.deactivate(users[30:40]...)
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users[40:]))
		s.join(users[40:41], "viewer")
		s.change(users[40:41], func(m *v1alpha1.MembershipSpec) { m.Suspended = true })
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(users[41:]))

		s.world.Users = nil
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(slices.Concat(users[30:40], users[41:])))
		Expect(s.held()).NotTo(ContainElement(users[40]), "their Membership is back, and says that it is suspended")
	})

	It("follows additions all the same", func() {
		s.join([]string{"new"}, "viewer")
		s.after(time.Second)
		Expect(s.in(shop, []string{"new"})).To(HaveLen(1))
	})

	It("is gone with an organization of the same name", func() {
		s.world.Organizations[0] = s.world.Organizations[0].DeepCopy()
		s.world.Organizations[0].UID = "another"
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.in(shop, users)).To(Equal(users[60:]))
	})
})

var _ = Describe("Held access ends", func() {
	It("when the grant would have ended, and says so beforehand", func() {
		s := newStory("shop")
		users := numbered("bo", 60)
		s.join(users, "viewer")
		end := metav1.NewTime(s.now.Add(time.Hour))
		s.change(users[:40], func(m *v1alpha1.MembershipSpec) { m.ExpiresAt = &end })
		s.sync()
		s.leave(users...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[20:]))
		Expect(s.decision.NextChange).To(Equal(end.Time))
		s.now = end.Time
		s.sync()
		Expect(s.held()).To(Equal(users[40:]))
		Expect(s.in(shop, users)).To(Equal(users[40:]))
	})
})

var _ = Describe("A state that can't be written", func() {
	It("takes nothing guarded away, and is caught up with", func() {
		s, users := crowd()
		s.lost = true
		s.leave(users[:60]...)
		s.deactivate(users[100])
		s.after(time.Second)
		Expect(s.in(shop, users)).To(Equal(slices.Concat(users[:100], users[101:])))
		s.lost = false
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:60]))

		s.lost, s.approved = true, s.digest()
		s.after(time.Second)
		Expect(s.in(shop, users[30:60])).To(Equal(users[30:60]), "approved, and not written yet")
		s.lost = false
		s.after(time.Second)
		Expect(s.in(shop, users[30:60])).To(BeEmpty())
	})
})

var _ = Describe("The safeguard", func() {
	It("that is loosened with the removals, or shortly before, counts from the next window", func() {
		s, users := crowd()
		s.percent = 100
		s.after(time.Second)
		s.leave(users[:60]...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[30:60]))
		s.after(time.Hour)
		Expect(s.held()).To(Equal(users[30:60]), "while anything is held no window begins")
		s.approved = s.digest()
		s.after(time.Second)
		s.after(10 * time.Minute)
		s.leave(users...)
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty(), "it is switched off by now")
		Expect(s.in(shop, users)).To(BeEmpty())
	})

	It("that is tightened counts at once, also within a window", func() {
		s, users := crowd()
		s.leave(users[:10]...)
		s.after(time.Second)
		s.percent = 0
		s.leave(users[10:30]...)
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[20:30]))
	})
})

var _ = DescribeTable("Of 60 users who lose everything, none is held",
	func(change func(s *story, users []string)) {
		s := newStory("shop")
		users := numbered("bo", 60)
		s.join(users, "viewer")
		s.sync()
		change(s, users)
		s.after(time.Second)
		Expect(s.in(shop, users)).To(BeEmpty())
		Expect(s.held()).To(BeEmpty())
		Expect(s.state.LetGo).To(BeEmpty(), "it doesn't count either")
	},
	Entry("by suspension", func(s *story, users []string) {
		s.change(users, func(m *v1alpha1.MembershipSpec) { m.Suspended = true })
	}),
	Entry("by expiry", func(s *story, users []string) {
		s.change(users, func(m *v1alpha1.MembershipSpec) { m.ExpiresAt = &metav1.Time{Time: s.now} })
	}),
	Entry("by deactivation", func(s *story, users []string) { s.deactivate(users...) }),
	Entry("by a second factor that is required", func(s *story, _ []string) {
		s.world.Organizations[0].Spec.RequireMFA = true
	}),
	Entry("because the organization is being deleted", func(s *story, _ []string) {
		s.world.Organizations[0].DeletionTimestamp = &metav1.Time{Time: s.now}
		s.world.Organizations[0].Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: acme}
		s.world.Memberships = nil
	}),
)

var _ = DescribeTable("Of 60 users who lose a project's namespace",
	func(change func(s *story), held int) {
		s := newStory("shop", "blog")
		users := numbered("bo", 60)
		s.join(users, "member")
		s.team("makers", users, "developer", "shop")
		s.world.RoleBindings = []*v1alpha1.RoleBinding{{ObjectMeta: meta("org-acme", "writers")}}
		s.world.RoleBindings[0].Spec = v1alpha1.RoleBindingSpec{
			Role: "viewer", Projects: []v1alpha1.ObjectName{"blog"},
			Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectTeam, Name: "makers"}},
		}
		s.sync()
		change(s)
		s.after(time.Second)
		Expect(s.held()).To(HaveLen(held))
		Expect(s.in("org-acme", users)).To(HaveLen(60))
	},
	Entry("40 are held when the Team is deleted", func(s *story) { s.world.Teams = nil }, 40),
	Entry("40 when its members are removed", func(s *story) { s.world.Teams[0].Spec.Members = nil }, 40),
	Entry("40 when its projects are removed", func(s *story) { s.world.Teams[0].Spec.Projects = nil }, 40),
	Entry("40 when its role is removed", func(s *story) { s.world.Teams[0].Spec.Role = "" }, 40),
	Entry("none when 20 of its members are", func(s *story) {
		s.world.Teams[0].Spec.Members = s.world.Teams[0].Spec.Members[20:]
	}, 0),
	Entry("40 when the RoleBinding is deleted", func(s *story) { s.world.RoleBindings = nil }, 40),
	Entry("40 when its subjects are removed", func(s *story) { s.world.RoleBindings[0].Spec.Subjects = nil }, 40),
	Entry("40 when the Project is deleted", func(s *story) { s.world.Projects = s.world.Projects[1:] }, 40),
	Entry("40 when the Project names other namespaces", func(s *story) {
		s.world.Projects[0].Spec.Namespaces = []v1alpha1.NamespaceName{"acme-other"}
	}, 40),
	Entry("40 when a Project that deletes its namespaces is deleted without having been confirmed", func(s *story) {
		ending(s.world.Projects[0], "")
	}, 40),
	Entry("none when that was confirmed", func(s *story) { ending(s.world.Projects[0], "shop") }, 0),
	Entry("none when the namespace itself is being deleted", func(s *story) {
		s.world.Namespaces[1].DeletionTimestamp = &metav1.Time{Time: s.now}
	}, 0),
	Entry("none when the namespace is somebody else's now", func(s *story) { s.world.Namespaces[1].Labels = nil }, 0),
)

func ending(project *v1alpha1.Project, confirmed string) {
	project.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	project.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	project.Annotations = map[string]string{v1alpha1.AnnotationConfirmDeletion: confirmed}
}

var _ = Describe("Owners", func() {
	It("aren't guarded: who is taken from spec.owners goes, and isn't counted", func() {
		s := newStory("shop")
		users := numbered("olga", 30)
		for _, user := range users {
			s.world.Organizations[0].Spec.Owners = append(s.world.Organizations[0].Spec.Owners, v1alpha1.Username(user))
		}
		s.sync()
		s.world.Organizations[0].Spec.Owners = s.world.Organizations[0].Spec.Owners[:1]
		s.after(time.Second)
		Expect(s.in(shop, users)).To(BeEmpty())
		Expect(s.held()).To(BeEmpty())
	})
})

var _ = Describe("What is inherited", func() {
	var s *story
	var users []string

	BeforeEach(func() {
		s = newStory("shop")
		users = numbered("bo", 60)
		s.join(users, "viewer")
		for _, membership := range s.world.Memberships {
			membership.Namespace = "org-holding"
		}
		holding := &v1alpha1.Organization{ObjectMeta: meta("", "holding")}
		holding.Spec.Owners = []v1alpha1.Username{"olga"}
		namespace := labelled("org-holding", "")
		namespace.Labels[v1alpha1.LabelOrganization] = "holding"
		s.world.Namespaces = append(s.world.Namespaces, namespace)
		s.world.Organizations = append(s.world.Organizations, holding)
		s.world.Organizations[0].Spec.Parent = "holding"
		s.sync()
		Expect(s.in(shop, users)).To(HaveLen(60))
	})

	It("is held when it is removed above", func() {
		s.world.Memberships = nil
		s.after(time.Second)
		Expect(s.held()).To(Equal(users[20:]))
	})

	It("goes when the organization moves away", func() {
		s.world.Organizations[0].Spec.Parent = ""
		s.after(time.Second)
		Expect(s.held()).To(BeEmpty())
		Expect(s.in(shop, users)).To(BeEmpty())
	})
})

var _ = Describe("A state", func() {
	It("is made where there was none, and nothing is held by it", func() {
		s := newStory("shop")
		s.join(numbered("bo", 100), "viewer")
		s.sync()
		Expect(s.decision.Changed).To(BeTrue())
		Expect(s.decision.Urgent).To(BeFalse())
		Expect(s.decision.Grants).To(BeEmpty())
	})

	It("changes only with what it says, and is urgent only where something is removed", func() {
		s, users := crowd()
		s.after(time.Hour)
		Expect(s.decision.Changed).To(BeFalse())
		s.join([]string{"new"}, "viewer")
		s.after(time.Second)
		Expect(s.decision.Changed).To(BeTrue())
		Expect(s.decision.Urgent).To(BeFalse())
		s.leave(users[:60]...)
		s.after(time.Second)
		Expect(s.decision.Urgent).To(BeTrue())
		s.after(time.Second)
		Expect(s.decision.Changed).To(BeFalse())
		Expect(s.decision.Grants).NotTo(BeEmpty())
		for _, grant := range s.decision.Grants {
			Expect(grant.Subjects).To(HaveEach(HaveField("Kind", rbacv1.UserKind)))
		}
	})
})
