package manager

import (
	"hash/maphash"
	"slices"
	"sync"
	"unique"

	rbacv1 "k8s.io/api/rbac/v1"
)

// sharedLists is how many lists of subjects are remembered. It bounds the memory of those that no binding has any more.
const sharedLists = 512

// subjectLists keeps equal lists of subjects once. The bindings of a team in a thousand namespaces then share one list: it
// takes the memory of one, and whether they are what they should be is seen by a look at where it lies.
type subjectLists struct {
	seed   maphash.Seed
	lock   sync.Mutex
	recent [sharedLists][]rbacv1.Subject
}

func newSubjectLists() *subjectLists {
	return &subjectLists{seed: maphash.MakeSeed()}
}

// transform keeps what is needed of an RBAC RoleBinding on its way into the cache.
func (l *subjectLists) transform(object any) (any, error) {
	if binding, ok := object.(*rbacv1.RoleBinding); ok {
		binding.ManagedFields = nil
		binding.Subjects = l.share(binding.Subjects)
	}
	return object, nil
}

// share returns a list that was seen before, if one is equal.
func (l *subjectLists) share(subjects []rbacv1.Subject) []rbacv1.Subject {
	place := l.hash(subjects) % sharedLists
	l.lock.Lock()
	defer l.lock.Unlock()
	if !slices.Equal(l.recent[place], subjects) {
		internTexts(subjects)
		l.recent[place] = subjects
	}
	return l.recent[place]
}

func (l *subjectLists) hash(subjects []rbacv1.Subject) uint64 {
	var hash maphash.Hash
	hash.SetSeed(l.seed)
	for i := range subjects {
		// It only chooses a place; whether two lists are equal is for the comparison to say. A Hash takes every text.
		_, _ = hash.WriteString(subjects[i].Name)
	}
	return hash.Sum64()
}

// internTexts keeps each text once: the same users stand in many lists.
func internTexts(subjects []rbacv1.Subject) {
	for i := range subjects {
		subject := &subjects[i]
		subject.Kind = intern(subject.Kind)
		subject.APIGroup = intern(subject.APIGroup)
		subject.Namespace = intern(subject.Namespace)
		subject.Name = intern(subject.Name)
	}
}

func intern(text string) string {
	return unique.Make(text).Value()
}
