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
	t.Run("it keeps the first that comes next", func(t *testing.T) {
		noError(t, s.InsertKey(t.Context(), key("n", "next", 3*time.Hour)))
		noError(t, s.InsertKey(t.Context(), key("m", "next", 4*time.Hour)))
		same(t, "next", list(t)[3:], []store.Key{key("n", "next", 3*time.Hour)})
	})
	t.Run("it moves a key on", func(t *testing.T) {
		noError(t, s.SetKeyState(t.Context(), "A", "retired", s.now.Add(5*time.Hour)))
		want := key("A", "retired", time.Hour)
		want.ChangedAt = s.now.Add(5 * time.Hour)
		same(t, "key", list(t)[2], want)
	})
	t.Run("it forgets the material of a key", func(t *testing.T) {
		noError(t, s.ForgetKey(t.Context(), "n", "revoked", s.now.Add(6*time.Hour)))
		want := key("n", "revoked", 3*time.Hour)
		want.Sealed, want.ChangedAt = []byte{}, s.now.Add(6*time.Hour)
		same(t, "key", list(t)[3], want)
	})
	t.Run("it removes a key, and cleans those up that were over long ago", func(t *testing.T) {
		noError(t, s.DeleteKey(t.Context(), "B"))
		noError(t, s.InsertKey(t.Context(), key("x", "active", 0)))
		noError(t, s.InsertKey(t.Context(), key("y", "next", 0)))
		_, err := s.Clean(t.Context(), s.now.Add(30*time.Hour), store.Keep{Keys: 24*time.Hour + 30*time.Minute, Audit: 1000 * time.Hour})
		noError(t, err)
		var kids []string
		for _, k := range list(t) {
			kids = append(kids, k.KID)
		}
		same(t, "left", kids, []string{"x", "y", "n"})
	})
}
