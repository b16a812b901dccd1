package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// observer watches all RBAC RoleBindings, as the API server itself does to decide who may do what.
type observer struct {
	watcher *watchtools.RetryWatcher
	lock    sync.Mutex
	goal    *goal
	broken  chan error
}

// goal is what the bindings of one name are to become, and who must be in them all the time until then.
type goal struct {
	binding    string
	namespaces sets.Set[string]
	// subjects are the names of those who are to be bound, sorted; with none the binding is to be gone.
	subjects []string
	// kept are the names of those who must be in every version.
	kept []string

	missing sets.Set[string]
	// losses say which version lacked whom.
	losses []string
	done   chan time.Time
}

func newObserver(ctx context.Context, client kubernetes.Interface) (*observer, error) {
	bindings := client.RbacV1().RoleBindings("")
	list, err := bindings.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("find where to begin the watch on RoleBindings: %w", err)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return bindings.Watch(ctx, options)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch RoleBindings: %w", err)
	}
	o := &observer{watcher: watcher, broken: make(chan error, 1)}
	go o.follow()
	return o, nil
}

func (o *observer) stop() { o.watcher.Stop() }

func (o *observer) follow() {
	for event := range o.watcher.ResultChan() {
		if event.Type == watch.Error {
			o.broken <- fmt.Errorf("the watch on RoleBindings failed: %v", event.Object)
			return
		}
		if binding, ok := event.Object.(*rbacv1.RoleBinding); ok {
			o.observe(binding, event.Type == watch.Deleted)
		}
	}
	o.broken <- errors.New("the watch on RoleBindings ended")
}

// aim replaces the goal. What is in the cluster already doesn't count for it, only what is written from now on.
func (o *observer) aim(aim *goal) {
	aim.missing = aim.namespaces.Clone()
	aim.done = make(chan time.Time, 1)
	o.lock.Lock()
	defer o.lock.Unlock()
	o.goal = aim
}

// wait returns when the goal was reached.
func (o *observer) wait(ctx context.Context, aim *goal) (time.Time, error) {
	select {
	case reached := <-aim.done:
		return reached, nil
	case err := <-o.broken:
		return time.Time{}, err
	case <-ctx.Done():
		o.lock.Lock()
		defer o.lock.Unlock()
		return time.Time{}, fmt.Errorf("binding %s isn't yet as wanted in %d of %d namespaces: %w",
			aim.binding, aim.missing.Len(), aim.namespaces.Len(), ctx.Err())
	}
}

func (o *observer) observe(binding *rbacv1.RoleBinding, deleted bool) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.goal != nil && o.goal.binding == binding.Name && o.goal.namespaces.Has(binding.Namespace) {
		o.goal.observe(binding, deleted)
	}
}

func (g *goal) observe(binding *rbacv1.RoleBinding, deleted bool) {
	var present []string
	if !deleted {
		for _, subject := range binding.Subjects {
			present = append(present, subject.Name)
		}
	}
	if !slices.Equal(present, g.subjects) {
		g.missing.Insert(binding.Namespace)
		g.noteLoss(binding, present)
		return
	}
	g.missing.Delete(binding.Namespace)
	if g.missing.Len() == 0 {
		select {
		case g.done <- time.Now():
		default:
		}
	}
}

func (g *goal) noteLoss(binding *rbacv1.RoleBinding, present []string) {
	lost := sets.New(g.kept...).Delete(present...)
	if lost.Len() > 0 {
		g.losses = append(g.losses, fmt.Sprintf("%s version %s lacks %d users",
			binding.Namespace, binding.ResourceVersion, lost.Len()))
	}
}
