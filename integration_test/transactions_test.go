package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// HOOK-29, HOOK-32
func TestHOOK_29_TxFrom(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		var seen []string
		look := func(ctx context.Context, where string) {
			if store.TxFrom(ctx) != nil {
				seen = append(seen, where)
			}
		}
		for _, phase := range []string{"Before", "After", "On"} {
			during(w, phase+"Create", func(ctx context.Context, _ *callbacks.Create[*Person]) error {
				look(ctx, phase)
				return nil
			})
		}
		look(t.Context(), "outside")
		must(w.Create(t.Context(), person("annie", "", "")))(t)
		same(t, []string{"Before", "After"}, seen)

		seen = nil
		change(t, kit.DB, "CREATE TABLE orders (customer TEXT NOT NULL)")
		err := w.InTx(t.Context(), func(ctx context.Context) error {
			look(ctx, "InTx")
			_, err := store.TxFrom(ctx).ExecContext(ctx, "INSERT INTO orders (customer) VALUES ('a')")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, []string{"InTx"}, seen)
		same(t, 1, count(t, kit.DB, "orders"))
	})
}

// HOOK-30, HOOK-35, case 14: whatever hooks and transactions call, one connection is enough.
func TestHOOK_30_OneConnection(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		kit.DB.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()

		during(w, "AfterCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
			u, err := w.Update(ctx, e.User.ID, rename)
			if err == nil {
				err = w.LinkSocial(ctx, u.ID, roster.SocialAccount{Provider: "x", Subject: *e.User.Email})
			}
			if err == nil {
				_, err = w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
			}
			if err == nil {
				err = w.InTx(ctx, func(ctx context.Context) error { return w.UpdateLastLogin(ctx, u.ID) })
			}
			if err == nil {
				_, err = w.Search(ctx, roster.Query{})
			}
			return err
		})
		during(w, "OnCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
			_, err := w.Update(ctx, e.User.ID, rename)
			return err
		})
		u := must(w.Create(ctx, person("", "ann@example.com", ""), roster.WithPassword("secret"), roster.WithConfirmation()))(t)
		same(t, "!!", must(w.Get(ctx, u.ID))(t).Company)
		same(t, 1, len(must(w.ListSessions(ctx, u.ID))(t)))
		same(t, 1, len(must(w.ListSocial(ctx, u.ID))(t)))

		t.Run("also for what stands apart", func(t *testing.T) {
			err := w.InTx(ctx, func(ctx context.Context) error {
				_, err := w.Login(ctx, roster.PasswordCredentials("ann@example.com", "wrong"))
				refused(t, err, roster.ErrInvalidCredentials)
				_, err = w.Login(ctx, roster.PasswordCredentials("ann@example.com", "secret"))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})

		t.Run("and what a hook did goes with an operation that fails", func(t *testing.T) {
			defer w.On.Message.After(rejecting[callbacks.Message[*Person]]("no_mail"))()
			w.calls.take()
			_, err := w.Create(ctx, person("", "bob@example.com", ""), roster.WithConfirmation())
			wantCode(t, err, "no_mail")
			if ran := w.calls.take(); slices.ContainsFunc(ran, func(name string) bool { return strings.HasPrefix(name, "On") }) {
				t.Errorf("%v ran, want no On", ran)
			}
			same(t, 1, count(t, kit.DB, "users"))
			same(t, 2, count(t, kit.DB, "roster_sessions"))
			same(t, 1, count(t, kit.DB, "roster_identities"))
		})
		same(t, int64(0), w.Stats().HookErrors)
	})
}

// HOOK-31, case 15.
func TestHOOK_31_OnCommit(t *testing.T) {
	short := func(cfg *usersrepo.Config) { cfg.Callbacks.OnTimeout = 30 * time.Millisecond }
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		var log []string
		queue := func(ctx context.Context, entry string) {
			store.OnCommit(ctx, func(ctx context.Context) {
				if store.TxFrom(ctx) != nil {
					t.Errorf("%s has a transaction", entry)
				}
				if _, limited := ctx.Deadline(); !limited {
					t.Errorf("%s has no time limit", entry)
				}
				log = append(log, entry)
			})
		}
		during(w, "BeforeCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
			queue(ctx, "before "+*e.User.Username)
			return nil
		})
		during(w, "AfterCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
			queue(ctx, "after "+*e.User.Username)
			return nil
		})
		during(w, "OnCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
			log = append(log, "on "+*e.User.Username)
			queue(ctx, "at once") // its transaction is over
			return nil
		})

		t.Run("queues in the order of the calls, until the outermost unit has committed", func(t *testing.T) {
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				queue(ctx, "first")
				must(w.Create(ctx, person("annie", "", "")))(t)
				err := w.InTx(ctx, func(ctx context.Context) error {
					queue(ctx, "nested")
					return nil
				})
				queue(ctx, "last")
				same(t, 0, len(log))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			same(t, []string{"first", "before annie", "after annie", "on annie", "at once", "nested", "last"}, log)
		})

		t.Run("runs nothing after a rollback", func(t *testing.T) {
			log = nil
			_ = w.InTx(t.Context(), func(ctx context.Context) error {
				queue(ctx, "first")
				must(w.Create(ctx, person("bobby", "", "")))(t)
				return fs.ErrClosed
			})
			same(t, 0, len(log))
		})

		t.Run("runs at once outside of a transaction", func(t *testing.T) {
			log = nil
			queue(t.Context(), "now")
			same(t, []string{"now"}, log)
		})

		t.Run("bounds, recovers and counts like On", func(t *testing.T) {
			log = nil
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				store.OnCommit(ctx, func(context.Context) { panic("on commit") })
				store.OnCommit(ctx, func(ctx context.Context) { <-ctx.Done() })
				queue(ctx, "the next")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			same(t, []string{"the next"}, log)
			same(t, roster.Stats{HookErrors: 2}, w.Stats())
		})
		same(t, 1, count(t, kit.DB, "users"))
	}, short)
}

// HOOK-33, cases 16 and 28.
func TestHOOK_33_Doomed(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", "")))(t)
		dump := func() []int {
			return []int{
				count(t, kit.DB, "users"), count(t, kit.DB, "roster_messages"), count(t, kit.DB, "roster_identities"), count(t, kit.DB, "roster_sessions"),
			}
		}
		before := dump()
		change(t, kit.DB, "CREATE TABLE orders (customer TEXT NOT NULL)")

		t.Run("by an operation whose failure a hook swallows", func(t *testing.T) {
			during(w, "AfterCreate", func(ctx context.Context, _ *callbacks.Create[*Person]) error {
				if _, err := w.Update(ctx, w.NewID(), rename); !errors.Is(err, roster.ErrNotFound) {
					t.Errorf("within the hook: got %v, want not_found", err)
				}
				return nil
			})
			w.calls.take()
			_, err := w.Create(t.Context(), person("bobby", "", ""))
			refused(t, err, roster.ErrNotFound)
			same(t, []string{"BeforeCreate", "AfterCreate"}, w.calls.take())
			same(t, before, dump())
			during[callbacks.Create[*Person]](w, "AfterCreate", nil)
		})

		t.Run("not by a look that finds nothing", func(t *testing.T) {
			during(w, "AfterCreate", func(ctx context.Context, _ *callbacks.Create[*Person]) error {
				if _, err := w.GetByUsername(ctx, "nobody"); !errors.Is(err, roster.ErrNotFound) {
					t.Errorf("got %v, want not_found", err)
				}
				return nil
			})
			must(w.Create(t.Context(), person("bobby", "", "")))(t)
			before = dump()
			during[callbacks.Create[*Person]](w, "AfterCreate", nil)
		})

		t.Run("a transaction of the program's, by the second operation", func(t *testing.T) {
			w.calls.take()
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				must(w.Create(ctx, person("cathy", "", "")))(t)
				_, _ = w.Create(ctx, person("CATHY", "", ""))
				return nil
			})
			refused(t, err, roster.ErrIdentifierTaken, "username:taken")
			same(t, []string{"BeforeCreate", "AfterCreate", "BeforeCreate"}, w.calls.take())
			same(t, before, dump())
		})

		t.Run("with the program's own rows, by an error at the end", func(t *testing.T) {
			w.calls.take()
			both := func(end error) error {
				return w.InTx(t.Context(), func(ctx context.Context) error {
					u := must(w.Create(ctx, person("", "dan@example.com", ""), roster.WithConfirmation()))(t)
					if err := order(ctx, &callbacks.Create[*Person]{User: u}); err != nil {
						return err
					}
					if err := w.LinkSocial(ctx, u.ID, roster.SocialAccount{Provider: "x", Subject: "1"}); err != nil {
						return err
					}
					return end
				})
			}
			if err := both(fs.ErrClosed); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("got %v, want the error", err)
			}
			same(t, before, dump())
			same(t, 0, count(t, kit.DB, "orders"))
			inside := []string{"BeforeCreate", "AfterCreate", "BeforeMessage", "AfterMessage", "BeforeSocialLink", "AfterSocialLink"}
			same(t, inside, w.calls.take())

			if err := both(nil); err != nil {
				t.Error(err)
			}
			same(t, append(inside, "OnCreate", "OnMessage", "OnSocialLink"), w.calls.take())
			same(t, []int{before[0] + 1, before[1] + 1, before[2] + 1, before[3]}, dump())
			same(t, 1, count(t, kit.DB, "orders"))
			before = dump()
		})

		t.Run("alone, in a transaction within", func(t *testing.T) {
			w.calls.take()
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				must(w.Update(ctx, ann.ID, rename))(t)
				inner := w.InTx(ctx, func(ctx context.Context) error {
					must(w.Create(ctx, person("", "emily@example.com", ""), roster.WithConfirmation()))(t)
					if err := w.InTx(ctx, func(ctx context.Context) error { return w.UpdateLastLogin(ctx, ann.ID) }); err != nil {
						return err
					}
					_, err := w.Update(ctx, w.NewID(), rename)
					refused(t, err, roster.ErrNotFound)
					return nil
				})
				refused(t, inner, roster.ErrNotFound)
				_, err := w.GetByEmail(ctx, "emily@example.com")
				refused(t, err, roster.ErrNotFound)
				must(w.Create(ctx, person("fredy", "", "")))(t)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			ran := w.calls.take()
			same(t, []string{"OnUpdate", "OnCreate"}, ran[len(ran)-2:])
			same(t, []int{before[0] + 1, before[1], before[2], before[3]}, dump())
			if u := must(w.Get(t.Context(), ann.ID))(t); u.LastLoginAt != nil || u.Company != "!" {
				t.Errorf("company %q, last log-in %v; want that of the outer transaction alone", u.Company, u.LastLoginAt)
			}
		})
	})
}

// HOOK-34
func TestHOOK_34_Cancel(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		for _, phase := range []string{"Before", "After"} {
			ctx, cancel := context.WithCancel(t.Context())
			during(w, phase+"Create", func(context.Context, *callbacks.Create[*Person]) error {
				cancel()
				return nil
			})
			w.calls.take()
			_, err := w.Create(ctx, person("annie", "", ""))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled in %s: got %v, want context.Canceled", phase, err)
			}
			if ran := w.calls.take(); slices.Contains(ran, "OnCreate") {
				t.Errorf("cancelled in %s: %v ran", phase, ran)
			}
			same(t, 0, count(t, kit.DB, "users"))
			during[callbacks.Create[*Person]](w, phase+"Create", nil)
		}
		ctx, cancel := context.WithCancel(t.Context())
		during(w, "OnCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
			cancel()
			_, err := w.Update(ctx, e.User.ID, rename)
			return err
		})
		u := must(w.Create(ctx, person("annie", "", "")))(t)
		same(t, "!", must(w.Get(t.Context(), u.ID))(t).Company)
		same(t, int64(0), w.Stats().HookErrors)
	})
}

// HOOK-35
func TestHOOK_35_Depth(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "", "")))(t)

		t.Run("lets a hook call its own operation", func(t *testing.T) {
			during(w, "AfterUpdate", func(ctx context.Context, e *callbacks.Update[*Person]) error {
				if len(e.User.Company) == 3 {
					return nil
				}
				_, err := w.Update(ctx, e.User.ID, rename)
				return err
			})
			w.calls.take()
			must(w.Update(t.Context(), ann.ID, rename))(t)
			same(t, "!!!", must(w.Get(t.Context(), ann.ID))(t).Company)
			same(t, []string{
				"BeforeUpdate", "AfterUpdate", "BeforeUpdate", "AfterUpdate", "BeforeUpdate", "AfterUpdate",
				"OnUpdate", "OnUpdate", "OnUpdate",
			}, w.calls.take())
		})

		t.Run("ends one that never does, and names the chain", func(t *testing.T) {
			during(w, "AfterUpdate", func(ctx context.Context, e *callbacks.Update[*Person]) error {
				_, err := w.Update(ctx, e.User.ID, rename)
				return err
			})
			_, err := w.Update(t.Context(), ann.ID, rename)
			if !errors.Is(err, roster.ErrInternal) || !strings.Contains(err.Error(), strings.Repeat("Update → ", 8)+"Update") {
				t.Errorf("got %v, want internal with the chain of nine", err)
			}
			same(t, "!!!", must(w.Get(t.Context(), ann.ID))(t).Company)
			during[callbacks.Update[*Person]](w, "AfterUpdate", nil)
		})

		t.Run("ends one that never does after the commit, too", func(t *testing.T) {
			during(w, "OnUpdate", func(ctx context.Context, e *callbacks.Update[*Person]) error {
				_, err := w.Update(ctx, e.User.ID, rename)
				return err
			})
			before := w.Stats().HookErrors
			must(w.Update(t.Context(), ann.ID, rename))(t)
			same(t, strings.Repeat("!", 3+8), must(w.Get(t.Context(), ann.ID))(t).Company)
			same(t, before+1, w.Stats().HookErrors)
		})
	})
}

// HOOK-36, STORE-5: SQLite has no such failures.
func TestHOOK_36_Retry(t *testing.T) {
	t.Parallel()
	// start makes a repo on a table whose first inserts fail.
	start := func(t *testing.T, failures int, state string) (*usersrepo.UsersRepo[*Person], *sqlx.DB) {
		t.Helper()
		t.Parallel()
		db := rostertest.Open(t, rostertest.PostgreSQL)
		cfg, _ := rostertest.Config(t, db)
		repo, err := usersrepo.New[*Person](cfg)
		if err != nil {
			t.Fatal(err)
		}
		change(t, db, "CREATE SEQUENCE tries")
		change(t, db, fmt.Sprintf(`
			CREATE FUNCTION give_up() RETURNS trigger AS $$
			BEGIN
				IF nextval('tries') <= %d THEN RAISE EXCEPTION 'given up' USING ERRCODE = '%s'; END IF;
				RETURN NEW;
			END $$ LANGUAGE plpgsql`, failures, state))
		change(t, db, "CREATE TRIGGER give_up BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION give_up()")
		return repo, db
	}
	tries := func(t *testing.T, db *sqlx.DB) int {
		t.Helper()
		var n int
		if err := db.GetContext(t.Context(), &n, "SELECT last_value FROM tries"); err != nil {
			t.Fatal(err)
		}
		return n
	}

	for _, state := range []string{"40001", "40P01"} {
		t.Run("tries again after "+state+" while no hook has run", func(t *testing.T) {
			repo, db := start(t, 2, state)
			must(repo.Create(t.Context(), person("annie", "", "")))(t)
			same(t, 3, tries(t, db))
		})
	}

	t.Run("gives up after three tries", func(t *testing.T) {
		repo, db := start(t, 3, "40001")
		_, err := repo.Create(t.Context(), person("annie", "", ""))
		refused(t, err, roster.ErrConflict)
		same(t, 3, tries(t, db))
	})

	t.Run("does not run a hook twice", func(t *testing.T) {
		repo, db := start(t, 2, "40001")
		ran := 0
		repo.On.Create.Before(func(context.Context, *callbacks.Create[*Person]) error {
			ran++
			return nil
		})
		_, err := repo.Create(t.Context(), person("annie", "", ""))
		refused(t, err, roster.ErrConflict)
		same(t, 1, ran)
		same(t, 1, tries(t, db))
	})

	t.Run("does not try a part of a transaction again", func(t *testing.T) {
		repo, db := start(t, 2, "40001")
		err := repo.InTx(t.Context(), func(ctx context.Context) error {
			_, err := repo.Create(ctx, person("annie", "", ""))
			return err
		})
		refused(t, err, roster.ErrConflict)
		same(t, 1, tries(t, db))
	})
}

// A panic in the program's own transaction is the program's: nothing is left of what it did.
func TestInTxPanic(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		func() {
			defer func() { same(t, any("stop"), recover()) }()
			_ = w.InTx(t.Context(), func(ctx context.Context) error {
				must(w.Create(ctx, person("annie", "", "")))(t)
				panic("stop")
			})
		}()
		same(t, 0, count(t, kit.DB, "users"))
		same(t, 0, kit.DB.Stats().InUse)
		same(t, []string{"BeforeCreate", "AfterCreate"}, w.calls.take())
	})
}
