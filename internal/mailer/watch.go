package mailer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// Watch has a controller look again, when the settings change, at what waits for others.
func (o *Office) Watch(
	secrets cache.Cache, waiting func(ctx context.Context) ([]ctrl.Request, error),
) source.TypedSource[ctrl.Request] {
	look := func(ctx context.Context, queue queue) {
		// Attempts are noted by the second: one of the same second counts as made by these settings, or each would be made
		// twice.
		o.settingsChanged.Store(o.Clock.Now().Unix())
		requests, err := waiting(ctx)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "find the mails that wait for mail settings")
		}
		for _, request := range requests {
			queue.Add(request)
		}
	}
	return source.Kind(secrets, &corev1.Secret{}, handler.TypedFuncs[*corev1.Secret, ctrl.Request]{
		CreateFunc: func(ctx context.Context, change event.TypedCreateEvent[*corev1.Secret], queue queue) {
			if !change.IsInInitialList {
				look(ctx, queue)
			}
		},
		UpdateFunc: func(ctx context.Context, _ event.TypedUpdateEvent[*corev1.Secret], queue queue) { look(ctx, queue) },
	})
}
