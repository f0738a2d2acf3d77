// Package cachetest proves that a cache.Cache keeps its contract. Roster's own pass it; so should yours:
//
//	func TestCache(t *testing.T) {
//		cachetest.Run(t, func(t *testing.T) cachetest.Harness {
//			clock := cachetest.NewClock()
//			return cachetest.Harness{Cache: mycache.New(clock.Now), Advance: clock.Advance}
//		})
//	}
package cachetest

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster/cache"
)

// Harness is a cache under test.
type Harness struct {
	Cache cache.Cache
	// Advance moves the clock that was injected into the cache, and nothing else moves it: then the suite is exact to
	// the nanosecond. nil: the cache lives in real time, and the suite waits for it, a fraction of a second in all. A
	// part that fails then is made again with longer times, and fails when that does, too.
	Advance func(time.Duration)
}

// Clock is a clock that stands still until it is advanced.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows some time in the past.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
}

// Now returns the time that it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Run opens a cache for each part of the suite and tests it. Caches that share a store may run it side by side: no two
// runs use the same keys.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	RunLimits(t, open)
	run(t, open, map[string]func(*suite, *attempt){
		"it gives back what was stored (STORE-33)":                    (*suite).values,
		"it ends values on time (STORE-33)":                           (*suite).expiry,
		"it stores once under a free key (STORE-33)":                  (*suite).setNX,
		"it gives a value to one taker (STORE-33)":                    (*suite).takeValue,
		"it deletes values and counters (STORE-33)":                   (*suite).deletes,
		"it deletes soon, if it can (PROT-22)":                        (*suite).deletesSoon,
		"it tells values from counters (STORE-44)":                    (*suite).kinds,
		"it refuses what makes no sense (STORE-33)":                   (*suite).refusals,
		"it minds a context that has ended":                           (*suite).ended,
		"it counts in one window (STORE-35, PROT-7)":                  (*suite).incr,
		"it makes one window of 100 parallel first counts (STORE-35)": (*suite).incrParallel,
		"it carries messages to all who subscribed (STORE-33)":        (*suite).publish,
		"it ends a subscription with its context (STORE-33)":          (*suite).unsubscribe,
		"it tells who lags that messages are missing (SESS-47)":       (*suite).lag,
	})
}

// RunLimits tests what a cache counts by limits, and nothing else of it: IncrBelow, Release, Peek and Delete.
func RunLimits(t *testing.T, open func(t *testing.T) Harness) {
	run(t, open, map[string]func(*suite, *attempt){
		"it lets exactly Max takes pass in a window (PROT-34)":              (*suite).incrBelow,
		"it lets 30 of 200 parallel takes pass (STORE-35, PROT-6)":          (*suite).incrBelowParallel,
		"it holds Max in every window while windows end (STORE-35, PROT-7)": (*suite).incrBelowAcrossWindows,
		"it takes from each limit by itself (PROT-14)":                      (*suite).severalLimits,
		"it gives takes back (PROT-39)":                                     (*suite).release,
		"it locks at the first refusal (PROT-15)":                           (*suite).lock,
		"it backs off (PROT-17, PROT-18, PROT-19)":                          (*suite).backoff,
		"it lets one parallel take pass after a wait (PROT-6, PROT-17)":     (*suite).backoffParallel,
		"it gives back takes of a limit that backs off (PROT-16)":           (*suite).releaseBackoff,
		"it reads counters without taking (PROT-36)":                        (*suite).peek,
	})
}

func run(t *testing.T, open func(t *testing.T) Harness, parts map[string]func(*suite, *attempt)) {
	for name, test := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			var a *attempt
			for _, unit := range units(h) {
				a = &attempt{T: t}
				s := &suite{Cache: h.Cache, advance: h.Advance, short: unit, timed: &a.timed, tag: rand.Text()}
				a.run(func(a *attempt) { test(s, a) })
				if len(a.failures) == 0 || a.certain {
					break
				}
			}
			for _, f := range a.failures {
				t.Error(f)
			}
		})
	}
}

// suite is one run of one part.
type suite struct {
	cache.Cache
	advance func(time.Duration)
	short   time.Duration
	timed   *atomic.Bool
	tag     string
}

// key makes a key of this run. The hash tags spread them over a cluster.
func (s *suite) key(name string) string { return "{" + s.tag + name + "}:" + name }

// unit is a short time, in which a few calls are done, if the machine is not busy.
func (s *suite) unit() time.Duration {
	s.timed.Store(true)
	return s.short
}

// pass lets d pass, or a little more in real time.
func (s *suite) pass(d time.Duration) {
	if s.advance != nil {
		s.advance(d)
		return
	}
	time.Sleep(d + 2*time.Millisecond)
}

// rest checks the rest of a time of which used has passed.
func (s *suite) rest(t *attempt, what string, got, whole, used time.Duration) {
	t.Helper()
	switch want := whole - used; {
	case s.advance != nil && got != want:
		t.Errorf("%s: got %v, want %v", what, got, want)
	case got <= 0 || got > want:
		t.Errorf("%s: got %v, want above 0 and at most %v", what, got, want)
	}
}

// take takes from one limit.
func (s *suite) take(t *attempt, l cache.Limit) cache.Count {
	t.Helper()
	counts, err := s.IncrBelow(t.Context(), l)
	if err != nil || len(counts) != 1 {
		t.Fatalf("IncrBelow(%+v): got %+v, %v", l, counts, err)
	}
	return counts[0]
}

// want checks what a take or a question was answered, apart from times.
func want(t *attempt, c cache.Count, n int64, ok bool) {
	t.Helper()
	if c.N != n || c.OK != ok {
		t.Errorf("%s: got N %d, OK %v; want N %d, OK %v", c.Limit.Key, c.N, c.OK, n, ok)
	}
}

// parallel calls f n times at once and returns the answers.
func parallel[T any](ctx context.Context, t *attempt, n int, f func(context.Context) (T, error)) []T {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	answers, errs := make([]T, n), make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = f(ctx)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}
