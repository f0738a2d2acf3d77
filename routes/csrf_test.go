package routes_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// origins is the table of where a request can come from, with the base URL https://app.example and https://www.app.example
// beside it.
var origins = map[string]struct {
	headers []string
	passes  bool
}{
	"its own origin":                  {[]string{"Origin", ownOrigin}, true},
	"another name of the program":     {[]string{"Origin", "https://www.app.example"}, true},
	"its own, as Fetch Metadata says": {[]string{"Sec-Fetch-Site", "same-origin"}, true},
	"the person, by the address bar":  {[]string{"Sec-Fetch-Site", "none", "Origin", ownOrigin}, true},
	"its own page":                    {[]string{"Referer", ownOrigin + "/x?y=z"}, true},
	"nowhere":                         {nil, false},
	"another origin":                  {[]string{"Origin", "https://evil.example"}, false},
	"no origin (sandboxed)":           {[]string{"Origin", "null"}, false},
	"an empty origin":                 {[]string{"Origin", ""}, false},
	"a sub-domain":                    {[]string{"Origin", "https://sub.app.example"}, false},
	"the domain above":                {[]string{"Origin", "https://example"}, false},
	"another port":                    {[]string{"Origin", "https://app.example:8443"}, false},
	"plain http":                      {[]string{"Origin", "http://app.example"}, false},
	"a domain that begins like it":    {[]string{"Origin", "https://app.example.evil.example"}, false},
	"a domain that ends like it":      {[]string{"Origin", "https://evilapp.example"}, false},
	"its own in capitals":             {[]string{"Origin", "https://APP.example"}, false}, // which no browser sends
	"its own with a path":             {[]string{"Origin", ownOrigin + "/"}, false},
	"the same site":                   {[]string{"Sec-Fetch-Site", "same-site"}, false},
	"the same site by a good name":    {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://www.app.example"}, false},
	"another site":                    {[]string{"Sec-Fetch-Site", "cross-site"}, false},
	"another site, with its origin":   {[]string{"Sec-Fetch-Site", "cross-site", "Origin", ownOrigin}, false},
	"itself, but for the origin":      {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.example"}, false},
	"a site that there is not":        {[]string{"Sec-Fetch-Site", "Same-Origin"}, false},
	"an empty site":                   {[]string{"Sec-Fetch-Site", ""}, false},
	"another page":                    {[]string{"Referer", "https://evil.example/" + ownOrigin}, false},
	"a page of the program's as user": {[]string{"Referer", "https://app.example@evil.example/"}, false},
	"a page that is none":             {[]string{"Referer", "about:blank"}, false},
	"an empty page":                   {[]string{"Referer", ""}, false},
	"its own page, of another origin": {[]string{"Referer", ownOrigin + "/", "Origin", "https://evil.example"}, false},
	"its own page, of no origin":      {[]string{"Referer", ownOrigin + "/", "Origin", "null"}, false},
	"a page over plain http":          {[]string{"Referer", "http://app.example/"}, false},
}

// HTTP-48, SEC-105, case 20 and the vectors: where a request with cookies comes from, for every endpoint that sets them, that
// they prove who asks for, or that takes them back.
func TestHTTP_48_Origins(t *testing.T) {
	x := newWeb()
	user := echo.New()
	cfg := routes.Config{
		Tokens: routes.TransportCookie, Origins: []string{"https://www.app.example"},
		Limits: unlimited,
	}
	replacing := cfg
	replacing.Replace = map[string]echo.HandlerFunc{"me_update": func(c echo.Context) error { x.note("replaced"); return c.NoContent(204) }}
	if _, err := routes.User(user.Group("/api"), x, replacing); err != nil {
		t.Fatal(err)
	}
	if _, err := routes.Admin(user.Group("/admin"), fakeAdmin{}, cfg); err != nil {
		t.Fatal(err)
	}
	user.POST("/own", nothing, routes.RequireUser(x, cfg))
	user.POST("/report", nothing, routes.RequirePermission(x, "reports:run", cfg))
	user.POST("/plain", echo.WrapHandler(routes.RequireUserHTTP(x, cfg)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))))
	targets := map[string]string{
		"POST /api/token/refresh": "", "PATCH /api/me": "{}", "PUT /api/me/password": `{"old_password":"a","password":"b"}`,
		"DELETE /api/me": "", "POST /api/me/archive": "", "POST /api/logout": "", "DELETE /api/me/sessions/" + sid.String(): "",
		"POST /own": "", "POST /report": "", "POST /plain": "", "POST /admin/users/search": "{}",
	}
	maps.Copy(targets, entries)
	for name, from := range origins {
		t.Run("HTTP-48 from "+name, func(t *testing.T) {
			for what, body := range targets {
				*x.calls = nil
				w := ask(t, user, what, "", body, append([]string{"Cookie", loggedIn, "X-CSRF-Token", "csrf"}, from.headers...)...)
				if from.passes {
					if w.Code < 200 || w.Code > 299 {
						t.Errorf("%s: got %d %s, want it to pass", what, w.Code, w.Body)
					}
					continue
				}
				wants(t, w, 403, `"code":"csrf_failed"`)
				sets(t, w)
				if len(*x.calls) > 0 {
					t.Errorf("%s: %v was done", what, *x.calls)
				}
			}
			// Safe methods need none of it, and no answer is for other origins to read.
			w := ask(t, user, "GET /api/me", "", "", append([]string{"Cookie", loggedIn}, from.headers...)...)
			wants(t, w, 200, "ann")
			// HTTP-50: nor do requests that the header proves.
			for _, what := range []string{"PATCH /api/me", "POST /own", "POST /report", "POST /plain", "POST /admin/users/search"} {
				if w := ask(t, user, what, "access", "{}", append([]string{"Cookie", loggedIn}, from.headers...)...); w.Code > 299 {
					t.Errorf("HTTP-50: %s: got %d %s", what, w.Code, w.Body)
				}
			}
			for header := range w.Header() {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("HTTP-55: the answer has %s", header)
				}
			}
		})
	}
	t.Run("HTTP-48 takes two origins for one that is wrong", func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/token/refresh", http.NoBody)
		r.Header = http.Header{"Cookie": {loggedIn}, "Origin": {ownOrigin, "https://evil.example"}}
		w := httptest.NewRecorder()
		user.ServeHTTP(w, r)
		wants(t, w, 403, "csrf_failed")
	})
	t.Run("HTTP-48 lets other pages open no connection that the cookie proves", func(t *testing.T) {
		user.GET("/socket", nothing, routes.RequireUser(x, cfg))
		open := []string{"Cookie", loggedIn, "Upgrade", "websocket", "Connection", "Upgrade", "Origin"}
		wants(t, ask(t, user, "GET /socket", "", "", append(open, ownOrigin)...), 204, "")
		wants(t, ask(t, user, "GET /socket", "", "", append(open, "https://sub.app.example")...), 403, "csrf_failed")
	})
}

// HTTP-49, case 19: the token of the page.
func TestHTTP_49_Token(t *testing.T) {
	x := newWeb()
	e := echo.New()
	cfg := routes.Config{Tokens: routes.TransportCookie}
	if _, err := routes.User(e.Group("/api"), x, cfg); err != nil {
		t.Fatal(err)
	}
	e.POST("/own", nothing, routes.RequireUser(x, cfg))
	for name, test := range map[string]struct {
		cookie string
		header []string
		passes bool
	}{
		"that of the cookie":            {"; __Host-roster_csrf=csrf", []string{"csrf"}, true},
		"none":                          {"; __Host-roster_csrf=csrf", nil, false},
		"an empty one":                  {"; __Host-roster_csrf=", []string{""}, false},
		"one without a cookie":          {"", []string{"csrf"}, false},
		"an empty one without a cookie": {"", []string{""}, false},
		"another one":                   {"; __Host-roster_csrf=csrf", []string{"csrg"}, false},
		"a part of it":                  {"; __Host-roster_csrf=csrf", []string{"csr"}, false},
		"that of another session":       {"; __Host-roster_csrf=others", []string{"others"}, false},
		"two":                           {"; __Host-roster_csrf=csrf", []string{"csrf", "csrf"}, false},
		"one for two cookies":           {"; __Host-roster_csrf=csrf; __Host-roster_csrf=csrf", []string{"csrf"}, false},
	} {
		t.Run("HTTP-49 "+name, func(t *testing.T) {
			for _, what := range []string{"PATCH /api/me", "POST /own", "POST /api/logout"} {
				method, path, _ := strings.Cut(what, " ")
				r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
				r.Header = http.Header{"Cookie": {"__Host-roster_access=access" + test.cookie}, "Origin": {ownOrigin}, "X-Csrf-Token": test.header}
				w := httptest.NewRecorder()
				e.ServeHTTP(w, r)
				if !test.passes {
					wants(t, w, 403, "csrf_failed")
					if got := strings.Contains(w.Body.String(), "X-CSRF-Token is missing"); got != (test.header == nil) {
						t.Errorf("%s: it is missing: %t in %s", what, got, w.Body)
					}
				} else if w.Code > 299 {
					t.Errorf("%s: got %d %s", what, w.Code, w.Body)
				}
			}
		})
	}
	t.Run("HTTP-49 is not asked of who refreshes", func(t *testing.T) {
		wants(t, ask(t, e, "POST /api/token/refresh", "", "", "Cookie", "__Host-roster_refresh=refresh", "Origin", ownOrigin), 200, "csrf_token")
	})
	t.Run("HTTP-42 takes a cookie without it for nobody's where none is needed, and says so to who needs one", func(t *testing.T) {
		const stepUp = `{"login":"ann","purpose":"step-up"}`
		wants(t, ask(t, e, "POST /api/codes/send", "", stepUp, own(loggedIn)...), 202, "accepted")
		wants(t, ask(t, e, "POST /api/codes/send", "", stepUp, "Origin", ownOrigin), 401, "unauthenticated")
		for _, headers := range [][]string{{"Origin", ownOrigin}, {"Origin", "https://evil.example", "X-CSRF-Token", "csrf"}} {
			wants(t, ask(t, e, "POST /api/codes/send", "", stepUp, append(headers, "Cookie", loggedIn)...), 403, "csrf_failed")
			wants(t, ask(t, e, "POST /api/codes/send", "", `{"login":"ann","purpose":"login"}`, append(headers, "Cookie", loggedIn)...), 202, "accepted")
		}
	})
}

// HTTP-6, HTTP-48: an endpoint of the program's own that lets people in is checked like ours, whatever it reads.
func TestHTTP_48_Replaced(t *testing.T) {
	var read string
	cfg := routes.Config{Tokens: routes.TransportChoose, Limits: unlimited, Replace: map[string]echo.HandlerFunc{"login": func(c echo.Context) error {
		text, err := io.ReadAll(c.Request().Body)
		read = string(text)
		return err
	}}}
	e, _ := mounted(t, newWeb(), cfg)
	for name, test := range map[string]struct {
		body    string
		headers []string
		status  int
	}{
		"JSON for the body from anywhere": {`{"login":"ann","transport":"body"}`, nil, 200},
		"JSON that says nothing":          {credentials, []string{"Origin", "https://evil.example"}, 200},
		"JSON for cookies from its page":  {`{"transport":"cookie"}`, own(""), 200},
		"JSON for cookies from nowhere":   {`{"transport":"cookie"}`, nil, 403},
		"JSON that is wrong":              {`{"transport":1}`, nil, 403},
		"a form from its page":            {"login=ann", append(own(""), "Content-Type", "application/x-www-form-urlencoded"), 200},
		"a form from elsewhere":           {"login=ann", []string{"Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example"}, 403},
		"JSON in a form from elsewhere":   {`{"transport":"body"}`, []string{"Content-Type", "text/plain"}, 403},
		"nothing from elsewhere":          {"", nil, 403},
		"no JSON from elsewhere":          {"{", nil, 400},
		"too much from elsewhere":         {`{"a":"` + strings.Repeat("a", 70<<10) + `"}`, nil, 413},
	} {
		read = ""
		w := ask(t, e, "POST /api/login", "", test.body, test.headers...)
		if w.Code != test.status || test.status == 200 && read != test.body {
			t.Errorf("%s: got %d %s, the handler read %q", name, w.Code, w.Body, read)
		}
	}
}

// down is a repo that cannot tell whether a token lives.
type down struct{ web }

func (down) VerifyToken(context.Context, roster.Secret) (roster.Claims, error) {
	return roster.Claims{}, roster.ErrUnavailable
}

// HTTP-41, HTTP-42: while nobody can say whether a token lives, it is neither taken nor taken for nobody's.
func TestHTTP_41_Unavailable(t *testing.T) {
	cfg := routes.Config{Tokens: routes.TransportCookie, Logger: discard()}
	x := down{newWeb()}
	e, _ := mounted(t, x, cfg)
	e.GET("/own", nothing, routes.RequireUser(x, cfg))
	for _, what := range []string{"GET /api/me", "GET /own", "POST /api/login", "POST /api/codes/send", "GET /api/openapi.json", "POST /api/logout"} {
		body := map[string]string{"POST /api/login": credentials, "POST /api/codes/send": `{"login":"ann","purpose":"step-up"}`}[what]
		for _, headers := range [][]string{own(loggedIn), append(own(""), "Authorization", "Bearer access")} {
			w := ask(t, e, what, "", body, headers...)
			wants(t, w, 503, `"code":"unavailable"`)
			if w.Header().Get("Retry-After") == "" || len(*x.calls) > 0 {
				t.Errorf("%s: Retry-After %q, done %v", what, w.Header().Get("Retry-After"), *x.calls)
			}
		}
		if w := ask(t, e, what, "", body, own("")...); w.Code == 503 {
			t.Errorf("%s without a token: %s", what, w.Body)
		}
	}
	wants(t, ask(t, e, "POST /api/token/revoke", "access", `{"refresh_token":"refresh"}`), 503, "unavailable")
}
