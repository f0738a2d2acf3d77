package integration_test

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
)

// HTTP-120, HTTP-122, HTTP-125: a phone number is proven.
func TestHTTPPhoneConfirm(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("HTTP-120 tells what is proven, and takes nothing, case 19 of CONF", func(t *testing.T) {
			g := s.login(t, s.add(t, person("anna", "", number)))
			for range 6 {
				a := s.do(t, "GET /api/me/confirmations", nil, g.token()).succeeds(t, 200)
				same(t, `{"email":null,"phone":{"address":"+12025550134","verified":false,"pending":null,"available":true,"retry_after":null}}`, string(a.body))
			}
			s.do(t, "POST /api/me/phone/confirm", nil, g.token()).succeeds(t, 202)
			a := s.do(t, "GET /api/me/confirmations", nil, g.token()).succeeds(t, 200)
			same(t, any(false), a.member(t, "phone.available"))
			s.do(t, "POST /api/me/phone/confirm", nil, g.token()).fails(t, 429, "quota_exhausted")
			code := s.code(t, number)
			s.do(t, "POST /api/me/phone/confirm/check", fields{"code": other(code).Reveal()}, g.token()).fails(t, 400, "invalid_code")
			p := s.do(t, "POST /api/me/phone/confirm/check", fields{"code": code.Reveal()}, g.token()).fails(t, 429, "too_many_requests")
			same(t, 1, p.RetryAfter)
			s.Clock.Advance(time.Second)
			a = s.do(t, "POST /api/me/phone/confirm/check", fields{"code": code.Reveal()}, g.token()).succeeds(t, 200)
			same(t, any(true), a.member(t, "phone_verified"))
			s.do(t, "POST /api/me/phone/confirm/check", fields{"code": code.Reveal()}, g.token()).fails(t, 409, "already_confirmed")
			s.do(t, "POST /api/me/phone/confirm", nil, g.token()).fails(t, 409, "already_confirmed")
		})
		t.Run("HTTP-122 needs a number, HTTP-125 a code", func(t *testing.T) {
			g := s.login(t, s.add(t, person("berta", "", "")))
			s.do(t, "POST /api/me/phone/confirm", nil, g.token()).fails(t, 404, "not_found")
			s.do(t, "POST /api/me/phone/confirm/check", fields{"code": "123456"}, g.token()).fails(t, 400, "invalid_code")
			for body, want := range map[string]string{`{}`: "required", `{"code":""}`: "required", `{"code":null}`: "required", `{"code":123456}`: "wrong_type"} {
				s.do(t, "POST /api/me/phone/confirm/check", body, g.token()).fails(t, 422, "validation_failed", "code:"+want)
			}
		})
	})
}

// HTTP-123: POST /confirm/resend.
func TestHTTPConfirmResend(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.add(t, person("anna", "anna@example.com", ""))
		s.add(t, person("berta", "berta@example.com", ""), roster.WithEmailVerified())
		var bodies []string
		for _, address := range []string{"anna@example.com", "berta@example.com", "nobody@example.com"} {
			a := s.do(t, "POST /api/confirm/resend", fields{"email": address}).succeeds(t, 202)
			bodies = append(bodies, string(a.body))
		}
		same(t, []string{`{"status":"accepted"}`, `{"status":"accepted"}`, `{"status":"accepted"}`}, bodies)
		same(t, []string{"email_confirm_again to anna@example.com"}, s.posted(t))
		s.do(t, "POST /api/confirm/resend", fields{"email": "nobody"}).fails(t, 422, "validation_failed", "email:invalid")
		s.do(t, "POST /api/confirm/resend", fields{}).fails(t, 422, "validation_failed", "email:required")
	})
}

// HTTP-126, HTTP-127, HTTP-128, CONF-35, HTTP-52, HTTP-53: an e-mail address is changed.
func TestHTTPEmailChange(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("HTTP-126, HTTP-127, HTTP-128 from request to cancelling", func(t *testing.T) {
			g := s.guest(t, "anna")
			s.do(t, "PUT /api/me/email", fields{"email": "new@example.com"}, g.token()).succeeds(t, 202)
			a := s.do(t, "GET /api/me/confirmations", nil, g.token()).succeeds(t, 200)
			same(t, any("new@example.com"), a.member(t, "email.pending"))
			same(t, any("anna@example.com"), a.member(t, "email.address"))
			confirm, cancel := s.lastTo(t, "new@example.com").Token.Reveal(), s.lastTo(t, "anna@example.com").Token.Reveal()
			s.do(t, "POST /api/confirm/email-change", fields{"token": cancel}).fails(t, 400, "invalid_token")
			s.do(t, "POST /api/confirm/email", fields{"token": confirm}).fails(t, 400, "invalid_token")
			a = s.do(t, "POST /api/confirm/email-change", fields{"token": confirm}).succeeds(t, 200)
			same(t, `{"user_id":"`+g.ID.String()+`"}`, string(a.body))
			same(t, any("new@example.com"), s.do(t, "GET /api/me", nil, g.token()).member(t, "email"))
			a = s.do(t, "POST /api/confirm/cancel", fields{"token": cancel}).succeeds(t, 200)
			same(t, `{"user_id":"`+g.ID.String()+`"}`, string(a.body))
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
			s.do(t, "POST /api/confirm/cancel", fields{"token": cancel}).fails(t, 400, "invalid_token")
			s.do(t, "POST /api/confirm/cancel", fields{}).fails(t, 422, "validation_failed", "token:required")
		})
		t.Run("HTTP-52 needs a log-in shortly before, or the password", func(t *testing.T) {
			g := s.guest(t, "berta")
			s.Clock.Advance(15*time.Minute + time.Second)
			token := s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).succeeds(t, 200).text(t, "access_token")
			fresh := as(roster.Secret(token))
			s.do(t, "PUT /api/me/email", fields{"email": "b2@example.com"}, fresh).fails(t, 403, "reauthentication_required")
			s.do(t, "PUT /api/me/phone", fields{"phone": number}, fresh).fails(t, 403, "reauthentication_required")
			s.do(t, "PUT /api/me/email", fields{"email": "b2@example.com", "password": "wrong"}, fresh).fails(t, 403, "invalid_password", "password:invalid_password")
			s.do(t, "PUT /api/me/email", fields{"email": "b2@example.com", "password": passphrase}, fresh).succeeds(t, 202)
		})
		t.Run("HTTP-126 removes it by null, refuses what is none", func(t *testing.T) {
			g := s.guest(t, "carla")
			a := s.do(t, "PUT /api/me/email", `{"email":null}`, g.token()).succeeds(t, 200)
			same(t, any(nil), a.member(t, "email"))
			s.do(t, "PUT /api/me/email", `{"email":null}`, g.token()).fails(t, 409, "same_value")
			s.do(t, "PUT /api/me/email", `{}`, g.token()).fails(t, 422, "validation_failed", "email:required")
			s.do(t, "PUT /api/me/email", `{"email":""}`, g.token()).fails(t, 422, "validation_failed", "email:invalid")
			s.do(t, "PUT /api/me/email", `{"email":7,"x":1}`, g.token()).fails(t, 422, "validation_failed", "email:wrong_type", "x:unknown_field")
			s.add(t, person("", "taken@example.com", ""))
			s.do(t, "PUT /api/me/email", fields{"email": "Taken@example.com"}, g.token()).fails(t, 409, "identifier_taken", "email:taken")
			only := s.login(t, s.add(t, person("", "only@example.com", ""), roster.WithPassword(passphrase)))
			s.do(t, "PUT /api/me/email", `{"email":null}`, only.token()).fails(t, 409, "last_credential")
		})
	})
}

// HTTP-129, HTTP-130: a phone number is changed.
func TestHTTPPhoneChange(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		s.do(t, "POST /api/me/phone/change/check", fields{"code": "123456"}, g.token()).fails(t, 400, "invalid_code")
		s.do(t, "PUT /api/me/phone", fields{"phone": "+1 202 555 0134"}, g.token()).succeeds(t, 202)
		code := s.code(t, number).Reveal()
		a := s.do(t, "POST /api/me/phone/change/check", fields{"code": code}, g.token()).succeeds(t, 200)
		same(t, []any{number, true}, []any{a.member(t, "phone"), a.member(t, "phone_verified")})
		s.do(t, "PUT /api/me/phone", fields{"phone": number}, g.token()).fails(t, 409, "same_value")
		a = s.do(t, "PUT /api/me/phone", `{"phone":null}`, g.token()).succeeds(t, 200)
		same(t, any(nil), a.member(t, "phone"))
		s.do(t, "PUT /api/me/phone", fields{"phone": "12"}, g.token()).fails(t, 422, "validation_failed", "phone:invalid")
	})
}

// ADMIN-39: POST /users/:id/confirm.
func TestHTTPUserConfirm(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk, u := s.administrator(t, "clerk", "users:credentials"), s.add(t, person("anna", "anna@example.com", ""))
		path := "POST /admin/users/" + u.ID.String() + "/confirm"
		s.do(t, path, fields{"contact": "email"}, clerk.token()).succeeds(t, 202)
		same(t, []string{"email_confirm to anna@example.com"}, s.posted(t))
		s.fired()
		a := s.do(t, path, fields{"contact": "email", "verified": true}, clerk.token()).succeeds(t, 200)
		same(t, any(true), a.member(t, "email_verified"))
		same(t, []string{"BeforeEmailConfirm", "AfterEmailConfirm", "OnEmailConfirm"}, s.fired())
		s.do(t, path, fields{"contact": "email"}, clerk.token()).fails(t, 409, "already_confirmed")
		a = s.do(t, path, fields{"contact": "email", "verified": false, "reason": "typo"}, clerk.token()).succeeds(t, 200)
		same(t, any(false), a.member(t, "email_verified"))
		s.do(t, path, fields{"contact": "phone"}, clerk.token()).fails(t, 404, "not_found")
		s.do(t, path, fields{"contact": "fax"}, clerk.token()).fails(t, 422, "validation_failed", "contact:invalid")
		s.do(t, path, fields{}, clerk.token()).fails(t, 422, "validation_failed", "contact:required")
		s.do(t, path, fields{"contact": "email"}, s.administrator(t, "helper", "users:read").token()).fails(t, 403, "forbidden")
		s.do(t, "POST /admin/users/"+clerk.ID.String()+"/confirm", fields{"contact": "email", "verified": false}, clerk.token()).fails(t, 403, "forbidden")
	})
}
