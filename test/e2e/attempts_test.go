package e2e_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"
)

// attempt is one request that somebody makes, and what the API server answers. It is a dry run: authorization, admission
// and schema decide as always and nothing is stored, so that attempts on the same objects stand beside each other.
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

// deed makes one request of an object, which it may change.
type deed func(ctx context.Context, asked client.Client, object client.Object) error

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
	err := a.does(ctx, clientFor(a.config()), a.to.DeepCopyObject().(client.Object))
	if a.refused == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	Expect(err).To(MatchError(HaveSuffix(": " + a.refused)))
}

func (a attempt) config() *rest.Config {
	if a.as == "" {
		return cluster.Admin()
	}
	return cluster.As(a.as)
}

// creates makes the object.
func creates(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.Create(ctx, object, client.DryRunAll)
}

// deletes deletes the object.
func deletes(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.Delete(ctx, object, client.DryRunAll)
}

// deletesCollection deletes all objects of the kind that have the object's name, as one request.
func deletesCollection(ctx context.Context, asked client.Client, object client.Object) error {
	return asked.DeleteAllOf(ctx, object, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"metadata.name": object.GetName()}, client.DryRunAll)
}

// merges merges a patch into the object.
func merges(patch string) deed {
	return func(ctx context.Context, asked client.Client, object client.Object) error {
		return asked.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}
}

// jsonPatches applies the operations of a JSON patch to the object.
func jsonPatches(operations string) deed {
	return func(ctx context.Context, asked client.Client, object client.Object) error {
		return asked.Patch(ctx, object, client.RawPatch(types.JSONPatchType, []byte(operations)), client.DryRunAll)
	}
}

// mergesStatus merges a patch into the object's status subresource.
func mergesStatus(patch string) deed {
	return func(ctx context.Context, asked client.Client, object client.Object) error {
		return asked.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}
}

// replaces reads the object, changes it and puts it back.
func replaces[T client.Object](change func(T)) deed {
	return func(ctx context.Context, asked client.Client, object client.Object) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object.(T))
		return asked.Update(ctx, object, client.DryRunAll)
	}
}

// applies applies a manifest server-side, and takes what others own. Kind and name are the object's.
func applies(manifest string) deed {
	return func(ctx context.Context, asked client.Client, object client.Object) error {
		kind, err := apiutil.GVKForObject(object, asked.Scheme())
		if err != nil {
			return err
		}
		applied := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(manifest), &applied.Object); err != nil {
			return err
		}
		applied.SetGroupVersionKind(kind)
		applied.SetNamespace(object.GetNamespace())
		applied.SetName(object.GetName())
		return asked.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.DryRunAll,
			client.ForceOwnership, client.FieldOwner("attempt"))
	}
}
