package activity

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"

	"github.com/roster-dev/roster/test/environment"
)

// onEachDatabase runs the specs once a database. fresh gives the URL of an empty one.
func onEachDatabase(text string, specs func(fresh func() string)) bool {
	return Describe(text+" on SQLite", func() {
		specs(func() string { return "file:" + filepath.Join(GinkgoT().TempDir(), "activity.db") })
	}) && Describe(text+" on PostgreSQL", func() {
		specs(func() string { return sharedServer().freshDatabase() })
	})
}

func open(ctx context.Context, url string) *Store {
	GinkgoHelper()
	store, err := Open(ctx, url, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(store.Close)
	return store
}

// raw is what somebody has who gets at the database past Roster.
func raw(url string) *sql.DB {
	GinkgoHelper()
	driver := "sqlite"
	if strings.HasPrefix(url, "postgres") {
		driver = "pgx"
	}
	pool, err := sql.Open(driver, url)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(pool.Close)
	return pool
}

// postgresServer is a PostgreSQL server of the tests' own, on 127.0.0.1.
type postgresServer struct {
	programs, folder string
	port             int
	account          *syscall.Credential
	process          *exec.Cmd // nil while it is stopped
	databases        int
}

var shared *postgresServer

var _ = AfterSuite(func() {
	if shared != nil {
		if shared.process != nil {
			shared.stop(syscall.SIGQUIT)
		}
		Expect(os.RemoveAll(shared.folder)).To(Succeed())
	}
})

// sharedServer starts a server the first time, or skips the spec where PostgreSQL isn't installed.
func sharedServer() *postgresServer {
	GinkgoHelper()
	if shared != nil {
		return shared
	}
	programs, found := postgresPrograms()
	if !found {
		Skip("PostgreSQL isn't here: initdb is neither in PATH nor in /usr/lib/postgresql/*/bin")
	}
	folder, err := os.MkdirTemp("", "roster-activity-")
	Expect(err).NotTo(HaveOccurred())
	server := &postgresServer{programs: programs, folder: folder}
	server.becomeSomebody()
	initialize := server.command("initdb", "-D", server.data(), "-U", "roster", "-A", "trust", "-E", "UTF8", "--no-sync")
	Expect(initialize.Run()).To(Succeed())
	// Not one that the system gives to a connection while the server is stopped.
	server.port, err = environment.FreePort()
	Expect(err).NotTo(HaveOccurred())
	shared = server
	server.start()
	return server
}

func postgresPrograms() (string, bool) {
	if path, err := exec.LookPath("initdb"); err == nil {
		program, err := filepath.EvalSymlinks(path)
		return filepath.Dir(program), err == nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", false
	}
	return filepath.Dir(slices.Max(found)), true
}

// becomeSomebody has the server run as another user, since PostgreSQL refuses root.
func (p *postgresServer) becomeSomebody() {
	GinkgoHelper()
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	Expect(err).NotTo(HaveOccurred())
	uid, err := strconv.Atoi(account.Uid)
	Expect(err).NotTo(HaveOccurred())
	gid, err := strconv.Atoi(account.Gid)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Chown(p.folder, uid, gid)).To(Succeed())
	p.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (p *postgresServer) data() string { return filepath.Join(p.folder, "data") }

func (p *postgresServer) command(program string, arguments ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(p.programs, program), arguments...)
	command.Dir = p.folder
	command.Env = append(os.Environ(), "LC_ALL=C")
	command.SysProcAttr = endsWithTests(p.account)
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	return command
}

// start does nothing to a server that runs.
func (p *postgresServer) start() {
	GinkgoHelper()
	if p.process != nil {
		return
	}
	p.process = p.command("postgres", "-D", p.data(), "-k", p.folder, "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-F")
	Expect(p.process.Start()).To(Succeed())
	pool := raw(p.url("postgres"))
	Eventually(pool.Ping).WithTimeout(30 * time.Second).Should(Succeed())
}

// stop ends the server: SIGINT asks it to end, SIGQUIT has it drop everything.
func (p *postgresServer) stop(signal os.Signal) {
	GinkgoHelper()
	Expect(p.process.Process.Signal(signal)).To(Succeed())
	if err := p.process.Wait(); err != nil {
		GinkgoWriter.Println("PostgreSQL ended:", err)
	}
	p.process = nil
}

func (p *postgresServer) url(database string) string {
	return fmt.Sprintf("postgres://roster@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

func (p *postgresServer) freshDatabase() string {
	GinkgoHelper()
	p.databases++
	name := fmt.Sprintf("activity_%d", p.databases)
	_, err := raw(p.url("postgres")).Exec("CREATE DATABASE " + name)
	Expect(err).NotTo(HaveOccurred())
	return p.url(name)
}
