package integration_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// target is an endpoint with everything filled in that it needs of a request but its body.
type target struct {
	routes.Route
	what string // method and path
}

// targets are the endpoints of both groups, with ids that nobody has.
func (s *site) targets() []target {
	var list []target
	for _, r := range append(s.user.Routes(), s.admin.Routes()...) {
		path := strings.NewReplacer(":id", s.NewID().String(), ":sid", s.NewID().String()).Replace(r.Path)
		list = append(list, target{r, r.Method + " " + path})
	}
	return list
}

// superuser is a guest who may do everything.
func (s *site) superuser(t testing.TB, name string) guest {
	t.Helper()
	return s.guest(t, name, roster.WithSuperuser(true))
}

// nested is an object that is nested so deep.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
}

// HTTP-13 to HTTP-16, SEC-104, cases 23 to 25: what no endpoint takes for a body. No database has a say in it.
func TestHTTPBodies(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
	root := s.superuser(t, "root1")
	before := s.tables(t)
	var writers []target
	for _, x := range s.targets() {
		if x.Method != http.MethodGet && x.Name != "import" { // which takes files
			writers = append(writers, x)
		}
	}
	each := func(t *testing.T, check func(t *testing.T, what string)) {
		t.Helper()
		for _, x := range writers {
			check(t, x.what)
		}
	}
	t.Run("HTTP-15 refuses what is no JSON object, case 23", func(t *testing.T) {
		for _, body := range []string{
			`[]`, `null`, `"x"`, `7`, `true`, `{"a":1}{}`, `{"a":1} x`, `{"login":"a","login":"b"}`, `{"a":{"b":1,"b":2}}`,
			`{"a":[{"b":1,"\u0062":2}]}`, nested(17), `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
			"{\"a\":\"\xff\"}", "{\"\xc3\x28\":1}", `{"a":1e400}`, `{"a":-1e999}`, `{"a":01}`, `{"a":NaN}`, `{"a":1,}`, `{,}`, `{`, `{"a"`, `{"a":`,
			`{'a':1}`, `{a:1}`, `{"a":1 /* x */}`, `{"a":"` + "\n" + `"}`, "\xef\xbb\xbf{}", " ", "\x00", `{"a":"\x"}`, `{"a":"\u12"}`, `{}{}`, `{}[]`,
			"\xff\xfe{\x00}\x00",
		} {
			each(t, func(t *testing.T, what string) { s.do(t, what, body, root.token()).fails(t, 400, "malformed_body") })
		}
	})
	t.Run("HTTP-13 reads nothing but JSON in UTF-8, case 25", func(t *testing.T) {
		for _, kind := range []string{
			"application/json; charset=latin1", "application/jsonx", "text/json", "application/x-www-form-urlencoded",
			"multipart/form-data; boundary=x", "text/plain", "", "application/json; version=1", "application/json, text/plain",
			"application/vnd.api+json", "application/problem+json", "application/json; charset=utf-8; charset=latin1", "json", "*/*",
			"application/json; charset=\"utf-16\"",
		} {
			each(t, func(t *testing.T, what string) {
				s.do(t, what, `{}`, root.token(), header("Content-Type", kind)).fails(t, 415, "unsupported_media_type")
			})
		}
		each(t, func(t *testing.T, what string) {
			s.do(t, what, `{}`, root.token(), header("Content-Type")).fails(t, 415, "unsupported_media_type")
			s.do(t, what, `{}`, root.token(), header("Content-Type", "application/json", "application/json")).fails(t, 415, "unsupported_media_type")
			s.do(t, what, `not JSON`, root.token(), header("Content-Type", "text/plain")).fails(t, 415, "unsupported_media_type")
		})
	})
	t.Run("HTTP-13 reads JSON however it is written", func(t *testing.T) {
		for _, kind := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", `application/json; charset="utf-8"`} {
			s.do(t, "POST /api/token/verify", fields{"token": "x"}, header("Content-Type", kind)).fails(t, 401, "invalid_token")
		}
		s.do(t, "GET /api/me", nil, root.token(), header("Content-Type", "text/plain")).succeeds(t, 200) // there is no body
	})
	t.Run("HTTP-14 reads 64 KiB and no more, case 24", func(t *testing.T) {
		fill := func(size int) string { return `{"a":"` + strings.Repeat("x", size-8) + `"}` }
		each(t, func(t *testing.T, what string) {
			s.do(t, what, fill(64<<10+1), root.token()).fails(t, 413, "body_too_large")
			s.do(t, what, fill(65<<10), root.token(), chunked).fails(t, 413, "body_too_large")
			s.do(t, what, strings.Repeat("x", 65<<10), header("Content-Type", "text/plain")).fails(t, 413, "body_too_large") // HTTP-65: first
		})
		s.do(t, "POST /api/token/verify", fill(64<<10)).fails(t, 422, "validation_failed", "a:unknown_field", "token:required")
		s.do(t, "POST /api/token/verify", fill(64<<10), chunked).fails(t, 422, "validation_failed", "a:unknown_field", "token:required")
	})
	t.Run("HTTP-16 refuses unknown members, and names are compared exactly, HTTP-17", func(t *testing.T) {
		for _, x := range writers {
			a := s.do(t, x.what, fields{"Unknown": 1, "": 1}, root.token(), header("If-Match", "*"))
			if x.Name == "user_update" { // the user is looked up first
				a.fails(t, 404, "not_found")
				continue
			}
			if x.Name == "password_set" { // whoever has a password is told so first
				a.fails(t, 409, "password_already_set")
				continue
			}
			var p problem
			a.into(t, &p)
			var unknown int
			for _, f := range p.Errors {
				if f.Code == roster.UnknownField && (f.Field == "Unknown" || f.Field == "") {
					unknown++
				}
			}
			if a.status != 422 || unknown != 2 {
				t.Errorf("%s, want two unknown fields", a)
			}
		}
	})
	t.Run("HTTP-15 reads what is odd and right", func(t *testing.T) {
		for _, body := range []string{
			"\r\n\t {\"token\" : \"x\"}\n ", `{"\u0074oken":"x"}`, `{"token":"x","a":` + nested(15) + `}`, `{"token":"x","a":[[[]]]}`,
			`{"token":"x","a":-0.0e-400}`, `{"token":"\ud83d\ude00"}`, `{"token":"\/"}`,
		} {
			a := s.do(t, "POST /api/token/verify", body)
			if a.status == 400 {
				t.Errorf("%s: refused as malformed", body)
			}
		}
		s.do(t, "POST /api/token/verify", `{"token":"x\u0000"}`).fails(t, 422, "validation_failed", "token:invalid")
		s.do(t, "POST /api/token/verify", `{"token":"\udc00"}`).fails(t, 422, "validation_failed", "token:invalid")
	})
	t.Run("HTTP-15 refuses a body that ends too soon", func(t *testing.T) {
		each(t, func(t *testing.T, what string) { s.cutOff(t, what, root.access) })
	})
	same(t, before, s.tables(t))
}

// chunked hides the length of a body.
func chunked(c *call) {
	c.ContentLength = -1
	c.Body = io.NopCloser(struct{ io.Reader }{c.Body})
}

// halfBody is a body of which the client sends no more than a part.
type halfBody struct{ sent bool }

func (b *halfBody) Read(p []byte) (int, error) {
	if b.sent {
		return 0, context.Canceled
	}
	b.sent = true
	return copy(p, `{"a":`), nil
}

// cutOff sends a request that breaks off, and one that comes after it.
func (s *site) cutOff(t *testing.T, what string, access roster.Secret) {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, &halfBody{})
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+access.Reveal())
	if response, err := s.client.Do(r); err == nil {
		_ = response.Body.Close()
		if response.StatusCode != 400 {
			t.Errorf("%s: %d, want 400", what, response.StatusCode)
		}
	}
	if got := s.do(t, "GET /api/me", nil, as(access)); got.status != 200 {
		t.Errorf("after %s: %s", what, fmt.Sprint(got))
	}
}
