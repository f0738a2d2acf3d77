package routes

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// Verifier is what the checks of requests call.
type Verifier interface {
	VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error)
	CheckFresh(ctx context.Context) error
	Authorize(ctx context.Context, permission string) error
}

// RequireUser lets only requests with a live session through, to handlers of the program's own. They find who it is by
// roster.ActorFrom(c.Request().Context()), and operations called with that context judge by it: the own account, or a
// permission. A handler that acts for the program itself says roster.AsSystem(ctx). An error of an operation that a
// handler returns is answered as the routes would answer it; any other is Echo's.
func RequireUser(repo Verifier, cfg Config) echo.MiddlewareFunc {
	return require(repo, cfg, endpoint{name: "require_user", auth: AuthSession})
}

// RequirePermission lets only requests through whose user holds a permission now, as the database has it, and comes from
// where Config.AllowIPs says; with "" only those of users who hold all. Requests are not counted against Config.Limits.
func RequirePermission(repo Verifier, permission string, cfg Config) echo.MiddlewareFunc {
	return require(repo, cfg, endpoint{name: "require_permission", auth: AuthSession, permission: cmp.Or(permission, "*")})
}

func require(repo Verifier, cfg Config, e endpoint) echo.MiddlewareFunc {
	s := &server{cfg: cfg.withDefaults(), repo: repo}
	var err error
	if s.allowed, err = parseNetworks(cfg.AllowIPs); err != nil {
		s.cfg.Logger.ErrorContext(context.Background(), "nobody is let in", slog.String("endpoint", e.name), slog.Any("error", err))
		s.allowed = []netip.Prefix{{}} // which contains no address
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		guarded := s.hosted(e, next)
		return func(c echo.Context) error {
			r := c.Request()
			id := requestID(r, c.Response().Header())
			c.SetRequest(r.WithContext(roster.WithActor(r.Context(), s.stranger(r, id))))
			return guarded(c)
		}
	}
}

// stranger is the actor of a request before it is known who it is.
func (s *server) stranger(r *http.Request, requestID string) roster.Actor {
	a := roster.Actor{
		Kind: roster.ActorUser, IP: s.cfg.IPExtractor(r), UserAgent: r.UserAgent(), RequestID: requestID,
		Language: r.Header.Get("Accept-Language"),
	}
	if _, err := netip.ParseAddr(a.IP); err != nil && a.Source() == "invalid" {
		s.cfg.Logger.WarnContext(r.Context(), "address of a client cannot be read",
			slog.String("address", a.IP), slog.String("request_id", requestID))
	}
	return a
}

// admit counts a request, finds out who asks, and refuses one that lacks what its endpoint needs: a live access token, then the
// permission, then a log-in shortly before. What is no live access token is never taken for nobody where a session is
// needed. The permission is asked for here as well as by the operation, so that handlers and operations of the
// program's own cannot forget it, and before anything else of the request is looked at.
func (s *server) admit(ctx context.Context, r *http.Request, e endpoint) (context.Context, error) {
	if err := s.limitSource(ctx, e); err != nil {
		return ctx, err
	}
	if err := s.allow(ctx, e); err != nil {
		return ctx, err
	}
	token, given, err := bearer(r)
	if e.auth != AuthSession {
		if given && err == nil {
			if claims, err := s.repo.VerifyToken(ctx, token); err == nil {
				ctx = signedIn(ctx, claims, roster.ActorUser)
			}
		}
		return ctx, nil
	}
	switch {
	case !given:
		return ctx, roster.ErrUnauthenticated
	case err != nil:
		return ctx, err
	}
	claims, err := s.repo.VerifyToken(ctx, token)
	if err != nil {
		return ctx, err
	}
	kind := roster.ActorUser
	if e.permission != "" {
		kind = roster.ActorAdmin
	}
	ctx = signedIn(ctx, claims, kind)
	if e.permission != "" {
		if err := s.limitAdmin(ctx, e); err != nil {
			return ctx, err
		}
		if err := s.repo.Authorize(ctx, e.permission); err != nil {
			return ctx, err
		}
	}
	if e.fresh && !e.orPassword {
		return ctx, s.repo.CheckFresh(ctx)
	}
	return ctx, nil
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

// bearer reads the Authorization header (RFC 6750, section 2.1): one of them, one space, the scheme in any case.
func bearer(r *http.Request) (token roster.Secret, given bool, err error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", false, nil
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || text == "" || strings.ContainsAny(text, " \t") {
		return "", true, roster.ErrInvalidToken
	}
	return roster.Secret(text), true, nil
}
