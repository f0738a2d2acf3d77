package integration_test

import (
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// through puts a network before the database at an address.
func through(t testing.TB, address string) (*servers.Proxy, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p, err := servers.StartProxy(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Cut)
	u.Host = p.Host()
	return p, u.String()
}

// STORE-40, STORE-41, STORE-45, STORE-49, SESS-45 to SESS-48, case 19: a node that is cut off from the database, by a network that refuses
// and by one that swallows all, answers in bounded time that it knows nothing. The others go on. What they end meanwhile it refuses
// from the moment on at which it answers again.
func TestFaultNodeCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]struct {
		apart func(p *servers.Proxy) error
		join  func(p *servers.Proxy) error
	}{
		"refused":   {func(p *servers.Proxy) error { p.Cut(); return nil }, (*servers.Proxy).Join},
		"swallowed": {(*servers.Proxy).Swallow, func(p *servers.Proxy) error { p.Heal(); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := rostertest.Address(t, rostertest.PostgreSQL)
			network, behind := through(t, address)
			shared := closely()
			f := newFleet(t, address, 3, func(i int, cfg *usersrepo.Config) {
				shared(i, cfg)
				cfg.Store.Timeout, cfg.Store.LockTimeout = 2*time.Second, 2*time.Second
				if i == 2 {
					cfg.DB = openAddress(t, behind)
				}
			})
			others, apart := f[:2], f[2]
			m := apart.member(t)
			doomed, live := apart.issue(t, m.ID), apart.issue(t, apart.member(t).ID)
			if a := apart.login(m.name, m.password); !a.is(200) { // connections that rest
				t.Fatal(a)
			}
			l := others.begin(t, 2)
			if err := cut.apart(network); err != nil {
				t.Fatal(err)
			}
			if err := others[0].Kick(t.Context(), m.ID); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 5 { // more than one connection is found out
				wg.Go(func() {
					for what, a := range map[string]answer{"refresh": apart.refresh(live.RefreshToken), "log in": apart.login(m.name, m.password)} {
						if !a.unavailable() || a.took > longest {
							t.Errorf("%s without a network: %v after %s", what, a, a.took)
						}
					}
				})
			}
			wg.Wait()
			apart.judged(t, "unknown after a time", doomed, nil, roster.ErrUnavailable)
			if err := cut.join(network); err != nil {
				t.Fatal(err)
			}
			apart.judged(t, "it knows at once what has ended", doomed, roster.ErrUnavailable, roster.ErrSessionRevoked)
			within(t, returns, "its refresh token was not spent", func() bool {
				_, err := apart.Refresh(t.Context(), live.RefreshToken)
				if err != nil && !errors.Is(err, roster.ErrUnavailable) {
					t.Fatal(err)
				}
				return err == nil
			})
			began := time.Now()
			if a := apart.login(m.name, m.password); !a.is(200) || time.Since(began) > 5*time.Second {
				t.Errorf("a log-in afterwards: %v after %s", a, time.Since(began))
			}
			l.done(t, longest, false)
			f.refuses(t, doomed)
		})
	}
}

// A slow network makes answers late, and none wrong.
func TestFaultNetworkSlow(t *testing.T) {
	t.Parallel()
	address := rostertest.Address(t, rostertest.PostgreSQL)
	network, behind := through(t, address)
	f := newFleet(t, behind, 2, closely())
	if err := network.Slow(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	l := f.begin(t, 3)
	l.done(t, longest, false)
}

// STORE-4, STORE-8, STORE-49, STORE-55, SESS-29, SESS-45, case 23: nodes behind PgBouncer in transaction mode, which is killed and started again.
func TestFaultPgBouncer(t *testing.T) {
	t.Parallel()
	address := rostertest.Address(t, rostertest.PostgreSQL)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	bouncer, err := servers.StartPgBouncer(t.Context(), port)
	if errors.Is(err, servers.ErrNoPgBouncer) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bouncer.Close)
	q := u.Query()
	schema, _, _ := strings.Cut(q.Get("search_path"), ",")
	q.Del("search_path")
	u.Host, u.RawQuery = bouncer.Host(), q.Encode()
	shared := closely()
	f := newFleet(t, address, 3, func(i int, cfg *usersrepo.Config) {
		shared(i, cfg)
		if i == 0 { // over a direct connection
			if _, err := usersrepo.New[*Person](*cfg); err != nil {
				t.Fatal(err)
			}
		}
		cfg.AutoMigrate = false
		cfg.DB, cfg.Store = openAddress(t, u.String()), store.Config{Pooled: true, Schema: schema}
	})
	live := f.pairs(t)
	l := f.begin(t, 3)
	time.Sleep(500 * time.Millisecond)
	f.race(t)
	bouncer.Kill()
	f.outage(t, live)
	if err := bouncer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.recovers(t, live)
	f.race(t)
	time.Sleep(500 * time.Millisecond)
	l.done(t, longest, true)
}

// race refreshes one session on all nodes at once, again and again: all have the same successor.
func (f fleet) race(t testing.TB) {
	t.Helper()
	pair := f[0].issue(t, f[0].member(t).ID)
	for range 5 {
		var wg sync.WaitGroup
		answers := make([]answer, 2*len(f))
		for i := range answers {
			wg.Go(func() { answers[i] = f[i%len(f)].refresh(pair.RefreshToken) })
		}
		wg.Wait()
		for _, a := range answers {
			if !a.is(200) || a.secret("refresh_token") != answers[0].secret("refresh_token") {
				t.Errorf("SESS-29: %v, or another successor", a)
			}
		}
		pair.RefreshToken = answers[0].secret("refresh_token")
	}
}
