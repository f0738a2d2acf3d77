package integration_test

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

// OTP-35, HTTP-52: a code makes a session fresh, without a password.
func TestOTP_35_StepUp(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.proven(t, person("anna", "anna@example.com", "+12025550101"))
		pair := w.issue(t, u.ID)
		mine, others := w.within(t, pair), w.within(t, w.issue(t, u.ID))
		w.Clock.Advance(16 * time.Minute)
		refused(t, w.CheckFresh(mine), roster.ErrReauthentication)
		t.Run("takes a session", func(t *testing.T) {
			refused(t, w.SendEmailCode(t.Context(), u.ID, roster.CodeStepUp), roster.ErrUnauthenticated)
			refused(t, w.SendCode(from(t.Context(), "192.0.2.1"), byLogin("anna"), roster.CodeStepUp), roster.ErrUnauthenticated)
			_, err := w.CheckCode(from(t.Context(), "192.0.2.1"), byLogin("anna"), roster.CodeStepUp, "123456")
			refused(t, err, roster.ErrUnauthenticated)
		})
		t.Run("is of nobody else", func(t *testing.T) {
			w.proven(t, person("berta", "berta@example.com", ""))
			refused(t, w.SendCode(mine, byLogin("berta"), roster.CodeStepUp), roster.ErrValidationFailed, "login:invalid")
			refused(t, w.SendCode(mine, byLogin("nobody"), roster.CodeStepUp), roster.ErrValidationFailed, "login:invalid")
			list, _ := w.FindContacts(t.Context(), "berta")
			refused(t, w.SendCode(mine, roster.ContactRef{Handle: &list[0].Handle}, roster.CodeStepUp), roster.ErrValidationFailed, "handle:invalid")
		})
		t.Run("makes that session fresh, and no other", func(t *testing.T) {
			same(t, nil, w.SendCode(mine, roster.ContactRef{}, roster.CodeStepUp))
			code := w.code(t, "anna@example.com")
			_, err := w.CheckCode(mine, roster.ContactRef{}, roster.CodeStepUp, other(code))
			refused(t, err, roster.ErrInvalidCode)
			_, err = w.CheckCode(mine, roster.ContactRef{}, roster.CodeStepUp, code)
			refused(t, err, roster.ErrTooManyRequests) // OTP-21
			w.Clock.Advance(time.Second)
			outcome, err := w.CheckCode(mine, roster.ContactRef{}, roster.CodeStepUp, code)
			if err != nil || !outcome.FreshUntil.Equal(w.Clock.Now().Add(15*time.Minute)) {
				t.Fatal(outcome, err)
			}
			same(t, nil, w.CheckFresh(mine))
			refused(t, w.CheckFresh(others), roster.ErrReauthentication)
			fresh, err := w.Refresh(t.Context(), pair.RefreshToken)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := w.VerifyToken(t.Context(), fresh.AccessToken)
			same(t, nil, err)
			same(t, []string{"app", "otp"}, claims.AMR)
			w.Clock.Advance(16 * time.Minute)
			refused(t, w.CheckFresh(mine), roster.ErrReauthentication)
		})
		t.Run("by the phone too", func(t *testing.T) {
			same(t, nil, w.SendCode(mine, roster.ContactRef{Channel: roster.ChannelPhone}, roster.CodeStepUp))
			_, err := w.CheckCode(mine, roster.ContactRef{}, roster.CodeStepUp, w.code(t, "+12025550101"))
			same(t, nil, err)
			same(t, nil, w.CheckFresh(mine))
		})
	}, func(cfg *usersrepo.Config) { cfg.Protection.CodePause.Off = true })
}

// OTP-32: codes to step up are within the quotas of codes, also when they are asked for as strangers ask for others.
func TestOTP_32_StepUp(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.proven(t, person("anna", "anna@example.com", ""))
		mine := w.within(t, w.issue(t, u.ID))
		same(t, nil, w.SendCode(mine, roster.ContactRef{}, roster.CodeStepUp))
		refused(t, w.SendCode(mine, roster.ContactRef{}, roster.CodeStepUp), roster.ErrQuotaExhausted)
		for range 4 {
			w.Clock.Advance(30 * time.Second)
			same(t, nil, w.SendCode(mine, roster.ContactRef{}, roster.CodeStepUp))
		}
		w.Clock.Advance(30 * time.Second)
		refused(t, w.SendCode(mine, roster.ContactRef{}, roster.CodeStepUp), roster.ErrQuotaExhausted)
	})
}
