package commands

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selfv1alpha1 "github.com/roster-dev/roster/api/self/v1alpha1"
	"github.com/roster-dev/roster/api/v1alpha1"
)

// organizations is what who administers the cluster may list.
var organizations = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "organizations"}

// organization is what somebody may see of one.
type organization struct {
	name, displayName, parent string
}

func (o organization) namespace() string { return v1alpha1.OrganizationNamespace(o.name) }

// visibleOrganizations are all of the cluster for who may list them, and otherwise those where the caller has a place;
// sorted by name, without Personal ones: these have neither members nor teams.
func visibleOrganizations(ctx context.Context, reader client.Reader) ([]organization, error) {
	found, err := listedOrganizations(ctx, reader)
	if apierrors.IsForbidden(err) {
		found, err = ownOrganizations(ctx, reader)
	}
	slices.SortFunc(found, func(a, b organization) int { return strings.Compare(a.name, b.name) })
	return found, err
}

func listedOrganizations(ctx context.Context, reader client.Reader) ([]organization, error) {
	var list v1alpha1.OrganizationList
	if err := reader.List(ctx, &list); err != nil {
		return nil, explain(err, organizations, "")
	}
	var found []organization
	for i := range list.Items {
		listed := &list.Items[i]
		if !listed.IsPersonal() {
			found = append(found, organization{
				name: listed.Name, displayName: listed.Spec.DisplayName, parent: listed.Spec.Parent,
			})
		}
	}
	return found, nil
}

func ownOrganizations(ctx context.Context, reader client.Reader) ([]organization, error) {
	own, err := ownProfile(ctx, reader)
	if err != nil {
		return nil, err
	}
	var found []organization
	for _, place := range own.Organizations {
		if place.Type != string(v1alpha1.OrganizationPersonal) {
			found = append(found, organization{name: place.Name, displayName: place.DisplayName, parent: place.Parent})
		}
	}
	return found, nil
}

// ownProfile is what Roster tells the caller of themselves.
func ownProfile(ctx context.Context, reader client.Reader) (*selfv1alpha1.Profile, error) {
	own := &selfv1alpha1.Profile{}
	err := reader.Get(ctx, client.ObjectKey{Name: selfv1alpha1.ProfileName}, own)
	return own, explain(err, profiles, "")
}
