package store

import (
	"context"
	"encoding/json"

	"github.com/roster-go/roster"
)

// GetUserBySocial scans the columns of the user whom an account at a provider is linked with into dest.
func (s *Store) GetUserBySocial(ctx context.Context, provider, subject string, dest []any) error {
	return s.row(ctx, `
		SELECT {columns} FROM {users}
		WHERE id = (SELECT user_id FROM {identities} WHERE provider = $1 AND subject = $2)`,
		[]any{provider, subject}, dest...)
}

// InsertSocial links an account at a provider; one that is linked already is roster.ErrIdentifierTaken.
func (s *Store) InsertSocial(ctx context.Context, user roster.ID, a roster.SocialAccount) error {
	data, err := encodeData(a.Data)
	if err != nil {
		return err
	}
	n, err := s.exec(ctx, `
		INSERT INTO {identities} (provider, subject, user_id, data, linked_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (provider, subject) DO NOTHING`, a.Provider, a.Subject, user, data, a.LinkedAt)
	if err == nil && n == 0 {
		return roster.ErrIdentifierTaken.WithFields(roster.FieldError{Field: "subject", Code: roster.Taken})
	}
	return err
}

// UpdateSocial replaces the data of a user's link and reports whether there is one.
func (s *Store) UpdateSocial(ctx context.Context, user roster.ID, a roster.SocialAccount) (bool, error) {
	data, err := encodeData(a.Data)
	if err != nil {
		return false, err
	}
	n, err := s.exec(ctx, "UPDATE {identities} SET data = $4 WHERE provider = $1 AND subject = $2 AND user_id = $3",
		a.Provider, a.Subject, user, data)
	return n > 0, err
}

// DeleteSocial takes a user's link away, or returns roster.ErrNotFound.
func (s *Store) DeleteSocial(ctx context.Context, user roster.ID, provider, subject string) error {
	n, err := s.exec(ctx, "DELETE FROM {identities} WHERE provider = $1 AND subject = $2 AND user_id = $3",
		provider, subject, user)
	if err == nil && n == 0 {
		return roster.ErrNotFound
	}
	return err
}

// ListSocial returns a user's links, oldest first.
func (s *Store) ListSocial(ctx context.Context, user roster.ID) ([]roster.SocialAccount, error) {
	list := []roster.SocialAccount{}
	err := s.rows(ctx, `
		SELECT provider, subject, data, linked_at FROM {identities}
		WHERE user_id = $1
		ORDER BY linked_at, provider, subject`, []any{user}, func(scan scanFunc) error {
		var a roster.SocialAccount
		var data *string
		if err := scan(&a.Provider, &a.Subject, &data, &a.LinkedAt); err != nil {
			return err
		}
		a.LinkedAt = a.LinkedAt.UTC()
		list = append(list, a)
		if data == nil {
			return nil
		}
		return json.Unmarshal([]byte(*data), &list[len(list)-1].Data)
	})
	return list, err
}

// Credentials are the ways by which a user can log in, beside proven contacts.
type Credentials struct {
	Password bool
	Social   int
}

// GetCredentials counts a user's password and links.
func (s *Store) GetCredentials(ctx context.Context, user roster.ID) (Credentials, error) {
	var c Credentials
	err := s.row(ctx, `
		SELECT EXISTS (SELECT 1 FROM {passwords} WHERE user_id = $1),
			(SELECT count(*) FROM {identities} WHERE user_id = $1)`, []any{user}, &c.Password, &c.Social)
	return c, err
}

func encodeData(data map[string]any) (*string, error) {
	if data == nil {
		return nil, nil
	}
	b, err := json.Marshal(data)
	if err != nil {
		return nil, roster.ErrValidationFailed.WithFields(roster.FieldError{Field: "data", Code: roster.Invalid}).WithCause(err)
	}
	text := string(b)
	return &text, nil
}
