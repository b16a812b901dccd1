package view

import (
	"context"
	"iter"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
)

// memberStorage answers for members.
type memberStorage struct {
	table[viewv1alpha1.Member]
	answers *Answers
	// ends is done when the server ends, and open watches with it.
	ends context.Context
}

var (
	_ rest.Lister               = &memberStorage{}
	_ rest.Getter               = &memberStorage{}
	_ rest.Watcher              = &memberStorage{}
	_ rest.Scoper               = &memberStorage{}
	_ rest.SingularNameProvider = &memberStorage{}
)

// New is an empty Member.
func (*memberStorage) New() runtime.Object { return &viewv1alpha1.Member{} }

// NewList is an empty list.
func (*memberStorage) NewList() runtime.Object { return &viewv1alpha1.MemberList{} }

// Destroy has nothing to do.
func (*memberStorage) Destroy() {}

// NamespaceScoped says that members are asked for in an organization's namespace.
func (*memberStorage) NamespaceScoped() bool { return true }

// GetSingularName is what one is called.
func (*memberStorage) GetSingularName() string { return "member" }

// Get gives one member by name.
func (s *memberStorage) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	notFound := apierrors.NewNotFound(viewv1alpha1.GroupVersion.WithResource("members").GroupResource(), name)
	organization, found := v1alpha1.OrganizationOf(request.NamespaceValue(ctx))
	if !found {
		return nil, notFound
	}
	answer, err := s.answers.of(ctx, organization)
	if err != nil {
		return nil, err
	}
	row, found := answer.members.find(name)
	if !found {
		return nil, notFound
	}
	return row.DeepCopy(), nil
}

// List gives the members of one organization, or of all.
func (s *memberStorage) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	if err := refuseLabels(options, viewv1alpha1.GroupVersion.WithKind("Member")); err != nil {
		return nil, err
	}
	var version uint64
	page, err := gather(ctx, s.answers, options, listing[viewv1alpha1.Member]{
		after: func(answer *answer, key string, selection selection) iter.Seq2[string, *viewv1alpha1.Member] {
			version = max(version, answer.members.version)
			return answer.members.after(key, selection)
		},
		remaining: func(answer *answer, key string) int { return answer.members.remaining(key) },
		version:   func(answer *answer) string { return answer.versions.members },
	})
	if err != nil {
		return nil, err
	}
	list := &viewv1alpha1.MemberList{Items: page.items}
	page.describe(&list.ListMeta)
	list.ResourceVersion = strconv.FormatUint(version, 10)
	return list, nil
}

// Watch follows the members of one organization.
func (s *memberStorage) Watch(ctx context.Context, options *metainternalversion.ListOptions) (watch.Interface, error) {
	if err := refuseLabels(options, viewv1alpha1.GroupVersion.WithKind("Member")); err != nil {
		return nil, err
	}
	organization, found := v1alpha1.OrganizationOf(request.NamespaceValue(ctx))
	if !found {
		return nil, apierrors.NewBadRequest("members are watched in one organization: name its namespace, such as org-acme")
	}
	return s.answers.watchMembers(ctx, s.ends, organization, options)
}
