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
	from store.Place
	life time.Duration
}

func (r *reader) read(t *testing.T) store.Revocations {
	t.Helper()
	got, err := r.ReadRevocations(t.Context(), r.from, r.life)
	noError(t, err)
	r.from = got.Place
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
		here := s.reader(t).from
		another, restored := here, here
		another.Server--
		restored.Position = 1 << 60
		for name, from := range map[string]store.Place{"another server": another, "one that is behind": restored} {
			contains(t, name, sessions(t, (&reader{suite: s, life: time.Hour, from: from}).read(t)), x.ID)
		}
	})
	t.Run("it gives everything once, whoever writes for long meanwhile", func(t *testing.T) {
		if s.Dialect() == store.PostgreSQL { // elsewhere there is one writer at a time
			x := s.session(t, s.user(t).ID)
			noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
				_, err := s.EndSession(ctx, x.ID, s.now, roster.RevokedByLogout)
				noError(t, err)
				s.givesOnce(t)
				return nil
			}))
		}
		s.givesOnce(t)
	})
	t.Run("it misses nobody who commits when what they did is older than a life", func(t *testing.T) {
		if s.Dialect() != store.PostgreSQL {
			t.Skip("there is one writer at a time")
		}
		r := s.reader(t)
		r.life = 10 * time.Millisecond
		x := s.session(t, s.user(t).ID)
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			_, err := s.EndSession(ctx, x.ID, s.now, roster.RevokedByLogout)
			noError(t, err)
			r.read(t)
			time.Sleep(20 * time.Millisecond)
			return nil
		}))
		contains(t, "late", sessions(t, r.read(t)), x.ID)
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
		contains(t, "early", sessions(t, r.read(t)), early.ID)
		r.read(t)
		close(ends)
		noError(t, <-done)
		contains(t, "late", sessions(t, r.read(t)), late.ID)
	})
}

// givesOnce checks that of two readings that follow each other only the first gives what has ended.
func (s *suite) givesOnce(t *testing.T) {
	t.Helper()
	r := s.reader(t)
	x := s.session(t, s.user(t).ID)
	_, err := s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
	noError(t, err)
	contains(t, "first", sessions(t, r.read(t)), x.ID)
	for range 3 {
		lacks(t, "again", sessions(t, r.read(t)), x.ID)
	}
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
