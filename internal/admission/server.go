// Package admission answers the API server's questions about writes of Roster's own kinds: it refuses what needs a look
// at other objects, and stamps who changed and who deleted an object.
package admission

import (
	"context"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const (
	// ValidatePath is where writes are allowed or refused.
	ValidatePath = "/validate"
	// StampPath is where objects are stamped with their author.
	StampPath = "/stamp"
)

// AddTo lets the server answer from the manager's caches. It isn't to start before the tally is in sync.
func AddTo(ctx context.Context, manager ctrl.Manager, server webhook.Server, bounds Bounds) (*Tally, error) {
	validator := NewValidator(manager.GetClient(), manager.GetAPIReader(), clock.RealClock{})
	validator.tally = NewTally(bounds)
	if err := validator.tally.follow(ctx, manager.GetCache()); err != nil {
		return nil, err
	}
	server.Register(ValidatePath, &webhook.Admission{Handler: validator})
	server.Register(StampPath, &webhook.Admission{Handler: NewStamper(manager.GetClient(), manager.GetAPIReader())})
	return validator.tally, nil
}
