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

// sessions are those of a reading. Each stands where the reading that begins there gives it, and one after all does not.
func sessions(t *testing.T, r store.Revocations) []roster.ID {
	t.Helper()
	list := make([]roster.ID, len(r.Sessions))
	for i, x := range r.Sessions {
		if list[i] = x.ID; x.At < 0 {
			t.Errorf("%v stands at %d", x.ID, x.At)
		}
	}
	return list
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
		lacks(t, "live", sessions(t, r.read(t)), list[0].ID, list[5].ID)
		_, err := s.EndSession(t.Context(), list[0].ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		contains(t, "one", sessions(t, r.read(t)), list[0].ID)
		_, err = s.EndSession(t.Context(), list[0].ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		_, err = s.EndSessions(t.Context(), a.ID, list[5].ID, s.now, roster.RevokedAll)
		noError(t, err)
		contains(t, "all but one", sessions(t, r.read(t)), list[1].ID, list[2].ID, list[3].ID, list[4].ID)
		x := s.newSession(a.ID)
		x.LastUsedAt, x.CreatedAt = s.now.Add(time.Second), s.now.Add(time.Second)
		x.IdleAt = time.Now().Add(time.Hour) // by the clock of the database it is not over since long
		_, _, err = s.InsertSession(t.Context(), &x, store.Admission{Most: 1})
		noError(t, err)
		contains(t, "evicted", sessions(t, r.read(t)), list[5].ID)
		noError(t, s.RemoveUser(t.Context(), a.ID))
		contains(t, "removed with its user", sessions(t, r.read(t)), x.ID)
	})
	t.Run("it tells whose epoch has grown, and that of all", func(t *testing.T) {
		r := s.reader(t)
		a := s.user(t)
		before := r.read(t).GlobalEpoch
		noError(t, s.UpdateUser(t.Context(), a.ID, []store.Assignment{{Column: "epoch", Value: a.Epoch + 1}}, store.Holds{}))
		got := r.read(t)
		if n := len(got.Users); n == 0 || got.Users[n-1].ID != a.ID || got.Users[n-1].Epoch != a.Epoch+1 {
			t.Errorf("users: got %v", got.Users)
		}
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
		contains(t, "all", sessions(t, (&reader{suite: s, life: time.Hour}).read(t)), x.ID)
		time.Sleep(20 * time.Millisecond)
		lacks(t, "young enough", sessions(t, (&reader{suite: s, life: 10 * time.Millisecond}).read(t)), x.ID)
	})
	t.Run("it tells of bans by hand, and of those that are moved", func(t *testing.T) {
		a := s.user(t)
		x := s.session(t, a.ID)
		for _, change := range []string{
			"banned_at = created_at, banned_until = created_at", "banned_until = NULL", "archived_at = created_at", "deleted_at = created_at",
		} {
			r := s.reader(t)
			again := *r // from where the first begins: what it gave is given again
			before := len(r.read(t).Sessions)
			s.sql(t, "UPDATE %s SET "+change+" WHERE id = '"+a.ID.String()+"'", s.UsersTable())
			if got := again.read(t).Sessions; len(got) <= before {
				t.Errorf("%s: nothing is told", change)
			} else {
				contains(t, change, sessions(t, store.Revocations{Sessions: got}), x.ID)
			}
		}
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
		lacks(t, "sessions", sessions(t, r.read(t)), x.ID)
	})
	t.Run("it begins anew where the database is another one", func(t *testing.T) {
		if s.Dialect() != store.PostgreSQL {
			t.Skip("a file that was replaced is not open")
		}
		x := s.session(t, s.user(t).ID)
		_, err := s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		contains(t, "all", sessions(t, (&reader{suite: s, life: time.Hour, position: 1 << 60}).read(t)), x.ID)
	})
	t.Run("it gives again what stands where a reading begins, and not what stands before", func(t *testing.T) {
		r := s.reader(t)
		x := s.session(t, s.user(t).ID)
		_, err := s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
		noError(t, err)
		for _, end := range r.read(t).Sessions {
			if end.ID != x.ID {
				continue
			}
			contains(t, "there", sessions(t, (&reader{suite: s, life: time.Hour, position: end.At}).read(t)), x.ID)
			// Positions are those of all databases of the server: whatever began before has to be decided.
			for r.read(t).Position <= end.At {
				time.Sleep(time.Millisecond)
			}
			lacks(t, "behind", sessions(t, (&reader{suite: s, life: time.Hour, position: end.At + 1}).read(t)), x.ID)
			return
		}
		t.Error("it was not given")
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
			contains(t, "early", sessions(t, r.read(t)), early.ID)
		}
		close(ends)
		noError(t, <-done)
		contains(t, "late", sessions(t, r.read(t)), late.ID)
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
