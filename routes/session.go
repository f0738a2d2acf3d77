package routes

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/roster-go/roster"
)

// sessionRepo is what the endpoints of tokens and sessions call.
type sessionRepo interface {
	VerifyToken(ctx context.Context, access roster.Secret) (roster.Claims, error)
	Refresh(ctx context.Context, refresh roster.Secret) (roster.TokenPair, error)
	Revoke(ctx context.Context, refresh roster.Secret) (time.Time, error)
	ListSessions(ctx context.Context, id roster.ID) ([]roster.Session, error)
	RevokeSession(ctx context.Context, id, session roster.ID) error
	RevokeOtherSessions(ctx context.Context, id, session roster.ID) (int, error)
	JWKS(ctx context.Context) ([]byte, error)
	ListRevocations(ctx context.Context, after string, wait time.Duration) (roster.Revocations, error)
}

// sessionEndpoints are HTTP-104 to HTTP-106, HTTP-134 and HTTP-136.
func sessionEndpoints(repo sessionRepo) []endpoint {
	s := session{repo}
	return []endpoint{
		{name: "token_verify", method: http.MethodPost, path: "/token/verify", auth: AuthNone, handle: s.verify},
		{name: "token_refresh", method: http.MethodPost, path: "/token/refresh", auth: AuthRefresh, renews: true, handle: s.refresh},
		{name: "token_revoke", method: http.MethodPost, path: "/token/revoke", auth: AuthRefresh, handle: s.revoke},
		{name: "sessions", method: http.MethodGet, path: "/me/sessions", auth: AuthSession, handle: s.list},
		{name: "sessions_revoke_others", method: http.MethodDelete, path: "/me/sessions", auth: AuthSession, handle: s.revokeOthers},
		{name: "session_revoke", method: http.MethodDelete, path: "/me/sessions/:sid", auth: AuthSession, handle: s.revokeOne},
		{name: "token_introspect", method: http.MethodPost, path: "/token/introspect", auth: AuthService, form: true, handle: s.introspect},
		{name: "revocations", method: http.MethodGet, path: "/token/revocations", auth: AuthService, query: true, wait: maxWait, handle: s.revocations},
		{name: "jwks", method: http.MethodGet, path: "/.well-known/jwks.json", auth: AuthNone, handle: s.jwks},
	}
}

type session struct{ repo sessionRepo }

func (s session) verify(ctx context.Context, r *request) (answer, error) {
	token := r.body.need("token")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	claims, err := s.repo.VerifyToken(ctx, roster.Secret(token))
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"user_id": claims.Subject, "claims": claimsView(claims)})
}

// claimsView is what the token says, as it says it (RFC 7519, RFC 9068).
func claimsView(c roster.Claims) map[string]any {
	view := maps.Clone(c.Extra)
	if view == nil {
		view = map[string]any{}
	}
	maps.Copy(view, map[string]any{
		"iss": c.Issuer, "sub": c.Subject, "aud": c.Audience, "sid": c.SessionID, "jti": c.TokenID,
		"iat": c.IssuedAt.Unix(), "nbf": c.NotBefore.Unix(), "exp": c.ExpiresAt.Unix(), "auth_time": c.AuthTime.Unix(),
		"amr": c.AMR, "epoch": [2]int64{c.Epoch, c.GlobalEpoch}, "permissions": c.Permissions,
	})
	if c.Superuser {
		view["superuser"] = true
	}
	return view
}

func (s session) refresh(ctx context.Context, r *request) (answer, error) {
	token, err := refreshToken(r)
	if err != nil {
		return answer{cookies: refused(r, err)}, err
	}
	pair, err := s.repo.Refresh(ctx, token)
	if err != nil {
		return answer{cookies: refused(r, err)}, err
	}
	return r.handPair(ctx, pair)
}

// refreshToken is that of the body or of the cookie. Two that differ are a mistake of the page, or of somebody who has planted
// one.
func refreshToken(r *request) (roster.Secret, error) {
	if r.browser == nil {
		token := r.body.need("refresh_token")
		return roster.Secret(token), r.body.finish()
	}
	given := r.body.secret("refresh_token")
	if err := r.body.finish(); err != nil {
		return "", err
	}
	cookie, sent, ok := r.browser.read(r.Request, refreshCookie)
	switch {
	case !ok || !sent && given == nil:
		return "", roster.ErrInvalidRefresh
	case !sent:
		return *given, nil
	case given != nil && *given != cookie:
		return "", parameterFault("refresh_token")
	}
	return cookie, nil
}

// refused takes cookies back that the server takes no longer.
func refused(r *request, err error) []*http.Cookie {
	known, ok := errors.AsType[*roster.Error](err)
	if !ok {
		return nil
	}
	switch statusOf(known, &endpoint{}) {
	case http.StatusUnauthorized, http.StatusForbidden:
		return r.forget()
	}
	return nil
}

func (s session) revoke(ctx context.Context, r *request) (answer, error) {
	token := r.body.need("refresh_token")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	at, err := s.repo.Revoke(ctx, roster.Secret(token))
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"revoked_at": stamp(at)})
}

// sessionView is a session as its owner and administrators see it.
type sessionView struct {
	ID         roster.ID `json:"id"`
	Current    bool      `json:"current"`
	CreatedAt  string    `json:"created_at"`
	LastUsedAt string    `json:"last_used_at"`
	ExpiresAt  string    `json:"expires_at"`
	IP         string    `json:"ip"`
	UserAgent  string    `json:"user_agent"`
	Device     string    `json:"device"`
	AMR        []string  `json:"amr"`
}

func sessionViews(ctx context.Context, list []roster.Session) map[string]any {
	current := roster.ActorFrom(ctx).SID
	items := make([]sessionView, len(list))
	for i, x := range list {
		items[i] = sessionView{
			x.ID, x.ID == current, stamp(x.CreatedAt), stamp(x.LastUsedAt), stamp(x.ExpiresAt), x.IP, x.UserAgent, x.Device, x.AMR,
		}
	}
	return map[string]any{"items": items}
}

func (s session) list(ctx context.Context, _ *request) (answer, error) {
	list, err := s.repo.ListSessions(ctx, roster.ActorFrom(ctx).ID)
	if err != nil {
		return answer{}, err
	}
	return ok(sessionViews(ctx, list))
}

func (s session) revokeOthers(ctx context.Context, r *request) (answer, error) {
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	actor := roster.ActorFrom(ctx)
	n, err := s.repo.RevokeOtherSessions(ctx, actor.ID, actor.SID)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]int{"revoked": n})
}

func (s session) revokeOne(ctx context.Context, r *request) (answer, error) {
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	actor, sid := roster.ActorFrom(ctx), idOf(r, "sid")
	if err := s.repo.RevokeSession(ctx, actor.ID, sid); err != nil {
		return answer{}, err
	}
	a, err := noContent()
	if sid == actor.SID {
		a.cookies = r.forget()
	}
	return a, err
}

func (s session) jwks(ctx context.Context, r *request) (answer, error) {
	set, err := s.repo.JWKS(ctx)
	if err != nil {
		return answer{}, err
	}
	return document(r, "application/jwk-set+json", cachePublic, set)
}
