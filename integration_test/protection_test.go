package integration_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// guardedBy founds a world whose lanes are counted in memory, by its clock, or on Redis.
func guardedBy(t *testing.T, test func(t *testing.T, w *world), settings ...func(*usersrepo.Config)) {
	t.Helper()
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, found(t, rostertest.Open(t, rostertest.SQLite), settings...))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, found(t, rostertest.Open(t, rostertest.SQLite), append(settings, onRedis(t))...))
	})
}

func onRedis(t testing.TB) func(*usersrepo.Config) {
	t.Helper()
	client, err := cache.OpenRedis("redis://" + rostertest.Server(t, "ROSTER_TEST_REDIS"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	redis := cache.NewRedis(client, cache.RedisConfig{Prefix: "test:" + rand.Text() + ":", Timeout: 5 * time.Second})
	return func(cfg *usersrepo.Config) { cfg.Cache = redis }
}

// from is a context of a person at an address.
func from(ctx context.Context, ip string) context.Context {
	return roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, IP: ip})
}

// attempt logs in from an address and returns the code of the answer.
func (w *world) attempt(ctx context.Context, ip, login string, password roster.Secret) roster.Code {
	_, err := w.Login(from(ctx, ip), roster.PasswordCredentials(login, password))
	return codeOf(err)
}

const (
	wrong     = roster.Code("invalid_credentials")
	throttled = roster.Code("too_many_requests")
)

// PROT-6, PROT-16, SEC-9, SEC-10, case 17: as many as the limit says, whatever comes at once.
func TestLanesAtOnce(t *testing.T) {
	guardedBy(t, func(t *testing.T, w *world) {
		t.Run("PROT-6 lets 30 of 200 from one address through", func(t *testing.T) {
			verdicts := atOnce(200, func(i int) error {
				v, err := w.IsBruteforce(context.WithoutCancel(t.Context()), "203.0.113.1", fmt.Sprintf("user%d", i))
				if err != nil {
					return err
				}
				return v.Err()
			})
			same(t, map[roster.Code]int{"": 30, throttled: 170}, verdicts)
		})
		t.Run("PROT-6 lets 10 of 200 on one identifier through", func(t *testing.T) {
			verdicts := atOnce(200, func(i int) error {
				v, err := w.IsBruteforce(context.WithoutCancel(t.Context()), fmt.Sprintf("198.51.100.%d", i), "victim")
				if err != nil {
					return err
				}
				return v.Err()
			})
			same(t, map[roster.Code]int{"": 10, throttled: 190}, verdicts)
		})
		t.Run("PROT-6 PROT-34 lets 2 of 200 take a quota of 2, case 17", func(t *testing.T) {
			verdicts := atOnce(200, func(int) error {
				v, err := w.CheckTimeoutAndIncr(context.WithoutCancel(t.Context()), roster.Limit{Max: 2, Window: time.Minute}, "quota")
				if err != nil {
					return err
				}
				return v.Err()
			})
			same(t, map[roster.Code]int{"": 2, throttled: 198}, verdicts)
		})
	})
}

// PROT-16, SEC-10: of a hundred wrong passwords at once ten are looked at.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]func(t *testing.T) func(*usersrepo.Config){
		"memory": func(*testing.T) func(*usersrepo.Config) { return func(*usersrepo.Config) {} },
		"redis":  func(t *testing.T) func(*usersrepo.Config) { return onRedis(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hasher := &counter{}
			w := found(t, rostertest.Open(t, rostertest.SQLite), setting(t), func(cfg *usersrepo.Config) { cfg.Password.Hasher = hasher })
			w.add(t, person("anna", "", ""), roster.WithPassword(secret))
			for _, login := range []string{"anna", "nobody"} { // case 7: known or not
				hasher.verified.Store(0)
				codes := atOnce(100, func(i int) error {
					_, err := w.Login(from(context.WithoutCancel(t.Context()), fmt.Sprintf("198.51.100.%d", i)), roster.PasswordCredentials(login, "wrong"))
					return err
				})
				same(t, map[roster.Code]int{wrong: 10, throttled: 90}, codes)
				same(t, int64(10), hasher.verified.Load())
			}
		})
	}
}

// PROT-1, PROT-2, PROT-15, cases 1 to 3, 18: the lane of an address.
func TestSourceLane(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		for i := range 15 {
			same(t, wrong, w.attempt(ctx, "203.0.113.7", fmt.Sprintf("user%d", i), "wrong"))
			same(t, "", w.attempt(ctx, "203.0.113.7", "anna", secret)) // case 2: right ones count too
		}
		_, err := w.Login(from(ctx, "203.0.113.7"), roster.PasswordCredentials("anna", secret))
		refused(t, err, roster.ErrTooManyRequests)
		if e := (*roster.Error)(nil); !errors.As(err, &e) || e.RetryAfter != time.Minute {
			t.Errorf("%+v, want a wait of a minute", err)
		}
		verdict, err := w.IsBruteforce(ctx, "203.0.113.7", "anyone")
		same(t, nil, err)
		same(t, roster.Verdict{Limit: 30, RetryAfter: time.Minute, ResetAt: w.Clock.Now().Add(time.Minute), Lane: "source"}, verdict)
		same(t, "", w.attempt(ctx, "203.0.113.8", "anna", secret))
		for i := range 10 { // case 3: what comes during the lock does not lengthen it
			w.Clock.Advance(5900 * time.Millisecond)
			same(t, throttled, w.attempt(ctx, "203.0.113.7", fmt.Sprintf("other%d", i), secret))
		}
		w.Clock.Advance(time.Second)
		for range 29 {
			same(t, "", w.attempt(ctx, "203.0.113.7", "anna", secret))
		}
		w.Clock.Advance(time.Minute) // the window has ended: the count begins at 0
		for range 30 {
			same(t, "", w.attempt(ctx, "203.0.113.7", "anna", secret))
		}
		same(t, throttled, w.attempt(ctx, "203.0.113.7", "anna", secret))
	})
}

// PROT-10 to PROT-13, SEC-3, case 19: what one address is.
func TestSources(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		n := 0
		exhaust := func(ips ...string) {
			t.Helper()
			for i := range 30 {
				n++
				same(t, wrong, w.attempt(ctx, ips[i%len(ips)], fmt.Sprintf("user%d", n), "wrong"))
			}
		}
		free := func(want bool, ip string) {
			t.Helper()
			n++
			got := w.attempt(ctx, ip, fmt.Sprintf("user%d", n), "wrong")
			if (got == wrong) != want {
				t.Errorf("%q: %s", ip, got)
			}
		}
		exhaust("203.0.113.7", "203.0.113.7:4711", "::ffff:203.0.113.7", "[::ffff:203.0.113.7]:80")
		free(false, "203.0.113.7")
		free(true, "203.0.113.70")
		exhaust("2001:db8:1:2:aaaa::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "[2001:db8:1:2::9]:443")
		free(false, "2001:db8:1:2::")
		free(true, "2001:db8:1:3::1")
		exhaust("fe80::1%eth0")
		free(false, "fe80::2%eth1")
		exhaust("unknown", "999.1.1.1", "\x00\xff")
		free(false, "anything")
		for range 40 {
			free(true, "") // PROT-12
		}
		for range 40 {
			free(true, "10.1.2.3")
			free(true, "10.1.2.3:4711")
			free(true, "::ffff:10.1.2.3")
			free(true, "fd00::1%eth0")
		}
		for i := range 10 { // PROT-13 skips no other lane
			same(t, wrong, w.attempt(ctx, "10.1.2.3", "victim", roster.Secret(fmt.Sprint(i))))
		}
		same(t, throttled, w.attempt(ctx, "10.1.2.3", "victim", "wrong"))
	}, func(cfg *usersrepo.Config) { cfg.Protection.TrustedSources = []string{"10.0.0.0/8", "fd00::/8"} })
}

// PROT-17 to PROT-19, SEC-17, cases 5 to 8: the back-off of an identifier, the same whether there is such a user or not.
func TestIdentifierLane(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		ip := 0
		fail := func(login string, password roster.Secret) roster.Code {
			ip++
			return w.attempt(ctx, fmt.Sprintf("198.51.%d.%d", ip/250, ip%250), login, password)
		}
		for _, login := range []string{"anna", "nobody"} {
			for range 9 {
				same(t, wrong, fail(login, "wrong"))
			}
			for n, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
				wait *= time.Second
				same(t, wrong, fail(login, "wrong")) // failure 10 + n
				ip++
				_, err := w.Login(from(ctx, fmt.Sprintf("192.0.2.%d", n)), roster.PasswordCredentials(login, secret)) // case 8
				if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Code != throttled || e.RetryAfter != wait {
					t.Errorf("%s: failure %d: %+v, want a wait of %s", login, 10+n, err, wait)
				}
				w.Clock.Advance(wait - time.Microsecond)
				same(t, throttled, fail(login, secret)) // neither counted nor lengthening
				w.Clock.Advance(time.Microsecond)
			}
		}
		t.Run("PROT-18 lets the right password in at the very instant", func(t *testing.T) {
			same(t, "", fail("anna", secret))
			same(t, wrong, fail("anna", "wrong"))
			same(t, "", fail("anna", secret))
		})
		t.Run("PROT-19 forgets 15 min after the end of the wait, or after the last failure", func(t *testing.T) {
			for _, tt := range []struct {
				failures int
				wait     time.Duration
			}{{9, 0}, {10, time.Second}} {
				login := fmt.Sprintf("nobody%d", tt.failures)
				for range tt.failures {
					same(t, wrong, fail(login, "wrong"))
				}
				w.Clock.Advance(15*time.Minute + tt.wait)
				for range 10 {
					same(t, wrong, fail(login, "wrong"))
				}
				same(t, throttled, fail(login, "wrong"))
				w.Clock.Advance(15*time.Minute + time.Second - time.Microsecond)
				same(t, wrong, fail(login, "wrong")) // the count was there still: a longer wait
				w.Clock.Advance(time.Second)
				same(t, throttled, fail(login, "wrong"))
			}
		})
	})
}

// PROT-20, IDENT-32, SEC-12, SEC-13, case 9: one counter for all spellings, of users and of nobody.
func TestIdentifierKeys(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("éric", "a@bücher.example", "+12025550101"), roster.WithPassword(secret))
		for _, spellings := range [][]string{
			{"éric", "e\u0301ric", " ÉRIC\n", "ｅ\u0301ric"},
			{"a@bücher.example", "A@BÜCHER.example ", "a@xn--bcher-kva.example"},
			{"+12025550101", "(202) 555-0101", "1 202 555 0101", "１２０２５５５０１０１"},
			{"nobody", "ＮＯＢＯＤＹ", "NoBody "},
			{"what is this?", " WHAT is THIS? ", "ｗhat is this?"},
		} {
			for i := range 10 {
				same(t, wrong, w.attempt(ctx, fmt.Sprintf("198.51.100.%d", i), spellings[i%len(spellings)], "wrong"))
			}
			for i, login := range spellings {
				same(t, throttled, w.attempt(ctx, fmt.Sprintf("192.0.2.%d", i), login, secret))
			}
		}
		// PROT-21: an over-long one counts for its address alone, at the price of one verification.
		long := fmt.Sprintf("%0321d", 0)
		for i := range 30 {
			same(t, wrong, w.attempt(ctx, "203.0.113.9", long+fmt.Sprint(i%2), secret))
		}
		same(t, throttled, w.attempt(ctx, "203.0.113.9", long, secret))
	}, func(cfg *usersrepo.Config) { cfg.Phone.DefaultRegion = "US" })
}

// PROT-14, PROT-22, SEC-14, cases 4 and 10: what a success clears, and what it leaves.
func TestSuccessClears(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("victim", "", ""), roster.WithPassword(secret))
		w.add(t, person("thief", "", ""), roster.WithPassword(secret))
		for range 3 { // case 4
			for i := range 9 {
				same(t, wrong, w.attempt(ctx, "", "victim", roster.Secret(fmt.Sprint(i))))
			}
			same(t, "", w.attempt(ctx, "", "victim", secret))
		}
		for range 9 { // case 10
			same(t, wrong, w.attempt(ctx, "203.0.113.7", "victim", "wrong"))
			same(t, "", w.attempt(ctx, "203.0.113.7", "thief", secret))
		}
		same(t, wrong, w.attempt(ctx, "203.0.113.7", "victim", "wrong"))
		same(t, throttled, w.attempt(ctx, "203.0.113.7", "victim", "wrong"))
		for range 10 { // the address went on counting: 20 so far
			w.attempt(ctx, "203.0.113.7", "thief", secret)
		}
		same(t, throttled, w.attempt(ctx, "203.0.113.7", "thief", secret))
	})
}

// PROT-22: a cache that can put deletes off is asked to, and any other deletes at once.
func TestSuccessClearsSoon(t *testing.T) {
	t.Parallel()
	for name, can := range map[string]bool{"a cache that can": true, "one that cannot": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			put := putsOff{Cache: cache.NewMemory(cache.MemoryConfig{})}
			w := found(t, rostertest.Open(t, rostertest.SQLite), func(cfg *usersrepo.Config) {
				if cfg.Cache = &put; !can {
					cfg.Cache = struct{ cache.Cache }{&put}
				}
			})
			w.add(t, person("annie", "", ""), roster.WithPassword(secret))
			same(t, "", w.attempt(t.Context(), "203.0.113.7", "annie", secret))
			calls := [2]int64{0, 1}
			if can {
				calls = [2]int64{1, 0}
			}
			same(t, calls, [2]int64{put.soon.Load(), put.deleted.Load()})
		})
	}
}

// putsOff is a cache.SoonDeleter that counts.
type putsOff struct {
	cache.Cache
	soon, deleted atomic.Int64
}

func (p *putsOff) Delete(ctx context.Context, keys ...string) error {
	p.deleted.Add(1)
	return p.Cache.Delete(ctx, keys...)
}

// DeleteSoon implements cache.SoonDeleter.
func (p *putsOff) DeleteSoon(ctx context.Context, keys ...string) error {
	p.soon.Add(1)
	return p.Cache.Delete(ctx, keys...)
}

// PROT-15: what a locked address asks for is not judged, and does not lock out whom it asks for.
func TestLockedSourceLocksNobodyOut(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("victim", "", ""), roster.WithPassword(secret))
		for i := range 30 {
			same(t, wrong, w.attempt(ctx, "203.0.113.7", fmt.Sprint("nobody", i), "wrong"))
		}
		for range 50 {
			same(t, throttled, w.attempt(ctx, "203.0.113.7", "victim", "wrong"))
		}
		for i := range 9 {
			same(t, wrong, w.attempt(ctx, "198.51.100.1", "victim", roster.Secret(fmt.Sprint("wrong", i))))
		}
		same(t, "", w.attempt(ctx, "198.51.100.1", "victim", secret))
	})
}

// PROT-14: when several lanes refuse, the longest wait is told; a lane that refuses counts nothing.
func TestLongestWait(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for range 10 {
			v, err := w.IsBruteforce(ctx, "203.0.113.7", "victim")
			same(t, nil, err)
			same(t, true, v.Allowed)
			same(t, time.Duration(0), v.RetryAfter)
		}
		for range 20 { // 10 … 30 of the address, with the identifier waiting 1 s
			v, err := w.IsBruteforce(ctx, "203.0.113.7", "victim")
			same(t, nil, err)
			same(t, []any{false, time.Second}, []any{v.Allowed, v.RetryAfter})
		}
		v, err := w.IsBruteforce(ctx, "203.0.113.7", "victim")
		same(t, nil, err)
		same(t, []any{false, "source", time.Minute}, []any{v.Allowed, v.Lane, v.RetryAfter})
		w.Clock.Advance(time.Second)
		v, err = w.IsBruteforce(ctx, "198.51.100.1", "victim") // the identifier counted none of the 21
		same(t, nil, err)
		same(t, true, v.Allowed)
		v, err = w.IsBruteforce(ctx, "198.51.100.2", "victim")
		same(t, nil, err)
		same(t, 2*time.Second, v.RetryAfter)
	})
}

// PROT-8, SEC-98: two repos on one store do not see each other's counters.
func TestCountersOfTwoRepos(t *testing.T) {
	t.Parallel()
	shared := cache.NewMemory(cache.MemoryConfig{})
	var first usersrepo.Config
	db := rostertest.Open(t, rostertest.SQLite)
	one := found(t, db, func(cfg *usersrepo.Config) { cfg.Cache = shared; first = *cfg })
	two := found(t, db, func(cfg *usersrepo.Config) {
		cfg.Cache, cfg.Secrets = shared, first.Secrets
		cfg.Store.UsersTable, cfg.Store.Prefix = "staff", "staff_"
	})
	for i := range 10 {
		same(t, wrong, one.attempt(t.Context(), "203.0.113.7", "anna", roster.Secret(fmt.Sprint(i))))
	}
	same(t, throttled, one.attempt(t.Context(), "203.0.113.7", "anna", "wrong"))
	same(t, wrong, two.attempt(t.Context(), "203.0.113.7", "anna", "wrong"))
}
