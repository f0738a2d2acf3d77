package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/rostertest"
)

// STORE-42: the server begins without the cache and goes on without it, and /readyz says so.
func TestFaultReady(t *testing.T) {
	redis, err := servers.StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	const slow = 20 * time.Second // than which no machine is
	const whole, without = "ready\n", "ready, without the cache\n"
	redis.Kill()
	address, _ := serve(t, "--dev", "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"), "--redis=redis://"+redis.Host())
	says := func(when, want string) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			asked := time.Now()
			got := rostertest.Call(t, http.MethodGet, "http://"+address+"/readyz", "", "")
			if took := time.Since(asked); got.Status != http.StatusOK || took > slow {
				t.Fatalf("%s: %+v after %s", when, got, took)
			}
			if got.Body == want {
				return
			}
			if time.Since(began) > 2*slow {
				t.Fatalf("%s: it says %q", when, got.Body)
			}
		}
	}
	says("before the cache is there", without)
	start := func() {
		t.Helper()
		if err := redis.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start()
	says("with the cache", whole)
	if err := redis.Freeze(); err != nil {
		t.Fatal(err)
	}
	says("while the cache does not answer", without)
	if err := redis.Thaw(); err != nil {
		t.Fatal(err)
	}
	says("when it answers again", whole)
	redis.Kill()
	says("while the cache is killed", without)
	start()
	says("when it is back", whole)
}
