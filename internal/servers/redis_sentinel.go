package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// Sentinel is a master, a replica of it, and a sentinel that makes the replica the master when the master is away.
type Sentinel struct {
	Master, Replica *Redis
	// Watcher is the sentinel. It calls the master "main".
	Watcher *Redis
}

// StartSentinel starts the three. The sentinel takes a master for gone after half a second.
func StartSentinel(ctx context.Context) (*Sentinel, error) {
	s := &Sentinel{}
	if err := s.start(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) start(ctx context.Context) (err error) {
	if s.Master, err = StartRedis(ctx, "--repl-diskless-sync-delay", "0"); err != nil {
		return err
	}
	s.Replica, err = StartRedis(ctx, "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", strconv.Itoa(s.Master.Port))
	if err != nil {
		return err
	}
	err = until(ctx, "the replica follows", func() bool { return s.Replica.info(ctx, "master_link_status") == "up" })
	if err != nil {
		return err
	}
	if err = s.watch(ctx); err != nil {
		return err
	}
	return until(ctx, "the sentinel knows the replica", func() bool {
		list, _ := s.Watcher.Do(ctx, "sentinel", "replicas", "main")
		replicas, _ := list.([]any)
		return len(replicas) == 1
	})
}

func (s *Sentinel) watch(ctx context.Context) error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return err
	}
	prefix, err := as("")
	if err != nil {
		return err
	}
	dir, err := newDir("sentinel", "")
	if err != nil {
		return err
	}
	w := &Redis{Process{Port: FreePort(), Dir: dir}}
	w.isReady = w.ping
	file := filepath.Join(dir, "sentinel.conf")
	w.args = slices.Concat(prefix, []string{program, file, "--sentinel"})
	text := fmt.Sprintf(`bind 127.0.0.1
port %d
dir %s
sentinel monitor main 127.0.0.1 %d 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 5000
`, w.Port, dir, s.Master.Port)
	s.Watcher = w
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return w.Start(ctx)
}

// Close ends all three.
func (s *Sentinel) Close() { closeAll(s.Watcher, s.Replica, s.Master) }

func closeAll(list ...*Redis) {
	for _, r := range list {
		if r != nil {
			r.Close()
		}
	}
}
