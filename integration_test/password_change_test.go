package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// within is the context of a user in a session of theirs.
func (w *world) within(t testing.TB, pair roster.TokenPair) context.Context {
	t.Helper()
	claims, err := w.VerifyToken(t.Context(), pair.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: claims.Subject, SID: claims.SessionID, AuthTime: claims.AuthTime})
}

// wins runs fn 64 times at once and returns how many had no error.
func wins(fn func(i int) error) int {
	var won atomic.Int64
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			if fn(i) == nil {
				won.Add(1)
			}
		})
	}
	group.Wait()
	return int(won.Load())
}

// PASS-7, PASS-8, case 1, case 2: whether there is a password, and setting one where there is none.
func TestSetPassword(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
		t.Run("PASS-7 PASS-8 PASS-1 PASS-3 sets it, tells the owner, and keeps the own session", func(t *testing.T) {
			status, err := w.GetPasswordStatus(ctx, u.ID)
			same(t, nil, err)
			same(t, roster.PasswordStatus{Status: roster.PasswordToSet}, status)
			own, other := w.issue(t, u.ID), w.issue(t, u.ID)
			w.fired()
			same(t, nil, w.SetPassword(w.within(t, own), u.ID, secret))
			same(t, []string{
				"BeforePasswordChange", "AfterSessionRevoke", "BeforeMessage", "AfterMessage", "AfterPasswordChange",
				"OnSessionRevoke", "OnMessage", "OnPasswordChange",
			}, w.fired())
			same(t, []string{"password_changed to anna@example.com"}, w.posted(t))
			_, err = w.VerifyToken(ctx, own.AccessToken)
			refused(t, err, roster.ErrTokenExpired)
			next, err := w.Refresh(ctx, own.RefreshToken)
			same(t, nil, err)
			w.alive(t, next)
			w.dead(t, other)
			w.enter(t, "anna")
			status, err = w.GetPasswordStatus(ctx, u.ID)
			same(t, nil, err)
			same(t, roster.PasswordToChange, status.Status)
			same(t, w.Clock.Now(), *status.ChangedAt)
		})
		t.Run("PASS-8 SEC-71 sets no second one, whatever it is, unless trusted code replaces it", func(t *testing.T) {
			for _, password := range []roster.Secret{"", "short", "another good one"} {
				refused(t, w.SetPassword(ctx, u.ID, password), roster.ErrPasswordAlreadySet)
			}
			own := w.within(t, w.issue(t, u.ID))
			refused(t, w.SetPassword(own, u.ID, "another good one", roster.ReplacePassword()), roster.ErrForbidden)
			refused(t, w.SetPassword(own, u.ID, "x", roster.SkipPasswordPolicy()), roster.ErrForbidden)
			refused(t, w.SetPassword(ctx, u.ID, "x", roster.ReplacePassword()), roster.ErrValidationFailed, "password:common", "password:too_short")
			refused(t, w.SetPassword(ctx, u.ID, "", roster.ReplacePassword(), roster.SkipPasswordPolicy()), roster.ErrValidationFailed, "password:invalid")
			pair := w.issue(t, u.ID)
			same(t, nil, w.SetPassword(ctx, u.ID, "x", roster.ReplacePassword(), roster.SkipPasswordPolicy()))
			w.dead(t, pair)
			same(t, nil, w.CheckPassword(ctx, u.ID, "x"))
		})
		t.Run("SEC-71 is for nobody else", func(t *testing.T) {
			none := w.add(t, person("none", "", ""))
			chief := w.add(t, person("chief", "", ""), roster.WithSuperuser(true))
			as := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: chief.ID})
			refused(t, w.SetPassword(as, none.ID, secret), roster.ErrForbidden)
			_, err := w.ChangePassword(as, u.ID, "x", secret)
			refused(t, err, roster.ErrForbidden)
			_, err = w.SetPasswordResetToken(as, u.ID)
			refused(t, err, roster.ErrForbidden)
			refused(t, w.SetPassword(ctx, w.NewID(), secret), roster.ErrNotFound)
			_, err = w.GetPasswordStatus(ctx, w.NewID())
			refused(t, err, roster.ErrNotFound)
		})
		t.Run("PASS-6 sets one of sixty-four at once", func(t *testing.T) {
			u := w.add(t, person("many", "", ""))
			ctx := context.WithoutCancel(ctx)
			same(t, 1, wins(func(i int) error {
				return w.SetPassword(ctx, u.ID, roster.Secret(fmt.Sprintf("password number %d", i)))
			}))
		})
	})
}

// PASS-9, PASS-3, SEC-37, SEC-71, case 3, case 4: changing a password by the old one.
func TestChangePassword(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		t.Run("PASS-9 tells of a wrong old one before all else", func(t *testing.T) {
			own := w.within(t, w.issue(t, u.ID))
			for _, password := range []roster.Secret{"", "short", "wrong", "another good one"} {
				_, err := w.ChangePassword(own, u.ID, "wrong", password)
				refused(t, err, roster.ErrInvalidPassword, "old_password:invalid_password")
			}
			for _, password := range []roster.Secret{secret, "ｃorrect horse battery"} {
				_, err := w.ChangePassword(own, u.ID, secret, password)
				refused(t, err, roster.ErrValidationFailed, "password:same_password")
			}
			for password, faults := range map[roster.Secret][]string{
				"short7!": {"password:too_short"}, "iloveyou": {"password:common"}, "annaanna": {"password:common", "password:similar"}, "": {"password:invalid"},
			} {
				_, err := w.ChangePassword(own, u.ID, secret, password)
				refused(t, err, roster.ErrValidationFailed, faults...)
			}
			same(t, nil, w.CheckPassword(ctx, u.ID, secret))
		})
		t.Run("PASS-3 PASS-9 SEC-37 keeps the own session with another pair, and ends the others", func(t *testing.T) {
			own, other := w.issue(t, u.ID), w.issue(t, u.ID)
			pair, err := w.ChangePassword(w.within(t, own), u.ID, secret, "another good one")
			same(t, nil, err)
			same(t, own.SessionID, pair.SessionID)
			w.alive(t, pair)
			w.dead(t, other)
			_, err = w.VerifyToken(ctx, own.AccessToken)
			refused(t, err, roster.ErrTokenExpired)
			next, err := w.Refresh(ctx, pair.RefreshToken)
			same(t, nil, err)
			w.alive(t, next)
			_, err = w.Refresh(ctx, own.RefreshToken)
			refused(t, err, roster.ErrTokenReused)
			refused(t, w.CheckPassword(ctx, u.ID, secret), roster.ErrInvalidPassword)
			same(t, nil, w.CheckPassword(ctx, u.ID, "another good one"))
		})
		t.Run("PASS-3 ends all without a session", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			got, err := w.ChangePassword(ctx, u.ID, "another good one", secret)
			same(t, nil, err)
			same(t, roster.TokenPair{}, got)
			w.dead(t, pair)
		})
		t.Run("PASS-9 ACCT-4 needs a password, and a proven contact", func(t *testing.T) {
			none := w.add(t, person("none", "", ""))
			_, err := w.ChangePassword(ctx, none.ID, "", secret)
			refused(t, err, roster.ErrPasswordNotSet)
			fresh := w.add(t, person("fresh", "fresh@example.com", ""), roster.WithPassword(secret))
			_, err = w.ChangePassword(w.within(t, w.issue(t, fresh.ID)), fresh.ID, "wrong", "another good one")
			refused(t, err, roster.ErrNotVerified)
			_, err = w.ChangePassword(ctx, w.NewID(), secret, "another good one")
			refused(t, err, roster.ErrNotFound)
		})
		t.Run("PASS-2 leaves all as it was when a hook refuses, case 20", func(t *testing.T) {
			own, other := w.issue(t, u.ID), w.issue(t, u.ID)
			w.posted(t)
			before, fault := w.tables(t), errors.New("no")
			defer w.On.PasswordChange.After(func(context.Context, *callbacks.PasswordChange[*Person]) error { return fault })()
			_, err := w.ChangePassword(w.within(t, own), u.ID, secret, "another good one")
			same(t, true, errors.Is(err, fault))
			same(t, before, w.tables(t))
			w.alive(t, own)
			w.alive(t, other)
			same(t, []string(nil), w.posted(t))
		})
		t.Run("PASS-6 PASS-9 lets one of sixty-four have it", func(t *testing.T) {
			ctx, pairs := context.WithoutCancel(ctx), [64]roster.TokenPair{}
			own := w.within(t, w.issue(t, u.ID))
			same(t, 1, wins(func(i int) error {
				var err error
				pairs[i], err = w.ChangePassword(context.WithoutCancel(own), u.ID, secret, roster.Secret(fmt.Sprintf("password number %d", i)))
				return err
			}))
			for i, pair := range pairs {
				if pair != (roster.TokenPair{}) {
					w.alive(t, pair)
					w.Clock.Advance(1 << 40)
					same(t, nil, w.CheckPassword(ctx, u.ID, roster.Secret(fmt.Sprintf("password number %d", i))))
				}
			}
		})
	})
}

// PASS-23 to PASS-27, SEC-62, case 14: the policy holds by every way.
func TestPasswordPolicy(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	inEach(t, func(t *testing.T, w *world) {
		ctx, n := t.Context(), 0
		ways := map[string]func(t *testing.T, password roster.Secret) error{
			"register": func(t *testing.T, password roster.Secret) error {
				n++
				_, _, err := w.Register(ctx, person("marion.weber", "marion.weber@example.com", "+12025550123"), password)
				return err
			},
			"create": func(t *testing.T, password roster.Secret) error {
				_, err := w.Create(ctx, person("marion.weber", "marion.weber@example.com", "+12025550123"), roster.WithPassword(password), roster.WithPasswordPolicy())
				return err
			},
		}
		u := w.add(t, person("marion.webe", "marion.weber@example.net", "+12025550124"), roster.WithPassword(secret), roster.WithEmailVerified())
		none := w.add(t, person("marion.web", "marion.weber@example.org", "+12025550125"))
		first := w.invitation(t, none.ID)
		reset, err := w.SetPasswordResetToken(ctx, u.ID)
		same(t, nil, err)
		ways["set"] = func(t *testing.T, password roster.Secret) error { return w.SetPassword(ctx, none.ID, password) }
		ways["change"] = func(t *testing.T, password roster.Secret) error {
			_, err := w.ChangePassword(ctx, u.ID, secret, password)
			return err
		}
		ways["reset"] = func(t *testing.T, password roster.Secret) error {
			_, err := w.ResetPassword(ctx, reset, password)
			return err
		}
		ways["first"] = func(t *testing.T, password roster.Secret) error {
			_, err := w.SetFirstPassword(ctx, first, password)
			return err
		}
		for name, set := range ways {
			t.Run("PASS-27 by "+name, func(t *testing.T) {
				for password, faults := range map[roster.Secret][]string{
					"": {"password:invalid"}, "short7!": {"password:too_short"}, "PassWord": {"password:common"}, "abababab": {"password:common"},
					"Example!": {"password:similar"}, "Marion.Weber1": {"password:similar"}, "rebew.noiram": {"password:similar"},
					"leaked long ago": {"password:breached"}, "named otherwise": {"password:breached", "password:invalid"},
				} {
					refused(t, set(t, password), roster.ErrValidationFailed, faults...)
				}
				refused(t, set(t, roster.Secret(strings.Repeat("ab", 513))), roster.ErrValidationFailed, "password:too_long")
			})
		}
		t.Run("PASS-27 is measured on what hooks have made of a user", func(t *testing.T) {
			defer w.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error {
				e.User.Username = new("somebody.else")
				return nil
			})()
			_, _, err := w.Register(ctx, person("marion", "", ""), "somebody.else1")
			refused(t, err, roster.ErrValidationFailed, "password:similar")
		})
		t.Run("PASS-26 gives the program's rule the user", func(t *testing.T) {
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(strings.Join(asked, " "), "marion.weber") {
				t.Errorf("asked for %q", asked)
			}
		})
		t.Run("PASS-25 passes what could not be looked up", func(t *testing.T) {
			same(t, nil, w.SetPassword(ctx, none.ID, "the checker is down"))
		})
	}, func(cfg *usersrepo.Config) {
		cfg.Password.Breached = breaches{}
		cfg.Password.Check = func(_ context.Context, user roster.Model, password roster.Secret) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, *user.Base().Username)
			if strings.HasPrefix(password.Reveal(), "named") {
				return roster.FieldErrors{{Field: "password", Code: roster.Invalid}}.Err()
			}
			return nil
		}
	}, withoutLanes)
}

// PASS-25: whoever knows the breached passwords is down, and there is no rule of the program's that might hide it.
func TestPASS_25_Down(t *testing.T) {
	for closed, want := range map[bool]roster.Code{false: "", true: roster.CodeUnavailable} {
		t.Run(fmt.Sprintf("closed %t", closed), func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) {
				_, _, err := w.Register(t.Context(), person("marion", "", ""), "the checker is down")
				same(t, want, codeOf(err))
			}, func(cfg *usersrepo.Config) {
				cfg.Password.Breached, cfg.Password.BreachedFailClosed = breaches{}, closed
			})
		})
	}
}

// breaches knows two passwords.
type breaches struct{}

func (breaches) Breached(_ context.Context, password roster.Secret) (bool, error) {
	if password == "the checker is down" {
		return false, errors.New("down")
	}
	return password == "leaked long ago" || password == "named otherwise", nil
}
