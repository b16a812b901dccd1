package view

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/roster-dev/roster/api/v1alpha1"
)

// position is where a list goes on: behind the last row that was given. Rows keep their order, so it doesn't matter what
// came and went meanwhile.
type position struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
}

// in is the key behind which the rows of an organization begin.
func (p position) in(namespace string) string {
	if p.Namespace == namespace {
		return p.Key
	}
	return ""
}

func (p position) encode() string {
	// Two texts can always be encoded.
	content, _ := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(content)
}

func positionOf(options *metainternalversion.ListOptions) (position, error) {
	var found position
	if options == nil || options.Continue == "" {
		return found, nil
	}
	content, err := base64.RawURLEncoding.DecodeString(options.Continue)
	if err == nil {
		err = json.Unmarshal(content, &found)
	}
	if err != nil {
		return found, apierrors.NewBadRequest(fmt.Sprintf(
			"continue %q: %v; give the metadata.continue of the list before, or start again without", options.Continue, err))
	}
	return found, nil
}

// page collects rows up to a limit.
type page[T any] struct {
	limit int64
	items []T
	// next is where the list goes on; nil where it is complete.
	next *position
	last position
}

func newPage[T any](options *metainternalversion.ListOptions) *page[T] {
	page := &page[T]{}
	if options != nil {
		page.limit = options.Limit
	}
	return page
}

// add takes the rows of one organization, and says whether there is room for more.
func (p *page[T]) add(namespace string, rows iter.Seq2[string, *T]) bool {
	for key, row := range rows {
		if p.limit > 0 && int64(len(p.items)) == p.limit {
			last := p.last
			p.next = &last
			return false
		}
		p.items = append(p.items, *row)
		p.last = position{Namespace: namespace, Key: key}
	}
	return true
}

// gather makes a page of the rows of all organizations in scope, by their names.
func gather[T any](
	ctx context.Context, answers *Answers, options *metainternalversion.ListOptions,
	after func(answer *answer, key string, selector fields.Selector) iter.Seq2[string, *T],
) (*page[T], error) {
	organizations, err := answers.inScope(ctx, request.NamespaceValue(ctx))
	if err != nil {
		return nil, err
	}
	start, err := positionOf(options)
	if err != nil {
		return nil, err
	}
	page, selector := newPage[T](options), fieldSelector(options)
	for _, organization := range organizations {
		namespace := v1alpha1.OrganizationNamespace(organization)
		if namespace < start.Namespace {
			continue
		}
		answer, err := answers.continuing(ctx, organization, start)
		if err != nil {
			return nil, err
		}
		if !page.add(namespace, after(answer, start.in(namespace), selector)) {
			break
		}
	}
	return page, nil
}

func (p *page[T]) continuation() string {
	if p.next == nil {
		return ""
	}
	return p.next.encode()
}
