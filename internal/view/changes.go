package view

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// changes counts what arrives in the caches, so that an answer needn't be worked out again while nothing has.
type changes struct {
	lock  sync.Mutex
	count uint64
	next  chan struct{}
}

func newChanges() *changes {
	return &changes{next: make(chan struct{})}
}

// note counts one more, and wakes those who wait for it.
func (c *changes) note() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.count++
	close(c.next)
	c.next = make(chan struct{})
}

// seen is the count, and what is closed at the next change.
func (c *changes) seen() (uint64, <-chan struct{}) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.count, c.next
}

// follow counts the changes of all kinds that an answer rests on.
func (c *changes) follow(ctx context.Context, informers cache.Informers) error {
	for _, object := range []client.Object{
		&v1alpha1.Organization{}, &v1alpha1.Membership{}, &v1alpha1.Team{}, &v1alpha1.Project{}, &v1alpha1.Role{},
		&v1alpha1.RoleBinding{}, &v1alpha1.APIToken{}, &v1alpha1.User{}, &corev1.Namespace{}, &rbacv1.ClusterRole{},
	} {
		informer, err := informers.GetInformer(ctx, object)
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { c.note() },
			UpdateFunc: func(any, any) { c.note() },
			DeleteFunc: func(any) { c.note() },
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	return nil
}
