package cachetest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"time"

	"github.com/roster-go/roster/cache"
)

// holds checks that a key holds a value; nil: that it is missing.
func (s *suite) holds(t *attempt, key string, want []byte) {
	t.Helper()
	got, ok, err := s.Get(t.Context(), key)
	if err != nil || ok != (want != nil) || !bytes.Equal(got, want) {
		t.Errorf("Get(%q): got %q, %v, %v; want %q", key, got, ok, err, want)
	}
}

func (s *suite) set(t *attempt, key, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("Set(%q): %v", key, err)
	}
}

func (s *suite) values(t *attempt) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	key := s.key("v")
	s.holds(t, key, nil)
	for _, value := range [][]byte{[]byte("plain"), {}, {0}, []byte("\r\n*3\r\n"), all, bytes.Repeat(all, 1<<10), []byte("7")} {
		s.set(t, key, string(value), time.Hour)
		s.holds(t, key, value)
	}

	mine := []byte("mine")
	if err := s.Set(t.Context(), key, mine, time.Hour); err != nil {
		t.Fatal(err)
	}
	mine[0] = 'X'
	got, _, _ := s.Get(t.Context(), key)
	s.holds(t, key, []byte("mine"))
	if len(got) > 0 {
		got[0] = 'Y'
	}
	s.holds(t, key, []byte("mine"))

	if err := s.Set(t.Context(), key, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.holds(t, key, []byte{})
}

func (s *suite) expiry(t *attempt) {
	short, long, replaced := s.key("short"), s.key("long"), s.key("replaced")
	s.set(t, short, "s", s.unit())
	s.set(t, long, "l", time.Hour)
	s.set(t, replaced, "r", s.unit())
	s.set(t, replaced, "R", time.Hour)
	if s.advance != nil {
		s.pass(s.unit() - 1)
		s.holds(t, short, []byte("s"))
		s.pass(1)
	} else {
		s.pass(s.unit())
	}
	s.holds(t, short, nil)
	s.holds(t, long, []byte("l"))
	s.holds(t, replaced, []byte("R"))
	s.set(t, long, "L", s.unit())
	s.pass(s.unit())
	s.holds(t, long, nil)
}

func (s *suite) setNX(t *attempt) {
	race := s.key("race")
	stored := 0
	for _, ok := range parallel(t.Context(), t, 64, func(ctx context.Context) (bool, error) {
		return s.SetNX(ctx, race, []byte("x"), time.Hour)
	}) {
		if ok {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("64 parallel SetNX: %d stored, want 1", stored)
	}

	setNX := func(key, value string, ttl time.Duration, want bool) {
		t.Helper()
		got, err := s.SetNX(t.Context(), key, []byte(value), ttl)
		if err != nil || got != want {
			t.Errorf("SetNX(%q, %q): got %v, %v; want %v", key, value, got, err, want)
		}
	}
	key := s.key("nx")
	setNX(key, "first", time.Hour, true)
	setNX(key, "second", time.Hour, false)
	s.holds(t, key, []byte("first"))
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	setNX(key, "third", s.unit(), true)
	s.pass(s.unit())
	setNX(key, "fourth", time.Hour, true)
	s.holds(t, key, []byte("fourth"))

	counter := s.key("counter")
	if _, err := s.Incr(t.Context(), counter, time.Hour); err != nil {
		t.Fatal(err)
	}
	setNX(counter, "value", time.Hour, false)
}

func (s *suite) takeValue(t *attempt) {
	key := s.key("once")
	type taken struct {
		value []byte
		ok    bool
	}
	take := func(ctx context.Context) (taken, error) {
		value, ok, err := s.Take(ctx, key)
		return taken{value, ok}, err
	}
	for _, value := range []string{"secret", ""} {
		s.set(t, key, value, time.Hour)
		winners := 0
		for _, got := range parallel(t.Context(), t, 64, take) {
			if got.ok {
				winners++
				if string(got.value) != value {
					t.Errorf("Take: got %q, want %q", got.value, value)
				}
			}
		}
		if winners != 1 {
			t.Errorf("64 parallel Take: %d winners, want 1", winners)
		}
		s.holds(t, key, nil)
	}
	s.set(t, key, "late", s.unit())
	s.pass(s.unit())
	if got, _ := take(t.Context()); got.ok {
		t.Error("Take of a value that has ended: got one")
	}
}

func (s *suite) deletes(t *attempt) {
	ctx := t.Context()
	a, b, c, kept := s.key("a"), s.key("b"), s.key("c"), s.key("kept")
	for _, key := range []string{a, b, kept} {
		s.set(t, key, "x", time.Hour)
	}
	limit := cache.Limit{Key: c, Max: 1, Window: time.Hour}
	s.take(t, limit)
	if err := s.Delete(ctx, a, b, c, s.key("missing")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{a, b} {
		s.holds(t, key, nil)
	}
	want(t, s.take(t, limit), 1, true)
	if err := s.Delete(ctx, kept); err != nil {
		t.Fatal(err)
	}
	s.holds(t, kept, nil)
	if err := s.Delete(ctx); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
}

func (s *suite) deletesSoon(t *attempt) {
	c, ok := s.Cache.(cache.SoonDeleter)
	if !ok {
		return
	}
	value, limit := s.key("v"), cache.Limit{Key: s.key("c"), Max: 3, Window: time.Hour}
	s.set(t, value, "x", time.Hour)
	s.take(t, limit)
	if err := c.DeleteSoon(t.Context(), value, limit.Key, s.key("missing")); err != nil {
		t.Fatal(err)
	}
	s.holds(t, value, nil)
	want(t, s.take(t, limit), 1, true)
	if err := c.DeleteSoon(t.Context()); err != nil {
		t.Errorf("DeleteSoon of nothing: %v", err)
	}
	if err := c.DeleteSoon(t.Context(), value, ""); !errors.Is(err, cache.ErrKey) {
		t.Errorf("DeleteSoon of an empty key: %v", err)
	}
}

func (s *suite) kinds(t *attempt) {
	ctx := t.Context()
	counter, value := s.key("counter"), s.key("value")
	limit := cache.Limit{Key: counter, Max: 5, Window: time.Hour}
	s.take(t, limit)
	s.holds(t, counter, nil)
	if _, ok, err := s.Take(ctx, counter); ok || err != nil {
		t.Errorf("Take of a counter: got %v, %v", ok, err)
	}

	s.set(t, value, "12", time.Hour)
	limit.Key = value
	counts, err := s.Peek(ctx, limit)
	if err != nil {
		t.Fatal(err)
	}
	want(t, counts[0], 0, true)
	if err := s.Release(ctx, limit); err != nil {
		t.Fatal(err)
	}
	s.holds(t, value, []byte("12"))
	want(t, s.take(t, limit), 1, true)
	s.set(t, value, "13", time.Hour)
	s.holds(t, value, []byte("13"))
}

func (s *suite) refusals(t *attempt) {
	ctx, key := t.Context(), s.key("k")
	good := cache.Limit{Key: key, Max: 1, Window: time.Hour}
	bad := func(change func(*cache.Limit)) cache.Limit {
		l := good
		change(&l)
		return l
	}
	set := func(key string, ttl time.Duration) error { return s.Set(ctx, key, []byte("x"), ttl) }
	setNX := func(key string, ttl time.Duration) error {
		_, err := s.SetNX(ctx, key, []byte("x"), ttl)
		return err
	}
	incr := func(key string, window time.Duration) error {
		_, err := s.Incr(ctx, key, window)
		return err
	}
	below := func(limits ...cache.Limit) error {
		_, err := s.IncrBelow(ctx, limits...)
		return err
	}
	get := func() error { _, _, err := s.Get(ctx, ""); return err }
	take := func() error { _, _, err := s.Take(ctx, ""); return err }
	peek := func() error { _, err := s.Peek(ctx, good, cache.Limit{}); return err }
	subscribe := func() error { _, err := s.Subscribe(ctx, ""); return err }
	for _, c := range []struct {
		name string
		got  error
		want error
	}{
		{"Get without a key", get(), cache.ErrKey},
		{"Set without a key", set("", time.Hour), cache.ErrKey},
		{"SetNX without a key", setNX("", time.Hour), cache.ErrKey},
		{"Take without a key", take(), cache.ErrKey},
		{"Delete without a key", s.Delete(ctx, key, ""), cache.ErrKey},
		{"Incr without a key", incr("", time.Hour), cache.ErrKey},
		{"IncrBelow without a key", below(good, bad(func(l *cache.Limit) { l.Key = "" })), cache.ErrKey},
		{"Release without a key", s.Release(ctx, good, cache.Limit{Max: 1}), cache.ErrKey},
		{"Peek without a key", peek(), cache.ErrKey},
		{"Publish without a channel", s.Publish(ctx, "", nil), cache.ErrKey},
		{"Subscribe without a channel", subscribe(), cache.ErrKey},
		{"Set for no time", set(key, 0), cache.ErrTTL},
		{"Set for less than no time", set(key, -1), cache.ErrTTL},
		{"Set for ever", set(key, math.MaxInt64), cache.ErrTTL},
		{"SetNX for no time", setNX(key, 0), cache.ErrTTL},
		{"SetNX for less than no time", setNX(key, -time.Second), cache.ErrTTL},
		{"Incr for no time", incr(key, 0), cache.ErrTTL},
		{"Incr for less than no time", incr(key, -1), cache.ErrTTL},
		{"IncrBelow for no time", below(good, bad(func(l *cache.Limit) { l.Window = 0 })), cache.ErrTTL},
		{"IncrBelow for ever", below(good, bad(func(l *cache.Limit) { l.Window = math.MaxInt64 })), cache.ErrTTL},
		{"Max 0", below(good, bad(func(l *cache.Limit) { l.Max = 0 })), cache.ErrLimit},
		{"Max -1", below(good, bad(func(l *cache.Limit) { l.Max = -1 })), cache.ErrLimit},
		{"Lock below 0", below(good, bad(func(l *cache.Limit) { l.Lock = -1 })), cache.ErrLimit},
		{"Backoff below 0", below(good, bad(func(l *cache.Limit) { l.Backoff = -1 })), cache.ErrLimit},
		{"Backoff without an end", below(good, bad(func(l *cache.Limit) { l.Backoff = 1 })), cache.ErrLimit},
		{"Lock and Backoff", below(good, bad(func(l *cache.Limit) { l.Lock, l.Backoff, l.MaxBackoff = 1, 1, 1 })), cache.ErrLimit},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	s.holds(t, key, nil)
	want(t, s.take(t, good), 1, true) // so none of the calls counted
	if counts, err := s.IncrBelow(ctx); err != nil || len(counts) != 0 {
		t.Errorf("IncrBelow of nothing: got %v, %v", counts, err)
	}
}

func (s *suite) ended(t *attempt) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key := s.key("k")
	l := cache.Limit{Key: key, Max: 1, Window: time.Hour}
	for name, call := range map[string]func() error{
		"Get":       func() error { _, _, err := s.Get(ctx, key); return err },
		"Set":       func() error { return s.Set(ctx, key, nil, time.Hour) },
		"SetNX":     func() error { _, err := s.SetNX(ctx, key, nil, time.Hour); return err },
		"Take":      func() error { _, _, err := s.Take(ctx, key); return err },
		"Delete":    func() error { return s.Delete(ctx, key) },
		"Incr":      func() error { _, err := s.Incr(ctx, key, time.Hour); return err },
		"IncrBelow": func() error { _, err := s.IncrBelow(ctx, l); return err },
		"Release":   func() error { return s.Release(ctx, l) },
		"Peek":      func() error { _, err := s.Peek(ctx, l); return err },
		"Publish":   func() error { return s.Publish(ctx, key, nil) },
		"Subscribe": func() error { _, err := s.Subscribe(ctx, key); return err },
	} {
		// Often enough to open a breaker that took the caller's leaving for a failure.
		for range 6 {
			if err := call(); !errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%s: got %v, want context.Canceled", name, err)
			}
		}
	}
	want(t, s.take(t, l), 1, true)
}
