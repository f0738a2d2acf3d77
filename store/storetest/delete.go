package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// furnished is a user with a row in every table.
func (s *suite) furnished(t *testing.T) *account {
	t.Helper()
	a := s.user(t, func(a *account) { a.Username = new("N" + a.ID.String()) })
	noError(t, s.PutPassword(t.Context(), a.ID, store.Password{Hash: "h", ChangedAt: s.now}))
	noError(t, s.InsertSocial(t.Context(), a.ID, roster.SocialAccount{Provider: "x", Subject: a.ID.String(), LinkedAt: s.now}))
	s.link(t, a.ID, newHash())
	s.session(t, a.ID, profiled(time.Hour))
	over := s.session(t, a.ID)
	_, err := s.EndSession(t.Context(), over.ID, s.now, roster.RevokedByLogout)
	noError(t, err)
	noError(t, s.HoldUsername(t.Context(), hashOf(a.Username), &a.ID, s.now.Add(time.Hour)))
	return a
}

// rows counts a user's rows in each table.
func (s *suite) rows(t *testing.T, id roster.ID) map[string]int {
	t.Helper()
	counts := map[string]int{"users": s.count(t, s.UsersTable(), "id = $1", id)}
	for _, table := range []string{"passwords", "identities", "links", "sessions", "messages", "holds"} {
		counts[table] = s.count(t, s.table(table), "user_id = $1", id)
	}
	return counts
}

func (s *suite) testDelete(t *testing.T) {
	all := map[string]int{"users": 1, "passwords": 1, "identities": 1, "links": 1, "sessions": 2, "messages": 1, "holds": 1}
	none := map[string]int{"users": 0, "passwords": 0, "identities": 0, "links": 0, "sessions": 0, "messages": 0, "holds": 0}
	inTx := func(t *testing.T, fn func(ctx context.Context, id roster.ID) error, id roster.ID) error {
		t.Helper()
		return s.Transact(t.Context(), func(ctx context.Context) error { return fn(ctx, id) })
	}
	t.Run("it removes a user and all that hangs on them", func(t *testing.T) {
		a, b := s.furnished(t), s.furnished(t)
		same(t, "before", s.rows(t, a.ID), all)
		noError(t, inTx(t, s.RemoveUser, a.ID))
		same(t, "after", s.rows(t, a.ID), none)
		same(t, "the other", s.rows(t, b.ID), all)
		same(t, "name, held for nobody", s.count(t, s.table("holds"), "hash = $1 AND user_id IS NULL", hashOf(a.Username)), 1)
		fails(t, inTx(t, s.RemoveUser, a.ID), roster.ErrNotFound)
	})
	t.Run("it forgets what tells about a user", func(t *testing.T) {
		a, b := s.furnished(t), s.furnished(t)
		noError(t, inTx(t, s.ForgetUser, a.ID))
		same(t, "after", s.rows(t, a.ID), map[string]int{
			"users": 1, "passwords": 0, "identities": 0, "links": 0, "sessions": 2, "messages": 1, "holds": 0,
		})
		same(t, "sessions", s.count(t, s.table("sessions"), "user_id = $1 AND ip IS NULL AND user_agent IS NULL AND profiles IS NULL", a.ID), 2)
		same(t, "messages", s.count(t, s.table("messages"), "user_id = $1 AND recipient IS NULL AND payload IS NULL", a.ID), 1)
		same(t, "the other", s.rows(t, b.ID), all)
		same(t, "their sessions", s.count(t, s.table("sessions"), "user_id = $1 AND ip IS NOT NULL", b.ID), 2)
		same(t, "their profiles", s.count(t, s.table("sessions"), "user_id = $1 AND profiles IS NOT NULL", b.ID), 1)
	})
}
