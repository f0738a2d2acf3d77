package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// Change is a change of a contact: asked for, then done or ended. Contact is "email" or "phone".
type Change struct {
	ID          roster.ID
	UserID      roster.ID
	Contact     string
	Old         *string
	New         string
	Canonical   string // of New
	CreatedAt   time.Time
	CompletedAt *time.Time
	EndedAt     *time.Time
}

// InsertChange stores a change that was asked for.
func (s *Store) InsertChange(ctx context.Context, c *Change) error {
	_, err := s.exec(ctx, `
		INSERT INTO {changes} (id, user_id, contact, old_value, new_value, new_canonical, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, c.ID, c.UserID, c.Contact, c.Old, c.New, c.Canonical, c.CreatedAt)
	return err
}

// GetChange returns a change of a user.
func (s *Store) GetChange(ctx context.Context, user, id roster.ID) (Change, error) {
	c := Change{ID: id, UserID: user}
	err := s.row(ctx, `
		SELECT contact, old_value, new_value, new_canonical, created_at, completed_at, ended_at FROM {changes}
		WHERE id = $1 AND user_id = $2`, []any{id, user},
		&c.Contact, &c.Old, &c.New, &c.Canonical, &c.CreatedAt, &c.CompletedAt, &c.EndedAt)
	utc(&c.CreatedAt, c.CompletedAt, c.EndedAt)
	return c, err
}

// PendingChanges returns the changes of a user that are neither done nor ended, of one contact or, with "", of both.
func (s *Store) PendingChanges(ctx context.Context, user roster.ID, contact string) ([]Change, error) {
	var list []Change
	err := s.rows(ctx, `
		SELECT id, contact, old_value, new_value, new_canonical, created_at FROM {changes}
		WHERE user_id = $1 AND ($2 = '' OR contact = $2) AND completed_at IS NULL AND ended_at IS NULL
		ORDER BY created_at, id`, []any{user, contact}, func(scan scanFunc) error {
		c := Change{UserID: user}
		err := scan(&c.ID, &c.Contact, &c.Old, &c.New, &c.Canonical, &c.CreatedAt)
		utc(&c.CreatedAt)
		list = append(list, c)
		return err
	})
	return list, err
}

// ListChanges returns all changes of a user's contacts that are still known, the earliest first.
func (s *Store) ListChanges(ctx context.Context, user roster.ID) ([]Change, error) {
	var list []Change
	err := s.rows(ctx, `
		SELECT id, contact, old_value, new_value, created_at, completed_at, ended_at FROM {changes}
		WHERE user_id = $1
		ORDER BY created_at, id`, []any{user}, func(scan scanFunc) error {
		c := Change{UserID: user}
		err := scan(&c.ID, &c.Contact, &c.Old, &c.New, &c.CreatedAt, &c.CompletedAt, &c.EndedAt)
		utc(&c.CreatedAt, c.CompletedAt, c.EndedAt)
		list = append(list, c)
		return err
	})
	return list, err
}

// CompleteChange marks a pending change as done.
func (s *Store) CompleteChange(ctx context.Context, id roster.ID, now time.Time) error {
	_, err := s.exec(ctx, "UPDATE {changes} SET completed_at = $2 WHERE id = $1 AND completed_at IS NULL", id, now)
	return err
}

// EndChange marks a change as void, or as undone.
func (s *Store) EndChange(ctx context.Context, id roster.ID, now time.Time) error {
	_, err := s.exec(ctx, "UPDATE {changes} SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL", id, now)
	return err
}

// LaterChanges returns the changes that a user completed after a time and that are not undone, the earliest first.
func (s *Store) LaterChanges(ctx context.Context, user roster.ID, after time.Time) ([]Change, error) {
	var list []Change
	err := s.rows(ctx, `
		SELECT id, contact, old_value FROM {changes} WHERE user_id = $1 AND completed_at > $2 AND ended_at IS NULL
		ORDER BY completed_at, id`, []any{user, after}, func(scan scanFunc) error {
		c := Change{UserID: user}
		err := scan(&c.ID, &c.Contact, &c.Old)
		list = append(list, c)
		return err
	})
	return list, err
}
