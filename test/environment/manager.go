package environment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"k8s.io/client-go/rest"
)

const (
	// ManagerVariable names the environment variable that points at a manager that is built already.
	ManagerVariable = "ROSTER_MANAGER"
	// ManagerNamespace is where config/rbac puts the manager's ServiceAccount.
	ManagerNamespace = "roster-system"
	// ManagerServiceAccount is the identity that config/rbac gives rights to.
	ManagerServiceAccount = "roster-manager"
	// ManagerUser is the username that the API server sees and notes in its audit log when the manager asks.
	ManagerUser = "system:serviceaccount:" + ManagerNamespace + ":" + ManagerServiceAccount

	// ManagerProcess is the name of the manager among the processes of a cluster.
	ManagerProcess = "roster"
)

// Manager is Roster's manager, running as a process of its own with the rights of its ServiceAccount and no others.
type Manager struct {
	cluster   *Cluster
	process   *Process
	binary    string
	arguments []string
	port      int
	metrics   int
	webhook   int
	view      int
}

// BuildManager returns the manager's binary: the one that ROSTER_MANAGER names, else cmd/roster built into bin/roster.
func BuildManager(ctx context.Context) (string, error) {
	if binary := os.Getenv(ManagerVariable); binary != "" {
		return binary, nil
	}
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(root, "bin", ManagerProcess)
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return "", err
	}
	// Another test process may be building, too, or running the last one.
	unfinished := fmt.Sprintf("%s.%d", binary, os.Getpid())
	defer func() { _ = os.Remove(unfinished) }()
	build := exec.CommandContext(ctx, "go", "build", "-o", unfinished, "./cmd/roster")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/roster: %w: %s", err, output)
	}
	return binary, os.Rename(unfinished, binary)
}

// StartManager builds the manager, starts it with a token of its ServiceAccount, and returns when it is ready.
// InstallRoster must have been called before; ConnectWebhook comes after. The arguments come last and so win over the defaults; by default there
// is no leader election.
func (c *Cluster) StartManager(ctx context.Context, arguments ...string) (*Manager, error) {
	binary, err := BuildManager(ctx)
	if err != nil {
		return nil, err
	}
	config, err := c.ServiceAccount(ctx, ManagerNamespace, ManagerServiceAccount)
	if err != nil {
		return nil, err
	}
	if err := WriteKubeconfig(c.ManagerKubeconfig(), config); err != nil {
		return nil, err
	}
	manager := &Manager{cluster: c, binary: binary, arguments: arguments}
	return manager, manager.start(ctx)
}

// ActivityDatabase is the file in which the manager keeps the history.
func (c *Cluster) ActivityDatabase() string { return c.path("activity.db") }

// ManagerKubeconfig is the path of the kubeconfig that the manager uses.
func (c *Cluster) ManagerKubeconfig() string { return c.path("manager.kubeconfig") }

func (m *Manager) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, defaultStartTimeout)
	defer cancel()
	m.cluster.progress("starting roster")
	return onFreePort(m.port, func(port int) error {
		metrics, err := FreePort()
		if err != nil {
			return err
		}
		if err := choosePort(&m.webhook, m.cluster.state.WebhookPort); err != nil {
			return err
		}
		if err := choosePort(&m.view, m.cluster.state.ViewPort); err != nil {
			return err
		}
		m.port, m.metrics = port, metrics
		defaults := []string{
			"--kubeconfig=" + m.cluster.ManagerKubeconfig(),
			"--health-probe-bind-address=" + address(port),
			"--metrics-bind-address=" + address(metrics),
			"--webhook-bind-address=" + address(m.webhook),
			"--api-bind-address=" + address(m.view),
			"--activity-database-url=" + m.cluster.ActivityDatabase(),
			"--leader-elect=false",
		}
		m.process, err = m.cluster.launch(command{name: ManagerProcess, path: m.binary, arguments: slices.Concat(defaults, m.arguments)})
		if err != nil {
			return err
		}
		return m.cluster.whenReady(ctx, m.process, &rest.Config{Host: m.HealthURL()}, "/readyz",
			func(state *state) {
				state.WebhookPort, state.ViewPort, state.MetricsPort = m.webhook, m.view, m.metrics
			})
	})
}

// choosePort takes the port that the manager had before, or the manager before it, so that the API server still finds it
// after a restart; another one where somebody else has that now.
func choosePort(port *int, before int) error {
	if *port == 0 {
		*port = before
	}
	if *port != 0 && portIsFree(*port) {
		return nil
	}
	var err error
	*port, err = FreePort()
	return err
}

// Stop ends the manager in an orderly way.
func (m *Manager) Stop() error {
	return m.cluster.StopProcess(m.process)
}

// Kill ends the manager as a crash would, in the middle of whatever it does.
func (m *Manager) Kill() error {
	return errors.Join(m.process.Kill(), m.cluster.forget(m.process))
}

// Restart stops the manager if it runs, and starts it again with the same arguments and the same log.
func (m *Manager) Restart(ctx context.Context) error {
	if err := m.Stop(); err != nil {
		return err
	}
	return m.start(ctx)
}

// Running says whether the manager's process is alive.
func (m *Manager) Running() bool { return m.process.Running() }

// PID is the process id, for a test that looks at the memory the manager uses.
func (m *Manager) PID() int { return m.process.PID }

// LogPath is the file with what the manager said, over all its restarts.
func (m *Manager) LogPath() string { return m.process.LogPath }

// HealthURL is the address of /healthz and /readyz, without the path.
func (m *Manager) HealthURL() string { return "http://" + address(m.port) }

// MetricsURL is the address of the manager's metrics, where they aren't secure.
func (m *Manager) MetricsURL() string { return "http://" + address(m.metrics) + "/metrics" }

// MetricsAddress is where the manager that was started last serves its metrics, as HOST:PORT.
func (c *Cluster) MetricsAddress() string { return address(c.state.MetricsPort) }

// Ready says whether the manager answers that it is ready, and why not.
func (m *Manager) Ready(ctx context.Context) error {
	return answers(ctx, http.DefaultClient, m.HealthURL()+"/readyz")
}
