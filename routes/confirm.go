package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// confirmRepo is what the endpoints of proving contacts call.
type confirmRepo[U roster.Model] interface {
	RequestEmailConfirmation(ctx context.Context, id roster.ID) error
	ConfirmEmail(ctx context.Context, token roster.Secret) (U, error)
}

// confirmEndpoints are HTTP-121 and HTTP-124.
func confirmEndpoints[U roster.Model](repo confirmRepo[U]) []endpoint {
	c := confirm[U]{repo}
	return []endpoint{
		{name: "email_confirm_request", method: http.MethodPost, path: "/me/email/confirm", auth: AuthSession, handle: c.request},
		{name: "email_confirm", method: http.MethodPost, path: "/confirm/email", auth: AuthNone, mailed: true, handle: c.email},
	}
}

type confirm[U roster.Model] struct{ repo confirmRepo[U] }

func (c confirm[U]) request(ctx context.Context, r *request) (answer, error) {
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := c.repo.RequestEmailConfirmation(ctx, roster.ActorFrom(ctx).ID); err != nil {
		return answer{}, err
	}
	return accepted()
}

func (c confirm[U]) email(ctx context.Context, r *request) (answer, error) {
	token := r.body.need("token")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	user, err := c.repo.ConfirmEmail(ctx, roster.Secret(token))
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"user_id": user.Base().ID, "email_verified": true})
}
