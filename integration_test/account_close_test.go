package integration_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// ended checks that nothing of a session is good any more.
func (w *world) ended(t testing.TB, pair *roster.TokenPair) {
	t.Helper()
	_, err := w.VerifyToken(t.Context(), pair.AccessToken)
	refused(t, err, roster.ErrSessionRevoked)
	_, err = w.Refresh(t.Context(), pair.RefreshToken)
	refused(t, err, roster.ErrSessionRevoked)
}

// ACCT-40, ACCT-31, ACCT-27, case 14: people put their account aside, and come back by logging in.
func TestArchive(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		mine, other := w.enter(t, "anna").Tokens, w.enter(t, "anna").Tokens
		ctx := w.within(t, *mine)
		var archived []callbacks.Archive[*Person]
		var back []callbacks.Unarchive[*Person]
		w.On.Archive.On(func(_ context.Context, e *callbacks.Archive[*Person]) error {
			archived = append(archived, *e)
			return nil
		})
		w.On.Unarchive.On(func(_ context.Context, e *callbacks.Unarchive[*Person]) error { back = append(back, *e); return nil })
		t.Run("ACCT-40 refuses a wrong password and leaves everything", func(t *testing.T) {
			before := w.tables(t)
			for _, wrong := range []roster.Secret{"wrong", ""} {
				refused(t, w.Archive(ctx, u.ID, wrong), roster.ErrInvalidPassword, "password:invalid_password")
			}
			same(t, before, w.tables(t))
			same(t, 0, len(archived))
		})
		t.Run("ACCT-40 ends all sessions, access tokens too", func(t *testing.T) {
			w.posted(t)
			w.fired()
			if err := w.Archive(ctx, u.ID, secret); err != nil {
				t.Fatal(err)
			}
			same(t, []string{
				"BeforeArchive", "AfterSessionRevoke", "AfterArchive", "BeforeMessage", "AfterMessage", "OnSessionRevoke", "OnArchive", "OnMessage",
			}, w.fired())
			same(t, []any{roster.ArchivedBySelf, u.ID}, []any{archived[0].By, archived[0].User.ID})
			w.ended(t, mine)
			w.ended(t, other)
			same(t, 0, w.rows(t, "roster_devices"))
			same(t, roster.ArchivedBySelf, *w.read(t, u.ID).ArchivedBy)
			same(t, []string{"archived to anna@example.com"}, w.posted(t))
			same(t, 1, w.rows(t, "roster_audit WHERE action = 'user.archive' AND actor_id = $1 AND subject_id = $1", u.ID))
		})
		t.Run("ACCT-40 does nothing in a session that has ended", func(t *testing.T) {
			before := w.tables(t)
			refused(t, w.Archive(ctx, u.ID, secret), roster.ErrSessionRevoked)
			same(t, before, w.tables(t))
			same(t, nil, w.Archive(t.Context(), u.ID, secret)) // the program: nothing changes
			same(t, before, w.tables(t))
			same(t, 1, len(archived))
		})
		t.Run("ACCT-23 authenticates, which brings nobody back", func(t *testing.T) {
			if _, err := w.Authenticate(t.Context(), roster.PasswordCredentials("anna", secret)); err != nil {
				t.Error(err)
			}
			same(t, true, w.read(t, u.ID).ArchivedAt != nil)
		})
		t.Run("ACCT-31 stays archived with a wrong password and when a hook refuses, case 15", func(t *testing.T) {
			_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", "wrong"))
			refused(t, err, roster.ErrInvalidCredentials)
			for _, remove := range []func(){
				w.On.Login.Before(func(context.Context, *callbacks.Login[*Person]) error { return callbacks.Reject("closed_today") }),
				w.On.Unarchive.Before(func(context.Context, *callbacks.Unarchive[*Person]) error { return callbacks.Reject("closed_today") }),
				w.On.Login.After(func(context.Context, *callbacks.Login[*Person]) error { return callbacks.Reject("closed_today") }),
			} {
				_, err = w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
				if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Code != "closed_today" {
					t.Errorf("%v", err)
				}
				remove()
			}
			same(t, true, w.read(t, u.ID).ArchivedAt != nil)
			same(t, 0, len(back))
		})
		t.Run("ACCT-27 ACCT-31 is back by a log-in, which says so once", func(t *testing.T) {
			w.fired()
			entered := w.enter(t, "anna")
			same(t, []string{
				"BeforeLogin", "BeforeUnarchive", "AfterUnarchive", "BeforeMessage", "AfterMessage", "AfterLogin", "OnUnarchive", "OnMessage", "OnLogin",
			}, w.fired()) // the message tells of a device that is not known any more
			same(t, []any{true, callbacks.UnarchivedByLogin}, []any{entered.Unarchiving, back[0].By})
			same(t, w.read(t, u.ID), entered.User)
			same(t, true, entered.User.ArchivedAt == nil && entered.User.ArchivedBy == nil)
			w.within(t, *entered.Tokens) // its tokens are good
			same(t, false, w.enter(t, "anna").Unarchiving)
			same(t, 1, len(back))
			same(t, 1, w.rows(t, "roster_audit WHERE action = 'user.unarchive' AND result = 'ok' AND subject_id = $1", u.ID))
		})
		t.Run("ACCT-22 keeps out whom an administrator archived", func(t *testing.T) {
			if _, err := w.ArchiveUser(t.Context(), u.ID, ""); err != nil {
				t.Fatal(err)
			}
			same(t, nil, w.Archive(t.Context(), u.ID, secret)) // no way around it
			_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
			refused(t, err, roster.ErrArchived)
		})
	})
}

// ACCT-32: of two log-ins at once one brings the account back.
func TestUnarchiveOnce(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		if err := w.Archive(t.Context(), u.ID, secret); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var events, said int
		w.On.Unarchive.On(func(context.Context, *callbacks.Unarchive[*Person]) error {
			mu.Lock()
			defer mu.Unlock()
			events++
			return nil
		})
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				entered, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
				if err != nil {
					t.Errorf("ACCT-32: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if entered.Unarchiving {
					said++
				}
			})
		}
		group.Wait()
		same(t, []int{1, 1}, []int{said, events})
	})
}

// ACCT-4, ACCT-42, ACCT-51, cases 16, 18 and 25: who may do away with an account.
func TestLeaveGuards(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for name, leave := range map[string]func(ctx context.Context, id roster.ID, password roster.Secret) error{
			"archive": w.Archive, "close": w.Close,
		} {
			unproven := w.add(t, person("", name+".unproven@example.com", ""), roster.WithPassword(secret))
			bare := w.add(t, person("", name+".bare@example.com", ""), roster.WithEmailVerified())
			other := w.add(t, person(name+"other", "", ""), roster.WithPassword(secret))
			t.Run("ACCT-4 "+name+" wants a proven contact before the password", func(t *testing.T) {
				pair := w.issue(t, unproven.ID)
				before := w.tables(t)
				ctx := w.within(t, pair)
				for _, password := range []roster.Secret{secret, "wrong", ""} {
					refused(t, leave(ctx, unproven.ID, password), roster.ErrNotVerified)
				}
				same(t, before, w.tables(t))
				refused(t, leave(t.Context(), unproven.ID, "wrong"), roster.ErrInvalidPassword, "password:invalid_password") // the program is trusted
			})
			t.Run("ACCT-42 "+name+" wants a fresh session of who has no password", func(t *testing.T) {
				pair := w.issue(t, bare.ID)
				ctx := w.within(t, pair)
				refused(t, leave(ctx, bare.ID, "guess"), roster.ErrInvalidPassword, "password:invalid_password")
				w.Clock.Advance(15*time.Minute + time.Second)
				before := w.tables(t)
				refused(t, leave(ctx, bare.ID, ""), roster.ErrReauthentication)
				same(t, before, w.tables(t))
				pair = w.issue(t, bare.ID)
				w.Clock.Advance(14 * time.Minute)
				actor := roster.Actor{Kind: roster.ActorUser, ID: bare.ID, SID: pair.SessionID, AuthTime: w.Clock.Now().Add(-14 * time.Minute)}
				same(t, nil, leave(roster.WithActor(t.Context(), actor), bare.ID, ""))
			})
			t.Run("ACCT-42 "+name+" wants the password of who has one, however fresh", func(t *testing.T) {
				pair := w.issue(t, other.ID)
				refused(t, leave(w.within(t, pair), other.ID, ""), roster.ErrInvalidPassword, "password:invalid_password")
				refused(t, leave(t.Context(), other.ID, ""), roster.ErrInvalidPassword, "password:invalid_password")
			})
			t.Run("ACCT-51 "+name+" knows nobody by an unknown id, case 25", func(t *testing.T) {
				refused(t, leave(t.Context(), w.NewID(), secret), roster.ErrNotFound)
				gone := w.add(t, person(name+"gone", "", ""), roster.WithPassword(secret))
				for _, mode := range []roster.DeleteMode{roster.Deactivate, roster.Anonymise, roster.Remove} {
					if err := w.Delete(t.Context(), gone.ID, mode); err != nil {
						t.Fatal(err)
					}
					refused(t, leave(t.Context(), gone.ID, secret), roster.ErrNotFound)
				}
			})
			t.Run("SEC-33 "+name+" is nobody else's to do", func(t *testing.T) {
				root := w.add(t, person(name+"root", "", ""), roster.WithSuperuser(true))
				before := w.tables(t)
				for _, actor := range []roster.Actor{
					{Kind: roster.ActorUser, ID: unproven.ID}, {Kind: roster.ActorAdmin, ID: root.ID},
				} {
					refused(t, leave(roster.WithActor(t.Context(), actor), other.ID, secret), roster.ErrForbidden)
				}
				refused(t, leave(roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser}), other.ID, secret), roster.ErrUnauthenticated)
				same(t, before, w.tables(t))
				w.exec(t, "UPDATE users SET superuser = false")
			})
			t.Run(name+" leaves the last superuser, case 18", func(t *testing.T) {
				root := w.add(t, person(name+"last", "", ""), roster.WithSuperuser(true), roster.WithPassword(secret))
				pair := w.enter(t, name+"last").Tokens
				before := w.tables(t)
				refused(t, leave(w.within(t, *pair), root.ID, secret), roster.ErrLastSuperuser)
				same(t, before, w.tables(t))
				w.within(t, *pair)
				w.exec(t, "UPDATE users SET superuser = false")
			})
			t.Run("PROT-31 "+name+" counts wrong passwords", func(t *testing.T) {
				u := w.add(t, person(name+"guessed", "", ""), roster.WithPassword(secret))
				pair := w.enter(t, name+"guessed").Tokens
				ctx := w.within(t, *pair)
				for range 10 {
					refused(t, leave(ctx, u.ID, "wrong"), roster.ErrInvalidPassword, "password:invalid_password")
				}
				refused(t, leave(ctx, u.ID, secret), roster.ErrTooManyRequests)
			})
		}
	})
}

// ACCT-41, case 17: what is left of a closed account.
func TestClose(t *testing.T) {
	for _, mode := range []roster.DeleteMode{"", roster.Deactivate, roster.Anonymise, roster.Remove} {
		t.Run("mode "+string(mode), func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) {
				u := w.add(t, person("anna", "anna@example.com", "+12025550101"),
					roster.WithPassword(secret), roster.WithEmailVerified(), roster.WithPhoneVerified())
				mine, other := w.enter(t, "anna").Tokens, w.enter(t, "anna").Tokens
				if err := w.RequestPasswordReset(t.Context(), "anna"); err != nil { // it waits in the outbox
					t.Fatal(err)
				}
				var events []callbacks.Delete[*Person]
				w.On.Delete.On(func(_ context.Context, e *callbacks.Delete[*Person]) error { events = append(events, *e); return nil })
				if err := w.Close(w.within(t, *mine), u.ID, secret); err != nil {
					t.Fatal(err)
				}
				t.Run("ACCT-41 says who did what", func(t *testing.T) {
					want := mode
					if want == "" {
						want = roster.Deactivate
					}
					same(t, 1, len(events))
					same(t, []any{roster.ViaSelf, want, "anna"}, []any{events[0].Via, events[0].Mode, *events[0].User.Username})
				})
				t.Run("ACCT-41 ends all sessions", func(t *testing.T) {
					w.ended(t, mine)
					w.ended(t, other)
					_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", secret))
					refused(t, err, roster.ErrInvalidCredentials)
				})
				t.Run("ACCT-41 tells the contacts as they were, and nothing else", func(t *testing.T) {
					kept := mode == "" || mode == roster.Deactivate
					same(t, map[bool]int{true: 2, false: 0}[kept], w.rows(t, "roster_messages WHERE kind = 'closed' AND user_id = $1", u.ID))
					same(t, []string{"closed to +12025550101", "closed to anna@example.com"}, slices.Sorted(slices.Values(w.posted(t))))
				})
				t.Run("leaves no address in the audit trail of who is forgotten", func(t *testing.T) {
					want := 0
					if mode == "" || mode == roster.Deactivate {
						want = 1
					}
					same(t, want, w.rows(t, "roster_audit WHERE action = 'user.delete' AND session_id = $1", mine.SessionID))
				})
				t.Run("frees what the mode frees", func(t *testing.T) {
					_, _, err := w.Register(t.Context(), person("", "anna@example.com", ""), secret)
					_, restored := w.Restore(t.Context(), u.ID)
					switch mode {
					case "", roster.Deactivate:
						refused(t, err, roster.ErrIdentifierTaken, "email:taken")
						same(t, nil, restored)
					case roster.Anonymise:
						same(t, nil, err)
						refused(t, restored, roster.ErrConflict)
					case roster.Remove:
						same(t, nil, err)
						refused(t, restored, roster.ErrNotFound)
					}
				})
			}, func(cfg *usersrepo.Config) { cfg.Account.CloseMode = mode })
		})
	}
}

// ACCT-41: what stops a close stops all of it.
func TestCloseVetoed(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		pair := w.enter(t, "anna").Tokens
		ctx, fault := w.within(t, *pair), errors.New("no")
		for name, remove := range map[string]func() func(){
			"Delete": func() func() {
				return w.On.Delete.Before(func(context.Context, *callbacks.Delete[*Person]) error { return fault })
			},
			"Message": func() func() {
				return w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			},
		} {
			before, end := w.tables(t), remove()
			if err := w.Close(ctx, u.ID, secret); !errors.Is(err, fault) {
				t.Errorf("%s: %v", name, err)
			}
			end()
			same(t, before, w.tables(t))
			w.within(t, *pair)
		}
		t.Run("ACCT-41 is self of the own account alone", func(t *testing.T) {
			other := w.add(t, person("other", "", ""))
			vias := map[roster.ID]roster.Via{}
			w.On.Delete.On(func(_ context.Context, e *callbacks.Delete[*Person]) error { vias[e.User.ID] = e.Via; return nil })
			w.On.Message.Before(func(ctx context.Context, e *callbacks.Message[*Person]) error {
				if e.Kind != "closed" {
					return nil
				}
				return w.Delete(ctx, other.ID, roster.Remove)
			})
			same(t, nil, w.Close(ctx, u.ID, secret))
			same(t, map[roster.ID]roster.Via{u.ID: roster.ViaSelf, other.ID: roster.ViaApp}, vias)
		})
	})
}

// ACCT-45: of many closes at once one succeeds.
func TestCloseOnce(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
		pair := w.enter(t, "anna").Tokens
		signedIn := w.within(t, *pair)
		var mu sync.Mutex
		var events, closed int
		w.On.Delete.On(func(context.Context, *callbacks.Delete[*Person]) error {
			mu.Lock()
			defer mu.Unlock()
			events++
			return nil
		})
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				ctx := signedIn
				if i%2 == 0 {
					ctx = t.Context()
				}
				err := w.Close(ctx, u.ID, secret)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					closed++
				case !errors.Is(err, roster.ErrNotFound) && !errors.Is(err, roster.ErrSessionRevoked):
					t.Errorf("ACCT-45: %v", err)
				}
			})
		}
		group.Wait()
		same(t, []int{1, 1}, []int{closed, events})
		same(t, []string{"closed to anna@example.com"}, w.posted(t))
	})
}
