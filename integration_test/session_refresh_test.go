package integration_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// chain is a session with the refresh tokens that it has had, the current one last.
type chain struct {
	*world
	user *Person
	r    []roster.Secret
	last roster.TokenPair
}

// chained makes a session and refreshes it until it has had n tokens, a minute apart.
func (w *world) chained(t testing.TB, u *Person, n int) *chain {
	t.Helper()
	c := &chain{world: w, user: u, last: w.issue(t, u.ID)}
	c.r = append(c.r, c.last.RefreshToken)
	for len(c.r) < n {
		w.Clock.Advance(time.Minute)
		c.next(t)
	}
	return c
}

// next refreshes by the current token.
func (c *chain) next(t testing.TB) {
	t.Helper()
	pair, err := c.Refresh(t.Context(), c.r[len(c.r)-1])
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	c.last = pair
	c.r = append(c.r, pair.RefreshToken)
}

// rotations counts those that were done.
func (c *chain) rotations(t testing.TB) int {
	t.Helper()
	var generation int
	if err := c.DB.GetContext(t.Context(), &generation, "SELECT generation FROM roster_sessions WHERE id = $1", c.last.SessionID); err != nil {
		t.Fatal(err)
	}
	return generation - 1
}

// after checks how a session stands: how often it was rotated, and whether it is live.
func (c *chain) after(t testing.TB, rotations int, live bool) {
	t.Helper()
	same(t, rotations, c.rotations(t))
	same(t, live, c.rows(t, "roster_sessions WHERE id = $1 AND ended_at IS NULL", c.last.SessionID) == 1)
	if !live {
		c.dead(t, c.last)
	}
}

// SESS-27 to SESS-35, SEC-39, SEC-40, SEC-42, case 7: every row of the table of situations, and what lies between them.
func TestRefreshSituations(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
		ctx := t.Context()
		// R5 and R6 are the tokens before the last and the last of six.
		t.Run("R5 current is rotated", func(t *testing.T) {
			c := w.chained(t, u, 5)
			c.next(t)
			c.after(t, 5, true)
			w.alive(t, c.last)
		})
		t.Run("tabs A and B send R5 at once and get the same R6", func(t *testing.T) {
			c := w.chained(t, u, 5)
			pairs := c.atOnce(t, 64, c.r[4])
			access := map[roster.Secret]bool{}
			for _, pair := range pairs {
				same(t, pairs[0].RefreshToken, pair.RefreshToken)
				access[pair.AccessToken] = true
				w.alive(t, pair)
			}
			same(t, 64, len(access))
			c.after(t, 5, true)
		})
		for _, wait := range []time.Duration{0, 9999 * time.Millisecond, 10 * time.Second} {
			t.Run("R5 again "+wait.String()+" after gets R6 again", func(t *testing.T) {
				c := w.chained(t, u, 6)
				w.Clock.Advance(wait)
				pair, err := w.Refresh(ctx, c.r[4])
				if err != nil || pair.RefreshToken != c.r[5] || pair.AccessToken == c.last.AccessToken {
					t.Fatalf("%v, %v", pair, err)
				}
				c.after(t, 5, true)
				c.next(t) // R6 is still good
			})
		}
		t.Run("R5 again 10.001 s after is a reuse", func(t *testing.T) {
			c := w.chained(t, u, 6)
			w.Clock.Advance(10*time.Second + time.Millisecond)
			c.reused(t, c.r[4], 5)
		})
		for _, wait := range []time.Duration{0, time.Second, 5 * time.Minute} {
			t.Run("R4 "+wait.String()+" after R6 is a reuse", func(t *testing.T) {
				c := w.chained(t, u, 6)
				w.Clock.Advance(wait)
				c.reused(t, c.r[3], 5)
			})
		}
		t.Run("R5 within 10 s, with R6 used already, is a reuse", func(t *testing.T) {
			c := w.chained(t, u, 6)
			c.next(t)
			w.Clock.Advance(time.Second)
			c.reused(t, c.r[4], 6)
		})
		t.Run("R6 with one character changed is refused and disturbs nothing", func(t *testing.T) {
			c := w.chained(t, u, 6)
			before := w.tables(t)
			token := c.r[5].Reveal()
			for i := range token {
				for _, other := range []byte{'A', 'b', '.', '\n'} {
					if altered := token[:i] + string(other) + token[i+1:]; altered != token {
						_, err := w.Refresh(ctx, roster.Secret(altered))
						refused(t, err, roster.ErrInvalidRefresh)
					}
				}
				_, err := w.Refresh(ctx, roster.Secret(token[:i]))
				refused(t, err, roster.ErrInvalidRefresh)
			}
			same(t, before, w.tables(t))
			c.after(t, 5, true)
		})
		t.Run("R6 of a session at 14 d idle is late, and just before it is not, case 8", func(t *testing.T) {
			c := w.chained(t, u, 6)
			w.Clock.Advance(14*24*time.Hour - time.Microsecond)
			c.next(t)
			w.Clock.Advance(14 * 24 * time.Hour)
			for _, token := range []roster.Secret{c.r[6], c.r[5], c.r[0]} {
				_, err := w.Refresh(ctx, token)
				refused(t, err, roster.ErrSessionExpired)
			}
			same(t, 6, c.rotations(t))
		})
		t.Run("refreshed daily it is late at 90 d, case 8", func(t *testing.T) {
			c := w.chained(t, u, 1)
			for range 89 {
				w.Clock.Advance(24 * time.Hour)
				c.next(t)
			}
			w.Clock.Advance(24*time.Hour - time.Second) // SESS-5: an access token lives for whole seconds
			c.next(t)
			same(t, time.Second, c.last.RefreshExpiresIn)
			w.Clock.Advance(time.Second)
			_, err := w.Refresh(ctx, c.r[len(c.r)-1])
			refused(t, err, roster.ErrSessionExpired)
		})
		t.Run("a log-out while R6 is being refreshed leaves nothing that works", func(t *testing.T) {
			for range 5 {
				c := w.chained(t, u, 6)
				var wg sync.WaitGroup
				var pair roster.TokenPair
				var refreshErr, logoutErr error
				wg.Go(func() { pair, refreshErr = w.Refresh(ctx, c.r[5]) })
				wg.Go(func() { logoutErr = w.Logout(ctx, c.r[5]) })
				wg.Wait()
				same(t, nil, logoutErr)
				if refreshErr == nil {
					w.dead(t, pair)
				} else {
					refused(t, refreshErr, roster.ErrSessionRevoked)
				}
				w.dead(t, c.last)
			}
		})
	})
}

// atOnce refreshes by one token at once.
func (c *chain) atOnce(t testing.TB, n int, token roster.Secret) []roster.TokenPair {
	t.Helper()
	pairs := make([]roster.TokenPair, n)
	codes := atOnce(n, func(i int) (err error) {
		pairs[i], err = c.Refresh(context.WithoutCancel(t.Context()), token)
		return err
	})
	same(t, map[roster.Code]int{"": n}, codes)
	return pairs
}

// reused sends a token that was spent: the session ends, and the user is told once (SESS-30, SESS-31).
func (c *chain) reused(t testing.TB, token roster.Secret, rotations int) {
	t.Helper()
	c.posted(t)
	var events []callbacks.TokenReuse
	remove := c.On.TokenReuse.On(func(_ context.Context, e *callbacks.TokenReuse) error { events = append(events, *e); return nil })
	c.fired()
	_, err := c.Refresh(t.Context(), token)
	refused(t, err, roster.ErrTokenReused)
	same(t, []string{
		"AfterSessionRevoke", "AfterTokenReuse", "BeforeMessage", "AfterMessage", "OnSessionRevoke", "OnTokenReuse", "OnMessage",
	}, c.fired())
	remove()
	same(t, 1, len(events))
	same(t, []any{c.user.ID, c.last.SessionID}, []any{events[0].UserID, events[0].SID})
	c.after(t, rotations, false)
	same(t, 1, c.rows(t, "roster_sessions WHERE id = $1 AND ended_reason = 'reuse'", c.last.SessionID))
	for _, again := range []roster.Secret{token, c.r[0]} {
		_, err = c.Refresh(t.Context(), again)
		refused(t, err, roster.ErrSessionRevoked)
	}
	same(t, []string(nil), c.fired())
	same(t, []string{"token_reuse to anna@example.com"}, c.posted(t))
}

// SESS-27, SESS-38, HOOK-63, cases 6 and 9: what a refresh reads anew, and what it leaves.
func TestRefreshReads(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		pair := *w.enter(t, "anna").Tokens
		logged := w.read(t, u.ID)
		w.Clock.Advance(time.Minute)
		w.exec(t, "UPDATE users SET permissions = '[\"x\"]', superuser = true")
		w.fired()
		next, err := w.Refresh(t.Context(), pair.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		same(t, []string(nil), w.fired())
		before, err := w.VerifyToken(t.Context(), pair.AccessToken)
		same(t, nil, err)
		after, err := w.VerifyToken(t.Context(), next.AccessToken)
		same(t, nil, err)
		want := before
		now := w.Clock.Now()
		want.IssuedAt, want.NotBefore, want.ExpiresAt, want.TokenID = now, now, now.Add(10*time.Minute), after.TokenID
		want.Permissions, want.Superuser = roster.Permissions{"x"}, true
		same(t, want, after)
		same(t, logged.LastLoginAt, w.read(t, u.ID).LastLoginAt)
		same(t, pair.SessionID, next.SessionID)
	})
}

// SESS-28, SESS-35, case 10: the state of the user.
func TestRefreshState(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for name, tt := range map[string]struct {
			set, undo string
			want      error
			ended     error // once it has ended, while the state lasts
			events    int
		}{
			"banned":      {"UPDATE users SET banned_at = $1", "UPDATE users SET banned_at = NULL", roster.ErrBanned, roster.ErrBanned, 2},
			"archived":    {"UPDATE users SET archived_at = $1", "UPDATE users SET archived_at = NULL", roster.ErrArchived, roster.ErrArchived, 2},
			"deactivated": {"UPDATE users SET deleted_at = $1", "UPDATE users SET deleted_at = NULL", roster.ErrSessionRevoked, roster.ErrSessionRevoked, 2},
		} {
			t.Run("SESS-28 ends the session of a user who is "+name, func(t *testing.T) {
				for _, previous := range []bool{false, true} { // the current token, and the previous one within the grace
					u := w.add(t, person(name+map[bool]string{true: "2"}[previous], "", ""))
					c := w.chained(t, u, 2)
					token := c.r[1]
					if previous {
						token = c.r[0]
					}
					w.exec(t, tt.set, w.Clock.Now())
					w.fired()
					_, err := w.Refresh(ctx, token)
					refused(t, err, tt.want)
					same(t, tt.events, len(w.fired()))
					_, err = w.Refresh(ctx, token)
					refused(t, err, tt.ended)
					same(t, []string(nil), w.fired())
					w.exec(t, tt.undo)
					c.after(t, 1, false)
				}
			})
		}
		t.Run("SESS-28 ends the session from before a blackout, and tells nobody", func(t *testing.T) {
			for _, previous := range []int{0, 1} {
				u := w.add(t, person([]string{"before", "before2"}[previous], "", ""))
				c := w.chained(t, u, 2)
				w.exec(t, "UPDATE roster_state SET epoch = epoch + 1")
				w.fired()
				_, err := w.Refresh(ctx, c.r[1-previous])
				refused(t, err, roster.ErrSessionRevoked)
				same(t, []string(nil), w.fired())
				c.after(t, 1, false)
			}
		})
		t.Run("SESS-35 tells the state of a session alone that ended for it", func(t *testing.T) {
			u := w.add(t, person("loggedout", "", ""))
			c := w.chained(t, u, 2)
			same(t, nil, w.Logout(ctx, c.r[1]))
			w.exec(t, "UPDATE users SET banned_at = $1", w.Clock.Now())
			_, err := w.Refresh(ctx, c.r[1])
			refused(t, err, roster.ErrSessionRevoked)
			w.exec(t, "UPDATE users SET banned_at = NULL")
		})
		t.Run("SESS-21 SESS-28 goes on when the user's epoch has moved", func(t *testing.T) {
			u := w.add(t, person("moved", "", ""))
			c := w.chained(t, u, 1)
			w.exec(t, "UPDATE users SET epoch = epoch + 1")
			c.next(t)
			w.alive(t, c.last)
		})
	})
}

// SESS-25, SESS-33: tokens of a future that a backup has undone, and of another installation.
func TestRefreshForeign(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""))
		c := w.chained(t, u, 3)
		w.exec(t, "UPDATE roster_sessions SET generation = 2")
		_, err := w.Refresh(t.Context(), c.r[2]) // its secret is the stored one: it is the current token all the same
		same(t, nil, err)
		c = w.chained(t, u, 3)
		w.exec(t, "UPDATE roster_sessions SET generation = 1, secret_hash = previous_hash, previous_hash = NULL, successor = NULL WHERE id = $1", c.last.SessionID)
		var since time.Time
		w.audited(t, &since)
		_, err = w.Refresh(t.Context(), c.r[2])
		refused(t, err, roster.ErrInvalidRefresh)
		same(t, []string{"token.refresh refused invalid_refresh_token"}, w.audited(t, &since))
		same(t, 1, w.rows(t, "roster_sessions WHERE id = '"+c.last.SessionID.String()+"' AND ended_at IS NULL AND generation = 1"))
		before := w.tables(t)
		_, err = w.Revoke(t.Context(), c.r[2])
		refused(t, err, roster.ErrInvalidRefresh)
		same(t, before, w.tables(t))
	})
}

// HOOK-28, SESS-30: a reuse ends the session whatever hooks say, and whatever becomes of the program's transaction.
func TestReuseStands(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
		fault := errors.New("no")
		for name, add := range map[string]func() func(){
			"the hook of the reuse": func() func() {
				return w.On.TokenReuse.After(func(context.Context, *callbacks.TokenReuse) error { return fault })
			},
			"the hook of the end": func() func() {
				return w.On.SessionRevoke.After(func(context.Context, *callbacks.SessionRevoke) error { panic("no") })
			},
			"the hook of the message": func() func() {
				return w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			},
			"the hook of the queued message": func() func() {
				return w.On.Message.After(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			},
		} {
			t.Run("SESS-30 stands although it fails in "+name, func(t *testing.T) {
				c := w.chained(t, u, 3)
				remove := add()
				_, err := w.Refresh(t.Context(), c.r[0])
				remove()
				refused(t, err, roster.ErrTokenReused)
				c.after(t, 2, false)
			})
		}
		t.Run("SESS-30 stands although the transaction around it is undone", func(t *testing.T) {
			c := w.chained(t, u, 3)
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				_, err := w.Refresh(ctx, c.r[0])
				refused(t, err, roster.ErrTokenReused)
				return fault
			})
			same(t, true, err != nil)
			c.after(t, 2, false)
		})
		t.Run("SESS-37 a refresh is undone with the transaction around it", func(t *testing.T) {
			c := w.chained(t, u, 3)
			_ = w.InTx(t.Context(), func(ctx context.Context) error {
				_, err := w.Refresh(ctx, c.r[2])
				same(t, nil, err)
				return fault
			})
			c.after(t, 2, true)
			c.next(t)
		})
		t.Run("SESS-37 a cancelled caller rotates nothing, or all", func(t *testing.T) {
			c := w.chained(t, u, 1)
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := w.Refresh(gone, c.r[0]); err == nil {
				t.Error("no error")
			}
			c.after(t, 0, true)
			c.next(t)
		})
	})
}

// SESS-41 to SESS-44, case 11: revoking.
func TestRevoke(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""))
		stranger := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser}) // SESS-43
		for name, token := range map[string]int{"the current token": 2, "the previous one": 1, "the oldest": 0} {
			t.Run("SESS-41 SESS-42 ends the session of "+name, func(t *testing.T) {
				c := w.chained(t, u, 3)
				var reasons []roster.RevokeReason
				defer w.On.SessionRevoke.On(func(_ context.Context, e *callbacks.SessionRevoke) error {
					reasons = append(reasons, e.Reason)
					return nil
				})()
				w.fired()
				at, err := w.Revoke(stranger, c.r[token])
				same(t, nil, err)
				same(t, w.Clock.Now(), at)
				same(t, []roster.RevokeReason{roster.RevokedByToken}, reasons)
				same(t, []string{"AfterSessionRevoke", "OnSessionRevoke"}, w.fired())
				c.after(t, 2, false)
				w.Clock.Advance(time.Hour)
				for _, r := range c.r {
					again, err := w.Revoke(stranger, r)
					same(t, nil, err)
					same(t, at, again)
				}
				same(t, []string(nil), w.fired())
			})
		}
		t.Run("SESS-41 refuses the token of a user who is gone", func(t *testing.T) {
			c := w.chained(t, u, 1)
			if err := w.Delete(t.Context(), u.ID, roster.Remove); err != nil {
				t.Fatal(err)
			}
			_, err := w.Revoke(stranger, c.r[0])
			refused(t, err, roster.ErrInvalidRefresh)
		})
	})
}

// keeper is a program that lets no session be revoked.
type keeper struct{ usersrepo.UsersRepo[*Person] }

func (*keeper) RevokeSession(context.Context, roster.ID, roster.ID) error { return nil }

// HOOK-2: an override that keeps the session does not make Revoke go round for ever.
func TestRevokeOverride(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
	if err := usersrepo.Init(k, cfg); err != nil {
		t.Fatal(err)
	}
	u, err := k.Create(t.Context(), person("anna", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := k.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Revoke(t.Context(), pair.RefreshToken)
	refused(t, err, roster.ErrConflict)
}

// SESS-29: without a grace the previous token is a reuse at once.
func TestRefreshWithoutGrace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
		c := w.chained(t, u, 2)
		c.reused(t, c.r[0], 1)
	}, func(cfg *usersrepo.Config) { cfg.Session.Grace = -1 })
}

// SESS-25, SEC-41: no altered token reaches the database.
func TestRefreshAlteredReadsNothing(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	pair := w.issue(t, w.add(t, person("anna", "", "")).ID)
	y.taken()
	token := pair.RefreshToken.Reveal()
	head, body := token[:strings.LastIndex(token, ".")+1], token[strings.LastIndex(token, ".")+1:]
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		altered := append([]byte(nil), raw...)
		altered[bit/8] ^= 1 << (bit % 8)
		_, err := w.Refresh(t.Context(), roster.Secret(head+base64.RawURLEncoding.EncodeToString(altered)))
		refused(t, err, roster.ErrInvalidRefresh)
	}
	for _, junk := range []string{"rt1.other." + body, "rt2" + token[3:], body, head, strings.Repeat("A", 257)} {
		_, err := w.Refresh(t.Context(), roster.Secret(junk))
		refused(t, err, roster.ErrInvalidRefresh)
	}
	same(t, []string(nil), y.taken())
}
