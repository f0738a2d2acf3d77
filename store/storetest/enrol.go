package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) testEnrol(t *testing.T) {
	if s.Dialect() != store.PostgreSQL {
		return
	}
	ctx := t.Context()
	enrol := func(a *account, change ...func(*store.Enrolment)) (store.Session, bool, error) {
		x := s.newSession(a.ID)
		link := s.newLink(a.ID, newHash())
		e := store.Enrolment{
			Values: a.values(), Derived: a.derived(), Holds: store.Holds{Hashes: [][]byte{hashOf(a.Username)}},
			Password: store.Password{Hash: "h", ChangedAt: s.now},
			Link:     &link,
			Message: &store.Message{
				ID: newID(), Kind: "confirm_email", Channel: "email", UserID: &a.ID, To: "a@example.com", Language: "en", Payload: []byte("p"),
				LinkHash: link.Hash, CreatedAt: s.now, ExpiresAt: s.now.Add(time.Hour),
			},
			Admission: store.Admission{
				Most: 2, Device: store.Device{Fresh: newHash(), ExpiresAt: s.now.Add(time.Hour), Most: 2},
				Entry: &store.AuditEntry{
					ID: newID(), HappenedAt: s.now, ActorKind: roster.ActorUser, Action: "login.ok", SubjectID: &a.ID, Result: "ok", SessionID: &x.ID,
				},
			},
		}
		for _, f := range change {
			f(&e)
		}
		done, err := s.EnrolUser(ctx, &x, e)
		return x, done, err
	}
	traces := func(t *testing.T, id roster.ID) (list [7]int) {
		t.Helper()
		for i, table := range []string{"passwords", "sessions", "devices", "links", "messages"} {
			list[i] = s.count(t, s.table(table), "user_id = $1", id)
		}
		list[5], list[6] = s.count(t, s.table("audit"), "subject_id = $1", id), s.count(t, s.UsersTable(), "id = $1", id)
		return list
	}
	all, nothing := [7]int{1, 1, 1, 1, 1, 1, 1}, [7]int{}
	t.Run("a user is stored with all that they begin with", func(t *testing.T) {
		a := s.full()
		x, done, err := enrol(a)
		noError(t, err)
		same(t, "done", done, true)
		same(t, "user", s.get(t, a.ID), a)
		same(t, "password", *s.entrant(t, a).Password, store.Password{Hash: "h", ChangedAt: s.now})
		same(t, "session", s.getSession(t, x.ID), x)
		same(t, "traces", traces(t, a.ID), all)
	})
	t.Run("or with less", func(t *testing.T) {
		a := s.full()
		_, done, err := enrol(a, func(e *store.Enrolment) {
			e.Holds, e.Link, e.Message, e.Admission.Entry, e.Admission.Device = store.Holds{}, nil, nil, nil, store.Device{}
		})
		noError(t, err)
		same(t, "done", done, true)
		same(t, "traces", traces(t, a.ID), [7]int{1, 1, 0, 0, 0, 0, 1})
	})
	t.Run("nothing is left of one whose username is taken, held, or being given up", func(t *testing.T) {
		owner, leaver := s.full(), s.full()
		noError(t, s.insert(ctx, owner))
		noError(t, s.insert(ctx, leaver))
		held := new("held-for-somebody")
		noError(t, s.HoldUsername(ctx, hashOf(held), &owner.ID, s.now.Add(time.Hour)))
		refused := func(t *testing.T, name *string) {
			t.Helper()
			a := s.full()
			a.Username = name
			_, done, err := enrol(a)
			noError(t, err)
			same(t, "done", done, false)
			same(t, "traces", traces(t, a.ID), nothing)
		}
		refused(t, owner.Username)
		refused(t, held)
		undone := roster.ErrConflict
		fails(t, s.Transact(ctx, func(within context.Context) error {
			set := []store.Assignment{{Column: "username", Value: "another"}, {Column: "username_canonical", Value: "another-" + leaver.ID.String()}}
			noError(t, s.UpdateUser(within, leaver.ID, set, store.Holds{}))
			noError(t, s.HoldUsername(within, hashOf(leaver.Username), &leaver.ID, s.now.Add(time.Hour)))
			refused(t, leaver.Username)
			return undone
		}), undone)
	})
	t.Run("an address that is taken is an error, and nothing is left", func(t *testing.T) {
		owner, a := s.full(), s.full()
		noError(t, s.insert(ctx, owner))
		a.Email = owner.Email
		_, done, err := enrol(a)
		fails(t, err, roster.ErrIdentifierTaken, "email:taken")
		same(t, "done", done, false)
		same(t, "traces", traces(t, a.ID), nothing)
	})
}
