package integration_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/usersrepo"
)

// OTP-2, OTP-5, OTP-6, OTP-14, OTP-15, OTP-19, OTP-20, OTP-25, cases 6 to 9 and 12: which keys are right.
func TestCheckOTP(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ctx, a, b, c := t.Context(), roster.OTPRelated("k", "a"), roster.OTPRelated("k", "b"), roster.OTPRelated("k", "c")
		t.Run("OTP-6 wrong, under another slug, switched off, late, case 6", func(t *testing.T) {
			x := w.otp(t, "x")
			get := func(slug string, key roster.Secret) bool {
				got, err := w.GetValidOTP(ctx, slug, key)
				same(t, nil, err)
				return got != nil
			}
			same(t, false, get("x", other(x.SecretKey)))
			same(t, false, get("y", x.SecretKey))
			same(t, true, get("x", x.SecretKey))
			same(t, true, get("x", " \t"+x.SecretKey+"\n")) // OTP-5
			w.Clock.Advance(10*time.Minute - time.Microsecond)
			same(t, true, get("x", x.SecretKey))
			w.Clock.Advance(time.Microsecond)
			same(t, false, get("x", x.SecretKey))
			x = w.otp(t, "x")
			_, err := w.DeactivateOTP(ctx, "x", roster.OTPKey(x.SecretKey))
			same(t, nil, err)
			same(t, false, get("x", x.SecretKey))
		})
		t.Run("OTP-7 two of one slug, case 7, consumed once each, case 8", func(t *testing.T) {
			one, two := w.otp(t, "two"), w.otp(t, "two")
			for _, x := range []*roster.OTP{one, two} {
				for range 10 {
					same(t, true, w.checks(t, "two", x.SecretKey))
				}
				got, err := w.UseOTP(ctx, "two", x.SecretKey)
				same(t, nil, err)
				same(t, x.ID, got.ID)
				same(t, false, got.Active)
				same(t, false, w.checks(t, "two", x.SecretKey))
				got, err = w.UseOTP(ctx, "two", x.SecretKey)
				same(t, nil, err)
				same(t, true, got == nil)
			}
		})
		t.Run("OTP-5 nothing, too much and odd bytes are no key, case 9, and count nothing", func(t *testing.T) {
			w.otp(t, "empty", fixed("123456"), a)
			w.otp(t, "empty")
			for _, key := range []roster.Secret{"", " ", "\n\t", roster.Secret(strings.Repeat("a", 257))} {
				same(t, false, w.checks(t, "empty", key))
				same(t, false, w.checks(t, "empty", key, a))
				n, err := w.DeactivateOTP(ctx, "empty", roster.OTPKey(key))
				same(t, nil, err)
				same(t, 0, n)
			}
			for _, key := range []roster.Secret{"a\x00b", "\xff\xfe", "a key\x00 of sixteen or more", "%", "'"} {
				same(t, false, w.checks(t, "empty", key))
			}
			same(t, 0, w.rows(t, "roster_tries WHERE scope LIKE 'otp-scope/empty/%'"))
			same(t, 2, w.rows(t, "roster_otps WHERE slug = 'empty' AND ended_at IS NULL"))
		})
		t.Run("OTP-19 related means all of these", func(t *testing.T) {
			for i, key := range []string{"123456", "a key of some length"} {
				slug := fmt.Sprint("rel", i)
				w.otp(t, slug, fixed(key), a, b)
				same(t, i == 1, w.checks(t, slug, roster.Secret(key))) // OTP-14: a long key by itself, OTP-25
				for _, related := range [][]roster.OTPObject{{a}, {b}, {a, b}, {b, a, b}} {
					same(t, true, w.checks(t, slug, roster.Secret(key), related...))
				}
				for _, related := range [][]roster.OTPObject{{c}, {a, c}, {a, b, c}, {roster.OTPRelated("ka", "")}} {
					ok, err := w.CheckOTP(ctx, slug, roster.Secret(key), related...)
					same(t, false, ok || err != nil && !errors.Is(err, roster.ErrValidationFailed))
				}
			}
			w.otp(t, "rel3", fixed("123456"), a, b, c)
			same(t, true, w.checks(t, "rel3", "123456", c, a))
		})
		t.Run("OTP-20 the same code for two owners, and none of another's, case 12", func(t *testing.T) {
			anna, berta := w.add(t, person("anna", "", "")), w.add(t, person("berta", "", ""))
			w.otp(t, "pin", fixed("123456"), roster.OTPOwner(anna.ID))
			w.otp(t, "pin", fixed("654321"), roster.OTPOwner(berta.ID))
			same(t, false, w.checks(t, "pin", "123456", roster.OTPOwner(berta.ID)))
			w.Clock.Advance(time.Second)
			same(t, true, w.checks(t, "pin", "654321", roster.OTPOwner(berta.ID)))
			w.otp(t, "pin", fixed("123456"), roster.OTPOwner(berta.ID))
			upper := roster.OTPRelated("user", strings.ToUpper(berta.ID.String()))
			same(t, true, w.checks(t, "pin", "123456", upper))
			got, err := w.UseOTP(ctx, "pin", "123456", roster.OTPOwner(anna.ID))
			same(t, nil, err)
			same(t, []roster.OTPObject{roster.OTPOwner(anna.ID)}, got.Related)
			same(t, true, w.checks(t, "pin", "123456", roster.OTPOwner(berta.ID)))
		})
		t.Run("OTP-2 slug, objects and key do not run into each other", func(t *testing.T) {
			w.otp(t, "a", fixed("b123"), roster.OTPRelated("c", "d"))
			same(t, false, w.checks(t, "ab", "123", roster.OTPRelated("c", "d")))
			w.otp(t, "ab", fixed("zzz"), roster.OTPRelated("cd", "d"))
			w.otp(t, "ab", fixed("yyy"), roster.OTPRelated("c", "dd"))
			same(t, false, w.checks(t, "ab", "yyy", roster.OTPRelated("cd", "d")))
		})
		t.Run("OTP-2 a row that is copied to another owner is worth nothing there", func(t *testing.T) {
			w.otp(t, "copied", fixed("123456"), a)
			w.exec(t, "UPDATE roster_otp_objects SET object = 'b' WHERE otp_id = (SELECT id FROM roster_otps WHERE slug = 'copied')")
			w.exec(t, "UPDATE roster_otps SET slug = 'copied2' WHERE slug = 'copied'")
			same(t, false, w.checks(t, "copied2", "123456", b))
		})
		t.Run("OTP-15 FindOTP shows the newest that is pending, and no data", func(t *testing.T) {
			none, err := w.FindOTP(ctx, "find", a)
			same(t, nil, err)
			same(t, true, none == nil)
			w.otp(t, "find", a, roster.OTPData("x"))
			w.Clock.Advance(time.Second)
			newest := w.otp(t, "find", a, b, roster.OTPData("y"))
			w.otp(t, "find", c)
			got, err := w.FindOTP(ctx, "find", a)
			same(t, nil, err)
			newest.SecretKey, newest.Data = "", nil
			same(t, newest, got)
			w.Clock.Advance(10 * time.Minute)
			none, err = w.FindOTP(ctx, "find")
			same(t, nil, err)
			same(t, true, none == nil)
		})
		t.Run("the same key for several finds the newest", func(t *testing.T) {
			w.otp(t, "same", fixed("123456"), a)
			w.Clock.Advance(time.Second)
			newest := w.otp(t, "same", fixed("123456"), a, b)
			got, err := w.GetValidOTP(ctx, "same", "123456", a)
			same(t, nil, err)
			same(t, newest.ID, got.ID)
			for _, used := range []bool{true, true, false} {
				got, err := w.UseOTP(ctx, "same", "123456", a)
				same(t, nil, err)
				same(t, used, got != nil)
			}
		})
	})
}

// OTP-2, case 24: a key made under the former secret is good until that is taken away.
func TestOTPRotation(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		var former secrets.Secret
		w := found(t, db, func(cfg *usersrepo.Config) { former = cfg.Secrets[0] })
		owner := roster.OTPRelated("k", "1")
		long, short := w.otp(t, "x"), w.otp(t, "x", fixed("123456"), owner)
		current := must(secrets.Generate("current"))(t)
		later := func(list ...secrets.Secret) *world {
			return found(t, db, func(cfg *usersrepo.Config) { cfg.Secrets, cfg.Now = list, w.Clock.Now })
		}
		right := func(w *world) []bool {
			return []bool{w.checks(t, "x", long.SecretKey), w.checks(t, "x", short.SecretKey, owner)}
		}
		both := later(current, former)
		same(t, []bool{true, true}, right(both))
		_, err := both.CreateOTP(t.Context(), "x", fixed("123456"), owner) // it is still taken
		refused(t, err, roster.ErrKeysExhausted)
		w.exec(t, "DELETE FROM roster_keys") // which are sealed under the former too
		same(t, []bool{false, false}, right(later(current)))
	})
}
