package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// withoutLanes lets a test fail as often as it will.
func withoutLanes(cfg *usersrepo.Config) {
	p := &cfg.Protection
	p.Source.Off, p.Identifier.Off, p.Pair.Off = true, true, true
}

// ACCT-16, ACCT-18, ACCT-21, case 20 of the users and case 9 of the account: every combination of identifiers and
// passwords.
func TestAuthenticateProduct(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", "+12025550101"), roster.WithPassword(secret))
		w.add(t, person("berta", "berta@example.com", "+12025550102"), roster.WithPassword("berta's own secret"))
		identifiers := map[string][]*string{
			"login":    {nil, new("anna"), new("ANNA@example.com"), new("nobody"), new(""), new("berta")},
			"username": {nil, new("Anna"), new("nobody"), new(""), new("berta")},
			"email":    {nil, new("Anna@EXAMPLE.com"), new("nobody@example.com"), new(""), new("berta@example.com")},
			"phone":    {nil, new("+1 202 555 0101"), new("+12025550103"), new(""), new("+12025550102")},
		}
		right := []string{"anna", "ANNA@example.com", "Anna", "Anna@EXAMPLE.com", "+1 202 555 0101"}
		passwords := []*roster.Secret{nil, new(roster.Secret("")), new(secret), new(roster.Secret("wrong")), new(roster.Secret("berta's own secret"))}
		for _, login := range identifiers["login"] {
			for _, username := range identifiers["username"] {
				for _, email := range identifiers["email"] {
					for _, phone := range identifiers["phone"] {
						given, allRight, berta := 0, true, true
						for _, s := range []*string{login, username, email, phone} {
							if s != nil {
								given++
								allRight = allRight && cmp.Equal(true, contains(right, *s))
								berta = berta && strings.Contains("berta berta@example.com +12025550102", *s) && *s != ""
							}
						}
						for i, password := range passwords {
							// The rest of the product differs in nothing that is judged.
							if given > 2 && i != 2 {
								continue
							}
							got, err := w.Authenticate(t.Context(), roster.Credentials{Login: login, Username: username, Email: email, Phone: phone, Password: password})
							var faults []string
							if given == 0 {
								faults = append(faults, "login:required")
							}
							if password == nil {
								faults = append(faults, "password:required")
							}
							switch {
							case len(faults) > 0:
								refused(t, err, roster.ErrValidationFailed, faults...)
							case allRight && i == 2:
								if err != nil || got.ID != u.ID {
									t.Errorf("%v %v %v %v: %v, %v", login, username, email, phone, got, err)
								}
							case berta && i == 4:
								if err != nil || *got.Username != "berta" {
									t.Errorf("%v %v %v %v: %v, %v", login, username, email, phone, got, err)
								}
							default:
								refused(t, err, roster.ErrInvalidCredentials)
							}
						}
					}
				}
			}
		}
	}, withoutLanes)
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// ACCT-17, IDENT-30, IDENT-32, case 22 of the users and case 10 of the account: all spellings of what is stored.
func TestAuthenticateSpellings(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("éric", "Éric@bücher.example", "(202) 555-0101"), roster.WithPassword(secret))
		for _, login := range []string{
			"éric", "e\u0301ric", "ÉRIC", " ｅ\u0301ｒｉｃ\n", "éric@BÜCHER.example", "E\u0301RIC@xn--bcher-kva.example", "éric@bücher。example",
			"+12025550101", "(202) 555-0101", "１２０２５５５０１０１", "1-202-555-0101",
		} {
			if _, err := w.Authenticate(t.Context(), roster.PasswordCredentials(login, secret)); err != nil {
				t.Errorf("%q: %v", login, err)
			}
		}
		for _, password := range []roster.Secret{"ｃorrect horse battery", "correct horse battery"} { // PASS-21
			if _, err := w.Authenticate(t.Context(), roster.PasswordCredentials("éric", password)); err != nil {
				t.Errorf("%q: %v", password.Reveal(), err)
			}
		}
		for _, login := range junk {
			_, err := w.Authenticate(t.Context(), roster.PasswordCredentials(login, secret))
			refused(t, err, roster.ErrInvalidCredentials)
			_, err = w.Authenticate(t.Context(), roster.Credentials{Username: &login, Email: &login, Phone: &login, Password: new(secret)})
			refused(t, err, roster.ErrInvalidCredentials)
		}
	}, withoutLanes, func(cfg *usersrepo.Config) {
		cfg.Phone.DefaultRegion, cfg.Email.AllowUTF8Local = "US", true
	})
}

// ACCT-24: each setting of LoginFields; a kind that is left out is like a user who is not there.
func TestLoginFields(t *testing.T) {
	all := map[identifiers.Kind]string{
		identifiers.KindUsername: "anna", identifiers.KindEmail: "anna@example.com", identifiers.KindPhone: "+12025550101",
	}
	for _, fields := range [][]identifiers.Kind{
		nil,
		{identifiers.KindUsername},
		{identifiers.KindEmail},
		{identifiers.KindPhone},
		{identifiers.KindUsername, identifiers.KindEmail},
		{identifiers.KindUsername, identifiers.KindPhone},
		{identifiers.KindEmail, identifiers.KindPhone},
		{identifiers.KindEmail, identifiers.KindUsername, identifiers.KindPhone},
	} {
		t.Run(fmt.Sprint("ACCT-24 ", fields), func(t *testing.T) {
			t.Parallel()
			hasher := &counter{}
			w := found(t, rostertest.Open(t, rostertest.SQLite), func(cfg *usersrepo.Config) {
				cfg.Account.LoginFields, cfg.Password.Hasher = fields, hasher
			})
			w.add(t, person("anna", "anna@example.com", "+12025550101"), roster.WithPassword(secret))
			for kind, value := range all {
				allowed := len(fields) == 0
				for _, field := range fields {
					allowed = allowed || field == kind
				}
				credentials := map[identifiers.Kind]roster.Credentials{
					identifiers.KindUsername: {Username: &value}, identifiers.KindEmail: {Email: &value}, identifiers.KindPhone: {Phone: &value},
				}[kind]
				credentials.Password = new(secret)
				for _, credentials := range []roster.Credentials{roster.PasswordCredentials(value, secret), credentials} {
					hasher.verified.Store(0)
					_, err := w.Authenticate(t.Context(), credentials)
					if allowed != (err == nil) || err != nil && !errors.Is(err, roster.ErrInvalidCredentials) {
						t.Errorf("%s: %v", kind, err)
					}
					same(t, int64(1), hasher.verified.Load())
				}
			}
		})
	}
}

// ACCT-21, ACCT-22, SEC-73, SEC-78, case 13 of the account: one answer and one verification for all who are not to get in; the
// state is told to those alone who have the right secret.
func TestAuthenticateState(t *testing.T) {
	counted(t, func(t *testing.T, w *world, hasher *counter) {
		ctx := t.Context()
		var reasons []roster.LoginFailure
		w.On.LoginFailed.On(func(_ context.Context, e *callbacks.LoginFailed) error {
			reasons = append(reasons, e.Reason)
			return nil
		})
		now := w.Clock.Now()
		users := map[string]*Person{}
		for _, name := range []string{"live", "passwordless", "deactivated", "anonymised", "banned", "banned-until", "unbanned", "archived"} {
			var options []roster.CreateOption
			if name != "passwordless" {
				options = append(options, roster.WithPassword(secret))
			}
			users[name] = w.add(t, person(name, "", ""), options...)
		}
		w.exec(t, "UPDATE users SET banned_at = $1 WHERE username LIKE '%banned%'", now)
		w.exec(t, "UPDATE users SET banned_until = $1 WHERE username = 'unbanned'", now)
		w.exec(t, "UPDATE users SET banned_until = $1 WHERE username = 'banned-until'", now.Add(time.Minute))
		w.exec(t, "UPDATE users SET archived_at = $1, archived_by = 'admin' WHERE username = 'archived'", now)
		for name, mode := range map[string]roster.DeleteMode{"deactivated": roster.Deactivate, "anonymised": roster.Anonymise} {
			if err := w.Delete(ctx, users[name].ID, mode); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			login       string
			right       error
			reason      roster.LoginFailure // with the right password
			wrongReason roster.LoginFailure
		}{
			{"live", nil, "", roster.FailedPassword},
			{"unbanned", nil, "", roster.FailedPassword},
			{"nobody", roster.ErrInvalidCredentials, roster.FailedUnknown, roster.FailedUnknown},
			{"passwordless", roster.ErrInvalidCredentials, roster.FailedNoPassword, roster.FailedNoPassword},
			{"deactivated", roster.ErrInvalidCredentials, roster.FailedDeleted, roster.FailedDeleted},
			{"anonymised", roster.ErrInvalidCredentials, roster.FailedUnknown, roster.FailedUnknown},
			{"banned", roster.ErrBanned, roster.FailedBanned, roster.FailedPassword},
			{"banned-until", roster.ErrBanned, roster.FailedBanned, roster.FailedPassword},
			{"archived", roster.ErrArchived, roster.FailedArchived, roster.FailedPassword},
			{strings.Repeat("x", 321), roster.ErrInvalidCredentials, roster.FailedUnknown, roster.FailedUnknown}, // PROT-21
		} {
			for name, attempt := range map[string]func(ctx context.Context, c roster.Credentials) error{
				"Authenticate": func(ctx context.Context, c roster.Credentials) error { _, err := w.Authenticate(ctx, c); return err },
				"Login":        func(ctx context.Context, c roster.Credentials) error { _, err := w.Login(ctx, c); return err },
			} {
				for _, password := range []roster.Secret{secret, "wrong", ""} {
					t.Run(fmt.Sprintf("ACCT-21 ACCT-22 ACCT-25 %s of %.20s", name, tt.login), func(t *testing.T) {
						reasons = nil
						hasher.verified.Store(0)
						err := attempt(ctx, roster.PasswordCredentials(tt.login, password))
						want, reason := roster.ErrInvalidCredentials, tt.wrongReason
						if password == secret {
							reason = tt.reason
							want, _ = errors.AsType[*roster.Error](tt.right)
						}
						same(t, int64(1), hasher.verified.Load())
						if want == nil {
							same(t, nil, err)
							return
						}
						refused(t, err, want)
						if e := (*roster.Error)(nil); errors.As(err, &e) && errors.Is(want, roster.ErrInvalidCredentials) {
							same(t, roster.ErrInvalidCredentials.Error(), err.Error())
						}
						same(t, []roster.LoginFailure{reason}, reasons)
					})
				}
			}
		}
		t.Run("ACCT-22 tells the end of a ban", func(t *testing.T) {
			_, err := w.Login(ctx, roster.PasswordCredentials("banned-until", secret))
			if e := (*roster.Error)(nil); !errors.As(err, &e) || e.Details["until"] != now.Add(time.Minute) {
				t.Errorf("%+v", err)
			}
		})
	}, withoutLanes)
}

// ACCT-23, ACCT-25, case 21: what Authenticate leaves behind.
func TestAuthenticateLeaves(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.add(t, person("anna", "anna@example.com", ""), roster.WithPassword(secret))
		before := w.tables(t)
		var failures []callbacks.LoginFailed
		w.On.LoginFailed.On(func(_ context.Context, e *callbacks.LoginFailed) error { failures = append(failures, *e); return nil })
		w.fired()
		u, err := w.Authenticate(t.Context(), roster.PasswordCredentials("anna", secret))
		if err != nil || u.LastLoginAt != nil {
			t.Errorf("%+v, %v", u, err)
		}
		same(t, []string(nil), w.fired())
		for _, login := range []string{"Anna@Example.com", "nobody@example.com", "my password, typed here"} {
			_, err = w.Authenticate(t.Context(), roster.PasswordCredentials(login, "wrong horse"))
			refused(t, err, roster.ErrInvalidCredentials)
			same(t, []string{"AfterLoginFailed", "OnLoginFailed"}, w.fired())
		}
		same(t, []string{"an**@ex*****.***", "no****@ex*****.***", "***"}, []string{failures[0].Login, failures[1].Login, failures[2].Login})
		same(t, []*roster.ID{&u.ID, nil, nil}, []*roster.ID{failures[0].UserID, failures[1].UserID, failures[2].UserID})
		if text := fmt.Sprintf("%+v", failures); strings.Contains(text, "horse") {
			t.Errorf("a password is in %s", text)
		}
		same(t, unpassworded(before), unpassworded(w.tables(t))) // PROT-27: but the failures that an account counts
	})
}

func unpassworded(rows []string) []string {
	return slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return strings.HasPrefix(row, "roster_passwords|") })
}

// ACCT-22, PROT-31, SEC-9: the gate is the same for a hook that asks.
func TestAuthenticateInHook(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		banned := w.add(t, person("banned", "", ""), roster.WithPassword(secret))
		w.exec(t, "UPDATE users SET banned_at = $1", w.Clock.Now())
		host := w.add(t, person("host", "", ""))
		var ask func(ctx context.Context) error
		w.On.Update.Before(func(ctx context.Context, _ *callbacks.Update[*Person]) error { return ask(ctx) })
		try := func() error {
			_, err := w.Update(t.Context(), host.ID, func(p *Person) error { p.Score++; return nil })
			return err
		}
		ask = func(ctx context.Context) error {
			_, err := w.Authenticate(ctx, roster.PasswordCredentials("banned", secret))
			return err
		}
		refused(t, try(), roster.ErrBanned)
		ask = func(ctx context.Context) error { return w.CheckPassword(ctx, banned.ID, "wrong") }
		for range 10 {
			refused(t, try(), roster.ErrInvalidPassword)
		}
		refused(t, try(), roster.ErrTooManyRequests)
	})
}

// broken is a hasher that cannot judge.
type broken struct {
	rostertest.Hasher
	err error
}

func (b *broken) Verify(ctx context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	if b.err != nil {
		return passwords.Match{}, b.err
	}
	return b.Hasher.Verify(ctx, encoded, password)
}

// ACCT-19, PROT-16, case 23: what cannot be judged is no failure.
func TestAuthenticateUnavailable(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		hasher := &broken{}
		w := found(t, db, func(cfg *usersrepo.Config) { cfg.Password.Hasher = hasher })
		w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		hasher.err = roster.ErrUnavailable
		for range 30 {
			for _, login := range []string{"anna", "nobody"} {
				_, err := w.Authenticate(t.Context(), roster.PasswordCredentials(login, secret))
				refused(t, err, roster.ErrUnavailable)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		hasher.err = nil
		for range 30 {
			for _, login := range []string{"anna", "nobody"} {
				if _, err := w.Authenticate(gone, roster.PasswordCredentials(login, "wrong")); err == nil || errors.Is(err, roster.ErrInvalidCredentials) {
					t.Fatalf("%s: %v", login, err)
				}
			}
		}
		_, err := w.Authenticate(t.Context(), roster.PasswordCredentials("anna", secret))
		same(t, nil, err)
	})
}
