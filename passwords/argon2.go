package passwords

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/roster-go/roster"
)

// Argon2id hashes as RFC 9106 says and writes PHC strings: $argon2id$v=19$m=19456,t=2,p=1$salt$hash. The defaults
// are OWASP's. Less than the least of OWASP's equal settings is refused: 47,104 KiB with one pass, 19,456 KiB with
// two, 12,288 KiB with three or more.
type Argon2id struct {
	Memory int // KiB; 0: 19,456; at most 1 GiB
	Time   int // passes over the memory; 0: 2; at most 20
	Lanes  int // threads of one hash; 0: 1; at most 16
}

const defaultMemory = 19_456 // KiB

func (a Argon2id) filled() Argon2id {
	return Argon2id{Memory: cmp.Or(a.Memory, defaultMemory), Time: cmp.Or(a.Time, 2), Lanes: cmp.Or(a.Lanes, 1)}
}

// Hash implements Hasher.
func (a Argon2id) Hash(_ context.Context, password roster.Secret) (string, error) {
	return newHash(a, rand.Reader, password)
}

// Verify implements Hasher, for every kind that can be imported.
func (a Argon2id) Verify(_ context.Context, encoded string, password roster.Secret) (Match, error) {
	return verify(a.filled(), encoded, password)
}

func (a Argon2id) faults() []error {
	a = a.filled()
	floor := 12_288
	switch a.Time {
	case 1:
		floor = 47_104
	case 2:
		floor = 19_456
	}
	return faults(
		within("argon2id: memory (KiB)", a.Memory, floor, maxMemory),
		within("argon2id: time", a.Time, 1, maxPasses),
		within("argon2id: lanes", a.Lanes, 1, maxLanes),
	)
}

func (a Argon2id) hash(random io.Reader, password string) (string, error) {
	salt, err := randomBytes(random, saltSize)
	if err != nil {
		return "", err
	}
	return a.encode(salt, a.derive(argon2.IDKey, password, salt, keySize)), nil
}

func (a Argon2id) dummy(random io.Reader) (string, error) {
	b, err := randomBytes(random, saltSize+keySize)
	if err != nil {
		return "", err
	}
	return a.encode(b[:saltSize], b[saltSize:]), nil
}

func (a Argon2id) encode(salt, key []byte) string {
	a = a.filled()
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.Memory, a.Time, a.Lanes, b64(salt), b64(key))
}

type argon2Key func(password, salt []byte, time, memory uint32, lanes uint8, size uint32) []byte

func (a Argon2id) derive(key argon2Key, password string, salt []byte, size int) []byte {
	a = a.filled()
	//nolint:gosec // they are small: faults or parse has looked at them
	return key([]byte(password), salt, uint32(a.Time), uint32(a.Memory), uint8(a.Lanes), uint32(size))
}

func (a Argon2id) matches(password string, salt, key []byte) (bool, error) {
	return subtle.ConstantTimeCompare(a.derive(argon2.IDKey, password, salt, len(key)), key) == 1, nil
}

func (a Argon2id) memory() int { return a.filled().Memory }

// argon2i is for checking only.
type argon2i Argon2id

func (a argon2i) matches(password string, salt, key []byte) (bool, error) {
	return subtle.ConstantTimeCompare(Argon2id(a).derive(argon2.Key, password, salt, len(key)), key) == 1, nil
}

func (a argon2i) memory() int { return a.Memory }

// parseArgon2 reads argon2id$v=19$m=…,t=…,p=…$salt$hash: this version of the algorithm and this order of the
// parameters, which all known encoders write.
func parseArgon2(s string) (digest, error) {
	part := strings.Split(s, "$")
	if part[0] != "argon2id" && part[0] != "argon2i" {
		return digest{}, unreadable("unknown kind")
	}
	if len(part) != 5 || part[1] != "v=19" {
		return digest{}, unreadable("argon2: not v=19$m=…,t=…,p=…$salt$hash")
	}
	param := strings.Split(part[2], ",")
	if len(param) != 3 {
		return digest{}, unreadable("argon2: not m=…,t=…,p=…")
	}
	m, okM := parameter(param[0], "m=", maxMemory)
	t, okT := parameter(param[1], "t=", maxPasses)
	p, okP := parameter(param[2], "p=", maxLanes)
	if !okM || !okT || !okP || m < 8*p {
		return digest{}, unreadable("argon2: m is at most %d and at least 8 for each p, t at most %d, p at most %d", maxMemory, maxPasses, maxLanes)
	}
	salt, okSalt := unpadded(part[3])
	key, okKey := unpadded(part[4])
	if !okSalt || !okKey || len(key) < minArgon2Key || len(key) > maxArgon2Key {
		return digest{}, unreadable("argon2: salt and hash are not in base64, or the hash has not %d to %d bytes", minArgon2Key, maxArgon2Key)
	}
	a := Argon2id{Memory: m, Time: t, Lanes: p}
	if part[0] == "argon2i" {
		return digest{argon2i(a), salt, key}, nil
	}
	return digest{a, salt, key}, nil
}

func parameter(s, name string, limit int) (int, bool) {
	value, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, false
	}
	return number(value, limit)
}
