package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
)

func newMigrator(t testing.TB, db *sqlx.DB, cfg store.Config) *store.Migrator {
	t.Helper()
	dialect, err := store.Probe(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.NewMigrator(db, dialect, cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func up(t testing.TB, m *store.Migrator) []int64 {
	t.Helper()
	done, err := m.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// plainStore is a store of users without columns of a program's own.
func plainStore(t testing.TB, db *sqlx.DB, cfg store.Config) *store.Store {
	t.Helper()
	dialect, err := store.Probe(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var columns []store.Column
	for _, name := range []string{"id", "email", "permissions", "created_at", "updated_at", "version"} {
		columns = append(columns, store.Column{Name: name, Field: name})
	}
	s, err := store.New(db, dialect, cfg, columns, store.CommitHooks{Timeout: time.Second, Report: func(context.Context, error) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func addUser(t testing.TB, s *store.Store, email string) roster.ID {
	t.Helper()
	id := mustID(t)
	err := s.InsertUser(t.Context(), id, []any{id, email, roster.Permissions{}, time.Now().UTC(), time.Now().UTC(), 1}, store.Derived{Email: &email}, store.Holds{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func execute(t testing.TB, db *sqlx.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func tables(t testing.TB, db *sqlx.DB) []string {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
	if db.DriverName() == "postgres" {
		query = `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C"`
	}
	var list []string
	if err := db.SelectContext(t.Context(), &list, query); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(name string) bool { return strings.HasSuffix(name, "migrations_lock") })
}

// STORE-21, STORE-26, case 11.
func TestMigrateUpAndDown(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		m := newMigrator(t, db, store.Config{})
		if err := m.Validate(t.Context()); err == nil || !strings.Contains(err.Error(), "roster migrate up") {
			t.Errorf("empty: got error %v", err)
		}
		if left := tables(t, db); len(left) != 0 {
			t.Errorf("Validate has made %v", left)
		}
		began := time.Now()
		all := up(t, m)
		if len(all) == 0 || len(up(t, m)) != 0 {
			t.Errorf("first applied %v", all)
		}
		status, err := m.Status(t.Context())
		if err != nil || len(status) != len(all) {
			t.Fatalf("got %v, %v", status, err)
		}
		for i, x := range status {
			if x.Version != all[i] || !strings.HasSuffix(x.Name, ".sql") || x.AppliedAt.Before(began.Add(-time.Second)) || x.AppliedAt.Location() != time.UTC {
				t.Errorf("got the status %+v", x)
			}
		}
		if err := m.Validate(t.Context()); err != nil {
			t.Error(err)
		}
		execute(t, db, "ALTER TABLE users ADD COLUMN plan text DEFAULT 'gold'")
		id := addUser(t, plainStore(t, db, store.Config{}), "u@example.com")

		down, err := m.Down(t.Context(), len(all)+5, false)
		if err != nil || len(down) != len(all) {
			t.Fatalf("down: %v, %v", down, err)
		}
		if diff := cmp.Diff([]string{"roster_migrations", "users"}, tables(t, db)); diff != "" {
			t.Errorf("after down (-want +got):\n%s", diff)
		}
		if status, err := m.Status(t.Context()); err != nil || !status[0].AppliedAt.IsZero() {
			t.Errorf("got the status %v, %v", status, err)
		}
		up(t, m)
		var plan string
		if err := db.GetContext(t.Context(), &plan, "SELECT plan FROM users WHERE id = $1 AND email_canonical = 'u@example.com'", id); err != nil || plan != "gold" {
			t.Errorf("the user after down and up: %q, %v", plan, err)
		}
		if err := plainStore(t, db, store.Config{}).PutPassword(t.Context(), id, store.Password{Hash: "h", ChangedAt: began}); err != nil {
			t.Errorf("after down and up: %v", err)
		}
		if _, err := m.Down(t.Context(), len(all), true); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"roster_migrations"}, tables(t, db)); diff != "" {
			t.Errorf("after down with the users (-want +got):\n%s", diff)
		}
		up(t, m)
	})
}

// OTP-23: the failures of codes are the same after down and up.
func TestMigrateTries(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		m, now := newMigrator(t, db, store.Config{}), time.Now().UTC().Truncate(time.Microsecond)
		up(t, m)
		s := plainStore(t, db, store.Config{})
		scope := store.CodeScope(addUser(t, s, "u@example.com"), store.CodeFor("verify", "phone"))
		for _, scope := range []store.TryScope{scope, {Key: "otp-scope/x"}, store.CodeScope(roster.NewID(), "of nobody")} {
			if _, err := s.TakeTry(t.Context(), scope, now); err != nil {
				t.Fatal(err)
			}
		}
		for {
			if done, err := m.Down(t.Context(), 1, false); err != nil || len(done) == 0 {
				t.Fatal(done, err)
			} else if done[0] == 5 {
				break
			}
		}
		var purposes []string
		if err := db.SelectContext(t.Context(), &purposes, "SELECT purpose FROM roster_tries WHERE failures = 1 AND user_id = $1", scope.User); err != nil {
			t.Fatal(err)
		}
		var all int
		if err := db.GetContext(t.Context(), &all, "SELECT count(*) FROM roster_tries"); err != nil || all != 1 {
			t.Errorf("%d rows, %v", all, err)
		}
		if diff := cmp.Diff([]string{"code:verify:phone"}, purposes); diff != "" {
			t.Errorf("after down (-want +got):\n%s", diff)
		}
		up(t, m)
		wait, err := plainStore(t, db, store.Config{}).TakeTry(t.Context(), scope, now)
		if want := (store.Wait{Until: now.Add(time.Second), Failures: 1}); err != nil || wait != want {
			t.Errorf("after up: %v, %v", wait, err)
		}
	})
}

// STORE-23: a migration that fails leaves the version before it.
func TestMigrateFailure(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		execute(t, db, "CREATE TABLE roster_sessions (theirs text)")
		m := newMigrator(t, db, store.Config{})
		if done, err := m.Up(t.Context()); err == nil || len(done) != 0 {
			t.Errorf("applied %v, %v", done, err)
		}
		if diff := cmp.Diff([]string{"roster_migrations", "roster_sessions"}, tables(t, db)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		if err := m.Validate(t.Context()); err == nil {
			t.Error("it is content")
		}
		execute(t, db, "DROP TABLE roster_sessions")
		if done := up(t, m); len(done) == 0 {
			t.Error("nothing was applied")
		}
		if used := db.Stats().InUse; used != 0 {
			t.Errorf("%d connections in use", used)
		}
	})
}

// STORE-24, case 10.
func TestValidate(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		m := newMigrator(t, db, store.Config{})
		up(t, m)
		status, err := m.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		newer := "INSERT INTO roster_migrations (version, sum, applied_at) SELECT %d, 'sum', applied_at FROM roster_migrations WHERE version = 1"
		for _, tt := range []struct {
			name, change string
			want         []string
		}{
			{"one release ahead", fmt.Sprintf(newer, 90001), nil},
			{"two ahead", fmt.Sprintf(newer, 90002), []string{"roster migrate down 2", "upgrade the program"}},
			{"changed as well", "UPDATE roster_migrations SET sum = 'other' WHERE version = 1", []string{status[0].Name, "roster migrate down 2"}},
			{"changed alone", "DELETE FROM roster_migrations WHERE version > 90000", []string{status[0].Name}},
			{"behind", "DELETE FROM roster_migrations WHERE version > 0", []string{status[0].Name, "roster migrate up"}},
		} {
			execute(t, db, tt.change)
			err := m.Validate(t.Context())
			if (err == nil) != (tt.want == nil) {
				t.Errorf("%s: got error %v", tt.name, err)
				continue
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: the error does not tell %q: %v", tt.name, part, err)
				}
			}
		}
	})
}

// STORE-27, case 13: a database made from the printed SQL validates.
func TestMigrateSQL(t *testing.T) {
	t.Parallel()
	cfg := store.Config{Prefix: "Own_", UsersTable: "People"}
	check := func(t *testing.T, db *sqlx.DB, m *store.Migrator) {
		t.Helper()
		if err := m.Validate(t.Context()); err != nil {
			t.Error(err)
		}
		status, err := m.Status(t.Context())
		if err != nil || time.Since(status[0].AppliedAt).Abs() > time.Hour {
			t.Errorf("got the status %v, %v", status, err)
		}
		if done := up(t, m); len(done) != 0 {
			t.Errorf("%v was applied again", done)
		}
		s := plainStore(t, db, cfg)
		id := addUser(t, s, "u@example.com")
		if err := s.PutPassword(t.Context(), id, store.Password{Hash: "h", ChangedAt: time.Now()}); err != nil {
			t.Error(err)
		}
		if got := tables(t, db); !slices.Contains(got, "People") || !slices.Contains(got, "Own_sessions") {
			t.Errorf("got the tables %v", got)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		db := rostertest.Open(t, rostertest.SQLite)
		m := newMigrator(t, db, cfg)
		execute(t, db, m.SQL(0, 0))
		check(t, db, m)
		if text := m.SQL(1, 1); strings.Contains(text, "CREATE TABLE") {
			t.Errorf("nothing lies between: %s", text)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		address := rostertest.Address(t, rostertest.PostgreSQL)
		db := openAddress(t, address)
		m := newMigrator(t, db, cfg)
		psql(t, address, m.SQL(0, 0))
		check(t, db, m)
	})
}

// psql runs a script by the client program of PostgreSQL.
func psql(t *testing.T, address, script string) {
	t.Helper()
	program, err := exec.LookPath("psql")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("psql is not installed")
		}
		t.Skip("psql is not installed")
	}
	u, err := url.Parse(without(t, without(t, address, "binary_parameters"), "search_path"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-X", "-q", "-v", "ON_ERROR_STOP=1", u.String())
	command.Env = append(os.Environ(), "PGOPTIONS=-c search_path="+schemaOf(t, address))
	command.Stdin = strings.NewReader(script)
	if out, err := command.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

const migrateVariable = "ROSTER_TEST_MIGRATE"

// migrateProcess migrates a database when its input ends, and prints the versions that it applied.
func migrateProcess(address string) int {
	db, err := store.Open(address)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = db.Close() }()
	_, _ = io.ReadAll(os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dialect, err := store.Probe(ctx, db)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	m, err := store.NewMigrator(db, dialect, store.Config{}, time.Now)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	done, err := m.Up(ctx)
	if err == nil {
		err = m.Validate(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(done)
	return 0
}

// STORE-22, case 9: ten processes that migrate an empty database at once apply each migration once, and all succeed.
func TestMigrateTenProcesses(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return rostertest.Address(t, rostertest.SQLite) },
		"postgres": func(t *testing.T) string { return rostertest.Address(t, rostertest.PostgreSQL) },
		"postgres with pg_trgm": func(t *testing.T) string {
			address := ownDatabase(t)
			execute(t, openAddress(t, address), "CREATE EXTENSION pg_trgm")
			return address
		},
	}
	for name, open := range addresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := open(t)
			type process struct {
				command *exec.Cmd
				start   io.Closer
				out     bytes.Buffer
			}
			list := make([]*process, 10)
			for i := range list {
				var err error
				p := &process{command: exec.CommandContext(t.Context(), program)}
				p.command.Env = append(os.Environ(), migrateVariable+"="+address)
				p.command.Stdout, p.command.Stderr = &p.out, &p.out
				if p.start, err = p.command.StdinPipe(); err != nil {
					t.Fatal(err)
				}
				if err := p.command.Start(); err != nil {
					t.Fatal(err)
				}
				list[i] = p
			}
			time.Sleep(100 * time.Millisecond) // by then they wait for their start
			for _, p := range list {
				_ = p.start.Close()
			}
			applied := 0
			for i, p := range list {
				if err := p.command.Wait(); err != nil {
					t.Errorf("process %d: %v\n%s", i, err, &p.out)
				}
				if strings.TrimSpace(p.out.String()) != "[]" {
					applied++
				}
			}
			if applied != 1 {
				t.Errorf("%d processes applied something", applied)
			}
			if err := newMigrator(t, openAddress(t, address), store.Config{}).Validate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// ownDatabase makes a database of its own, for what concerns all of its schemas, and returns its address.
func ownDatabase(t testing.TB) string {
	t.Helper()
	server := rostertest.Server(t, "ROSTER_TEST_POSTGRES")
	name := "t_" + strings.ToLower(rand.Text()[:16])
	admin := openAddress(t, server)
	execute(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// STORE-22: waiting for another's migration ends with the context, and what a dead process has left ends by itself.
func TestMigrateWaits(t *testing.T) {
	t.Parallel()
	wait := func(t *testing.T, m *store.Migrator) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		if done, err := m.Up(ctx); err == nil || len(done) > 0 || time.Since(began) > 5*time.Second {
			t.Errorf("got %v, %v after %s", done, err, time.Since(began))
		} else if !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "canceling statement") {
			t.Errorf("got error %v", err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		db := rostertest.Open(t, rostertest.SQLite)
		m := newMigrator(t, db, store.Config{})
		execute(t, db, "CREATE TABLE roster_migrations_lock (id integer PRIMARY KEY, until integer NOT NULL)")
		execute(t, db, fmt.Sprintf("INSERT INTO roster_migrations_lock VALUES (1, %d)", time.Now().Add(time.Minute).UnixMicro()))
		wait(t, m)
		execute(t, db, fmt.Sprintf("UPDATE roster_migrations_lock SET until = %d", time.Now().UnixMicro()))
		if len(up(t, m)) == 0 {
			t.Error("nothing was applied")
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		db := rostertest.Open(t, rostertest.PostgreSQL)
		m := newMigrator(t, db, store.Config{})
		obstacle, err := db.BeginTxx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := obstacle.ExecContext(t.Context(), "CREATE TABLE roster_migrations (x text)"); err != nil {
			t.Fatal(err)
		}
		first := make(chan error, 1)
		go func() { // it has the lock, and waits for the obstacle
			_, err := m.Up(t.Context())
			first <- err
		}()
		time.Sleep(200 * time.Millisecond)
		wait(t, m)
		if err := obstacle.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		if len(up(t, m)) != 0 {
			t.Error("something was left to be applied")
		}
	})
}

// A pool of one is enough to migrate.
func TestMigrateOneConnection(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		db.SetMaxOpenConns(1)
		m := newMigrator(t, db, store.Config{})
		up(t, m)
		if err := m.Validate(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := m.Down(t.Context(), 1, false); err != nil {
			t.Error(err)
		}
	})
}

// STORE-28, STORE-59, case 25: repos of other names in one database do not see each other.
func TestTwoRepos(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		configs := []store.Config{{Prefix: "staff_", UsersTable: "staff"}, {Prefix: "customers_", UsersTable: "customers"}}
		if db.DriverName() == "postgres" {
			schema := "other_" + strings.ToLower(rand.Text()[:12])
			execute(t, db, "CREATE SCHEMA "+schema)
			t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE") })
			configs = append(configs, store.Config{Schema: schema, Prefix: "staff_", UsersTable: "staff"})
		}
		var stores []*store.Store
		var ids []roster.ID
		for _, cfg := range configs {
			m := newMigrator(t, db, cfg)
			if len(up(t, m)) == 0 {
				t.Fatalf("%+v: nothing was applied", cfg)
			}
			s := plainStore(t, db, cfg)
			stores, ids = append(stores, s), append(ids, addUser(t, s, "same@example.com"))
			if err := s.InsertKey(t.Context(), store.Key{KID: "same", Algorithm: "ES256", State: "active", Sealed: []byte(cfg.Schema + cfg.Prefix)}); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range stores {
			if err := s.PutPassword(t.Context(), ids[i], store.Password{Hash: fmt.Sprint(i), ChangedAt: time.Now()}); err != nil {
				t.Fatal(err)
			}
			for j, id := range ids {
				_, err := s.GetPassword(t.Context(), id)
				if seen := err == nil; seen != (i == j) {
					t.Errorf("repo %d, user of %d: %v", i, j, err)
				}
			}
			keys, err := s.ListKeys(t.Context())
			if err != nil || len(keys) != 1 || string(keys[0].Sealed) != configs[i].Schema+configs[i].Prefix {
				t.Errorf("repo %d: got the keys %v, %v", i, keys, err)
			}
		}
		// A transaction of both, since it is one database.
		err := stores[0].Transact(t.Context(), func(ctx context.Context) error {
			if err := stores[1].Transact(ctx, func(ctx context.Context) error { return stores[1].RemoveUser(ctx, ids[1]) }); err != nil {
				return err
			}
			return errors.New("undo")
		})
		if err == nil || err.Error() != "undo" {
			t.Errorf("got error %v", err)
		}
		if _, err := stores[1].GetPassword(t.Context(), ids[1]); err != nil {
			t.Errorf("the joined removal stands: %v", err)
		}
		if _, err := newMigrator(t, db, configs[0]).Down(t.Context(), 100, true); err != nil {
			t.Fatal(err)
		}
		for _, cfg := range configs[1:] {
			if err := newMigrator(t, db, cfg).Validate(t.Context()); err != nil {
				t.Errorf("%+v: %v", cfg, err)
			}
		}
		if len(configs) > 2 { // the one in a schema of its own
			if done, err := newMigrator(t, db, configs[2]).Down(t.Context(), 100, true); err != nil || len(done) == 0 {
				t.Errorf("down in a schema: %v, %v", done, err)
			}
		}
		if _, err := stores[1].GetPassword(t.Context(), ids[1]); err != nil {
			t.Errorf("the other repo has lost a password: %v", err)
		}
	})
}

func mustID(t testing.TB) roster.ID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
