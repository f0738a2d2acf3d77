package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
)

// post delivers what waits and returns the messages that it sent, oldest first.
func (w *world) post(t testing.TB) []notify.Message {
	t.Helper()
	had := len(w.Mailbox.All())
	if _, err := w.Deliver(t.Context(), 100); err != nil {
		t.Fatalf("deliver: %v", err)
	}
	all := w.Mailbox.All()
	sent := all[:len(all)-had]
	slices.Reverse(sent)
	return sent
}

// posted returns the messages of a delivery as "kind to recipient".
func (w *world) posted(t testing.TB) []string {
	t.Helper()
	var list []string
	for _, m := range w.post(t) {
		list = append(list, m.Kind+" to "+m.To)
	}
	slices.Sort(list)
	return list
}

// confirmation asks for a link that proves a user's address, and returns its token.
func (w *world) confirmation(t testing.TB, id roster.ID) roster.Secret {
	t.Helper()
	if err := w.RequestEmailConfirmation(t.Context(), id); err != nil {
		t.Fatalf("request confirmation: %v", err)
	}
	return w.token(t)
}

// token returns the token of the one message that waits.
func (w *world) token(t testing.TB) roster.Secret {
	t.Helper()
	sent := w.post(t)
	if len(sent) != 1 || sent[0].Token == "" {
		t.Fatalf("%d messages were sent, want one with a token: %v", len(sent), sent)
	}
	return sent[0].Token
}

// USER-32, CONF-30, CONF-31, case 18: a contact that Update changes.
func TestUpdateContact(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		t.Run("USER-32 unproves a changed address and tells the old one, case 18", func(t *testing.T) {
			u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
			var steps []callbacks.ContactChange[*Person]
			defer w.On.ContactChange.On(func(_ context.Context, e *callbacks.ContactChange[*Person]) error {
				steps = append(steps, *e)
				return nil
			})()
			w.fired()
			got := w.edit(t, u.ID, func(p *Person) { p.Email = new("New@example.com") })
			if got.EmailVerifiedAt != nil || w.read(t, u.ID).EmailVerifiedAt != nil {
				t.Error("the new address counts as proven")
			}
			same(t, []string{
				"BeforeUpdate", "BeforeContactChange", "AfterUpdate", "AfterContactChange", "BeforeMessage", "AfterMessage",
				"OnUpdate", "OnContactChange", "OnMessage",
			}, w.fired())
			same(t, []string{"email_changed to anna@example.com"}, w.posted(t))
			w.edit(t, u.ID, func(p *Person) { p.Email = nil })
			same(t, []string(nil), w.posted(t)) // to an address that nobody proved, nothing is told
			if len(steps) != 2 {
				t.Fatalf("%d events, want 2", len(steps))
			}
			same(t, []any{callbacks.Email, callbacks.ContactChanged, "anna@example.com", "New@example.com"}, []any{steps[0].Kind, steps[0].Step, steps[0].Old, steps[0].New})
			same(t, []any{callbacks.Email, callbacks.ContactRemoved, "New@example.com", ""}, []any{steps[1].Kind, steps[1].Step, steps[1].Old, steps[1].New})
		})
		t.Run("USER-32 voids links to the old address, and messages that carry them, case 18", func(t *testing.T) {
			u := w.add(t, person("berta", "berta@example.com", ""))
			token := w.confirmation(t, u.ID)
			w.edit(t, u.ID, func(p *Person) { p.Email = new("berta2@example.com") })
			_, err := w.ConfirmEmail(t.Context(), token)
			refused(t, err, roster.ErrInvalidToken)
			if err := w.RequestEmailConfirmation(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			w.edit(t, u.ID, func(p *Person) { p.Email = new("berta@example.com") })
			same(t, []string(nil), w.posted(t))
			same(t, 1, w.rows(t, "roster_messages WHERE recipient = 'berta2@example.com' AND state = 'cancelled' AND payload IS NULL"))
			_, err = w.ConfirmEmail(t.Context(), token) // the address is back, the link is not
			refused(t, err, roster.ErrInvalidToken)
			same(t, false, w.read(t, u.ID).Verified())
		})
		t.Run("USER-32 unproves a changed phone number", func(t *testing.T) {
			u := w.add(t, person("carla", "", "+12025550123"), roster.WithPhoneVerified())
			w.fired()
			got := w.edit(t, u.ID, func(p *Person) { p.Phone = new("+12025550124") })
			if got.PhoneVerifiedAt != nil || w.read(t, u.ID).PhoneVerifiedAt != nil {
				t.Error("the new number counts as proven")
			}
			same(t, []string{
				"BeforeUpdate", "BeforeContactChange", "AfterUpdate", "AfterContactChange", "BeforeMessage", "AfterMessage", "OnUpdate",
				"OnContactChange", "OnMessage",
			}, w.fired())
			same(t, []string{"phone_changed to +12025550123"}, w.posted(t))
		})
		t.Run("USER-35 keeps the proof of an address that is merely spelled otherwise", func(t *testing.T) {
			u := w.add(t, person("dora", "dora@example.com", "+12025550125"), roster.WithEmailVerified(), roster.WithPhoneVerified())
			w.fired()
			got := w.edit(t, u.ID, func(p *Person) { p.Email, p.Phone = new("Dora@EXAMPLE.com "), new("+1 202 555 0125") })
			same(t, []string{"Dora@example.com", "+12025550125"}, []string{*got.Email, *got.Phone})
			same(t, u.EmailVerifiedAt, w.read(t, u.ID).EmailVerifiedAt)
			same(t, u.PhoneVerifiedAt, w.read(t, u.ID).PhoneVerifiedAt)
			same(t, []string{"BeforeUpdate", "AfterUpdate", "OnUpdate"}, w.fired())
			same(t, []string(nil), w.posted(t))
		})
		t.Run("USER-32 USER-33 tells the proven address of all that was changed at once", func(t *testing.T) {
			u := w.add(t, person("emil", "emil@example.com", ""), roster.WithEmailVerified())
			w.edit(t, u.ID, func(p *Person) { p.Username, p.Email = new("thief"), new("thief@example.com") })
			same(t, []string{"email_changed to emil@example.com", "username_changed to emil@example.com"}, w.posted(t))
		})
		t.Run("USER-34 CONF-29 tells an address that is removed", func(t *testing.T) {
			u := w.add(t, person("frida", "frida@example.com", ""), roster.WithEmailVerified())
			w.edit(t, u.ID, func(p *Person) { p.Email = nil })
			same(t, []string{"contact_removed to frida@example.com"}, w.posted(t))
			w.add(t, person("", "frida@example.com", ""))
		})
		t.Run("USER-31 HOOK-13 lets a hook of the contact change nothing else", func(t *testing.T) {
			u := w.add(t, person("hugo", "hugo@example.com", ""))
			defer w.On.ContactChange.Before(func(_ context.Context, e *callbacks.ContactChange[*Person]) error {
				e.User.Superuser, e.User.Company, e.User.Email = true, "Hooked", new("else@example.com")
				return nil
			})()
			w.edit(t, u.ID, func(p *Person) { p.Email = new("hugo2@example.com") })
			got := w.read(t, u.ID)
			same(t, "false  hugo2@example.com", fmt.Sprint(got.Superuser, " ", got.Company, " ", *got.Email))
		})
		t.Run("USER-32 leaves the old address as it was when a hook refuses", func(t *testing.T) {
			u := w.add(t, person("gerda", "gerda@example.com", ""), roster.WithEmailVerified())
			before, fault := w.tables(t), errors.New("no")
			for _, add := range []func() func(){
				func() func() {
					return w.On.ContactChange.Before(func(context.Context, *callbacks.ContactChange[*Person]) error { return fault })
				},
				func() func() {
					return w.On.ContactChange.After(func(context.Context, *callbacks.ContactChange[*Person]) error { return fault })
				},
				func() func() {
					return w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
				},
			} {
				remove := add()
				_, err := w.Update(t.Context(), u.ID, func(p *Person) error { p.Email = new("gerda2@example.com"); return nil })
				remove()
				same(t, true, errors.Is(err, fault))
				same(t, before, w.tables(t))
			}
		})
	})
}
