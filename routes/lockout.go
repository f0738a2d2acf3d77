package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// lockoutRepo is what the endpoints of lockouts call.
type lockoutRepo interface {
	ListLockouts(ctx context.Context, query roster.LockoutQuery) (roster.Page[roster.Lockout], error)
	ClearLockout(ctx context.Context, key string) error
}

// lockoutEndpoints are ADMIN-41.
func lockoutEndpoints(repo lockoutRepo) []endpoint {
	l := lockouts{repo}
	return []endpoint{
		{name: "lockouts", method: http.MethodGet, path: "/lockouts", auth: AuthSession, permission: roster.PermissionReadLockouts, query: true, handle: l.list},
		{name: "lockout_clear", method: http.MethodDelete, path: "/lockouts/:key", auth: AuthSession, permission: roster.PermissionClearLockouts, handle: l.clear},
	}
}

type lockouts struct{ repo lockoutRepo }

// lockoutView is a lockout as administrators see it.
type lockoutView struct {
	Key      string             `json:"key"`
	Kind     roster.LockoutKind `json:"kind"`
	Subject  string             `json:"subject"`
	UserID   *roster.ID         `json:"user_id"`
	Failures int                `json:"failures"`
	Since    string             `json:"since"`
	Until    *string            `json:"until"`
}

func (l lockouts) list(ctx context.Context, r *request) (answer, error) {
	p, err := parametersOf(r.URL, "kind", "q", "limit", "cursor")
	if err != nil {
		return answer{}, err
	}
	page, err := l.repo.ListLockouts(ctx, roster.LockoutQuery{
		Kind: roster.LockoutKind(p.text("kind")), Text: p.text("q"), Limit: p.limit(), Cursor: p.text("cursor"),
	})
	if err != nil {
		return answer{}, err
	}
	items := make([]lockoutView, len(page.Items))
	for i, x := range page.Items {
		items[i] = lockoutView{x.Key, x.Kind, x.Subject, x.UserID, x.Failures, stamp(x.Since), stampOf(x.Until)}
	}
	return listOf(items, page)
}

func (l lockouts) clear(ctx context.Context, r *request) (answer, error) {
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := l.repo.ClearLockout(ctx, r.param("key")); err != nil {
		return answer{}, err
	}
	return noContent()
}
