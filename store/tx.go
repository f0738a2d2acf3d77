package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
)

// unit is a running transaction. It travels in the context: operations called with it join.
type unit struct {
	store *Store
	outer *unit // a running transaction of another database
	tx    *sqlx.Tx
	scope *scope
	// hooked says that a program's hook has run: the unit must not be tried again.
	hooked bool
	// guessed says that guesses are counted in it, for want of a second connection.
	guessed bool
	// revoked says that the repo was told, after the commit, of what the unit revoked.
	revoked bool
	ended   []func()
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
	for u != nil && u.store.db.DB != s.db.DB {
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
		slog.Default().ErrorContext(ctx, "roster: function after commit failed", slog.Any("error", err))
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

// maxAttempts bounds how often a transaction is tried that the database gave up for another's sake. Before it is tried
// again the other gets time to end.
const (
	maxAttempts = 3
	retryPause  = 10 * time.Millisecond
)

// Transact runs an operation: in the transaction that ctx carries, which its failure dooms, or in one of its own.
// A serialisation failure or deadlock is tried again while no hook has run.
func (s *Store) Transact(ctx context.Context, fn func(ctx context.Context) error) error {
	if u := s.unit(ctx); u != nil {
		return u.join(ctx, fn)
	}
	return again(ctx, func() (hooked bool, err error) { return s.begin(ctx, fn) })
}

// Autocommit runs an operation of one statement, which needs no transaction of its own: in the one that ctx carries,
// which its failure dooms, or by itself.
func (s *Store) Autocommit(ctx context.Context, fn func(ctx context.Context) error) error {
	if u := s.unit(ctx); u != nil {
		return u.join(ctx, fn)
	}
	return again(ctx, func() (hooked bool, err error) { return false, fn(ctx) })
}

func again(ctx context.Context, try func() (hooked bool, err error)) error {
	for attempt := 1; ; attempt++ {
		hooked, err := try()
		if hooked || attempt == maxAttempts || !errors.Is(err, errTryAgain) {
			return err
		}
		select {
		case <-time.After(time.Duration(attempt) * retryPause):
		case <-ctx.Done():
			return err
		}
	}
}

// errPanicked dooms a transaction in which an operation panicked, should the program recover from that.
var errPanicked = roster.ErrInternal.WithCause(errors.New("an operation panicked in the transaction"))

func (u *unit) join(ctx context.Context, fn func(ctx context.Context) error) error {
	var err error = errPanicked
	defer func() {
		if err != nil {
			_ = u.scope.doom(err)
		}
	}()
	err = fn(ctx)
	return err
}

// doom lets a scope end in a rollback, for the first error that it was doomed for.
func (s *scope) doom(err error) error {
	if s.doomed == nil {
		s.doomed = err
	}
	return err
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
	tx, giveUp, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	defer giveUp()
	end := func(end func() error) error {
		late := time.AfterFunc(s.cfg.Timeout, giveUp)
		defer late.Stop()
		return end()
	}
	u := &unit{store: s, outer: current(ctx), tx: tx, scope: &scope{}}
	committed := false
	defer func() {
		if !committed {
			_ = end(tx.Rollback) // also when fn panics; the error that matters is on its way already
			callAll(u.scope.undo)
		}
		callAll(u.ended)
		if committed {
			callAll(u.scope.queued)
		}
	}()
	if err := fn(context.WithValue(ctx, unitKey{}, u)); err != nil {
		return u.hooked, err
	}
	if u.scope.doomed != nil {
		return u.hooked, u.scope.doomed
	}
	if ctx.Err() != nil {
		return u.hooked, s.failure(ctx, ctx.Err())
	}
	if err := end(tx.Commit); err != nil {
		return u.hooked, s.failure(ctx, fmt.Errorf("commit: %w", err))
	}
	committed = true
	return u.hooked, nil
}

func callAll(list []func()) {
	for _, fn := range list {
		fn()
	}
}

// open begins a transaction, for which it waits as long as for a statement. From then on giveUp alone ends it, and not
// ctx: a commit that is on its way would be answered as an error, and yet be one.
func (s *Store) open(ctx context.Context) (tx *sqlx.Tx, giveUp context.CancelFunc, err error) {
	timeout := s.cfg.Timeout
	if s.dialect == SQLite {
		timeout = min(timeout, s.cfg.LockTimeout)
	}
	wait, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	s.statements.prepareWanted(wait)
	own, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(wait, giveUp)
	tx, err = s.db.BeginTxx(own, nil)
	if !unwatch() {
		if err == nil {
			_ = tx.Rollback()
		}
		err = wait.Err()
	}
	if isUnsupported(err) { // a standby begins none that writes
		err = roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(errStandby)
	}
	if err != nil {
		giveUp()
		return nil, nil, s.failure(ctx, fmt.Errorf("begin: %w", err))
	}
	return tx, giveUp, nil
}

func (u *unit) savepoint(ctx context.Context, fn func(ctx context.Context) error) error {
	inner := &scope{outer: u.scope, depth: u.scope.depth + 1}
	name := fmt.Sprintf("roster_%d", inner.depth)
	if err := u.exec(ctx, "SAVEPOINT "+name); err != nil {
		return inner.outer.doom(err)
	}
	u.scope = inner
	var err error = errPanicked
	defer func() {
		u.scope = inner.outer
		if err == nil {
			return
		}
		if u.exec(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT "+name) != nil {
			_ = u.scope.doom(err)
		}
		callAll(inner.undo)
	}()
	if err = fn(ctx); err == nil {
		err = inner.doomed
	}
	if err != nil {
		return err
	}
	if err = u.exec(ctx, "RELEASE SAVEPOINT "+name); err != nil {
		return inner.outer.doom(err)
	}
	inner.outer.queued = append(inner.outer.queued, inner.queued...)
	inner.outer.undo = append(inner.outer.undo, inner.undo...)
	return nil
}

// exec runs a statement that is not worth keeping prepared.
func (u *unit) exec(ctx context.Context, text string) error {
	inner, cancel := context.WithTimeout(ctx, u.store.cfg.Timeout)
	defer cancel()
	_, err := u.tx.ExecContext(inner, text)
	return u.store.failure(ctx, err)
}

// Aside runs fn in a short transaction apart from the one in ctx, for what must stand whatever becomes of that: on a
// second connection of PostgreSQL; where there is none to be had, and no second writer, once that transaction has ended.
func (s *Store) Aside(ctx context.Context, fn func(ctx context.Context) error) error {
	u := s.unit(ctx)
	if u == nil {
		return s.Transact(context.WithoutCancel(ctx), fn)
	}
	apart := u.outside(ctx)
	if s.dialect == PostgreSQL && s.spareConnection() {
		return s.Transact(apart, fn)
	}
	u.ended = append(u.ended, func() {
		if err := s.Transact(apart, fn); err != nil {
			s.commit.Report(apart, fmt.Errorf("aside: %w", err))
		}
	})
	return nil
}

// spareConnection reports whether the pool can give one more: transactions that wait for another while they hold one
// could wait for each other.
func (s *Store) spareConnection() bool {
	pool := s.db.Stats()
	return pool.MaxOpenConnections == 0 || pool.InUse < pool.MaxOpenConnections
}
