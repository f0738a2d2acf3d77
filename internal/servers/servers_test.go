package servers_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster/internal/servers"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	p, err := servers.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	db, err := p.Open("postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE kept AS SELECT 1"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(){"killed": p.Kill, "stopped": p.Stop} {
		end()
		if err := db.PingContext(t.Context()); err == nil {
			t.Errorf("%s: it answers", name)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := db.ExecContext(t.Context(), "SELECT FROM kept"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r, err := servers.StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	client := redis.NewClient(&redis.Options{Addr: r.Host(), MaxRetries: -1, ReadTimeout: 100 * time.Millisecond})
	defer func() { _ = client.Close() }()
	answers := func() bool { return client.Ping(context.WithoutCancel(t.Context())).Err() == nil }
	if err := r.Freeze(); err != nil {
		t.Fatal(err)
	}
	if answers() {
		t.Error("frozen: it answers")
	}
	if err := r.Thaw(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !answers(); {
		if time.Since(began) > 10*time.Second {
			t.Fatal("thawed: it does not answer")
		}
	}
	r.Kill()
	if answers() {
		t.Error("killed: it answers")
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !answers() {
		t.Error("started again: it does not answer")
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	s, err := servers.StartSentinel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Master.Kill()
	writes(t, s.Replica, "it becomes the master", "x")
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c, err := servers.StartCluster(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	i, err := c.MasterOf(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	writes(t, c.Masters[i], "it has the slot", "x")
	c.Masters[i].Kill()
	writes(t, c.Replicas[i], "it becomes the master", "x")
}

// writes waits until a server takes a value.
func writes(t *testing.T, r *servers.Redis, what, key string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		_, err := r.Do(t.Context(), "set", key, "1")
		if err == nil {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
