package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// Password is a user's stored password hash.
type Password struct {
	Hash      string
	ChangedAt time.Time
	// Failures are the wrong ones in a row. ClosedAt is when they were too many.
	Failures int
	ClosedAt *time.Time
}

// GetPassword returns a user's hash, or roster.ErrNotFound.
func (s *Store) GetPassword(ctx context.Context, id roster.ID) (Password, error) {
	var p Password
	err := s.row(ctx, "SELECT hash, changed_at, failures, closed_at FROM {passwords} WHERE user_id = $1", []any{id},
		&p.Hash, &p.ChangedAt, &p.Failures, &p.ClosedAt)
	utc(&p.ChangedAt, p.ClosedAt)
	return p, err
}

// PutPassword stores a user's hash in place of any other.
func (s *Store) PutPassword(ctx context.Context, id roster.ID, p Password) error {
	_, err := s.exec(ctx, `
		INSERT INTO {passwords} (user_id, hash, changed_at) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at`, id, p.Hash, p.ChangedAt)
	return err
}

// SwapPassword replaces a hash by another of the same password, unless it was replaced meanwhile.
func (s *Store) SwapPassword(ctx context.Context, id roster.ID, from, to string) error {
	_, err := s.exec(ctx, "UPDATE {passwords} SET hash = $3 WHERE user_id = $1 AND hash = $2", id, from, to)
	return err
}
