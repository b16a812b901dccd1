package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/roster-dev/roster/test/environment"
)

const (
	// ownSample is what the demo imports when there is nothing else.
	ownSample = "config/samples/peribolos/organization.yaml"
	// demoTimeout leaves time for an organization of thousands.
	demoTimeout = 15 * time.Minute
	// quietInterval is how long Roster must not have written to count as done.
	quietInterval = 5 * time.Second
	// shownGroups is how many kinds of write requests are told apart.
	shownGroups = 8
)

// demo imports a real organization into a control plane without samples, and shows what it costs until all is Ready.
func (l *local) demo(ctx context.Context, data string) error {
	return l.exclusively(func() error {
		cluster, err := l.install(ctx)
		if err != nil {
			return err
		}
		manifests, err := l.importPeribolos(ctx, cluster, data)
		if err != nil {
			return err
		}
		viewer, err := newViewer(cluster)
		if err != nil {
			return err
		}
		if memberships, err := viewer.list(ctx, "Membership"); err != nil {
			return err
		} else if len(memberships) > 0 {
			l.say("%d Memberships are there already: for figures of the import alone, `make down` first", len(memberships))
		}
		measured, err := l.converge(ctx, cluster, viewer, manifests)
		if err != nil {
			return err
		}
		return l.printMeasurement(ctx, cluster, viewer, measured)
	})
}

// measurement is what it took until all was Ready, and until the manager had nothing more to write.
type measurement struct {
	applied, ready, quiet time.Duration
	writes                []environment.AuditedRequest
}

// importPeribolos turns the configuration into manifests and returns their folder. Remarks on what can't be carried
// over go to a file.
func (l *local) importPeribolos(ctx context.Context, cluster *environment.Cluster, data string) (string, error) {
	root, err := environment.ModuleRoot()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(data); data == "" || errors.Is(err, fs.ErrNotExist) {
		data = filepath.Join(root, ownSample)
	}
	manifests := filepath.Join(cluster.Directory, "import")
	if err := os.RemoveAll(manifests); err != nil {
		return "", err
	}
	l.say("importing %s", data)
	var remarks bytes.Buffer
	plugin := exec.CommandContext(ctx, filepath.Join(root, "bin", "kubectl-roster"), "import", "peribolos", data, "-o", manifests)
	plugin.Stderr = &remarks
	if err := plugin.Run(); err != nil {
		return "", fmt.Errorf("import of %s: %w: %s", data, err, remarks.String())
	}
	remarksPath := filepath.Join(cluster.Directory, "import.log")
	if err := os.WriteFile(remarksPath, remarks.Bytes(), 0o600); err != nil {
		return "", err
	}
	l.say("imported, with %d remarks in %s", bytes.Count(remarks.Bytes(), []byte("\n")), remarksPath)
	return manifests, nil
}

// converge applies the manifests and waits until all is Ready and the manager writes no more.
func (l *local) converge(
	ctx context.Context, cluster *environment.Cluster, viewer viewer, manifests string,
) (measurement, error) {
	var measured measurement
	before, err := cluster.Writes(environment.ManagerUser)
	if err != nil {
		return measured, err
	}
	began := time.Now()
	l.say("applying the manifests")
	if err := cluster.Apply(ctx, manifests); err != nil {
		return measured, err
	}
	measured.applied = time.Since(began)
	if err := l.waitUntilReady(ctx, viewer, demoTimeout); err != nil {
		return measured, err
	}
	measured.ready = time.Since(began)
	l.say("waiting until the manager writes no more")
	after, err := waitUntilQuiet(ctx, cluster)
	if err != nil {
		return measured, err
	}
	// What came of the writes since, such as Personal organizations, must be Ready, too.
	if err := l.waitUntilReady(ctx, viewer, demoTimeout); err != nil {
		return measured, err
	}
	measured.writes = after[len(before):]
	if last := len(measured.writes); last > 0 {
		measured.quiet = measured.writes[last-1].Time.Sub(began)
	}
	return measured, nil
}

// waitUntilQuiet returns all writes of the manager once no new one came for a while.
func waitUntilQuiet(ctx context.Context, cluster *environment.Cluster) ([]environment.AuditedRequest, error) {
	var writes []environment.AuditedRequest
	err := wait.PollUntilContextTimeout(ctx, quietInterval, demoTimeout, true, func(context.Context) (bool, error) {
		before := len(writes)
		var err error
		writes, err = cluster.Writes(environment.ManagerUser)
		return len(writes) == before, err
	})
	return writes, err
}

func (l *local) printMeasurement(ctx context.Context, cluster *environment.Cluster, viewer viewer, measured measurement) error {
	table := tabwriter.NewWriter(l.output, 0, 0, 3, ' ', 0)
	line := func(name string, value any) { _, _ = fmt.Fprintf(table, "%s\t%v\n", name, value) }
	memberships := 0
	_, _ = fmt.Fprintln(table)
	for _, kind := range append(waitedFor, "User") {
		objects, err := viewer.list(ctx, kind)
		if err != nil {
			return err
		}
		if kind == "Membership" {
			memberships = len(objects)
		}
		line(kind+" objects", len(objects))
	}
	bindings, err := viewer.managedBindings(ctx)
	if err != nil {
		return err
	}
	line("RBAC bindings that Roster keeps", bindings)
	line("seconds until all was applied", fmt.Sprintf("%.1f", measured.applied.Seconds()))
	line("seconds until all was Ready", fmt.Sprintf("%.1f", measured.ready.Seconds()))
	line("seconds until Roster's last write", fmt.Sprintf("%.1f", measured.quiet.Seconds()))
	line("write requests of Roster", len(measured.writes))
	line("write requests of Roster per Membership",
		fmt.Sprintf("%.2f", float64(len(measured.writes))/float64(max(1, memberships))))
	for _, group := range countWrites(measured.writes) {
		line("  of these: "+group.name, group.count)
	}
	_, _ = fmt.Fprintf(table, "\nAPI server %s; kubeconfig %s; `make down` stops it.\n", cluster.URL(), cluster.AdminKubeconfig())
	return table.Flush()
}

// writeGroup is how often one verb was used on one resource.
type writeGroup struct {
	name  string
	count int
}

// countWrites groups the writes, the most frequent first. What was refused because of a conflict is a group of its own.
func countWrites(writes []environment.AuditedRequest) []writeGroup {
	counts := map[string]int{}
	for _, write := range writes {
		name := write.What()
		if write.Code == http.StatusConflict {
			name += " (conflict)"
		}
		counts[name]++
	}
	groups := make([]writeGroup, 0, len(counts))
	for name, count := range counts {
		groups = append(groups, writeGroup{name: name, count: count})
	}
	slices.SortFunc(groups, func(a, b writeGroup) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name))
	})
	return groups[:min(shownGroups, len(groups))]
}
