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
	Sealed    []byte
	CreatedAt time.Time
	ChangedAt time.Time
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

// InsertKey stores a signing key. Of several active ones that nodes offer at the same time the first stays.
func (s *Store) InsertKey(ctx context.Context, k Key) error {
	_, err := s.exec(ctx, `
		INSERT INTO {keys} (kid, algorithm, state, sealed, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, k.KID, k.Algorithm, k.State, k.Sealed, k.CreatedAt, k.ChangedAt)
	return err
}
