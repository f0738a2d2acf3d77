package passwords

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/roster-go/roster"
)

// Bcrypt hashes with bcrypt over the SHA-256 of the password, in Django's spelling: bcrypt_sha256$$2a$10$…. Bcrypt
// alone looks at 72 bytes only; so hashed, every code point of a long password counts.
type Bcrypt struct {
	Cost int // the logarithm of the rounds; 0: 10, which is OWASP's least and the floor; at most 16
}

func (b Bcrypt) filled() Bcrypt { return Bcrypt{Cost: cmp.Or(b.Cost, 10)} }

// Hash implements Hasher. The bcrypt package takes the salt from crypto/rand.Reader itself.
func (b Bcrypt) Hash(_ context.Context, password roster.Secret) (string, error) {
	return newHash(b, rand.Reader, password)
}

// Verify implements Hasher, for every kind that can be imported.
func (b Bcrypt) Verify(_ context.Context, encoded string, password roster.Secret) (Match, error) {
	return verify(b.filled(), encoded, password)
}

func (b Bcrypt) faults() []error {
	return faults(within("bcrypt: cost", b.filled().Cost, 10, maxBcryptCost))
}

func (b Bcrypt) hash(_ io.Reader, password string) (string, error) {
	crypted, err := bcrypt.GenerateFromPassword(prehash(password), b.filled().Cost)
	if err != nil {
		return "", roster.ErrInternal.WithCause(err)
	}
	return "bcrypt_sha256$" + string(crypted), nil
}

func (b Bcrypt) dummy(random io.Reader) (string, error) {
	r, err := randomBytes(random, 16+23)
	if err != nil {
		return "", err
	}
	b64 := bcryptBase64.EncodeToString
	return fmt.Sprintf("bcrypt_sha256$$2a$%02d$%s%s", b.filled().Cost, b64(r[:16]), b64(r[16:])), nil
}

func (Bcrypt) matches(password string, _, crypted []byte) (bool, error) {
	return bcryptMatches(crypted, prehash(password))
}

func (Bcrypt) memory() int { return 0 }

func prehash(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return hex.AppendEncode(nil, sum[:])
}

// plainBcrypt is for checking only: it looks at the first 72 bytes, as where it came from.
type plainBcrypt struct{ cost int }

func (plainBcrypt) matches(password string, _, crypted []byte) (bool, error) {
	return bcryptMatches(crypted, []byte(password))
}

func (plainBcrypt) memory() int { return 0 }

func bcryptMatches(crypted, password []byte) (bool, error) {
	err := bcrypt.CompareHashAndPassword(crypted, password)
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil, err
}

var bcryptBase64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// parseBcrypt reads $2b$cost$ and 53 characters of salt and hash.
func parseBcrypt(s string) (digest, error) {
	part := strings.Split(s, "$")
	if len(part) != 4 || part[0] != "" || len(part[2]) != 2 || len(part[3]) != 53 {
		return digest{}, unreadable("bcrypt: not $2b$cost$ and 53 characters")
	}
	if part[1] != "2a" && part[1] != "2b" && part[1] != "2y" {
		return digest{}, unreadable("bcrypt: not one of $2a$, $2b$ and $2y$")
	}
	cost, ok := number(strings.TrimPrefix(part[2], "0"), maxBcryptCost)
	if !ok || cost < bcrypt.MinCost {
		return digest{}, unreadable("bcrypt: cost is from %d to %d", bcrypt.MinCost, maxBcryptCost)
	}
	salt, errSalt := bcryptBase64.DecodeString(part[3][:22])
	_, errKey := bcryptBase64.DecodeString(part[3][22:])
	if errSalt != nil || errKey != nil {
		return digest{}, unreadable("bcrypt: salt and hash are not in its base64")
	}
	return digest{plainBcrypt{cost}, salt, []byte(s)}, nil
}

func parseBcryptSHA256(s string) (digest, error) {
	d, err := parseBcrypt(s)
	if err != nil {
		return digest{}, err
	}
	d.scheme = Bcrypt{Cost: d.scheme.(plainBcrypt).cost}
	return d, nil
}
