package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// HTTP-21, HTTP-22: parameters that make no sense.
func TestHTTPParameters(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root := s.superuser(t, "root1")
		t.Run("HTTP-21 takes no parameter that it does not know", func(t *testing.T) {
			for _, x := range s.targets() {
				if x.Name == "users_list" || x.Name == "export" { // ADMIN-53
					continue
				}
				if x.Name == "openapi" || x.Name == "jwks" || x.Auth != routes.AuthSession {
					s.do(t, x.what+"?token=x", nil).fails(t, 400, "invalid_parameter", "token:invalid")
				}
				options := []option{root.token()}
				if x.Name == "import" {
					options = append(options, header("Content-Type", "application/x-ndjson"))
				}
				s.do(t, x.what+"?page=1", nil, options...).fails(t, 400, "invalid_parameter", "page:invalid")
				s.do(t, x.what+"?a=1&a=2", nil, options...).fails(t, 400, "invalid_parameter", "a:invalid")
				s.do(t, x.what+"?%zz", nil, options...).fails(t, 400, "invalid_parameter", ":invalid")
				s.do(t, x.what+"?&", nil, options...).fails(t, 400, "invalid_parameter", ":invalid")
			}
		})
		t.Run("HTTP-22 takes no secret or address in the URL, and logs and repeats none", func(t *testing.T) {
			g := s.guest(t, "anna")
			for _, secret := range []string{g.access.Reveal(), g.refresh.Reveal(), "hunter2 hunter2", "someone@example.com"} {
				for _, query := range []string{"token=", "access_token=", "password=", "email=", ""} {
					for _, what := range []string{"GET /api/me?", "POST /api/login?", "POST /api/token/refresh?", "POST /api/confirm/email?"} {
						a := s.do(t, what+query+url.QueryEscape(secret), nil, root.token())
						if a.status != 400 || strings.Contains(string(a.body), secret) {
							t.Errorf("%s", a)
						}
					}
				}
				if strings.Contains(s.log.String(), secret) {
					t.Errorf("%s was logged", secret)
				}
			}
			s.do(t, "GET /api/me?access_token="+g.access.Reveal(), nil).fails(t, 401, "unauthenticated")
		})
		t.Run("ADMIN-48, SESS-52 take what is no id for one that nobody has", func(t *testing.T) {
			for _, id := range []string{"x", "0", "me", "%20", "..%2f", "00000000-0000-0000-0000-000000000000", strings.ReplaceAll(root.ID.String(), "-", ""), "{" + root.ID.String() + "}", "urn:uuid:" + root.ID.String(), "%00", strings.Repeat("9", 3000)} {
				s.do(t, "DELETE /api/me/sessions/"+id, nil, root.token()).fails(t, 404, "not_found")
				s.do(t, "GET /admin/users/"+id, nil, root.token()).fails(t, 404, "not_found")
				s.do(t, "PATCH /admin/users/"+id, `{}`, root.token(), header("If-Match", "*")).fails(t, 404, "not_found")
				s.do(t, "DELETE /admin/users/"+id, nil, root.token()).fails(t, 404, "not_found")
				s.do(t, "POST /admin/users/"+id+"/restore", nil, root.token()).fails(t, 404, "not_found")
				s.do(t, "GET /admin/users/"+id+"/sessions", nil, root.token()).fails(t, 404, "not_found")
				s.do(t, "DELETE /admin/users/"+id+"/sessions", nil, root.token()).fails(t, 404, "not_found")
				s.do(t, "DELETE /admin/users/"+root.ID.String()+"/sessions/"+id, nil, root.token()).fails(t, 404, "not_found")
			}
			s.do(t, "GET /admin/users/"+strings.ToUpper(root.ID.String()), nil, root.token()).succeeds(t, 200)
		})
		t.Run("HTTP-24 ignores what would override the method", func(t *testing.T) {
			victim := s.guest(t, "victim")
			for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
				s.do(t, "POST /admin/users/"+victim.ID.String()+"/restore", nil, root.token(), header(name, "DELETE")).succeeds(t, 200)
				s.do(t, "GET /admin/users/"+victim.ID.String(), nil, root.token(), header(name, "DELETE")).succeeds(t, 200)
				s.do(t, "GET /api/me", nil, victim.token(), header(name, "PATCH")).succeeds(t, 200)
			}
			s.do(t, "PATCH /api/me", fields{"_method": "DELETE"}, victim.token()).fails(t, 422, "validation_failed", "_method:unknown_field")
			s.do(t, "GET /api/me?_method=DELETE", nil, victim.token()).fails(t, 400, "invalid_parameter", ":invalid")
			s.do(t, "GET /api/me", nil, victim.token()).succeeds(t, 200)
		})
		t.Run("HTTP-56 follows no member that names a URL, and redirects nowhere", func(t *testing.T) {
			for _, member := range []string{"redirect_uri", "next", "return_to", "callback_url"} {
				s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase, member: "https://evil.example"}).
					fails(t, 422, "validation_failed", member+":unknown_field")
			}
		})
	})
}

// HTTP-26: the id of a request.
func TestHTTPRequestID(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		t.Run("HTTP-26 keeps an id that is one", func(t *testing.T) {
			for _, id := range []string{"a", "A.b_c-9", strings.Repeat("x", 64)} {
				var actor roster.Actor
				remove := s.On.Update.Before(func(_ context.Context, e *callbacks.Update[*Person]) error {
					actor = e.Actor
					return callbacks.Reject("seen")
				})
				a := s.do(t, "PATCH /api/me", fields{"company": "x"}, g.token(), header("X-Request-Id", id), rejected)
				remove()
				same(t, id, a.header.Get("X-Request-Id"))
				same(t, id, a.text(t, "request_id"))
				same(t, id, actor.RequestID)
			}
		})
		t.Run("HTTP-26 replaces any other, case 44", func(t *testing.T) {
			seen := map[string]bool{}
			for _, id := range []string{"", "a b", "a,b", strings.Repeat("x", 65), strings.Repeat("x", 200), "é", "<script>", "a/b", "a\tb"} {
				for _, what := range []string{"GET /api/me", "POST /api/logout"} {
					got := s.do(t, what, nil, header("X-Request-Id", id)).header.Get("X-Request-Id")
					if _, err := roster.ParseID(got); err != nil || seen[got] {
						t.Errorf("%q became %q", id, got)
					}
					seen[got] = true
				}
			}
		})
	})
}

// HTTP-25: whose address a request has.
func TestHTTPAddress(t *testing.T) {
	t.Parallel()
	address := "192.0.2.7"
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{IPExtractor: func(*http.Request) string { return address }})
	anna := s.guest(t, "anna")
	login := func(t *testing.T) reply {
		t.Helper()
		return s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, header("User-Agent", "test/1"))
	}
	for _, x := range []string{"192.0.2.7", "2001:db8::1", "nonsense", ""} {
		t.Run("HTTP-25 takes what the extractor says: "+x, func(t *testing.T) {
			address = x
			sid := login(t).text(t, "tokens.session_id")
			for _, item := range s.do(t, "GET /api/me/sessions", nil, anna.token()).member(t, "items").([]any) {
				if item := item.(map[string]any); item["id"] == sid {
					same(t, any(x), item["ip"])
					same(t, any("test/1"), item["user_agent"])
				}
			}
			if logged := strings.Contains(s.log.String(), `address=`+x); logged != (x == "nonsense") && x != "" {
				t.Errorf("logged: %t", logged)
			}
		})
	}
}

// HTTP-11, case 45: what panics.
func TestHTTPPanic(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		t.Run("HTTP-11 answers for a hook that panics, case 45", func(t *testing.T) {
			remove := s.On.Update.Before(func(context.Context, *callbacks.Update[*Person]) error { panic("the inside story") })
			a := s.do(t, "PATCH /api/me", fields{"company": "x"}, g.token())
			remove()
			a.fails(t, 500, "internal")
			if strings.Contains(string(a.body), "story") {
				t.Errorf("%s tells why", a)
			}
			s.do(t, "PATCH /api/me", fields{"company": "x"}, g.token()).succeeds(t, 200)
		})
	})
}

// HTTP-28: requests whose time is over.
func TestHTTPTimeout(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		s := openSite(t, db, routes.Config{Timeout: 300 * time.Millisecond})
		g := s.guest(t, "anna")
		var wait func(ctx context.Context) error
		s.On.Update.After(func(ctx context.Context, _ *callbacks.Update[*Person]) error { return wait(ctx) })
		for name, fn := range map[string]func(ctx context.Context) error{
			"tells the context's error": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"wraps it":                  func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("wait: %w", ctx.Err()) },
			"ends as if nothing was":    func(ctx context.Context) error { <-ctx.Done(); return nil },
			"asks the database": func(ctx context.Context) error {
				<-ctx.Done()
				_, err := s.Get(ctx, g.ID)
				return err
			},
		} {
			t.Run("HTTP-28 ends as unavailable when a hook "+name, func(t *testing.T) {
				wait = fn
				s.do(t, "PATCH /api/me", fields{"company": "late"}, g.token()).fails(t, 503, "unavailable")
				if got := s.read(t, g.ID); got.Company != "" || got.Version != 1 {
					t.Errorf("it was written: %q, version %d", got.Company, got.Version)
				}
			})
		}
		t.Run("HTTP-28 commits nothing for a client that has gone", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			wait = func(ctx context.Context) error {
				cancel()
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return nil
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.url+"/api/me", strings.NewReader(`{"company":"gone"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+g.access.Reveal())
			if response, err := s.client.Do(r); err == nil {
				_ = response.Body.Close()
			}
			if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the context ended with %v", err)
			}
			wait = func(context.Context) error { return nil }
			s.do(t, "PATCH /api/me", fields{"score": 1}, g.token()).succeeds(t, 200)
			if got := s.read(t, g.ID); got.Company != "" {
				t.Errorf("company is %q", got.Company)
			}
		})
	})
}

// PROT-16, HTTP-28: those who wait for a hash go away with their request.
func TestHTTPHashQueue(t *testing.T) {
	t.Parallel()
	hasher := &slowHasher{begun: make(chan struct{}), hold: make(chan struct{})}
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{Timeout: 200 * time.Millisecond}, func(cfg *usersrepo.Config) {
		cfg.Password.Hasher, cfg.Password.MaxConcurrent = hasher, 1
	})
	t.Run("HTTP-28 ends the wait for a hash", func(t *testing.T) {
		hasher.slow.Store(true)
		s.client.Timeout = time.Minute
		first := make(chan struct{})
		go func() {
			defer close(first)
			s.do(t, "POST /api/login", fields{"login": "a", "password": "x"})
		}()
		<-hasher.begun
		hasher.slow.Store(false)
		s.do(t, "POST /api/login", fields{"login": "b", "password": "x"}).fails(t, 503, "unavailable")
		close(hasher.hold)
		<-first
		s.do(t, "POST /api/login", fields{"login": "b", "password": "x"}).fails(t, 401, "invalid_credentials")
	})
}

// slowHasher takes its time until it is let go.
type slowHasher struct {
	rostertest.Hasher
	slow        atomic.Bool
	begun, hold chan struct{}
}

func (h *slowHasher) Verify(ctx context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	if h.slow.Load() {
		close(h.begun)
		<-h.hold
	}
	return h.Hasher.Verify(ctx, encoded, password)
}
