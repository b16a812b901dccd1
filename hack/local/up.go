package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/roster-dev/roster/test/environment"
)

// samplesTimeout bounds the wait for a handful of objects.
const samplesTimeout = 2 * time.Minute

// up starts what doesn't run, installs Roster, and applies the samples. Doing it again is fine.
func (l *local) up(ctx context.Context, samples string) error {
	if _, err := os.Stat(samples); samples != "" && err != nil {
		return fmt.Errorf("SAMPLES=%s: %w; name a folder of manifests with a kustomization.yaml, or none", samples, err)
	}
	return l.exclusively(func() error {
		cluster, err := l.install(ctx)
		if err != nil {
			return err
		}
		if samples != "" {
			if err := l.showSamples(ctx, cluster, samples); err != nil {
				return err
			}
		}
		l.say("up: API server %s, logs in %s", cluster.URL(), l.directory)
		l.print("\nTo use it:\n\n")
		l.print("  export KUBECONFIG=$PWD/%s/kubeconfig\n", l.directory)
		l.print("  export PATH=$PWD/bin/k8s:$PWD/bin:$PATH\n")
		l.print("  kubectl get org,mbr,team,proj,rrb -A\n\n`make down` stops it and removes its data.\n")
		return nil
	})
}

// install brings up the control plane and Roster in it.
func (l *local) install(ctx context.Context) (*environment.Cluster, error) {
	cluster, err := l.controlPlane(ctx)
	if err != nil {
		return nil, err
	}
	l.say("installing kinds, rights and roles")
	if err := cluster.InstallRoster(ctx); err != nil {
		return nil, err
	}
	if err := l.manager(ctx, cluster); err != nil {
		return nil, err
	}
	if err := cluster.ConnectWebhook(ctx); err != nil {
		return nil, err
	}
	return cluster, cluster.ConnectView(ctx)
}

func (l *local) showSamples(ctx context.Context, cluster *environment.Cluster, samples string) error {
	l.say("applying %s", samples)
	if _, err := cluster.Kubectl(ctx, "apply", "--kustomize", samples); err != nil {
		return err
	}
	viewer, err := newViewer(cluster)
	if err != nil {
		return err
	}
	if err := l.waitUntilReady(ctx, viewer, samplesTimeout); err != nil {
		return err
	}
	objects, err := cluster.Kubectl(ctx, "get", "org,mbr,team,proj,rrb", "--all-namespaces")
	if err != nil {
		return err
	}
	l.print("\n%s\n", objects)
	return viewer.printAnswers(ctx, l.output)
}

func (l *local) waitUntilReady(ctx context.Context, viewer viewer, timeout time.Duration) error {
	l.say("waiting until all of it is Ready")
	err := viewer.waitUntilReady(ctx, timeout, func(pending []string) {
		l.say("not Ready yet: %d, for example %s", len(pending), pending[0])
	})
	if err != nil {
		return fmt.Errorf("%w\nThe manager's log is %s", err, filepath.Join(l.directory, environment.ManagerProcess+".log"))
	}
	l.say("all of it is Ready, or settled as an invitation is")
	return nil
}

// down stops exactly what up started. A process that ended, and whose pid belongs to another one now, is left alone.
func (l *local) down() error {
	if _, err := os.Stat(l.directory); errors.Is(err, fs.ErrNotExist) {
		l.say("nothing is up: there is no %s", l.directory)
		return nil
	}
	return l.exclusively(func() error {
		cluster, err := environment.Attach(l.directory, l)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			if gone := describe(cluster.Processes(), false); gone != "" {
				l.say("gone already: %s", gone)
			}
			if err := cluster.Stop(); err != nil {
				return fmt.Errorf("%w; %s is kept, so that `make down` can try again", err, l.directory)
			}
		}
		if err := os.RemoveAll(l.directory); err != nil {
			return err
		}
		l.say("down: %s is removed", l.directory)
		return nil
	})
}

// status shows what runs.
func (l *local) status() error {
	cluster, err := environment.Attach(l.directory, l)
	if errors.Is(err, fs.ErrNotExist) {
		l.print("nothing is up: `make up` starts it\n")
		return nil
	}
	if err != nil {
		return err
	}
	l.print("API server %s\n", cluster.URL())
	for _, process := range cluster.Processes() {
		state := "runs"
		if !process.Running() {
			state = "is gone: `make up` starts it again"
		}
		l.print("%-24s pid %-8d %s\n", process.Name, process.PID, state)
	}
	return nil
}
