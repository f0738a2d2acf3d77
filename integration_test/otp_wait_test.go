package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/roster-go/roster"
)

// judge uses a key and tells what came of it: "" for the one-time password, "wrong", or the code of an error.
func (w *world) judge(ctx context.Context, slug string, key roster.Secret, related ...roster.OTPObject) roster.Code {
	x, err := w.UseOTP(ctx, slug, key, related...)
	if err == nil && x == nil {
		return "wrong"
	}
	return codeOf(err)
}

// OTP-16, OTP-21 to OTP-24, cases 13 to 15: what wrong keys lead to.
func TestOTPWaits(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, a, b := t.Context(), roster.OTPRelated("k", "a"), roster.OTPRelated("k", "b")
		t.Run("OTP-21 a wait doubles, up to 900 s, for every operation and the right key, case 13", func(t *testing.T) {
			w.otp(t, "wait", fixed("123456"), a, roster.OTPMaxAttempts(100), roster.OTPExpiration(24*time.Hour))
			for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
				same(t, false, w.checks(t, "wait", "000000", a))
				until := w.Clock.Now().UTC().Add(want * time.Second)
				w.Clock.Advance(want*time.Second - time.Microsecond)
				for _, key := range []roster.Secret{"000000", "123456", "a key of some length"} {
					for _, err := range []error{
						ignore(w.CheckOTP(ctx, "wait", key, a)), ignore(w.GetValidOTP(ctx, "wait", key, a)),
						ignore(w.UseOTP(ctx, "wait", key, a)), ignore(w.ExtendOTP(ctx, "wait", key, nil, a)),
					} {
						var timeout roster.TimeoutError
						var e *roster.Error
						if !errors.Is(err, roster.ErrTooManyRequests) || !errors.As(err, &e) || !errors.As(err, &timeout) {
							t.Fatalf("got %v", err)
						}
						same(t, roster.TimeoutError{Until: until, Failures: i + 1}, timeout)
						same(t, time.Millisecond, e.RetryAfter)
					}
				}
				w.Clock.Advance(time.Microsecond)
				same(t, true, w.checks(t, "wait", "123456", a)) // at the very instant, and CheckOTP resets nothing
			}
			same(t, roster.Code(""), w.judge(ctx, "wait", "123456", a))
			same(t, 0, w.rows(t, "roster_tries WHERE scope LIKE 'otp-scope/wait/%'"))
		})
		t.Run("OTP-22 five burn it, and a new one waits on, OTP-23, case 15", func(t *testing.T) {
			w.otp(t, "burn", fixed("123456"), a)
			for i := range 5 {
				got, err := w.FindOTP(ctx, "burn", a)
				same(t, nil, err)
				same(t, []int{i, 5}, []int{got.Failures, got.MaxAttempts})
				same(t, false, w.checks(t, "burn", "000000", a))
				if i < 4 {
					w.Clock.Advance(time.Second << i)
				}
			}
			same(t, roster.Code("wrong"), w.judge(ctx, "burn", "123456", a)) // OTP-24: there is nothing to wait for
			got, err := w.FindOTP(ctx, "burn", a)
			same(t, nil, err)
			same(t, true, got == nil)
			w.otp(t, "burn", fixed("123456"), a, roster.OTPDeactivateOld())
			same(t, roster.Code("too_many_requests"), w.judge(ctx, "burn", "123456", a))
			w.Clock.Advance(16 * time.Second)
			same(t, roster.Code("wrong"), w.judge(ctx, "burn", "000000", a)) // the sixth
			w.Clock.Advance(32*time.Second - time.Microsecond)
			same(t, roster.Code("too_many_requests"), w.judge(ctx, "burn", "123456", a))
			w.Clock.Advance(time.Microsecond)
			same(t, roster.Code(""), w.judge(ctx, "burn", "123456", a))
			w.otp(t, "burn", fixed("123456"), a)
			same(t, roster.Code("wrong"), w.judge(ctx, "burn", "000000", a)) // the first: the right one was used
			w.Clock.Advance(time.Second)
			same(t, roster.Code(""), w.judge(ctx, "burn", "123456", a))
		})
		t.Run("OTP-22 burnt through one scope is burnt in every, and by its long key alone", func(t *testing.T) {
			w.otp(t, "all", fixed("a key of some length"), a, b, roster.OTPMaxAttempts(2))
			same(t, false, w.checks(t, "all", "000000", a))
			same(t, false, w.checks(t, "all", "another key of some length", b))
			for _, related := range [][]roster.OTPObject{nil, {a}, {b}, {a, b}} {
				same(t, false, w.checks(t, "all", "a key of some length", related...))
			}
		})
		t.Run("OTP-21 waits are of one slug and what is given", func(t *testing.T) {
			w.otp(t, "scope", fixed("123456"), a, b)
			w.otp(t, "scope2", fixed("123456"), a, b)
			same(t, false, w.checks(t, "scope", "000000", a))
			same(t, roster.Code("too_many_requests"), codeOf(ignore(w.CheckOTP(ctx, "scope", "123456", a))))
			same(t, true, w.checks(t, "scope", "123456", b))
			same(t, true, w.checks(t, "scope", "123456", b, a))
			same(t, true, w.checks(t, "scope2", "123456", a))
		})
		t.Run("OTP-23 failures fade 24 h after the last", func(t *testing.T) {
			made := func() {
				w.otp(t, "fade", fixed("123456"), a, roster.OTPExpiration(24*time.Hour), roster.OTPDeactivateOld())
			}
			made()
			same(t, false, w.checks(t, "fade", "000000", a))
			w.Clock.Advance(24*time.Hour - time.Microsecond)
			made()
			same(t, false, w.checks(t, "fade", "000000", a))
			w.Clock.Advance(time.Second)
			same(t, roster.Code("too_many_requests"), w.judge(ctx, "fade", "123456", a)) // 2 s: the second
			w.Clock.Advance(24*time.Hour - time.Second)
			made()
			same(t, false, w.checks(t, "fade", "000000", a))
			w.Clock.Advance(time.Second)
			same(t, true, w.checks(t, "fade", "123456", a))
		})
		t.Run("OTP-24 nothing is counted where nothing is out, OTP-25 nor without objects, case 14", func(t *testing.T) {
			before := w.rows(t, "roster_tries")
			for range 3 {
				same(t, false, w.checks(t, "none", "000000", a))
				same(t, false, w.checks(t, "none", "a key of some length", a))
			}
			x := w.otp(t, "none", b)
			for range 10 {
				same(t, false, w.checks(t, "none", other(x.SecretKey)))
				same(t, false, w.checks(t, "none", x.SecretKey, a))
			}
			same(t, true, w.checks(t, "none", x.SecretKey))
			same(t, roster.Code(""), w.judge(ctx, "none", x.SecretKey, b))
			same(t, false, w.checks(t, "none", "000000", b))
			same(t, before, w.rows(t, "roster_tries"))
		})
		t.Run("OTP-16 a rollback undoes the use, and no failure", func(t *testing.T) {
			rolledBack := func(ctx context.Context, fn func(ctx context.Context)) {
				t.Helper()
				fault := errors.New("no")
				err := w.InTx(ctx, func(ctx context.Context) error {
					fn(ctx)
					return fault
				})
				same(t, true, errors.Is(err, fault))
			}
			x := w.otp(t, "tx", a)
			rolledBack(ctx, func(ctx context.Context) {
				same(t, roster.Code(""), w.judge(ctx, "tx", x.SecretKey, a))
				same(t, roster.Code("wrong"), w.judge(ctx, "tx", x.SecretKey, a))
			})
			same(t, true, w.checks(t, "tx", x.SecretKey, a))
			for i := range 3 {
				rolledBack(ctx, func(ctx context.Context) {
					rolledBack(ctx, func(ctx context.Context) {
						same(t, roster.Code("wrong"), w.judge(ctx, "tx", other(x.SecretKey), a))
					})
				})
				same(t, roster.Code("too_many_requests"), w.judge(ctx, "tx", x.SecretKey, a))
				w.Clock.Advance(time.Second << i)
			}
			got, err := w.GetValidOTP(ctx, "tx", x.SecretKey, a)
			same(t, nil, err)
			same(t, 3, got.Failures)
			same(t, nil, w.InTx(ctx, func(ctx context.Context) error {
				rolledBack(ctx, func(ctx context.Context) {
					same(t, roster.Code("wrong"), w.judge(ctx, "tx", other(x.SecretKey), a))
				})
				return nil
			}))
			same(t, roster.Code("too_many_requests"), w.judge(ctx, "tx", x.SecretKey, a))
			w.Clock.Advance(8 * time.Second)
			x = w.otp(t, "tx", a)
			same(t, nil, w.InTx(ctx, func(ctx context.Context) error {
				same(t, roster.Code("wrong"), w.judge(ctx, "tx", other(x.SecretKey), a))
				w.Clock.Advance(16 * time.Second)
				ok, err := w.ExtendOTP(ctx, "tx", x.SecretKey, nil, a) // it changes the row, which is tried again
				same(t, nil, err)
				same(t, true, ok)
				same(t, roster.Code(""), w.judge(ctx, "tx", x.SecretKey, a))
				return nil
			}))
			same(t, false, w.checks(t, "tx", x.SecretKey, a))
		})
		t.Run("OTP-21 it is tried while the owner's row is locked, and for an owner made just now", func(t *testing.T) {
			u := w.add(t, person("anna", "", ""))
			w.otp(t, "own", fixed("123456"), roster.OTPOwner(u.ID))
			same(t, nil, w.InTx(ctx, func(ctx context.Context) error {
				_, err := w.Update(ctx, u.ID, rename)
				same(t, roster.Code("wrong"), w.judge(ctx, "own", "000000", roster.OTPOwner(u.ID)))
				return err
			}))
			same(t, nil, w.InTx(ctx, func(ctx context.Context) error {
				u, err := w.Create(ctx, person("berta", "", ""))
				if err != nil {
					return err
				}
				if _, err := w.CreateOTP(ctx, "own", fixed("123456"), roster.OTPOwner(u.ID)); err != nil {
					return err
				}
				same(t, roster.Code("wrong"), w.judge(ctx, "own", "000000", roster.OTPOwner(u.ID)))
				w.Clock.Advance(time.Second)
				same(t, roster.Code(""), w.judge(ctx, "own", "123456", roster.OTPOwner(u.ID)))
				return nil
			}))
		})
	})
}
