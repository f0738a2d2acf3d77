package integration_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// cacheFault is a way in which the cache goes, and how it comes back.
type cacheFault struct {
	// client makes the one of a node.
	client func(i int) redis.UniversalClient
	begin  func() error
	// end is nil where the servers mend it by themselves.
	end func() error
	// total is a fault in which no call is answered.
	total bool
}

// opened makes the clients of nodes from a URL, as roster serve does.
func opened(t *testing.T, url string) func(int) redis.UniversalClient {
	t.Helper()
	return func(int) redis.UniversalClient {
		client, err := cache.OpenRedis(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
}

// closing ends a client with the test.
func closing[C redis.UniversalClient](t *testing.T, client C) C {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// STORE-34, STORE-42, STORE-45: the server is killed, and comes back with what it had some time before.
func TestFaultRedisKilled(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	outlasts(t, cacheFault{
		client: opened(t, "redis://"+server.Host()), total: true,
		begin: func() error {
			_, err := server.Do(t.Context(), "save")
			server.Kill()
			return err
		},
		end: func() error { return server.Start(t.Context()) },
	})
}

// STORE-34, STORE-42, STORE-45: the server is stopped, and comes back empty.
func TestFaultRedisEmptied(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	outlasts(t, cacheFault{
		// The client of a program that has set nothing.
		client: func(int) redis.UniversalClient {
			return closing(t, redis.NewClient(&redis.Options{Addr: server.Host()}))
		},
		begin: func() error { server.Stop(); return nil }, total: true,
		end: func() error { return server.Start(t.Context()) },
	})
}

// STORE-39, STORE-42, STORE-45, case 18: the server is there and does not answer.
func TestFaultRedisFrozen(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	outlasts(t, cacheFault{client: opened(t, "redis://"+server.Host()), begin: server.Freeze, end: server.Thaw, total: true})
}

// STORE-42: the server answers, and takes nothing: it is a replica, as a master is that comes back after its failover.
func TestFaultRedisReadOnly(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	outlasts(t, cacheFault{
		client: opened(t, "redis://"+server.Host()), total: true,
		begin: func() error { _, err := server.Do(t.Context(), "replicaof", "127.0.0.1", "1"); return err },
		end:   func() error { _, err := server.Do(t.Context(), "replicaof", "no", "one"); return err },
	})
}

// STORE-42: the server is full.
func TestFaultRedisFull(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	outlasts(t, cacheFault{
		client: opened(t, "redis://"+server.Host()), total: true,
		begin: func() error { _, err := server.Do(t.Context(), "config", "set", "maxmemory", "1"); return err },
		end:   func() error { _, err := server.Do(t.Context(), "config", "set", "maxmemory", "0"); return err },
	})
}

// STORE-42, STORE-45: nodes begin without the cache, and hear of each other once it is there.
func TestFaultRedisLate(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	server.Kill()
	client := opened(t, "redis://"+server.Host())
	ears := make([]*ear, 2)
	nodes := newFleet(t, rostertest.Address(t, rostertest.PostgreSQL), 2, func(i int, cfg *usersrepo.Config) {
		cfg.Cache = cache.NewRedis(client(i), cache.RedisConfig{})
		ears[i] = hardlyPolls(cfg)
	})
	for i, n := range nodes {
		m := n.member(t)
		if a := n.login(m.name, m.password); !a.is(http.StatusOK) {
			t.Errorf("log in without the cache: %s", a)
		}
		within(t, returns, "it has tried to listen again and again", func() bool { return ears[i].refused.Load() > 1 })
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, returns, "the nodes use the cache", nodes.counted(t))
	within(t, returns, "all listen", func() bool { return ears[0].listens.Load() > 0 && ears[1].listens.Load() > 0 })
	nodes[0].isHeard(t, nodes[1], ears[1], "afterwards")
	nodes[1].isHeard(t, nodes[0], ears[0], "afterwards")
}

// STORE-44: what others wrote under the keys of the repo is not there, and what they say on its channel says nothing.
func TestFaultRedisGarbage(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	client := opened(t, "redis://"+server.Host())
	nodes := newFleet(t, rostertest.Address(t, rostertest.PostgreSQL), 2, func(i int, cfg *usersrepo.Config) {
		cfg.Cache = cache.NewRedis(client(i), cache.RedisConfig{})
	})
	within(t, returns, "the nodes use the cache", nodes.counted(t))
	pair := nodes[0].issue(t, nodes[0].member(t).ID)
	if _, err := nodes[0].Revoke(t.Context(), pair.RefreshToken); err != nil {
		t.Fatal(err)
	}
	l := nodes.begin(t, 2)
	spoiled := 0
	spoil := func() bool {
		list, err := server.Do(t.Context(), "keys", "*")
		keys, _ := list.([]any)
		for i, key := range keys {
			commands := [][]any{{"set", key, ""}, {"set", key, "garbage"}, {"set", key, "9223372036854775807"}, {"set", key, "-1e400"}, {"set", key, "\x01\x00\xff"}}
			if i%2 == 0 {
				commands = [][]any{{"del", key}, {"lpush", key, "x"}}
			}
			for _, command := range commands[min(i%7, len(commands)-1):] {
				_, _ = server.Do(t.Context(), command...) // a list that takes no further one is garbage as well
			}
			spoiled++
		}
		for _, text := range []string{"", "0", "garbage", strings.Repeat("x", 1<<20)} {
			_, failed := server.Do(t.Context(), "publish", "roster:revocations", text)
			err = errors.Join(err, failed)
		}
		if err != nil {
			t.Fatal(err)
		}
		return spoiled > 200
	}
	within(t, 2*returns, "much is spoiled", spoil)
	nodes.once(t)
	l.done(t, longest, false)
	nodes.refuses(t, pair)
	if judged := nodes.guess(t, "afterwards"); judged > 60 {
		t.Errorf("afterwards %d guesses from one address are judged", judged)
	}
}

// STORE-40, STORE-43: with the database and the cache away nothing is judged, and what needs neither answers. All returns by
// itself, and what was sent meanwhile is not used up.
func TestFaultBothDown(t *testing.T) {
	t.Parallel()
	database, server := ownPostgres(t, "fsync=off"), ownRedis(t)
	client := opened(t, "redis://"+server.Host())
	nodes := newFleet(t, database.Address("postgres"), 2, func(i int, cfg *usersrepo.Config) {
		cfg.Cache = cache.NewRedis(client(i), cache.RedisConfig{})
	})
	m := nodes[0].member(t)
	live, ended := nodes[0].issue(t, m.ID), nodes[0].issue(t, m.ID)
	if _, err := nodes[1].Revoke(t.Context(), ended.RefreshToken); err != nil {
		t.Fatal(err)
	}
	nodes.refuses(t, ended)
	nodes[0].alive(t, live)
	token, err := nodes[0].SetPasswordResetToken(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	down := func(which string) {
		t.Helper()
		for i, n := range nodes {
			for what, a := range map[string]answer{
				"log in": n.login(m.name, m.password), "mistype": n.login(m.name, "wrong"), "somebody": n.login("nobody", "wrong"),
				"ask": n.me(live.AccessToken), "ask of an ended one": n.me(ended.AccessToken), "refresh": n.refresh(live.RefreshToken),
				"reset": n.reset(token, "another horse battery"), "forgot": n.ask("POST /password/forgot", fields{"login": m.name}),
				"register": n.ask("POST /register", fields{"username": "somebody", "password": passphrase}),
			} {
				known := what == "ask of an ended one" && a.is(http.StatusUnauthorized) // from memory
				if !a.unavailable() && !known || a.took > longest {
					t.Errorf("%s: node %d: %s: %s after %s", which, i, what, a, a.took)
				}
			}
			for _, path := range []string{"GET /.well-known/jwks.json", "GET /openapi.json"} {
				if a := n.ask(path, nil); !a.is(http.StatusOK) {
					t.Errorf("%s: node %d: %s: %s", which, i, path, a)
				}
			}
			if err := n.verdict(t, live); err != nil && !errors.Is(err, roster.ErrUnavailable) {
				t.Errorf("%s: node %d: a good token: %v", which, i, err)
			}
		}
	}
	server.Kill()
	database.Kill()
	down("both are killed")
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	down("the cache is back")
	server.Kill()
	if err := database.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes { // as without the cache
		within(t, returns, "service returns", func() bool { return n.login(m.name, m.password).is(http.StatusOK) })
	}
	if a := nodes[1].refresh(live.RefreshToken); !a.is(http.StatusOK) {
		t.Errorf("the refresh token was spent: %s", a)
	}
	if a := nodes[0].reset(token, "another horse battery"); !a.is(http.StatusOK) {
		t.Errorf("the reset token was spent: %s", a)
	}
	nodes.refuses(t, ended, live)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, returns, "the nodes use the cache again", nodes.counted(t))
}

// outlasts runs nodes through a fault of the cache, with people on them all the time. Nothing that was revoked before or
// meanwhile is accepted, what may be used once is used once, each limit holds, each answer is right, and afterwards all is
// as before by itself.
func outlasts(t *testing.T, f cacheFault) {
	t.Helper()
	started := time.Now()
	var listening *ear
	all := newFleet(t, rostertest.Address(t, rostertest.PostgreSQL), 4, func(i int, cfg *usersrepo.Config) {
		cfg.Cache = cache.NewRedis(f.client(i), cache.RedisConfig{})
		cfg.Protection.CloseAfter = 4
		if i == 3 {
			listening = hardlyPolls(cfg)
		}
	})
	nodes, listener := all[:3], all[3]
	hears := func(when string) {
		t.Helper()
		nodes[0].isHeard(t, listener, listening, when)
	}
	within(t, returns, "the nodes use the cache", all.counted(t))
	hears("before")
	victim := nodes[0].member(t)
	before, meanwhile := nodes[0].issue(t, victim.ID), nodes[1].issue(t, nodes[1].member(t).ID)
	if _, err := nodes[0].RevokeSessions(t.Context(), victim.ID); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		nodes.mistype(t, i, victim.name, http.StatusUnauthorized)
	}
	l := nodes.begin(t, 2)
	pace := nodes.pace()

	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	if err := nodes[2].Kick(t.Context(), nodes.subject(t, meanwhile)); err != nil {
		t.Fatal(err)
	}
	took := within(t, returns, "a revocation is known everywhere without the cache", func() bool {
		return errors.Is(nodes[0].verdict(t, meanwhile), roster.ErrSessionRevoked) && errors.Is(nodes[1].verdict(t, meanwhile), roster.ErrSessionRevoked)
	})
	t.Logf("a revocation was known without the cache after %s", took.Round(time.Millisecond))
	nodes.refuses(t, before, meanwhile)
	nodes.once(t)
	judged := nodes.guess(t, "meanwhile")
	if most := 60; judged > most || f.total && judged != 30 {
		t.Errorf("meanwhile %d guesses from one address are judged", judged)
	}
	for i := range 2 {
		nodes.mistype(t, i, victim.name, http.StatusUnauthorized)
	}
	closed := func(when string) {
		t.Helper()
		for i, n := range nodes {
			if a := n.login(victim.name, victim.password); !a.is(http.StatusUnauthorized) {
				t.Errorf("%s: node %d: the password was closed: %s", when, i, a)
			}
		}
	}
	closed("meanwhile")
	// Nodes and load share a slow machine, so this is not the 500 ms of a request: a client of Redis by itself waits for 3 s
	// and more, and that most log-ins do not.
	const wait = 2500 * time.Millisecond
	if now := nodes.pace(); now > pace+wait {
		t.Errorf("STORE-39: a log-in took %s, and now most take %s", pace, now)
	}

	if f.end != nil {
		if err := f.end(); err != nil {
			t.Fatal(err)
		}
	}
	took = within(t, 3*returns, "the nodes use the cache again", all.counted(t))
	t.Logf("the cache was used again after %s", took.Round(time.Millisecond))
	within(t, 3*returns, "nothing that was revoked meanwhile is missed", func() bool {
		return errors.Is(listener.verdict(t, meanwhile), roster.ErrSessionRevoked)
	})
	hears("afterwards")
	closed("afterwards")
	errorsBefore := nodes.cacheErrors()
	if judged = nodes.guess(t, "afterwards"); judged > 60 || judged != 30 && nodes.cacheErrors() == errorsBefore {
		t.Errorf("afterwards %d guesses from one address are judged", judged)
	}
	nodes.once(t)
	l.done(t, longest, false)
	all.refuses(t, before, meanwhile)
	for i, n := range nodes {
		// One a minute.
		lines := strings.Count(n.log.String(), "the cache does not answer")
		if most := 1 + int(time.Since(started)/time.Minute); lines < 1 || lines > most {
			t.Errorf("node %d: logs %d lines, want 1 to %d", i, lines, most)
		}
	}
}

// hardlyPolls makes a node that learns from the others what they revoke, and hardly by itself. While it cannot subscribe it
// reads each second all the same, and so what came over the feed is told by the ear.
func hardlyPolls(cfg *usersrepo.Config) *ear {
	cfg.Session.PollInterval, cfg.Session.MaxStaleness = 59*time.Second, time.Minute
	e := &ear{Cache: cfg.Cache}
	cfg.Cache = e
	return e
}

// ear is a cache that counts how a node listens.
type ear struct {
	cache.Cache
	refused, listens atomic.Int64 // tries to subscribe that failed, and those that did not
	heard            atomic.Int64 // messages of nodes
}

// Subscribe implements cache.Cache.
func (e *ear) Subscribe(ctx context.Context, channel string) (<-chan cache.Event, error) {
	feed, err := e.Cache.Subscribe(ctx, channel)
	if err != nil {
		e.refused.Add(1)
		return nil, err
	}
	e.listens.Add(1)
	passed := make(chan cache.Event)
	go func() {
		defer close(passed)
		for event := range feed {
			if event.Kind == cache.Received {
				e.heard.Add(1)
			}
			select {
			case passed <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return passed, nil
}

// isHeard checks that another node is told, over the feed, what is revoked on this one.
func (n *node) isHeard(t testing.TB, by *node, over *ear, when string) {
	t.Helper()
	pair := n.issue(t, n.member(t).ID)
	by.alive(t, pair)
	before := over.heard.Load()
	if _, err := n.Revoke(t.Context(), pair.RefreshToken); err != nil {
		t.Fatal(err)
	}
	within(t, returns, when+" nodes hear of each other", func() bool {
		return over.heard.Load() > before && errors.Is(by.verdict(t, pair), roster.ErrSessionRevoked)
	})
}

// counted returns a condition: every node counts in the cache.
func (f fleet) counted(t testing.TB) func() bool {
	ctx := context.WithoutCancel(t.Context())
	return func() bool {
		for _, n := range f {
			before := n.Stats().CacheErrors
			// So many keys that each node of a cluster has one.
			v, err := n.CheckTimeoutAndIncr(ctx, roster.Limit{Max: 1 << 30, Window: time.Minute},
				"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p")
			if err != nil || !v.Allowed || n.Stats().CacheErrors != before {
				return false
			}
		}
		return true
	}
}

func (f fleet) cacheErrors() (sum int64) {
	for _, n := range f {
		sum += n.Stats().CacheErrors
	}
	return sum
}

// subject is whose an access token is.
func (f fleet) subject(t testing.TB, pair roster.TokenPair) roster.ID {
	t.Helper()
	claims, err := f[0].VerifyToken(t.Context(), pair.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return claims.Subject
}

// mistype sends a wrong password, from an address of its own, to one node after the other.
func (f fleet) mistype(t testing.TB, i int, name string, status int) {
	t.Helper()
	if a := f[i%len(f)].login(name, "wrong"); !a.is(status) {
		t.Errorf("wrong password number %d: %s", i+1, a)
	}
}

// guess sends 70 wrong passwords of many from one address, to one node after the other, and returns how many are judged.
func (f fleet) guess(t testing.TB, when string) (judged int) {
	t.Helper()
	source := someAddress()
	for i := range 70 {
		a := f[i%len(f)].ask("POST /login", fields{"login": fmt.Sprint("nobody", i), "password": "wrong"}, source)
		switch {
		case a.is(http.StatusUnauthorized):
			judged++
		case !a.is(http.StatusTooManyRequests):
			t.Errorf("%s: guess %d: %s", when, i, a)
		}
	}
	return judged
}

// pace is how long a log-in mostly takes now.
func (f fleet) pace() time.Duration {
	took := make([]time.Duration, 25)
	for i := range took {
		took[i] = f[i%len(f)].login("stranger"+roster.NewID().String()[24:], "wrong").took
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// once checks that of 64 at once on all nodes one uses a code and one a reset token, and that all get one successor of a
// refresh token.
func (f fleet) once(t testing.TB) {
	t.Helper()
	const users = 64
	ctx := context.WithoutCancel(t.Context())
	m := f[0].member(t)
	x := f[0].otp(t, "once", roster.OTPRelated("user", m.ID.String()))
	codes := atOnce(users, func(i int) error {
		return use(ctx, f[i%len(f)].world, x, []roster.OTPObject{roster.OTPRelated("user", m.ID.String())})
	})
	if codes[""] != 1 || codes[""]+codes["wrong"] != users {
		t.Errorf("using a code: %v", codes)
	}
	pair := f[1].issue(t, m.ID)
	var mu sync.Mutex
	next := map[roster.Secret]int{}
	codes = atOnce(users, func(i int) error {
		p, err := f[i%len(f)].Refresh(ctx, pair.RefreshToken)
		mu.Lock()
		defer mu.Unlock()
		next[p.RefreshToken]++
		return err
	})
	if !maps.Equal(codes, map[roster.Code]int{"": users}) || len(next) != 1 {
		t.Errorf("refreshing: %v, %d successors", codes, len(next))
	}
	token, err := f[len(f)-1].SetPasswordResetToken(ctx, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	codes = atOnce(users, func(i int) error {
		_, err := f[i%len(f)].ResetPassword(ctx, token, roster.Secret(fmt.Sprint("another horse battery ", i)))
		return err
	})
	if !maps.Equal(codes, map[roster.Code]int{"": 1, "invalid_token": users - 1}) {
		t.Errorf("using a reset token: %v", codes)
	}
	f.refuses(t, pair)
}
