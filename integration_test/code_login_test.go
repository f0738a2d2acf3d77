package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// byLogin names a contact by a login.
func byLogin(login string, channel ...roster.Channel) roster.ContactRef {
	ref := roster.ContactRef{Login: &login}
	if len(channel) > 0 {
		ref.Channel = channel[0]
	}
	return ref
}

// proven adds a user whose contacts are proven.
func (w *world) proven(t testing.TB, p *Person) *Person {
	t.Helper()
	options := []roster.CreateOption{roster.WithPassword(passphrase)}
	if p.Email != nil {
		options = append(options, roster.WithEmailVerified())
	}
	if p.Phone != nil {
		options = append(options, roster.WithPhoneVerified())
	}
	return w.add(t, p, options...)
}

// loginCode has a code sent to log in, and returns it.
func (w *world) loginCode(t testing.TB, ref roster.ContactRef, to string) roster.Secret {
	t.Helper()
	w.Clock.Advance(30 * time.Second)
	if err := w.SendCode(t.Context(), ref, roster.CodeLogin); err != nil {
		t.Fatal(err)
	}
	return w.code(t, to)
}

func withCode(login string, code roster.Secret) roster.Credentials {
	return roster.Credentials{Login: &login, Code: &code}
}

// ACCT-26, ACCT-29, OTP-35: a code logs in, where it was sent.
func TestCodeLogin(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("ACCT-26 by the address, by the number, and by the username where the last one went", func(t *testing.T) {
			w.proven(t, person("anna", "anna@example.com", "+12025550101"))
			var seen []string
			remove := w.On.Login.Before(func(_ context.Context, e *callbacks.Login[*Person]) error {
				seen = append(seen, fmt.Sprint(e.Via, e.AMR))
				return nil
			})
			defer remove()
			for _, x := range []struct {
				ref   roster.ContactRef
				to    string
				login string
			}{
				{byLogin("anna@example.com"), "anna@example.com", "Anna@Example.com"},
				{byLogin("+12025550101"), "+12025550101", "+1 202-555-0101"},
				{byLogin("anna"), "anna@example.com", "anna"},
				{byLogin("ANNA", roster.ChannelPhone), "+12025550101", "anna"},
			} {
				code := w.loginCode(t, x.ref, x.to)
				in, err := w.Login(ctx, withCode(x.login, code))
				if err != nil || in.Tokens == nil {
					t.Fatalf("%s: %v", x.login, err)
				}
				_, err = w.Login(ctx, withCode(x.login, code))
				refused(t, err, roster.ErrInvalidCredentials)
				w.Clock.Advance(10 * time.Minute)
			}
			same(t, []string{"code[otp]", "code[otp]", "code[otp]", "code[otp]"}, seen)
		})
		t.Run("ACCT-26 by a handle, alone and with an identifier of the same user", func(t *testing.T) {
			w.proven(t, person("berta", "berta@example.com", ""))
			w.proven(t, person("other", "", ""))
			list, err := w.FindContacts(ctx, "berta")
			if err != nil || len(list) != 1 || list[0].Masked != "be***@ex*****.***" {
				t.Fatal(list, err)
			}
			handle := list[0].Handle
			code := w.loginCode(t, roster.ContactRef{Handle: &handle}, "berta@example.com")
			_, err = w.Login(ctx, roster.Credentials{Handle: &handle, Username: new("other"), Code: &code})
			refused(t, err, roster.ErrInvalidCredentials)
			w.Clock.Advance(time.Second)
			_, err = w.Login(ctx, roster.Credentials{Handle: &handle, Username: new("berta"), Code: &code})
			same(t, nil, err)
			code = w.loginCode(t, roster.ContactRef{Handle: &handle}, "berta@example.com")
			_, err = w.Login(ctx, roster.Credentials{Handle: &handle, Code: &code})
			same(t, nil, err)
		})
		t.Run("ACCT-18 exactly one of password and code, which is not empty", func(t *testing.T) {
			for _, x := range []struct {
				credentials roster.Credentials
				fault       string
			}{
				{roster.Credentials{Login: new("anna")}, "password:required"},
				{roster.Credentials{Login: new("anna"), Password: new(roster.Secret(passphrase)), Code: new(roster.Secret("123456"))}, "code:invalid"},
				{roster.Credentials{Login: new("anna"), Code: new(roster.Secret(" - "))}, "code:required"},
				{roster.Credentials{Handle: new(roster.Secret("x")), Login: new("anna"), Password: new(roster.Secret(passphrase))}, "handle:invalid"},
				{roster.Credentials{Handle: new(roster.Secret("x")), Password: new(roster.Secret(passphrase))}, "login:required"},
				{roster.Credentials{Code: new(roster.Secret("123456"))}, "login:required"},
				{roster.Credentials{Login: new("anna"), Code: new(roster.Secret("123456")), Channel: "fax"}, "channel:invalid"},
			} {
				_, err := w.Login(ctx, x.credentials)
				refused(t, err, roster.ErrValidationFailed, x.fault)
			}
		})
		t.Run("OTP-35 a code for another purpose is a wrong one, and nothing else is bought with it, case 18", func(t *testing.T) {
			u := w.add(t, person("carla", "carla@example.com", ""), roster.WithPassword(passphrase))
			same(t, nil, w.SendEmailCode(ctx, u.ID, roster.CodeVerify))
			verify := w.code(t, "carla@example.com")
			_, err := w.Login(ctx, withCode("carla", verify))
			refused(t, err, roster.ErrInvalidCredentials)
			_, err = w.CheckEmailCode(ctx, u.ID, roster.CodeReset, verify)
			refused(t, err, roster.ErrInvalidCode)
			refused(t, w.SendEmailCode(ctx, u.ID, roster.CodeLogin), roster.ErrNotFound) // OTP-33
			_, err = w.CheckEmailCode(ctx, u.ID, roster.CodeVerify, verify)
			same(t, nil, err)
			code := w.loginCode(t, byLogin("carla"), "carla@example.com")
			_, err = w.CheckEmailCode(ctx, u.ID, roster.CodeReset, code)
			refused(t, err, roster.ErrInvalidCode)
			_, err = w.ConfirmEmail(ctx, code)
			refused(t, err, roster.ErrInvalidToken)
		})
		t.Run("OTP-33 nothing goes to a contact that is not proven, and asking tells nothing", func(t *testing.T) {
			w.add(t, person("dora", "dora@example.com", "+12025550102"), roster.WithPassword(passphrase))
			w.post(t)
			for _, login := range []string{"dora", "dora@example.com", "+12025550102", "nobody", "nobody@example.com", "+12025559999", "", "\x00"} {
				same(t, nil, w.SendCode(ctx, byLogin(login), roster.CodeLogin))
			}
			same(t, 0, len(w.post(t)))
		})
		t.Run("PROT-27 a right code opens a closed password", func(t *testing.T) {
			u := w.proven(t, person("emma", "emma@example.com", ""))
			for range 100 {
				same(t, nil, w.RecordLoginFailure(ctx, "", "nobody", &u.ID, roster.FailedPassword))
			}
			refused(t, w.enters("emma"), roster.ErrInvalidCredentials)
			_, err := w.Login(ctx, withCode("emma", w.loginCode(t, byLogin("emma"), "emma@example.com")))
			same(t, nil, err)
			same(t, nil, w.enters("emma"))
		})
		t.Run("OTP-37 who may not log in has no code", func(t *testing.T) {
			u := w.proven(t, person("frida", "frida@example.com", ""))
			code := w.loginCode(t, byLogin("frida"), "frida@example.com")
			if _, err := w.Ban(ctx, u.ID, roster.Ban{}); err != nil {
				t.Fatal(err)
			}
			_, err := w.Login(ctx, withCode("frida", code))
			refused(t, err, roster.ErrInvalidCredentials)
			w.post(t)
			w.Clock.Advance(time.Minute)
			same(t, nil, w.SendCode(ctx, byLogin("frida"), roster.CodeLogin))
			same(t, 0, len(w.post(t)))
			same(t, nil, w.Unban(ctx, u.ID))
			_, err = w.Login(ctx, withCode("frida", code))
			refused(t, err, roster.ErrInvalidCredentials)
		})
		t.Run("OTP-37 a new password voids it", func(t *testing.T) {
			u := w.proven(t, person("gerda", "gerda@example.com", ""))
			code := w.loginCode(t, byLogin("gerda"), "gerda@example.com")
			same(t, nil, w.SetPassword(ctx, u.ID, "another good passphrase", roster.ReplacePassword()))
			_, err := w.Login(ctx, withCode("gerda", code))
			refused(t, err, roster.ErrInvalidCredentials)
		})
		t.Run("ACCT-25 a wrong one is told to hooks as such, and closes no password", func(t *testing.T) {
			u := w.proven(t, person("hanna", "hanna@example.com", ""))
			var reasons []string
			remove := w.On.LoginFailed.After(func(_ context.Context, e *callbacks.LoginFailed) error {
				reasons = append(reasons, fmt.Sprint(e.Reason, " ", e.Via, " ", e.Login, " ", e.UserID != nil))
				return nil
			})
			defer remove()
			code := w.loginCode(t, byLogin("hanna"), "hanna@example.com")
			_, err := w.Login(ctx, withCode("hanna", other(code)))
			refused(t, err, roster.ErrInvalidCredentials)
			_, err = w.Login(ctx, withCode("nobody", other(code)))
			refused(t, err, roster.ErrInvalidCredentials)
			same(t, []string{"wrong_code code ha*** true", "unknown code no**** false"}, reasons)
			same(t, 0, w.rows(t, "roster_passwords WHERE user_id = $1 AND failures > 0", u.ID))
		})
		t.Run("ACCT-27 Login ends in the same step: a veto leaves nobody in", func(t *testing.T) {
			w.proven(t, person("ida", "ida@example.com", ""))
			fault := errors.New("no")
			remove := w.On.Login.Before(func(context.Context, *callbacks.Login[*Person]) error { return fault })
			_, err := w.Login(ctx, withCode("ida", w.loginCode(t, byLogin("ida"), "ida@example.com")))
			same(t, true, errors.Is(err, fault))
			remove()
		})
	}, func(cfg *usersrepo.Config) { cfg.Protection.AskedMessages.Off = true })
}

// OTP-39, OTP-24, PROT-3, SEC-75: what wrong codes cost, and whom; the same for those who are not there.
func TestOTP_39_Lanes(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.proven(t, person("anna", "anna@example.com", "+12025550101"))
		try := func(ip string, ref roster.ContactRef, code roster.Secret) (roster.Code, time.Duration) {
			_, err := w.CheckCode(from(t.Context(), ip), ref, roster.CodeReset, code)
			if e := (*roster.Error)(nil); errors.As(err, &e) {
				return e.Code, e.RetryAfter
			}
			return "", 0
		}
		for _, login := range []string{"anna", "nobody", "anna@example.com", "nobody@example.com", "+12025559999", "no such thing"} {
			t.Run("OTP-39 one address waits, and no other, for "+login, func(t *testing.T) {
				w.Clock.Advance(48 * time.Hour)
				for i, wait := range []time.Duration{1, 2, 4, 8} {
					got, _ := try("192.0.2.1", byLogin(login), "000000")
					same(t, roster.CodeInvalidCode, got)
					got, left := try("192.0.2.1", byLogin(login), "000000")
					same(t, roster.CodeTooManyRequests, got)
					same(t, wait*time.Second, left)
					got, _ = try(fmt.Sprintf("192.0.2.%d", 10+i), byLogin(login), "000000")
					same(t, roster.CodeInvalidCode, got)
					w.Clock.Advance(wait * time.Second)
				}
			})
			t.Run("OTP-39 all addresses wait after 10, but only while a code was asked for, for "+login, func(t *testing.T) {
				w.Clock.Advance(48 * time.Hour)
				for i := range 12 { // OTP-24: before one was asked for nobody can hold its owner up
					got, _ := try(fmt.Sprintf("198.51.100.%d", i), byLogin(login), "000000")
					same(t, roster.CodeInvalidCode, got)
				}
				same(t, nil, w.SendCode(t.Context(), byLogin(login), roster.CodeReset))
				for i := range 10 {
					got, _ := try(fmt.Sprintf("203.0.113.%d", i), byLogin(login), "000000")
					same(t, roster.CodeInvalidCode, got)
				}
				got, left := try("203.0.113.99", byLogin(login), "000000")
				same(t, roster.CodeTooManyRequests, got)
				same(t, time.Second, left)
			})
		}
		t.Run("OTP-22 five burn a code from anywhere, and that is not told, case 15", func(t *testing.T) {
			w.Clock.Advance(48 * time.Hour)
			same(t, nil, w.SendCode(t.Context(), byLogin("anna"), roster.CodeReset))
			code := w.code(t, "anna@example.com")
			for i := range 5 {
				got, _ := try(fmt.Sprintf("192.0.2.%d", i), byLogin("anna"), other(code))
				same(t, roster.CodeInvalidCode, got)
			}
			got, _ := try("192.0.2.77", byLogin("anna"), code)
			same(t, roster.CodeInvalidCode, got)
			w.Clock.Advance(time.Minute)
			same(t, nil, w.SendCode(t.Context(), byLogin("anna"), roster.CodeReset))
			code = w.code(t, "anna@example.com")
			outcome, err := w.CheckCode(from(t.Context(), "192.0.2.78"), byLogin("anna"), roster.CodeReset, code)
			if err != nil || outcome.ResetToken == "" || outcome.ExpiresIn != 10*time.Minute || outcome.Login != nil {
				t.Fatal(outcome, err)
			}
			if _, err := w.ResetPassword(t.Context(), outcome.ResetToken, "another good passphrase"); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("OTP-39 strangers make nobody wait who is logged in", func(t *testing.T) {
			w.Clock.Advance(48 * time.Hour)
			u, _ := w.GetByUsername(t.Context(), "anna")
			same(t, nil, w.SendCode(t.Context(), byLogin("anna"), roster.CodeReset))
			code := w.code(t, "anna@example.com")
			for i := range 3 {
				try(fmt.Sprintf("192.0.2.%d", i), byLogin("anna"), other(code))
			}
			_, err := w.CheckEmailCode(t.Context(), u.ID, roster.CodeReset, code)
			same(t, nil, err)
		})
		t.Run("SEC-19 after a hundred wrong ones in a day no code is right, whichever it is", func(t *testing.T) {
			w.Clock.Advance(48 * time.Hour)
			logins := []string{"anna", "anna@example.com", "+12025550101"}
			for i := range 34 {
				same(t, nil, w.SendCode(t.Context(), byLogin("anna", roster.ChannelEmail), roster.CodeReset))
				code := w.code(t, "anna@example.com")
				for j, login := range logins {
					got, _ := try(fmt.Sprintf("10.0.%d.%d", i, j), byLogin(login, roster.ChannelEmail), other(code))
					same(t, roster.CodeInvalidCode, got)
				}
				w.Clock.Advance(15 * time.Minute)
			}
			same(t, nil, w.SendCode(t.Context(), byLogin("anna"), roster.CodeReset))
			code := w.code(t, "anna@example.com")
			got, _ := try("10.1.0.1", byLogin("anna"), code)
			same(t, roster.CodeInvalidCode, got)
			w.Clock.Advance(24 * time.Hour)
			same(t, nil, w.SendCode(t.Context(), byLogin("anna"), roster.CodeReset))
			got, _ = try("10.1.0.1", byLogin("anna"), w.code(t, "anna@example.com"))
			same(t, "", got)
		})
	}, func(cfg *usersrepo.Config) {
		p := &cfg.Protection
		p.Source.Off, p.AskedMessages.Off, p.Codes.Off, p.CodePause.Off, p.Target.Off, p.TargetDaily.Off = true, true, true, true, true, true
	})
}

// OTP-32, PROT-37: how often a code is sent to those who are not logged in; beyond it nothing is, and the earlier one is good.
func TestOTP_32_OpenQuota(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := from(t.Context(), "192.0.2.1")
		w.proven(t, person("anna", "anna@example.com", "+12025550101"))
		same(t, nil, w.SendCode(ctx, byLogin("anna"), roster.CodeLogin))
		code := w.code(t, "anna@example.com")
		for _, login := range []string{"anna", "anna@example.com"} { // 30 s apart, whatever it is asked for by
			same(t, nil, w.SendCode(ctx, byLogin(login), roster.CodeLogin))
			same(t, 0, len(w.post(t)))
		}
		_, err := w.Login(ctx, withCode("anna", code))
		same(t, nil, err)
		sent := 1
		for range 10 {
			w.Clock.Advance(31 * time.Second)
			same(t, nil, w.SendCode(ctx, byLogin("anna@example.com"), roster.CodeLogin))
			sent += len(w.post(t))
		}
		same(t, 5, sent)
		for range 7 {
			same(t, nil, w.SendCode(ctx, byLogin("nobody"), roster.CodeLogin))
		}
		refused(t, w.SendCode(ctx, byLogin("anna"), roster.CodeLogin), roster.ErrTooManyRequests) // of the address, the 21st
		refused(t, w.SendCode(ctx, byLogin("nobody"), roster.CodeLogin), roster.ErrTooManyRequests)
	})
}

// ACCT-19, ACCT-20, case 12: the chain of back ends.
func TestACCT_19_Backends(t *testing.T) {
	t.Parallel()
	var u *Person
	say := func(j func() roster.Judgement, err error) roster.Backend {
		return roster.BackendFunc(func(context.Context, roster.Credentials) (roster.Judgement, error) { return j(), err })
	}
	no, veto := say(roster.Pass, nil), say(roster.Veto, nil)
	yes := say(func() roster.Judgement { return roster.Accept(u.ID, "hwk") }, nil)
	ghost := say(func() roster.Judgement { return roster.Accept(roster.NewID()) }, nil)
	broken, panics := say(roster.Pass, errors.New("down")), say(func() roster.Judgement { panic("no") }, nil)
	begin := func(t *testing.T, chain ...roster.Backend) *world {
		t.Helper()
		w := found(t, rostertest.Open(t, rostertest.SQLite), func(cfg *usersrepo.Config) { cfg.Account.Backends = chain })
		u = w.add(t, person("anna", "", ""), roster.WithPassword(passphrase))
		return w
	}
	for _, x := range []struct {
		name     string
		chain    []roster.Backend
		password roster.Secret
		want     roster.Code
		amr      string
	}{
		{"no, yes", []roster.Backend{no, yes}, "x", "", "hwk"},
		{"veto, yes", []roster.Backend{veto, yes}, "x", "invalid_credentials", ""},
		{"veto, password", []roster.Backend{veto, roster.PasswordBackend}, passphrase, "invalid_credentials", ""},
		{"error, yes", []roster.Backend{broken, yes}, "x", "unavailable", ""},
		{"panic, yes", []roster.Backend{panics, yes}, "x", "unavailable", ""},
		{"ghost, no", []roster.Backend{ghost, no}, "x", "invalid_credentials", ""},
		{"ghost, yes", []roster.Backend{ghost, yes}, "x", "", "hwk"},
		{"password, yes", []roster.Backend{roster.PasswordBackend, yes}, "x", "", "hwk"},
		{"right password, error", []roster.Backend{roster.PasswordBackend, broken}, passphrase, "", "pwd"},
		{"wrong password, error", []roster.Backend{roster.PasswordBackend, broken}, "x", "unavailable", ""},
		{"no, wrong password", []roster.Backend{no, roster.PasswordBackend}, "x", "invalid_credentials", ""},
		{"codes alone", []roster.Backend{roster.CodeBackend}, passphrase, "invalid_credentials", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := begin(t, x.chain...)
			amr := ""
			w.On.Login.Before(func(_ context.Context, e *callbacks.Login[*Person]) error { amr = e.AMR[0]; return nil })
			for range 20 { // what could not be judged is no failure
				_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", x.password))
				same(t, x.want, codeOf(err))
				same(t, x.amr, amr)
				if x.want == "invalid_credentials" {
					break
				}
			}
		})
	}
	t.Run("ACCT-22 a state counts for every back end", func(t *testing.T) {
		w := begin(t, yes)
		if _, err := w.Ban(t.Context(), u.ID, roster.Ban{}); err != nil {
			t.Fatal(err)
		}
		_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", "x"))
		refused(t, err, roster.ErrBanned)
		_, err = w.Authenticate(t.Context(), roster.PasswordCredentials("anna", "x"))
		refused(t, err, roster.ErrBanned)
		same(t, nil, w.Delete(t.Context(), u.ID, roster.Deactivate))
		_, err = w.Login(t.Context(), roster.PasswordCredentials("anna", "x"))
		refused(t, err, roster.ErrInvalidCredentials)
	})
}

// OTP-21, OTP-22: what a stranger tries in a transaction of the program's counts though it is rolled back.
func TestOTP_22_RolledBack(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.proven(t, person("anna", "anna@example.com", ""))
		same(t, nil, w.SendCode(t.Context(), byLogin("anna"), roster.CodeReset))
		code := w.code(t, "anna@example.com")
		for i := range 5 {
			_ = w.InTx(from(t.Context(), fmt.Sprintf("192.0.2.%d", i)), func(ctx context.Context) error {
				_, err := w.CheckCode(ctx, byLogin("anna"), roster.CodeReset, other(code))
				refused(t, err, roster.ErrInvalidCode)
				return err
			})
		}
		_, err := w.CheckCode(from(t.Context(), "192.0.2.99"), byLogin("anna"), roster.CodeReset, code)
		refused(t, err, roster.ErrInvalidCode)
	})
}

// OTP-16, OTP-40, SEC-26: of 64 who try at once one is let in by a code, and no more guesses are compared than it may have.
func TestOTP_40_OneWinner(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.proven(t, person("anna", "anna@example.com", ""))
		ctx := context.WithoutCancel(t.Context())
		at := func(i int) context.Context { return from(ctx, fmt.Sprintf("192.0.2.%d", i)) }
		t.Run("the right code logs one in", func(t *testing.T) {
			code := w.loginCode(t, byLogin("anna"), "anna@example.com")
			same(t, 1, wins(func(i int) error {
				_, err := w.Login(at(i), withCode("anna", code))
				return err
			}))
			same(t, 1, w.rows(t, "roster_sessions WHERE user_id = $1", u.ID))
		})
		t.Run("the right code gives one token that resets", func(t *testing.T) {
			w.Clock.Advance(48 * time.Hour)
			same(t, nil, w.SendCode(ctx, byLogin("anna"), roster.CodeReset))
			code := w.code(t, "anna@example.com")
			same(t, 1, wins(func(i int) error {
				_, err := w.CheckCode(at(i), byLogin("anna"), roster.CodeReset, code)
				return err
			}))
			same(t, 1, w.rows(t, "roster_links WHERE user_id = $1 AND purpose = 'reset_password'", u.ID))
		})
		t.Run("five of 64 wrong ones are compared", func(t *testing.T) {
			w.Clock.Advance(48 * time.Hour)
			code := w.loginCode(t, byLogin("anna"), "anna@example.com")
			same(t, 0, wins(func(i int) error {
				_, err := w.Login(at(i), withCode("anna", other(code)))
				return err
			}))
			same(t, 1, w.rows(t, "roster_links WHERE user_id = $1 AND purpose = 'code:login:email' AND tries = 5", u.ID))
			_, err := w.Login(at(99), withCode("anna", code))
			same(t, true, err != nil)
		})
	})
}
