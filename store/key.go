package store

import (
	"context"
	"time"
)

// Key is a signing key, sealed.
type Key struct {
	KID       string
	Algorithm string
	State     string
	Sealed    []byte // empty: revoked, and its material forgotten
	CreatedAt time.Time
	ChangedAt time.Time // when it entered the state
}

// ListKeys returns all signing keys, oldest first.
func (s *Store) ListKeys(ctx context.Context) ([]Key, error) {
	var list []Key
	err := s.rows(ctx, "SELECT kid, algorithm, state, sealed, created_at, changed_at FROM {keys}\nORDER BY created_at, kid", nil,
		func(scan scanFunc) error {
			var k Key
			err := scan(&k.KID, &k.Algorithm, &k.State, &k.Sealed, &k.CreatedAt, &k.ChangedAt)
			utc(&k.CreatedAt, &k.ChangedAt)
			list = append(list, k)
			return err
		})
	return list, err
}

// InsertKey stores a signing key. There is one active and one next: where there is one the other is not stored.
func (s *Store) InsertKey(ctx context.Context, k Key) error {
	return s.changeKeys(ctx, `
		INSERT INTO {keys} (kid, algorithm, state, sealed, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, k.KID, k.Algorithm, k.State, k.Sealed, k.CreatedAt, k.ChangedAt)
}

// SetKeyState moves a signing key on to another state.
func (s *Store) SetKeyState(ctx context.Context, kid, state string, now time.Time) error {
	return s.changeKeys(ctx, "UPDATE {keys} SET state = $2, changed_at = $3\nWHERE kid = $1", kid, state, now)
}

// ForgetKey is SetKeyState for a key that is worth nothing any more: its material is gone with it.
func (s *Store) ForgetKey(ctx context.Context, kid, state string, now time.Time) error {
	return s.changeKeys(ctx, "UPDATE {keys} SET state = $2, changed_at = $3, sealed = $4\nWHERE kid = $1", kid, state, now, []byte{})
}

// DeleteKey removes a signing key.
func (s *Store) DeleteKey(ctx context.Context, kid string) error {
	return s.changeKeys(ctx, "DELETE FROM {keys}\nWHERE kid = $1", kid)
}

func (s *Store) changeKeys(ctx context.Context, template string, args ...any) error {
	_, err := s.exec(ctx, template, args...)
	if err == nil {
		s.revokes(ctx)
	}
	return err
}
