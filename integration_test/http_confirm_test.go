package integration_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// HTTP-121: POST /me/email/confirm.
func TestHTTPEmailConfirmRequest(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("HTTP-121 mails a link, as often as the quota has it, case 34", func(t *testing.T) {
			a := s.do(t, "POST /api/register", fields{"email": "anna@example.com", "password": passphrase}).succeeds(t, 201) // the first mail
			token := as(roster.Secret(a.text(t, "tokens.access_token")))
			s.do(t, "POST /api/me/email/confirm", nil, token).succeeds(t, 202)
			p := s.do(t, "POST /api/me/email/confirm", nil, token).fails(t, 429, "quota_exhausted")
			if p.RetryAfter < 1700 || p.RetryAfter > 1800 {
				t.Errorf("retry after %d s, want the rest of half an hour", p.RetryAfter)
			}
			s.do(t, "POST /api/confirm/email", fields{"token": s.mail(t, "anna@example.com").Reveal()}).succeeds(t, 200)
			s.do(t, "POST /api/me/email/confirm", nil, token).fails(t, 409, "already_confirmed")
		})
		t.Run("HTTP-121 needs an address", func(t *testing.T) {
			g := s.login(t, s.add(t, person("bert", "", "")))
			s.do(t, "POST /api/me/email/confirm", nil, g.token()).fails(t, 404, "not_found")
			s.do(t, "POST /api/me/email/confirm", fields{"email": "x@example.com"}, g.token()).fails(t, 422, "validation_failed", "email:unknown_field")
		})
		t.Run("HTTP-36 passes on what a hook refuses", func(t *testing.T) {
			g := s.login(t, s.add(t, person("", "carl@example.com", "")))
			defer s.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error {
				return callbacks.Reject("no_mails").Status(418)
			})()
			s.do(t, "POST /api/me/email/confirm", nil, g.token(), rejected).fails(t, 418, "no_mails")
		})
	})
}

// HTTP-124: POST /confirm/email.
func TestHTTPEmailConfirm(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		link := func(t *testing.T, name string) (guest, string) {
			t.Helper()
			u := s.add(t, person(name, name+"@example.com", ""), roster.WithPassword(passphrase), roster.WithConfirmation())
			return s.login(t, u), s.mail(t, name+"@example.com").Reveal()
		}
		confirm := func(t *testing.T, token string, options ...option) reply {
			t.Helper()
			return s.do(t, "POST /api/confirm/email", fields{"token": token}, options...)
		}
		t.Run("HTTP-124 proves the address, and again without an event, HTTP-67", func(t *testing.T) {
			g, token := link(t, "anna")
			s.fired()
			first := confirm(t, token).succeeds(t, 200)
			same(t, `{"email_verified":true,"user_id":"`+g.ID.String()+`"}`, string(first.body))
			same(t, []string{"BeforeEmailConfirm", "AfterEmailConfirm", "OnEmailConfirm"}, s.fired())
			same(t, any(true), s.do(t, "GET /api/me", nil, g.token()).member(t, "email_verified"))
			same(t, string(first.body), string(confirm(t, token).succeeds(t, 200).body))
			same(t, []string(nil), s.fired())
		})
		t.Run("HTTP-124 refuses any other token, CONF-5", func(t *testing.T) {
			g, token := link(t, "bert")
			for _, other := range []string{"x", "ec_", token[:len(token)-1], token + "x", "ps_" + token[3:], strings.ToUpper(token), g.access.Reveal(), g.refresh.Reveal()} {
				confirm(t, other).fails(t, 400, "invalid_token")
			}
			confirm(t, "x", as("garbage")).fails(t, 400, "invalid_token")
			confirm(t, "").fails(t, 422, "validation_failed", "token:required")
			for body, want := range map[string]string{`{}`: "required", `{"token":null}`: "required", `{"token":1}`: "wrong_type"} {
				s.do(t, "POST /api/confirm/email", body).fails(t, 422, "validation_failed", "token:"+want)
			}
			s.do(t, "GET /api/me", nil, as(roster.Secret(token))).fails(t, 401, "invalid_token")
			confirm(t, token).succeeds(t, 200)
		})
		t.Run("HTTP-124 refuses a late token", func(t *testing.T) {
			_, token := link(t, "carl")
			s.Clock.Advance(24 * time.Hour)
			confirm(t, token).fails(t, 400, "expired_token")
		})
		t.Run("CONF-17 leaves the token good when a hook refuses", func(t *testing.T) {
			_, token := link(t, "dora")
			remove := s.On.EmailConfirm.Before(func(context.Context, *callbacks.EmailConfirm[*Person]) error {
				return callbacks.Reject("invalid_token").Status(409)
			})
			confirm(t, token, rejected).fails(t, 409, "invalid_token") // HTTP-36: the status that the hook asked for
			remove()
			confirm(t, token).succeeds(t, 200)
		})
	})
}

// HTTP-119: POST /password/set.
func TestHTTPPasswordFirst(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		invite := func(t *testing.T, name string) (*Person, string) {
			t.Helper()
			u := s.add(t, person(name, name+"@example.com", ""), roster.WithInvitation())
			return u, s.mail(t, name+"@example.com").Reveal()
		}
		set := func(t *testing.T, body fields) reply {
			t.Helper()
			return s.do(t, "POST /api/password/set", body)
		}
		t.Run("HTTP-119 sets the password, ends sessions and logs nobody in", func(t *testing.T) {
			u, token := invite(t, "anna")
			g := s.login(t, u)
			a := set(t, fields{"token": token, "password": passphrase, "password_confirm": passphrase}).succeeds(t, 200)
			same(t, `{"user_id":"`+u.ID.String()+`"}`, string(a.body))
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
			a = s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}).succeeds(t, 200)
			same(t, any(true), a.member(t, "user.email_verified"))
			set(t, fields{"token": token, "password": passphrase}).fails(t, 400, "invalid_token")
		})
		t.Run("HTTP-119 leaves the token good when the password is refused", func(t *testing.T) {
			_, token := invite(t, "bert")
			set(t, fields{"token": token, "password": "short7!"}).fails(t, 422, "validation_failed", "password:too_short")
			set(t, fields{"token": token, "password": ""}).fails(t, 422, "validation_failed", "password:invalid")
			set(t, fields{"token": token, "password": passphrase, "password_confirm": "other"}).fails(t, 422, "validation_failed", "password_confirm:mismatch")
			set(t, fields{"password": 7, "password_confirm": nil, "extra": 1}).
				fails(t, 422, "validation_failed", "extra:unknown_field", "password:wrong_type", "token:required")
			set(t, fields{"token": token, "password": passphrase}).succeeds(t, 200)
		})
		t.Run("HTTP-119 refuses other tokens, and late ones", func(t *testing.T) {
			_, token := invite(t, "carl")
			for _, other := range []string{"x", "ps_", "ec_" + token[3:], token[:len(token)-1]} {
				set(t, fields{"token": other, "password": passphrase}).fails(t, 400, "invalid_token")
			}
			set(t, fields{"token": "", "password": passphrase}).fails(t, 422, "validation_failed", "token:required")
			s.Clock.Advance(24 * time.Hour)
			set(t, fields{"token": token, "password": passphrase}).fails(t, 400, "expired_token")
		})
		t.Run("HTTP-119 sets no second password", func(t *testing.T) {
			u, token := invite(t, "dora")
			s.exec(t, "INSERT INTO roster_passwords (user_id, hash, changed_at) VALUES ($1, 'x', $2)", u.ID, s.Clock.Now())
			set(t, fields{"token": token, "password": "x"}).fails(t, 409, "password_already_set")
		})
	})
}
