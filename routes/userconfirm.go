package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// userConfirmRepo is what the endpoint for administrators calls by which contacts are proven.
type userConfirmRepo[U roster.Model] interface {
	RequestEmailConfirmation(ctx context.Context, id roster.ID) error
	RequestPhoneConfirmation(ctx context.Context, id roster.ID) error
	SetEmailConfirmed(ctx context.Context, id roster.ID, confirmed bool) (U, error)
	SetPhoneConfirmed(ctx context.Context, id roster.ID, confirmed bool) (U, error)
}

// userConfirmEndpoints are ADMIN-39.
func userConfirmEndpoints[U roster.Model](repo userConfirmRepo[U], show func(ctx context.Context, u U) (answer, error)) []endpoint {
	c := userConfirm[U]{repo, show}
	return []endpoint{
		{name: "confirm", method: http.MethodPost, path: "/users/:id/confirm", auth: AuthSession, permission: roster.PermissionSendCredentials, handle: c.confirm},
	}
}

type userConfirm[U roster.Model] struct {
	repo userConfirmRepo[U]
	show func(ctx context.Context, u U) (answer, error)
}

// confirm sends what proves a contact, or says itself that it is proven or not.
func (c userConfirm[U]) confirm(ctx context.Context, r *request) (answer, error) {
	ctx = withReason(ctx, r.body)
	contact, verified := r.body.need("contact"), r.body.boolean("verified")
	send, set := c.repo.RequestEmailConfirmation, c.repo.SetEmailConfirmed
	switch contact {
	case "", "email":
	case "phone":
		send, set = c.repo.RequestPhoneConfirmation, c.repo.SetPhoneConfirmed
	default:
		r.body.fault("contact", roster.Invalid)
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	id := idOf(r, "id")
	if verified == nil {
		if err := send(ctx, id); err != nil {
			return answer{}, err
		}
		return accepted()
	}
	user, err := set(ctx, id, *verified)
	if err != nil {
		return answer{}, err
	}
	return c.show(ctx, user)
}
