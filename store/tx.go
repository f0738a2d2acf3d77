package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jmoiron/sqlx"
)

// unit is a running transaction. It travels in the context: operations called with it join.
type unit struct {
	store *Store
	outer *unit // a running transaction of another database
	tx    *sqlx.Tx
	scope *scope
	// hooked says that a program's hook has run: the unit must not be tried again.
	hooked bool
	ended  []func()
}

// scope is a unit, or a savepoint in it.
type scope struct {
	outer  *scope
	depth  int
	doomed error // why it can only be rolled back
	queued []func()
	undo   []func()
}

type unitKey struct{}

func current(ctx context.Context) *unit {
	u, _ := ctx.Value(unitKey{}).(*unit)
	return u
}

// unit returns the running transaction on this store's database.
func (s *Store) unit(ctx context.Context) *unit {
	u := current(ctx)
	for u != nil && u.store.db != s.db {
		u = u.outer
	}
	return u
}

// TxFrom returns the transaction that runs in ctx, for a program's own statements in Before and After hooks and in
// InTx: what they write is committed or rolled back with the operation. It is nil outside of any.
func TxFrom(ctx context.Context) *sqlx.Tx {
	if u := current(ctx); u != nil {
		return u.tx
	}
	return nil
}

// OnCommit queues fn until the outermost transaction in ctx has committed; after a rollback it never runs. It gets a
// context without cancel, within the time limit of On hooks, and a panic in it is only logged. Outside of a
// transaction it runs at once.
func OnCommit(ctx context.Context, fn func(ctx context.Context)) {
	if u := current(ctx); u != nil {
		u.queue(ctx, func(ctx context.Context) { u.store.commit.run(ctx, fn) })
		return
	}
	standalone.run(context.WithoutCancel(ctx), fn)
}

// standalone runs what is queued where no repo is at hand to log for.
var standalone = CommitHooks{
	Timeout: 5 * time.Second,
	Report: func(ctx context.Context, err error) {
		slog.ErrorContext(ctx, "roster: function after commit failed", "error", err)
	},
}

func (h CommitHooks) run(ctx context.Context, fn func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			h.Report(ctx, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		} else if ctx.Err() != nil {
			h.Report(ctx, fmt.Errorf("ended after its time limit of %s", h.Timeout))
		}
	}()
	fn(ctx)
}

// AfterCommit queues fn like OnCommit, but leaves limits and panics to it.
func (s *Store) AfterCommit(ctx context.Context, fn func(ctx context.Context)) {
	if u := s.unit(ctx); u != nil {
		u.queue(ctx, fn)
		return
	}
	fn(context.WithoutCancel(ctx))
}

// OnRollback queues fn for the case that what ctx runs in is rolled back: to undo what is not in the database.
func (s *Store) OnRollback(ctx context.Context, fn func(ctx context.Context)) {
	if u := s.unit(ctx); u != nil {
		u.scope.undo = append(u.scope.undo, func() { fn(u.outside(ctx)) })
	}
}

func (u *unit) queue(ctx context.Context, fn func(ctx context.Context)) {
	u.scope.queued = append(u.scope.queued, func() { fn(u.outside(ctx)) })
}

// outside is ctx without the unit and without its cancel.
func (u *unit) outside(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), unitKey{}, u.outer)
}

// InTransaction reports whether an operation called with ctx would join a transaction.
func (s *Store) InTransaction(ctx context.Context) bool { return s.unit(ctx) != nil }

// HookRuns says that a hook of the program is about to run in the transaction of ctx: it is not tried again.
func (s *Store) HookRuns(ctx context.Context) {
	if u := s.unit(ctx); u != nil {
		u.hooked = true
	}
}

// maxAttempts bounds how often a transaction is tried that the database gave up for another's sake.
const maxAttempts = 3

// Transact runs an operation: in the transaction that ctx carries, which its failure dooms, or in one of its own.
// A serialisation failure or deadlock is tried again while no hook has run.
func (s *Store) Transact(ctx context.Context, fn func(ctx context.Context) error) error {
	if u := s.unit(ctx); u != nil {
		err := fn(ctx)
		if err != nil && u.scope.doomed == nil {
			u.scope.doomed = err
		}
		return err
	}
	for attempt := 1; ; attempt++ {
		hooked, err := s.begin(ctx, fn)
		if hooked || attempt == maxAttempts || !errors.Is(err, errTryAgain) {
			return err
		}
	}
}

// Autocommit runs an operation of one statement, which needs no transaction of its own: in the one that ctx carries,
// which its failure dooms, or by itself.
func (s *Store) Autocommit(ctx context.Context, fn func(ctx context.Context) error) error {
	if s.unit(ctx) != nil {
		return s.Transact(ctx, fn)
	}
	return fn(ctx)
}

// InTx runs fn in a transaction of its own, or within a savepoint of the one that ctx carries: an error of fn, or of
// an operation in it, undoes just what fn did.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if u := s.unit(ctx); u != nil {
		return u.savepoint(ctx, fn)
	}
	_, err := s.begin(ctx, fn)
	return err
}

func (s *Store) begin(ctx context.Context, fn func(ctx context.Context) error) (hooked bool, err error) {
	s.statements.prepareWanted(ctx)
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return false, s.failure(ctx, fmt.Errorf("begin: %w", err))
	}
	u := &unit{store: s, outer: current(ctx), tx: tx, scope: &scope{}}
	committed := false
	defer func() {
		if !committed {
			_ = tx.Rollback() // also when fn panics; the error that matters is on its way already
			for _, fn := range u.scope.undo {
				fn()
			}
		}
		for _, fn := range u.ended {
			fn()
		}
	}()
	if err := fn(context.WithValue(ctx, unitKey{}, u)); err != nil {
		return u.hooked, err
	}
	if u.scope.doomed != nil {
		return u.hooked, u.scope.doomed
	}
	if err := tx.Commit(); err != nil {
		return u.hooked, s.failure(ctx, fmt.Errorf("commit: %w", err))
	}
	committed = true
	for _, fn := range u.scope.queued {
		fn()
	}
	return u.hooked, nil
}

func (u *unit) savepoint(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	inner := &scope{outer: u.scope, depth: u.scope.depth + 1}
	name := fmt.Sprintf("roster_%d", inner.depth)
	if _, err := u.tx.ExecContext(ctx, "SAVEPOINT "+name); err != nil {
		return u.store.failure(ctx, fmt.Errorf("savepoint: %w", err))
	}
	u.scope = inner
	defer func() { u.scope = inner.outer }()
	if err = fn(ctx); err == nil {
		err = inner.doomed
	}
	if err != nil {
		for _, fn := range inner.undo {
			fn()
		}
		if _, rollback := u.tx.ExecContext(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT "+name); rollback != nil {
			inner.outer.doomed = err
		}
		return err
	}
	if _, err := u.tx.ExecContext(ctx, "RELEASE SAVEPOINT "+name); err != nil {
		return u.store.failure(ctx, fmt.Errorf("release savepoint: %w", err))
	}
	inner.outer.queued = append(inner.outer.queued, inner.queued...)
	inner.outer.undo = append(inner.outer.undo, inner.undo...)
	return nil
}

// Aside runs fn in a short transaction apart from the one in ctx, for what must stand whatever becomes of that: on a
// second connection of PostgreSQL; where there is no second writer, once that transaction has ended.
func (s *Store) Aside(ctx context.Context, fn func(ctx context.Context) error) error {
	u := s.unit(ctx)
	if u == nil {
		return s.Transact(context.WithoutCancel(ctx), fn)
	}
	apart := u.outside(ctx)
	if s.dialect == PostgreSQL && s.db.Stats().MaxOpenConnections != 1 {
		return s.Transact(apart, fn)
	}
	u.ended = append(u.ended, func() {
		if err := s.Transact(apart, fn); err != nil {
			s.commit.Report(apart, fmt.Errorf("aside: %w", err))
		}
	})
	return nil
}
