package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/store"
)

// Postgres is a PostgreSQL server.
type Postgres struct {
	Process
}

// postgresUser is the one that the server runs as where we are root: it refuses to be root's.
const postgresUser = "postgres"

// StartPostgres makes a cluster of databases and starts a server on it. Settings are those of postgresql.conf, as
// name=value; without any it syncs, as in production.
func StartPostgres(ctx context.Context, settings ...string) (*Postgres, error) {
	p, prefix, err := newPostgres(settings)
	if err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, prefix[0], slices.Concat(prefix[1:], []string{ //nolint:gosec // all arguments are ours
		p.binary("initdb"), "-D", p.data(), "-U", postgresUser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
	})...)
	initdb.Dir = p.Dir
	if text, err := initdb.CombinedOutput(); err != nil {
		p.Close()
		return nil, fmt.Errorf("initdb: %w\n%s", err, text)
	}
	if err := p.Start(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// newPostgres is a server that has no data yet, and how commands begin that run as its user.
func newPostgres(settings []string) (*Postgres, []string, error) {
	binaries, err := findPostgres()
	if err != nil {
		return nil, nil, err
	}
	prefix, err := as(postgresUser)
	if err != nil {
		return nil, nil, err
	}
	dir, err := newDir("postgres", postgresUser)
	if err != nil {
		return nil, nil, err
	}
	p := &Postgres{Process{Port: FreePort(), Dir: dir}}
	p.isReady = p.ping
	p.args = slices.Concat(prefix, []string{filepath.Join(binaries, "postgres"), "-D", p.data(), "-p", strconv.Itoa(p.Port)})
	for _, setting := range slices.Concat([]string{"listen_addresses=127.0.0.1", "unix_socket_directories="}, settings) {
		p.args = append(p.args, "--"+setting)
	}
	return p, prefix, nil
}

func (p *Postgres) data() string { return filepath.Join(p.Dir, "data") }

// binary is the path of a program that belongs to the server.
func (p *Postgres) binary(name string) string {
	i := slices.Index(p.args, "-D")
	return filepath.Join(filepath.Dir(p.args[i-1]), name)
}

// findPostgres returns the folder with the programs of the newest version.
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

// Address leads to a database of the server: "postgres" is there from the start.
func (p *Postgres) Address(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", postgresUser, p.Host(), database)
}

// Standby starts a standby of the server, which follows it by a name: what synchronous_standby_names may say. It answers
// reads.
func (p *Postgres) Standby(ctx context.Context, name string, settings ...string) (*Postgres, error) {
	standby, prefix, err := newPostgres(settings)
	if err != nil {
		return nil, err
	}
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=%s", p.Port, postgresUser, name)
	backup := exec.CommandContext(ctx, prefix[0], slices.Concat(prefix[1:], []string{ //nolint:gosec // all arguments are ours
		p.binary("pg_basebackup"), "-D", standby.data(), "-d", source, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync",
	})...)
	backup.Dir = standby.Dir
	if text, err := backup.CombinedOutput(); err != nil {
		standby.Close()
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, text)
	}
	if err := standby.Start(ctx); err != nil {
		standby.Close()
		return nil, err
	}
	return standby, nil
}

// Promote makes a standby a server that takes writes, and waits until it does.
func (p *Postgres) Promote(ctx context.Context) error {
	db, err := p.Open("postgres")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "SELECT pg_promote()")
	return err
}

// Open opens a database of the server.
func (p *Postgres) Open(database string) (*sqlx.DB, error) { return store.Open(p.Address(database)) }

func (p *Postgres) ping(ctx context.Context) error {
	db, err := p.Open("postgres")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.PingContext(ctx)
}
