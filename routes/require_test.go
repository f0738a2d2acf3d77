package routes_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// stale is a repo whose users logged in long ago and hold one permission.
type stale struct{ web }

func (stale) CheckFresh(context.Context) error { return roster.ErrReauthentication }

func (stale) Authorize(_ context.Context, permission string) error {
	if permission != "reports:read" {
		return roster.ErrForbidden
	}
	return nil
}

// guarded are the same routes behind the same checks, once with Echo and once with net/http alone.
func guarded(repo routes.Verifier, cfg routes.Config) map[string]http.Handler {
	e := echo.New()
	show := func(c echo.Context) error {
		return c.String(http.StatusOK, roster.ActorFrom(c.Request().Context()).ID.String())
	}
	e.Any("/user", show, routes.RequireUser(repo, cfg))
	e.Any("/fresh", show, routes.RequireFresh(repo, cfg))
	e.Any("/open", show, routes.AllowAnyone(repo, cfg))
	e.Any("/reports", show, routes.RequirePermission(repo, "reports:read", cfg))
	e.Any("/all", show, routes.RequirePermission(repo, "", cfg))
	mux := http.NewServeMux()
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(roster.ActorFrom(r.Context()).ID.String()))
	})
	mux.Handle("/user", routes.RequireUserHTTP(repo, cfg)(plain))
	mux.Handle("/fresh", routes.RequireFreshHTTP(repo, cfg)(plain))
	mux.Handle("/open", routes.AllowAnyoneHTTP(repo, cfg)(plain))
	mux.Handle("/reports", routes.RequirePermissionHTTP(repo, "reports:read", cfg)(plain))
	mux.Handle("/all", routes.RequirePermissionHTTP(repo, "", cfg)(plain))
	return map[string]http.Handler{"Echo": e, "net/http": mux}
}

// HTTP-40, HTTP-48, HTTP-49, HTTP-52, ADMIN-2: routes of the program's own are guarded alike, whoever serves them.
func TestRequire(t *testing.T) {
	cfg := routes.Config{Tokens: routes.TransportChoose, Logger: discard(), Realm: "own"}
	bearer := []string{"Authorization", "Bearer access"}
	for kind, x := range map[string]struct {
		repo  routes.Verifier
		cfg   routes.Config
		what  string
		with  []string
		wants int
		code  string
	}{
		"takes a header":                            {newWeb(), cfg, "GET /user", bearer, 200, id.String()},
		"takes a cookie":                            {newWeb(), cfg, "GET /user", []string{"Cookie", loggedIn}, 200, id.String()},
		"takes a cookie of a page's own":            {newWeb(), cfg, "POST /user", own(loggedIn), 200, id.String()},
		"takes no cookie of a page without token":   {newWeb(), cfg, "POST /user", []string{"Cookie", loggedIn, "Origin", ownOrigin}, 403, "csrf_failed"},
		"takes no cookie of another page":           {newWeb(), cfg, "DELETE /user", []string{"Cookie", loggedIn, "X-CSRF-Token", "csrf", "Origin", "null"}, 403, "csrf_failed"},
		"lets nobody in":                            {newWeb(), cfg, "GET /user", nil, 401, "unauthenticated"},
		"lets no bad token in":                      {newWeb(), cfg, "GET /user", []string{"Authorization", "Bearer x"}, 401, "invalid_token"},
		"is unavailable while nobody can tell":      {down{newWeb()}, cfg, "GET /user", bearer, 503, "unavailable"},
		"takes a fresh session":                     {newWeb(), cfg, "GET /fresh", bearer, 200, id.String()},
		"takes no old one":                          {stale{newWeb()}, cfg, "GET /fresh", bearer, 403, "reauthentication_required"},
		"asks who it is before how fresh":           {stale{newWeb()}, cfg, "GET /fresh", nil, 401, "unauthenticated"},
		"tells an open route who asks":              {newWeb(), cfg, "GET /open", bearer, 200, id.String()},
		"tells an open route of a cookie":           {newWeb(), cfg, "POST /open", own(loggedIn), 200, id.String()},
		"lets nobody into an open route":            {newWeb(), cfg, "GET /open", nil, 200, roster.ID{}.String()},
		"takes a bad token for nobody's there":      {newWeb(), cfg, "GET /open", []string{"Authorization", "Bearer x"}, 200, roster.ID{}.String()},
		"takes no cookie of another page there":     {newWeb(), cfg, "POST /open", []string{"Cookie", loggedIn, "Origin", "null"}, 200, roster.ID{}.String()},
		"opens none while nobody can tell":          {down{newWeb()}, cfg, "GET /open", bearer, 503, "unavailable"},
		"takes a permission":                        {stale{newWeb()}, cfg, "GET /reports", bearer, 200, id.String()},
		"takes no other one":                        {stale{newWeb()}, cfg, "GET /all", bearer, 403, "forbidden"},
		"checks a page before a permission":         {stale{newWeb()}, cfg, "POST /all", []string{"Cookie", loggedIn}, 403, "csrf_failed"},
		"lets nobody in from elsewhere":             {newWeb(), routes.Config{AllowIPs: []string{"10.0.0.0/8"}}, "GET /reports", bearer, 403, "forbidden"},
		"lets nobody in by networks that are none":  {newWeb(), routes.Config{AllowIPs: []string{"x"}, Logger: discard()}, "GET /reports", bearer, 403, "forbidden"},
		"takes no cookie where none are set":        {newWeb(), routes.Config{}, "GET /user", []string{"Cookie", loggedIn}, 401, "unauthenticated"},
		"takes no cookie by a setting that is none": {newWeb(), routes.Config{Tokens: "x", Logger: discard()}, "GET /user", []string{"Cookie", loggedIn}, 401, "unauthenticated"},
		"takes a header beside such a setting":      {newWeb(), routes.Config{Tokens: "x", Logger: discard()}, "GET /user", bearer, 200, id.String()},
	} {
		for server, handler := range guarded(x.repo, x.cfg) {
			t.Run(server+" "+kind, func(t *testing.T) {
				method, path, _ := strings.Cut(x.what, " ")
				r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
				for i := 0; i < len(x.with); i += 2 {
					r.Header.Set(x.with[i], x.with[i+1])
				}
				r.Header.Set("X-Request-Id", "r-1")
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				wants(t, w, x.wants, x.code)
				if x.wants == 200 {
					return
				}
				h := w.Header()
				if h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" || h.Get("X-Request-Id") != "r-1" ||
					!strings.Contains(w.Body.String(), `"request_id":"r-1"`) {
					t.Errorf("header %v of %s", h, w.Body)
				}
				if challenge := h.Get("WWW-Authenticate"); (challenge != "") != (x.wants == 401) {
					t.Errorf("WWW-Authenticate is %q", challenge)
				}
			})
		}
	}
}

// late is a repo that is initialised after its routes were made.
type late struct {
	web
	ready *bool
}

func (l late) Site() roster.Site {
	if !*l.ready {
		return roster.Site{}
	}
	return l.web.Site()
}

// A guard asks for what it needs when somebody comes.
func TestRequireBeforeInit(t *testing.T) {
	ready := false
	servers := guarded(late{newWeb(), &ready}, routes.Config{Tokens: routes.TransportCookie})
	ready = true
	for name, handler := range servers {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/user", http.NoBody)
		r.Header.Set("Cookie", loggedIn)
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// HTTP-72: the document says how cookies prove who asks, where they do.
func TestHTTP_72_SecuritySchemes(t *testing.T) {
	for tokens, want := range map[routes.Transport]struct {
		schemes, me, update, refresh, login string
		transport, inBody                   bool
	}{
		routes.TransportBody:   {"bearer", "bearer", "bearer", "", "", false, true},
		routes.TransportCookie: {"bearer cookie csrf refresh", "bearer|cookie", "bearer|cookie csrf", "refresh|", "", false, false},
		routes.TransportChoose: {"bearer cookie csrf refresh", "bearer|cookie", "bearer|cookie csrf", "refresh|", "", true, true},
	} {
		e, x := echo.New(), newWeb()
		user, err := routes.User(e.Group("/api"), x, routes.Config{Tokens: tokens, CookieName: "mine"})
		if err != nil {
			t.Fatal(err)
		}
		admin, err := routes.Admin(e.Group("/admin"), fakeAdmin{}, routes.Config{Tokens: tokens})
		if err != nil {
			t.Fatal(err)
		}
		loaded(t, admin)
		document := loaded(t, user)
		got := strings.Join(namesOf(document.Components.SecuritySchemes), " ")
		if got != want.schemes {
			t.Errorf("%s: schemes are %s, want %s", tokens, got, want.schemes)
		}
		if scheme := document.Components.SecuritySchemes["cookie"]; scheme != nil && scheme.Value.Name != "__Host-mine_access" {
			t.Errorf("%s: the cookie is %s", tokens, scheme.Value.Name)
		}
		for what, ways := range map[string]string{
			"GET /api/me": want.me, "PATCH /api/me": want.update, "POST /api/token/refresh": want.refresh, "POST /api/login": want.login,
		} {
			method, path, _ := strings.Cut(what, " ")
			o := document.Paths.Value(path).GetOperation(method)
			var list []string
			for _, way := range *o.Security {
				list = append(list, strings.Join(namesOf(way), " "))
			}
			if got := strings.Join(list, "|"); got != ways {
				t.Errorf("%s: %s is proven by %q, want %q", tokens, what, got, ways)
			}
			fails := tokens != routes.TransportBody && method != http.MethodGet
			text, err := o.Responses.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "CSRF") != fails {
				t.Errorf("%s: %s answers %s", tokens, what, text)
			}
		}
		schemas := document.Components.Schemas
		for _, schema := range []string{"Credentials", "Registration", "CheckCode"} {
			if has := schemas[schema].Value.Properties["transport"] != nil; has != want.transport {
				t.Errorf("%s: %s has transport: %t", tokens, schema, has)
			}
		}
		if has := schemas["TokenPair"].Value.Properties["access_token"] != nil; has != want.inBody {
			t.Errorf("%s: TokenPair has access_token: %t", tokens, has)
		}
	}
}

func namesOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// A permission that no list can hold is told where the route is made: nothing else would show it.
func TestRequirePermissionTellsOfWordsThatAreNone(t *testing.T) {
	for word, wrong := range map[string]bool{"reports:read": false, "": false, "superuser": false, "Reports": true, "a b": true} {
		var log bytes.Buffer
		routes.RequirePermission(newWeb(), word, routes.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if told := strings.Contains(log.String(), word) && log.Len() > 0; told != wrong {
			t.Errorf("%q: the log says %q", word, log.String())
		}
	}
}
