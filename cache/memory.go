package cache

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// MemoryConfig configures NewMemory; the zero value is ready to use.
type MemoryConfig struct {
	// MaxEntries bounds the keys that are held at once. Default 100,000.
	MaxEntries int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Memory is a Cache in the memory of one process, exact to its clock and without a goroutine of its own.
//
// It is bounded. When it is full it drops what has ended, then copies, then counters nearest to their end; never what
// SetNX stored and never a counter that has reached its Max. When these fill half of it, and something new would push
// out the counters that are left, it answers [ErrFull] instead: dropped as fast as they are made, counters would limit
// nobody.
//
// Memory is a map under one lock, since that policy is a promise: caches that are built for hit rates, such as otter,
// choose for themselves what to drop, or whether to take in a new key at all, and their size is approximate.
type Memory struct {
	now   func() time.Time
	start time.Time
	max   int

	mu      sync.Mutex
	entries map[string]*entry
	queues  [queueCount]queue
	batch   uint64

	feedsMu sync.Mutex
	feeds   map[string]map[chan Event]struct{}
}

var _ Cache = (*Memory)(nil)

// NewMemory returns an empty cache.
func NewMemory(cfg MemoryConfig) *Memory {
	if cfg.MaxEntries <= 0 {
		cfg.MaxEntries = 100_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default of Now
	}
	return &Memory{
		now:     cfg.Now,
		start:   cfg.Now(),
		max:     cfg.MaxEntries,
		entries: make(map[string]*entry),
		feeds:   make(map[string]map[chan Event]struct{}),
	}
}

// Get implements Cache.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := checkKeys(ctx, key); err != nil {
		return nil, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.live(key, m.elapsed())
	if e == nil || e.counter {
		return nil, false, nil
	}
	return bytes.Clone(e.value), true, nil
}

// Set implements Cache.
func (m *Memory) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := m.set(ctx, key, value, ttl, copies)
	return err
}

// SetNX implements Cache.
func (m *Memory) SetNX(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return m.set(ctx, key, value, ttl, locks)
}

func (m *Memory) set(ctx context.Context, key string, value []byte, ttl time.Duration, q queueID) (bool, error) {
	if err := checkTTL(ctx, key, ttl); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.begin()
	e := m.live(key, now)
	if e != nil && q == locks {
		return false, nil
	}
	if e == nil {
		var err error
		if e, err = m.add(key, now); err != nil {
			return false, err
		}
	}
	e.counter, e.n, e.value = false, 0, append([]byte{}, value...)
	m.file(e, q, now+ttl)
	return true, nil
}

// Take implements Cache.
func (m *Memory) Take(ctx context.Context, key string) ([]byte, bool, error) {
	if err := checkKeys(ctx, key); err != nil {
		return nil, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.live(key, m.begin())
	if e == nil || e.counter {
		return nil, false, nil
	}
	m.remove(e)
	return e.value, true, nil
}

// Delete implements Cache.
func (m *Memory) Delete(ctx context.Context, keys ...string) error {
	if err := checkKeys(ctx, keys...); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begin()
	for _, key := range keys {
		if e := m.entries[key]; e != nil {
			m.remove(e)
		}
	}
	return nil
}

// Incr implements Cache.
func (m *Memory) Incr(ctx context.Context, key string, window time.Duration) (Count, error) {
	if err := checkTTL(ctx, key, window); err != nil {
		return Count{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.take(Limit{Key: key, Window: window}, m.begin())
}

// IncrBelow implements Cache.
func (m *Memory) IncrBelow(ctx context.Context, limits ...Limit) ([]Count, error) {
	if err := checkLimits(ctx, limits); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.begin()
	counts := make([]Count, len(limits))
	for i, l := range limits {
		var err error
		if counts[i], err = m.take(l, now); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func (m *Memory) take(l Limit, now time.Duration) (Count, error) {
	e := m.live(l.Key, now)
	n, ttl := e.counted(now)
	after, ttl, ok := l.take(n, ttl)
	if after != n {
		if e == nil {
			var err error
			if e, err = m.add(l.Key, now); err != nil {
				return Count{}, err
			}
		}
		e.counter, e.value, e.n, e.batch = true, nil, after, m.batch
		m.file(e, l.queue(after), now+ttl)
	}
	c := l.count(after, ttl, ok)
	c.Locked = after < 0 && n > 0
	return c, nil
}

// Release implements Cache.
func (m *Memory) Release(ctx context.Context, limits ...Limit) error {
	if err := checkLimitKeys(ctx, limits); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.begin()
	for _, l := range limits {
		e := m.live(l.Key, now)
		if e == nil || !e.counter {
			continue
		}
		n, ttl := l.giveBack(e.counted(now))
		e.n = n
		m.file(e, l.queue(n), now+ttl)
	}
	return nil
}

// Peek implements Cache.
func (m *Memory) Peek(ctx context.Context, limits ...Limit) ([]Count, error) {
	if err := checkLimitKeys(ctx, limits); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.elapsed()
	counts := make([]Count, len(limits))
	for i, l := range limits {
		counts[i] = l.peek(m.live(l.Key, now).counted(now))
	}
	return counts, nil
}
