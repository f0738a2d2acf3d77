package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/usersrepo"
)

// dead makes a message that could not be sent, and returns it.
func (s *site) dead(t testing.TB, name string) roster.MessageInfo {
	t.Helper()
	s.Mailbox.Fail(1, notify.Permanent(errors.New("550 <"+name+"@example.com> unknown")))
	u := s.add(t, person("", name+"@example.com", ""), roster.WithConfirmation())
	s.post(t)
	page, err := s.ListMessages(t.Context(), roster.MessageQuery{UserID: &u.ID})
	if err != nil || len(page.Items) != 1 || page.Items[0].State != "dead" {
		t.Fatalf("%+v, %v", page, err)
	}
	return page.Items[0]
}

// ADMIN-43, MAIL-4, MAIL-25, MAIL-27, case 4: what administrators see of the outbox, and how they retry.
func TestHTTPMessages(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		reader := s.administrator(t, "reader", roster.PermissionReadMessages)
		clerk := s.administrator(t, "clerk", roster.PermissionReadMessages, roster.PermissionRetryMessages)
		m := s.dead(t, "anna")
		list := func(t *testing.T, query ...string) reply {
			t.Helper()
			values := url.Values{}
			for i := 0; i < len(query); i += 2 {
				values.Add(query[i], query[i+1])
			}
			return s.do(t, "GET /admin/messages?"+values.Encode(), nil, reader.token())
		}
		t.Run("ADMIN-43 shows neither text nor address", func(t *testing.T) {
			a := list(t, "state", "dead", "kind", "email_confirm", "channel", "email", "created_at.gte", m.CreatedAt.Format(time.RFC3339), "created_at.lt", m.CreatedAt.Add(time.Second).Format(time.RFC3339))
			a.succeeds(t, 200)
			same(t, []string{"attempts", "channel", "created_at", "id", "kind", "last_error", "next_at", "sent_at", "state", "to_masked"}, membersOf(t, a.member(t, "items.0")))
			same(t, any("an**@ex*****.***"), a.member(t, "items.0.to_masked"))
			same(t, any("550 <[address]> unknown"), a.member(t, "items.0.last_error"))
			same(t, any(nil), a.member(t, "items.0.sent_at"))
			same(t, any(nil), a.member(t, "next"))
		})
		t.Run("ADMIN-43 filters", func(t *testing.T) {
			for _, query := range [][]string{
				{"state", "sent", "user_id", reader.ID.String()},
				{"kind", "password_reset"},
				{"channel", "sms"},
				{"created_at.lt", "2020-01-01T00:00:00Z"},
				{"created_at.gte", "2120-01-01T00:00:00Z"},
			} {
				same(t, 0, len(list(t, query...).succeeds(t, 200).member(t, "items").([]any)))
			}
			for fault, query := range map[string][]string{
				"state:invalid": {"state", "lost"}, "kind:invalid": {"kind", "spam"}, "channel:invalid": {"channel", "fax"},
				"limit:invalid": {"limit", "201"}, "user_id:invalid": {"user_id", "x"}, "created_at.gte:invalid": {"created_at.gte", "x"},
				"created_at.lt:invalid": {"created_at.lt", ""},
			} {
				t.Run("422 of "+fault, func(t *testing.T) { list(t, query...).fails(t, 422, "validation_failed", fault) })
			}
			for _, query := range [][]string{{"to", "anna@example.com"}, {"sort", "kind"}, {"q", "anna"}, {"state.ne", "dead"}, {"created_at", "x"}} {
				list(t, query...).fails(t, 400, "invalid_parameter", query[0]+":invalid")
			}
			list(t, "cursor", "x").fails(t, 400, "invalid_cursor")
		})
		t.Run("ADMIN-43 asks for permissions", func(t *testing.T) {
			s.do(t, "GET /admin/messages", nil, s.administrator(t, "other", roster.PermissionReadUsers).token()).fails(t, 403, "forbidden")
			s.do(t, "POST /admin/messages/"+m.ID.String()+"/retry", nil, reader.token()).fails(t, 403, "forbidden")
		})
		t.Run("MAIL-25 retries a dead message once, case 4", func(t *testing.T) {
			retry := "POST /admin/messages/" + m.ID.String() + "/retry"
			s.do(t, retry, fields{"reason": "the address was mended"}, clerk.token()).succeeds(t, 202)
			s.do(t, retry, nil, clerk.token()).fails(t, 409, "conflict")
			same(t, []string{"email_confirm to anna@example.com"}, s.posted(t))
			s.do(t, retry, nil, clerk.token()).fails(t, 409, "conflict")
			s.do(t, "POST /admin/messages/"+roster.NewID().String()+"/retry", nil, clerk.token()).fails(t, 404, "not_found")
			s.do(t, "POST /admin/messages/x/retry", nil, clerk.token()).fails(t, 404, "not_found")
		})
		t.Run("ADMIN-43 pages", func(t *testing.T) {
			for i := range 4 {
				s.add(t, person("", fmt.Sprintf("page%d@example.com", i), ""), roster.WithConfirmation())
			}
			seen, cursor := map[any]bool{}, ""
			for range 3 {
				query := []string{"limit", "2", "state", "pending"}
				if cursor != "" {
					query = append(query, "cursor", cursor)
				}
				a := list(t, query...)
				for _, item := range a.succeeds(t, 200).member(t, "items").([]any) {
					seen[item.(map[string]any)["id"]] = true
				}
				if cursor, _ = a.member(t, "next").(string); cursor == "" {
					break
				}
				list(t, "limit", "2", "state", "sent", "cursor", cursor).fails(t, 400, "invalid_cursor")
			}
			same(t, 4, len(seen))
		})
		t.Run("MAIL-25 refuses what has ended, and of many at once one wins", func(t *testing.T) {
			s.post(t)
			m := s.dead(t, "berta")
			same(t, map[roster.Code]int{"": 1, "conflict": 63}, atOnce(64, func(int) error { return s.RetryMessage(t.Context(), m.ID) }))
			s.post(t)
			late := s.dead(t, "carla")
			s.Clock.Advance(24 * time.Hour)
			refused(t, s.RetryMessage(t.Context(), late.ID), roster.ErrConflict)
		})
	})
}

// MAIL-26, SEC-116: how long messages are kept is the program's to say.
func TestMessagesAreCleaned(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("", "anna@example.com", ""), roster.WithConfirmation())
		same(t, 1, len(w.post(t)))
		w.Mailbox.Fail(1, notify.Permanent(errors.New("no")))
		w.add(t, person("", "berta@example.com", ""), roster.WithConfirmation())
		w.post(t)
		for _, step := range []struct {
			pass time.Duration
			want int
		}{{time.Hour, 2}, {time.Hour, 1}, {2 * time.Hour, 0}} {
			w.Clock.Advance(step.pass)
			if _, err := w.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, step.want, w.rows(t, "roster_messages"))
		}
	}, func(cfg *usersrepo.Config) { cfg.Notify.Keep, cfg.Notify.KeepDead = 90*time.Minute, 3*time.Hour })
}

// MAIL-35: notices can be switched off.
func TestMessageKindsOff(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithEmailVerified())
		w.link(t, u.ID, "google", "1", nil)
		w.edit(t, u.ID, func(p *Person) { p.Username = new("annette") })
		same(t, []string{"username_changed to anna@example.com"}, w.posted(t))
	}, func(cfg *usersrepo.Config) { cfg.Notify.Off = []string{notify.SocialLinked} })
}

// MAIL-39, MAIL-40, MAIL-43, MAIL-45, cases 12 and 15: where a mail leads, and in which language.
func TestHTTPMessageOfRequest(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		for i, tt := range []struct{ chosen, header, want string }{
			{"", "de-AT,de;q=0.9,en;q=0.5", "de"}, {"", "fr", "en"}, {"", "", "en"}, {"en", "de", "en"}, {"", strings.Repeat("x", 4000), "en"},
		} {
			body := fields{"email": fmt.Sprintf("user%d@example.com", i), "password": passphrase}
			if tt.chosen != "" {
				body["language"] = tt.chosen
			}
			s.do(t, "POST /api/register", body, header("Accept-Language", tt.header), header("X-Forwarded-Host", "evil.example"),
				header("Origin", "https://evil.example"), header("Referer", "https://evil.example/")).succeeds(t, 201)
			sent := s.post(t)
			if len(sent) != 1 {
				t.Fatal(sent)
			}
			m := sent[0]
			same(t, tt.want, m.Language)
			same(t, "https://login.example.com/mail?x=1#token="+m.Token.Reveal(), m.Link.Reveal())
			if strings.Contains(m.Text+m.HTML, "evil") || !strings.Contains(m.Text, m.Link.Reveal()) {
				t.Errorf("got %s", m.Text)
			}
		}
	}, func(cfg *usersrepo.Config) {
		cfg.Notify.Links.Hosts, cfg.Notify.Links.ConfirmEmail = []string{"login.example.com"}, "https://login.example.com/mail?x=1"
	})
}

// MAIL-45: the pages that mails lead to unless the program says otherwise.
func TestMessagePages(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("", "anna@example.com", ""), roster.WithConfirmation(), roster.WithInvitation())
		pages := map[string]string{}
		for _, m := range w.post(t) {
			page, _, _ := strings.Cut(m.Link.Reveal(), "#token=")
			pages[m.Kind] = page
		}
		same(t, map[string]string{"email_confirm": "https://app.example/confirm", "password_first": "https://app.example/set-password"}, pages)
	})
}

// MAIL-8, MAIL-48, SEC-24: what strangers ask for is capped for each address over all kinds. Beyond it, and for an address that
// nobody has, a row is written all the same, and nothing is sent.
func TestMessagesToOneTarget(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("", "anna@example.com", ""))
		for _, address := range []string{"anna@example.com", "ANNA@example.com", "Anna@Example.com", "anna@EXAMPLE.com", "anna@example.com", "nobody@example.com"} {
			if err := w.ResendEmailConfirmation(t.Context(), address); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 100 {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: fmt.Sprintf("192.0.2.%d", i)})
			same(t, nil, errors.Join(w.ResendEmailConfirmation(ctx, "anna@example.com"), w.RequestPasswordReset(ctx, "anna@example.com")))
		}
		same(t, 3, w.rows(t, "roster_messages WHERE kind <> 'noop'"))
		same(t, 203, w.rows(t, "roster_messages WHERE kind = 'noop' AND state = 'cancelled' AND recipient IS NULL AND payload IS NULL"))
		same(t, 1, len(w.post(t)))
	}, func(cfg *usersrepo.Config) {
		cfg.Protection.Mails.Off, cfg.Protection.AskedMessages.Off, cfg.Protection.Target.Max = true, true, 3
	})
}

// MAIL-27: how operators see what the outbox does.
func TestMessageStats(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		same(t, roster.Backlog{}, must(w.GetBacklog(ctx))(t))
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithConfirmation())
		since := w.Clock.Now()
		w.Clock.Advance(time.Minute)
		w.add(t, person("berta", "berta@example.com", ""), roster.WithConfirmation())
		same(t, roster.Backlog{Waiting: 2, Oldest: &since}, must(w.GetBacklog(ctx))(t))
		_ = w.InTx(ctx, func(ctx context.Context) error { // what is undone was not queued
			_, err := w.Create(ctx, person("carla", "carla@example.com", ""), roster.WithConfirmation())
			return errors.Join(err, errors.New("undo"))
		})
		w.Mailbox.Fail(1, errors.New("later"))
		w.post(t)
		w.Clock.Advance(time.Hour)
		w.Mailbox.Fail(1, notify.Permanent(errors.New("never")))
		w.post(t)
		same(t, roster.Backlog{}, must(w.GetBacklog(ctx))(t))
		got := w.Stats().Messages
		if len(got) != 1 || got[0].Sending <= 0 {
			t.Fatalf("%+v", got)
		}
		got[0].Sending = 0
		same(t, []roster.MessageStats{{Kind: "email_confirm", Channel: "email", Queued: 2, Sent: 1, Retried: 1, Dead: 1}}, got)
		clerk := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, ID: u.ID})
		_, err := w.GetBacklog(clerk)
		refused(t, err, roster.ErrForbidden)
	})
}
