package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// reader follows revocations as a node does.
type reader struct {
	*suite
	position int64
	life     time.Duration
}

func (r *reader) read(t *testing.T) store.Revocations {
	t.Helper()
	got, err := r.ReadRevocations(t.Context(), r.position, r.life)
	noError(t, err)
	r.position = got.Position
	return got
}

func (s *suite) reader(t *testing.T) *reader {
	t.Helper()
	r := &reader{suite: s, life: time.Hour}
	r.read(t)
	return r
}

// SESS-46, SESS-47, STORE-51.
func (s *suite) testRevocations(t *testing.T) {
	t.Run("it tells which sessions have ended, however they did", func(t *testing.T) {
		r := s.reader(t)
		a := s.user(t)
		list := make([]store.Session, 6)
		for i := range list {
			list[i] = s.session(t, a.ID)
		}
		lacks(t, "live", r.read(t).Sessions, list[0].ID, list[5].ID)
		_, err := s.EndSession(t.Context(), list[0].ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		contains(t, "one", r.read(t).Sessions, list[0].ID)
		_, err = s.EndSession(t.Context(), list[0].ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		_, err = s.EndSessions(t.Context(), a.ID, list[5].ID, s.now, roster.RevokedAll)
		noError(t, err)
		contains(t, "all but one", r.read(t).Sessions, list[1].ID, list[2].ID, list[3].ID, list[4].ID)
		x := s.newSession(a.ID)
		x.LastUsedAt, x.CreatedAt = s.now.Add(time.Second), s.now.Add(time.Second)
		x.IdleAt = time.Now().Add(time.Hour) // by the clock of the database it is not over since long
		_, _, err = s.InsertSession(t.Context(), &x, store.Admission{Most: 1})
		noError(t, err)
		contains(t, "evicted", r.read(t).Sessions, list[5].ID)
		noError(t, s.RemoveUser(t.Context(), a.ID))
		contains(t, "removed with its user", r.read(t).Sessions, x.ID)
	})
	t.Run("it tells whose epoch has grown, and that of all", func(t *testing.T) {
		r := s.reader(t)
		a := s.user(t)
		before := r.read(t).GlobalEpoch
		noError(t, s.UpdateUser(t.Context(), a.ID, []store.Assignment{{Column: "epoch", Value: a.Epoch + 1}}, store.Holds{}))
		got := r.read(t)
		contains(t, "users", got.Users, store.UserEpoch{ID: a.ID, Epoch: a.Epoch + 1})
		same(t, "global epoch", got.GlobalEpoch, before)
		noError(t, s.UpdateUser(t.Context(), a.ID, []store.Assignment{{Column: "language", Value: "de"}}, store.Holds{}))
		s.raiseEpoch(t)
		same(t, "global epoch", r.read(t).GlobalEpoch, before+1)
	})
	t.Run("it tells that the signing keys have changed", func(t *testing.T) {
		r := s.reader(t)
		before := r.read(t).KeysEpoch
		noError(t, s.InsertKey(t.Context(), store.Key{KID: "revocations", Algorithm: "ES256", State: "next", Sealed: []byte{1}, CreatedAt: s.now, ChangedAt: s.now}))
		after := r.read(t).KeysEpoch
		same(t, "grew", after > before, true)
		s.sql(t, "DELETE FROM %s WHERE kid = 'revocations'", s.table("keys"))
		same(t, "grew again", r.read(t).KeysEpoch > after, true)
	})
	t.Run("it gives all to one who begins, and nothing that is too old", func(t *testing.T) {
		x := s.session(t, s.user(t).ID)
		_, err := s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		contains(t, "all", (&reader{suite: s, life: time.Hour}).read(t).Sessions, x.ID)
		time.Sleep(20 * time.Millisecond)
		lacks(t, "young enough", (&reader{suite: s, life: 10 * time.Millisecond}).read(t).Sessions, x.ID)
	})
	t.Run("it tells nothing of what was rolled back", func(t *testing.T) {
		r := s.reader(t)
		x := s.session(t, s.user(t).ID)
		undone := roster.ErrConflict
		err := s.Transact(t.Context(), func(ctx context.Context) error {
			if _, err := s.EndSession(ctx, x.ID, s.now, roster.RevokedByLogout); err != nil {
				return err
			}
			return undone
		})
		fails(t, err, undone)
		lacks(t, "sessions", r.read(t).Sessions, x.ID)
	})
	t.Run("it begins anew where the database is another one", func(t *testing.T) {
		if s.Dialect() != store.PostgreSQL {
			t.Skip("a file that was replaced is not open")
		}
		x := s.session(t, s.user(t).ID)
		_, err := s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		contains(t, "all", (&reader{suite: s, life: time.Hour, position: 1 << 60}).read(t).Sessions, x.ID)
	})
	t.Run("it misses nobody who commits late", func(t *testing.T) {
		if s.Dialect() != store.PostgreSQL {
			t.Skip("there is one writer at a time")
		}
		r := s.reader(t)
		a := s.user(t)
		late, early := s.session(t, a.ID), s.session(t, s.user(t).ID)
		ends := make(chan struct{})
		began, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- s.Transact(context.WithoutCancel(t.Context()), func(ctx context.Context) error {
				_, err := s.EndSession(ctx, late.ID, s.now, roster.RevokedByLogout)
				close(began)
				<-ends
				return err
			})
		}()
		<-began
		_, err := s.EndSession(t.Context(), early.ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		for range 3 {
			contains(t, "early", r.read(t).Sessions, early.ID)
		}
		close(ends)
		noError(t, <-done)
		contains(t, "late", r.read(t).Sessions, late.ID)
	})
}

func lacks[T comparable](t *testing.T, what string, got []T, unwanted ...T) {
	t.Helper()
	for _, x := range unwanted {
		if slices.Contains(got, x) {
			t.Errorf("%s: %v is among %v", what, x, got)
		}
	}
}

func contains[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	for _, x := range want {
		if !slices.Contains(got, x) {
			t.Errorf("%s: %v is not among %v", what, x, got)
		}
	}
}
