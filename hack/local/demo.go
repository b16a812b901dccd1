package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/roster-dev/roster/test/environment"
)

// demoTimeout leaves time for an organization of thousands.
const demoTimeout = 15 * time.Minute

// ownSample is what the demo imports when there is nothing else.
const ownSample = "config/samples/peribolos/organization.yaml"

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
		before, err := cluster.Writes(environment.ManagerUser)
		if err != nil {
			return err
		}
		measured := measurement{writes: -len(before)}
		if err := l.converge(ctx, cluster, viewer, manifests, &measured); err != nil {
			return err
		}
		return l.printMeasurement(ctx, cluster, viewer, measured)
	})
}

// measurement is what it took until all was Ready.
type measurement struct {
	applied, ready time.Duration
	writes         int
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

// converge applies the manifests and waits until all is Ready.
func (l *local) converge(ctx context.Context, cluster *environment.Cluster, viewer viewer, manifests string, measured *measurement) error {
	began := time.Now()
	l.say("applying the manifests")
	if err := cluster.Apply(ctx, manifests); err != nil {
		return err
	}
	measured.applied = time.Since(began)
	if err := l.waitUntilReady(ctx, viewer, demoTimeout); err != nil {
		return err
	}
	measured.ready = time.Since(began)
	writes, err := cluster.Writes(environment.ManagerUser)
	measured.writes += len(writes)
	return err
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
	line("write requests of the manager", measured.writes)
	line("write requests of the manager per Membership", fmt.Sprintf("%.2f", float64(measured.writes)/float64(max(1, memberships))))
	_, _ = fmt.Fprintf(table, "\nAPI server %s; kubeconfig %s; `make down` stops it.\n", cluster.URL(), cluster.AdminKubeconfig())
	return table.Flush()
}
