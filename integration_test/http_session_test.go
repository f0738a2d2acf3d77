package integration_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/tokens"
	"github.com/roster-go/roster/usersrepo"
)

// HTTP-104: POST /token/verify.
func TestHTTPTokenVerify(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.administrator(t, "anna", "a:b")
		verify := func(t *testing.T, token string) reply {
			t.Helper()
			return s.do(t, "POST /api/token/verify", fields{"token": token})
		}
		t.Run("HTTP-104 tells what a live token says, SESS-1", func(t *testing.T) {
			a := verify(t, g.access.Reveal()).succeeds(t, 200)
			same(t, g.ID.String(), a.text(t, "user_id"))
			now := float64(s.Clock.Now().Unix())
			for claim, want := range map[string]any{
				"sub": g.ID.String(), "sid": g.sid.String(), "iss": "https://app.example", "aud": "https://app.example", "iat": now, "nbf": now,
				"exp": now + 600, "auth_time": now, "amr": []any{"pwd"}, "permissions": []any{"a:b"}, "epoch": []any{0.0, 0.0},
			} {
				same(t, want, a.member(t, "claims."+claim))
			}
			same(t, 12, len(membersOf(t, a.member(t, "claims"))))
			root := s.superuser(t, "root1")
			same(t, any(true), verify(t, root.access.Reveal()).succeeds(t, 200).member(t, "claims.superuser"))
		})
		t.Run("HTTP-104 refuses what is no live access token", func(t *testing.T) {
			live := g.access.Reveal()
			for _, token := range []string{"", "x", g.refresh.Reveal(), live[1:], live[:len(live)-1], "ec_x", strings.Repeat("x.", 30000), "a.b.c"} {
				verify(t, token).fails(t, 401, "invalid_token")
			}
			other := s.login(t, g.Person)
			s.do(t, "POST /api/logout", nil, other.token()).succeeds(t, 204)
			verify(t, other.access.Reveal()).fails(t, 401, "session_revoked")
			s.Clock.Advance(605 * time.Second)
			verify(t, live).fails(t, 401, "token_expired")
			for body, want := range map[string]string{`{}`: "required", `{"token":null}`: "required", `{"token":1}`: "wrong_type", `{"token":["x"]}`: "wrong_type"} {
				s.do(t, "POST /api/token/verify", body).fails(t, 422, "validation_failed", "token:"+want)
			}
		})
	})
}

// HTTP-105: POST /token/refresh.
func TestHTTPTokenRefresh(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		refresh := func(t *testing.T, token roster.Secret) reply {
			t.Helper()
			return s.do(t, "POST /api/token/refresh", fields{"refresh_token": token.Reveal()})
		}
		next := func(a reply) roster.Secret { return roster.Secret(a.text(t, "refresh_token")) }
		t.Run("HTTP-105 returns a new pair, HTTP-32", func(t *testing.T) {
			a := refresh(t, g.refresh).succeeds(t, 200)
			same(t, []string{"access_token", "expires_in", "refresh_expires_in", "refresh_token", "session_id", "token_type"}, membersOf(t, a.member(t, "")))
			same(t, g.sid.String(), a.text(t, "session_id"))
			if next(a) == g.refresh || a.text(t, "access_token") == g.access.Reveal() {
				t.Error("a token is the old one")
			}
			s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "access_token")))).succeeds(t, 200)
			t.Run("SESS-29 gives two tabs the same successor", func(t *testing.T) {
				s.Clock.Advance(10 * time.Second)
				b := refresh(t, g.refresh).succeeds(t, 200)
				same(t, next(a), next(b))
			})
			t.Run("SESS-30 ends the session when a spent token comes back", func(t *testing.T) {
				s.Clock.Advance(time.Second)
				refresh(t, g.refresh).fails(t, 401, "token_reused")
				refresh(t, g.refresh).fails(t, 401, "session_revoked")
				refresh(t, next(a)).fails(t, 401, "session_revoked")
				s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "access_token")))).fails(t, 401, "session_revoked")
				if _, err := s.Deliver(t.Context(), 10); err != nil {
					t.Fatal(err)
				}
				if m, ok := s.Mailbox.Last("anna@example.com"); !ok || m.Kind != notify.TokenReuse {
					t.Errorf("mailed %v", m)
				}
			})
		})
		t.Run("HTTP-105 refuses what is no refresh token", func(t *testing.T) {
			g := s.login(t, g.Person)
			text := g.refresh.Reveal()
			for _, token := range []string{"", "x", g.access.Reveal(), text[:len(text)-1], text[1:], text + "x", strings.ToUpper(text), "rt1." + strings.Repeat("A", 8000)} {
				refresh(t, roster.Secret(token)).fails(t, 401, "invalid_refresh_token")
			}
			for body, want := range map[string]string{`{}`: "required", ``: "required", `{"refresh_token":null}`: "required", `{"refresh_token":{}}`: "wrong_type"} {
				s.do(t, "POST /api/token/refresh", body).fails(t, 422, "validation_failed", "refresh_token:"+want)
			}
			refresh(t, g.refresh).succeeds(t, 200)
		})
		t.Run("SESS-26 needs no access token, and minds none", func(t *testing.T) {
			g := s.login(t, g.Person)
			s.Clock.Advance(24 * time.Hour)
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}, g.token()).succeeds(t, 200)
		})
		t.Run("SESS-34 ends with the session", func(t *testing.T) {
			g := s.login(t, g.Person)
			s.Clock.Advance(14 * 24 * time.Hour)
			refresh(t, g.refresh).fails(t, 401, "session_expired")
		})
		t.Run("SESS-28 tells the state of the account", func(t *testing.T) {
			for name, x := range map[string]struct {
				statement string
				status    int
				code      roster.Code
			}{
				"banned":      {"banned_at = created_at", 403, "banned"},
				"archived":    {"archived_at = created_at, archived_by = 'admin'", 403, "archived"},
				"deactivated": {"deleted_at = created_at, delete_mode = 'deactivate'", 401, "session_revoked"},
			} {
				g := s.guest(t, name)
				s.exec(t, "UPDATE users SET "+x.statement+" WHERE id = $1", g.ID)
				refresh(t, g.refresh).fails(t, x.status, x.code)
			}
			gone := s.guest(t, "gone")
			if err := s.Delete(t.Context(), gone.ID, roster.Remove); err != nil {
				t.Fatal(err)
			}
			refresh(t, gone.refresh).fails(t, 401, "session_revoked")
		})
	})
}

// SESS-28: those who lost the proof that the configuration wants.
func TestHTTPTokenRefreshConfirmed(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		t.Run("SESS-28 refuses who is not proven any more", func(t *testing.T) {
			g := s.guest(t, "anna")
			s.exec(t, "UPDATE users SET email_verified_at = NULL WHERE id = $1", g.ID)
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).fails(t, 403, "not_verified")
		})
	}, func(cfg *usersrepo.Config) { cfg.Account.RequireConfirmed = true })
}

// HTTP-106: POST /token/revoke.
func TestHTTPTokenRevoke(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		g := s.guest(t, "anna")
		revoke := func(t *testing.T, token string) reply {
			t.Helper()
			return s.do(t, "POST /api/token/revoke", fields{"refresh_token": token})
		}
		t.Run("HTTP-106 ends the session, and answers the same time again", func(t *testing.T) {
			a := s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).succeeds(t, 200)
			first := revoke(t, g.refresh.Reveal()).succeeds(t, 200) // a spent one will do
			same(t, s.Clock.Now().Format("2006-01-02T15:04:05.000Z"), first.text(t, "revoked_at"))
			s.Clock.Advance(time.Hour)
			same(t, string(first.body), string(revoke(t, a.text(t, "refresh_token")).succeeds(t, 200).body))
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "token_expired")
			s.do(t, "POST /api/token/refresh", fields{"refresh_token": a.text(t, "refresh_token")}).fails(t, 401, "session_revoked")
		})
		t.Run("HTTP-106 refuses what was never issued", func(t *testing.T) {
			for _, token := range []string{"", "x", g.access.Reveal(), g.refresh.Reveal() + "x"} {
				revoke(t, token).fails(t, 401, "invalid_refresh_token")
			}
			s.do(t, "POST /api/token/revoke", `{}`).fails(t, 422, "validation_failed", "refresh_token:required")
		})
		t.Run("SESS-43 kills the access token at once", func(t *testing.T) {
			g := s.login(t, g.Person)
			revoke(t, g.refresh.Reveal()).succeeds(t, 200)
			s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
		})
	})
}

// HTTP-134: the own sessions.
func TestHTTPSessions(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		anna, bert := s.guest(t, "anna"), s.guest(t, "bert")
		ids := func(t *testing.T, g guest) (list []string) {
			t.Helper()
			for _, item := range s.do(t, "GET /api/me/sessions", nil, g.token()).succeeds(t, 200).member(t, "items").([]any) {
				list = append(list, item.(map[string]any)["id"].(string))
			}
			return list
		}
		t.Run("HTTP-134 lists the live ones, the newest use first", func(t *testing.T) {
			s.Clock.Advance(time.Second)
			login := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, header("User-Agent", "phone/2")).succeeds(t, 200)
			same(t, []string{login.text(t, "tokens.session_id"), anna.sid.String()}, ids(t, anna))
			a := s.do(t, "GET /api/me/sessions", nil, anna.token())
			same(t, []string{"amr", "created_at", "current", "device", "expires_at", "id", "ip", "last_used_at", "user_agent"}, membersOf(t, a.member(t, "items.0")))
			for member, want := range map[string]any{
				"items.0.current": false, "items.1.current": true, "items.0.ip": "127.0.0.1", "items.0.user_agent": "phone/2",
				"items.0.device": "phone", "items.1.device": "",
				"items.1.ip": "", "items.0.expires_at": s.Clock.Now().Add(14 * 24 * time.Hour).Format("2006-01-02T15:04:05.000Z"),
			} {
				same(t, want, a.member(t, member))
			}
			same(t, []string{bert.sid.String()}, ids(t, bert))
		})
		t.Run("HTTP-134 ends one of the own", func(t *testing.T) {
			other := s.login(t, anna.Person)
			s.do(t, "DELETE /api/me/sessions/"+other.sid.String(), nil, anna.token()).succeeds(t, 204)
			s.do(t, "GET /api/me", nil, other.token()).fails(t, 401, "session_revoked")
			s.do(t, "DELETE /api/me/sessions/"+other.sid.String(), nil, anna.token()).fails(t, 404, "not_found")
		})
		t.Run("HTTP-134 tells another's session from none by nothing, case 37", func(t *testing.T) {
			want := s.do(t, "DELETE /api/me/sessions/"+s.NewID().String(), nil, anna.token())
			want.fails(t, 404, "not_found")
			same(t, want.alike(), s.do(t, "DELETE /api/me/sessions/"+bert.sid.String(), nil, anna.token()).alike())
			s.do(t, "GET /api/me", nil, bert.token()).succeeds(t, 200)
		})
		t.Run("HTTP-134 ends all but its own", func(t *testing.T) {
			one, two := s.login(t, bert.Person), s.login(t, bert.Person)
			same(t, any(2.0), s.do(t, "DELETE /api/me/sessions", nil, bert.token()).succeeds(t, 200).member(t, "revoked"))
			same(t, any(0.0), s.do(t, "DELETE /api/me/sessions", nil, bert.token()).succeeds(t, 200).member(t, "revoked"))
			for _, g := range []guest{one, two} {
				s.do(t, "GET /api/me", nil, g.token()).fails(t, 401, "session_revoked")
			}
			s.do(t, "GET /api/me", nil, bert.token()).succeeds(t, 200)
			s.do(t, "GET /api/me", nil, anna.token()).succeeds(t, 200)
		})
		t.Run("HTTP-134 ends the session that asks, when it asks for that", func(t *testing.T) {
			s.do(t, "DELETE /api/me/sessions/"+bert.sid.String(), nil, bert.token()).succeeds(t, 204)
			s.do(t, "GET /api/me/sessions", nil, bert.token()).fails(t, 401, "session_revoked")
		})
		t.Run("SESS-51 HTTP-134 ADMIN-37 names for people what it is used from", func(t *testing.T) {
			firefox := "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
			boss := s.administrator(t, "bossy", "users:sessions")
			for agent, want := range map[string]string{firefox: "Firefox on Linux", "<b>pay at evil.example</b>": "", "": ""} {
				login := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, header("User-Agent", agent)).succeeds(t, 200)
				g := as(roster.Secret(login.text(t, "tokens.access_token")))
				same(t, want, s.do(t, "GET /api/me/sessions", nil, g).succeeds(t, 200).text(t, "items.0.device"))
				same(t, want, s.do(t, "GET /admin/users/"+anna.ID.String()+"/sessions", nil, boss.token()).succeeds(t, 200).text(t, "items.0.device"))
				sid := login.text(t, "tokens.session_id")
				s.do(t, "DELETE /api/me/sessions/"+sid, nil, g).succeeds(t, 204)
			}
		})
		t.Run("SESS-51 says of a session that it was last used when it was refreshed", func(t *testing.T) {
			g := s.login(t, bert.Person)
			began := s.Clock.Now()
			used := func() string {
				return s.do(t, "GET /api/me/sessions", nil, g.token()).succeeds(t, 200).text(t, "items.0.last_used_at")
			}
			for range 3 {
				s.Clock.Advance(3 * time.Minute)
				s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
				same(t, began.Format("2006-01-02T15:04:05.000Z"), used())
			}
			r := s.do(t, "POST /api/token/refresh", fields{"refresh_token": g.refresh.Reveal()}).succeeds(t, 200)
			g.access = roster.Secret(r.text(t, "access_token"))
			same(t, s.Clock.Now().Format("2006-01-02T15:04:05.000Z"), used())
		})
		t.Run("SESS-51 clips what a program calls itself", func(t *testing.T) {
			for _, agent := range []string{strings.Repeat("ü", 1000), "a\x80b", `"<script>`} {
				login := s.do(t, "POST /api/login", fields{"login": "anna", "password": passphrase}, header("User-Agent", agent)).succeeds(t, 200)
				g := as(roster.Secret(login.text(t, "tokens.access_token")))
				if got := s.do(t, "GET /api/me/sessions", nil, g).succeeds(t, 200).text(t, "items.0.user_agent"); len([]rune(got)) > 256 {
					t.Errorf("%d characters", len([]rune(got)))
				}
			}
		})
	})
}

// HTTP-136, case 41: GET /.well-known/jwks.json.
func TestHTTPJWKS(t *testing.T) {
	for _, algorithm := range []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.RS256, tokens.HS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			onSites(t, func(t *testing.T, s *site) {
				t.Run("HTTP-136 publishes public keys only, case 41", func(t *testing.T) {
					a := s.do(t, "GET /api/.well-known/jwks.json", nil).succeeds(t, 200)
					same(t, "application/jwk-set+json", a.header.Get("Content-Type"))
					var set struct{ Keys []map[string]string }
					if err := json.Unmarshal(a.body, &set); err != nil {
						t.Fatal(err)
					}
					want := 2 // the active one, and the next
					if algorithm == tokens.HS256 {
						want = 0
					}
					same(t, want, len(set.Keys))
					for _, key := range set.Keys {
						same(t, string(algorithm), key["alg"])
						for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
							if key[private] != "" {
								t.Errorf("%s is published", private)
							}
						}
					}
				})
				t.Run("HTTP-136 need not be sent again, case 41", func(t *testing.T) {
					tag := s.do(t, "GET /api/.well-known/jwks.json", nil).header.Get("ETag")
					for _, given := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
						a := s.do(t, "GET /api/.well-known/jwks.json", nil, header("If-None-Match", given)).succeeds(t, 304)
						same(t, fmt.Sprint(tag, "public, max-age=300", 0), fmt.Sprint(a.header.Get("ETag"), a.header.Get("Cache-Control"), len(a.body)))
					}
					for _, given := range []string{"", `"x"`, strings.Trim(tag, `"`), `""`} {
						s.do(t, "GET /api/.well-known/jwks.json", nil, header("If-None-Match", given)).succeeds(t, 200)
					}
				})
			}, func(cfg *usersrepo.Config) { cfg.Session.Algorithm = algorithm })
		})
	}
}
