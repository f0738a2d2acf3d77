package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// LiveCode returns the newest live code of a user for a purpose. It is ErrNotFound when there is none, or when it was
// tried as often as most says.
func (s *Store) LiveCode(ctx context.Context, user roster.ID, purpose LinkPurpose, most int, now time.Time) (Link, error) {
	l := Link{UserID: user, Purpose: purpose}
	err := s.row(ctx, `
		SELECT hash, address, created_at, expires_at, change_id FROM {links}
		WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL AND voided_at IS NULL AND expires_at > $3 AND tries < $4
		ORDER BY created_at DESC LIMIT 1`, []any{user, purpose, now, most},
		&l.Hash, &l.Address, &l.CreatedAt, &l.ExpiresAt, &l.ChangeID)
	utc(&l.CreatedAt, &l.ExpiresAt)
	return l, err
}

// NewestCode returns the newest live code of a user for any of some purposes, or ErrNotFound.
func (s *Store) NewestCode(ctx context.Context, user roster.ID, purposes []LinkPurpose, now time.Time) (Link, error) {
	l := Link{UserID: user}
	args := []any{user, now}
	for _, purpose := range purposes {
		args = append(args, purpose)
	}
	err := s.row(ctx, `
		SELECT hash, purpose, address, created_at, expires_at, change_id FROM {links}
		WHERE user_id = $1 AND purpose IN (`+placeholders(3, len(purposes))+`)
			AND used_at IS NULL AND voided_at IS NULL AND expires_at > $2
		ORDER BY created_at DESC LIMIT 1`, args,
		&l.Hash, &l.Purpose, &l.Address, &l.CreatedAt, &l.ExpiresAt, &l.ChangeID)
	utc(&l.CreatedAt, &l.ExpiresAt)
	return l, err
}

// TryCode counts a try on a live code, and reports whether it may be judged: a code is tried most times.
func (s *Store) TryCode(ctx context.Context, hash []byte, most int, now time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE {links} SET tries = tries + 1
		WHERE hash = $1 AND tries < $2 AND used_at IS NULL AND voided_at IS NULL AND expires_at > $3`, hash, most, now)
	return n > 0, err
}

// GiveBackTry undoes what TakeTry and TryCode have counted for the right code, which led to nothing.
func (s *Store) GiveBackTry(ctx context.Context, scope TryScope, hash []byte, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE {tries} SET failures = failures - 1, waits_at = $2
		WHERE scope = $1 AND failures > 0`, scope.Key, now)
	if err != nil {
		return err
	}
	return s.UntryCode(ctx, hash)
}

// UntryCode undoes what TryCode has counted for the right code, which led to nothing.
func (s *Store) UntryCode(ctx context.Context, hash []byte) error {
	_, err := s.exec(ctx, "UPDATE {links} SET tries = tries - 1 WHERE hash = $1 AND tries > 0", hash)
	return err
}
