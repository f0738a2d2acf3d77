package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/cache/cachetest"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
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
		t.Run("PROT-34 counts a program's quota apart from Roster's own", func(t *testing.T) {
			u := w.add(t, person("", "quota@example.com", ""))
			same(t, nil, w.RequestEmailConfirmation(ctx, u.ID))
			for _, key := range []string{"confirm_email:account:" + u.ID.String(), "route:login:203.0.113.7"} {
				same(t, 1, take(key).Remaining)
			}
			same(t, 0, take(roster.OwnQuota+"confirm_email:account:"+u.ID.String()).Remaining)
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

func (d *down) Peek(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error) {
	if d.is {
		return nil, cache.ErrUnavailable
	}
	return d.Cache.Peek(ctx, limits...)
}

func (d *down) Release(ctx context.Context, limits ...cache.Limit) error {
	if d.is {
		return cache.ErrUnavailable
	}
	return d.Cache.Release(ctx, limits...)
}

func (d *down) Delete(ctx context.Context, keys ...string) error {
	if d.is {
		return cache.ErrUnavailable
	}
	return d.Cache.Delete(ctx, keys...)
}

// full is a cache that takes nothing more, and answers and deletes.
type full struct{ *down }

func (f full) Peek(ctx context.Context, limits ...cache.Limit) ([]cache.Count, error) {
	return f.Cache.Peek(ctx, limits...)
}

func (f full) Delete(ctx context.Context, keys ...string) error { return f.Cache.Delete(ctx, keys...) }

// STORE-42: a success clears the lanes where they are counted, which the cache that was asked to need not be.
func TestLanesOfFullCache(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Cache = full{&down{Cache: cache.NewMemory(cache.MemoryConfig{}), is: true}}
		})
		w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret))
		for range 3 {
			for i := range 9 {
				same(t, wrong, w.attempt(t.Context(), "203.0.113.1", "anna", roster.Secret(fmt.Sprint("wrong", i))))
			}
			w.Clock.Advance(time.Minute)
			same(t, "", w.attempt(t.Context(), "203.0.113.1", "anna", secret))
		}
		t.Run("OTP-39 holds up codes of all addresses together", func(t *testing.T) {
			w.proven(t, person("", "ben@example.com", ""))
			w.loginCode(t, byLogin("ben@example.com"), "ben@example.com")
			codes := map[roster.Code]int{}
			for i := range 16 {
				_, err := w.Login(from(t.Context(), fmt.Sprintf("198.51.100.%d", i)), withCode("ben@example.com", "000000"))
				codes[codeOf(err)]++
			}
			same(t, map[roster.Code]int{wrong: 10, throttled: 6}, codes)
		})
	})
}

// STORE-42: strangers who fill the memory of a process with counters of their own hold nobody up.
func TestLanesOfFullMemory(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Cache = cache.NewMemory(cache.MemoryConfig{MaxEntries: 40, Now: cfg.Now})
		})
		w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret))
		for i := range 100 {
			_, err := w.Login(from(t.Context(), fmt.Sprintf("203.0.113.%d", i)), withCode(fmt.Sprint("nobody", i), "123456"))
			same(t, wrong, codeOf(err))
		}
		for i := range 9 {
			same(t, wrong, w.attempt(t.Context(), "198.51.100.1", "anna", roster.Secret(fmt.Sprint("wrong", i))))
		}
		same(t, "", w.attempt(t.Context(), "198.51.100.2", "anna", secret))
		for range 10 {
			same(t, wrong, w.attempt(t.Context(), "198.51.100.3", "anna", "wrong"))
		}
		same(t, throttled, w.attempt(t.Context(), "198.51.100.3", "anna", secret))
	})
}

// PROT-4, STORE-42, STORE-43, case 20: without the cache the database counts, and without either nothing is judged.
func TestLanesUnavailable(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		hasher, lanes := &counter{}, &down{Cache: cache.NewMemory(cache.MemoryConfig{})}
		w := found(t, db, func(cfg *usersrepo.Config) { cfg.Cache, cfg.Password.Hasher = lanes, hasher })
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret))
		lanes.is = true
		t.Run("STORE-42 keeps the limits of the lanes", func(t *testing.T) {
			for range 3 { // a success clears them
				for i := range 9 {
					same(t, wrong, w.attempt(ctx, "203.0.113.1", "anna", roster.Secret(fmt.Sprint("wrong", i))))
				}
				w.Clock.Advance(time.Minute)
				same(t, "", w.attempt(ctx, "203.0.113.1", "anna", secret))
			}
			for n, wait := range []time.Duration{1, 2, 4, 8} {
				if n == 0 {
					for range 9 {
						same(t, wrong, w.attempt(ctx, "", "nobody", "wrong"))
					}
				}
				same(t, wrong, w.attempt(ctx, "", "nobody", "wrong"))
				w.Clock.Advance(wait*time.Second - time.Microsecond)
				same(t, throttled, w.attempt(ctx, "", "nobody", "wrong"))
				w.Clock.Advance(time.Microsecond)
			}
			for i := range 30 {
				same(t, wrong, w.attempt(ctx, "203.0.113.2", fmt.Sprint("user", i), "wrong"))
			}
			for range 3 {
				same(t, throttled, w.attempt(ctx, "203.0.113.2", "anna", secret))
			}
			w.Clock.Advance(time.Minute)
			same(t, "", w.attempt(ctx, "203.0.113.2", "anna", secret))
		})
		t.Run("STORE-42 is exact, PROT-6", func(t *testing.T) {
			hasher.verified.Store(0)
			codes := atOnce(100, func(i int) error {
				_, err := w.Login(from(context.WithoutCancel(ctx), fmt.Sprintf("198.51.100.%d", i)), roster.PasswordCredentials("many", "wrong"))
				return err
			})
			same(t, map[roster.Code]int{wrong: 10, throttled: 90}, codes)
			same(t, int64(10), hasher.verified.Load())
			codes = atOnce(50, func(int) error {
				v, err := w.CheckTimeoutAndIncr(context.WithoutCancel(ctx), roster.Limit{Max: 7, Window: time.Minute}, "x")
				if err != nil {
					return err
				}
				return v.Err()
			})
			same(t, 7, codes[""])
		})
		t.Run("STORE-42 keeps quotas, and what a transaction undoes is counted all the same", func(t *testing.T) {
			for range 2 {
				same(t, nil, w.RequestEmailConfirmation(ctx, u.ID))
			}
			refused(t, w.RequestEmailConfirmation(ctx, u.ID), roster.ErrQuotaExhausted)
			for range 10 {
				_ = w.InTx(ctx, func(ctx context.Context) error {
					same(t, wrong, w.attempt(ctx, "", "undone", "wrong"))
					return errors.New("undo")
				})
			}
			same(t, throttled, w.attempt(ctx, "", "undone", "wrong"))
		})
		same(t, true, w.Stats().CacheErrors > 0)
		lanes.is = false
		w.enter(t, "anna")
		t.Run("STORE-43 judges nothing when neither answers", func(t *testing.T) {
			w.exec(t, "ALTER TABLE roster_counters RENAME TO roster_gone")
			lanes.is = true
			hasher.verified.Store(0)
			before := w.tables(t)
			for _, call := range []func() error{
				func() error { _, err := w.Login(ctx, roster.PasswordCredentials("anna", secret)); return err },
				func() error { return w.CheckPassword(ctx, u.ID, secret) },
				func() error { return w.RequestEmailConfirmation(ctx, u.ID) },
				func() error { _, err := w.IsBruteforce(ctx, "203.0.113.7", "anna"); return err },
				func() error {
					_, err := w.CheckTimeoutAndIncr(ctx, roster.Limit{Max: 1, Window: time.Minute}, "x")
					return err
				},
				func() error {
					_, _, err := w.Register(from(ctx, "203.0.113.7"), person("berta", "", ""), secret)
					return err
				},
			} {
				refused(t, call(), roster.ErrUnavailable)
			}
			same(t, int64(0), hasher.verified.Load())
			same(t, before, w.tables(t))
		})
	})
}

// PROT-4, PROT-6, STORE-35: the database counts by the same rules as a cache.
func TestStoredCounters(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		dialect, err := store.Probe(t.Context(), db)
		same(t, nil, err)
		migrator, err := store.NewMigrator(db, dialect, store.Config{}, time.Now)
		same(t, nil, err)
		_, err = migrator.Up(t.Context())
		same(t, nil, err)
		s, err := store.New(db, dialect, store.Config{}, nil, store.CommitHooks{})
		same(t, nil, err)
		t.Cleanup(func() { _ = s.Close() })
		t.Run("limits", func(t *testing.T) {
			cachetest.RunLimits(t, func(t *testing.T) cachetest.Harness {
				return cachetest.Harness{Cache: storedCache{mixins.StoredCounters{Store: s, Now: time.Now}, cache.NewMemory(cache.MemoryConfig{})}}
			})
		})
	})
}

// storedCache is what the suite wants: counters in the database, and a cache for what it does not test.
type storedCache struct {
	mixins.StoredCounters
	values
}

type values interface {
	Get(ctx context.Context, key string) ([]byte, bool, error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	SetNX(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
	Take(ctx context.Context, key string) ([]byte, bool, error)
	Publish(ctx context.Context, channel string, message []byte) error
	Subscribe(ctx context.Context, channel string) (<-chan cache.Event, error)
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
