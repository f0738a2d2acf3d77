package cache

import (
	"context"
	"math"
	"time"
)

// Limit is a counter with a bound. Every call for a key gives the same one.
//
// By itself it is a fixed window: Max takes pass, further ones are refused until the window ends, and then the count
// starts anew. Lock or Backoff change what follows on the last take that passes.
type Limit struct {
	Key string
	// Max is at least 1.
	Max int64
	// Window starts with the first take. With Backoff it is the time after which the count is forgotten, and starts
	// with the latest take or the end of its wait.
	Window time.Duration

	// Lock, if set, is how long the first refused take locks the key for. Takes during the lock change nothing;
	// after it the count starts at zero.
	Lock time.Duration

	// Backoff, if set, makes take number Max begin a wait of this length, and every later take a wait twice as long as
	// the one before, up to MaxBackoff. During a wait takes are refused and change nothing; after it one passes.
	Backoff    time.Duration
	MaxBackoff time.Duration
}

// Count is what a counter answers.
type Count struct {
	// Limit is what was asked for.
	Limit Limit
	// N is how many takes are counted, this one included if it passed.
	N int64
	// TTL is the time until the counter is forgotten: above zero, except when Peek finds none.
	TTL time.Duration
	// Wait is the time until a take can pass; 0 when the next one does.
	Wait time.Duration
	// OK reports that the take passed.
	OK bool
	// Locked reports that the take began the lock of the limit. Of any number of takes one does.
	Locked bool
}

// CheckLimits tells what of limits makes no sense: the errors of [Cache.IncrBelow]. It is for stores of counters.
func CheckLimits(ctx context.Context, limits ...Limit) error { return checkLimits(ctx, limits) }

// Answer is what a counter answers that stands at n after a take, below zero while it is locked, and is forgotten in ttl.
// It is for stores of counters.
func (l Limit) Answer(n int64, ttl time.Duration, ok bool) Count { return l.count(n, ttl, ok) }

func checkLimits(ctx context.Context, limits []Limit) error {
	for _, l := range limits {
		switch {
		case l.Key == "":
			return ErrKey
		case l.Window <= 0, l.Window > century, l.Lock > century, l.MaxBackoff > century:
			return ErrTTL
		case l.Max < 1, l.Lock < 0, l.Backoff < 0, l.MaxBackoff < l.Backoff, l.Lock > 0 && l.Backoff > 0:
			return ErrLimit
		}
	}
	return ctx.Err()
}

// checkLimitKeys is for calls that take nothing, and mind the rest of a limit less.
func checkLimitKeys(ctx context.Context, limits []Limit) error {
	for _, l := range limits {
		if l.Key == "" {
			return ErrKey
		}
	}
	return ctx.Err()
}

// take is the rule by which every counter counts; takeScript is the same in Lua. A counter is its number, below zero
// while it is locked, and the rest of its life; both are 0 when it is missing. A wait needs no field of its own: it is
// what the rest of life has beyond the window.
func (l Limit) take(n int64, ttl time.Duration) (int64, time.Duration, bool) {
	if n < 0 || l.waits(n, ttl) {
		return n, ttl, false
	}
	if l.spent(n) && l.Backoff == 0 {
		if l.Lock > 0 {
			return -n, l.Lock, false
		}
		return n, ttl, false
	}
	n++
	switch {
	case l.Backoff > 0:
		ttl = l.Window + l.backoff(n)
	case ttl == 0:
		ttl = l.Window
	}
	return n, ttl, true
}

// giveBack undoes a take that passed; releaseScript is the same in Lua. A wait becomes that of the count which is left,
// from the same take on: to end it would let one that is given back late cut short what a later failure began.
func (l Limit) giveBack(n int64, ttl time.Duration) (int64, time.Duration) {
	if n <= 0 {
		return n, ttl
	}
	if l.waits(n, ttl) {
		ttl = max(ttl-l.backoff(n)+l.backoff(n-1), l.Window)
	}
	return n - 1, ttl
}

// spent reports that the counter has reached its bound. A Max of 0, as Incr has it, is none.
func (l Limit) spent(n int64) bool { return l.Max > 0 && n >= l.Max }

func (l Limit) waits(n int64, ttl time.Duration) bool {
	return l.Backoff > 0 && l.spent(n) && ttl > l.Window
}

// backoff is the wait that take number n begins.
func (l Limit) backoff(n int64) time.Duration {
	if n < l.Max {
		return 0
	}
	wait := math.Ldexp(float64(l.Backoff), int(min(n-l.Max, 100)))
	return time.Duration(min(wait, float64(l.MaxBackoff)))
}

// count puts the answer together.
func (l Limit) count(n int64, ttl time.Duration, ok bool) Count {
	c := Count{Limit: l, N: max(n, -n), TTL: ttl, OK: ok}
	switch {
	case l.waits(n, ttl):
		c.Wait = ttl - l.Window
	case n < 0, l.spent(n) && l.Backoff == 0:
		c.Wait = ttl
	}
	return c
}

func (l Limit) peek(n int64, ttl time.Duration) Count {
	c := l.count(n, ttl, false)
	c.OK = c.Wait == 0
	return c
}
