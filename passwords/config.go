package passwords

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
)

// Config is how passwords are hashed and which ones people may choose. The zero value is safe.
type Config struct {
	// Hasher makes new hashes. nil: Argon2id{}. The ready-made ones refuse parameters below OWASP's.
	Hasher Hasher
	// MaxConcurrent is how many hashes run at once. 0: GOMAXPROCS. Memory for them stays below this many times that
	// of one; an imported hash that takes more than a new one counts for several.
	MaxConcurrent int
	// MaxWaiting is how many callers wait for their turn; more get ErrUnavailable. 0: 1,000.
	MaxWaiting int
	// Preset chooses the policy for passwords that people choose.
	Preset Preset
	// MinLength is the least length of a password that people choose, in code points. 0: that of the preset, 8 or 15,
	// which is also the least.
	MinLength int
	// MaxLength is the most that any password has, in code points. 0: 1,024; at least 64.
	MaxLength int
	// ContextWords are refused as common, in upper or lower case, beside the embedded list: names of the program, its
	// company, its place.
	ContextWords []string
	// Breached knows passwords that were made public; see HIBP. nil: none is asked.
	Breached BreachChecker
	// BreachedFailClosed refuses passwords with roster.ErrUnavailable while Breached fails; else they pass, and it is
	// logged.
	BreachedFailClosed bool
	// TuneHeap suits Go's heap to hashes that take much memory, for programs on Linux whose own heap is small: they hash faster
	// by a tenth or so. While passwords are hashed, and for a minute after, it sets the percentage of debug.SetGCPercent, holds a
	// large block of memory that is never touched, asks for huge pages, and lets up to 1.75 times the memory of all
	// hashes that run at once, or 448 MiB, lie as garbage beside them. It does nothing where GOGC or a memory limit is set, or
	// the machine has little memory. It is for a program's only Passwords.
	TuneHeap bool
}

func (c Config) filled() Config {
	if c.Hasher == nil {
		c.Hasher = Argon2id{}
	}
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, runtime.GOMAXPROCS(0))
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 1_000)
	c.MinLength = cmp.Or(c.MinLength, minLengths[c.Preset])
	c.MaxLength = cmp.Or(c.MaxLength, 1_024)
	return c
}

// check returns all faults of a filled Config.
func (c Config) check() error {
	found := faults(
		within("passwords: MaxConcurrent", c.MaxConcurrent, 1, math.MaxInt32),
		within("passwords: MaxWaiting", c.MaxWaiting, 1, math.MaxInt32),
		within("passwords: MinLength", c.MinLength, cmp.Or(minLengths[c.Preset], 8), c.MaxLength),
		within("passwords: MaxLength", c.MaxLength, 64, math.MaxInt32),
	)
	if minLengths[c.Preset] == 0 {
		found = append(found, fmt.Errorf("passwords: there is no preset %q", c.Preset))
	}
	if h, ok := c.Breached.(interface{ check() error }); ok {
		found = append(found, faults(h.check())...)
	}
	if m, ok := c.Hasher.(maker); ok {
		found = append(found, m.faults()...)
	}
	return errors.Join(found...)
}
