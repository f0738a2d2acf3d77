package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// LockState keeps other transactions from what is decided over all users together until this one ends.
func (s *Store) LockState(ctx context.Context) error {
	var epoch int64
	return s.row(ctx, "SELECT epoch FROM {state} WHERE id = 1 {lock}", nil, &epoch)
}

// GetGlobalEpoch returns the epoch of all users, which grows with each blackout.
func (s *Store) GetGlobalEpoch(ctx context.Context) (epoch int64, err error) {
	err = s.row(ctx, "SELECT epoch FROM {state} WHERE id = 1", nil, &epoch)
	return epoch, err
}

// OtherSuperuser reports whether there is a superuser other than id who is not banned, archived or deleted.
func (s *Store) OtherSuperuser(ctx context.Context, id roster.ID, now time.Time) (bool, error) {
	var exists bool
	err := s.row(ctx, `
		SELECT EXISTS (
			SELECT 1 FROM {users} WHERE superuser AND id <> $1 AND `+usable("", "$2")+`
		)`, []any{id, now}, &exists)
	return exists, err
}

// Rights are what an actor may do, as the database has it now.
type Rights struct {
	Permissions roster.Permissions
	Superuser   bool
}

// GetRights returns the rights of a user who is not banned, archived or deleted; else roster.ErrNotFound. live tells whether
// a session of theirs goes on; with the zero id none is asked for.
func (s *Store) GetRights(ctx context.Context, id, session roster.ID, now time.Time) (r Rights, live bool, err error) {
	err = s.row(ctx, `
		SELECT permissions, superuser, cast($4 AS boolean) OR EXISTS (
			SELECT 1 FROM {sessions} s WHERE s.id = $3 AND s.user_id = {users}.id AND s.ended_at IS NULL
		)
		FROM {users} WHERE id = $1 AND `+usable("", "$2"), []any{id, now, session, session == roster.ID{}}, &r.Permissions, &r.Superuser, &live)
	return r, live, err
}

// Blackout is the record of a blackout; SetAt is nil when none is set.
type Blackout struct {
	SetAt   *time.Time
	By      *roster.ID
	Message string
	Closed  bool
	Until   *time.Time
}

// GetBlackout returns the blackout.
func (s *Store) GetBlackout(ctx context.Context) (Blackout, error) {
	var b Blackout
	err := s.row(ctx, `
		SELECT blackout_at, blackout_by, blackout_message, blackout_closed, blackout_until FROM {state}
		WHERE id = 1`, nil, &b.SetAt, &b.By, &b.Message, &b.Closed, &b.Until)
	utc(b.SetAt, b.Until)
	return b, err
}

// SetBlackout replaces the blackout, and makes the tokens of all users worthless that were issued before.
func (s *Store) SetBlackout(ctx context.Context, b Blackout) error {
	_, err := s.exec(ctx, `
		UPDATE {state} SET epoch = epoch + 1, blackout_at = $1, blackout_by = $2, blackout_message = $3, blackout_closed = $4,
			blackout_until = $5
		WHERE id = 1`, b.SetAt, b.By, b.Message, b.Closed, b.Until)
	if err == nil {
		s.revokes(ctx)
	}
	return err
}

// DeleteBlackout forgets the blackout. The epoch stays: nothing revives.
func (s *Store) DeleteBlackout(ctx context.Context) error {
	_, err := s.exec(ctx, `
		UPDATE {state} SET blackout_at = NULL, blackout_by = NULL, blackout_message = '', blackout_closed = false, blackout_until = NULL
		WHERE id = 1`)
	return err
}
