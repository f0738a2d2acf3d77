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

// OtherSuperuser reports whether there is a superuser other than id who is not banned, archived or deleted.
func (s *Store) OtherSuperuser(ctx context.Context, id roster.ID, now time.Time) (bool, error) {
	var exists bool
	err := s.row(ctx, `
		SELECT EXISTS (
			SELECT 1 FROM {users}
			WHERE superuser AND id <> $1 AND deleted_at IS NULL AND archived_at IS NULL
				AND (banned_at IS NULL OR banned_until <= $2)
		)`, []any{id, now}, &exists)
	return exists, err
}

// Rights are what an actor may do, as the database has it now.
type Rights struct {
	Permissions roster.Permissions
	Superuser   bool
}

// GetRights returns the rights of a user who is not banned, archived or deleted; else roster.ErrNotFound.
func (s *Store) GetRights(ctx context.Context, id roster.ID, now time.Time) (Rights, error) {
	var r Rights
	err := s.row(ctx, `
		SELECT permissions, superuser FROM {users}
		WHERE id = $1 AND deleted_at IS NULL AND archived_at IS NULL AND (banned_at IS NULL OR banned_until <= $2)`,
		[]any{id, now}, &r.Permissions, &r.Superuser)
	return r, err
}
