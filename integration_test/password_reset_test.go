package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/usersrepo"
)

// forgotten asks for a reset link and returns its token.
func (w *world) forgotten(t testing.TB, login string) roster.Secret {
	t.Helper()
	w.posted(t)
	if err := w.RequestPasswordReset(t.Context(), login); err != nil {
		t.Fatalf("request a reset: %v", err)
	}
	return w.token(t)
}

// PASS-42, PASS-43, PASS-44, PASS-45, PASS-53, case 5, case 7: asking for a way to another password.
func TestRequestPasswordReset(t *testing.T) {
	states := func(t *testing.T, w *world, activation bool) {
		ctx := t.Context()
		w.add(t, person("proven", "proven@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		w.add(t, person("unproven", "unproven@example.com", ""), roster.WithPassword(secret))
		w.add(t, person("bare", "bare@example.com", ""), roster.WithEmailVerified())
		w.add(t, person("unbare", "unbare@example.com", ""))
		w.add(t, person("phoned", "", "+12025550101"), roster.WithPassword(secret), roster.WithPhoneVerified())
		w.add(t, person("unphoned", "", "+12025550102"), roster.WithPassword(secret))
		w.add(t, person("both", "both@example.com", "+12025550103"), roster.WithPassword(secret), roster.WithEmailVerified(), roster.WithPhoneVerified())
		w.add(t, person("nothing", "", ""), roster.WithPassword(secret))
		w.add(t, person("away", "away@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		w.add(t, person("banned", "banned@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		shelved := w.add(t, person("shelved", "shelved@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		gone := w.add(t, person("gone", "gone@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		same(t, nil, w.Delete(ctx, gone.ID, roster.Deactivate))
		w.exec(t, "UPDATE users SET archived_at = $1, archived_by = 'self' WHERE username = 'away'", w.Clock.Now())
		w.exec(t, "UPDATE users SET banned_at = $1 WHERE username = 'banned'", w.Clock.Now())
		w.exec(t, "UPDATE users SET archived_at = $1, archived_by = 'admin' WHERE id = $2", w.Clock.Now(), shelved.ID)
		w.posted(t)
		kindIf := func(kind, otherwise string) string {
			if activation {
				return kind
			}
			return otherwise
		}
		for login, want := range map[string][]string{
			"proven@example.com": {"password_reset to proven@example.com"},
			"unproven":           {kindIf("email_confirm", "password_reset") + " to unproven@example.com"},
			"bare":               {"password_first to bare@example.com"},
			"unbare@example.com": {kindIf("email_confirm", "password_first") + " to unbare@example.com"},
			"phoned":             {"code_sms to +12025550101"},
			"+1 202 555 0102":    {kindIf("phone_confirm", "code_sms") + " to +12025550102"},
			"+12025550103":       {"code_sms to +12025550103"},
			"both@example.com":   {"password_reset to both@example.com"},
			"nothing":            nil, "banned@example.com": nil, "shelved": nil, "gone@example.com": nil, "nobody": nil,
			"nobody@example.com": nil, "+12025550199": nil,
			"away": {"password_reset to away@example.com"},
		} {
			before := w.table(t, "users")
			same(t, nil, w.RequestPasswordReset(ctx, login))
			same(t, want, w.posted(t))
			same(t, before, w.table(t, "users"))
		}
	}
	t.Run("PASS-43 sends what the state asks for", func(t *testing.T) {
		inEach(t, func(t *testing.T, w *world) { states(t, w, true) })
	})
	t.Run("PASS-43 resets the unverified by setting", func(t *testing.T) {
		inEach(t, func(t *testing.T, w *world) { states(t, w, false) },
			func(cfg *usersrepo.Config) { cfg.Password.ResetForUnverified = mixins.SendReset })
	})
}

// PASS-42, PASS-44, PASS-45, PASS-53, HOOK-26, case 7: the bounds of asking.
func TestRequestPasswordResetBounds(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		t.Run("PASS-42 tells faults of the syntax alone", func(t *testing.T) {
			refused(t, w.RequestPasswordReset(ctx, ""), roster.ErrValidationFailed, "login:required")
			for _, login := range []string{"x@", "@x", "a b@example.com", "\x00", "+1"} {
				refused(t, w.RequestPasswordReset(ctx, login), roster.ErrValidationFailed, "login:invalid")
			}
		})
		t.Run("PASS-44 PASS-45 keeps the second link good beyond the quota, case 7", func(t *testing.T) {
			for range 20 {
				v, err := w.IsPasswordResetAvailable(ctx, u.ID)
				same(t, nil, err)
				same(t, true, v.Allowed)
			}
			first := w.forgotten(t, "anna@example.com")
			second := w.forgotten(t, "ANNA@example.com")
			for range 3 {
				same(t, nil, w.RequestPasswordReset(ctx, "anna@example.com"))
				same(t, nil, w.RequestPasswordReset(ctx, "anna"))
			}
			same(t, []string(nil), w.posted(t))
			v, err := w.IsPasswordResetAvailable(ctx, u.ID)
			same(t, nil, err)
			same(t, false, v.Allowed)
			_, err = w.ResetPassword(ctx, first, "another good one")
			refused(t, err, roster.ErrInvalidToken)
			for range 10 { // PASS-47, case 6
				id, err := w.GetIDForPasswordReset(ctx, second)
				same(t, nil, err)
				same(t, u.ID, id)
			}
			_, err = w.ResetPassword(ctx, second, "another good one")
			same(t, nil, err)
			_, err = w.GetIDForPasswordReset(ctx, second)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("PASS-53 HOOK-26 tells nobody what a hook says", func(t *testing.T) {
			w.Clock.Advance(time.Hour)
			w.posted(t) // of the reset before
			w.fired()
			remove := w.On.PasswordResetRequest.Before(func(context.Context, *callbacks.PasswordResetRequest[*Person]) error {
				return errors.New("no")
			})
			same(t, nil, w.RequestPasswordReset(ctx, "anna"))
			same(t, []string(nil), w.posted(t))
			remove()
			w.fired()
			same(t, nil, w.RequestPasswordReset(ctx, "anna"))
			same(t, []string{
				"BeforePasswordResetRequest", "BeforeMessage", "AfterMessage", "AfterPasswordResetRequest", "OnMessage", "OnPasswordResetRequest",
			}, w.fired())
			same(t, nil, w.RequestPasswordReset(ctx, "nobody"))
			same(t, []string(nil), w.fired())
		})
		t.Run("PROT-37 counts the asker's address alike for known and unknown", func(t *testing.T) {
			for i, login := range []string{"anna", "nobody"} {
				from := from(ctx, fmt.Sprintf("203.0.113.%d", i+1))
				for range 20 {
					same(t, nil, w.RequestPasswordReset(from, login))
				}
				refused(t, w.RequestPasswordReset(from, login), roster.ErrTooManyRequests)
			}
		})
	})
}

// PASS-1, PASS-41, PASS-46 to PASS-52, SEC-37, SEC-72, cases 6, 8 to 12: setting another password by a token.
func TestResetPassword(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, n := t.Context(), 0
		forgets := func(t *testing.T, options ...roster.CreateOption) (*Person, roster.Secret) {
			t.Helper()
			n++
			u := w.add(t, person(fmt.Sprintf("user%d", n), fmt.Sprintf("user%d@example.com", n), ""), append(options, roster.WithPassword(secret))...)
			return u, w.forgotten(t, *u.Email)
		}
		t.Run("SEC-37 PASS-3 PASS-52 ends all, forgets failures, and logs nobody in", func(t *testing.T) {
			u, token := forgets(t, roster.WithEmailVerified())
			pair := w.issue(t, u.ID)
			for range 10 {
				w.attempt(ctx, "192.0.2.1", *u.Username, "wrong")
			}
			same(t, roster.CodeTooManyRequests, w.attempt(ctx, "192.0.2.9", *u.Username, secret))
			_, err := w.ResetPassword(w.within(t, pair), token, "another good one")
			same(t, nil, err)
			w.dead(t, pair)
			same(t, []string{"password_changed to " + *u.Email}, w.posted(t))
			same(t, roster.Code(""), w.attempt(ctx, "192.0.2.9", *u.Username, "another good one"))
		})
		t.Run("PASS-48 takes the old password too, and judges the token first", func(t *testing.T) {
			_, token := forgets(t, roster.WithEmailVerified())
			_, err := w.ResetPassword(ctx, "pr_x", "short")
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.ResetPassword(ctx, token, "short7!")
			refused(t, err, roster.ErrValidationFailed, "password:too_short")
			_, err = w.ResetPassword(ctx, token, secret)
			same(t, nil, err)
		})
		t.Run("PASS-40 PASS-41 ends after an hour, case 6", func(t *testing.T) {
			_, token := forgets(t, roster.WithEmailVerified())
			w.Clock.Advance(time.Hour)
			_, err := w.ResetPassword(ctx, token, secret)
			refused(t, err, roster.ErrExpiredToken)
			_, err = w.GetIDForPasswordReset(ctx, token)
			refused(t, err, roster.ErrExpiredToken)
		})
		t.Run("PASS-1 PASS-41 is void after another way to a password, and another address, cases 8 and 9", func(t *testing.T) {
			u, token := forgets(t, roster.WithEmailVerified())
			_, err := w.ChangePassword(ctx, u.ID, secret, "another good one")
			same(t, nil, err)
			_, err = w.ResetPassword(ctx, token, secret)
			refused(t, err, roster.ErrInvalidToken)
			u, token = forgets(t, roster.WithEmailVerified())
			w.edit(t, u.ID, func(p *Person) { p.Email = new("moved" + *p.Email) })
			_, err = w.ResetPassword(ctx, token, secret)
			refused(t, err, roster.ErrInvalidToken)
			u, token = forgets(t, roster.WithEmailVerified())
			w.exec(t, "UPDATE users SET banned_at = $1 WHERE id = $2", w.Clock.Now(), u.ID)
			_, err = w.ResetPassword(ctx, token, secret)
			refused(t, err, roster.ErrInvalidToken)
			w.posted(t)
		})
		t.Run("PASS-50 PASS-51 proves the address, and drops what was linked before, case 11", func(t *testing.T) {
			u, token := forgets(t)
			w.link(t, u.ID, "google", "impostor"+*u.Username, nil)
			w.posted(t)
			w.fired()
			got, err := w.ResetPassword(ctx, token, "another good one")
			same(t, nil, err)
			same(t, w.Clock.Now(), *got.EmailVerifiedAt)
			same(t, []string{
				"BeforePasswordChange", "BeforeEmailConfirm", "AfterEmailConfirm", "BeforeMessage", "AfterMessage", "AfterPasswordChange",
				"OnEmailConfirm", "OnMessage", "OnPasswordChange",
			}, w.fired())
			_, err = w.GetBySocial(ctx, "google", "impostor"+*u.Username)
			refused(t, err, roster.ErrNotFound)
			w.posted(t)
		})
		t.Run("PASS-46 hands a token over that proves nothing", func(t *testing.T) {
			u, mailed := forgets(t)
			w.fired()
			first, err := w.SetPasswordResetToken(ctx, u.ID)
			same(t, nil, err)
			same(t, []string{"BeforePasswordResetRequest", "AfterPasswordResetRequest", "OnPasswordResetRequest"}, w.fired())
			token, err := w.SetPasswordResetToken(ctx, u.ID)
			same(t, nil, err)
			same(t, []string(nil), w.posted(t))
			for _, void := range []roster.Secret{mailed, first} {
				_, err = w.ResetPassword(ctx, void, secret)
				refused(t, err, roster.ErrInvalidToken)
			}
			got, err := w.ResetPassword(ctx, token, "another good one")
			same(t, nil, err)
			same(t, true, got.EmailVerifiedAt == nil)
			_, err = w.SetPasswordResetToken(ctx, w.NewID())
			refused(t, err, roster.ErrNotFound)
			w.exec(t, "UPDATE users SET banned_at = $1 WHERE id = $2", w.Clock.Now(), u.ID)
			_, err = w.SetPasswordResetToken(ctx, u.ID)
			refused(t, err, roster.ErrConflict)
		})
		t.Run("SEC-20 is good for nothing else, case 12", func(t *testing.T) {
			_, token := forgets(t, roster.WithEmailVerified())
			for _, prefix := range []string{"pr_", "ps_", "ec_", "ch_", "cx_", ""} {
				other := roster.Secret(prefix) + token[3:]
				_, err := w.SetFirstPassword(ctx, other, secret)
				refused(t, err, roster.ErrInvalidToken)
				_, err = w.ConfirmEmail(ctx, other)
				refused(t, err, roster.ErrInvalidToken)
				_, err = w.VerifyToken(ctx, other)
				refused(t, err, roster.ErrInvalidToken)
			}
			_, err := w.ResetPassword(ctx, token, secret)
			same(t, nil, err)
		})
		t.Run("PASS-49 works once of sixty-four times", func(t *testing.T) {
			u, token := forgets(t, roster.WithEmailVerified())
			ctx, won := context.WithoutCancel(ctx), make(chan roster.Secret, 64)
			same(t, 1, wins(func(i int) error {
				password := roster.Secret(fmt.Sprintf("password number %d", i))
				_, err := w.ResetPassword(ctx, token, password)
				if err == nil {
					won <- password
				} else {
					refused(t, err, roster.ErrInvalidToken)
				}
				return err
			}))
			same(t, nil, w.CheckPassword(ctx, u.ID, <-won))
			w.posted(t)
		})
	}, func(cfg *usersrepo.Config) { cfg.Password.ResetForUnverified = mixins.SendReset })
}

// ADMIN-38, PROT-40: administrators send what people would ask for.
func TestSendPasswordReset(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		clerk := w.add(t, person("clerk", "", ""), roster.WithPermissions("users:credentials"))
		reader := w.add(t, person("reader", "", ""), roster.WithPermissions("users:update"))
		chief := w.add(t, person("chief", "chief@example.com", ""), roster.WithSuperuser(true))
		u := w.add(t, person("anna", "anna@example.com", "+12025550101"), roster.WithPassword(secret), roster.WithEmailVerified(), roster.WithPhoneVerified())
		none := w.add(t, person("none", "", ""))
		as := func(p *Person) context.Context {
			return roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: p.ID})
		}
		for range 4 { // counted, and not held by it
			same(t, nil, w.SendPasswordReset(as(clerk), u.ID, ""))
		}
		same(t, []string{"password_reset to anna@example.com"}, w.posted(t)) // the earlier ones are void
		same(t, nil, w.SendPasswordReset(as(clerk), u.ID, roster.ChannelPhone))
		same(t, []string{"code_sms to +12025550101"}, w.posted(t))
		v, err := w.IsPasswordResetAvailable(ctx, u.ID)
		same(t, nil, err)
		same(t, false, v.Allowed)
		refused(t, w.SendPasswordReset(as(clerk), none.ID, ""), roster.ErrConflict)
		refused(t, w.SendPasswordReset(as(clerk), chief.ID, ""), roster.ErrForbidden)
		refused(t, w.SendPasswordReset(as(reader), u.ID, ""), roster.ErrForbidden)
		refused(t, w.SendPasswordReset(as(clerk), u.ID, "pigeon"), roster.ErrValidationFailed, "channel:invalid")
		refused(t, w.SendPasswordReset(ctx, w.NewID(), ""), roster.ErrNotFound)
	})
}

// SEC-86, PASS-51: who registers with somebody's address and proves a phone of their own is out once the owner of the address
// comes by it.
func TestSEC_86_PlantedPhone(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("", "victim@example.com", "+12025550101"), roster.WithPassword(passphrase))
		same(t, nil, w.SendPhoneCode(ctx, u.ID, roster.CodeVerify))
		_, err := w.CheckPhoneCode(ctx, u.ID, roster.CodeVerify, w.code(t, "+12025550101"))
		same(t, nil, err)
		_, err = w.ResetPassword(ctx, w.forgotten(t, "victim@example.com"), "the owner's own passphrase")
		same(t, nil, err)
		u = w.read(t, u.ID)
		same(t, true, u.EmailVerifiedAt != nil && u.PhoneVerifiedAt == nil)
		w.Clock.Advance(time.Hour)
		w.post(t)
		same(t, nil, w.SendCode(ctx, byLogin("+12025550101"), roster.CodeLogin))
		same(t, 0, len(w.post(t)))
	})
}
