package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// CONF-2, CONF-3, CONF-9, CONF-11: asking for a link.
func TestRequestEmailConfirmation(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("CONF-9 mails it to the stored address, case 6", func(t *testing.T) {
			u := w.add(t, person("anna", "Anna@EXAMPLE.com", ""))
			w.fired()
			same(t, nil, w.RequestEmailConfirmation(ctx, u.ID))
			same(t, []string{"BeforeMessage", "AfterMessage", "OnMessage"}, w.fired())
			same(t, []string{"email_confirm to Anna@example.com"}, w.posted(t))
			second := w.confirmation(t, u.ID)
			err := w.RequestEmailConfirmation(ctx, u.ID)
			refused(t, err, roster.ErrQuotaExhausted)
			if e := (*roster.Error)(nil); !errors.As(err, &e) || e.RetryAfter <= 0 || e.RetryAfter > 30*time.Minute {
				t.Errorf("%+v", err)
			}
			_, err = w.ConfirmEmail(ctx, second)
			same(t, nil, err)
			refused(t, w.RequestEmailConfirmation(ctx, u.ID), roster.ErrAlreadyConfirmed) // case 5
		})
		t.Run("CONF-9 needs an address", func(t *testing.T) {
			refused(t, w.RequestEmailConfirmation(ctx, w.add(t, person("berta", "", "+12025550101")).ID), roster.ErrNotFound)
		})
		t.Run("CONF-15 sends nothing to who is banned, or archived by an administrator", func(t *testing.T) {
			u := w.add(t, person("carla", "carla@example.com", ""))
			for set, undo := range map[string]string{
				"banned_at = '2026-01-01T00:00:00Z'":                          "banned_at = NULL",
				"archived_at = '2026-01-01T00:00:00Z', archived_by = 'admin'": "archived_at = NULL, archived_by = NULL",
			} {
				if w.DB.DriverName() != "postgres" {
					set = map[bool]string{true: "banned_at = 1767225600000000", false: "archived_at = 1767225600000000, archived_by = 'admin'"}[set[0] == 'b']
				}
				w.exec(t, "UPDATE users SET "+set+" WHERE username = 'carla'")
				refused(t, w.RequestEmailConfirmation(ctx, u.ID), roster.ErrConflict)
				w.exec(t, "UPDATE users SET "+undo+" WHERE username = 'carla'")
			}
			same(t, []string(nil), w.posted(t))
			w.confirmation(t, u.ID)
		})
		t.Run("CONF-11 keeps the older link and the quota when the message cannot be queued", func(t *testing.T) {
			u := w.add(t, person("dora", "dora@example.com", ""))
			token := w.confirmation(t, u.ID)
			before, fault := w.tables(t), errors.New("no")
			remove := w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			for range 5 {
				same(t, true, errors.Is(w.RequestEmailConfirmation(ctx, u.ID), fault))
			}
			remove()
			same(t, before, w.tables(t))
			newer := w.confirmation(t, u.ID) // CONF-3
			_, err := w.ConfirmEmail(ctx, token)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.ConfirmEmail(ctx, newer)
			same(t, nil, err)
		})
		t.Run("PROT-40 counts by the address too", func(t *testing.T) {
			a, b := w.add(t, person("emil", "shared@example.com", "")), w.add(t, person("frida", "", "+12025550102"))
			w.confirmation(t, a.ID)
			w.confirmation(t, a.ID)
			w.edit(t, a.ID, func(p *Person) { p.Email = nil })
			w.edit(t, b.ID, func(p *Person) { p.Email = new("SHARED@example.com") })
			refused(t, w.RequestEmailConfirmation(ctx, b.ID), roster.ErrQuotaExhausted)
			w.Clock.Advance(30 * time.Minute)
			w.confirmation(t, b.ID)
		})
	})
}

// CONF-2 to CONF-17: using it.
func TestConfirmEmail(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		n := 0
		begin := func(t *testing.T, options ...roster.CreateOption) (*Person, roster.Secret) {
			t.Helper()
			n++
			u := w.add(t, person(fmt.Sprintf("user%d", n), fmt.Sprintf("User%d@example.com", n), ""), options...)
			return u, w.confirmation(t, u.ID)
		}
		confirmed := func(t *testing.T, id roster.ID, want bool) {
			t.Helper()
			same(t, want, w.read(t, id).EmailVerifiedAt != nil)
		}
		t.Run("CONF-12 CONF-13 CONF-7 proves the address once, case 1", func(t *testing.T) {
			u, token := begin(t)
			var events []callbacks.EmailConfirm[*Person]
			defer w.On.EmailConfirm.On(func(_ context.Context, e *callbacks.EmailConfirm[*Person]) error {
				events = append(events, *e)
				return nil
			})()
			w.Clock.Advance(time.Minute)
			w.fired()
			got, err := w.ConfirmEmail(ctx, token)
			if err != nil {
				t.Fatal(err)
			}
			want := *u
			want.EmailVerifiedAt, want.UpdatedAt, want.Version = new(w.Clock.Now()), w.Clock.Now(), 2
			same(t, &want, got)
			same(t, &want, w.read(t, u.ID))
			same(t, []string{"BeforeEmailConfirm", "AfterEmailConfirm", "OnEmailConfirm"}, w.fired())
			same(t, []any{u.ID, *u.Email, callbacks.ByLink}, []any{events[0].User.ID, events[0].Address, events[0].By})
			before := w.tables(t)
			again, err := w.ConfirmEmail(ctx, token)
			same(t, nil, err)
			same(t, &want, again)
			same(t, []string(nil), w.fired())
			same(t, before, w.tables(t))
			same(t, 0, w.rows(t, "roster_sessions"))
			w.Clock.Advance(24 * time.Hour)
			_, err = w.ConfirmEmail(ctx, token)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("CONF-5 SEC-20 SEC-22 refuses what is no such token, cases 2 and 20", func(t *testing.T) {
			u, token := begin(t)
			pair := w.issue(t, u.ID)
			before := w.tables(t)
			for _, wrong := range []roster.Secret{
				"x", "ec_", token[:len(token)-1], token + "A", token + "\n", " " + token, "ps_" + token[3:], "ch_" + token[3:], token[3:],
				token[:9] + map[bool]roster.Secret{true: "b", false: "a"}[token[9] == 'a'] + token[10:], pair.AccessToken, pair.RefreshToken,
			} {
				_, err := w.ConfirmEmail(ctx, wrong)
				refused(t, err, roster.ErrInvalidToken)
			}
			_, err := w.ConfirmEmail(ctx, "")
			refused(t, err, roster.ErrValidationFailed, "token:required")
			same(t, before, w.tables(t))
		})
		t.Run("CONF-2 ends after 24 h, case 3", func(t *testing.T) {
			_, token := begin(t)
			late, lateToken := begin(t)
			w.Clock.Advance(24*time.Hour - time.Second)
			_, err := w.ConfirmEmail(ctx, token)
			same(t, nil, err)
			w.Clock.Advance(time.Second)
			_, err = w.ConfirmEmail(ctx, lateToken)
			refused(t, err, roster.ErrExpiredToken)
			confirmed(t, late.ID, false)
		})
		t.Run("CONF-4 STORE-8 SEC-26 lets 64 at once have one effect and one event", func(t *testing.T) {
			u, token := begin(t)
			w.fired()
			codes := atOnce(64, func(int) error { _, err := w.ConfirmEmail(context.WithoutCancel(ctx), token); return err })
			same(t, map[roster.Code]int{"": 64}, codes) // CONF-13
			same(t, []string{"BeforeEmailConfirm", "AfterEmailConfirm", "OnEmailConfirm"}, w.fired())
			same(t, int64(2), w.read(t, u.ID).Version)
		})
		t.Run("CONF-14 is content when another way has proven it", func(t *testing.T) {
			u, token := begin(t)
			w.exec(t, "UPDATE users SET email_verified_at = $1 WHERE id = $2", w.Clock.Now(), u.ID)
			w.fired()
			_, err := w.ConfirmEmail(ctx, token)
			same(t, nil, err)
			same(t, []string(nil), w.fired())
			same(t, 1, w.rows(t, "roster_links WHERE user_id = $1 AND used_at IS NOT NULL", u.ID))
		})
		t.Run("CONF-15 serves the banned and archived, and changes nothing else of theirs", func(t *testing.T) {
			for _, column := range []string{"banned_at", "archived_at"} {
				u, token := begin(t)
				w.exec(t, "UPDATE users SET "+column+" = $1 WHERE id = $2", w.Clock.Now(), u.ID)
				_, err := w.ConfirmEmail(ctx, token)
				same(t, nil, err)
				confirmed(t, u.ID, true)
				same(t, 1, w.rows(t, "users WHERE "+column+" IS NOT NULL AND id = $1", u.ID))
			}
		})
		t.Run("CONF-5 serves no deleted user", func(t *testing.T) {
			for _, mode := range modes {
				u, token := begin(t)
				if err := w.Delete(ctx, u.ID, mode); err != nil {
					t.Fatal(err)
				}
				_, err := w.ConfirmEmail(ctx, token)
				refused(t, err, roster.ErrInvalidToken)
			}
			u, token := begin(t) // and not in the moment before its links are void
			w.exec(t, "UPDATE users SET deleted_at = $1, delete_mode = 'deactivate' WHERE id = $2", w.Clock.Now(), u.ID)
			_, err := w.ConfirmEmail(ctx, token)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("CONF-12 CONF-30 proves no other address, case 8", func(t *testing.T) {
			u, token := begin(t)
			w.exec(t, "UPDATE users SET email = 'x@example.com', email_canonical = 'x@example.com' WHERE id = $1", u.ID)
			_, err := w.ConfirmEmail(ctx, token)
			refused(t, err, roster.ErrInvalidToken)
			confirmed(t, u.ID, false)
			u, token = begin(t)
			w.edit(t, u.ID, func(p *Person) { p.Email = new("USER@example.net") })
			_, err = w.ConfirmEmail(ctx, token)
			refused(t, err, roster.ErrInvalidToken)
			confirmed(t, u.ID, false)
		})
		t.Run("CONF-2 USER-35 proves an address that is spelled otherwise meanwhile", func(t *testing.T) {
			u, token := begin(t)
			w.edit(t, u.ID, func(p *Person) { p.Email = new("USER" + (*p.Email)[4:]) })
			_, err := w.ConfirmEmail(ctx, token)
			same(t, nil, err)
			confirmed(t, u.ID, true)
		})
		t.Run("CONF-17 leaves the token good when a hook refuses, case 9", func(t *testing.T) {
			u, token := begin(t)
			before, fault := w.tables(t), errors.New("no")
			for _, remove := range []func(){
				w.On.EmailConfirm.Before(func(context.Context, *callbacks.EmailConfirm[*Person]) error { return fault }),
				w.On.EmailConfirm.After(func(context.Context, *callbacks.EmailConfirm[*Person]) error { return fault }),
			} {
				_, err := w.ConfirmEmail(ctx, token)
				same(t, true, errors.Is(err, fault))
				same(t, before, w.tables(t))
				remove()
			}
			_, err := w.ConfirmEmail(ctx, token)
			same(t, nil, err)
			confirmed(t, u.ID, true)
		})
		t.Run("CONF-16 is kept by every change but that of the address", func(t *testing.T) {
			u, token := begin(t)
			_, err := w.ConfirmEmail(ctx, token)
			same(t, nil, err)
			w.edit(t, u.ID, func(p *Person) { p.Username, p.Phone, p.Company = new("renamed"), new("+12025550109"), "Acme" })
			if err := w.Delete(ctx, u.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Restore(ctx, u.ID); err != nil {
				t.Fatal(err)
			}
			confirmed(t, u.ID, true)
		})
	})
}

// CONF-1: the mark is of each contact.
func TestConfirmedContacts(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("", "anna@example.com", "+12025550101"), roster.WithPhoneVerified())
		same(t, true, u.EmailVerifiedAt == nil && u.PhoneVerifiedAt != nil && u.Verified())
		_, err := w.ConfirmEmail(t.Context(), w.confirmation(t, u.ID))
		same(t, nil, err)
		u = w.edit(t, u.ID, func(p *Person) { p.Phone = new("+12025550102") })
		same(t, true, u.EmailVerifiedAt != nil && u.PhoneVerifiedAt == nil && u.Verified())
		none := w.add(t, person("berta", "", ""))
		same(t, true, none.EmailVerifiedAt == nil && none.PhoneVerifiedAt == nil && none.Verified())
	})
}
