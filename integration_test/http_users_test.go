package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

var adminMembers = []string{
	"archived", "badge", "banned", "company", "created_at", "deleted", "email", "email_verified", "id", "joined_at", "language",
	"last_login_at", "nick", "permissions", "phone", "phone_verified", "plan", "score", "superuser", "time_zone", "updated_at",
	"username", "version",
}

// oneMembers are those of a user who is not one of a list.
var oneMembers = func() []string {
	list := slices.Concat(adminMembers, []string{"epoch", "has_password", "session_count"})
	slices.Sort(list)
	return list
}()

// ADMIN-23: POST /users.
func TestHTTPUserCreate(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.administrator(t, "clerk", "users:*", "shop:*")
		create := func(t *testing.T, body any, options ...option) reply {
			t.Helper()
			return s.do(t, "POST /admin/users", body, append([]option{clerk.token()}, options...)...)
		}
		t.Run("ADMIN-23 makes a user with all that administrators may say", func(t *testing.T) {
			a := create(t, fields{
				"username": "Anna", "email": "Anna@example.com", "phone": "+12025550130", "company": "Acme", "nick": nil, "plan": "pro",
				"score": 7, "joined_at": "2026-01-02T03:04:05Z", "language": "de-AT", "time_zone": "Europe/Vienna", "email_verified": true,
				"phone_verified": true, "permissions": []string{"shop:sell", "shop:buy", "shop:buy"}, "send": "none", "reason": "hired",
			}).succeeds(t, 201)
			same(t, oneMembers, membersOf(t, a.member(t, "")))
			for member, want := range map[string]any{
				"username": "Anna", "plan": "pro", "score": 7.0, "email_verified": true, "phone_verified": true, "superuser": false,
				"permissions": []any{"shop:buy", "shop:sell"}, "banned": nil, "archived": nil, "deleted": nil, "last_login_at": nil,
				"language": "de-AT", "badge": "", "version": 1.0,
			} {
				same(t, want, a.member(t, member))
			}
			same(t, "/admin/users/"+a.text(t, "id"), a.header.Get("Location"))
			same(t, `"1"`, a.header.Get("ETag"))
			same(t, string(a.body), string(s.do(t, "GET "+a.header.Get("Location"), nil, clerk.token()).succeeds(t, 200).body))
			same(t, 0, s.rows(t, "roster_messages"))
		})
		t.Run("ADMIN-23 mails what is asked for, case 29", func(t *testing.T) {
			create(t, fields{"email": "confirm@example.com", "send": "confirm"}).succeeds(t, 201)
			s.do(t, "POST /api/confirm/email", fields{"token": s.mail(t, "confirm@example.com").Reveal()}).succeeds(t, 200)
			create(t, fields{"email": "invited@example.com", "send": "password_set"}).succeeds(t, 201)
			s.do(t, "POST /api/password/set", fields{"token": s.mail(t, "invited@example.com").Reveal(), "password": passphrase}).succeeds(t, 200)
			s.do(t, "POST /api/login", fields{"email": "invited@example.com", "password": passphrase}).succeeds(t, 200)
			create(t, fields{"username": "mailless", "send": "confirm"}).fails(t, 422, "validation_failed", "email:required")
			create(t, fields{"username": "mailless", "send": "fax"}).fails(t, 422, "validation_failed", "send:invalid")
		})
		t.Run("ADMIN-11 takes no password, hash or other state", func(t *testing.T) {
			for _, member := range []string{
				"password", "password_hash", "id", "superuser", "banned", "archived", "deleted", "version", "created_at", "last_login_at", "badge", "epoch", "has_password",
			} {
				create(t, fields{"username": "odd", member: "x"}).fails(t, 422, "validation_failed", member+":forbidden_field")
			}
			create(t, fields{"username": "odd", "Plan": "x", "note": "x"}).
				fails(t, 422, "validation_failed", "Plan:unknown_field", "note:unknown_field")
		})
		t.Run("HTTP-16 tells all faults at once", func(t *testing.T) {
			create(t, fields{
				"username": "x", "email": 7, "permissions": "a", "email_verified": "yes", "send": 1, "score": "7", "reason": strings.Repeat("é", 501), "extra": 1,
			}).fails(t, 422, "validation_failed", "email:wrong_type", "email_verified:wrong_type", "extra:unknown_field", "permissions:wrong_type",
				"reason:too_long", "score:wrong_type", "send:wrong_type", "username:too_short")
			create(t, fields{}).fails(t, 422, "validation_failed", ":required")
			create(t, fields{"username": "odd", "permissions": []string{"shop:Ä"}}).fails(t, 422, "validation_failed", "permissions:invalid")
			create(t, fields{"username": "lengthy", "reason": strings.Repeat("é", 500)}).succeeds(t, 201)
			same(t, 1, s.rows(t, "roster_audit WHERE length(reason) = 500")) // ADMIN-13
		})
		t.Run("ADMIN-23 refuses what is taken", func(t *testing.T) {
			create(t, fields{"username": "ANNA", "email": "anna@EXAMPLE.com"}).fails(t, 409, "identifier_taken", "email:taken", "username:taken")
		})
		t.Run("MGMT-9 grants nothing that the administrator lacks", func(t *testing.T) {
			p := create(t, fields{"username": "climber", "permissions": []string{"shop:sell", "audit:read", "lockouts:read"}}).fails(t, 403, "forbidden", "permissions:not_held")
			same(t, map[string]any{"permissions": []any{"audit:read", "lockouts:read"}}, p.Errors[0].Params)
			create(t, fields{"username": "climber", "permissions": []string{"*"}}).fails(t, 403, "forbidden", "permissions:not_held")
			same(t, 0, s.rows(t, "users WHERE username = 'climber'"))
		})
		t.Run("ADMIN-14 tells hooks who did it, and why, HTTP-36", func(t *testing.T) {
			var actor roster.Actor
			defer s.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error {
				actor = e.Actor
				return callbacks.Reject("no_vacancy").Status(409)
			})()
			create(t, fields{"username": "late", "reason": "because"}, rejected, header("X-Request-Id", "r-7")).fails(t, 409, "no_vacancy")
			same(t, fmt.Sprint("admin ", clerk.ID, clerk.sid, " r-7 because 127.0.0.1"),
				fmt.Sprint(actor.Kind, " ", actor.ID, actor.SID, " ", actor.RequestID, " ", actor.Reason, " ", actor.IP))
		})
		t.Run("PROT-40 counts the mails of administrators, and refuses none", func(t *testing.T) {
			for range 3 {
				a := create(t, fields{"email": "again@example.com", "send": "confirm"}).succeeds(t, 201)
				if err := s.Delete(t.Context(), s.id(t, a), roster.Remove); err != nil {
					t.Fatal(err)
				}
			}
			s.do(t, "POST /api/register", fields{"email": "again@example.com", "password": passphrase}).fails(t, 429, "quota_exhausted")
			same(t, 0, s.rows(t, "users WHERE email = 'again@example.com'"))
		})
	})
}

// id is that of the user whom an answer shows.
func (s *site) id(t testing.TB, a reply) roster.ID {
	t.Helper()
	id, err := roster.ParseID(a.text(t, "id"))
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return id
}

// ADMIN-24, ADMIN-28, ADMIN-48, ADMIN-49: finding one user.
func TestHTTPUserGet(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.administrator(t, "clerk", "users:read")
		anna := s.add(t, person("Anna", "Anna@example.com", "+12025550131"))
		if err := s.LinkSocial(t.Context(), anna.ID, roster.SocialAccount{Provider: "google", Subject: "Subject-1"}); err != nil {
			t.Fatal(err)
		}
		lookup := func(t *testing.T, body any) reply {
			t.Helper()
			return s.do(t, "POST /admin/users/lookup", body, clerk.token())
		}
		t.Run("ADMIN-24 shows a user in whatever state, ADMIN-48, ADMIN-49", func(t *testing.T) {
			now := s.Clock.Now().Format("2006-01-02T15:04:05.000Z")
			s.exec(t, "UPDATE users SET banned_at = created_at, archived_at = created_at, archived_by = 'admin' WHERE id = $1", anna.ID)
			if err := s.Delete(t.Context(), anna.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			a := s.do(t, "GET /admin/users/"+anna.ID.String(), nil, clerk.token()).succeeds(t, 200)
			same(t, oneMembers, membersOf(t, a.member(t, "")))
			same(t, any(map[string]any{"at": now, "until": nil, "reason": "", "note": ""}), a.member(t, "banned"))
			same(t, any(map[string]any{"at": now, "by_admin": true}), a.member(t, "archived"))
			same(t, any(map[string]any{"at": now, "mode": "deactivate"}), a.member(t, "deleted"))
			same(t, `"2"`, a.header.Get("ETag"))
			lookup(t, fields{"username": "anna"}).succeeds(t, 200)
			s.exec(t, "UPDATE users SET banned_at = NULL, archived_at = NULL, archived_by = NULL, deleted_at = NULL, delete_mode = NULL WHERE id = $1", anna.ID)
		})
		t.Run("ADMIN-28 finds a user by each identifier, in whatever spelling, case 14", func(t *testing.T) {
			for _, body := range []fields{
				{"email": "ANNA@example.COM"},
				{"username": "aNNa"},
				{"phone": "(202) 555-0131"},
				{"phone": "+12025550131"},
				{"login": "anna@example.com"},
				{"login": "ANNA"},
				{"login": "202-555-0131"},
				{"social": fields{"provider": "google", "subject": "Subject-1"}},
				{"email": nil, "login": "anna", "social": nil},
			} {
				same(t, anna.ID.String(), lookup(t, body).succeeds(t, 200).text(t, "id"))
			}
			for _, body := range []fields{
				{"email": "nobody@example.com"},
				{"username": "Anna@example.com"},
				{"email": ""},
				{"phone": "x"},
				{"login": strings.Repeat("x", 9000)},
				{"social": fields{"provider": "google", "subject": "subject-1"}},
				{"social": fields{"provider": "", "subject": ""}},
			} {
				lookup(t, body).fails(t, 404, "not_found")
			}
		})
		t.Run("ADMIN-28 wants exactly one member", func(t *testing.T) {
			lookup(t, `{}`).fails(t, 422, "validation_failed", ":required")
			lookup(t, fields{"email": "a@b.example", "login": "x"}).fails(t, 422, "validation_failed", ":invalid")
			lookup(t, fields{"email": 7, "id": anna.ID, "login": nil}).fails(t, 422, "validation_failed", "email:wrong_type", "id:unknown_field")
		})
		t.Run("HTTP-35 names the members of a nested object, HTTP-17", func(t *testing.T) {
			for body, faults := range map[string][]string{
				`{"social":{"Provider":"google","subject":"x"}}`:           {"social.Provider:unknown_field", "social.provider:required"},
				`{"social":{"provider":7,"subject":"x"}}`:                  {"social.provider:wrong_type"},
				`{"social":{"provider":"google","subject":"x","data":{}}}`: {"social.data:unknown_field"},
				`{"social":{"provider":"google","subject":"\u0000"}}`:      {"social.subject:invalid"},
				`{"social":{}}`: {"social.provider:required", "social.subject:required"},
				`{"social":[]}`: {"social:wrong_type"},
			} {
				lookup(t, body).fails(t, 422, "validation_failed", faults...)
			}
		})
		t.Run("ADMIN-49 finds who is anonymised by nothing but the id", func(t *testing.T) {
			gone := s.add(t, person("gone", "gone@example.com", ""))
			if err := s.Delete(t.Context(), gone.ID, roster.Anonymise); err != nil {
				t.Fatal(err)
			}
			a := s.do(t, "GET /admin/users/"+gone.ID.String(), nil, clerk.token()).succeeds(t, 200)
			same(t, any(nil), a.member(t, "username"))
			lookup(t, fields{"username": "gone"}).fails(t, 404, "not_found")
			all := s.administrator(t, "boss", "users:*")
			s.do(t, "PATCH /admin/users/"+gone.ID.String(), fields{"plan": "x"}, all.token(), header("If-Match", "*")).fails(t, 404, "not_found")
			s.do(t, "POST /admin/users/"+gone.ID.String()+"/restore", nil, all.token()).fails(t, 409, "conflict")
			s.do(t, "DELETE /admin/users/"+gone.ID.String(), nil, all.token()).succeeds(t, 204)
		})
		t.Run("ADMIN-50 reads no static path as an id", func(t *testing.T) {
			s.do(t, "POST /admin/users/search", nil, clerk.token()).succeeds(t, 200)
			s.do(t, "GET /admin/users/search", nil, clerk.token()).fails(t, 404, "not_found")
		})
	}, func(cfg *usersrepo.Config) { cfg.Phone.DefaultRegion = "US" })
}

// ADMIN-25: PATCH /users/:id.
func TestHTTPUserUpdate(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.administrator(t, "clerk", "users:*")
		anna := s.guest(t, "anna")
		path := "PATCH /admin/users/" + anna.ID.String()
		update := func(t *testing.T, body any, options ...option) reply {
			t.Helper()
			return s.do(t, path, body, append([]option{clerk.token()}, options...)...)
		}
		matching := func(version int64) option { return header("If-Match", fmt.Sprintf(`"%d"`, version)) }
		t.Run("ADMIN-25 wants the version that was seen, case 12", func(t *testing.T) {
			update(t, fields{"plan": "pro"}).fails(t, 428, "version_required")
			update(t, fields{"plan": "pro"}, matching(2)).fails(t, 412, "version_mismatch")
			for _, tag := range []string{"", "1", `W/"1"`, `"1`, `"x"`} {
				update(t, fields{"plan": "pro"}, header("If-Match", tag)).fails(t, 400, "invalid_parameter", "If-Match:invalid")
			}
			a := update(t, fields{"plan": "pro", "reason": "paid"}, matching(1)).succeeds(t, 200)
			same(t, oneMembers, membersOf(t, a.member(t, "")))
			same(t, `"2"`, a.header.Get("ETag"))
			same(t, any("pro"), a.member(t, "plan"))
			update(t, fields{"plan": "free"}, matching(1)).fails(t, 412, "version_mismatch")
			update(t, fields{"plan": "free"}, header("If-Match", "*")).succeeds(t, 200)
		})
		t.Run("ADMIN-25 changes identifiers, and takes away the proof of an address, case 13", func(t *testing.T) {
			a := update(t, fields{"email": "New@example.com", "username": "Annabel", "phone": "+12025550132", "language": "de"}, header("If-Match", "*")).succeeds(t, 200)
			for member, want := range map[string]any{"email": "New@example.com", "email_verified": false, "username": "Annabel", "phone_verified": false, "language": "de"} {
				same(t, want, a.member(t, member))
			}
			update(t, fields{"email": nil, "phone": nil}, header("If-Match", "*")).succeeds(t, 200)
			update(t, fields{"username": nil}, header("If-Match", "*")).fails(t, 422, "validation_failed", ":required")
			s.add(t, person("bert", "bert@example.com", ""))
			update(t, fields{"username": "BERT", "email": "bert@example.com"}, header("If-Match", "*")).fails(t, 409, "identifier_taken", "email:taken", "username:taken")
		})
		t.Run("ADMIN-25 changes no state", func(t *testing.T) {
			for _, member := range []string{
				"email_verified", "phone_verified", "password", "superuser", "permissions", "id", "banned", "archived", "deleted", "version",
				"created_at", "badge", "epoch", "send",
			} {
				update(t, fields{member: true, "plan": "x"}, header("If-Match", "*")).fails(t, 422, "validation_failed", member+":forbidden_field")
			}
			update(t, fields{"username": "x", "score": "7", "extra": 1, "plan": nil}, header("If-Match", "*")).
				fails(t, 422, "validation_failed", "extra:unknown_field", "plan:required", "score:wrong_type", "username:too_short")
		})
		t.Run("ADMIN-13 bounds the reason", func(t *testing.T) {
			update(t, fields{"plan": "x", "reason": strings.Repeat("x", 501)}, header("If-Match", "*")).fails(t, 422, "validation_failed", "reason:too_long")
			update(t, fields{"plan": "x", "reason": 7}, header("If-Match", "*")).fails(t, 422, "validation_failed", "reason:wrong_type")
			if got := s.read(t, anna.ID); got.Plan == "x" {
				t.Error("it was written all the same")
			}
		})
		t.Run("ADMIN-25 writes nothing when nothing changes", func(t *testing.T) {
			before := s.read(t, anna.ID)
			s.fired()
			for _, body := range []any{nil, `{}`, fields{"username": "Annabel"}} {
				update(t, body, header("If-Match", "*")).succeeds(t, 200)
			}
			same(t, before, s.read(t, anna.ID))
			same(t, []string(nil), s.fired())
		})
		t.Run("MGMT-7 keeps superusers from other administrators, case 10", func(t *testing.T) {
			root := s.superuser(t, "root1")
			s.do(t, "PATCH /admin/users/"+root.ID.String(), fields{"plan": "x"}, clerk.token(), header("If-Match", "*")).fails(t, 403, "forbidden")
			s.do(t, "DELETE /admin/users/"+root.ID.String(), nil, clerk.token()).fails(t, 403, "forbidden")
			s.do(t, "PATCH /admin/users/"+root.ID.String(), fields{"plan": "x"}, root.token(), header("If-Match", "*")).succeeds(t, 200)
		})
		t.Run("ADMIN-2 gives nobody an administrator's hand over the own account", func(t *testing.T) {
			s.do(t, path, fields{"plan": "pro"}, anna.token(), header("If-Match", "*")).fails(t, 403, "forbidden")
			s.do(t, "GET /admin/users/"+anna.ID.String(), nil, anna.token()).fails(t, 403, "forbidden")
			s.do(t, "POST /admin/users/lookup", fields{"username": "annabel"}, anna.token()).fails(t, 403, "forbidden")
			s.do(t, "GET /admin/users/"+anna.ID.String()+"/sessions", nil, anna.token()).fails(t, 403, "forbidden")
		})
	})
}

// ADMIN-26, ADMIN-27: taking users away and bringing them back.
func TestHTTPUserDelete(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.administrator(t, "clerk", "users:*")
		remove := func(t *testing.T, id roster.ID, body any) reply {
			t.Helper()
			return s.do(t, "DELETE /admin/users/"+id.String(), body, clerk.token())
		}
		restore := func(t *testing.T, id roster.ID) reply {
			t.Helper()
			return s.do(t, "POST /admin/users/"+id.String()+"/restore", fields{"reason": "sorry"}, clerk.token())
		}
		t.Run("ADMIN-26 deactivates, and ADMIN-27 restores, case 31", func(t *testing.T) {
			for _, body := range []any{nil, `{}`, fields{"mode": "deactivate", "reason": "left"}, fields{"mode": nil}} {
				g := s.guest(t, fmt.Sprintf("anna%d", s.rows(t, "users")))
				for range 2 {
					remove(t, g.ID, body).succeeds(t, 204)
				}
				s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
				s.do(t, "POST /api/login", fields{"login": *g.Username, "password": passphrase}).fails(t, 401, "invalid_credentials")
				for range 2 {
					a := restore(t, g.ID).succeeds(t, 200)
					same(t, any(nil), a.member(t, "deleted"))
					same(t, `"3"`, a.header.Get("ETag"))
				}
				s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).fails(t, 401, "session_revoked")
				s.do(t, "POST /api/login", fields{"login": *g.Username, "password": passphrase}).succeeds(t, 200)
			}
		})
		t.Run("ADMIN-26 anonymises and removes for good, case 31", func(t *testing.T) {
			anonymous, removed := s.guest(t, "anonymous1"), s.guest(t, "removed")
			for range 2 {
				remove(t, anonymous.ID, fields{"mode": "anonymise"}).succeeds(t, 204)
			}
			remove(t, anonymous.ID, nil).succeeds(t, 204)
			restore(t, anonymous.ID).fails(t, 409, "conflict")
			remove(t, removed.ID, fields{"mode": "remove"}).succeeds(t, 204)
			remove(t, removed.ID, fields{"mode": "remove"}).fails(t, 404, "not_found")
			remove(t, removed.ID, nil).fails(t, 404, "not_found")
			restore(t, removed.ID).fails(t, 404, "not_found")
		})
		t.Run("ADMIN-26 knows no other mode", func(t *testing.T) {
			g := s.guest(t, "bert")
			for _, mode := range []any{"", "Remove", "purge"} {
				remove(t, g.ID, fields{"mode": mode}).fails(t, 422, "validation_failed", "mode:invalid")
			}
			remove(t, g.ID, fields{"mode": 1, "Reason": "x"}).fails(t, 422, "validation_failed", "Reason:unknown_field", "mode:wrong_type")
			s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
		})
		t.Run("MGMT-8 keeps administrators from themselves", func(t *testing.T) {
			remove(t, clerk.ID, nil).fails(t, 403, "forbidden")
			root, second := s.superuser(t, "root1"), s.superuser(t, "root2")
			s.do(t, "DELETE /admin/users/"+root.ID.String(), nil, root.token()).fails(t, 403, "forbidden")
			s.do(t, "DELETE /admin/users/"+second.ID.String(), nil, root.token()).succeeds(t, 204)
		})
		t.Run("USER-70 is refused by what hangs on the user", func(t *testing.T) {
			g := s.guest(t, "debtor")
			s.exec(t, "CREATE TABLE orders (user_id "+map[string]string{"postgres": "uuid"}[s.DB.DriverName()]+" REFERENCES users (id))")
			s.exec(t, "INSERT INTO orders (user_id) VALUES ($1)", g.ID)
			remove(t, g.ID, fields{"mode": "remove"}).fails(t, 409, "conflict")
			s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
		})
		t.Run("HTTP-36 passes on what a hook refuses", func(t *testing.T) {
			g := s.guest(t, "carl")
			defer s.On.Delete.Before(func(context.Context, *callbacks.Delete[*Person]) error {
				return callbacks.Reject("in_debt").Status(402)
			})()
			s.do(t, "DELETE /admin/users/"+g.ID.String(), nil, clerk.token(), rejected).fails(t, 402, "in_debt")
		})
	})
}

// MGMT-11: the last superuser stays.
func TestHTTPLastSuperuser(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("ADMIN-26 leaves the last superuser, case 11", func(t *testing.T) {
			root, other := s.superuser(t, "root1"), s.superuser(t, "root2")
			s.exec(t, "UPDATE users SET archived_at = created_at, archived_by = 'admin' WHERE id = $1", other.ID)
			// An archived superuser cannot be the one who asks: a third one can, who is banned while asking.
			third := s.superuser(t, "root3")
			s.exec(t, "UPDATE users SET superuser = false, permissions = '[\"users:*\"]' WHERE id = $1", third.ID)
			for _, mode := range []string{"deactivate", "anonymise", "remove"} {
				s.do(t, "DELETE /admin/users/"+root.ID.String(), fields{"mode": mode}, third.token()).fails(t, 403, "forbidden") // MGMT-7 comes first
				s.do(t, "DELETE /admin/users/"+root.ID.String(), fields{"mode": mode}, root.token()).fails(t, 403, "forbidden")  // MGMT-8
			}
			defer s.On.Delete.Before(func(ctx context.Context, e *callbacks.Delete[*Person]) error {
				if e.User.ID != other.ID {
					return nil
				}
				for _, mode := range modes { // the program itself
					if err := s.Delete(ctx, root.ID, mode); err != nil {
						return err
					}
				}
				return nil
			})()
			s.do(t, "DELETE /admin/users/"+other.ID.String(), nil, root.token()).fails(t, 409, "last_superuser")
			s.do(t, "GET /api/me", nil, root.token()).succeeds(t, 200)
		})
	})
}

// ADMIN-37: the sessions of other users.
func TestHTTPUserSessions(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		clerk := s.administrator(t, "clerk", "users:sessions")
		anna, bert := s.guest(t, "anna"), s.guest(t, "bert")
		path := func(g guest) string { return "/admin/users/" + g.ID.String() + "/sessions" }
		t.Run("ADMIN-37 lists them", func(t *testing.T) {
			s.Clock.Advance(time.Second)
			second := s.login(t, anna.Person)
			a := s.do(t, "GET "+path(anna), nil, clerk.token()).succeeds(t, 200)
			same(t, second.sid.String(), a.text(t, "items.0.id"))
			same(t, anna.sid.String(), a.text(t, "items.1.id"))
			same(t, any(false), a.member(t, "items.0.current"))
			same(t, any(true), s.do(t, "GET "+path(clerk), nil, clerk.token()).succeeds(t, 200).member(t, "items.0.current"))
			for _, token := range []roster.Secret{anna.access, anna.refresh, second.refresh} {
				if strings.Contains(string(a.body), token.Reveal()) {
					t.Error("a token is shown")
				}
			}
			none := s.add(t, person("none", "", ""))
			same(t, `{"items":[]}`, string(s.do(t, "GET /admin/users/"+none.ID.String()+"/sessions", nil, clerk.token()).succeeds(t, 200).body))
			s.do(t, "GET /admin/users/"+s.NewID().String()+"/sessions", nil, clerk.token()).fails(t, 404, "not_found")
		})
		t.Run("ADMIN-37 ends one, of that user only, case 36", func(t *testing.T) {
			s.do(t, "DELETE "+path(bert)+"/"+anna.sid.String(), nil, clerk.token()).fails(t, 404, "not_found")
			s.do(t, "GET /api/me", nil, anna.token()).succeeds(t, 200)
			s.do(t, "DELETE "+path(anna)+"/"+anna.sid.String(), fields{"reason": "stolen"}, clerk.token()).succeeds(t, 204)
			s.do(t, "GET /api/me", nil, anna.token()).fails(t, 401, "session_revoked")
			s.do(t, "DELETE "+path(anna)+"/"+anna.sid.String(), nil, clerk.token()).fails(t, 404, "not_found")
			s.do(t, "DELETE "+path(anna)+"/"+s.NewID().String(), fields{"why": 1}, clerk.token()).fails(t, 422, "validation_failed", "why:unknown_field")
		})
		t.Run("ADMIN-37 ends all", func(t *testing.T) {
			second := s.login(t, bert.Person)
			same(t, any(2.0), s.do(t, "DELETE "+path(bert), nil, clerk.token()).succeeds(t, 200).member(t, "revoked"))
			same(t, any(0.0), s.do(t, "DELETE "+path(bert), fields{"reason": "again"}, clerk.token()).succeeds(t, 200).member(t, "revoked"))
			for _, g := range []guest{bert, second} {
				s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
			}
			s.do(t, "DELETE /admin/users/"+s.NewID().String()+"/sessions", nil, clerk.token()).fails(t, 404, "not_found")
		})
		t.Run("MGMT-7 keeps those of superusers from other administrators", func(t *testing.T) {
			root := s.superuser(t, "root1")
			s.do(t, "DELETE "+path(root), nil, clerk.token()).fails(t, 403, "forbidden")
			s.do(t, "DELETE "+path(root)+"/"+root.sid.String(), nil, clerk.token()).fails(t, 403, "forbidden")
			s.do(t, "GET "+path(root), nil, clerk.token()).succeeds(t, 200)
			s.do(t, "GET /api/me", nil, root.token()).succeeds(t, 200)
		})
	})
}
