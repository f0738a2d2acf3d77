package integration_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

func (w *world) link(t testing.TB, id roster.ID, provider, subject string, data map[string]any) {
	t.Helper()
	if err := w.LinkSocial(t.Context(), id, roster.SocialAccount{Provider: provider, Subject: subject, Data: data}); err != nil {
		t.Fatalf("link: %v", err)
	}
}

// USER-52 to USER-56, case 24.
func TestSocial(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("alice", "alice@example.com", ""), roster.WithEmailVerified())
		other := w.add(t, person("other", "", ""))
		t.Run("USER-52 judges the provider, the subject and the data", func(t *testing.T) {
			for _, tt := range []struct {
				account roster.SocialAccount
				fault   string
			}{
				{roster.SocialAccount{Subject: "1"}, "provider:required"},
				{roster.SocialAccount{Provider: "google"}, "subject:required"},
				{roster.SocialAccount{Provider: "Google", Subject: "1"}, "provider:invalid"},
				{roster.SocialAccount{Provider: "goo gle", Subject: "1"}, "provider:invalid"},
				{roster.SocialAccount{Provider: "a\x00", Subject: "1"}, "provider:invalid"},
				{roster.SocialAccount{Provider: strings.Repeat("a", 65), Subject: "1"}, "provider:invalid"},
				{roster.SocialAccount{Provider: "google", Subject: strings.Repeat("1", 256)}, "subject:too_long"},
				{roster.SocialAccount{Provider: "google", Subject: strings.Repeat("é", 128)}, "subject:too_long"},
				{roster.SocialAccount{Provider: "google", Subject: "1\x00"}, "subject:invalid"},
				{roster.SocialAccount{Provider: "google", Subject: "1\xff"}, "subject:invalid"},
				{roster.SocialAccount{Provider: "google", Subject: "1", Data: map[string]any{"a": "\x00"}}, "data:invalid"},
				{roster.SocialAccount{Provider: "google", Subject: "1", Data: map[string]any{"a": func() {}}}, "data:invalid"},
			} {
				refused(t, w.LinkSocial(ctx, u.ID, tt.account), roster.ErrValidationFailed, tt.fault)
			}
			same(t, 0, w.rows(t, "roster_identities"))
		})
		t.Run("USER-52 USER-56 links, tells it and fires its events", func(t *testing.T) {
			var events []callbacks.SocialLink[*Person]
			defer w.On.SocialLink.On(func(_ context.Context, e *callbacks.SocialLink[*Person]) error {
				events = append(events, *e)
				return nil
			})()
			w.fired()
			w.link(t, u.ID, strings.Repeat("a", 64), strings.Repeat("1", 255), nil)
			same(t, []string{"BeforeSocialLink", "AfterSocialLink", "BeforeMessage", "AfterMessage", "OnSocialLink", "OnMessage"}, w.fired())
			same(t, []string{"social_linked to alice@example.com"}, w.posted(t))
			same(t, 1, len(events))
			same(t, u, events[0].User)
			same(t, strings.Repeat("1", 255), events[0].Subject)
		})
		t.Run("USER-52 replaces the data of an own link, without an event", func(t *testing.T) {
			w.Clock.Advance(time.Minute)
			w.link(t, u.ID, "google", "1", map[string]any{"name": "A"})
			linked := w.Clock.Now()
			w.Clock.Advance(time.Minute)
			w.posted(t)
			w.fired()
			w.link(t, u.ID, "google", "1", map[string]any{"name": "B", "n": 1.5, "list": []any{"x", nil}})
			same(t, []string(nil), w.fired())
			list, err := w.ListSocial(ctx, u.ID)
			same(t, nil, err)
			same(t, roster.SocialAccount{
				Provider: "google", Subject: "1", LinkedAt: linked, Data: map[string]any{"name": "B", "n": 1.5, "list": []any{"x", nil}},
			}, list[1])
		})
		t.Run("USER-52 has several links of one provider", func(t *testing.T) {
			w.Clock.Advance(time.Minute)
			w.link(t, u.ID, "google", "2", nil)
			var got []string
			list, err := w.ListSocial(ctx, u.ID)
			same(t, nil, err)
			for _, a := range list {
				got = append(got, a.Subject)
			}
			same(t, []string{strings.Repeat("1", 255), "1", "2"}, got) // USER-55: by time
		})
		t.Run("USER-52 refuses what another user has, case 24", func(t *testing.T) {
			w.fired()
			err := w.LinkSocial(ctx, other.ID, roster.SocialAccount{Provider: "google", Subject: "1", Data: map[string]any{"name": "theirs"}})
			refused(t, err, roster.ErrIdentifierTaken, "subject:taken")
			same(t, []string{"BeforeSocialLink"}, w.fired())
			got, err := w.GetBySocial(ctx, "google", "1")
			if err != nil || got.ID != u.ID {
				t.Errorf("%v, %v", got, err)
			}
			// STORE-7: the same subject of another provider is another account.
			w.link(t, other.ID, "apple", "1", nil)
		})
		t.Run("USER-53 links nobody by an address", func(t *testing.T) {
			_, err := w.GetBySocial(ctx, "google", "alice@example.com")
			refused(t, err, roster.ErrNotFound)
			w.link(t, other.ID, "google", "3", map[string]any{"email": "alice@example.com", "email_verified": true})
			got, err := w.GetBySocial(ctx, "google", "3")
			if err != nil || got.ID != other.ID {
				t.Errorf("%v, %v", got, err)
			}
		})
		t.Run("USER-54 USER-56 unlinks", func(t *testing.T) {
			w.posted(t)
			w.fired()
			same(t, nil, w.UnlinkSocial(ctx, u.ID, "google", "2"))
			same(t, []string{
				"BeforeSocialUnlink", "AfterSocialUnlink", "BeforeMessage", "AfterMessage", "OnSocialUnlink", "OnMessage",
			}, w.fired())
			same(t, []string{"social_unlinked to alice@example.com"}, w.posted(t))
		})
		t.Run("USER-54 does not find what is not the user's", func(t *testing.T) {
			for _, subject := range append([]string{"2", "3"}, junk...) {
				refused(t, w.UnlinkSocial(ctx, u.ID, "google", subject), roster.ErrNotFound)
				refused(t, w.UnlinkSocial(ctx, u.ID, subject, "1"), roster.ErrNotFound)
			}
			refused(t, w.UnlinkSocial(ctx, other.ID, "google", "1"), roster.ErrNotFound)
		})
		t.Run("USER-55 shows administrators a masked subject, its owner all of it", func(t *testing.T) {
			u := w.add(t, person("linked", "", ""))
			reader := w.add(t, person("reader", "", ""), roster.WithPermissions(roster.PermissionReadUsers))
			same(t, nil, w.LinkSocial(t.Context(), u.ID, roster.SocialAccount{Provider: "google", Subject: "1234567890"}))
			for actor, want := range map[*Person]string{u: "1234567890", reader: "12********"} {
				list, err := w.ListSocial(roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: actor.ID}), u.ID)
				same(t, nil, err)
				same(t, want, list[0].Subject)
			}
		})
		t.Run("USER-55 lists none as none", func(t *testing.T) {
			list, err := w.ListSocial(ctx, w.add(t, person("unlinked", "", "")).ID)
			same(t, nil, err)
			same(t, []roster.SocialAccount{}, list)
		})
		t.Run("USER-56 undoes all when a hook refuses", func(t *testing.T) {
			before, fault := w.tables(t), errors.New("no")
			defer w.On.SocialLink.After(func(context.Context, *callbacks.SocialLink[*Person]) error { return fault })()
			defer w.On.SocialUnlink.Before(func(context.Context, *callbacks.SocialUnlink[*Person]) error { return fault })()
			same(t, true, errors.Is(w.LinkSocial(ctx, u.ID, roster.SocialAccount{Provider: "google", Subject: "9"}), fault))
			same(t, true, errors.Is(w.UnlinkSocial(ctx, u.ID, "google", "1"), fault))
			same(t, before, w.tables(t))
		})
	})
}

// USER-54, SEC-87, case 24: the last way to log in stays.
func TestUnlinkLast(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for name, tt := range map[string]struct {
			email   string
			options []roster.CreateOption
			links   int
			want    error
		}{
			"a social link alone":            {"", nil, 1, roster.ErrLastCredential},
			"an address that is unproven":    {"unproven@example.com", nil, 1, roster.ErrLastCredential},
			"a password beside":              {"", []roster.CreateOption{roster.WithPassword("correct horse battery")}, 1, nil},
			"another link beside":            {"", nil, 2, nil},
			"a proven address beside":        {"proven@example.com", []roster.CreateOption{roster.WithEmailVerified()}, 1, nil},
			"an unusable password of Django": {"", []roster.CreateOption{roster.WithPasswordHash("!x")}, 1, roster.ErrLastCredential},
		} {
			t.Run("USER-54 judges "+name, func(t *testing.T) {
				u := w.add(t, person("user-"+strings.ToLower(strings.ReplaceAll(name, " ", "")[:6]), tt.email, ""), tt.options...)
				subject := u.ID.String()
				for i := range tt.links {
					w.link(t, u.ID, "google", subject+strings.Repeat("x", i), nil)
				}
				err := w.UnlinkSocial(t.Context(), u.ID, "google", subject)
				if !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				list, err := w.ListSocial(t.Context(), u.ID)
				same(t, nil, err)
				kept := slices.ContainsFunc(list, func(a roster.SocialAccount) bool { return a.Subject == subject })
				same(t, tt.want != nil, kept)
			})
		}
		t.Run("USER-54 keeps one of two that are unlinked at once", func(t *testing.T) {
			u := w.add(t, person("twice", "", ""))
			w.link(t, u.ID, "google", "a", nil)
			w.link(t, u.ID, "google", "b", nil)
			codes := atOnce(2, func(i int) error { return w.UnlinkSocial(t.Context(), u.ID, "google", []string{"a", "b"}[i]) })
			same(t, map[roster.Code]int{"": 1, "last_credential": 1}, codes)
		})
	})
}

// USER-52, STORE-7, SEC-30: of many who want one account at a provider, one gets it.
func TestLinkRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		a, b := w.add(t, person("alice", "", "")), w.add(t, person("bob", "", ""))
		codes := atOnce(32, func(i int) error {
			id := []roster.ID{a.ID, b.ID}[i%2]
			return w.LinkSocial(t.Context(), id, roster.SocialAccount{Provider: "google", Subject: "1"})
		})
		same(t, map[roster.Code]int{"": 16, "identifier_taken subject:taken": 16}, codes)
		same(t, 1, w.rows(t, "roster_identities"))
	})
}
