package view

import (
	"context"
	"iter"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// grantStorage answers for grants.
type grantStorage struct {
	table[viewv1alpha1.Grant]
	answers *Answers
}

var (
	_ rest.Lister               = &grantStorage{}
	_ rest.Getter               = &grantStorage{}
	_ rest.Scoper               = &grantStorage{}
	_ rest.SingularNameProvider = &grantStorage{}
)

// New is an empty Grant.
func (*grantStorage) New() runtime.Object { return &viewv1alpha1.Grant{} }

// NewList is an empty list.
func (*grantStorage) NewList() runtime.Object { return &viewv1alpha1.GrantList{} }

// Destroy has nothing to do.
func (*grantStorage) Destroy() {}

// NamespaceScoped says that grants are asked for in an organization's namespace.
func (*grantStorage) NamespaceScoped() bool { return true }

// GetSingularName is what one is called.
func (*grantStorage) GetSingularName() string { return "grant" }

// Get gives one grant by name.
func (s *grantStorage) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if organization, found := v1alpha1.OrganizationOf(request.NamespaceValue(ctx)); found {
		answer, err := s.answers.of(ctx, organization)
		if err != nil {
			return nil, err
		}
		if row := answer.grants().find(name); row != nil {
			return row, nil
		}
	}
	return nil, apierrors.NewNotFound(viewv1alpha1.GroupVersion.WithResource("grants").GroupResource(), name)
}

// List gives the grants in one organization, or in all.
func (s *grantStorage) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := refuseLabels(options, viewv1alpha1.GroupVersion.WithKind("Grant")); err != nil {
		return nil, err
	}
	page, err := gather(ctx, s.answers, options, listing[viewv1alpha1.Grant]{
		after: func(answer *answer, key string, selection selection) iter.Seq2[string, *viewv1alpha1.Grant] {
			return answer.grants().after(key, selection)
		},
		remaining: func(answer *answer, key string) int { return answer.grants().remaining(key) },
		version:   func(answer *answer) string { return answer.versions.grants },
	})
	if err != nil {
		return nil, err
	}
	list := &viewv1alpha1.GrantList{Items: page.items}
	page.describe(&list.ListMeta)
	return list, nil
}
