package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// otp makes a one-time password.
func (w *world) otp(t testing.TB, slug string, options ...roster.OTPOption) *roster.OTP {
	t.Helper()
	x, err := w.CreateOTP(t.Context(), slug, options...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// checks asks whether a key is right.
func (w *world) checks(t testing.TB, slug string, key roster.Secret, related ...roster.OTPObject) bool {
	t.Helper()
	ok, err := w.CheckOTP(t.Context(), slug, key, related...)
	if err != nil {
		t.Errorf("check: %v", err)
	}
	return ok
}

// fixed is a generator of one key.
func fixed(key string) roster.OTPOption {
	return roster.OTPKeyGenerator(func() (string, error) { return key, nil })
}

// keys are made one after the other; the last again and again.
func keys(list ...string) roster.OTPOption {
	i := -1
	return roster.OTPKeyGenerator(func() (string, error) {
		i = min(i+1, len(list)-1)
		return list[i], nil
	})
}

// OTP-1, OTP-3, OTP-4, OTP-7, OTP-9, OTP-11, OTP-13, cases 1 to 3 and 12: what CreateOTP makes and refuses.
func TestCreateOTP(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		t.Run("OTP-1 is 20 alphanumerics for 10 minutes, told once, case 1", func(t *testing.T) {
			x := w.otp(t, "invite")
			key := x.SecretKey.Reveal()
			if len(key) != 20 || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
				t.Errorf("key %q", key)
			}
			same(t, 10*time.Minute, x.ExpiresAt.Sub(x.CreatedAt))
			same(t, w.Clock.Now().UTC(), x.CreatedAt)
			same(t, true, x.Active)
			var logged bytes.Buffer
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("made", "otp", x)
			encoded, err := json.Marshal(x)
			same(t, nil, err)
			for _, text := range []string{fmt.Sprintf("%v %+v %#v", x, *x, x), logged.String(), string(encoded), strings.Join(w.everything(t), "\n")} {
				if strings.Contains(text, key) {
					t.Errorf("the key is in %s", text)
				}
			}
			got, err := w.GetValidOTP(ctx, "invite", x.SecretKey)
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			x.SecretKey = ""
			same(t, x, got)
		})
		t.Run("keeps what is given, case 2", func(t *testing.T) {
			x := w.otp(t, "cart", fixed("just-sixteen-chars"), roster.OTPExpiration(14*time.Second), roster.OTPMaxAttempts(7),
				roster.OTPData(map[string]any{"n": 1, "nul": "a\x00b"}), roster.OTPRelated("cart", "7"), roster.OTPRelated("cart", "7"))
			same(t, "just-sixteen-chars", x.SecretKey.Reveal())
			same(t, 14*time.Second, x.ExpiresAt.Sub(x.CreatedAt))
			got, err := w.GetValidOTP(ctx, "cart", x.SecretKey)
			same(t, nil, err)
			same(t, []roster.OTPObject{{Kind: "cart", ID: "7"}}, got.Related)
			same(t, 7, got.MaxAttempts)
			var data struct {
				N   int
				Nul string
			}
			same(t, nil, json.Unmarshal(got.Data, &data))
			same(t, 1, data.N)
			same(t, "a\x00b", data.Nul)
		})
		t.Run("OTP-4 refuses slugs of another form and the library's own", func(t *testing.T) {
			for _, slug := range []string{"", "A", "a b", "ä", "a\x00", "a/b", "a\n", strings.Repeat("a", 65)} {
				_, err := w.CreateOTP(ctx, slug)
				refused(t, err, roster.ErrValidationFailed, "slug:invalid")
				_, err = w.CheckOTP(ctx, slug, "x")
				refused(t, err, roster.ErrValidationFailed, "slug:invalid")
			}
			_, err := w.CreateOTP(ctx, "roster.verify")
			refused(t, err, roster.ErrValidationFailed, "slug:forbidden_field")
			w.otp(t, strings.Repeat("a", 64))
			w.otp(t, "roster-.az_09")
		})
		t.Run("OTP-8 refuses objects that cannot be stored, and users who are not there", func(t *testing.T) {
			many := make([]roster.OTPOption, 17)
			for i := range many {
				many[i] = roster.OTPRelated("k", fmt.Sprint(i))
			}
			for _, options := range [][]roster.OTPOption{
				{roster.OTPRelated("", "x")},
				{roster.OTPRelated("k", "")},
				{roster.OTPRelated("K", "x")},
				{roster.OTPRelated("k", "a\x00")},
				{roster.OTPRelated("k", "\xff")},
				{roster.OTPRelated("k", strings.Repeat("a", 256))},
				{roster.OTPRelated("user", "bob")},
				{roster.OTPOwner(roster.ID{})},
				many,
			} {
				_, err := w.CreateOTP(ctx, "x", options...)
				refused(t, err, roster.ErrValidationFailed, "related:invalid")
			}
			w.otp(t, "x", many[:16]...)
			before := w.rows(t, "roster_otps")
			_, err := w.CreateOTP(ctx, "x", roster.OTPOwner(roster.NewID()))
			refused(t, err, roster.ErrNotFound, "related:invalid")
			same(t, before, w.rows(t, "roster_otps"))
		})
		t.Run("OTP-9 refuses data that is no JSON or too long", func(t *testing.T) {
			for _, value := range []any{math.NaN(), make(chan int), json.RawMessage("{"), json.RawMessage("\"\xff\"")} {
				_, err := w.CreateOTP(ctx, "x", roster.OTPData(value))
				refused(t, err, roster.ErrValidationFailed, "data:invalid")
			}
			_, err := w.CreateOTP(ctx, "x", roster.OTPData(strings.Repeat("a", 8<<10-1)))
			refused(t, err, roster.ErrValidationFailed, "data:too_long")
			w.otp(t, "x", roster.OTPData(strings.Repeat("a", 8<<10-2)))
			got, err := w.GetValidOTP(ctx, "x", w.otp(t, "x", roster.OTPData(nil)).SecretKey)
			same(t, nil, err)
			same(t, "null", string(got.Data))
		})
		t.Run("OTP-11 refuses lives of nothing and over MaxLife, OTP-22 attempts of nothing", func(t *testing.T) {
			for _, life := range []time.Duration{0, -1, 24*time.Hour + 1, math.MaxInt64} {
				_, err := w.CreateOTP(ctx, "x", roster.OTPExpiration(life))
				refused(t, err, roster.ErrValidationFailed, "expiration:invalid")
			}
			w.otp(t, "x", roster.OTPExpiration(24*time.Hour))
			for _, n := range []int{0, -1, 1001} {
				_, err := w.CreateOTP(ctx, "x", roster.OTPMaxAttempts(n))
				refused(t, err, roster.ErrValidationFailed, "max_attempts:invalid")
			}
		})
		t.Run("OTP-13 a key under 16 characters needs a related object, case 12", func(t *testing.T) {
			_, err := w.CreateOTP(ctx, "x", fixed("123456789012345"))
			refused(t, err, roster.ErrValidationFailed, "related:required")
			w.otp(t, "x", fixed("1234567890123456"))
			_, err = w.CreateOTP(ctx, "x", fixed("ääääääää")) // 16 bytes, 8 characters
			refused(t, err, roster.ErrValidationFailed, "related:required")
		})
		t.Run("OTP-7 joins a transaction", func(t *testing.T) {
			fault := errors.New("no")
			var key roster.Secret
			err := w.InTx(ctx, func(ctx context.Context) error {
				x, err := w.CreateOTP(ctx, "tx", roster.OTPRelated("k", "1"), roster.OTPKeyGenerator(roster.Digits(6)))
				if err != nil {
					return err
				}
				key = x.SecretKey
				ok, err := w.CheckOTP(ctx, "tx", key, roster.OTPRelated("k", "1"))
				same(t, nil, err)
				same(t, true, ok)
				return fault
			})
			same(t, true, errors.Is(err, fault))
			same(t, false, w.checks(t, "tx", key, roster.OTPRelated("k", "1")))
			same(t, 0, w.rows(t, "roster_otps WHERE slug = 'tx'"))
		})
	})
}

// OTP-10, OTP-11, case 3: settings replace the defaults.
func TestOTPSettings(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		x := w.otp(t, "x")
		same(t, "from-the-settings!", x.SecretKey.Reveal())
		same(t, time.Minute, x.ExpiresAt.Sub(x.CreatedAt))
		_, err := w.CreateOTP(t.Context(), "x", roster.OTPExpiration(time.Hour+1))
		refused(t, err, roster.ErrValidationFailed, "expiration:invalid")
	}, func(cfg *usersrepo.Config) {
		o := &cfg.OneTime
		o.Expiration, o.MaxLife = time.Minute, time.Hour
		o.KeyGenerator = func() (string, error) { return "from-the-settings!", nil }
	})
}

// OTP-10, case 11: a key that is taken is made anew, a hundred times at most.
func TestOTPCollisions(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, owner, other := t.Context(), roster.OTPRelated("k", "1"), roster.OTPRelated("k", "2")
		w.otp(t, "x", fixed("123456"), owner)
		calls := 0
		_, err := w.CreateOTP(ctx, "x", owner, roster.OTPKeyGenerator(func() (string, error) { calls++; return "123456", nil }))
		refused(t, err, roster.ErrKeysExhausted)
		same(t, roster.Code("key_generator_exhausted"), roster.ErrKeysExhausted.Code)
		same(t, 100, calls)
		same(t, 1, w.rows(t, "roster_otps"))

		list := strings.Split(strings.Repeat("123456,", 99)+"654321", ",")
		same(t, "654321", w.otp(t, "x", owner, keys(list...)).SecretKey.Reveal())
		w.otp(t, "x", other, fixed("123456")) // OTP-20
		w.otp(t, "y", owner, fixed("123456"))
		w.otp(t, "x", owner, other, fixed("123456")) // another scope

		w.otp(t, "x", fixed("a key of some length"), owner) // a long key has no scope
		_, err = w.CreateOTP(ctx, "x", other, fixed("a key of some length"))
		refused(t, err, roster.ErrKeysExhausted)

		t.Run("gives way when it is dead", func(t *testing.T) {
			w.Clock.Advance(10 * time.Minute)
			w.otp(t, "x", owner, fixed("123456"))
			w.otp(t, "burnt", owner, fixed("123456"), roster.OTPMaxAttempts(1))
			same(t, false, w.checks(t, "burnt", "1", owner))
			w.Clock.Advance(time.Second)
			same(t, false, w.checks(t, "burnt", "123456", owner))
			w.otp(t, "burnt", owner, fixed("123456"))
			same(t, true, w.checks(t, "burnt", "123456", owner))
		})
		t.Run("other errors are not tried again", func(t *testing.T) {
			calls, fault := 0, errors.New("no entropy")
			_, err := w.CreateOTP(ctx, "x", owner, roster.OTPKeyGenerator(func() (string, error) { calls++; return "", fault }))
			refused(t, err, roster.ErrInternal)
			same(t, true, errors.Is(err, fault))
			for _, key := range []string{"", " \n", strings.Repeat("a", 257)} {
				_, err := w.CreateOTP(ctx, "x", owner, roster.OTPKeyGenerator(func() (string, error) { calls++; return key, nil }))
				refused(t, err, roster.ErrInternal)
			}
			_, err = w.CreateOTP(ctx, "x", roster.OTPOwner(roster.NewID()), roster.OTPKeyGenerator(func() (string, error) { calls++; return "123", nil }))
			refused(t, err, roster.ErrNotFound, "related:invalid")
			same(t, 5, calls)
		})
	})
}

// OTP-27: the program alone calls them, or what runs in one of its operations; no event fires.
func TestOTPActors(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("anna", "", ""))
		w.fired()
		as := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID})
		_, err := w.CreateOTP(as, "x")
		refused(t, err, roster.ErrForbidden)
		for name, err := range map[string]error{
			"find": ignore(w.FindOTP(as, "x")), "check": ignore(w.CheckOTP(as, "x", "k")), "get": ignore(w.GetValidOTP(as, "x", "k")),
			"use": ignore(w.UseOTP(as, "x", "k")), "extend": ignore(w.ExtendOTP(as, "x", "k", nil)), "deactivate": ignore(w.DeactivateOTP(as, "x")),
		} {
			if !errors.Is(err, roster.ErrForbidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
		x := w.otp(t, "x")
		_, err = w.UseOTP(t.Context(), "x", x.SecretKey)
		same(t, nil, err)
		same(t, []string(nil), w.fired())
	})
}
