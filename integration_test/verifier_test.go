package integration_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
	"github.com/roster-go/roster/verifier"
)

const serviceSecret = "orders-0123456789-0123456789-0123"

func asService(c *call) { c.SetBasicAuth("orders", serviceSecret) }

// serves mounts the endpoints of a node, for one service.
func (w *world) serves(t *testing.T) http.Handler {
	t.Helper()
	e := echo.New()
	cfg := routes.Config{
		Services: map[string][]roster.Secret{"orders": {serviceSecret}}, Limits: map[string]int{"*": 0}, Logger: slog.New(slog.DiscardHandler),
	}
	if _, err := routes.User(e.Group(""), w.UsersRepo, cfg); err != nil {
		t.Fatal(err)
	}
	return e
}

// service is a program that verifies the tokens of a server by itself.
func service(t *testing.T, handler http.Handler, run bool) *verifier.Verifier {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	v, err := verifier.New(verifier.Config{
		JWKS: server.URL + "/.well-known/jwks.json", Issuer: "https://app.example", Audience: "https://app.example",
		Revocations: &verifier.Revocations{URL: server.URL + "/token/revocations", Service: "orders", Secret: serviceSecret},
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !run {
		return v
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	t.Cleanup(func() { // before the server is closed, which waits for those that ask
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return v
}

// SESS-45, SESS-76, SESS-79: services on other nodes, and on all of them in turn, refuse within a second what was revoked on one.
func TestVerifierFollows(t *testing.T) {
	t.Parallel()
	shared := cache.NewMemory(cache.MemoryConfig{Now: time.Now})
	list := cluster(t, rostertest.PostgreSQL, 2, func(_ int, cfg *usersrepo.Config) {
		cfg.Now, cfg.Cache = time.Now, shared
		cfg.Session.PollInterval, cfg.Session.MaxStaleness = 30*time.Second, time.Minute // so that it is not the poll
	})
	a, b := list[0].serves(t), list[1].serves(t)
	for _, w := range list {
		w.runs(t)
	}
	var turn atomic.Int64
	inTurn := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if turn.Add(1)%2 == 0 {
			a.ServeHTTP(w, r)
			return
		}
		b.ServeHTTP(w, r)
	})
	services := map[string]*verifier.Verifier{
		"of the node": service(t, a, true), "of another": service(t, b, true), "of all in turn": service(t, inTurn, true), "without Run": service(t, b, false),
	}
	ctx := t.Context()
	node := list[0]
	for name, x := range map[string]struct {
		do   func(u *Person, pair roster.TokenPair) error
		want error
	}{
		"logout": {func(_ *Person, pair roster.TokenPair) error {
			_, err := node.Revoke(ctx, pair.RefreshToken)
			return err
		}, roster.ErrSessionRevoked},
		"kick": {func(u *Person, _ roster.TokenPair) error { return node.Kick(ctx, u.ID) }, roster.ErrSessionRevoked},
		"permission taken": {func(u *Person, _ roster.TokenPair) error {
			_, err := node.RemovePermissions(ctx, u.ID, []string{"x:read"})
			return err
		}, roster.ErrTokenExpired},
		"blackout": {func(*Person, roster.TokenPair) error { _, err := node.SetBlackout(ctx, roster.Blackout{}); return err }, roster.ErrSessionRevoked},
	} {
		u := node.add(t, person("u"+roster.NewID().String()[24:], "", ""), roster.WithPermissions("x:read"))
		pair := list[1].issue(t, u.ID)
		for who, v := range services {
			claims, err := v.VerifyToken(ctx, pair.AccessToken)
			if err != nil || claims.Subject != u.ID || claims.SessionID != pair.SessionID {
				t.Fatalf("%s: before %s: %v", who, name, err)
			}
		}
		if err := x.do(u, pair); err != nil {
			t.Fatal(err)
		}
		for who, v := range services {
			within(t, 5*time.Second, who+" refuses after "+name, func() bool {
				_, err := v.VerifyToken(ctx, pair.AccessToken)
				return errors.Is(err, x.want)
			})
		}
	}
}

// SESS-76: however many wait, the database is not asked more often; nobody waits for what is there, and users may not ask.
func TestListRevocations(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	ctx := t.Context()
	first, err := w.ListRevocations(ctx, "", time.Minute)
	if err != nil || first.AccessTTL != 10*time.Minute || first.More {
		t.Fatalf("got %+v, %v", first, err)
	}
	u := w.add(t, person("anna", "", ""))
	pair := w.issue(t, u.ID)
	y.taken()
	var wg sync.WaitGroup
	woken := make(chan roster.Revocations, 50)
	for range 50 {
		wg.Go(func() {
			r, err := w.ListRevocations(ctx, first.Position, 20*time.Second)
			if err != nil {
				t.Error(err)
			}
			woken <- r
		})
	}
	time.Sleep(1500 * time.Millisecond)
	if texts := y.taken(); len(texts) > 2 {
		t.Errorf("took %d statements: %q", len(texts), texts)
	}
	if len(woken) > 0 {
		t.Errorf("%d did not wait", len(woken))
	}
	began := time.Now()
	if err := w.RevokeSession(ctx, u.ID, pair.SessionID); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
	close(woken)
	for r := range woken {
		if len(r.Sessions) != 1 || r.Sessions[0] != pair.SessionID {
			t.Errorf("got %+v", r)
		}
	}
	last, err := w.ListRevocations(ctx, first.Position, 0)
	if err != nil || len(last.Sessions) != 1 {
		t.Errorf("got %+v, %v", last, err)
	}
	if _, err := w.ListRevocations(ctx, "x", 0); !errors.Is(err, roster.ErrInvalidCursor) {
		t.Errorf("got %v", err)
	}
	for _, kind := range []roster.ActorKind{roster.ActorUser, roster.ActorAdmin} {
		if _, err := w.ListRevocations(roster.WithActor(ctx, roster.Actor{Kind: kind, ID: u.ID}), "", 0); !errors.Is(err, roster.ErrForbidden) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.ListRevocations(gone, last.Position, time.Minute); err == nil {
		t.Error("it waits for somebody who has gone")
	}
}

// SESS-74, HTTP-71: introspection by a real server.
func TestHTTPIntrospect(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{Services: map[string][]roster.Secret{"orders": {serviceSecret}}})
	form := header("Content-Type", "application/x-www-form-urlencoded")
	introspect := func(token roster.Secret) reply {
		return s.do(t, "POST /api/token/introspect", url.Values{"token": {token.Reveal()}}.Encode(), form, asService).succeeds(t, 200)
	}
	g := s.guest(t, "anna")
	same(t, any(g.ID.String()), introspect(g.access).member(t, "sub"))
	same(t, any(true), introspect(g.access).member(t, "active"))
	same(t, `{"active":false}`, string(introspect(g.refresh).body))
	if err := s.Logout(t.Context(), g.refresh); err != nil {
		t.Fatal(err)
	}
	same(t, `{"active":false}`, string(introspect(g.access).body))
	s.do(t, "POST /api/token/introspect", "token=x", form).fails(t, 401, "unauthenticated")
	s.do(t, "POST /api/token/introspect", "token=x&token=y", form, asService).fails(t, 400, "invalid_parameter", "token:invalid")
	s.do(t, "POST /api/token/introspect", fields{"token": "x"}, asService).fails(t, 415, "unsupported_media_type")
	list := s.do(t, "GET /api/token/revocations", nil, asService).succeeds(t, 200)
	same(t, any([]any{g.sid.String()}), list.member(t, "sessions"))
	s.do(t, "GET /api/token/revocations", nil, g.token()).fails(t, 401, "invalid_credentials")
	s.do(t, "GET /api/token/revocations?after=x", nil, asService).fails(t, 400, "invalid_cursor")
	s.exec(t, "DROP TABLE roster_revocations")
	s.Clock.Advance(time.Minute)
	s.do(t, "POST /api/token/introspect", "token=x", form, asService).fails(t, 503, "unavailable")
	s.do(t, "GET /api/token/revocations", nil, asService).fails(t, 503, "unavailable")
}
