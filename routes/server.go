package routes

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
)

// handler works off a request: it reads it, calls an operation and returns the answer.
type handler func(ctx context.Context, r *request) (answer, error)

// server runs the endpoints of one group.
type server struct {
	cfg  Config
	repo Verifier
	// browser is what there is to know for cookies; nil: there are none.
	browser func() *browser
	// revoke ends the session of tokens that cannot be handed out.
	revoke   func(ctx context.Context, refresh roster.Secret) (time.Time, error)
	clearing map[string]string

	limiter  limiter       // nil: nothing is limited
	counters *cache.Memory // of this process
	allowed  []netip.Prefix
	services services
}

// handler puts an endpoint together: outermost what every answer needs, then the program's middleware, then the
// checks, then the endpoint or what replaces it.
func (s *server) handler(e *endpoint) echo.HandlerFunc {
	inner := s.endpoint(e)
	if replacement := s.cfg.Replace[e.name]; replacement != nil {
		inner = s.hosted(e, replacement)
	}
	wraps := s.cfg.Wrap[e.name]
	for _, wrap := range slices.Backward(wraps) {
		inner = wrap(inner)
	}
	return func(c echo.Context) error {
		if strayed(c) {
			return echo.ErrNotFound
		}
		r := c.Request()
		id := requestID(r, c.Response().Header())
		s.setHeaders(c.Response().Header(), id)
		s.allowOrigin(c.Response().Header(), r)
		ctx, cancel := s.within(r.Context(), e)
		defer cancel()
		defer s.rescue(c, e, id)
		r = r.WithContext(roster.WithActor(ctx, s.stranger(r, id)))
		if r.Body != http.NoBody {
			// The writer beneath, since net/http closes the connection after too long a body only for its own.
			r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, s.maxBody(e))
		}
		c.SetRequest(r)
		return inner(c)
	}
}

// strayed reports whether Echo has matched a longer path than the route has: a parameter at the end of one takes all
// that is left. Such a path is the host's to answer.
func strayed(c echo.Context) bool {
	for _, value := range c.ParamValues() {
		if strings.Contains(value, "/") {
			return true
		}
	}
	return false
}

// rescue answers for a handler that panicked. When an answer is on its way already, the connection is cut, so that the
// client does not take what it got for all.
func (s *server) rescue(c echo.Context, e *endpoint, requestID string) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(p)
	}
	s.cfg.Logger.ErrorContext(c.Request().Context(), "request panicked", slog.String("endpoint", e.name),
		slog.String("request_id", requestID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	if c.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	s.setHeaders(c.Response().Header(), requestID)
	s.fail(c.Response(), c.Request(), e, roster.ErrInternal)
}

// endpoint runs an endpoint.
func (s *server) endpoint(e *endpoint) echo.HandlerFunc {
	return func(c echo.Context) error {
		notBefore := s.floor(e)
		a, err := s.handle(c, e)
		notBefore(c.Request().Context())
		if err == nil {
			err = s.send(c, a)
		}
		if err != nil {
			setCookies(c.Response().Header(), a.cookies)
			s.fail(c.Response(), c.Request(), e, err)
		}
		return nil
	}
}

// floor returns a function that waits until an answer of e may go.
func (s *server) floor(e *endpoint) func(ctx context.Context) {
	if !e.neutral || s.cfg.MinDuration == 0 {
		return func(context.Context) {}
	}
	timer := time.NewTimer(s.cfg.MinDuration)
	return func(ctx context.Context) {
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// handle checks a request and calls the endpoint. The order is that in which faults are told: of the body's size and
// type, of too many requests, of who asks, of the content.
func (s *server) handle(c echo.Context, e *endpoint) (answer, error) {
	r := &request{Request: c.Request(), param: c.Param, browser: s.browser(), revoke: s.revoke, clearing: s.clearing, logger: s.cfg.Logger}
	if e.upload {
		return s.handleUpload(c, r, e)
	}
	read := readBody
	if e.form {
		read = readForm
	}
	text, err := read(r.Request, s.cfg.MaxBody)
	if err != nil {
		return answer{}, err
	}
	in, err := s.admit(r.Context(), r.Request, e)
	if err != nil {
		return answer{}, err
	}
	ctx := in.ctx
	if err := checkQuery(r.URL, e); err != nil {
		return answer{}, err
	}
	if e.form {
		r.form, err = parseForm(text)
	} else {
		r.body, err = parseMembers(text)
	}
	if err != nil {
		return answer{}, err
	}
	r.byCookie = in.byCookie
	if e.enters {
		if err := s.chooseTransport(ctx, r); err != nil {
			return answer{}, err
		}
	}
	if e.reasoned && s.cfg.RequireReason && !r.body.has("reason") {
		r.body.fault("reason", roster.Required)
	}
	if e.method == http.MethodGet {
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
	}
	a, err := e.handle(ctx, r)
	err = in.explain(err)
	if a.stream != nil {
		c.SetRequest(r.WithContext(ctx)) // the work goes on for the one who asks
	}
	return a, err
}

// hosted runs a handler of the program's own for those who may use the endpoint. Errors of operations are answered as
// everywhere; any other is the host's to answer.
func (s *server) hosted(e *endpoint, own echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return s.serve(c.Request().Context(), c, e, own) }
}

func (s *server) serve(ctx context.Context, c echo.Context, e *endpoint, own echo.HandlerFunc) error {
	r, in, err := s.admitHosted(ctx, c.Request(), e)
	c.SetRequest(r)
	if err == nil {
		err = in.explain(own(c))
		if _, ours := errors.AsType[*roster.Error](err); !ours || c.Response().Committed {
			return err
		}
	}
	s.setHeaders(c.Response().Header(), roster.ActorFrom(c.Request().Context()).RequestID)
	s.fail(c.Response(), c.Request(), e, err)
	return nil
}
