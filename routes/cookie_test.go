package routes_test

import (
	"context"
	"encoding/json"
	"fmt"
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

// web is a repo whose operations let everybody do what browsers do with cookies, and which notes what it was asked.
type web struct {
	fake
	site   roster.Site
	pair   roster.TokenPair
	device roster.Secret // what a log-in returns
	calls  *[]string
}

func newWeb() web {
	return web{site: gate{}.Site(), pair: pair, device: "device", calls: new([]string)}
}

func (x web) note(format string, args ...any) {
	*x.calls = append(*x.calls, fmt.Sprintf(format, args...))
}

func (x web) Site() roster.Site { return x.site }

func (x web) Login(_ context.Context, c roster.Credentials) (roster.Login[*account], error) {
	if c.DeviceToken != nil {
		x.note("login from %s", c.DeviceToken.Reveal())
	}
	if c.Password != nil && *c.Password == "wrong" {
		return roster.Login[*account]{}, roster.ErrInvalidCredentials
	}
	return roster.Login[*account]{User: someone(), Tokens: &x.pair, DeviceToken: x.device}, nil
}

func (x web) Register(_ context.Context, u *account, _ roster.Secret, options ...roster.RegisterOption) (*account, *roster.TokenPair, error) {
	x.note("register with %d options", len(options))
	if u.Company == "later" {
		return u, nil, nil
	}
	return u, &x.pair, nil
}

func (x web) CheckCode(_ context.Context, _ roster.ContactRef, purpose roster.CodePurpose, _ roster.Secret, _ ...roster.LoginOption) (roster.CodeOutcome[*account], error) {
	if purpose == roster.CodeLogin {
		return roster.CodeOutcome[*account]{Login: &roster.Login[*account]{User: someone(), Tokens: &x.pair, DeviceToken: x.device}}, nil
	}
	return roster.CodeOutcome[*account]{}, nil
}

func (x web) SendCode(ctx context.Context, _ roster.ContactRef, purpose roster.CodePurpose) error {
	if purpose == roster.CodeStepUp && roster.ActorFrom(ctx).ID != id {
		return roster.ErrUnauthenticated
	}
	return nil
}

func (x web) Refresh(_ context.Context, refresh roster.Secret) (roster.TokenPair, error) {
	x.note("refresh %s", refresh.Reveal())
	switch refresh {
	case "refresh":
		return x.pair, nil
	case "banned":
		return roster.TokenPair{}, roster.ErrBanned
	case "down":
		return roster.TokenPair{}, roster.ErrUnavailable
	}
	return roster.TokenPair{}, roster.ErrInvalidRefresh
}

func (x web) Revoke(_ context.Context, refresh roster.Secret) (time.Time, error) {
	x.note("revoke %s", refresh.Reveal())
	return present, nil
}

func (x web) Logout(_ context.Context, token roster.Secret) error {
	x.note("logout %s", token.Reveal())
	if token != "access" && token != "refresh" && token != "late" {
		return roster.ErrInvalidToken
	}
	return nil
}

func (x web) RevokeSession(_ context.Context, _, session roster.ID) error {
	x.note("revoke session %t", session == sid)
	return nil
}

func (x web) Close(context.Context, roster.ID, roster.Secret) error   { return nil }
func (x web) Archive(context.Context, roster.ID, roster.Secret) error { return nil }

func (x web) ChangePassword(_ context.Context, _ roster.ID, old, _ roster.Secret) (roster.TokenPair, error) {
	if old == "wrong" {
		return roster.TokenPair{}, roster.ErrInvalidPassword
	}
	return x.pair, nil
}

func (x web) UpdateAccount(context.Context, roster.ID, json.RawMessage, ...roster.UpdateOption) (*account, error) {
	x.note("update")
	return someone(), nil
}

// The cookies of a browser that is logged in, and what its own pages send.
const (
	loggedIn  = "__Host-roster_access=access; __Host-roster_refresh=refresh; __Host-roster_csrf=csrf; __Host-roster_device=device"
	ownOrigin = "https://app.example"
)

// own are the headers of a request that a page of the program's own sends with these cookies.
func own(cookies string) []string {
	return []string{"Cookie", cookies, "Origin", ownOrigin, "Sec-Fetch-Site", "same-origin", "X-CSRF-Token", "csrf"}
}

// cookiesOf are what an answer sets, as sent, in the order of their names.
func cookiesOf(w *httptest.ResponseRecorder) []string {
	list := slices.Clone(w.Header().Values("Set-Cookie"))
	slices.Sort(list)
	return list
}

func sets(t *testing.T, w *httptest.ResponseRecorder, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, cookiesOf(w)); diff != "" {
		t.Errorf("cookies of %d %s (-want +got):\n%s", w.Code, w.Body, diff)
	}
}

// The cookies that answers set and take back.
var (
	granted = []string{
		"__Host-roster_access=access; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax",
		"__Host-roster_csrf=csrf; Path=/; Max-Age=3600; Secure; SameSite=Strict",
		"__Host-roster_device=device; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax",
		"__Host-roster_refresh=refresh; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict",
	}
	renewed = []string{granted[0], granted[1], granted[3]}
	cleared = []string{
		"__Host-roster_access=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"__Host-roster_csrf=; Path=/; Max-Age=0; Secure; SameSite=Strict",
		"__Host-roster_refresh=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
	}
)

// unlimited lets an address ask as often as it likes.
var unlimited = map[string]int{"*": 0, "admin": 0, "admin_write": 0}

const credentials = `{"login":"ann","password":"x"}`

// entries are the endpoints that let somebody in.
var entries = map[string]string{
	"POST /api/login": credentials, "POST /api/register": `{"username":"ann","password":"x"}`,
	"POST /api/codes/check": `{"login":"ann","purpose":"login","code":"1"}`,
}

// HTTP-44, HTTP-51, HTTP-32, SESS-70, SEC-106, case 22: the cookies of those who get in, and the body without tokens.
func TestHTTP_44_Cookies(t *testing.T) {
	x := newWeb()
	e, _ := mounted(t, x, routes.Config{Tokens: routes.TransportCookie})
	for what, body := range entries {
		w := ask(t, e, what, "", body, own("")...)
		sets(t, w, granted...)
		for _, secret := range []string{`"access`, `"refresh"`, `"refresh_token`, "device_token", `"device"`} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("%s: the body has %s: %s", what, secret, w.Body)
			}
		}
		want := `"tokens":{"token_type":"Bearer","expires_in":600,"refresh_expires_in":3600,"session_id":"` + sid.String() + `"}`
		if !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), `"csrf_token":"csrf"`) {
			t.Errorf("%s: got %d %s, want %s and csrf_token", what, w.Code, w.Body, want)
		}
	}
	t.Run("HTTP-105 renews them, without that of the browser", func(t *testing.T) {
		w := ask(t, e, "POST /api/token/refresh", "", "", own(loggedIn)...)
		sets(t, w, renewed...)
		want := `{"token_type":"Bearer","expires_in":600,"refresh_expires_in":3600,"session_id":"` + sid.String() + `","csrf_token":"csrf"}`
		if w.Body.String() != want {
			t.Errorf("got %s, want %s", w.Body, want)
		}
	})
	t.Run("HTTP-116 renews them with the password", func(t *testing.T) {
		w := ask(t, e, "PUT /api/me/password", "", `{"old_password":"a","password":"b"}`, own(loggedIn)...)
		wants(t, w, 200, `"csrf_token":"csrf"`)
		sets(t, w, renewed...)
		sets(t, ask(t, e, "PUT /api/me/password", "", `{"old_password":"wrong","password":"b"}`, own(loggedIn)...))
	})
	t.Run("SESS-70 ends them with the browser for those who are not to be remembered", func(t *testing.T) {
		short := newWeb()
		short.pair.Remember = false
		e, _ := mounted(t, short, routes.Config{Tokens: routes.TransportCookie})
		sets(t, ask(t, e, "POST /api/login", "", credentials, own("")...),
			"__Host-roster_access=access; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-roster_csrf=csrf; Path=/; Secure; SameSite=Strict", granted[2],
			"__Host-roster_refresh=refresh; Path=/; HttpOnly; Secure; SameSite=Strict")
	})
	t.Run("PROT-23 takes the browser's own token for the device, and keeps it as long again", func(t *testing.T) {
		known := newWeb()
		known.device = ""
		e, _ := mounted(t, known, routes.Config{Tokens: routes.TransportCookie})
		sets(t, ask(t, e, "POST /api/login", "", credentials, own("__Host-roster_device=mine")...),
			granted[0], granted[1], strings.Replace(granted[2], "=device", "=mine", 1), granted[3])
		sets(t, ask(t, e, "POST /api/login", "", `{"login":"ann","password":"x","device_token":"given"}`, own("__Host-roster_device=mine")...),
			granted[0], granted[1], strings.Replace(granted[2], "=device", "=given", 1), granted[3])
		for _, planted := range []string{"__Host-roster_device=a; __Host-roster_device=b", "__Host-roster_device=", ""} {
			sets(t, ask(t, e, "POST /api/login", "", credentials, own(planted)...), renewed...)
		}
		if diff := cmp.Diff([]string{"login from mine", "login from given"}, *known.calls); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// What a client makes up, and no cookie holds, is not given back.
		for _, odd := range []string{strings.Repeat("x", 5000), "a;b", "\\u0001"} {
			sets(t, ask(t, e, "POST /api/login", "", `{"login":"ann","password":"x","device_token":"`+odd+`"}`, own("")...), renewed...)
		}
	})
	t.Run("ACCT-10 sets none where there are no tokens yet", func(t *testing.T) {
		w := ask(t, e, "POST /api/register", "", `{"username":"ann","password":"x","company":"later"}`, own("")...)
		wants(t, w, 201, `"tokens":null}`)
		sets(t, w)
		sets(t, ask(t, e, "POST /api/login", "", `{"login":"ann","password":"wrong"}`, own("")...))
	})
	t.Run("HTTP-8 has another name where the program says so", func(t *testing.T) {
		e, _ := mounted(t, newWeb(), routes.Config{Tokens: routes.TransportCookie, CookieName: "staff"})
		w := ask(t, e, "POST /api/login", "", credentials, own("")...)
		if got := cookiesOf(w); len(got) != 4 || !strings.HasPrefix(got[0], "__Host-staff_access=access;") {
			t.Errorf("cookies are %q", got)
		}
		wants(t, ask(t, e, "GET /api/me", "", "", "Cookie", loggedIn), 401, "unauthenticated")
		wants(t, ask(t, e, "GET /api/me", "", "", "Cookie", "__Host-staff_access=access"), 200, "ann")
	})
}

// HTTP-45: on localhost in development the names have no prefix, and plain http will do.
func TestHTTP_45_Development(t *testing.T) {
	x := newWeb()
	x.site.BaseURL, x.site.Development = "http://localhost:8080/app", true
	e, _ := mounted(t, x, routes.Config{Tokens: routes.TransportCookie, Origins: []string{"http://localhost:5173"}})
	plain := func(list []string) []string {
		var out []string
		for _, c := range list {
			out = append(out, strings.Replace(strings.TrimPrefix(c, "__Host-"), "; Secure", "", 1))
		}
		return out
	}
	for _, origin := range []string{"http://localhost:8080", "http://localhost:5173"} {
		sets(t, ask(t, e, "POST /api/login", "", credentials, "Origin", origin), plain(granted)...)
	}
	wants(t, ask(t, e, "POST /api/login", "", credentials, "Origin", "http://127.0.0.1:8080"), 403, "csrf_failed")
	wants(t, ask(t, e, "GET /api/me", "", "", "Cookie", "roster_access=access"), 200, "ann")
	sets(t, ask(t, e, "POST /api/logout", "", "", "Cookie", "roster_refresh=refresh", "Origin", "http://localhost:8080"), plain(cleared)...)

	x.site.BaseURL = "https://localhost:8443" // where browsers take them as ever
	e, _ = mounted(t, x, routes.Config{Tokens: routes.TransportCookie})
	sets(t, ask(t, e, "POST /api/login", "", credentials, "Origin", "https://localhost:8443"), granted...)
}

// SEC-106: a token that makes a cookie of 4 KiB is an error that the log explains, and its session ends.
func TestSEC_106_TooLongForACookie(t *testing.T) {
	for size, fits := range map[int]bool{3000: true, 4021: true, 4022: false, 5000: false} {
		x := newWeb()
		x.pair.AccessToken = roster.Secret(strings.Repeat("x", size))
		e, _ := mounted(t, x, routes.Config{Tokens: routes.TransportCookie, Logger: discard()})
		w := ask(t, e, "POST /api/login", "", credentials, own("")...)
		if fits {
			wants(t, w, 200, "csrf_token")
			for _, c := range cookiesOf(w) {
				if len(c) >= 4096 {
					t.Errorf("a cookie has %d bytes", len(c))
				}
			}
			continue
		}
		wants(t, w, 500, `"code":"internal"`)
		sets(t, w, cleared...)
		if diff := cmp.Diff([]string{"revoke refresh"}, *x.calls); diff != "" {
			t.Errorf("%d bytes (-want +got):\n%s", size, diff)
		}
	}
	x, text := newWeb(), &strings.Builder{}
	x.pair.AccessToken = roster.Secret(strings.Repeat("x", 5000))
	e, _ := mounted(t, x, routes.Config{Tokens: routes.TransportCookie, Logger: logger(text)})
	ask(t, e, "POST /api/token/refresh", "", "", own(loggedIn)...)
	if !strings.Contains(text.String(), "its token has 5000 bytes") || strings.Contains(text.String(), "xxxx") {
		t.Errorf("the log says %s", text)
	}
}

// HTTP-43: the member transport decides, where that is chosen, and is unknown elsewhere.
func TestHTTP_43_Transport(t *testing.T) {
	with := func(body, transport string) string {
		return strings.TrimSuffix(body, "}") + `,"transport":` + transport + `}`
	}
	choose, _ := mounted(t, newWeb(), routes.Config{Tokens: routes.TransportChoose, Limits: unlimited})
	for what, body := range entries {
		for _, in := range []string{body, with(body, `"body"`), with(body, "null")} {
			// A program that is no browser says nothing of where it comes from, and a page elsewhere gets no cookie.
			for _, headers := range [][]string{nil, {"Origin", "https://evil.example"}} {
				w := ask(t, choose, what, "", in, headers...)
				if !strings.Contains(w.Body.String(), `"access_token":"access"`) || strings.Contains(w.Body.String(), "csrf_token") ||
					!strings.Contains(w.Body.String(), `"device_token":"device"`) {
					t.Errorf("%s %s: got %d %s, want the tokens", what, in, w.Code, w.Body)
				}
				sets(t, w)
			}
		}
		sets(t, ask(t, choose, what, "", with(body, `"cookie"`), own("")...), granted...)
		w := ask(t, choose, what, "", with(body, `"cookie"`))
		wants(t, w, 403, "csrf_failed")
		sets(t, w)
		if what == "POST /api/register" {
			continue // which tells its faults with those of the operation, that the fake does not have
		}
		wants(t, ask(t, choose, what, "", with(body, `"cookies"`), own("")...), 422, `{"field":"transport","code":"invalid"}`)
		wants(t, ask(t, choose, what, "", with(body, `""`), own("")...), 422, `{"field":"transport","code":"invalid"}`)
		wants(t, ask(t, choose, what, "", with(body, `1`), own("")...), 422, `{"field":"transport","code":"wrong_type"}`)
	}
	for _, tokens := range []routes.Transport{"", routes.TransportBody, routes.TransportCookie} {
		e, _ := mounted(t, newWeb(), routes.Config{Tokens: tokens})
		for _, what := range []string{"POST /api/login", "POST /api/codes/check"} {
			wants(t, ask(t, e, what, "", with(entries[what], `"cookie"`), own("")...), 422, `{"field":"transport","code":"unknown_field"}`)
		}
	}
	t.Run("HTTP-32 goes on the way that the proof came", func(t *testing.T) {
		const change = `{"old_password":"a","password":"b"}`
		wants(t, ask(t, choose, "PUT /api/me/password", "access", change), 200, "access_token")
		sets(t, ask(t, choose, "PUT /api/me/password", "", change, own(loggedIn)...), renewed...)
		wants(t, ask(t, choose, "POST /api/token/refresh", "", `{"refresh_token":"refresh"}`), 200, "refresh_token")
		sets(t, ask(t, choose, "POST /api/token/refresh", "", "", own(loggedIn)...), renewed...)
		e, _ := mounted(t, newWeb(), routes.Config{Tokens: routes.TransportCookie})
		w := ask(t, e, "PUT /api/me/password", "access", change, own(loggedIn)...)
		wants(t, w, 200, "access_token")
		sets(t, w)
		sets(t, ask(t, e, "DELETE /api/me", "access", "", own(loggedIn)...))
	})
	t.Run("HTTP-43 takes and sets no cookie by default", func(t *testing.T) {
		e, _ := mounted(t, newWeb(), routes.Config{})
		for what, body := range entries {
			sets(t, ask(t, e, what, "", body, own(loggedIn)...))
		}
		wants(t, ask(t, e, "GET /api/me", "", "", own(loggedIn)...), 401, "unauthenticated")
		wants(t, ask(t, e, "POST /api/token/refresh", "", "", own(loggedIn)...), 422, "required")
		w := ask(t, e, "POST /api/logout", "access", "")
		sets(t, w)
		if got := w.Header().Get("Clear-Site-Data"); got != `"cache"` {
			t.Errorf("Clear-Site-Data is %s", got)
		}
	})
}

// HTTP-40, SESS-71, HTTP-105: which cookie counts.
func TestSESS_71_Reading(t *testing.T) {
	e, _ := mounted(t, newWeb(), routes.Config{Tokens: routes.TransportCookie, Limits: unlimited, Logger: discard()})
	for name, x := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"the access cookie":                        {[]string{"Cookie", loggedIn}, 200, ""},
		"none":                                     {[]string{"Cookie", "other=1"}, 401, "unauthenticated"},
		"an empty one":                             {[]string{"Cookie", "__Host-roster_access="}, 401, "unauthenticated"},
		"a bad header beside it (case 18)":         {[]string{"Cookie", loggedIn, "Authorization", "Bearer x"}, 401, "invalid_token"},
		"a header that is no bearer":               {[]string{"Cookie", loggedIn, "Authorization", "Basic x"}, 401, "invalid_token"},
		"a good header beside a bad one":           {[]string{"Cookie", "__Host-roster_access=x", "Authorization", "Bearer access"}, 200, ""},
		"the refresh token in its place":           {[]string{"Cookie", "__Host-roster_access=refresh"}, 401, "invalid_token"},
		"two of the name":                          {[]string{"Cookie", "__Host-roster_access=access; __Host-roster_access=x"}, 401, "invalid_token"},
		"the same twice":                           {[]string{"Cookie", "__Host-roster_access=access; __Host-roster_access=access"}, 401, "invalid_token"},
		"one without the prefix":                   {[]string{"Cookie", "roster_access=access"}, 401, "unauthenticated"},
		"one in other letters":                     {[]string{"Cookie", "__host-roster_access=access"}, 401, "unauthenticated"},
		"one that no browser keeps":                {[]string{"Cookie", "__Host-roster_access=" + strings.Repeat("a", 4096)}, 401, "invalid_token"},
		"one with what no cookie has":              {[]string{"Cookie", "__Host-roster_access=acc\x00ess"}, 401, "unauthenticated"},
		"a header line that makes no sense at all": {[]string{"Cookie", ";;;=;=;\x7f,\""}, 401, "unauthenticated"},
	} {
		t.Run("HTTP-40 "+name, func(t *testing.T) {
			wants(t, ask(t, e, "GET /api/me", "", "", x.headers...), x.status, x.code)
		})
	}
	refresh := func(cookies, body string) *httptest.ResponseRecorder {
		return ask(t, e, "POST /api/token/refresh", "", body, own(cookies)...)
	}
	wants(t, refresh(loggedIn, ""), 200, "csrf_token")
	wants(t, refresh(loggedIn, "{}"), 200, "csrf_token")
	wants(t, refresh(loggedIn, `{"refresh_token":"refresh"}`), 200, "csrf_token")
	wants(t, refresh("", `{"refresh_token":"refresh"}`), 200, "csrf_token") // of somebody who had it in the body before
	for _, other := range []string{`"other"`, `""`} {
		w := refresh(loggedIn, `{"refresh_token":`+other+`}`)
		wants(t, w, 400, `"errors":[{"field":"refresh_token","code":"invalid"}]`)
		sets(t, w) // nothing was refused: the next one may succeed
	}
	wants(t, refresh(loggedIn, `{"access_token":"x"}`), 422, "unknown_field")
	for _, cookies := range []string{
		"", "__Host-roster_refresh=access", "__Host-roster_refresh=x", "__Host-roster_refresh=refresh; __Host-roster_refresh=x",
		"__Host-roster_refresh=" + strings.Repeat("a", 9000),
	} {
		w := refresh(cookies, "")
		wants(t, w, 401, "invalid_refresh_token")
		sets(t, w, cleared...) // HTTP-46
	}
	w := refresh("__Host-roster_refresh=banned", "")
	wants(t, w, 403, "banned")
	sets(t, w, cleared...)
	w = refresh("__Host-roster_refresh=down", "")
	wants(t, w, 503, "unavailable")
	sets(t, w)
}

// HTTP-46, HTTP-47, SEC-45: what takes cookies back, and what browsers drop.
func TestHTTP_46_Clearing(t *testing.T) {
	x := newWeb()
	e, _ := mounted(t, x, routes.Config{Tokens: routes.TransportCookie, Limits: unlimited})
	for what, clears := range map[string]bool{
		"POST /api/logout": true, "DELETE /api/me": true, "POST /api/me/archive": true,
		"DELETE /api/me/sessions/" + sid.String(): false, "DELETE /api/me/sessions/" + id.String(): false,
	} {
		w := ask(t, e, what, "", "", own(loggedIn)...)
		wants(t, w, 204, "")
		if strings.HasSuffix(what, id.String()) {
			sets(t, w) // another session of the user
		} else {
			sets(t, w, cleared...)
		}
		want := ""
		if clears {
			want = `"cache"`
		}
		if got := w.Header().Get("Clear-Site-Data"); got != want {
			t.Errorf("%s: Clear-Site-Data is %s, want %s", what, got, want)
		}
	}
	for name, test := range map[string]struct {
		headers []string
		body    string
		calls   []string
		status  int
		clears  bool
	}{
		"by the access cookie":               {own(loggedIn), "", []string{"logout access"}, 204, true},
		"by the refresh cookie alone":        {[]string{"Cookie", "__Host-roster_refresh=refresh", "Origin", ownOrigin}, "", []string{"logout refresh"}, 204, true},
		"by a late access cookie":            {own("__Host-roster_access=late"), "", []string{"logout late"}, 204, true},
		"by a dead one and a refresh cookie": {own("__Host-roster_access=x; __Host-roster_refresh=refresh"), "", []string{"logout x", "logout refresh"}, 204, true},
		"by the body":                        {[]string{"Origin", ownOrigin}, `{"refresh_token":"refresh"}`, []string{"logout refresh"}, 204, true},
		"by the header alone":                {append(own(loggedIn), "Authorization", "Bearer access"), "", []string{"logout access"}, 204, false},
		"by nothing":                         {[]string{"Origin", ownOrigin}, "", nil, 204, true},
		"by nothing that counts":             {own("__Host-roster_access=x; __Host-roster_refresh=y"), "", []string{"logout x", "logout y"}, 204, true},
		"by nothing, from no page":           {nil, "", nil, 204, false},
		"by nothing, from elsewhere":         {[]string{"Origin", "https://evil.example"}, "", nil, 204, false},
		"not from elsewhere":                 {[]string{"Cookie", loggedIn, "Origin", "https://evil.example"}, "", nil, 403, false},
		"not without the token":              {[]string{"Cookie", loggedIn, "Origin", ownOrigin}, "", nil, 403, false},
	} {
		t.Run("HTTP-103 "+name, func(t *testing.T) {
			*x.calls = nil
			w := ask(t, e, "POST /api/logout", "", test.body, test.headers...)
			wants(t, w, test.status, "")
			if diff := cmp.Diff(test.calls, *x.calls); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.clears {
				sets(t, w, cleared...)
			} else {
				sets(t, w)
			}
			elsewhere := test.status != 204 || strings.HasSuffix(name, "from elsewhere")
			if got := w.Header().Get("Clear-Site-Data"); (got == "") != elsewhere {
				t.Errorf("Clear-Site-Data is %q", got)
			}
		})
	}
	t.Run("HTTP-47 is what the program says, or nothing", func(t *testing.T) {
		for want, list := range map[string][]string{`"cache", "storage"`: {"cache", "storage"}, "": {}} {
			e, _ := mounted(t, newWeb(), routes.Config{ClearSiteData: list})
			if got := ask(t, e, "POST /api/logout", "access", "").Header().Get("Clear-Site-Data"); got != want {
				t.Errorf("Clear-Site-Data is %s, want %s", got, want)
			}
		}
	})
}

// HTTP-1: what is wrong with the settings of browsers is told with all else, and nothing is mounted.
func TestHTTP_55_MountingFaults(t *testing.T) {
	for want, cfg := range map[string]routes.Config{
		`Tokens is "cookies"`:                    {Tokens: "cookies"},
		`CookieName is "a b"`:                    {CookieName: "a b"},
		`CookieName is "a=b;"`:                   {CookieName: "a=b;", Tokens: routes.TransportCookie},
		`Origins: "https://app.example/"`:        {Origins: []string{"https://app.example/"}},
		`Origins: "http://localhost:5173"`:       {Origins: []string{"http://localhost:5173"}}, // not in development
		`CORSOrigins: "*"`:                       {CORSOrigins: []string{"*"}},
		`CORSOrigins: "null"`:                    {CORSOrigins: []string{"null"}},
		`CORSOrigins: ""`:                        {CORSOrigins: []string{""}},
		`CORSOrigins: "https://*.example"`:       {CORSOrigins: []string{"https://*.example"}},
		`CORSOrigins: "https://App.example"`:     {CORSOrigins: []string{"https://App.example"}},
		`CORSOrigins: "https://app.example:443"`: {CORSOrigins: []string{"https://app.example:443"}},
		`CORSOrigins: "http://app.example"`:      {CORSOrigins: []string{"http://app.example"}},
		`CORSOrigins: "https://a.example/x"`:     {CORSOrigins: []string{"https://a.example/x"}},
		`CORSOrigins: "https://ann@a.example"`:   {CORSOrigins: []string{"https://ann@a.example"}},
		`CORSOrigins: "app.example"`:             {CORSOrigins: []string{"app.example"}},
		`CORSOrigins: "https://ä.example"`:       {CORSOrigins: []string{"https://ä.example"}},
		`CORSOrigins: "https://b.example" is`:    {CORSOrigins: []string{"https://b.example", "https://b.example"}},
		`ClearSiteData: "everything" is none of`: {ClearSiteData: []string{"everything"}},
		`Limits: there is no endpoint "x"`:       {CORSOrigins: []string{"*"}, Limits: map[string]int{"x": 1}},
		`OPTIONS /api/me is mounted already`:     {CORSOrigins: []string{"https://a.example"}},
		`cookies need a base URL`:                {Tokens: routes.TransportChoose, Realm: "no host"},
	} {
		e, x := echo.New(), newWeb()
		if strings.HasPrefix(want, "OPTIONS") {
			e.OPTIONS("/api/me", nothing)
		}
		if cfg.Realm != "" {
			x.site.BaseURL = "https://bücher.example"
		}
		before := pathsOf(e)
		if m, err := routes.User(e.Group("/api"), x, cfg); err == nil || m != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if diff := cmp.Diff(before, pathsOf(e)); diff != "" {
			t.Errorf("%s: routes were added (-want +got):\n%s", want, diff)
		}
	}
	for _, origin := range []string{
		"https://app.example", "https://app.example:8443", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:80a", "capacitor://localhost", "https://xn--bcher-kva.example",
	} {
		_, err := routes.User(echo.New().Group("/api"), newWeb(), routes.Config{CORSOrigins: []string{origin}})
		if broken := strings.HasSuffix(origin, "a"); (err != nil) != broken {
			t.Errorf("CORSOrigins %s: %v", origin, err)
		}
	}
}

// Handlers of the program's own set the cookies of those whom they let in.
func TestSetCookies(t *testing.T) {
	x, cfg := newWeb(), routes.Config{Tokens: routes.TransportCookie}
	w := httptest.NewRecorder()
	if err := routes.SetCookies(w, x, cfg, x.pair); err != nil {
		t.Fatal(err)
	}
	sets(t, w, granted...)
	w = httptest.NewRecorder()
	if err := routes.ClearCookies(w, x, cfg); err != nil {
		t.Fatal(err)
	}
	sets(t, w, cleared...)
	long := x.pair
	long.AccessToken = roster.Secret(strings.Repeat("x", 4096))
	w = httptest.NewRecorder()
	for name, err := range map[string]error{
		"a token that is too long": routes.SetCookies(w, x, cfg, long),
		"a pair without tokens":    routes.SetCookies(w, x, cfg, roster.TokenPair{}),
		"tokens in bodies":         routes.SetCookies(w, x, routes.Config{}, x.pair),
		"a broken configuration":   routes.ClearCookies(w, x, routes.Config{Tokens: "x"}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	sets(t, w)
}

// HTTP-41, SESS-71, SEC-106: whatever a browser, or somebody who is none, sends as cookies: never a 500, and never in.
func FuzzCookieHeader(f *testing.F) {
	for _, seed := range []string{
		loggedIn, "", ";", "=", "__Host-roster_access", "__Host-roster_access=\"access\"", "a=b; __Host-roster_access=access",
		"__Host-roster_access=access; __Host-roster_access=access", strings.Repeat("a=b; ", 4000), "__Host-roster_refresh=refresh",
		"$Version=1; __Host-roster_access=access; $Path=/", "__Host-roster_access=a\xffb", "__Host-roster_access=acc,ess",
	} {
		f.Add(seed)
	}
	x := newWeb()
	e := echo.New()
	if _, err := routes.User(e.Group("/api"), x, routes.Config{Tokens: routes.TransportChoose, Logger: discard(), Limits: unlimited}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cookies string) {
		*x.calls = nil
		in := false
		for _, c := range (&http.Request{Header: http.Header{"Cookie": {cookies}}}).Cookies() {
			in = in || c.Name == "__Host-roster_access" && c.Value == "access"
		}
		for what, statuses := range map[string][]int{
			"GET /api/me": {200, 401}, "PATCH /api/me": {200, 401, 403}, "POST /api/token/refresh": {200, 401}, "POST /api/logout": {204, 403},
			"POST /api/login": {200},
		} {
			body := ""
			if what == "POST /api/login" {
				body = strings.TrimSuffix(credentials, "}") + `,"transport":"cookie"}`
			}
			w := ask(t, e, what, "", body, own(cookies)...)
			if !slices.Contains(statuses, w.Code) {
				t.Errorf("%s with %q: %d %s", what, cookies, w.Code, w.Body)
			}
			if what == "GET /api/me" && w.Code == 200 && !in {
				t.Errorf("%q lets in", cookies)
			}
		}
	})
}
