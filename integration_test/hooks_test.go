package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// inEachWitness makes a program that has every hook on each kind of database.
func inEachWitness(t *testing.T, test func(t *testing.T, w *witness[*Person], kit *rostertest.Kit), settings ...func(*usersrepo.Config)) {
	t.Helper()
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		w, kit := newWitness(t, db, settings...)
		test(t, w, kit)
	})
}

// must returns a value that came without an error.
func must[V any](v V, err error) func(testing.TB) V {
	return func(t testing.TB) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// count counts the rows of what follows FROM.
func count(t testing.TB, db *sqlx.DB, from string, args ...any) int {
	t.Helper()
	var n int
	if err := db.GetContext(context.WithoutCancel(t.Context()), &n, "SELECT count(*) FROM "+from, args...); err != nil {
		t.Fatalf("count %s: %v", from, err)
	}
	return n
}

// change runs a statement of the test's own.
func change(t testing.TB, db *sqlx.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// HOOK-13, HOOK-24, HOOK-25, case 9.
func TestHOOK_13_Before(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		t.Run("fills defaults", func(t *testing.T) {
			during(w, "BeforeCreate", func(_ context.Context, e *callbacks.Create[*Person]) error {
				e.User.Plan = "free"
				return nil
			})
			given := person("", "ann@example.com", "")
			u := must(w.Create(t.Context(), given))(t)
			if u.Plan != "free" || must(w.Get(t.Context(), u.ID))(t).Plan != "free" {
				t.Errorf("plan %q, want free", u.Plan)
			}
			if given.Plan != "" {
				t.Error("the caller's own struct was changed")
			}
		})

		t.Run("may leave another user in the event", func(t *testing.T) {
			during(w, "BeforeCreate", func(_ context.Context, e *callbacks.Create[*Person]) error {
				e.User = person("", " Other@EXAMPLE.com ", "")
				return nil
			})
			if u := must(w.Create(t.Context(), person("", "given@example.com", "")))(t); *u.Email != "Other@example.com" {
				t.Errorf("e-mail address %q, want that of the hook, normalised", *u.Email)
			}
		})

		t.Run("leaves what is validated like any input", func(t *testing.T) {
			during(w, "BeforeCreate", func(_ context.Context, e *callbacks.Create[*Person]) error {
				*e.User.Email = "no address"
				return nil
			})
			w.calls.take()
			_, err := w.Create(t.Context(), person("", "bob@example.com", ""))
			refused(t, err, roster.ErrValidationFailed, "email:invalid")
			same(t, []string{"BeforeCreate"}, w.calls.take()) // HOOK-20
		})

		t.Run("vetoes with a code, a field and a status", func(t *testing.T) {
			during(w, "BeforeCreate", func(context.Context, *callbacks.Create[*Person]) error {
				return fmt.Errorf("ask the desk: %w", callbacks.Reject("no_jobs").Field("email").Status(409))
			})
			_, err := w.Create(t.Context(), person("", "bob@example.com", ""))
			var got *roster.Error
			if !errors.As(err, &got) || got.Code != "no_jobs" || got.Status != 409 || len(got.Fields) != 1 || got.Fields[0].Field != "email" {
				t.Errorf("got %v, want no_jobs of email with status 409", err)
			}
		})

		t.Run("vetoes with an error of the program's, which is internal", func(t *testing.T) {
			during(w, "BeforeCreate", func(context.Context, *callbacks.Create[*Person]) error {
				return fmt.Errorf("the desk is closed: %w", fs.ErrClosed)
			})
			_, err := w.Create(t.Context(), person("", "bob@example.com", ""))
			var got *roster.Error
			if !errors.As(err, &got) || got.Code != roster.CodeInternal || got.Message != "" || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("got %v, want internal with the error in it", err)
			}
		})

		if n := count(t, kit.DB, "users"); n != 2 {
			t.Errorf("%d users are stored, want the two that no hook vetoed", n)
		}
		if n := w.Stats().HookErrors; n != 0 {
			t.Errorf("%d errors of hooks are counted, want none: their callers were told", n)
		}
	})
}

// HOOK-13: a hook that leaves no user fails its operation, and nothing else.
func TestHOOK_13_BeforeLeavesNoUser(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("", "ann@example.com", "")))(t)
		during(w, "BeforeCreate", func(_ context.Context, e *callbacks.Create[*Person]) error {
			e.User = nil
			return nil
		})
		during(w, "BeforeUpdate", func(_ context.Context, e *callbacks.Update[*Person]) error {
			e.User = nil
			return nil
		})
		during(w, "BeforeMessage", func(_ context.Context, e *callbacks.Message[*Person]) error {
			e.Data.User = nil
			return nil
		})
		for hook, run := range map[string]func() error{
			"BeforeCreate":  func() error { _, err := w.Create(t.Context(), person("", "bob@example.com", "")); return err },
			"BeforeUpdate":  func() error { _, err := w.Update(t.Context(), ann.ID, rename); return err },
			"BeforeMessage": func() error { return w.RequestEmailConfirmation(t.Context(), ann.ID) },
		} {
			if err := run(); !errors.Is(err, roster.ErrInternal) || !strings.Contains(err.Error(), hook) {
				t.Errorf("got %v, want internal that names %s", err, hook)
			}
		}
		same(t, 1, count(t, kit.DB, "users"))
	})
}

// HOOK-13: what Before may not change stays as it was.
func TestHOOK_13_BeforeMayNotChange(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		spoil := func(p *Person) {
			name := "spoilt"
			p.ID, p.Username, p.Superuser, p.Company = roster.ID{}, &name, true, name
			p.Permissions = append(p.Permissions, "everything")
		}
		unspoilt := func(operation string, id roster.ID) {
			t.Helper()
			u := must(w.Get(t.Context(), id))(t)
			if u.Superuser || u.Username != nil || u.Company != "Acme" || len(u.Permissions) > 0 {
				t.Errorf("after %s: %+v, want what the hooks did without effect", operation, u)
			}
		}
		other := w.NewID()
		during(w, "BeforeLogin", func(_ context.Context, e *callbacks.Login[*Person]) error {
			spoil(e.User)
			e.Session, e.Via, e.AMR = other, "spoilt", append(e.AMR, "spoilt")
			return nil
		})
		during(w, "BeforeLogout", func(_ context.Context, e *callbacks.Logout) error {
			e.UserID, e.SID = other, other
			return nil
		})
		during(w, "BeforeDelete", func(_ context.Context, e *callbacks.Delete[*Person]) error {
			spoil(e.User)
			e.Mode = roster.Remove
			return nil
		})
		during(w, "BeforeRestore", func(_ context.Context, e *callbacks.Restore[*Person]) error {
			spoil(e.User)
			return nil
		})
		during(w, "BeforeSocialLink", func(_ context.Context, e *callbacks.SocialLink[*Person]) error {
			spoil(e.User)
			e.Provider, e.Subject = "spoilt", "spoilt"
			return nil
		})
		during(w, "BeforeSocialUnlink", func(_ context.Context, e *callbacks.SocialUnlink[*Person]) error {
			spoil(e.User)
			e.Provider, e.Subject = "spoilt", "spoilt"
			return nil
		})
		during(w, "BeforeEmailConfirm", func(_ context.Context, e *callbacks.EmailConfirm[*Person]) error {
			spoil(e.User)
			e.Address = "spoilt@example.com"
			return nil
		})
		during(w, "BeforePasswordResetRequest", func(_ context.Context, e *callbacks.PasswordResetRequest[*Person]) error {
			spoil(e.User)
			return nil
		})
		during(w, "BeforePasswordChange", func(_ context.Context, e *callbacks.PasswordChange[*Person]) error {
			spoil(e.User)
			e.Kind = "spoilt"
			return nil
		})
		during(w, "BeforeMessage", func(_ context.Context, e *callbacks.Message[*Person]) error {
			spoil(e.Data.User)
			e.To, e.Kind, e.Channel, e.UserID = "spoilt@example.com", "spoilt", "spoilt", nil
			return nil
		})

		p := person("", "ann@example.com", "")
		p.Company = "Acme"
		ann := must(w.Create(t.Context(), p, roster.WithInvitation()))(t)
		unspoilt("Create", ann.ID)
		mail := lastMail(t, w, kit, "ann@example.com")
		must(w.SetFirstPassword(t.Context(), mail.Token, "a long passphrase"))(t)
		unspoilt("SetFirstPassword", ann.ID)
		login := must(w.Login(t.Context(), roster.PasswordCredentials("ann@example.com", "a long passphrase")))(t)
		unspoilt("Login", ann.ID)
		if sessions := must(w.ListSessions(t.Context(), ann.ID))(t); len(sessions) != 1 || sessions[0].ID != login.Tokens.SessionID || len(sessions[0].AMR) != 1 {
			t.Errorf("sessions %+v, want that of the log-in", sessions)
		}
		if err := w.Logout(t.Context(), login.Tokens.RefreshToken); err != nil {
			t.Error(err)
		}
		if sessions := must(w.ListSessions(t.Context(), ann.ID))(t); len(sessions) != 0 {
			t.Errorf("sessions %+v, want none after the log-out", sessions)
		}
		account := roster.SocialAccount{Provider: "github", Subject: "1"}
		if err := w.LinkSocial(t.Context(), ann.ID, account); err != nil {
			t.Error(err)
		}
		if links := must(w.ListSocial(t.Context(), ann.ID))(t); len(links) != 1 || links[0].Provider != "github" {
			t.Errorf("links %+v, want that which was given", links)
		}
		if err := w.UnlinkSocial(t.Context(), ann.ID, "github", "1"); err != nil {
			t.Error(err)
		}
		unspoilt("UnlinkSocial", ann.ID)
		if err := w.Delete(t.Context(), ann.ID, roster.Deactivate); err != nil {
			t.Error(err)
		}
		must(w.Restore(t.Context(), ann.ID))(t)
		unspoilt("Restore", ann.ID)
	})
}

// lastMail sends what is due and returns the newest mail to an address.
func lastMail(t testing.TB, w *witness[*Person], kit *rostertest.Kit, to string) notify.Message {
	t.Helper()
	must(w.Deliver(t.Context(), 0))(t)
	mail, ok := kit.Mailbox.Last(to)
	if !ok {
		t.Fatalf("no mail to %s", to)
	}
	return mail
}

// HOOK-13, HOOK-42, HOOK-50: Before alters an edit.
func TestHOOK_42_BeforeAltersAnEdit(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", "")))(t)
		during(w, "BeforeUpdate", func(_ context.Context, e *callbacks.Update[*Person]) error {
			e.User.Plan = "pro"
			e.Old.Company, e.Changed = "spoilt", nil
			return nil
		})
		during(w, "BeforeUsernameChange", func(_ context.Context, e *callbacks.UsernameChange[*Person]) error {
			e.New += "2"
			e.Old, e.User.Company = "spoilt", "spoilt"
			return nil
		})
		var after callbacks.Update[*Person]
		during(w, "AfterUpdate", func(_ context.Context, e *callbacks.Update[*Person]) error {
			after = *e
			return nil
		})
		u := must(w.Update(t.Context(), ann.ID, func(p *Person) error {
			name := "anna"
			p.Username, p.Company = &name, "Acme"
			return nil
		}))(t)
		if *u.Username != "anna2" || u.Company != "Acme" || u.Plan != "pro" {
			t.Errorf("got %s, %s, %s; want anna2, Acme, pro", *u.Username, u.Company, u.Plan)
		}
		same(t, []string{"company", "plan", "username"}, after.Changed)
		same(t, "annie", *after.Old.Username)
		same(t, "", after.Old.Company)
		same(t, u, after.User)
		same(t, u, must(w.Get(t.Context(), ann.ID))(t))

		t.Run("but for what has operations of its own", func(t *testing.T) {
			during(w, "BeforeUpdate", func(_ context.Context, e *callbacks.Update[*Person]) error {
				e.User.Superuser = true
				return nil
			})
			_, err := w.Update(t.Context(), ann.ID, func(p *Person) error {
				p.Company = "Other"
				return nil
			})
			refused(t, err, roster.ErrValidationFailed, "superuser:forbidden_field")
		})
	})
}

// HOOK-14, HOOK-29, cases 10 and 11.
func TestHOOK_14_After(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		change(t, kit.DB, "CREATE TABLE orders (customer TEXT NOT NULL)")

		t.Run("sees the row that others do not see yet", func(t *testing.T) {
			outside := t.Context()
			during(w, "AfterCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
				if _, err := w.Get(ctx, e.User.ID); err != nil {
					t.Errorf("in the transaction: %v", err)
				}
				if _, err := w.Get(outside, e.User.ID); !errors.Is(err, roster.ErrNotFound) {
					t.Errorf("outside of it: %v, want not_found", err)
				}
				return nil
			})
			must(w.Create(t.Context(), person("", "ann@example.com", "")))(t)
		})

		t.Run("writes rows of the program's that stand with the operation", func(t *testing.T) {
			during(w, "AfterCreate", order)
			must(w.Create(t.Context(), person("", "bob@example.com", "")))(t)
			same(t, 1, count(t, kit.DB, "orders"))
		})

		t.Run("rolls all back by an error", func(t *testing.T) {
			during(w, "AfterCreate", func(ctx context.Context, e *callbacks.Create[*Person]) error {
				if err := order(ctx, e); err != nil {
					return err
				}
				return callbacks.Reject("sold_out")
			})
			w.calls.take()
			_, err := w.Create(t.Context(), person("", "cat@example.com", ""), roster.WithConfirmation(), roster.WithPassword("secret"))
			if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Code != "sold_out" {
				t.Errorf("got %v, want sold_out", err)
			}
			same(t, []string{"BeforeCreate", "AfterCreate"}, w.calls.take())
			same(t, 1, count(t, kit.DB, "orders"))
			same(t, 2, count(t, kit.DB, "users"))
			same(t, 0, count(t, kit.DB, "roster_passwords"))
			same(t, 0, count(t, kit.DB, "roster_messages"))

			during(w, "AfterCreate", order)
			must(w.Create(t.Context(), person("", "cat@example.com", ""), roster.WithConfirmation()))(t)
			same(t, 2, count(t, kit.DB, "orders"))
		})

		t.Run("cannot change what the caller or other hooks get", func(t *testing.T) {
			spoil := func(_ context.Context, e *callbacks.Create[*Person]) error {
				if *e.User.Email != "dan@example.com" {
					t.Errorf("a hook sees %q of another one", *e.User.Email)
				}
				*e.User.Email, e.User.Company = "spoilt@example.com", "spoilt"
				return nil
			}
			defer w.On.Create.After(spoil)()
			defer w.On.Create.On(spoil)()
			defer w.On.Create.On(spoil)()
			during(w, "AfterCreate", spoil)
			during(w, "OnCreate", spoil)
			u := must(w.Create(t.Context(), person("", "dan@example.com", "")))(t)
			same(t, "dan@example.com", *u.Email)
			same(t, u, must(w.Get(t.Context(), u.ID))(t))
		})
	})
}

// order writes a row of the program's in the transaction of a hook.
func order(ctx context.Context, e *callbacks.Create[*Person]) error {
	_, err := store.TxFrom(ctx).ExecContext(ctx, "INSERT INTO orders (customer) VALUES ($1)", *e.User.Email)
	return err
}

type traceKey struct{}

// HOOK-15, HOOK-16, HOOK-68, case 12.
func TestHOOK_15_On(t *testing.T) {
	const limit = 30 * time.Millisecond
	short := func(cfg *usersrepo.Config) { cfg.Callbacks.OnTimeout = limit }
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		t.Run("changes no result and stops nothing, whatever becomes of it", func(t *testing.T) {
			ran := 0
			w.On.Create.On(func(context.Context, *callbacks.Create[*Person]) error { return fs.ErrClosed })
			w.On.Create.On(func(context.Context, *callbacks.Create[*Person]) error { panic("on") })
			w.On.Create.On(func(context.Context, *callbacks.Create[*Person]) error {
				time.Sleep(2 * limit) // one that does not look at its deadline
				return nil
			})
			w.On.Create.On(func(context.Context, *callbacks.Create[*Person]) error {
				ran++
				return nil
			})
			must(w.Create(t.Context(), person("", "ann@example.com", "")))(t)
			same(t, 1, ran)
			same(t, roster.Stats{HookErrors: 3}, w.Stats())
		})

		t.Run("runs before the operation returns, with the caller's values, a deadline and no cancel", func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), traceKey{}, "trace"))
			defer cancel()
			during(w, "OnUpdate", func(on context.Context, e *callbacks.Update[*Person]) error {
				cancel()
				if on.Err() != nil {
					t.Error("the caller's cancel reached it")
				}
				same(t, any("trace"), on.Value(traceKey{}))
				if deadline, ok := on.Deadline(); !ok || time.Until(deadline) > limit {
					t.Errorf("deadline %v, want within %s", deadline, limit)
				}
				if store.TxFrom(on) != nil {
					t.Error("it has a transaction")
				}
				same(t, e.User, must(w.Get(t.Context(), e.User.ID))(t))
				return nil
			})
			w.calls.take()
			u := must(w.GetByEmail(t.Context(), "ann@example.com"))(t)
			must(w.Update(ctx, u.ID, func(p *Person) error {
				p.Company = "Acme"
				return nil
			}))(t)
			same(t, []string{"BeforeUpdate", "AfterUpdate", "OnUpdate"}, w.calls.take())
		})
	}, short)
}

// HOOK-17, case 13.
func TestHOOK_17_PanicInAnOperation(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("", "ann@example.com", "")))(t)
		for i, hook := range []string{"BeforeUpdate", "AfterUpdate"} {
			during(w, hook, func(context.Context, *callbacks.Update[*Person]) error { panic(fs.ErrInvalid) })
			_, err := w.Update(t.Context(), ann.ID, func(p *Person) error {
				p.Company = "Acme"
				return nil
			})
			if !errors.Is(err, roster.ErrInternal) || !errors.Is(err, roster.ErrHookPanic) {
				t.Errorf("%s: got %v, want internal with ErrHookPanic", hook, err)
			}
			same(t, int64(i+1), w.Stats().HookErrors)
			during[callbacks.Update[*Person]](w, hook, nil)
			if n := kit.DB.Stats().InUse; n != 0 {
				t.Errorf("%s: %d connections are in use afterwards", hook, n)
			}
		}
		same(t, ann, must(w.Get(t.Context(), ann.ID))(t))
		// No lock was left behind either.
		must(w.Update(t.Context(), ann.ID, func(p *Person) error {
			p.Company = "Acme"
			return nil
		}))(t)
	})
}

// HOOK-19, case 8: through an operation.
func TestHOOK_19_OrderInAnOperation(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		for _, name := range []string{"1", "2"} {
			listen := func(phase string) callbacks.Func[*callbacks.Create[*Person]] {
				return func(context.Context, *callbacks.Create[*Person]) error {
					w.calls.note(phase + " " + name)
					return nil
				}
			}
			w.On.Create.Before(listen("Before"))
			w.On.Create.After(listen("After"))
			w.On.Create.On(listen("On"))
		}
		must(w.Create(t.Context(), person("", "ann@example.com", "")))(t)
		same(t, []string{
			"BeforeCreate", "Before 1", "Before 2", "After 1", "After 2", "AfterCreate", "On 1", "On 2", "OnCreate",
		}, w.calls.take())
	})
}
