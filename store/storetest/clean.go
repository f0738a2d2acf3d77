package storetest

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// SEC-116, SESS-56: what is past its time goes, and nothing else.
func (s *suite) testClean(t *testing.T) {
	keep := store.Keep{Sessions: time.Hour, Links: 2 * time.Hour, Messages: 3 * time.Hour, DeadMessages: 4 * time.Hour, Audit: 5 * time.Hour, Changes: 6 * time.Hour}
	clean := func(t *testing.T) int64 {
		t.Helper()
		n, err := s.Clean(t.Context(), s.now, keep)
		noError(t, err)
		return n
	}
	ids := func(t *testing.T, table, column string) int { return s.count(t, s.table(table), column+" IS NOT NULL") }
	t.Run("it deletes what is over for long enough, and nothing else", func(t *testing.T) {
		a := s.user(t)
		at := func(d time.Duration) *time.Time { return new(s.now.Add(d)) }
		end := func(t *testing.T, id roster.ID, d time.Duration) {
			_, err := s.EndSession(t.Context(), id, *at(d), roster.RevokedByLogout)
			noError(t, err)
		}
		s.session(t, a.ID)
		s.session(t, a.ID, func(x *store.Session) { x.IdleAt = *at(-time.Hour) })
		s.session(t, a.ID, func(x *store.Session) { x.IdleAt = *at(-time.Hour - time.Microsecond) })
		s.session(t, a.ID, func(x *store.Session) { x.ExpiresAt = *at(-2 * time.Hour) })
		end(t, s.session(t, a.ID).ID, -time.Hour)
		end(t, s.session(t, a.ID).ID, -2*time.Hour)
		end(t, s.session(t, a.ID, func(x *store.Session) { x.IdleAt = *at(-2 * time.Hour) }).ID, 0)

		linked := func(change func(*store.Link)) []byte {
			l, _ := s.link(t, a.ID, newHash(), func(l *store.Link, _ *store.Message) { change(l) })
			return l.Hash
		}
		linked(func(*store.Link) {})
		linked(func(l *store.Link) { l.ExpiresAt = *at(-2 * time.Hour) })
		linked(func(l *store.Link) { l.ExpiresAt = *at(-2*time.Hour - time.Microsecond) })
		used := linked(func(*store.Link) {})
		_, err := s.UseLink(t.Context(), store.ConfirmEmail, used, *at(-3 * time.Hour))
		noError(t, err)

		s.sql(t, "DELETE FROM %s", s.table("messages"))
		for state, kept := range map[store.MessageState]int{
			store.MessagePending: 2, store.MessageSending: 2, store.MessageSent: 1, store.MessageCancelled: 1, store.MessageExpired: 1,
		} {
			for _, d := range []time.Duration{-3 * time.Hour, -3*time.Hour - time.Microsecond} {
				m := s.message(t, func(m *store.Message) { m.CreatedAt = *at(d) })
				s.sql(t, "UPDATE %s SET state = '"+string(state)+"' WHERE id = '"+m.ID.String()+"'", s.table("messages"))
			}
			_ = kept
		}
		for _, d := range []time.Duration{-4 * time.Hour, -5 * time.Hour} {
			m := s.message(t, func(m *store.Message) { m.CreatedAt = *at(d) })
			s.sql(t, "UPDATE %s SET state = 'dead' WHERE id = '"+m.ID.String()+"'", s.table("messages"))
		}
		noError(t, s.HoldUsername(t.Context(), newHash(), &a.ID, s.now))
		noError(t, s.HoldUsername(t.Context(), newHash(), &a.ID, *at(-time.Microsecond)))

		change := func(d time.Duration) {
			c := &store.Change{ID: roster.NewID(), UserID: a.ID, Contact: "email", New: "new@example.com", Canonical: "new@example.com", CreatedAt: *at(d)}
			noError(t, s.InsertChange(t.Context(), c))
		}
		change(-6 * time.Hour)
		change(-6*time.Hour - time.Microsecond)
		for purpose, d := range map[store.LinkPurpose]time.Duration{"over": -1000 * time.Hour, "runs": 0} {
			_, err := s.TakeTry(t.Context(), store.CodeScope(a.ID, purpose), *at(d))
			noError(t, err)
		}

		same(t, "deleted", clean(t), int64(3+2+3+1+1+1+1))
		same(t, "changes", ids(t, "changes", "id"), 1)
		same(t, "tries", ids(t, "tries", "scope"), 1)
		same(t, "sessions", ids(t, "sessions", "id"), 4)
		same(t, "links", ids(t, "links", "hash"), 2)
		same(t, "messages", ids(t, "messages", "id"), 2*2+3+1)
		same(t, "holds", ids(t, "holds", "hash"), 1)
		same(t, "again", clean(t), int64(0))
		same(t, "user", s.exists(t, a.ID), true)
	})
	t.Run("it works in batches, on three nodes at once", func(t *testing.T) {
		if s.Again == nil {
			t.Skip("there is one connection")
		}
		rows := 4_000 // several batches
		if s.Dialect() == store.SQLite {
			rows = 1200 // the race detector makes it slow
		}
		live := s.session(t, s.user(t).ID)
		s.sql(t, "DELETE FROM %s", s.table("messages"))
		s.many(t, rows)
		nodes := make([]*store.Store, 3)
		for i := range nodes {
			nodes[i] = s.another(t, 2, func(*store.Config) {})
		}
		deleted := make([]int64, len(nodes))
		for _, err := range atOnce(len(nodes), func(i int) (err error) {
			deleted[i], err = nodes[i].Clean(t.Context(), s.now, keep)
			return err
		}) {
			noError(t, err)
		}
		same(t, "deleted", deleted[0]+deleted[1]+deleted[2], int64(rows))
		same(t, "left", ids(t, "messages", "id"), 0)
		same(t, "live session", s.getSession(t, live.ID), live)
	})
}

// many stores messages that were sent long ago.
func (s *suite) many(t *testing.T, n int) {
	t.Helper()
	series := "generate_series(1, $2)"
	id := "gen_random_uuid()"
	if s.Dialect() == store.SQLite {
		series = "(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < $2) SELECT i FROM g)"
		id = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-7000-8000-' || hex(randomblob(6)))"
	}
	_, err := s.Direct.ExecContext(t.Context(), `
		INSERT INTO `+s.table("messages")+` (id, kind, channel, language, priority, created_at, next_at, expires_at, state)
		SELECT `+id+`, 'k', 'mail', 'en', 1, $1, $1, $1, 'sent' FROM `+series+` AS g`, s.now.Add(-100*time.Hour), n)
	noError(t, err)
}
