package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

const secret = roster.Secret("correct horse battery")

// ACCT-5 to ACCT-11, ACCT-15: registering.
func TestRegister(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("ACCT-10 ACCT-11 makes an account and logs in, case 1", func(t *testing.T) {
			var ways []roster.Via
			defer w.On.Create.On(func(_ context.Context, e *callbacks.Create[*Person]) error { ways = append(ways, e.Via); return nil })()
			defer w.On.Login.On(func(_ context.Context, e *callbacks.Login[*Person]) error { ways = append(ways, e.Via); return nil })()
			p := person(" Anna ", "Anna@EXAMPLE.com", "")
			p.Company = "Acme"
			w.fired()
			u, pair, err := w.Register(ctx, p, secret)
			if err != nil || pair == nil {
				t.Fatalf("%v, %v", pair, err)
			}
			same(t, []string{
				"BeforeCreate", "AfterCreate", "BeforeMessage", "AfterMessage", "OnCreate", "OnMessage", "BeforeLogin", "AfterLogin", "OnLogin",
			}, w.fired())
			same(t, []roster.Via{roster.ViaSignup, roster.ViaSignup}, ways)
			same(t, []string{"Anna", "Anna@example.com", "Acme"}, []string{*u.Username, *u.Email, u.Company})
			same(t, w.read(t, u.ID), u)
			claims, err := w.VerifyToken(ctx, pair.AccessToken)
			if err != nil || claims.Subject != u.ID || claims.SessionID != pair.SessionID {
				t.Errorf("%+v, %v", claims, err)
			}
			same(t, []string{"pwd"}, claims.AMR)
			same(t, []string{"email_confirm to Anna@example.com"}, w.posted(t)) // ACCT-8
			same(t, false, u.Verified() || u.Superuser || len(u.Permissions) > 0)
		})
		t.Run("ACCT-8 confirms an address, and nothing else", func(t *testing.T) {
			for i, p := range []*Person{person("nothing", "", ""), person("", "both@example.com", "+12025550101")} {
				if _, _, err := w.Register(ctx, p, secret); err != nil {
					t.Fatal(err)
				}
				same(t, [][]string{nil, {"email_confirm to both@example.com"}}[i], w.posted(t))
			}
		})
		t.Run("ACCT-6 wants a password that is worth the name", func(t *testing.T) {
			for password, fault := range map[roster.Secret]string{"": "password:invalid", "short": "password:too_short", "a\x00bcdefgh": "password:invalid"} {
				_, _, err := w.Register(ctx, person("carla", "", ""), password)
				refused(t, err, roster.ErrValidationFailed, fault)
			}
			_, _, err := w.Register(ctx, person("carla", "carla@example.com", ""), "", roster.WithoutPassword())
			refused(t, err, roster.ErrValidationFailed, "password:required")
		})
		t.Run("ACCT-9 ACCT-5 refuses what people may not set, case 7", func(t *testing.T) {
			p := person("dora", "", "")
			now := w.Clock.Now()
			p.ID, p.Superuser, p.Permissions, p.EmailVerifiedAt, p.BannedAt, p.CreatedAt = w.NewID(), true, roster.Permissions{"x"}, &now, &now, now
			p.Version, p.Epoch, p.Plan, p.Score, p.Badge, p.Note = 1, 1, "pro", 1, "gold", "hush"
			_, _, err := w.Register(ctx, p, secret)
			refused(t, err, roster.ErrValidationFailed, "badge:forbidden_field", "banned_at:forbidden_field", "created_at:forbidden_field",
				"email_verified_at:forbidden_field", "epoch:forbidden_field", "id:forbidden_field", "note:forbidden_field", "permissions:forbidden_field",
				"plan:forbidden_field", "score:forbidden_field", "superuser:forbidden_field", "version:forbidden_field")
		})
		t.Run("ACCT-5 tells all faults at once", func(t *testing.T) {
			p := person("ANNA", "nonsense", "")
			p.Plan = "pro"
			_, _, err := w.Register(ctx, p, "x", roster.WithFaults(roster.FieldErrors{{Field: "plan", Code: roster.ForbiddenField}, {Field: "x", Code: roster.UnknownField}}))
			refused(t, err, roster.ErrValidationFailed, "email:invalid", "password:common", "password:too_short", "plan:forbidden_field", "username:taken", "x:unknown_field")
		})
		t.Run("ACCT-7 names everything that is taken, cases 3 and 4", func(t *testing.T) {
			_, _, err := w.Register(ctx, person("aNNA", "ANNA@example.com", "+1 202 555 0101"), secret)
			refused(t, err, roster.ErrIdentifierTaken, "email:taken", "phone:taken", "username:taken")
		})
		t.Run("ACCT-10 leaves the user and gives no tokens when a hook refuses the log-in", func(t *testing.T) {
			defer w.On.Login.Before(func(_ context.Context, e *callbacks.Login[*Person]) error {
				same(t, "proof", e.Captcha)
				return callbacks.Reject("not_yet")
			})()
			u, pair, err := w.Register(ctx, person("emil", "", ""), secret, roster.WithCaptcha("proof"))
			if err != nil || pair != nil || u == nil {
				t.Fatalf("%v, %v, %v", u, pair, err)
			}
			same(t, u, w.read(t, u.ID))
			same(t, 0, w.rows(t, "roster_sessions WHERE user_id = $1", u.ID))
		})
		t.Run("ACCT-8 makes nobody when the message cannot be queued, case 5", func(t *testing.T) {
			before, fault := w.tables(t), errors.New("outbox broken")
			remove := w.On.Message.Before(func(context.Context, *callbacks.Message[*Person]) error { return fault })
			_, _, err := w.Register(ctx, person("frida", "frida@example.com", ""), secret)
			remove()
			same(t, true, errors.Is(err, fault))
			same(t, before, w.tables(t))
			if _, _, err := w.Register(ctx, person("frida", "frida@example.com", ""), secret); err != nil {
				t.Error(err)
			}
		})
		t.Run("ACCT-15 leaves the present session alone", func(t *testing.T) {
			gerda, pair, err := w.Register(ctx, person("gerda", "", ""), secret)
			if err != nil {
				t.Fatal(err)
			}
			signedIn := roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, ID: gerda.ID, SID: pair.SessionID})
			if _, _, err := w.Register(signedIn, person("hanna", "", ""), secret); err != nil {
				t.Fatal(err)
			}
			_, err = w.VerifyToken(ctx, pair.AccessToken)
			same(t, nil, err)
		})
		t.Run("ACCT-10 SESS-70 keeps a session short that is not to be remembered, case 22", func(t *testing.T) {
			_, pair, err := w.Register(ctx, person("ida", "", ""), secret, roster.WithRemember(false))
			if err != nil || pair.RefreshExpiresIn != 12*time.Hour {
				t.Errorf("%v, %v", pair, err)
			}
		})
		t.Run("needs a user", func(t *testing.T) {
			_, _, err := w.Register(ctx, nil, secret)
			refused(t, err, roster.ErrInvalidInput)
			_, err = w.Create(ctx, nil)
			refused(t, err, roster.ErrInvalidInput)
		})
	})
}

// ACCT-5: closed, whatever is sent.
func TestRegisterClosed(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		_, _, err := w.Register(t.Context(), person("?", "", ""), "")
		refused(t, err, roster.ErrRegistrationClosed)
		w.add(t, person("anna", "", ""))
	}, func(cfg *usersrepo.Config) { cfg.Account.RegistrationClosed = true })
}

// ACCT-5, PROT-39: an address may register so often; what fails does not count.
func TestRegisterQuota(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, IP: "203.0.113.7"})
		register := func(ctx context.Context, name string) error {
			_, _, err := w.Register(ctx, person(name, "", ""), secret)
			return err
		}
		fault := errors.New("no")
		for i := range 30 {
			switch i % 3 {
			case 0:
				refused(t, register(ctx, "?"), roster.ErrValidationFailed, "username:invalid", "username:too_short")
			case 1:
				remove := w.On.Create.After(func(context.Context, *callbacks.Create[*Person]) error { return fault })
				same(t, true, errors.Is(register(ctx, "vetoed"), fault))
				remove()
			case 2: // the whole transaction of the program is rolled back
				err := w.InTx(ctx, func(ctx context.Context) error { return errors.Join(register(ctx, "undone"), fault) })
				same(t, true, errors.Is(err, fault))
			}
		}
		for i := range 20 {
			same(t, nil, register(ctx, fmt.Sprintf("user%d", i)))
		}
		err := register(ctx, "onemore")
		refused(t, err, roster.ErrTooManyRequests)
		if e := (*roster.Error)(nil); !errors.As(err, &e) || e.RetryAfter != time.Hour {
			t.Errorf("%+v, want an hour to wait", err)
		}
		same(t, nil, register(roster.WithActor(ctx, roster.Actor{Kind: roster.ActorUser, IP: "203.0.113.8"}), "elsewhere"))
		same(t, nil, register(t.Context(), "bygo")) // PROT-12: without an address
		w.Clock.Advance(time.Hour)
		same(t, nil, register(ctx, "onemore"))
	})
}

// ACCT-2, ACCT-10, case 2: with RequireConfirmed an unproven account does not get in, and one with nothing to prove does.
func TestRequireConfirmed(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u, pair, err := w.Register(ctx, person("", "anna@example.com", ""), secret)
		if err != nil || pair != nil || u == nil {
			t.Fatalf("%v, %v, %v", u, pair, err)
		}
		_, err = w.Login(ctx, roster.PasswordCredentials("anna@example.com", secret))
		refused(t, err, roster.ErrNotVerified)
		_, err = w.Login(ctx, roster.PasswordCredentials("anna@example.com", "wrong"))
		refused(t, err, roster.ErrInvalidCredentials)
		_, err = w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
		refused(t, err, roster.ErrNotVerified)
		if _, err := w.ConfirmEmail(ctx, w.token(t)); err != nil {
			t.Fatal(err)
		}
		entered, err := w.Login(ctx, roster.PasswordCredentials("anna@example.com", secret))
		if err != nil {
			t.Fatal(err)
		}
		_, pair, err = w.Register(ctx, person("berta", "", ""), secret)
		if err != nil || pair == nil {
			t.Errorf("%v, %v", pair, err)
		}
		// SESS-28: the proof is asked for at each refresh.
		w.edit(t, u.ID, func(p *Person) { p.Email = new("anna2@example.com") })
		_, err = w.Refresh(ctx, entered.Tokens.RefreshToken)
		refused(t, err, roster.ErrNotVerified)
		same(t, 0, w.rows(t, "roster_sessions WHERE user_id = $1 AND ended_at IS NULL", u.ID))
	}, func(cfg *usersrepo.Config) { cfg.Account.RequireConfirmed = true })
}

// ACCT-6, case 8: without a password there is no way in by one, until a mailed link has set it.
func TestRegisterWithoutPassword(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, _, err := w.Register(ctx, person("anna", "", ""), "", roster.WithoutPassword())
		refused(t, err, roster.ErrValidationFailed, "password:required") // there is no contact to send a link to
		u, pair, err := w.Register(ctx, person("anna", "anna@example.com", ""), "", roster.WithoutPassword())
		if err != nil || pair == nil {
			t.Fatalf("%v, %v", pair, err)
		}
		claims, err := w.VerifyToken(ctx, pair.AccessToken)
		same(t, nil, err)
		same(t, []string{"app"}, claims.AMR) // SESS-7: no password was judged
		for _, password := range []roster.Secret{"", " ", secret} {
			_, err := w.Login(ctx, roster.PasswordCredentials("anna", password))
			refused(t, err, roster.ErrInvalidCredentials)
		}
		_, err = w.Login(ctx, roster.Credentials{Login: new("anna")})
		refused(t, err, roster.ErrValidationFailed, "password:required")
		sent := w.post(t)
		if len(sent) != 1 || sent[0].Kind != "password_first" || sent[0].To != "anna@example.com" {
			t.Fatalf("%v", sent)
		}
		if _, err := w.SetFirstPassword(ctx, sent[0].Token, secret); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Login(ctx, roster.PasswordCredentials("anna", secret)); err != nil {
			t.Error(err)
		}
		_, err = w.VerifyToken(ctx, pair.AccessToken)
		refused(t, err, roster.ErrSessionRevoked)
		same(t, true, w.read(t, u.ID).EmailVerifiedAt != nil)
		_, _, err = w.Register(ctx, person("berta", "berta@example.com", ""), "")
		refused(t, err, roster.ErrValidationFailed, "password:invalid") // an empty password is not none
	}, func(cfg *usersrepo.Config) { cfg.Account.PasswordlessRegistration = true })
}

// ACCT-8: Confirm.NoneOnRegister.
func TestRegisterWithoutConfirmation(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		if _, _, err := w.Register(t.Context(), person("", "anna@example.com", ""), secret); err != nil {
			t.Fatal(err)
		}
		same(t, 0, w.rows(t, "roster_messages")+w.rows(t, "roster_links"))
	}, func(cfg *usersrepo.Config) { cfg.Confirm.NoneOnRegister, cfg.Notify.Mail = true, nil })
}

// IDENT-13, CONF-9, PROT-37: the longest address can register, and be confirmed.
func TestRegisterLongAddress(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		longest := emailVectors[len(emailVectors)-1]
		for _, v := range emailVectors {
			if len(v.stored) == 254 {
				longest = v
			}
		}
		u, _, err := w.Register(t.Context(), person("", longest.input, ""), secret)
		if err != nil {
			t.Fatal(err)
		}
		same(t, longest.stored, *u.Email)
		w.confirmation(t, u.ID)
	}, func(cfg *usersrepo.Config) { cfg.Confirm.NoneOnRegister = true })
}
