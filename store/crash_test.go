package store_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/store"
)

// STORE-51: a server that recovers from the crash of one of its processes may give transaction ids again: whoever follows
// revocations begins anew, though it was not started anew.
func TestRevocationsAfterCrash(t *testing.T) {
	t.Parallel()
	server, err := servers.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	db := openAddress(t, server.Address("postgres"))
	s, err := store.New(db, store.PostgreSQL, store.Config{}, nil, store.CommitHooks{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.NewMigrator(db, store.PostgreSQL, store.Config{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func(from store.Place) (store.Revocations, error) {
		return s.ReadRevocations(t.Context(), from, time.Hour)
	}
	before, err := read(store.Place{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read(before.Place); err != nil || again.Server != before.Server {
		t.Fatalf("server %d, want %d (%v)", again.Server, before.Server, err)
	}
	var pid int
	if err := db.GetContext(t.Context(), &pid, "SELECT pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the server does not recover")
		}
		after, err := read(before.Place)
		if err == nil && after.Server == before.Server {
			continue // it has not noticed yet
		}
		if err == nil {
			break
		}
	}
}
