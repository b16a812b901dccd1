package e2e_test

import (
	"context"
	"regexp"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"
)

// attempt is one request that somebody makes, and what the API server answers. It is a dry run: authorization, admission
// and schema decide as always and nothing is stored, so that attempts on the same objects stand beside each other. What is
// refused is attempted in the other ways, too, in which the same change can be asked for.
type attempt struct {
	// what is attempted, in words: the name of the spec.
	what string
	// as is the username of whoever asks; an administrator of the cluster where it is empty.
	as string
	// does is the request, made of the object.
	does deed
	to   client.Object
	// refused is the message that the user reads, from the point on where it speaks of the reason; empty where the
	// attempt succeeds.
	refused string
}

// deed is a change that is attempted.
type deed struct {
	plainly call
	// otherwise are other requests for the same change. What is refused is refused by them, too.
	otherwise map[string]call
}

// call makes one request of an object, which it may change.
type call func(ctx context.Context, asked client.Client, object client.Object) error

// Other ways than to create or to patch.
const (
	byApplying  = "by server-side apply, by force"
	byReplacing = "by replacing the object"
)

// attemptEach makes each attempt a spec of its own.
func attemptEach(attempts []attempt) {
	GinkgoHelper()
	for _, attempt := range attempts {
		It(attempt.name(), func(ctx SpecContext) { attempt.expectAnswer(ctx) })
	}
}

func (a attempt) name() string {
	if a.refused == "" {
		return "allows that " + a.what
	}
	return "refuses that " + a.what
}

func (a attempt) expectAnswer(ctx context.Context) {
	GinkgoHelper()
	asked := clientFor(a.config())
	err := a.does.plainly(ctx, asked, a.to.DeepCopyObject().(client.Object))
	if a.refused == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	refused := MatchError(HaveSuffix(": " + a.refused))
	Expect(err).To(refused)
	// Who may create can lack the right to patch, and is told that.
	lacksTheRight := MatchError(MatchRegexp(`: User "` + regexp.QuoteMeta(a.as) + `" cannot (patch|update) resource "`))
	for way, does := range a.does.otherwise {
		Expect(does(ctx, asked, a.to.DeepCopyObject().(client.Object))).To(Or(refused, lacksTheRight), way)
	}
}

func (a attempt) config() *rest.Config {
	if a.as == "" {
		return cluster.Admin()
	}
	return cluster.As(a.as)
}

// creates makes the object.
var creates = deed{plainly: create, otherwise: map[string]call{byApplying: applyWhole}}

func create(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.Create(ctx, object, client.DryRunAll)
}

// deletes deletes the object.
var deletes = deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.Delete(ctx, object, client.DryRunAll)
}}

// deletesCollection deletes all objects of the kind that have the object's name, as one request.
var deletesCollection = deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.DeleteAllOf(ctx, object, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"metadata.name": object.GetName()}, client.DryRunAll)
}}

// merges merges a patch into the object.
func merges(patch string) deed {
	otherwise := map[string]call{byReplacing: replaceMerged(patch)}
	// What an applied manifest leaves out stays, and so does every finalizer that it doesn't name.
	if !strings.Contains(patch, "null") && !strings.Contains(patch, "finalizers") {
		otherwise[byApplying] = applies(patch).plainly
	}
	return deed{otherwise: otherwise, plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		return asked.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}}
}

// jsonPatches applies the operations of a JSON patch to the object.
func jsonPatches(operations string) deed {
	return deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		return asked.Patch(ctx, object, client.RawPatch(types.JSONPatchType, []byte(operations)), client.DryRunAll)
	}}
}

// mergesStatus merges a patch into the object's status subresource.
func mergesStatus(patch string) deed {
	return deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		return asked.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}}
}

// replaces reads the object, changes it and puts it back.
func replaces[T client.Object](change func(T)) deed {
	return deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		// Roster may write a status in between.
		return retry.RetryOnConflict(retry.DefaultRetry, func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return err
			}
			change(object.(T))
			return asked.Update(ctx, object, client.DryRunAll)
		})
	}}
}

// replaceMerged reads the object, merges a patch into it and puts it back, with whatever else it holds just as it was.
func replaceMerged(patch string) call {
	return func(ctx context.Context, asked client.Client, object client.Object) error {
		kind, err := apiutil.GVKForObject(object, asked.Scheme())
		if err != nil {
			return err
		}
		// Roster may write a status in between.
		return retry.RetryOnConflict(retry.DefaultRetry, func() error {
			found := &unstructured.Unstructured{}
			found.SetGroupVersionKind(kind)
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), found); err != nil {
				return err
			}
			text, err := found.MarshalJSON()
			if err != nil {
				return err
			}
			merged, err := jsonpatch.MergePatch(text, []byte(patch))
			if err != nil {
				return err
			}
			if err := found.UnmarshalJSON(merged); err != nil {
				return err
			}
			return asked.Update(ctx, found, client.DryRunAll)
		})
	}
}

// applies applies a manifest server-side, and takes what others own. Kind and name are the object's.
func applies(manifest string) deed {
	return deed{plainly: func(ctx context.Context, asked client.Client, object client.Object) error {
		applied := map[string]any{}
		if err := yaml.Unmarshal([]byte(manifest), &applied); err != nil {
			return err
		}
		return apply(ctx, asked, object, applied)
	}}
}

// applyWhole applies all of the object.
func applyWhole(ctx context.Context, asked client.Client, object client.Object) error {
	applied, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	delete(applied, "status")
	return apply(ctx, asked, object, applied)
}

func apply(ctx context.Context, asked client.Client, object client.Object, content map[string]any) error {
	kind, err := apiutil.GVKForObject(object, asked.Scheme())
	if err != nil {
		return err
	}
	applied := &unstructured.Unstructured{Object: content}
	applied.SetGroupVersionKind(kind)
	applied.SetNamespace(object.GetNamespace())
	applied.SetName(object.GetName())
	return asked.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.DryRunAll,
		client.ForceOwnership, client.FieldOwner("attempt"))
}
