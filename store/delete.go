package store

import (
	"context"

	"github.com/roster-go/roster"
)

// RemoveUser deletes a user's row and all that hangs on it.
func (s *Store) RemoveUser(ctx context.Context, id roster.ID) error {
	if err := s.forgetAudit(ctx, id); err != nil {
		return err
	}
	if err := s.removeOTPs(ctx, id); err != nil {
		return err
	}
	for _, statement := range []string{
		"DELETE FROM {messages} WHERE user_id = $1",
		"DELETE FROM {lockouts} WHERE user_id = $1",
		"UPDATE {holds} SET user_id = NULL WHERE user_id = $1",
	} {
		if _, err := s.exec(ctx, statement, id); err != nil {
			return err
		}
	}
	n, err := s.exec(ctx, "DELETE FROM {users} WHERE id = $1", id)
	if err == nil && n == 0 {
		return roster.ErrNotFound
	}
	s.revokes(ctx)
	return err
}

// ForgetUser deletes what tells about a user in Roster's own tables, or clears it where the row must stay.
func (s *Store) ForgetUser(ctx context.Context, id roster.ID) error {
	if err := s.forgetAudit(ctx, id); err != nil {
		return err
	}
	if err := s.removeOTPs(ctx, id); err != nil {
		return err
	}
	for _, statement := range []string{
		"DELETE FROM {bans} WHERE user_id = $1",
		"DELETE FROM {passwords} WHERE user_id = $1",
		"DELETE FROM {identities} WHERE user_id = $1",
		"DELETE FROM {devices} WHERE user_id = $1",
		"DELETE FROM {lockouts} WHERE user_id = $1",
		"DELETE FROM {links} WHERE user_id = $1",
		"DELETE FROM {changes} WHERE user_id = $1",
		"UPDATE {sessions} SET ip = NULL, user_agent = NULL, device = NULL, profiles = NULL WHERE user_id = $1",
		"UPDATE {messages} SET recipient = NULL, payload = NULL, last_error = NULL WHERE user_id = $1",
		"UPDATE {holds} SET user_id = NULL WHERE user_id = $1",
	} {
		if _, err := s.exec(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}
