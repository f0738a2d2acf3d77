package integration_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/usersrepo"
)

// code delivers what is queued and returns the code that went to somebody last.
func (w *world) code(t testing.TB, to string) roster.Secret {
	t.Helper()
	w.post(t)
	for _, m := range w.Mailbox.All() { // the newest first
		if m.To == to && m.Code != "" {
			return m.Code
		}
	}
	t.Fatalf("no code to %s", to)
	return ""
}

// other returns a code that is not this one.
func other(code roster.Secret) roster.Secret {
	digit := "0"
	if code.Reveal()[0] == '0' {
		digit = "1"
	}
	return roster.Secret(digit + code.Reveal()[1:])
}

const number = "+12025550134"

// CONF-18, CONF-19, OTP-30, OTP-31, OTP-34: a phone number is proven by a code.
func TestConfirmPhone(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("CONF-19 the right code proves it once, case 10", func(t *testing.T) {
			u := w.add(t, person("anna", "", number))
			w.fired()
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			same(t, []string{"BeforeMessage", "AfterMessage", "OnMessage"}, w.fired())
			code := w.code(t, number)
			if len(code) != 6 || strings.Trim(code.Reveal(), "0123456789") != "" {
				t.Errorf("OTP-30: code %q", code.Reveal())
			}
			m, _ := w.Mailbox.Last(number)
			if !strings.HasSuffix(strings.TrimSpace(m.Text), "@app.example #"+code.Reveal()) {
				t.Errorf("MAIL-46: text %q", m.Text)
			}
			w.fired()
			spaced := roster.Secret(" " + code.Reveal()[:3] + "-" + code.Reveal()[3:] + " ") // OTP-5, SEC-21
			u, err := w.ConfirmPhone(ctx, u.ID, spaced)
			if err != nil || u.PhoneVerifiedAt == nil {
				t.Fatal(err)
			}
			same(t, []string{"BeforePhoneConfirm", "AfterPhoneConfirm", "OnPhoneConfirm"}, w.fired())
			_, err = w.ConfirmPhone(ctx, u.ID, code)
			refused(t, err, roster.ErrAlreadyConfirmed)
			refused(t, w.RequestPhoneConfirmation(ctx, u.ID), roster.ErrAlreadyConfirmed)
			same(t, 0, w.rows(t, "roster_tries"))
		})
		t.Run("OTP-24 nobody waits for a code that was not sent", func(t *testing.T) {
			u := w.add(t, person("berta", "", "+12025550135"))
			for range 3 {
				_, err := w.ConfirmPhone(ctx, u.ID, "123456")
				refused(t, err, roster.ErrInvalidCode)
			}
			_, err := w.ConfirmPhone(ctx, u.ID, " - ")
			refused(t, err, roster.ErrValidationFailed, "code:required")
			same(t, 0, w.rows(t, "roster_tries"))
			refused(t, w.RequestPhoneConfirmation(ctx, w.add(t, person("berta2", "", "")).ID), roster.ErrNotFound)
		})
		t.Run("OTP-21 a wrong one makes the right one wait, OTP-22 five burn it, case 15", func(t *testing.T) {
			u := w.add(t, person("carla", "", "+12025550136"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			code := w.code(t, "+12025550136")
			wait := time.Second
			for i := range 5 {
				_, err := w.ConfirmPhone(ctx, u.ID, other(code))
				refused(t, err, roster.ErrInvalidCode)
				_, err = w.ConfirmPhone(ctx, u.ID, code)
				if i == 4 { // it is burnt, and there is nothing to wait for
					refused(t, err, roster.ErrInvalidCode)
					w.Clock.Advance(wait)
					wait *= 2
					continue
				}
				refused(t, err, roster.ErrTooManyRequests)
				if e := (*roster.Error)(nil); !errors.As(err, &e) || e.RetryAfter != wait {
					t.Errorf("wait %v, want %s", err, wait)
				}
				w.Clock.Advance(wait)
				wait *= 2
			}
			_, err := w.ConfirmPhone(ctx, u.ID, code)
			refused(t, err, roster.ErrInvalidCode)
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			code = w.code(t, "+12025550136")
			_, err = w.ConfirmPhone(ctx, u.ID, other(code)) // OTP-23: the sixth, though the code is new
			refused(t, err, roster.ErrInvalidCode)
			_, err = w.ConfirmPhone(ctx, u.ID, code)
			refused(t, err, roster.ErrTooManyRequests)
			w.Clock.Advance(wait)
			_, err = w.ConfirmPhone(ctx, u.ID, code)
			same(t, nil, err)
		})
		t.Run("OTP-6 a code is late at the end of its 10 minutes, OTP-31 a newer one replaces it", func(t *testing.T) {
			u := w.add(t, person("dora", "", "+12025550137"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			first := w.code(t, "+12025550137")
			refused(t, w.RequestPhoneConfirmation(ctx, u.ID), roster.ErrQuotaExhausted) // OTP-32: 30 s apart
			w.Clock.Advance(30 * time.Second)
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			second := w.code(t, "+12025550137")
			if first != second {
				_, err := w.ConfirmPhone(ctx, u.ID, first)
				refused(t, err, roster.ErrInvalidCode)
				w.Clock.Advance(time.Second)
			}
			w.Clock.Advance(10 * time.Minute)
			_, err := w.ConfirmPhone(ctx, u.ID, second)
			refused(t, err, roster.ErrInvalidCode)
		})
		t.Run("OTP-32 five in half an hour, and asking whether one may costs nothing, CONF-8", func(t *testing.T) {
			u := w.add(t, person("emma", "", "+12025550138"))
			for range 5 {
				for range 10 {
					v, err := w.IsPhoneConfirmationAvailable(ctx, u.ID)
					if err != nil || !v.Allowed {
						t.Fatal(v, err)
					}
				}
				same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
				v, _ := w.IsPhoneConfirmationAvailable(ctx, u.ID)
				same(t, false, v.Allowed)
				w.Clock.Advance(30 * time.Second)
			}
			refused(t, w.RequestPhoneConfirmation(ctx, u.ID), roster.ErrQuotaExhausted)
			v, _ := w.IsPhoneConfirmationAvailable(ctx, u.ID)
			if v.Allowed || v.RetryAfter <= 0 || v.RetryAfter > 30*time.Minute {
				t.Errorf("%+v", v)
			}
		})
		t.Run("OTP-36 a number that changes voids its codes, case 16", func(t *testing.T) {
			u := w.add(t, person("frida", "", "+12025550139"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			code := w.code(t, "+12025550139")
			w.edit(t, u.ID, func(p *Person) { p.Phone = new("+12025550140") })
			_, err := w.ConfirmPhone(ctx, u.ID, code)
			refused(t, err, roster.ErrInvalidCode)
			same(t, true, w.read(t, u.ID).PhoneVerifiedAt == nil)
		})
		t.Run("OTP-20 a code is good for its owner and contact alone, SEC-20", func(t *testing.T) {
			a, b := w.add(t, person("gerda", "gerda@example.com", "+12025550141")), w.add(t, person("hanna", "", "+12025550142"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, a.ID))
			same(t, nil, w.RequestPhoneConfirmation(ctx, b.ID))
			code, others := w.code(t, "+12025550141"), w.code(t, "+12025550142")
			if code != others {
				_, err := w.ConfirmPhone(ctx, b.ID, code)
				refused(t, err, roster.ErrInvalidCode)
			}
			_, err := w.CheckEmailCode(ctx, a.ID, roster.CodeVerify, code)
			refused(t, err, roster.ErrInvalidCode)
			_, err = w.ConfirmEmail(ctx, code)
			refused(t, err, roster.ErrInvalidToken)
			_, err = w.ConfirmPhoneChange(ctx, a.ID, code)
			refused(t, err, roster.ErrInvalidCode)
		})
		t.Run("CONF-17 a hook's veto leaves the code good, and takes no try", func(t *testing.T) {
			u := w.add(t, person("ida", "", "+12025550143"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			code, fault := w.code(t, "+12025550143"), errors.New("no")
			remove := w.On.PhoneConfirm.Before(func(context.Context, *callbacks.PhoneConfirm[*Person]) error { return fault })
			for range 6 {
				_, err := w.ConfirmPhone(ctx, u.ID, code)
				same(t, true, errors.Is(err, fault))
			}
			remove()
			_, err := w.ConfirmPhone(ctx, u.ID, code)
			same(t, nil, err)
		})
		t.Run("CONF-20 a code proves an e-mail address too, and the link does so without an event then, CONF-14", func(t *testing.T) {
			u := w.add(t, person("julia", "julia@example.com", ""))
			link := w.confirmation(t, u.ID)
			same(t, nil, w.SendEmailCode(ctx, u.ID, roster.CodeVerify))
			code := w.code(t, "julia@example.com")
			w.fired()
			_, err := w.CheckEmailCode(ctx, u.ID, roster.CodeVerify, code)
			same(t, nil, err)
			same(t, []string{"BeforeEmailConfirm", "AfterEmailConfirm", "OnEmailConfirm"}, w.fired())
			_, err = w.ConfirmEmail(ctx, link)
			same(t, nil, err)
			same(t, []string(nil), w.fired())
		})
		t.Run("CONF-20 the link voids the code", func(t *testing.T) {
			u := w.add(t, person("klara", "klara@example.com", ""))
			link := w.confirmation(t, u.ID)
			same(t, nil, w.SendEmailCode(ctx, u.ID, roster.CodeVerify))
			_, err := w.ConfirmEmail(ctx, link)
			same(t, nil, err)
			same(t, 1, w.rows(t, "roster_links WHERE user_id = $1 AND purpose = 'code:verify:email' AND voided_at IS NOT NULL", u.ID))
			same(t, 0, w.rows(t, "roster_messages WHERE user_id = $1 AND kind = 'code_email' AND state = 'pending'", u.ID)) // MAIL-9
		})
		t.Run("OTP-33 refuses other purposes", func(t *testing.T) {
			u := w.add(t, person("lotte", "", "+12025550144"))
			refused(t, w.SendPhoneCode(ctx, u.ID, "change"), roster.ErrValidationFailed, "purpose:invalid")
			_, err := w.CheckPhoneCode(ctx, u.ID, "", "123456")
			refused(t, err, roster.ErrValidationFailed, "purpose:invalid")
		})
		t.Run("OTP-21 a try stands when the program rolls back, and is counted before", func(t *testing.T) {
			u := w.add(t, person("maria", "", "+12025550145"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			code, fault := w.code(t, "+12025550145"), errors.New("no")
			err := w.InTx(ctx, func(ctx context.Context) error {
				_, err := w.ConfirmPhone(ctx, u.ID, other(code))
				refused(t, err, roster.ErrInvalidCode)
				return fault
			})
			same(t, true, errors.Is(err, fault) || errors.Is(err, roster.ErrInvalidCode))
			_, err = w.ConfirmPhone(ctx, u.ID, code)
			refused(t, err, roster.ErrTooManyRequests)
		})
		t.Run("OTP-2 no table holds a code", func(t *testing.T) {
			u := w.add(t, person("nora", "", "+12025550146"))
			same(t, nil, w.RequestPhoneConfirmation(ctx, u.ID))
			pending := strings.Join(w.tables(t), "\n")
			code := w.code(t, "+12025550146")
			if strings.Contains(pending, code.Reveal()) && !strings.Contains("2025550146", code.Reveal()) {
				t.Error("the code is in a table")
			}
		})
	})
}

// OTP-40, SEC-26: of 64 with the right code at once one has an effect.
func TestConfirmPhoneRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", number))
		same(t, nil, w.RequestPhoneConfirmation(t.Context(), u.ID))
		code := w.code(t, number)
		var events atomic.Int32
		w.On.PhoneConfirm.On(func(context.Context, *callbacks.PhoneConfirm[*Person]) error { events.Add(1); return nil })
		wins := atOnce(64, func(int) error {
			_, err := w.ConfirmPhone(t.Context(), u.ID, code)
			return err
		})[""]
		same(t, []int{1, 1}, []int{wins, int(events.Load())})
	})
}

// OTP-35, PASS-43, PASS-52: a phone-only account resets its password by a code.
func TestResetByPhone(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.add(t, person("anna", "", number), roster.WithPhoneVerified(), roster.WithPassword(secret))
		pair := w.issue(t, u.ID)
		same(t, nil, w.RequestPasswordReset(ctx, "+1 202 555 0134"))
		code := w.code(t, number)
		_, err := w.CheckPhoneCode(ctx, u.ID, roster.CodeVerify, code)
		refused(t, err, roster.ErrAlreadyConfirmed)
		result, err := w.CheckPhoneCode(ctx, u.ID, roster.CodeReset, code)
		if err != nil {
			t.Fatal(err)
		}
		same(t, 10*time.Minute, result.ExpiresIn)
		w.alive(t, pair)
		_, err = w.CheckPhoneCode(ctx, u.ID, roster.CodeReset, code)
		refused(t, err, roster.ErrInvalidCode)
		_, err = w.ResetPassword(ctx, result.ResetToken, "another long passphrase")
		same(t, nil, err)
		w.dead(t, pair)
		same(t, nil, w.CheckPassword(ctx, u.ID, "another long passphrase"))
		_, err = w.ResetPassword(ctx, result.ResetToken, "yet another passphrase")
		refused(t, err, roster.ErrInvalidToken)

		unproven := w.add(t, person("berta", "", "+12025550199"), roster.WithPassword(secret))
		refused(t, w.SendPhoneCode(ctx, unproven.ID, roster.CodeReset), roster.ErrNotFound) // OTP-33
	})
}

// OTP-30: codes in mails of an alphabet of the program's own.
func TestOTP_30_Alphabet(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "anna@example.com", "+12025550101"))
		same(t, nil, w.SendEmailCode(t.Context(), u.ID, roster.CodeVerify))
		code := w.code(t, "anna@example.com")
		if len(code) != 8 || strings.Trim(code.Reveal(), "ABCDEFGHJKMNPQRSTUVWXYZ") != "" {
			t.Error(code.Reveal())
		}
		_, err := w.CheckEmailCode(t.Context(), u.ID, roster.CodeVerify, roster.Secret(code.Reveal()[:4]+"-"+code.Reveal()[4:]))
		same(t, nil, err)
		w.Clock.Advance(time.Minute)
		same(t, nil, w.SendPhoneCode(t.Context(), u.ID, roster.CodeVerify))
		if number := w.code(t, "+12025550101"); len(number) != 6 || strings.Trim(number.Reveal(), "0123456789") != "" {
			t.Error(number.Reveal())
		}
	}, func(cfg *usersrepo.Config) {
		cfg.OneTime.EmailAlphabet, cfg.OneTime.EmailDigits = "ABCDEFGHJKMNPQRSTUVWXYZ", 8
	})
}
