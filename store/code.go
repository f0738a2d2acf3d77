package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// waits are the waits after failures: 1 s, doubled each time, 15 min at most.
var waits = []time.Duration{
	1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second,
	128 * time.Second, 256 * time.Second, 512 * time.Second, 900 * time.Second,
}

// keepTries is how long after the end of the last wait failures are remembered.
const keepTries = 24 * time.Hour

// TakeTry counts a failure of a user's codes for a purpose, before the code is judged, and begins the wait that follows
// on it. During a wait it counts nothing, and returns the rest of it.
func (s *Store) TakeTry(ctx context.Context, user roster.ID, purpose LinkPurpose, now time.Time) (wait time.Duration, err error) {
	args := []any{user, purpose, now}
	for _, w := range waits {
		args = append(args, now.Add(w))
	}
	ends := len(args)
	for _, w := range waits {
		args = append(args, now.Add(w+keepTries))
	}
	n, err := s.exec(ctx, `
		INSERT INTO {tries} AS t (user_id, purpose, failures, waits_at, ends_at) VALUES ($1, $2, 1, $4, `+placeholders(ends+1, 1)+`)
		ON CONFLICT (user_id, purpose) DO UPDATE SET
			failures = CASE WHEN t.ends_at <= $3 THEN 1 ELSE t.failures + 1 END,
			waits_at = `+byFailures(4)+`,
			ends_at = `+byFailures(ends+1)+`
		WHERE t.waits_at <= $3`, args...)
	if err != nil || n > 0 {
		return 0, err
	}
	var until time.Time
	err = s.row(ctx, "SELECT waits_at FROM {tries} WHERE user_id = $1 AND purpose = $2", []any{user, purpose}, &until)
	if errors.Is(err, roster.ErrNotFound) {
		return time.Second, nil // the right code came meanwhile
	}
	return max(until.Sub(now), time.Millisecond), err
}

// byFailures picks one of the values numbered from first by how many failures there were.
func byFailures(first int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CASE WHEN t.ends_at <= $3 THEN %s", typed(first))
	for i := 1; i < len(waits)-1; i++ {
		fmt.Fprintf(&b, " WHEN t.failures = %d THEN %s", i, typed(first+i))
	}
	fmt.Fprintf(&b, " ELSE %s END", typed(first+len(waits)-1))
	return b.String()
}

func typed(n int) string { return fmt.Sprintf("cast($%d AS timestamptz)", n) }

// GiveBackTry undoes what TakeTry and TryCode have counted for the right code, which led to nothing.
func (s *Store) GiveBackTry(ctx context.Context, user roster.ID, purpose LinkPurpose, hash []byte, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE {tries} SET failures = failures - 1, waits_at = $3
		WHERE user_id = $1 AND purpose = $2 AND failures > 0`, user, purpose, now)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "UPDATE {links} SET tries = tries - 1 WHERE hash = $1 AND tries > 0", hash)
	return err
}

// UntryCode undoes what TryCode has counted for the right code, which led to nothing.
func (s *Store) UntryCode(ctx context.Context, hash []byte) error {
	_, err := s.exec(ctx, "UPDATE {links} SET tries = tries - 1 WHERE hash = $1 AND tries > 0", hash)
	return err
}

// ForgetTries forgets the failures of a user's codes for a purpose: the right one came.
func (s *Store) ForgetTries(ctx context.Context, user roster.ID, purpose LinkPurpose) error {
	_, err := s.exec(ctx, "DELETE FROM {tries} WHERE user_id = $1 AND purpose = $2", user, purpose)
	return err
}
