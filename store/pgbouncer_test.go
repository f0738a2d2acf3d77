package store_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/store/storetest"
)

// TestStorePgBouncer runs the suite through a pooler in transaction mode (STORE-4, case 23). It hands a connection of
// the server to another client after each transaction, and knows no search path: the schema is named.
func TestStorePgBouncer(t *testing.T) {
	t.Parallel()
	server, err := url.Parse(rostertest.Server(t, "ROSTER_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	host := pooler(t, server.Host)
	storetest.Run(t, func(t *testing.T) storetest.Database {
		address := rostertest.Address(t, rostertest.PostgreSQL)
		u, err := url.Parse(without(t, address, "search_path"))
		if err != nil {
			t.Fatal(err)
		}
		u.Host = host
		return storetest.Database{
			DB: openAddress(t, u.String()), Direct: openAddress(t, address), Config: store.Config{Pooled: true, Schema: schemaOf(t, address)},
			Again: func(t *testing.T) *sqlx.DB { return openAddress(t, u.String()) },
		}
	})
}

// schemaOf is the schema that an address leads to.
func schemaOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	schema, _, _ := strings.Cut(u.Query().Get("search_path"), ",")
	return schema
}

// pooler starts PgBouncer before a server and returns its host and port. It ends with the test.
func pooler(t *testing.T, server string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("pgbouncer is not installed")
		}
		t.Skip("pgbouncer is not installed")
	}
	_, port, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "pgbouncer") //nolint:usetesting // t.TempDir is closed to the user that pgbouncer runs as
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if host, ok := startPooler(t, program, dir, port); ok {
			return host
		}
	}
	t.Fatal("pgbouncer does not start")
	return ""
}

func startPooler(t *testing.T, program, dir, server string) (string, bool) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	_ = listener.Close()
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
max_client_conn = 1000
`, server, port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{config}
	if os.Geteuid() == 0 {
		args = append([]string{"-u", "postgres"}, args...) // it refuses to run as root
	}
	command := exec.CommandContext(t.Context(), program, args...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	for range 200 {
		select {
		case <-ended:
			return "", false
		default:
		}
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host); err == nil {
			_ = conn.Close()
			return host, true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", false
}
