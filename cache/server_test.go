package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of a test's own.
type server struct {
	port    int
	args    []string
	dir     string
	process *exec.Cmd
}

// startServer starts a server on a free port, and stops it at the end of the test.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{port: freePort(t), args: args, dir: t.TempDir()}
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		unavailable(t, "no redis-server")
	}
	args := append([]string{
		"--port", strconv.Itoa(s.port), "--dir", s.dir, "--save", "", "--appendonly", "no", "--bind", "127.0.0.1",
	}, s.args...)
	if len(s.args) > 0 && strings.HasSuffix(s.args[0], ".conf") {
		args = s.args
	}
	s.process = exec.Command(binary, args...) //nolint:noctx // ends in Cleanup
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	process := s.process
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	client := s.client(t)
	eventually(t, "the server answers", func() bool { return client.Ping(context.Background()).Err() == nil })
}

// stop kills it as kill -9 does.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.process.Wait()
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// client is one with the defaults of go-redis, as an app may have it.
func (s *server) client(t *testing.T) *redis.Client {
	t.Helper()
	return closing(t, redis.NewClient(&redis.Options{Addr: s.addr()}))
}

func closing[C redis.UniversalClient](t *testing.T, client C) C {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// startCluster starts a cluster of three masters.
func startCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	ctx := t.Context()
	servers := make([]*server, 3)
	var addrs []string
	for i := range servers {
		servers[i] = startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
		addrs = append(addrs, servers[i].addr())
	}
	first := servers[0].client(t)
	for i, s := range servers {
		c := s.client(t)
		from, to := i*16384/3, (i+1)*16384/3-1
		if err := c.ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if err := first.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(s.port)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range servers {
		c := s.client(t)
		eventually(t, "the cluster stands", func() bool {
			info, _ := c.ClusterInfo(ctx).Result()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return closing(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs}))
}

// startSentinel starts a master with a sentinel.
func startSentinel(t *testing.T) *redis.Client {
	t.Helper()
	master := startServer(t)
	sentinel := &server{port: freePort(t), dir: t.TempDir()}
	conf := filepath.Join(sentinel.dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %d 1\n", sentinel.port, sentinel.dir, master.port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel.args = []string{conf, "--sentinel"}
	sentinel.start(t)
	return closing(t, redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{sentinel.addr()}}))
}

// freePort finds one that leaves room for the bus of a cluster, 10,000 above it, below the ephemeral range.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 12_000 + rand.IntN(10_000)
		if free(port) && free(port+10_000) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // loopback
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// unavailable skips a test for want of a server; in CI that is a failure.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for range 1000 {
		if check() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}
