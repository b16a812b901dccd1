package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/roster-dev/roster/api/v1alpha1"
	viewv1alpha1 "github.com/roster-dev/roster/api/view/v1alpha1"
	"github.com/roster-dev/roster/internal/manager"
)

const (
	// maxChunk is the goal: how long a chunk of a list may take, in the median.
	maxChunk = 20 * time.Millisecond
	// chunkSize is that of kubectl.
	chunkSize = 500
	reader    = "reader@bench.example"

	asObjects = "application/json"
	asTable   = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
)

// viewing measures how long a viewer waits for the members of a large organization, through the API server.
type viewing struct {
	*admission
	client rest.Interface
	cases  []*viewCase
}

// viewCase is one way to list all members in chunks.
type viewCase struct {
	what, accept string
	// chunks is how long each of them took until it had come, read how long until it was decoded, too.
	chunks, read []time.Duration
	// bytes of the largest chunk.
	bytes int
}

// chunk is what is needed of a list of objects and of a table.
type chunk struct {
	Metadata metav1.ListMeta   `json:"metadata"`
	Items    []json.RawMessage `json:"items"`
	Rows     []json.RawMessage `json:"rows"`
}

// benchView measures on a control plane of its own and prints one table.
func benchView(ctx context.Context, options options, output, progress io.Writer) error {
	options.teams = 0
	v := &viewing{admission: newAdmission(options, progress)}
	v.viewed = true
	v.earlier = append(v.earlier, membership("reader", reader, viewer))
	v.cases = []*viewCase{{what: "as objects", accept: asObjects}, {what: "as a table, as kubectl asks", accept: asTable}}
	if err := v.run(ctx, v.furnish, v.connect, v.measure); err != nil {
		return err
	}
	return v.print(output)
}

// connect returns once all members are listed to the viewer.
func (v *viewing) connect(ctx context.Context) (err error) {
	config := v.cluster.As(reader)
	config.QPS = -1
	config.APIPath, config.GroupVersion = "/apis", &viewv1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(manager.NewScheme()).WithoutConversion()
	if v.client, err = rest.RESTClientFor(config); err != nil {
		return err
	}
	// The reader and the owner are members, too.
	expected := v.options.members + 2
	found := 0
	const pace = 100 * time.Millisecond
	unlisted := wait.PollUntilContextTimeout(ctx, pace, patience, true, func(ctx context.Context) (bool, error) {
		// The API server may need a moment to find the manager again.
		found, err = v.list(ctx, &viewCase{accept: asObjects})
		return found == expected, nil
	})
	if unlisted != nil {
		return fmt.Errorf("%d of %d members are listed: %w: %w", found, expected, unlisted, err)
	}
	return nil
}

func (v *viewing) measure(ctx context.Context) error {
	for round := range v.options.lists {
		v.say("view: list %d of %d", round+1, v.options.lists)
		for _, listed := range v.cases {
			if _, err := v.list(ctx, listed); err != nil {
				return fmt.Errorf("list members %s: %w", listed.what, err)
			}
		}
	}
	return nil
}

// list asks for all members, chunk by chunk, and says how many there are.
func (v *viewing) list(ctx context.Context, listed *viewCase) (int, error) {
	found, next := 0, ""
	for {
		begin := time.Now()
		content, err := v.client.Get().Namespace(v1alpha1.OrganizationNamespace(organization)).Resource("members").
			SetHeader("Accept", listed.accept).Param("limit", strconv.Itoa(chunkSize)).Param("continue", next).Do(ctx).Raw()
		if err != nil {
			return 0, err
		}
		listed.chunks = append(listed.chunks, time.Since(begin))
		var got chunk
		if err := json.Unmarshal(content, &got); err != nil {
			return 0, err
		}
		listed.read = append(listed.read, time.Since(begin))
		listed.bytes = max(listed.bytes, len(content))
		found += len(got.Items) + len(got.Rows)
		if next = got.Metadata.Continue; next == "" {
			return found, nil
		}
	}
}

func (v *viewing) print(output io.Writer) error {
	table := tabwriter.NewWriter(output, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintf(output, "\n%d members listed %d times in chunks of %d through the API server: p50 (p95) of a chunk; "+
		"%d processors.\n\n", v.options.members, v.options.lists, chunkSize, runtime.NumCPU())
	_, _ = fmt.Fprintln(table, "WHAT\tSIZE\tA CHUNK\tWITH DECODING\tGOAL\tREACHED")
	for _, listed := range v.cases {
		_, _ = fmt.Fprintf(table, "members %s\t%d kB\t%s\t%s\t%s\t%s\n", listed.what, listed.bytes/1000,
			percentiles(listed.chunks), percentiles(listed.read), rounded(maxChunk), yesNo(median(listed.chunks) <= maxChunk))
	}
	return table.Flush()
}
