package routes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// mounted is a server with the endpoints for users at /api.
func mounted(t *testing.T, repo routes.UserRepo[*account], cfg routes.Config) (*echo.Echo, *routes.Mounted) {
	t.Helper()
	e := echo.New()
	m, err := routes.User(e.Group("/api"), repo, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e, m
}

// ask sends "GET /api/me", with a token and a JSON body unless they are "".
func ask(t *testing.T, e *echo.Echo, what, token, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body = http.NoBody
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// wants checks the status and what the body says.
func wants(t *testing.T, w *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), text) {
		t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, status, text)
	}
}

// pathsIn are the operations of a document.
func pathsIn(t *testing.T, m *routes.Mounted) []string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(m.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	var list []string
	for path, operations := range document.Paths {
		for method, o := range operations {
			list = append(list, o.OperationID+" "+strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// HTTP-5, case 2.
func TestWithout(t *testing.T) {
	e, m := mounted(t, fake{}, routes.Config{Without: []string{"register", "me"}})
	t.Run("HTTP-5 leaves an endpoint out, case 2", func(t *testing.T) {
		wants(t, ask(t, e, "POST /api/register", "", `{}`), 404, `{"message":"Not Found"}`)
		wants(t, ask(t, e, "GET /api/me", "access", ""), 405, `{"message":"Method Not Allowed"}`) // PATCH is there
		wants(t, ask(t, e, "POST /api/login", "", `{"login":"a","password":"b"}`), 200, `"user"`)
	})
	t.Run("HTTP-5 leaves it out of the document, HTTP-69", func(t *testing.T) {
		if got := strings.Join(pathsIn(t, m), "\n"); strings.Contains(got, "register") || strings.Contains(got, "GET /api/me\n") {
			t.Errorf("the document has %s", got)
		}
		if bytes.Contains(m.OpenAPI(), []byte("Registration")) {
			t.Error("the document describes what nothing refers to")
		}
	})
}

// HTTP-6: endpoints of the program's own.
func TestReplace(t *testing.T) {
	var actor roster.Actor
	own := func(c echo.Context) error {
		actor = roster.ActorFrom(c.Request().Context())
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return echo.NewHTTPError(http.StatusTeapot, err.Error())
		}
		return c.String(202, "own: "+string(body))
	}
	e, m := mounted(t, fake{}, routes.Config{MaxBody: 100, Replace: map[string]echo.HandlerFunc{"me_update": own, "login": own}})
	t.Run("HTTP-6 keeps path and checks", func(t *testing.T) {
		wants(t, ask(t, e, "PATCH /api/me", "", `{}`), 401, "unauthenticated")
		wants(t, ask(t, e, "PATCH /api/me", "bad", `{}`), 401, "invalid_token")
		wants(t, ask(t, e, "PATCH /api/me", "access", "anything at all", "Content-Type", "text/plain"), 202, "own: anything at all")
		if actor.ID != id || actor.SID != sid || actor.Kind != roster.ActorUser || actor.RequestID == "" || actor.IP != "192.0.2.1" {
			t.Errorf("the actor is %+v", actor)
		}
		w := ask(t, e, "POST /api/login", "", "")
		wants(t, w, 202, "own: ")
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("headers %v", w.Header())
		}
	})
	t.Run("HTTP-6 bounds the body", func(t *testing.T) {
		wants(t, ask(t, e, "POST /api/login", "", strings.Repeat("x", 101)), 418, "too large")
	})
	t.Run("HTTP-4 leaves its errors to the host", func(t *testing.T) {
		e, _ := mounted(t, fake{}, routes.Config{Replace: map[string]echo.HandlerFunc{"login": func(echo.Context) error { return errors.New("own") }}})
		wants(t, ask(t, e, "POST /api/login", "", ""), 500, `{"message":"Internal Server Error"}`)
	})
	t.Run("HTTP-4 answers errors of operations, though a handler of the host's returns them", func(t *testing.T) {
		e, _ := mounted(t, fake{}, routes.Config{Replace: map[string]echo.HandlerFunc{"login": func(echo.Context) error {
			return fmt.Errorf("own: %w", roster.ErrForbidden)
		}}})
		wants(t, ask(t, e, "POST /api/login", "", ""), 403, `"code":"forbidden"`)
		e.GET("/own", func(echo.Context) error { return roster.ErrNotFound }, routes.RequireUser(gate{}, routes.Config{}))
		w := ask(t, e, "GET /own", "access", "")
		wants(t, w, 404, `"code":"not_found"`)
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("headers %v", w.Header())
		}
	})
	t.Run("HTTP-69 marks it in the document", func(t *testing.T) {
		if n := bytes.Count(m.OpenAPI(), []byte(`"x-roster-replaced":true`)); n != 2 {
			t.Errorf("%d are marked, want 2", n)
		}
		for _, r := range m.Routes() {
			if r.Replaced != (r.Name == "me_update" || r.Name == "login") {
				t.Errorf("%s: replaced is %t", r.Name, r.Replaced)
			}
		}
	})
	t.Run("ADMIN-1 keeps the permission", func(t *testing.T) {
		e := echo.New()
		if _, err := routes.Admin(e.Group("/admin"), powerless{}, routes.Config{Replace: map[string]echo.HandlerFunc{"users_list": own, "user_delete": own}}); err != nil {
			t.Fatal(err)
		}
		wants(t, ask(t, e, "GET /admin/users", "access", ""), 403, "forbidden")
		wants(t, ask(t, e, "DELETE /admin/users/x", "access", ""), 403, "forbidden")
	})
}

// powerless is a repo whose users hold no permission.
type powerless struct{ fakeAdmin }

func (powerless) Authorize(context.Context, string) error { return roster.ErrForbidden }

// HTTP-6, case 4: middleware of the program's own.
func TestWrap(t *testing.T) {
	var seen []string
	note := func(name string) echo.MiddlewareFunc {
		return func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				seen = append(seen, name+" "+c.Response().Header().Get("X-Request-Id"))
				return next(c)
			}
		}
	}
	stop := func(echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return c.String(http.StatusTeapot, "no more today") }
	}
	e, _ := mounted(t, fake{}, routes.Config{Wrap: map[string][]echo.MiddlewareFunc{
		"login": {note("outer"), note("inner")}, "me": {note("me"), stop},
	}})
	t.Run("HTTP-6 runs in the order given, after the request id is set, case 4", func(t *testing.T) {
		wants(t, ask(t, e, "POST /api/login", "", `{"login":"a","password":"b"}`, "X-Request-Id", "r-1"), 200, "user")
		wants(t, ask(t, e, "POST /api/register", "", `{"password":"b"}`), 201, "user")
		if diff := cmp.Diff([]string{"outer r-1", "inner r-1"}, seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("HTTP-6 runs outside of the session's check, and may answer itself, case 4", func(t *testing.T) {
		wants(t, ask(t, e, "GET /api/me", "", ""), http.StatusTeapot, "no more today")
	})
	t.Run("HTTP-6 may put a writer of its own in between", func(t *testing.T) {
		upper := func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Response().Writer = shouter{c.Response().Writer}
				return next(c)
			}
		}
		e, _ := mounted(t, fake{}, routes.Config{Wrap: map[string][]echo.MiddlewareFunc{"me": {upper}}})
		wants(t, ask(t, e, "GET /api/me", "access", ""), 200, `"USERNAME":"ANN"`)
		wants(t, ask(t, e, "GET /api/me", "", ""), 401, `"CODE":"UNAUTHENTICATED"`)
	})
}

// shouter writes everything in capitals.
type shouter struct{ http.ResponseWriter }

func (s shouter) Write(b []byte) (int, error) { return s.ResponseWriter.Write(bytes.ToUpper(b)) }

// HTTP-11: what panics.
func TestPanic(t *testing.T) {
	log := &bytes.Buffer{}
	at := func(point func(c echo.Context)) *echo.Echo {
		e, _ := mounted(t, fake{}, routes.Config{
			Logger: slog.New(slog.NewTextHandler(log, nil)),
			Replace: map[string]echo.HandlerFunc{"me": func(c echo.Context) error {
				point(c)
				return nil
			}},
		})
		return e
	}
	t.Run("HTTP-11 is answered, logged by its id and not told", func(t *testing.T) {
		e := at(func(c echo.Context) {
			c.Response().Header().Set("ETag", `"1"`)
			c.Response().Header().Set("Location", "/x")
			c.Response().Header().Set("Cache-Control", "public")
			panic("the inside story")
		})
		w := ask(t, e, "GET /api/me", "access", "", "X-Request-Id", "r-9")
		wants(t, w, 500, `"code":"internal","request_id":"r-9"`)
		if strings.Contains(w.Body.String(), "story") || !strings.Contains(log.String(), "story") || !strings.Contains(log.String(), "request_id=r-9") {
			t.Errorf("%s, logged %s", w.Body, log)
		}
		if h := w.Header(); h.Get("ETag")+h.Get("Location") != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", h)
		}
	})
	t.Run("HTTP-11 cuts an answer off that is on its way", func(t *testing.T) {
		e := at(func(c echo.Context) {
			_ = c.String(200, "half of it")
			panic("too late")
		})
		server := httptest.NewServer(e)
		defer server.Close()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer access")
		response, err := server.Client().Do(r)
		if err == nil {
			defer func() { _ = response.Body.Close() }()
			if text, err := io.ReadAll(response.Body); err == nil {
				t.Errorf("the client took %q for all", text)
			}
		}
	})
	t.Run("HTTP-11 lets net/http abort", func(t *testing.T) {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				t.Errorf("recovered %v", p)
			}
		}()
		ask(t, at(func(echo.Context) { panic(http.ErrAbortHandler) }), "GET /api/me", "access", "")
	})
	t.Run("HTTP-11 is answered when a view or an operation panics", func(t *testing.T) {
		view := routes.ViewOf(func(context.Context, *account, routes.Viewer) any { panic("view") })
		e, _ := mounted(t, fake{}, routes.Config{View: view})
		wants(t, ask(t, e, "GET /api/me", "access", ""), 500, "internal")
		wants(t, ask(t, e, "GET /api/me/sessions", "access", ""), 500, "internal") // fake has no such operation
	})
}

// HTTP-26: middleware of the host may have given the request an id already.
func TestRequestIDOfTheHost(t *testing.T) {
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc { // as middleware.RequestID of Echo
		return func(c echo.Context) error {
			id := c.Request().Header.Get("X-Request-Id")
			if id == "" {
				id = "host-1"
			}
			c.Response().Header().Set("X-Request-Id", id)
			return next(c)
		}
	})
	if _, err := routes.User(e.Group("/api"), fake{}, routes.Config{}); err != nil {
		t.Fatal(err)
	}
	e.GET("/own", nothing, routes.RequireUser(fake{}, routes.Config{}))
	t.Run("HTTP-26 keeps the host's id", func(t *testing.T) {
		for _, path := range []string{"/api/me", "/own"} {
			wants(t, ask(t, e, "GET "+path, "", ""), 401, `"request_id":"host-1"`)
			wants(t, ask(t, e, "GET "+path, "", "", "X-Request-Id", "client-1"), 401, `"request_id":"client-1"`)
		}
	})
}

// HTTP-26: a request without an id is given one, a UUID, and each another.
func TestRequestIDMade(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	e, seen := echo.New(), map[string]bool{}
	e.GET("/own", func(c echo.Context) error {
		return c.String(http.StatusOK, roster.ActorFrom(c.Request().Context()).RequestID)
	}, routes.RequireUser(fake{}, routes.Config{}))
	for range 100 {
		id := ask(t, e, "GET /own", "access", "").Body.String()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("got %q, which is no UUID or not new", id)
		}
		seen[id] = true
	}
}
