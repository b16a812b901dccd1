package access

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ownWrites are the versions of bindings that this manager wrote last, until they have come back by the watch. Without
// them each write of a sync would ask for another one, and whoever tampers meanwhile would keep the access that much longer.
type ownWrites struct {
	versions sync.Map // of client.ObjectKey to a resourceVersion
}

func (w *ownWrites) note(written client.Object) {
	w.versions.Store(client.ObjectKeyFromObject(written), written.GetResourceVersion())
}

// match says whether an object is as this manager wrote it last. One that comes back before its write was noted isn't
// recognized, and costs a sync.
func (w *ownWrites) match(seen client.Object) bool {
	return w.matchVersion(client.ObjectKeyFromObject(seen), seen.GetResourceVersion())
}

func (w *ownWrites) matchVersion(binding client.ObjectKey, version string) bool {
	return w.versions.CompareAndDelete(binding, version)
}

func (w *ownWrites) forget(gone client.Object) {
	w.versions.Delete(client.ObjectKeyFromObject(gone))
}
