package store

import (
	"context"
	"errors"
	"time"

	"github.com/roster-go/roster"
)

// MessageState is where a message is on its way.
type MessageState string

// The states of messages: pending, then sending, then sent, or back to pending, or dead. A message is cancelled when
// it became pointless before it was sent, expired when its link did.
const (
	MessagePending   MessageState = "pending"
	MessageSending   MessageState = "sending"
	MessageSent      MessageState = "sent"
	MessageDead      MessageState = "dead"
	MessageCancelled MessageState = "cancelled"
	MessageExpired   MessageState = "expired"
)

// Message is a mail or SMS in the outbox. Its payload is sealed, and emptied once it is done with.
type Message struct {
	ID        roster.ID
	Kind      string
	Channel   string
	UserID    *roster.ID
	To        string
	Language  string
	Payload   []byte
	LinkHash  []byte  // of the link that it carries
	DedupeKey *string // one pending message of a key at most
	Priority  int     // lower goes first
	CreatedAt time.Time
	ExpiresAt time.Time
	Attempts  int
}

// QueueMessage stores a message to be sent, and reports whether it did: one whose dedupe key is pending already is
// dropped.
func (s *Store) QueueMessage(ctx context.Context, m *Message) (bool, error) {
	n, err := s.exec(ctx, insertMessage, m.values()...)
	return n > 0, err
}

// QueueNothing stores a row that looks like a message and is never sent.
func (s *Store) QueueNothing(ctx context.Context, m *Message) error {
	_, err := s.exec(ctx, insertNothing, m.values()...)
	return err
}

const (
	messageColumns = `id, kind, channel, user_id, recipient, language, payload, link_hash, dedupe_key, priority,
		created_at, next_at, expires_at, state`
	insertInto = `
	INSERT INTO {messages} (` + messageColumns + `)
	VALUES ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8, $9, $10, $11, $12, $13, `
	insertMessage = insertInto + `'pending')
	ON CONFLICT DO NOTHING`
	insertNothing = insertInto + `'cancelled')`
)

func (m *Message) values() []any {
	return []any{
		m.ID, m.Kind, m.Channel, m.UserID, m.To, m.Language, m.Payload, m.LinkHash, m.DedupeKey, m.Priority,
		m.CreatedAt, m.CreatedAt, m.ExpiresAt,
	}
}

// ClaimMessages hands up to most due messages to a worker until the lease ends; nobody else gets them in that time.
func (s *Store) ClaimMessages(ctx context.Context, worker roster.ID, most int, now, lease time.Time) ([]Message, error) {
	var list []Message
	err := s.rows(ctx, `
		WITH due AS (
			SELECT id FROM {messages}
			WHERE state = 'pending' AND next_at <= $3 OR state = 'sending' AND locked_until <= $3
			ORDER BY priority, next_at, id
			LIMIT $2
			{skip_locked}
		)
		UPDATE {messages} SET state = 'sending', attempts = attempts + 1, locked_by = $1, locked_until = $4
		WHERE id IN (SELECT id FROM due)
		RETURNING id, kind, channel, user_id, coalesce(recipient, ''), language, payload, link_hash, priority, created_at,
			expires_at, attempts`,
		[]any{worker, most, now, lease}, func(scan scanFunc) error {
			var m Message
			err := scan(&m.ID, &m.Kind, &m.Channel, &m.UserID, &m.To, &m.Language, &m.Payload, &m.LinkHash, &m.Priority,
				&m.CreatedAt, &m.ExpiresAt, &m.Attempts)
			utc(&m.CreatedAt, &m.ExpiresAt)
			list = append(list, m)
			return err
		})
	return list, err
}

// FinishMessage writes what became of a claimed message. A worker whose lease has passed to another changes nothing.
func (s *Store) FinishMessage(ctx context.Context, id, worker roster.ID, state MessageState, now time.Time, failure string) error {
	_, err := s.exec(ctx, `
		UPDATE {messages} SET state = $3, locked_by = NULL, locked_until = NULL, last_error = nullif($5, ''),
			sent_at = CASE WHEN $3 = 'sent' THEN cast($4 AS timestamptz) END,
			payload = CASE WHEN $3 = 'dead' THEN payload END
		WHERE id = $1 AND locked_by = $2 AND state = 'sending'`, id, worker, state, now, failure)
	return err
}

// RetryMessage puts a claimed message back until the time next; one whose dedupe key is pending again meanwhile is
// cancelled.
func (s *Store) RetryMessage(ctx context.Context, id, worker roster.ID, next time.Time, failure string) error {
	_, err := s.exec(ctx, `
		UPDATE {messages} SET state = 'pending', locked_by = NULL, locked_until = NULL, next_at = $3, last_error = nullif($4, '')
		WHERE id = $1 AND locked_by = $2 AND state = 'sending'`, id, worker, next, failure)
	return s.orReplaced(ctx, id, worker, failure, err)
}

// ReturnMessage puts a claimed message back that was not tried, as it was before; likewise.
func (s *Store) ReturnMessage(ctx context.Context, id, worker roster.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE {messages} SET state = 'pending', locked_by = NULL, locked_until = NULL, next_at = $3, attempts = attempts - 1
		WHERE id = $1 AND locked_by = $2 AND state = 'sending'`, id, worker, now)
	return s.orReplaced(ctx, id, worker, "", err)
}

// orReplaced cancels a claimed message that could not be put back because another with its dedupe key waits.
func (s *Store) orReplaced(ctx context.Context, id, worker roster.ID, failure string, err error) error {
	if !errors.Is(err, roster.ErrConflict) {
		return err
	}
	_, err = s.exec(ctx, `
		UPDATE {messages} SET state = 'cancelled', locked_by = NULL, locked_until = NULL, payload = NULL, last_error = nullif($3, '')
		WHERE id = $1 AND locked_by = $2 AND state = 'sending'`, id, worker, failure)
	return err
}

// CancelMessages cancels the unsent messages to a user.
func (s *Store) CancelMessages(ctx context.Context, user roster.ID) error {
	_, err := s.exec(ctx, `
		UPDATE {messages} SET state = 'cancelled', payload = NULL
		WHERE user_id = $1 AND state = 'pending'`, user)
	return err
}

// OutboxQuery selects messages; zero values select all.
type OutboxQuery struct {
	State, Kind, Channel string
	UserID               *roster.ID
	From, Before         time.Time // of queueing
	After                *Mark     // the last of the page before
	Limit                int
}

// OutboxEntry is a message and what became of it.
type OutboxEntry struct {
	Message
	State   MessageState
	NextAt  time.Time
	Failure string
	SentAt  *time.Time
}

// ListMessages returns messages without their payload, the newest first, and one more than the limit if there are more.
func (s *Store) ListMessages(ctx context.Context, q OutboxQuery) ([]OutboxEntry, error) {
	b := &builder{dialect: s.dialect}
	b.text.WriteString(`
		SELECT id, kind, channel, coalesce(recipient, ''), state, attempts, next_at, coalesce(last_error, ''), created_at, sent_at
		FROM {messages} WHERE kind <> 'noop'`)
	for _, condition := range []struct {
		given bool
		text  string
		value any
	}{
		{q.State != "", "state =", q.State},
		{q.Kind != "", "kind =", q.Kind},
		{q.Channel != "", "channel =", q.Channel},
		{q.UserID != nil, "user_id =", q.UserID},
		{!q.From.IsZero(), "created_at >=", q.From},
		{!q.Before.IsZero(), "created_at <", q.Before},
	} {
		if condition.given {
			b.text.WriteString(" AND " + condition.text + " " + b.bind(condition.value))
		}
	}
	if q.After != nil { // by id alone: it tells the time
		b.text.WriteString(" AND id < " + b.bind(q.After.ID))
	}
	b.text.WriteString(" ORDER BY id DESC LIMIT " + b.bind(q.Limit+1))
	var list []OutboxEntry
	err := s.rowsOf(ctx, adhoc, b.text.String(), b.args, func(scan scanFunc) error {
		var m OutboxEntry
		err := scan(&m.ID, &m.Kind, &m.Channel, &m.To, &m.State, &m.Attempts, &m.NextAt, &m.Failure, &m.CreatedAt, &m.SentAt)
		utc(&m.NextAt, &m.CreatedAt, m.SentAt)
		list = append(list, m)
		return err
	})
	return list, err
}

// GetBacklog tells what waits to be sent.
func (s *Store) GetBacklog(ctx context.Context) (roster.Backlog, error) {
	b := roster.Backlog{Oldest: new(time.Time)}
	err := s.row(ctx, `
		SELECT count(*) OVER (), created_at FROM {messages} WHERE state IN ('pending', 'sending')
		ORDER BY created_at LIMIT 1`, nil, &b.Waiting, b.Oldest)
	if errors.Is(err, roster.ErrNotFound) {
		return roster.Backlog{}, nil
	}
	utc(b.Oldest)
	return b, err
}

// ReviveMessage puts a dead message back that is still worth sending, by one statement of which one caller alone sees
// the success, and reports it. A message that does not exist is roster.ErrNotFound.
func (s *Store) ReviveMessage(ctx context.Context, id roster.ID, now time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE {messages} SET state = 'pending', attempts = 0, next_at = $2, last_error = NULL
		WHERE id = $1 AND state = 'dead' AND expires_at > $2 AND payload IS NOT NULL`, id, now)
	if n > 0 || err != nil {
		return n > 0, err
	}
	var exists bool
	return false, s.row(ctx, `SELECT TRUE FROM {messages} WHERE id = $1 AND kind <> 'noop'`, []any{id}, &exists)
}
