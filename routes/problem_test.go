package routes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/routes"
)

// failing fails with an error.
type failing struct {
	fake
	err *error
}

func (f failing) Get(context.Context, roster.ID) (*account, error) { return nil, *f.err }

func (f failing) ConfirmEmail(context.Context, roster.Secret) (*account, error) { return nil, *f.err }

// told is a problem document.
type told struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Code       string `json:"code"`
	Detail     string `json:"detail"`
	RequestID  string `json:"request_id"`
	RetryAfter int    `json:"retry_after"`
	Errors     []roster.FieldError
	Details    map[string]any
}

func tell(t *testing.T, err error, cfg routes.Config, what string) (told, http.Header) {
	t.Helper()
	e, _ := mounted(t, failing{err: &err}, cfg)
	return toldBy(t, e, what)
}

func toldBy(t *testing.T, e *echo.Echo, what string) (told, http.Header) {
	t.Helper()
	body := ""
	if strings.HasPrefix(what, "POST") {
		body = `{"token":"x"}`
	}
	w := ask(t, e, what, "access", body, "X-Request-Id", "r-1")
	var p told
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if p.Status != w.Code || p.RequestID != "r-1" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	return p, w.Header()
}

// HTTP-37: the one table of codes and statuses.
func TestStatuses(t *testing.T) {
	for status, codes := range map[int]string{
		400: "malformed_body invalid_parameter invalid_cursor expired_token",
		401: "unauthenticated invalid_token token_expired session_revoked session_expired invalid_credentials invalid_refresh_token token_reused",
		403: "forbidden banned archived not_verified reauthentication_required registration_closed invalid_password",
		404: "not_found",
		409: "identifier_taken password_already_set already_confirmed last_superuser last_credential conflict",
		412: "version_mismatch", 413: "body_too_large", 415: "unsupported_media_type", 422: "validation_failed invalid_input",
		428: "version_required", 429: "too_many_requests quota_exhausted",
		500: "internal not_initialized already_initialized", 503: "unavailable",
	} {
		for code := range strings.FieldsSeq(codes) {
			t.Run(fmt.Sprintf("HTTP-37 answers %d for %s", status, code), func(t *testing.T) {
				for _, err := range []error{&roster.Error{Code: roster.Code(code)}, fmt.Errorf("wrapped: %w", &roster.Error{Code: roster.Code(code)})} {
					if p, _ := tell(t, err, routes.Config{}, "GET /api/me"); p.Status != status || p.Code != code || p.Title == "" {
						t.Errorf("told %+v", p)
					}
				}
			})
		}
	}
	t.Run("HTTP-37 has a status for every code", func(t *testing.T) {
		for _, code := range constants(t, "../errors.go", "Code") {
			if p, _ := tell(t, &roster.Error{Code: roster.Code(code)}, routes.Config{}, "GET /api/me"); p.Code != code {
				t.Errorf("%s is told as %+v", code, p)
			}
		}
	})
	t.Run("HTTP-37 has two for invalid_token", func(t *testing.T) {
		if p, h := tell(t, roster.ErrInvalidToken, routes.Config{}, "POST /api/confirm/email"); p.Status != 400 || h.Get("WWW-Authenticate") != "" {
			t.Errorf("told %+v %v", p, h)
		}
	})
}

// HTTP-33 to HTTP-39: what is told of an error.
func TestProblem(t *testing.T) {
	me := "GET /api/me"
	t.Run("HTTP-33 has what belongs to the error", func(t *testing.T) {
		until := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 3600))
		err := &roster.Error{
			Code: "banned", Message: "for spam", RetryAfter: time.Hour, Details: map[string]any{"until": until, "reason": "spam"},
			Fields: roster.FieldErrors{{Field: "a", Code: roster.TooShort, Message: "8 at least", Params: map[string]any{"min": 8}}},
		}
		p, _ := tell(t, err.WithCause(errors.New("SELECT secret FROM users")), routes.Config{}, me)
		want := told{
			Type: "about:blank", Title: "Banned", Status: 403, Code: "banned", Detail: "for spam", RequestID: "r-1",
			Errors:  []roster.FieldError{{Field: "a", Code: roster.TooShort, Message: "8 at least", Params: map[string]any{"min": 8.0}}},
			Details: map[string]any{"until": "2026-01-02T02:04:05.678Z", "reason": "spam"},
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err.Details["until"] != until {
			t.Error("the program's own error was changed")
		}
	})
	t.Run("HTTP-33 names the page about the code", func(t *testing.T) {
		p, _ := tell(t, roster.ErrNotFound, routes.Config{ProblemBase: "https://app.example/problems/"}, me)
		if p.Type != "https://app.example/problems/not_found" {
			t.Errorf("type is %s", p.Type)
		}
	})
	t.Run("HTTP-34 tells nothing of a fault of the server", func(t *testing.T) {
		for _, err := range []error{
			errors.New("pq: secret"), roster.ErrInternal.WithMessage("secret").WithFields(roster.FieldError{Field: "secret"}),
			&roster.Error{Code: "internal", Details: map[string]any{"secret": 1}}, fmt.Errorf("x: %w", errors.New("secret")),
			&roster.Error{Code: "no_such_code", Message: "secret"}, &roster.Error{}, &roster.Error{Code: "own", Status: 200, Message: "secret"},
			&roster.Error{Code: "own", Status: 500}, &roster.Error{Status: 409}, context.Canceled, context.DeadlineExceeded,
		} {
			p, _ := tell(t, err, routes.Config{}, me)
			if diff := cmp.Diff(told{Type: "about:blank", Title: "Internal", Status: 500, Code: "internal", RequestID: "r-1"}, p); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		}
	})
	t.Run("HTTP-36 passes on what a hook refuses", func(t *testing.T) {
		for _, x := range []struct {
			err    error
			status int
			code   string
		}{
			{callbacks.Reject("quota_plan"), 403, "quota_plan"},
			{callbacks.Reject("quota_plan").Status(402), 402, "quota_plan"},
			{callbacks.Reject("quota_plan").Status(499), 499, "quota_plan"},
			{callbacks.Reject("quota_plan").Status(500), 403, "quota_plan"},
			{callbacks.Reject("quota_plan").Status(302), 403, "quota_plan"},
			{callbacks.Reject("not_found").Status(410), 410, "not_found"},
			{callbacks.Reject("Not A Code"), 403, "forbidden"},
			{fmt.Errorf("in a hook: %w", callbacks.Reject("wrapped").Status(409)), 409, "wrapped"},
		} {
			if p, _ := tell(t, x.err, routes.Config{}, me); p.Status != x.status || p.Code != x.code {
				t.Errorf("told %+v, want %d %s", p, x.status, x.code)
			}
		}
		if p, _ := tell(t, callbacks.Reject("invalid_token"), routes.Config{}, "POST /api/confirm/email"); p.Status != 403 {
			t.Errorf("told %+v", p)
		}
	})
	t.Run("HTTP-39 tells the rest of the wait in whole seconds, rounded up", func(t *testing.T) {
		for wait, want := range map[time.Duration]int{0: 1, 1: 1, time.Second: 1, time.Second + 1: 2, 1799500 * time.Millisecond: 1800, -time.Hour: 1} {
			for _, err := range []*roster.Error{roster.ErrTooManyRequests, roster.ErrQuotaExhausted, roster.ErrUnavailable} {
				p, h := tell(t, err.WithRetryAfter(wait), routes.Config{}, me)
				if p.RetryAfter != want || h.Get("Retry-After") != fmt.Sprint(want) {
					t.Errorf("%s: %d %s, want %d", wait, p.RetryAfter, h.Get("Retry-After"), want)
				}
			}
		}
		if p, h := tell(t, roster.ErrNotFound.WithRetryAfter(time.Hour), routes.Config{}, me); p.RetryAfter != 0 || h.Get("Retry-After") != "" {
			t.Errorf("told %+v", p)
		}
	})
	t.Run("HTTP-38 challenges whoever did not prove who they are", func(t *testing.T) {
		for err, want := range map[*roster.Error]string{
			roster.ErrUnauthenticated: `Bearer realm="my app"`, roster.ErrTokenExpired: `Bearer realm="my app", error="invalid_token"`,
			roster.ErrInvalidCredentials: "", roster.ErrForbidden: "",
		} {
			if _, h := tell(t, err, routes.Config{Realm: "my app"}, me); h.Get("WWW-Authenticate") != want {
				t.Errorf("%s: %s, want %s", err.Code, h.Get("WWW-Authenticate"), want)
			}
		}
	})
	t.Run("HTTP-33 answers without what cannot be encoded", func(t *testing.T) {
		for _, err := range []error{
			&roster.Error{Code: "conflict", Details: map[string]any{"f": math.NaN()}},
			roster.ErrConflict.WithFields(roster.FieldError{Field: "a", Code: "b", Params: map[string]any{"f": func() {}}}),
		} {
			if p, _ := tell(t, err, routes.Config{}, me); p.Code != "conflict" || p.Errors != nil || p.Details != nil {
				t.Errorf("told %+v", p)
			}
		}
	})
}

// No error of a program makes anything but a problem document.
func FuzzProblem(f *testing.F) {
	f.Add("not_found", "message", "field", "code", 0, int64(0))
	f.Add("", "\xff", "\x00", "", 418, int64(-1))
	f.Add("too_many_requests", "<script>", "a.b", "x", 999, int64(math.MaxInt64))
	var err error
	e := echo.New()
	if _, fault := routes.User(e.Group("/api"), failing{err: &err}, routes.Config{Limits: map[string]int{"*": 0}}); fault != nil {
		f.Fatal(fault)
	}
	f.Fuzz(func(t *testing.T, code, message, field, fieldCode string, status int, wait int64) {
		err = &roster.Error{
			Code: roster.Code(code), Message: message, Status: status, RetryAfter: time.Duration(wait),
			Fields: roster.FieldErrors{{Field: field, Code: roster.FieldCode(fieldCode), Message: message}},
		}
		p, h := toldBy(t, e, "GET /api/me")
		if p.Status < 400 || p.Status > 599 || p.Code == "" || p.Title == "" {
			t.Errorf("told %+v", p)
		}
		if waits := p.Status == 429 || p.Status == 503; waits != (p.RetryAfter > 0) || waits != (h.Get("Retry-After") != "") {
			t.Errorf("told %+v %v", p, h)
		}
	})
}
