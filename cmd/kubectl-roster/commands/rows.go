package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// tableOfObjects asks for the columns that kubectl shows.
const tableOfObjects = "application/json;as=Table;v=v1;g=meta.k8s.io"

// choice says what becomes of a row.
type choice int

const (
	take choice = iota
	leave
	// end leaves the row and all that follow.
	end
)

// query asks the server for rows.
type query struct {
	resource  schema.GroupVersionResource
	namespace string
	selector  string
	// limit is the most rows; 0 for all.
	limit int64
	// chunk is how many rows come with one request; 0 for all.
	chunk int64
	// choose looks at each row; nil takes all.
	choose func(*unstructured.Unstructured) choice
	// ifNone ends the sentence that there are no rows, with what that means.
	ifNone string
}

// answer is what a query came to.
type answer struct {
	metav1.Table
	// more says that there are rows beyond the limit.
	more bool
}

// rows reads chunk after chunk until there are enough.
func (q query) rows(ctx context.Context, from rest.Interface) (*answer, error) {
	found := &answer{}
	options := metav1.ListOptions{FieldSelector: q.selector, Limit: q.chunk}
	for {
		chunk, err := q.ask(ctx, from, options)
		if err != nil {
			return nil, explain(err, q.resource.GroupResource(), q.namespace)
		}
		if found.ColumnDefinitions == nil {
			found.TypeMeta, found.ColumnDefinitions = chunk.TypeMeta, chunk.ColumnDefinitions
		}
		if complete := q.add(found, chunk.Rows); complete || chunk.Continue == "" {
			return found, nil
		}
		options.Continue = chunk.Continue
	}
}

func (q query) ask(ctx context.Context, from rest.Interface, options metav1.ListOptions) (*metav1.Table, error) {
	return tableFrom(ctx, from.Get().
		NamespaceIfScoped(q.namespace, q.namespace != "").
		Resource(q.resource.Resource).
		VersionedParams(&options, metav1.ParameterCodec))
}

// tableFrom has a request answered by a table with whole objects.
func tableFrom(ctx context.Context, request *rest.Request) (*metav1.Table, error) {
	result := request.
		SetHeader("Accept", tableOfObjects).
		Param("includeObject", string(metav1.IncludeObject)).
		Do(ctx)
	// Raw alone would leave out what the server says.
	if err := result.Error(); err != nil {
		return nil, err
	}
	body, err := result.Raw()
	if err != nil {
		return nil, err
	}
	table := &metav1.Table{}
	return table, readTable(body, table)
}

// readTable reads rows with their objects, whatever these are.
func readTable(body []byte, table *metav1.Table) error {
	if err := json.Unmarshal(body, table); err != nil {
		return fmt.Errorf("the server's table: %w", err)
	}
	for i := range table.Rows {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(table.Rows[i].Object.Raw); err != nil {
			return fmt.Errorf("the object of a row: %w", err)
		}
		table.Rows[i].Object.Object = object
	}
	return nil
}

// add takes the rows that are chosen, and says whether no more are needed.
func (q query) add(found *answer, rows []metav1.TableRow) bool {
	for _, row := range rows {
		decision := take
		if q.choose != nil {
			decision = q.choose(objectOf(row))
		}
		switch {
		case decision == end:
			return true
		case decision == leave:
		case q.limit > 0 && int64(len(found.Rows)) == q.limit:
			found.more = true
			return true
		default:
			found.Rows = append(found.Rows, row)
		}
	}
	return false
}

func objectOf(row metav1.TableRow) *unstructured.Unstructured {
	// readTable has put it there.
	return row.Object.Object.(*unstructured.Unstructured)
}

// fieldText is a field of an object, or nothing.
func fieldText(object *unstructured.Unstructured, field string) string {
	value, _, _ := unstructured.NestedString(object.Object, field)
	return value
}

// contains says whether one of some texts has what is looked for in it, in whatever case.
func contains(search string, texts ...string) bool {
	search = strings.ToLower(search)
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), search) {
			return true
		}
	}
	return false
}
