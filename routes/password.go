package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// passwordRepo is what the endpoints of passwords call.
type passwordRepo[U roster.Model] interface {
	SetFirstPassword(ctx context.Context, token, password roster.Secret) (U, error)
}

// passwordEndpoints are HTTP-119.
func passwordEndpoints[U roster.Model](repo passwordRepo[U]) []endpoint {
	p := password[U]{repo}
	return []endpoint{
		{name: "password_first", method: http.MethodPost, path: "/password/set", auth: AuthNone, mailed: true, handle: p.first},
	}
}

type password[U roster.Model] struct{ repo passwordRepo[U] }

func (p password[U]) first(ctx context.Context, r *request) (answer, error) {
	token, chosen := r.body.need("token"), roster.Secret(r.body.need("password"))
	mustMatch(r.body, &chosen, r.body.secret("password_confirm"))
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	user, err := p.repo.SetFirstPassword(ctx, roster.Secret(token), chosen)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"user_id": user.Base().ID})
}
