package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// CONF-23, SEC-77: where registrations are concealed, who changes a contact is not told that somebody has it.
func TestConcealedChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.add(t, person("", "taken@example.com", "+12025550100"))
		asker := func(name string) *Person {
			return w.add(t, person(name, name+"@example.com", ""), roster.WithEmailVerified(), roster.WithPassword(secret))
		}
		t.Run("CONF-23 goes as far as with a free address, and tells the owner", func(t *testing.T) {
			u := asker("anna")
			w.posted(t)
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("Taken@example.com")))
			same(t, []string{"account_exists to taken@example.com", "email_change_old to anna@example.com"}, w.posted(t))
			pending := must(w.PendingContactChanges(ctx, u.ID))(t)
			if len(pending) != 1 || pending[0].New != "Taken@example.com" {
				t.Errorf("pending: %v", pending)
			}
			same(t, "anna@example.com", *w.read(t, u.ID).Email)
			must(w.CancelContactChange(ctx, w.lastTo(t, "anna@example.com").Token))(t)
			same(t, 0, len(must(w.PendingContactChanges(ctx, u.ID))(t)))
		})
		t.Run("CONF-23 tells the owner once a day, and the asker nothing of that", func(t *testing.T) {
			u := asker("berta")
			w.posted(t)
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("taken@example.com")))
			same(t, []string{"email_change_old to berta@example.com"}, w.posted(t))
			w.Clock.Advance(day)
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("taken@example.com")))
			same(t, []string{"account_exists to taken@example.com", "email_change_old to berta@example.com"}, w.posted(t))
		})
		t.Run("CONF-28 answers codes alike for a taken number and a free one", func(t *testing.T) {
			var answers [][]string
			for name, number := range map[string]string{"carla": "+12025550100", "carlb": "+12025550177"} {
				u := asker(name)
				same(t, nil, w.RequestPhoneChange(ctx, u.ID, new(number)))
				var got []string
				for range 8 {
					_, err := w.ConfirmPhoneChange(ctx, u.ID, "000000")
					got = append(got, string(codeOf(err)))
				}
				answers = append(answers, got)
			}
			same(t, answers[0], answers[1])
			got := w.posted(t)
			same(t, true, slices.Contains(got, "account_exists to +12025550100"))
			same(t, false, slices.Contains(got, "code_sms to +12025550100"))
			same(t, true, slices.Contains(got, "code_sms to +12025550177"))
		})
		t.Run("CONF-23 sends nothing to who is shut out", func(t *testing.T) {
			banned := w.add(t, person("", "banned@example.com", ""))
			must(w.Ban(ctx, banned.ID, roster.Ban{}))(t)
			u := asker("dora")
			w.posted(t)
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("banned@example.com")))
			same(t, []string{"email_change_old to dora@example.com"}, w.posted(t))
			same(t, 1, len(must(w.PendingContactChanges(ctx, u.ID))(t)))
		})
		t.Run("SEC-11 a taken address takes from the quota as a free one does", func(t *testing.T) {
			for name, address := range map[string]string{"emma": "taken@example.com", "emmb": "quite.free@example.com"} {
				w.Clock.Advance(day)
				u := asker(name)
				same(t, nil, w.RequestEmailChange(ctx, u.ID, &address))
				same(t, nil, w.RequestEmailChange(ctx, u.ID, &address))
				refused(t, w.RequestEmailChange(ctx, u.ID, &address), roster.ErrQuotaExhausted)
			}
			w.posted(t)
		})
		t.Run("CONF-23 tells an administrator, who can look", func(t *testing.T) {
			u, boss := asker("frida"), w.add(t, person("boss", "", ""), roster.WithSuperuser(true))
			refused(t, w.RequestEmailChange(roster.WithActor(ctx, roster.Actor{Kind: roster.ActorAdmin, ID: boss.ID}), u.ID, new("taken@example.com")), roster.ErrIdentifierTaken, "email:taken")
		})
		t.Run("SEC-77 says nothing when a hook refuses the message to the owner", func(t *testing.T) {
			w.Clock.Advance(day)
			u := asker("gerda")
			w.posted(t)
			remove := w.On.Message.Before(func(_ context.Context, e *callbacks.Message[*Person]) error {
				if e.Kind == "account_exists" {
					return errors.New("no")
				}
				return nil
			})
			same(t, nil, w.RequestEmailChange(ctx, u.ID, new("taken@example.com")))
			remove()
			same(t, 0, len(w.posted(t)))
		})
	}, conceal)
}

// CONF-23, SEC-77: the work is the same, by the statements that reach the database.
func TestConcealedChangeWork(t *testing.T) {
	t.Parallel()
	w, y := tallied(t, conceal, func(cfg *usersrepo.Config) { cfg.Protection.Mails.Max, cfg.Protection.CodePause.Off = 100, true })
	w.add(t, person("", "taken@example.com", "+12025550100"), roster.WithEmailVerified(), roster.WithPhoneVerified())
	u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
	work := func(change func(context.Context, roster.ID, *string) error, contact string) []string {
		y.taken()
		if err := change(t.Context(), u.ID, &contact); err != nil {
			t.Fatal(err)
		}
		var verbs []string
		for _, text := range y.taken() {
			words := strings.Fields(text)
			verbs = append(verbs, strings.Join(words[:min(2, len(words))], " "))
		}
		return verbs
	}
	for i := range 3 { // the first prepares, the second finds the quota of the owner used up, the third has it anew
		w.Clock.Advance(day / 2)
		free, taken := work(w.RequestEmailChange, fmt.Sprintf("free%d@example.com", i)), work(w.RequestEmailChange, "taken@example.com")
		if i > 0 {
			same(t, free, taken)
		}
		free, taken = work(w.RequestPhoneChange, fmt.Sprintf("+1202555017%d", i)), work(w.RequestPhoneChange, "+12025550100")
		if i > 0 {
			same(t, free, taken)
		}
	}
}

// CONF-23, HTTP-57: so are the answers.
func TestHTTPConcealedChange(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.guest(t, "taken")
		var answers []string
		var messages []int
		for name, address := range map[string]string{"anna": "taken@example.com", "berta": "free@example.com"} {
			g := s.guest(t, name)
			a := s.do(t, "PUT /api/me/email", fields{"email": address, "password": passphrase}, g.token()).succeeds(t, 202)
			answers = append(answers, a.alike())
			var taken struct{ Messages []json.RawMessage }
			s.do(t, "GET /api/me/export", nil, g.token()).succeeds(t, 200).into(t, &taken)
			messages = append(messages, len(taken.Messages))
		}
		same(t, answers[0], answers[1])
		same(t, messages[0], messages[1]) // nor does what people are given of their own mails tell
	}, conceal)
}
