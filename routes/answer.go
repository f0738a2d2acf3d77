package routes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// answer is what a handler gives back. A nil body is none at all; a json.RawMessage is sent as it is. stream, where it is
// set, writes the body in its place, however long it is.
type answer struct {
	status int
	body   any
	header map[string]string
	// cookies are set also when the answer is an error.
	cookies []*http.Cookie
	stream  stream
	// broken is what ends a stream that failed part way; nil: the connection is cut.
	broken func(code roster.Code) string
}

func ok(body any) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }

func noContent() (answer, error) { return answer{status: http.StatusNoContent}, nil }

func accepted() (answer, error) {
	return answer{status: http.StatusAccepted, body: map[string]string{"status": "accepted"}}, nil
}

// The ways in which an answer may be kept.
const (
	cachePublic  = "public, max-age=300"
	cachePrivate = "private, no-cache" // by the one who asked, who asks again each time
)

// document answers with a document that clients may keep.
func document(r *request, contentType, cache string, content []byte) (answer, error) {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	if hasTag(r.Request, tag) {
		return answer{status: http.StatusNotModified, header: map[string]string{"Cache-Control": cache, "ETag": tag}}, nil
	}
	return answer{status: http.StatusOK, body: json.RawMessage(content), header: map[string]string{
		"Cache-Control": cache, "ETag": tag, echo.HeaderContentType: contentType,
	}}, nil
}

// setHeaders sets what every answer has, and takes away what was meant for another one.
func (s *server) setHeaders(h http.Header, requestID string) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	const vary, origin = "Authorization, Cookie, Accept-Language", "Origin"
	others := slices.DeleteFunc(slices.Clone(h.Values("Vary")), func(v string) bool { return v == vary || v == origin && len(s.cfg.CORSOrigins) > 0 })
	h.Set("Vary", vary)
	if len(s.cfg.CORSOrigins) > 0 {
		h.Add("Vary", origin)
	}
	for _, v := range others { // of the host's own middleware, which may answer pages of other origins
		h.Add("Vary", v)
	}
	h.Set(echo.HeaderXRequestID, requestID)
	for _, name := range []string{"Content-Length", "ETag", "Last-Modified", "Location"} {
		h.Del(name)
	}
}

// send writes an answer. It is an error when none could be made: then nothing is sent yet.
func (s *server) send(c echo.Context, a answer) error {
	if a.stream != nil {
		return s.sendStream(c, a)
	}
	body, isRaw := a.body.(json.RawMessage)
	if !isRaw && a.body != nil {
		var err error
		if body, err = json.Marshal(a.body); err != nil {
			return roster.ErrInternal.WithCause(fmt.Errorf("encode the answer: %w", err))
		}
	}
	header := c.Response().Header()
	if a.body != nil {
		header.Set(echo.HeaderContentType, "application/json; charset=utf-8")
	}
	for name, value := range a.header {
		header.Set(name, value)
	}
	setCookies(header, a.cookies)
	write(c.Response(), a.status, body)
	return nil
}

// fail answers with the problem that err is.
func (s *server) fail(w http.ResponseWriter, r *http.Request, e *endpoint, err error) {
	header := w.Header()
	p := s.problem(r.Context(), header.Get(echo.HeaderXRequestID), e, err)
	s.log(r, e, p, err)
	body, encode := json.Marshal(p)
	if encode != nil { // of what the program added
		p.Errors, p.Details = nil, nil
		body, _ = json.Marshal(p)
	}
	header.Set(echo.HeaderContentType, "application/problem+json")
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	if e.auth == AuthService && p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, s.cfg.Realm))
	} else if p.Status == http.StatusUnauthorized && p.Code != roster.CodeInvalidCredentials {
		challenge := fmt.Sprintf("Bearer realm=%q", s.cfg.Realm)
		if p.Code != roster.CodeUnauthenticated {
			challenge += `, error="invalid_token"`
		}
		header.Set("WWW-Authenticate", challenge)
	}
	write(w, p.Status, body)
}

// log tells what clients are not told. That a client has gone is nobody's fault.
func (s *server) log(r *http.Request, e *endpoint, p problem, err error) {
	if p.Status < http.StatusInternalServerError || errors.Is(err, context.Canceled) {
		return
	}
	level := slog.LevelError
	if p.Status == http.StatusServiceUnavailable {
		level = slog.LevelWarn
	}
	s.cfg.Logger.LogAttrs(r.Context(), level, "request failed", slog.String("endpoint", e.name),
		slog.String("request_id", p.RequestID), slog.Any("error", err))
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body) // the client has gone; there is nobody to tell
	}
}
