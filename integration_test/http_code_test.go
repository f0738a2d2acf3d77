package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// HTTP-131 to HTTP-133, OTP-38: find a contact, have a code sent there, and spend it, without being logged in.
func TestHTTPCodes(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		n := 0
		// somebody who has tried no code yet
		somebody := func(t *testing.T) (u *Person, name, email, phone string) {
			t.Helper()
			n++
			name, phone = fmt.Sprint("anna", n), fmt.Sprint("+1202555010", n)
			email = name + "@example.com"
			return s.proven(t, person(name, email, phone)), name, email, phone
		}
		send := func(t *testing.T, to string, body fields) string {
			t.Helper()
			s.do(t, "POST /api/codes/send", body).succeeds(t, 202)
			return s.code(t, to).Reveal()
		}
		t.Run("HTTP-131 finds masked contacts", func(t *testing.T) {
			_, name, _, _ := somebody(t)
			a := s.do(t, "POST /api/codes/find", fields{"login": name}).succeeds(t, 200)
			same(t, "an***@ex*****.***", a.text(t, "email.0.masked"))
			same(t, "+*********01", a.text(t, "phone.0.masked"))
			s.do(t, "POST /api/codes/find", fields{"login": ""}).succeeds(t, 200)
			s.do(t, "POST /api/codes/find", fields{"login": strings.Repeat("x", 5000)}).succeeds(t, 200)
			s.do(t, "POST /api/codes/find", fields{}).fails(t, 422, "validation_failed", "login:required")
			s.do(t, "POST /api/codes/find", fields{"login": 7}).fails(t, 422, "validation_failed", "login:wrong_type")
			s.do(t, "POST /api/codes/find?login=anna", fields{"login": name}).fails(t, 400, "invalid_parameter", "login:invalid")
			if got := s.do(t, "GET /api/codes/find", nil); got.status != 405 { // case 20
				t.Error(got)
			}
		})
		t.Run("HTTP-133 logs in by a handle", func(t *testing.T) {
			_, name, email, _ := somebody(t)
			handle := s.do(t, "POST /api/codes/find", fields{"login": name}).text(t, "email.0.handle")
			code := send(t, email, fields{"handle": handle, "purpose": "login"})
			wrong := fields{"login": email, "purpose": "login", "code": other(roster.Secret(code)).Reveal()}
			s.do(t, "POST /api/codes/check", wrong).fails(t, 400, "invalid_code")
			a := s.do(t, "POST /api/codes/check", fields{"handle": handle, "purpose": "login", "code": code, "remember": false}).succeeds(t, 200)
			s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "tokens.access_token")))).succeeds(t, 200)
			s.do(t, "POST /api/login", fields{"handle": handle, "code": code}).fails(t, 401, "invalid_credentials")
		})
		t.Run("HTTP-102 logs in by a code in place of the password", func(t *testing.T) {
			_, name, email, phone := somebody(t)
			code := send(t, email, fields{"login": phone, "channel": "email", "purpose": "login"})
			s.do(t, "POST /api/login", fields{"login": name, "code": code, "password": passphrase}).fails(t, 422, "validation_failed", "code:invalid")
			s.do(t, "POST /api/login", fields{"login": name, "code": ""}).fails(t, 422, "validation_failed", "code:required")
			s.do(t, "POST /api/login", fields{"username": name, "email": email, "code": code}).succeeds(t, 200)
		})
		t.Run("HTTP-133 resets the password, and makes no session", func(t *testing.T) {
			_, name, email, _ := somebody(t)
			code := send(t, email, fields{"login": name, "purpose": "reset"})
			a := s.do(t, "POST /api/codes/check", fields{"login": strings.ToUpper(email) + " ", "purpose": "reset", "code": code}).succeeds(t, 200)
			same(t, 600.0, a.member(t, "expires_in").(float64))
			token := a.text(t, "reset_token")
			s.do(t, "POST /api/password/reset", fields{"token": token, "password": "another good passphrase"}).succeeds(t, 200)
			s.do(t, "POST /api/password/reset", fields{"token": token, "password": "one more good passphrase"}).fails(t, 400, "invalid_token")
		})
		t.Run("HTTP-133 proves a contact once, case 17", func(t *testing.T) {
			u, name, _, phone := somebody(t)
			if _, err := s.SetPhoneConfirmed(t.Context(), u.ID, false); err != nil {
				t.Fatal(err)
			}
			if _, err := s.SetEmailConfirmed(t.Context(), u.ID, false); err != nil { // else the number is proven from a session
				t.Fatal(err)
			}
			s.do(t, "POST /api/codes/send", fields{"login": name, "channel": "phone", "purpose": "verify"}).succeeds(t, 202)
			body := fields{"login": name, "purpose": "verify", "code": s.code(t, phone).Reveal()}
			s.do(t, "POST /api/codes/check", body).succeeds(t, 200)
			same(t, true, s.read(t, u.ID).PhoneVerifiedAt != nil)
			s.do(t, "POST /api/codes/check", body).fails(t, 400, "invalid_code")
		})
		t.Run("HTTP-52 steps up", func(t *testing.T) {
			u, _, email, _ := somebody(t)
			pair := s.issue(t, u.ID)
			s.Clock.Advance(16 * time.Minute)
			refreshed, err := s.Refresh(t.Context(), pair.RefreshToken)
			same(t, nil, err)
			g := as(refreshed.AccessToken)
			s.do(t, "PUT /api/me/email", fields{"email": "new@example.com"}, g).fails(t, 403, "reauthentication_required")
			s.do(t, "POST /api/codes/send", fields{"purpose": "step-up"}).fails(t, 401, "unauthenticated")
			s.do(t, "POST /api/codes/send", fields{"purpose": "step-up"}, g).succeeds(t, 202)
			code := s.code(t, email).Reveal()
			s.do(t, "POST /api/codes/check", fields{"purpose": "step-up", "code": code}).fails(t, 401, "unauthenticated")
			s.do(t, "POST /api/codes/check", fields{"purpose": "step-up", "code": code}, g).succeeds(t, 200)
			s.do(t, "PUT /api/me/email", fields{"email": "new@example.com"}, g).succeeds(t, 202)
		})
		t.Run("HTTP-132 refuses what makes no sense", func(t *testing.T) {
			_, name, _, _ := somebody(t)
			for _, x := range []struct {
				body   fields
				faults []string
			}{
				{fields{}, []string{"purpose:required"}},
				{fields{"login": name}, []string{"purpose:required"}},
				{fields{"login": name, "purpose": "change"}, []string{"purpose:invalid"}},
				{fields{"login": name, "purpose": "LOGIN"}, []string{"purpose:invalid"}},
				{fields{"purpose": "login"}, []string{"login:required"}},
				{fields{"login": name, "handle": "x", "purpose": "login"}, []string{"handle:invalid"}},
				{fields{"login": name, "channel": "fax", "purpose": "login"}, []string{"channel:invalid"}},
				{fields{"login": name, "channel": "", "purpose": "login"}, []string{"channel:invalid"}},
				{fields{"login": name, "purpose": "login", "user_id": "x"}, []string{"user_id:unknown_field"}},
				{fields{"login": 7, "handle": []int{1}, "purpose": "login"}, []string{"handle:wrong_type", "login:wrong_type"}},
			} {
				s.do(t, "POST /api/codes/send", x.body).fails(t, 422, "validation_failed", x.faults...)
			}
			for _, code := range []any{"", nil, " ", "--"} { // case 19
				s.do(t, "POST /api/codes/check", fields{"login": name, "purpose": "login", "code": code}).fails(t, 422, "validation_failed", "code:required")
			}
			s.do(t, "POST /api/codes/check", fields{"login": name, "purpose": "reset", "code": "1", "remember": true}).fails(t, 422, "validation_failed", "remember:unknown_field")
			for i, code := range []string{"\u0000", strings.Repeat("9", 10_000), "１２３４５６", "+123456", "0x1234"} {
				if got := s.do(t, "POST /api/codes/check", fields{"login": fmt.Sprint("ghost", i), "purpose": "reset", "code": code}); got.status != 400 && got.status != 422 {
					t.Error(i, got)
				}
			}
		})
	}, func(cfg *usersrepo.Config) {
		p := &cfg.Protection
		p.AskedMessages.Off, p.Codes.Off, p.CodePause.Off = true, true, true
	})
}

// SEC-75, HTTP-60, PROT-3: the endpoints of codes say the same of everybody.
func TestSEC_75_CodesAreNeutral(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		ctx := t.Context()
		n := 0
		for _, purpose := range []string{"verify", "login", "reset"} {
			for _, what := range []string{"send", "check"} {
				n++
				name := func(state string) (login, email string) {
					return fmt.Sprint(state, n), fmt.Sprint(state, n, "@example.com")
				}
				add := func(state string) roster.ID {
					login, email := name(state)
					return s.proven(t, person(login, email, "")).ID
				}
				_, err := s.Ban(ctx, add("banned"), roster.Ban{})
				same(t, nil, err)
				_, err = s.ArchiveUser(ctx, add("archived"), "")
				same(t, nil, err)
				same(t, nil, s.Delete(ctx, add("gone"), roster.Deactivate))
				add("proven")
				login, email := name("unproven")
				s.add(t, person(login, email, ""))
				login, _ = name("without")
				s.add(t, person(login, "", ""))
				want := ""
				for _, state := range []string{"proven", "banned", "archived", "gone", "unproven", "without", "nobody"} {
					login, email := name(state)
					for _, typed := range []string{login, email} {
						body, got := fields{"login": typed, "purpose": purpose}, ""
						if what == "check" {
							body["code"] = "000000"
						}
						for range 2 { // over the quota, and within a wait
							got += s.do(t, "POST /api/codes/"+what, body).alike()
						}
						if want == "" {
							want = got
						}
						same(t, want, got)
					}
				}
			}
		}
	}, func(cfg *usersrepo.Config) { cfg.Protection.AskedMessages.Off = true })
}
