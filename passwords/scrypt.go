package passwords

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"

	"github.com/roster-go/roster"
)

// Scrypt hashes as RFC 7914 says, in Django's spelling: scrypt$N$salt$r$p$hash. The defaults are OWASP's and the
// floor.
type Scrypt struct {
	N int // cost, a power of two; 0: 2^17; N·R·128 bytes are at most 1 GiB
	R int // block size; 0: 8; at most 64
	P int // runs, one after the other; 0: 1; at most 16
}

// scryptKeySize is Django's.
const scryptKeySize = 64

func (s Scrypt) filled() Scrypt {
	return Scrypt{N: cmp.Or(s.N, 1<<17), R: cmp.Or(s.R, 8), P: cmp.Or(s.P, 1)}
}

// Hash implements Hasher.
func (s Scrypt) Hash(_ context.Context, password roster.Secret) (string, error) {
	return newHash(s, rand.Reader, password)
}

// Verify implements Hasher, for every kind that can be imported.
func (s Scrypt) Verify(_ context.Context, encoded string, password roster.Secret) (Match, error) {
	return verify(s.filled(), encoded, password)
}

func (s Scrypt) faults() []error {
	s = s.filled()
	found := faults(
		within("scrypt: N", s.N, 1<<17, maxScryptN),
		within("scrypt: r", s.R, 8, maxBlockSize),
		within("scrypt: p", s.P, 1, maxLanes),
	)
	if len(found) == 0 && !s.readable() {
		found = append(found, fmt.Errorf("scrypt: N is %d and r is %d: N is a power of two and N·r·128 bytes at most 1 GiB", s.N, s.R))
	}
	return found
}

// readable judges N and r together.
func (s Scrypt) readable() bool {
	return s.N > 1 && bits.OnesCount(uint(s.N)) == 1 && s.memory() <= maxMemory
}

func (s Scrypt) hash(random io.Reader, password string) (string, error) {
	salt, err := textSalt(random)
	if err != nil {
		return "", err
	}
	key, err := s.key(password, []byte(salt))
	if err != nil {
		return "", err
	}
	return s.encode(salt, key), nil
}

func (s Scrypt) dummy(random io.Reader) (string, error) {
	salt, err := textSalt(random)
	if err != nil {
		return "", err
	}
	key, err := randomBytes(random, scryptKeySize)
	if err != nil {
		return "", err
	}
	return s.encode(salt, key), nil
}

func (s Scrypt) encode(salt string, key []byte) string {
	s = s.filled()
	return fmt.Sprintf("scrypt$%d$%s$%d$%d$%s", s.N, salt, s.R, s.P, base64.StdEncoding.EncodeToString(key))
}

func (s Scrypt) key(password string, salt []byte) ([]byte, error) {
	s = s.filled()
	return scrypt.Key([]byte(password), salt, s.N, s.R, s.P, scryptKeySize)
}

func (s Scrypt) matches(password string, salt, key []byte) (bool, error) {
	got, err := s.key(password, salt)
	return err == nil && subtle.ConstantTimeCompare(got, key) == 1, err
}

func (s Scrypt) memory() int {
	s = s.filled()
	return s.N / 8 * s.R // 128 bytes each, in KiB
}

// parseScrypt reads N$salt$r$p$hash.
func parseScrypt(encoded string) (digest, error) {
	part := strings.Split(encoded, "$")
	if len(part) != 5 || part[1] == "" {
		return digest{}, unreadable("scrypt: not N$salt$r$p$hash")
	}
	n, okN := number(part[0], maxScryptN)
	r, okR := number(part[2], maxBlockSize)
	p, okP := number(part[3], maxLanes)
	s := Scrypt{N: n, R: r, P: p}
	if !okN || !okR || !okP || !s.readable() {
		return digest{}, unreadable("scrypt: N is a power of two, N·r·128 bytes at most 1 GiB, r at most %d, p at most %d", maxBlockSize, maxLanes)
	}
	key, ok := padded(part[4])
	if !ok || len(key) != scryptKeySize {
		return digest{}, unreadable("scrypt: the hash is not %d bytes in base64", scryptKeySize)
	}
	return digest{s, []byte(part[1]), key}, nil
}
