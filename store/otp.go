package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/roster-go/roster"
)

// OTP is a one-time password, by the hash of its key.
type OTP struct {
	ID          roster.ID
	Slug        string
	Hash        []byte
	Scope       []byte // a digest of what a short key is bound to; empty for a long one
	Data        json.RawMessage
	MaxAttempts int
	Failures    int
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// OTPQuery finds live one-time passwords: those of a slug that are related to all of the objects, newest first.
type OTPQuery struct {
	Slug    string
	Objects []roster.OTPObject
	Hashes  [][]byte // one of these; nil: any
	Limit   int      // 0: no limit
	Now     time.Time
}

// otpBurnt is true of one that was tried as often as it can be.
const otpBurnt = `EXISTS (
	SELECT 1 FROM {tries} AS t WHERE t.scope = '` + entryPrefix + `' || cast(o.id AS text) AND t.failures >= o.max_attempts)`

// where is the condition of a query on {otps} AS o, with its values.
func (q OTPQuery) where() (text string, args []any) {
	text, args = "o.slug = $1 AND o.ended_at IS NULL AND o.expires_at > $2", []any{q.Slug, q.Now}
	add := func(values ...any) int {
		args = append(args, values...)
		return len(args) - len(values) + 1
	}
	for _, x := range q.Objects {
		n := add(x.Kind, x.ID)
		text += fmt.Sprintf(" AND o.id IN (SELECT otp_id FROM {otp_objects} WHERE kind = $%d AND object = $%d)", n, n+1)
	}
	if q.Hashes != nil {
		values := make([]any, len(q.Hashes))
		for i, hash := range q.Hashes {
			values[i] = hash
		}
		text += " AND o.hash IN (" + placeholders(add(values...), len(values)) + ")"
	}
	return text + " AND NOT " + otpBurnt, args
}

// FindOTPs returns what a query finds.
func (s *Store) FindOTPs(ctx context.Context, q OTPQuery) ([]OTP, error) {
	where, args := q.where()
	text := `
		SELECT o.id, o.hash, o.scope, o.data, o.max_attempts, o.created_at, o.expires_at,
			coalesce((SELECT t.failures FROM {tries} AS t WHERE t.scope = '` + entryPrefix + `' || cast(o.id AS text)), 0)
		FROM {otps} AS o WHERE ` + where + ` ORDER BY o.created_at DESC, o.id DESC`
	if q.Limit > 0 {
		args = append(args, q.Limit)
		text += fmt.Sprintf(" LIMIT $%d", len(args))
	}
	var list []OTP
	err := s.rowsOf(ctx, adhoc, text, args, func(scan scanFunc) error {
		x := OTP{Slug: q.Slug}
		var data *string
		err := scan(&x.ID, &x.Hash, &x.Scope, &data, &x.MaxAttempts, &x.CreatedAt, &x.ExpiresAt, &x.Failures)
		if data != nil {
			x.Data = json.RawMessage(*data)
		}
		utc(&x.CreatedAt, &x.ExpiresAt)
		list = append(list, x)
		return err
	})
	return list, err
}

// OTPObjects returns what a one-time password is related to.
func (s *Store) OTPObjects(ctx context.Context, id roster.ID) ([]roster.OTPObject, error) {
	var list []roster.OTPObject
	err := s.rows(ctx, "SELECT kind, object FROM {otp_objects} WHERE otp_id = $1 ORDER BY kind, object", []any{id},
		func(scan scanFunc) error {
			var x roster.OTPObject
			err := scan(&x.Kind, &x.ID)
			list = append(list, x)
			return err
		})
	return list, err
}

// InsertOTP stores a one-time password, and reports whether it did: not when a live one has one of the hashes, which are
// those of its key under all secrets. A user whom it is related to and who is not there is roster.ErrNotFound.
func (s *Store) InsertOTP(ctx context.Context, x OTP, objects []roster.OTPObject, hashes [][]byte) (bool, error) {
	if err := s.endDeadOTPs(ctx, x, hashes); err != nil {
		return false, err
	}
	args := []any{x.ID, x.Slug, x.Hash, x.Scope, nil, x.MaxAttempts, x.CreatedAt, x.ExpiresAt}
	if x.Data != nil {
		args[4] = string(x.Data)
	}
	first := len(args) + 1
	for _, hash := range hashes {
		args = append(args, hash)
	}
	n, err := s.exec(ctx, `
		INSERT INTO {otps} (id, slug, hash, scope, data, max_attempts, created_at, expires_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8
		WHERE NOT EXISTS (SELECT 1 FROM {otps} WHERE ended_at IS NULL AND hash IN (`+placeholders(first, len(hashes))+`))
		ON CONFLICT (hash) WHERE ended_at IS NULL DO NOTHING`, args...)
	if err != nil || n == 0 {
		return false, err
	}
	for _, object := range objects {
		if err := s.relateOTP(ctx, x.ID, object); err != nil {
			return false, err
		}
	}
	return true, nil
}

// endDeadOTPs makes way for a key that only expired and burnt ones have.
func (s *Store) endDeadOTPs(ctx context.Context, x OTP, hashes [][]byte) error {
	args := []any{x.CreatedAt}
	for _, hash := range hashes {
		args = append(args, hash)
	}
	_, err := s.exec(ctx, `
		UPDATE {otps} AS o SET ended_at = $1
		WHERE o.ended_at IS NULL AND o.hash IN (`+placeholders(2, len(hashes))+`) AND (o.expires_at <= $1 OR `+otpBurnt+`)`, args...)
	return err
}

func (s *Store) relateOTP(ctx context.Context, id roster.ID, object roster.OTPObject) error {
	if object.Kind != roster.OTPUserKind {
		_, err := s.exec(ctx, "INSERT INTO {otp_objects} (otp_id, kind, object) VALUES ($1, $2, $3)", id, object.Kind, object.ID)
		return err
	}
	n, err := s.exec(ctx, `
		INSERT INTO {otp_objects} (otp_id, kind, object, user_id)
		SELECT $1, $2, $3, id FROM {users} WHERE id = $4`, id, object.Kind, object.ID, object.ID)
	if err == nil && n == 0 {
		return roster.ErrNotFound.WithFields(roster.FieldError{Field: "related", Code: roster.Invalid})
	}
	return err
}

// UseOTP consumes a live one-time password, by one statement of which one caller alone sees the success, and reports it.
func (s *Store) UseOTP(ctx context.Context, id roster.ID, now time.Time) (bool, error) {
	n, err := s.exec(ctx, "UPDATE {otps} SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL AND expires_at > $2", id, now)
	return n > 0, err
}

// ExtendOTP moves the end of a live one-time password, and reports whether it did.
func (s *Store) ExtendOTP(ctx context.Context, id roster.ID, expires, now time.Time) (bool, error) {
	n, err := s.exec(ctx, "UPDATE {otps} SET expires_at = $2 WHERE id = $1 AND ended_at IS NULL AND expires_at > $3", id, expires, now)
	return n > 0, err
}

// EndOTPs switches off what a query finds, and returns how many that were.
func (s *Store) EndOTPs(ctx context.Context, q OTPQuery) (int64, error) {
	where, args := q.where()
	return s.exec(ctx, "UPDATE {otps} AS o SET ended_at = $2 WHERE "+where, args...)
}

// removeOTPs deletes what is related to a user, and the wrong keys of theirs.
func (s *Store) removeOTPs(ctx context.Context, user roster.ID) error {
	_, err := s.exec(ctx, "DELETE FROM {otps} WHERE id IN (SELECT otp_id FROM {otp_objects} WHERE user_id = $1)", user)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "DELETE FROM {tries} WHERE user_id = $1", user)
	return err
}
