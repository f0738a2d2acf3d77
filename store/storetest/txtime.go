package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// timeouts holds a row, or the only connection, and lets others wait for it.
func (s *suite) timeouts(t *testing.T) {
	const brief = 150 * time.Millisecond
	soon := func(t *testing.T, began time.Time, err error) {
		t.Helper()
		fails(t, err, roster.ErrUnavailable)
		if e, _ := asError(err); e.RetryAfter <= 0 {
			t.Error("it does not say when to try again")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	}
	t.Run("it waits no longer for a connection than a statement may take", func(t *testing.T) {
		x := *s
		x.Store = s.another(t, 1, func(c *store.Config) { c.Timeout = time.Second }) // to connect may take some of it
		noError(t, x.InTx(t.Context(), func(context.Context) error {
			for _, wait := range []func() error{
				func() error { return x.Transact(t.Context(), func(context.Context) error { return nil }) },
				func() error { return x.InTx(t.Context(), func(context.Context) error { return nil }) },
				func() error { return x.GetUser(t.Context(), store.ByID, newID(), (&account{}).dest()) },
			} {
				began := time.Now()
				soon(t, began, wait())
			}
			return nil
		}))
		noError(t, x.Transact(t.Context(), func(ctx context.Context) error { return x.insert(ctx, x.account()) }))
	})
	t.Run("it waits no longer for a lock than it may", func(t *testing.T) {
		s.needsTwoWriters(t)
		a := s.user(t)
		for name, tt := range map[string]struct {
			change func(*store.Config)
			wait   func(ctx context.Context, x *store.Store) error
		}{
			"a lock": {
				func(c *store.Config) { c.LockTimeout = brief },
				func(ctx context.Context, x *store.Store) error { return x.LockUser(ctx, a.ID, (&account{}).dest()) },
			},
			"a statement": {
				func(c *store.Config) { c.Timeout = brief },
				func(ctx context.Context, x *store.Store) error { return x.TouchLastLogin(ctx, a.ID, s.now, 100) },
			},
		} {
			impatient := s.another(t, 2, tt.change)
			noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
				noError(t, s.LockUser(ctx, a.ID, (&account{}).dest()))
				began := time.Now()
				soon(t, began, impatient.Transact(t.Context(), func(ctx context.Context) error { return tt.wait(ctx, impatient) }))
				began = time.Now()
				soon(t, began, tt.wait(t.Context(), impatient))
				return nil
			}))
			if err := tt.wait(t.Context(), s.Store); err != nil {
				t.Errorf("%s: got error %v", name, err)
			}
		}
		s.idle(t)
	})
	t.Run("it stops waiting when the context ends", func(t *testing.T) {
		s.needsTwoWriters(t)
		a := s.user(t)
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, s.LockUser(ctx, a.ID, (&account{}).dest()))
			brief, cancel := context.WithTimeout(t.Context(), brief)
			defer cancel()
			began := time.Now()
			err := s.Transact(brief, func(ctx context.Context) error { return s.LockUser(ctx, a.ID, (&account{}).dest()) })
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
				t.Errorf("got error %v after %s", err, time.Since(began))
			}
			return nil
		}))
		s.idle(t)
	})
}

func (s *suite) retries(t *testing.T) {
	s.needsTwoWriters(t)
	// crossed runs two transactions that lock two users in opposite order: one of them is given up.
	crossed := func(t *testing.T, run func(context.Context, func(context.Context) error) error, hook bool) (tries int, errs []error) {
		t.Helper()
		users := []roster.ID{s.user(t).ID, s.user(t).ID}
		var count atomic.Int64
		var met [2]chan struct{}
		for i := range met {
			met[i] = make(chan struct{})
		}
		errs = atOnce(2, func(i int) error {
			first := true
			return run(t.Context(), func(ctx context.Context) error {
				count.Add(1)
				if hook {
					s.HookRuns(ctx)
				}
				if _, err := store.TxFrom(ctx).ExecContext(ctx, "SET LOCAL deadlock_timeout = '50ms'"); err != nil {
					return err
				}
				if err := s.LockUser(ctx, users[i], (&account{}).dest()); err != nil {
					return err
				}
				if first {
					first = false
					close(met[i])
					<-met[1-i]
				}
				return s.LockUser(ctx, users[1-i], (&account{}).dest())
			})
		})
		return int(count.Load()), errs
	}
	t.Run("it ends a deadlock", func(t *testing.T) {
		tries, errs := crossed(t, s.Transact, false)
		noError(t, errors.Join(errs...))
		if tries < 3 { // more when the machine is so busy that they meet again
			t.Errorf("got %d tries", tries)
		}
	})
	t.Run("it tells a deadlock when a hook has run, and when the program owns the transaction", func(t *testing.T) {
		for name, tt := range map[string]struct {
			run  func(context.Context, func(context.Context) error) error
			hook bool
		}{"a hook": {s.Transact, true}, "InTx": {s.InTx, false}} {
			tries, errs := crossed(t, tt.run, tt.hook)
			same(t, name, tries, 2)
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("%s: got errors %v", name, errs)
			}
			fails(t, errors.Join(errs...), roster.ErrConflict)
		}
	})
	// overtaken updates a user in a transaction whose snapshot is older than another's update.
	overtaken := func(t *testing.T, times int, before func(ctx context.Context)) (tries int, err error) {
		t.Helper()
		a := s.user(t)
		var queued, undone int
		err = s.Transact(t.Context(), func(ctx context.Context) error {
			tries++
			store.OnCommit(ctx, func(context.Context) { queued++ })
			s.OnRollback(ctx, func(context.Context) { undone++ })
			_, err := store.TxFrom(ctx).ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
			noError(t, err)
			before(ctx)
			noError(t, s.GetUser(ctx, store.ByID, a.ID, (&account{}).dest()))
			if tries <= times {
				noError(t, s.TouchLastLogin(t.Context(), a.ID, s.now.Add(time.Duration(tries)*time.Second), 100))
			}
			return s.TouchLastLogin(ctx, a.ID, s.now.Add(time.Hour), 100)
		})
		committed := 0
		if err == nil {
			committed = 1
		}
		same(t, "queued, undone", []int{queued, undone}, []int{committed, tries - committed})
		return tries, err
	}
	nothing := func(context.Context) {}
	for times, want := range map[int]int{0: 1, 1: 2, 2: 3} {
		t.Run(fmt.Sprintf("it survives %d serialisation failures", times), func(t *testing.T) {
			tries, err := overtaken(t, times, nothing)
			noError(t, err)
			same(t, "tries", tries, want)
		})
	}
	t.Run("it tells the third serialisation failure", func(t *testing.T) {
		tries, err := overtaken(t, 100, nothing)
		fails(t, err, roster.ErrConflict)
		same(t, "tries", tries, 3)
	})
	t.Run("it tells the first after a hook", func(t *testing.T) {
		tries, err := overtaken(t, 100, s.HookRuns)
		fails(t, err, roster.ErrConflict)
		same(t, "tries", tries, 1)
	})
	t.Run("it tries the outermost again when a joined operation meets one", func(t *testing.T) {
		a := s.user(t)
		tries := 0
		noError(t, s.Transact(t.Context(), func(ctx context.Context) error {
			tries++
			_, err := store.TxFrom(ctx).ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
			noError(t, err)
			noError(t, s.GetUser(ctx, store.ByID, a.ID, (&account{}).dest()))
			if tries == 1 {
				noError(t, s.TouchLastLogin(t.Context(), a.ID, s.now, 100))
			}
			return s.Transact(ctx, func(ctx context.Context) error { return s.TouchLastLogin(ctx, a.ID, s.now.Add(1), 100) })
		}))
		same(t, "tries", tries, 2)
	})
}
