package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) testSocial(t *testing.T) {
	a, b := s.user(t), s.user(t)
	link := func(provider, subject string, at time.Duration, data map[string]any) roster.SocialAccount {
		return roster.SocialAccount{Provider: provider, Subject: subject, Data: data, LinkedAt: s.now.Add(at)}
	}
	nested := map[string]any{"name": `"quoted" \ ü`, "list": []any{1.5, nil, true}, "": map[string]any{}}
	links := []roster.SocialAccount{
		link("x", "Subject", 0, nil), link("x", "subject", time.Second, nested), link("y", "Subject", 2*time.Second, map[string]any{}),
	}
	for _, i := range []int{2, 0, 1} {
		noError(t, s.InsertSocial(t.Context(), a.ID, links[i]))
	}
	list := func(t *testing.T, id roster.ID) []roster.SocialAccount {
		t.Helper()
		got, err := s.ListSocial(t.Context(), id)
		noError(t, err)
		return got
	}
	t.Run("it lists a user's links, oldest first, with their data", func(t *testing.T) {
		if diff := cmp.Diff(links, list(t, a.ID)); diff != "" {
			t.Errorf("links (-want +got):\n%s", diff)
		}
		same(t, "nobody's", list(t, newID()), []roster.SocialAccount{})
	})
	t.Run("it finds a user by provider and subject, compared exactly", func(t *testing.T) {
		got := &account{}
		noError(t, s.GetUserBySocial(t.Context(), "x", "subject", got.dest()))
		same(t, "user", got.utc(), a)
		for _, key := range [][2]string{{"x", "SUBJECT"}, {"X", "subject"}, {"y", "subject"}, {"", ""}} {
			fails(t, s.GetUserBySocial(t.Context(), key[0], key[1], got.dest()), roster.ErrNotFound)
		}
	})
	t.Run("it links an account once", func(t *testing.T) {
		for _, id := range []roster.ID{a.ID, b.ID} {
			fails(t, s.InsertSocial(t.Context(), id, link("x", "subject", 0, nil)), roster.ErrIdentifierTaken, "subject:taken")
		}
		linked := successes(t, 16, func(int) (bool, error) {
			err := s.InsertSocial(t.Context(), b.ID, link("x", "many", 0, nil))
			if e, ok := asError(err); ok && e.Code == roster.CodeIdentifierTaken {
				return false, nil
			}
			return err == nil, err
		})
		same(t, "links", linked, 1)
	})
	t.Run("it replaces the data of a user's own link", func(t *testing.T) {
		for id, want := range map[roster.ID]bool{b.ID: false, a.ID: true} {
			got, err := s.UpdateSocial(t.Context(), id, link("x", "Subject", time.Hour, map[string]any{"new": "data"}))
			noError(t, err)
			same(t, "updated", got, want)
		}
		same(t, "link", list(t, a.ID)[0], link("x", "Subject", 0, map[string]any{"new": "data"}))
	})
	t.Run("it refuses data that is no JSON", func(t *testing.T) {
		bad := link("z", "s", 0, map[string]any{"f": func() {}})
		fails(t, s.InsertSocial(t.Context(), a.ID, bad), roster.ErrValidationFailed, "data:invalid")
	})
	t.Run("it counts what a user can log in by", func(t *testing.T) {
		c := s.user(t)
		got, err := s.GetCredentials(t.Context(), c.ID)
		noError(t, err)
		same(t, "none", got, store.Credentials{})
		noError(t, s.PutPassword(t.Context(), c.ID, store.Password{Hash: "h", ChangedAt: s.now}))
		noError(t, s.InsertSocial(t.Context(), c.ID, link("x", "c", 0, nil)))
		got, err = s.GetCredentials(t.Context(), c.ID)
		noError(t, err)
		same(t, "both", got, store.Credentials{Password: true, Social: 1})
	})
	t.Run("it takes away a user's own link", func(t *testing.T) {
		fails(t, s.DeleteSocial(t.Context(), b.ID, "x", "Subject"), roster.ErrNotFound)
		noError(t, s.DeleteSocial(t.Context(), a.ID, "x", "Subject"))
		fails(t, s.DeleteSocial(t.Context(), a.ID, "x", "Subject"), roster.ErrNotFound)
		same(t, "left", len(list(t, a.ID)), 2)
	})
}
