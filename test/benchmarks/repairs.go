package main

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// askInterval is how often it is asked whether somebody may do something: seldom enough that the asking, which takes the
// API server about a millisecond, doesn't slow down what is asked for.
const askInterval = 5 * time.Millisecond

// warmUps is how many projects are added before those that count: the API server is busy for a while with what thousands of
// writes have left, and answers both sides late.
const warmUps = 3

// measureProjects adds projects, one after the other, and asks each time how long after the answer one of the team's
// members may work in it.
func (s *stage) measureProjects(ctx context.Context, results *results) error {
	subjects := subjectsOf(s.swapped())
	for n := range warmUps + s.options.repairs {
		namespace := fmt.Sprintf("plain-extra%04d", n)
		begin := time.Now()
		if err := s.plain.makeNamespace(ctx, namespace); err != nil {
			return err
		}
		if _, err := s.plain.create(ctx, s.plain.newBinding(namespace, subjects)); err != nil {
			return err
		}
		plain, err := s.untilAllowed(ctx, namespace, begin)
		if err != nil {
			return err
		}
		if err := s.settled(ctx); err != nil {
			return err
		}
		project := &v1alpha1.Project{ObjectMeta: inOrganization(fmt.Sprintf("extra%04d", n))}
		if err := s.client.Create(ctx, project); err != nil {
			return err
		}
		roster, err := s.untilAllowed(ctx, project.NamespaceNames()[0], time.Now())
		if err != nil {
			return err
		}
		s.say("one more project: plain %s, roster %s", rounded(plain), rounded(roster))
		if n >= warmUps {
			results.project.add(plain, roster)
		}
		if err := s.settled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// untilAllowed measures until a member of the team may do what the team's role allows.
func (s *stage) untilAllowed(ctx context.Context, namespace string, begin time.Time) (time.Duration, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: s.newcomer,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "create", Group: "apps", Resource: "deployments",
		},
	}}
	reviews := s.clientset.AuthorizationV1().SubjectAccessReviews()
	err := wait.PollUntilContextTimeout(ctx, askInterval, patience, true, func(ctx context.Context) (bool, error) {
		answer, err := reviews.Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	})
	if err != nil {
		return 0, fmt.Errorf("wait until %s may work in namespace %s: %w", s.newcomer, namespace, err)
	}
	return time.Since(begin), nil
}

// tampering is a way in which somebody may spoil a binding.
type tampering struct {
	name  string
	spoil func(ctx context.Context, s *stage, binding *rbacv1.RoleBinding) error
}

var tamperings = []tampering{
	{"a user added", func(ctx context.Context, s *stage, binding *rbacv1.RoleBinding) error {
		binding.Subjects = append(binding.Subjects, subjectsOf([]string{"mallory@bench.example"})...)
		_, err := s.plain.update(ctx, binding)
		return err
	}},
	{"a user removed", func(ctx context.Context, s *stage, binding *rbacv1.RoleBinding) error {
		binding.Subjects = binding.Subjects[1:]
		_, err := s.plain.update(ctx, binding)
		return err
	}},
	{"deleted", func(ctx context.Context, s *stage, binding *rbacv1.RoleBinding) error {
		return s.clientset.RbacV1().RoleBindings(binding.Namespace).Delete(ctx, binding.Name, metav1.DeleteOptions{})
	}},
}

// measureRepairs tampers with single bindings and asks how long after the answer they are right again. What the plain
// client does beside it is the one write that this takes.
func (s *stage) measureRepairs(ctx context.Context, results *results) error {
	namespaces := sets.List(s.namespaces)
	for _, tampering := range tamperings {
		repair := &pair{}
		for n := range s.options.repairs {
			plain, err := s.plainRepair(ctx, n)
			if err != nil {
				return err
			}
			if err := s.settled(ctx); err != nil {
				return err
			}
			roster, err := s.repair(ctx, tampering, namespaces[n])
			if err != nil {
				return fmt.Errorf("binding in namespace %s, %s: %w", namespaces[n], tampering.name, err)
			}
			repair.add(plain, roster)
			if err := s.settled(ctx); err != nil {
				return err
			}
		}
		results.repairs = append(results.repairs, repair)
	}
	return nil
}

func (s *stage) repair(ctx context.Context, tampering tampering, namespace string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	binding, err := s.clientset.RbacV1().RoleBindings(namespace).Get(ctx, teamBinding, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	aim := &goal{binding: teamBinding, namespaces: sets.New(namespace), subjects: s.swapped()}
	s.observer.aim(aim)
	if err := tampering.spoil(ctx, s, binding); err != nil {
		return 0, err
	}
	answered := time.Now()
	reached, err := s.observer.wait(ctx, aim)
	return max(0, reached.Sub(answered)), err
}

// plainRepair measures one write of one binding, until the watch has seen it.
func (s *stage) plainRepair(ctx context.Context, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	users := s.swapped()
	binding := s.plain.newBinding(fmt.Sprintf("plain-extra%04d", n), subjectsOf(users))
	aim := &goal{binding: plainBinding, namespaces: sets.New(binding.Namespace), subjects: users}
	if err := s.clientset.RbacV1().RoleBindings(binding.Namespace).Delete(ctx, binding.Name, metav1.DeleteOptions{}); err != nil {
		return 0, err
	}
	s.observer.aim(aim)
	begin := time.Now()
	if _, err := s.plain.create(ctx, binding); err != nil {
		return 0, err
	}
	reached, err := s.observer.wait(ctx, aim)
	return reached.Sub(begin), err
}
