package integration_test

import (
	"testing"
	"time"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// ADMIN-29 to ADMIN-36, ADMIN-40, ADMIN-42, ADMIN-48, ADMIN-78, SEC-79, cases 5 to 9 of admin.
func TestHTTPManagement(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root := s.superuser(t, "root1")
		anna := s.guest(t, "anna")
		at := func(path string) string { return "/admin/users/" + anna.ID.String() + path }
		t.Run("ADMIN-31 ADMIN-32 ban and unban, case 5 of admin", func(t *testing.T) {
			end := s.Clock.Now().Add(time.Hour).Format("2006-01-02T15:04:05.000Z")
			for range 2 {
				a := s.do(t, "PUT "+at("/ban"), fields{"reason": "spam", "note": "ticket", "until": end}, root.token()).succeeds(t, 200)
				same(t, any("spam"), a.member(t, "reason"))
				same(t, any(end), a.member(t, "until"))
			}
			p := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}).fails(t, 403, "banned")
			same(t, map[string]any{"reason": "spam", "until": end}, p.Details)
			shown := s.do(t, "GET "+at(""), nil, root.token()).succeeds(t, 200) // ADMIN-48
			same(t, any(root.ID.String()), shown.member(t, "banned.by"))
			same(t, any("ticket"), shown.member(t, "banned.note"))
			same(t, any(true), shown.member(t, "has_password"))
			same(t, any(0.0), shown.member(t, "session_count"))
			list := s.do(t, "GET /admin/blacklist?by="+root.ID.String()+"&current=true", nil, root.token()).succeeds(t, 200) // ADMIN-29
			same(t, any(anna.ID.String()), list.member(t, "items.0.id"))
			for range 2 {
				s.do(t, "DELETE "+at("/ban"), nil, root.token()).succeeds(t, 204)
			}
			s.do(t, "GET /api/me", nil, anna.token()).fails(t, 401, "session_revoked")
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": anna.refresh.Reveal()}).fails(t, 401, "session_revoked")
			s.do(t, "PUT "+at("/ban"), fields{"until": "2001-01-01T00:00:00Z"}, root.token()).fails(t, 422, "validation_failed", "until:invalid")
			s.do(t, "PUT "+at("/ban"), fields{"until": "soon"}, root.token()).fails(t, 422, "validation_failed", "until:invalid")
		})
		t.Run("ADMIN-30 toggle, case 6 of admin", func(t *testing.T) {
			same(t, any(true), s.do(t, "POST "+at("/blacklist"), nil, root.token()).succeeds(t, 200).member(t, "banned"))
			same(t, any(false), s.do(t, "POST "+at("/blacklist"), nil, root.token()).succeeds(t, 200).member(t, "banned"))
			s.do(t, "POST /admin/users/"+s.NewID().String()+"/blacklist", nil, root.token()).fails(t, 404, "not_found")
			s.do(t, "PUT /admin/users/x/ban", nil, root.token()).fails(t, 404, "not_found")
		})
		t.Run("ADMIN-33 kick, case 7 of admin", func(t *testing.T) {
			anna = s.login(t, anna.Person)
			s.do(t, "POST "+at("/kick"), fields{"reason": "lost phone"}, root.token()).succeeds(t, 204)
			s.do(t, "GET /api/me", nil, anna.token()).fails(t, 401, "session_revoked")
			anna = s.login(t, anna.Person)
			s.do(t, "GET /api/me", nil, anna.token()).succeeds(t, 200)
		})
		t.Run("ADMIN-40 archive and unarchive", func(t *testing.T) {
			a := s.do(t, "POST "+at("/archive"), fields{"reason": "unused"}, root.token()).succeeds(t, 200)
			same(t, any(true), a.member(t, "archived.by_admin"))
			s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}).fails(t, 403, "archived")
			same(t, any(nil), s.do(t, "POST "+at("/unarchive"), nil, root.token()).succeeds(t, 200).member(t, "archived"))
		})
		t.Run("ADMIN-35 permissions, case 9 of admin", func(t *testing.T) {
			s.do(t, "PUT "+at("/permissions"), fields{"permissions": []string{"b", "a"}}, root.token()).succeeds(t, 200)
			a := s.do(t, "PATCH "+at("/permissions"), fields{"add": []string{"c"}, "remove": []string{"a"}}, root.token()).succeeds(t, 200)
			same(t, any([]any{"b", "c"}), a.member(t, "permissions"))
			same(t, string(a.body), string(s.do(t, "GET "+at("/permissions"), nil, root.token()).succeeds(t, 200).body))
			s.do(t, "PATCH "+at("/permissions"), fields{"add": []string{"c"}, "remove": []string{"c"}}, root.token()).fails(t, 422, "validation_failed", "remove:invalid")
			s.do(t, "PUT "+at("/permissions"), nil, root.token()).fails(t, 422, "validation_failed", "permissions:required")
			clerk := s.administrator(t, "clerk", "users:permissions")
			s.do(t, "PATCH "+at("/permissions"), fields{"add": []string{"x:y"}}, clerk.token()).fails(t, 403, "forbidden", "permissions:not_held")
			s.do(t, "PUT "+at("/permissions"), fields{"permissions": []string{}}, clerk.token()).fails(t, 403, "forbidden", "permissions:not_held")
		})
		t.Run("ADMIN-36 superuser", func(t *testing.T) {
			same(t, any(true), s.do(t, "PUT "+at("/superuser"), fields{"superuser": true}, root.token()).succeeds(t, 200).member(t, "superuser"))
			s.do(t, "PUT "+at("/superuser"), fields{"superuser": false}, root.token()).succeeds(t, 200)
			s.do(t, "PUT "+at("/superuser"), nil, root.token()).fails(t, 422, "validation_failed", "superuser:required")
			s.do(t, "PUT /admin/users/"+root.ID.String()+"/superuser", fields{"superuser": false}, root.token()).fails(t, 403, "forbidden")
		})
		t.Run("ADMIN-42 audit, ADMIN-78 on one line each", func(t *testing.T) {
			s.do(t, "POST "+at("/kick"), fields{"reason": "line\nbreak\x1b[31m"}, root.token())
			a := s.do(t, "GET /admin/audit?subject="+anna.ID.String()+"&action=user.kick&limit=1", nil, root.token()).succeeds(t, 200)
			same(t, any(root.ID.String()), a.member(t, "items.0.actor.id"))
			same(t, any("line\nbreak\x1b[31m"), a.member(t, "items.0.reason"))
			for _, b := range a.body {
				if b < ' ' {
					t.Fatalf("a control character is in %q", a.body)
				}
			}
			next := a.text(t, "next")
			s.do(t, "GET /admin/audit?subject="+anna.ID.String()+"&action=user.kick&limit=1&cursor="+next, nil, root.token()).succeeds(t, 200)
			s.do(t, "GET /admin/audit?action=user.ban&limit=1&cursor="+next, nil, root.token()).fails(t, 400, "invalid_cursor")
			s.do(t, "GET /admin/audit?actor=x&at.gte=y", nil, root.token()).fails(t, 422, "validation_failed", "actor:invalid", "at.gte:invalid")
			s.do(t, "GET /admin/audit?sort=x", nil, root.token()).fails(t, 400, "invalid_parameter", "sort:invalid")
		})
		t.Run("ADMIN-34 blackout, case 8 of admin", func(t *testing.T) {
			s.do(t, "GET /admin/blackout", nil, root.token()).fails(t, 404, "not_found")
			s.do(t, "DELETE /admin/blackout", nil, root.token()).succeeds(t, 204)
			end := s.Clock.Now().Add(90 * time.Second).Format("2006-01-02T15:04:05.000Z")
			s.do(t, "PUT /admin/blackout", fields{"message": "back soon", "closed": true, "until": end}, root.token()).succeeds(t, 200)
			s.do(t, "GET /admin/blackout", nil, root.token()).fails(t, 401, "session_revoked")
			a := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase})
			p := a.fails(t, 503, "unavailable")
			same(t, "back soon", p.Detail)
			same(t, "90", a.header.Get("Retry-After"))
			s.do(t, "POST /api/login", fields{"login": "anna", "password": "wrong"}).fails(t, 401, "invalid_credentials")
			root = s.login(t, root.Person)
			same(t, any(true), s.do(t, "GET /admin/blackout", nil, root.token()).succeeds(t, 200).member(t, "closed"))
			s.do(t, "DELETE /admin/blackout", nil, root.token()).succeeds(t, 204)
			s.do(t, "GET /api/me", nil, anna.token()).fails(t, 401, "session_revoked")
			s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}).succeeds(t, 200)
		})
	})
}

// ADMIN-13: a reason where the program wants one.
func TestHTTPRequireReason(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{RequireReason: true})
	root, anna := s.superuser(t, "root1"), s.guest(t, "anna")
	at := "/admin/users/" + anna.ID.String()
	for _, what := range []string{"PUT " + at + "/ban", "POST " + at + "/blacklist", "DELETE " + at, "PUT /admin/blackout"} {
		s.do(t, what, nil, root.token()).fails(t, 422, "validation_failed", "reason:required")
		s.do(t, what, fields{"reason": ""}, root.token()).fails(t, 422, "validation_failed", "reason:required")
	}
	s.do(t, "PUT "+at+"/ban", fields{"reason": "spam"}, root.token()).succeeds(t, 200)
	s.do(t, "DELETE "+at+"/ban", nil, root.token()).succeeds(t, 204)
	same(t, 1, s.rows(t, "roster_audit WHERE reason = 'spam' AND action = 'user.ban'"))
}
