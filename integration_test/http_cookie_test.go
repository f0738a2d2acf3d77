package integration_test

import (
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/usersrepo"
)

// The endpoints that set cookies, and those that take them back.
var (
	setCookies   = []string{"register", "login", "codes_check", "token_refresh", "password_change"}
	clearCookies = []string{"logout", "me_close", "me_archive", "session_revoke", "token_refresh"}
)

// checkCookies holds the cookies of an answer to HTTP-44 and HTTP-46 (SEC-106): who may set them, and how each looks.
func checkCookies(t testing.TB, e contractEndpoint, a reply) {
	t.Helper()
	lines := a.header.Values("Set-Cookie")
	if len(lines) == 0 {
		return
	}
	var names []string
	gone := 0
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatalf("%s: cookie %q: %v", a, line, err)
		}
		names = append(names, strings.TrimPrefix(c.Name, "__Host-roster_"))
		strict := strings.HasSuffix(c.Name, "_refresh") || strings.HasSuffix(c.Name, "_csrf")
		want := http.Cookie{
			Name: c.Name, Value: c.Value, Path: "/", MaxAge: c.MaxAge, Secure: true, HttpOnly: !strings.HasSuffix(c.Name, "_csrf"),
			SameSite: map[bool]http.SameSite{true: http.SameSiteStrictMode, false: http.SameSiteLaxMode}[strict], Raw: line,
		}
		if diff := cmp.Diff(&want, c); diff != "" || len(line) >= 4096 || !strings.HasPrefix(c.Name, "__Host-roster_") {
			t.Errorf("%s: cookie %q (-want +got):\n%s", a, line, diff)
		}
		if c.MaxAge < 0 {
			gone++
			if c.Value != "" || !strings.Contains(line, "Max-Age=0;") {
				t.Errorf("%s: cookie %q is not taken back", a, line)
			}
		}
	}
	slices.Sort(names)
	session := []string{"access", "csrf", "refresh"}
	switch {
	case gone > 0:
		if gone != 3 || !slices.Equal(names, session) || !slices.Contains(clearCookies, e.Name) {
			t.Errorf("%s: takes back %v", a, names)
		}
	case !slices.Contains(setCookies, e.Name) || a.status > 299:
		t.Errorf("%s: sets %v", a, names)
	case !slices.Equal(names, session) && !slices.Equal(names, []string{"access", "csrf", "device", "refresh"}):
		t.Errorf("%s: sets %v only", a, names)
	}
	for _, member := range []string{"access_token", "refresh_token", "device_token"} {
		if strings.Contains(string(a.body), `"`+member+`"`) {
			t.Errorf("%s: a body beside cookies has %s", a, member)
		}
	}
}

// browser is one that somebody sits at, on a page of the program's own.
type browser struct {
	*site
	client *http.Client
}

func (s *site) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *s.client
	client.Jar = jar
	return &browser{s, &client}
}

// cookie is what the browser holds under a name: access, refresh, csrf, device.
func (b *browser) cookie(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "__Host-roster_"+name {
			return c.Value
		}
	}
	return ""
}

// held are the cookies of the browser's session.
func (b *browser) held(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{"access": b.cookie(t, "access"), "refresh": b.cookie(t, "refresh"), "csrf": b.cookie(t, "csrf")}
}

// do sends a request as a page of the program's own does. Options come last.
func (b *browser) do(t testing.TB, what string, body any, options ...option) reply {
	t.Helper()
	page := []option{header("Origin", "https://app.example"), header("Sec-Fetch-Site", "same-origin"), b.sent()}
	if csrf := b.cookie(t, "csrf"); csrf != "" {
		page = append(page, header("X-CSRF-Token", csrf))
	}
	return b.site.do(t, what, body, append(page, options...)...)
}

// sent lets the browser send a request, which adds its cookies.
func (b *browser) sent() option { return func(c *call) { c.client = b.client } }

// thief sends the cookies that somebody has copied, from a program of their own.
func (s *site) thief(t testing.TB, held map[string]string, what string) reply {
	t.Helper()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(held)) {
		list = append(list, "__Host-roster_"+name+"="+held[name])
	}
	return s.do(t, what, nil, header("Cookie", strings.Join(list, "; ")), header("Origin", "https://app.example"), header("X-CSRF-Token", held["csrf"]))
}

// in logs the browser in.
func (b *browser) in(t testing.TB, login string) *browser {
	t.Helper()
	b.do(t, "POST /api/login", fields{"login": login, "password": passphrase}).succeeds(t, 200)
	return b
}

// onBrowsers opens a site for browsers on each database.
func onBrowsers(t *testing.T, tokens routes.Transport, test func(t *testing.T, s *site), settings ...func(*usersrepo.Config)) {
	t.Helper()
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) { test(t, openSite(t, db, routes.Config{Tokens: tokens}, settings...)) })
}

// HTTP-44, HTTP-46, HTTP-49, HTTP-51, SESS-70, SEC-45: the life of a session in a browser, from registering to logging out.
func TestHTTPCookies(t *testing.T) {
	onBrowsers(t, routes.TransportCookie, func(t *testing.T, s *site) {
		b := s.browser(t)
		a := b.do(t, "POST /api/register", fields{"username": "anna", "email": "anna@example.com", "password": passphrase}).succeeds(t, 201)
		same(t, b.cookie(t, "csrf"), a.text(t, "csrf_token"))
		same(t, any(600.0), a.member(t, "tokens.expires_in"))
		b.do(t, "GET /api/me", nil).succeeds(t, 200)
		b.do(t, "POST /api/confirm/email", fields{"token": s.mail(t, "anna@example.com").Reveal()}).succeeds(t, 200)
		b.do(t, "PATCH /api/me", fields{"language": "de"}).succeeds(t, 200)

		t.Run("HTTP-49 changes nothing without the token of the session (case 19)", func(t *testing.T) {
			other := s.browser(t).in(t, "anna")
			stranger := s.browser(t)
			stranger.do(t, "POST /api/register", fields{"username": "bert", "password": passphrase}).succeeds(t, 201)
			for _, token := range []string{"", "x", other.cookie(t, "csrf"), stranger.cookie(t, "csrf"), b.cookie(t, "csrf") + "A"} {
				b.do(t, "PATCH /api/me", fields{"language": "fr"}, header("X-CSRF-Token", token)).fails(t, 403, "csrf_failed")
				if token == "" {
					continue
				}
				// Nor where the cookie is the same, as somebody on a domain beside it may plant it.
				cookies := "__Host-roster_access=" + b.cookie(t, "access") + "; __Host-roster_csrf=" + token
				s.do(t, "PATCH /api/me", fields{"language": "fr"}, header("Cookie", cookies), header("X-CSRF-Token", token),
					header("Origin", "https://app.example")).fails(t, 403, "csrf_failed")
			}
			b.do(t, "PATCH /api/me", fields{"language": "fr"}, func(c *call) { c.Header.Del("X-CSRF-Token") }).fails(t, 403, "csrf_failed")
			same(t, "de", b.do(t, "GET /api/me", nil).text(t, "language"))
			s.do(t, "PATCH /api/me", fields{"language": "en"}, as(roster.Secret(b.cookie(t, "access")))).succeeds(t, 200) // HTTP-50
		})
		t.Run("HTTP-105 refreshes by the cookie, and leaves the page its token", func(t *testing.T) {
			before := b.held(t)
			s.Clock.Advance(11 * time.Minute)
			b.do(t, "GET /api/me", nil).fails(t, 401, "token_expired")
			b.do(t, "POST /api/token/refresh", nil).succeeds(t, 200)
			now := b.held(t)
			same(t, before["csrf"], now["csrf"])
			if now["access"] == before["access"] || now["refresh"] == before["refresh"] {
				t.Error("the tokens are as they were")
			}
			b.do(t, "PATCH /api/me", fields{"language": "de"}).succeeds(t, 200)
		})
		t.Run("HTTP-51 renews the token of the page with the password", func(t *testing.T) {
			other, before := s.browser(t).in(t, "anna"), b.held(t)
			b.do(t, "PUT /api/me/password", fields{"old_password": passphrase, "password": "staple battery horse"}).succeeds(t, 200)
			now := b.held(t)
			for name := range now {
				if now[name] == before[name] {
					t.Errorf("the %s cookie is as it was", name)
				}
			}
			b.do(t, "PATCH /api/me", fields{}, header("X-CSRF-Token", before["csrf"])).fails(t, 403, "csrf_failed")
			b.do(t, "PATCH /api/me", fields{}).succeeds(t, 200)
			s.thief(t, before, "GET /api/me").fails(t, 401, "token_expired")
			a := other.do(t, "POST /api/token/refresh", nil)
			a.fails(t, 401, "session_revoked")
			same(t, map[string]string{"access": "", "refresh": "", "csrf": ""}, other.held(t)) // HTTP-46
		})
		t.Run("SEC-45 ends at the server what the browser forgets", func(t *testing.T) {
			copied, device := b.held(t), b.cookie(t, "device")
			b.do(t, "POST /api/logout", nil).succeeds(t, 204)
			same(t, map[string]string{"access": "", "refresh": "", "csrf": ""}, b.held(t))
			same(t, device, b.cookie(t, "device"))
			s.thief(t, copied, "GET /api/me").fails(t, 401, "session_revoked")
			s.thief(t, copied, "PATCH /api/me").fails(t, 401, "session_revoked")
			s.thief(t, copied, "POST /api/token/refresh").fails(t, 401, "session_revoked")
			b.do(t, "GET /api/me", nil).fails(t, 401, "unauthenticated")
			b.do(t, "POST /api/token/refresh", nil).fails(t, 401, "invalid_refresh_token")
			b.do(t, "POST /api/logout", nil).succeeds(t, 204)
		})
		t.Run("PROT-23 knows the browser at its next log-in", func(t *testing.T) {
			body := fields{"login": "anna", "password": "staple battery horse"}
			device := b.cookie(t, "device")
			same(t, any(false), b.do(t, "POST /api/login", body).succeeds(t, 200).member(t, "new_device"))
			same(t, device, b.cookie(t, "device"))
			same(t, any(true), s.browser(t).do(t, "POST /api/login", body).succeeds(t, 200).member(t, "new_device"))
		})
		t.Run("SESS-70 forgets with the browser who is not to be remembered, case 22", func(t *testing.T) {
			short := s.browser(t)
			a := short.do(t, "POST /api/login", fields{"login": "anna", "password": "staple battery horse", "remember": false}).succeeds(t, 200)
			same(t, any(43200.0), a.member(t, "tokens.refresh_expires_in"))
			for _, answer := range []reply{a, short.do(t, "POST /api/token/refresh", nil).succeeds(t, 200)} {
				for _, line := range answer.header.Values("Set-Cookie") {
					if strings.Contains(line, "Max-Age") != strings.Contains(line, "_device=") {
						t.Errorf("cookie %s", line)
					}
				}
			}
			a = b.do(t, "POST /api/token/refresh", nil).succeeds(t, 200)
			if lines := strings.Join(a.header.Values("Set-Cookie"), "\n"); !strings.Contains(lines, "; Max-Age=600;") || !strings.Contains(lines, "; Max-Age=1209600;") {
				t.Errorf("cookies of 10 min and 14 days are\n%s", lines)
			}
		})
		t.Run("HTTP-46 forgets the session that the browser ends by its id, and no other", func(t *testing.T) {
			other := s.browser(t)
			a := other.do(t, "POST /api/login", fields{"login": "anna", "password": "staple battery horse"}).succeeds(t, 200)
			b.do(t, "DELETE /api/me/sessions/"+a.text(t, "tokens.session_id"), nil).succeeds(t, 204)
			b.do(t, "GET /api/me", nil).succeeds(t, 200)
			for _, item := range b.do(t, "GET /api/me/sessions", nil).succeeds(t, 200).member(t, "items").([]any) {
				if x := item.(map[string]any); x["current"] == true {
					b.do(t, "DELETE /api/me/sessions/"+x["id"].(string), nil).succeeds(t, 204)
				}
			}
			same(t, "", b.cookie(t, "access")+b.cookie(t, "refresh")+b.cookie(t, "csrf"))
		})
	})
}

// HTTP-48, HTTP-49, SEC-105, case 20: what pages of other sites can make a browser send changes nothing: they log nobody in,
// refresh nothing, log nobody out.
func TestSEC_105_CrossSite(t *testing.T) {
	onBrowsers(t, routes.TransportCookie, func(t *testing.T, s *site) {
		b := s.browser(t)
		b.do(t, "POST /api/register", fields{"username": "anna", "password": passphrase}).succeeds(t, 201)
		state := func() [3]int {
			return [3]int{s.rows(t, "roster_sessions"), s.rows(t, "users"), s.rows(t, "roster_sessions WHERE ended_at IS NOT NULL OR generation > 1")}
		}
		before, held := state(), b.held(t)
		for name, from := range map[string][]option{
			"a foreign origin": {header("Origin", "https://evil.example"), header("Sec-Fetch-Site", "cross-site")},
			"the null origin":  {header("Origin", "null"), header("Sec-Fetch-Site", "cross-site")},
			"the same site":    {header("Origin", "https://evil.app.example"), header("Sec-Fetch-Site", "same-site")},
			"plain http":       {header("Origin", "http://app.example"), header("Sec-Fetch-Site", "cross-site")},
			"another port":     {header("Origin", "https://app.example:8443"), header("Sec-Fetch-Site", "same-site")},
			"nowhere":          {func(c *call) { c.Header.Del("Origin"); c.Header.Del("Sec-Fetch-Site") }},
		} {
			t.Run("HTTP-48 refuses "+name, func(t *testing.T) {
				for what, body := range map[string]fields{
					"POST /api/login":         {"login": "anna", "password": passphrase},
					"POST /api/register":      {"username": "mallory", "password": passphrase},
					"POST /api/codes/check":   {"login": "anna", "purpose": "login", "code": "123456"},
					"POST /api/token/refresh": nil, "POST /api/logout": nil, "PATCH /api/me": {"language": "de"}, "POST /api/me/archive": {"password": passphrase},
					"DELETE /api/me": {"password": passphrase}, "DELETE /api/me/sessions": nil, "POST /api/me/password": {"password": passphrase},
					"PUT /api/me/password": {"old_password": passphrase, "password": "staple battery horse"},
				} {
					var sent any
					if body != nil {
						sent = body
					}
					b.do(t, what, sent, from...).fails(t, 403, "csrf_failed")
				}
				same(t, before, state())
				same(t, held, b.held(t))
			})
		}
		b.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}).succeeds(t, 200)
	})
}

// HTTP-51, PASS-3: who sets a first password in a session gets the new token of the page with the next refresh.
func TestHTTP_51_FirstPassword(t *testing.T) {
	onBrowsers(t, routes.TransportChoose, func(t *testing.T, s *site) {
		u := s.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
		if err := s.SendCode(t.Context(), roster.ContactRef{Login: new("anna@example.com")}, roster.CodeLogin); err != nil {
			t.Fatal(err)
		}
		b := s.browser(t)
		b.do(t, "POST /api/codes/check", fields{
			"login": "anna@example.com", "purpose": "login", "code": s.code(t, *u.Email).Reveal(), "transport": "cookie",
		}).succeeds(t, 200)
		before := b.held(t)
		b.do(t, "POST /api/me/password", fields{"password": passphrase}).succeeds(t, 204)
		same(t, before, b.held(t))
		b.do(t, "PATCH /api/me", fields{}).fails(t, 401, "token_expired")
		b.do(t, "POST /api/token/refresh", nil).succeeds(t, 200)
		if b.cookie(t, "csrf") == before["csrf"] {
			t.Error("the token of the page is as it was")
		}
		b.do(t, "PATCH /api/me", fields{}).succeeds(t, 200)
		b.do(t, "PATCH /api/me", fields{}, header("X-CSRF-Token", before["csrf"])).fails(t, 403, "csrf_failed")
	})
}

// SESS-29, HTTP-63: tabs that refresh at once, and one whose answer got lost, all go on.
func TestSESS_29_Tabs(t *testing.T) {
	onBrowsers(t, routes.TransportCookie, func(t *testing.T, s *site) {
		b := s.browser(t)
		b.do(t, "POST /api/register", fields{"username": "anna", "password": passphrase}).succeeds(t, 201)
		held := b.held(t)
		answers := make([]reply, 8)
		var tabs sync.WaitGroup
		for i := range answers {
			tabs.Go(func() { answers[i] = s.thief(t, held, "POST /api/token/refresh") })
		}
		tabs.Wait()
		var successors []string
		for _, a := range answers {
			a.succeeds(t, 200)
			for _, line := range a.header.Values("Set-Cookie") {
				if c, err := http.ParseSetCookie(line); err == nil && strings.HasSuffix(c.Name, "_refresh") {
					successors = append(successors, c.Value)
				}
			}
		}
		slices.Sort(successors)
		same(t, 1, len(slices.Compact(successors)))
		b.do(t, "POST /api/token/refresh", nil).succeeds(t, 200) // by the old cookie: its answer may have been lost
		s.Clock.Advance(11 * time.Second)
		b.do(t, "POST /api/token/refresh", nil).succeeds(t, 200)
		s.thief(t, held, "POST /api/token/refresh").fails(t, 401, "token_reused")
		b.do(t, "POST /api/token/refresh", nil).fails(t, 401, "session_revoked")
		same(t, "", b.cookie(t, "refresh"))
	})
}

// HTTP-43, HTTP-46, HTTP-109, HTTP-110: people who chose cookies leave, and a program beside them that did not.
func TestHTTPChosenTransport(t *testing.T) {
	onBrowsers(t, routes.TransportChoose, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		b := s.browser(t)
		body := fields{"login": "anna", "password": passphrase, "transport": "cookie"}
		b.do(t, "POST /api/login", body).succeeds(t, 200)
		a := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase, "transport": "body"}).succeeds(t, 200)
		a = s.do(t, "POST /api/token/refresh", fields{"refresh_token": a.text(t, "tokens.refresh_token")}).succeeds(t, 200)
		s.do(t, "PATCH /api/me", fields{}, as(roster.Secret(a.text(t, "access_token")))).succeeds(t, 200)
		s.do(t, "POST /api/register", fields{"username": "bert", "password": "x", "transport": "x"}).
			fails(t, 422, "validation_failed", "password:common", "password:too_short", "transport:invalid")
		s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase, "transport": "cookie"}).fails(t, 403, "csrf_failed")

		a = b.do(t, "POST /api/me/archive", fields{"password": passphrase}).succeeds(t, 204)
		same(t, `"cache"`, a.header.Get("Clear-Site-Data"))
		same(t, "", b.cookie(t, "access"))
		same(t, any(true), b.do(t, "POST /api/login", body).succeeds(t, 200).member(t, "unarchiving"))
		s.do(t, "POST /api/me/archive", fields{"password": passphrase}, as(s.login(t, g.Person).access)).succeeds(t, 204)
		b.do(t, "POST /api/login", body).succeeds(t, 200)
		b.do(t, "DELETE /api/me", fields{"password": passphrase}).succeeds(t, 204)
		same(t, "", b.cookie(t, "access"))
		if b.cookie(t, "device") == "" {
			t.Error("the browser is forgotten")
		}
	})
}

// HTTP-49, ADMIN-1: administrators work with cookies as well, by the same checks.
func TestHTTPCookiesOfAdministrators(t *testing.T) {
	onBrowsers(t, routes.TransportCookie, func(t *testing.T, s *site) {
		s.administrator(t, "root1", "users:read", "users:kick")
		u := s.add(t, person("anna", "", ""))
		b := s.browser(t).in(t, "root1")
		b.do(t, "GET /admin/users", nil).succeeds(t, 200)
		b.do(t, "POST /admin/users/search", fields{}).succeeds(t, 200)
		b.do(t, "POST /admin/users/search", fields{}, header("X-CSRF-Token", "x")).fails(t, 403, "csrf_failed")
		b.do(t, "POST /admin/users/"+u.ID.String()+"/kick", nil, header("Origin", "https://evil.example")).fails(t, 403, "csrf_failed")
		b.do(t, "POST /admin/users/"+u.ID.String()+"/kick", nil).succeeds(t, 204)
		s.guest(t, "carl")
		s.browser(t).in(t, "carl").do(t, "GET /admin/users", nil).fails(t, 403, "forbidden")
	})
}

// HTTP-49: the token is a MAC under a key of the program's, over the session and over the user's epoch.
func TestHTTP_49_CheckCSRF(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""))
		pair, other := w.issue(t, u.ID), w.issue(t, u.ID)
		claims, err := w.VerifyToken(t.Context(), pair.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		same(t, nil, w.CheckCSRF(t.Context(), claims, pair.CSRFToken))
		text := pair.CSRFToken.Reveal()
		wrong := []roster.Secret{"", "x", other.CSRFToken, pair.CSRFToken + "A", pair.CSRFToken + "=", pair.CSRFToken + "\n", "=", "\xff"}
		for i := range text {
			wrong = append(wrong, roster.Secret(text[:i]))
			for _, c := range "A_\x00" {
				if rune(text[i]) != c {
					wrong = append(wrong, roster.Secret(text[:i]+string(c)+text[i+1:]))
				}
			}
		}
		for _, token := range wrong {
			refused(t, w.CheckCSRF(t.Context(), claims, token), roster.ErrCSRFFailed)
		}
		later, others := claims, claims
		later.Epoch++
		others.SessionID = roster.NewID()
		refused(t, w.CheckCSRF(t.Context(), later, pair.CSRFToken), roster.ErrCSRFFailed)
		refused(t, w.CheckCSRF(t.Context(), others, pair.CSRFToken), roster.ErrCSRFFailed)
	})
}

// HTTP-49, SESS-65: another master secret in front leaves pages that are open their token; without the old one it is worth
// nothing.
func TestHTTP_49_Secrets(t *testing.T) {
	t.Parallel()
	db := rostertest.Open(t, rostertest.SQLite)
	key := func(first byte) []byte {
		k := make([]byte, secrets.MinKey)
		for i := range k {
			k[i] = first + byte(i*i*7)
		}
		return k
	}
	old, young := secrets.Secret{ID: "old", Key: key(1)}, secrets.Secret{ID: "young", Key: key(90)}
	with := func(list ...secrets.Secret) *world {
		return found(t, db, func(cfg *usersrepo.Config) { cfg.Secrets = list })
	}
	w := with(old)
	u := w.add(t, person("anna", "", ""))
	pair := w.issue(t, u.ID)
	claims, err := w.VerifyToken(t.Context(), pair.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	same(t, nil, with(young, old).CheckCSRF(t.Context(), claims, pair.CSRFToken))
	alone := rostertest.Open(t, rostertest.SQLite) // whose keys are sealed under the young one
	refused(t, found(t, alone, func(cfg *usersrepo.Config) { cfg.Secrets = []secrets.Secret{young} }).CheckCSRF(t.Context(), claims, pair.CSRFToken), roster.ErrCSRFFailed)
}
