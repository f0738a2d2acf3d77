package passwords_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

// fake is a program's own Hasher: it hashes nothing, so that tests see what it was given, when, and how many at once.
type fake struct {
	delay func(encoded string) time.Duration // of a verification; nil: none
	all   bool                               // reads strings of every kind

	mu           sync.Mutex
	checked      []string // the passwords, in order
	running, top int
}

func (*fake) Hash(_ context.Context, password roster.Secret) (string, error) {
	return "fake:" + password.Reveal(), nil
}

func (f *fake) Verify(_ context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	of, own := strings.CutPrefix(encoded, "fake:")
	if !own && !f.all {
		return passwords.Match{}, passwords.ErrUnreadable
	}
	f.mu.Lock()
	f.checked = append(f.checked, password.Reveal())
	f.running++
	f.top = max(f.top, f.running)
	f.mu.Unlock()
	if f.delay != nil {
		time.Sleep(f.delay(encoded))
	}
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	return passwords.Match{OK: of == password.Reveal()}, nil
}

func (f *fake) runs() int { return len(f.passwords()) }

func (f *fake) passwords() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.checked)
}

// atOnce is how many run, and how many ever ran together.
func (f *fake) atOnce() (now, top int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running, f.top
}

// cheap is an imported hash that costs nothing to check.
func cheap(t testing.TB, password string) string {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, password, []byte("salt"), 1, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return "pbkdf2_sha256$1$salt$" + base64.StdEncoding.EncodeToString(key)
}

func mustNew(t testing.TB, cfg passwords.Config) *passwords.Passwords {
	t.Helper()
	p, err := passwords.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func verify(t testing.TB, p *passwords.Passwords, encoded, password string) passwords.Match {
	t.Helper()
	match, err := p.Verify(t.Context(), encoded, roster.Secret(password))
	if err != nil {
		t.Fatal(err)
	}
	return match
}

func elapsed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func fieldErrors(err error) roster.FieldErrors {
	var e *roster.Error
	if !errors.As(err, &e) {
		return nil
	}
	return e.Fields
}
