package rostertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

// Hasher hashes passwords with one round of SHA-256: quick, and safe for nobody. It is for tests alone.
type Hasher struct{}

var _ passwords.Hasher = Hasher{}

const insecure = "$insecure$"

// Hash implements passwords.Hasher.
func (Hasher) Hash(_ context.Context, password roster.Secret) (string, error) {
	salt := rand.Text()
	return insecure + salt + "$" + digest(salt, password), nil
}

// Verify implements passwords.Hasher.
func (Hasher) Verify(_ context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	rest, ok := strings.CutPrefix(encoded, insecure)
	salt, want, found := strings.Cut(rest, "$")
	if !ok || !found {
		return passwords.Match{}, passwords.ErrUnreadable
	}
	return passwords.Match{OK: subtle.ConstantTimeCompare([]byte(digest(salt, password)), []byte(want)) == 1}, nil
}

func digest(salt string, password roster.Secret) string {
	sum := sha256.Sum256([]byte(salt + password.Reveal()))
	return hex.EncodeToString(sum[:])
}
