package cachetest

import (
	"context"
	"sync"
	"time"

	"github.com/roster-go/roster/cache"
)

func (s *suite) incr(t *attempt) {
	key, window := s.key("k"), 2*s.unit()
	incr := func(n int64, used time.Duration) {
		t.Helper()
		c, err := s.Incr(t.Context(), key, window)
		if err != nil {
			t.Fatal(err)
		}
		want(t, c, n, true)
		s.rest(t, "TTL", c.TTL, window, used)
	}
	incr(1, 0)
	incr(2, 0)
	s.pass(s.unit())
	incr(3, s.unit())
	if s.advance != nil {
		s.pass(s.unit() - 1)
		incr(4, window-1)
		s.pass(1)
	} else {
		s.pass(s.unit())
	}
	incr(1, 0)
}

func (s *suite) incrParallel(t *attempt) {
	key := s.key("k")
	seen := map[int64]bool{}
	for _, c := range parallel(t.Context(), t, 100, func(ctx context.Context) (cache.Count, error) {
		return s.Incr(ctx, key, time.Hour)
	}) {
		if c.TTL <= 0 || c.TTL > time.Hour {
			t.Errorf("TTL %v", c.TTL)
		}
		seen[c.N] = true
	}
	for n := range int64(100) {
		if !seen[n+1] {
			t.Errorf("nobody was number %d", n+1)
		}
	}
}

func (s *suite) incrBelow(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 3, Window: 2 * s.unit()}
	for n := range l.Max {
		c := s.take(t, l)
		want(t, c, n+1, true)
		s.rest(t, "TTL", c.TTL, l.Window, 0)
		if (c.Wait > 0) != (n+1 == l.Max) {
			t.Errorf("take %d: wait %v", n+1, c.Wait)
		}
	}
	for range 3 {
		c := s.take(t, l)
		want(t, c, 3, false)
		s.rest(t, "Wait", c.Wait, l.Window, 0)
	}
	s.pass(s.unit())
	c := s.take(t, l)
	want(t, c, 3, false)
	s.rest(t, "Wait", c.Wait, l.Window, s.unit())
	if s.advance != nil {
		s.pass(s.unit() - 1)
		want(t, s.take(t, l), 3, false)
		s.pass(1)
	} else {
		s.pass(s.unit())
	}
	want(t, s.take(t, l), 1, true)
}

func (s *suite) incrBelowParallel(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 30, Window: time.Hour}
	if passed := s.passed(t, 200, l); passed != 30 {
		t.Errorf("%d of 200 parallel takes passed, want 30", passed)
	}
	if c := s.take(t, l); c.OK || c.TTL <= 0 {
		t.Errorf("afterwards: got %+v, want a refusal with a TTL", c)
	}
}

// passed takes n times at once and returns how many passed.
func (s *suite) passed(t *attempt, n int, l cache.Limit) int {
	t.Helper()
	passed := 0
	for _, counts := range parallel(t.Context(), t, n, func(ctx context.Context) ([]cache.Count, error) {
		return s.IncrBelow(ctx, l)
	}) {
		if counts[0].TTL <= 0 {
			t.Errorf("TTL %v", counts[0].TTL)
		}
		if counts[0].OK {
			passed++
		}
	}
	return passed
}

// Every window has a first take, so those tell how many there were: no number may have passed more often.
func (s *suite) incrBelowAcrossWindows(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 5, Window: s.short / 4}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		passed [6]int
	)
	for range 16 {
		wg.Go(func() {
			for ctx.Err() == nil {
				counts, err := s.IncrBelow(t.Context(), l)
				if err != nil {
					t.Error(err)
					return
				}
				c := counts[0]
				if c.TTL <= 0 || c.TTL > l.Window || c.N < 1 || c.N > l.Max {
					t.Errorf("got %+v", c)
					return
				}
				if c.OK {
					mu.Lock()
					passed[c.N]++
					mu.Unlock()
				}
			}
		})
	}
	for range 8 {
		time.Sleep(2 * time.Millisecond) // a clock that is moved by hand leaves no time for takes
		s.pass(l.Window)
	}
	cancel()
	wg.Wait()
	if passed[1] == 0 {
		t.Error("nothing passed")
	}
	for n := 2; n <= 5; n++ {
		if passed[n] > passed[1] {
			t.Errorf("take %d passed %d times in %d windows", n, passed[n], passed[1])
		}
	}
}

func (s *suite) severalLimits(t *attempt) {
	ctx := t.Context()
	one := cache.Limit{Key: s.key("one"), Max: 1, Window: time.Hour}
	two := cache.Limit{Key: s.key("two"), Max: 2, Window: 2 * time.Hour}
	ten := cache.Limit{Key: s.key("ten"), Max: 10, Window: 3 * time.Hour}
	for _, round := range [][3]struct {
		n  int64
		ok bool
	}{
		{{1, true}, {1, true}, {1, true}},
		{{1, false}, {2, true}, {2, true}},
		{{1, false}, {2, false}, {3, true}},
	} {
		counts, err := s.IncrBelow(ctx, one, two, ten)
		if err != nil || len(counts) != 3 {
			t.Fatalf("got %v, %v", counts, err)
		}
		for i, l := range []cache.Limit{one, two, ten} {
			want(t, counts[i], round[i].n, round[i].ok)
			s.rest(t, "TTL", counts[i].TTL, l.Window, 0)
			if counts[i].Limit != l {
				t.Errorf("got limit %+v, want %+v", counts[i].Limit, l)
			}
		}
	}
	twice := cache.Limit{Key: s.key("twice"), Max: 5, Window: time.Hour}
	counts, err := s.IncrBelow(ctx, twice, twice)
	if err != nil {
		t.Fatal(err)
	}
	want(t, counts[0], 1, true)
	want(t, counts[1], 2, true)
}

func (s *suite) giveBack(t *attempt, limits ...cache.Limit) {
	t.Helper()
	if err := s.Release(t.Context(), limits...); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) release(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 2, Window: 2 * s.unit()}
	other := cache.Limit{Key: s.key("other"), Max: 2, Window: time.Hour}
	for n := range l.Max {
		want(t, s.take(t, l), n+1, true)
		want(t, s.take(t, other), n+1, true)
	}
	s.giveBack(t, l, other)
	for _, l := range []cache.Limit{l, other} {
		want(t, s.take(t, l), 2, true)
		want(t, s.take(t, l), 2, false)
	}
	for range 5 { // never below zero
		s.giveBack(t, l)
	}
	s.pass(s.unit())
	c := s.take(t, l)
	want(t, c, 1, true)
	s.rest(t, "TTL", c.TTL, l.Window, s.unit())
	s.giveBack(t, l)
	s.pass(s.unit()) // neither it nor the take has lengthened the window
	c = s.take(t, l)
	want(t, c, 1, true)
	s.rest(t, "TTL", c.TTL, l.Window, 0)

	missing := cache.Limit{Key: s.key("missing"), Max: 2, Window: time.Hour}
	s.giveBack(t, missing)
	s.giveBack(t)
	want(t, s.take(t, missing), 1, true)

	incr, err := s.Incr(t.Context(), s.key("incr"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.giveBack(t, incr.Limit)
	if c, err := s.Incr(t.Context(), incr.Limit.Key, time.Hour); err != nil || c.N != 1 {
		t.Errorf("Incr after Release: got %+v, %v", c, err)
	}
}

func (s *suite) lock(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 3, Window: s.unit(), Lock: 4 * s.unit()}
	for n := range l.Max {
		want(t, s.take(t, l), n+1, true)
	}
	c := s.take(t, l)
	want(t, c, 3, false)
	s.rest(t, "Wait at the start of the lock", c.Wait, l.Lock, 0)

	// The window is over, the lock is not. It neither counts, nor is lengthened, nor is it given back.
	s.pass(2 * s.unit())
	s.giveBack(t, l)
	c = s.take(t, l)
	want(t, c, 3, false)
	s.rest(t, "Wait in the lock", c.Wait, l.Lock, 2*s.unit())
	if s.advance != nil {
		s.pass(2*s.unit() - 1)
		want(t, s.take(t, l), 3, false)
		s.pass(1)
	} else {
		s.pass(2 * s.unit())
	}
	want(t, s.take(t, l), 1, true)
}

func (s *suite) backoff(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 3, Window: time.Hour, Backoff: s.unit() / 2, MaxBackoff: 2 * s.unit()}
	for n := range l.Max - 1 {
		c := s.take(t, l)
		want(t, c, n+1, true)
		s.rest(t, "TTL", c.TTL, l.Window, 0)
		if c.Wait != 0 {
			t.Errorf("take %d began a wait of %v", c.N, c.Wait)
		}
	}
	n := l.Max - 1
	for _, wait := range []time.Duration{s.unit() / 2, s.unit(), 2 * s.unit(), 2 * s.unit()} {
		n++
		c := s.take(t, l)
		want(t, c, n, true)
		s.rest(t, "Wait", c.Wait, wait, 0)
		s.rest(t, "TTL", c.TTL, l.Window+wait, 0)
		s.pass(wait / 2)
		c = s.take(t, l)
		want(t, c, n, false)
		s.rest(t, "Wait", c.Wait, wait, wait/2)
		if s.advance != nil {
			s.pass(wait/2 - 1)
			want(t, s.take(t, l), n, false)
			s.pass(1)
		} else {
			s.pass(wait / 2)
		}
	}
	if s.advance == nil {
		return
	}
	for range 200 { // no number of failures overflows
		n++
		c := s.take(t, l)
		want(t, c, n, true)
		s.rest(t, "Wait", c.Wait, l.MaxBackoff, 0)
		s.pass(l.MaxBackoff)
	}
	s.pass(l.Window - 1)
	n++
	want(t, s.take(t, l), n, true)
	s.pass(l.MaxBackoff + l.Window)
	want(t, s.take(t, l), 1, true) // forgotten
}

func (s *suite) backoffParallel(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 10, Window: time.Hour, Backoff: time.Minute, MaxBackoff: time.Hour}
	if passed := s.passed(t, 100, l); passed != 10 {
		t.Errorf("%d of 100 parallel takes passed, want 10", passed)
	}
	if s.advance == nil {
		return
	}
	for wait := l.Backoff; wait < time.Hour; wait *= 2 {
		s.pass(wait)
		if passed := s.passed(t, 100, l); passed != 1 {
			t.Errorf("%d of 100 parallel takes passed after a wait, want 1", passed)
		}
	}
}

func (s *suite) releaseBackoff(t *attempt) {
	l := cache.Limit{Key: s.key("k"), Max: 2, Window: 3 * time.Hour, Backoff: time.Hour, MaxBackoff: 4 * time.Hour}
	for range 5 { // whoever gives back at Max waits no longer
		for n := range l.Max {
			want(t, s.take(t, l), n+1, true)
		}
		want(t, s.take(t, l), 2, false)
		s.giveBack(t, l, l)
	}
	if s.advance == nil {
		return
	}
	s.take(t, l)
	s.pass(s.take(t, l).Wait)
	c := s.take(t, l)
	want(t, c, 3, true)
	s.rest(t, "Wait", c.Wait, 2*time.Hour, 0)
	s.pass(30 * time.Minute)
	s.giveBack(t, l) // one before it, which began a wait of an hour: so does this one now
	c = s.take(t, l)
	want(t, c, 2, false)
	s.rest(t, "Wait", c.Wait, time.Hour, 30*time.Minute)
	s.pass(c.Wait)
	want(t, s.take(t, l), 3, true)
	s.pass(90 * time.Minute)
	s.giveBack(t, l)
	c = s.take(t, l)
	want(t, c, 3, true)
	s.rest(t, "TTL", c.TTL, l.Window+2*time.Hour, 0)
	s.pass(c.Wait + time.Minute)
	s.giveBack(t, l) // after its wait it is forgotten no sooner and no later
	counts, err := s.Peek(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	want(t, counts[0], 2, true)
	s.rest(t, "TTL", counts[0].TTL, l.Window, time.Minute)
}

func (s *suite) peek(t *attempt) {
	ctx := t.Context()
	window := cache.Limit{Key: s.key("window"), Max: 2, Window: time.Hour}
	waits := cache.Limit{Key: s.key("waits"), Max: 1, Window: time.Hour, Backoff: time.Minute, MaxBackoff: time.Hour}
	locks := cache.Limit{Key: s.key("locks"), Max: 1, Window: time.Hour, Lock: 2 * time.Hour}
	for range 3 {
		counts, err := s.Peek(ctx, window, waits, locks)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range []cache.Limit{window, waits, locks} {
			if want := (cache.Count{Limit: l, OK: true}); counts[i] != want {
				t.Errorf("got %+v, want %+v", counts[i], want)
			}
		}
	}
	for range 2 {
		if _, err := s.IncrBelow(ctx, window, waits, locks); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		counts, err := s.Peek(ctx, window, waits, locks, cache.Limit{Key: window.Key})
		if err != nil {
			t.Fatal(err)
		}
		want(t, counts[0], 2, false)
		s.rest(t, "Wait of the window", counts[0].Wait, time.Hour, 0)
		want(t, counts[1], 1, false)
		s.rest(t, "Wait of the back-off", counts[1].Wait, time.Minute, 0)
		want(t, counts[2], 1, false)
		s.rest(t, "Wait of the lock", counts[2].Wait, 2*time.Hour, 0)
		want(t, counts[3], 2, true) // no bound asked about
	}
}
