package storetest

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) code(t *testing.T, user roster.ID, purpose store.LinkPurpose, created time.Time) store.Link {
	t.Helper()
	l, _ := s.link(t, user, newHash(), func(l *store.Link, _ *store.Message) {
		l.Purpose, l.CreatedAt, l.ExpiresAt = purpose, created, created.Add(10*time.Minute)
	})
	return l
}

func (s *suite) testCode(t *testing.T) {
	ctx, verify := t.Context(), store.CodeFor("verify", "phone")
	t.Run("OTP-31 the newest live code of a purpose is found", func(t *testing.T) {
		u := s.user(t)
		_, err := s.LiveCode(ctx, u.ID, verify, 5, s.now)
		fails(t, err, roster.ErrNotFound)
		s.code(t, u.ID, verify, s.now.Add(-time.Second))
		newest := s.code(t, u.ID, verify, s.now)
		s.code(t, u.ID, store.CodeFor("reset", "phone"), s.now.Add(time.Second))
		got, err := s.LiveCode(ctx, u.ID, verify, 5, s.now)
		noError(t, err)
		same(t, "code", got, newest)
		_, err = s.LiveCode(ctx, u.ID, verify, 5, s.now.Add(10*time.Minute))
		fails(t, err, roster.ErrNotFound)
	})
	t.Run("OTP-22 a code is tried so often and no more, however many try at once", func(t *testing.T) {
		u := s.user(t)
		l := s.code(t, u.ID, verify, s.now)
		same(t, "tries", successes(t, 64, func(int) (bool, error) { return s.TryCode(ctx, l.Hash, 5, s.now) }), 5)
		_, err := s.LiveCode(ctx, u.ID, verify, 5, s.now)
		fails(t, err, roster.ErrNotFound)
	})
	t.Run("OTP-21 each failure doubles the wait, which counts nothing", func(t *testing.T) {
		scope, now := store.CodeScope(s.user(t).ID, verify), s.now
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
			want *= time.Second
			same(t, "wait", s.try(t, scope, now), store.Wait{})
			until := store.Wait{Until: now.Add(want), Failures: i + 1}
			same(t, "wait", s.try(t, scope, now), until)
			same(t, "wait", s.try(t, scope, now.Add(want-time.Microsecond)), until)
			now = now.Add(want)
		}
		t.Run("OTP-23 fades a day after the last", func(t *testing.T) {
			last := now.Add(-900 * time.Second)
			same(t, "wait", s.try(t, scope, last.Add(24*time.Hour)), store.Wait{})
			same(t, "wait", s.try(t, scope, last.Add(24*time.Hour)), store.Wait{Until: last.Add(24*time.Hour + time.Second), Failures: 1})
		})
		noError(t, s.ForgetTries(ctx, scope))
		same(t, "wait", s.try(t, scope, now), store.Wait{})
	})
	t.Run("OTP-21 a try that was given back leads to no wait", func(t *testing.T) {
		scope := store.CodeScope(s.user(t).ID, verify)
		same(t, "wait", s.try(t, scope, s.now), store.Wait{})
		noError(t, s.GiveBackTry(ctx, scope, nil, s.now))
		same(t, "wait", s.try(t, scope, s.now), store.Wait{})
		same(t, "wait", s.try(t, scope, s.now), store.Wait{Until: s.now.Add(time.Second), Failures: 1})
	})
	t.Run("OTP-21 of many at once one is counted", func(t *testing.T) {
		scope := store.CodeScope(s.user(t).ID, verify)
		same(t, "taken", successes(t, 64, func(int) (bool, error) {
			wait, err := s.TakeTry(ctx, scope, s.now)
			return wait.IsZero(), err
		}), 1)
	})
}

func (s *suite) try(t *testing.T, scope store.TryScope, now time.Time) store.Wait {
	t.Helper()
	wait, err := s.TakeTry(t.Context(), scope, now)
	noError(t, err)
	return wait
}

func (s *suite) testChange(t *testing.T) {
	ctx, u := t.Context(), s.user(t)
	add := func(contact, to string, at time.Time) store.Change {
		c := store.Change{
			ID: roster.NewID(), UserID: u.ID, Contact: contact, Old: new("old@example.com"), New: to, Canonical: to, CreatedAt: at,
		}
		noError(t, s.InsertChange(ctx, &c))
		return c
	}
	a := add("email", "a@example.com", s.now)
	b := add("phone", "+12025550101", s.now.Add(time.Second))
	got, err := s.GetChange(ctx, u.ID, a.ID)
	noError(t, err)
	same(t, "change", got, a)
	_, err = s.GetChange(ctx, s.user(t).ID, a.ID)
	fails(t, err, roster.ErrNotFound)
	pending, err := s.PendingChanges(ctx, u.ID, "")
	noError(t, err)
	same(t, "pending", pending, []store.Change{a, b})

	noError(t, s.CompleteChange(ctx, a.ID, s.now.Add(time.Minute)))
	noError(t, s.EndChange(ctx, b.ID, s.now.Add(time.Minute)))
	pending, err = s.PendingChanges(ctx, u.ID, "")
	noError(t, err)
	same(t, "pending", len(pending), 0)
	later, err := s.LaterChanges(ctx, u.ID, s.now)
	noError(t, err)
	same(t, "later", later, []store.Change{{ID: a.ID, UserID: u.ID, Contact: a.Contact, Old: a.Old}})
	later, err = s.LaterChanges(ctx, u.ID, s.now.Add(time.Minute))
	noError(t, err)
	same(t, "later", len(later), 0)

	t.Run("CONF-30 its links end with it, one purpose or all", func(t *testing.T) {
		change := func(purpose store.LinkPurpose) func(*store.Link, *store.Message) {
			return func(l *store.Link, _ *store.Message) { l.Purpose, l.ChangeID = purpose, &a.ID }
		}
		confirm, _ := s.link(t, u.ID, newHash(), change(store.ChangeEmail))
		cancel, _ := s.link(t, u.ID, newHash(), change(store.CancelChange))
		noError(t, s.VoidLinks(ctx, u.ID, "nobody@example.com", s.now))
		noError(t, s.VoidChangeLinks(ctx, u.ID, a.ID, store.ChangeEmail, s.now))
		s.live(t, confirm.Hash, false)
		noError(t, s.VoidLinks(ctx, u.ID, "", s.now))
		s.live(t, cancel.Hash, true)
		noError(t, s.VoidChangeLinks(ctx, u.ID, a.ID, "", s.now))
		s.live(t, cancel.Hash, false)
	})
}
