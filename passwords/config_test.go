package passwords_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

// PASS-31, SEC-59: parameters below the floors, or above what can be read again, are refused.
func TestFloors(t *testing.T) {
	for _, c := range []struct {
		hasher passwords.Hasher
		ok     bool
	}{
		{nil, true},
		{passwords.Argon2id{}, true},
		{passwords.Argon2id{Memory: 47_104, Time: 1}, true},
		{passwords.Argon2id{Memory: 47_103, Time: 1}, false},
		{passwords.Argon2id{Time: 1}, false},
		{passwords.Argon2id{Memory: 19_456, Time: 2, Lanes: 16}, true},
		{passwords.Argon2id{Memory: 19_455, Time: 2}, false},
		{passwords.Argon2id{Memory: 12_288, Time: 3}, true},
		{passwords.Argon2id{Memory: 12_287, Time: 20}, false},
		{passwords.Argon2id{Memory: 1<<20 + 1}, false},
		{passwords.Argon2id{Time: 21}, false},
		{passwords.Argon2id{Time: -1}, false},
		{passwords.Argon2id{Lanes: 17}, false},
		{passwords.Argon2id{Lanes: -1}, false},
		{passwords.Bcrypt{}, true},
		{passwords.Bcrypt{Cost: 16}, true},
		{passwords.Bcrypt{Cost: 9}, false},
		{passwords.Bcrypt{Cost: 17}, false},
		{passwords.Scrypt{}, true},
		{passwords.Scrypt{N: 1 << 18, R: 16, P: 2}, true},
		{passwords.Scrypt{N: 1 << 16}, false},
		{passwords.Scrypt{N: 1<<17 + 1}, false},
		{passwords.Scrypt{R: 7}, false},
		{passwords.Scrypt{P: -1}, false},
		{passwords.Scrypt{N: 1 << 20, R: 16}, false},
		{passwords.PBKDF2{}, true},
		{passwords.PBKDF2{Iterations: 599_999}, false},
		{passwords.PBKDF2{Iterations: 10_000_001}, false},
	} {
		_, err := passwords.New(passwords.Config{Hasher: c.hasher})
		if (err == nil) != c.ok {
			t.Errorf("%#v: got %v, want ok %v", c.hasher, err, c.ok)
		}
		if c.ok {
			continue
		}
		if encoded, err := c.hasher.Hash(t.Context(), horse); err == nil {
			t.Errorf("%#v made %s without New", c.hasher, encoded)
		}
	}
}

// SEC-61 and house rule: all faults are told at once.
func TestNewTellsAllFaults(t *testing.T) {
	_, err := passwords.New(passwords.Config{
		Hasher:        passwords.Argon2id{Memory: 1, Time: 99, Lanes: 99},
		MaxConcurrent: -1, MaxWaiting: -1, MinLength: 7, MaxLength: 63,
	})
	if err == nil {
		t.Fatal("got nil")
	}
	for _, want := range []string{"memory", "time", "lanes", "MaxConcurrent", "MaxWaiting", "MinLength", "MaxLength"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not told in: %v", want, err)
		}
	}
	if _, err := passwords.New(passwords.Config{Preset: passwords.NIST}); err != nil {
		t.Error(err)
	}
}

// PASS-30, SEC-67: a failing random source is an error.
func TestNoRandomness(t *testing.T) {
	cause := errors.New("no entropy")
	failing := iotest.ErrReader(cause)
	for _, h := range []passwords.Hasher{passwords.Argon2id{}, passwords.Scrypt{}, passwords.PBKDF2{}} {
		encoded, err := passwords.HashFrom(h, failing, horse)
		if encoded != "" || !errors.Is(err, roster.ErrInternal) || !errors.Is(err, cause) {
			t.Errorf("%T.Hash: got %q, %v", h, encoded, err)
		}
	}
	for _, h := range []passwords.Hasher{passwords.Argon2id{}, passwords.Scrypt{}, passwords.PBKDF2{}, passwords.Bcrypt{}} {
		encoded, err := passwords.DummyFrom(h, failing)
		if encoded != "" || !errors.Is(err, cause) {
			t.Errorf("%T, dummy: got %q, %v", h, encoded, err)
		}
		// A source that runs dry half-way is no better.
		encoded, err = passwords.DummyFrom(h, strings.NewReader("0123456789abcdef0"))
		if encoded != "" || err == nil {
			t.Errorf("%T, dummy: got %q, %v", h, encoded, err)
		}
	}

	// The bcrypt package reads the global Reader. This test is not parallel, so nobody else does.
	defer func(r any) { rand.Reader = r.(interface{ Read([]byte) (int, error) }) }(rand.Reader)
	rand.Reader = failing
	encoded, err := passwords.Bcrypt{}.Hash(t.Context(), horse)
	if encoded != "" || !errors.Is(err, cause) {
		t.Errorf("Bcrypt.Hash: got %q, %v", encoded, err)
	}
	if _, err := passwords.New(passwords.Config{}); !errors.Is(err, cause) {
		t.Errorf("New: got %v", err)
	}
}
