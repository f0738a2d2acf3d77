package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// userSessionsRepo is what the endpoints of other users' sessions call.
type userSessionsRepo interface {
	ListSessions(ctx context.Context, id roster.ID) ([]roster.Session, error)
	RevokeSession(ctx context.Context, id, session roster.ID) error
	RevokeSessions(ctx context.Context, id roster.ID) (int, error)
}

// userSessionsEndpoints are ADMIN-37.
func userSessionsEndpoints(repo userSessionsRepo) []endpoint {
	x := userSessions{repo}
	return []endpoint{
		{name: "user_sessions", method: http.MethodGet, path: "/users/:id/sessions", auth: AuthSession, permission: roster.PermissionEndSessions, handle: x.list},
		{name: "user_sessions_revoke_all", method: http.MethodDelete, path: "/users/:id/sessions", auth: AuthSession, permission: roster.PermissionEndSessions, handle: x.revokeAll},
		{name: "user_sessions_revoke", method: http.MethodDelete, path: "/users/:id/sessions/:sid", auth: AuthSession, permission: roster.PermissionEndSessions, handle: x.revokeOne},
	}
}

type userSessions struct{ repo userSessionsRepo }

func (x userSessions) list(ctx context.Context, r *request) (answer, error) {
	list, err := x.repo.ListSessions(ctx, idOf(r, "id"))
	if err != nil {
		return answer{}, err
	}
	return ok(sessionViews(ctx, list))
}

func (x userSessions) revokeAll(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	n, err := x.repo.RevokeSessions(ctx, idOf(r, "id"))
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]int{"revoked": n})
}

func (x userSessions) revokeOne(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := x.repo.RevokeSession(ctx, idOf(r, "id"), idOf(r, "sid")); err != nil {
		return answer{}, err
	}
	return noContent()
}
