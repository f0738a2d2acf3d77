package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// learns is how long it takes a repo to learn of what others have revoked.
const learns = time.Second + time.Microsecond

// issue makes a session.
func (w *world) issue(t testing.TB, id roster.ID) roster.TokenPair {
	t.Helper()
	pair, err := w.IssueTokens(t.Context(), id, roster.IssueOptions{})
	if err != nil {
		t.Fatalf("issue tokens: %v", err)
	}
	return pair
}

// dead checks that nothing of a session works any more.
func (w *world) dead(t testing.TB, pair roster.TokenPair) {
	t.Helper()
	_, err := w.VerifyToken(t.Context(), pair.AccessToken)
	refused(t, err, roster.ErrSessionRevoked)
	_, err = w.Refresh(t.Context(), pair.RefreshToken)
	refused(t, err, roster.ErrSessionRevoked)
}

// alive checks that a session goes on.
func (w *world) alive(t testing.TB, pair roster.TokenPair) {
	t.Helper()
	if _, err := w.VerifyToken(t.Context(), pair.AccessToken); err != nil {
		t.Errorf("verify: %v", err)
	}
}

// SESS-1 to SESS-7, SESS-54, cases 1 and 19: making a session.
func TestIssueTokens(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPermissions("b", "a"))
		t.Run("SESS-1 SESS-54 fills the claims, case 1", func(t *testing.T) {
			w.fired()
			pair, err := w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{Via: roster.ViaSocial, AMR: []string{"social:google", "mfa"}})
			if err != nil {
				t.Fatal(err)
			}
			same(t, []string{"BeforeLogin", "AfterLogin", "OnLogin"}, w.fired())
			got, err := w.VerifyToken(t.Context(), pair.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			now := w.Clock.Now()
			want := roster.Claims{
				Issuer: "https://app.example", Audience: "https://app.example", Subject: u.ID, SessionID: pair.SessionID, TokenID: got.TokenID,
				IssuedAt: now, NotBefore: now, ExpiresAt: now.Add(10 * time.Minute), AuthTime: now, AMR: []string{"social:google", "mfa"},
				Permissions: roster.Permissions{"a", "b"},
			}
			same(t, want, got)
			same(t, []time.Duration{10 * time.Minute, 14 * 24 * time.Hour}, []time.Duration{pair.ExpiresIn, pair.RefreshExpiresIn})
			if strings.Contains(string(pair.AccessToken), "anna") || len(pair.RefreshToken) > 256 {
				t.Error("SESS-1 SESS-23")
			}
		})
		t.Run("SESS-4 gives each token an id of its own", func(t *testing.T) {
			seen := map[roster.ID]bool{}
			for range 5 {
				claims, err := w.VerifyToken(t.Context(), w.issue(t, u.ID).AccessToken)
				same(t, nil, err)
				seen[claims.TokenID] = true
				same(t, []string{"app"}, claims.AMR) // SESS-7
			}
			same(t, 5, len(seen))
		})
		t.Run("SESS-24 SEC-66 stores no token, nor its secret", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			next, err := w.Refresh(t.Context(), pair.RefreshToken)
			same(t, nil, err)
			dump := w.tables(t)
			for _, token := range []roster.Secret{pair.AccessToken, pair.RefreshToken, next.AccessToken, next.RefreshToken} {
				body := token.Reveal()[strings.LastIndex(token.Reveal(), ".")+1:]
				for _, text := range []string{token.Reveal(), body, body[len(body)/2:]} {
					same(t, []string(nil), holding(dump, text))
				}
			}
		})
		t.Run("SESS-72 prints no token, case 20", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			for _, text := range []string{fmt.Sprint(pair), fmt.Sprintf("%+v %#v %v", pair, pair, pair)} {
				if strings.Contains(text, pair.AccessToken.Reveal()) || strings.Contains(text, pair.RefreshToken.Reveal()) {
					t.Error(text)
				}
			}
			document, err := json.Marshal(pair)
			same(t, nil, err)
			same(t, true, strings.Contains(string(document), pair.RefreshToken.Reveal()))
		})
		t.Run("SESS-54 is for trusted code", func(t *testing.T) {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID})
			_, err := w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
			refused(t, err, roster.ErrForbidden)
		})
		t.Run("SESS-51 stores what a client says of itself as far as it can be stored", func(t *testing.T) {
			ctx := roster.WithActor(t.Context(), roster.Actor{IP: "\x00\xffunknown", UserAgent: "a\x00b\xff" + strings.Repeat("é", 300)})
			pair, err := w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Refresh(ctx, pair.RefreshToken); err != nil {
				t.Fatal(err)
			}
			list, err := w.ListSessions(t.Context(), u.ID)
			same(t, nil, err)
			i := slices.IndexFunc(list, func(s roster.Session) bool { return s.ID == pair.SessionID })
			same(t, []string{"unknown", "ab" + strings.Repeat("é", 254)}, []string{list[i].IP, list[i].UserAgent})
		})
		t.Run("SESS-5 ends no token after its session", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			for range 9 {
				w.Clock.Advance(10*24*time.Hour - 30*time.Second)
				next, err := w.Refresh(t.Context(), pair.RefreshToken)
				if err != nil {
					t.Fatal(err)
				}
				pair = next
			}
			same(t, 270*time.Second, pair.ExpiresIn)
			same(t, 270*time.Second, pair.RefreshExpiresIn)
		})
	})
}

// claimer is a program with claims of its own.
type claimer struct {
	usersrepo.UsersRepo[*Person]
	claims map[string]any
	err    error
}

func (c *claimer) TokenClaims(context.Context, *Person) (map[string]any, error) {
	return c.claims, c.err
}

// SESS-2, SEC-57, case 19: claims of the program's, and those that are not its.
func TestTokenClaims(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		c := &claimer{claims: map[string]any{"plan": "pro", "seats": 3}}
		cfg, _ := rostertest.Config(t, db)
		if err := usersrepo.Init(c, cfg); err != nil {
			t.Fatal(err)
		}
		u, err := c.Create(t.Context(), person("anna", "", ""), roster.WithPassword(secret))
		if err != nil {
			t.Fatal(err)
		}
		pair, err := c.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		claims, err := c.VerifyToken(t.Context(), pair.AccessToken)
		same(t, nil, err)
		same(t, map[string]any{"plan": "pro", "seats": 3.0}, claims.Extra)
		for _, name := range []string{"sub", "epoch", "exp", "sid", "superuser", "act", "scope", "gen", "csrf", "Sub"} {
			c.claims = map[string]any{name: "x"}
			_, err := c.Login(t.Context(), roster.PasswordCredentials("anna", secret))
			refused(t, err, roster.ErrInternal)
		}
		c.claims, c.err = nil, callbacks.Reject("no_plan")
		_, err = c.Login(t.Context(), roster.PasswordCredentials("anna", secret))
		same(t, roster.Code("no_plan"), codeOf(err))
		var sessions int
		if err := db.GetContext(t.Context(), &sessions, "SELECT count(*) FROM roster_sessions"); err != nil || sessions != 1 {
			t.Errorf("%d sessions, %v", sessions, err)
		}
	})
}

// SESS-50, SEC-46, case 12: no more than MaxPerUser, whatever comes at once.
func TestSessionLimit(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		t.Run("SESS-50 leaves 10 of 30 at once", func(t *testing.T) {
			u := w.add(t, person("anna", "", ""))
			codes := atOnce(30, func(int) error { _, err := w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{}); return err })
			same(t, map[roster.Code]int{"": 30}, codes)
			same(t, 10, w.rows(t, "roster_sessions WHERE user_id = $1 AND ended_at IS NULL", u.ID))
			same(t, 20, w.rows(t, "roster_sessions WHERE user_id = $1 AND ended_reason = 'evicted'", u.ID))
		})
		t.Run("SESS-50 SESS-44 ends the least recently used, case 12", func(t *testing.T) {
			u := w.add(t, person("berta", "", ""))
			var pairs []roster.TokenPair
			for range 10 {
				w.Clock.Advance(time.Second)
				pairs = append(pairs, w.issue(t, u.ID))
			}
			w.Clock.Advance(time.Second)
			next, err := w.Refresh(t.Context(), pairs[0].RefreshToken)
			same(t, nil, err)
			var events []callbacks.SessionRevoke
			defer w.On.SessionRevoke.On(func(_ context.Context, e *callbacks.SessionRevoke) error { events = append(events, *e); return nil })()
			w.issue(t, u.ID)
			w.dead(t, pairs[1])
			w.alive(t, next)
			w.alive(t, pairs[2])
			same(t, 1, len(events))
			same(t, []any{u.ID, []roster.ID{pairs[1].SessionID}, roster.RevokedByEviction}, []any{events[0].UserID, events[0].SIDs, events[0].Reason})
		})
	})
}

// SESS-50, ACCT-36, case 12: where none is to give way, one more is refused, whatever comes at once.
func TestSessionLimitRefuses(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		login := func(int) error {
			_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
			return err
		}
		same(t, map[roster.Code]int{"": 3, roster.CodeConflict: 27}, atOnce(30, func(int) error {
			_, err := w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
			return err
		}))
		live, err := w.ListSessions(t.Context(), u.ID)
		same(t, nil, err)
		same(t, 3, len(live))
		same(t, nil, w.RevokeSession(t.Context(), u.ID, live[1].ID))
		same(t, nil, login(0))
		refused(t, login(0), roster.ErrConflict)
		w.Clock.Advance(14 * 24 * time.Hour) // those that have ended by themselves take no room
		same(t, nil, login(0))
	}, func(cfg *usersrepo.Config) { cfg.Session.MaxPerUser, cfg.Session.OnLimit = 3, mixins.RefuseNew })
}

// SESS-51 to SESS-53, SEC-43, case 13: seeing and ending sessions.
func TestSessions(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		anna, berta := w.add(t, person("anna", "", "")), w.add(t, person("berta", "", ""))
		bertas := w.issue(t, berta.ID)
		var pairs []roster.TokenPair
		for range 4 {
			w.Clock.Advance(time.Minute)
			pairs = append(pairs, w.issue(t, anna.ID))
		}
		t.Run("SESS-51 lists the live ones, newest use first", func(t *testing.T) {
			w.Clock.Advance(time.Minute)
			client := roster.WithActor(ctx, roster.Actor{IP: "203.0.113.7", UserAgent: "browser"})
			next, err := w.Refresh(client, pairs[1].RefreshToken)
			same(t, nil, err)
			pairs[1] = next
			list, err := w.ListSessions(ctx, anna.ID)
			same(t, nil, err)
			var ids []roster.ID
			for _, s := range list {
				ids = append(ids, s.ID)
			}
			same(t, []roster.ID{pairs[1].SessionID, pairs[3].SessionID, pairs[2].SessionID, pairs[0].SessionID}, ids)
			now := w.Clock.Now()
			same(t, roster.Session{
				ID: pairs[1].SessionID, UserID: anna.ID, CreatedAt: now.Add(-3 * time.Minute), LastUsedAt: now, ExpiresAt: now.Add(14 * 24 * time.Hour),
				AuthTime: now.Add(-3 * time.Minute), AMR: []string{"app"}, IP: "203.0.113.7", UserAgent: "browser", Device: "browser",
			}, list[0])
		})
		t.Run("SESS-52 ends a session of the user's own", func(t *testing.T) {
			w.fired()
			same(t, nil, w.RevokeSession(ctx, anna.ID, pairs[0].SessionID))
			same(t, []string{"AfterSessionRevoke", "OnSessionRevoke"}, w.fired())
			w.dead(t, pairs[0])
			w.alive(t, pairs[1])
		})
		t.Run("SESS-52 finds no other, case 13", func(t *testing.T) {
			w.fired()
			for _, sid := range []roster.ID{bertas.SessionID, w.NewID(), {}, pairs[0].SessionID, anna.ID} {
				refused(t, w.RevokeSession(ctx, anna.ID, sid), roster.ErrNotFound)
			}
			w.alive(t, bertas)
			same(t, []string(nil), w.fired())
		})
		t.Run("SESS-53 ends all others", func(t *testing.T) {
			w.fired()
			n, err := w.RevokeOtherSessions(ctx, anna.ID, pairs[1].SessionID)
			same(t, nil, err)
			same(t, 2, n)
			same(t, []string{"AfterSessionRevoke", "OnSessionRevoke"}, w.fired()) // SESS-44: one for both
			w.dead(t, pairs[2])
			w.dead(t, pairs[3])
			w.alive(t, pairs[1])
			n, err = w.RevokeOtherSessions(ctx, anna.ID, pairs[1].SessionID)
			same(t, nil, err)
			same(t, 0, n)
			same(t, []string(nil), w.fired())
		})
		t.Run("SESS-53 ends all", func(t *testing.T) {
			n, err := w.RevokeSessions(ctx, anna.ID)
			same(t, nil, err)
			same(t, 1, n)
			w.dead(t, pairs[1])
			n, err = w.RevokeSessions(ctx, anna.ID)
			same(t, nil, err)
			same(t, 0, n)
			w.alive(t, bertas)
		})
		t.Run("HOOK-28 HOOK-64 ends it whatever a hook says", func(t *testing.T) {
			pair := w.issue(t, anna.ID)
			defer w.On.SessionRevoke.After(func(context.Context, *callbacks.SessionRevoke) error { return errors.New("no") })()
			same(t, nil, w.RevokeSession(ctx, anna.ID, pair.SessionID))
			w.dead(t, pair)
		})
	})
}

// SESS-19 to SESS-22, SEC-50: what is no live access token.
func TestVerifyToken(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""))
		confirmation := w.confirmation(t, u.ID)
		pair := w.issue(t, u.ID)
		other := found(t, rostertest.Open(t, rostertest.SQLite))
		foreign := other.issue(t, other.add(t, person("anna", "", "")).ID)
		t.Run("SESS-19 SEC-50 refuses other tokens and none, case 4", func(t *testing.T) {
			access := pair.AccessToken.Reveal()
			for _, token := range []roster.Secret{
				"", "x", "a.b.c", pair.RefreshToken, confirmation, foreign.AccessToken, roster.Secret(access + "A"), roster.Secret("x" + access),
				roster.Secret(access[:len(access)-1]), roster.Secret(strings.Repeat("a", 1<<20)), roster.Secret(access + "\n"), "\x00\xff",
			} {
				_, err := w.VerifyToken(ctx, token)
				refused(t, err, roster.ErrInvalidToken)
			}
			for _, token := range []roster.Secret{"", "x", pair.AccessToken, confirmation, foreign.RefreshToken, pair.RefreshToken + "A"} {
				_, err := w.Refresh(ctx, token)
				refused(t, err, roster.ErrInvalidRefresh)
				_, err = w.Revoke(ctx, token)
				refused(t, err, roster.ErrInvalidRefresh)
			}
			w.alive(t, pair)
		})
		t.Run("SESS-20 lives for the leeway, and not longer", func(t *testing.T) {
			w.Clock.Advance(10*time.Minute + 5*time.Second - time.Millisecond)
			w.alive(t, pair)
			w.Clock.Advance(time.Millisecond)
			_, err := w.VerifyToken(ctx, pair.AccessToken)
			refused(t, err, roster.ErrTokenExpired)
		})
		t.Run("SESS-21 asks to refresh when the user's epoch has moved on", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			w.exec(t, "UPDATE users SET epoch = epoch + 1")
			w.Clock.Advance(learns)
			_, err := w.VerifyToken(ctx, pair.AccessToken)
			refused(t, err, roster.ErrTokenExpired)
			next, err := w.Refresh(ctx, pair.RefreshToken)
			same(t, nil, err)
			w.alive(t, next)
		})
		for column, undo := range map[string]string{"banned_at": "NULL", "archived_at": "NULL", "deleted_at": "NULL"} {
			t.Run("SESS-21 is revoked by "+column, func(t *testing.T) {
				pair := w.issue(t, u.ID)
				w.exec(t, "UPDATE users SET "+column+" = $1", w.Clock.Now())
				w.Clock.Advance(learns)
				_, err := w.VerifyToken(ctx, pair.AccessToken)
				refused(t, err, roster.ErrSessionRevoked)
				w.exec(t, "UPDATE users SET "+column+" = "+undo)
			})
		}
		t.Run("SESS-21 is revoked by a blackout", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			w.exec(t, "UPDATE roster_state SET epoch = epoch + 1")
			w.Clock.Advance(learns)
			_, err := w.VerifyToken(ctx, pair.AccessToken)
			refused(t, err, roster.ErrSessionRevoked)
			w.alive(t, w.issue(t, u.ID))
		})
		t.Run("SESS-22 is revoked when the user is gone, case 21", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			w.exec(t, "DELETE FROM users")
			w.Clock.Advance(learns)
			w.dead(t, pair)
		})
	})
}
