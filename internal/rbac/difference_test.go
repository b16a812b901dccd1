package rbac_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/access"
	"github.com/roster-dev/roster/internal/rbac"
)

const (
	viewerRole = "roster:catalogue:viewer:project"
	editorRole = "roster:catalogue:editor:project"
	// tamperedRole is what tampering gives.
	tamperedRole = "cluster-admin"
)

// differ makes shards so small that worlds of a few subjects have several.
var differ = rbac.Differ{Organization: "acme", ShardSize: 3}

// live is a binding as the API server has it, in order unless the test changes it.
func live(namespace, name string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	clusterRole, _, _ := strings.Cut(name, ":shard-")
	role, _ := rbac.RoleOfClusterRole(clusterRole)
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name), ResourceVersion: "1",
			Labels: rbac.Labels("acme", role.Name),
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects: subjects,
	}
}

func users(names ...string) []rbacv1.Subject {
	var subjects []rbacv1.Subject
	for _, name := range names {
		subjects = append(subjects, user(name))
	}
	return subjects
}

// wanted are the holders of viewer in namespace one.
func wanted(subjects ...rbacv1.Subject) rbac.Desired {
	return rbac.Desired{"one": {viewerRole: {Role: access.RoleReference{Name: "viewer"}, Subjects: subjects}}}
}

// lines write changes as a reader would: verb, namespace, name and subjects; "then" before what comes second.
func lines(changes []rbac.NamespaceChange) []string {
	var written []string
	write := func(prefix string, writes []rbac.Write) {
		for _, write := range writes {
			line := fmt.Sprintf("%s%s %s/%s", prefix, write.Verb, write.Binding.Namespace, write.Binding.Name)
			for _, subject := range write.Binding.Subjects {
				line += " " + subject.Name
			}
			written = append(written, line)
		}
	}
	for _, change := range changes {
		write("", change.First)
		write("then ", change.Then)
	}
	return written
}

var _ = Describe("Difference", func() {
	DescribeTable("says what to write",
		func(desired rbac.Desired, actual []*rbacv1.RoleBinding, expected ...string) {
			Expect(lines(differ.Difference(desired, actual))).To(Equal(expected))
		},
		Entry("to make a binding", wanted(users("bo", "cy")...), nil,
			"create one/"+viewerRole+" bo cy"),
		Entry("to make several where one would be too large", wanted(users("a", "b", "c", "d")...), nil,
			"create one/"+viewerRole+" a b c", "create one/"+viewerRole+":shard-2 d"),
		Entry("to add a subject, in place", wanted(users("a", "b")...),
			[]*rbacv1.RoleBinding{live("one", viewerRole, users("a")...)},
			"update one/"+viewerRole+" a b"),
		Entry("to remove a subject, in place", wanted(users("b")...),
			[]*rbacv1.RoleBinding{live("one", viewerRole, users("a", "b")...)},
			"update one/"+viewerRole+" b"),
		Entry("to delete a binding in which nobody is left", rbac.Desired{},
			[]*rbacv1.RoleBinding{live("one", viewerRole, users("a")...)},
			"delete one/"+viewerRole),
		Entry("to put a new subject where there is room", wanted(users("a", "b", "c", "d", "e", "f")...),
			[]*rbacv1.RoleBinding{
				live("one", viewerRole, users("a", "b")...), live("one", viewerRole+":shard-2", users("c", "d", "e")...),
			},
			"update one/"+viewerRole+" a b f"),
		Entry("to keep everybody's shard although one would do", wanted(users("b", "d")...),
			[]*rbacv1.RoleBinding{
				live("one", viewerRole, users("a", "b")...), live("one", viewerRole+":shard-2", users("c", "d")...),
			},
			"update one/"+viewerRole+" b", "update one/"+viewerRole+":shard-2 d"),
		Entry("to delete an empty shard and leave the one after it alone", wanted(users("a", "e")...),
			[]*rbacv1.RoleBinding{
				live("one", viewerRole, users("a")...), live("one", viewerRole+":shard-2", users("c")...),
				live("one", viewerRole+":shard-3", users("e")...),
			},
			"delete one/"+viewerRole+":shard-2"),
		Entry("to remove a binding that isn't Roster's in spite of its label", wanted(users("a")...),
			[]*rbacv1.RoleBinding{live("one", viewerRole, users("a")...), live("one", "stray", users("a")...)},
			"delete one/stray"),
		Entry("to give the new role before taking the old one",
			rbac.Desired{"one": {
				viewerRole: {Role: access.RoleReference{Name: "viewer"}, Subjects: users("a")},
				editorRole: {Role: access.RoleReference{Name: "editor"}, Subjects: users("b")},
			}},
			[]*rbacv1.RoleBinding{live("one", viewerRole, users("a", "b")...)},
			"create one/"+editorRole+" b", "then update one/"+viewerRole+" a"),
		Entry("to take at once from who leaves, and later from who moves",
			rbac.Desired{"one": {editorRole: {Role: access.RoleReference{Name: "editor"}, Subjects: users("b")}}},
			[]*rbacv1.RoleBinding{live("one", viewerRole, users("a", "b")...)},
			"create one/"+editorRole+" b", "update one/"+viewerRole+" b", "then delete one/"+viewerRole),
	)

	DescribeTable("undoes tampering",
		func(tamper func(*rbacv1.RoleBinding), expected string) {
			binding := live("one", viewerRole, users("a", "b")...)
			tamper(binding)
			changes := differ.Difference(wanted(users("a", "b")...), []*rbacv1.RoleBinding{binding})
			Expect(lines(changes)).To(Equal([]string{expected}))
			Expect(changes[0].First[0].Binding.RoleRef.Name).To(Equal(viewerRole))
			Expect(changes[0].First[0].Binding.Labels).To(HaveKeyWithValue(v1alpha1.LabelManagedBy, "roster"))
		},
		Entry("with an extra subject", func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, user("mallory")) },
			"update one/"+viewerRole+" a b"),
		Entry("with a subject of another kind", func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, group("a")) },
			"update one/"+viewerRole+" a b"),
		Entry("with a subject taken out", func(b *rbacv1.RoleBinding) { b.Subjects = users("b") },
			"update one/"+viewerRole+" a b"),
		Entry("with the labels", func(b *rbacv1.RoleBinding) { b.Labels = nil },
			"update one/"+viewerRole+" a b"),
		Entry("with one label", func(b *rbacv1.RoleBinding) { b.Labels[v1alpha1.LabelOrganization] = "other" },
			"update one/"+viewerRole+" a b"),
		Entry("with the roleRef", func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "cluster-admin" },
			"replace one/"+viewerRole+" a b"),
		Entry("with the roleRef's kind", func(b *rbacv1.RoleBinding) { b.RoleRef.Kind = "Role" },
			"replace one/"+viewerRole+" a b"),
	)

	It("keeps labels and annotations that others have put on a binding", func() {
		binding := live("one", viewerRole, users("a")...)
		binding.Labels["team.example/cost"] = "42"
		Expect(differ.Difference(wanted(users("a")...), []*rbacv1.RoleBinding{binding})).To(BeEmpty())
		binding.Annotations = map[string]string{"note": "kept"}
		changed := differ.Difference(wanted(users("b")...), []*rbacv1.RoleBinding{binding})[0].First[0].Binding
		Expect(changed.Labels).To(HaveKeyWithValue("team.example/cost", "42"))
		Expect(changed.Annotations).To(HaveKeyWithValue("note", "kept"))
	})

	It("writes updates and deletions on the version that the decision was made on", func() {
		binding := live("one", viewerRole, users("a")...)
		for _, desired := range []rbac.Desired{wanted(users("b")...), {}} {
			written := differ.Difference(desired, []*rbacv1.RoleBinding{binding})[0].First[0].Binding
			Expect(written.ResourceVersion).To(Equal("1"))
			Expect(written.UID).To(Equal(binding.UID))
		}
	})

	It("puts namespaces in which somebody loses a role before the others", func() {
		holders := rbac.Holders{Role: access.RoleReference{Name: "viewer"}, Subjects: users("a")}
		changes := differ.Difference(
			rbac.Desired{"a": {viewerRole: holders}, "c": {viewerRole: holders}, "d": {viewerRole: holders}},
			[]*rbacv1.RoleBinding{
				live("b", viewerRole, users("a")...), live("c", viewerRole, users("a", "b")...), live("d", viewerRole, users("a")...),
			})
		Expect(lines(changes)).To(Equal([]string{
			"delete b/" + viewerRole, "update c/" + viewerRole + " a", "create a/" + viewerRole + " a",
		}))
		Expect([]bool{changes[0].Revokes, changes[1].Revokes, changes[2].Revokes}).To(Equal([]bool{true, true, false}))
	})

	It("empties and frees a binding that a finalizer would keep after its deletion", func() {
		held := live("one", viewerRole, user("bo"))
		held.Finalizers = []string{"example.com/keep"}
		changes := differ.Difference(nil, []*rbacv1.RoleBinding{held})
		Expect(lines(changes)).To(Equal([]string{"update one/" + viewerRole}))
		Expect(changes[0].First[0].Binding.Finalizers).To(BeEmpty())
		Expect(changes[0].Revokes).To(BeTrue())

		changes = differ.Difference(wanted(user("bo")), []*rbacv1.RoleBinding{held})
		Expect(lines(changes)).To(Equal([]string{"update one/" + viewerRole + " bo"}))
		Expect(changes[0].First[0].Binding.Finalizers).To(BeEmpty())
	})

	It("finds a shard behind many that were deleted, and fills the free numbers around it", func() {
		names := make([]string, 0, 25)
		for n := range 25 {
			names = append(names, fmt.Sprintf("user-%02d", n))
		}
		one := rbac.Differ{Organization: "acme", ShardSize: 1}
		changes := one.Difference(wanted(users(names...)...),
			[]*rbacv1.RoleBinding{live("one", viewerRole+":shard-20", user("user-07"))})
		Expect(lines(changes)).To(HaveLen(24))
		Expect(lines(changes)).To(HaveEach(SatisfyAll(HavePrefix("create one/"), Not(ContainSubstring("user-07")))))
		Expect(lines(changes)).NotTo(ContainElement(ContainSubstring("shard-20 ")))
	})

	It("makes shards of a thousand where nothing else is said", func() {
		subjects := make([]rbacv1.Subject, 0, 2500)
		for i := range 2500 {
			subjects = append(subjects, user(fmt.Sprintf("user-%04d", i)))
		}
		writes := rbac.Differ{Organization: "acme"}.Difference(wanted(subjects...), nil)[0].First
		Expect(writes).To(HaveLen(3))
		Expect(writes[0].Binding.Subjects).To(HaveLen(1000))
		Expect(writes[2].Binding.Subjects).To(HaveLen(500))
	})

	Context("between any two sets", func() {
		It("leads from the actual one to the desired one, and then there is nothing to do", func() {
			checkPairs(func(t *rapid.T, desired rbac.Desired, actual []*rbacv1.RoleBinding) {
				server := newServer(actual)
				server.apply(t, differ.Difference(desired, actual), func() {})
				if expected, found := wantedHoldings(desired), server.holdings(); !maps.Equal(expected, found) {
					t.Fatalf("expected %v, found %v", expected, found)
				}
				if left := differ.Difference(desired, server.list()); len(left) > 0 {
					t.Fatalf("still to be written: %v", lines(left))
				}
			})
		})

		It("changes neither of them, and doesn't depend on the order", func() {
			checkPairs(func(t *rapid.T, desired rbac.Desired, actual []*rbacv1.RoleBinding) {
				before := fmt.Sprintf("%v %v", desired, actual)
				changes := differ.Difference(desired, actual)
				if after := fmt.Sprintf("%v %v", desired, actual); before != after {
					t.Fatalf("was\n%s\nis\n%s", before, after)
				}
				if len(actual) > 0 {
					actual = rapid.Permutation(actual).Draw(t, "order")
				}
				if again := differ.Difference(desired, actual); !reflect.DeepEqual(changes, again) {
					t.Fatalf("%v in one order, %v in another", lines(changes), lines(again))
				}
			})
		})

		It("leaves no binding too large, none empty, and no subject in another binding than before", func() {
			checkPairs(func(t *rapid.T, desired rbac.Desired, actual []*rbacv1.RoleBinding) {
				server := newServer(actual)
				server.apply(t, differ.Difference(desired, actual), func() {})
				for _, binding := range server.list() {
					if size := len(binding.Subjects); size == 0 || size > differ.ShardSize {
						t.Fatalf("%s has %d subjects", binding.Name, size)
					}
				}
				for _, binding := range actual {
					checkKept(t, desired, binding, actual, server)
				}
			})
		})

		It("takes no role for a moment from who keeps it, and the last role from nobody who gets another", func() {
			checkPairs(func(t *rapid.T, desired rbac.Desired, actual []*rbacv1.RoleBinding) {
				server, goal := newServer(actual), wantedHoldings(desired)
				start := server.holdings()
				server.apply(t, differ.Difference(desired, actual), func() { checkNoBlink(t, start, goal, server.holdings()) })
			})
		})
	})
})

// checkKept: who is wanted and was in one binding alone, which wasn't too large, is in it still.
func checkKept(
	t *rapid.T, desired rbac.Desired, binding *rbacv1.RoleBinding, actual []*rbacv1.RoleBinding, server *server,
) {
	clusterRole, shard, _ := strings.Cut(binding.Name, ":shard-")
	if binding.RoleRef.Name != clusterRole || len(binding.Subjects) > differ.ShardSize || len(shard) > 1 {
		return
	}
	for _, subject := range binding.Subjects {
		inBindings := 0
		for _, other := range actual {
			sameRole := other.Name == clusterRole || strings.HasPrefix(other.Name, clusterRole+":")
			if other.Namespace == binding.Namespace && sameRole && slices.Contains(other.Subjects, subject) {
				inBindings++
			}
		}
		if inBindings > 1 || !slices.Contains(desired[binding.Namespace][clusterRole].Subjects, subject) {
			continue
		}
		now := server.bindings[key{binding.Namespace, binding.Name}]
		if now == nil || !slices.Contains(now.Subjects, subject) {
			t.Fatalf("%s was in %s/%s and isn't any more", subject.Name, binding.Namespace, binding.Name)
		}
	}
}

// checkNoBlink compares what is held between two writes with what was held before and is to be held after all of them.
func checkNoBlink(t *rapid.T, start, goal, present holdings) {
	for held := range start {
		if goal[held] && !present[held] {
			t.Fatalf("%v keeps the role, but doesn't hold it between two writes", held)
		}
		if !goal[held] && !present[held] {
			checkGained(t, held, start, goal, present)
		}
	}
	for held := range present {
		if !start[held] && !goal[held] {
			t.Fatalf("%v has neither held the role nor is to hold it, but does between two writes", held)
		}
	}
}

// checkGained: who has lost a role already must hold all others that the subject is to gain in the namespace.
func checkGained(t *rapid.T, lost holding, start, goal, present holdings) {
	if lost.clusterRole == tamperedRole {
		return // What somebody gave by tampering is taken without waiting.
	}
	for gained := range goal {
		moves := gained.namespace == lost.namespace && gained.subject == lost.subject && !start[gained]
		if moves && !present[gained] {
			t.Fatalf("%v was lost before %v was gained", lost, gained)
		}
	}
}

func wantedHoldings(desired rbac.Desired) holdings {
	all := holdings{}
	for namespace, roles := range desired {
		for clusterRole, holders := range roles {
			for _, subject := range holders.Subjects {
				all[holding{namespace, clusterRole, subject}] = true
			}
		}
	}
	return all
}

// server is as much of an API server as bindings need.
type server struct {
	bindings map[key]*rbacv1.RoleBinding
}

type key struct{ namespace, name string }

func newServer(actual []*rbacv1.RoleBinding) *server {
	s := &server{bindings: map[key]*rbacv1.RoleBinding{}}
	for _, binding := range actual {
		s.bindings[key{binding.Namespace, binding.Name}] = binding.DeepCopy()
	}
	return s
}

func (s *server) list() []*rbacv1.RoleBinding { return slices.Collect(maps.Values(s.bindings)) }

func (s *server) holdings() holdings {
	all := holdings{}
	for _, binding := range s.bindings {
		for _, subject := range binding.Subjects {
			all[holding{binding.Namespace, binding.RoleRef.Name, subject}] = true
		}
	}
	return all
}

// apply carries out changes, those of First in any order, and looks after each write.
func (s *server) apply(t *rapid.T, changes []rbac.NamespaceChange, look func()) {
	for _, change := range changes {
		first := change.First
		if len(first) > 0 {
			first = rapid.Permutation(first).Draw(t, "order of First")
		}
		for _, write := range append(slices.Clone(first), change.Then...) {
			if write.Binding.Namespace != change.Namespace {
				t.Fatalf("%v among the writes of %s", write.Binding, change.Namespace)
			}
			s.write(t, write)
			look()
		}
	}
}

func (s *server) write(t *rapid.T, write rbac.Write) {
	at := key{write.Binding.Namespace, write.Binding.Name}
	before := s.bindings[at]
	if (before == nil) != (write.Verb == rbac.Create) {
		t.Fatalf("%s of %v, where there is %v", write.Verb, at, before)
	}
	switch write.Verb {
	case rbac.Delete:
		delete(s.bindings, at)
	case rbac.Update:
		if before.RoleRef != write.Binding.RoleRef {
			t.Fatalf("an update changes the roleRef of %v", at)
		}
		s.bindings[at] = write.Binding.DeepCopy()
	case rbac.Create, rbac.Replace:
		s.bindings[at] = write.Binding.DeepCopy()
	}
}

// checkPairs holds a property for pairs of what is to be and what is: often nearly the same, sometimes tampered with.
func checkPairs(property func(t *rapid.T, desired rbac.Desired, actual []*rbacv1.RoleBinding)) {
	GinkgoHelper()
	rapid.Check(GinkgoT(), func(t *rapid.T) {
		server := newServer(nil)
		for range rapid.IntRange(0, 3).Draw(t, "earlier states") {
			server.apply(t, differ.Difference(drawDesired(t), server.list()), func() {})
		}
		if rapid.Bool().Draw(t, "tampered") {
			drawTampering(t, server)
		}
		property(t, drawDesired(t), server.list())
	})
}

func drawDesired(t *rapid.T) rbac.Desired {
	desired := rbac.Desired{}
	for _, namespace := range []string{"one", "two"} {
		for _, name := range []string{"viewer", "editor"} {
			role := access.RoleReference{Name: name}
			var subjects []rbacv1.Subject
			for _, letter := range "abcdefghijkl" {
				if rapid.Bool().Draw(t, "holds") {
					subjects = append(subjects, user(string(letter)))
				}
			}
			if most := rapid.IntRange(0, len(subjects)).Draw(t, "most"); rapid.Bool().Draw(t, "few") {
				subjects = subjects[:most]
			}
			if len(subjects) == 0 {
				continue
			}
			if desired[namespace] == nil {
				desired[namespace] = map[string]rbac.Holders{}
			}
			desired[namespace][rbac.ProjectClusterRole(role)] = rbac.Holders{Role: role, Subjects: subjects}
		}
	}
	return desired
}

// drawTampering changes some bindings in ways in which people do.
func drawTampering(t *rapid.T, s *server) {
	for _, at := range slices.SortedFunc(maps.Keys(s.bindings), func(a, b key) int {
		return strings.Compare(a.namespace+a.name, b.namespace+b.name)
	}) {
		binding := s.bindings[at]
		switch rapid.IntRange(0, 8).Draw(t, "tampering") {
		case 1:
			binding.Subjects = append(binding.Subjects, user("mallory"), user("a"))
		case 2:
			binding.Subjects = binding.Subjects[1:]
		case 3:
			binding.Labels = nil
		case 4:
			binding.RoleRef.Name = tamperedRole
		case 5:
			delete(s.bindings, at)
		case 6:
			slices.Reverse(binding.Subjects)
		case 7:
			stray := live(at.namespace, at.name+":shard-"+rapid.SampledFrom([]string{"40", "x", "1", "02"}).Draw(t, "stray"),
				binding.Subjects...)
			s.bindings[key{stray.Namespace, stray.Name}] = stray
		}
	}
}
