package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// confirmRepo is what the endpoints of proving contacts call.
type confirmRepo[U roster.Model] interface {
	Get(ctx context.Context, id roster.ID) (U, error)
	IsEmailConfirmationAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error)
	IsPhoneConfirmationAvailable(ctx context.Context, id roster.ID) (roster.Verdict, error)
	PendingContactChanges(ctx context.Context, id roster.ID) ([]roster.PendingChange, error)
	RequestEmailConfirmation(ctx context.Context, id roster.ID) error
	ResendEmailConfirmation(ctx context.Context, address string) error
	ConfirmEmail(ctx context.Context, token roster.Secret) (U, error)
	RequestPhoneConfirmation(ctx context.Context, id roster.ID) error
	ConfirmPhone(ctx context.Context, id roster.ID, code roster.Secret) (U, error)
}

// confirmEndpoints are HTTP-120 to HTTP-125.
func confirmEndpoints[U roster.Model](repo confirmRepo[U], v *view[U]) []endpoint {
	c := confirm[U]{repo, v}
	return []endpoint{
		{name: "confirmations", method: http.MethodGet, path: "/me/confirmations", auth: AuthSession, handle: c.state},
		{name: "email_confirm_request", method: http.MethodPost, path: "/me/email/confirm", auth: AuthSession, handle: own(repo.RequestEmailConfirmation)},
		{name: "phone_confirm_request", method: http.MethodPost, path: "/me/phone/confirm", auth: AuthSession, handle: own(repo.RequestPhoneConfirmation)},
		{name: "confirm_resend", method: http.MethodPost, path: "/confirm/resend", auth: AuthNone, neutral: true, handle: c.resend},
		{name: "email_confirm", method: http.MethodPost, path: "/confirm/email", auth: AuthNone, mailed: true, handle: c.email},
		{name: "phone_confirm", method: http.MethodPost, path: "/me/phone/confirm/check", auth: AuthSession, handle: c.phone},
	}
}

type confirm[U roster.Model] struct {
	repo confirmRepo[U]
	view *view[U]
}

// own asks for something to be sent to the user who is logged in.
func own(operation func(context.Context, roster.ID) error) handler {
	return func(ctx context.Context, r *request) (answer, error) {
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
		if err := operation(ctx, roster.ActorFrom(ctx).ID); err != nil {
			return answer{}, err
		}
		return accepted()
	}
}

// contactState is what clients see of a contact: whether another is waiting to be proven, and whether a message that
// proves this one can be asked for now.
type contactState struct {
	Address    *string `json:"address"` // null: there is none yet
	Verified   bool    `json:"verified"`
	Pending    *string `json:"pending"`
	Available  bool    `json:"available"`
	RetryAfter *int64  `json:"retry_after"`
}

func (c confirm[U]) state(ctx context.Context, _ *request) (answer, error) {
	id := roster.ActorFrom(ctx).ID
	user, err := c.repo.Get(ctx, id)
	if err != nil {
		return answer{}, err
	}
	b := user.Base()
	pending, err := c.repo.PendingContactChanges(ctx, id)
	if err != nil {
		return answer{}, err
	}
	state := func(contact string, value *string, verified bool, ask func(context.Context, roster.ID) (roster.Verdict, error)) (*contactState, error) {
		s := &contactState{Address: value, Verified: verified}
		for _, p := range pending {
			if p.Contact == contact {
				s.Pending = &p.New
			}
		}
		switch {
		case value == nil && s.Pending == nil:
			return nil, nil
		case value == nil || verified:
			return s, nil
		}
		verdict, err := ask(ctx, id)
		s.Available = verdict.Allowed
		if !verdict.Allowed {
			s.RetryAfter = new(seconds(verdict.RetryAfter))
		}
		return s, err
	}
	email, err := state("email", b.Email, b.EmailVerifiedAt != nil, c.repo.IsEmailConfirmationAvailable)
	if err != nil {
		return answer{}, err
	}
	phone, err := state("phone", b.Phone, b.PhoneVerifiedAt != nil, c.repo.IsPhoneConfirmationAvailable)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]*contactState{"email": email, "phone": phone})
}

func (c confirm[U]) resend(ctx context.Context, r *request) (answer, error) {
	address := r.body.need("email")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := c.repo.ResendEmailConfirmation(ctx, address); err != nil {
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

func (c confirm[U]) phone(ctx context.Context, r *request) (answer, error) {
	return withCode(ctx, r, c.view, c.repo.ConfirmPhone)
}

// withCode spends a code that was sent to the user who is logged in.
func withCode[U roster.Model](
	ctx context.Context, r *request, v *view[U], operation func(context.Context, roster.ID, roster.Secret) (U, error),
) (answer, error) {
	code := r.body.need("code")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	user, err := operation(ctx, roster.ActorFrom(ctx).ID, roster.Secret(code))
	if err != nil {
		return answer{}, err
	}
	return showSelf(ctx, v, user)
}
