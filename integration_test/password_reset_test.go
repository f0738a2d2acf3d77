package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// SEC-86, PASS-43, PASS-51, OTP-33: who registers with somebody's contact beside one of their own is out once the owner of the
// former has reset the password, and has no way back by the latter.
func TestSEC_86_PlantedContact(t *testing.T) {
	const mail, phone = "victim@example.com", "+12025550101"
	// owner proves the contact and resets the password by it, as somebody does who is not logged in.
	owner := map[string]func(t *testing.T, w *world){
		mail: func(t *testing.T, w *world) {
			t.Helper()
			same(t, nil, w.RequestPasswordReset(t.Context(), mail))
			_, err := w.ConfirmEmail(t.Context(), w.tokenIn(t, "email_confirm"))
			same(t, nil, err)
		},
		phone: func(t *testing.T, w *world) {
			t.Helper()
			same(t, nil, w.SendCode(t.Context(), byLogin(phone), roster.CodeVerify))
			_, err := w.CheckCode(t.Context(), byLogin(phone), roster.CodeVerify, w.code(t, phone))
			same(t, nil, err)
		},
	}
	reset := map[string]func(t *testing.T, w *world){
		mail: func(t *testing.T, w *world) {
			t.Helper()
			_, err := w.ResetPassword(t.Context(), w.forgotten(t, mail), "the owner's own passphrase")
			same(t, nil, err)
		},
		phone: func(t *testing.T, w *world) {
			t.Helper()
			same(t, nil, w.SendCode(t.Context(), byLogin(phone), roster.CodeReset))
			out, err := w.CheckCode(t.Context(), byLogin(phone), roster.CodeReset, w.code(t, phone))
			same(t, nil, err)
			_, err = w.ResetPassword(t.Context(), out.ResetToken, "the owner's own passphrase")
			same(t, nil, err)
		},
	}
	// asks has everything sent to a contact that a stranger can ask for, and returns what was.
	asks := func(t *testing.T, w *world, to string) []string {
		t.Helper()
		for _, purpose := range []roster.CodePurpose{roster.CodeVerify, roster.CodeLogin, roster.CodeReset} {
			w.Clock.Advance(time.Hour)
			same(t, nil, w.SendCode(t.Context(), byLogin(to), purpose))
		}
		w.Clock.Advance(time.Hour)
		same(t, nil, w.RequestPasswordReset(t.Context(), to))
		if to == mail {
			w.Clock.Advance(24 * time.Hour)
			same(t, nil, w.ResendEmailConfirmation(t.Context(), to))
		}
		return slices.DeleteFunc(w.posted(t), func(sent string) bool { return !strings.HasSuffix(sent, " to "+to) })
	}
	for _, setting := range []mixins.ResetForUnverified{mixins.SendActivation, mixins.SendReset} {
		for mine, planted := range map[string]string{mail: phone, phone: mail} {
			for name, plant := range map[string]func(t *testing.T, w *world, u *Person){
				"not proven":    func(*testing.T, *world, *Person) {},
				"proven by now": func(t *testing.T, w *world, u *Person) { w.provesOwn(t, u, planted) }, // from the session that they still have
			} {
				if setting == mixins.SendReset && name == "proven by now" {
					continue // see below
				}
				t.Run(string(setting)+", "+planted+" "+name, func(t *testing.T) {
					inEach(t, func(t *testing.T, w *world) {
						u := w.add(t, person("", mail, phone), roster.WithPassword(passphrase))
						w.link(t, u.ID, "google", "impostor", nil)
						w.posted(t)
						w.Clock.Advance(time.Hour)
						if setting == mixins.SendActivation {
							owner[mine](t, w)
						}
						plant(t, w, u)
						w.Clock.Advance(time.Hour)
						reset[mine](t, w)
						u = w.read(t, u.ID)
						same(t, []bool{mine == mail, mine == phone}, []bool{u.EmailVerifiedAt != nil, u.PhoneVerifiedAt != nil})
						linked, err := w.ListSocial(t.Context(), u.ID)
						same(t, nil, err)
						same(t, 0, len(linked))
						w.posted(t)
						same(t, 0, len(asks(t, w, planted)))
						w.Clock.Advance(time.Hour)
						same(t, nil, w.RequestPasswordReset(t.Context(), mine)) // the owner is heard
						same(t, 1, len(w.posted(t)))
					}, func(cfg *usersrepo.Config) {
						cfg.Password.ResetForUnverified = setting
					})
				})
			}
		}
	}
}

// SEC-86: a contact that is not proven gives no stranger a way into an account whose other contact is, whoever is the owner of it.
func TestSEC_86_OutrankedContact(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		const mail, phone = "mistyped@example.com", "+12025550101"
		u := w.add(t, person("anna", mail, phone), roster.WithPassword(passphrase))
		w.provesOwn(t, u, phone)
		w.posted(t)
		for _, purpose := range []roster.CodePurpose{roster.CodeVerify, roster.CodeLogin, roster.CodeReset} {
			w.Clock.Advance(time.Hour)
			same(t, nil, w.SendCode(t.Context(), byLogin(mail), purpose))
		}
		same(t, nil, w.ResendEmailConfirmation(t.Context(), mail))
		same(t, 0, len(w.posted(t)))
		for _, login := range []string{"anna", mail} { // the way to a new password is that which is proven
			w.Clock.Advance(time.Hour)
			same(t, nil, w.RequestPasswordReset(t.Context(), login))
			same(t, []string{"code_sms to " + phone}, w.posted(t))
		}
		same(t, nil, w.RequestEmailConfirmation(t.Context(), u.ID)) // from a session, or by an administrator
		same(t, []string{"email_confirm to " + mail}, w.posted(t))
	}, func(cfg *usersrepo.Config) { cfg.Password.ResetForUnverified = mixins.SendReset })
}

// provesOwn proves a contact of a user by a code, as somebody does who is logged in.
func (w *world) provesOwn(t testing.TB, u *Person, contact string) {
	t.Helper()
	w.Clock.Advance(time.Minute)
	send, check := w.SendPhoneCode, w.CheckPhoneCode
	if strings.Contains(contact, "@") {
		send, check = w.SendEmailCode, w.CheckEmailCode
	}
	if err := send(t.Context(), u.ID, roster.CodeVerify); err != nil {
		t.Fatal(err)
	}
	if _, err := check(t.Context(), u.ID, roster.CodeVerify, w.code(t, contact)); err != nil {
		t.Fatal(err)
	}
}
