package storetest

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) testPassword(t *testing.T) {
	a, b := s.user(t), s.user(t)
	get := func(t *testing.T, id roster.ID) store.Password {
		t.Helper()
		p, err := s.GetPassword(t.Context(), id)
		noError(t, err)
		return p
	}
	first, second := store.Password{Hash: "$first$", ChangedAt: s.now}, store.Password{Hash: "$second$", ChangedAt: s.now.Add(time.Hour)}
	t.Run("it has none at first", func(t *testing.T) {
		_, err := s.GetPassword(t.Context(), a.ID)
		fails(t, err, roster.ErrNotFound)
	})
	t.Run("it stores one in place of any other", func(t *testing.T) {
		noError(t, s.PutPassword(t.Context(), b.ID, first))
		for _, p := range []store.Password{first, second} {
			noError(t, s.PutPassword(t.Context(), a.ID, p))
			same(t, "password", get(t, a.ID), p)
		}
		inUTC(t, get(t, a.ID).ChangedAt)
		same(t, "the other's", get(t, b.ID), first)
	})
	t.Run("it swaps a hash unless it was replaced", func(t *testing.T) {
		noError(t, s.SwapPassword(t.Context(), a.ID, "$first$", "$third$"))
		same(t, "kept", get(t, a.ID), second)
		noError(t, s.SwapPassword(t.Context(), a.ID, "$second$", "$third$"))
		same(t, "swapped", get(t, a.ID), store.Password{Hash: "$third$", ChangedAt: second.ChangedAt})
	})
	t.Run("it refuses one of nobody", func(t *testing.T) {
		fails(t, s.PutPassword(t.Context(), newID(), first), roster.ErrConflict)
	})
}
