package integration_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
)

// HTTP-109, HTTP-110, ACCT-40 to ACCT-42: people do away with their account.
func TestHTTPLeave(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		for what, name := range map[string]string{"DELETE /api/me": "closer", "POST /api/me/archive": "archiver"} {
			g := s.guest(t, name)
			t.Run("HTTP-109 HTTP-110 wants the password, "+what, func(t *testing.T) {
				s.do(t, what, nil).fails(t, 401, "unauthenticated")
				for _, body := range []any{nil, fields{}, fields{"password": nil}, fields{"password": ""}, fields{"password": "wrong"}} {
					s.do(t, what, body, g.token()).fails(t, 403, "invalid_password", "password:invalid_password")
				}
				s.do(t, what, fields{"password": passphrase, "mode": "remove"}, g.token()).fails(t, 422, "validation_failed", "mode:unknown_field")
				s.do(t, what, fields{"password": 1}, g.token()).fails(t, 422, "validation_failed", "password:wrong_type")
			})
			t.Run("ACCT-4 wants a proven contact, case 16, "+what, func(t *testing.T) {
				unproven := s.login(t, s.add(t, person("", name+".unproven@example.com", ""), roster.WithPassword(passphrase)))
				s.do(t, what, fields{"password": passphrase}, unproven.token()).fails(t, 403, "not_verified")
			})
			t.Run("HTTP-109 HTTP-110 ends the session, "+what, func(t *testing.T) {
				a := s.do(t, what, fields{"password": passphrase}, g.token()).succeeds(t, 204)
				same(t, 0, len(a.body))
				s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
				s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).fails(t, 401, "session_revoked")
				s.do(t, what, fields{"password": passphrase}, g.token()).fails(t, 401, "session_revoked")
			})
		}
		t.Run("HTTP-102 ACCT-31 says that the log-in brought the account back, case 14", func(t *testing.T) {
			for _, want := range []bool{true, false} {
				a := s.do(t, "POST /api/login", fields{"login": "archiver", "password": passphrase}).succeeds(t, 200)
				same(t, any(want), a.member(t, "unarchiving"))
				s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "tokens.access_token")))).succeeds(t, 200)
			}
			s.do(t, "POST /api/login", fields{"login": "closer", "password": passphrase}).fails(t, 401, "invalid_credentials")
		})
		t.Run("HTTP-109 HTTP-110 keeps the last superuser, case 18", func(t *testing.T) {
			root := s.superuser(t, "root1")
			for _, what := range []string{"DELETE /api/me", "POST /api/me/archive"} {
				s.do(t, what, fields{"password": passphrase}, root.token()).fails(t, 409, "last_superuser")
			}
			s.do(t, "GET /api/me", nil, root.token()).succeeds(t, 200)
		})
	})
}

// HTTP-111: the own account as a file.
func TestHTTPExportAccount(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna := s.guest(t, "anna")
		t.Run("HTTP-111 sends a file", func(t *testing.T) {
			a := s.do(t, "GET /api/me/export", nil, anna.token()).succeeds(t, 200)
			same(t, `attachment; filename="account.json"`, a.header.Get("Content-Disposition"))
			same(t, "no-store", a.header.Get("Cache-Control"))
			same(t, any("anna"), a.member(t, "user.username"))
			same(t, any(1.0), a.member(t, "version"))
			s.do(t, "GET /api/me/export", nil).fails(t, 401, "unauthenticated")
		})
		t.Run("HTTP-111 has a quota", func(t *testing.T) {
			for range 4 {
				s.do(t, "GET /api/me/export", nil, anna.token()).succeeds(t, 200)
			}
			a := s.do(t, "GET /api/me/export", nil, anna.token())
			a.fails(t, 429, "quota_exhausted")
			same(t, "", a.header.Get("Content-Disposition"))
		})
		t.Run("HTTP-111 HTTP-52 wants a log-in shortly before", func(t *testing.T) {
			bert := s.guest(t, "bert")
			s.Clock.Advance(9 * time.Minute)
			pair, err := s.Refresh(t.Context(), bert.refresh)
			if err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(7 * time.Minute)
			s.do(t, "GET /api/me/export", nil, as(pair.AccessToken)).fails(t, 403, "reauthentication_required")
			s.do(t, "DELETE /api/me/identities/google/1", nil, as(pair.AccessToken)).fails(t, 403, "reauthentication_required")
			s.do(t, "GET /api/me/identities", nil, as(pair.AccessToken)).succeeds(t, 200)
		})
	})
}

// HTTP-135: accounts at other providers.
func TestHTTPIdentities(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna, bert := s.guest(t, "anna"), s.guest(t, "bert")
		t.Run("HTTP-135 lists none", func(t *testing.T) {
			same(t, `{"items":[]}`, string(s.do(t, "GET /api/me/identities", nil, anna.token()).succeeds(t, 200).body))
		})
		subjects := []string{
			"plain", "a/b", "a//b/", "/", "100%", "%2F", "a%2Fb", "a b", "a+b", "é", "a?b=c#d", "..", ".", "a:b@c", "auth0|abc", `"quoted"`, "a;b,c=d&e",
		}
		for _, subject := range subjects {
			s.link(t, anna.ID, "google", subject, map[string]any{"secret": "hush"})
		}
		t.Run("HTTP-135 lists them, and not what the provider told", func(t *testing.T) {
			a := s.do(t, "GET /api/me/identities", nil, anna.token()).succeeds(t, 200)
			items := a.member(t, "items").([]any)
			same(t, len(subjects), len(items))
			same(t, []string{"linked_at", "provider", "subject"}, membersOf(t, items[0]))
			same(t, 0, len(s.do(t, "GET /api/me/identities", nil, bert.token()).succeeds(t, 200).member(t, "items").([]any)))
		})
		t.Run("HTTP-135 unlinks one of oneself alone", func(t *testing.T) {
			s.do(t, "DELETE /api/me/identities/google/plain", nil, bert.token()).fails(t, 404, "not_found")
			s.do(t, "DELETE /api/me/identities/github/plain", nil, anna.token()).fails(t, 404, "not_found")
			s.do(t, "DELETE /api/me/identities/google/other", nil, anna.token()).fails(t, 404, "not_found")
			s.do(t, "DELETE /api/me/identities/google/plain", nil).fails(t, 401, "unauthenticated")
			same(t, len(subjects), s.rows(t, "roster_identities"))
		})
		for i, subject := range subjects {
			t.Run("HTTP-135 unlinks "+subject, func(t *testing.T) {
				path := "DELETE /api/me/identities/google/" + url.PathEscape(subject)
				if strings.Trim(subject, ".") == "" { // clients take these for directions
					path = strings.ReplaceAll(path, "/"+subject, "/"+strings.ReplaceAll(subject, ".", "%2E"))
				}
				s.do(t, path, nil, anna.token()).succeeds(t, 204)
				same(t, len(subjects)-i-1, s.rows(t, "roster_identities"))
				same(t, 0, s.rows(t, "roster_identities WHERE subject = $1", subject))
				s.do(t, path, nil, anna.token()).fails(t, 404, "not_found")
			})
		}
		t.Run("HTTP-135 keeps the last way to log in", func(t *testing.T) {
			u := s.add(t, person("social", "", ""))
			s.link(t, u.ID, "google", "1", nil)
			g := s.login(t, u)
			s.do(t, "DELETE /api/me/identities/google/1", nil, g.token()).fails(t, 409, "last_credential")
			same(t, 1, s.rows(t, "roster_identities"))
		})
	})
}
