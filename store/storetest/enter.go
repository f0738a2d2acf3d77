package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) entrant(t *testing.T, a *account) store.Entrant {
	t.Helper()
	got := &account{}
	e, err := s.GetEntrant(t.Context(), store.ByID, a.ID, got.dest())
	noError(t, err)
	same(t, "user", got.ID, a.ID)
	return e
}

// write runs a statement past the store.
func (s *suite) write(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := s.Direct.ExecContext(t.Context(), statement, args...)
	noError(t, err)
}

func (s *suite) testEnter(t *testing.T) {
	ctx := t.Context()
	t.Run("a user is read with their password", func(t *testing.T) {
		a := s.user(t)
		before := s.entrant(t, a)
		same(t, "has a password", before.Password != nil, false)
		closed := s.now.Add(-time.Hour)
		want := store.Password{Hash: "h", ChangedAt: s.now}
		noError(t, s.PutPassword(ctx, a.ID, want))
		s.write(t, "UPDATE "+s.table("passwords")+" SET failures = 3, closed_at = $1 WHERE user_id = $2", closed, a.ID)
		want.Failures, want.ClosedAt = 3, &closed
		same(t, "password", *s.entrant(t, a).Password, want)
		same(t, "version", s.entrant(t, a).Version, before.Version)
		noError(t, s.TouchLastLogin(ctx, a.ID, s.now, 10))
		same(t, "a change shows in the version", s.entrant(t, a).Version != before.Version, s.Dialect() == store.PostgreSQL)
		_, err := s.GetEntrant(ctx, store.ByUsername, "nobody-at-all", (&account{}).dest())
		fails(t, err, roster.ErrNotFound)
	})
	if s.Dialect() != store.PostgreSQL {
		return
	}
	enter := func(t *testing.T, a *account, version string, change ...func(*store.DirectEntry)) (store.Session, bool) {
		t.Helper()
		x := s.newSession(a.ID)
		e := store.DirectEntry{
			Admission: store.Admission{
				Most: 2, Device: store.Device{Fresh: newHash(), ExpiresAt: s.now.Add(time.Hour), Most: 2},
				Entry: &store.AuditEntry{
					ID: newID(), HappenedAt: s.now, ActorKind: roster.ActorUser, Action: "login.ok", SubjectID: &a.ID, Result: "ok", SessionID: &x.ID,
				},
				Touch: &store.Touch{CloseAfter: 5},
			},
			Version: version,
			Notice: &store.Message{
				ID: newID(), Kind: "new_device", Channel: "email", UserID: &a.ID, To: "a@example.com", Language: "en", Payload: []byte("p"),
				CreatedAt: s.now, ExpiresAt: s.now.Add(time.Hour),
			},
		}
		for _, f := range change {
			f(&e)
		}
		done, err := s.EnterSession(ctx, &x, e)
		noError(t, err)
		return x, done
	}
	traces := func(t *testing.T, id roster.ID) [5]int {
		t.Helper()
		return [5]int{
			s.count(t, s.table("sessions"), "user_id = $1", id), s.count(t, s.table("devices"), "user_id = $1", id),
			s.count(t, s.table("audit"), "subject_id = $1", id), s.count(t, s.table("messages"), "user_id = $1 AND state = 'pending'", id),
			s.count(t, s.UsersTable(), "id = $1 AND last_login_at IS NOT NULL", id),
		}
	}
	given := func(hash []byte) func(*store.DirectEntry) {
		return func(e *store.DirectEntry) { e.Device.Given, e.Device.Fresh, e.Notice = hash, nil, nil }
	}
	t.Run("a session is entered with all that belongs to it", func(t *testing.T) {
		a := s.user(t)
		noError(t, s.PutPassword(ctx, a.ID, store.Password{Hash: "h", ChangedAt: s.now}))
		s.write(t, "UPDATE "+s.table("passwords")+" SET failures = 3 WHERE user_id = $1", a.ID)
		x, done := enter(t, a, s.entrant(t, a).Version)
		same(t, "done", done, true)
		same(t, "session", s.getSession(t, x.ID), x)
		same(t, "traces", traces(t, a.ID), [5]int{1, 1, 1, 1, 1})
		same(t, "failures", s.entrant(t, a).Password.Failures, 0)

		s.write(t, "UPDATE "+s.table("passwords")+" SET failures = 3 WHERE user_id = $1", a.ID)
		_, done = enter(t, a, s.entrant(t, a).Version, func(e *store.DirectEntry) { e.Touch.CloseAfter = 0 })
		same(t, "done", done, true)
		same(t, "failures where none are forgotten", s.entrant(t, a).Password.Failures, 3)
	})
	t.Run("a known device stays the one", func(t *testing.T) {
		a, hash := s.user(t), newHash()
		_, done := enter(t, a, s.entrant(t, a).Version, func(e *store.DirectEntry) { e.Device.Fresh = hash })
		same(t, "first", done, true)
		_, done = enter(t, a, s.entrant(t, a).Version, given(hash), func(e *store.DirectEntry) { e.Entry = nil })
		same(t, "second", done, true)
		same(t, "traces", traces(t, a.ID), [5]int{2, 1, 1, 1, 1})
	})
	t.Run("nothing is left of what is overtaken, has no room or lacks its device", func(t *testing.T) {
		overtaken, other, full := s.user(t), s.user(t), s.user(t)
		version := s.entrant(t, overtaken).Version
		s.write(t, "UPDATE "+s.UsersTable()+" SET epoch = epoch + 1 WHERE id = $1", overtaken.ID)
		for range 2 {
			s.session(t, full.ID)
		}
		for _, tt := range []struct {
			a       *account
			version string
			change  func(*store.DirectEntry)
			want    [5]int
		}{
			{overtaken, version, func(*store.DirectEntry) {}, [5]int{}},
			{overtaken, s.entrant(t, overtaken).Version, given(newHash()), [5]int{}},
			{other, s.entrant(t, overtaken).Version, func(*store.DirectEntry) {}, [5]int{}},
			{full, s.entrant(t, full).Version, func(*store.DirectEntry) {}, [5]int{2, 0, 0, 0, 0}},
		} {
			_, done := enter(t, tt.a, tt.version, tt.change)
			same(t, "done", done, false)
			same(t, "traces", traces(t, tt.a.ID), tt.want)
		}
	})
	t.Run("it does not wait for a transaction that holds the row", func(t *testing.T) {
		a := s.user(t)
		version := s.entrant(t, a).Version
		noError(t, s.Transact(ctx, func(within context.Context) error {
			if err := s.LockUser(within, a.ID, (&account{}).dest()); err != nil {
				return err
			}
			_, done := enter(t, a, version)
			same(t, "while it is held", done, false)
			return nil
		}))
		_, done := enter(t, a, version)
		same(t, "when nothing was changed", done, true)
	})
}
