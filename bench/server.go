package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/roster-go/roster/internal/servers"
)

// server is a program under measurement, in a process of its own.
type server struct {
	cmd  *exec.Cmd
	addr string
	took time.Duration // from its start to its first answer
}

// What Roster is started with.
const (
	baseURL = "https://bench.example"
	secret  = "k1:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMTI=" // of databases that are gone afterwards
)

// settings are those of the command. What limits a person is raised beyond reach, and counted all the same.
var settings = map[string]any{
	"session": map[string]any{"access_ttl": "1h"},
	"notify":  map[string]any{"poll": "1h"}, // the outbox is looked at when something was put in
	"protection": map[string]any{
		"source": outOfReach, "identifier": outOfReach, "pair": outOfReach, "registration": outOfReach, "mails": outOfReach,
	},
	"routes": map[string]any{"limits": unlimited}, // the floor has none
}

var outOfReach = map[string]any{"max": 1_000_000_000}

// unlimited lets an address ask for any endpoint as often as it likes.
var unlimited = map[string]int{"*": 0, "admin": 0, "admin_write": 0}

// buildRoster builds the command from the working copy, and writes its settings.
func (b *bench) buildRoster() error {
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "roster.json"), text, 0o600); err != nil {
		return err
	}
	text, err = command("go", "build", "-o", filepath.Join(b.dir, "roster"), "github.com/roster-go/roster/cmd/roster").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build cmd/roster: %w\n%s", err, text)
	}
	return nil
}

func (b *bench) roster(database string, args ...string) []string {
	return append([]string{
		filepath.Join(b.dir, "roster"), "--database=" + b.postgres.Address(database), "--redis=redis://" + b.redis.address,
		"--base-url=" + baseURL, "--secrets=" + secret, "--smtp=" + b.mails.url(), "--config=" + filepath.Join(b.dir, "roster.json"),
	}, args...)
}

// startRoster starts the command on a database.
func (b *bench) startRoster(ctx context.Context, database string) (*server, error) {
	addr := fmt.Sprintf("127.0.0.1:%d", servers.FreePort())
	return b.start(ctx, "roster", addr, "/readyz", b.roster(database, "serve", "--addr="+addr, "--log-level=warn")...) // the floor has no log
}

// startOwn starts a server that is part of this program.
func (b *bench) startOwn(ctx context.Context, name, database string, args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", servers.FreePort())
	return b.start(ctx, name, addr, "/ready", append([]string{
		self, name, "-addr=" + addr, "-database=" + b.postgres.Address(database),
	}, args...)...)
}

// start starts a server and waits until it answers that it is ready.
func (b *bench) start(ctx context.Context, name, addr, ready string, args ...string) (*server, error) {
	log, err := os.OpenFile(filepath.Join(b.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	s := &server{cmd: command(args...), addr: addr}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	b.running = append(b.running, s)
	for time.Since(begin) < 20*time.Second && ctx.Err() == nil {
		if _, err := fetch(ctx, s, ready); err == nil {
			s.took = time.Since(begin)
			return s, nil
		}
		time.Sleep(time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("%s does not start:\n%s", name, text)
}

// fetch gets a path without a token, and wants 200.
func fetch(ctx context.Context, s *server, path string) (string, error) {
	conn, err := dial(ctx, s.addr)
	if err != nil {
		return "", err
	}
	defer conn.close()
	status, body, err := conn.send(get(path, ""))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("get %s: status %d: %s", path, status, body)
	}
	return string(body), err
}

// stop kills the server: its worker would take the time to end.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func command(args ...string) *exec.Cmd {
	return exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // all arguments are ours; its owner ends it
}
