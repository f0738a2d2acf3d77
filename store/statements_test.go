package store_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
)

func kinds(notes []note) map[string]int {
	count := map[string]int{}
	for _, n := range notes {
		count[n.kind]++
	}
	return count
}

// STORE-4: statements are prepared once and kept, and behind a pooler never.
func TestStatements(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, kind rostertest.Kind, cfg store.Config) (*store.Store, *sqlx.DB, *spy) {
		t.Helper()
		db, spy := openSpied(t, rostertest.Address(t, kind))
		db.SetMaxOpenConns(1)
		up(t, newMigrator(t, db, cfg))
		return plainStore(t, db, cfg), db, spy
	}
	get := func(ctx context.Context, t *testing.T, s *store.Store) {
		t.Helper()
		if _, err := s.GetPassword(ctx, mustID(t)); err == nil {
			t.Error("somebody was found")
		}
	}
	inTx := func(t *testing.T, s *store.Store) func() {
		return func() {
			if err := s.InTx(t.Context(), func(ctx context.Context) error { get(ctx, t, s); return nil }); err != nil {
				t.Error(err)
			}
		}
	}
	want := func(t *testing.T, what string, notes []note, want map[string]int) {
		t.Helper()
		if got := kinds(notes); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	for _, kind := range []rostertest.Kind{rostertest.SQLite, rostertest.PostgreSQL} {
		t.Run("it prepares once on "+string(kind), func(t *testing.T) {
			s, _, spy := open(t, kind, store.Config{})
			notes := spy.during(0, nil, func() {
				for range 5 {
					get(t.Context(), t, s)
				}
			})
			want(t, "outside", notes, map[string]int{"prepare": 1, "prepared": 5})
			want(t, "inside", spy.during(0, nil, inTx(t, s)), map[string]int{"begin": 1, "prepared": 1, "commit": 1})
		})
		t.Run("it prepares before the next transaction what it meets in one, on "+string(kind), func(t *testing.T) {
			s, _, spy := open(t, kind, store.Config{})
			want(t, "first", spy.during(0, nil, inTx(t, s)), map[string]int{"begin": 1, "plain": 1, "commit": 1})
			want(t, "second", spy.during(0, nil, inTx(t, s)), map[string]int{"prepare": 1, "begin": 1, "prepared": 1, "commit": 1})
			want(t, "third", spy.during(0, nil, inTx(t, s)), map[string]int{"begin": 1, "prepared": 1, "commit": 1})
		})
		t.Run("it prepares nothing behind a pooler, on "+string(kind), func(t *testing.T) {
			s, _, spy := open(t, kind, store.Config{Pooled: true})
			for range 3 {
				want(t, "outside", spy.during(0, nil, func() { get(t.Context(), t, s) }), map[string]int{"plain": 1})
				want(t, "inside", spy.during(0, nil, inTx(t, s)), map[string]int{"begin": 1, "plain": 1, "commit": 1})
			}
		})
	}
	t.Run("it gives up on Close what it has prepared, and goes on", func(t *testing.T) {
		s, db, _ := open(t, rostertest.PostgreSQL, store.Config{})
		kept := func() (n int) {
			if err := db.GetContext(t.Context(), &n, "SELECT count(*) FROM pg_prepared_statements"); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for range 2 {
			get(t.Context(), t, s)
			if n := kept(); n != 1 {
				t.Errorf("%d statements are prepared", n)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if n := kept(); n != 0 {
				t.Errorf("%d statements are left", n)
			}
		}
	})
	t.Run("it keeps a bounded number of statements", func(t *testing.T) {
		db, spy := openSpied(t, rostertest.Address(t, rostertest.PostgreSQL))
		db.SetMaxOpenConns(1)
		up(t, newMigrator(t, db, store.Config{}))
		var columns []store.Column
		for i := range 10 {
			columns = append(columns, store.Column{Name: fmt.Sprintf("c%d", i), Custom: true, Nullable: true, SQLType: func(store.Dialect) string { return "text" }})
		}
		s, err := store.New(db, store.PostgreSQL, store.Config{}, columns, store.CommitHooks{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.AddColumns(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := addUser(t, plainStore(t, db, store.Config{}), "u@example.com")
		notes := spy.during(0, nil, func() {
			for bits := 1; bits <= 700; bits++ {
				var set []store.Assignment
				for i, c := range columns {
					if bits&(1<<i) != 0 {
						set = append(set, store.Assignment{Column: c.Name, Value: "x"})
					}
				}
				if err := s.UpdateUser(t.Context(), id, set, store.Holds{}); err != nil {
					t.Fatal(err)
				}
			}
		})
		if got := kinds(notes); got["prepare"] != 500 || got["plain"] != 200 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("it leaves no state on a connection", func(t *testing.T) {
		state := regexp.MustCompile(`(?i)^\s*(SET|RESET|LISTEN|UNLISTEN|LOAD|PREPARE|DECLARE|CREATE\s+TEMP|DISCARD)\b|pg_advisory_lock|\bnow\(\)|current_timestamp`)
		db, spy := openSpied(t, rostertest.Address(t, rostertest.PostgreSQL))
		w := newWorld(t, db)
		for _, name := range sortedKeys(operations) {
			w.found(t)
			for _, n := range spy.during(0, nil, func() {
				if err := operations[name](t.Context(), w); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}) {
				if state.MatchString(n.text) && !readsRevocations(n.text) { // whose age the database tells
					t.Errorf("%s: %s", name, n.text)
				}
			}
		}
	})
	t.Run("it prepares for many at once, each statement once", func(t *testing.T) {
		db, spy := openSpied(t, rostertest.Address(t, rostertest.PostgreSQL))
		up(t, newMigrator(t, db, store.Config{}))
		s := plainStore(t, db, store.Config{})
		notes := spy.during(0, nil, func() {
			done := make(chan struct{})
			for range 16 {
				go func() {
					defer func() { done <- struct{}{} }()
					for range 20 {
						get(t.Context(), t, s)
					}
				}()
			}
			for range 16 {
				<-done
			}
		})
		if got := kinds(notes); got["prepared"] != 16*20 || got["prepare"] > 16+8 {
			t.Errorf("got %v", got)
		}
	})
}
