package store_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	t.Run("it refuses what it does not know, and shows no password", func(t *testing.T) {
		for _, address := range []string{
			"", "roster.db", "mysql://root:Sesame@localhost/x", "sqlite:", "sqlite:roster.db?mode=memory&Sesame",
			"postgres://root:Sesame@[::1/x", "postgres://root:Sesame%zz@localhost/x", "root:Sesame@tcp(localhost)/x",
			"postgres://root:Sesame@localhost/x?sslmode=sometimes",
		} {
			db, err := store.Open(address)
			if err == nil {
				t.Errorf("%q: opened", address)
				_ = db.Close()
			} else if strings.Contains(err.Error(), "Sesame") {
				t.Errorf("%q: the error tells too much: %v", address, err)
			}
		}
	})
	t.Run("it opens an SQLite file of any name", func(t *testing.T) {
		for _, name := range []string{"plain.db", "100% #1 & ü.db", "a+b=c;d:e.db"} {
			path := filepath.Join(t.TempDir(), name)
			db := openAddress(t, "sqlite:"+path)
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (x text)"); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the database is elsewhere: %v", err)
			}
		}
	})
	t.Run("it opens SQLite so that Probe is content (STORE-14)", func(t *testing.T) {
		for _, address := range []string{"sqlite::memory:", rostertest.Address(t, rostertest.SQLite)} {
			db := openAddress(t, address)
			dialect, err := store.Probe(t.Context(), db)
			if err != nil || dialect != store.SQLite {
				t.Errorf("%s: got %q, %v", address, dialect, err)
			}
			if most := db.Stats().MaxOpenConnections; (address == "sqlite::memory:") != (most == 1) {
				t.Errorf("%s: %d connections", address, most)
			}
		}
	})
	t.Run("it opens PostgreSQL with binary parameters, whatever the address says (STORE-2)", func(t *testing.T) {
		address := rostertest.Server(t, "ROSTER_TEST_POSTGRES")
		for _, address := range []string{
			address, without(t, address, "binary_parameters"), changed(t, address, func(q url.Values) { q.Set("binary_parameters", "no") }),
		} {
			db := openAddress(t, address)
			dialect, err := store.Probe(t.Context(), db)
			if err != nil || dialect != store.PostgreSQL {
				t.Errorf("%s: got %q, %v", address, dialect, err)
			}
			if most := db.Stats().MaxOpenConnections; most < 16 {
				t.Errorf("%s: %d connections", address, most)
			}
		}
	})
	t.Run("it asks for a verified server unless the address says otherwise or the server is this machine", func(t *testing.T) {
		address := without(t, rostertest.Server(t, "ROSTER_TEST_POSTGRES"), "sslmode") // the server there knows no TLS
		if err := openAddress(t, address).PingContext(t.Context()); err != nil {
			t.Errorf("this machine: %v", err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := strings.Replace(address, u.Hostname(), "db.example.com", 1)
		here := func(q url.Values) { q.Set("hostaddr", u.Hostname()) }
		if err := openAddress(t, changed(t, elsewhere, here)).PingContext(t.Context()); err == nil {
			t.Error("another machine, without TLS")
		}
		if err := openAddress(t, changed(t, elsewhere, func(q url.Values) {
			here(q)
			q.Set("sslmode", "disable")
		})).PingContext(t.Context()); err != nil {
			t.Errorf("another machine, with sslmode: %v", err)
		}
	})
}

// sqliteHandle opens an SQLite file by options of its own.
func sqliteHandle(t *testing.T, path, options string) *sqlx.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?"+options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return sqlx.NewDb(db, "sqlite3")
}

func TestProbe(t *testing.T) {
	t.Parallel()
	const wal = "_pragma=journal_mode(WAL)"
	all := append(strings.Split(store.SQLiteOptions, "&"), wal)
	lacking := func(options ...string) string {
		var list []string
		for _, option := range all {
			missing := false
			for _, o := range options {
				missing = missing || o == option
			}
			if !missing {
				list = append(list, option)
			}
		}
		return strings.Join(list, "&")
	}
	t.Run("it names the options that an SQLite handle lacks (STORE-14)", func(t *testing.T) {
		times := []string{"_time_integer_format=unix_micro", "_inttotime=1"}
		for name, tt := range map[string]struct {
			lacks []string
			named []string
		}{
			"none":         {},
			"foreign keys": {lacks: []string{"_pragma=foreign_keys(1)"}},
			"patience":     {lacks: []string{"_pragma=busy_timeout(5000)"}},
			"WAL":          {lacks: []string{wal}},
			"immediate":    {lacks: []string{"_txlock=immediate"}},
			"time format":  {lacks: times[:1], named: times},
			"time reading": {lacks: times[1:], named: times},
			"all":          {lacks: all},
		} {
			dialect, err := store.Probe(t.Context(), sqliteHandle(t, filepath.Join(t.TempDir(), "x.db"), lacking(tt.lacks...)))
			if dialect != store.SQLite {
				t.Errorf("%s: got the dialect %q", name, dialect)
			}
			want := tt.named
			if want == nil {
				want = tt.lacks
			}
			if (err == nil) != (len(want) == 0) {
				t.Errorf("%s: got error %v", name, err)
			}
			for _, option := range all {
				named := err != nil && strings.Contains(err.Error(), option)
				if wanted := strings.Contains(strings.Join(want, "&"), option); named != wanted {
					t.Errorf("%s: %s named: %t, want %t: %v", name, option, named, wanted, err)
				}
			}
		}
	})
	t.Run("it sees through what was set by a statement, on one connection", func(t *testing.T) {
		for range 3 {
			db := sqliteHandle(t, filepath.Join(t.TempDir(), "x.db"), lacking("_pragma=foreign_keys(1)"))
			if _, err := db.ExecContext(t.Context(), "PRAGMA foreign_keys = ON"); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Probe(t.Context(), db); err == nil || !strings.Contains(err.Error(), "foreign_keys(1)") {
				t.Errorf("got error %v", err)
			}
		}
	})
	t.Run("it refuses more than one connection to a database in memory", func(t *testing.T) {
		db := sqliteHandle(t, ":memory:", lacking(wal))
		if _, err := store.Probe(t.Context(), db); err == nil || !strings.Contains(err.Error(), "SetMaxOpenConns(1)") {
			t.Errorf("got error %v", err)
		}
		db.SetMaxOpenConns(1)
		if _, err := store.Probe(t.Context(), db); err != nil {
			t.Errorf("one connection: %v", err)
		}
	})
	t.Run("it refuses lib/pq without binary parameters (STORE-2, case 23)", func(t *testing.T) {
		address := rostertest.Server(t, "ROSTER_TEST_POSTGRES")
		for _, address := range []string{without(t, address, "binary_parameters"), address} {
			connector, err := pq.NewConnector(address)
			if err != nil {
				t.Fatal(err)
			}
			for name, db := range map[string]*sql.DB{"plain": sql.OpenDB(connector), "wrapped": sql.OpenDB(&spy{Connector: connector})} {
				t.Cleanup(func() { _ = db.Close() })
				_, err := store.Probe(t.Context(), sqlx.NewDb(db, "postgres"))
				refused := err != nil && strings.Contains(err.Error(), "binary_parameters=yes")
				if want := !strings.Contains(address, "binary_parameters"); refused != want || (err != nil) != want {
					t.Errorf("%s, %s: got error %v", address, name, err)
				}
			}
		}
	})
	t.Run("it takes pgx as it is, also when another driver is around it (STORE-1)", func(t *testing.T) {
		db := openPgx(t, rostertest.Server(t, "ROSTER_TEST_POSTGRES"))
		connector := &dsnConnector{without(t, rostertest.Server(t, "ROSTER_TEST_POSTGRES"), "binary_parameters"), db.Driver()}
		wrapped := sqlx.NewDb(sql.OpenDB(&spy{Connector: connector}), "pgx")
		t.Cleanup(func() { _ = wrapped.Close() })
		for _, db := range []*sqlx.DB{db, wrapped} {
			if dialect, err := store.Probe(t.Context(), db); err != nil || dialect != store.PostgreSQL {
				t.Errorf("got %q, %v", dialect, err)
			}
		}
	})
	t.Run("it writes nothing, and gives all connections back", func(t *testing.T) {
		for _, kind := range []rostertest.Kind{rostertest.SQLite, rostertest.PostgreSQL} {
			db := rostertest.Open(t, kind)
			if _, err := store.Probe(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			query := "SELECT count(*) FROM (SELECT name FROM sqlite_master UNION ALL SELECT name FROM sqlite_temp_master)"
			if kind == rostertest.PostgreSQL {
				query = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
			}
			var left int
			if err := db.GetContext(t.Context(), &left, query); err != nil || left != 0 {
				t.Errorf("%s: %d tables, %v", kind, left, err)
			}
			if used := db.Stats().InUse; used != 0 {
				t.Errorf("%s: %d connections in use", kind, used)
			}
		}
		db := openAddress(t, changed(t, rostertest.Server(t, "ROSTER_TEST_POSTGRES"), func(q url.Values) { q.Set("default_transaction_read_only", "on") }))
		if _, err := store.Probe(t.Context(), db); err != nil {
			t.Errorf("read-only: %v", err)
		}
	})
	t.Run("it tells what is no database", func(t *testing.T) {
		closed := openAddress(t, "sqlite::memory:")
		_ = closed.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for name, db := range map[string]*sqlx.DB{
			"nil": nil, "empty": {}, "closed": closed, "unreachable": openAddress(t, "postgres://u:Sesame@127.0.0.1:1/x?connect_timeout=2"),
		} {
			_, err := store.Probe(ctx, db)
			if err == nil || strings.Contains(err.Error(), "Sesame") {
				t.Errorf("%s: got error %v", name, err)
			}
		}
	})
}

// STORE-3: names come from the configuration and the plan, and are judged before any statement is made of them.
func TestNames(t *testing.T) {
	t.Parallel()
	db := openAddress(t, "sqlite::memory:")
	long := strings.Repeat("x", 64)
	for _, tt := range []struct {
		cfg     store.Config
		column  string
		dialect store.Dialect
		want    []string // parts of the error; none: it is fine
	}{
		{store.Config{}, "plan", store.SQLite, nil},
		{store.Config{Prefix: "_", UsersTable: "A1_"}, long[:63], store.SQLite, nil},
		{store.Config{Schema: "Own"}, "x", store.PostgreSQL, nil},
		{store.Config{Schema: "own"}, "x", store.SQLite, []string{"schema"}},
		{store.Config{Prefix: "a-b", UsersTable: "users; --"}, `x"y`, store.SQLite, []string{`"a-b"`, `"users; --"`, `x\"y`}},
		{store.Config{}, long, store.SQLite, []string{long}},
		{store.Config{}, "", store.SQLite, []string{"column"}},
		{store.Config{}, "1st", store.SQLite, []string{"1st"}},
		{store.Config{}, "größe", store.SQLite, []string{"größe"}},
		{store.Config{Schema: "a.b"}, "x", store.PostgreSQL, []string{"a.b"}},
		{store.Config{UsersTable: long[:50]}, "x", store.PostgreSQL, []string{"too long"}},
		{store.Config{Prefix: long[:40]}, "x", store.PostgreSQL, []string{"too long"}},
	} {
		_, err := store.New(db, tt.dialect, tt.cfg, []store.Column{{Name: tt.column}}, store.CommitHooks{})
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%+v, %q: got error %v", tt.cfg, tt.column, err)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%+v, %q: the error does not tell %s: %v", tt.cfg, tt.column, part, err)
			}
		}
	}
	s, err := store.New(db, store.PostgreSQL, store.Config{Schema: "S", UsersTable: "People"}, nil, store.CommitHooks{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`"S"."People"`, s.UsersTable()); diff != "" {
		t.Error(diff)
	}
}
