package store

import (
	"context"
	"time"

	"github.com/roster-go/roster"
)

// Device is what a log-in leaves of the device that it came from: the hash of its token, or that of a fresh one.
type Device struct {
	Given     []byte // nil: no token was given
	Fresh     []byte // stored when Given is not a live device of the user; nil: none
	ExpiresAt time.Time
	Most      int // that a user may have; the one used least lately gives way
}

// DeviceOwner returns whose live device a token is, by its hash, or roster.ErrNotFound.
func (s *Store) DeviceOwner(ctx context.Context, hash []byte, now time.Time) (roster.ID, error) {
	var id roster.ID
	err := s.row(ctx, "SELECT user_id FROM {devices} WHERE hash = $1 AND expires_at > $2", []any{hash, now}, &id)
	return id, err
}

// DropDevices forgets the devices of a user but that of one session.
func (s *Store) DropDevices(ctx context.Context, user, session roster.ID) error {
	_, err := s.exec(ctx, `
		DELETE FROM {devices}
		WHERE user_id = $1 AND NOT EXISTS (
			SELECT 1 FROM {sessions} WHERE {sessions}.id = $2 AND {sessions}.device = {devices}.hash
		)`, user, session)
	return err
}

// The statements by which a session keeps the device that it begins from.
const (
	slideDevice = `
	UPDATE {devices} SET last_used_at = $at, expires_at = $device_end
	WHERE hash = $given AND user_id = $user AND expires_at > $at`
	dropOldDevices = `
	DELETE FROM {devices}
	WHERE user_id = $user AND (last_used_at, hash) <= (
		SELECT last_used_at, hash FROM {devices} WHERE user_id = $user ORDER BY last_used_at DESC, hash DESC LIMIT 1 OFFSET $old_devices
	)`
	insertDevice = `
	INSERT INTO {devices} (hash, user_id, created_at, last_used_at, expires_at)
	SELECT cast($fresh AS {bytes}), $user, $at, $at, $device_end`
)
