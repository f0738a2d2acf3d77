package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roster-go/roster"
)

// Guess is a try of a key in a scope, where it could be that of several one-time passwords.
type Guess struct {
	Scope   TryScope
	Entries map[roster.ID]int // how often each can be tried in all
	Keep    time.Duration     // how long tries of the entries are remembered, longer than any of them lives
	Now     time.Time
}

// entryPrefix begins the scopes of single one-time passwords, which end in their id.
const entryPrefix = "otp/"

// errRight rolls back what was counted for the right key.
var errRight = errors.New("the key is right")

// Guess counts a failure of the scope and of each entry, then lets judge look at the key and at the entries that it may be
// compared with. It stands whatever becomes of the transaction in ctx, but for the right key: that leaves no trace. Who
// tries the same scope at the same time waits for it to end. During a wait nothing is counted or judged.
func (s *Store) Guess(ctx context.Context, g Guess, judge func(may []roster.ID) bool) (right bool, wait Wait, err error) {
	count := func(ctx context.Context) error {
		if wait, err = s.TakeTry(ctx, g.Scope, g.Now); err != nil || !wait.IsZero() {
			return err
		}
		if s.debts.of(g.Scope, s.unit(ctx)) {
			wait = Wait{Until: g.Now.Add(waits[0]), Failures: 1}
			return errRight // what was counted just now is counted by whom it waits for
		}
		may, err := s.tryEntries(ctx, g)
		if err != nil {
			return err
		}
		if judge(may) {
			right = true
			return errRight
		}
		return nil
	}
	within, err := s.standing(ctx, count)
	if errors.Is(err, errRight) {
		return right, wait, nil
	}
	if err == nil && wait.IsZero() && within {
		s.owe(ctx, g)
	}
	return false, wait, err
}

// standing runs fn in a transaction of its own, on a second connection of PostgreSQL if another runs. Where there is none
// to be had it runs within that: then it must be made to stand.
func (s *Store) standing(ctx context.Context, fn func(ctx context.Context) error) (within bool, err error) {
	u := s.unit(ctx)
	switch {
	case u == nil:
		return false, s.Transact(ctx, fn)
	case s.dialect == PostgreSQL && !u.guessed && s.spareConnection():
		return false, s.Transact(context.WithValue(ctx, unitKey{}, u.outer), fn)
	}
	u.guessed = true // from now on rows are locked that a second connection would wait for
	return true, s.InTx(ctx, fn)
}

// tryEntries counts a try of each entry, and returns those that were not tried as often as they can be.
func (s *Store) tryEntries(ctx context.Context, g Guess) ([]roster.ID, error) {
	if len(g.Entries) == 0 {
		return nil, nil
	}
	args := []any{g.Scope.User, g.Now, g.Now.Add(g.Keep)}
	ids := map[string]roster.ID{}
	for id := range g.Entries {
		ids[entryPrefix+id.String()] = id
	}
	var rows []string
	for _, scope := range slices.Sorted(maps.Keys(ids)) { // always in the same order, so that two cannot wait for each other
		args = append(args, scope)
		rows = append(rows, "("+placeholders(len(args), 1)+", $1, 1, $2, $3)")
	}
	text := `
		INSERT INTO {tries} AS t (scope, user_id, failures, waits_at, ends_at) VALUES ` + strings.Join(rows, ", ") + `
		ON CONFLICT (scope) DO UPDATE SET failures = t.failures + 1, waits_at = excluded.waits_at, ends_at = excluded.ends_at
		RETURNING scope, failures`
	var may []roster.ID
	err := s.rowsOf(ctx, adhoc, text, args, func(scan scanFunc) error {
		var scope string
		var n int
		err := scan(&scope, &n)
		if id := ids[scope]; n <= g.Entries[id] {
			may = append(may, id)
		}
		return err
	})
	return may, err
}

// owe sees to it that what was counted within the transaction in ctx is counted again should that be rolled back. Until it
// has ended, the scope is closed to the rest of this process: else all who wait for the lock could guess in turn.
func (s *Store) owe(ctx context.Context, g Guess) {
	u := s.unit(ctx)
	s.debts.add(g.Scope, u)
	u.scope.queued = append(u.scope.queued, func() { s.debts.drop(g.Scope) })
	u.scope.undo = append(u.scope.undo, func() {
		// SQLite has one writer: it can be written only when the outermost transaction has ended.
		u.ended = append(u.ended, func() {
			defer s.debts.drop(g.Scope)
			outside := u.outside(ctx)
			err := s.Transact(outside, func(ctx context.Context) error {
				if err := s.countAgain(ctx, g.Scope, g.Now); err != nil {
					return err
				}
				_, err := s.tryEntries(ctx, g)
				return err
			})
			if err != nil {
				s.commit.Report(outside, errors.Join(errors.New("a failure was not counted"), err))
			}
		})
	})
}

// debts are the scopes whose failures are counted in transactions that have not ended.
type debts struct {
	mu    sync.Mutex
	units map[string]*unit
}

// of reports whether a scope is owed by another transaction than this.
func (d *debts) of(scope TryScope, u *unit) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	owner, owed := d.units[scope.Key]
	return owed && owner != u
}

func (d *debts) add(scope TryScope, u *unit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.units == nil {
		d.units = map[string]*unit{}
	}
	d.units[scope.Key] = u
}

func (d *debts) drop(scope TryScope) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.units, scope.Key)
}

// ForgetGuesses forgets the failures of a scope, whose right key came, whatever becomes of the transaction in ctx.
func (s *Store) ForgetGuesses(ctx context.Context, scope TryScope) error {
	_, err := s.standing(ctx, func(ctx context.Context) error { return s.ForgetTries(ctx, scope) })
	return err
}
