package integration_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// junk is what no identifier, provider or subject is: for look-ups it finds nobody.
var junk = []string{"", " ", "not an address", "a@b@c", "\x00", "a\x00b", "\xff", "é\xff@example.com", "' OR 1=1 --", "%", strings.Repeat("x", 1<<20)}

// USER-23 to USER-26, cases 12 and 13.
func TestGet(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("Élodie", "Élodie.not@bücher.example", "(202) 555-0123"))
		if err := w.LinkSocial(ctx, u.ID, roster.SocialAccount{Provider: "google", Subject: "1234567890"}); err != nil {
			t.Fatal(err)
		}
		bystander := w.add(t, person("bystander", "", ""))
		lookups := map[string]struct {
			get   func(ctx context.Context, value string) (*Person, error)
			finds []string
			not   []string
		}{
			"GetByUsername": {w.GetByUsername, []string{"Élodie", "e\u0301lodie", " ÉLODIE\n"}, []string{"Elodie", *u.Email, *u.Phone}},
			"GetByEmail":    {w.GetByEmail, []string{"élodie.not@BÜCHER.example", "ÉLODIE.not@xn--bcher-kva.example"}, []string{"Élodie", *u.Phone, "élodie.not@bucher.example"}},
			"GetByPhone":    {w.GetByPhone, []string{"+12025550123", "202-555-0123", "+１ 202 555 0123"}, []string{"Élodie", "12025550124"}},
			"GetByLogin": {
				w.GetByLogin,
				[]string{"e\u0301lodie", "Élodie.NOT@xn--BCHER-kva.example", "(202) 555-0123", " 12025550123 "},
				[]string{"elodie", "élodie.not@nowhere.invalid", "+12025550124"},
			},
			"GetBySocial": {
				func(ctx context.Context, s string) (*Person, error) { return w.GetBySocial(ctx, "google", s) },
				[]string{"1234567890"},
				[]string{"01234567890", " 1234567890", "1234567891"},
			},
			"GetBySocial with a provider": {
				func(ctx context.Context, s string) (*Person, error) { return w.GetBySocial(ctx, s, "1234567890") },
				[]string{"google"},
				[]string{"Google", "google ", "apple"},
			},
		}
		for name, lookup := range lookups {
			t.Run("USER-23 finds by "+name, func(t *testing.T) {
				for _, value := range lookup.finds {
					got, err := lookup.get(ctx, value)
					if err != nil || got.ID != u.ID {
						t.Errorf("%+q: %v, %v", value, got, err)
						continue
					}
					same(t, u, got)
				}
			})
			t.Run("USER-23 finds nobody, and fails no other way, by "+name, func(t *testing.T) {
				for _, value := range slices.Concat(junk, lookup.not) {
					if got, err := lookup.get(ctx, value); err == nil || !errors.Is(err, roster.ErrNotFound) || got != nil {
						t.Errorf("%+.40q: %v, %v, want not_found", value, got, err)
					}
				}
			})
		}
		find := func(t *testing.T, id roster.ID, want bool) {
			t.Helper()
			for name, lookup := range lookups {
				got, err := lookup.get(ctx, lookup.finds[0])
				if found := err == nil && got.ID == id; found != want {
					t.Errorf("%s: %v, %v", name, got, err)
				}
			}
			if _, err := w.Get(ctx, id); err != nil {
				t.Errorf("Get: %v", err)
			}
		}
		t.Run("USER-24 finds banned, archived and deactivated users", func(t *testing.T) {
			for _, column := range []string{"banned_at", "archived_at"} {
				w.exec(t, "UPDATE users SET "+column+" = $1 WHERE id = $2", w.Clock.Now(), u.ID)
				find(t, u.ID, true)
			}
			if err := w.Delete(ctx, u.ID, roster.Deactivate); err != nil {
				t.Fatal(err)
			}
			find(t, u.ID, true)
		})
		t.Run("USER-24 finds anonymised users by their id alone", func(t *testing.T) {
			if err := w.Delete(ctx, u.ID, roster.Anonymise); err != nil {
				t.Fatal(err)
			}
			find(t, u.ID, false)
			same(t, "bystander", *w.read(t, bystander.ID).Username)
		})
	}, func(cfg *usersrepo.Config) {
		cfg.Phone.DefaultRegion = "US"
		cfg.Email.AllowUTF8Local = true
	})
}

// USER-25: the kind of a login decides the one column that is looked at.
func TestGetByLoginKind(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("alice", "", ""))
		// Rows of another program: the same text where it belongs to another kind.
		w.exec(t, "UPDATE users SET email_canonical = 'alice', phone = 'bob@example.com' WHERE id = $1", u.ID)
		if _, err := w.GetByLogin(t.Context(), "bob@example.com"); !errors.Is(err, roster.ErrNotFound) {
			t.Errorf("an address was found among the phone numbers: %v", err)
		}
		got, err := w.GetByLogin(t.Context(), "ALICE")
		if err != nil || got.ID != u.ID {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// finder is a program that finds users by a nickname, too.
type finder struct {
	usersrepo.UsersRepo[*Person]
	asked []string
}

func (f *finder) GetByUsername(ctx context.Context, username string) (*Person, error) {
	f.asked = append(f.asked, "username")
	return f.UsersRepo.GetByUsername(ctx, strings.TrimPrefix(username, "nick-"))
}

func (f *finder) GetByEmail(ctx context.Context, email string) (*Person, error) {
	f.asked = append(f.asked, "email")
	return f.UsersRepo.GetByEmail(ctx, strings.ReplaceAll(strings.ToLower(email), "@old.example", "@example.com"))
}

func (f *finder) GetByPhone(ctx context.Context, phone string) (*Person, error) {
	f.asked = append(f.asked, "phone")
	return f.UsersRepo.GetByPhone(ctx, phone)
}

// USER-27, HOOK-4, case 14: an override of a look-up is seen by GetByLogin and by logging in.
func TestGetByLoginOverride(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		f := &finder{}
		cfg, _ := rostertest.Config(t, db)
		if err := usersrepo.Init(f, cfg); err != nil {
			t.Fatal(err)
		}
		u, err := f.Create(t.Context(), person("alice", "alice@example.com", "+12025550123"), roster.WithPassword("correct horse battery"))
		if err != nil {
			t.Fatal(err)
		}
		for _, login := range []string{"nick-alice", "Alice@OLD.example", "+1 202 555 0123"} {
			got, err := f.GetByLogin(t.Context(), login)
			if err != nil || got.ID != u.ID {
				t.Errorf("%q: %v, %v", login, got, err)
			}
			entered, err := f.Login(t.Context(), roster.PasswordCredentials(login, "correct horse battery"))
			if err != nil || entered.User.ID != u.ID {
				t.Errorf("log in as %q: %v, %v", login, entered.User, err)
			}
		}
		credentials := roster.Credentials{Email: new("alice@old.example"), Username: new("nick-alice"), Password: new(roster.Secret("correct horse battery"))}
		if _, err := f.Login(t.Context(), credentials); err != nil {
			t.Error(err)
		}
		same(t, []string{"username", "username", "email", "email", "phone", "phone", "username", "email"}, f.asked)
	})
}

// STORE-40: who asks for their own record while a connection breaks is told that, and not that they may not ask.
func TestGetOverBrokenConnection(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	u := w.add(t, person("alice", "", ""))
	ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID})
	_, err := w.Get(ctx, u.ID)
	same(t, nil, err)
	y.breaks.Store(true)
	_, err = w.Get(ctx, u.ID)
	refused(t, err, roster.ErrUnavailable)
}
