package environment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// servedTimeout is how long the API server may take to serve a kind whose CustomResourceDefinition was only just made.
const servedTimeout = 30 * time.Second

// Kubectl runs kubectl as the administrator in the module's root and returns its standard output.
func (c *Cluster) Kubectl(ctx context.Context, arguments ...string) (string, error) {
	kubectl := c.KubectlCommand(ctx, arguments...)
	var output, problems bytes.Buffer
	kubectl.Stdout, kubectl.Stderr = &output, &problems
	if err := kubectl.Run(); err != nil {
		return output.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, problems.String())
	}
	return output.String(), nil
}

// KubectlCommand is kubectl as the administrator, not started yet: for one that goes on printing.
func (c *Cluster) KubectlCommand(ctx context.Context, arguments ...string) *exec.Cmd {
	arguments = append([]string{"--kubeconfig", c.AdminKubeconfig(), "--cache-dir", c.path("kubectl-cache")}, arguments...)
	return exec.CommandContext(ctx, c.binary("kubectl"), arguments...)
}

// InstallRoster applies config/crd, config/rbac, config/policies, config/guard and config/roles, in this order, and returns when the
// API server serves Roster's kinds. Applying them again is fine.
func (c *Cluster) InstallRoster(ctx context.Context) error {
	root, err := ModuleRoot()
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, filepath.Join(root, "config", "crd")); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"); err != nil {
		return err
	}
	for _, part := range []string{"rbac", "policies", "guard", "roles"} {
		directory := filepath.Join(root, "config", part)
		if manifests, err := os.ReadDir(directory); errors.Is(err, fs.ErrNotExist) || len(manifests) == 0 {
			continue
		}
		if err := c.Apply(ctx, directory); err != nil {
			return err
		}
	}
	return c.installAuthority(ctx)
}

// Apply applies a folder by server-side apply: as a kustomization if it is one, else every manifest in it and below.
// It tries again as long as the API server doesn't serve a kind that was only just defined.
func (c *Cluster) Apply(ctx context.Context, directory string) error {
	arguments := []string{"apply", "--server-side", "--force-conflicts", "--recursive", "--filename", directory}
	if isKustomization(directory) {
		arguments = []string{"apply", "--server-side", "--force-conflicts", "--kustomize", directory}
	}
	served := time.Now().Add(servedTimeout)
	return poll(ctx, func(ctx context.Context) (bool, error) {
		_, failure := c.Kubectl(ctx, arguments...)
		if failure != nil && strings.Contains(failure.Error(), "no matches for kind") && time.Now().Before(served) {
			return false, nil
		}
		return true, failure
	})
}

func isKustomization(directory string) bool {
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err == nil {
			return true
		}
	}
	return false
}

func (c *Cluster) binary(name string) string { return filepath.Join(c.state.Binaries, name) }
