package store_test

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/store/storetest"
)

// TestStorePgBouncer runs the suite through a pooler in transaction mode (STORE-4, case 23). It hands a connection of
// the server to another client after each transaction, and knows no search path: the schema is named.
func TestStorePgBouncer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the suite runs without it")
	}
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
	_, text, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := servers.StartPgBouncer(t.Context(), port)
	if errors.Is(err, servers.ErrNoPgBouncer) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b.Host()
}
