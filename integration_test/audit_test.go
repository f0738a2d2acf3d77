package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// audited returns the entries since the last look, oldest first: action, result and code.
func (w *world) audited(t testing.TB, since *time.Time) []string {
	t.Helper()
	page := must(w.ListAudit(t.Context(), roster.AuditQuery{Limit: 200, Since: since}))(t)
	*since = w.Clock.Now().Add(time.Second)
	w.Clock.Advance(time.Second)
	var list []string
	for _, e := range page.Items {
		list = append([]string{strings.TrimSpace(e.Action + " " + string(e.Result) + " " + string(e.Code))}, list...)
	}
	return list
}

// ADMIN-12, ADMIN-76, SEC-113, SEC-115, case 32 of admin: each act has one entry.
func TestAudit(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, boss := w.acting(t, "boss", roster.WithSuperuser(true))
		clerk, clerkUser := w.acting(t, "clerk", roster.WithPermissions("users:read"))
		ann := w.add(t, person("annie", "ann@example.com", ""), roster.WithPassword(passphrase))
		since := w.Clock.Now()
		w.audited(t, &since)
		var made *Person
		ignore := func(_ any, err error) error { return err }
		for _, tt := range []struct {
			name string
			call func() error
			want []string
		}{
			{"create", func() (err error) { made, err = w.Create(ctx, person("maddy", "", "")); return err }, []string{"user.create ok"}},
			{"update", func() error {
				return ignore(w.Update(ctx, ann.ID, func(p *Person) error { p.Company, p.Note = "Acme", "hidden note"; return nil }))
			}, []string{"user.update ok"}},
			{"read", func() error { return ignore(w.Get(ctx, ann.ID)) }, []string{"user.read ok"}},
			{"lookup", func() error { return ignore(w.GetByLogin(ctx, "annie")) }, []string{"user.read ok"}},
			{"lookup of nobody", func() error { _ = ignore(w.GetByEmail(ctx, "x@example.com")); return nil }, []string{"user.read failed not_found"}},
			{"list", func() error { return ignore(w.Search(ctx, roster.Query{})) }, nil},
			{"list with q", func() error { return ignore(w.Search(ctx, roster.Query{Text: "ann"})) }, []string{"user.search ok"}},
			{"ban", func() error { return ignore(w.Ban(ctx, ann.ID, roster.Ban{Reason: "spam"})) }, []string{"user.ban ok"}},
			{"no change", func() error { return ignore(w.Update(ctx, ann.ID, func(*Person) error { return nil })) }, []string{"user.update ok"}},
			{"no restoring", func() error { return ignore(w.Restore(ctx, ann.ID)) }, []string{"user.restore ok"}},
			{"no unarchiving", func() error { return ignore(w.UnarchiveUser(ctx, ann.ID)) }, []string{"user.unarchive ok"}},
			{"no proof to take", func() error { return ignore(w.SetEmailConfirmed(ctx, ann.ID, false)) }, []string{"email.confirm ok"}},
			{"nothing", func() error { return ignore(w.Ban(ctx, ann.ID, roster.Ban{Reason: "spam"})) }, nil},
			{"log-in of a banned one", func() error { _ = w.enters("annie"); return nil }, []string{"login.failed refused banned"}},
			{"unban", func() error { return w.Unban(ctx, ann.ID) }, []string{"user.unban ok"}},
			{"log-in", func() error { return w.enters("annie") }, []string{"login.ok ok"}},
			{"wrong password", func() error {
				_ = ignore(w.Login(t.Context(), roster.PasswordCredentials("annie", "wrong")))
				return nil
			}, []string{"login.failed failed wrong_password"}},
			{"kick", func() error { return w.Kick(ctx, ann.ID) }, []string{"user.kick ok"}},
			{"archive", func() error { return ignore(w.ArchiveUser(ctx, ann.ID, "")) }, []string{"user.archive ok"}},
			{"unarchive", func() error { return ignore(w.UnarchiveUser(ctx, ann.ID)) }, []string{"user.unarchive ok"}},
			{"permissions", func() error { return ignore(w.AddPermissions(ctx, ann.ID, []string{"a"})) }, []string{"permission.change ok"}},
			{"superuser", func() error { return ignore(w.SetSuperuser(ctx, made.ID, true)) }, []string{"superuser.change ok"}},
			{"blackout", func() error { return ignore(w.SetBlackout(ctx, roster.Blackout{})) }, []string{"blackout.set ok"}},
			{"end of it", func() error { return w.DeleteBlackout(ctx) }, []string{"blackout.delete ok"}},
			{"confirmation", func() error { return w.RequestEmailConfirmation(ctx, ann.ID) }, []string{"email.request ok"}},
			{"proof mark", func() error { return ignore(w.SetEmailConfirmed(ctx, ann.ID, true)) }, []string{"email.confirm ok"}},
			{"no proof mark", func() error { return ignore(w.SetEmailConfirmed(ctx, ann.ID, false)) }, []string{"user.update ok"}},
			{"rename", func() error { return ignore(w.ChangeUsername(ctx, ann.ID, "annette")) }, []string{"user.update ok"}},
			{"password reset", func() error { return w.SendPasswordReset(ctx, ann.ID, roster.ChannelEmail) }, []string{"password.request ok"}},
			{"social", func() error {
				return w.LinkSocial(ctx, ann.ID, roster.SocialAccount{Provider: "google", Subject: "1"})
			}, []string{"social.link ok"}},
			{"unlink", func() error { return w.UnlinkSocial(ctx, ann.ID, "google", "1") }, []string{"social.unlink ok"}},
			{"delete", func() error { return w.Delete(ctx, ann.ID, roster.Deactivate) }, []string{"user.delete ok"}},
			{"restore", func() error { return ignore(w.Restore(ctx, ann.ID)) }, []string{"user.restore ok"}},
			{"refusal", func() error { _ = ignore(w.Ban(clerk, ann.ID, roster.Ban{})); return nil }, []string{"user.ban refused forbidden"}},
			{"self", func() error { _ = ignore(w.Ban(ctx, boss.ID, roster.Ban{})); return nil }, []string{"user.ban refused forbidden"}},
			{"superuser refused", func() error { _ = w.Authorize(clerk, "users:ban"); return nil }, []string{"authorize refused forbidden"}},
			{"own account", func() error { return ignore(w.Get(clerk, clerkUser.ID)) }, nil},
			{"system", func() error { return ignore(w.Get(t.Context(), ann.ID)) }, nil},
			{"audit", func() error { return ignore(w.ListAudit(ctx, roster.AuditQuery{})) }, []string{"audit.read ok"}},
		} {
			if err := tt.call(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if got := w.audited(t, &since); strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
		t.Run("ADMIN-76 ADMIN-12 says who, what, when, where and why, and keeps no hidden value", func(t *testing.T) {
			updates := must(w.ListAudit(t.Context(), roster.AuditQuery{Action: "user.update"}))(t).Items
			e := updates[len(updates)-1]
			same(t, roster.AuditActor{Kind: roster.ActorAdmin, ID: &boss.ID}, e.Actor)
			same(t, ann.ID, *e.Subject)
			same(t, "asked", e.Reason)
			same(t, "r-boss", e.Request)
			same(t, `{"company":{"old":"","new":"Acme"},"note":"changed"}`, string(e.Changes))
		})
		t.Run("ADMIN-12 writes a veto, and nothing else of it", func(t *testing.T) {
			defer w.On.Kick.Before(rejecting[callbacks.Kick]("no_kick"))()
			wantCode(t, w.Kick(ctx, ann.ID), "no_kick")
			same(t, []string{"user.kick refused no_kick"}, w.audited(t, &since))
		})
		t.Run("ADMIN-12 writes the veto of a part of an update too", func(t *testing.T) {
			veto := w.On.ContactChange.Before(rejecting[callbacks.ContactChange[*Person]]("domain_refused"))
			_, err := w.Update(ctx, ann.ID, func(p *Person) error { p.Email = new("a@evil.example"); return nil })
			veto()
			wantCode(t, err, "domain_refused")
			veto = w.On.UsernameChange.Before(rejecting[callbacks.UsernameChange[*Person]]("name_refused"))
			_, err = w.Update(ctx, ann.ID, func(p *Person) error { p.Username = new("evil"); return nil })
			veto()
			wantCode(t, err, "name_refused")
			same(t, []string{"user.update refused domain_refused", "user.update refused name_refused"}, w.audited(t, &since))
		})
		t.Run("ADMIN-12 writes what only the program may", func(t *testing.T) {
			_, err := w.Deliver(ctx, 1)
			refused(t, err, roster.ErrForbidden)
			_, err = w.SetPasswordResetToken(ctx, ann.ID)
			refused(t, err, roster.ErrForbidden)
			same(t, []string{"message.deliver refused forbidden", "password.request refused forbidden"}, w.audited(t, &since))
		})
		t.Run("ADMIN-79 keeps a keyed hash of what nobody has, not the text", func(t *testing.T) {
			for _, login := range []string{"hunter2 typed here", "Hunter2 typed here"} {
				_, _ = w.Login(t.Context(), roster.PasswordCredentials(login, "wrong"))
			}
			same(t, []string(nil), holding(w.everything(t), "hunter2"))
			page := must(w.ListAudit(t.Context(), roster.AuditQuery{Action: "login.failed", Limit: 2}))(t)
			if c := string(page.Items[0].Changes); !strings.Contains(c, "login_hash") || c != string(page.Items[1].Changes) {
				t.Errorf("%s, %s", c, page.Items[1].Changes)
			}
		})
		t.Run("ADMIN-12 is undone with what it tells of", func(t *testing.T) {
			w.audited(t, &since)
			_ = w.InTx(t.Context(), func(inner context.Context) error {
				_, err := w.Ban(roster.WithActor(inner, roster.ActorFrom(ctx)), ann.ID, roster.Ban{})
				return errors.Join(err, errors.New("undo"))
			})
			same(t, []string(nil), w.audited(t, &since))
		})
		t.Run("ADMIN-77 SEC-117 forgets whom it tells of, and what is old", func(t *testing.T) {
			same(t, nil, w.Delete(t.Context(), ann.ID, roster.Anonymise))
			same(t, []string(nil), holding(w.everything(t), "Acme"))
			w.Clock.Advance(401 * 24 * time.Hour)
			must(w.Clean(t.Context()))(t)
			same(t, 0, w.rows(t, "roster_audit"))
		})
	}, func(cfg *usersrepo.Config) {
		cfg.Protection.Mails.Off = true
		cfg.Protection.Identifier.Off, cfg.Protection.Pair.Off = true, true
	})
}

// PROT-43, MAIL-25, ADMIN-12: what has no event is told too.
func TestAuditWithoutEvents(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, _ := w.acting(t, "boss", roster.WithSuperuser(true))
		since := w.Clock.Now()
		for range 10 {
			_ = w.enters("nobody")
		}
		ann := w.add(t, person("annie", "ann@example.com", ""), roster.WithConfirmation())
		w.exec(t, "UPDATE roster_messages SET state = 'dead' WHERE state = 'pending'")
		locked := must(w.ListLockouts(t.Context(), roster.LockoutQuery{}))(t).Items
		dead := must(w.ListMessages(t.Context(), roster.MessageQuery{UserID: &ann.ID}))(t).Items
		same(t, nil, w.ClearLockout(ctx, locked[0].Key))
		got := w.audited(t, &since)
		same(t, "lockout.clear ok", got[len(got)-1])
		same(t, nil, w.RetryMessage(ctx, dead[0].ID))
		same(t, []string{"message.retry ok"}, w.audited(t, &since))
	})
}
