package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/usersrepo"
)

// MAIL-1, MAIL-3, MAIL-6, MAIL-44, case 1: what is queued, and what comes of it.
func TestMessage(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "203.0.113.7", UserAgent: "browser"})
		p := person("anna", " Anna@BÜCHER.example ", "")
		p.Language = new("de-AT")
		u, _, err := w.Register(ctx, p, secret)
		if err != nil {
			t.Fatal(err)
		}
		same(t, 1, w.rows(t, `roster_messages WHERE kind = 'email_confirm' AND channel = 'email' AND user_id = $1 AND recipient = 'Anna@xn--bcher-kva.example'
			AND language = 'de-AT' AND state = 'pending' AND attempts = 0 AND payload IS NOT NULL AND expires_at = $2`, u.ID, w.Clock.Now().Add(24*time.Hour)))
		sent := w.post(t)
		if len(sent) != 1 {
			t.Fatal(sent)
		}
		m := sent[0]
		same(t, []string{"Anna@xn--bcher-kva.example", "de", "email"}, []string{m.To, m.Language, string(m.Channel)})
		same(t, "https://app.example/confirm#token="+m.Token.Reveal(), m.Link.Reveal())
		same(t, true, strings.HasPrefix(m.Token.Reveal(), "ec_") && len(m.Token) == 46)
		same(t, true, strings.Contains(m.Text, m.Link.Reveal()) && strings.Contains(m.HTML, m.Token.Reveal()))
		same(t, 1, w.rows(t, "roster_messages WHERE state = 'sent' AND payload IS NULL AND sent_at IS NOT NULL")) // MAIL-5
		if _, err := w.ConfirmEmail(t.Context(), m.Token); err != nil {
			t.Error(err)
		}
	}, func(cfg *usersrepo.Config) { cfg.BaseURL = "https://app.example/" })
}

// MAIL-5, SEC-66, SEC-118, case 18: no table holds a link in clear, and a payload opens in its own row alone.
func TestMessagePayload(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		anna, berta := w.add(t, person("anna", "anna@example.com", "")), w.add(t, person("berta", "berta@example.com", ""))
		for _, id := range []roster.ID{anna.ID, berta.ID} {
			if err := w.RequestEmailConfirmation(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if err := w.RequestPasswordSet(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		before := w.tables(t)
		w.exec(t, `UPDATE roster_messages SET payload = (SELECT payload FROM roster_messages m WHERE m.kind = 'email_confirm' AND m.user_id = '`+anna.ID.String()+`')
			WHERE user_id = '`+berta.ID.String()+`' AND kind = 'email_confirm'`)
		sent := w.post(t)
		same(t, 3, len(sent))
		for _, m := range sent {
			for _, text := range []string{m.Token.Reveal(), m.Token.Reveal()[3:], m.Link.Reveal()} {
				same(t, []string(nil), holding(before, text))
			}
			if m.Kind == notify.EmailConfirm && m.To != "anna@example.com" {
				t.Errorf("a swapped payload was sent to %s", m.To)
			}
		}
		same(t, 1, w.rows(t, "roster_messages WHERE state = 'dead' AND user_id = $1 AND kind = 'email_confirm'", berta.ID))
	})
}

// MAIL-7, HOOK-61, HOOK-65, case 21: what a hook may change of a message, and what not.
func TestMessageHook(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		var seen []callbacks.Message[*Person]
		remove := w.On.Message.Before(func(_ context.Context, e *callbacks.Message[*Person]) error {
			seen = append(seen, *e)
			e.Language, e.Subject, e.To = "de", "Read this", "thief@example.com"
			e.Headers = map[string]string{"X-Campaign": "1"}
			e.Data.User.Company = "Hooked"
			return nil
		})
		after := w.On.Message.After(func(_ context.Context, e *callbacks.Message[*Person]) error { seen = append(seen, *e); return nil })
		on := w.On.Message.On(func(_ context.Context, e *callbacks.Message[*Person]) error { seen = append(seen, *e); return nil })
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithConfirmation())
		sent := w.post(t)
		if len(sent) != 1 {
			t.Fatal(sent)
		}
		m := sent[0]
		same(t, []string{"anna@example.com", "de", "Read this", "1"}, []string{m.To, m.Language, m.Subject, m.Headers["X-Campaign"]})
		same(t, "", w.read(t, u.ID).Company)
		same(t, 3, len(seen))
		same(t, roster.ID{}, seen[0].ID)
		for _, e := range seen[1:] {
			same(t, m.ID, e.ID)
			same(t, "anna@example.com", e.To)
		}
		if text := fmt.Sprintf("%+v", seen); strings.Contains(text, m.Token.Reveal()) {
			t.Error("the token is in the event")
		}
		remove()
		after()
		on()
		defer w.On.Message.Before(func(_ context.Context, e *callbacks.Message[*Person]) error { e.Skip = true; return nil })()
		w.fired()
		w.add(t, person("berta", "berta@example.com", ""), roster.WithConfirmation())
		same(t, []string{"BeforeCreate", "AfterCreate", "BeforeMessage", "OnCreate"}, w.fired())
		same(t, []string(nil), w.posted(t))
	})
}

// MAIL-9, MAIL-20, MAIL-21, cases 7 to 9 and 22: what has become pointless is not sent.
func TestMessageIsDropped(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		n := 0
		for name, tt := range map[string]struct {
			act   func(t *testing.T, u *Person) error
			state string
			sends []string
		}{
			"MAIL-9 when a newer one replaces it, case 7": {
				func(_ *testing.T, u *Person) error { return w.RequestEmailConfirmation(ctx, u.ID) }, "cancelled", []string{"email_confirm"},
			},
			"MAIL-9 when the address changes, case 8": {
				func(t *testing.T, u *Person) error { w.edit(t, u.ID, func(p *Person) { p.Email = nil }); return nil }, "cancelled", nil,
			},
			"MAIL-9 when the user is deactivated": {
				func(_ *testing.T, u *Person) error { return w.Delete(ctx, u.ID, roster.Deactivate) }, "cancelled", nil,
			},
			"MAIL-9 when the user is anonymised": {
				func(_ *testing.T, u *Person) error { return w.Delete(ctx, u.ID, roster.Anonymise) }, "cancelled", nil,
			},
			"MAIL-21 when the user is banned, case 9": {
				func(t *testing.T, u *Person) error {
					w.exec(t, "UPDATE users SET banned_at = $1 WHERE id = $2", w.Clock.Now(), u.ID)
					return nil
				}, "cancelled", nil,
			},
			"MAIL-21 when the row is gone": {
				func(t *testing.T, u *Person) error { w.exec(t, "DELETE FROM users WHERE id = $1", u.ID); return nil }, "cancelled", nil,
			},
			"MAIL-20 when the link was used": {
				func(t *testing.T, u *Person) error {
					w.exec(t, "UPDATE roster_links SET used_at = $1 WHERE user_id = $2", w.Clock.Now(), u.ID)
					return nil
				}, "cancelled", nil,
			},
			"MAIL-20 when the link is late, case 22": {
				func(*testing.T, *Person) error { w.Clock.Advance(24 * time.Hour); return nil }, "expired", nil,
			},
		} {
			t.Run(name, func(t *testing.T) {
				n++
				u := w.add(t, person(fmt.Sprintf("user%d", n), fmt.Sprintf("user%d@example.com", n), ""))
				if err := w.RequestEmailConfirmation(ctx, u.ID); err != nil {
					t.Fatal(err)
				}
				if err := tt.act(t, u); err != nil {
					t.Fatal(err)
				}
				var kinds []string
				for _, m := range w.post(t) {
					kinds = append(kinds, m.Kind)
				}
				same(t, tt.sends, kinds)
				same(t, 1, w.rows(t, "roster_messages WHERE user_id = $1 AND state = $2 AND payload IS NULL", u.ID, tt.state))
			})
		}
		t.Run("MAIL-9 drops no message of a removed user: it has none", func(t *testing.T) {
			u := w.add(t, person("removed", "removed@example.com", ""), roster.WithConfirmation())
			if err := w.Delete(ctx, u.ID, roster.Remove); err != nil {
				t.Fatal(err)
			}
			same(t, 0, w.rows(t, "roster_messages WHERE user_id = $1", u.ID))
		})
	})
}

// MAIL-2, MAIL-17, cases 3 and 5: a mail server that is down changes no answer, and the message comes once it is back.
func TestMessageIsTriedAgain(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.Mailbox.Fail(2, fmt.Errorf("connection refused"))
		u, pair, err := w.Register(t.Context(), person("", "anna@example.com", ""), secret)
		if err != nil || pair == nil || u == nil {
			t.Fatalf("%v, %v", pair, err)
		}
		for range 2 {
			same(t, 0, len(w.post(t)))
			same(t, 1, w.rows(t, "roster_messages WHERE state = 'pending' AND payload IS NOT NULL"))
			w.Clock.Advance(5 * time.Minute)
		}
		same(t, []string{"email_confirm to anna@example.com"}, w.posted(t))
		same(t, []string(nil), w.posted(t))
		w.Mailbox.Fail(1, notify.Permanent(fmt.Errorf("no such user")))
		w.add(t, person("", "berta@example.com", ""), roster.WithConfirmation())
		same(t, 0, len(w.post(t)))
		same(t, 1, w.rows(t, "roster_messages WHERE state = 'dead'"))
	})
}

// MAIL-47: notices go to a proven address alone.
func TestNotices(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for name, tt := range map[string]struct {
			p       *Person
			options []roster.CreateOption
			want    []string
		}{
			"a proven address": {person("anna", "anna@example.com", ""), []roster.CreateOption{roster.WithEmailVerified()}, []string{"social_linked to anna@example.com"}},
			"an unproven one":  {person("berta", "berta@example.com", ""), nil, nil},
			"none":             {person("carla", "", ""), nil, nil},
			"a proven phone":   {person("", "", "+12025550101"), []roster.CreateOption{roster.WithPhoneVerified()}, []string{"social_linked to +12025550101"}},
			"both": {
				person("", "both@example.com", "+12025550102"),
				[]roster.CreateOption{roster.WithEmailVerified(), roster.WithPhoneVerified()},
				[]string{"social_linked to both@example.com"},
			},
			"a proven phone beside an unproven address": {
				person("", "either@example.com", "+12025550103"),
				[]roster.CreateOption{roster.WithPhoneVerified()},
				[]string{"social_linked to +12025550103"},
			},
			"an unproven phone": {person("", "", "+12025550104"), nil, nil},
		} {
			t.Run("MAIL-47 with "+name, func(t *testing.T) {
				u := w.add(t, tt.p, tt.options...)
				w.link(t, u.ID, "google", u.ID.String(), nil)
				sent := w.post(t)
				var got []string
				for _, m := range sent {
					got = append(got, m.Kind+" to "+m.To)
					if m.Link != "" || m.Token != "" {
						t.Error("a notice with a link")
					}
					bySMS := m.Channel == notify.SMS && strings.HasPrefix(m.Text, "Example: ") && m.Subject == "" && m.HTML == ""
					if bySMS != strings.HasPrefix(m.To, "+") {
						t.Errorf("got %s to %s: %q", m.Channel, m.To, m.Text)
					}
				}
				same(t, tt.want, got)
			})
		}
	})
}

// MAIL-40: the language of the user, the program's otherwise.
func TestMessageLanguage(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for i, tt := range []struct {
			language *string
			want     string
		}{{nil, "de"}, {new("en"), "en"}, {new("de-AT"), "de"}, {new("fr"), "de"}} {
			p := person("", fmt.Sprintf("user%d@example.com", i), "")
			p.Language = tt.language
			w.add(t, p, roster.WithConfirmation())
			sent := w.post(t)
			if len(sent) != 1 || sent[0].Language != tt.want {
				t.Errorf("%v: %v", tt.language, sent[0].Language)
			}
		}
	}, func(cfg *usersrepo.Config) { cfg.Notify.Language = "de" })
}
