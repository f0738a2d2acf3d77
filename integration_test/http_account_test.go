package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/usersrepo"
)

// fields is a JSON object of a test.
type fields map[string]any

// membersOf are the names of a JSON object's members, sorted.
func membersOf(t testing.TB, object any) []string {
	t.Helper()
	m, ok := object.(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", object)
	}
	return slices.Sorted(maps.Keys(m))
}

var selfMembers = []string{
	"badge", "company", "created_at", "email", "email_verified", "id", "joined_at", "language", "last_login_at", "nick",
	"permissions", "phone", "phone_verified", "plan", "score", "superuser", "time_zone", "updated_at", "username", "version",
}

// HTTP-101: POST /register.
func TestHTTPRegister(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("HTTP-101 takes each identifier alone, case 6", func(t *testing.T) {
			for member, value := range map[string]string{"username": "alone", "email": "alone@example.com", "phone": "+12025550110"} {
				a := s.do(t, "POST /api/register", fields{member: value, "password": passphrase}).succeeds(t, 201)
				same(t, value, a.text(t, "user."+member))
				s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "tokens.access_token")))).succeeds(t, 200)
			}
			s.do(t, "POST /api/register", fields{"password": passphrase}).fails(t, 422, "validation_failed", ":required")
		})
		t.Run("HTTP-101 takes what may be given, and answers HTTP-31 and HTTP-32", func(t *testing.T) {
			a := s.do(t, "POST /api/register", fields{
				"username": "Full", "email": "Full@EXAMPLE.com", "phone": "+1 (202) 555-0111", "password": passphrase,
				"password_confirm": passphrase, "language": "en", "time_zone": "Europe/Vienna", "company": "Acme", "nick": nil,
				"joined_at": "2026-01-02T03:04:05+01:00", "captcha": "x", "remember": true,
			}).succeeds(t, 201)
			same(t, []string{"device_token", "tokens", "user"}, membersOf(t, a.member(t, "")))
			same(t, selfMembers, membersOf(t, a.member(t, "user")))
			same(t, []string{"access_token", "expires_in", "refresh_expires_in", "refresh_token", "session_id", "token_type"},
				membersOf(t, a.member(t, "tokens")))
			now := s.Clock.Now().Format("2006-01-02T15:04:05.000Z")
			for member, want := range map[string]any{
				"user.username": "Full", "user.email": "Full@example.com", "user.phone": "+12025550111", "user.email_verified": false,
				"user.phone_verified": false, "user.company": "Acme", "user.nick": nil, "user.joined_at": "2026-01-02T02:04:05.000Z",
				"user.language": "en", "user.time_zone": "Europe/Vienna", "user.superuser": false, "user.permissions": []any{},
				"user.created_at": now, "user.updated_at": now, "user.last_login_at": now, "user.plan": "", "user.score": 0.0,
				"tokens.token_type": "Bearer", "tokens.expires_in": 600.0, "tokens.refresh_expires_in": 14 * 86400.0,
			} {
				if got := a.member(t, member); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s is %v, want %v", member, got, want)
				}
			}
			s.do(t, "POST /api/login", fields{"login": "full", "password": passphrase}).succeeds(t, 200)
			if a.header.Get("Location") != "" {
				t.Error("there is a Location")
			}
		})
		t.Run("HTTP-20 SEC-85 refuses members that are not for people who register, case 7", func(t *testing.T) {
			for member, value := range map[string]any{
				"id": s.NewID(), "superuser": true, "permissions": []string{"a"}, "email_verified": true, "phone_verified": true,
				"banned": nil, "banned_at": nil, "archived": true, "deleted": false, "version": 7, "created_at": "2026-01-02T03:04:05Z",
				"updated_at": nil, "last_login_at": nil, "has_password": true, "epoch": 1, "plan": "pro", "score": 1, "badge": "x",
				"email_verified_at": "2026-01-02T03:04:05Z", "delete_mode": "remove", "password_hash": "x",
			} {
				s.do(t, "POST /api/register", fields{"username": "climber", "password": passphrase, member: value}).
					fails(t, 422, "validation_failed", member+":forbidden_field")
			}
			for _, member := range []string{"nickname", "note", "Note", "__proto__", "Username", "E-mail", "EMAIL"} {
				s.do(t, "POST /api/register", fields{"username": "climber", "password": passphrase, member: "x"}).
					fails(t, 422, "validation_failed", member+":unknown_field")
			}
			if n := s.rows(t, "users WHERE username = 'climber'"); n != 0 {
				t.Errorf("%d users were made", n)
			}
		})
		t.Run("HTTP-16 tells all faults at once, sorted, case 8", func(t *testing.T) {
			s.do(t, "POST /api/register", fields{
				"username": "x", "email": "nobody", "phone": 7, "password": "short", "password_confirm": "other", "language": "?",
				"company": true, "extra": 1, "plan": "pro", "captcha": 1, "joined_at": "yesterday",
			}).fails(t, 422, "validation_failed",
				"captcha:wrong_type", "company:wrong_type", "email:invalid", "extra:unknown_field", "joined_at:invalid", "language:invalid",
				"password:too_short", "password_confirm:mismatch", "phone:wrong_type", "plan:forbidden_field", "username:too_short")
		})
		t.Run("HTTP-101 refuses what is taken, in whatever spelling, case 9", func(t *testing.T) {
			s.add(t, person("taken", "taken@example.com", "+12025550112"))
			for _, x := range []struct {
				body   fields
				faults []string
			}{
				{fields{"email": "TAKEN@EXAMPLE.com"}, []string{"email:taken"}},
				{fields{"username": "Taken", "email": "free@example.com"}, []string{"username:taken"}},
				{fields{"phone": "+1 202 555 0112"}, []string{"phone:taken"}},
				{fields{"username": "TAKEN", "email": "Taken@example.com", "phone": "+12025550112"}, []string{"email:taken", "phone:taken", "username:taken"}},
			} {
				x.body["password"] = passphrase
				s.do(t, "POST /api/register", x.body).fails(t, 409, "identifier_taken", x.faults...)
			}
			s.do(t, "POST /api/register", fields{"email": "taken@example.com", "username": "a", "password": passphrase}).
				fails(t, 422, "validation_failed", "email:taken", "username:too_short")
		})
		t.Run("HTTP-18 needs a password that is a text", func(t *testing.T) {
			for password, want := range map[string]string{
				`null`: "required", `""`: "invalid", `"short7!"`: "too_short",
				`"abc\u0000defgh"`: "invalid", `"` + strings.Repeat("x", 1025) + `"`: "too_long",
			} {
				s.do(t, "POST /api/register", `{"username":"secretive","password":`+password+`}`).
					fails(t, 422, "validation_failed", "password:"+want)
			}
			s.do(t, "POST /api/register", fields{"username": "secretive"}).fails(t, 422, "validation_failed", "password:required")
			s.do(t, "POST /api/register", fields{"username": "secretive", "password_confirm": passphrase}).
				fails(t, 422, "validation_failed", "password:required", "password_confirm:mismatch")
		})
		t.Run("HTTP-18 takes null for absent, and a blank for no identifier", func(t *testing.T) {
			s.do(t, "POST /api/register", fields{"username": "nulls", "email": nil, "phone": nil, "language": nil, "password": passphrase}).succeeds(t, 201)
			s.do(t, "POST /api/register", fields{"username": "", "email": "", "phone": " ", "password": passphrase}).
				fails(t, 422, "validation_failed", "email:invalid", "phone:invalid", "username:invalid")
			s.do(t, "POST /api/register", fields{"username": "blank", "company": nil, "password": passphrase}).
				fails(t, 422, "validation_failed", "company:required")
		})
		t.Run("HTTP-19 does not trim a password", func(t *testing.T) {
			s.do(t, "POST /api/register", fields{"username": " spacious ", "password": "  spaces kept  "}).succeeds(t, 201)
			s.do(t, "POST /api/login", fields{"login": "spacious", "password": "spaces kept"}).fails(t, 401, "invalid_credentials")
			s.do(t, "POST /api/login", fields{"login": " spacious ", "password": "  spaces kept  "}).succeeds(t, 200)
		})
		t.Run("HTTP-36 passes on what a hook refuses, case 46", func(t *testing.T) {
			defer s.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error {
				if e.User.Company != "Full house" {
					return nil
				}
				return fmt.Errorf("too many: %w", callbacks.Reject("quota_plan").Field("plan").Status(402).Message("upgrade first"))
			})()
			p := s.do(t, "POST /api/register", fields{"username": "vetoed", "password": passphrase, "company": "Full house"}, rejected).
				fails(t, 402, "quota_plan", "plan:quota_plan")
			same(t, "upgrade first", p.Detail)
			same(t, "Quota plan", p.Title)
			if n := s.rows(t, "users WHERE username = 'vetoed'"); n != 0 {
				t.Errorf("%d users were made", n)
			}
		})
		t.Run("HTTP-36 hides other errors of a hook", func(t *testing.T) {
			defer s.On.Create.After(func(context.Context, *callbacks.Create[*Person]) error {
				return fmt.Errorf("the secret plan failed")
			})()
			a := s.do(t, "POST /api/register", fields{"username": "failing", "password": passphrase})
			a.fails(t, 500, "internal")
			if strings.Contains(string(a.body), "plan") {
				t.Errorf("%s tells why", a)
			}
		})
		t.Run("HTTP-36 keeps what fails after the commit to itself", func(t *testing.T) {
			defer s.On.Create.On(func(context.Context, *callbacks.Create[*Person]) error { panic("late") })()
			s.do(t, "POST /api/register", fields{"username": "unaware", "password": passphrase}).succeeds(t, 201)
		})
	})
}

// HTTP-101, case 11, and what else a configuration says of registering.
func TestHTTPRegisterSettings(t *testing.T) {
	t.Run("confirmed", func(t *testing.T) {
		onSites(t, func(t *testing.T, s *site) {
			t.Run("HTTP-101 holds tokens back until a contact is proven, case 11", func(t *testing.T) {
				a := s.do(t, "POST /api/register", fields{"email": "later@example.com", "password": passphrase}).succeeds(t, 201)
				same(t, any(nil), a.member(t, "tokens"))
				s.do(t, "POST /api/login", fields{"email": "later@example.com", "password": passphrase}).fails(t, 403, "not_verified")
				s.do(t, "POST /api/login", fields{"email": "later@example.com", "password": "wrong one"}).fails(t, 401, "invalid_credentials")
				s.do(t, "POST /api/confirm/email", fields{"token": s.mail(t, "later@example.com").Reveal()}).succeeds(t, 200)
				s.do(t, "POST /api/login", fields{"email": "later@example.com", "password": passphrase}).succeeds(t, 200)
			})
			t.Run("HTTP-101 lets those in who have nothing to prove", func(t *testing.T) {
				a := s.do(t, "POST /api/register", fields{"username": "nothing.to.prove", "password": passphrase}).succeeds(t, 201)
				s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "tokens.access_token")))).succeeds(t, 200)
			})
		}, func(cfg *usersrepo.Config) { cfg.Account.RequireConfirmed = true })
	})
	t.Run("closed", func(t *testing.T) {
		onSites(t, func(t *testing.T, s *site) {
			t.Run("HTTP-101 is closed", func(t *testing.T) {
				s.do(t, "POST /api/register", fields{"username": "stranger", "password": passphrase}).fails(t, 403, "registration_closed")
			})
		}, func(cfg *usersrepo.Config) { cfg.Account.RegistrationClosed = true })
	})
	t.Run("passwordless", func(t *testing.T) {
		onSites(t, func(t *testing.T, s *site) {
			t.Run("HTTP-101 does without a password", func(t *testing.T) {
				for _, body := range []fields{{"email": "less1@example.com"}, {"email": "less2@example.com", "password": nil}} {
					s.do(t, "POST /api/register", body).succeeds(t, 201)
					for _, password := range []string{"", passphrase} {
						s.do(t, "POST /api/login", fields{"email": body["email"], "password": password}).fails(t, 401, "invalid_credentials")
					}
				}
				s.do(t, "POST /api/register", fields{"email": "less3@example.com", "password": ""}).fails(t, 422, "validation_failed", "password:invalid")
				s.do(t, "POST /api/register", fields{"username": "contactless"}).fails(t, 422, "validation_failed", "password:required")
			})
		}, func(cfg *usersrepo.Config) { cfg.Account.PasswordlessRegistration = true })
	})
	t.Run("limited", func(t *testing.T) {
		onSites(t, func(t *testing.T, s *site) {
			t.Run("HTTP-39 tells how long an address has to wait", func(t *testing.T) {
				for i := range 2 {
					s.do(t, "POST /api/register", fields{"username": fmt.Sprint("quick", i), "password": passphrase}).succeeds(t, 201)
				}
				s.do(t, "POST /api/register", fields{"username": "x", "password": passphrase}).fails(t, 429, "too_many_requests")
				p := s.do(t, "POST /api/register", fields{"username": "quick9", "password": passphrase}).fails(t, 429, "too_many_requests")
				if p.RetryAfter < 3500 || p.RetryAfter > 3600 {
					t.Errorf("retry after %d s, want the rest of an hour", p.RetryAfter)
				}
			})
		}, func(cfg *usersrepo.Config) {
			cfg.Protection.Registration.Off, cfg.Protection.Registration.Max = false, 2
		})
	})
}

// HTTP-102: POST /login.
func TestHTTPLogin(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna := s.add(t, person("anna", "Anna@example.com", "+12025550120"), roster.WithPassword(passphrase), roster.WithEmailVerified())
		s.add(t, person("bert", "bert@example.com", ""), roster.WithPassword(passphrase))
		t.Run("HTTP-102 finds a user by each identifier, in whatever spelling, case 12", func(t *testing.T) {
			for _, body := range []fields{
				{"login": "ANNA"},
				{"login": "anna@EXAMPLE.COM"},
				{"login": "(202) 555-0120"},
				{"login": "+12025550120"},
				{"username": "Anna"},
				{"email": "anna@example.com"},
				{"phone": "202-555-0120"},
				{"login": " anna "},
				{"username": "anna", "email": "anna@example.com", "phone": "+12025550120", "login": "anna"},
			} {
				body["password"] = passphrase
				a := s.do(t, "POST /api/login", body).succeeds(t, 200)
				same(t, anna.ID.String(), a.text(t, "user.id"))
				same(t, []string{"device_token", "new_device", "tokens", "unarchiving", "user"}, membersOf(t, a.member(t, "")))
				same(t, selfMembers, membersOf(t, a.member(t, "user")))
			}
		})
		t.Run("HTTP-102 wants all identifiers to be of one user, case 13", func(t *testing.T) {
			for _, body := range []fields{
				{"username": "anna", "email": "bert@example.com"},
				{"login": "anna", "username": "bert"},
				{"username": "anna", "email": "nobody@example.com"},
				{"username": "anna", "email": ""},
				{"login": ""},
				{"login": strings.Repeat("x", 4000)},
				{"username": "anna@example.com"},
				{"email": "anna"},
			} {
				body["password"] = passphrase
				s.do(t, "POST /api/login", body).fails(t, 401, "invalid_credentials")
			}
		})
		t.Run("HTTP-102 needs an identifier and a password, case 16", func(t *testing.T) {
			for body, faults := range map[string][]string{
				`{}`:                                    {"login:required", "password:required"},
				``:                                      {"login:required", "password:required"},
				`{"login":null,"password":null}`:        {"login:required", "password:required"},
				`{"login":"anna"}`:                      {"password:required"},
				`{"password":"x"}`:                      {"login:required"},
				`{"login":7,"password":true}`:           {"login:wrong_type", "password:wrong_type"},
				`{"login":"a\u0000","password":"x"}`:    {"login:invalid"},
				`{"login":"anna","password":"\ud800"}`:  {"password:invalid"},
				`{"login":"a","password":"x","code":1}`: {"code:wrong_type"},
				`{"Login":"a","password":"x"}`:          {"Login:unknown_field"},
				`{"login":"a","password":"x","remember":"yes","captcha":[]}`: {"captcha:wrong_type", "remember:wrong_type"},
			} {
				s.do(t, "POST /api/login", body).fails(t, 422, "validation_failed", faults...)
			}
		})
		t.Run("HTTP-102 keeps a session short that is not to be remembered", func(t *testing.T) {
			a := s.do(t, "POST /api/login", fields{"login": "bert", "password": passphrase, "remember": false}).succeeds(t, 200)
			same(t, any(12*3600.0), a.member(t, "tokens.refresh_expires_in"))
		})
		t.Run("HTTP-57 answers alike whatever is behind a login, case 14", func(t *testing.T) {
			right := map[string]string{}
			for name, statement := range map[string]string{
				"alive": "", "banned": "banned_at = created_at", "archived": "archived_at = created_at, archived_by = 'admin'",
				"gone": "deleted_at = created_at, delete_mode = 'deactivate'",
			} {
				u := s.add(t, person(name, name+"@example.com", ""), roster.WithPassword(passphrase))
				if statement != "" {
					s.exec(t, "UPDATE users SET "+statement+" WHERE id = $1", u.ID)
				}
				right[name] = "wrong password"
			}
			right["gone"] = passphrase
			s.add(t, person("keyless", "keyless@example.com", ""))
			right["keyless"], right["nobody"], right["not a login\t@@"], right[""] = passphrase, passphrase, passphrase, passphrase
			want := s.do(t, "POST /api/login", fields{"login": "alive", "password": "wrong"})
			want.fails(t, 401, "invalid_credentials")
			for name, password := range right {
				for _, login := range []string{name, name + "@example.com"} {
					if got := s.do(t, "POST /api/login", fields{"login": login, "password": password}); got.alike() != want.alike() {
						t.Errorf("%q tells itself apart:\n%s\nwant\n%s", login, got.alike(), want.alike())
					}
				}
			}
		})
		t.Run("ACCT-22 tells the state of an account after the right password, case 15", func(t *testing.T) {
			p := s.do(t, "POST /api/login", fields{"login": "banned", "password": passphrase}).fails(t, 403, "banned")
			if len(p.Details) != 0 {
				t.Errorf("details %v of a ban for ever", p.Details)
			}
			until := s.Clock.Now().Add(time.Hour).UTC()
			s.exec(t, "UPDATE users SET banned_until = $1 WHERE username = 'banned'", until)
			p = s.do(t, "POST /api/login", fields{"login": "banned", "password": passphrase}).fails(t, 403, "banned")
			same(t, map[string]any{"until": until.Format("2006-01-02T15:04:05.000Z")}, p.Details)
			s.do(t, "POST /api/login", fields{"login": "archived", "password": passphrase}).fails(t, 403, "archived")
		})
		t.Run("HTTP-36 passes on what a hook refuses", func(t *testing.T) {
			defer s.On.Login.Before(func(context.Context, *callbacks.Login[*Person]) error { return callbacks.Reject("not_today") })()
			s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, rejected).fails(t, 403, "not_today")
		})
		t.Run("PROT-3 makes known and unknown logins wait alike", func(t *testing.T) {
			var want string
			for _, login := range []string{"bert", "unheard.of"} {
				for range 10 {
					s.do(t, "POST /api/login", fields{"login": login, "password": "wrong"}).fails(t, 401, "invalid_credentials")
				}
				a := s.do(t, "POST /api/login", fields{"login": login, "password": passphrase})
				p := a.fails(t, 429, "too_many_requests")
				same(t, 1, p.RetryAfter)
				if want == "" {
					want = a.alike()
				}
				same(t, want, a.alike())
			}
		})
		t.Run("HTTP-34 repeats no secret, case 26", func(t *testing.T) {
			const secret = 4711471147114711
			a := s.do(t, "POST /api/login", fields{"login": "anna", "password": secret})
			a.fails(t, 422, "validation_failed", "password:wrong_type")
			s.do(t, "POST /api/login?password=4711471147114711", nil).fails(t, 400, "invalid_parameter", "password:invalid")
			if strings.Contains(string(a.body)+s.log.String(), fmt.Sprint(secret)) {
				t.Error("the password was repeated")
			}
		})
	}, func(cfg *usersrepo.Config) { cfg.Phone.DefaultRegion = "US" })
}

// HTTP-25, PROT-10, case 39: forwarding headers move no counter.
func TestHTTPLoginSource(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.add(t, person("anna", "", ""), roster.WithPassword(passphrase))
		spoofs := []string{
			"X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "CF-Connecting-IP", "X-Client-IP", "X-Cluster-Client-IP",
		}
		for i := range 30 {
			spoof, ip := spoofs[i%len(spoofs)], fmt.Sprintf("198.51.100.%d", i)
			if spoof == "Forwarded" {
				ip = "for=" + ip
			}
			s.do(t, "POST /api/login", fields{"login": fmt.Sprint("user", i), "password": "x"}, header(spoof, ip)).fails(t, 401, "invalid_credentials")
		}
		t.Run("HTTP-25 counts by the peer, case 39", func(t *testing.T) {
			p := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, header("X-Forwarded-For", "203.0.113.9")).
				fails(t, 429, "too_many_requests")
			if p.RetryAfter < 1 || p.RetryAfter > 60 {
				t.Errorf("retry after %d s", p.RetryAfter)
			}
		})
	}, func(cfg *usersrepo.Config) { cfg.Protection.Source.Off = false })
}

// ACCT-24: kinds of identifiers that may not be named are unknown.
func TestHTTPLoginFields(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.add(t, person("anna", "anna@example.com", "+12025550121"), roster.WithPassword(passphrase))
		want := s.do(t, "POST /api/login", fields{"login": "nobody", "password": "x"}).alike()
		t.Run("ACCT-24 knows no other kinds, case 11", func(t *testing.T) {
			s.do(t, "POST /api/login", fields{"login": "anna@example.com", "password": passphrase}).succeeds(t, 200)
			for _, body := range []fields{{"login": "anna"}, {"username": "anna"}, {"phone": "+12025550121"}, {"login": "+12025550121"}} {
				body["password"] = passphrase
				same(t, want, s.do(t, "POST /api/login", body).alike())
			}
		})
	}, func(cfg *usersrepo.Config) { cfg.Account.LoginFields = []identifiers.Kind{identifiers.KindEmail} })
}

// HTTP-103: POST /logout.
func TestHTTPLogout(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna := s.guest(t, "anna")
		dead := func(t *testing.T, g guest) {
			t.Helper()
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).fails(t, 401, "session_revoked")
		}
		t.Run("HTTP-103 ends the session of the access token, and no other", func(t *testing.T) {
			g := s.login(t, anna.Person)
			for range 2 { // HTTP-67
				s.do(t, "POST /api/logout", nil, g.token()).succeeds(t, 204)
			}
			dead(t, g)
			s.do(t, "GET /api/me", nil, anna.token()).succeeds(t, 200)
		})
		t.Run("HTTP-103 ends the session of the refresh token", func(t *testing.T) {
			g := s.login(t, anna.Person)
			for range 2 {
				s.do(t, "POST /api/logout", fields{"refresh_token": g.refresh.Reveal()}).succeeds(t, 204)
			}
			dead(t, g)
		})
		t.Run("HTTP-103 takes a late access token", func(t *testing.T) {
			g := s.login(t, anna.Person)
			s.Clock.Advance(time.Hour)
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "token_expired")
			s.do(t, "POST /api/logout", nil, g.token()).succeeds(t, 204)
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).fails(t, 401, "session_revoked")
		})
		t.Run("HTTP-103 falls back on the refresh token", func(t *testing.T) {
			for _, header := range []option{as("garbage"), header("Authorization", "Basic eA=="), header("Authorization", "Bearer a", "Bearer b")} {
				g := s.login(t, anna.Person)
				s.do(t, "POST /api/logout", fields{"refresh_token": g.refresh.Reveal()}, header).succeeds(t, 204)
				dead(t, g)
			}
		})
		t.Run("HTTP-103 does nothing without a token of ours", func(t *testing.T) {
			for _, body := range []any{nil, `{}`, `{"refresh_token":null}`, fields{"refresh_token": ""}, fields{"refresh_token": "garbage"}} {
				s.do(t, "POST /api/logout", body).succeeds(t, 204)
				s.do(t, "POST /api/logout", body, as("garbage")).succeeds(t, 204)
			}
			s.do(t, "POST /api/logout", fields{"refresh_token": 7}).fails(t, 422, "validation_failed", "refresh_token:wrong_type")
			s.do(t, "POST /api/logout", fields{"token": "x"}).fails(t, 422, "validation_failed", "token:unknown_field")
		})
		t.Run("HTTP-36 passes on what a hook refuses", func(t *testing.T) {
			g := s.login(t, anna.Person)
			defer s.On.Logout.Before(func(context.Context, *callbacks.Logout) error { return callbacks.Reject("stay").Status(409) })()
			s.do(t, "POST /api/logout", nil, g.token(), rejected).fails(t, 409, "stay")
			s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
		})
	})
}

// HTTP-107: GET /me.
func TestHTTPMe(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.administrator(t, "anna", "b:c", "a:b")
		t.Run("HTTP-31 shows the user, and nothing secret", func(t *testing.T) {
			a := s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
			same(t, selfMembers, membersOf(t, a.member(t, "")))
			same(t, any([]any{"a:b", "b:c"}), a.member(t, "permissions"))
			same(t, any(true), a.member(t, "email_verified"))
			same(t, any(nil), a.member(t, "phone_verified"))
			same(t, "application/json; charset=utf-8", a.header.Get("Content-Type")) // HTTP-29
			same(t, `"1"`, a.header.Get("ETag"))
			for _, time := range []string{"created_at", "updated_at", "last_login_at"} {
				if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(a.text(t, time)) {
					t.Errorf("%s is %s", time, a.text(t, time))
				}
			}
			var hash string
			if err := s.DB.GetContext(t.Context(), &hash, "SELECT hash FROM roster_passwords WHERE user_id = $1", g.ID); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(a.body), hash) {
				t.Error("the hash is shown")
			}
		})
		t.Run("HTTP-31 knows nothing of contacts that are not there", func(t *testing.T) {
			u := s.login(t, s.add(t, person("", "", "+12025550122")))
			a := s.do(t, "GET /api/me", nil, u.token()).succeeds(t, 200)
			for member, want := range map[string]any{"username": nil, "email": nil, "email_verified": nil, "phone_verified": false} {
				same(t, want, a.member(t, member))
			}
		})
	})
}

// HTTP-108: PATCH /me.
func TestHTTPMeUpdate(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		t.Run("HTTP-108 changes what is given, and leaves the rest, HTTP-18, HTTP-20", func(t *testing.T) {
			a := s.do(t, "PATCH /api/me", fields{"company": "Acme", "nick": "Ann", "score": 7, "language": "EN-us", "time_zone": "Europe/Vienna"}, g.token()).succeeds(t, 200)
			same(t, `"2"`, a.header.Get("ETag"))
			b := s.do(t, "PATCH /api/me", fields{"nick": nil, "company": "", "language": nil}, g.token()).succeeds(t, 200)
			for member, want := range map[string]any{"company": "", "nick": nil, "score": 7.0, "language": nil, "time_zone": "Europe/Vienna", "version": 3.0} {
				same(t, want, b.member(t, member))
			}
			same(t, string(b.body), string(s.do(t, "GET /api/me", nil, g.token()).body))
		})
		t.Run("HTTP-108 writes nothing and fires nothing when nothing changes, case 27", func(t *testing.T) {
			before := s.do(t, "GET /api/me", nil, g.token())
			s.fired()
			for _, body := range []any{nil, `{}`, fields{"score": 7}, fields{"company": "", "nick": nil}} {
				a := s.do(t, "PATCH /api/me", body, g.token()).succeeds(t, 200)
				same(t, string(before.body), string(a.body))
				same(t, before.header.Get("ETag"), a.header.Get("ETag"))
			}
			same(t, []string(nil), s.fired())
		})
		t.Run("HTTP-108 refuses what has endpoints of its own, ACCT-47", func(t *testing.T) {
			for _, member := range []string{
				"email", "phone", "username", "password", "id", "superuser", "permissions", "email_verified", "phone_verified", "banned",
				"archived", "deleted", "version", "created_at", "last_login_at", "plan", "joined_at", "badge", "send", "reason",
			} {
				s.do(t, "PATCH /api/me", fields{member: "x", "company": "Evil"}, g.token()).fails(t, 422, "validation_failed", member+":forbidden_field")
			}
			s.do(t, "PATCH /api/me", fields{"note": "x", "Company": "x", "score": "7", "company": nil, "time_zone": "Mars/Olympus"}, g.token()).
				fails(t, 422, "validation_failed", "Company:unknown_field", "company:required", "note:unknown_field", "score:wrong_type")
			s.do(t, "PATCH /api/me", fields{"time_zone": "Mars/Olympus"}, g.token()).fails(t, 422, "validation_failed", "time_zone:invalid")
			if got := s.read(t, g.ID); got.Company != "" {
				t.Errorf("company is %q", got.Company)
			}
		})
		t.Run("HTTP-66 changes only the version that was seen, case 28", func(t *testing.T) {
			version := s.read(t, g.ID).Version
			tag := func(n int64) option { return header("If-Match", fmt.Sprintf(`"%d"`, n)) }
			s.do(t, "PATCH /api/me", fields{"score": 8}, g.token(), tag(version)).succeeds(t, 200)
			s.do(t, "PATCH /api/me", fields{"score": 9}, g.token(), tag(version)).fails(t, 412, "version_mismatch")
			s.do(t, "PATCH /api/me", fields{"score": 9}, g.token(), tag(version+2)).fails(t, 412, "version_mismatch")
			s.do(t, "PATCH /api/me", fields{"score": 10}, g.token(), header("If-Match", "*")).succeeds(t, 200)
			same(t, int64(10), s.read(t, g.ID).Score)
			for _, tag := range []string{``, `1`, `W/"1"`, `"1`, `1"`, `"01"`, `"+1"`, `"1","2"`, `"x"`, `"1" `, `**`, `"-1"x`, `"99999999999999999999"`} {
				if tag != `"1" ` { // the spaces around a value are not part of it (RFC 9110, section 5.5)
					s.do(t, "PATCH /api/me", fields{"score": 11}, g.token(), header("If-Match", tag)).fails(t, 400, "invalid_parameter", "If-Match:invalid")
				}
			}
			s.do(t, "PATCH /api/me", fields{"score": 11}, g.token(), header("If-Match", `"1"`, `"2"`)).fails(t, 400, "invalid_parameter", "If-Match:invalid")
			same(t, int64(10), s.read(t, g.ID).Score)
		})
		t.Run("HTTP-54 is for those who proved a contact", func(t *testing.T) {
			u := s.login(t, s.add(t, person("", "unproven@example.com", "")))
			s.do(t, "PATCH /api/me", fields{"company": "x"}, u.token()).fails(t, 403, "not_verified")
			s.do(t, "GET /api/me", nil, u.token()).succeeds(t, 200)
		})
		t.Run("HTTP-36 passes on what a hook refuses", func(t *testing.T) {
			defer s.On.Update.Before(func(context.Context, *callbacks.Update[*Person]) error { return callbacks.Reject("frozen") })()
			s.do(t, "PATCH /api/me", fields{"company": "x"}, g.token(), rejected).fails(t, 403, "frozen")
		})
		t.Run("STORE-6 names the field whose value is taken", func(t *testing.T) {
			s.exec(t, "CREATE UNIQUE INDEX users_nick_unique ON users (nick)")
			other := s.guest(t, "bert")
			s.do(t, "PATCH /api/me", fields{"nick": "only"}, g.token()).succeeds(t, 200)
			s.do(t, "PATCH /api/me", fields{"nick": "only"}, other.token()).fails(t, 409, "conflict", "nick:taken")
		})
		t.Run("HTTP-15 reads numbers as they are", func(t *testing.T) {
			for text, want := range map[string]any{"9007199254740993": json.Number("9007199254740993"), "-9223372036854775808": json.Number("-9223372036854775808")} {
				a := s.do(t, "PATCH /api/me", `{"score":`+text+`}`, g.token()).succeeds(t, 200)
				if !strings.Contains(string(a.body), fmt.Sprintf(`"score":%v`, want)) {
					t.Errorf("%s, want %v", a, want)
				}
			}
			for text, code := range map[string]string{"9223372036854775808": "wrong_type", "1.5": "wrong_type", "1e3": "wrong_type"} {
				s.do(t, "PATCH /api/me", `{"score":`+text+`}`, g.token()).fails(t, 422, "validation_failed", "score:"+code)
			}
			s.do(t, "PATCH /api/me", `{"score":1e999}`, g.token()).fails(t, 400, "malformed_body")
		})
	})
}
