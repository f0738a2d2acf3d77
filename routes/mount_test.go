package routes_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

func nothing(c echo.Context) error { return c.NoContent(http.StatusNoContent) }

func pathsOf(e *echo.Echo) []string {
	var list []string
	for _, r := range e.Routes() {
		list = append(list, r.Method+" "+r.Path)
	}
	slices.Sort(list)
	return list
}

// HTTP-7, HTTP-1, case 3: what is wrong with a configuration is told by name, and nothing is mounted then.
func TestMountingFaults(t *testing.T) {
	for name, x := range map[string]struct {
		cfg  routes.Config
		host []string
		want []string
	}{
		"an unknown name to leave out":    {cfg: routes.Config{Without: []string{"regsiter"}}, want: []string{`Without: there is no endpoint "regsiter"`}},
		"a name that is left out twice":   {cfg: routes.Config{Without: []string{"login", "login"}}, want: []string{`Without: "login" is there twice`}},
		"an unknown name to replace":      {cfg: routes.Config{Replace: map[string]echo.HandlerFunc{"logn": nothing}}, want: []string{`Replace: there is no endpoint "logn"`}},
		"a handler that is nil":           {cfg: routes.Config{Replace: map[string]echo.HandlerFunc{"login": nil}}, want: []string{`Replace: the handler of "login" is nil`}},
		"an unknown name to wrap":         {cfg: routes.Config{Wrap: map[string][]echo.MiddlewareFunc{"Login": nil}}, want: []string{`Wrap: there is no endpoint "Login"`}},
		"a middleware that is nil":        {cfg: routes.Config{Wrap: map[string][]echo.MiddlewareFunc{"login": {nil}}}, want: []string{`Wrap: a middleware of "login" is nil`}},
		"an endpoint of the other group":  {cfg: routes.Config{Without: []string{"users_list"}}, want: []string{`"users_list"`}},
		"a route that is there already":   {host: []string{"GET /api/me"}, want: []string{"me: GET /api/me is mounted already"}},
		"one with another parameter name": {host: []string{"DELETE /api/me/sessions/:id"}, want: []string{"DELETE /api/me/sessions/:sid is mounted already"}},
		"limits of what is not there, and below nothing (PROT-44)": {
			cfg:  routes.Config{Limits: map[string]int{"logn": 1, "login": -1, "*": -2, "admin": -3}},
			want: []string{`Limits: there is no endpoint "logn"`, `that of "login" is -1`, `that of "*" is -2`, `that of "admin" is -3`},
		},
		"a body and a time below nothing": {
			cfg: routes.Config{MaxBody: -1, Timeout: -time.Second}, want: []string{"MaxBody is -1", "Timeout is -1s"},
		},
		"a realm that leaves its header": {cfg: routes.Config{Realm: "a\"\r\nSet-Cookie: b"}, want: []string{"Realm"}},
		"networks that are none":         {cfg: routes.Config{AllowIPs: []string{"10.0.0.0/8", "10.0.0.1"}}, want: []string{"AllowIPs", "10.0.0.1"}},
		"somebody else's right to ask":   {cfg: routes.Config{UsernameCheck: "refresh"}, want: []string{`UsernameCheck is "refresh"`}},
		"all of it at once": {
			cfg:  routes.Config{Without: []string{"a"}, Wrap: map[string][]echo.MiddlewareFunc{"b": nil}},
			host: []string{"POST /api/login"}, want: []string{`"a"`, `"b"`, "POST /api/login"},
		},
	} {
		t.Run("HTTP-7 refuses "+name, func(t *testing.T) {
			e := echo.New()
			for _, route := range x.host {
				method, path, _ := strings.Cut(route, " ")
				e.Add(method, path, nothing)
			}
			before := pathsOf(e)
			m, err := routes.User(e.Group("/api"), fake{}, x.cfg)
			if err == nil || m != nil {
				t.Fatalf("mounted %v, want an error", m)
			}
			for _, want := range x.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
			if diff := cmp.Diff(before, pathsOf(e)); diff != "" {
				t.Errorf("HTTP-1: routes were added (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("HTTP-7 refuses what one of its own Echo's hosts has", func(t *testing.T) {
		e := echo.New()
		g := e.Host("a.example")
		g.GET("/me", nothing)
		if _, err := routes.User(g, fake{}, routes.Config{}); err == nil {
			t.Error("a route was mounted twice on one host")
		}
		if _, err := routes.User(e.Host("b.example"), fake{}, routes.Config{}); err != nil {
			t.Errorf("another host: %v", err)
		}
	})
	t.Run("HTTP-7 lets a route be that was left out", func(t *testing.T) {
		e := echo.New()
		e.GET("/me", nothing)
		if _, err := routes.User(e.Group(""), fake{}, routes.Config{Without: []string{"me"}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("HTTP-7 refuses a second mounting", func(t *testing.T) {
		e := echo.New()
		if _, err := routes.User(e.Group("/api"), fake{}, routes.Config{}); err != nil {
			t.Fatal(err)
		}
		before := pathsOf(e)
		_, err := routes.User(e.Group("/api"), fake{}, routes.Config{})
		if err == nil || !strings.Contains(err.Error(), "POST /api/login") {
			t.Errorf("error %v, want one that names POST /api/login", err)
		}
		if diff := cmp.Diff(before, pathsOf(e)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("HTTP-1 refuses no group and no repo", func(t *testing.T) {
		if _, err := routes.User[*account](nil, fake{}, routes.Config{}); err == nil {
			t.Error("mounted on no group")
		}
		if _, err := routes.User[*account](echo.New().Group(""), nil, routes.Config{}); err == nil {
			t.Error("mounted no repo")
		}
	})
	t.Run("HTTP-12 refuses a view of other users", func(t *testing.T) {
		view := routes.ViewOf(func(_ context.Context, u *roster.User, _ routes.Viewer) any { return u.ID })
		e := echo.New()
		if _, err := routes.User(e.Group(""), fake{}, routes.Config{View: view}); err == nil || len(e.Routes()) > 0 {
			t.Errorf("error %v, %d routes", err, len(e.Routes()))
		}
	})
	t.Run("HTTP-12 refuses a field that hides a member of the base user", func(t *testing.T) {
		for _, repo := range []func(e *echo.Echo) error{
			func(e *echo.Echo) error {
				_, err := routes.User(e.Group(""), of[*clashing]{}, routes.Config{})
				return err
			},
			func(e *echo.Echo) error {
				_, err := routes.User(e.Group(""), of[*doubled]{}, routes.Config{})
				return err
			},
		} {
			if err := repo(echo.New()); err == nil || !strings.Contains(err.Error(), "Label") {
				t.Errorf("error %v, want one that names Label", err)
			}
		}
	})
}

// HTTP-1, HTTP-2: what is mounted is what is listed.
func TestMounted(t *testing.T) {
	for _, prefix := range []string{"", "/api", "api", "/tenants/:tenant/api"} {
		t.Run("HTTP-2 lists what is mounted at "+prefix, func(t *testing.T) {
			e := echo.New()
			m, err := routes.User(e.Group(prefix), fake{}, routes.Config{})
			if err != nil {
				t.Fatal(err)
			}
			var listed []string
			for _, r := range m.Routes() {
				listed = append(listed, r.Method+" "+r.Path)
			}
			slices.Sort(listed)
			if diff := cmp.Diff(listed, pathsOf(e)); diff != "" {
				t.Errorf("(-listed +mounted):\n%s", diff)
			}
		})
	}
	t.Run("HTTP-2 gives away copies", func(t *testing.T) {
		m, err := routes.User(echo.New().Group(""), fake{}, routes.Config{})
		if err != nil {
			t.Fatal(err)
		}
		m.Routes()[0].Name, m.OpenAPI()[0] = "x", 'x'
		if m.Routes()[0].Name == "x" || m.OpenAPI()[0] == 'x' {
			t.Error("what was mounted can be changed")
		}
	})
}

// HTTP-3, HTTP-4, case 1: the host is as it was.
func TestHostIsUntouched(t *testing.T) {
	build := func(mount bool) *echo.Echo {
		e := echo.New()
		e.HTTPErrorHandler = func(err error, c echo.Context) { _ = c.String(499, "the host says: "+err.Error()) }
		e.GET("/host", func(c echo.Context) error { return c.String(200, "host") })
		e.POST("/host/:id", func(c echo.Context) error { return echo.NewHTTPError(418, c.Param("id")) })
		if !mount {
			return e
		}
		if _, err := routes.User(e.Group(""), fake{}, routes.Config{}); err != nil {
			t.Fatal(err)
		}
		if _, err := routes.Admin(e.Group("/admin"), fakeAdmin{}, routes.Config{}); err != nil {
			t.Fatal(err)
		}
		return e
	}
	bare, mounted := build(false), build(true)
	for _, x := range []struct{ method, path string }{
		{"GET", "/nothing"},
		{"GET", "/"},
		{"POST", "/host"},
		{"GET", "/host"},
		{"POST", "/host/7"},
		{"DELETE", "/host/7"},
		{"GET", "/me/nothing"},
		{"GET", "/admin"},
		{"GET", "/admin/"},
		{"GET", "/admin/nothing"},
		{"GET", "/registering"},
		{"DELETE", "/me/sessions/a/b"},
		{"DELETE", "/admin/users/a/sessions/b/c"},
		{"GET", "/admin/users/a/nothing/x"},
	} {
		t.Run("HTTP-3 answers as before "+x.method+" "+x.path, func(t *testing.T) {
			var got [2]string
			for i, e := range []*echo.Echo{bare, mounted} {
				w := httptest.NewRecorder()
				e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), x.method, x.path, nil))
				got[i] = w.Result().Status + w.Body.String() + strings.Join(slices.Sorted(maps.Keys(w.Header())), " ")
			}
			if got[0] != got[1] {
				t.Errorf("got %q, before %q", got[1], got[0])
			}
		})
	}
	t.Run("HTTP-4 changes none of the host's parts", func(t *testing.T) {
		e := echo.New()
		binder, validator, renderer, logger, serializer := e.Binder, e.Validator, e.Renderer, e.Logger, e.JSONSerializer
		if _, err := routes.User(e.Group("/api"), fake{}, routes.Config{IPExtractor: func(*http.Request) string { return "192.0.2.1" }}); err != nil {
			t.Fatal(err)
		}
		if e.Binder != binder || e.Validator != validator || e.Renderer != renderer || e.Logger != logger || e.JSONSerializer != serializer ||
			e.IPExtractor != nil || e.OnAddRouteHandler != nil {
			t.Error("a part of the host was changed")
		}
	})
}

// clashing has a field that no column stores, under the name of one of the base user's members.
type clashing struct {
	roster.User
	Label string `db:"-" json:"email_verified"`
}

// labelled and doubled have two fields of one name.
type labelled struct {
	Label string `json:"name"`
}

type doubled struct {
	roster.User
	Name string `json:"name"`
	labelled
}
