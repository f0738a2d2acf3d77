package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// cluster returns repos of one program on one database, each with connections of its own.
func cluster(t *testing.T, kind rostertest.Kind, n int, settings ...func(i int, cfg *usersrepo.Config)) []*world {
	t.Helper()
	return clusterOn(t, rostertest.Address(t, kind), n, settings...)
}

// clusterOn does so on the database at an address.
func clusterOn(t *testing.T, address string, n int, settings ...func(i int, cfg *usersrepo.Config)) []*world {
	t.Helper()
	cfg, kit := rostertest.Config(t, openAddress(t, address))
	list := make([]*world, n)
	for i := range list {
		own, ownKit := cfg, *kit
		own.DB = openAddress(t, address)
		ownKit.DB = own.DB
		for _, set := range settings {
			set(i, &own)
		}
		repo, err := usersrepo.New[*Person](own)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = &world{repo, &ownKit, nil}
	}
	return list
}

// runs runs a repo until the test ends.
func (w *world) runs(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	})
}

var bothKinds = []rostertest.Kind{rostertest.PostgreSQL, rostertest.SQLite}

// eachKind runs a test on both databases.
func eachKind(t *testing.T, test func(t *testing.T, kind rostertest.Kind)) {
	t.Helper()
	t.Parallel()
	for _, kind := range bothKinds {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// verdict is what becomes of an access token.
func (w *world) verdict(t testing.TB, pair roster.TokenPair) error {
	t.Helper()
	_, err := w.VerifyToken(context.WithoutCancel(t.Context()), pair.AccessToken)
	return err
}

// within waits for something to become true, and tells how long it took.
func within(t testing.TB, most time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > most {
			t.Fatalf("not within %s: %s", most, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// SESS-17: judging a token takes no statement.
func TestVerifyWithoutStatement(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	pair := w.issue(t, w.add(t, person("anna", "", "")).ID)
	w.alive(t, pair)
	y.taken()
	for range 100 {
		w.alive(t, pair)
	}
	if texts := y.taken(); len(texts) > 0 {
		t.Errorf("took %d statements: %q", len(texts), texts)
	}
	w.Clock.Advance(2 * time.Second)
	for range 100 {
		w.alive(t, pair)
	}
	if texts := y.taken(); len(texts) != 1 {
		t.Errorf("without Run, once a PollInterval: took %d statements: %q", len(texts), texts)
	}
}

// SESS-45, SEC-35: whatever ends sessions holds on its node when it returns, and on the others within a PollInterval.
func TestRevocationReachesNodes(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		list := cluster(t, kind, 3)
		a := list[0]
		ctx := t.Context()
		admin := a.add(t, person("root1", "", ""), roster.WithSuperuser(true))
		for name, revoke := range map[string]struct {
			do   func(u *Person, pair roster.TokenPair) error
			want error
		}{
			"logout":       {func(_ *Person, pair roster.TokenPair) error { _, err := a.Revoke(ctx, pair.RefreshToken); return err }, roster.ErrSessionRevoked},
			"one session":  {func(u *Person, pair roster.TokenPair) error { return a.RevokeSession(ctx, u.ID, pair.SessionID) }, roster.ErrSessionRevoked},
			"all sessions": {func(u *Person, _ roster.TokenPair) error { _, err := a.RevokeSessions(ctx, u.ID); return err }, roster.ErrSessionRevoked},
			"kick":         {func(u *Person, _ roster.TokenPair) error { return a.Kick(ctx, u.ID) }, roster.ErrSessionRevoked},
			"ban":          {func(u *Person, _ roster.TokenPair) error { _, err := a.Ban(ctx, u.ID, roster.Ban{}); return err }, roster.ErrSessionRevoked},
			"archive":      {func(u *Person, _ roster.TokenPair) error { _, err := a.ArchiveUser(ctx, u.ID, ""); return err }, roster.ErrSessionRevoked},
			"delete":       {func(u *Person, _ roster.TokenPair) error { return a.Delete(ctx, u.ID, roster.Remove) }, roster.ErrSessionRevoked},
			"permission taken": {func(u *Person, _ roster.TokenPair) error {
				_, err := a.RemovePermissions(ctx, u.ID, []string{"x:read"})
				return err
			}, roster.ErrTokenExpired},
			"by hand": {func(u *Person, _ roster.TokenPair) error {
				_, err := a.DB.ExecContext(ctx, "DELETE FROM users WHERE username = '"+*u.Username+"'")
				return err
			}, roster.ErrSessionRevoked},
			"blackout": {func(*Person, roster.TokenPair) error { _, err := a.SetBlackout(ctx, roster.Blackout{}); return err }, roster.ErrSessionRevoked},
		} {
			t.Run(name, func(t *testing.T) {
				u := a.add(t, person("u"+roster.NewID().String()[24:], "", ""), roster.WithPermissions("x:read"))
				pair := a.issue(t, u.ID)
				for _, w := range list {
					w.alive(t, pair)
				}
				if err := revoke.do(u, pair); err != nil {
					t.Fatal(err)
				}
				if name != "by hand" { // of which the node was not told
					if err := a.verdict(t, pair); !errors.Is(err, revoke.want) {
						t.Errorf("on its node: %v", err)
					}
				}
				a.Clock.Advance(learns)
				for i, w := range list {
					if err := w.verdict(t, pair); !errors.Is(err, revoke.want) {
						t.Errorf("on node %d: %v", i, err)
					}
				}
				if name == "blackout" {
					later := a.issue(t, admin.ID)
					for _, w := range list {
						w.alive(t, later)
					}
				}
			})
		}
	})
}

// SESS-45, SESS-47: nodes that run learn of it from each other through the cache, at once, and without it by asking.
func TestRevocationFollowed(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]time.Duration{"shared cache": 5 * time.Second, "none": 15 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := cache.NewMemory(cache.MemoryConfig{Now: time.Now})
			list := cluster(t, rostertest.PostgreSQL, 3, func(_ int, cfg *usersrepo.Config) {
				cfg.Now = time.Now
				if name == "shared cache" {
					cfg.Cache = shared
					cfg.Session.PollInterval, cfg.Session.MaxStaleness = 30*time.Second, time.Minute // so that it is not the poll
				}
			})
			for _, w := range list {
				w.runs(t)
			}
			time.Sleep(100 * time.Millisecond)
			for range 5 {
				u := list[0].add(t, person("u"+roster.NewID().String()[24:], "", ""))
				pair := list[1].issue(t, u.ID)
				list[2].alive(t, pair)
				if err := list[0].Kick(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
				for _, w := range list {
					within(t, most, "refused", func() bool { return errors.Is(w.verdict(t, pair), roster.ErrSessionRevoked) })
				}
			}
		})
	}
}

// deaf is a cache on which nobody is told anything.
type deaf struct{ cache.Cache }

func (deaf) Publish(context.Context, string, []byte) error { return cache.ErrUnavailable }

func (deaf) Subscribe(context.Context, string) (<-chan cache.Event, error) {
	return nil, cache.ErrUnavailable
}

// SESS-46: a revocation stands and falls with what caused it, whatever the cache does.
func TestRevocationWithItsCause(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		list := cluster(t, kind, 2, func(_ int, cfg *usersrepo.Config) {
			cfg.Cache = deaf{cache.NewMemory(cache.MemoryConfig{Now: cfg.Now})}
		})
		a, b := list[0], list[1]
		u := a.add(t, person("anna", "", ""))
		pair := a.issue(t, u.ID)
		undone := errors.New("undone")
		err := a.InTx(t.Context(), func(ctx context.Context) error {
			if err := a.Kick(ctx, u.ID); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		a.Clock.Advance(2 * time.Second)
		a.alive(t, pair)
		b.alive(t, pair)
		if err := a.Kick(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		a.dead(t, pair)
		a.Clock.Advance(2 * time.Second)
		b.dead(t, pair)
	})
}

// SESS-47, case 18: a node that starts after a revocation refuses at its first request.
func TestRevocationBeforeStart(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		address := rostertest.Address(t, kind)
		cfg, kit := rostertest.Config(t, openAddress(t, address))
		start := func() *world {
			repo, err := usersrepo.New[*Person](cfg)
			if err != nil {
				t.Fatal(err)
			}
			return &world{repo, kit, nil}
		}
		a := start()
		u := a.add(t, person("anna", "", ""), roster.WithPermissions("x:read"))
		kicked, live := a.issue(t, u.ID), a.issue(t, a.add(t, person("ben", "", "")).ID)
		if err := a.Kick(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		b := start()
		b.dead(t, kicked)
		b.alive(t, live)
	})
}

// SESS-36, SESS-48, STORE-40, STORE-41, STORE-43, case 17: while the database does not answer tokens are judged from memory for MaxStaleness; then
// none is, and when it answers again all is as before.
func TestRevocationsUnknown(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	pair := w.issue(t, w.add(t, person("anna", "", "")).ID)
	dead := w.issue(t, w.add(t, person("ben", "", "")).ID)
	if _, err := w.Revoke(t.Context(), dead.RefreshToken); err != nil {
		t.Fatal(err)
	}
	tampered := pair
	tampered.AccessToken = roster.Secret(pair.AccessToken.Reveal()[:len(pair.AccessToken)-4] + "AAAA")
	judged := func(good, revoked, wrong error) {
		t.Helper()
		for _, x := range []struct {
			pair roster.TokenPair
			want error
		}{{pair, good}, {dead, revoked}, {tampered, wrong}} {
			if err := w.verdict(t, x.pair); !errors.Is(err, x.want) {
				t.Errorf("got %v, want %v", err, x.want)
			}
		}
	}
	judged(nil, roster.ErrSessionRevoked, roster.ErrInvalidToken)
	y.down.Store(true)
	for range 9 {
		w.Clock.Advance(time.Second)
		judged(nil, roster.ErrSessionRevoked, roster.ErrInvalidToken)
	}
	w.Clock.Advance(time.Second + time.Microsecond)
	judged(roster.ErrUnavailable, roster.ErrUnavailable, roster.ErrUnavailable)
	if _, err := w.Refresh(t.Context(), pair.RefreshToken); !errors.Is(err, roster.ErrUnavailable) {
		t.Errorf("SESS-36: refresh: %v", err)
	}
	if _, err := w.JWKS(t.Context()); err != nil {
		t.Errorf("STORE-43: JWKS: %v", err)
	}
	y.down.Store(false)
	w.Clock.Advance(time.Second)
	judged(nil, roster.ErrSessionRevoked, roster.ErrInvalidToken)
	if _, err := w.Refresh(t.Context(), pair.RefreshToken); err != nil {
		t.Errorf("SESS-36: the token was spent: %v", err)
	}
}

// SESS-49: what a node holds is bounded by what can still kill a token, and dropping it revives nothing.
func TestRevocationsDropped(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		w := cluster(t, kind, 1)[0]
		before := w.Stats().Revocations
		var pairs []roster.TokenPair
		for range 20 {
			u := w.add(t, person("u"+roster.NewID().String()[24:], "", ""))
			pairs = append(pairs, w.issue(t, u.ID))
			if err := w.Kick(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Stats().Revocations - before; n != 40 { // a session and an epoch each
			t.Errorf("holds %d", n)
		}
		last := w.issue(t, w.add(t, person("last", "", "")).ID)
		w.Clock.Advance(9 * time.Minute)
		w.dead(t, pairs[0])
		w.alive(t, last)
		if n := w.Stats().Revocations - before; n != 40 {
			t.Errorf("after 9 min holds %d", n)
		}
		w.Clock.Advance(3 * time.Minute)
		for _, pair := range pairs {
			refused(t, w.verdict(t, pair), roster.ErrTokenExpired)
			_, err := w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrSessionRevoked)
		}
		if n := w.Stats().Revocations - before; n != 0 {
			t.Errorf("after 12 min holds %d", n)
		}
		w.Clock.Advance(24 * time.Hour)
		if _, err := w.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(t, w.DB, "roster_revocations"); n != 0 {
			t.Errorf("the table has %d", n)
		}
	})
}

// SESS-45: administrators and those who change a way to log in are judged by the database: what was ended elsewhere a moment
// ago holds for them.
func TestGuardsAskTheDatabase(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		list := cluster(t, kind, 2)
		a, b := list[0], list[1]
		u := a.add(t, person("anna", "", ""), roster.WithPermissions("users:read"))
		pair := b.issue(t, u.ID)
		claims, err := b.VerifyToken(t.Context(), pair.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		ctx := roster.WithActor(t.Context(), roster.Actor{
			Kind: roster.ActorAdmin, ID: u.ID, SID: claims.SessionID, AuthTime: claims.AuthTime,
		})
		if err := errors.Join(b.Authorize(ctx, "users:read"), b.CheckFresh(ctx)); err != nil {
			t.Fatal(err)
		}
		if err := a.RevokeSession(t.Context(), u.ID, pair.SessionID); err != nil {
			t.Fatal(err)
		}
		b.alive(t, pair) // for a moment yet
		refused(t, b.Authorize(ctx, "users:read"), roster.ErrSessionRevoked)
		refused(t, b.CheckFresh(ctx), roster.ErrSessionRevoked)
	})
}

// openAddress opens a database of a test.
func openAddress(t testing.TB, address string) *sqlx.DB {
	t.Helper()
	db, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
