package passwords

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/roster-go/roster"
)

// Hasher makes and checks password hashes. Argon2id, Bcrypt, Scrypt and PBKDF2 are the ready-made ones; a program
// may bring its own in Config.Hasher. What programs call is Passwords: it queues, normalises and keeps the limits,
// so that a Hasher only hashes what it is given, all of it. Implementations are safe for concurrent use.
type Hasher interface {
	// Hash returns a new hash of password, salted from crypto/rand, with all that Verify needs in the string.
	// No randomness is an error, never a weak salt.
	Hash(ctx context.Context, password roster.Secret) (encoded string, err error)

	// Verify reports whether encoded is a hash of password, comparing in constant time. A wrong password is no
	// error. For a string that it does not know, or that asks for too much work, it returns ErrUnreadable before
	// it does any: Passwords then tries the kinds that can be imported.
	Verify(ctx context.Context, encoded string, password roster.Secret) (Match, error)
}

// Match is the answer of a verification.
type Match struct {
	// OK says that the password is right.
	OK bool
	// Stale, with OK, asks for a new hash of the same password: the stored one has another kind or other parameters
	// than new ones get.
	Stale bool
	// Unreadable says that the stored string is no hash that can be checked here. The answer was no, at the usual
	// cost; the caller logs it with the user's id.
	Unreadable bool
}

// ErrUnreadable is what a Hasher answers for a stored string that it cannot check.
var ErrUnreadable = errors.New("unreadable password hash")

// New hashes have a salt of saltSize random bytes, and at least keySize bytes of hash unless they are bcrypt's.
const (
	saltSize = 16
	keySize  = 32
)

// scheme is a kind of hash with its parameters. Schemes are compared by ==.
type scheme interface {
	matches(password string, salt, key []byte) (bool, error) // in constant time
	memory() int                                             // of one run, in KiB
}

// maker is a scheme for new hashes. Its zero fields stand for the defaults.
type maker interface {
	scheme
	faults() []error // parameters below the floor for new hashes, or beyond what parse accepts
	hash(random io.Reader, password string) (encoded string, err error)
	dummy(random io.Reader) (encoded string, err error) // a hash of no password, for the price of its random bytes
}

// newHash judges the parameters each time: there is no way to a hash below the floors.
func newHash(m maker, random io.Reader, password roster.Secret) (string, error) {
	if found := m.faults(); len(found) > 0 {
		return "", errors.Join(found...)
	}
	return m.hash(random, password.Reveal())
}

// verify checks a hash of every kind that can be imported. It is stale unless live made it.
func verify(live scheme, encoded string, password roster.Secret) (Match, error) {
	d, err := parse(encoded)
	if err != nil {
		return Match{}, err
	}
	ok, err := d.matches(password.Reveal(), d.salt, d.key)
	if !ok || err != nil {
		return Match{}, err
	}
	return Match{OK: true, Stale: d.stale(live)}, nil
}

// randomBytes reads from crypto/rand.Reader, which never fails: Go ends the program instead. A reader that the
// program or a test has put in its place may.
func randomBytes(random io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, roster.ErrInternal.WithMessage("no random bytes").WithCause(err)
	}
	return b, nil
}

// textSalt is a salt for the kinds that take its text for its bytes.
func textSalt(random io.Reader) (string, error) {
	b, err := randomBytes(random, saltSize)
	return base64.RawURLEncoding.EncodeToString(b), err
}

func within(name string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %d: it is from %d to %d", name, value, least, most)
	}
	return nil
}

// faults leaves out the nils.
func faults(all ...error) (found []error) {
	for _, err := range all {
		if err != nil {
			found = append(found, err)
		}
	}
	return found
}
