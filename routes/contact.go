package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// contactRepo is what the endpoints of changing contacts call.
type contactRepo[U roster.Model] interface {
	freshness
	Get(ctx context.Context, id roster.ID) (U, error)
	RequestEmailChange(ctx context.Context, id roster.ID, address *string) error
	ConfirmEmailChange(ctx context.Context, token roster.Secret) (U, error)
	RequestPhoneChange(ctx context.Context, id roster.ID, number *string) error
	ConfirmPhoneChange(ctx context.Context, id roster.ID, code roster.Secret) (U, error)
	CancelContactChange(ctx context.Context, token roster.Secret) (U, error)
}

// contactEndpoints are HTTP-126 to HTTP-130.
func contactEndpoints[U roster.Model](repo contactRepo[U], v *view[U]) []endpoint {
	c := contacts[U]{repo, v}
	return []endpoint{
		{name: "email_change", method: http.MethodPut, path: "/me/email", auth: AuthSession, neutral: true, fresh: true, orPassword: true, handle: c.change("email", repo.RequestEmailChange)},
		{name: "email_change_confirm", method: http.MethodPost, path: "/confirm/email-change", auth: AuthNone, mailed: true, handle: c.withToken(repo.ConfirmEmailChange)},
		{name: "contact_change_cancel", method: http.MethodPost, path: "/confirm/cancel", auth: AuthNone, mailed: true, handle: c.withToken(repo.CancelContactChange)},
		{name: "phone_change", method: http.MethodPut, path: "/me/phone", auth: AuthSession, neutral: true, fresh: true, orPassword: true, handle: c.change("phone", repo.RequestPhoneChange)},
		{name: "phone_change_confirm", method: http.MethodPost, path: "/me/phone/change/check", auth: AuthSession, handle: c.confirmPhone},
	}
}

type contacts[U roster.Model] struct {
	repo contactRepo[U]
	view *view[U]
}

// change asks for another contact; null takes the present one away.
func (c contacts[U]) change(name string, operation func(context.Context, roster.ID, *string) error) handler {
	return func(ctx context.Context, r *request) (answer, error) {
		if err := freshOrPassword(ctx, c.repo, r.body); err != nil {
			return answer{}, err
		}
		value := r.body.needOrNull(name)
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
		id := roster.ActorFrom(ctx).ID
		if err := operation(ctx, id, value); err != nil {
			return answer{}, err
		}
		if value != nil {
			return accepted()
		}
		user, err := c.repo.Get(ctx, id)
		if err != nil {
			return answer{}, err
		}
		return showSelf(ctx, c.view, user)
	}
}

func (c contacts[U]) withToken(operation func(context.Context, roster.Secret) (U, error)) handler {
	return func(ctx context.Context, r *request) (answer, error) {
		token := r.body.need("token")
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
		user, err := operation(ctx, roster.Secret(token))
		if err != nil {
			return answer{}, err
		}
		return ok(map[string]any{"user_id": user.Base().ID})
	}
}

func (c contacts[U]) confirmPhone(ctx context.Context, r *request) (answer, error) {
	return withCode(ctx, r, c.view, c.repo.ConfirmPhoneChange)
}
