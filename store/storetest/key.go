package storetest

import (
	"testing"
	"time"

	"github.com/roster-go/roster/store"
)

func (s *suite) testKey(t *testing.T) {
	key := func(kid, state string, at time.Duration) store.Key {
		return store.Key{
			KID: kid, Algorithm: "ES256", State: state, Sealed: []byte{0, 1, 0xfe}, CreatedAt: s.now.Add(at), ChangedAt: s.now.Add(at + 1000),
		}
	}
	list := func(t *testing.T) []store.Key {
		t.Helper()
		keys, err := s.ListKeys(t.Context())
		noError(t, err)
		return keys
	}
	t.Run("it has none at first", func(t *testing.T) { same(t, "keys", list(t), []store.Key(nil)) })
	t.Run("it lists keys, oldest first", func(t *testing.T) {
		want := []store.Key{key("B", "retired", 0), key("a", "retired", 0), key("A", "active", time.Hour)}
		for _, i := range []int{2, 1, 0} {
			noError(t, s.InsertKey(t.Context(), want[i]))
		}
		same(t, "keys", list(t), want)
		inUTC(t, list(t)[0].ChangedAt)
	})
	t.Run("it keeps the first active one", func(t *testing.T) {
		noError(t, s.InsertKey(t.Context(), key("late", "active", 2*time.Hour)))
		noError(t, s.InsertKey(t.Context(), key("A", "retired", 2*time.Hour)))
		same(t, "keys", len(list(t)), 3)
	})
}
