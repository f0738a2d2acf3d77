package passwords

import (
	"cmp"
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // to check imported hashes: HMAC-SHA-1 is not broken, new hashes never use it
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/roster-go/roster"
)

// PBKDF2 hashes with HMAC-SHA-256 as RFC 8018 says, in Django's spelling: pbkdf2_sha256$iterations$salt$hash.
type PBKDF2 struct {
	Iterations int // 0: 600,000, which is OWASP's figure and the floor; at most 10,000,000
}

func (p PBKDF2) filled() PBKDF2 { return PBKDF2{Iterations: cmp.Or(p.Iterations, 600_000)} }

// Hash implements Hasher.
func (p PBKDF2) Hash(_ context.Context, password roster.Secret) (string, error) {
	return newHash(p, rand.Reader, password)
}

// Verify implements Hasher, for every kind that can be imported.
func (p PBKDF2) Verify(_ context.Context, encoded string, password roster.Secret) (Match, error) {
	return verify(p.filled(), encoded, password)
}

func (p PBKDF2) faults() []error {
	return faults(within("pbkdf2: iterations", p.filled().Iterations, 600_000, maxIterations))
}

func (p PBKDF2) hash(random io.Reader, password string) (string, error) {
	salt, err := textSalt(random)
	if err != nil {
		return "", err
	}
	key, err := p.key(password, []byte(salt))
	if err != nil {
		return "", err
	}
	return p.encode(salt, key), nil
}

func (p PBKDF2) dummy(random io.Reader) (string, error) {
	salt, err := textSalt(random)
	if err != nil {
		return "", err
	}
	key, err := randomBytes(random, sha256.Size)
	if err != nil {
		return "", err
	}
	return p.encode(salt, key), nil
}

func (p PBKDF2) encode(salt string, key []byte) string {
	return fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", p.filled().Iterations, salt, base64.StdEncoding.EncodeToString(key))
}

func (p PBKDF2) key(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, p.filled().Iterations, sha256.Size)
}

func (p PBKDF2) matches(password string, salt, key []byte) (bool, error) {
	got, err := p.key(password, salt)
	return err == nil && subtle.ConstantTimeCompare(got, key) == 1, err
}

func (PBKDF2) memory() int { return 0 }

// pbkdf2SHA1 is for checking only.
type pbkdf2SHA1 struct{ iterations int }

func (p pbkdf2SHA1) matches(password string, salt, key []byte) (bool, error) {
	got, err := pbkdf2.Key(sha1.New, password, salt, p.iterations, sha1.Size)
	return err == nil && subtle.ConstantTimeCompare(got, key) == 1, err
}

func (pbkdf2SHA1) memory() int { return 0 }

// parsePBKDF2 reads iterations$salt$hash. The hash has the size of the underlying one: a longer would multiply the work.
func parsePBKDF2(s string, size int, made func(iterations int) scheme) (digest, error) {
	part := strings.Split(s, "$")
	if len(part) != 3 || part[1] == "" {
		return digest{}, unreadable("pbkdf2: not iterations$salt$hash")
	}
	iterations, ok := number(part[0], maxIterations)
	if !ok {
		return digest{}, unreadable("pbkdf2: iterations are from 1 to %d", maxIterations)
	}
	key, ok := padded(part[2])
	if !ok || len(key) != size {
		return digest{}, unreadable("pbkdf2: the hash is not %d bytes in base64", size)
	}
	return digest{made(iterations), []byte(part[1]), key}, nil
}
