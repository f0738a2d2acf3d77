package routes_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster/routes"
)

// corsOf are the headers of an answer that are for pages of other origins.
func corsOf(w *httptest.ResponseRecorder) map[string]string {
	got := map[string]string{}
	for name := range w.Header() {
		if rest, is := strings.CutPrefix(name, "Access-Control-"); is {
			got[rest] = w.Header().Get(name)
		}
	}
	return got
}

// HTTP-55: each route answers the browser that asks first, for the origins that are named.
func TestHTTP_55_CORS(t *testing.T) {
	const spa = "https://spa.example"
	e := echo.New()
	e.GET("/host", nothing)
	m, err := routes.User(e.Group("/api"), newWeb(), routes.Config{CORSOrigins: []string{"https://other.example", spa}})
	if err != nil {
		t.Fatal(err)
	}
	unnamed := []string{
		"https://evil.example", "null", "*", "http://spa.example", "https://spa.example:443", "https://sub.spa.example", "https://spa.example.evil.example",
		"https://SPA.example", "", "https://spa.example https://other.example",
	}
	for _, route := range m.Routes() {
		path := strings.NewReplacer(":sid", sid.String(), ":provider", "a", ":subject", "b").Replace(route.Path)
		w := ask(t, e, "OPTIONS "+path, "", "", "Origin", spa, "Access-Control-Request-Method", route.Method, "Access-Control-Request-Headers", "authorization")
		got := corsOf(w)
		if w.Code != 204 || w.Body.Len() > 0 || got["Allow-Origin"] != spa || got["Max-Age"] != "600" || got["Allow-Credentials"] != "" ||
			!strings.Contains(got["Allow-Methods"], route.Method) || !strings.Contains(got["Allow-Headers"], "Authorization") {
			t.Errorf("preflight of %s %s: %d %v", route.Method, path, w.Code, got)
		}
		if vary := w.Header().Values("Vary"); !slices.Contains(vary, "Origin") {
			t.Errorf("preflight of %s: Vary is %v", path, vary)
		}
		for _, origin := range unnamed {
			w := ask(t, e, "OPTIONS "+path, "", "", "Origin", origin, "Access-Control-Request-Method", route.Method)
			if got := corsOf(w); w.Code != 204 || len(got) > 0 || !strings.Contains(w.Header().Get("Allow"), route.Method) {
				t.Errorf("preflight of %s for %q: %d %v", path, origin, w.Code, got)
			}
		}
		if got := corsOf(ask(t, e, "OPTIONS "+path, "", "", "Origin", spa, "Access-Control-Request-Method", "TRACE")); len(got) > 0 {
			t.Errorf("preflight of TRACE %s: %v", path, got)
		}
		if got := corsOf(ask(t, e, "OPTIONS "+path, "", "", "Origin", spa)); len(got) > 0 {
			t.Errorf("OPTIONS %s that is no preflight: %v", path, got)
		}
	}
	t.Run("HTTP-55 lets the named read answers, problems included", func(t *testing.T) {
		for what, status := range map[string]int{"GET /api/me": 401, "GET /api/openapi.json": 200} {
			w := ask(t, e, what, "", "", "Origin", spa)
			if got := corsOf(w); w.Code != status || got["Allow-Origin"] != spa || got["Expose-Headers"] == "" || got["Allow-Credentials"] != "" {
				t.Errorf("%s: %d %v", what, w.Code, got)
			}
			for _, origin := range unnamed {
				w := ask(t, e, what, "", "", "Origin", origin)
				if got := corsOf(w); w.Code != status || len(got) > 0 || !slices.Contains(w.Header().Values("Vary"), "Origin") {
					t.Errorf("%s for %q: %d %v, Vary %v", what, origin, w.Code, got, w.Header().Values("Vary"))
				}
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/openapi.json", http.NoBody)
		r.Header["Origin"] = []string{spa, spa}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if got := corsOf(w); len(got) > 0 {
			t.Errorf("two origins: %v", got)
		}
	})
	t.Run("HTTP-55 adds nothing to the host's routes", func(t *testing.T) {
		for _, what := range []string{"GET /host", "OPTIONS /host", "OPTIONS /nowhere", "OPTIONS /api/me/identities/a/b/c"} {
			if got := corsOf(ask(t, e, what, "", "", "Origin", spa, "Access-Control-Request-Method", "GET")); len(got) > 0 {
				t.Errorf("%s: %v", what, got)
			}
		}
	})
	t.Run("HTTP-55 lets pages send credentials where there are cookies", func(t *testing.T) {
		for _, tokens := range []routes.Transport{routes.TransportCookie, routes.TransportChoose} {
			e, _ := mounted(t, newWeb(), routes.Config{Tokens: tokens, CORSOrigins: []string{spa}})
			for _, what := range []string{"GET /api/me", "OPTIONS /api/me"} {
				if got := corsOf(ask(t, e, what, "", "", "Origin", spa, "Access-Control-Request-Method", "GET")); got["Allow-Credentials"] != "true" {
					t.Errorf("%s: %v", what, got)
				}
			}
			// That lets nobody read more who may change something: for that HTTP-48 asks for Origins.
			wants(t, ask(t, e, "PATCH /api/me", "", "{}", "Cookie", loggedIn, "X-CSRF-Token", "csrf", "Origin", spa), 403, "csrf_failed")
		}
	})
	t.Run("HTTP-30 leaves what the host's own answers vary by", func(t *testing.T) {
		e, _ := mounted(t, newWeb(), routes.Config{CORSOrigins: []string{spa}})
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Response().Header().Add("Vary", "Accept-Encoding")
				return next(c)
			}
		})
		for _, what := range []string{"GET /api/openapi.json", "GET /api/me"} {
			want := []string{"Authorization, Cookie, Accept-Language", "Origin", "Accept-Encoding"}
			if got := ask(t, e, what, "", "").Header().Values("Vary"); !slices.Equal(got, want) {
				t.Errorf("%s: Vary is %q, want %q", what, got, want)
			}
		}
	})
	t.Run("HTTP-55 is silent unless it is asked for", func(t *testing.T) {
		e, _ := mounted(t, newWeb(), routes.Config{Tokens: routes.TransportCookie})
		for _, what := range []string{"GET /api/me", "OPTIONS /api/me"} {
			w := ask(t, e, what, "", "", "Origin", ownOrigin, "Access-Control-Request-Method", "GET")
			if got := corsOf(w); len(got) > 0 || slices.Contains(w.Header().Values("Vary"), "Origin") {
				t.Errorf("%s: %v %v", what, got, w.Header())
			}
		}
	})
}
