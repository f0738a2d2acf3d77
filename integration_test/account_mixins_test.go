package integration_test

import (
	"errors"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
)

// tokenIn delivers what waits and returns the token in the newest message of a kind.
func (w *world) tokenIn(t testing.TB, kind string) roster.Secret {
	t.Helper()
	var found roster.Secret
	for _, m := range w.post(t) {
		if m.Kind == kind {
			found = m.Token
		}
	}
	if found == "" {
		t.Fatalf("no %s was sent", kind)
	}
	return found
}

// What every mixin of strawberry-django-auth does is here under the name beside it; one person's life goes through all.
func TestStrawberryMixins(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		var u *Person
		var pair *roster.TokenPair
		password := roster.Secret("the first passphrase")
		log := func(t *testing.T) roster.Login[*Person] {
			t.Helper()
			entered, err := w.Login(ctx, roster.PasswordCredentials("ann@example.com", password))
			if err != nil {
				t.Fatal(err)
			}
			return entered
		}
		for _, mixin := range []struct {
			name, here string
			works      func(t *testing.T)
		}{
			{"Register", "Register", func(t *testing.T) {
				var err error
				p := person("", "ann@example.com", "")
				p.Company = "Acme"
				if u, pair, err = w.Register(ctx, p, password); err != nil || pair == nil || u.Company != "Acme" || u.Verified() {
					t.Fatalf("%v, %v, %v", u, pair, err)
				}
				_, _, err = w.Register(ctx, person("", "ANN@Example.com", ""), password)
				refused(t, err, roster.ErrIdentifierTaken, "email:taken")
			}},
			{"VerifyAccount", "ConfirmEmail", func(t *testing.T) {
				token := w.tokenIn(t, notify.EmailConfirm)
				got, err := w.ConfirmEmail(ctx, token)
				if err != nil || !got.Verified() {
					t.Fatalf("%v, %v", got, err)
				}
			}},
			{"ResendActivationEmail", "ResendEmailConfirmation", func(t *testing.T) {
				w.add(t, person("", "unproven@example.com", ""))
				for _, address := range []string{"ann@example.com", "nobody@example.com", "unproven@example.com"} {
					same(t, nil, w.ResendEmailConfirmation(ctx, address))
				}
				same(t, []string{"email_confirm_again to unproven@example.com"}, w.posted(t))
			}},
			{"SendPasswordResetEmail", "RequestPasswordReset", func(t *testing.T) {
				for _, login := range []string{"nobody@example.com", "ann@example.com"} {
					same(t, nil, w.RequestPasswordReset(ctx, login))
				}
			}},
			{"PasswordReset", "ResetPassword", func(t *testing.T) {
				token := w.tokenIn(t, notify.PasswordReset)
				password = "the second passphrase"
				if _, err := w.ResetPassword(ctx, token, password); err != nil {
					t.Fatal(err)
				}
				w.ended(t, pair)
				_, err := w.ResetPassword(ctx, token, password)
				refused(t, err, roster.ErrInvalidToken)
			}},
			{"PasswordSet", "SetFirstPassword", func(t *testing.T) {
				w.add(t, person("", "invited@example.com", ""), roster.WithInvitation())
				token := w.tokenIn(t, notify.PasswordFirst)
				if _, err := w.SetFirstPassword(ctx, token, password); err != nil {
					t.Fatal(err)
				}
				_, err := w.SetFirstPassword(ctx, token, password)
				refused(t, err, roster.ErrInvalidToken)
			}},
			{"ObtainJSONWebToken", "Login", func(t *testing.T) {
				pair = log(t).Tokens
				_, err := w.Login(ctx, roster.PasswordCredentials("ann@example.com", "wrong"))
				refused(t, err, roster.ErrInvalidCredentials)
			}},
			{"ArchiveAccount", "Archive", func(t *testing.T) {
				refused(t, w.Archive(w.within(t, *pair), u.ID, "wrong"), roster.ErrInvalidPassword, "password:invalid_password")
				same(t, nil, w.Archive(w.within(t, *pair), u.ID, password))
				w.ended(t, pair)
				entered := log(t)
				same(t, true, entered.Unarchiving)
				pair = entered.Tokens
			}},
			{"PasswordChange", "ChangePassword", func(t *testing.T) {
				other := log(t).Tokens
				next := roster.Secret("the third passphrase")
				changed, err := w.ChangePassword(w.within(t, *pair), u.ID, password, next)
				if err != nil {
					t.Fatal(err)
				}
				w.ended(t, other)
				password, pair = next, &changed
			}},
			{"UpdateAccount", "UpdateAccount", func(t *testing.T) {
				got, err := w.UpdateAccount(w.within(t, *pair), u.ID, []byte(`{"nick": "annie"}`))
				if err != nil || got.Company != "Acme" || *got.Nick != "annie" {
					t.Fatalf("%v, %v", got, err)
				}
				_, err = w.UpdateAccount(w.within(t, *pair), u.ID, []byte(`{"email": "other@example.com"}`))
				refused(t, err, roster.ErrValidationFailed, "email:forbidden_field")
			}},
			{"VerifyToken", "VerifyToken", func(t *testing.T) {
				claims, err := w.VerifyToken(ctx, pair.AccessToken)
				same(t, []any{u.ID, nil}, []any{claims.Subject, err})
				for _, bad := range []roster.Secret{pair.RefreshToken, "", "garbage", "a.b.c"} {
					_, err := w.VerifyToken(ctx, bad)
					refused(t, err, roster.ErrInvalidToken)
				}
			}},
			{"RefreshToken", "Refresh", func(t *testing.T) {
				w.Clock.Advance(time.Minute)
				next, err := w.Refresh(ctx, pair.RefreshToken)
				if err != nil || next.RefreshToken == pair.RefreshToken {
					t.Fatalf("%v", err)
				}
				pair = &next
			}},
			{"RevokeToken", "Revoke", func(t *testing.T) {
				if _, err := w.Revoke(ctx, pair.RefreshToken); err != nil {
					t.Fatal(err)
				}
				w.ended(t, pair)
				_, err := w.Revoke(ctx, "rt1.never-issued")
				refused(t, err, roster.ErrInvalidRefresh)
			}},
			{"DeleteAccount", "Close", func(t *testing.T) { // the last one
				pair = log(t).Tokens
				same(t, nil, w.Close(w.within(t, *pair), u.ID, password))
				w.ended(t, pair)
				_, err := w.Login(ctx, roster.PasswordCredentials("ann@example.com", password))
				refused(t, err, roster.ErrInvalidCredentials)
			}},
		} {
			if !t.Run(mixin.name+" is "+mixin.here, mixin.works) {
				t.Fatal("what follows builds on it")
			}
		}
	})
}

// ACCT-1: the status of a user is columns with defaults, so that a row that something else has written has one too.
func TestStatusOfForeignRows(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		id, now := w.NewID(), w.Clock.Now()
		w.exec(t, `INSERT INTO users (id, username, username_canonical, company, plan, score, badge, note, created_at, updated_at)
			VALUES ($1, 'imported', 'imported', '', '', 0, '', '', $2, $2)`, id, now)
		u := w.read(t, id)
		b := u.Base()
		same(t, true, b.EmailVerifiedAt == nil && b.PhoneVerifiedAt == nil && b.BannedAt == nil && b.BannedUntil == nil && b.ArchivedAt == nil &&
			b.ArchivedBy == nil && b.DeletedAt == nil && b.DeleteMode == nil && b.LastLoginAt == nil && !b.Superuser && len(b.Permissions) == 0)
		same(t, int64(1), b.Version)
		if err := w.SetPassword(t.Context(), id, secret); err != nil {
			t.Fatal(err)
		}
		entered := w.enter(t, "imported")
		same(t, true, entered.User.LastLoginAt != nil)
		same(t, nil, errors.Join(w.Archive(t.Context(), id, secret), w.enters("imported"), w.Close(t.Context(), id, secret)))
		same(t, roster.Deactivate, *w.read(t, id).DeleteMode)
	})
}
