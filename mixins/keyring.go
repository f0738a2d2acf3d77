package mixins

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

// keyring is what this node knows of the signing keys in the database.
type keyring struct {
	gate   chan struct{} // full while somebody reads them: the later read wins
	rows   []store.Key   // as they are in use; who is in the gate has them
	readAt atomic.Int64  // when the last read began, in µs

	mu   sync.Mutex
	look *look
}

// look is a read that a token of an unknown key has caused.
type look struct {
	at   time.Time
	done chan struct{}
	err  error
}

// lookEvery bounds these: anybody can write a token of a key that there is not.
const lookEvery = 10 * time.Second

func (r *keyring) took(rows []store.Key, at time.Time) {
	r.rows = rows
	r.readAt.Store(at.UnixMicro())
}

// reloadKeys reads the signing keys, and puts them to use when they have changed. What was committed before the call is
// known after it. An error leaves those in use that were.
func (c *Core[U]) reloadKeys(ctx context.Context) error {
	if c.Keys != nil {
		return nil
	}
	select {
	case c.ring.gate <- struct{}{}:
	case <-ctx.Done():
		return roster.ErrUnavailable.WithCause(ctx.Err())
	}
	defer func() { <-c.ring.gate }()
	return c.readKeys(ctx)
}

// readKeys is for who is in the gate.
func (c *Core[U]) readKeys(ctx context.Context) error {
	now := c.now()
	rows, err := c.Store.ListKeys(ctx)
	if err != nil {
		return err
	}
	return c.useKeys(rows, now)
}

func (c *Core[U]) useKeys(rows []store.Key, at time.Time) error {
	if !slices.EqualFunc(rows, c.ring.rows, sameKey) {
		set, err := c.setOf(rows)
		if err != nil {
			return err
		}
		c.issuer.Use(set)
	}
	c.ring.took(rows, at)
	return nil
}

// sameKey compares what changes in the life of a key.
func sameKey(a, b store.Key) bool {
	return a.KID == b.KID && a.State == b.State && a.ChangedAt.Equal(b.ChangedAt)
}

// adoptKeys puts keys to use that were just committed, even if the database does not answer any more.
func (c *Core[U]) adoptKeys(ctx context.Context, rows []store.Key) {
	c.ring.gate <- struct{}{}
	defer func() { <-c.ring.gate }()
	now := c.now()
	err := c.readKeys(ctx)
	if err != nil {
		err = errors.Join(err, c.useKeys(rows, now))
	}
	if err != nil {
		c.Logger.ErrorContext(ctx, "signing keys could not be read again", slog.Any("error", err))
	}
}

// confirmKeys sees to it that what is signed now lives to its end: a key that another node has retired longer ago than
// the leeway would be gone before its tokens are.
func (c *Core[U]) confirmKeys(ctx context.Context) error {
	age := c.now().Sub(time.UnixMicro(c.ring.readAt.Load()))
	if c.Keys != nil || 0 <= age && age < c.Settings.Session.Leeway || c.view.age() < c.Settings.Session.Leeway {
		return nil // the view is told of every change
	}
	select {
	case c.ring.gate <- struct{}{}:
		defer func() { <-c.ring.gate }()
		return c.readKeys(ctx)
	default: // somebody reads them already; to wait, with a transaction open, could be to wait for each other
		return nil
	}
}

// learnKey has the keys read again where a token was refused because its key is not known here. It reports whether the token
// is worth another look.
func (c *Core[U]) learnKey(ctx context.Context, refused error) (bool, error) {
	if !errors.Is(refused, tokens.ErrUnknownKey) || c.Keys != nil || c.Store.InTransaction(ctx) {
		return false, nil
	}
	if err := c.lookForKeys(ctx); errors.Is(err, roster.ErrUnavailable) {
		return false, err
	}
	return true, nil
}

// lookForKeys reads the keys again, once in lookEvery, whoever asks for it; who does meanwhile waits for that.
func (c *Core[U]) lookForKeys(ctx context.Context) error {
	r, now := &c.ring, c.now()
	r.mu.Lock()
	if x := r.look; x != nil && now.Sub(x.at).Abs() < lookEvery {
		r.mu.Unlock()
		select {
		case <-x.done:
			return x.err
		case <-ctx.Done():
			return roster.ErrUnavailable.WithCause(ctx.Err())
		}
	}
	x := &look{at: now, done: make(chan struct{})}
	r.look = x
	r.mu.Unlock()
	defer close(x.done)
	x.err = c.reloadKeys(context.WithoutCancel(ctx)) // others wait for it
	if x.err != nil {
		c.Logger.ErrorContext(ctx, "signing keys could not be read again", slog.Any("error", x.err))
	}
	return x.err
}
