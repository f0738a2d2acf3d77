package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// otp stores a one-time password for 10 minutes.
func (s *suite) otp(t *testing.T, slug string, objects ...roster.OTPObject) store.OTP {
	t.Helper()
	x := store.OTP{
		ID: newID(), Slug: slug, Hash: newHash(), Scope: []byte{}, Data: []byte(`"\u0000"`), MaxAttempts: 3,
		CreatedAt: s.now, ExpiresAt: s.now.Add(10 * time.Minute),
	}
	stored, err := s.InsertOTP(t.Context(), x, objects, [][]byte{x.Hash, newHash()})
	noError(t, err)
	same(t, "stored", stored, true)
	return x
}

func (s *suite) testOTP(t *testing.T) {
	ctx, a, b := t.Context(), roster.OTPRelated("k", "a"), roster.OTPRelated("k", "b")
	find := func(t *testing.T, q store.OTPQuery) []roster.ID {
		t.Helper()
		if q.Now.IsZero() {
			q.Now = s.now
		}
		list, err := s.FindOTPs(ctx, q)
		noError(t, err)
		var ids []roster.ID
		for _, x := range list {
			ids = append(ids, x.ID)
		}
		return ids
	}
	t.Run("OTP-19 it is found by all that it is related to, the newest first", func(t *testing.T) {
		none, one, both := s.otp(t, "find"), s.otp(t, "find", a), s.otp(t, "find", b, a)
		s.otp(t, "other", a, b)
		same(t, "all", find(t, store.OTPQuery{Slug: "find"}), []roster.ID{both.ID, one.ID, none.ID})
		same(t, "of a", find(t, store.OTPQuery{Slug: "find", Objects: []roster.OTPObject{a}}), []roster.ID{both.ID, one.ID})
		same(t, "of both", find(t, store.OTPQuery{Slug: "find", Objects: []roster.OTPObject{a, b}}), []roster.ID{both.ID})
		same(t, "newest", find(t, store.OTPQuery{Slug: "find", Limit: 1}), []roster.ID{both.ID})
		same(t, "by hash", find(t, store.OTPQuery{Slug: "find", Hashes: [][]byte{newHash(), one.Hash}}), []roster.ID{one.ID})
		same(t, "late", find(t, store.OTPQuery{Slug: "find", Now: s.now.Add(10 * time.Minute)}), []roster.ID(nil))
		got, err := s.FindOTPs(ctx, store.OTPQuery{Slug: "find", Objects: []roster.OTPObject{b}, Now: s.now})
		noError(t, err)
		same(t, "one-time password", got, []store.OTP{both})
		objects, err := s.OTPObjects(ctx, both.ID)
		noError(t, err)
		same(t, "objects", objects, []roster.OTPObject{a, b})
	})
	t.Run("OTP-10 a key is stored once while it is live, however many store it at once", func(t *testing.T) {
		hash := newHash()
		same(t, "stored", successes(t, 16, func(int) (bool, error) {
			x := store.OTP{ID: newID(), Slug: "key", Hash: hash, Scope: []byte{}, MaxAttempts: 3, CreatedAt: s.now, ExpiresAt: s.now.Add(time.Minute)}
			return s.InsertOTP(ctx, x, nil, [][]byte{hash})
		}), 1)
	})
	t.Run("OTP-16 it is used once, however many use it at once", func(t *testing.T) {
		x := s.otp(t, "use")
		same(t, "used", successes(t, 64, func(int) (bool, error) { return s.UseOTP(ctx, x.ID, s.now) }), 1)
	})
	t.Run("OTP-18 it is switched off once", func(t *testing.T) {
		s.otp(t, "off", a)
		s.otp(t, "off", b)
		for _, want := range []int64{1, 0} {
			n, err := s.EndOTPs(ctx, store.OTPQuery{Slug: "off", Objects: []roster.OTPObject{a}, Now: s.now})
			noError(t, err)
			same(t, "ended", n, want)
		}
	})
	t.Run("OTP-22 it is tried so often and no more, whatever the scopes", func(t *testing.T) {
		x, y := s.otp(t, "guess", a), s.otp(t, "guess", b)
		same(t, "compared", successes(t, 32, func(int) (compared bool, err error) {
			g := store.Guess{
				Scope: store.TryScope{Key: "otp-scope/" + newID().String()}, Entries: map[roster.ID]int{x.ID: 3, y.ID: 5}, Keep: time.Hour, Now: s.now,
			}
			_, _, err = s.Guess(ctx, g, func(may []roster.ID) bool {
				compared = len(may) == 2
				return false
			})
			return compared, err
		}), 3)
		same(t, "burnt", find(t, store.OTPQuery{Slug: "guess"}), []roster.ID(nil))
	})
	t.Run("OTP-21 a wrong key counts, the right one does not, also where all is rolled back", func(t *testing.T) {
		s.testGuess(t, s.Store)
	})
	t.Run("OTP-21 a wrong key counts where there is no second connection", func(t *testing.T) {
		if s.Again == nil {
			t.Skip("there is one connection")
		}
		s.testGuess(t, s.another(t, 1, func(*store.Config) {}))
	})
}

func (s *suite) testGuess(t *testing.T, x *store.Store) {
	ctx, undone := t.Context(), errors.New("undone")
	scope, entry := store.TryScope{Key: "otp-scope/" + newID().String()}, newID()
	guess := func(ctx context.Context, right bool) store.Wait {
		t.Helper()
		got, wait, err := x.Guess(ctx, store.Guess{Scope: scope, Entries: map[roster.ID]int{entry: 9}, Keep: time.Hour, Now: s.now},
			func([]roster.ID) bool { return right })
		noError(t, err)
		same(t, "right", got, right && wait.IsZero())
		return wait
	}
	tries := func() int { return s.count(t, s.table("tries"), "scope IN ($1, $2)", scope.Key, "otp/"+entry.String()) }
	within := func(ctx context.Context, right bool, then error) {
		t.Helper()
		err := x.InTx(ctx, func(ctx context.Context) error {
			same(t, "wait", guess(ctx, right), store.Wait{})
			return then
		})
		same(t, "ended", errors.Is(err, then), true)
	}
	waits := func() {
		t.Helper()
		same(t, "wait", guess(ctx, true), store.Wait{Until: s.now.Add(time.Second), Failures: 1})
		noError(t, x.ForgetGuesses(ctx, scope))
	}
	same(t, "wait", guess(ctx, true), store.Wait{})
	within(ctx, true, undone)
	within(ctx, true, nil)
	same(t, "tries", tries(), 0)
	within(ctx, false, undone)
	waits()
	within(ctx, false, nil)
	waits()
	noError(t, x.InTx(ctx, func(ctx context.Context) error { // a savepoint alone is undone
		within(ctx, false, undone)
		return nil
	}))
	waits()
	same(t, "tries of the entry", s.count(t, s.table("tries"), "scope = $1 AND failures = 3", "otp/"+entry.String()), 1)
}
