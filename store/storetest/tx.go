package storetest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

var errMine = errors.New("an error of the program's")

// idle asks that no connection is in use.
func (s *suite) idle(t *testing.T) {
	t.Helper()
	for range 1000 {
		if s.DB.Stats().InUse == 0 {
			return
		}
		time.Sleep(time.Millisecond) // a connection that was cancelled is given up a moment later
	}
	t.Errorf("%d connections are in use", s.DB.Stats().InUse)
}

// insertSQL stores a user by the program's own statement in the transaction of ctx.
func (s *suite) insertSQL(ctx context.Context, id roster.ID) error {
	_, err := store.TxFrom(ctx).ExecContext(ctx, "INSERT INTO "+s.UsersTable()+" (id, phone, created_at, updated_at) VALUES ($1, $2, $3, $3)",
		id, "+1"+id.String(), s.now)
	return err
}

// recovered runs fn and returns what it panicked with.
func recovered(fn func()) (p any) {
	defer func() { p = recover() }()
	fn()
	return nil
}

func (s *suite) testTx(t *testing.T) {
	t.Run("it commits what an operation and the program's own statements write", func(t *testing.T) {
		a, theirs := s.account(), newID()
		noError(t, s.Transact(t.Context(), func(ctx context.Context) error {
			if store.TxFrom(ctx) == nil || !s.InTransaction(ctx) {
				t.Error("there is no transaction")
			}
			return errors.Join(s.insert(ctx, a), s.insertSQL(ctx, theirs))
		}))
		same(t, "stored", []bool{s.exists(t, a.ID), s.exists(t, theirs)}, []bool{true, true})
		if store.TxFrom(t.Context()) != nil || s.InTransaction(t.Context()) {
			t.Error("there is a transaction outside of one")
		}
	})
	t.Run("it rolls both back when the operation fails, and returns its error as it is", func(t *testing.T) {
		a, theirs := s.account(), newID()
		for name, run := range s.ways() {
			err := run(t.Context(), func(ctx context.Context) error {
				noError(t, errors.Join(s.insert(ctx, a), s.insertSQL(ctx, theirs)))
				return errMine
			})
			if err != errMine { //nolint:errorlint // unchanged is more than wrapped
				t.Errorf("%s: got error %v", name, err)
			}
			same(t, name, []bool{s.exists(t, a.ID), s.exists(t, theirs)}, []bool{false, false})
		}
	})
	t.Run("it joins the transaction of the context, and takes no second connection", func(t *testing.T) {
		one := s.another(t, 1, func(*store.Config) {})
		x := *s
		x.Store = one
		a := x.account()
		noError(t, one.Transact(t.Context(), func(ctx context.Context) error {
			outer := store.TxFrom(ctx)
			noError(t, x.insert(ctx, a))
			return one.Transact(ctx, func(ctx context.Context) error {
				same(t, "transaction", store.TxFrom(ctx) == outer, true)
				same(t, "waits for a connection", one.InTransaction(ctx), true)
				return errors.Join(one.Autocommit(ctx, func(ctx context.Context) error { return one.TouchLastLogin(ctx, a.ID, s.now, 100) }),
					one.GetUser(ctx, store.ByID, a.ID, (&account{}).dest()))
			})
		}))
		got := &account{}
		noError(t, one.GetUser(t.Context(), store.ByID, a.ID, got.dest()))
		if got.LastLoginAt == nil {
			t.Error("the joined operation left nothing")
		}
	})
	t.Run("it serves many with few connections", func(t *testing.T) {
		few := s.another(t, 2, func(*store.Config) {})
		x := *s
		x.Store = few
		for _, err := range atOnce(16, func(int) error {
			a := x.account()
			return errors.Join(few.Transact(t.Context(), func(ctx context.Context) error {
				return errors.Join(x.insert(ctx, a), few.InTx(ctx, func(ctx context.Context) error {
					return few.TouchLastLogin(ctx, a.ID, s.now, 100)
				}))
			}), few.GetUser(t.Context(), store.ByID, a.ID, (&account{}).dest()))
		}) {
			noError(t, err)
		}
	})
	t.Run("it dooms a transaction in which an operation failed, whoever swallows that", func(t *testing.T) {
		fail := map[string]func(ctx context.Context) error{
			"an error": func(context.Context) error { return errMine },
			"an error one level on": func(ctx context.Context) error {
				return s.Transact(ctx, func(context.Context) error { return errMine })
			},
			"an error of Autocommit": func(ctx context.Context) error {
				return s.Autocommit(ctx, func(context.Context) error { return errMine })
			},
		}
		for way, run := range s.ways() {
			for name, fail := range fail {
				a := s.account()
				err := run(t.Context(), func(ctx context.Context) error {
					_ = s.Transact(ctx, fail)
					return s.insert(ctx, a)
				})
				if !errors.Is(err, errMine) {
					t.Errorf("%s, %s: got error %v", way, name, err)
				}
				same(t, name, s.exists(t, a.ID), false)
			}
			a := s.account()
			err := run(t.Context(), func(ctx context.Context) error {
				_ = recovered(func() { _ = s.Transact(ctx, func(context.Context) error { panic("operation") }) })
				return s.insert(ctx, a)
			})
			fails(t, err, roster.ErrInternal)
			same(t, "after a panic", s.exists(t, a.ID), false)
		}
	})
	t.Run("it does not commit after a statement of the program's failed on PostgreSQL", func(t *testing.T) {
		if s.Dialect() == store.SQLite {
			t.Skip("SQLite goes on")
		}
		a := s.account()
		err := s.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, s.insert(ctx, a))
			_, err := store.TxFrom(ctx).ExecContext(ctx, "SELECT 1/0")
			if err == nil {
				t.Error("the statement succeeds")
			}
			return nil
		})
		fails(t, err, roster.ErrInternal)
		same(t, "stored", s.exists(t, a.ID), false)
	})
	t.Run("it rolls back when a function panics, and leaks no connection", func(t *testing.T) {
		for name, run := range s.ways() {
			a := s.account()
			undone := 0
			p := recovered(func() {
				_ = run(t.Context(), func(ctx context.Context) error {
					s.OnRollback(ctx, func(context.Context) { undone++ })
					noError(t, s.insert(ctx, a))
					panic(name)
				})
			})
			same(t, "panic", p, any(name))
			same(t, "undone", undone, 1)
			same(t, "stored", s.exists(t, a.ID), false)
			s.idle(t)
		}
	})
	t.Run("it works with a pool of one whose functions panic and fail", func(t *testing.T) {
		x := *s
		x.Store = s.another(t, 1, func(*store.Config) {})
		for range 5 {
			_ = recovered(func() { _ = x.Transact(t.Context(), func(context.Context) error { panic("x") }) })
			_ = x.Transact(t.Context(), func(context.Context) error { return errMine })
			ctx, cancel := context.WithCancel(t.Context())
			_ = x.Transact(ctx, func(context.Context) error { cancel(); return nil })
		}
		noError(t, x.Transact(t.Context(), func(ctx context.Context) error { return x.insert(ctx, x.account()) }))
	})
	t.Run("it runs what was queued after the commit, in order", func(t *testing.T) { s.queues(t) })
	t.Run("it minds the context until the commit", func(t *testing.T) { s.cancels(t) })
	t.Run("it keeps the transactions of two databases apart", func(t *testing.T) { s.apart(t) })
	t.Run("it gives up waiting", func(t *testing.T) { s.timeouts(t) })
	t.Run("it tries again what the database gave up for another's sake", func(t *testing.T) { s.retries(t) })
}

// ways are how a transaction is begun.
func (s *suite) ways() map[string]func(context.Context, func(context.Context) error) error {
	return map[string]func(context.Context, func(context.Context) error) error{"Transact": s.Transact, "InTx": s.InTx}
}

func (s *suite) queues(t *testing.T) {
	for way, run := range s.ways() {
		var got []string
		note := func(name string) func(context.Context) {
			return func(ctx context.Context) {
				if store.TxFrom(ctx) != nil || s.InTransaction(ctx) {
					t.Errorf("%s sees the transaction", name)
				}
				got = append(got, name)
			}
		}
		body := func(result error) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				store.OnCommit(ctx, note("1"))
				s.AfterCommit(ctx, note("2"))
				s.OnRollback(ctx, note("undo 1"))
				err := s.Transact(ctx, func(ctx context.Context) error {
					store.OnCommit(ctx, note("3"))
					s.OnRollback(ctx, note("undo 2"))
					return nil
				})
				store.OnCommit(ctx, note("4"))
				if len(got) > 0 {
					t.Errorf("%s: ran before the commit: %v", way, got)
				}
				return errors.Join(err, result)
			}
		}
		noError(t, run(t.Context(), body(nil)))
		same(t, way, got, []string{"1", "2", "3", "4"})
		got = nil
		if err := run(t.Context(), body(errMine)); !errors.Is(err, errMine) {
			t.Errorf("got error %v", err)
		}
		same(t, way, got, []string{"undo 1", "undo 2"})
		got = nil
		store.OnCommit(t.Context(), note("at once"))
		s.AfterCommit(t.Context(), note("at once, too"))
		s.OnRollback(t.Context(), note("never"))
		same(t, way, got, []string{"at once", "at once, too"})
	}
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	a := s.account()
	noError(t, s.Transact(ctx, func(ctx context.Context) error {
		store.OnCommit(ctx, func(ctx context.Context) {
			cancel()
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > queuedTimeout || ctx.Err() != nil || ctx.Value(key{}) != "value" {
				t.Errorf("got the context %v", ctx)
			}
			noError(t, s.GetUser(ctx, store.ByID, a.ID, (&account{}).dest()))
		})
		store.OnCommit(ctx, func(context.Context) { panic("in a queued function") })
		store.OnCommit(ctx, func(ctx context.Context) { <-ctx.Done() })
		return s.insert(ctx, a)
	}))
	same(t, "stored", s.exists(t, a.ID), true)
	errs := s.reported.take()
	hasLength(t, "reports", len(errs), 2)
	for i, want := range []string{"in a queued function", "time limit"} {
		if !strings.Contains(errs[i].Error(), want) {
			t.Errorf("report %d: got %v", i, errs[i])
		}
	}
}

func (s *suite) cancels(t *testing.T) {
	for way, run := range s.ways() {
		ctx, cancel := context.WithCancel(t.Context())
		a := s.account()
		var queued, undone bool
		err := run(ctx, func(ctx context.Context) error {
			store.OnCommit(ctx, func(context.Context) { queued = true })
			s.OnRollback(ctx, func(ctx context.Context) { undone = ctx.Err() == nil })
			err := s.insert(ctx, a)
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v", way, err)
		}
		same(t, way, []bool{s.exists(t, a.ID), queued, undone}, []bool{false, false, true})
		if err := run(ctx, func(context.Context) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v", way, err)
		}
		if err := s.GetUser(ctx, store.ByID, a.ID, a.dest()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v", way, err)
		}
		s.idle(t)
	}
	t.Run("it commits or rolls back, and never says the one after the other", func(t *testing.T) {
		for i := range 40 {
			ctx, cancel := context.WithCancel(t.Context())
			a := s.account()
			var queued atomic.Bool
			err := s.Transact(ctx, func(ctx context.Context) error {
				store.OnCommit(ctx, func(context.Context) { queued.Store(true) })
				err := s.insert(ctx, a)
				time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
				return err
			})
			same(t, "queued", queued.Load(), err == nil)
			same(t, "stored", s.exists(t, a.ID), err == nil)
			cancel()
		}
	})
}

func (s *suite) apart(t *testing.T) {
	db, err := store.Open("sqlite::memory:")
	noError(t, err)
	t.Cleanup(func() { noError(t, db.Close()) })
	other := newSuite(t, Database{DB: db})
	a, b := s.account(), other.account()
	var order []string
	err = s.Transact(t.Context(), func(ctx context.Context) error {
		mine := store.TxFrom(ctx)
		if other.InTransaction(ctx) {
			t.Error("it is the other's transaction")
		}
		store.OnCommit(ctx, func(context.Context) { order = append(order, "mine") })
		noError(t, other.Transact(ctx, func(ctx context.Context) error {
			same(t, "both", []bool{s.InTransaction(ctx), other.InTransaction(ctx), store.TxFrom(ctx) != mine}, []bool{true, true, true})
			other.AfterCommit(ctx, func(ctx context.Context) {
				order = append(order, "other")
				same(t, "after the other's commit", []bool{s.InTransaction(ctx), other.InTransaction(ctx)}, []bool{true, false})
			})
			return errors.Join(s.insert(ctx, a), other.insert(ctx, b))
		}))
		return errMine
	})
	if !errors.Is(err, errMine) {
		t.Errorf("got error %v", err)
	}
	same(t, "stored", []bool{s.exists(t, a.ID), other.exists(t, b.ID)}, []bool{false, true})
	same(t, "order", order, []string{"other"})
}
