package store_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/rostertest"
)

// behind opens a database of the server for tests through a network that can be cut.
func behind(t *testing.T) (*sqlx.DB, *servers.Proxy) {
	t.Helper()
	u, err := url.Parse(rostertest.Address(t, rostertest.PostgreSQL))
	if err != nil {
		t.Fatal(err)
	}
	network, err := servers.StartProxy(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(network.Cut)
	u.Host = network.Host()
	return openAddress(t, u.String()), network
}

// STORE-40: what is asked for over a network that swallows all ends with its context, and a second more.
func TestOpenSwallowed(t *testing.T) {
	t.Parallel()
	db, network := behind(t)
	prepared, err := db.PreparexContext(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = prepared.Close() }()
	brief := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	begin := func() *sqlx.Tx {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		return tx
	}
	reads, commits := begin(), begin()
	var one int
	for range 3 { // connections that rest
		if err := db.GetContext(t.Context(), &one, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := network.Swallow(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what string
		ask  func() error
	}{
		{"a read in a transaction", func() error { return reads.GetContext(brief(), &one, "SELECT 1") }},
		{"its rollback", func() error { _ = reads.Rollback(); return context.Canceled }},
		{"a commit", func() error { return commits.Commit() }},
		{"a prepared statement", func() error { return prepared.GetContext(brief(), &one) }},
		{"a statement", func() error { _, err := db.ExecContext(brief(), "SELECT 1"); return err }},
		{"a transaction", func() error { _, err := db.BeginTxx(brief(), nil); return err }},
		{"a connection", func() error { _, err := db.ExecContext(brief(), "SELECT 1"); return err }},
	} {
		began := time.Now()
		if err := x.ask(); err == nil {
			t.Errorf("%s: it is answered", x.what)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("%s took %s", x.what, took)
		}
	}
	network.Heal()
	for range 3 { // what rested meanwhile is not waited for
		began := time.Now()
		if err := db.GetContext(t.Context(), &one, "SELECT 1"); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("afterwards: %v after %s", err, time.Since(began))
		}
	}
}

// STORE-8: a statement whose answer is lost may have been done, and is not sent again.
func TestOpenSendsOnce(t *testing.T) {
	t.Parallel()
	db, network := behind(t)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE done (n int)"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() {
		network.Cut()
		_ = network.Join()
	})
	if _, err := db.ExecContext(t.Context(), "INSERT INTO done SELECT 1 FROM pg_sleep(1)"); err == nil {
		t.Error("it was answered")
	}
	time.Sleep(2 * time.Second) // until it is done, and a second one would be
	n := -1
	if err := db.GetContext(t.Context(), &n, "SELECT count(*) FROM done"); err != nil || n > 1 {
		t.Errorf("it was done %d times: %v", n, err)
	}
}
