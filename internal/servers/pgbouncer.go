package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// PgBouncer is a pooler in transaction mode before a PostgreSQL server: it hands a connection of the server to another
// client after each transaction.
type PgBouncer struct {
	Process
}

// ErrNoPgBouncer says that there is no pooler to start.
var ErrNoPgBouncer = errors.New("pgbouncer is not installed")

// StartPgBouncer starts a pooler before the server on a port of 127.0.0.1.
func StartPgBouncer(ctx context.Context, server int) (*PgBouncer, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(program); err != nil {
		return nil, ErrNoPgBouncer
	}
	prefix, err := as(postgresUser) // it refuses to run as root
	if err != nil {
		return nil, err
	}
	dir, err := newDir("pgbouncer", postgresUser)
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{Process{Port: FreePort(), Dir: dir}}
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
max_client_conn = 1000
server_login_retry = 1
`, server, postgresUser, b.Port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it, and there is no secret in it
		_ = os.RemoveAll(dir)
		return nil, err
	}
	b.args = slices.Concat(prefix, []string{program, config})
	b.isReady = func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.Host())
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	if err := b.Start(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}
