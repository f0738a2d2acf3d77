package integration_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// shop is a program that does some things otherwise.
type shop struct {
	usersrepo.UsersRepo[*Person]

	hashed  int
	stuck   error
	updated int
}

func (s *shop) Create(ctx context.Context, p *Person, options ...roster.CreateOption) (*Person, error) {
	p.Plan = "trial"
	return s.UsersRepo.Create(ctx, p, options...)
}

func (s *shop) BeforeCreate(_ context.Context, e *callbacks.Create[*Person]) error {
	if e.User.Email != nil && strings.HasSuffix(*e.User.Email, "@evil.example") {
		return callbacks.Reject("no_thanks").Field("email")
	}
	return nil
}

func (s *shop) GetByEmail(ctx context.Context, address string) (*Person, error) {
	if name, ok := strings.CutSuffix(address, "@alias.example"); ok {
		address = name + "@example.com"
	}
	return s.UsersRepo.GetByEmail(ctx, address)
}

func (s *shop) HashPassword(ctx context.Context, password roster.Secret) (string, error) {
	s.hashed++
	return s.UsersRepo.HashPassword(ctx, password)
}

func (s *shop) TokenClaims(_ context.Context, p *Person) (map[string]any, error) {
	return map[string]any{"plan": p.Plan}, nil
}

func (s *shop) RevokeSessions(ctx context.Context, id roster.ID) (int, error) {
	if s.stuck != nil {
		return 0, s.stuck
	}
	return s.UsersRepo.RevokeSessions(ctx, id)
}

func (s *shop) Update(ctx context.Context, id roster.ID, fn func(*Person) error, options ...roster.UpdateOption) (*Person, error) {
	s.updated++
	return s.UsersRepo.Update(ctx, id, fn, options...)
}

// HOOK-1, HOOK-2, cases 1, 3 and 4, as far as the operations are built.
func TestHOOK_1_Overrides(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		s := &shop{}
		kit := begin(t, s, db)
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.1"})
		ann, _, err := s.Register(ctx, person("", "ann@example.com", ""), "a long passphrase")
		if err != nil {
			t.Fatal(err)
		}

		t.Run("of Create and HashPassword show in a registration", func(t *testing.T) {
			same(t, "trial", ann.Plan)
			same(t, 1, s.hashed)
		})

		t.Run("of a hook veto whatever creates", func(t *testing.T) {
			_, _, err := s.Register(ctx, person("", "eve@evil.example", ""), "a long passphrase")
			wantCode(t, err, "no_thanks")
			_, err = s.CreateSuperuser(t.Context(), person("", "eve@evil.example", ""))
			wantCode(t, err, "no_thanks")
			same(t, 1, count(t, kit.DB, "users"))
		})

		t.Run("of GetByEmail and TokenClaims show in a log-in and its refresh", func(t *testing.T) {
			login := must(s.Login(ctx, roster.PasswordCredentials("ann@alias.example", "a long passphrase")))(t)
			same(t, ann.ID, login.User.ID)
			pair := must(s.Refresh(ctx, login.Tokens.RefreshToken))(t)
			for _, access := range []roster.Secret{login.Tokens.AccessToken, pair.AccessToken} {
				same(t, any("trial"), must(s.VerifyToken(ctx, access))(t).Extra["plan"])
			}
		})

		t.Run("of Update that calls super ends, and fires one event", func(t *testing.T) {
			events := rostertest.Record(&s.On)
			must(s.UpdateAccount(t.Context(), ann.ID, []byte(`{"company": "Acme"}`)))(t)
			same(t, 1, s.updated)
			same(t, []string{"BeforeUpdate", "AfterUpdate", "OnUpdate"}, events.Events())
		})

		t.Run("of RevokeSessions that fails leaves the user undeleted", func(t *testing.T) {
			s.stuck = fs.ErrClosed
			if err := s.Delete(t.Context(), ann.ID, roster.Deactivate); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("got %v, want the error of the override", err)
			}
			if u := must(s.Get(t.Context(), ann.ID))(t); u.Deleted() {
				t.Error("the user is deleted")
			}
		})
	})
}

// HOOK-8: a repo without a program's type does the same, and rostertest.Record sees all of it.
func TestHOOK_8_New(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		l := newLife(t, db, roster.ActorSystem)
		added := rostertest.Record(&l.w.On)
		l.live(t)
		same(t, l.w.calls.take(), added.Events())
		added.Reset()
		same(t, 0, len(added.Events()))
	})
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w, _ := newWitness(t, db)
		cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
		plain, err := usersrepo.New[*Person](cfg)
		if err != nil {
			t.Fatal(err)
		}
		events := rostertest.Record(&plain.On)
		for _, repo := range []*usersrepo.UsersRepo[*Person]{&w.UsersRepo, plain} {
			ann, pair, err := repo.Register(t.Context(), person("annie", "ann@example.com", ""), "a long passphrase")
			if err != nil {
				t.Fatal(err)
			}
			must(repo.Update(t.Context(), ann.ID, rename))(t)
			if err := errors.Join(repo.Logout(t.Context(), pair.AccessToken), repo.Delete(t.Context(), ann.ID, roster.Remove)); err != nil {
				t.Fatal(err)
			}
		}
		same(t, w.calls.take(), events.Events())
	})
}

type staff struct {
	roster.User
	Desk string `db:"desk" json:"desk" roster:"create,update"`
}

// HOOK-8, STORE-59: two repos in one process and one database share nothing.
func TestHOOK_8_TwoRepos(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		shared := cache.NewMemory(cache.MemoryConfig{Now: rostertest.NewClock().Now})
		customers := &witness[*Person]{}
		cfg, kit := rostertest.Config(t, db)
		cfg.Cache = shared
		if err := usersrepo.Init(customers, cfg); err != nil {
			t.Fatal(err)
		}
		cfg, staffKit := rostertest.Config(t, db)
		cfg.Store.Prefix, cfg.Store.UsersTable, cfg.BaseURL = "staff_", "staff", "https://staff.example"
		cfg.Cache = shared
		employees, err := usersrepo.New[*staff](cfg)
		if err != nil {
			t.Fatal(err)
		}
		events := rostertest.Record(&employees.On)

		ann := must(customers.Create(t.Context(), person("annie", "ann@example.com", ""), roster.WithPassword("one"), roster.WithConfirmation()))(t)
		same(t, []string(nil), events.Events())
		customers.calls.take()
		address, name := "ann@example.com", "annie"
		desk := &staff{User: roster.User{Email: &address, Username: &name}, Desk: "7"}
		boss := must(employees.Create(t.Context(), desk, roster.WithPassword("two"), roster.WithConfirmation()))(t)
		same(t, []string(nil), customers.calls.take())

		t.Run("no user, password or token", func(t *testing.T) {
			_, err := employees.Get(t.Context(), ann.ID)
			refused(t, err, roster.ErrNotFound)
			_, err = employees.Login(t.Context(), roster.PasswordCredentials("annie", "one"))
			refused(t, err, roster.ErrInvalidCredentials)
			mine := must(employees.Login(t.Context(), roster.PasswordCredentials("annie", "two")))(t).Tokens
			theirs := must(customers.Login(t.Context(), roster.PasswordCredentials("annie", "one")))(t).Tokens
			_, err = customers.VerifyToken(t.Context(), mine.AccessToken)
			refused(t, err, roster.ErrInvalidToken)
			_, err = customers.Refresh(t.Context(), mine.RefreshToken)
			refused(t, err, roster.ErrInvalidRefresh)
			must(employees.VerifyToken(t.Context(), mine.AccessToken))(t)
			must(customers.VerifyToken(t.Context(), theirs.AccessToken))(t)
		})

		t.Run("no message or clock", func(t *testing.T) {
			must(employees.Deliver(t.Context(), 0))(t)
			same(t, 1, len(staffKit.Mailbox.All()))
			same(t, 0, len(kit.Mailbox.All()))
			staffKit.Clock.Advance(day)
			must(customers.Update(t.Context(), ann.ID, rename))(t)
			if u := must(customers.Get(t.Context(), ann.ID))(t); !u.UpdatedAt.Equal(kit.Clock.Now()) {
				t.Errorf("updated at %s, want %s", u.UpdatedAt, kit.Clock.Now())
			}
		})

		t.Run("no counter", func(t *testing.T) {
			for range 10 {
				_, err := customers.Login(t.Context(), roster.PasswordCredentials("annie", "wrong"))
				refused(t, err, roster.ErrInvalidCredentials)
			}
			_, err := customers.Login(t.Context(), roster.PasswordCredentials("annie", "one"))
			refused(t, err, roster.ErrTooManyRequests)
			must(employees.Login(t.Context(), roster.PasswordCredentials("annie", "two")))(t)
		})

		t.Run("but a transaction, since the database is one", func(t *testing.T) {
			err := customers.InTx(t.Context(), func(ctx context.Context) error {
				must(customers.Update(ctx, ann.ID, rename))(t)
				if err := employees.Delete(ctx, boss.ID, roster.Remove); err != nil {
					return err
				}
				return fs.ErrClosed
			})
			if !errors.Is(err, fs.ErrClosed) {
				t.Fatal(err)
			}
			same(t, 1, count(t, db, "staff"))
		})
	})
}

// HOOK-7: a repo that Init was not called for is not mounted.
func TestHOOK_7_NotMounted(t *testing.T) {
	repo := &usersrepo.UsersRepo[*Person]{}
	e := echo.New()
	_, users := routes.User(e.Group("/api"), repo, routes.Config{})
	_, admins := routes.Admin(e.Group("/admin"), repo, routes.Config{})
	for _, err := range []error{users, admins} {
		refused(t, err, roster.ErrNotInitialized)
	}
	same(t, 0, len(e.Routes()))
}
