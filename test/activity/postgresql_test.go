package activity_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/roster-dev/roster/test/environment"
)

// postgreSQL is a server of a spec's own, on 127.0.0.1.
type postgreSQL struct {
	programs, folder string
	port             int
	account          *syscall.Credential
	process          *exec.Cmd // nil while it is stopped
	hanging          []string  // the process ids while it hangs
}

// startPostgreSQL starts one until the end of the spec, or skips it where PostgreSQL isn't installed.
func startPostgreSQL(ctx context.Context) *postgreSQL {
	GinkgoHelper()
	folder, err := os.MkdirTemp("", "roster-postgresql-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, folder)
	server := &postgreSQL{programs: postgreSQLPrograms(), folder: folder, account: account(folder)}
	Expect(server.command(ctx, "initdb", "-D", server.data(), "-U", "roster", "-A", "trust", "-E", "UTF8", "--no-sync").
		Run()).To(Succeed())
	server.port, err = environment.FreePort()
	Expect(err).NotTo(HaveOccurred())
	server.start(ctx)
	DeferCleanup(server.stop)
	return server
}

func postgreSQLPrograms() string {
	GinkgoHelper()
	if path, err := exec.LookPath("initdb"); err == nil {
		program, err := filepath.EvalSymlinks(path)
		Expect(err).NotTo(HaveOccurred())
		return filepath.Dir(program)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	Expect(err).NotTo(HaveOccurred())
	if len(found) == 0 {
		Skip("PostgreSQL isn't here: initdb is neither in PATH nor in /usr/lib/postgresql/*/bin")
	}
	return filepath.Dir(slices.Max(found))
}

// account is another one than root's, as which PostgreSQL doesn't run; it gets the folder.
func account(folder string) *syscall.Credential {
	GinkgoHelper()
	if os.Getuid() != 0 {
		return nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		found, err = user.Lookup("nobody")
	}
	Expect(err).NotTo(HaveOccurred())
	uid, err := strconv.Atoi(found.Uid)
	Expect(err).NotTo(HaveOccurred())
	gid, err := strconv.Atoi(found.Gid)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Chown(folder, uid, gid)).To(Succeed())
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (p *postgreSQL) data() string { return filepath.Join(p.folder, "data") }

func (p *postgreSQL) url() string {
	return fmt.Sprintf("postgres://roster@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

func (p *postgreSQL) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(p.programs, program), arguments...)
	command.Dir, command.Env = p.folder, append(os.Environ(), "LC_ALL=C")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	return command
}

// start returns when the server takes connections.
func (p *postgreSQL) start(ctx context.Context) {
	GinkgoHelper()
	// It is stopped by hand, also where the spec has taken too long.
	p.process = p.command(context.WithoutCancel(ctx), "postgres", "-D", p.data(), "-k", p.folder, "-h", "127.0.0.1",
		"-p", strconv.Itoa(p.port), "-F")
	Expect(p.process.Start()).To(Succeed())
	Eventually(func() error {
		return p.command(ctx, "pg_isready", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port)).Run()
	}).WithContext(ctx).Should(Succeed())
}

// stop ends the server and all its connections. It does nothing to a server that is stopped.
func (p *postgreSQL) stop() {
	GinkgoHelper()
	if p.process == nil {
		return
	}
	p.goOn()
	Expect(p.process.Process.Signal(syscall.SIGINT)).To(Succeed())
	Expect(p.process.Wait()).To(Succeed())
	p.process = nil
}

// hang stops all processes of the server in the middle of what they do; goOn lets them go on.
func (p *postgreSQL) hang() {
	GinkgoHelper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.process.Process.Pid))
	if err != nil {
		Skip("which processes a server has isn't told here: " + err.Error())
	}
	p.hanging = append(strings.Fields(string(children)), strconv.Itoa(p.process.Process.Pid))
	p.signalHanging(syscall.SIGSTOP)
}

func (p *postgreSQL) goOn() {
	GinkgoHelper()
	p.signalHanging(syscall.SIGCONT)
	p.hanging = nil
}

func (p *postgreSQL) signalHanging(signal syscall.Signal) {
	GinkgoHelper()
	for _, text := range p.hanging {
		pid, err := strconv.Atoi(text)
		Expect(err).NotTo(HaveOccurred())
		if err := syscall.Kill(pid, signal); !errors.Is(err, syscall.ESRCH) {
			Expect(err).NotTo(HaveOccurred())
		}
	}
}
