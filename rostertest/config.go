package rostertest

import (
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/usersrepo"
)

// Kit is what a test has at hand beside its repo. The mailbox gets the mails and the SMS.
type Kit struct {
	DB      *sqlx.DB
	Clock   *Clock
	Mailbox *notify.Memory
}

// Config returns a configuration on a database and the kit behind it: migrated at Init, with a secret of its own, the
// clock and the mailbox of the kit, and hashes that cost nothing. Tests change what they will of it.
func Config(t testing.TB, db *sqlx.DB) (usersrepo.Config, *Kit) {
	t.Helper()
	kit := &Kit{DB: db, Clock: NewClock(), Mailbox: &notify.Memory{}}
	key := make([]byte, secrets.MinKey)
	_, _ = rand.Read(key)
	cfg := usersrepo.Config{
		DB: db, AutoMigrate: true, BaseURL: "https://app.example", Product: "Example",
		Secrets: []secrets.Secret{{ID: "test", Key: key}}, Now: kit.Clock.Now, Logger: Logger(t),
	}
	cfg.Password.Hasher = Hasher{}
	cfg.Protection.QuietTime = -1
	cfg.Notify.Mail, cfg.Notify.SMS = kit.Mailbox, kit.Mailbox
	return cfg, kit
}

// Clock is a clock that only tests move. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at a whole second of the present.
func NewClock() *Clock { return &Clock{now: time.Now().UTC().Truncate(time.Second)} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Logger returns a logger that writes into the log of a test.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, nil))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Log(string(line))
	return len(line), nil
}
