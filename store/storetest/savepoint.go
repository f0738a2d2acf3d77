package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) testSavepoint(t *testing.T) {
	// nest runs fn in a savepoint between two users of the outer transaction, who must both be stored.
	nest := func(t *testing.T, fn func(ctx context.Context) error) (order []string, inner error) {
		t.Helper()
		before, after := s.account(), s.account()
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			store.OnCommit(ctx, func(context.Context) { order = append(order, "before") })
			noError(t, s.insert(ctx, before))
			inner = s.InTx(ctx, func(ctx context.Context) error {
				store.OnCommit(ctx, func(context.Context) { order = append(order, "inner") })
				s.OnRollback(ctx, func(context.Context) { order = append(order, "undo") })
				return fn(ctx)
			})
			store.OnCommit(ctx, func(context.Context) { order = append(order, "after") })
			return s.insert(ctx, after)
		}))
		same(t, "outer", []bool{s.exists(t, before.ID), s.exists(t, after.ID)}, []bool{true, true})
		s.idle(t)
		return order, inner
	}
	t.Run("it keeps what succeeds", func(t *testing.T) {
		a := s.account()
		order, inner := nest(t, func(ctx context.Context) error { return s.insert(ctx, a) })
		noError(t, inner)
		same(t, "stored", s.exists(t, a.ID), true)
		same(t, "order", order, []string{"before", "inner", "after"})
	})
	taken := s.user(t)
	for name, fail := range map[string]func(ctx context.Context) error{
		"an error": func(context.Context) error { return errMine },
		"a failed operation": func(ctx context.Context) error {
			return s.Transact(ctx, func(context.Context) error { return errMine })
		},
		"a failed operation that it swallows": func(ctx context.Context) error {
			_ = s.Transact(ctx, func(context.Context) error { return errMine })
			return nil
		},
		"a failed savepoint one level on": func(ctx context.Context) error {
			return s.InTx(ctx, func(context.Context) error { return errMine })
		},
		"a violation": func(ctx context.Context) error {
			b := s.account()
			b.Email = taken.Email
			return errors.Join(s.insert(ctx, b), errMine)
		},
	} {
		t.Run("it undoes alone what ends with "+name, func(t *testing.T) {
			a, b := s.account(), s.account()
			order, inner := nest(t, func(ctx context.Context) error {
				noError(t, s.insert(ctx, a))
				noError(t, s.InTx(ctx, func(ctx context.Context) error { return s.insert(ctx, b) }))
				return fail(ctx)
			})
			if !errors.Is(inner, errMine) {
				t.Errorf("got error %v", inner)
			}
			same(t, "stored", []bool{s.exists(t, a.ID), s.exists(t, b.ID)}, []bool{false, false})
			same(t, "order", order, []string{"undo", "before", "after"})
		})
	}
	t.Run("it undoes alone what ends with a panic that the program recovers", func(t *testing.T) {
		a := s.account()
		before := s.account()
		var order []string
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, s.insert(ctx, before))
			p := recovered(func() {
				_ = s.InTx(ctx, func(ctx context.Context) error {
					store.OnCommit(ctx, func(context.Context) { order = append(order, "inner") })
					s.OnRollback(ctx, func(context.Context) { order = append(order, "undo") })
					noError(t, s.insert(ctx, a))
					panic("inside")
				})
			})
			same(t, "panic", p, any("inside"))
			return nil
		}))
		same(t, "stored", []bool{s.exists(t, before.ID), s.exists(t, a.ID)}, []bool{true, false})
		same(t, "order", order, []string{"undo"})
	})
	t.Run("it undoes what succeeded when the outer transaction fails", func(t *testing.T) {
		a := s.account()
		var order []string
		err := s.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, s.InTx(ctx, func(ctx context.Context) error {
				store.OnCommit(ctx, func(context.Context) { order = append(order, "inner") })
				s.OnRollback(ctx, func(context.Context) { order = append(order, "undo") })
				return s.insert(ctx, a)
			}))
			return errMine
		})
		if !errors.Is(err, errMine) {
			t.Errorf("got error %v", err)
		}
		same(t, "stored", s.exists(t, a.ID), false)
		same(t, "order", order, []string{"undo"})
	})
	t.Run("it goes on from within a savepoint one level up", func(t *testing.T) {
		var list []*account
		for range 4 {
			list = append(list, s.account())
		}
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error {
				noError(t, s.insert(ctx, list[0]))
				_ = s.InTx(ctx, func(ctx context.Context) error {
					noError(t, s.insert(ctx, list[1]))
					return errMine
				})
				noError(t, s.InTx(ctx, func(ctx context.Context) error { return s.insert(ctx, list[2]) }))
				return s.insert(ctx, list[3])
			})
		}))
		var stored []bool
		for _, a := range list {
			stored = append(stored, s.exists(t, a.ID))
		}
		same(t, "stored", stored, []bool{true, false, true, true})
	})
	t.Run("it minds a context that ends inside", func(t *testing.T) {
		a := s.account()
		ctx, cancel := context.WithCancel(t.Context())
		err := s.InTx(ctx, func(ctx context.Context) error {
			noError(t, s.insert(ctx, a))
			return s.InTx(ctx, func(ctx context.Context) error {
				cancel()
				return s.insert(ctx, s.account())
			})
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v", err)
		}
		same(t, "stored", s.exists(t, a.ID), false)
		s.idle(t)
	})
}

func (s *suite) testAside(t *testing.T) {
	t.Run("it stands whatever becomes of the transaction", func(t *testing.T) {
		for name, end := range map[string]func() error{
			"committed":   func() error { return nil },
			"rolled back": func() error { return errMine },
			"panicked":    func() error { panic("end") },
		} {
			mine, aside := s.account(), s.account()
			queued := false
			_ = recovered(func() {
				_ = s.InTx(t.Context(), func(ctx context.Context) error {
					noError(t, s.insert(ctx, mine))
					noError(t, s.Aside(ctx, func(ctx context.Context) error {
						store.OnCommit(ctx, func(context.Context) { queued = true })
						return s.insert(ctx, aside)
					}))
					return end()
				})
			})
			same(t, name, []bool{s.exists(t, mine.ID), s.exists(t, aside.ID), queued}, []bool{name == "committed", true, true})
		}
	})
	t.Run("it stands although the caller has gone", func(t *testing.T) {
		aside := []*account{s.account(), s.account()}
		ctx, cancel := context.WithCancel(t.Context())
		_ = s.InTx(ctx, func(ctx context.Context) error {
			cancel()
			return s.Aside(ctx, func(ctx context.Context) error { return s.insert(ctx, aside[0]) })
		})
		noError(t, s.Aside(ctx, func(ctx context.Context) error { return s.insert(ctx, aside[1]) }))
		for _, a := range aside {
			same(t, "stored", s.exists(t, a.ID), true)
		}
	})
	t.Run("it is in the database at once where there is a second connection", func(t *testing.T) {
		a := s.account()
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, s.Aside(ctx, func(ctx context.Context) error { return s.insert(ctx, a) }))
			if s.Dialect() == store.PostgreSQL {
				same(t, "stored", s.exists(t, a.ID), true)
			}
			return nil
		}))
	})
	t.Run("it waits for the end of the transaction with a pool of one", func(t *testing.T) {
		x := *s
		x.Store = s.another(t, 1, func(*store.Config) {})
		a := s.account()
		_ = x.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, x.Aside(ctx, func(ctx context.Context) error { return x.insert(ctx, a) }))
			fails(t, x.GetUser(ctx, store.ByID, a.ID, (&account{}).dest()), roster.ErrNotFound)
			return errMine
		})
		noError(t, x.GetUser(t.Context(), store.ByID, a.ID, (&account{}).dest()))
	})
	t.Run("it waits for no connection when all are taken by transactions", func(t *testing.T) {
		x := *s
		const n = 4
		x.Store = s.another(t, n, func(*store.Config) {})
		list := make([]*account, n)
		if s.Dialect() == store.SQLite {
			t.Skip("SQLite has one writer at a time")
		}
		arrived := make(chan struct{}, n)
		all := make(chan struct{})
		go func() {
			for range n {
				<-arrived
			}
			close(all)
		}()
		for _, err := range atOnce(n, func(i int) error {
			list[i] = x.account()
			return x.InTx(t.Context(), func(ctx context.Context) error {
				arrived <- struct{}{}
				<-all
				return x.Aside(ctx, func(ctx context.Context) error { return x.insert(ctx, list[i]) })
			})
		}) {
			noError(t, err)
		}
		for _, a := range list {
			noError(t, x.GetUser(t.Context(), store.ByID, a.ID, (&account{}).dest()))
		}
	})
	t.Run("it reports what fails after the transaction", func(t *testing.T) {
		x := *s
		x.Store = s.another(t, 1, func(*store.Config) {})
		noError(t, x.InTx(t.Context(), func(ctx context.Context) error {
			return x.Aside(ctx, func(context.Context) error { return errMine })
		}))
		errs := s.reported.take()
		hasLength(t, "reports", len(errs), 1)
		if !errors.Is(errs[0], errMine) {
			t.Errorf("got %v", errs[0])
		}
	})
}
