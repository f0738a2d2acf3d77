package mixins

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/store"
)

// StoredCounters counts in the database, by the rules of a cache. It is slower, and what there is when the cache does
// not answer.
type StoredCounters struct {
	Store *store.Store
	Now   func() time.Time
}

// IncrBelow is that of cache.Cache, but for the round trips: each limit takes one.
func (s StoredCounters) IncrBelow(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error) {
	if err := cache.CheckLimits(ctx, limits...); err != nil {
		return nil, err
	}
	counts := make([]cache.Count, len(limits))
	err := s.Store.Apart(ctx, func(ctx context.Context) error {
		for i, l := range limits {
			now, c := s.Now(), stored(l)
			if err := s.Store.TakeCounter(ctx, &c, now); err != nil {
				return err
			}
			counts[i] = l.Answer(c.N, rest(l, c, now), c.OK)
			counts[i].Locked = c.Locked
		}
		return nil
	})
	return counts, err
}

// Incr is that of cache.Cache.
func (s StoredCounters) Incr(ctx context.Context, key string, window time.Duration) (cache.Count, error) {
	l := cache.Limit{Key: key, Max: 1, Window: window}
	if err := cache.CheckLimits(ctx, l); err != nil {
		return cache.Count{}, err
	}
	l.Max = 0
	now, c := s.Now(), stored(l)
	err := s.Store.Apart(ctx, func(ctx context.Context) error { return s.Store.TakeCounter(ctx, &c, now) })
	return l.Answer(c.N, rest(l, c, now), c.OK), err
}

// rest is what is left of the life of a counter. It is never more than its limit gives: who waited for the row of one
// that began later asks with an older time.
func rest(l cache.Limit, c store.Counter, now time.Time) time.Duration {
	longest := l.Window + l.MaxBackoff
	if c.N < 0 {
		longest = l.Lock
	}
	return min(c.Ends.Sub(now), longest)
}

// Release is that of cache.Cache.
func (s StoredCounters) Release(ctx context.Context, limits ...cache.Limit) error {
	return s.Store.Apart(ctx, func(ctx context.Context) error {
		for _, l := range limits {
			if err := s.Store.ReleaseCounter(ctx, stored(l), s.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Peek is that of cache.Cache.
func (s StoredCounters) Peek(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error) {
	counts := make([]cache.Count, len(limits))
	for i, l := range limits {
		now, c := s.Now(), stored(l)
		if err := s.Store.PeekCounter(ctx, &c, now); err != nil {
			return nil, err
		}
		counts[i] = l.Answer(c.N, rest(l, c, now), false)
		counts[i].OK = counts[i].Wait == 0
	}
	return counts, nil
}

// Delete is that of cache.Cache.
func (s StoredCounters) Delete(ctx context.Context, keys ...string) error {
	return s.Store.Apart(ctx, func(ctx context.Context) error {
		for _, key := range keys {
			if err := s.Store.DeleteCounter(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func stored(l cache.Limit) store.Counter {
	return store.Counter{Key: l.Key, Max: l.Max, Window: l.Window, Lock: l.Lock, Backoff: l.Backoff, MaxBackoff: l.MaxBackoff}
}

// counters is what counts: the cache, or the database while that does not answer.
type counters interface {
	IncrBelow(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error)
	Release(ctx context.Context, limits ...cache.Limit) error
	Peek(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error)
	Delete(ctx context.Context, keys ...string) error
}

// count calls fn with the cache, and with the database if the cache does not answer, or is full: who fills it with counters holds
// nobody up. The limits are the same, and begin anew: nothing is unlimited. When neither answers nothing is judged.
func (c *Core[U]) count(ctx context.Context, fn func(counters) error) error {
	err := fn(c.Cache)
	if ctx.Err() == nil && (errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrFull)) {
		c.reportCache(ctx, err)
		c.countedStored.Store(c.now().UnixNano())
		err = fn(StoredCounters{c.Store, c.now})
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
}

func (c *Core[U]) incrBelow(ctx context.Context, limits ...cache.Limit) (counts []cache.Count, err error) {
	err = c.count(ctx, func(by counters) (err error) {
		counts, err = by.IncrBelow(ctx, limits...)
		return err
	})
	return counts, err
}

// peek looks at counters in the cache, and in the database if it was counted there lately: a cache that is full refuses to count,
// and yet answers. The greater count holds.
func (c *Core[U]) peek(ctx context.Context, limits ...cache.Limit) (counts []cache.Count, err error) {
	err = c.count(ctx, func(by counters) (err error) {
		counts, err = by.Peek(ctx, limits...)
		return err
	})
	if err != nil || !c.countedStoredLately() {
		return counts, err
	}
	stored, err := StoredCounters{c.Store, c.now}.Peek(ctx, limits...)
	if err != nil {
		return nil, roster.ErrUnavailable.WithRetryAfter(time.Second).WithCause(err)
	}
	for i, x := range stored {
		if x.N > counts[i].N {
			counts[i] = x
		}
	}
	return counts, nil
}

// forget deletes counters.
func (c *Core[U]) forget(ctx context.Context, keys ...string) error {
	return c.forgetBy(ctx, keys, func(by counters) error { return by.Delete(ctx, keys...) })
}

// forgetSoon is forget for what nobody waits for.
func (c *Core[U]) forgetSoon(ctx context.Context, keys ...string) error {
	return c.forgetBy(ctx, keys, func(by counters) error {
		if by, ok := by.(cache.SoonDeleter); ok {
			return by.DeleteSoon(ctx, keys...)
		}
		return by.Delete(ctx, keys...)
	})
}

// forgetBy runs what deletes counters, and deletes them in the database too if it was counted there lately: a cache that is full
// refuses to count, and yet deletes.
func (c *Core[U]) forgetBy(ctx context.Context, keys []string, del func(counters) error) error {
	if err := c.count(ctx, del); err != nil || !c.countedStoredLately() {
		return err
	}
	return StoredCounters{c.Store, c.now}.Delete(ctx, keys...)
}

func (c *Core[U]) countedStoredLately() bool {
	return c.now().UnixNano()-c.countedStored.Load() <= int64(heedStored)
}

// heedStored is how long after an outage of the cache what was counted in the database is looked at, and forgotten, with the rest.
const heedStored = 15 * time.Minute

// release gives back what was taken and led to nothing, also when its caller went away.
func (c *Core[U]) release(ctx context.Context, limits ...cache.Limit) {
	ctx = context.WithoutCancel(ctx)
	if err := c.count(ctx, func(by counters) error { return by.Release(ctx, limits...) }); err != nil {
		c.Logger.WarnContext(ctx, "what was counted was not given back", slog.Any("error", err))
	}
}

const cacheLogPause = time.Minute

// reportCache counts that the cache did not answer, and logs it once a minute.
func (c *Core[U]) reportCache(ctx context.Context, err error) {
	c.cacheErrors.Add(1)
	now, last := c.now().UnixNano(), c.cacheLogged.Load()
	if (last == 0 || now-last >= int64(cacheLogPause)) && c.cacheLogged.CompareAndSwap(last, now) {
		c.Logger.WarnContext(ctx, "the cache does not answer, or is full: limits are counted in the database, and what other nodes revoke is read from it each second", slog.Any("error", err))
	}
}
