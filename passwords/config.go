package passwords

import (
	"cmp"
	"errors"
	"math"
	"runtime"
)

// Config is how passwords are hashed and how long they may be. The zero value is safe.
type Config struct {
	// Hasher makes new hashes. nil: Argon2id{}. The ready-made ones refuse parameters below OWASP's.
	Hasher Hasher
	// MaxConcurrent is how many hashes run at once. 0: GOMAXPROCS. Memory for them stays below this many times that
	// of one; an imported hash that takes more than a new one counts for several.
	MaxConcurrent int
	// MaxWaiting is how many callers wait for their turn; more get ErrUnavailable. 0: 1,000.
	MaxWaiting int
	// MinLength is the least length of a password that people choose, in code points. 0: 8, which is also the least.
	MinLength int
	// MaxLength is the most that any password has, in code points. 0: 1,024; at least 64.
	MaxLength int
}

func (c Config) filled() Config {
	if c.Hasher == nil {
		c.Hasher = Argon2id{}
	}
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, runtime.GOMAXPROCS(0))
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 1_000)
	c.MinLength = cmp.Or(c.MinLength, 8)
	c.MaxLength = cmp.Or(c.MaxLength, 1_024)
	return c
}

// check returns all faults of a filled Config.
func (c Config) check() error {
	found := faults(
		within("passwords: MaxConcurrent", c.MaxConcurrent, 1, math.MaxInt32),
		within("passwords: MaxWaiting", c.MaxWaiting, 1, math.MaxInt32),
		within("passwords: MinLength", c.MinLength, 8, c.MaxLength),
		within("passwords: MaxLength", c.MaxLength, 64, math.MaxInt32),
	)
	if m, ok := c.Hasher.(maker); ok {
		found = append(found, m.faults()...)
	}
	return errors.Join(found...)
}
