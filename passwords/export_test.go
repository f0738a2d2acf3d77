package passwords

import (
	"errors"
	"io"

	"github.com/roster-go/roster"
)

// HashFrom hashes with parameters below the floors, too, and takes the randomness from a reader of the test's.
func HashFrom(h Hasher, random io.Reader, password roster.Secret) (string, error) {
	return h.(maker).hash(random, password.Reveal())
}

// DummyFrom takes the randomness from a reader of the test's.
func DummyFrom(h Hasher, random io.Reader) (string, error) { return h.(maker).dummy(random) }

// Stale is the decision alone, without a verification.
func (p *Passwords) Stale(encoded string) bool {
	d, err := parse(encoded)
	return err != nil || d.stale(p.live)
}

// Affordable reports whether a test may check against encoded: a hash that is read and takes little.
func Affordable(encoded string) bool {
	d, err := parse(encoded)
	if err != nil {
		return errors.Is(err, ErrUnreadable)
	}
	if wrapped, ok := d.scheme.(django); ok {
		d.scheme = wrapped.scheme
	}
	switch s := d.scheme.(type) {
	case Argon2id:
		return s.Memory <= 1024 && s.Time <= 3
	case argon2i:
		return s.Memory <= 1024 && s.Time <= 3
	case Bcrypt:
		return s.Cost <= 5
	case plainBcrypt:
		return s.cost <= 5
	case Scrypt:
		return s.memory() <= 1024 && s.P <= 4
	case PBKDF2:
		return s.Iterations <= 1000
	case pbkdf2SHA1:
		return s.iterations <= 1000
	}
	return false
}

// CheckMinimum is the least length alone.
func (p *Passwords) CheckMinimum(field string, password roster.Secret) roster.FieldErrors {
	if len(p.CheckLimits(field, password)) > 0 {
		return nil
	}
	return p.checkMinimum(field, password)
}

// CommonList is the embedded list.
func CommonList() string { return commonList }

// RestHeap does what is done when no password was hashed for a while.
func RestHeap() { programs.rest() }

// Ballast is its size; 0: there is none.
func Ballast() int {
	programs.mu.Lock()
	defer programs.mu.Unlock()
	if programs.ballast == nil {
		return 0
	}
	return programs.ballast.Cap()
}
