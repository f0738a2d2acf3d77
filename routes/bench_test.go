package routes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// sink takes an answer and forgets it.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// What the routes take of a request, with a repo that does nothing.
func BenchmarkEndpoints(b *testing.B) {
	e := echo.New()
	if _, err := routes.User(e.Group("/api"), fake{}, routes.Config{}); err != nil {
		b.Fatal(err)
	}
	if _, err := routes.Admin(e.Group("/admin"), fakeAdmin{}, routes.Config{}); err != nil {
		b.Fatal(err)
	}
	e.GET("/guarded", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, routes.RequireUser(fake{}, routes.Config{}))
	for _, x := range []struct{ name, method, path, body string }{
		{"guarded", "GET", "/guarded", ""},
		{"me", "GET", "/api/me", ""},
		{"login", "POST", "/api/login", `{"login":"ann@example.com","password":"correct horse battery"}`},
		{"register", "POST", "/api/register", `{"username":"ann","email":"ann@example.com","password":"correct horse battery","company":"Acme"}`},
		{"refresh", "POST", "/api/token/refresh", `{"refresh_token":"rt1.` + strings.Repeat("x", 120) + `"}`},
		{"list of 50", "GET", "/admin/users?limit=50", ""},
		{"unauthenticated", "GET", "/api/me", "-"},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var body io.Reader
				if x.method == "POST" {
					body = strings.NewReader(x.body)
				}
				r := httptest.NewRequestWithContext(b.Context(), x.method, x.path, body)
				if x.method == "POST" {
					r.Header.Set("Content-Type", "application/json")
				} else if x.body == "" {
					r.Header.Set("Authorization", "Bearer access")
				}
				w := &sink{header: http.Header{}}
				e.ServeHTTP(w, r)
				if w.status >= 400 && x.name != "unauthenticated" {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// guardedOnce returns a repo on a database, and a request with a token of its user such as browsers send it.
func guardedOnce(t testing.TB, path string) (*usersrepo.UsersRepo[*roster.User], *http.Request) {
	t.Helper()
	cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
	repo, err := usersrepo.New[*roster.User](cfg)
	if err != nil {
		t.Fatal(err)
	}
	u, err := repo.Create(t.Context(), &roster.User{Email: new("ann@example.com")}, roster.WithEmailVerified())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := repo.IssueTokens(t.Context(), u.ID, roster.IssueOptions{AMR: []string{"pwd"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+pair.AccessToken.Reveal())
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept-Language", "de-DE,de;q=0.9,en;q=0.8")
	return repo, r
}

// The guard is called for each request of the program: what it allocates is the collector's work as well. It is what Echo has
// made of the middleware, the id of the request, the actor before and after it is known who asks, with their list of
// methods, and the request that has them: 6 in all, and one more with the race detector.
func TestGuardAllocations(t *testing.T) {
	repo, r := guardedOnce(t, "/")
	c := echo.New().NewContext(r, &sink{header: http.Header{}})
	guard := routes.RequireUser(repo, routes.Config{})
	n := testing.AllocsPerRun(100, func() {
		c.SetRequest(r)
		if err := guard(func(echo.Context) error { return nil })(c); err != nil {
			t.Fatal(err)
		}
	})
	if n > 7 {
		t.Errorf("%v allocations: want 7 at most", n)
	}
	if got := roster.ActorFrom(c.Request().Context()); got.ID == (roster.ID{}) || len(got.AMR) != 1 {
		t.Errorf("let in as %+v", got)
	}
}

// What the guard takes of a request, and what the same route takes without it.
func BenchmarkGuard(b *testing.B) {
	repo, guarded := guardedOnce(b, "/guarded")
	e := echo.New()
	own := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
	e.GET("/bare", own)
	e.GET("/guarded", own, routes.RequireUser(repo, routes.Config{}))
	bare := guarded.Clone(b.Context())
	bare.URL.Path = "/bare"
	for name, r := range map[string]*http.Request{"bare": bare, "guarded": guarded} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w := &sink{header: http.Header{}}
				for pb.Next() {
					e.ServeHTTP(w, r)
					if w.status != http.StatusNoContent {
						b.Error(w.status)
						return
					}
				}
			})
		})
	}
}
