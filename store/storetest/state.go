package storetest

import (
	"context"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) testState(t *testing.T) {
	t.Run("it locks the state until the transaction ends", func(t *testing.T) {
		s.needsTwoWriters(t)
		order := make(chan string, 2)
		done := make(chan error, 1)
		noError(t, s.InTx(t.Context(), func(ctx context.Context) error {
			noError(t, s.LockState(ctx))
			go func() {
				done <- s.InTx(t.Context(), func(ctx context.Context) error {
					err := s.LockState(ctx)
					order <- "second"
					return err
				})
			}()
			s.waitUntilBlocked(ctx, t)
			order <- "first"
			return nil
		}))
		noError(t, <-done)
		same(t, "order", []string{<-order, <-order}, []string{"first", "second"})
	})
	unusable := map[string]func(*account){
		"banned":   func(a *account) { a.BannedAt = &s.now },
		"archived": func(a *account) { a.ArchivedAt = &s.now },
		"deleted":  func(a *account) { a.DeletedAt = &s.now },
	}
	t.Run("it finds another usable superuser", func(t *testing.T) {
		super := func(a *account) { a.Superuser = true }
		other := func(t *testing.T, id roster.ID, want bool) {
			t.Helper()
			got, err := s.OtherSuperuser(t.Context(), id, s.now)
			noError(t, err)
			same(t, "other", got, want)
		}
		a := s.user(t, super)
		s.user(t)
		for _, change := range unusable {
			s.user(t, super, change)
		}
		other(t, a.ID, false)
		other(t, newID(), true)
		s.user(t, super, func(a *account) { a.BannedAt, a.BannedUntil = &s.now, &s.now }) // the ban has run
		other(t, a.ID, true)
	})
	t.Run("it tells what an actor may do", func(t *testing.T) {
		want := store.Rights{Permissions: roster.NewPermissions("b", "a"), Superuser: true}
		a := s.user(t, func(a *account) { a.Permissions, a.Superuser = want.Permissions, true })
		got, live, err := s.GetRights(t.Context(), a.ID, roster.ID{}, s.now)
		noError(t, err)
		same(t, "rights", got, want)
		same(t, "live without a session", live, true)
		over := s.session(t, a.ID)
		_, err = s.EndSession(t.Context(), over.ID, s.now, roster.RevokedAll)
		noError(t, err)
		for session, want := range map[roster.ID]bool{
			s.session(t, a.ID).ID: true, s.session(t, s.user(t).ID).ID: false, newID(): false, over.ID: false,
		} {
			_, live, err := s.GetRights(t.Context(), a.ID, session, s.now)
			noError(t, err)
			same(t, "live", live, want)
		}
		for _, change := range unusable {
			_, _, err := s.GetRights(t.Context(), s.user(t, change).ID, roster.ID{}, s.now)
			fails(t, err, roster.ErrNotFound)
		}
		_, _, err = s.GetRights(t.Context(), newID(), roster.ID{}, s.now)
		fails(t, err, roster.ErrNotFound)
	})
}
