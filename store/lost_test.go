package store_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/rostertest"
)

// behind opens a database of the server for tests through a network that can be cut, and beside it.
func behind(t *testing.T) (through, beside *sqlx.DB, network *servers.Proxy) {
	t.Helper()
	address := rostertest.Address(t, rostertest.PostgreSQL)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	network, err = servers.StartProxy(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(network.Cut)
	u.Host = network.Host()
	return openAddress(t, u.String()), openAddress(t, address), network
}

// lost reports whether an error is one of a connection that was given up, or of a context that has ended.
func lost(err error) bool {
	is := func(want error) bool { return errors.Is(err, want) }
	known := []error{context.DeadlineExceeded, context.Canceled, io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn}
	_, network := errors.AsType[net.Error](err)
	return network || slices.ContainsFunc(known, is)
}

// STORE-40: what is asked for over a network that swallows all ends with its context, and a second more: here within 6 s, for
// slow machines.
func TestOpenSwallowed(t *testing.T) {
	t.Parallel()
	db, _, network := behind(t)
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
	begin := func() (*sqlx.Tx, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx, cancel
	}
	reads, _ := begin()
	commits, endCommit := begin()
	leaves, endRollback := begin()
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
		{"its rollback", func() error { return reads.Rollback() }},
		{"a commit", func() error { time.AfterFunc(time.Second, endCommit); return commits.Commit() }},
		{"a rollback", func() error { time.AfterFunc(time.Second, endRollback); return leaves.Rollback() }},
		{"a prepared statement", func() error { return prepared.GetContext(brief(), &one) }},
		{"a statement", func() error { _, err := db.ExecContext(brief(), "SELECT 1"); return err }},
		{"a transaction", func() error { _, err := db.BeginTxx(brief(), nil); return err }},
		{"a connection", func() error { _, err := db.ExecContext(brief(), "SELECT 1"); return err }},
	} {
		began := time.Now()
		if err := x.ask(); !lost(err) {
			t.Errorf("%s: got %v, want that the connection is lost", x.what, err)
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
	db, beside, network := behind(t)
	if _, err := beside.ExecContext(t.Context(), "CREATE TABLE done (n int)"); err != nil {
		t.Fatal(err)
	}
	mark := "sent by " + roster.NewID().String()
	until := func(what string, holds func() bool) {
		t.Helper()
		for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("not within 30 s: %s", what)
			}
		}
	}
	count := func(text string, args ...any) (n int) {
		if err := beside.GetContext(t.Context(), &n, text, args...); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// The statement stands still at the server until it may go on.
	const key = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
	lock, err := beside.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback() }()
	if _, err := lock.ExecContext(t.Context(), key, mark); err != nil {
		t.Fatal(err)
	}
	underWay := func() int {
		return count("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '/* ' || $1 || '%'", mark)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(t.Context(), "/* "+mark+" */ WITH waits AS MATERIALIZED ("+
			"SELECT pg_advisory_xact_lock(hashtextextended('"+mark+"', 0))) INSERT INTO done SELECT 1 FROM waits")
		answered <- err
	}()
	until("the statement is under way", func() bool { return underWay() == 1 })
	network.Cut()
	if err := network.Join(); err != nil {
		t.Fatal(err)
	}
	// One that is sent again would wait as well.
	select {
	case err := <-answered:
		if !lost(err) {
			t.Errorf("got %v, want that the connection is lost", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for an answer that cannot come")
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	until("what is under way is done", func() bool { return underWay() == 0 })
	if n := count("SELECT count(*) FROM done"); n != 1 {
		t.Errorf("it was done %d times", n)
	}
}
