package routes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// Verifier is what the checks of requests call.
type Verifier interface {
	VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error)
	CheckFresh(ctx context.Context) error
	Authorize(ctx context.Context, permission string) error
	Site() roster.Site
	CheckCSRF(ctx context.Context, claims roster.Claims, token roster.Secret) error
}

// RequireUser lets only requests with a live session through, to handlers of the program's own. They find who it is by
// roster.ActorFrom(c.Request().Context()), and operations called with that context judge by it: the own account, or a
// permission. A handler that acts for the program itself says roster.AsSystem(ctx). An error of an operation that a
// handler returns is answered as the routes would answer it; any other is Echo's.
//
// Where Config.Tokens has cookies, a request that an access cookie proves needs an X-CSRF-Token and an origin as those of the
// endpoints do, unless its method is safe: handlers of GET, HEAD and OPTIONS must change nothing.
func RequireUser(repo Verifier, cfg Config) echo.MiddlewareFunc {
	return require(repo, cfg, &requireUser)
}

// RequireFresh is RequireUser for what needs a log-in shortly before, or a code to step up, within Session.FreshFor; else the
// answer is 403 reauthentication_required. What a cookie proves has to come from a page of the program's own whatever its method
// is: a GET without a Sec-Fetch-Site, Origin or Referer that says so is 403 csrf_failed. It needs no X-CSRF-Token.
func RequireFresh(repo Verifier, cfg Config) echo.MiddlewareFunc {
	return require(repo, cfg, &requireFresh)
}

// RequirePermission lets only requests through whose user holds a permission now, as the database has it, and comes from
// where Config.AllowIPs says; with "" only those of users who hold all, and so with what is no permission (roster.IsPermission), of
// which the log is told. Requests are not counted against Config.Limits.
func RequirePermission(repo Verifier, permission string, cfg Config) echo.MiddlewareFunc {
	return require(repo, cfg, requirePermission(permission))
}

// AllowAnyone lets every request through, to handlers of the program's own that are open to all: it is RequireUser for those
// who show no token as well, or none that is good. Without it the context of a handler has no actor, and operations take its
// caller for the program itself, which may do everything. Behind it operations judge by who asks, count by the address, and their
// errors are answered as the routes would. A token that cannot be judged, since the database does not answer, is 503.
func AllowAnyone(repo Verifier, cfg Config) echo.MiddlewareFunc {
	return require(repo, cfg, &allowAnyone)
}

// RequireUserHTTP is RequireUser for handlers of net/http, and for routers that take its middleware. What a handler answers
// is its own: no error of an operation is answered for it.
func RequireUserHTTP(repo Verifier, cfg Config) func(http.Handler) http.Handler {
	return requireHTTP(repo, cfg, &requireUser)
}

// AllowAnyoneHTTP is AllowAnyone for handlers of net/http, which answer errors of operations themselves.
func AllowAnyoneHTTP(repo Verifier, cfg Config) func(http.Handler) http.Handler {
	return requireHTTP(repo, cfg, &allowAnyone)
}

// RequireFreshHTTP is RequireFresh for handlers of net/http.
func RequireFreshHTTP(repo Verifier, cfg Config) func(http.Handler) http.Handler {
	return requireHTTP(repo, cfg, &requireFresh)
}

// RequirePermissionHTTP is RequirePermission for handlers of net/http.
func RequirePermissionHTTP(repo Verifier, permission string, cfg Config) func(http.Handler) http.Handler {
	return requireHTTP(repo, cfg, requirePermission(permission))
}

var (
	requireUser  = endpoint{name: "require_user", auth: AuthSession}
	requireFresh = endpoint{name: "require_fresh", auth: AuthSession, fresh: true}
	allowAnyone  = endpoint{name: "allow_anyone", auth: AuthNone}
)

func requirePermission(permission string) *endpoint {
	return &endpoint{name: "require_permission", auth: AuthSession, permission: cmp.Or(permission, "*")}
}

// require takes a pointer since Echo calls the middleware of a route anew for each request: what it makes then is to be small.
func require(repo Verifier, cfg Config, e *endpoint) echo.MiddlewareFunc {
	s := newGuard(repo, cfg, e)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			return s.serve(s.strange(c.Request(), c.Response().Header()), c, e, next)
		}
	}
}

func requireHTTP(repo Verifier, cfg Config, e *endpoint) func(http.Handler) http.Handler {
	s := newGuard(repo, cfg, e)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r, _, err := s.admitHosted(s.strange(r, w.Header()), r, e)
			if err != nil {
				s.setHeaders(w.Header(), roster.ActorFrom(r.Context()).RequestID)
				s.fail(w, r, e, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// newGuard is a server of no endpoints. What is wrong with its configuration lets nobody in: there is nobody to tell but the
// log. The repo may be initialised after it.
func newGuard(repo Verifier, cfg Config, e *endpoint) *server {
	s := &server{cfg: cfg.withDefaults(), repo: repo}
	refused := func(msg string, err error) {
		s.cfg.Logger.ErrorContext(context.Background(), msg, slog.String("endpoint", e.name), slog.Any("error", err)) //nolint:sloglint // one of three constants
	}
	if e.permission != "" && !roster.IsPermission(e.permission) {
		refused("nobody is let in who does not hold all permissions", fmt.Errorf("%q is no permission", e.permission))
	}
	var err error
	if s.allowed, err = parseNetworks(cfg.AllowIPs); err != nil {
		refused("nobody is let in", err)
		s.allowed = []netip.Prefix{{}} // which contains no address
	}
	s.browser = sync.OnceValue(func() *browser {
		b, err := newBrowser(s.cfg, repo.Site())
		if err != nil {
			refused("nobody is let in by a cookie", err)
			return nil
		}
		return b
	})
	return s
}

// strange is the context of a request before it is known who asks.
func (s *server) strange(r *http.Request, answer http.Header) context.Context {
	return roster.WithActor(r.Context(), s.stranger(r, requestID(r, answer)))
}

// stranger is the actor of a request before it is known who it is.
func (s *server) stranger(r *http.Request, requestID string) roster.Actor {
	a := roster.Actor{
		Kind: roster.ActorUser, IP: s.cfg.IPExtractor(r), UserAgent: first(r.Header, "User-Agent"), RequestID: requestID,
		Language: first(r.Header, "Accept-Language"),
	}
	if _, err := a.Addr(); err != nil && a.IP != "" {
		s.cfg.Logger.WarnContext(r.Context(), "address of a client cannot be read",
			slog.String("address", a.IP), slog.String("request_id", requestID))
	}
	return a
}

// admission is what the checks of a request found.
type admission struct {
	ctx      context.Context // of the request, with who asks
	byCookie bool            // the tokens of the answer are for cookies
	csrf     error           // why a cookie that is a live session's was not taken for a proof, where none is needed
}

// explain tells somebody who is nobody without the cookie why it did not count.
func (in admission) explain(err error) error {
	if in.csrf != nil && isCode(err, roster.CodeUnauthenticated) {
		return in.csrf
	}
	return err
}

// admit counts a request, finds out who asks, and refuses one that lacks what its endpoint needs: a live access token, then the
// permission, then a log-in shortly before. What is no live access token is never taken for nobody where a session is
// needed. The permission is asked for here as well as by the operation, so that handlers and operations of the
// program's own cannot forget it, and before anything else of the request is looked at.
func (s *server) admit(ctx context.Context, r *http.Request, e *endpoint) (admission, error) {
	in := admission{ctx: ctx}
	if err := s.limitSource(ctx, e); err != nil {
		return in, err
	}
	if err := s.allow(ctx, e); err != nil {
		return in, err
	}
	b := s.browser()
	in.byCookie = b != nil && !b.choose
	p := proofOf(r, b)
	switch e.auth {
	case AuthNone:
		return s.admitAnyone(in, r, e, b, p)
	case AuthRefresh:
		return s.admitToken(in, r, e, b, p)
	case AuthService:
		return in, s.admitService(ctx, r)
	case AuthSession:
	}
	switch {
	case !p.given:
		return in, roster.ErrUnauthenticated
	case p.err != nil:
		return in, p.err
	}
	if p.cookie && (isUnsafe(r) || opens(r) || e.fresh) { // what wants a fresh session is nothing for a link of others
		if err := s.checkCSRF(ctx, b, r, nil); err != nil {
			return in, err
		}
	}
	claims, err := s.repo.VerifyToken(ctx, p.token)
	if err != nil {
		return in, err
	}
	if p.cookie && isUnsafe(r) {
		if err := s.checkCSRF(ctx, b, r, &claims); err != nil {
			return in, err
		}
	}
	kind := roster.ActorUser
	if e.permission != "" {
		kind = roster.ActorAdmin
	}
	ctx = signedIn(ctx, claims, kind)
	in.ctx, in.byCookie = ctx, p.cookie // what the header proves goes on by bodies
	if e.permission != "" {
		if err := s.limitAdmin(ctx, e); err != nil {
			return in, err
		}
		if err := s.repo.Authorize(ctx, e.permission); err != nil {
			return in, err
		}
	}
	if e.fresh && !e.orPassword {
		return in, s.repo.CheckFresh(ctx)
	}
	return in, nil
}

// admitAnyone notes who asks, if that is proven. A token that is none is nobody's; that nobody can say whether it is one is
// an error. So is a cookie that another site's page may have made the browser send, if the endpoint would take cookies back
// by it, or hand some out: anywhere else it is as if it were not there.
func (s *server) admitAnyone(in admission, r *http.Request, e *endpoint, b *browser, p proof) (admission, error) {
	strict := e.enters && in.byCookie || e.leaves && !p.header && b != nil && b.holds(r)
	if strict {
		if err := s.checkCSRF(in.ctx, b, r, nil); err != nil {
			return in, err
		}
	}
	if !p.given || p.err != nil {
		return in, nil
	}
	byCookie := p.cookie && isUnsafe(r)
	if byCookie && !b.isOwnPage(r) {
		in.csrf = errNotOwnPage
		return in, nil
	}
	claims, err := s.repo.VerifyToken(in.ctx, p.token)
	if err != nil {
		return in, unlessNobodys(err)
	}
	if byCookie {
		err := s.checkCSRF(in.ctx, b, r, &claims)
		if isCode(err, roster.CodeCSRFFailed) && !e.leaves {
			in.csrf = err
			return in, nil
		}
		if err != nil {
			return in, err
		}
	}
	in.ctx = signedIn(in.ctx, claims, roster.ActorUser)
	return in, nil
}

// admitToken is for endpoints that a refresh token is the proof for.
func (s *server) admitToken(in admission, r *http.Request, e *endpoint, b *browser, p proof) (admission, error) {
	if e.renews && b != nil {
		_, sent, _ := b.read(r, refreshCookie)
		if in.byCookie = in.byCookie || sent; in.byCookie {
			if err := s.checkCSRF(in.ctx, b, r, nil); err != nil {
				return in, err
			}
		}
	}
	if !p.header || p.err != nil {
		return in, nil
	}
	claims, err := s.repo.VerifyToken(in.ctx, p.token)
	if err != nil {
		return in, unlessNobodys(err)
	}
	in.ctx = signedIn(in.ctx, claims, roster.ActorUser)
	return in, nil
}

// unlessNobodys returns an error of VerifyToken but for those that say that the token is none which lives.
func unlessNobodys(err error) error {
	if known, ok := errors.AsType[*roster.Error](err); ok && statuses[known.Code] == http.StatusUnauthorized {
		return nil
	}
	return err
}

// admitHosted is admit for a handler of the program's own, which reads the body itself.
func (s *server) admitHosted(ctx context.Context, r *http.Request, e *endpoint) (*http.Request, admission, error) {
	in, err := s.admit(ctx, r, e)
	if b := s.browser(); err == nil && e.enters && b != nil && b.choose && !b.isOwnPage(r) {
		err = s.mustNotEnter(r)
	}
	return r.WithContext(in.ctx), in, err
}

// mustNotEnter refuses a request that does not come from a page of the program's own if its answer may set cookies: what is no
// JSON, as forms send it, or asks for cookies. The body can be read again after it.
func (s *server) mustNotEnter(r *http.Request) error {
	text, err := readBody(r, s.cfg.MaxBody)
	switch {
	case isCode(err, roster.CodeUnsupportedMedia) || err == nil && len(text) == 0:
		return errNotOwnPage
	case err != nil:
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	m, err := parseMembers(text)
	if err != nil {
		return err
	}
	if transport := m.text("transport"); transport != nil && *transport != string(TransportBody) || len(m.faults) > 0 {
		return errNotOwnPage
	}
	return nil
}

// chooseTransport reads how the tokens of somebody who gets in are to travel, where that is for them to say.
func (s *server) chooseTransport(ctx context.Context, r *request) error {
	if r.browser == nil || !r.browser.choose {
		return nil
	}
	r.byCookie = false
	transport := r.body.text("transport")
	switch {
	case transport == nil || *transport == string(TransportBody):
		return nil
	case *transport != string(TransportCookie):
		r.body.fault("transport", roster.Invalid)
		return nil
	}
	r.byCookie = true
	return s.checkCSRF(ctx, r.browser, r.Request, nil)
}

// freshness is what endpoints call that take a right password instead of a log-in shortly before.
type freshness interface {
	CheckFresh(ctx context.Context) error
	CheckPassword(ctx context.Context, id roster.ID, password roster.Secret) error
}

// freshOrPassword asks for a right password in the body, or for a log-in shortly before.
func freshOrPassword(ctx context.Context, repo freshness, m *members) error {
	password := m.secret("password")
	if password == nil {
		return repo.CheckFresh(ctx)
	}
	err := repo.CheckPassword(ctx, roster.ActorFrom(ctx).ID, *password)
	if isCode(err, roster.CodeInvalidPassword) {
		return roster.ErrInvalidPassword.WithFields(roster.FieldError{Field: "password", Code: roster.PasswordWrong})
	}
	return err
}

func signedIn(ctx context.Context, claims roster.Claims, kind roster.ActorKind) context.Context {
	a := roster.ActorFrom(ctx)
	a.Kind, a.ID, a.SID, a.AuthTime, a.AMR = kind, claims.Subject, claims.SessionID, claims.AuthTime, claims.AMR
	return roster.WithActor(ctx, a)
}
