package rostertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/store"
)

// Kind is a kind of database.
type Kind string

// The kinds of databases.
const (
	SQLite     Kind = "sqlite"   // a file of its own for each test
	PostgreSQL Kind = "postgres" // a schema of its own for each test, on the server that ROSTER_TEST_POSTGRES names
)

// Each runs a test on each kind of database, in parallel. Without a PostgreSQL server that part is skipped; in CI, where
// the variable CI is set, it fails.
func Each(t *testing.T, test func(t *testing.T, db *sqlx.DB)) {
	t.Helper()
	for _, kind := range []Kind{SQLite, PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, Open(t, kind))
		})
	}
}

// Open opens an empty database, which is gone after the test.
func Open(t testing.TB, kind Kind) *sqlx.DB {
	t.Helper()
	return handle(t, Address(t, kind))
}

// Address makes an empty database, which is gone after the test, and returns what store.Open opens it by.
func Address(t testing.TB, kind Kind) string {
	t.Helper()
	if kind == SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "roster.db")
	}
	server := Server(t, "ROSTER_TEST_POSTGRES")
	schema := "t_" + strings.ToLower(rand.Text()[:16])
	admin := handle(t, server)
	if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatalf("create schema: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.WithoutCancel(t.Context()), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Errorf("drop schema: %v", err)
		}
	})
	return withParameter(t, server, "search_path", schema+",public")
}

// Server returns what an environment variable says of a server for tests. Where it says nothing the test is skipped; in
// CI it fails.
func Server(t testing.TB, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		message := fmt.Sprintf("%s is not set: it is the address of a server for tests", variable)
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return address
}

func handle(t testing.TB, address string) *sqlx.DB {
	t.Helper()
	db, err := store.Open(address)
	if err != nil {
		t.Fatalf("open database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}

func withParameter(t testing.TB, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("parse the address of the server: %v", err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}
