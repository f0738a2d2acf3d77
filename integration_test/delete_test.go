package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

var modes = []roster.DeleteMode{roster.Deactivate, roster.Anonymise, roster.Remove}

// complete is a user with everything that can hang on one.
func (w *world) complete(t testing.TB) (*Person, roster.TokenPair) {
	t.Helper()
	const name = "alice"
	p := person(name, name+"@Example.com", "+12025550123")
	p.Company, p.Nick, p.Badge, p.Note, p.Score, p.JoinedAt = "Acme "+name, new("nick-"+name), "badge-"+name, "note-"+name, 7, new(w.Clock.Now())
	p.Language, p.TimeZone = new("de-AT"), new("Europe/Vienna")
	u := w.add(t, p, roster.WithPassword("correct horse battery"), roster.WithPhoneVerified(), roster.WithConfirmation(), roster.WithPermissions("a", "b"))
	if err := w.LinkSocial(t.Context(), u.ID, roster.SocialAccount{
		Provider: "google", Subject: "subject-" + name, Data: map[string]any{"name": "data-" + name},
	}); err != nil {
		t.Fatal(err)
	}
	ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "203.0.113.77", UserAgent: "agent-" + name})
	entered, err := w.Login(ctx, roster.PasswordCredentials(name, "correct horse battery"))
	if err != nil {
		t.Fatal(err)
	}
	return entered.User, *entered.Tokens
}

// holding returns the lines of the database in which a text is, in clear or in a common encoding.
func holding(dump []string, text string) []string {
	var list []string
	for _, form := range []string{
		text, hex.EncodeToString([]byte(text)), base64.RawStdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)),
	} {
		for _, line := range dump {
			if strings.Contains(strings.ToLower(line), strings.ToLower(form)) {
				list = append(list, line)
			}
		}
	}
	return list
}

// USER-66: what every mode of deletion ends, and when.
func TestDelete(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) {
				u, pair := w.complete(t)
				var seen []callbacks.Delete[*Person]
				see := func(_ context.Context, e *callbacks.Delete[*Person]) error { seen = append(seen, *e); return nil }
				w.On.Delete.Before(see)
				w.On.Delete.After(see)
				w.On.Delete.On(see)
				w.fired()
				if err := w.Delete(t.Context(), u.ID, mode); err != nil {
					t.Fatal(err)
				}
				// USER-73
				same(t, []string{"BeforeDelete", "AfterSessionRevoke", "AfterDelete", "OnSessionRevoke", "OnDelete"}, w.fired())
				for _, e := range seen {
					same(t, mode, e.Mode)
					same(t, roster.ViaApp, e.Via)
					same(t, u, e.User)
				}
				same(t, 3, len(seen))
				// The access token and the refresh token are dead.
				_, err := w.VerifyToken(t.Context(), pair.AccessToken)
				refused(t, err, roster.ErrSessionRevoked)
				_, err = w.Refresh(t.Context(), pair.RefreshToken)
				refused(t, err, roster.ErrSessionRevoked)
				same(t, 0, w.rows(t, "roster_sessions WHERE ended_at IS NULL"))
				same(t, 0, w.rows(t, "roster_links WHERE voided_at IS NULL"))
				same(t, []string(nil), w.posted(t))
				same(t, 0, w.rows(t, "roster_messages WHERE state <> 'cancelled' OR payload IS NOT NULL"))
				// USER-68: no way to log in, as if there were nobody.
				for _, login := range []string{"alice", "alice@example.com", "+12025550123"} {
					_, err = w.Login(t.Context(), roster.PasswordCredentials(login, "correct horse battery"))
					refused(t, err, roster.ErrInvalidCredentials)
				}
				if mode == roster.Deactivate {
					_, err = w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
					refused(t, err, roster.ErrNotFound)
					same(t, 1, w.rows(t, "users WHERE epoch = 1 AND version = $1", u.Version+1))
				}
				// Again: nothing, or nobody.
				w.fired()
				before := w.tables(t)
				again := w.Delete(t.Context(), u.ID, mode)
				if mode == roster.Remove {
					refused(t, again, roster.ErrNotFound)
				} else {
					same(t, nil, again)
				}
				same(t, []string(nil), w.fired())
				same(t, before, w.tables(t))
			})
		})
	}
	t.Run("no mode", func(t *testing.T) {
		inEach(t, func(t *testing.T, w *world) {
			u := w.add(t, person("alice", "", ""))
			for _, mode := range []roster.DeleteMode{"", "erase"} {
				refused(t, w.Delete(t.Context(), u.ID, mode), roster.ErrValidationFailed, "mode:invalid")
			}
			same(t, u, w.read(t, u.ID))
		})
	})
}

// USER-68, USER-72, case 29: deactivated and brought back.
func TestDeactivate(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u, pair := w.complete(t)
		if err := w.Delete(t.Context(), u.ID, roster.Deactivate); err != nil {
			t.Fatal(err)
		}
		t.Run("USER-68 keeps the record, and the identifiers taken", func(t *testing.T) {
			want := *u
			want.DeletedAt, want.DeleteMode, want.Version, want.Epoch = new(w.Clock.Now()), new(roster.Deactivate), u.Version+1, 1
			same(t, &want, w.read(t, u.ID))
			_, err := w.Create(t.Context(), person("Alice", "ALICE@example.com", "+12025550123"))
			refused(t, err, roster.ErrIdentifierTaken, "email:taken", "phone:taken", "username:taken")
			refused(t, w.RequestEmailConfirmation(t.Context(), u.ID), roster.ErrNotFound)
			same(t, 1, w.rows(t, "roster_identities"))
		})
		t.Run("USER-72 restores", func(t *testing.T) {
			w.exec(t, "UPDATE users SET banned_at = $1, banned_until = $2", w.Clock.Now(), w.Clock.Now().Add(time.Minute))
			w.Clock.Advance(time.Second)
			w.fired()
			got, err := w.Restore(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, []string{"BeforeRestore", "AfterRestore", "OnRestore"}, w.fired())
			same(t, w.read(t, u.ID), got)
			if got.Deleted() || got.DeleteMode != nil || !got.Banned(w.Clock.Now()) {
				t.Errorf("%+v", got)
			}
			w.Clock.Advance(time.Minute)
			_, err = w.Login(t.Context(), roster.PasswordCredentials("alice", "correct horse battery"))
			same(t, nil, err)
			_, err = w.Refresh(t.Context(), pair.RefreshToken)
			refused(t, err, roster.ErrSessionRevoked)
			_, err = w.VerifyToken(t.Context(), pair.AccessToken)
			refused(t, err, roster.ErrSessionRevoked)
		})
		t.Run("USER-72 leaves a live user alone", func(t *testing.T) {
			before := w.tables(t)
			w.fired()
			got, err := w.Restore(t.Context(), u.ID)
			same(t, nil, err)
			same(t, w.read(t, u.ID), got)
			same(t, []string(nil), w.fired())
			same(t, before, w.tables(t))
		})
		t.Run("USER-72 undoes nothing when a hook refuses", func(t *testing.T) {
			if err := w.Delete(t.Context(), u.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			before, fault := w.tables(t), errors.New("no")
			defer w.On.Restore.After(func(context.Context, *callbacks.Restore[*Person]) error { return fault })()
			_, err := w.Restore(t.Context(), u.ID)
			same(t, true, errors.Is(err, fault))
			same(t, before, w.tables(t))
		})
	})
}

// USER-69, USER-71, case 30: nothing personal is left.
func TestAnonymise(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u, _ := w.complete(t)
		w.posted(t)
		w.edit(t, u.ID, func(p *Person) { p.Username = new("alice2") }) // a held name
		w.exec(t, "UPDATE roster_messages SET last_error = 'alice@example.com is full'")
		u = w.read(t, u.ID)
		w.Clock.Advance(time.Minute)
		if err := w.Delete(t.Context(), u.ID, roster.Anonymise); err != nil {
			t.Fatal(err)
		}
		t.Run("USER-69 clears the record", func(t *testing.T) {
			want := &Person{Badge: u.Badge}
			now := w.Clock.Now()
			want.ID, want.CreatedAt, want.UpdatedAt, want.DeletedAt, want.DeleteMode = u.ID, u.CreatedAt, now, &now, new(roster.Anonymise)
			want.Version, want.Epoch, want.Permissions = u.Version+1, u.Epoch+1, roster.Permissions{}
			same(t, want, w.read(t, u.ID))
		})
		t.Run("USER-69 SEC-117 leaves no value in any table, case 30", func(t *testing.T) {
			dump := w.tables(t)
			for _, text := range []string{
				"alice", "example.com", "12025550123", "203.0.113.77", "Acme", "nick-", "note-", "google", "Vienna",
			} {
				for _, line := range holding(dump, text) {
					if line != "" && !strings.Contains(line, "badge-alice") {
						t.Errorf("%s is in %s", text, line)
					}
				}
			}
			same(t, 0, w.rows(t, "roster_passwords")+w.rows(t, "roster_identities")+w.rows(t, "roster_links"))
			same(t, 1, w.rows(t, "roster_sessions WHERE ip IS NULL AND user_agent IS NULL"))
		})
		t.Run("USER-69 is for good", func(t *testing.T) {
			before := w.tables(t)
			w.fired()
			for _, mode := range []roster.DeleteMode{roster.Anonymise, roster.Deactivate} {
				same(t, nil, w.Delete(t.Context(), u.ID, mode))
			}
			_, err := w.Restore(t.Context(), u.ID)
			refused(t, err, roster.ErrConflict)
			_, err = w.Update(t.Context(), u.ID, func(p *Person) error { p.Username = new("back"); return nil })
			refused(t, err, roster.ErrNotFound)
			_, err = w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
			refused(t, err, roster.ErrNotFound)
			same(t, []string(nil), w.fired())
			same(t, before, w.tables(t))
		})
		t.Run("USER-71 frees the contacts at once, and the names in time", func(t *testing.T) {
			heir := w.add(t, person("", "ALICE@example.com", "+12025550123"))
			if heir.ID == u.ID || heir.Verified() || heir.Version != 1 {
				t.Errorf("%+v inherits", heir)
			}
			for _, name := range []string{"alice", "alice2"} {
				_, err := w.Create(t.Context(), person(name, "", ""))
				refused(t, err, roster.ErrIdentifierTaken, "username:taken")
			}
			w.Clock.Advance(90 * 24 * time.Hour)
			w.add(t, person("alice", "", ""))
			w.add(t, person("alice2", "", ""))
		})
	})
}

// USER-70, USER-71, case 31: the row and all that hangs on it.
func TestRemove(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		empty := w.tables(t)
		u, _ := w.complete(t)
		w.edit(t, u.ID, func(p *Person) { p.Username = new("alice2") })
		if err := w.Delete(t.Context(), u.ID, roster.Remove); err != nil {
			t.Fatal(err)
		}
		t.Run("USER-70 leaves no row, case 31", func(t *testing.T) {
			same(t, 2, w.rows(t, "roster_holds WHERE user_id IS NULL"))
			same(t, []string(nil), holding(w.tables(t), u.ID.String()))
			for _, text := range []string{"alice", "example.com", "203.0.113.77", "agent"} { // SEC-117: not in the audit trail either
				same(t, []string(nil), holding(w.everything(t), text))
			}
			w.Clock.Advance(90*24*time.Hour + time.Second)
			if _, err := w.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, empty, w.tables(t))
		})
		t.Run("USER-71 lets a new user have the identifiers", func(t *testing.T) {
			heir := w.add(t, person("alice", "alice@example.com", "+12025550123"))
			if heir.ID == u.ID {
				t.Error("an id was used again")
			}
			refused(t, w.CheckPassword(t.Context(), heir.ID, "correct horse battery"), roster.ErrInvalidPassword)
		})
		t.Run("USER-70 obeys a foreign key of the program's", func(t *testing.T) {
			kind := map[bool]string{true: "uuid", false: "text"}[w.DB.DriverName() == "postgres"]
			w.exec(t, "CREATE TABLE orders (user_id "+kind+" NOT NULL REFERENCES users (id))")
			u := w.add(t, person("bob", "", ""))
			pair, err := w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w.exec(t, "INSERT INTO orders (user_id) VALUES ($1)", u.ID)
			before := w.tables(t)
			w.fired()
			if err := w.Delete(t.Context(), u.ID, roster.Remove); !errors.Is(err, roster.ErrConflict) || strings.Contains(err.Error(), "DELETE") {
				t.Errorf("%v, want conflict without SQL", err)
			}
			same(t, before, w.tables(t))
			_, err = w.VerifyToken(t.Context(), pair.AccessToken)
			same(t, nil, err)
			same(t, []string{"BeforeDelete", "AfterSessionRevoke"}, w.fired())
		})
	})
}

// MGMT-11: the last superuser who can log in stays, in every mode, in a race too.
func TestDeleteLastSuperuser(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		var chiefs []*Person
		for _, name := range []string{"chief", "deputy"} {
			u, err := w.CreateSuperuser(t.Context(), person(name, "", ""))
			if err != nil {
				t.Fatal(err)
			}
			chiefs = append(chiefs, u)
		}
		codes := atOnce(8, func(i int) error { return w.Delete(t.Context(), chiefs[i%2].ID, modes[i%3]) })
		if codes["last_superuser"] == 0 {
			t.Errorf("%v: nobody was told", codes)
		}
		same(t, 1, w.rows(t, "users WHERE superuser AND deleted_at IS NULL"))
	})
}

// USER-71: with a HoldFor that is negative a name is free at once.
func TestRemoveWithoutHolds(t *testing.T) {
	t.Parallel()
	w := found(t, rostertest.Open(t, rostertest.SQLite), func(cfg *usersrepo.Config) { cfg.Username.HoldFor = -1 })
	for _, mode := range []roster.DeleteMode{roster.Anonymise, roster.Remove, roster.Remove} {
		u := w.add(t, person("alice", "", ""))
		if err := w.Delete(t.Context(), u.ID, mode); err != nil {
			t.Fatal(err)
		}
	}
	same(t, 0, w.rows(t, "roster_holds"))
}
