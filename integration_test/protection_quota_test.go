package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// PROT-1, PROT-34, PROT-35, cases 14 and 21: a quota.
func TestQuota(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		limit := roster.Limit{Max: 2, Window: 1800 * time.Second}
		take := func(keys ...string) roster.Verdict {
			t.Helper()
			v, err := w.CheckTimeoutAndIncr(ctx, limit, keys...)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		t.Run("PROT-34 lets two pass in a window that begins with the first, case 14", func(t *testing.T) {
			now := w.Clock.Now()
			end := now.Add(1800 * time.Second)
			same(t, roster.Verdict{Allowed: true, Limit: 2, Remaining: 1, ResetAt: end, Lane: "quota"}, take("a"))
			w.Clock.Advance(600 * time.Second)
			same(t, roster.Verdict{Allowed: true, Limit: 2, Remaining: 0, ResetAt: end, Lane: "quota"}, take("a"))
			for range 3 {
				v := take("a")
				same(t, []any{false, 2, 0, end.Sub(w.Clock.Now()), end}, []any{v.Allowed, v.Limit, v.Remaining, v.RetryAfter, v.ResetAt})
				w.Clock.Advance(400*time.Second - time.Microsecond)
			}
			w.Clock.Advance(3 * time.Microsecond)
			same(t, true, take("a").Allowed)
			same(t, true, take("b").Allowed)
		})
		t.Run("PROT-39 gives back what the other keys took when one refuses", func(t *testing.T) {
			take("full")
			take("full")
			for range 5 {
				same(t, false, take("c", "full", "d").Allowed)
			}
			same(t, true, take("c", "d").Allowed)
			same(t, true, take("c", "d").Allowed)
			same(t, false, take("c").Allowed)
		})
		t.Run("PROT-35 refuses what makes no sense, case 21", func(t *testing.T) {
			for _, tt := range []struct {
				limit roster.Limit
				keys  []string
			}{
				{limit, nil},
				{limit, []string{""}},
				{limit, []string{"x", ""}},
				{limit, []string{strings.Repeat("x", 257)}},
				{roster.Limit{Max: 0, Window: time.Minute}, []string{"x"}},
				{roster.Limit{Max: -1, Window: time.Minute}, []string{"x"}},
				{roster.Limit{Max: 1}, []string{"x"}},
				{roster.Limit{Max: 1, Window: time.Second - 1}, []string{"x"}},
				{roster.Limit{Max: 1, Window: -time.Minute}, []string{"x"}},
			} {
				v, err := w.CheckTimeoutAndIncr(ctx, tt.limit, tt.keys...)
				refused(t, err, roster.ErrInvalidInput)
				same(t, roster.Verdict{}, v)
			}
			same(t, true, take(strings.Repeat("x", 256)).Allowed)
			same(t, true, take("\x00\xff").Allowed)
			same(t, true, take("x").Allowed)
			same(t, true, take("x").Allowed)
		})
	})
}

// down is a cache that answers nothing.
type down struct {
	cache.Cache
	is bool
}

func (d *down) IncrBelow(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error) {
	if d.is {
		return nil, cache.ErrUnavailable
	}
	return d.Cache.IncrBelow(ctx, limits...)
}

// PROT-4, case 20: without a count nothing is judged.
func TestLanesUnavailable(t *testing.T) {
	t.Parallel()
	hasher, lanes := &counter{}, &down{Cache: cache.NewMemory(cache.MemoryConfig{})}
	w := found(t, rostertest.Open(t, rostertest.SQLite), func(cfg *usersrepo.Config) { cfg.Cache, cfg.Password.Hasher = lanes, hasher })
	u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret))
	hasher.verified.Store(0)
	before := w.tables(t)
	lanes.is = true
	for _, call := range []func() error{
		func() error { _, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret)); return err },
		func() error { return w.CheckPassword(t.Context(), u.ID, secret) },
		func() error { return w.RequestEmailConfirmation(t.Context(), u.ID) },
		func() error { _, err := w.IsBruteforce(t.Context(), "203.0.113.7", "anna"); return err },
		func() error {
			_, err := w.CheckTimeoutAndIncr(t.Context(), roster.Limit{Max: 1, Window: time.Minute}, "x")
			return err
		},
		func() error {
			_, _, err := w.Register(from(t.Context(), "203.0.113.7"), person("berta", "", ""), secret)
			return err
		},
	} {
		refused(t, call(), roster.ErrUnavailable)
	}
	same(t, int64(0), hasher.verified.Load())
	same(t, before, w.tables(t))
	lanes.is = false
	w.enter(t, "anna")
}

// PROT-16, PROT-39, HOOK-28, SEC-11, case 25: what counts although the operation fails, and what does not.
func TestFailuresStand(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		fault := errors.New("no")
		t.Run("SEC-11 counts in a transaction that is undone", func(t *testing.T) {
			for range 10 {
				err := w.InTx(ctx, func(ctx context.Context) error {
					same(t, wrong, w.attempt(ctx, "", "undone", "wrong"))
					return fault
				})
				same(t, true, err != nil)
			}
			same(t, throttled, w.attempt(ctx, "", "undone", "wrong"))
		})
		t.Run("HOOK-28 counts although a hook of the failure fails", func(t *testing.T) {
			defer w.On.LoginFailed.After(func(context.Context, *callbacks.LoginFailed) error { return fault })()
			for range 10 {
				same(t, wrong, w.attempt(ctx, "", "hooked", "wrong"))
			}
			same(t, throttled, w.attempt(ctx, "", "hooked", "wrong"))
		})
		t.Run("PROT-32 lets a program settle attempts of its own", func(t *testing.T) {
			take := func() bool {
				v, err := w.IsBruteforce(ctx, "", "own")
				same(t, nil, err)
				return v.Allowed
			}
			w.fired()
			for range 9 {
				same(t, true, take())
				same(t, nil, w.RecordLoginFailure(ctx, "", "own", nil, roster.FailedBackend)) // no second count
			}
			same(t, 18, len(w.fired()))
			same(t, true, take())
			same(t, false, take())
			same(t, nil, w.RecordLoginSuccess(ctx, "", "own", w.NewID()))
			for range 10 {
				same(t, true, take())
			}
			same(t, false, take())
		})
		t.Run("PROT-16 gives back the attempt of a right secret that is refused", func(t *testing.T) {
			w.exec(t, "UPDATE users SET banned_at = $1", w.Clock.Now())
			for range 15 {
				same(t, roster.Code("banned"), w.attempt(ctx, "", "anna", secret))
			}
			w.exec(t, "UPDATE users SET banned_at = NULL")
			same(t, "", w.attempt(ctx, "", "anna", secret))
		})
	})
}
