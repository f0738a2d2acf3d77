package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// choice is one way to fill a field: absent, or with a value and the fault that it has.
type choice struct {
	value  *string
	stored string
	fault  string
}

// Case 1, USER-1, USER-2, USER-4, USER-5: every combination of identifiers.
func TestCreateProduct(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		choices := func(field, good, stored, bad string) []choice {
			return []choice{
				{}, {new(""), "", field + ":invalid"}, {&good, stored, ""}, {&bad, "", field + ":invalid"},
			}
		}
		for i, username := range choices("username", " Ann", "Ann", "a@b") {
			for j, email := range choices("email", "Ann@EXAMPLE.com ", "Ann@example.com", "ann") {
				for k, phone := range choices("phone", "+1 202-555-0123", "+12025550123", "ann") {
					p := &Person{User: roster.User{Username: username.value, Email: email.value, Phone: phone.value}}
					u, err := w.Create(t.Context(), p)
					var faults []string
					for _, c := range []choice{email, phone, username} {
						if c.fault != "" {
							faults = append(faults, c.fault)
						}
					}
					if i+j+k == 0 {
						faults = []string{":required"}
					}
					if len(faults) > 0 {
						refused(t, err, roster.ErrValidationFailed, faults...)
						continue
					}
					if err != nil {
						t.Errorf("%d %d %d: %v", i, j, k, err)
						continue
					}
					now := w.Clock.Now()
					want := person(username.stored, email.stored, phone.stored)
					want.ID, want.Permissions, want.CreatedAt, want.UpdatedAt, want.Version = u.ID, roster.Permissions{}, now, now, 1
					same(t, want, w.read(t, u.ID))
					if err := w.Delete(t.Context(), u.ID, roster.Remove); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		same(t, 0, w.rows(t, "users"))
	}, withoutHolds)
}

// USER-11 to USER-20: what options do.
func TestCreateOptions(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		t.Run("USER-3 makes an id, and keeps one that is given", func(t *testing.T) {
			u := w.add(t, person("generated", "", ""))
			same(t, 7, int(u.ID.Version()))
			p := person("preset", "", "")
			p.ID = w.NewID()
			same(t, p.ID, w.add(t, p).ID)
			again := person("another", "", "")
			again.ID = p.ID
			_, err := w.Create(t.Context(), again)
			refused(t, err, roster.ErrConflict, "id:taken")
			err = w.InTx(t.Context(), func(ctx context.Context) error { _, err := w.Create(ctx, again); return err })
			refused(t, err, roster.ErrConflict, "id:taken")
		})
		t.Run("USER-11 leaves the given user alone and returns the stored one", func(t *testing.T) {
			p := person(" Given ", "", "")
			u := w.add(t, p)
			same(t, person(" Given ", "", ""), p)
			same(t, w.read(t, u.ID), u)
		})
		t.Run("USER-13 makes an account without a password", func(t *testing.T) {
			u := w.add(t, person("passwordless", "", ""))
			for _, password := range []roster.Secret{"", " ", "correct horse battery"} {
				refused(t, w.CheckPassword(t.Context(), u.ID, password), roster.ErrInvalidPassword)
			}
			same(t, 0, w.rows(t, "roster_passwords WHERE user_id = $1", u.ID))
		})
		t.Run("USER-13 refuses an empty password, case 2", func(t *testing.T) {
			_, err := w.Create(t.Context(), person("empty", "", ""), roster.WithPassword(""))
			refused(t, err, roster.ErrValidationFailed, "password:invalid")
			u := w.add(t, person("filled", "", ""), roster.WithPassword(" right "))
			for password, right := range map[roster.Secret]bool{" right ": true, "right": false, "": false} {
				if err := w.CheckPassword(t.Context(), u.ID, password); (err == nil) != right {
					t.Errorf("%q: %v", password.Reveal(), err)
				}
			}
		})
		t.Run("USER-14 holds a password to the hard limits, and to the policy only when asked", func(t *testing.T) {
			for password, fault := range map[string]string{
				strings.Repeat("x", 1025): "password:too_long", "a\x00bcdefgh": "password:invalid", "a\xffbcdefgh": "password:invalid",
			} {
				_, err := w.Create(t.Context(), person("limits", "", ""), roster.WithPassword(roster.Secret(password)))
				refused(t, err, roster.ErrValidationFailed, fault)
			}
			_, err := w.Create(t.Context(), person("policy", "", ""), roster.WithPassword("short"), roster.WithPasswordPolicy())
			refused(t, err, roster.ErrValidationFailed, "password:too_short")
			w.add(t, person("policy", "", ""), roster.WithPassword("short"))
		})
		t.Run("USER-15 takes a hash or a password, not both", func(t *testing.T) {
			_, err := w.Create(t.Context(), person("both", "", ""), roster.WithPassword("correct horse battery"), roster.WithPasswordHash("$2a$10$x"))
			refused(t, err, roster.ErrValidationFailed, "password:invalid")
		})
		t.Run("USER-16 marks contacts as proven by option alone", func(t *testing.T) {
			now := w.Clock.Now()
			p := person("", "proven@example.com", "+12025550101")
			p.EmailVerifiedAt, p.PhoneVerifiedAt = &now, &now
			u := w.add(t, p)
			if u.EmailVerifiedAt != nil || u.PhoneVerifiedAt != nil {
				t.Error("a mark in the struct was taken")
			}
			u = w.add(t, person("", "proven2@example.com", "+12025550102"), roster.WithEmailVerified(), roster.WithPhoneVerified())
			same(t, []*time.Time{&now, &now}, []*time.Time{u.EmailVerifiedAt, u.PhoneVerifiedAt})
			_, err := w.Create(t.Context(), person("unproven", "", ""), roster.WithEmailVerified(), roster.WithPhoneVerified())
			refused(t, err, roster.ErrValidationFailed, "email:required", "phone:required")
		})
		t.Run("USER-17 takes the status from options, custom fields from the struct", func(t *testing.T) {
			now := w.Clock.Now()
			p := person("status", "", "")
			p.Superuser, p.Permissions, p.BannedAt, p.BannedUntil, p.ArchivedAt, p.DeletedAt = true, roster.Permissions{"x"}, &now, &now, &now, &now
			p.ArchivedBy, p.DeleteMode, p.LastLoginAt, p.Version, p.Epoch = new(roster.ArchivedByAdmin), new(roster.Anonymise), &now, 9, 9
			p.CreatedAt, p.UpdatedAt = now.Add(-time.Hour), now.Add(-time.Hour)
			p.Company, p.Plan, p.Score, p.Badge, p.Note, p.JoinedAt, p.Nick = "Acme", "pro", 7, "gold", "hush", &now, new("sta")
			want := person("status", "", "")
			want.Company, want.Plan, want.Score, want.Badge, want.Note, want.JoinedAt, want.Nick = "Acme", "pro", 7, "gold", "hush", &now, new("sta")
			u := w.add(t, p)
			want.ID, want.Permissions, want.CreatedAt, want.UpdatedAt, want.Version = u.ID, roster.Permissions{}, now, now, 1
			same(t, want, w.read(t, u.ID))

			p.Username = new("status2")
			u = w.add(t, p, roster.WithPermissions("b", "a", "b"), roster.WithSuperuser(true), roster.WithCreatedAt(now.Add(-time.Minute)))
			want.ID, want.Username, want.Permissions, want.Superuser, want.CreatedAt = u.ID, u.Username, roster.Permissions{"a", "b"}, true, now.Add(-time.Minute)
			same(t, want, w.read(t, u.ID))
			_, err := w.Create(t.Context(), person("status3", "", ""), roster.WithPermissions("Not a permission"))
			refused(t, err, roster.ErrValidationFailed, "permissions:invalid")
		})
		t.Run("USER-18 sends nothing unasked, and asks for an address", func(t *testing.T) {
			messages := w.rows(t, "roster_messages")
			w.add(t, person("", "silent@example.com", ""))
			same(t, messages, w.rows(t, "roster_messages"))
			for _, option := range []roster.CreateOption{roster.WithConfirmation(), roster.WithInvitation()} {
				_, err := w.Create(t.Context(), person("mute", "", ""), option)
				refused(t, err, roster.ErrValidationFailed, "email:required")
			}
			w.add(t, person("", "confirmed@example.com", ""), roster.WithConfirmation())
			w.add(t, person("", "invited@example.com", ""), roster.WithInvitation())
			same(t, 1, w.rows(t, "roster_messages WHERE kind = 'email_confirm' AND recipient = 'confirmed@example.com'"))
			same(t, 1, w.rows(t, "roster_messages WHERE kind = 'password_first' AND recipient = 'invited@example.com'"))
		})
		t.Run("USER-19 fires one event with its way, and none for what it wrote itself", func(t *testing.T) {
			var ways []roster.Via
			defer w.On.Create.On(func(_ context.Context, e *callbacks.Create[*Person]) error { ways = append(ways, e.Via); return nil })()
			w.fired()
			w.add(t, person("", "event@example.com", ""), roster.WithPassword("correct horse battery"), roster.WithEmailVerified(), roster.WithPermissions("x"))
			same(t, []string{"BeforeCreate", "AfterCreate", "OnCreate"}, w.fired())
			for _, kind := range []roster.ActorKind{roster.ActorCLI, roster.ActorImport} {
				ctx := roster.WithActor(t.Context(), roster.Actor{Kind: kind})
				if _, err := w.Create(ctx, person("by-"+string(kind), "", "")); err != nil {
					t.Fatal(err)
				}
			}
			w.add(t, person("social", "", ""), roster.WithVia(roster.ViaSocial))
			same(t, []roster.Via{roster.ViaApp, roster.ViaCLI, roster.ViaImport, roster.ViaSocial}, ways)
		})
		t.Run("USER-20 makes superusers, case 9", func(t *testing.T) {
			u, err := w.CreateSuperuser(t.Context(), person("chief", "", ""), roster.WithPassword("correct horse battery"))
			if err != nil || !w.read(t, u.ID).Superuser {
				t.Errorf("%+v, %v", u, err)
			}
			_, err = w.CreateSuperuser(t.Context(), person("chief2", "", ""), roster.WithSuperuser(false))
			refused(t, err, roster.ErrValidationFailed, "superuser:invalid")
			same(t, 0, w.rows(t, "users WHERE username = 'chief2'"))
			for _, kind := range []roster.ActorKind{roster.ActorUser, roster.ActorAdmin} {
				ctx := roster.WithActor(t.Context(), roster.Actor{Kind: kind, ID: u.ID})
				_, err = w.CreateSuperuser(ctx, person("chief2", "", ""))
				refused(t, err, roster.ErrForbidden)
			}
		})
	})
}

// USER-20: nobody is there at the start.
func TestFreshInstall(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) { same(t, 0, w.rows(t, "users")) })
}

// USER-5, USER-6, case 3: all faults together, and what is taken among them.
func TestCreateFaults(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("anna", "", ""))
		w.add(t, person("", "berta@example.com", "+12025550123"))
		both := person("ANNA", "Berta@Example.com", "+12025550123")
		taken := []string{"email:taken", "phone:taken", "username:taken"}
		for name, options := range map[string][]roster.CreateOption{
			"alone": nil, "with a password": {roster.WithPassword("correct horse battery")},
		} {
			t.Run("USER-5 tells every taken identifier "+name, func(t *testing.T) {
				_, err := w.Create(t.Context(), both, options...)
				refused(t, err, roster.ErrIdentifierTaken, taken...)
				err = w.InTx(t.Context(), func(ctx context.Context) error { _, err := w.Create(ctx, both, options...); return err })
				refused(t, err, roster.ErrIdentifierTaken, taken...)
			})
			t.Run("USER-5 tells what is taken among other faults "+name, func(t *testing.T) {
				p := person("ANNA", "Berta@Example.com", "no phone")
				p.Language, p.TimeZone = new("no language"), new("Middle/Earth")
				_, err := w.Create(t.Context(), p, options...)
				refused(t, err, roster.ErrValidationFailed, "email:taken", "language:invalid", "phone:invalid", "time_zone:invalid", "username:taken")
			})
		}
		t.Run("USER-5 tells faults of options, of decoding and of the password too", func(t *testing.T) {
			found := roster.WithFaults(roster.FieldErrors{{Field: "company", Code: roster.WrongType}})
			_, err := w.Create(t.Context(), person("anna", "", ""), found, roster.WithPassword("x\xff"), roster.WithEmailVerified(), roster.WithPermissions("?"))
			refused(t, err, roster.ErrValidationFailed, "company:wrong_type", "email:required", "password:invalid", "permissions:invalid", "username:taken")
		})
		t.Run("USER-6 takes the word of the index for it", func(t *testing.T) {
			// Another program's row, whose canonical name no look-up of ours would have made.
			w.exec(t, "UPDATE users SET username_canonical = 'carla' WHERE username = 'anna'")
			_, err := w.Create(t.Context(), person("Carla", "", ""))
			refused(t, err, roster.ErrIdentifierTaken, "username:taken")
		})
		same(t, 2, w.rows(t, "users"))
	})
}

// USER-37: custom text that a database could not keep is refused by name, alike on both.
func TestCreateText(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("text", "", ""))
		for _, bad := range []string{"a\x00b", "a\xffb"} {
			p := person("texts", "", "")
			p.Company, p.Nick, p.Language, p.TimeZone = bad, &bad, &bad, &bad
			want := []string{"company:invalid", "language:invalid", "nick:invalid", "time_zone:invalid"}
			_, err := w.Create(t.Context(), p)
			refused(t, err, roster.ErrValidationFailed, want...)
			_, err = w.Update(t.Context(), u.ID, func(u *Person) error {
				u.Company, u.Nick, u.Language, u.TimeZone = bad, &bad, &bad, &bad
				return nil
			})
			refused(t, err, roster.ErrValidationFailed, want...)
		}
		for _, long := range []string{strings.Repeat("x", 1<<20), strings.Repeat("é", 1000)} {
			p := person("texts", "", "")
			p.Language, p.TimeZone = &long, &long
			_, err := w.Create(t.Context(), p)
			refused(t, err, roster.ErrValidationFailed, "language:invalid", "time_zone:invalid")
			p = person("long"+fmt.Sprint(len(long)), "", "")
			p.Badge = long
			same(t, long, w.read(t, w.add(t, p).ID).Badge)
		}
	})
}

// USER-12, USER-22, cases 10 and 11: all or nothing.
func TestCreateAtomic(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		before := w.tables(t)
		everything := []roster.CreateOption{roster.WithPassword("correct horse battery"), roster.WithConfirmation()}
		fault := errors.New("no")
		for name, add := range map[string]func() func(){
			"a Before hook": func() func() {
				return w.On.Create.Before(func(context.Context, *callbacks.Create[*Person]) error { return fault })
			},
			"an After hook": func() func() {
				return w.On.Create.After(func(context.Context, *callbacks.Create[*Person]) error { return fault })
			},
			"the message": func() func() {
				return w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			},
			"the message's After hook": func() func() {
				return w.On.Message.After(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			},
		} {
			t.Run("USER-12 leaves nothing when it fails in "+name, func(t *testing.T) {
				defer add()()
				w.fired()
				_, err := w.Create(t.Context(), person("none", "none@example.com", ""), everything...)
				if !errors.Is(err, fault) {
					t.Errorf("%v, want the hook's error", err)
				}
				for _, event := range w.fired() {
					if strings.HasPrefix(event, "On") {
						t.Errorf("%s has run", event)
					}
				}
				same(t, before, w.tables(t))
			})
		}
		t.Run("USER-12 gives the quota of messages back", func(t *testing.T) {
			w.add(t, person("none", "none@example.com", ""), everything...) // the fifth message to this address
		})
		t.Run("USER-11 lets a Before hook fill what is absent, case 10", func(t *testing.T) {
			defer w.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error {
				e.User.Email = new("Filled@EXAMPLE.com")
				return nil
			})()
			u := w.add(t, &Person{}, everything...)
			same(t, "Filled@example.com", *w.read(t, u.ID).Email)
		})
		t.Run("USER-11 validates what a Before hook leaves", func(t *testing.T) {
			defer w.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error {
				e.User.Email = new("nonsense")
				return nil
			})()
			_, err := w.Create(t.Context(), person("hooked", "", ""))
			refused(t, err, roster.ErrValidationFailed, "email:invalid")
		})
		t.Run("USER-22 joins a transaction and goes with it", func(t *testing.T) {
			before, fault := w.tables(t), errors.New("rolled back")
			w.fired()
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				u, err := w.Create(ctx, person("joined", "joined@example.com", ""), everything...)
				if err != nil {
					return err
				}
				if _, err := w.Get(ctx, u.ID); err != nil {
					t.Errorf("within the transaction: %v", err)
				}
				return fault
			})
			same(t, true, errors.Is(err, fault))
			same(t, []string{"BeforeCreate", "AfterCreate", "BeforeMessage", "AfterMessage"}, w.fired())
			same(t, before, w.tables(t))
			err = w.InTx(t.Context(), func(ctx context.Context) error {
				_, err := w.Create(ctx, person("joined", "joined@example.com", ""), everything...)
				same(t, []string{"BeforeCreate", "AfterCreate", "BeforeMessage", "AfterMessage"}, w.fired())
				return err
			})
			same(t, nil, err)
			same(t, []string{"OnCreate", "OnMessage"}, w.fired())
		})
	})
}

// counter is a hasher that counts its work.
type counter struct {
	rostertest.Hasher
	hashed, verified atomic.Int64
}

func (c *counter) Hash(ctx context.Context, password roster.Secret) (string, error) {
	c.hashed.Add(1)
	return c.Hasher.Hash(ctx, password)
}

func (c *counter) Verify(ctx context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	c.verified.Add(1)
	return c.Hasher.Verify(ctx, encoded, password)
}

// counted founds a world on each kind of database whose hasher counts.
func counted(t *testing.T, test func(t *testing.T, w *world, hasher *counter), settings ...func(*usersrepo.Config)) {
	t.Helper()
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		hasher := &counter{}
		w := found(t, db, append(settings, func(cfg *usersrepo.Config) { cfg.Password.Hasher = hasher })...)
		hasher.hashed.Store(0)
		test(t, w, hasher)
	})
}

// USER-11, PASS-35: without a Before hook faulty input costs no hash, and no hash is made in a transaction.
func TestCreateHashesLast(t *testing.T) {
	counted(t, func(t *testing.T, w *world, hasher *counter) {
		password := roster.WithPassword("correct horse battery")
		_, err := w.Create(t.Context(), person("?", "", ""), password)
		refused(t, err, roster.ErrValidationFailed, "username:invalid", "username:too_short")
		same(t, int64(0), hasher.hashed.Load())
		defer w.On.Create.Before(func(ctx context.Context, e *callbacks.Create[*Person]) error {
			same(t, int64(1), hasher.hashed.Load())
			e.User.Username = new("mended")
			return nil
		})()
		u := w.add(t, person("?", "", ""), password)
		same(t, nil, w.CheckPassword(t.Context(), u.ID, "correct horse battery"))
		same(t, int64(1), hasher.hashed.Load())
	})
}
