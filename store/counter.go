package store

import (
	"context"
	"strings"
	"time"
)

// Counter is a counter with a bound, by the rule of cache.Limit, and its state.
type Counter struct {
	Key string
	Max int64
	// Window starts with the first take; with Backoff, with the latest one or the end of its wait.
	Window, Lock, Backoff, MaxBackoff time.Duration

	N    int64 // below zero while it is locked
	Ends time.Time
	// OK reports that the take passed; Locked, that it began the lock.
	OK, Locked bool
}

// doublings is how often Backoff is doubled until it is MaxBackoff.
func (c *Counter) doublings() int {
	n := 0
	for d := c.Backoff; c.Backoff > 0 && d < c.MaxBackoff; n++ {
		if d > c.MaxBackoff/2 {
			d = c.MaxBackoff
			continue
		}
		d *= 2
	}
	return n
}

// bigints gives the values of a statement on counters their type: now ($2), Max, Window, Lock, Backoff, MaxBackoff and
// the number of doublings.
var bigints = strings.NewReplacer(
	"@now", "cast($2 AS bigint)", "@max", "cast($3 AS bigint)", "@window", "cast($4 AS bigint)", "@lock", "cast($5 AS bigint)",
	"@first", "cast($6 AS bigint)", "@longest", "cast($7 AS bigint)", "@doublings", "cast($8 AS bigint)",
)

// waitAfter is the SQL of the wait that take number n begins.
func waitAfter(n string) string {
	return strings.ReplaceAll(`(CASE
		WHEN @first = 0 OR %n < @max THEN 0
		WHEN %n - @max >= @doublings THEN @longest
		ELSE @first << cast(%n - @max AS integer) END)`, "%n", n)
}

// The states of a counter c, of which one that is over has none.
const (
	counterLive  = "c.ends > @now"
	counterWaits = counterLive + " AND (c.n < 0 OR @first > 0 AND c.n >= @max AND c.ends - @now > @window)"
	counterSpent = counterLive + " AND @first = 0 AND @max > 0 AND c.n >= @max"
)

var takeCounter = bigints.Replace(`
	INSERT INTO {counters} AS c (key, n, ends, outcome) VALUES ($1, 1, @now + @window + ` + waitAfter("1") + `, 1)
	ON CONFLICT (key) DO UPDATE SET
		outcome = CASE
			WHEN ` + counterWaits + ` THEN 0
			WHEN ` + counterSpent + ` THEN CASE WHEN @lock > 0 THEN -1 ELSE 0 END
			ELSE 1 END,
		n = CASE
			WHEN ` + counterWaits + ` THEN c.n
			WHEN ` + counterSpent + ` THEN CASE WHEN @lock > 0 THEN -c.n ELSE c.n END
			WHEN ` + counterLive + ` THEN c.n + 1
			ELSE 1 END,
		ends = CASE
			WHEN ` + counterWaits + ` THEN c.ends
			WHEN ` + counterSpent + ` THEN CASE WHEN @lock > 0 THEN @now + @lock ELSE c.ends END
			WHEN ` + counterLive + ` AND @first = 0 THEN c.ends
			WHEN ` + counterLive + ` THEN @now + @window + ` + waitAfter("(c.n + 1)") + `
			ELSE excluded.ends END
	RETURNING n, ends, outcome`)

var releaseCounter = bigints.Replace(`
	UPDATE {counters} SET n = n - 1, ends = CASE
		WHEN @first > 0 AND n >= @max AND ends - @now > @window
		THEN {greatest}(ends - ` + waitAfter("n") + ` + ` + waitAfter("(n - 1)") + `, @now + @window)
		ELSE ends END
	WHERE key = $1 AND n > 0 AND ends > @now AND @lock >= 0`)

// TakeCounter takes one from a counter, by one statement, and fills in its state.
func (s *Store) TakeCounter(ctx context.Context, c *Counter, now time.Time) error {
	var ends, outcome int64
	err := s.row(ctx, takeCounter, c.args(now), &c.N, &ends, &outcome)
	c.Ends, c.OK, c.Locked = time.UnixMicro(ends).UTC(), outcome > 0, outcome < 0
	return err
}

func (c *Counter) args(now time.Time) []any {
	return []any{
		c.Key, now.UnixMicro(), c.Max, c.Window.Microseconds(), c.Lock.Microseconds(), c.Backoff.Microseconds(),
		c.MaxBackoff.Microseconds(), c.doublings(),
	}
}

// ReleaseCounter gives one take back, if the counter is there: a wait becomes that of the count which is left.
func (s *Store) ReleaseCounter(ctx context.Context, c Counter, now time.Time) error {
	_, err := s.exec(ctx, releaseCounter, c.args(now)...)
	return err
}

// PeekCounter fills in the state of a counter; the zero one when there is none.
func (s *Store) PeekCounter(ctx context.Context, c *Counter, now time.Time) error {
	var ends int64
	c.N, c.Ends = 0, now
	err := s.rows(ctx, "SELECT n, ends FROM {counters} WHERE key = $1 AND ends > $2", []any{c.Key, now.UnixMicro()},
		func(scan scanFunc) error {
			err := scan(&c.N, &ends)
			c.Ends = time.UnixMicro(ends).UTC()
			return err
		})
	return err
}

// DeleteCounter removes a counter.
func (s *Store) DeleteCounter(ctx context.Context, key string) error {
	_, err := s.exec(ctx, "DELETE FROM {counters} WHERE key = $1", key)
	return err
}

// Apart runs fn outside of the transaction in ctx, for what must stand whatever becomes of that and cannot wait for its
// end. Where there is no second connection to be had it runs within, and again should that be rolled back.
func (s *Store) Apart(ctx context.Context, fn func(ctx context.Context) error) error {
	u := s.unit(ctx)
	switch {
	case u == nil:
		return fn(ctx)
	case s.dialect == PostgreSQL && s.spareConnection():
		return fn(context.WithValue(ctx, unitKey{}, u.outer))
	}
	s.OnRollback(ctx, func(ctx context.Context) { _ = fn(ctx) })
	return fn(ctx)
}
