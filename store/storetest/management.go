package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) testManagement(t *testing.T) {
	admin := newID()
	t.Run("it keeps a ban, and forgets it", func(t *testing.T) {
		a := s.user(t)
		get := func(want store.Ban) {
			t.Helper()
			got, err := s.GetBan(t.Context(), a.ID)
			noError(t, err)
			same(t, "ban", got, want)
		}
		get(store.Ban{})
		for _, b := range []store.Ban{{Reason: "spam", Note: "ticket 7", By: &admin}, {Reason: "other"}} {
			noError(t, s.PutBan(t.Context(), a.ID, b))
			get(b)
		}
		noError(t, s.DeleteBan(t.Context(), a.ID))
		get(store.Ban{})
	})
	t.Run("it lists those who are banned now, newest ban first", func(t *testing.T) {
		at := func(d time.Duration) *time.Time { return new(s.now.Add(d)) }
		banned := func(begin time.Duration, change ...func(*account)) roster.ID {
			return s.user(t, append(change, func(a *account) { a.BannedAt = at(begin) })...).ID
		}
		first, second := banned(2*time.Hour), banned(time.Hour)
		noError(t, s.PutBan(t.Context(), second, store.Ban{Reason: "spam", By: &admin}))
		banned(3*time.Hour, func(a *account) { a.BannedUntil = at(0) })
		banned(3*time.Hour, func(a *account) { a.DeletedAt = at(0) })
		for name, tt := range map[string]struct {
			query store.BlacklistQuery
			want  []roster.ID
		}{
			"all":         {store.BlacklistQuery{Since: at(time.Minute)}, []roster.ID{first, second}},
			"by":          {store.BlacklistQuery{By: &admin}, []roster.ID{second}},
			"until":       {store.BlacklistQuery{Since: at(time.Minute), Until: at(2 * time.Hour)}, []roster.ID{second}},
			"current":     {store.BlacklistQuery{CurrentSince: at(time.Hour)}, []roster.ID{first}},
			"not current": {store.BlacklistQuery{CurrentSince: at(time.Hour), NotCurrent: true, Since: at(time.Minute)}, []roster.ID{second}},
			"behind":      {store.BlacklistQuery{Since: at(time.Minute), After: &store.Mark{At: *at(2 * time.Hour), ID: first}}, []roster.ID{second}},
		} {
			var list []*account
			tt.query.Now, tt.query.Limit = s.now, 10
			bans, err := s.ListBlacklist(t.Context(), tt.query, func() []any {
				list = append(list, &account{})
				return list[len(list)-1].dest()
			})
			noError(t, err)
			var got []roster.ID
			for _, a := range list {
				got = append(got, a.ID)
			}
			same(t, name, got, tt.want)
			if name == "by" {
				same(t, "ban", bans, []store.Ban{{Reason: "spam", By: &admin}})
			}
		}
	})
	t.Run("it tells the situation of a user", func(t *testing.T) {
		a := s.user(t)
		noError(t, s.PutPassword(t.Context(), a.ID, store.Password{Hash: "h", ChangedAt: s.now}))
		noError(t, s.PutBan(t.Context(), a.ID, store.Ban{Reason: "r", Note: "n", By: &admin}))
		s.session(t, a.ID)
		s.session(t, a.ID, func(x *store.Session) { x.IdleAt = s.now })
		got, err := s.GetSituation(t.Context(), a.ID, s.now)
		noError(t, err)
		same(t, "situation", got, store.Situation{Ban: store.Ban{Reason: "r", Note: "n", By: &admin}, HasPassword: true, Sessions: 1})
		_, err = s.GetSituation(t.Context(), newID(), s.now)
		fails(t, err, roster.ErrNotFound)
	})
	t.Run("it keeps a blackout, which closes the door", func(t *testing.T) {
		a := s.user(t)
		x := s.session(t, a.ID)
		want := store.Blackout{SetAt: &s.now, By: &admin, Message: "m", Closed: true, Until: new(s.now.Add(time.Hour))}
		noError(t, s.SetBlackout(t.Context(), want))
		got, err := s.GetBlackout(t.Context())
		noError(t, err)
		same(t, "blackout", got, want)
		same(t, "epoch", s.epoch(t), x.GlobalEpoch+1)
		enter := func(a store.Admission, at time.Time, closed bool) {
			t.Helper()
			y := s.newSession(s.user(t).ID)
			y.CreatedAt, a.Most = at, 5
			_, _, err := s.InsertSession(t.Context(), &y, a)
			same(t, "closed", errors.Is(err, roster.ErrNotFound), closed)
			if !closed {
				noError(t, err)
			}
		}
		enter(store.Admission{}, s.now, true)
		enter(store.Admission{Superuser: true}, s.now, false)
		enter(store.Admission{}, s.now.Add(time.Hour), false)
		noError(t, s.DeleteBlackout(t.Context()))
		enter(store.Admission{}, s.now, false)
		got, err = s.GetBlackout(t.Context())
		noError(t, err)
		same(t, "blackout", got, store.Blackout{})
	})
}

func (s *suite) testAudit(t *testing.T) {
	entry := func(change func(*store.AuditEntry)) store.AuditEntry {
		e := store.AuditEntry{
			ID: newID(), HappenedAt: s.now, ActorKind: roster.ActorAdmin, Action: "user.ban", Result: roster.AuditOK, Changes: new(`{"a":1}`),
			Reason: new("because"), IP: new("192.0.2.1"), UserAgent: new("agent"), RequestID: new("r-1"),
		}
		change(&e)
		noError(t, s.InsertAudit(t.Context(), &e))
		return e
	}
	list := func(q store.AuditQuery) []store.AuditEntry {
		t.Helper()
		q.Limit = 10
		got, err := s.ListAudit(t.Context(), q)
		noError(t, err)
		return got
	}
	actor, subject, session := newID(), newID(), newID()
	second := new(s.now.Add(time.Second))
	one := entry(func(e *store.AuditEntry) { e.ActorID, e.SubjectID = &actor, &subject })
	two := entry(func(e *store.AuditEntry) {
		e.HappenedAt, e.SubjectID, e.SessionID, e.Action, e.Result = *second, &subject, &session, "login.failed", roster.AuditFailed
		e.IP, e.RequestID, e.Code = new("192.0.2.2"), new("r-2"), "wrong_password"
	})
	t.Run("it finds entries, newest first", func(t *testing.T) {
		for name, tt := range map[string]struct {
			query store.AuditQuery
			want  []store.AuditEntry
		}{
			"all":     {store.AuditQuery{Subject: &subject}, []store.AuditEntry{two, one}},
			"actor":   {store.AuditQuery{Actor: &actor}, []store.AuditEntry{one}},
			"session": {store.AuditQuery{Session: &session}, []store.AuditEntry{two}},
			"action":  {store.AuditQuery{Action: "login.failed"}, []store.AuditEntry{two}},
			"result":  {store.AuditQuery{Result: "failed"}, []store.AuditEntry{two}},
			"ip":      {store.AuditQuery{IP: "192.0.2.1"}, []store.AuditEntry{one}},
			"request": {store.AuditQuery{RequestID: "r-2"}, []store.AuditEntry{two}},
			"since":   {store.AuditQuery{Since: second}, []store.AuditEntry{two}},
			"before":  {store.AuditQuery{Before: second}, []store.AuditEntry{one}},
			"behind":  {store.AuditQuery{After: &store.Mark{At: *second, ID: two.ID}}, []store.AuditEntry{one}},
		} {
			same(t, name, list(tt.query), tt.want)
		}
	})
	t.Run("it writes one with a session", func(t *testing.T) {
		x := s.newSession(s.user(t).ID)
		e := store.AuditEntry{ID: newID(), HappenedAt: s.now, ActorKind: roster.ActorUser, Action: "login.ok", SubjectID: &x.UserID, Result: roster.AuditOK}
		_, _, err := s.InsertSession(t.Context(), &x, store.Admission{Most: 5, Entry: &e})
		noError(t, err)
		same(t, "entry", list(store.AuditQuery{Subject: &x.UserID}), []store.AuditEntry{e})
	})
	t.Run("it lets nobody change them", func(t *testing.T) {
		if s.Dialect() == store.SQLite {
			t.Skip("SQLite has no settings of a transaction that a trigger could ask for")
		}
		for _, statement := range []string{"UPDATE %s SET action = 'x'", "DELETE FROM %s", "TRUNCATE %s"} {
			_, err := s.Direct.ExecContext(t.Context(), strings.Replace(statement, "%s", s.table("audit"), 1))
			if err == nil || !strings.Contains(err.Error(), "only added") {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})
	t.Run("it forgets whom they tell of, and keeps what happened", func(t *testing.T) {
		a := s.user(t)
		e := entry(func(e *store.AuditEntry) { e.SubjectID = &a.ID })
		by := entry(func(e *store.AuditEntry) { e.ActorID, e.HappenedAt = &a.ID, *second })
		noError(t, s.Transact(t.Context(), func(ctx context.Context) error { return s.ForgetUser(ctx, a.ID) }))
		e.Changes, e.Reason, e.IP, e.UserAgent = nil, nil, nil, nil
		by.IP, by.UserAgent = nil, nil
		same(t, "subject", list(store.AuditQuery{Subject: &a.ID}), []store.AuditEntry{e})
		same(t, "actor", list(store.AuditQuery{Actor: &a.ID}), []store.AuditEntry{by})
		same(t, "other", list(store.AuditQuery{Actor: &actor}), []store.AuditEntry{one})
	})
	t.Run("it deletes old ones", func(t *testing.T) {
		forever := 1000 * time.Hour
		n, err := s.Clean(t.Context(), second.Add(time.Hour), store.Keep{Sessions: forever, Links: forever, Messages: forever, DeadMessages: forever, Audit: time.Hour})
		noError(t, err)
		if n == 0 {
			t.Error("nothing was deleted")
		}
		same(t, "left", len(list(store.AuditQuery{})), 2)
		same(t, "old", s.count(t, s.table("audit"), "happened_at < $1", second), 0)
	})
}
