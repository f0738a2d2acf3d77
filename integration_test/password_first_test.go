package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// invitation asks for a link by which a user sets a first password, and returns its token.
func (w *world) invitation(t testing.TB, id roster.ID) roster.Secret {
	t.Helper()
	w.posted(t)
	if err := w.RequestPasswordSet(t.Context(), id); err != nil {
		t.Fatalf("request a first password: %v", err)
	}
	return w.token(t)
}

// PASS-53, PASS-54: asking for the link.
func TestRequestPasswordSet(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "Anna@example.com", ""))
		t.Run("PASS-53 PASS-54 mails it to the stored address", func(t *testing.T) {
			var kinds []callbacks.PasswordRequestKind
			defer w.On.PasswordResetRequest.On(func(_ context.Context, e *callbacks.PasswordResetRequest[*Person]) error {
				kinds = append(kinds, e.Kind)
				return nil
			})()
			w.fired()
			same(t, nil, w.RequestPasswordSet(ctx, u.ID))
			same(t, []string{
				"BeforePasswordResetRequest", "BeforeMessage", "AfterMessage", "AfterPasswordResetRequest", "OnMessage", "OnPasswordResetRequest",
			}, w.fired())
			same(t, []callbacks.PasswordRequestKind{callbacks.RequestFirst}, kinds)
			same(t, []string{"password_first to Anna@example.com"}, w.posted(t))
		})
		t.Run("PASS-54 refuses who has one, and who has no address", func(t *testing.T) {
			refused(t, w.RequestPasswordSet(ctx, w.add(t, person("berta", "berta@example.com", ""), roster.WithPassword(secret)).ID), roster.ErrPasswordAlreadySet)
			refused(t, w.RequestPasswordSet(ctx, w.add(t, person("carla", "", "+12025550101")).ID), roster.ErrNotFound)
		})
		t.Run("PASS-44 PASS-54 sends no more than two in half an hour, and keeps the second good", func(t *testing.T) {
			token := w.invitation(t, u.ID)
			err := w.RequestPasswordSet(ctx, u.ID)
			refused(t, err, roster.ErrQuotaExhausted)
			if e := (*roster.Error)(nil); !errors.As(err, &e) || e.RetryAfter <= 0 || e.RetryAfter > 30*time.Minute {
				t.Errorf("%+v", err)
			}
			_, err = w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
		})
		t.Run("MGMT-7 is for superusers alone when it is about one", func(t *testing.T) {
			chief := w.add(t, person("chief", "chief@example.com", ""), roster.WithSuperuser(true))
			admin := w.add(t, person("keeper", "", ""), roster.WithPermissions("users:update"))
			as := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: admin.ID})
			refused(t, w.RequestPasswordSet(as, chief.ID), roster.ErrForbidden)
		})
	})
}

// PASS-1, PASS-4, PASS-40, PASS-41, PASS-48, PASS-50, PASS-51, PASS-55, case 13: setting a first password.
func TestSetFirstPassword(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		n := 0
		invite := func(t *testing.T, options ...roster.CreateOption) (*Person, roster.Secret) {
			t.Helper()
			n++
			u := w.add(t, person(fmt.Sprintf("user%d", n), fmt.Sprintf("user%d@example.com", n), ""), options...)
			return u, w.invitation(t, u.ID)
		}
		t.Run("PASS-1 PASS-4 PASS-50 PASS-55 sets it, ends all, and proves the address", func(t *testing.T) {
			u, token := invite(t)
			pair := w.issue(t, u.ID)
			w.fired()
			got, err := w.SetFirstPassword(ctx, token, secret)
			if err != nil {
				t.Fatal(err)
			}
			same(t, []string{
				"BeforePasswordChange", "BeforeEmailConfirm", "AfterEmailConfirm", "AfterSessionRevoke", "BeforeMessage", "AfterMessage",
				"AfterPasswordChange", "OnEmailConfirm", "OnSessionRevoke", "OnMessage", "OnPasswordChange",
			}, w.fired())
			same(t, w.Clock.Now(), *got.EmailVerifiedAt)
			same(t, got.EmailVerifiedAt, w.read(t, u.ID).EmailVerifiedAt)
			w.dead(t, pair)
			same(t, []string{"password_changed to " + *u.Email}, w.posted(t))
			same(t, 1, w.rows(t, "roster_sessions WHERE user_id = $1 AND ended_reason = 'password'", u.ID))
			w.enter(t, *u.Username)
			w.posted(t) // that it was from a new device
			_, err = w.SetFirstPassword(ctx, token, "another good one")
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("PASS-50 proves nothing twice", func(t *testing.T) {
			_, token := invite(t, roster.WithEmailVerified())
			w.fired()
			_, err := w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
			same(t, []string{
				"BeforePasswordChange", "BeforeMessage", "AfterMessage", "AfterPasswordChange", "OnMessage", "OnPasswordChange",
			}, w.fired())
		})
		t.Run("PASS-51 SEC-86 drops what was linked before anything was proven", func(t *testing.T) {
			u, token := invite(t)
			w.link(t, u.ID, "google", "impostor", nil)
			w.link(t, u.ID, "apple", "impostor", nil)
			_, err := w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
			_, err = w.GetBySocial(ctx, "google", "impostor")
			refused(t, err, roster.ErrNotFound)
			proven, token := invite(t, roster.WithEmailVerified())
			w.link(t, proven.ID, "google", "owner", nil)
			_, err = w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
			_, err = w.GetBySocial(ctx, "google", "owner")
			same(t, nil, err)
			w.posted(t)
		})
		t.Run("PASS-48 PASS-55 judges the token, then the account, then the password, and keeps the token good", func(t *testing.T) {
			u, token := invite(t)
			for password, fault := range map[roster.Secret]string{"": "password:invalid", "short": "password:too_short", roster.Secret(strings.Repeat("x", 1025)): "password:too_long"} {
				_, err := w.SetFirstPassword(ctx, "ps_x", password)
				refused(t, err, roster.ErrInvalidToken)
				_, err = w.SetFirstPassword(ctx, token, password)
				refused(t, err, roster.ErrValidationFailed, fault)
			}
			w.exec(t, "INSERT INTO roster_passwords (user_id, hash, changed_at) VALUES ($1, 'x', $2)", u.ID, w.Clock.Now())
			_, err := w.SetFirstPassword(ctx, token, "")
			refused(t, err, roster.ErrPasswordAlreadySet)
			w.exec(t, "DELETE FROM roster_passwords WHERE user_id = $1", u.ID)
			_, err = w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
		})
		t.Run("PASS-40 ends after 24 h", func(t *testing.T) {
			_, token := invite(t)
			_, late := invite(t)
			w.Clock.Advance(24*time.Hour - time.Microsecond)
			_, err := w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
			w.Clock.Advance(time.Microsecond)
			_, err = w.SetFirstPassword(ctx, late, secret)
			refused(t, err, roster.ErrExpiredToken)
		})
		t.Run("PASS-40 PASS-41 is void once replaced", func(t *testing.T) {
			u, token := invite(t)
			newer := w.invitation(t, u.ID)
			_, err := w.SetFirstPassword(ctx, token, secret)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.SetFirstPassword(ctx, newer, secret)
			same(t, nil, err)
		})
		for name, act := range map[string]func(t *testing.T, u *Person) error{
			"the address changes": func(t *testing.T, u *Person) error {
				w.edit(t, u.ID, func(p *Person) { p.Email = new("else-" + *p.Email) })
				return nil
			},
			"the user is banned": func(t *testing.T, u *Person) error {
				w.exec(t, "UPDATE users SET banned_at = $1 WHERE id = $2", w.Clock.Now(), u.ID)
				return nil
			},
			"the user is archived by an administrator": func(t *testing.T, u *Person) error {
				w.exec(t, "UPDATE users SET archived_at = $1, archived_by = 'admin' WHERE id = $2", w.Clock.Now(), u.ID)
				return nil
			},
			"the user is deactivated": func(_ *testing.T, u *Person) error { return w.Delete(ctx, u.ID, roster.Deactivate) },
			"the user is anonymised":  func(_ *testing.T, u *Person) error { return w.Delete(ctx, u.ID, roster.Anonymise) },
			"the user is removed":     func(_ *testing.T, u *Person) error { return w.Delete(ctx, u.ID, roster.Remove) },
		} {
			t.Run("PASS-41 is void when "+name, func(t *testing.T) {
				u, token := invite(t)
				if err := act(t, u); err != nil {
					t.Fatal(err)
				}
				_, err := w.SetFirstPassword(ctx, token, secret)
				refused(t, err, roster.ErrInvalidToken)
				same(t, "", w.hash(t, u.ID))
			})
		}
		t.Run("PASS-41 SEC-20 is no other token, cut, or altered, case 12", func(t *testing.T) {
			u, token := invite(t)
			confirmation := w.confirmation(t, u.ID)
			pair := w.issue(t, u.ID)
			for _, wrong := range []roster.Secret{
				confirmation, pair.AccessToken, pair.RefreshToken, "x", "ps_", token[:len(token)-1], token + "A", token + "\n", " " + token,
				"ec_" + token[3:], token[3:], token[:10] + "x" + token[11:], "PS_" + token[3:],
			} {
				if wrong == token {
					continue
				}
				_, err := w.SetFirstPassword(ctx, wrong, secret)
				refused(t, err, roster.ErrInvalidToken)
			}
			_, err := w.SetFirstPassword(ctx, "", secret)
			refused(t, err, roster.ErrValidationFailed, "token:required")
			_, err = w.ConfirmEmail(ctx, token)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
		})
		t.Run("PASS-49 SEC-26 lets one of many through", func(t *testing.T) {
			u, token := invite(t)
			codes := atOnce(64, func(i int) error {
				_, err := w.SetFirstPassword(context.WithoutCancel(ctx), token, roster.Secret(fmt.Sprintf("password number %d", i)))
				return err
			})
			same(t, 1, codes[""])
			same(t, 64, codes[""]+codes["invalid_token"]+codes["password_already_set"])
			right := 0
			for i := range 64 {
				if w.CheckPassword(roster.WithActor(ctx, roster.Actor{SID: w.NewID(), Kind: roster.ActorSystem}), u.ID, roster.Secret(fmt.Sprintf("password number %d", i))) == nil {
					right++
				}
			}
			same(t, 1, right)
		})
		t.Run("PASS-2 HOOK-27 leaves the link good when a hook refuses", func(t *testing.T) {
			u, token := invite(t)
			pair := w.issue(t, u.ID)
			before, fault := w.tables(t), errors.New("no")
			for _, remove := range []func(){
				w.On.PasswordChange.Before(func(context.Context, *callbacks.PasswordChange[*Person]) error { return fault }),
				w.On.PasswordChange.After(func(context.Context, *callbacks.PasswordChange[*Person]) error { return fault }),
				w.On.EmailConfirm.After(func(context.Context, *callbacks.EmailConfirm[*Person]) error { return fault }),
			} {
				_, err := w.SetFirstPassword(ctx, token, secret)
				same(t, true, errors.Is(err, fault))
				same(t, before, w.tables(t))
				remove()
			}
			w.alive(t, pair)
			_, err := w.SetFirstPassword(ctx, token, secret)
			same(t, nil, err)
		})
	})
}
