package environment

import (
	"bufio"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	modulePath = "github.com/roster-dev/roster"
	// BinariesVariable names the environment variable that points at the folder with etcd, kube-apiserver,
	// kube-controller-manager and kubectl. Default: bin/k8s in the module's root.
	BinariesVariable = "ROSTER_K8S_BINARIES"
)

// ModuleRoot finds the root of Roster's source, upwards from the working directory, so that a test finds it from the
// folder of any package.
func ModuleRoot() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if isModuleRoot(directory) {
			return directory, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", fmt.Errorf("no go.mod of module %s in the working directory or above it: run this within Roster's source", modulePath)
		}
		directory = parent
	}
}

func isModuleRoot(directory string) bool {
	file, err := os.Open(filepath.Join(directory, "go.mod"))
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "module" {
			return fields[1] == modulePath
		}
	}
	return false
}

// FindBinaries returns the folder with the binaries of the control plane: the one that ROSTER_K8S_BINARIES names, else
// bin/k8s in the module's root.
func FindBinaries() (string, error) {
	directory := os.Getenv(BinariesVariable)
	if directory == "" {
		root, err := ModuleRoot()
		if err != nil {
			return "", err
		}
		directory = filepath.Join(root, "bin", "k8s")
	}
	return directory, checkBinaries(directory)
}

func checkBinaries(directory string) error {
	for _, name := range []string{etcdServer, apiServer, controllerManager, "kubectl"} {
		_, err := os.Stat(filepath.Join(directory, name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no %s in %s: run `make k8s`, which builds it, or set %s to a folder that has it",
				name, directory, BinariesVariable)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeFile replaces a file in one step, so that a reader never sees half of it.
func writeFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func writePEM(path, blockType string, content []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: content}), 0o600)
}
