package tokens

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/roster-go/roster"
)

// TagKeys are the keys of the tags of refresh tokens: secrets.Keys, as secrets.Ring gives them for a purpose.
type TagKeys interface {
	// CurrentID names the key for new tags: 1 to 16 of A-Z, a-z, 0-9, "_" and "-".
	CurrentID() string
	// MAC returns the MAC of 32 bytes of data under the key of that id; false when there is none.
	MAC(id string, data ...[]byte) ([]byte, bool)
}

// RefreshCodec writes and reads refresh tokens:
//
//	rt1.<key id>.<base64url of session id (16 bytes) ‖ generation (8) ‖ secret (32) ‖ tag (32)>
//
// The tag proves, without a database, that the token was made here. That it is good is proven by the hash of its
// secret, which is all that is stored.
type RefreshCodec struct{ keys TagKeys }

// Refresh is what a refresh token says. Like the token, it prints as "[redacted]".
type Refresh struct {
	SessionID roster.ID
	// Generation counts the rotations of the session.
	Generation int64
	// Hash is SHA-256 of the secret, 32 bytes, for the database.
	Hash []byte

	// A func, since that is what fmt shows no content of even where it can call no methods: in unexported fields.
	secret func() []byte
}

const (
	refreshPrefix = "rt1."
	maxRefresh    = 256
	maxTagID      = 16

	sessionEnd    = 16
	generationEnd = sessionEnd + 8
	secretEnd     = generationEnd + 32
	tagEnd        = secretEnd + sha256.Size
)

// NewRefreshCodec returns a codec with the keys of its tags.
func NewRefreshCodec(keys TagKeys) (*RefreshCodec, error) {
	if keys == nil {
		return nil, errors.New("the keys of refresh tokens are missing")
	}
	return &RefreshCodec{keys: keys}, nil
}

// New makes a refresh token with a fresh secret of 256 bits, and returns it with the hash to store.
func (c *RefreshCodec) New(sessionID roster.ID, generation int64) (token roster.Secret, hash []byte, err error) {
	keyID := c.keys.CurrentID()
	if sessionID == (roster.ID{}) || generation < 0 || !validID(keyID, maxTagID) {
		return "", nil, errors.New("make refresh token: session id, generation or key id is out of range")
	}
	body := make([]byte, tagEnd)
	copy(body, sessionID[:])
	binary.BigEndian.PutUint64(body[sessionEnd:], uint64(generation))
	secret := body[generationEnd:secretEnd]
	if _, err := io.ReadFull(rand.Reader, secret); err != nil {
		return "", nil, fmt.Errorf("make refresh token: %w", err)
	}
	tag, ok := c.tag(keyID, body)
	if !ok {
		return "", nil, errors.New("make refresh token: the current key gives no tag")
	}
	copy(body[secretEnd:], tag)
	sum := sha256.Sum256(secret)
	return roster.Secret(refreshPrefix + keyID + "." + encode(body)), sum[:], nil
}

// Parse reads a refresh token. What was not made here under a key that is still known, or was altered, is
// ErrInvalidRefresh: that costs one MAC at most and touches nothing.
func (c *RefreshCodec) Parse(text string) (Refresh, error) {
	if len(text) > maxRefresh {
		return Refresh{}, roster.ErrInvalidRefresh
	}
	rest, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok {
		return Refresh{}, roster.ErrInvalidRefresh
	}
	keyID, encoded, _ := strings.Cut(rest, ".")
	body, ok := decode(encoded)
	if !ok || len(body) != tagEnd || !validID(keyID, maxTagID) {
		return Refresh{}, roster.ErrInvalidRefresh
	}
	tag, ok := c.tag(keyID, body)
	if !ok || !hmac.Equal(tag, body[secretEnd:]) {
		return Refresh{}, roster.ErrInvalidRefresh
	}
	secret := body[generationEnd:secretEnd]
	sum := sha256.Sum256(secret)
	return Refresh{
		SessionID:  roster.ID(body[:sessionEnd]),
		Generation: int64(binary.BigEndian.Uint64(body[sessionEnd:])), //nolint:gosec // New wrote it
		Hash:       sum[:],
		secret:     func() []byte { return secret },
	}, nil
}

// tag is over the version of the format and everything before the tag. The key id needs no place in it: another
// id is another key.
func (c *RefreshCodec) tag(keyID string, body []byte) ([]byte, bool) {
	tag, ok := c.keys.MAC(keyID, []byte(refreshPrefix), body[:secretEnd])
	return tag, ok && len(tag) == sha256.Size
}

// Matches reports whether a stored hash is that of this token's secret, in constant time.
func (r Refresh) Matches(hash []byte) bool {
	return len(hash) == sha256.Size && hmac.Equal(r.Hash, hash)
}

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (Refresh) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Refresh) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Refresh) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Refresh) LogValue() slog.Value { return slog.StringValue(redacted) }
