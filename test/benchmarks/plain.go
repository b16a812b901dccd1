package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
)

// plainBinding is the name of the plain client's RoleBindings. It is as long as that of Roster's.
const plainBinding = "client:catalogue:developer:project"

// plainClient writes RoleBindings with nothing in mind but speed: it knows beforehand what is to be written where, reads
// nothing, and keeps no more than the versions of what it wrote.
type plainClient struct {
	clientset  kubernetes.Interface
	observer   *observer
	writers    int
	namespaces []string
	// written are the bindings as they were answered, in the order of the namespaces.
	written []metav1.ObjectMeta
}

func newPlainClient(
	ctx context.Context, clientset kubernetes.Interface, observer *observer, namespaces int,
) (*plainClient, error) {
	p := &plainClient{clientset: clientset, observer: observer, writers: setupWriters}
	for n := range namespaces {
		p.namespaces = append(p.namespaces, fmt.Sprintf("plain-p%04d", n))
	}
	p.written = make([]metav1.ObjectMeta, namespaces)
	return p, inParallel(ctx, setupWriters, namespaces, func(ctx context.Context, n int) error {
		return p.makeNamespace(ctx, p.namespaces[n])
	})
}

// makeNamespace makes one with labels as many and as long as Roster's.
func (p *plainClient) makeNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "baseline",
		"app.kubernetes.io/managed-by":       "client",
		"client.dev/organization":            "bench",
		"client.dev/project":                 name,
	}}}
	_, err := p.clientset.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	return err
}

func (p *plainClient) binding(meta metav1.ObjectMeta, subjects []rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: teamBinding},
		Subjects:   subjects,
	}
}

func (p *plainClient) newBinding(namespace string, subjects []rbacv1.Subject) *rbacv1.RoleBinding {
	return p.binding(metav1.ObjectMeta{Namespace: namespace, Name: plainBinding, Labels: map[string]string{
		"app.kubernetes.io/managed-by": "client", "client.dev/organization": "bench", "client.dev/role": "developer",
	}}, subjects)
}

// grant makes all bindings.
func (p *plainClient) grant(ctx context.Context, users []string) (time.Duration, error) {
	subjects := subjectsOf(users)
	return p.timed(ctx, users, func(ctx context.Context, n int) error {
		made, err := p.create(ctx, p.newBinding(p.namespaces[n], subjects))
		if err == nil {
			p.written[n] = made.ObjectMeta
		}
		return err
	})
}

// change gives all bindings other subjects.
func (p *plainClient) change(ctx context.Context, users []string) (time.Duration, error) {
	subjects := subjectsOf(users)
	return p.timed(ctx, users, func(ctx context.Context, n int) error {
		changed, err := p.update(ctx, p.binding(p.written[n], subjects))
		if err == nil {
			p.written[n] = changed.ObjectMeta
		}
		return err
	})
}

// revoke deletes all bindings.
func (p *plainClient) revoke(ctx context.Context) (time.Duration, error) {
	return p.timed(ctx, nil, func(ctx context.Context, n int) error {
		return p.clientset.RbacV1().RoleBindings(p.namespaces[n]).Delete(ctx, plainBinding, metav1.DeleteOptions{})
	})
}

func (p *plainClient) create(ctx context.Context, binding *rbacv1.RoleBinding) (*rbacv1.RoleBinding, error) {
	return p.clientset.RbacV1().RoleBindings(binding.Namespace).Create(ctx, binding, metav1.CreateOptions{})
}

func (p *plainClient) update(ctx context.Context, binding *rbacv1.RoleBinding) (*rbacv1.RoleBinding, error) {
	return p.clientset.RbacV1().RoleBindings(binding.Namespace).Update(ctx, binding, metav1.UpdateOptions{})
}

// timed writes in all namespaces and measures until a watch has seen all of it.
func (p *plainClient) timed(
	ctx context.Context, users []string, write func(context.Context, int) error,
) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	aim := &goal{binding: plainBinding, namespaces: sets.New(p.namespaces...), subjects: users}
	p.observer.aim(aim)
	begin := time.Now()
	if err := inParallel(ctx, p.writers, len(p.namespaces), write); err != nil {
		return 0, fmt.Errorf("the plain client: %w", err)
	}
	reached, err := p.observer.wait(ctx, aim)
	return reached.Sub(begin), err
}

func subjectsOf(users []string) []rbacv1.Subject {
	subjects := make([]rbacv1.Subject, 0, len(users))
	for _, user := range users {
		subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
	}
	return subjects
}
