package passwords

import (
	"crypto/sha1" //nolint:gosec // only its size
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// The most that a stored hash may ask for. One that asks for more could stop the server, whoever got it imported.
const (
	maxEncoded    = 512        // bytes of the string; the longest real ones have about 200
	maxMemory     = 1 << 20    // KiB, of argon2 and scrypt
	maxPasses     = 20         // of argon2
	maxLanes      = 16         // of argon2, and runs of scrypt
	maxScryptN    = 1 << 23    // with r = 1
	maxBlockSize  = 64         // r of scrypt; 8 is usual
	maxIterations = 10_000_000 // of PBKDF2
	maxBcryptCost = 16
	maxArgon2Key  = 64 // bytes
	minArgon2Key  = 16 // a shorter hash would match many passwords
)

// digest is a stored hash, taken apart and found to be within the limits.
type digest struct {
	scheme
	salt, key []byte
}

// stale compares parameters, so it costs nothing.
func (d digest) stale(live scheme) bool {
	return d.scheme != live || len(d.salt) < saltSize || len(d.key) < keySize
}

// django is another scheme in Django's spelling: checked alike, but not what new hashes look like.
type django struct{ scheme }

// parse takes a stored hash apart. It is cheap whatever the string says, and its errors never repeat it.
func parse(encoded string) (digest, error) {
	if len(encoded) > maxEncoded {
		return digest{}, unreadable("longer than %d bytes", maxEncoded)
	}
	if strings.ContainsFunc(encoded, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return digest{}, unreadable("a character that no hash holds")
	}
	name, rest, _ := strings.Cut(encoded, "$")
	switch name {
	case "":
		if strings.HasPrefix(rest, "2") {
			return parseBcrypt(encoded)
		}
		return parseArgon2(rest)
	case "argon2":
		return inDjango(parseArgon2(rest))
	case "bcrypt":
		return inDjango(parseBcrypt(rest))
	case "bcrypt_sha256":
		return parseBcryptSHA256(rest)
	case "pbkdf2_sha256":
		return parsePBKDF2(rest, sha256.Size, func(n int) scheme { return PBKDF2{Iterations: n} })
	case "pbkdf2_sha1":
		return parsePBKDF2(rest, sha1.Size, func(n int) scheme { return pbkdf2SHA1{n} })
	case "scrypt":
		return parseScrypt(rest)
	}
	return digest{}, unreadable("unknown kind")
}

func inDjango(d digest, err error) (digest, error) {
	if err != nil {
		return digest{}, err
	}
	d.scheme = django{d.scheme}
	return d, nil
}

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, args...))
}

// number reads a decimal number from 1 to limit, in the one way to write it.
func number(s string, limit int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= limit && strconv.Itoa(n) == s
}

// unpadded, and padded below, refuse what no encoder writes.
func unpadded(s string) ([]byte, bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) > 0
}

func padded(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) > 0
}
