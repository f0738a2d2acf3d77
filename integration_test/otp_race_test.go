package integration_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roster-go/roster"
)

// OTP-16, case 8: of 64 with the right key at once one gets it.
func TestUseOTPRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		owner := roster.OTPRelated("k", "1")
		for name, related := range map[string][]roster.OTPObject{"by a long key": nil, "in a scope": {owner}} {
			t.Run(name, func(t *testing.T) {
				x := w.otp(t, "x", owner)
				same(t, map[roster.Code]int{"": 1, "wrong": 63}, atOnce(64, func(int) error { return use(t.Context(), w, x, related) }))
				same(t, 0, w.rows(t, "roster_tries"))
			})
		}
		t.Run("in transactions that are rolled back", func(t *testing.T) {
			x := w.otp(t, "x", owner)
			fault := errors.New("rolled back")
			got := atOnce(8, func(int) error {
				return w.InTx(t.Context(), func(ctx context.Context) error {
					if err := use(ctx, w, x, nil); err != nil {
						return err
					}
					return fault
				})
			})
			same(t, map[roster.Code]int{"rolled back": 8}, got)
			same(t, true, w.checks(t, "x", x.SecretKey))
		})
	})
}

func use(ctx context.Context, w *world, x *roster.OTP, related []roster.OTPObject) error {
	got, err := w.UseOTP(ctx, x.Slug, x.SecretKey, related...)
	if err == nil && got == nil {
		return errors.New("wrong")
	}
	return err
}

// OTP-21, OTP-22, OTP-40: of many guesses at once one is judged at a time, also in transactions that are rolled back, and
// the rest have to wait; over all scopes no more than the one-time password allows.
func TestGuessOTPRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		owner := roster.OTPRelated("k", "1")
		guess := func(ctx context.Context, related ...roster.OTPObject) error {
			ok, err := w.CheckOTP(ctx, "x", "000000", related...)
			if err == nil && !ok {
				return errors.New("wrong")
			}
			return err
		}
		w.otp(t, "x", fixed("123456"), owner)
		same(t, map[roster.Code]int{"wrong": 1, "too_many_requests": 63}, atOnce(64, func(int) error { return guess(t.Context(), owner) }))
		w.Clock.Advance(time.Second)
		same(t, map[roster.Code]int{"wrong": 1, "too_many_requests": 15}, atOnce(16, func(int) error {
			return w.InTx(t.Context(), func(ctx context.Context) error { return guess(ctx, owner) })
		}))
		got, err := w.FindOTP(t.Context(), "x", owner)
		same(t, nil, err)
		same(t, 2, got.Failures)

		t.Run("through scopes of its own each", func(t *testing.T) {
			w.Clock.Advance(time.Minute)
			options := []roster.OTPOption{keys("123456")}
			for i := range 16 {
				options = append(options, roster.OTPRelated("many", fmt.Sprint(i)))
			}
			x := w.otp(t, "x", options...)
			wrong := atOnce(16, func(i int) error { return guess(t.Context(), roster.OTPRelated("many", fmt.Sprint(i))) })
			same(t, map[roster.Code]int{"wrong": 16}, wrong)
			ok, err := w.CheckOTP(t.Context(), "x", x.SecretKey, roster.OTPRelated("many", "0"), roster.OTPRelated("many", "1"))
			same(t, nil, err)
			same(t, false, ok) // burnt
		})
	})
}
