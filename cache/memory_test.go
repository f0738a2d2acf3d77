package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/cache/cachetest"
)

func newMemory(entries int) (*cache.Memory, *cachetest.Clock) {
	clock := cachetest.NewClock()
	return cache.NewMemory(cache.MemoryConfig{MaxEntries: entries, Now: clock.Now}), clock
}

func TestMemory(t *testing.T) { // STORE-33
	t.Parallel()
	cachetest.Run(t, func(*testing.T) cachetest.Harness {
		m, clock := newMemory(0)
		return cachetest.Harness{Cache: m, Advance: clock.Advance}
	})
}

// The suite takes another way through time with a real clock.
func TestMemoryInRealTime(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, func(*testing.T) cachetest.Harness {
		return cachetest.Harness{Cache: cache.NewMemory(cache.MemoryConfig{})}
	})
}

func set(t *testing.T, c cache.Cache, key string, ttl time.Duration) {
	t.Helper()
	if err := c.Set(t.Context(), key, []byte("copy"), ttl); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, c cache.Cache, key string) bool {
	t.Helper()
	_, ok, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func take(t *testing.T, c cache.Cache, limits ...cache.Limit) []cache.Count {
	t.Helper()
	counts, err := c.IncrBelow(t.Context(), limits...)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func counted(t *testing.T, c cache.Cache, key string) int64 {
	t.Helper()
	counts, err := c.Peek(t.Context(), cache.Limit{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return counts[0].N
}

func within(key string, limit int64, window time.Duration) cache.Limit {
	return cache.Limit{Key: key, Max: limit, Window: window}
}

func TestMemoryRoom(t *testing.T) {
	t.Parallel()

	t.Run("it drops copies first, the one that ends next before others (STORE-36)", func(t *testing.T) {
		t.Parallel()
		m, _ := newMemory(4)
		set(t, m, "long", time.Hour)
		set(t, m, "short", time.Minute)
		take(t, m, within("counter", 5, time.Second))
		take(t, m, within("lock", 1, time.Second))
		take(t, m, within("new", 5, time.Hour))
		if has(t, m, "short") || !has(t, m, "long") {
			t.Error("not the copy that ends next was dropped")
		}
		set(t, m, "newer", time.Hour)
		if has(t, m, "long") || counted(t, m, "counter") != 1 || counted(t, m, "lock") != 1 || m.Len() != 4 {
			t.Error("not the last copy was dropped")
		}
	})

	t.Run("it drops then counters nearest to their end (STORE-36)", func(t *testing.T) {
		t.Parallel()
		m, _ := newMemory(4)
		take(t, m, within("lock", 1, time.Second))
		take(t, m, within("far", 5, time.Hour), within("near", 5, time.Minute), within("middle", 5, 2*time.Minute))
		take(t, m, within("far", 5, time.Hour))
		set(t, m, "copy", time.Second)
		if counted(t, m, "near") != 0 || counted(t, m, "far") != 2 || counted(t, m, "middle") != 1 || counted(t, m, "lock") != 1 {
			t.Error("not the counter nearest to its end was dropped")
		}
	})

	t.Run("it drops what has ended before anything else (STORE-36)", func(t *testing.T) {
		t.Parallel()
		m, clock := newMemory(3)
		take(t, m, within("lock", 1, time.Minute))
		set(t, m, "copy", time.Hour)
		take(t, m, within("counter", 5, time.Hour))
		clock.Advance(time.Minute)
		take(t, m, within("new", 5, time.Hour))
		if !has(t, m, "copy") || counted(t, m, "counter") != 1 {
			t.Error("something alive was dropped")
		}
	})

	t.Run("it keeps locks under 200,000 other keys (SEC-18, PROT-9)", func(t *testing.T) {
		t.Parallel()
		m, _ := newMemory(0)
		window := within("window", 2, time.Minute)
		lock := cache.Limit{Key: "lock", Max: 1, Window: time.Second, Lock: time.Minute}
		wait := cache.Limit{Key: "wait", Max: 2, Window: time.Second, Backoff: time.Second, MaxBackoff: time.Minute}
		for range 3 {
			take(t, m, window, lock, wait)
		}
		if stored, err := m.SetNX(t.Context(), "once", nil, time.Second); !stored || err != nil {
			t.Fatal(stored, err)
		}
		for i := range 200_000 {
			if i%2 == 0 {
				set(t, m, fmt.Sprint("copy", i), time.Hour)
			} else {
				take(t, m, within(fmt.Sprint("counter", i), 5, time.Hour))
			}
		}
		for _, c := range take(t, m, window, lock, wait) {
			if c.OK {
				t.Errorf("%s passes again", c.Limit.Key)
			}
		}
		if stored, err := m.SetNX(t.Context(), "once", nil, time.Second); stored || err != nil {
			t.Errorf("SetNX again: got %v, %v", stored, err)
		}
		if m.Len() != 100_000 {
			t.Errorf("%d entries, want 100,000", m.Len())
		}
	})

	t.Run("it refuses new keys when it is full of locks (PROT-9, SEC-18)", func(t *testing.T) {
		t.Parallel()
		ctx := t.Context()
		m, clock := newMemory(10)
		for i := range 10 {
			take(t, m, within(fmt.Sprint("lock", i), 1, time.Minute))
		}
		if _, err := m.IncrBelow(ctx, within("new", 5, time.Hour)); !errors.Is(err, cache.ErrFull) {
			t.Errorf("IncrBelow: got %v, want ErrFull", err)
		}
		if _, err := m.Incr(ctx, "new", time.Hour); !errors.Is(err, cache.ErrFull) {
			t.Errorf("Incr: got %v, want ErrFull", err)
		}
		if err := m.Set(ctx, "new", nil, time.Hour); !errors.Is(err, cache.ErrFull) {
			t.Errorf("Set: got %v, want ErrFull", err)
		}
		if _, err := m.SetNX(ctx, "new", nil, time.Hour); !errors.Is(err, cache.ErrFull) {
			t.Errorf("SetNX: got %v, want ErrFull", err)
		}
		for i := range 10 {
			if c := take(t, m, within(fmt.Sprint("lock", i), 1, time.Minute)); c[0].OK {
				t.Errorf("lock %d is gone", i)
			}
		}
		clock.Advance(time.Minute)
		take(t, m, within("new", 5, time.Hour))
	})

	t.Run("it refuses rather than count in vain when locks leave little room (PROT-4)", func(t *testing.T) {
		t.Parallel()
		m, _ := newMemory(10)
		for i := range 8 {
			take(t, m, within(fmt.Sprint("lock", i), 1, time.Hour))
		}
		take(t, m, within("source", 5, time.Minute), within("identifier", 5, time.Hour))
		if _, err := m.IncrBelow(t.Context(), within("another", 5, time.Hour)); !errors.Is(err, cache.ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
		take(t, m, within("source", 5, time.Minute), within("identifier", 5, time.Hour))
		if n := counted(t, m, "source"); n != 2 {
			t.Errorf("%d counted, want 2", n)
		}
	})

	t.Run("it does not drop a take of a call for the next one of the same call (PROT-6)", func(t *testing.T) {
		t.Parallel()
		m, _ := newMemory(4)
		for i := range 4 {
			take(t, m, within(fmt.Sprint("counter", i), 5, time.Hour))
		}
		if _, err := m.IncrBelow(t.Context(), within("source", 5, time.Minute), within("identifier", 5, time.Hour)); !errors.Is(err, cache.ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
		if n := counted(t, m, "source"); n != 1 {
			t.Errorf("%d counted, want 1", n)
		}
	})

	t.Run("it can drop a counter again that a release took below its Max (STORE-36)", func(t *testing.T) {
		t.Parallel()
		m, _ := newMemory(2)
		a, b := within("a", 1, time.Hour), within("b", 1, time.Hour)
		take(t, m, a, b)
		if err := m.Release(t.Context(), a, b); err != nil {
			t.Fatal(err)
		}
		set(t, m, "copy", time.Hour)
	})

	t.Run("it does not grow with past attackers (PROT-9)", func(t *testing.T) {
		t.Parallel()
		m, clock := newMemory(0)
		for i := range 50_000 {
			clock.Advance(time.Second)
			take(t, m, within(fmt.Sprint("attacker", i), 1, 10*time.Second), within(fmt.Sprint("pair", i), 9, 10*time.Second))
		}
		if m.Len() > 40 {
			t.Errorf("%d entries, want those of the last ten seconds", m.Len())
		}
	})
}

func TestMemoryStartsNothing(t *testing.T) { // not parallel: it counts goroutines
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	m := cache.NewMemory(cache.MemoryConfig{})
	events, err := m.Subscribe(ctx, "channel")
	if err != nil {
		t.Fatal(err)
	}
	take(t, m, within("k", 5, time.Hour))
	set(t, m, "copy", time.Hour)
	if err := m.Publish(ctx, "channel", nil); err != nil {
		t.Fatal(err)
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	cancel()
	for range events {
	}
	settled(t, before)
}

// settled waits until no more than so many goroutines are left.
func settled(t *testing.T, want int) {
	t.Helper()
	for range 500 {
		if runtime.NumGoroutine() <= want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, want %d\n%s", runtime.NumGoroutine(), want, stacks[:runtime.Stack(stacks, true)])
}
