package routes

import (
	"context"
	"net/http"

	"github.com/roster-go/roster"
)

// passwordRepo is what the endpoints of passwords call.
type passwordRepo[U roster.Model] interface {
	GetPasswordStatus(ctx context.Context, id roster.ID) (roster.PasswordStatus, error)
	SetPassword(ctx context.Context, id roster.ID, password roster.Secret, options ...roster.PasswordOption) error
	ChangePassword(ctx context.Context, id roster.ID, old, password roster.Secret) (roster.TokenPair, error)
	RequestPasswordReset(ctx context.Context, login string) error
	ResetPassword(ctx context.Context, token, password roster.Secret) (U, error)
	SetFirstPassword(ctx context.Context, token, password roster.Secret) (U, error)
}

// passwordEndpoints are HTTP-114 to HTTP-119.
func passwordEndpoints[U roster.Model](repo passwordRepo[U]) []endpoint {
	p := password[U]{repo}
	return []endpoint{
		{name: "password_status", method: http.MethodGet, path: "/me/password", auth: AuthSession, handle: p.status},
		{name: "password_set", method: http.MethodPost, path: "/me/password", auth: AuthSession, fresh: true, handle: p.set},
		{name: "password_change", method: http.MethodPut, path: "/me/password", auth: AuthSession, handle: p.change},
		{name: "password_forgot", method: http.MethodPost, path: "/password/forgot", auth: AuthNone, neutral: true, handle: p.forgot},
		{name: "password_reset", method: http.MethodPost, path: "/password/reset", auth: AuthNone, mailed: true, handle: p.byToken(repo.ResetPassword)},
		{name: "password_first", method: http.MethodPost, path: "/password/set", auth: AuthNone, mailed: true, handle: p.byToken(repo.SetFirstPassword)},
	}
}

type password[U roster.Model] struct{ repo passwordRepo[U] }

// passwordStatus is what password_status answers.
type passwordStatus struct {
	Status    roster.PasswordState `json:"status"`
	ChangedAt *string              `json:"changed_at"`
}

func (p password[U]) status(ctx context.Context, _ *request) (answer, error) {
	s, err := p.repo.GetPasswordStatus(ctx, roster.ActorFrom(ctx).ID)
	if err != nil {
		return answer{}, err
	}
	return ok(passwordStatus{s.Status, stampOf(s.ChangedAt)})
}

// chosen reads a new password, and its repetition if there is one.
func chosen(m *members) roster.Secret {
	text := roster.Secret(m.need("password"))
	mustMatch(m, &text, m.secret("password_confirm"))
	return text
}

// set looks at nothing of the password, not even whether it is there, before it is known that one may be set.
func (p password[U]) set(ctx context.Context, r *request) (answer, error) {
	id, text := roster.ActorFrom(ctx).ID, chosen(r.body)
	if err := r.body.finish(); err != nil {
		s, unknown := p.repo.GetPasswordStatus(ctx, id)
		switch {
		case unknown != nil:
			err = unknown
		case s.Status == roster.PasswordToChange:
			err = roster.ErrPasswordAlreadySet
		}
		return answer{}, err
	}
	if err := p.repo.SetPassword(ctx, id, text); err != nil {
		return answer{}, err
	}
	return noContent()
}

func (p password[U]) change(ctx context.Context, r *request) (answer, error) {
	old, text := roster.Secret(r.body.need("old_password")), chosen(r.body)
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	tokens, err := p.repo.ChangePassword(ctx, roster.ActorFrom(ctx).ID, old, text)
	if err != nil {
		return answer{}, err
	}
	return r.handPair(ctx, tokens)
}

// forgot takes one identifier, by the name that any has or by its own.
func (p password[U]) forgot(ctx context.Context, r *request) (answer, error) {
	var given []string
	var login string
	for _, name := range []string{"login", "email", "phone", "username"} {
		if value := r.body.text(name); value != nil {
			given, login = append(given, name), *value
		}
	}
	if len(given) == 0 && len(r.body.faults) == 0 {
		r.body.fault("login", roster.Required)
	}
	if len(given) > 1 {
		r.body.fault("", roster.Invalid)
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	err := p.repo.RequestPasswordReset(ctx, login)
	if isCode(err, roster.CodeValidationFailed) {
		var faults roster.FieldErrors
		_ = faults.Collect(err)
		for i := range faults {
			faults[i].Field = given[0]
		}
		err = faults.Err()
	}
	if err != nil {
		return answer{}, err
	}
	return accepted()
}

// byToken sets a password by a mailed token.
func (password[U]) byToken(operation func(ctx context.Context, token, password roster.Secret) (U, error)) handler {
	return func(ctx context.Context, r *request) (answer, error) {
		token, text := roster.Secret(r.body.need("token")), chosen(r.body)
		if err := r.body.finish(); err != nil {
			return answer{}, err
		}
		user, err := operation(ctx, token, text)
		if err != nil {
			return answer{}, err
		}
		return ok(map[string]any{"user_id": user.Base().ID})
	}
}

// userPasswordRepo is what the endpoint of others' passwords calls.
type userPasswordRepo interface {
	SendPasswordReset(ctx context.Context, id roster.ID, channel roster.Channel) error
}

// userPasswordEndpoints are ADMIN-38.
func userPasswordEndpoints(repo userPasswordRepo) []endpoint {
	return []endpoint{{
		name: "password_reset_send", method: http.MethodPost, path: "/users/:id/password-reset", auth: AuthSession,
		permission: roster.PermissionSendCredentials,
		handle: func(ctx context.Context, r *request) (answer, error) {
			ctx = withReason(ctx, r.body)
			var channel roster.Channel
			if text := r.body.text("channel"); text != nil {
				if channel = roster.Channel(*text); channel == "" {
					r.body.fault("channel", roster.Invalid)
				}
			}
			if err := r.body.finish(); err != nil {
				return answer{}, err
			}
			if err := repo.SendPasswordReset(ctx, idOf(r, "id"), channel); err != nil {
				return answer{}, err
			}
			return accepted()
		},
	}}
}
