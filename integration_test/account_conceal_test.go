package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// conceal makes registrations tell nobody what is taken.
func conceal(cfg *usersrepo.Config) {
	cfg.Account.ConcealRegistration, cfg.Account.RequireConfirmed = true, true
}

// registers registers somebody, who must be told nothing.
func (w *world) registers(t testing.TB, p *Person, options ...roster.RegisterOption) {
	t.Helper()
	u, pair, err := w.Register(t.Context(), p, secret, options...)
	if u != nil || pair != nil || err != nil {
		t.Errorf("told %v, %v, %v", u, pair, err)
	}
}

// ACCT-12 to ACCT-14, SEC-77, case 6: who registers is not told what is taken.
func TestConcealedRegistration(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		owner := w.add(t, person("olga", "taken@example.com", "+12025550100"), roster.WithPassword("the owner's own"), roster.WithEmailVerified())
		t.Run("ACCT-12 makes a user, and asks for a proof", func(t *testing.T) {
			w.fired()
			w.registers(t, person("", "free@example.com", ""))
			same(t, []string{"BeforeCreate", "AfterCreate", "BeforeMessage", "AfterMessage", "OnCreate", "OnMessage"}, w.fired())
			same(t, []string{"email_confirm to free@example.com"}, w.posted(t))
			same(t, 1, w.rows(t, "users WHERE email = 'free@example.com'"))
			same(t, 0, w.rows(t, "roster_sessions"))
		})
		t.Run("ACCT-12 tells the owner alone, once a day", func(t *testing.T) {
			users := w.table(t, "users")
			for _, spelling := range []string{"taken@example.com", "TAKEN@EXAMPLE.com"} {
				w.registers(t, person("", spelling, ""))
			}
			same(t, []string{"account_exists to taken@example.com"}, w.posted(t))
			w.registers(t, person("", "", "+1 202 555 0100"))
			w.registers(t, person("newname", "", "+12025550100"))
			same(t, []string{"account_exists to +12025550100"}, w.posted(t))
			w.Clock.Advance(day)
			w.registers(t, person("", "taken@example.com", ""))
			same(t, []string{"account_exists to taken@example.com"}, w.posted(t))
			same(t, users, w.table(t, "users"))
			same(t, 0, w.rows(t, "roster_passwords WHERE user_id <> $1 AND user_id NOT IN (SELECT id FROM users)", owner.ID))
		})
		t.Run("ACCT-14 answers both alike when they try to log in, case 6", func(t *testing.T) {
			for _, login := range []string{"free@example.com", "taken@example.com", "nobody@example.com"} {
				var got []string
				for range 12 {
					for _, password := range []roster.Secret{secret, "wrong"} {
						_, err := w.Login(ctx, roster.PasswordCredentials(login, password))
						got = append(got, fmt.Sprint(err))
					}
				}
				want := slices.Repeat([]string{roster.ErrInvalidCredentials.Error()}, 10)
				same(t, want, got[:10])
				for _, line := range got[10:] {
					if !strings.Contains(line, "too_many_requests") {
						t.Errorf("%s: %s", login, line)
					}
				}
				_, err := w.Authenticate(ctx, roster.PasswordCredentials(login, secret))
				refused(t, err, roster.ErrTooManyRequests)
				w.Clock.Advance(day)
				_, err = w.Authenticate(ctx, roster.PasswordCredentials(login, secret))
				refused(t, err, roster.ErrInvalidCredentials)
			}
			if _, err := w.Login(ctx, roster.PasswordCredentials("taken@example.com", "the owner's own")); err != nil {
				t.Error(err)
			}
		})
		t.Run("ACCT-12 lets in who confirmed", func(t *testing.T) {
			w.registers(t, person("", "later@example.com", ""))
			if _, err := w.ConfirmEmail(ctx, w.post(t)[0].Token); err != nil {
				t.Fatal(err)
			}
			w.enter(t, "later@example.com")
		})
		t.Run("ACCT-13 tells what depends on nobody", func(t *testing.T) {
			for _, address := range []string{"taken@example.com", "quite.free@example.com"} {
				_, _, err := w.Register(ctx, person("x", address, ""), "short")
				refused(t, err, roster.ErrValidationFailed, "password:too_short", "username:too_short")
			}
		})
		t.Run("SEC-77 takes one contact, since what comes to one of two would tell of the other", func(t *testing.T) {
			for _, address := range []string{"taken@example.com", "quite.free@example.com"} {
				for _, number := range []string{"+12025550100", "+12025550177"} {
					_, _, err := w.Register(ctx, person("", address, number), secret)
					refused(t, err, roster.ErrValidationFailed, "phone:forbidden_field")
				}
			}
		})
		t.Run("ACCT-13 tells a taken username before all else", func(t *testing.T) {
			before := w.tables(t)
			for _, p := range []*Person{
				person("OLGA", "", ""), person("olga", "taken@example.com", ""), person("olga", "quite.free@example.com", ""),
			} {
				_, _, err := w.Register(ctx, p, secret)
				refused(t, err, roster.ErrIdentifierTaken, "username:taken")
			}
			same(t, before, w.tables(t))
			same(t, 0, len(w.posted(t)))
		})
		t.Run("ACCT-12 sends nothing to who is gone or shut out", func(t *testing.T) {
			for name, change := range map[string]func(id roster.ID) error{
				"banned":      func(id roster.ID) error { _, err := w.Ban(ctx, id, roster.Ban{}); return err },
				"archived":    func(id roster.ID) error { _, err := w.ArchiveUser(ctx, id, ""); return err },
				"deactivated": func(id roster.ID) error { return w.Delete(ctx, id, roster.Deactivate) },
			} {
				u := w.add(t, person("", name+"@example.com", ""))
				if err := change(u.ID); err != nil {
					t.Fatal(err)
				}
				w.posted(t)
				w.registers(t, person("", name+"@example.com", ""))
				same(t, 0, len(w.posted(t)))
			}
			away := w.add(t, person("", "away@example.com", ""), roster.WithPassword(secret), roster.WithEmailVerified())
			if err := w.Archive(ctx, away.ID, secret); err != nil {
				t.Fatal(err)
			}
			w.posted(t)
			w.registers(t, person("", "away@example.com", ""))
			same(t, []string{"account_exists to away@example.com"}, w.posted(t))
		})
		t.Run("SEC-77 says the same when the quotas of an address are used up", func(t *testing.T) {
			w.add(t, person("", "busy@example.com", ""))
			for _, address := range []string{"busy@example.com", "idle@example.com"} {
				for range 3 {
					if err := w.ResendEmailConfirmation(ctx, address); err != nil {
						t.Fatal(err)
					}
				}
				w.registers(t, person("", address, ""))
			}
			same(t, 1, w.rows(t, "users WHERE email = 'idle@example.com'"))
			w.posted(t)
		})
		t.Run("HOOK-26 says the same when a hook refuses, and does nothing", func(t *testing.T) {
			fault := errors.New("no")
			for name, add := range map[string]func() func(){
				"BeforeCreate": func() func() {
					return w.On.Create.Before(func(context.Context, *callbacks.Create[*Person]) error { return fault })
				},
				"AfterCreate": func() func() {
					return w.On.Create.After(func(context.Context, *callbacks.Create[*Person]) error { return fault })
				},
				"BeforeMessage": func() func() {
					return w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
				},
			} {
				users, remove := w.table(t, "users"), add()
				w.Clock.Advance(day)
				w.registers(t, person("", "taken@example.com", ""))
				w.registers(t, person("", strings.ToLower(name)+"@example.com", ""))
				remove()
				same(t, users, w.table(t, "users"))
				if got := w.posted(t); name != "AfterCreate" {
					same(t, 0, len(got))
				}
			}
		})
		t.Run("ACCT-12 has nothing to conceal of a username alone", func(t *testing.T) {
			w.registers(t, person("justaname", "", ""))
			same(t, 1, w.rows(t, "users WHERE username = 'justaname'"))
			same(t, 0, len(w.posted(t)))
			w.enter(t, "justaname")
		})
	}, conceal)
}

// usher is a program that has its own word in what new users are sent.
type usher struct {
	usersrepo.UsersRepo[*Person]

	asked []string
	fault error
}

func (u *usher) RequestEmailConfirmation(ctx context.Context, id roster.ID) error {
	u.asked = append(u.asked, "RequestEmailConfirmation")
	return errors.Join(u.UsersRepo.RequestEmailConfirmation(ctx, id), u.fault)
}

func (u *usher) RequestPhoneConfirmation(ctx context.Context, id roster.ID) error {
	u.asked = append(u.asked, "RequestPhoneConfirmation")
	return u.UsersRepo.RequestPhoneConfirmation(ctx, id)
}

func (u *usher) SendPhoneCode(ctx context.Context, id roster.ID, purpose roster.CodePurpose) error {
	u.asked = append(u.asked, "SendPhoneCode")
	return u.UsersRepo.SendPhoneCode(ctx, id, purpose)
}

func (u *usher) RequestPasswordSet(ctx context.Context, id roster.ID) error {
	u.asked = append(u.asked, "RequestPasswordSet")
	return u.UsersRepo.RequestPasswordSet(ctx, id)
}

// HOOK-1, ACCT-12: what a program overrides sends new users their message also where registrations are concealed.
func TestConcealedOverrides(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		u := &usher{}
		kit := begin(t, u, db, conceal, func(cfg *usersrepo.Config) { cfg.Account.PasswordlessRegistration = true })
		register := func(p *Person, password roster.Secret, options ...roster.RegisterOption) []string {
			t.Helper()
			u.asked = nil
			if _, _, err := u.Register(t.Context(), p, password, options...); err != nil {
				t.Error(err)
			}
			return u.asked
		}
		messages := func(kind string) int { return count(t, kit.DB, "roster_messages WHERE kind = $1", kind) }
		same(t, []string{"RequestEmailConfirmation"}, register(person("", "free@example.com", ""), secret))
		same(t, 1, messages("email_confirm"))
		same(t, []string{"RequestPhoneConfirmation", "SendPhoneCode"}, register(person("", "", "+12025550101"), secret))
		same(t, 1, messages("phone_confirm"))
		same(t, []string{"RequestPasswordSet"}, register(person("", "invited@example.com", ""), "", roster.WithoutPassword()))
		same(t, 1, messages("password_first"))
		same(t, []string(nil), register(person("", "free@example.com", ""), secret))
		same(t, 1, messages("account_exists"))
		id := must(u.GetByEmail(t.Context(), "free@example.com"))(t).ID
		same(t, nil, u.RequestEmailConfirmation(t.Context(), id)) // the registration has taken one of two from the quota
		refused(t, u.RequestEmailConfirmation(t.Context(), id), roster.ErrQuotaExhausted)
		u.fault = errors.New("the program's own")
		same(t, []string{"RequestEmailConfirmation"}, register(person("", "vetoed@example.com", ""), secret))
		same(t, 0, count(t, kit.DB, "users WHERE email = 'vetoed@example.com'"))
	})
}

// countingHasher counts what takes long.
type countingHasher struct {
	rostertest.Hasher
	hashed atomic.Int64
}

func (h *countingHasher) Hash(ctx context.Context, password roster.Secret) (string, error) {
	h.hashed.Add(1)
	return h.Hasher.Hash(ctx, password)
}

// ACCT-12, SEC-77: the work is the same, by the statements that reach the database and the passwords that are hashed.
func TestConcealedWork(t *testing.T) {
	t.Parallel()
	hasher := &countingHasher{}
	w, y := tallied(t, conceal, func(cfg *usersrepo.Config) {
		cfg.Password.Hasher, cfg.Account.PasswordlessRegistration = hasher, true
	})
	w.add(t, person("", "taken@example.com", "+12025550100"), roster.WithPassword(secret), roster.WithEmailVerified(), roster.WithPhoneVerified())
	work := func(p *Person, options ...roster.RegisterOption) []string {
		hashed := hasher.hashed.Load()
		y.taken()
		password := secret
		if len(options) > 0 {
			password = ""
		}
		if _, _, err := w.Register(t.Context(), p, password, options...); err != nil {
			t.Fatal(err)
		}
		var verbs []string
		for _, text := range y.taken() {
			words := strings.Fields(text)
			verbs = append(verbs, strings.Join(words[:min(2, len(words))], " "))
		}
		return append(verbs, fmt.Sprint(hasher.hashed.Load()-hashed, " hashes"))
	}
	work(person("", "warm@example.com", "")) // statements are prepared
	work(person("", "taken@example.com", ""))
	w.Clock.Advance(day)
	for name, x := range map[string]struct {
		free, taken *Person
		options     []roster.RegisterOption
	}{
		"an address":                  {person("", "a@example.com", ""), person("", "taken@example.com", ""), nil},
		"an address, quota used up":   {person("", "b@example.com", ""), person("", "taken@example.com", ""), nil},
		"a number":                    {person("", "", "+12025550101"), person("", "", "+12025550100"), nil},
		"a name and a number":         {person("one", "", "+12025550102"), person("two", "", "+12025550100"), nil},
		"an address without password": {person("", "e@example.com", ""), person("", "taken@example.com", ""), []roster.RegisterOption{roster.WithoutPassword()}},
	} {
		t.Run("SEC-77 does as much for "+name, func(t *testing.T) {
			free, taken := work(x.free, x.options...), work(x.taken, x.options...)
			same(t, len(free), len(taken))
			same(t, free[len(free)-1], taken[len(taken)-1])
			for i := range free {
				kind := func(verb string) string { return strings.Fields(verb)[0] }
				if kind(free[i]) != kind(taken[i]) && !strings.Contains(free[i]+taken[i], "SAVEPOINT") && kind(free[i]) != "WITH" {
					t.Errorf("statement %d: %s, %s", i, free[i], taken[i])
				}
			}
		})
	}
}

// SEC-77: of many who register at once each gets the same answer, and one the account.
func TestConcealedRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				address := []string{"raced@example.com", "Raced@EXAMPLE.com"}[i%2]
				u, pair, err := w.Register(t.Context(), person("", address, ""), secret)
				if u != nil || pair != nil || err != nil {
					t.Errorf("SEC-77: told %v, %v, %v", u, pair, err)
				}
			})
		}
		group.Wait()
		same(t, 1, w.rows(t, "users"))
		same(t, 1, w.rows(t, "roster_messages WHERE kind = 'email_confirm'"))
		same(t, 1, w.rows(t, "roster_messages WHERE kind = 'account_exists'"))
	}, conceal)
}

// HTTP-57, ACCT-12, case 10 of http: the answers are the same, byte by byte.
func TestHTTPConcealed(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		s.guest(t, "taken")
		free := s.do(t, "POST /api/register", fields{"email": "free@example.com", "password": passphrase}).succeeds(t, 202)
		taken := s.do(t, "POST /api/register", fields{"email": "taken@example.com", "password": passphrase}).succeeds(t, 202)
		same(t, `{"status":"accepted"}`, strings.TrimSpace(string(free.body)))
		same(t, free.alike(), taken.alike())
		for _, address := range []string{"free@example.com", "nobody@example.com"} {
			a := s.do(t, "POST /api/login", fields{"login": address, "password": passphrase})
			a.fails(t, 401, "invalid_credentials")
		}
		s.do(t, "POST /api/register", fields{"email": "free2@example.com", "username": "taken", "password": passphrase}).
			fails(t, 409, "identifier_taken", "username:taken")
		same(t, []string{"account_exists to taken@example.com", "email_confirm to free@example.com"}, s.posted(t))
	}, conceal)
}
