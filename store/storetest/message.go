package storetest

import (
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

func (s *suite) newMessage() store.Message {
	return store.Message{
		ID: newID(), Kind: "confirm_email", Channel: "mail", To: "Ü <u@example.com>", Language: "de", Payload: []byte{0, 0xff},
		Priority: 5, CreatedAt: s.now, ExpiresAt: s.now.Add(24 * time.Hour),
	}
}

// message queues a message.
func (s *suite) message(t *testing.T, change ...func(*store.Message)) store.Message {
	t.Helper()
	m := s.newMessage()
	for _, f := range change {
		f(&m)
	}
	_, err := s.QueueMessage(t.Context(), &m)
	noError(t, err)
	return m
}

func (s *suite) claim(t *testing.T, worker roster.ID, most int, at time.Duration) []store.Message {
	t.Helper()
	list, err := s.ClaimMessages(t.Context(), worker, most, s.now.Add(at), s.now.Add(at+time.Minute))
	noError(t, err)
	return list
}

func (s *suite) messageIs(t *testing.T, id roster.ID, where string) {
	t.Helper()
	if s.count(t, s.table("messages"), "id = $1 AND "+where, id) != 1 {
		t.Errorf("the message is not %s", where)
	}
}

func (s *suite) testMessage(t *testing.T) {
	worker, other := newID(), newID()
	t.Run("it hands out what was queued", func(t *testing.T) {
		user := newID() // messages outlive users
		want := s.message(t, func(m *store.Message) { m.UserID, m.LinkHash, m.DedupeKey = &user, newHash(), new("key") })
		list := s.claim(t, worker, 10, 0)
		want.Attempts, want.DedupeKey = 1, nil
		same(t, "messages", list, []store.Message{want})
		inUTC(t, list[0].ExpiresAt)
		same(t, "again", s.claim(t, other, 10, 0), []store.Message(nil))
		noError(t, s.FinishMessage(t.Context(), want.ID, worker, store.MessageSent, s.now, ""))
		s.messageIs(t, want.ID, "state = 'sent' AND sent_at IS NOT NULL AND payload IS NULL AND locked_by IS NULL AND last_error IS NULL")
	})
	t.Run("it hands out the most urgent and then the oldest, no more than asked for", func(t *testing.T) {
		at := func(priority int, d time.Duration) func(*store.Message) {
			return func(m *store.Message) { m.Priority, m.CreatedAt = priority, s.now.Add(d) }
		}
		c, a := s.message(t, at(9, -time.Hour)), s.message(t, at(1, 0))
		b, future := s.message(t, at(5, -time.Minute)), s.message(t, at(0, time.Minute))
		for _, want := range [][]roster.ID{{a.ID, b.ID}, {c.ID}, nil} {
			got := map[roster.ID]bool{}
			for _, m := range s.claim(t, worker, 2, 0) {
				got[m.ID] = true
			}
			same(t, "messages", len(got), len(want))
			for _, id := range want {
				same(t, "handed out", got[id], true)
			}
		}
		same(t, "later", s.claim(t, worker, 2, 30*time.Second), []store.Message(nil))
		same(t, "when due", s.claim(t, other, 1, time.Minute)[0].ID, future.ID)
		s.sql(t, "DELETE FROM %s", s.table("messages"))
	})
	t.Run("it hands a message out again when the lease has ended, and minds only the last worker", func(t *testing.T) {
		m := s.message(t)
		same(t, "first", len(s.claim(t, worker, 1, 0)), 1)
		same(t, "within the lease", len(s.claim(t, other, 1, time.Minute-time.Microsecond)), 0)
		again := s.claim(t, other, 1, time.Minute)
		hasLength(t, "second", len(again), 1)
		same(t, "attempts", again[0].Attempts, 2)
		noError(t, s.FinishMessage(t.Context(), m.ID, worker, store.MessageSent, s.now, ""))
		noError(t, s.RetryMessage(t.Context(), m.ID, worker, s.now, ""))
		s.messageIs(t, m.ID, "state = 'sending' AND attempts = 2")
		noError(t, s.FinishMessage(t.Context(), m.ID, other, store.MessageDead, s.now, "550 no such user"))
		s.messageIs(t, m.ID, "state = 'dead' AND payload IS NOT NULL AND sent_at IS NULL AND last_error = '550 no such user'")
	})
	t.Run("it takes a message back that was not tried, as it was", func(t *testing.T) {
		m := s.message(t)
		s.claim(t, worker, 1, 0)
		noError(t, s.ReturnMessage(t.Context(), m.ID, other, s.now))
		s.messageIs(t, m.ID, "state = 'sending' AND attempts = 1")
		noError(t, s.ReturnMessage(t.Context(), m.ID, worker, s.now))
		s.messageIs(t, m.ID, "state = 'pending' AND attempts = 0 AND locked_until IS NULL AND last_error IS NULL AND payload IS NOT NULL")
		s.sql(t, "DELETE FROM %s", s.table("messages"))
	})
	t.Run("it puts a message back until its time", func(t *testing.T) {
		m := s.message(t)
		s.claim(t, worker, 1, 0)
		noError(t, s.RetryMessage(t.Context(), m.ID, worker, s.now.Add(time.Hour), "451 later"))
		s.messageIs(t, m.ID, "state = 'pending' AND last_error = '451 later' AND locked_until IS NULL AND payload IS NOT NULL")
		same(t, "too early", len(s.claim(t, worker, 1, time.Hour-time.Microsecond)), 0)
		same(t, "attempts", s.claim(t, worker, 1, time.Hour)[0].Attempts, 2)
		noError(t, s.FinishMessage(t.Context(), m.ID, worker, store.MessageExpired, s.now, ""))
	})
	t.Run("it keeps one pending message of a key", func(t *testing.T) {
		keyed := func(m *store.Message) { m.DedupeKey = new("one at a time") }
		first := s.message(t, keyed)
		s.message(t, keyed)
		same(t, "pending", s.count(t, s.table("messages"), "dedupe_key = 'one at a time'"), 1)
		s.claim(t, worker, 10, 0)
		second := s.message(t, keyed)
		s.messageIs(t, second.ID, "state = 'pending'")
		// The one that failed gives way to the one that was queued meanwhile.
		noError(t, s.RetryMessage(t.Context(), first.ID, worker, s.now, "451 later"))
		s.messageIs(t, first.ID, "state = 'cancelled' AND payload IS NULL AND locked_by IS NULL")
		list := s.claim(t, worker, 10, 0)
		hasLength(t, "claimed", len(list), 1)
		same(t, "message", list[0].ID, second.ID)
		noError(t, s.FinishMessage(t.Context(), second.ID, worker, store.MessageSent, s.now, ""))
	})
	t.Run("MAIL-10: of one key and many nodes it keeps one", func(t *testing.T) {
		kept := make([]bool, 64)
		for _, err := range atOnce(len(kept), func(i int) (err error) {
			m := s.newMessage()
			m.DedupeKey = new("of many")
			kept[i], err = s.QueueMessage(t.Context(), &m)
			return err
		}) {
			noError(t, err)
		}
		n := 0
		for _, k := range kept {
			if k {
				n++
			}
		}
		same(t, "kept", n, 1)
		same(t, "pending", s.count(t, s.table("messages"), "dedupe_key = 'of many'"), 1)
		s.sql(t, "DELETE FROM %s", s.table("messages"))
	})
	t.Run("MAIL-8: it stores what is never sent, and cleans it next", func(t *testing.T) {
		m := s.newMessage()
		m.Kind, m.To, m.Payload = "noop", "", nil
		noError(t, s.QueueNothing(t.Context(), &m))
		s.messageIs(t, m.ID, "state = 'cancelled' AND recipient IS NULL AND payload IS NULL")
		same(t, "claimed", len(s.claim(t, worker, 10, 0)), 0)
		list, err := s.ListMessages(t.Context(), store.OutboxQuery{Limit: 10})
		noError(t, err)
		same(t, "listed", len(list), 0)
		year := 365 * 24 * time.Hour
		n, err := s.Clean(t.Context(), s.now, store.Keep{Sessions: year, Links: year, Messages: year, DeadMessages: year})
		noError(t, err)
		same(t, "cleaned", n, int64(1))
	})
	t.Run("MAIL-5: it empties a dead message at its end", func(t *testing.T) {
		m := s.message(t)
		s.claim(t, worker, 1, 0)
		noError(t, s.FinishMessage(t.Context(), m.ID, worker, store.MessageDead, s.now, "550"))
		year := store.Keep{Sessions: 1e18, Links: 1e18, Messages: 1e18, DeadMessages: 1e18}
		_, err := s.Clean(t.Context(), m.ExpiresAt, year)
		noError(t, err)
		s.messageIs(t, m.ID, "payload IS NOT NULL")
		_, err = s.Clean(t.Context(), m.ExpiresAt.Add(time.Second), year)
		noError(t, err)
		s.messageIs(t, m.ID, "state = 'dead' AND payload IS NULL")
		revived, err := s.ReviveMessage(t.Context(), m.ID, s.now)
		same(t, "revived", revived, false)
		noError(t, err)
		s.sql(t, "DELETE FROM %s", s.table("messages"))
	})
	t.Run("it cancels what was not sent to a user", func(t *testing.T) {
		user := newID()
		own := func(m *store.Message) { m.UserID = &user }
		claimed := s.message(t, own)
		s.claim(t, worker, 1, 0)
		pending, others := s.message(t, own), s.message(t)
		noError(t, s.CancelMessages(t.Context(), user))
		s.messageIs(t, pending.ID, "state = 'cancelled' AND payload IS NULL")
		s.messageIs(t, claimed.ID, "state = 'sending'")
		s.messageIs(t, others.ID, "state = 'pending'")
	})
}
