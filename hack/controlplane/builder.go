package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/roster-dev/roster/hack/internal/filelock"
)

// CacheVariable names the environment variable that moves the cache.
const CacheVariable = "ROSTER_CACHE"

// binary is a program of the control plane.
type binary struct {
	name        string
	packagePath string
	// usualTime is what a first build takes on two cores. It is only shown.
	usualTime time.Duration
}

// binaries in the order of their build.
var binaries = []binary{
	{name: "etcd", packagePath: "go.etcd.io/etcd/server/v3", usualTime: 45 * time.Second},
	{name: "kube-apiserver", packagePath: "k8s.io/kubernetes/cmd/kube-apiserver", usualTime: 3 * time.Minute},
	{name: "kube-controller-manager", packagePath: "k8s.io/kubernetes/cmd/kube-controller-manager", usualTime: 2 * time.Minute},
	{name: "kubectl", packagePath: "k8s.io/kubernetes/cmd/kubectl", usualTime: 20 * time.Second},
}

// builder builds the binaries that a Go module names.
type builder struct {
	// sources is the folder of the Go module.
	sources string
	// cache is the folder that has one folder for each set of versions.
	cache string
	// progress is told what goes on.
	progress io.Writer
	// goCommand is the Go toolchain.
	goCommand string
}

// cacheDirectory is $ROSTER_CACHE, or roster in the user's cache directory.
func cacheDirectory() (string, error) {
	if directory := os.Getenv(CacheVariable); directory != "" {
		return filepath.Join(directory, "roster", "k8s"), nil
	}
	if directory := os.Getenv("XDG_CACHE_HOME"); directory != "" {
		return filepath.Join(directory, "roster", "k8s"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the cache: %w: set %s to a folder", err, CacheVariable)
	}
	return filepath.Join(home, ".cache", "roster", "k8s"), nil
}

// ensure returns the folder of the binaries and builds them if it isn't there.
func (b builder) ensure(ctx context.Context) (string, error) {
	version, err := b.kubernetesVersion(ctx)
	if err != nil {
		return "", err
	}
	key, err := b.key(ctx, version)
	if err != nil {
		return "", err
	}
	directory := filepath.Join(b.cache, key)
	if complete(directory) {
		return directory, nil
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return "", err
	}
	release, err := filelock.Acquire(filepath.Join(b.cache, ".lock"), func() {
		b.say("another build of the control plane is under way: waiting for it")
	})
	if err != nil {
		return "", err
	}
	defer release()
	if complete(directory) {
		return directory, nil
	}
	return directory, b.build(ctx, version, directory)
}

// key names a folder of the cache after all that decides on what is in it.
func (b builder) key(ctx context.Context, version string) (string, error) {
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(b.sources, name))
		if err != nil {
			return "", err
		}
		hash.Write(content)
	}
	environment, err := b.goOutput(ctx, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	hash.Write([]byte(environment))
	for _, binary := range binaries {
		hash.Write([]byte(strings.Join(buildArguments(binary, version), " ")))
	}
	return fmt.Sprintf("%s-%x", version, hash.Sum(nil)[:6]), nil
}

func (b builder) kubernetesVersion(ctx context.Context) (string, error) {
	return b.goOutput(ctx, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
}

// build builds into a folder with another name first, so that an interrupted build leaves no folder that looks complete.
func (b builder) build(ctx context.Context, version, directory string) error {
	unfinished, err := filepath.Abs(directory + ".unfinished")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	start := time.Now()
	b.say("building the control plane (Kubernetes %s) into %s: once, about 6 minutes on two cores", version, directory)
	for number, binary := range binaries {
		b.say("[%d/%d] %s: a first build takes about %s", number+1, len(binaries), binary.name, binary.usualTime)
		binaryStart := time.Now()
		arguments := append(buildArguments(binary, version), "-o", filepath.Join(unfinished, binary.name), binary.packagePath)
		if err := b.goBuild(ctx, arguments); err != nil {
			return fmt.Errorf("%s: %w; start it again: what was compiled so far is kept", binary.name, err)
		}
		b.say("[%d/%d] %s: done after %s", number+1, len(binaries), binary.name, time.Since(binaryStart).Round(time.Second))
	}
	// What is there already is incomplete, or this build would not have begun.
	if err := os.RemoveAll(directory); err != nil {
		return err
	}
	if err := os.Rename(unfinished, directory); err != nil {
		return err
	}
	b.say("control plane built in %s", time.Since(start).Round(time.Second))
	return nil
}

// buildArguments of one binary, without its output and package. The version goes into it as in an official release.
func buildArguments(binary binary, version string) []string {
	linkerFlags := "-s -w"
	if strings.HasPrefix(binary.packagePath, "k8s.io/kubernetes/") {
		const versionPackage = "k8s.io/component-base/version"
		major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
		minor, _, _ := strings.Cut(rest, ".")
		linkerFlags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
			versionPackage, version, major, minor)
	}
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags}
}

func (b builder) goBuild(ctx context.Context, arguments []string) error {
	build := b.command(ctx, arguments...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = b.progress, b.progress
	err := build.Run()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

func (b builder) goOutput(ctx context.Context, arguments ...string) (string, error) {
	command := b.command(ctx, arguments...)
	command.Stderr = b.progress
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(output)), nil
}

func (b builder) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, b.goCommand, arguments...)
	command.Dir = b.sources
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	return command
}

func (b builder) say(format string, arguments ...any) {
	// Progress that can't be shown is no reason to fail.
	_, _ = fmt.Fprintf(b.progress, format+"\n", arguments...)
}

// complete says whether a folder of the cache has all binaries. Somebody may have removed some.
func complete(directory string) bool {
	for _, binary := range binaries {
		if _, err := os.Stat(filepath.Join(directory, binary.name)); err != nil {
			return false
		}
	}
	return true
}

// replaceLink makes link point to the folder, in one step. It replaces an older link and nothing else.
func replaceLink(directory, link string) error {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	if current, err := os.Readlink(link); err == nil && current == directory {
		return nil
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%s is in the way: move it, so that a link to %s can take its place", link, directory)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	unfinished := fmt.Sprintf("%s.%d", link, os.Getpid())
	if err := os.Symlink(directory, unfinished); err != nil {
		return err
	}
	return os.Rename(unfinished, link)
}
