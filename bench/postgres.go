package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/store"
)

// postgres is a server of the benchmark's own. Unlike that of scripts/servers it syncs: the commit is part of the work.
type postgres struct {
	cmd   *exec.Cmd
	port  int
	admin *sqlx.DB // on the database postgres, where the counters are read
}

var postgresSettings = []string{
	"fsync=on", "synchronous_commit=on", "full_page_writes=on",
	"shared_buffers=512MB", "maintenance_work_mem=512MB", "max_wal_size=4GB", "checkpoint_timeout=15min",
	"max_connections=200", "listen_addresses=127.0.0.1", "unix_socket_directories=",
	"shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_utility=on",
}

// startPostgres makes a cluster in a folder and starts it. PostgreSQL refuses to run as root: it is the user postgres
// then.
func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	binaries, err := findPostgres()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	// Where setpriv is to be had, the kernel ends the server even if the benchmark is killed outright.
	as := []string{"env"}
	if path, err := exec.LookPath("setpriv"); err == nil {
		as = []string{path, "--pdeathsig", "INT"}
	}
	if os.Geteuid() == 0 {
		if err := giveTo("postgres", dir, data); err != nil {
			return nil, err
		}
		as = append(as, "--reuid", "postgres", "--regid", "postgres", "--init-groups")
	}
	initdb := command(dir, slices.Concat(as, []string{
		filepath.Join(binaries, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
	})...)
	if text, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, text)
	}
	p := &postgres{port: freePort()}
	args := slices.Concat(as, []string{filepath.Join(binaries, "postgres"), "-D", data, "-p", strconv.Itoa(p.port)})
	for _, setting := range postgresSettings {
		args = append(args, "--"+setting)
	}
	p.cmd = command(dir, args...)
	log, err := os.Create(filepath.Join(dir, "postgres.log")) //nolint:gosec // our own folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	if err := p.connect(ctx); err != nil {
		text, _ := os.ReadFile(log.Name())
		p.close()
		return nil, fmt.Errorf("start postgres: %w\n%s", err, text)
	}
	return p, nil
}

func findPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.Sort(found)
	slices.Reverse(found)
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, filepath.Dir(path))
	}
	for _, dir := range found {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed; scripts/servers installs it")
}

func giveTo(name string, paths ...string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, gid := 0, 0
	if _, err := fmt.Sscan(u.Uid+" "+u.Gid, &uid, &gid); err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

func (p *postgres) connect(ctx context.Context) error {
	var err error
	if p.admin, err = store.Open(p.address("postgres")); err != nil {
		return err
	}
	for range 200 {
		if err = p.admin.PingContext(ctx); err == nil {
			_, err = p.admin.ExecContext(ctx, "CREATE EXTENSION pg_stat_statements")
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

func (p *postgres) address(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

// close ends the server without waiting for its clients.
func (p *postgres) close() {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// cpu is what the server has spent: its living processes, and those that it has seen end.
func (p *postgres) cpu() time.Duration {
	pid := p.cmd.Process.Pid
	total := cpuOf(pid) + cpuOfEnded(pid)
	for _, child := range childrenOf(pid) {
		total += cpuOf(child)
	}
	return total
}

func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // all arguments are ours; its owner ends it
	cmd.Dir = dir
	return cmd
}

// freePort is one below 32768: those above are handed out to outgoing connections.
func freePort() int {
	for port := 20_000 + os.Getpid()%8000; ; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it is closed at once
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
}
