package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// defaultStartTimeout leaves room for a machine that is busy building.
	defaultStartTimeout = 2 * time.Minute
	// stopPatience is how long a server may take to end by itself.
	stopPatience = 15 * time.Second
	stateFile    = "cluster.json"
)

// Options of a control plane. The zero value starts one for a test in a temporary directory.
type Options struct {
	// Directory for everything that the control plane writes. What an earlier start left in it is used again. Left
	// out: a temporary directory, which Stop removes.
	Directory string
	// BinaryDirectory holds etcd, kube-apiserver, kube-controller-manager and kubectl. Left out: see FindBinaries.
	BinaryDirectory string
	// Port of the API server on 127.0.0.1. Start fails with ErrPortTaken when somebody else uses it. Left out: the port
	// of the earlier start in Directory if it is free, else any free one.
	Port int
	// APIServerArguments are added to the command line of kube-apiserver, without the leading dashes, and win over the
	// defaults.
	APIServerArguments map[string]string
	// AuditStream has the API server send its audit stream to the manager, by which Roster knows who was last seen.
	AuditStream bool
	// AuditManager has the audit log tell what the manager reads, too, where AuditStream is on.
	AuditManager bool
	// Detached processes outlive the one that started them. Otherwise they are killed when it ends.
	Detached bool
	// StartTimeout bounds the whole start. Left out: 2 minutes.
	StartTimeout time.Duration
	// Progress is told what is being started. Left out: nobody is.
	Progress io.Writer
}

// Cluster is a control plane that was started.
type Cluster struct {
	// Directory holds data, logs and kubeconfigs.
	Directory string

	certificates certificates
	options      Options
	temporary    bool

	mutex sync.Mutex
	state state
}

// state is what a later command must know to find the control plane again.
type state struct {
	Binaries string `json:"binaries"`
	Detached bool   `json:"detached"`
	Port     int    `json:"port"`
	EtcdPort int    `json:"etcdPort"`
	// WebhookPort is where the manager that was started last answers the API server.
	WebhookPort int `json:"webhookPort"`
	// ViewPort is where it serves the view API.
	ViewPort int `json:"viewPort"`
	// MetricsPort is where it serves its metrics.
	MetricsPort int `json:"metricsPort"`
	// AuditStream says that the API server sends it to ViewPort.
	AuditStream bool       `json:"auditStream"`
	Processes   []*Process `json:"processes"`
}

// Start starts etcd, kube-apiserver and kube-controller-manager, and returns when the API server answers, the built-in
// ClusterRoles are complete and ServiceAccounts are made. What was started is stopped again when one of them fails.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	if options.StartTimeout == 0 {
		options.StartTimeout = defaultStartTimeout
	}
	if options.Port != 0 && !portIsFree(options.Port) {
		return nil, fmt.Errorf("%w: %s", ErrPortTaken, address(options.Port))
	}
	cluster, err := prepare(options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, options.StartTimeout)
	defer cancel()
	if err := cluster.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the control plane in %s: %w", cluster.Directory, err), cluster.stopProcesses())
	}
	return cluster, nil
}

// Attach finds the control plane that another process started in this directory: an earlier command, or the first of
// several processes that run one test suite. It doesn't start anything: ask Missing and Processes what runs. The error
// is fs.ErrNotExist when none was started.
func Attach(directory string, progress io.Writer) (*Cluster, error) {
	cluster, err := newCluster(Options{Directory: directory, Progress: progress})
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(cluster.path(stateFile)); err != nil {
		return nil, fmt.Errorf("no control plane was started in %s: %w", directory, err)
	}
	return cluster, nil
}

// prepare makes the directory and the certificates.
func prepare(options Options) (*Cluster, error) {
	temporary := options.Directory == ""
	if temporary {
		directory, err := os.MkdirTemp("", "roster-environment-")
		if err != nil {
			return nil, err
		}
		options.Directory = directory
	}
	cluster, err := newCluster(options)
	if err != nil {
		return nil, err
	}
	cluster.temporary = temporary
	cluster.state.Detached, cluster.state.AuditStream = options.Detached, options.AuditStream
	if err := os.MkdirAll(cluster.Directory, 0o700); err != nil {
		return nil, err
	}
	if cluster.state.Binaries, err = binaryDirectory(options.BinaryDirectory); err != nil {
		return nil, err
	}
	return cluster, cluster.certificates.ensure()
}

func binaryDirectory(asked string) (string, error) {
	if asked == "" {
		return FindBinaries()
	}
	return asked, checkBinaries(asked)
}

func newCluster(options Options) (*Cluster, error) {
	directory, err := filepath.Abs(options.Directory)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{
		Directory:    directory,
		certificates: certificates(filepath.Join(directory, "certificates")),
		options:      options,
	}
	content, err := os.ReadFile(cluster.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return cluster, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &cluster.state); err != nil {
		return nil, fmt.Errorf("read %s: %w; remove it when nothing of that control plane runs anymore", cluster.path(stateFile), err)
	}
	return cluster, nil
}

func (c *Cluster) start(ctx context.Context) error {
	for _, process := range c.Processes() {
		if process.Running() {
			return fmt.Errorf("%s (pid %d) of an earlier start still runs: stop it first", process.Name, process.PID)
		}
	}
	for _, step := range []func(context.Context) error{c.startEtcd, c.startAPIServer, c.writeAdminKubeconfig, c.startControllerManager} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Processes lists what was started and not stopped by Stop, in the order of the start. Some may have ended since.
func (c *Cluster) Processes() []*Process {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.Clone(c.state.Processes)
}

// Process returns the process with this name, or nil when none was started.
func (c *Cluster) Process(name string) *Process {
	for _, process := range c.Processes() {
		if process.Name == name {
			return process
		}
	}
	return nil
}

// Missing names the servers of the control plane that don't run.
func (c *Cluster) Missing() []string {
	var missing []string
	for _, name := range []string{etcdServer, apiServer, controllerManager} {
		if process := c.Process(name); process == nil || !process.Running() {
			missing = append(missing, name)
		}
	}
	return missing
}

// Ready says whether the API server answers that it is ready, and why not.
func (c *Cluster) Ready(ctx context.Context) error {
	httpClient, err := rest.HTTPClientFor(c.Admin())
	if err != nil {
		return err
	}
	return answers(ctx, httpClient, c.URL()+"/readyz")
}

// StopProcess stops one process of the cluster.
func (c *Cluster) StopProcess(process *Process) error {
	if err := process.Stop(stopPatience); err != nil {
		return err
	}
	return c.forget(process)
}

// Stop ends all processes in the reverse order of their start, kills those that don't follow, and removes a temporary
// directory.
func (c *Cluster) Stop() error {
	if err := c.stopProcesses(); err != nil {
		return err
	}
	if c.temporary {
		return os.RemoveAll(c.Directory)
	}
	return nil
}

func (c *Cluster) stopProcesses() error {
	processes := c.Processes()
	slices.Reverse(processes)
	var failures []error
	for _, process := range processes {
		if process.Running() {
			c.progress("stopping %s (pid %d)", process.Name, process.PID)
		}
		failures = append(failures, c.StopProcess(process))
	}
	return errors.Join(failures...)
}

// launch starts a process and remembers it before anything else happens, so that `make down` finds it even if this
// command is killed now.
func (c *Cluster) launch(command command) (*Process, error) {
	command.logPath = c.path(command.name + ".log")
	command.detached = c.state.Detached
	process, err := command.start()
	if err != nil {
		return nil, err
	}
	return process, c.remember(process)
}

func (c *Cluster) remember(process *Process) error {
	return c.update(func(state *state) {
		state.Processes = slices.DeleteFunc(state.Processes, func(other *Process) bool { return other.Name == process.Name && !other.Running() })
		state.Processes = append(state.Processes, process)
	})
}

func (c *Cluster) forget(process *Process) error {
	return c.update(func(state *state) {
		state.Processes = slices.DeleteFunc(state.Processes, func(other *Process) bool { return other == process })
	})
}

// update changes the state and writes it down.
func (c *Cluster) update(change func(*state)) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	change(&c.state)
	content, err := json.MarshalIndent(c.state, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(c.path(stateFile), content)
}

func (c *Cluster) path(name string) string { return filepath.Join(c.Directory, name) }

func (c *Cluster) progress(format string, arguments ...any) {
	if c.options.Progress != nil {
		// Progress that can't be shown is no reason to fail.
		_, _ = fmt.Fprintf(c.options.Progress, format+"\n", arguments...)
	}
}

// URL of the API server.
func (c *Cluster) URL() string { return "https://" + address(c.state.Port) }

// Port of the API server.
func (c *Cluster) Port() int { return c.state.Port }

// Admin is a client configuration with every right (group system:masters) and no limit on the rate of requests.
func (c *Cluster) Admin() *rest.Config {
	return c.clientConfig(administrator)
}

func (c *Cluster) clientConfig(name string) *rest.Config {
	return &rest.Config{
		Host:  c.URL(),
		QPS:   -1,
		Burst: -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAFile:   c.certificates.certificate(apiAuthority),
			CertFile: c.certificates.certificate(name),
			KeyFile:  c.certificates.key(name),
		},
	}
}
