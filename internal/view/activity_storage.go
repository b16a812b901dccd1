package view

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	operator "k8s.io/apimachinery/pkg/selection"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// defaultActivities is how many activities a list has that asks for no limit: they go back to the beginning.
const defaultActivities = 500

// ActivityQuery asks for the changes of one organization. What is left out matches all.
type ActivityQuery struct {
	// Namespace of the organization; empty for all.
	Namespace string
	// Organization whose namespace it is; nil for records of all that had its name.
	Organization *v1alpha1.Organization
	// Actor, Action, Kind, Name and OrganizationUID are what the records must say.
	Actor, Action, Kind, Name, OrganizationUID string
	// Limit is the most records of an answer.
	Limit int
	// Continue is what the answer before gave, with the same query otherwise.
	Continue string
}

// ActivityPage is a part of the changes, newest first.
type ActivityPage struct {
	Activities []viewv1alpha1.Activity
	// Continue asks for what follows; empty when nothing does.
	Continue string
}

// Activities is where changes are kept.
type Activities interface {
	// ListActivities gives the newest first. An error that isn't one of the API's is told as one of the server.
	ListActivities(ctx context.Context, query ActivityQuery) (ActivityPage, error)
}

// activityStorage answers for activities.
type activityStorage struct {
	table[viewv1alpha1.Activity]
	activities Activities
	// live reads from the API server itself: a cache that is behind would show the history of a deleted organization to the
	// members of the one that has its name now.
	live client.Reader
	// pageRows is the most rows of one answer.
	pageRows int
}

var (
	_ rest.Lister               = &activityStorage{}
	_ rest.Scoper               = &activityStorage{}
	_ rest.SingularNameProvider = &activityStorage{}
)

// New is an empty Activity.
func (*activityStorage) New() runtime.Object { return &viewv1alpha1.Activity{} }

// NewList is an empty list.
func (*activityStorage) NewList() runtime.Object { return &viewv1alpha1.ActivityList{} }

// Destroy has nothing to do.
func (*activityStorage) Destroy() {}

// NamespaceScoped says that activities are asked for in an organization's namespace.
func (*activityStorage) NamespaceScoped() bool { return true }

// GetSingularName is what one is called.
func (*activityStorage) GetSingularName() string { return "activity" }

// List gives the changes in one organization, or in all.
func (s *activityStorage) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := refuseLabels(options, viewv1alpha1.GroupVersion.WithKind("Activity")); err != nil {
		return nil, err
	}
	if s.activities == nil {
		return nil, apierrors.NewServiceUnavailable("no activities are kept here: this manager runs without an activity store")
	}
	query, err := activityQuery(fieldSelector(options))
	if err != nil {
		return nil, err
	}
	list := &viewv1alpha1.ActivityList{Items: []viewv1alpha1.Activity{}}
	if namespace := request.NamespaceValue(ctx); namespace != "" {
		if query.Namespace != "" && query.Namespace != namespace {
			return list, nil
		}
		query.Namespace = namespace
		found, err := s.narrow(ctx, &query)
		if !found || err != nil {
			return list, err
		}
	}
	query.Limit = min(defaultActivities, s.pageRows)
	if options != nil {
		query.Continue = options.Continue
		if options.Limit > 0 {
			query.Limit = int(min(options.Limit, int64(s.pageRows)))
		}
	}
	page, err := s.activities.ListActivities(ctx, query)
	if err != nil {
		return nil, err
	}
	list.Items = append(list.Items, page.Activities...)
	list.Continue = page.Continue
	return list, nil
}

// narrow has a query about an organization's namespace find what belongs to the organization that is there now, and says
// whether there is one. Records of those before it are for callers who may list all namespaces.
func (s *activityStorage) narrow(ctx context.Context, query *ActivityQuery) (found bool, err error) {
	name, ok := v1alpha1.OrganizationOf(query.Namespace)
	if !ok {
		return true, nil
	}
	query.Organization = &v1alpha1.Organization{}
	err = s.live.Get(ctx, client.ObjectKey{Name: name}, query.Organization)
	return err == nil, client.IgnoreNotFound(err)
}

// activityQuery reads a selector. The store compares for equality alone.
func activityQuery(selector fields.Selector) (ActivityQuery, error) {
	var query ActivityQuery
	if selector == nil {
		return query, nil
	}
	places := map[string]*string{
		fieldActor: &query.Actor, fieldAction: &query.Action, fieldKind: &query.Kind, fieldObject: &query.Name,
		fieldOrganizationUID: &query.OrganizationUID, fieldOwnNamespace: &query.Namespace,
	}
	for _, requirement := range selector.Requirements() {
		place := places[requirement.Field]
		if place == nil || requirement.Operator == operator.NotEquals || requirement.Value == "" {
			return query, apierrors.NewBadRequest(fmt.Sprintf("fieldSelector %q: activities are selected by FIELD=VALUE, with actor, "+
				"action, kind, name, organizationUID and metadata.namespace as fields", selector))
		}
		*place = requirement.Value
	}
	return query, nil
}
