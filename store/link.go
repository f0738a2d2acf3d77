package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// LinkPurpose says what a mailed token is good for; it is good for nothing else.
type LinkPurpose string

// The purposes of mailed tokens.
const (
	ConfirmEmail  LinkPurpose = "confirm_email"
	FirstPassword LinkPurpose = "first_password"
	ResetPassword LinkPurpose = "reset_password"
	ChangeEmail   LinkPurpose = "change_email"
	CancelChange  LinkPurpose = "cancel_change"
)

// CodeFor is the purpose of a code that was sent to a contact: "code:verify:phone".
func CodeFor(purpose, contact string) LinkPurpose {
	return LinkPurpose("code:" + purpose + ":" + contact)
}

// Link is a token or code that was sent, by its hash.
type Link struct {
	Hash      []byte
	Purpose   LinkPurpose
	UserID    roster.ID
	Address   string // canonical
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	VoidedAt  *time.Time
	ChangeID  *roster.ID // of the change of contact that it is about
}

// QueueLink stores a link together with the message that carries it.
func (s *Store) QueueLink(ctx context.Context, l Link, m *Message) error {
	return s.queueLink(ctx, l, m, insertMessage)
}

// QueueHollow stores a link that nobody is sent, together with a row that looks like its message.
func (s *Store) QueueHollow(ctx context.Context, l Link, m *Message) error {
	return s.queueLink(ctx, l, m, insertNothing)
}

func (s *Store) queueLink(ctx context.Context, l Link, m *Message, insert string) error {
	args := append(m.values(), l.values()...)
	if s.dialect == PostgreSQL {
		_, err := s.exec(ctx, "WITH link AS ("+insertLink+") "+insert, args...)
		return err
	}
	if _, err := s.exec(ctx, insert, m.values()...); err != nil {
		return err
	}
	_, err := s.exec(ctx, insertLink, args...)
	return err
}

const (
	linkColumns = "hash, purpose, user_id, address, created_at, expires_at, change_id"
	// insertLink numbers its values after those of insertMessage.
	insertLink = "INSERT INTO {links} (" + linkColumns + ") VALUES ($14, $15, $16, $17, $18, $19, $20)"
)

func (l *Link) values() []any {
	return []any{l.Hash, l.Purpose, l.UserID, l.Address, l.CreatedAt, l.ExpiresAt, l.ChangeID}
}

// InsertLink stores a link that no message carries.
func (s *Store) InsertLink(ctx context.Context, l Link) error {
	_, err := s.exec(ctx, "INSERT INTO {links} ("+linkColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)", l.values()...)
	return err
}

// GetLink returns a link of a purpose by its hash, used and voided ones too.
func (s *Store) GetLink(ctx context.Context, purpose LinkPurpose, hash []byte) (Link, error) {
	l := Link{Hash: hash, Purpose: purpose}
	err := s.row(ctx, `
		SELECT user_id, address, created_at, expires_at, used_at, voided_at, change_id FROM {links}
		WHERE hash = $1 AND purpose = $2`, []any{hash, purpose},
		&l.UserID, &l.Address, &l.CreatedAt, &l.ExpiresAt, &l.UsedAt, &l.VoidedAt, &l.ChangeID)
	utc(&l.CreatedAt, &l.ExpiresAt, l.UsedAt, l.VoidedAt)
	return l, err
}

// UseLink consumes a live link, by one statement of which one caller alone sees the success, and reports it.
func (s *Store) UseLink(ctx context.Context, purpose LinkPurpose, hash []byte, now time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE {links} SET used_at = $3
		WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND voided_at IS NULL AND expires_at > $3`, hash, purpose, now)
	return n > 0, err
}

// VoidLinks ends the live links of a user: of some purposes or, without any, of all but those that cancel a change of
// contact; and to one address or, with "", to all. The messages that carry them are cancelled if they were not sent yet.
func (s *Store) VoidLinks(ctx context.Context, user roster.ID, address string, now time.Time, purposes ...LinkPurpose) error {
	which, args := "purpose <> 'cancel_change'", []any{user, address, now}
	if len(purposes) > 0 {
		which = "purpose IN (" + placeholders(len(args)+1, len(purposes)) + ")"
		for _, purpose := range purposes {
			args = append(args, purpose)
		}
	}
	return s.voidLinks(ctx, user, "($2 = '' OR address = $2) AND "+which, args)
}

// VoidChangeLinks ends the links and codes of one change of contact; of all purposes, or of one.
func (s *Store) VoidChangeLinks(ctx context.Context, user, change roster.ID, purpose LinkPurpose, now time.Time) error {
	return s.voidLinks(ctx, user, "change_id = $2 AND ($4 = '' OR purpose = $4)", []any{user, change, now, purpose})
}

func (s *Store) voidLinks(ctx context.Context, user roster.ID, which string, args []any) error {
	n, err := s.exec(ctx, `
		UPDATE {links} SET voided_at = $3
		WHERE user_id = $1 AND used_at IS NULL AND voided_at IS NULL AND `+which, args...)
	if err != nil || n == 0 {
		return err
	}
	_, err = s.exec(ctx, `
		UPDATE {messages} SET state = 'cancelled', payload = NULL
		WHERE user_id = $1 AND state = 'pending'
			AND link_hash IN (SELECT hash FROM {links} WHERE user_id = $1 AND voided_at IS NOT NULL)`, user)
	return err
}

// LinkIsLive reports whether a link can still be used.
func (s *Store) LinkIsLive(ctx context.Context, hash []byte, now time.Time) (bool, error) {
	var live bool
	err := s.row(ctx, `
		SELECT EXISTS (
			SELECT 1 FROM {links} WHERE hash = $1 AND used_at IS NULL AND voided_at IS NULL AND expires_at > $2
		)`, []any{hash, now}, &live)
	return live, err
}
