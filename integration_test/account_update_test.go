package integration_test

import (
	"encoding/json"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// ACCT-46 to ACCT-48, cases 21, 22 and 25: people change their own account.
func TestUpdateAccount(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		p := person("anna", "anna@example.com", "")
		p.Company, p.Nick = "Acme", new("an")
		u := w.add(t, p, roster.WithEmailVerified())
		own := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID})
		t.Run("ACCT-46 changes what is given", func(t *testing.T) {
			got, err := w.UpdateAccount(own, u.ID, json.RawMessage(`{"company":"Else","language":"de-at","time_zone":"Europe/Vienna"}`))
			if err != nil {
				t.Fatal(err)
			}
			want := *u
			want.Company, want.Language, want.TimeZone, want.Version = "Else", new("de-AT"), new("Europe/Vienna"), 2
			same(t, &want, got)
			same(t, &want, w.read(t, u.ID))
		})
		t.Run("ACCT-47 leaves to other operations what they change, case 22", func(t *testing.T) {
			before := w.tables(t)
			for _, field := range []string{
				"id", "username", "email", "phone", "permissions", "superuser", "email_verified_at", "phone_verified_at", "email_verified", "phone_verified",
				"banned", "banned_at", "banned_until", "archived", "archived_at", "archived_by", "deleted", "deleted_at", "delete_mode", "created_at", "updated_at",
				"last_login_at", "version", "epoch", "password", "plan", "badge", "joined_at",
			} {
				for _, value := range []string{`null`, `"x"`, `true`} {
					_, err := w.UpdateAccount(own, u.ID, json.RawMessage(`{"company":"Never","`+field+`":`+value+`}`))
					refused(t, err, roster.ErrValidationFailed, field+":forbidden_field")
				}
			}
			same(t, before, w.tables(t))
		})
		t.Run("ACCT-48 does nothing for an empty or equal patch", func(t *testing.T) {
			before := w.tables(t)
			w.fired()
			for _, patch := range []string{`{}`, `{"company":"Else"}`, `{"nick":"an","language":"de-AT"}`} {
				if _, err := w.UpdateAccount(own, u.ID, json.RawMessage(patch)); err != nil {
					t.Error(err)
				}
			}
			same(t, []string(nil), w.fired())
			same(t, before, w.tables(t))
		})
		t.Run("ACCT-46 obeys the version", func(t *testing.T) {
			_, err := w.UpdateAccount(own, u.ID, json.RawMessage(`{"company":"x"}`), roster.IfVersion(1))
			refused(t, err, roster.ErrVersionMismatch)
		})
		t.Run("ACCT-4 asks for a proof, except of the program itself, case 16", func(t *testing.T) {
			unproven := w.add(t, person("", "berta@example.com", ""))
			self := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: unproven.ID})
			_, err := w.UpdateAccount(self, unproven.ID, json.RawMessage(`{"company":"x"}`))
			refused(t, err, roster.ErrNotVerified)
			same(t, unproven, w.read(t, unproven.ID))
			_, err = w.UpdateAccount(roster.AsSystem(self), unproven.ID, json.RawMessage(`{"company":"x"}`))
			same(t, nil, err)
		})
	})
}

// ACCT-4: the setting.
func TestUpdateAccountUnverified(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("", "anna@example.com", ""))
		own := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID})
		_, err := w.UpdateAccount(own, u.ID, json.RawMessage(`{"company":"x"}`))
		same(t, nil, err)
	}, func(cfg *usersrepo.Config) { cfg.Account.UnverifiedUpdate = true })
}

// MGMT-6 to MGMT-10: who may change whom, by each operation on one user.
func TestWhoMayChange(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		all := roster.WithPermissions("users:update", "users:delete", "users:read", "users:create", "users:sessions")
		user, admin := w.add(t, person("user", "", "")), w.add(t, person("keeper", "", ""), all)
		plain := w.add(t, person("plain", "", ""))
		chief, err := w.CreateSuperuser(t.Context(), person("chief", "", ""))
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.CreateSuperuser(t.Context(), person("second", "", ""))
		if err != nil {
			t.Fatal(err)
		}
		banned := w.add(t, person("banned", "", ""), all)
		w.exec(t, "UPDATE users SET banned_at = $1 WHERE username = 'banned'", w.Clock.Now())
		for _, tt := range []struct {
			name          string
			actor         roster.Actor
			target        *Person
			update, erase error
		}{
			{"the user", roster.Actor{Kind: roster.ActorUser, ID: user.ID}, user, nil, roster.ErrForbidden},
			{"another user", roster.Actor{Kind: roster.ActorUser, ID: plain.ID}, user, roster.ErrForbidden, roster.ErrForbidden},
			{"nobody", roster.Actor{Kind: roster.ActorUser}, user, roster.ErrUnauthenticated, roster.ErrUnauthenticated},
			{"an administrator", roster.Actor{Kind: roster.ActorAdmin, ID: admin.ID}, user, nil, nil},
			{"an administrator, to a superuser", roster.Actor{Kind: roster.ActorAdmin, ID: admin.ID}, chief, roster.ErrForbidden, roster.ErrForbidden},
			{"an administrator who was banned since", roster.Actor{Kind: roster.ActorAdmin, ID: banned.ID}, user, roster.ErrForbidden, roster.ErrForbidden},
			{"a superuser, to another", roster.Actor{Kind: roster.ActorAdmin, ID: chief.ID}, second, nil, nil},
			{"a superuser, to themselves", roster.Actor{Kind: roster.ActorAdmin, ID: chief.ID}, chief, nil, roster.ErrForbidden},
			{"the program", roster.Actor{Kind: roster.ActorSystem}, second, nil, nil},
		} {
			ctx := roster.WithActor(t.Context(), tt.actor)
			id := tt.target.ID
			social := roster.SocialAccount{Provider: "google", Subject: id.String()}
			for operation, call := range map[string]func() error{
				"Update":         func() error { _, err := w.Update(ctx, id, func(p *Person) error { p.Score++; return nil }); return err },
				"UpdateAccount":  func() error { _, err := w.UpdateAccount(ctx, id, json.RawMessage(`{"score":1}`)); return err },
				"LinkSocial":     func() error { return w.LinkSocial(ctx, id, social) },
				"RevokeSessions": func() error { _, err := w.RevokeSessions(ctx, id); return err },
			} {
				t.Run("MGMT-6 MGMT-7 judges "+tt.name+" by "+operation, func(t *testing.T) { judged(t, call(), tt.update) })
			}
			for operation, call := range map[string]func() error{
				"Delete":  func() error { return w.Delete(ctx, id, roster.Deactivate) },
				"Restore": func() error { _, err := w.Restore(ctx, id); return err },
			} {
				t.Run("MGMT-7 MGMT-8 judges "+tt.name+" by "+operation, func(t *testing.T) { judged(t, call(), tt.erase) })
			}
			if _, err := w.Restore(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		t.Run("MGMT-9 lets nobody grant what they lack", func(t *testing.T) {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorAdmin, ID: admin.ID})
			_, err := w.Create(ctx, person("new", "", ""), roster.WithPermissions("users:read", "billing:write", "users:*"))
			refused(t, err, roster.ErrForbidden, "permissions:not_held")
			_, err = w.Create(ctx, person("new", "", ""), roster.WithSuperuser(true))
			refused(t, err, roster.ErrForbidden)
			if _, err = w.Create(ctx, person("new", "", ""), roster.WithPermissions("users:read")); err != nil {
				t.Error(err)
			}
		})
	})
}

func judged(t *testing.T, err, want error) {
	t.Helper()
	if want == nil {
		same(t, nil, err)
		return
	}
	refused(t, err, want)
}
