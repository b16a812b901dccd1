package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/status"
	"github.com/roster-dev/roster/test/expectations"
)

// holdings are who holds what: USER NAMESPACE CLUSTERROLE.
type holdings = sets.Set[string]

func holding(user, namespace string, role v1alpha1.RoleName) string {
	return fmt.Sprintf("%s %s roster:catalogue:%s:project", user, namespace, role)
}

// holdingsOf are all that a user could hold in a namespace.
func holdingsOf(user, namespace string) []string {
	var all []string
	for _, role := range truthRoles {
		all = append(all, holding(user, namespace, role))
	}
	return all
}

// claim is an object that alone decides what some users hold in some namespaces.
type claim struct {
	object status.Object
	users  sets.Set[string]
	// asks is what the object, as it is now, asks for.
	asks func(status.Object) holdings
	// change changes the object's spec at random.
	change func(*rand.Rand, status.Object)
}

// truth is an organization with one below it, in which objects change at random.
type truth struct {
	projects   []v1alpha1.ObjectName
	namespaces []string // of the projects, in their order
	below      string   // the namespace of the project of the organization below
	claims     []*claim

	lock    sync.Mutex
	samples int
	lies    []string
}

var (
	truthRoles     = []v1alpha1.RoleName{"viewer", "editor", "developer", "maintainer"}
	truthOrg       = "truth"
	truthOrgBelow  = "truth-below"
	truthUsersEach = 4
)

// makeTruth makes the organizations, the projects, and one object of each kind that grants something.
func makeTruth(ctx context.Context) *truth {
	GinkgoHelper()
	t := &truth{below: truthOrgBelow + "-site"}
	account, accountBelow := expectations.Organization(truthOrg, "owner@truth.example"),
		expectations.Organization(truthOrgBelow, "owner@truth.example")
	accountBelow.Spec.Parent = truthOrg
	expect.Create(ctx, account, accountBelow)
	expect.Ready(ctx, account, accountBelow)
	project := expectations.Project(truthOrgBelow, "site")
	expect.Create(ctx, project)
	expect.Ready(ctx, project)
	for n := range 3 {
		name := fmt.Sprintf("p%d", n)
		project := expectations.Project(truthOrg, name)
		expect.Create(ctx, project)
		expect.Ready(ctx, project)
		t.projects = append(t.projects, v1alpha1.ObjectName(name))
		t.namespaces = append(t.namespaces, truthOrg+"-"+name)
	}
	t.claims = []*claim{t.membershipClaim("alone"), t.teamClaim(ctx), t.bindingClaim(ctx)}
	for _, claim := range t.claims {
		expect.Create(ctx, claim.object)
		expect.Ready(ctx, claim.object)
	}
	return t
}

// members makes users who are members of the organization and hold nothing by that.
func (t *truth) members(ctx context.Context, prefix string) []string {
	GinkgoHelper()
	var users []string
	for n := range truthUsersEach {
		name := fmt.Sprintf("%s%d", prefix, n)
		membership := expectations.Membership(truthOrg, name, name+"@truth.example", v1alpha1.RoleNone)
		expect.Create(ctx, membership)
		expect.Ready(ctx, membership)
		users = append(users, name+"@truth.example")
	}
	return users
}

func (t *truth) everywhere() []string {
	return append([]string{t.below}, t.namespaces...)
}

func (t *truth) membershipClaim(name string) *claim {
	user := name + "@truth.example"
	return &claim{
		object: expectations.Membership(truthOrg, name, user, "viewer"),
		users:  sets.New(user),
		asks: func(object status.Object) holdings {
			asked := holdings{}
			for _, role := range object.(*v1alpha1.Membership).Spec.Roles {
				for _, namespace := range t.everywhere() {
					if role != v1alpha1.RoleNone {
						asked.Insert(holding(user, namespace, role))
					}
				}
			}
			return asked
		},
		change: func(random *rand.Rand, object status.Object) {
			membership := object.(*v1alpha1.Membership)
			membership.Spec.Roles = someOf(random, truthRoles, 0)
			if len(membership.Spec.Roles) == 0 {
				membership.Spec.Roles = []v1alpha1.RoleName{v1alpha1.RoleNone}
			}
		},
	}
}

func (t *truth) teamClaim(ctx context.Context) *claim {
	GinkgoHelper()
	users := t.members(ctx, "teammate")
	return &claim{
		object: teamOf(truthOrg, "team", "viewer", t.projects[0], v1alpha1.Username(users[0])),
		users:  sets.New(users...),
		asks: func(object status.Object) holdings {
			team, asked := object.(*v1alpha1.Team), holdings{}
			for _, user := range team.Spec.Members {
				for _, project := range team.Spec.Projects {
					asked.Insert(holding(string(user), truthOrg+"-"+string(project), team.Spec.Role))
				}
			}
			return asked
		},
		change: func(random *rand.Rand, object status.Object) {
			team := object.(*v1alpha1.Team)
			team.Spec.Role = truthRoles[random.IntN(len(truthRoles))]
			team.Spec.Projects = someOf(random, t.projects, 1)
			team.Spec.Members = nil
			for _, user := range someOf(random, users, 0) {
				team.Spec.Members = append(team.Spec.Members, v1alpha1.Username(user))
			}
		},
	}
}

func (t *truth) bindingClaim(ctx context.Context) *claim {
	GinkgoHelper()
	users := t.members(ctx, "bound")
	return &claim{
		object: grantTo(truthOrg, "binding", users[0], "viewer", t.projects[0]),
		users:  sets.New(users...),
		asks: func(object status.Object) holdings {
			binding, asked := object.(*v1alpha1.RoleBinding), holdings{}
			namespaces := t.everywhere()
			if !binding.Spec.OrganizationWide {
				namespaces = nil
				for _, project := range binding.Spec.Projects {
					namespaces = append(namespaces, truthOrg+"-"+string(project))
				}
			}
			for _, subject := range binding.Spec.Subjects {
				for _, namespace := range namespaces {
					asked.Insert(holding(subject.Name, namespace, binding.Spec.Role))
				}
			}
			return asked
		},
		change: func(random *rand.Rand, object status.Object) {
			binding := object.(*v1alpha1.RoleBinding)
			binding.Spec.Role = truthRoles[random.IntN(len(truthRoles))]
			binding.Spec.Projects, binding.Spec.OrganizationWide = someOf(random, t.projects, 1), false
			if random.IntN(3) == 0 {
				binding.Spec.Projects, binding.Spec.OrganizationWide = nil, true
			}
			binding.Spec.Subjects = nil
			for _, user := range someOf(random, users, 1) {
				binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: user})
			}
		},
	}
}

// someOf chooses at random, at least so many.
func someOf[T any](random *rand.Rand, from []T, atLeast int) []T {
	var chosen []T
	for _, at := range random.Perm(len(from))[:atLeast+random.IntN(len(from)+1-atLeast)] {
		chosen = append(chosen, from[at])
	}
	return chosen
}

// sample compares what an object says with what is in force. It counts only when the object was the same before and after
// looking, and said so of its present generation.
func (t *truth) sample(ctx context.Context, claim *claim) error {
	before := claim.object.DeepCopyObject().(status.Object)
	key := client.ObjectKeyFromObject(before)
	if err := k8s.Get(ctx, key, before); err != nil {
		return err
	}
	if !saysReady(before) {
		return nil
	}
	held, err := t.held(ctx, claim.users)
	if err != nil {
		return err
	}
	after := claim.object.DeepCopyObject().(status.Object)
	if err := k8s.Get(ctx, key, after); err != nil || before.GetResourceVersion() != after.GetResourceVersion() {
		return err
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	t.samples++
	if asked := claim.asks(before); !asked.Equal(held) {
		t.lies = append(t.lies, fmt.Sprintf("%T generation %d says Ready; asked and not held: %v; held and not asked: %v",
			before, before.GetGeneration(), sets.List(asked.Difference(held)), sets.List(held.Difference(asked))))
	}
	return nil
}

func saysReady(object status.Object) bool {
	ready := meta.FindStatusCondition(*object.GetConditions(), v1alpha1.ConditionReady)
	return ready != nil && ready.Status == "True" && ready.ObservedGeneration == object.GetGeneration()
}

// held is what the users hold by the bindings in all namespaces.
func (t *truth) held(ctx context.Context, users sets.Set[string]) (holdings, error) {
	found := holdings{}
	for _, namespace := range t.everywhere() {
		var bindings rbacv1.RoleBindingList
		if err := k8s.List(ctx, &bindings, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		for _, binding := range bindings.Items {
			for _, subject := range binding.Subjects {
				if users.Has(subject.Name) {
					found.Insert(fmt.Sprintf("%s %s %s", subject.Name, namespace, binding.RoleRef.Name))
				}
			}
		}
	}
	return found, nil
}

var _ = Describe("Ready", func() {
	It("is never True while RBAC differs from what the object asks for, through 100 random changes", func(ctx SpecContext) {
		t := makeTruth(ctx)
		watching, stop := context.WithCancel(ctx)
		defer stop()
		var group sync.WaitGroup
		for _, claim := range t.claims {
			group.Go(func() {
				defer GinkgoRecover()
				// As fast as it can it would keep the API server from everything else.
				pace := time.NewTicker(50 * time.Millisecond)
				defer pace.Stop()
				for watching.Err() == nil {
					<-pace.C
					err := t.sample(watching, claim)
					Expect(watching.Err() != nil || err == nil).To(BeTrue(), "sample: %v", err)
				}
			})
		}
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))
		for range 100 {
			claim := t.claims[random.IntN(len(t.claims))]
			object := claim.object.DeepCopyObject().(status.Object)
			expectations.Change(ctx, expect, object, func(object status.Object) { claim.change(random, object) })
			if random.IntN(2) == 0 {
				expect.Ready(ctx, object)
				Expect(t.sample(ctx, claim)).To(Succeed())
			}
		}
		for _, claim := range t.claims {
			expect.Ready(ctx, claim.object.DeepCopyObject().(status.Object))
		}
		stop()
		group.Wait()
		AddReportEntry("samples of objects that said Ready", t.samples)
		Expect(t.lies).To(BeEmpty())
		Expect(t.samples).To(BeNumerically(">", 50))
		// In the end all is in force, and the API server answers so.
		for _, claim := range t.claims {
			object := claim.object.DeepCopyObject().(status.Object)
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			asked := claim.asks(object)
			for user := range claim.users {
				for _, namespace := range t.everywhere() {
					// Each of the roles lets its holder see pods.
					if asked.HasAny(holdingsOf(user, namespace)...) {
						expect.Allowed(ctx, user, seePods, namespace)
						continue
					}
					expect.Refused(ctx, user, seePods, namespace)
				}
			}
		}
	})
})
