package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	"github.com/roster-dev/roster/internal/snapshot"
)

// cachesFollow is how long it takes the caches at most, by far, to show a change that the API server has taken.
const cachesFollow = 10 * time.Second

// invitationPatch makes a new Membership an invitation where its organization requires acceptance, and where it names an
// address alone. So it is decided at the creation: what the organization requires later changes nobody's membership.
func (s *Stamper) invitationPatch(
	ctx context.Context, request *admissionv1.AdmissionRequest,
) ([]jsonpatch.JsonPatchOperation, error) {
	if request.Operation != admissionv1.Create || request.Resource.Resource != "memberships" {
		return nil, nil
	}
	var membership struct {
		Spec *struct {
			User       string          `json:"user"`
			Invitation json.RawMessage `json:"invitation"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(request.Object.Raw, &membership); err != nil {
		return nil, fmt.Errorf("read the invitation of the membership: %w", err)
	}
	spec := membership.Spec
	if spec == nil || len(spec.Invitation) > 0 && string(spec.Invitation) != "null" {
		return nil, nil
	}
	required := spec.User == ""
	if !required {
		var err error
		if required, err = s.requiresAcceptance(ctx, request.Namespace); err != nil {
			return nil, err
		}
	}
	if !required {
		return nil, nil
	}
	return []jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", "/spec/invitation", map[string]any{})}, nil
}

// noteOrganization remembers that an Organization is about to change.
func (s *Stamper) noteOrganization(request *admissionv1.AdmissionRequest) {
	if request.Resource.Resource == "organizations" {
		s.changed.Set(request.Name, nil, cachesFollow)
	}
}

// requiresAcceptance says whether who becomes a member of a namespace's organization has to accept that. Who switches
// requireAcceptance on and adds somebody right after must not get a member, so what has only just changed is read from the API
// server. Only this replica's requests are remembered: by way of another one, who is added within the instant that a watch
// takes is a member as if they had been added before.
func (s *Stamper) requiresAcceptance(ctx context.Context, namespace string) (bool, error) {
	name, ok := v1alpha1.OrganizationOf(namespace)
	if !ok {
		return false, nil
	}
	organization, key := &v1alpha1.Organization{}, client.ObjectKey{Name: name}
	_, recent := s.changed.Get(name)
	var err error
	if !recent {
		err = s.cached.Get(ctx, key, organization, snapshot.Shared)
	}
	if recent || apierrors.IsNotFound(err) {
		// One that was made by way of another replica may not be in the caches yet.
		err = s.live.Get(ctx, key, organization)
	}
	// One that isn't there at all requires nothing yet.
	return organization.Spec.Membership.RequireAcceptance, client.IgnoreNotFound(err)
}
