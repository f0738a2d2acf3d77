package integration_test

import (
	"math"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// OTP-12, OTP-18, OTP-19, cases 4 and 5: what is switched off.
func TestDeactivateOTP(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, a, b := t.Context(), roster.OTPRelated("k", "a"), roster.OTPRelated("k", "b")
		live := func(slug string) int {
			return w.rows(t, "roster_otps WHERE ended_at IS NULL AND slug = $1", slug)
		}
		off := func(want int, slug string, matches ...roster.OTPMatch) {
			t.Helper()
			n, err := w.DeactivateOTP(ctx, slug, matches...)
			same(t, nil, err)
			same(t, want, n)
		}
		t.Run("OTP-12 with a new one, those of the slug with all its objects, case 4", func(t *testing.T) {
			for _, related := range [][]roster.OTPOption{{a}, {a, b}, {b}} {
				w.otp(t, "old", related...)
				w.otp(t, "else", related...)
			}
			fresh := w.otp(t, "old", a, roster.OTPDeactivateOld())
			same(t, 2, live("old"))
			same(t, 3, live("else"))
			same(t, true, w.checks(t, "old", fresh.SecretKey))
			_, err := w.CreateOTP(ctx, "old", roster.OTPDeactivateOld())
			refused(t, err, roster.ErrValidationFailed, "related:required")
			same(t, 2, live("old"))
			w.otp(t, "old", roster.OTPDeactivateOld(), roster.OTPAllOwners())
			same(t, 1, live("old"))
			_, err = w.CreateOTP(ctx, "old", fixed(""), a, roster.OTPDeactivateOld(), roster.OTPAllOwners())
			refused(t, err, roster.ErrInternal)
			same(t, 1, live("old"))
		})
		t.Run("OTP-18 by key, by objects, by slug, case 5", func(t *testing.T) {
			x := w.otp(t, "off", a)
			w.otp(t, "off", a, b)
			w.otp(t, "off", fixed("123456"), a)
			w.otp(t, "off", b)
			w.otp(t, "other", a)
			off(0, "off", roster.OTPKey(other(x.SecretKey)))
			off(0, "off", roster.OTPKey(x.SecretKey), b)
			off(0, "off", roster.OTPKey("123456")) // short, and nothing said of what it is related to
			off(0, "off", roster.OTPKey("123456"), b)
			off(0, "off", roster.OTPKey(""), a)
			off(1, "off", roster.OTPKey(x.SecretKey))
			off(0, "off", roster.OTPKey(x.SecretKey))
			off(1, "off", roster.OTPKey("123456"), a)
			off(1, "off", a, b)
			off(1, "off", b)
			same(t, 0, live("off"))
			same(t, 1, live("other"))
			w.otp(t, "off")
			w.otp(t, "off", b)
			w.Clock.Advance(10 * time.Minute)
			w.otp(t, "off", b)
			off(1, "off") // expired ones do not count
		})
	})
}

// OTP-17, case 10.
func TestExtendOTP(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		began := w.Clock.Now().UTC()
		x := w.otp(t, "x")
		ends := func() time.Duration {
			got, err := w.GetValidOTP(ctx, "x", x.SecretKey)
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			return got.ExpiresAt.Sub(began)
		}
		extend := func(want bool, slug string, key roster.Secret, life *time.Duration) {
			t.Helper()
			ok, err := w.ExtendOTP(ctx, slug, key, life)
			same(t, nil, err)
			same(t, want, ok)
		}
		w.Clock.Advance(time.Minute)
		extend(true, "x", x.SecretKey, new(5*time.Second))
		same(t, time.Minute+5*time.Second, ends())
		extend(true, "x", x.SecretKey, nil)
		same(t, 11*time.Minute, ends())
		for _, life := range []time.Duration{24 * time.Hour, math.MaxInt64} {
			extend(true, "x", x.SecretKey, &life)
			same(t, 24*time.Hour, ends())
		}
		extend(false, "x", other(x.SecretKey), nil)
		extend(false, "y", x.SecretKey, nil)
		extend(false, "x", "", nil)
		for _, life := range []time.Duration{0, -1} {
			_, err := w.ExtendOTP(ctx, "x", x.SecretKey, &life)
			refused(t, err, roster.ErrValidationFailed, "expiration:invalid")
		}
		same(t, 24*time.Hour, ends())
		w.Clock.Advance(24 * time.Hour)
		extend(false, "x", x.SecretKey, nil)
		x = w.otp(t, "x")
		_, err := w.UseOTP(ctx, "x", x.SecretKey)
		same(t, nil, err)
		before := w.tables(t)
		extend(false, "x", x.SecretKey, nil)
		same(t, before, w.tables(t))
	})
}

// OTP-8, OTP-26, case 22: what is over goes, and what is a removed user's.
func TestCleanOTPs(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, owner := t.Context(), roster.OTPRelated("k", "1")
		same(t, nil, ignore(w.Clean(ctx)))
		x := w.otp(t, "used")
		w.otp(t, "burnt", fixed("123456"), owner, roster.OTPMaxAttempts(1))
		w.otp(t, "expired", roster.OTPExpiration(time.Second))
		w.otp(t, "live", owner)
		w.Clock.Advance(time.Second)
		same(t, nil, ignore(w.UseOTP(ctx, "used", x.SecretKey)))
		same(t, false, w.checks(t, "burnt", "1", owner))
		for _, step := range []struct {
			after time.Duration
			kept  int
		}{{59 * time.Second, 4}, {time.Second, 1}} {
			w.Clock.Advance(step.after)
			same(t, nil, ignore(w.Clean(ctx)))
			same(t, step.kept, w.rows(t, "roster_otps"))
		}
		same(t, 1, w.rows(t, "roster_otp_objects"))
		w.Clock.Advance(25 * time.Hour)
		same(t, nil, ignore(w.Clean(ctx)))
		same(t, 0, w.rows(t, "roster_otps")+w.rows(t, "roster_otp_objects")+w.rows(t, "roster_tries"))

		for _, mode := range []roster.DeleteMode{roster.Deactivate, roster.Anonymise, roster.Remove} {
			anna, berta := w.add(t, person("", "", "+12025550101")), w.add(t, person("", "", "+12025550102"))
			w.otp(t, "x", roster.OTPOwner(anna.ID), roster.OTPOwner(berta.ID))
			w.otp(t, "x", roster.OTPOwner(anna.ID))
			w.otp(t, "x", roster.OTPOwner(berta.ID))
			same(t, false, w.checks(t, "x", "wrong", roster.OTPOwner(anna.ID)))
			same(t, nil, w.Delete(ctx, anna.ID, mode))
			kept := map[roster.DeleteMode]int{roster.Deactivate: 3}[mode]
			same(t, max(1, kept), w.rows(t, "roster_otps"))
			same(t, kept, w.rows(t, "roster_tries WHERE user_id = $1", anna.ID))
			w.exec(t, "DELETE FROM roster_otps")
			w.exec(t, "DELETE FROM users")
			w.exec(t, "DELETE FROM roster_tries")
		}
	}, func(cfg *usersrepo.Config) { cfg.OneTime.Retention = time.Minute })
}

// ignore drops what a call returns beside its error.
func ignore(_ any, err error) error { return err }
