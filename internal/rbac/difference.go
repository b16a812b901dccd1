package rbac

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// MaxShardSize is the most subjects that one binding carries. A thousand measured best: half of it takes the API server
// as long a subject and doubles the number of writes.
const MaxShardSize = 1000

// Verb says how a binding is written.
type Verb string

const (
	// Create makes a binding.
	Create Verb = "create"
	// Update changes a live binding in place.
	Update Verb = "update"
	// Delete removes a binding in which nobody is left.
	Delete Verb = "delete"
	// Replace deletes a binding and makes it again: only for one whose roleRef, which can't be updated, was tampered with.
	Replace Verb = "replace"
)

// Write is one binding to be written.
type Write struct {
	Verb Verb
	// Binding as it is to be. For an update and a deletion it carries the version that the decision was made on.
	Binding *rbacv1.RoleBinding
}

// NamespaceChange is all that is to be written in one namespace. The writes of First may go in any order; those of Then
// come after them, since they take a role from subjects that First gives another one: nobody's access may blink.
type NamespaceChange struct {
	Namespace   string
	First, Then []Write
	// Revokes: somebody loses a role by these writes.
	Revokes bool
	// Exchanges are who gains and who loses what by these writes, a binding each.
	Exchanges []Exchange
}

// Exchange is who gains and who loses a role by the writes of one binding.
type Exchange struct {
	// Binding is its name, ClusterRole what it binds to.
	Binding, ClusterRole string
	// Gained and Lost are sorted, and must not be changed.
	Gained, Lost []rbacv1.Subject
}

// Differ compares what is to be with what is.
type Differ struct {
	// Organization whose bindings these are.
	Organization string
	// ShardSize is the most subjects that a binding carries, MaxShardSize if zero.
	ShardSize int

	compared comparisons
	// labels of bindings, by role.
	labels map[string]map[string]string
}

// Difference is what to write so that the actual bindings, all that are Roster's in the organization's namespaces, become
// the desired ones. It is empty when they are, and sorted by namespace, those that take access away first.
func (d Differ) Difference(desired Desired, actual []*rbacv1.RoleBinding) []NamespaceChange {
	d.compared, d.labels = comparisons{}, map[string]map[string]string{}
	byNamespace := map[string]map[string]*rbacv1.RoleBinding{}
	for _, binding := range actual {
		if byNamespace[binding.Namespace] == nil {
			byNamespace[binding.Namespace] = map[string]*rbacv1.RoleBinding{}
		}
		byNamespace[binding.Namespace][binding.Name] = binding
	}
	namespaces := sets.KeySet(desired).Union(sets.KeySet(byNamespace))
	var revoking, others []NamespaceChange
	for _, namespace := range sets.List(namespaces) {
		change := d.namespaceChange(namespace, desired[namespace], byNamespace[namespace])
		switch {
		case change.Revokes:
			revoking = append(revoking, change)
		case len(change.First)+len(change.Then) > 0:
			others = append(others, change)
		}
	}
	return append(revoking, others...)
}

// step is a binding before and after. Either may be nil.
type step struct {
	before, after *rbacv1.RoleBinding
}

func (d Differ) namespaceChange(
	namespace string, desired map[string]Holders, actual map[string]*rbacv1.RoleBinding,
) NamespaceChange {
	var steps []step
	kept := sets.New[string]()
	for _, clusterRole := range slices.Sorted(maps.Keys(desired)) {
		for _, shard := range d.shards(namespace, clusterRole, desired[clusterRole], actual) {
			if shard.before != nil {
				kept.Insert(shard.before.Name)
			}
			if !d.isSettled(shard) {
				steps = append(steps, shard)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(actual)) {
		if !kept.Has(name) {
			steps = append(steps, step{before: actual[name]})
		}
	}
	return d.orderSteps(namespace, steps)
}

// shards are the bindings of one ClusterRole in a namespace, before and after. A subject stays in the binding that it is
// in; who is new goes where there is room.
func (d Differ) shards(
	namespace, clusterRole string, holders Holders, actual map[string]*rbacv1.RoleBinding,
) []step {
	size := d.ShardSize
	if size == 0 {
		size = MaxShardSize
	}
	numbers := shardNumbers(clusterRole, actual)
	if first := actual[clusterRole]; len(holders.Subjects) <= size &&
		(len(numbers) == 0 || len(numbers) == 1 && first != nil) {
		return []step{d.single(namespace, clusterRole, holders, first)}
	}
	missing := sets.New(holders.Subjects...)
	var shards []step
	for _, n := range numbers {
		before := actual[shardName(clusterRole, n)]
		after := d.binding(namespace, clusterRole, n, holders, before)
		for _, subject := range before.Subjects {
			if missing.Has(subject) && len(after.Subjects) < size {
				missing.Delete(subject)
				after.Subjects = append(after.Subjects, subject)
			}
		}
		shards = append(shards, step{before: before, after: after})
	}
	remaining := sortSubjects(missing.UnsortedList())
	for at := range shards {
		room := min(size-len(shards[at].after.Subjects), len(remaining))
		shards[at].after.Subjects = append(shards[at].after.Subjects, remaining[:room]...)
		remaining = remaining[room:]
	}
	for n := 1; len(remaining) > 0; n++ {
		if slices.Contains(numbers, n) {
			continue
		}
		after := d.binding(namespace, clusterRole, n, holders, nil)
		room := min(size, len(remaining))
		after.Subjects = slices.Clone(remaining[:room])
		remaining = remaining[room:]
		shards = append(shards, step{after: after})
	}
	for at := range shards {
		shards[at].after.Subjects = sortSubjects(shards[at].after.Subjects)
		if len(shards[at].after.Subjects) == 0 {
			shards[at].after = nil
		}
	}
	return shards
}

// single is the usual case, in which one binding holds everybody. Its list of subjects is shared with other namespaces.
func (d Differ) single(namespace, clusterRole string, holders Holders, before *rbacv1.RoleBinding) step {
	if before != nil && d.compared.of(before.Subjects, holders.Subjects).equal &&
		d.carriesLabels(before, holders) && before.RoleRef == roleRef(clusterRole) && !isHeld(before.ObjectMeta) {
		return step{before: before, after: before}
	}
	after := d.binding(namespace, clusterRole, 1, holders, before)
	after.Subjects = holders.Subjects
	return step{before: before, after: after}
}

// shardNumbers are the numbers of the bindings of a ClusterRole that are there, sorted. A name that looks like a shard's
// and isn't spelled as Roster would isn't one, and is removed with the rest.
func shardNumbers(clusterRole string, actual map[string]*rbacv1.RoleBinding) []int {
	var numbers []int
	for name := range actual {
		if name == clusterRole {
			numbers = append(numbers, 1)
			continue
		}
		suffix, isShard := strings.CutPrefix(name, clusterRole+":shard-")
		if !isShard {
			continue
		}
		if n, err := strconv.Atoi(suffix); err == nil && n > 1 && name == shardName(clusterRole, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (d Differ) binding(
	namespace, clusterRole string, n int, holders Holders, before *rbacv1.RoleBinding,
) *rbacv1.RoleBinding {
	binding := &rbacv1.RoleBinding{RoleRef: roleRef(clusterRole)}
	if before != nil {
		binding.ObjectMeta = withoutHolds(before.ObjectMeta)
	}
	binding.Namespace, binding.Name = namespace, shardName(clusterRole, n)
	if binding.Labels == nil {
		binding.Labels = map[string]string{}
	}
	maps.Copy(binding.Labels, Labels(d.Organization, holders.Role.Name))
	return binding
}

// withoutHolds is the metadata without what could keep a binding when it is to go, or take it away when it is to stay:
// neither finalizers nor owners are Roster's.
func withoutHolds(meta metav1.ObjectMeta) metav1.ObjectMeta {
	free := *meta.DeepCopy()
	free.Finalizers, free.OwnerReferences = nil, nil
	return free
}

func isHeld(meta metav1.ObjectMeta) bool {
	return len(meta.Finalizers)+len(meta.OwnerReferences) > 0
}

func roleRef(clusterRole string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}
}

func (d Differ) carriesLabels(binding *rbacv1.RoleBinding, holders Holders) bool {
	role := holders.Role.Name
	if d.labels[role] == nil {
		d.labels[role] = Labels(d.Organization, role)
	}
	for key, value := range d.labels[role] {
		if binding.Labels[key] != value {
			return false
		}
	}
	return true
}

func (d Differ) isSettled(shard step) bool {
	if shard.before == nil || shard.after == nil || isHeld(shard.before.ObjectMeta) {
		return false
	}
	return shard.before == shard.after || shard.before.RoleRef == shard.after.RoleRef &&
		maps.Equal(shard.before.Labels, shard.after.Labels) &&
		d.compared.of(shard.before.Subjects, shard.after.Subjects).equal
}

// orderSteps puts additions first where somebody moves from one role to another, and removals at once where nobody does.
func (d Differ) orderSteps(namespace string, steps []step) NamespaceChange {
	change := NamespaceChange{Namespace: namespace}
	var gaining []rbacv1.Subject
	for _, step := range steps {
		gained, _ := d.exchange(step)
		gaining = append(gaining, gained...)
	}
	gaining = sortSubjects(gaining)
	for _, step := range steps {
		gained, lost := d.exchange(step)
		change.Exchanges = append(change.Exchanges, step.exchanged(gained, lost))
		change.Revokes = change.Revokes || len(lost) > 0
		moving := both(lost, gaining)
		if len(moving) == 0 || step.isReplacement() {
			change.First = append(change.First, writeOf(step))
			continue
		}
		if between := step.keeping(moving); between != nil {
			change.First = append(change.First, *between)
		}
		change.Then = append(change.Then, writeOf(step))
	}
	return change
}

func (s step) exchanged(gained, lost []rbacv1.Subject) Exchange {
	binding := s.after
	if binding == nil {
		binding = s.before
	}
	return Exchange{Binding: binding.Name, ClusterRole: binding.RoleRef.Name, Gained: gained, Lost: lost}
}

// isReplacement: a binding to another ClusterRole than its name says was tampered with; its subjects hold what they
// shouldn't.
func (s step) isReplacement() bool {
	return s.before != nil && s.after != nil && s.before.RoleRef != s.after.RoleRef
}

// exchange is who gains and who loses the role by a step, both sorted.
func (d Differ) exchange(s step) (gained, lost []rbacv1.Subject) {
	var before, after []rbacv1.Subject
	if s.before != nil {
		before = s.before.Subjects
	}
	if s.after != nil {
		after = s.after.Subjects
	}
	if s.isReplacement() {
		return after, sorted(before)
	}
	compared := d.compared.of(before, after)
	return compared.gained, compared.lost
}

// sorted is the same list where it is sorted, as all that Roster writes is, and else a sorted copy.
func sorted(subjects []rbacv1.Subject) []rbacv1.Subject {
	if slices.IsSortedFunc(subjects, compareSubjects) {
		return subjects
	}
	return sortSubjects(slices.Clone(subjects))
}

// minus is what sorted a has and sorted b lacks.
func minus(a, b []rbacv1.Subject) []rbacv1.Subject {
	return walk(a, b, false)
}

// both is what sorted a and sorted b have.
func both(a, b []rbacv1.Subject) []rbacv1.Subject {
	return walk(a, b, true)
}

func walk(a, b []rbacv1.Subject, inBoth bool) []rbacv1.Subject {
	var result []rbacv1.Subject
	for _, subject := range a {
		for len(b) > 0 && compareSubjects(b[0], subject) < 0 {
			b = b[1:]
		}
		if (len(b) > 0 && b[0] == subject) == inBoth {
			result = append(result, subject)
		}
	}
	return result
}

// keeping is the write between before and after: everybody new is in, those who leave for good are out, those who move
// to another role still there. It is nil where that is what is there already.
func (s step) keeping(moving []rbacv1.Subject) *Write {
	between := &rbacv1.RoleBinding{
		ObjectMeta: withoutHolds(s.before.ObjectMeta), RoleRef: s.before.RoleRef, Subjects: slices.Clone(moving),
	}
	if s.after != nil {
		between.Subjects = append(between.Subjects, s.after.Subjects...)
		between.Labels = s.after.Labels
	}
	between.Subjects = sortSubjects(between.Subjects)
	if slices.Equal(between.Subjects, s.before.Subjects) {
		return nil
	}
	return &Write{Verb: Update, Binding: between}
}

func writeOf(s step) Write {
	switch {
	case s.before == nil:
		return Write{Verb: Create, Binding: s.after}
	case s.after == nil && isHeld(s.before.ObjectMeta):
		// Deleted it would stay and go on giving; empty and free it can be deleted the next time.
		return Write{Verb: Update, Binding: &rbacv1.RoleBinding{
			ObjectMeta: withoutHolds(s.before.ObjectMeta), RoleRef: s.before.RoleRef,
		}}
	case s.after == nil:
		return Write{Verb: Delete, Binding: &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Namespace: s.before.Namespace, Name: s.before.Name,
			UID: s.before.UID, ResourceVersion: s.before.ResourceVersion,
		}}}
	case s.isReplacement():
		return Write{Verb: Replace, Binding: s.after}
	}
	return Write{Verb: Update, Binding: s.after}
}
