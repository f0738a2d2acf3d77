package integration_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

func rejecting[E any](code roster.Code) func(context.Context, *E) error {
	return func(context.Context, *E) error { return callbacks.Reject(code) }
}

// wantCode checks the code of an error, which need not be one of Roster's own.
func wantCode(t testing.TB, err error, want roster.Code) {
	t.Helper()
	if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Code != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func rename(p *Person) error {
	p.Company += "!"
	return nil
}

// HOOK-20: which hooks run when an operation fails by itself.
func TestHOOK_20_Failures(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", ""), roster.WithPassword("secret")))(t)
		must(w.Create(t.Context(), person("bobby", "", "")))(t)
		as := func(kind roster.ActorKind, id roster.ID) context.Context {
			return roster.WithActor(t.Context(), roster.Actor{Kind: kind, ID: id, IP: "192.0.2.1"})
		}
		email := func(address string) func(*Person) error {
			return func(p *Person) error {
				p.Email = &address
				return nil
			}
		}
		tests := map[string]struct {
			run  func() error
			want error
			ran  []string
		}{
			"invalid input of Create": {
				func() error { _, err := w.Create(t.Context(), person("x", "", "")); return err },
				roster.ErrValidationFailed,
				[]string{"BeforeCreate"},
			},
			"a taken identifier of Create": {
				func() error { _, err := w.Create(t.Context(), person("ANNIE", "", "")); return err },
				roster.ErrIdentifierTaken,
				[]string{"BeforeCreate"},
			},
			"an actor who may not Create": {
				func() error { _, err := w.Create(as(roster.ActorUser, ann.ID), person("cathy", "", "")); return err },
				roster.ErrForbidden, nil,
			},
			"invalid input of Update": {
				func() error { _, err := w.Update(t.Context(), ann.ID, email("no address")); return err },
				roster.ErrValidationFailed,
				[]string{"BeforeUpdate", "BeforeContactChange"},
			},
			"what Update may not change": {
				func() error {
					_, err := w.Update(t.Context(), ann.ID, func(p *Person) error {
						p.Superuser = true
						return nil
					})
					return err
				},
				roster.ErrValidationFailed, nil,
			},
			"an error of the edit": {
				func() error {
					_, err := w.Update(t.Context(), ann.ID, func(*Person) error { return fs.ErrInvalid })
					return err
				},
				fs.ErrInvalid, nil,
			},
			"Update of nobody":          {func() error { _, err := w.Update(t.Context(), w.NewID(), rename); return err }, roster.ErrNotFound, nil},
			"Update of another version": {func() error { _, err := w.Update(t.Context(), ann.ID, rename, roster.IfVersion(7)); return err }, roster.ErrVersionMismatch, nil},
			"UpdateAccount unverified": {
				func() error {
					_, err := w.UpdateAccount(as(roster.ActorUser, ann.ID), ann.ID, []byte(`{"company": "Acme"}`))
					return err
				},
				roster.ErrNotVerified, nil,
			},
			"an actor who may not Update": {
				func() error { _, err := w.Update(as(roster.ActorUser, w.NewID()), ann.ID, rename); return err },
				roster.ErrForbidden, nil,
			},
			"Delete of oneself":            {func() error { return w.Delete(as(roster.ActorAdmin, ann.ID), ann.ID, roster.Remove) }, roster.ErrForbidden, nil},
			"Delete of nobody":             {func() error { return w.Delete(t.Context(), w.NewID(), roster.Remove) }, roster.ErrNotFound, nil},
			"Restore of nobody":            {func() error { _, err := w.Restore(t.Context(), w.NewID()); return err }, roster.ErrNotFound, nil},
			"LinkSocial without a subject": {func() error { return w.LinkSocial(t.Context(), ann.ID, roster.SocialAccount{Provider: "x"}) }, roster.ErrValidationFailed, nil},
			"UnlinkSocial of no link":      {func() error { return w.UnlinkSocial(t.Context(), ann.ID, "x", "1") }, roster.ErrNotFound, nil},
			"IssueTokens for nobody": {
				func() error { _, err := w.IssueTokens(t.Context(), w.NewID(), roster.IssueOptions{}); return err },
				roster.ErrNotFound, nil,
			},
			"a link that is none":     {func() error { _, err := w.ConfirmEmail(t.Context(), "ec_x"); return err }, roster.ErrInvalidToken, nil},
			"a first password twice":  {func() error { return w.RequestPasswordSet(t.Context(), ann.ID) }, roster.ErrPasswordAlreadySet, nil},
			"a session that is none":  {func() error { return w.RevokeSession(t.Context(), ann.ID, w.NewID()) }, roster.ErrNotFound, nil},
			"log-out with no token":   {func() error { return w.Logout(t.Context(), "x") }, roster.ErrInvalidToken, nil},
			"a registration too many": {func() error { _, _, err := w.Register(t.Context(), person("x", "", ""), ""); return err }, roster.ErrValidationFailed, []string{"BeforeCreate"}},
		}
		for name, tt := range tests {
			w.calls.take()
			if err := tt.run(); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", name, err, tt.want)
			}
			if diff := cmp.Diff(tt.ran, w.calls.take()); diff != "" {
				t.Errorf("%s: hooks (-want +got):\n%s", name, diff)
			}
		}
		same(t, 2, count(t, kit.DB, "users"))
	})
}

// HOOK-21, HOOK-63, case 22: what changes nothing fires nothing, and neither does what is no event.
func TestHOOK_21_NothingChanges(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		w.calls.take()
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", ""), roster.WithConfirmation(), roster.WithPassword("secret")))(t)
		mail := lastMail(t, w, kit, "ann@example.com")
		must(w.ConfirmEmail(t.Context(), mail.Token))(t)
		link := roster.SocialAccount{Provider: "github", Subject: "1"}
		if err := w.LinkSocial(t.Context(), ann.ID, link); err != nil {
			t.Fatal(err)
		}
		login := must(w.Login(t.Context(), roster.PasswordCredentials("annie", "secret")))(t)
		dan := must(w.Create(t.Context(), person("danny", "", "")))(t)
		if err := errors.Join(
			w.Logout(t.Context(), login.Tokens.RefreshToken), w.Delete(t.Context(), dan.ID, roster.Deactivate),
		); err != nil {
			t.Fatal(err)
		}
		pair := must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
		version := must(w.Get(t.Context(), ann.ID))(t).Version

		for name, run := range map[string]func() error{
			"an edit of nothing":          func() error { _, err := w.Update(t.Context(), ann.ID, func(*Person) error { return nil }); return err },
			"an empty patch":              func() error { _, err := w.UpdateAccount(t.Context(), ann.ID, []byte(`{}`)); return err },
			"an equal patch":              func() error { _, err := w.UpdateAccount(t.Context(), ann.ID, []byte(`{"company": ""}`)); return err },
			"a confirmation again":        func() error { _, err := w.ConfirmEmail(t.Context(), mail.Token); return err },
			"a link again":                func() error { return w.LinkSocial(t.Context(), ann.ID, link) },
			"a log-out again":             func() error { return w.Logout(t.Context(), login.Tokens.RefreshToken) },
			"a revocation again":          func() error { _, err := w.Revoke(t.Context(), login.Tokens.RefreshToken); return err },
			"a deactivation again":        func() error { return w.Delete(t.Context(), dan.ID, roster.Deactivate) },
			"a restoring of a live user":  func() error { _, err := w.Restore(t.Context(), ann.ID); return err },
			"an end of no sessions":       func() error { _, err := w.RevokeSessions(t.Context(), dan.ID); return err },
			"an end of no other sessions": func() error { _, err := w.RevokeOtherSessions(t.Context(), ann.ID, pair.SessionID); return err },
			"HOOK-63 the last log-in":     func() error { return w.UpdateLastLogin(t.Context(), ann.ID) },
			"HOOK-63 a quota": func() error {
				_, err := w.CheckTimeoutAndIncr(t.Context(), roster.Limit{Max: 1, Window: time.Minute}, "a")
				return err
			},
			"HOOK-63 an attempt":            func() error { _, err := w.IsBruteforce(t.Context(), "192.0.2.1", "annie"); return err },
			"HOOK-63 the end of an attempt": func() error { return w.RecordLoginSuccess(t.Context(), "192.0.2.1", "annie", ann.ID) },
			"HOOK-63 a password":            func() error { return w.CheckPassword(t.Context(), ann.ID, "secret") },
			"HOOK-63 an authentication": func() error {
				_, err := w.Authenticate(t.Context(), roster.PasswordCredentials("annie", "secret"))
				return err
			},
			"HOOK-63 a look":     func() error { _, err := w.Search(t.Context(), roster.Query{}); return err },
			"HOOK-63 a delivery": func() error { _, err := w.Deliver(t.Context(), 0); return err },
			"HOOK-63 cleaning":   func() error { _, err := w.Clean(t.Context()); return err },
			"HOOK-63 reindexing": func() error { _, err := w.Reindex(t.Context()); return err },
		} {
			w.calls.take()
			if err := run(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff([]string(nil), w.calls.take()); diff != "" {
				t.Errorf("%s: hooks (-want +got):\n%s", name, diff)
			}
		}

		w.calls.take()
		pair = must(w.Refresh(t.Context(), pair.RefreshToken))(t)
		must(w.VerifyToken(t.Context(), pair.AccessToken))(t)
		same(t, []string(nil), w.calls.take())
		same(t, version, must(w.Get(t.Context(), ann.ID))(t).Version)

		// A hash of another kind is replaced at log-in: no PasswordChange.
		hash := "pbkdf2_sha256$1000$salt$qN+JnzxPIE2WfgrWPAkph8EAVeuwF7PZ0ordIY1Peq0=" // of "secret"
		must(w.Create(t.Context(), person("emily", "", ""), roster.WithPasswordHash(roster.Secret(hash))))(t)
		w.calls.take()
		must(w.Authenticate(t.Context(), roster.PasswordCredentials("emily", "secret")))(t)
		same(t, []string(nil), w.calls.take())
		same(t, 0, count(t, kit.DB, "roster_passwords WHERE hash LIKE 'pbkdf2%'"))
	})
}

// HOOK-26, HOOK-30 of account.md (ACCT-30): a veto of a log-in is told only after a right secret.
func TestHOOK_26_VetoOfALogin(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.1"})
		ann := must(w.Create(t.Context(), person("annie", "", ""), roster.WithPassword("secret")))(t)
		during(w, "BeforeLogin", rejecting[callbacks.Login[*Person]]("closed_today"))
		during(w, "AfterLoginFailed", rejecting[callbacks.LoginFailed]("nosy"))
		var reasons []roster.LoginFailure
		during(w, "OnLoginFailed", func(_ context.Context, e *callbacks.LoginFailed) error {
			reasons = append(reasons, e.Reason)
			return nil
		})

		_, err := w.Login(ctx, roster.PasswordCredentials("annie", "wrong"))
		refused(t, err, roster.ErrInvalidCredentials)
		_, unknown := w.Login(ctx, roster.PasswordCredentials("nobody", "wrong"))
		same(t, err.Error(), unknown.Error())
		during[callbacks.LoginFailed](w, "AfterLoginFailed", nil)
		_, err = w.Login(ctx, roster.PasswordCredentials("annie", "secret"))
		wantCode(t, err, "closed_today")

		// On does not run where After has failed: its unit was rolled back.
		same(t, []roster.LoginFailure{roster.FailedVetoed}, reasons)
		same(t, int64(2), w.Stats().HookErrors)
		same(t, 0, count(t, kit.DB, "roster_sessions"))
		if u := must(w.Get(t.Context(), ann.ID))(t); u.LastLoginAt != nil {
			t.Errorf("last log-in %v, want none", u.LastLoginAt)
		}

		t.Run("ACCT-10 leaves a registration standing, without tokens", func(t *testing.T) {
			bob, pair, err := w.Register(ctx, person("bobby", "", ""), "a long passphrase")
			if err != nil || pair != nil {
				t.Fatalf("got tokens %v, error %v; want neither", pair, err)
			}
			same(t, bob, must(w.Get(t.Context(), bob.ID))(t))
		})
	})
}

// HOOK-27, SEC-112, case 18: a veto undoes all that the operation did.
func TestHOOK_27_VetoUndoes(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("", "ann@example.com", ""), roster.WithInvitation()))(t)
		pair := must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
		token := lastMail(t, w, kit, "ann@example.com").Token
		for _, hook := range []string{"BeforePasswordChange", "AfterPasswordChange"} {
			t.Run("of a password by "+hook, func(t *testing.T) {
				during(w, hook, rejecting[callbacks.PasswordChange[*Person]]("not_now"))
				_, err := w.SetFirstPassword(t.Context(), token, "a long passphrase")
				wantCode(t, err, "not_now")
				during[callbacks.PasswordChange[*Person]](w, hook, nil)
				same(t, 0, count(t, kit.DB, "roster_passwords"))
				must(w.VerifyToken(t.Context(), pair.AccessToken))(t)
				same(t, ann.EmailVerifiedAt, must(w.Get(t.Context(), ann.ID))(t).EmailVerifiedAt)
			})
		}
		t.Run("and the link still works", func(t *testing.T) {
			must(w.SetFirstPassword(t.Context(), token, "a long passphrase"))(t)
			_, err := w.VerifyToken(t.Context(), pair.AccessToken)
			refused(t, err, roster.ErrSessionRevoked)
		})

		t.Run("of a message, and PROT-39 gives the quota back", func(t *testing.T) {
			bob := must(w.Create(t.Context(), person("", "bob@example.com", "")))(t)
			during(w, "BeforeMessage", rejecting[callbacks.Message[*Person]]("not_now"))
			for range 5 {
				wantCode(t, w.RequestEmailConfirmation(t.Context(), bob.ID), "not_now")
			}
			during[callbacks.Message[*Person]](w, "BeforeMessage", nil)
			for range 2 {
				if err := w.RequestEmailConfirmation(t.Context(), bob.ID); err != nil {
					t.Error(err)
				}
			}
			refused(t, w.RequestEmailConfirmation(t.Context(), bob.ID), roster.ErrQuotaExhausted)
		})

		t.Run("of a confirmation", func(t *testing.T) {
			cat := must(w.Create(t.Context(), person("", "cat@example.com", ""), roster.WithConfirmation()))(t)
			token := lastMail(t, w, kit, "cat@example.com").Token
			during(w, "BeforeEmailConfirm", rejecting[callbacks.EmailConfirm[*Person]]("not_now"))
			_, err := w.ConfirmEmail(t.Context(), token)
			wantCode(t, err, "not_now")
			during[callbacks.EmailConfirm[*Person]](w, "BeforeEmailConfirm", nil)
			same(t, cat, must(w.Get(t.Context(), cat.ID))(t))
			if u := must(w.ConfirmEmail(t.Context(), token))(t); u.EmailVerifiedAt == nil {
				t.Error("the address is not proven")
			}
		})

		t.Run("of an edit, a link, a log-out, a deletion and a restoring", func(t *testing.T) {
			dan := must(w.Create(t.Context(), person("danny", "", "")))(t)
			pair := must(w.IssueTokens(t.Context(), dan.ID, roster.IssueOptions{}))(t)
			dan = must(w.Get(t.Context(), dan.ID))(t)
			vetoed := func(run func() error) {
				t.Helper()
				wantCode(t, run(), "not_now")
				same(t, dan, must(w.Get(t.Context(), dan.ID))(t))
				must(w.VerifyToken(t.Context(), pair.AccessToken))(t)
			}
			for _, phase := range []string{"Before", "After"} {
				during(w, phase+"Update", rejecting[callbacks.Update[*Person]]("not_now"))
				vetoed(func() error { _, err := w.Update(t.Context(), dan.ID, rename); return err })
				during(w, phase+"SocialLink", rejecting[callbacks.SocialLink[*Person]]("not_now"))
				vetoed(func() error {
					return w.LinkSocial(t.Context(), dan.ID, roster.SocialAccount{Provider: "x", Subject: "1"})
				})
				during(w, phase+"Logout", rejecting[callbacks.Logout]("not_now"))
				vetoed(func() error { return w.Logout(t.Context(), pair.AccessToken) })
				during(w, phase+"Delete", rejecting[callbacks.Delete[*Person]]("not_now"))
				for _, mode := range []roster.DeleteMode{roster.Deactivate, roster.Anonymise, roster.Remove} {
					vetoed(func() error { return w.Delete(t.Context(), dan.ID, mode) })
				}
				during[callbacks.Update[*Person]](w, phase+"Update", nil)
				during[callbacks.SocialLink[*Person]](w, phase+"SocialLink", nil)
				during[callbacks.Logout](w, phase+"Logout", nil)
				during[callbacks.Delete[*Person]](w, phase+"Delete", nil)
			}
		})
	})
}

// HOOK-28, HOOK-64, case 17: what must stand stands, whatever the hooks of it do.
func TestHOOK_28_WhatMustStand(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		change(t, kit.DB, "CREATE TABLE notes (text TEXT NOT NULL)")
		write := func(ctx context.Context) {
			if _, err := store.TxFrom(ctx).ExecContext(ctx, "INSERT INTO notes (text) VALUES ('a')"); err != nil {
				t.Error(err)
			}
		}
		ann := must(w.Create(t.Context(), person("annie", "ann@example.com", ""), roster.WithPassword("secret"), roster.WithEmailVerified()))(t)
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "192.0.2.1"})

		failures := map[string]func(context.Context) error{
			"an error":            func(context.Context) error { return fs.ErrClosed },
			"a veto":              func(context.Context) error { return callbacks.Reject("nosy") },
			"a panic":             func(context.Context) error { panic("nosy") },
			"a failing operation": func(ctx context.Context) error { _, err := w.Update(ctx, w.NewID(), rename); return err },
			"a swallowed failure": func(ctx context.Context) error { _, _ = w.Update(ctx, w.NewID(), rename); return nil },
			"a transaction that failed": func(ctx context.Context) error {
				return w.InTx(ctx, func(context.Context) error { return fs.ErrClosed })
			},
		}
		for name, fail := range failures {
			t.Run("a failed log-in, by "+name, func(t *testing.T) {
				before := w.Stats().HookErrors
				during(w, "AfterLoginFailed", func(ctx context.Context, _ *callbacks.LoginFailed) error {
					write(ctx)
					return fail(ctx)
				})
				_, err := w.Login(ctx, roster.PasswordCredentials("annie", "wrong"))
				refused(t, err, roster.ErrInvalidCredentials)
				same(t, 0, count(t, kit.DB, "notes"))
				same(t, before+1, w.Stats().HookErrors)
			})
			t.Run("a revocation, by "+name, func(t *testing.T) {
				before := w.Stats().HookErrors
				pair := must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
				during(w, "AfterSessionRevoke", func(ctx context.Context, _ *callbacks.SessionRevoke) error {
					write(ctx)
					return fail(ctx)
				})
				w.calls.take()
				if err := w.RevokeSession(t.Context(), ann.ID, pair.SessionID); err != nil {
					t.Error(err)
				}
				same(t, []string{"AfterSessionRevoke"}, firings(w, "SessionRevoke"))
				_, err := w.VerifyToken(t.Context(), pair.AccessToken)
				refused(t, err, roster.ErrSessionRevoked)
				same(t, 0, count(t, kit.DB, "notes"))
				same(t, before+1, w.Stats().HookErrors)
				during[callbacks.SessionRevoke](w, "AfterSessionRevoke", nil)
			})
			t.Run("a reuse, by "+name, func(t *testing.T) {
				before := w.Stats().HookErrors
				old := must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
				pair := must(w.Refresh(t.Context(), must(w.Refresh(t.Context(), old.RefreshToken))(t).RefreshToken))(t)
				during(w, "AfterTokenReuse", func(ctx context.Context, _ *callbacks.TokenReuse) error {
					write(ctx)
					return fail(ctx)
				})
				_, err := w.Refresh(t.Context(), old.RefreshToken)
				refused(t, err, roster.ErrTokenReused)
				_, err = w.VerifyToken(t.Context(), pair.AccessToken)
				refused(t, err, roster.ErrSessionRevoked)
				same(t, 0, count(t, kit.DB, "notes"))
				same(t, before+1, w.Stats().HookErrors)
			})
		}
		for range 10 - len(failures) {
			_, err := w.Login(ctx, roster.PasswordCredentials("annie", "wrong"))
			refused(t, err, roster.ErrInvalidCredentials)
		}
		_, err := w.Login(ctx, roster.PasswordCredentials("annie", "secret"))
		refused(t, err, roster.ErrTooManyRequests)
	}, func(cfg *usersrepo.Config) { cfg.Protection.Source.Off = true })
}

// HOOK-28, STORE-10: also within a transaction of the program's that is rolled back.
func TestHOOK_28_WithinARolledBackTransaction(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], _ *rostertest.Kit) {
		ann := must(w.Create(t.Context(), person("annie", "", ""), roster.WithPassword("secret")))(t)
		old := must(w.IssueTokens(t.Context(), ann.ID, roster.IssueOptions{}))(t)
		pair := must(w.Refresh(t.Context(), must(w.Refresh(t.Context(), old.RefreshToken))(t).RefreshToken))(t)
		w.calls.take()
		err := w.InTx(t.Context(), func(ctx context.Context) error {
			for range 10 {
				_, err := w.Login(ctx, roster.PasswordCredentials("annie", "wrong"))
				refused(t, err, roster.ErrInvalidCredentials)
			}
			_, err := w.Refresh(ctx, old.RefreshToken)
			refused(t, err, roster.ErrTokenReused)
			return fs.ErrClosed
		})
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("got %v, want the error of the function", err)
		}
		names := strings.Join(w.calls.take(), " ")
		same(t, 10, strings.Count(names, "OnLoginFailed"))
		same(t, 1, strings.Count(names, "OnTokenReuse"))
		_, err = w.Login(t.Context(), roster.PasswordCredentials("annie", "secret"))
		refused(t, err, roster.ErrTooManyRequests)
		_, err = w.VerifyToken(t.Context(), pair.AccessToken)
		refused(t, err, roster.ErrSessionRevoked)
		same(t, int64(0), w.Stats().HookErrors)
	})
}

// firings are the hooks of an event that have run.
func firings(w *witness[*Person], event string) []string {
	var list []string
	for _, name := range w.calls.take() {
		if strings.HasSuffix(name, event) {
			list = append(list, name)
		}
	}
	return list
}
