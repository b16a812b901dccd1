package environment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// pluginProcess is the name of the kubectl plugin's binary.
const pluginProcess = "kubectl-roster"

// BuildPlugin returns the kubectl plugin's binary: the one beside the manager that ROSTER_MANAGER names, else
// cmd/kubectl-roster built into bin/kubectl-roster.
func BuildPlugin(ctx context.Context) (string, error) {
	if manager := os.Getenv(ManagerVariable); manager != "" {
		return filepath.Join(filepath.Dir(manager), pluginProcess), nil
	}
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(root, "bin", pluginProcess)
	// Another test process may be building, too, or running the last one.
	unfinished := fmt.Sprintf("%s.%d", binary, os.Getpid())
	defer func() { _ = os.Remove(unfinished) }()
	build := exec.CommandContext(ctx, "go", "build", "-o", unfinished, "./cmd/"+pluginProcess)
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/%s: %w: %s", pluginProcess, err, output)
	}
	return binary, os.Rename(unfinished, binary)
}
