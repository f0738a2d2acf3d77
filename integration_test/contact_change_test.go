package integration_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/usersrepo"
)

// lastTo delivers what is queued and returns the message that went to somebody last.
func (w *world) lastTo(t testing.TB, to string) notify.Message {
	t.Helper()
	w.post(t)
	m, ok := w.Mailbox.Last(to)
	if !ok {
		t.Fatalf("no message to %s", to)
	}
	return m
}

// changing stores a user with a proven address, asks for another, and returns both tokens.
func (w *world) changing(t testing.TB, name, to string) (u *Person, confirm, cancel roster.Secret) {
	t.Helper()
	from := name + "@example.com"
	u = w.add(t, person(name, from, ""), roster.WithEmailVerified(), roster.WithPassword(secret))
	if err := w.RequestEmailChange(t.Context(), u.ID, &to); err != nil {
		t.Fatal(err)
	}
	return u, w.lastTo(t, to).Token, w.lastTo(t, from).Token
}

// CONF-21 … CONF-27, SEC-88: an address changes once the new one is proven.
func TestEmailChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("CONF-21, CONF-22, CONF-26 the old one stays until the new one is proven, case 11", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "anna", "new-anna@example.com")
			if m, _ := w.Mailbox.Last("anna@example.com"); m.Kind != notify.EmailChangeOld || strings.Contains(m.Text, "new-anna@") || !strings.Contains(m.Text, "ne******@") {
				t.Errorf("the old address got %q", m.Text)
			}
			same(t, true, strings.HasPrefix(confirm.Reveal(), "ch_") && strings.HasPrefix(cancel.Reveal(), "cx_"))
			same(t, "anna@example.com", *w.read(t, u.ID).Email)
			pending, err := w.PendingContactChanges(ctx, u.ID)
			same(t, nil, err)
			same(t, "new-anna@example.com", pending[0].New)
			w.fired()
			changed, err := w.ConfirmEmailChange(ctx, confirm)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "new-anna@example.com", *changed.Email)
			same(t, true, changed.EmailVerifiedAt != nil && changed.Version == u.Version+1)
			same(t, changed, w.read(t, u.ID))
			got := w.fired()
			same(t, []string{"BeforeContactChange", "AfterContactChange", "BeforeMessage", "AfterMessage", "OnContactChange", "OnMessage"}, got)
			same(t, []string{"email_changed to anna@example.com"}, w.posted(t))
			_, err = w.ConfirmEmailChange(ctx, confirm) // HTTP-67
			same(t, nil, err)
			same(t, []string(nil), w.fired())
			_, err = w.GetByEmail(ctx, "anna@example.com")
			refused(t, err, roster.ErrNotFound)
		})
		t.Run("CONF-21 refuses what is no change and no address, case 12", func(t *testing.T) {
			u := w.add(t, person("berta", "berta@example.com", ""))
			refused(t, w.RequestEmailChange(ctx, u.ID, new("Berta@EXAMPLE.com")), roster.ErrSameValue)
			refused(t, w.RequestEmailChange(ctx, u.ID, new("nobody")), roster.ErrValidationFailed, "email:invalid")
			refused(t, w.RequestEmailChange(ctx, roster.NewID(), new("x@example.com")), roster.ErrNotFound)
		})
		t.Run("CONF-22 tells an unproven old address nothing", func(t *testing.T) {
			u := w.add(t, person("bea", "bea@example.com", ""))
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("new-bea@example.com")))
			same(t, []string{"email_change_new to new-bea@example.com"}, w.posted(t))
		})
		t.Run("CONF-23 refuses another's address, case 13; CONF-25 and one that was taken meanwhile, case 14", func(t *testing.T) {
			w.add(t, person("carla", "carla@example.com", ""))
			u := w.add(t, person("carl", "carl@example.com", ""))
			refused(t, w.RequestEmailChange(ctx, u.ID, new("Carla@example.com")), roster.ErrIdentifierTaken, "email:taken")
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("later@example.com")))
			confirm := w.lastTo(t, "later@example.com").Token
			w.add(t, person("", "later@example.com", ""))
			_, err := w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrIdentifierTaken, "email:taken")
			same(t, "carl@example.com", *w.read(t, u.ID).Email)
			_, err = w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			pending, _ := w.PendingContactChanges(ctx, u.ID)
			same(t, 0, len(pending))
		})
		t.Run("SEC-11 to learn that an address is taken costs as much as to ask for it", func(t *testing.T) {
			u := w.add(t, person("probe", "probe@example.com", ""))
			w.add(t, person("", "known@example.com", ""))
			for i := range 4 {
				err := w.RequestEmailChange(ctx, u.ID, new("known@example.com"))
				if i < 2 {
					refused(t, err, roster.ErrIdentifierTaken, "email:taken")
				} else {
					refused(t, err, roster.ErrQuotaExhausted)
				}
			}
		})
		t.Run("CONF-24 a second request replaces the first, and a third is over the quota", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "dora", "dora1@example.com")
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("dora2@example.com")))
			_, err := w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrInvalidToken)
			second := w.lastTo(t, "dora2@example.com").Token
			refused(t, w.RequestEmailChange(ctx, u.ID, new("dora3@example.com")), roster.ErrQuotaExhausted)
			_, err = w.ConfirmEmailChange(ctx, second)
			same(t, nil, err)
		})
		t.Run("CONF-2 a link is late after an hour, CONF-5 and good for nothing else", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "emma", "emma1@example.com")
			for _, token := range []roster.Secret{"", "x", cancel, confirm[:len(confirm)-1], w.confirmation(t, w.add(t, person("", "emma2@example.com", "")).ID)} {
				if _, err := w.ConfirmEmailChange(ctx, token); err == nil {
					t.Errorf("%q passed", token.Reveal())
				}
			}
			_, err := w.ConfirmEmail(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.CancelContactChange(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			w.Clock.Advance(time.Hour)
			_, err = w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrExpiredToken)
			same(t, "emma@example.com", *w.read(t, u.ID).Email)
		})
		t.Run("CONF-27 the first address is added so, and the phone is told", func(t *testing.T) {
			u := w.add(t, person("", "", "+12025550150"), roster.WithPhoneVerified())
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("first@example.com")))
			same(t, []string{"email_change_new to first@example.com", "email_change_old to +12025550150"}, w.posted(t))
			confirm, _ := w.Mailbox.Last("first@example.com")
			_, err := w.ConfirmEmailChange(ctx, confirm.Token)
			same(t, nil, err)
			cancel, _ := w.Mailbox.Last("+12025550150")
			reverted, err := w.CancelContactChange(ctx, cancel.Token)
			same(t, nil, err)
			same(t, true, reverted.Email == nil)
		})
		t.Run("CONF-30, CONF-31 any other change of the address voids it", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "frida", "frida1@example.com")
			w.edit(t, u.ID, func(p *Person) { p.Email = new("frida2@example.com") })
			_, err := w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("CONF-36 a ban or deletion meanwhile voids it", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "gerda", "gerda1@example.com")
			same(t, nil, w.Delete(ctx, u.ID, roster.Deactivate))
			_, err := w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.Restore(ctx, u.ID)
			same(t, nil, err)
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("CONF-34 sessions stay", func(t *testing.T) {
			u, confirm, _ := w.changing(t, "hanna", "hanna1@example.com")
			pair := w.issue(t, u.ID)
			_, err := w.ConfirmEmailChange(ctx, confirm)
			same(t, nil, err)
			w.alive(t, pair)
		})
		t.Run("CONF-17 a veto leaves the token good", func(t *testing.T) {
			_, confirm, _ := w.changing(t, "ida", "ida1@example.com")
			fault := errors.New("no")
			remove := w.On.ContactChange.Before(func(context.Context, *callbacks.ContactChange[*Person]) error { return fault })
			_, err := w.ConfirmEmailChange(ctx, confirm)
			same(t, true, errors.Is(err, fault))
			remove()
			_, err = w.ConfirmEmailChange(ctx, confirm)
			same(t, nil, err)
		})
	})
}

// CONF-34: by setting a change ends the other sessions.
func TestEmailChangeRevokes(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u, confirm, _ := w.changing(t, "anna", "anna1@example.com")
		pair := w.issue(t, u.ID)
		_, err := w.ConfirmEmailChange(t.Context(), confirm)
		same(t, nil, err)
		w.dead(t, pair)
	}, func(cfg *usersrepo.Config) { cfg.Confirm.RevokeOnChange = true })
}

// CONF-32, CONF-33: the owner of the old contact takes a change back.
func TestCancelContactChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("CONF-32 before it is done, case 15", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "anna", "anna1@example.com")
			pair := w.issue(t, u.ID)
			w.fired()
			_, err := w.CancelContactChange(ctx, cancel)
			same(t, nil, err)
			w.dead(t, pair)
			same(t, []string{"BeforeContactChange", "AfterContactChange"}, w.fired()[:2])
			_, err = w.ConfirmEmailChange(ctx, confirm)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrInvalidToken)
			same(t, []string{"password_reset to anna@example.com"}, w.posted(t))
		})
		t.Run("CONF-32 after it is done, case 15", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "berta", "berta1@example.com")
			_, err := w.ConfirmEmailChange(ctx, confirm)
			same(t, nil, err)
			w.post(t)
			w.Clock.Advance(72*time.Hour - time.Second)
			pair := w.issue(t, u.ID)
			back, err := w.CancelContactChange(ctx, cancel)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "berta@example.com", *back.Email)
			same(t, true, back.EmailVerifiedAt != nil)
			w.dead(t, pair)
			same(t, []string{"password_reset to berta@example.com"}, w.posted(t))
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("CONF-32 not after its time, case 16", func(t *testing.T) {
			_, confirm, cancel := w.changing(t, "carla", "carla1@example.com")
			_, err := w.ConfirmEmailChange(ctx, confirm)
			same(t, nil, err)
			w.Clock.Advance(72 * time.Hour)
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrExpiredToken)
		})
		t.Run("CONF-32 not when the old one is another's now", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "dora", "dora1@example.com")
			_, err := w.ConfirmEmailChange(ctx, confirm)
			same(t, nil, err)
			w.add(t, person("", "dora@example.com", ""))
			_, err = w.CancelContactChange(ctx, cancel)
			refused(t, err, roster.ErrIdentifierTaken, "email:taken")
			same(t, "dora1@example.com", *w.read(t, u.ID).Email)
		})
		t.Run("CONF-33 the first owner's link beats those of whoever came later", func(t *testing.T) {
			u, confirm, cancel := w.changing(t, "emma", "thief1@example.com")
			_, err := w.ConfirmEmailChange(ctx, confirm)
			same(t, nil, err)
			w.Clock.Advance(time.Hour)
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("thief2@example.com")))
			second, thief := w.lastTo(t, "thief2@example.com").Token, w.lastTo(t, "thief1@example.com").Token
			_, err = w.ConfirmEmailChange(ctx, second)
			same(t, nil, err)
			back, err := w.CancelContactChange(ctx, cancel)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "emma@example.com", *back.Email)
			_, err = w.CancelContactChange(ctx, thief)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("CONF-4, SEC-26 of 64 at once one has an effect", func(t *testing.T) {
			_, confirm, cancel := w.changing(t, "frida", "frida1@example.com")
			var events atomic.Int32
			defer w.On.ContactChange.On(func(context.Context, *callbacks.ContactChange[*Person]) error { events.Add(1); return nil })()
			atOnce(64, func(int) error {
				_, err := w.ConfirmEmailChange(ctx, confirm)
				return err
			})
			same(t, int32(1), events.Load())
			wins := atOnce(64, func(int) error {
				_, err := w.CancelContactChange(ctx, cancel)
				return err
			})[""]
			same(t, []int{1, 2}, []int{wins, int(events.Load())})
		})
		t.Run("CONF-26 of two who prove one address at once one gets it", func(t *testing.T) {
			_, a, _ := w.changing(t, "gerda", "wanted@example.com")
			_, b, _ := w.changing(t, "hanna", "wanted@example.com")
			tokens := []roster.Secret{a, b}
			same(t, map[roster.Code]int{"": 1, "identifier_taken email:taken": 1}, atOnce(2, func(i int) error {
				_, err := w.ConfirmEmailChange(ctx, tokens[i])
				return err
			}))
		})
	})
}

// CONF-28: a phone number changes by a code to the new one.
func TestPhoneChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("CONF-28 and the proven address can take it back", func(t *testing.T) {
			u := w.add(t, person("anna", "anna@example.com", "+12025550160"), roster.WithEmailVerified(), roster.WithPhoneVerified())
			_, err := w.ConfirmPhoneChange(ctx, u.ID, "123456")
			refused(t, err, roster.ErrInvalidCode)
			same(t, nil, w.RequestPhoneChange(ctx, u.ID, new("+1 202 555 0161")))
			code, cancel := w.code(t, "+12025550161"), w.lastTo(t, "anna@example.com").Token
			_, err = w.ConfirmPhone(ctx, u.ID, code)
			refused(t, err, roster.ErrAlreadyConfirmed)
			w.fired()
			changed, err := w.ConfirmPhoneChange(ctx, u.ID, code)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "+12025550161", *changed.Phone)
			same(t, true, changed.PhoneVerifiedAt != nil)
			same(t, []string{"BeforeContactChange", "AfterContactChange"}, w.fired()[:2])
			_, err = w.ConfirmPhoneChange(ctx, u.ID, code)
			refused(t, err, roster.ErrInvalidCode)
			back, err := w.CancelContactChange(ctx, cancel)
			same(t, nil, err)
			same(t, "+12025550160", *back.Phone)
		})
		t.Run("CONF-28 else the proven old number", func(t *testing.T) {
			w.post(t)
			u := w.add(t, person("berta", "", "+12025550162"), roster.WithPhoneVerified())
			same(t, nil, w.RequestPhoneChange(ctx, u.ID, new("+12025550163")))
			same(t, []string{"code_sms to +12025550163", "phone_change_old to +12025550162"}, w.posted(t))
			cancel, _ := w.Mailbox.Last("+12025550162")
			code, _ := w.Mailbox.Last("+12025550163")
			_, err := w.CancelContactChange(ctx, cancel.Token)
			same(t, nil, err)
			_, err = w.ConfirmPhoneChange(ctx, u.ID, code.Code)
			refused(t, err, roster.ErrInvalidCode)
		})
	})
}

// CONF-29: a contact is taken away at once, but for the last way to log in.
func TestRemoveContact(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", "+12025550170"), roster.WithEmailVerified(), roster.WithPassword(secret))
		w.fired()
		same(t, nil, w.RequestEmailChange(ctx, u.ID, nil))
		same(t, true, w.read(t, u.ID).Email == nil)
		same(t, []string{"BeforeContactChange", "AfterContactChange"}, w.fired()[:2])
		same(t, []string{"contact_removed to anna@example.com", "email_change_old to anna@example.com"}, w.posted(t))
		refused(t, w.RequestEmailChange(ctx, u.ID, nil), roster.ErrSameValue)
		same(t, nil, w.RequestPhoneChange(ctx, u.ID, nil))

		only := w.add(t, person("", "only@example.com", ""), roster.WithPassword(secret))
		refused(t, w.RequestEmailChange(ctx, only.ID, nil), roster.ErrLastCredential)
		unlocked := w.add(t, person("berta", "berta@example.com", ""), roster.WithEmailVerified())
		refused(t, w.RequestEmailChange(ctx, unlocked.ID, nil), roster.ErrLastCredential)
	})
}

// CONF-16, CONF-8: administrators set and clear proof marks.
func TestSetConfirmed(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "anna@example.com", ""))
		w.fired()
		set, err := w.SetEmailConfirmed(ctx, u.ID, true)
		same(t, nil, err)
		same(t, true, set.EmailVerifiedAt != nil && set.Version == u.Version+1)
		same(t, []string{"BeforeEmailConfirm", "AfterEmailConfirm", "OnEmailConfirm"}, w.fired())
		again, err := w.SetEmailConfirmed(ctx, u.ID, true)
		same(t, nil, err)
		same(t, set, again)
		cleared, err := w.SetEmailConfirmed(ctx, u.ID, false)
		same(t, nil, err)
		same(t, true, cleared.EmailVerifiedAt == nil)
		same(t, []string{"BeforeUpdate", "AfterUpdate", "OnUpdate"}, w.fired())
		_, err = w.SetPhoneConfirmed(ctx, u.ID, true)
		refused(t, err, roster.ErrNotFound)

		self := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, ID: u.ID})
		_, err = w.SetEmailConfirmed(self, u.ID, true)
		refused(t, err, roster.ErrForbidden)
		for range 10 {
			v, err := w.IsEmailConfirmationAvailable(self, u.ID)
			same(t, nil, err)
			same(t, true, v.Allowed)
		}
		same(t, nil, w.RequestEmailConfirmation(self, u.ID))
		same(t, nil, w.RequestEmailConfirmation(self, u.ID))
		v, err := w.IsEmailConfirmationAvailable(self, u.ID)
		same(t, nil, err)
		same(t, false, v.Allowed)
		_, err = w.IsEmailConfirmationAvailable(ctx, roster.NewID())
		refused(t, err, roster.ErrNotFound)
	})
}

// CONF-10, HTTP-123, SEC-75: asking again tells nothing of the account.
func TestResendEmailConfirmation(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "203.0.113.9"})
		w.add(t, person("anna", "anna@example.com", ""))
		w.add(t, person("berta", "berta@example.com", ""), roster.WithEmailVerified())
		for _, address := range []string{"anna@example.com", "ANNA@example.com", "Anna@Example.com", "berta@example.com", "nobody@example.com"} {
			same(t, nil, w.ResendEmailConfirmation(ctx, address))
		}
		same(t, []string{"email_confirm_again to anna@example.com"}, w.posted(t)) // the third was over the quota, the first was replaced
		same(t, 4, w.rows(t, "roster_messages WHERE state = 'cancelled'"))        // MAIL-8: three of nothing, and the first
		refused(t, w.ResendEmailConfirmation(ctx, "nobody"), roster.ErrValidationFailed, "email:invalid")
		fault := errors.New("no")
		defer w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })()
		w.Clock.Advance(time.Hour)
		same(t, nil, w.ResendEmailConfirmation(ctx, "anna@example.com")) // HOOK-26
		for range 20 {
			_ = w.ResendEmailConfirmation(ctx, "nobody@example.com")
		}
		refused(t, w.ResendEmailConfirmation(ctx, "nobody@example.com"), roster.ErrTooManyRequests)
	})
}
