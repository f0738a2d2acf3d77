package integration_test

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
)

// HTTP-114 to HTTP-116, HTTP-52, HTTP-53, PASS-12: the own password.
func TestHTTPPassword(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("HTTP-114 HTTP-115 HTTP-52 sets a first one, after a log-in shortly before", func(t *testing.T) {
			g := s.login(t, s.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified()))
			other := s.login(t, g.Person)
			a := s.do(t, "GET /api/me/password", nil, g.token()).succeeds(t, 200)
			same(t, `{"status":"set","changed_at":null}`, string(a.body))
			s.do(t, "POST /api/me/password", fields{"password": "iloveyou", "password_confirm": "other", "x": 1}, g.token()).
				fails(t, 422, "validation_failed", "password_confirm:mismatch", "x:unknown_field")
			s.do(t, "POST /api/me/password", fields{"password": "iloveyou"}, g.token()).fails(t, 422, "validation_failed", "password:common")
			s.do(t, "POST /api/me/password", fields{"password": passphrase, "password_confirm": passphrase}, g.token()).succeeds(t, 204)
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "token_expired")
			s.do(t, "GET /api/me", nil, other.token()).fails(t, 401, "session_revoked")
			pair, err := s.Refresh(t.Context(), g.refresh)
			same(t, nil, err)
			for _, body := range []fields{{}, {"password": ""}, {"password": passphrase}, {"password": 7, "x": 1}} {
				s.do(t, "POST /api/me/password", body, as(pair.AccessToken)).fails(t, 409, "password_already_set")
			}
			same(t, any("change"), s.do(t, "GET /api/me/password", nil, as(pair.AccessToken)).succeeds(t, 200).member(t, "status"))
			s.Clock.Advance(16 * time.Minute)
			if pair, err = s.Refresh(t.Context(), pair.RefreshToken); err != nil {
				t.Fatal(err)
			}
			s.do(t, "POST /api/me/password", fields{"password": passphrase}, as(pair.AccessToken)).fails(t, 403, "reauthentication_required")
		})
		t.Run("HTTP-116 HTTP-53 PASS-12 changes it by the old one", func(t *testing.T) {
			g := s.guest(t, "bert")
			other := s.login(t, g.Person)
			change := func(body fields) reply { return s.do(t, "PUT /api/me/password", body, g.token()) }
			change(fields{"old_password": "wrong", "password": "x"}).fails(t, 403, "invalid_password", "old_password:invalid_password")
			change(fields{"old_password": passphrase, "password": passphrase}).fails(t, 422, "validation_failed", "password:same_password")
			change(fields{"old_password": passphrase, "password": "another good one", "password_confirm": "other"}).
				fails(t, 422, "validation_failed", "password_confirm:mismatch")
			change(fields{"password": 7}).fails(t, 422, "validation_failed", "old_password:required", "password:wrong_type")
			a := change(fields{"old_password": passphrase, "password": "another good one"}).succeeds(t, 200)
			same(t, any(g.sid.String()), a.member(t, "session_id"))
			access, _ := a.member(t, "access_token").(string)
			s.do(t, "GET /api/me", nil, as(roster.Secret(access))).succeeds(t, 200)
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "token_expired")
			s.do(t, "GET /api/me", nil, other.token()).fails(t, 401, "session_revoked")
			none := s.login(t, s.add(t, person("carl", "", "")))
			s.do(t, "PUT /api/me/password", fields{"old_password": "x", "password": passphrase}, none.token()).fails(t, 409, "password_not_set")
			fresh := s.login(t, s.add(t, person("dora", "dora@example.com", ""), roster.WithPassword(passphrase)))
			s.do(t, "PUT /api/me/password", fields{"old_password": "x", "password": passphrase}, fresh.token()).fails(t, 403, "not_verified")
		})
	})
}

// HTTP-117, HTTP-118, HTTP-57, HTTP-60: a forgotten password.
func TestHTTPPasswordReset(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna := s.guest(t, "anna")
		s.add(t, person("bare", "bare@example.com", ""))
		t.Run("HTTP-117 HTTP-57 answers alike whoever it is", func(t *testing.T) {
			want := s.do(t, "POST /api/password/forgot", fields{"login": "nobody"}).succeeds(t, 202)
			for _, body := range []fields{{"login": "anna"}, {"email": "bare@example.com"}, {"email": "nobody@example.com"}, {"username": "bare"}, {"phone": "+12025550199"}} {
				same(t, want.alike(), s.do(t, "POST /api/password/forgot", body).succeeds(t, 202).alike())
			}
			for name, body := range map[string]fields{
				"login:required": {}, "email:invalid": {"email": "@x"}, ":invalid": {"email": "a@example.com", "login": "a"}, "login:wrong_type": {"login": 7},
			} {
				s.do(t, "POST /api/password/forgot", body).fails(t, 422, "validation_failed", name)
			}
		})
		t.Run("HTTP-118 sets it by the token, and logs nobody in", func(t *testing.T) {
			token := s.mail(t, "anna@example.com").Reveal()
			reset := func(body fields) reply { return s.do(t, "POST /api/password/reset", body) }
			reset(fields{"token": "pr_x", "password": "x"}).fails(t, 400, "invalid_token")
			reset(fields{"token": token, "password": "short7!"}).fails(t, 422, "validation_failed", "password:too_short")
			a := reset(fields{"token": token, "password": "another good one"}).succeeds(t, 200)
			same(t, `{"user_id":"`+anna.ID.String()+`"}`, string(a.body))
			reset(fields{"token": token, "password": "another good one"}).fails(t, 400, "invalid_token")
			s.do(t, "GET /api/me", nil, anna.token()).fails(t, 401, "session_revoked")
			s.do(t, "POST /api/login", fields{"login": "anna", "password": "another good one"}).succeeds(t, 200)
		})
		t.Run("ADMIN-38 sends it for an administrator", func(t *testing.T) {
			clerk := s.administrator(t, "clerk", "users:credentials")
			path := "POST /admin/users/" + anna.ID.String() + "/password-reset"
			s.do(t, path, nil, clerk.token()).succeeds(t, 202)
			s.do(t, path, fields{"channel": "phone"}, clerk.token()).fails(t, 409, "conflict")
			s.do(t, path, fields{"channel": "pigeon"}, clerk.token()).fails(t, 422, "validation_failed", "channel:invalid")
			s.do(t, "POST /admin/users/"+s.NewID().String()+"/password-reset", nil, clerk.token()).fails(t, 404, "not_found")
		})
	})
}
