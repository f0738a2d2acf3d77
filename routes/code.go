package routes

import (
	"context"
	"net/http"
	"time"

	"github.com/roster-go/roster"
)

// codeRepo is what the endpoints of one-time codes call.
type codeRepo[U roster.Model] interface {
	FindContacts(ctx context.Context, login string) ([]roster.MaskedContact, error)
	SendCode(ctx context.Context, ref roster.ContactRef, purpose roster.CodePurpose) error
	CheckCode(ctx context.Context, ref roster.ContactRef, purpose roster.CodePurpose, code roster.Secret, options ...roster.LoginOption) (roster.CodeOutcome[U], error)
}

// codeEndpoints are HTTP-131 to HTTP-133.
func codeEndpoints[U roster.Model](repo codeRepo[U], v *view[U]) []endpoint {
	x := codes[U]{repo, v}
	return []endpoint{
		{name: "codes_find", method: http.MethodPost, path: "/codes/find", auth: AuthNone, neutral: true, handle: x.find},
		{name: "codes_send", method: http.MethodPost, path: "/codes/send", auth: AuthNone, neutral: true, handle: x.send},
		{name: "codes_check", method: http.MethodPost, path: "/codes/check", auth: AuthNone, neutral: true, enters: true, handle: x.check},
	}
}

type codes[U roster.Model] struct {
	repo codeRepo[U]
	view *view[U]
}

// maskedView is a contact that somebody may choose.
type maskedView struct {
	Handle string `json:"handle"`
	Masked string `json:"masked"`
}

func (x codes[U]) find(ctx context.Context, r *request) (answer, error) {
	login := r.body.need("login")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	list, err := x.repo.FindContacts(ctx, login)
	if err != nil {
		return answer{}, err
	}
	found := map[roster.Channel][]maskedView{roster.ChannelEmail: {}, roster.ChannelPhone: {}}
	for _, contact := range list {
		found[contact.Channel] = append(found[contact.Channel], maskedView{contact.Handle.Reveal(), contact.Masked})
	}
	return ok(found)
}

// contactRef reads which contact is meant.
func contactRef(m *members) roster.ContactRef {
	ref := roster.ContactRef{Handle: m.secret("handle"), Login: m.text("login")}
	if channel := m.text("channel"); channel != nil {
		ref.Channel = roster.Channel(*channel)
		if *channel == "" {
			m.fault("channel", roster.Invalid)
		}
	}
	return ref
}

func (x codes[U]) send(ctx context.Context, r *request) (answer, error) {
	ref, purpose := contactRef(r.body), r.body.need("purpose")
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	if err := x.repo.SendCode(ctx, ref, roster.CodePurpose(purpose)); err != nil {
		return answer{}, err
	}
	return accepted()
}

func (x codes[U]) check(ctx context.Context, r *request) (answer, error) {
	ref, purpose, code := contactRef(r.body), roster.CodePurpose(r.body.need("purpose")), r.body.need("code")
	var options []roster.LoginOption
	if purpose == roster.CodeLogin {
		if captcha := r.body.text("captcha"); captcha != nil {
			options = append(options, roster.WithCaptcha(*captcha))
		}
		if remember := r.body.boolean("remember"); remember != nil {
			options = append(options, roster.WithRemember(*remember))
		}
		if device := r.deviceToken(); device != nil {
			options = append(options, roster.WithDevice(*device))
		}
		if client := r.body.text("client_name"); client != nil {
			options = append(options, roster.WithClient(*client))
		}
	}
	if err := r.body.finish(); err != nil {
		return answer{}, err
	}
	outcome, err := x.repo.CheckCode(ctx, ref, purpose, roster.Secret(code), options...)
	switch {
	case err != nil:
		return answer{}, err
	case outcome.Login != nil:
		return loggedIn(ctx, r, x.view, *outcome.Login)
	case outcome.ResetToken != "":
		return ok(map[string]any{
			"reset_token": outcome.ResetToken.Reveal(), "expires_in": int64(outcome.ExpiresIn / time.Second),
		})
	case !outcome.FreshUntil.IsZero():
		return ok(map[string]any{"fresh_until": stamp(outcome.FreshUntil)})
	}
	return ok(map[string]any{"verified": true})
}
