package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// enter logs in by a password.
func (w *world) enter(t testing.TB, login string) roster.Login[*Person] {
	t.Helper()
	entered, err := w.Login(t.Context(), roster.PasswordCredentials(login, secret))
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	return entered
}

// ACCT-27 to ACCT-30, ACCT-36: logging in.
func TestLogin(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		t.Run("ACCT-27 ACCT-29 returns the user and a session of its own", func(t *testing.T) {
			var events []callbacks.Login[*Person]
			see := func(_ context.Context, e *callbacks.Login[*Person]) error { events = append(events, *e); return nil }
			defer w.On.Login.Before(see)()
			defer w.On.Login.After(see)()
			defer w.On.Login.On(see)()
			w.Clock.Advance(time.Minute)
			w.fired()
			credentials := roster.PasswordCredentials("anna", secret)
			credentials.Captcha = "proof"
			first, err := w.Login(t.Context(), credentials)
			if err != nil {
				t.Fatal(err)
			}
			same(t, []string{"BeforeLogin", "AfterLogin", "OnLogin"}, w.fired())
			for i, e := range events {
				same(t, []any{roster.ViaPassword, "pwd", "proof", u.ID}, []any{e.Via, e.AMR[0], e.Captcha, e.User.ID})
				same(t, i > 0, e.Session == first.Tokens.SessionID)
			}
			want := *u
			want.LastLoginAt = new(w.Clock.Now())
			same(t, &want, first.User)
			same(t, &want, w.read(t, u.ID))
			second := w.enter(t, "anna")
			if second.Tokens.SessionID == first.Tokens.SessionID {
				t.Error("ACCT-36: two log-ins share a session")
			}
			same(t, 2, w.rows(t, "roster_sessions WHERE ended_at IS NULL"))
		})
		t.Run("ACCT-30 obeys a hook, which changes nothing", func(t *testing.T) {
			var reasons []roster.LoginFailure
			defer w.On.LoginFailed.On(func(_ context.Context, e *callbacks.LoginFailed) error {
				reasons = append(reasons, e.Reason)
				return nil
			})()
			before := w.tables(t)
			remove := w.On.Login.Before(func(context.Context, *callbacks.Login[*Person]) error {
				return callbacks.Reject("office_hours").Status(409)
			})
			for range 15 { // not counted as failures
				_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
				if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Code != "office_hours" || e.Status != 409 {
					t.Fatalf("%+v", err)
				}
			}
			remove()
			same(t, before, w.tables(t))
			same(t, 15, len(reasons))
			same(t, roster.FailedVetoed, reasons[0])
			w.enter(t, "anna")
		})
		t.Run("ACCT-30 clears no counter when a hook refuses", func(t *testing.T) {
			fail := func() { _, _ = w.Login(t.Context(), roster.PasswordCredentials("anna", "wrong")) }
			for range 9 {
				fail()
			}
			remove := w.On.Login.Before(func(context.Context, *callbacks.Login[*Person]) error { return callbacks.Reject("no") })
			_, _ = w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
			remove()
			fail()
			_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
			refused(t, err, roster.ErrTooManyRequests)
			w.Clock.Advance(time.Second)
			w.enter(t, "anna")
		})
		t.Run("ACCT-27 leaves nothing when an After hook fails", func(t *testing.T) {
			before, fault := w.tables(t), errors.New("no")
			defer w.On.Login.After(func(context.Context, *callbacks.Login[*Person]) error { return fault })()
			_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
			same(t, true, errors.Is(err, fault))
			same(t, before, w.tables(t))
		})
	})
}

// checker is a program in which the state of a user changes between the check of the password and the session.
type checker struct {
	usersrepo.UsersRepo[*Person]
	between func(ctx context.Context)
}

func (c *checker) CheckPassword(ctx context.Context, id roster.ID, password roster.Secret) error {
	err := c.UsersRepo.CheckPassword(ctx, id, password)
	c.between(ctx)
	return err
}

// ACCT-28, SEC-29: the state is judged again when the session is made.
func TestLoginStateChangesMeanwhile(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		c := &checker{between: func(context.Context) {}}
		cfg, kit := rostertest.Config(t, db)
		if err := usersrepo.Init(c, cfg); err != nil {
			t.Fatal(err)
		}
		u, err := c.Create(t.Context(), person("anna", "", ""), roster.WithPassword(secret))
		if err != nil {
			t.Fatal(err)
		}
		exec := func(ctx context.Context, statement string, args ...any) {
			if _, err := db.ExecContext(ctx, statement, args...); err != nil {
				t.Error(err)
			}
		}
		for _, tt := range []struct {
			name    string
			between func(ctx context.Context)
			want    error
		}{
			{"banned", func(ctx context.Context) { exec(ctx, "UPDATE users SET banned_at = $1", kit.Clock.Now()) }, roster.ErrBanned},
			{"archived", func(ctx context.Context) {
				exec(ctx, "UPDATE users SET banned_at = NULL, archived_at = $1", kit.Clock.Now())
			}, roster.ErrArchived},
			{"deactivated", func(ctx context.Context) {
				exec(ctx, "UPDATE users SET archived_at = NULL")
				if err := c.Delete(context.WithoutCancel(t.Context()), u.ID, roster.Deactivate); err != nil {
					t.Error(err)
				}
			}, roster.ErrInvalidCredentials},
			{"removed", func(context.Context) {
				_ = c.Delete(context.WithoutCancel(t.Context()), u.ID, roster.Remove)
			}, roster.ErrInvalidCredentials},
		} {
			for _, attempt := range []func() error{
				func() error { _, err := c.Login(t.Context(), roster.PasswordCredentials("anna", secret)); return err },
				func() error {
					_, err := c.Authenticate(t.Context(), roster.PasswordCredentials("anna", secret))
					return err
				},
			} {
				if tt.name == "deactivated" {
					exec(t.Context(), "UPDATE users SET deleted_at = NULL, delete_mode = NULL")
				}
				c.between = tt.between
				if err := attempt(); !errors.Is(err, tt.want) {
					t.Errorf("%s meanwhile: %v, want %v", tt.name, err, tt.want)
				}
				c.between = func(context.Context) {}
			}
			var sessions int
			if err := db.GetContext(t.Context(), &sessions, "SELECT count(*) FROM roster_sessions"); err != nil || sessions > 0 {
				t.Errorf("%s meanwhile: %d sessions, %v", tt.name, sessions, err)
			}
		}
	})
}

// ACCT-37 to ACCT-39, cases 19 and 20: logging out.
func TestLogout(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		var events []callbacks.Logout
		w.On.Logout.On(func(_ context.Context, e *callbacks.Logout) error { events = append(events, *e); return nil })
		dead := func(t *testing.T, pair *roster.TokenPair) {
			t.Helper()
			_, err := w.VerifyToken(t.Context(), pair.AccessToken)
			if !errors.Is(err, roster.ErrTokenExpired) {
				refused(t, err, roster.ErrSessionRevoked)
			}
			_, err = w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrSessionRevoked)
		}
		other := w.enter(t, "anna").Tokens
		for name, token := range map[string]func(pair *roster.TokenPair) roster.Secret{
			"a refresh token": func(pair *roster.TokenPair) roster.Secret { return pair.RefreshToken },
			"an access token": func(pair *roster.TokenPair) roster.Secret { return pair.AccessToken },
			"an access token that expired an hour ago": func(pair *roster.TokenPair) roster.Secret {
				w.Clock.Advance(70 * time.Minute)
				return pair.AccessToken
			},
			"a spent refresh token": func(pair *roster.TokenPair) roster.Secret {
				if _, err := w.Refresh(t.Context(), pair.RefreshToken); err != nil {
					t.Fatal(err)
				}
				return pair.RefreshToken
			},
		} {
			t.Run("ACCT-37 ends the session of "+name, func(t *testing.T) {
				pair := w.enter(t, "anna").Tokens
				given := token(pair)
				events = nil
				w.fired()
				same(t, nil, w.Logout(t.Context(), given))
				same(t, []string{"BeforeLogout", "AfterSessionRevoke", "AfterLogout", "OnSessionRevoke", "OnLogout"}, w.fired())
				same(t, []any{u.ID, pair.SessionID}, []any{events[0].UserID, events[0].SID})
				same(t, 1, w.rows(t, "roster_sessions WHERE id = $1 AND ended_reason = 'logout'", pair.SessionID))
				dead(t, pair)
				// ACCT-38
				same(t, nil, w.Logout(t.Context(), given))
				same(t, []string(nil), w.fired())
				if _, err := w.Refresh(t.Context(), other.RefreshToken); err != nil {
					t.Errorf("another session: %v", err)
				}
				other = w.enter(t, "anna").Tokens
			})
		}
		t.Run("ACCT-39 goes on when a hook refuses", func(t *testing.T) {
			pair := w.enter(t, "anna").Tokens
			remove := w.On.Logout.Before(func(context.Context, *callbacks.Logout) error { return callbacks.Reject("stay") })
			same(t, roster.Code("stay"), codeOf(w.Logout(t.Context(), pair.RefreshToken)))
			remove()
			_, err := w.VerifyToken(t.Context(), pair.AccessToken)
			same(t, nil, err)
		})
		t.Run("ACCT-38 is content with a user who is gone", func(t *testing.T) {
			pair := w.enter(t, "anna").Tokens
			if err := w.Delete(t.Context(), u.ID, roster.Remove); err != nil {
				t.Fatal(err)
			}
			w.fired()
			same(t, nil, w.Logout(t.Context(), pair.RefreshToken))
			same(t, nil, w.Logout(t.Context(), pair.AccessToken))
			same(t, []string(nil), w.fired())
		})
		t.Run("ACCT-38 refuses what is no token of ours", func(t *testing.T) {
			for _, token := range []roster.Secret{"", "x", "rt1.test.AAAA", other.AccessToken[:20], other.RefreshToken + "x", other.AccessToken + "x"} {
				refused(t, w.Logout(t.Context(), token), roster.ErrInvalidToken)
			}
		})
	})
}
