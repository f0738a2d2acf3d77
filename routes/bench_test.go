package routes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster/routes"
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
