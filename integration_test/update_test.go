package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// edit updates a user, and fails the test when it cannot.
func (w *world) edit(t testing.TB, id roster.ID, fn func(p *Person)) *Person {
	t.Helper()
	u, err := w.Update(t.Context(), id, func(p *Person) error { fn(p); return nil })
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	return u
}

// USER-28, USER-29, USER-36, cases 15 and 16.
func TestUpdate(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("alice", "alice@example.com", "+12025550123"), roster.WithEmailVerified())
		w.Clock.Advance(time.Minute)
		t.Run("USER-28 writes what was changed, and only that", func(t *testing.T) {
			// The hook writes a column that the edit leaves alone.
			defer w.On.Update.Before(func(ctx context.Context, _ *callbacks.Update[*Person]) error {
				_, err := store.TxFrom(ctx).ExecContext(ctx, "UPDATE users SET badge = 'kept'")
				return err
			})()
			var got []callbacks.Update[*Person]
			defer w.On.Update.On(func(_ context.Context, e *callbacks.Update[*Person]) error { got = append(got, *e); return nil })()
			want := *u
			want.Company, want.Nick, want.Version, want.UpdatedAt = "Acme", new("al"), 2, w.Clock.Now()
			same(t, &want, w.edit(t, u.ID, func(p *Person) { p.Company, p.Nick = "Acme", new("al") }))
			stored := want
			stored.Badge = "kept"
			same(t, &stored, w.read(t, u.ID))
			if len(got) != 1 {
				t.Fatalf("%d events, want 1", len(got))
			}
			same(t, []string{"company", "nick"}, got[0].Changed)
			same(t, u, got[0].Old)
			same(t, &want, got[0].User)
		})
		t.Run("USER-28 returns the error of the edit and of a hook as it is, and writes nothing", func(t *testing.T) {
			before, fault := w.read(t, u.ID), errors.New("no")
			_, err := w.Update(t.Context(), u.ID, func(p *Person) error { p.Company = "Else"; return fault })
			same(t, true, errors.Is(err, fault))
			remove := w.On.Update.Before(func(context.Context, *callbacks.Update[*Person]) error { return callbacks.Reject("not_now") })
			_, err = w.Update(t.Context(), u.ID, func(p *Person) error { p.Company = "Else"; return nil })
			remove()
			same(t, roster.Code("not_now"), codeOf(err))
			remove = w.On.Update.After(func(context.Context, *callbacks.Update[*Person]) error { return fault })
			_, err = w.Update(t.Context(), u.ID, func(p *Person) error { p.Company = "Else"; return nil })
			remove()
			same(t, true, errors.Is(err, fault))
			same(t, before, w.read(t, u.ID))
		})
		t.Run("USER-28 lets a Before hook change the edit", func(t *testing.T) {
			remove := w.On.Update.Before(func(_ context.Context, e *callbacks.Update[*Person]) error {
				e.User.Badge, e.User.Email = "hooked", new(" Alice2@EXAMPLE.com")
				return nil
			})
			got := w.edit(t, u.ID, func(p *Person) { p.Company = "Hook" })
			remove()
			same(t, []string{"Hook", "hooked", "Alice2@example.com"}, []string{got.Company, got.Badge, *got.Email})
			same(t, got, w.read(t, u.ID))
			w.edit(t, u.ID, func(p *Person) { p.Email = new("alice@example.com") })
		})
		t.Run("USER-29 does nothing when nothing is changed, case 16", func(t *testing.T) {
			before := w.tables(t)
			w.Clock.Advance(time.Minute)
			w.fired()
			for _, fn := range []func(p *Person){
				func(*Person) {},
				func(p *Person) { p.Company = "x"; p.Company = "Hook" },
				func(p *Person) { p.Email, p.Nick = new("alice@example.com"), new("al") },
			} {
				w.edit(t, u.ID, fn)
				same(t, []string(nil), w.fired())
			}
			w.edit(t, u.ID, func(p *Person) { p.Username = new(" alice\n") }) // nothing once it is normalised
			same(t, []string{"BeforeUpdate"}, w.fired())
			same(t, before, w.tables(t))
		})
		t.Run("USER-28 holds to a version that is asked for", func(t *testing.T) {
			version := w.read(t, u.ID).Version
			fn := func(p *Person) error { p.Score++; return nil }
			_, err := w.Update(t.Context(), u.ID, fn, roster.IfVersion(version))
			same(t, nil, err)
			_, err = w.Update(t.Context(), u.ID, fn, roster.IfVersion(version))
			refused(t, err, roster.ErrVersionMismatch)
		})
	})
}

// USER-31, case 17: what has an operation of its own.
func TestUpdateGuarded(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("alice", "alice@example.com", "+12025550123"))
		now := w.Clock.Now().Add(time.Hour)
		before := w.tables(t)
		for field, set := range map[string]func(p *Person){
			"id":                func(p *Person) { p.ID = w.NewID() },
			"created_at":        func(p *Person) { p.CreatedAt = now },
			"updated_at":        func(p *Person) { p.UpdatedAt = now },
			"last_login_at":     func(p *Person) { p.LastLoginAt = &now },
			"version":           func(p *Person) { p.Version++ },
			"superuser":         func(p *Person) { p.Superuser = true },
			"permissions":       func(p *Person) { p.Permissions = append(p.Permissions, "x") },
			"email_verified_at": func(p *Person) { p.EmailVerifiedAt = &now },
			"phone_verified_at": func(p *Person) { p.PhoneVerifiedAt = &now },
			"banned_at":         func(p *Person) { p.BannedAt = &now },
			"banned_until":      func(p *Person) { p.BannedUntil = &now },
			"archived_at":       func(p *Person) { p.ArchivedAt = &now },
			"archived_by":       func(p *Person) { p.ArchivedBy = new(roster.ArchivedBySelf) },
			"deleted_at":        func(p *Person) { p.DeletedAt = &now },
			"delete_mode":       func(p *Person) { p.DeleteMode = new(roster.Deactivate) },
			"epoch":             func(p *Person) { p.Epoch++ },
		} {
			t.Run("USER-31 refuses "+field, func(t *testing.T) {
				_, err := w.Update(t.Context(), u.ID, func(p *Person) error { set(p); p.Company = "Acme"; return nil })
				refused(t, err, roster.ErrValidationFailed, field+":forbidden_field")
				defer w.On.Update.Before(func(_ context.Context, e *callbacks.Update[*Person]) error { set(e.User); return nil })()
				_, err = w.Update(t.Context(), u.ID, func(p *Person) error { p.Company = "Acme"; return nil })
				refused(t, err, roster.ErrValidationFailed, field+":forbidden_field")
			})
		}
		same(t, before, w.tables(t))
	})
}

// USER-5, USER-33, USER-34, case 19: faults, and clearing identifiers.
func TestUpdateIdentifiers(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("alice", "alice@example.com", "+12025550123"))
		other := w.add(t, person("other", "other@example.com", ""))
		t.Run("USER-5 tells all faults of an edit", func(t *testing.T) {
			_, err := w.Update(t.Context(), u.ID, func(p *Person) error {
				p.Username, p.Email, p.Phone, p.Language, p.Company = new("Other"), new("OTHER@example.com"), new("x"), new("-"), "\xff"
				return nil
			})
			refused(t, err, roster.ErrValidationFailed, "company:invalid", "email:taken", "language:invalid", "phone:invalid", "username:taken")
			_, err = w.Update(t.Context(), u.ID, func(p *Person) error {
				p.Username, p.Email = new("Other"), new("OTHER@example.com")
				return nil
			})
			refused(t, err, roster.ErrIdentifierTaken, "email:taken", "username:taken")
		})
		t.Run("USER-34 clears one of several, and frees contacts at once, case 19", func(t *testing.T) {
			got := w.edit(t, u.ID, func(p *Person) { p.Email, p.Phone = nil, nil })
			if got.Email != nil || got.Phone != nil {
				t.Error("not cleared")
			}
			w.edit(t, other.ID, func(p *Person) { p.Email, p.Phone = new("Alice@example.com"), new("+12025550123") })
		})
		t.Run("USER-34 keeps the last identifier", func(t *testing.T) {
			_, err := w.Update(t.Context(), u.ID, func(p *Person) error { p.Username = nil; return nil })
			refused(t, err, roster.ErrValidationFailed, ":required")
		})
		t.Run("USER-33 NAME-5 holds a username that was given up for its owner", func(t *testing.T) {
			w.fired()
			w.edit(t, u.ID, func(p *Person) { p.Username = new("alice2") })
			same(t, []string{
				"BeforeUpdate", "BeforeUsernameChange", "AfterUpdate", "AfterUsernameChange", "OnUpdate", "OnUsernameChange",
			}, w.fired())
			taken := func(err error) { t.Helper(); refused(t, err, roster.ErrIdentifierTaken, "username:taken") }
			_, err := w.Create(t.Context(), person("ALICE", "", ""))
			taken(err)
			_, err = w.Update(t.Context(), other.ID, func(p *Person) error { p.Username = new("Alice"); return nil })
			taken(err)
			_, err = w.GetByUsername(t.Context(), "alice")
			refused(t, err, roster.ErrNotFound) // NAME-7
			w.edit(t, u.ID, func(p *Person) { p.Username = new("Alice") })
			w.edit(t, u.ID, func(p *Person) { p.Username, p.Email = nil, new("alice3@example.com") })
			_, err = w.Create(t.Context(), person("alice", "", ""))
			taken(err)
			w.Clock.Advance(90*24*time.Hour - time.Second)
			_, err = w.Create(t.Context(), person("alice2", "", ""))
			taken(err)
			w.Clock.Advance(time.Second)
			w.add(t, person("alice", "", ""))
			w.add(t, person("alice2", "", ""))
		})
		t.Run("USER-33 NAME-2 respells a username without a hold", func(t *testing.T) {
			holds := w.rows(t, "roster_holds")
			w.fired()
			got := w.edit(t, other.ID, func(p *Person) { p.Username = new("OTHER") })
			same(t, "OTHER", *got.Username)
			same(t, holds, w.rows(t, "roster_holds"))
			same(t, 1, w.rows(t, "users WHERE id = $1 AND username_canonical = 'other' AND search LIKE '%other%'", other.ID))
			same(t, 6, len(w.fired()))
		})
		t.Run("USER-33 lets a Before hook change the new name", func(t *testing.T) {
			defer w.On.UsernameChange.Before(func(_ context.Context, e *callbacks.UsernameChange[*Person]) error {
				e.New += "-hooked"
				return nil
			})()
			got := w.edit(t, other.ID, func(p *Person) { p.Username = new("renamed") })
			same(t, "renamed-hooked", *got.Username)
		})
	})
}

// USER-38: the time of the last log-in goes forward only, and leaves no other trace.
func TestUpdateLastLogin(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("alice", "", ""))
		w.fired()
		for _, step := range []time.Duration{time.Hour, -2 * time.Hour} {
			w.Clock.Advance(step)
			if err := w.UpdateLastLogin(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
		}
		want := *u
		want.LastLoginAt = new(u.CreatedAt.Add(time.Hour))
		same(t, &want, w.read(t, u.ID))
		same(t, []string(nil), w.fired())
	})
}

// IDENT-14: the program's check of addresses is asked about new ones, not at every update.
func TestUpdateAsksAboutNewAddresses(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		var asked []string
		w := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Email = identifiers.EmailConfig{Check: func(_ context.Context, address string) error {
				asked = append(asked, address)
				return nil
			}}
		})
		u := w.add(t, person("alice", "alice@example.com", ""))
		asked = nil
		w.edit(t, u.ID, func(p *Person) { p.Company = "Acme" })
		w.edit(t, u.ID, func(p *Person) { p.Username = new("alice2") })
		same(t, []string(nil), asked)
		w.edit(t, u.ID, func(p *Person) { p.Email = new("bob@example.com") })
		same(t, []string{"bob@example.com"}, asked)
	})
}

// USER-36: documents, key by key.
func TestPatch(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		p := person("alice", "alice@example.com", "")
		p.Nick, p.Company, p.Plan, p.Score = new("al"), "Acme", "free", 7
		u := w.add(t, p)
		patch := func(document string, by roster.Writer) (*Person, error) {
			return w.Update(t.Context(), u.ID, func(p *Person) error { return w.Patch(t.Context(), p, json.RawMessage(document), by) })
		}
		t.Run("USER-36 leaves absent keys alone, and clears by null", func(t *testing.T) {
			want := *u
			for _, step := range []struct {
				document string
				set      func()
			}{
				{`{}`, func() { want.Version-- }},
				{`{"score": 8}`, func() { want.Score = 8 }},
				{`{"nick": null}`, func() { want.Nick = nil }},
				{`{"company": "", "nick": ""}`, func() { want.Company, want.Nick = "", new("") }},
				{`{"language": "DE-at", "time_zone": "Europe/Vienna"}`, func() { want.Language, want.TimeZone = new("de-AT"), new("Europe/Vienna") }},
				{`{"language": null}`, func() { want.Language = nil }},
			} {
				got, err := patch(step.document, roster.WriterSelf)
				if err != nil {
					t.Fatalf("%s: %v", step.document, err)
				}
				step.set()
				want.Version++
				same(t, &want, got)
				same(t, &want, w.read(t, u.ID))
			}
		})
		t.Run("USER-36 tells every fault by its key", func(t *testing.T) {
			before := w.tables(t)
			for document, faults := range map[string][]string{
				`{"company": null, "score": "8", "nick": 1, "plan": "pro"}`: {"company:required", "nick:wrong_type", "plan:forbidden_field", "score:wrong_type"},
				`{"Company": "x", "": 1, "badge": "x", "note": "x"}`:        {":unknown_field", "Company:unknown_field", "badge:forbidden_field", "note:unknown_field"},
				`{"id": "x", "superuser": true, "email_verified": true}`:    {"email_verified:forbidden_field", "id:forbidden_field", "superuser:forbidden_field"},
				`{"email": "x@example.com", "username": "x", "epoch": 1}`:   {"email:forbidden_field", "epoch:forbidden_field", "username:forbidden_field"},
				`{"score": 1.5}`:                   {"score:wrong_type"},
				`{"score": 9223372036854775808}`:   {"score:wrong_type"},
				`{"nick": "a\u0000b"}`:             {"nick:invalid"},
				`{"nick": "\ud800"}`:               {"nick:invalid"},
				"{\"nick\": \"a\xffb\"}":           {"nick:invalid"},
				`{"language": "no language"}`:      {"language:invalid"},
				`{"language": "", "time_zone":""}`: {"language:invalid", "time_zone:invalid"},
				`null`:                             {":wrong_type"},
				`[]`:                               {":wrong_type"},
				`"x"`:                              {":wrong_type"},
				`{`:                                {":wrong_type"},
				``:                                 {":wrong_type"},
			} {
				_, err := patch(document, roster.WriterSelf)
				if !errors.Is(err, roster.ErrValidationFailed) {
					t.Errorf("%s: %v", document, err)
				}
				refused(t, err, roster.ErrValidationFailed, faults...)
			}
			same(t, before, w.tables(t))
		})
		t.Run("USER-36 lets each writer write what is theirs", func(t *testing.T) {
			document := `{"company":"a","nick":"b","plan":"c","score":1,"joined_at":"2026-01-02T03:04:05Z","badge":"d","username":"bob"}`
			for writer, faults := range map[roster.Writer][]string{
				roster.WriterSelf:   {"badge:forbidden_field", "joined_at:forbidden_field", "plan:forbidden_field", "username:forbidden_field"},
				roster.WriterSignup: {"badge:forbidden_field", "plan:forbidden_field", "score:forbidden_field"},
				roster.WriterAdmin:  {"badge:forbidden_field"},
				"":                  {"badge:forbidden_field", "company:forbidden_field", "joined_at:forbidden_field", "nick:forbidden_field", "plan:forbidden_field", "score:forbidden_field", "username:forbidden_field"},
			} {
				_, err := w.Decode(t.Context(), json.RawMessage(document), writer)
				refused(t, err, roster.ErrValidationFailed, faults...)
			}
		})
	})
}
