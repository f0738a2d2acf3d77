package passwords_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

func slow(string) time.Duration { return 10 * time.Millisecond }

// PASS-35, SEC-65: 64 callers, at most three at once, first come, first served; Hash, Verify and the dummy alike.
func TestQueueIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{delay: slow}
		p := mustNew(t, passwords.Config{Hasher: f, MaxConcurrent: 3})
		var want []string
		took := elapsed(func() {
			var wg sync.WaitGroup
			for i := range 64 {
				password := fmt.Sprintf("password %02d", i)
				want = append(want, password)
				wg.Go(func() {
					if i%2 == 0 {
						if err := p.VerifyDummy(t.Context(), roster.Secret(password)); err != nil {
							t.Error(err)
						}
					} else if !verify(t, p, "fake:"+password, password).OK {
						t.Errorf("%s is wrong", password)
					}
				})
				synctest.Wait() // the next one comes after this one
			}
			wg.Wait()
		})
		got := f.passwords()
		for three := range slices.Chunk(got, 3) {
			slices.Sort(three) // they begin together
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("not in turn (-want +got)\n%s", diff)
		}
		if _, top := f.atOnce(); top != 3 {
			t.Errorf("got %d at once, want 3", top)
		}
		if want := 22 * 10 * time.Millisecond; took != want {
			t.Errorf("took %v, want %v: places stood empty", took, want)
		}
	})
}

// PASS-35: beyond MaxWaiting the answer is unavailable, at once, with a time to come back.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{delay: slow}
		p := mustNew(t, passwords.Config{Hasher: f, MaxConcurrent: 1, MaxWaiting: 2})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { verify(t, p, "fake:x", "x") })
		}
		synctest.Wait()
		took := elapsed(func() {
			_, errVerify := p.Verify(t.Context(), "fake:x", "x")
			_, errHash := p.Hash(t.Context(), "x")
			for _, err := range []error{errVerify, errHash, p.VerifyDummy(t.Context(), "x")} {
				var e *roster.Error
				if !errors.As(err, &e) || e.Code != roster.CodeUnavailable || e.RetryAfter != time.Second {
					t.Errorf("got %v, want unavailable for 1 s", err)
				}
			}
		})
		if took != 0 {
			t.Errorf("it waited %v", took)
		}
		wg.Wait()
		if got := f.runs(); got != 3 {
			t.Errorf("got %d runs, want 3", got)
		}
		verify(t, p, "fake:x", "x") // there is room again
	})
}

// PASS-35: who waits no longer leaves with the context's error, takes no place and keeps none.
func TestQueueObeysTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{delay: slow}
		p := mustNew(t, passwords.Config{Hasher: f, MaxConcurrent: 1, MaxWaiting: 2})
		var wg sync.WaitGroup
		wg.Go(func() { verify(t, p, "fake:first", "first") })
		synctest.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := p.Verify(ctx, "fake:gone", "gone")
			if !errors.Is(err, context.Canceled) || !errors.Is(err, roster.ErrUnavailable) {
				t.Errorf("cancelled: got %v", err)
			}
		})
		synctest.Wait()
		late, cancelLate := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancelLate()
		wg.Go(func() {
			if _, err := p.Hash(late, "late"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("too late: got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		wg.Go(func() { verify(t, p, "fake:second", "second") }) // both have left the queue
		wg.Go(func() { verify(t, p, "fake:second", "second") })
		wg.Wait()
		if diff := cmp.Diff([]string{"first", "second", "second"}, f.passwords()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}

		if _, err := p.Verify(ctx, "fake:x", "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("ended before it came: got %v", err)
		}
		if got := f.runs(); got != 3 {
			t.Errorf("got %d runs, want 3", got)
		}
	})
}

// PASS-35: no place is lost when turns and ends of contexts meet.
func TestQueueLosesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := mustNew(t, passwords.Config{Hasher: f, MaxConcurrent: 3})
		var wg sync.WaitGroup
		for i := range 2_000 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				defer cancel()
				if _, err := p.Verify(ctx, "fake:x", "x"); err != nil && !errors.Is(err, roster.ErrUnavailable) {
					t.Error(err)
				}
			})
			if i%2 == 0 {
				wg.Go(cancel)
			}
		}
		wg.Wait()
		if _, top := f.atOnce(); top > 3 {
			t.Errorf("got %d at once, want at most 3", top)
		}

		f.delay = slow
		for range 4 {
			wg.Go(func() { verify(t, p, "fake:x", "x") })
		}
		synctest.Wait()
		if now, _ := f.atOnce(); now != 3 {
			t.Errorf("got %d at once afterwards, want 3", now)
		}
		wg.Wait()
	})
}

// PASS-35: a turn that comes in the moment when its caller leaves is handed on.
func TestQueueHandsTheTurnOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, passwords.Config{Hasher: &fake{delay: slow}, MaxConcurrent: 1})
		for range 200 {
			var wg sync.WaitGroup
			ctx, cancel := context.WithTimeout(t.Context(), slow(""))
			wg.Go(func() { verify(t, p, "fake:x", "x") })
			synctest.Wait()
			wg.Go(func() { _, _ = p.Verify(ctx, "fake:x", "x") })
			synctest.Wait()
			wg.Go(func() { verify(t, p, "fake:x", "x") })
			wg.Wait() // for ever, were the place lost
			cancel()
		}
	})
}

// PASS-35, PASS-38: an imported hash that needs the memory of several counts for several, and is not overtaken.
func TestQueueWeighsMemory(t *testing.T) {
	t.Parallel()
	const big = "$argon2id$v=19$m=1048576,t=1,p=1$" + b22 + "$" + b43
	check := func(t *testing.T, when string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", when, diff)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fake{all: true, delay: func(encoded string) time.Duration {
			if encoded == "fake:long" {
				return 100 * time.Millisecond
			}
			return 10 * time.Millisecond
		}}
		p := mustNew(t, passwords.Config{Hasher: f, MaxConcurrent: 4})
		var wg sync.WaitGroup
		queue := func(ctx context.Context, encoded, password string) {
			wg.Go(func() { _, _ = p.Verify(ctx, encoded, roster.Secret(password)) })
			synctest.Wait()
		}
		leaver, leave := context.WithCancel(t.Context())
		defer leave()
		queue(t.Context(), "fake:long", "long")
		queue(t.Context(), "fake:short", "short")
		queue(leaver, big, "big, impatient")
		queue(t.Context(), "fake:behind", "behind")
		check(t, "the big one waits for all places, the next for it", f.passwords(), "long", "short")
		time.Sleep(20 * time.Millisecond)
		check(t, "three are not enough", f.passwords(), "long", "short")
		leave()
		synctest.Wait()
		check(t, "the next need not wait when it leaves", f.passwords(), "long", "short", "behind")
		queue(t.Context(), big, "big")
		queue(t.Context(), "fake:last", "last")
		wg.Wait()
		check(t, "in turn", f.passwords(), "long", "short", "behind", "big", "last")
	})
}

// PASS-35: a Hasher that panics keeps no place.
func TestQueueSurvivesPanics(t *testing.T) {
	t.Parallel()
	f := &fake{delay: func(encoded string) time.Duration {
		if encoded == "fake:panic" {
			panic(encoded)
		}
		return 0
	}}
	p := mustNew(t, passwords.Config{Hasher: f, MaxConcurrent: 1})
	func() {
		defer func() { _ = recover() }()
		verify(t, p, "fake:panic", "x")
	}()
	verify(t, p, "fake:x", "x")
}
