package view

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/utils/ptr"

	"github.com/roster-dev/roster/api/v1alpha1"
)

const (
	// DefaultPageRows is how many rows an answer has at most unless something else is asked for.
	DefaultPageRows = 1000
	// MaxPageRows is the most that may be asked for: an answer is in memory as a whole.
	MaxPageRows = 10000
)

// position is where a list goes on: behind the last row that was given.
type position struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	// Version names the answer that the row was given from. Without one the list goes on with what there is by now, as its order
	// is the same.
	Version string `json:"version,omitempty"`
}

// in is the key behind which the rows of an organization begin.
func (p position) in(namespace string) string {
	if p.Namespace == namespace {
		return p.Key
	}
	return ""
}

func (p position) encode() string {
	// Texts can always be encoded.
	content, _ := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(content)
}

// expired tells who continues a list that the answer it began with is gone. As Kubernetes does, it gives a continue that goes
// on with what there is by now.
func (p position) expired() error {
	p.Version = ""
	err := apierrors.NewResourceExpired("the list has changed since its first rows were given, which was too long ago to go on " +
		"with it: list again from the beginning, or go on with the continue of this answer, by which rows that have changed " +
		"meanwhile may be missing")
	err.ErrStatus.Continue = p.encode()
	return err
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

// listing is how rows of one kind are listed.
type listing[T any] struct {
	// after are the rows of an answer behind a key that are selected, with the keys that continue a list behind them.
	after func(answer *answer, key string, selection selection) iter.Seq2[string, *T]
	// remaining is the number of all rows behind a key.
	remaining func(answer *answer, key string) int
	// version names the rows of an answer.
	version func(answer *answer) string
}

// page collects rows up to a limit.
type page[T any] struct {
	limit int
	items []T
	// next is where the list goes on; nil where it is complete.
	next *position
	last position
	// remaining is the number of rows that follow, where that is known.
	remaining *int64
}

// newPage has the limit that is asked for, up to the most that there may be.
func newPage[T any](options *metainternalversion.ListOptions, most int) *page[T] {
	page := &page[T]{limit: most}
	if options != nil && options.Limit > 0 {
		page.limit = int(min(options.Limit, int64(most)))
	}
	return page
}

// add takes the rows of one organization, and says whether there is room for more.
func (p *page[T]) add(namespace, version string, rows iter.Seq2[string, *T]) bool {
	for key, row := range rows {
		if len(p.items) == p.limit {
			last := p.last
			p.next = &last
			return false
		}
		p.items = append(p.items, *row)
		p.last = position{Namespace: namespace, Key: key, Version: version}
	}
	return true
}

// gather makes a page of the rows of all organizations in scope, by their names.
func gather[T any](
	ctx context.Context, answers *Answers, options *metainternalversion.ListOptions, list listing[T],
) (*page[T], error) {
	asked := request.NamespaceValue(ctx)
	organizations, err := answers.inScope(ctx, asked)
	if err != nil {
		return nil, err
	}
	start, err := positionOf(options)
	if err != nil {
		return nil, err
	}
	page, selection := newPage[T](options, answers.pageRows), selectionOf(options)
	for _, organization := range organizations {
		namespace := v1alpha1.OrganizationNamespace(organization)
		if namespace < start.Namespace {
			continue
		}
		answer, err := list.beginning(ctx, answers, organization, start)
		if err != nil {
			return nil, err
		}
		if page.add(namespace, list.version(answer), list.after(answer, start.in(namespace), selection)) {
			continue
		}
		answer.isContinued.Store(true)
		if asked != "" && len(selection) == 0 {
			page.remaining = ptr.To(int64(list.remaining(answer, page.next.in(namespace))))
		}
		break
	}
	page.warn(ctx, options)
	return page, nil
}

// beginning is the answer that a list began with, or for its first page the one of now.
func (l listing[T]) beginning(
	ctx context.Context, answers *Answers, organization string, start position,
) (*answer, error) {
	if start.Version == "" || start.Namespace != v1alpha1.OrganizationNamespace(organization) {
		return answers.of(ctx, organization)
	}
	isBeginning := func(answer *answer) bool { return l.version(answer) == start.Version }
	answer, err := answers.continuing(ctx, organization, isBeginning)
	if answer == nil && err == nil {
		return nil, start.expired()
	}
	return answer, err
}

// warn tells a client that asked for all rows in one answer that it has only the first.
func (p *page[T]) warn(ctx context.Context, options *metainternalversion.ListOptions) {
	if p.next != nil && (options == nil || options.Limit == 0 && options.Continue == "") {
		warning.AddWarning(ctx, "", fmt.Sprintf("these are the first %d rows, the most that one answer has; the others follow with "+
			"its metadata.continue, by which kubectl asks for them itself", len(p.items)))
	}
}

// describe writes into a list how it goes on.
func (p *page[T]) describe(list *metav1.ListMeta) {
	if p.next != nil {
		list.Continue, list.RemainingItemCount = p.next.encode(), p.remaining
	}
}
