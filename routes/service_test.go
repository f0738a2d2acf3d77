package routes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

const (
	ordersSecret = "orders-0123456789-0123456789-0123"
	olderSecret  = "older+/%41=0123456789-0123456789-01"
	billsSecret  = "bills-0123456789-0123456789-01234"
)

var known = map[string][]roster.Secret{"orders": {ordersSecret, olderSecret}, "bills": {billsSecret}}

// asked is a repo that answers as it is told, and notes what it is asked.
type asked struct {
	fake
	err   error
	after *string
	wait  *time.Duration
}

func (a asked) VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error) {
	if a.err != nil {
		return roster.Claims{}, a.err
	}
	claims, err := a.gate.VerifyToken(ctx, access)
	claims.Extra = map[string]any{"active": "no", "sub": "x", "city": "Rome"}
	return claims, err
}

func (a asked) ListRevocations(ctx context.Context, after string, wait time.Duration) (roster.Revocations, error) {
	if !roster.ActorFrom(ctx).Trusted() {
		return roster.Revocations{}, roster.ErrForbidden
	}
	*a.after, *a.wait = after, wait
	return roster.Revocations{
		Position: "p", GlobalEpoch: 3, AccessTTL: 10 * time.Minute, Sessions: []roster.ID{sid}, Users: []roster.UserEpoch{{ID: id, Epoch: 7}},
	}, a.err
}

func serviceSite(t *testing.T, repo asked, cfg routes.Config) *echo.Echo {
	t.Helper()
	var after string
	var wait time.Duration
	if repo.after == nil {
		repo.after, repo.wait = &after, &wait
	}
	e := echo.New()
	if cfg.Services == nil {
		cfg.Services = known
	}
	if _, err := routes.User(e.Group("/api"), repo, cfg); err != nil {
		t.Fatal(err)
	}
	return e
}

func call(e *echo.Echo, method, path, body string, set ...func(r *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, f := range set {
		f(r)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func basic(name, secret string) func(r *http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, secret) }
}

// SESS-74: RFC 7662.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	e := serviceSite(t, asked{}, routes.Config{Limits: map[string]int{"service_refused": 0}})
	orders := basic("orders", ordersSecret)
	t.Run("tells what a live token says", func(t *testing.T) {
		w := call(e, "POST", "/api/token/introspect", "token=access&token_type_hint=refresh_token&client_id=x", orders)
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
		}
		for name, want := range map[string]any{"active": true, "token_type": "Bearer", "sub": id.String(), "sid": sid.String(), "city": "Rome"} {
			if got[name] != want {
				t.Errorf("%s: got %v, want %v", name, got[name], want)
			}
		}
	})
	t.Run("tells only that a token is not live", func(t *testing.T) {
		for _, token := range []string{"", "refresh", "x", strings.Repeat("x.", 20000), "%00", "%ff"} {
			w := call(e, "POST", "/api/token/introspect", "token="+token, orders)
			if w.Code != 200 || w.Body.String() != `{"active":false}` {
				t.Errorf("%.20s: %d %s", token, w.Code, w.Body)
			}
		}
		for _, err := range []error{roster.ErrInvalidToken, roster.ErrTokenExpired, roster.ErrSessionRevoked} {
			w := call(serviceSite(t, asked{err: err}, routes.Config{}), "POST", "/api/token/introspect", "token=access", orders)
			if w.Code != 200 || w.Body.String() != `{"active":false}` {
				t.Errorf("%v: %d %s", err, w.Code, w.Body)
			}
		}
	})
	t.Run("does not say inactive where nobody knows", func(t *testing.T) {
		for err, want := range map[error]int{roster.ErrUnavailable: 503, roster.ErrInternal: 500, context.DeadlineExceeded: 500} {
			w := call(serviceSite(t, asked{err: err}, routes.Config{}), "POST", "/api/token/introspect", "token=access", orders)
			if w.Code != want || strings.Contains(w.Body.String(), "active") {
				t.Errorf("%v: %d %s", err, w.Code, w.Body)
			}
		}
	})
	t.Run("takes a form with one token and nothing else", func(t *testing.T) {
		kind := func(value string) func(r *http.Request) {
			return func(r *http.Request) { r.Header.Set("Content-Type", value) }
		}
		for name, x := range map[string]struct {
			body string
			set  func(r *http.Request)
			want int
		}{
			"two tokens":        {"token=access&token=x", orders, 400},
			"no token":          {"token_type_hint=x", orders, 400},
			"no body":           {"", orders, 400},
			"a broken form":     {"token=%zz", orders, 400},
			"semicolons":        {"token=a;b=c", orders, 400},
			"JSON":              {`{"token":"access"}`, kind("application/json"), 415},
			"no type":           {`token=access`, kind(""), 415},
			"another charset":   {`token=access`, kind("application/x-www-form-urlencoded; charset=latin1"), 415},
			"10 MB":             {"token=" + strings.Repeat("x", 10<<20), orders, 413},
			"UTF-8, in capital": {"token=access", kind("application/x-www-form-urlencoded; charset=UTF-8"), 200},
		} {
			if w := call(e, "POST", "/api/token/introspect", x.body, orders, x.set); w.Code != x.want {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			if w := call(e, method, "/api/token/introspect?token=access", "", orders); w.Code != 405 {
				t.Errorf("%s: %d", method, w.Code)
			}
		}
		if w := call(e, "POST", "/api/token/introspect?token=access", "token=access", orders); w.Code != 400 {
			t.Errorf("in the URL: %d", w.Code)
		}
	})
}

// SESS-75: HTTP Basic, RFC 7617.
func TestServicesProveThemselves(t *testing.T) {
	t.Parallel()
	header := func(values ...string) func(r *http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	e := serviceSite(t, asked{}, routes.Config{Limits: map[string]int{"service_refused": 0}})
	for name, x := range map[string]struct {
		set  func(r *http.Request)
		code string // "": let in
	}{
		"a secret":               {basic("orders", ordersSecret), ""},
		"another of its secrets": {basic("orders", olderSecret), ""},
		"one that was encoded":   {basic("orders", url.QueryEscape(olderSecret)), ""},
		"another service":        {basic("bills", billsSecret), ""},
		"nobody":                 {func(*http.Request) {}, "unauthenticated"},
		"a wrong secret":         {basic("orders", ordersSecret+"x"), "invalid_credentials"},
		"the beginning of it":    {basic("orders", ordersSecret[:32]), "invalid_credentials"},
		"another's secret":       {basic("bills", ordersSecret), "invalid_credentials"},
		"no secret":              {basic("orders", ""), "invalid_credentials"},
		"an unknown name":        {basic("nobody", ordersSecret), "invalid_credentials"},
		"no name":                {basic("", ordersSecret), "invalid_credentials"},
		"the name in capitals":   {basic("Orders", ordersSecret), "invalid_credentials"},
		"an access token":        {header("Bearer access"), "invalid_credentials"},
		"no base64":              {header("Basic ???"), "invalid_credentials"},
		"nothing of it":          {header(""), "invalid_credentials"},
		"two of them": {func(r *http.Request) {
			r.SetBasicAuth("orders", ordersSecret)
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		}, "invalid_credentials"},
	} {
		for _, what := range []string{"POST /api/token/introspect token=access", "GET /api/token/revocations"} {
			part := append(strings.Split(what, " "), "")
			w := call(e, part[0], part[1], part[2], x.set)
			if x.code == "" {
				if w.Code != 200 {
					t.Errorf("%s: %s: %d %s", name, what, w.Code, w.Body)
				}
				continue
			}
			if w.Code != 401 || !strings.Contains(w.Body.String(), `"`+x.code+`"`) || w.Header().Get("WWW-Authenticate") != `Basic realm="roster", charset="UTF-8"` {
				t.Errorf("%s: %s: %d %s %v", name, what, w.Code, w.Body, w.Header())
			}
		}
	}
	t.Run("counts who does not, and lets the right secret through all the same, PROT-44", func(t *testing.T) {
		e := serviceSite(t, asked{}, routes.Config{Limits: map[string]int{"service_refused": 60}})
		for i := range 70 {
			want := 401
			if i >= 60 {
				want = 429
			}
			if w := call(e, "POST", "/api/token/introspect", "token=access", basic("orders", fmt.Sprint(i))); w.Code != want {
				t.Fatalf("the %d. time: %d", i+1, w.Code)
			}
		}
		if w := call(e, "POST", "/api/token/introspect", "token=access", basic("orders", ordersSecret)); w.Code != 200 {
			t.Errorf("got %d", w.Code)
		}
	})
	t.Run("are not there unless they are configured", func(t *testing.T) {
		e := echo.New()
		m, err := routes.User(e.Group("/api"), fake{}, routes.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if w := call(e, "POST", "/api/token/introspect", "token=access", basic("orders", ordersSecret)); w.Code != 404 {
			t.Errorf("got %d", w.Code)
		}
		if bytes.Contains(m.OpenAPI(), []byte("introspect")) {
			t.Error("the document has it")
		}
	})
}

// SESS-75, HTTP-7: faults of services are told, and secrets are not.
func TestServicesFaults(t *testing.T) {
	t.Parallel()
	for want, services := range map[string]map[string][]roster.Secret{
		`the name ""`:                    {"": {ordersSecret}},
		`the name "a:b"`:                 {"a:b": {ordersSecret}},
		`"orders" has no secret`:         {"orders": {}},
		`secret 2 of "orders" has 5 byt`: {"orders": {ordersSecret, "short"}},
		`is one of "bills" too`:          {"orders": {billsSecret}, "bills": {billsSecret}},
	} {
		for name, mount := range map[string]func(e *echo.Echo) error{
			"user": func(e *echo.Echo) error {
				_, err := routes.User(e.Group(""), fake{}, routes.Config{Services: services})
				return err
			},
			"admin": func(e *echo.Echo) error {
				_, err := routes.Admin(e.Group(""), fakeAdmin{}, routes.Config{Services: services})
				return err
			},
		} {
			err := mount(echo.New())
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), "0123") {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
	if text := fmt.Sprintf("%v %+v", routes.Config{Services: known}.Services, known); strings.Contains(text, "0123") {
		t.Error(text)
	}
}

// SESS-76.
func TestRevocationsEndpoint(t *testing.T) {
	t.Parallel()
	var after string
	var wait time.Duration
	e := serviceSite(t, asked{after: &after, wait: &wait}, routes.Config{Timeout: time.Second})
	orders := basic("orders", ordersSecret)
	w := call(e, "GET", "/api/token/revocations?after=a.b&wait=30", "", orders)
	want := fmt.Sprintf(`{"position":"p","more":false,"global_epoch":3,"access_ttl":600,"sessions":[%q],"users":[{"id":%q,"epoch":7}]}`, sid, id)
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != 200 || after != "a.b" || wait != 30*time.Second {
		t.Errorf("%d %s, after %q, wait %s", w.Code, diff, after, wait)
	}
	for _, query := range []string{"wait=31", "wait=-1", "wait=x", "wait=", "wait=1.5", "wait=1&wait=1", "x=1", "after=a&after=b", "wait=99999999999999999999"} {
		if w := call(e, "GET", "/api/token/revocations?"+query, "", orders); w.Code != 400 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	for err, want := range map[error]int{roster.ErrUnavailable: 503, roster.ErrInvalidCursor: 400} {
		if w := call(serviceSite(t, asked{err: err}, routes.Config{}), "GET", "/api/token/revocations", "", orders); w.Code != want {
			t.Errorf("%v: %d", err, w.Code)
		}
	}
}
