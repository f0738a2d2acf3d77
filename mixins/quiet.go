package mixins

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/roster-go/roster"
)

// errNothingToSend is why what somebody asked for is not sent, which they are not told.
var errNothingToSend = errors.New("there is nothing to send")

// asked is what somebody asks for who is not logged in.
type asked[U roster.Model] struct {
	kind  string
	typed string // whom for, in canonical form
	// within takes from a quota of what may be sent, and reports whether it was within.
	within func(ctx context.Context, key string) (bool, error)
	find   func(ctx context.Context) (U, error)
	// target is where a message to a user goes, in canonical form; nil: to what was typed.
	target func(u U) string
	// send sends it to a user whose row is locked. Before it writes anything it may say errNothingToSend.
	send func(ctx context.Context, u U) error
}

// askQuietly sends what somebody asked for who is not logged in, so that neither the answer nor the work tells whether
// there was anybody to send it to: the quotas are those of what was typed, and the database is written to either way. It
// fails for the quota of the caller's own address, and when the database or the cache fails.
func (c *Core[U]) askQuietly(ctx context.Context, a asked[U]) error {
	if err := c.spendSource(ctx, c.Settings.Protection.AskedMessages, "asked"); err != nil {
		return err
	}
	err := c.Store.Transact(ctx, func(ctx context.Context) error {
		toTarget, err := a.within(ctx, c.mailTarget(a.kind, a.typed))
		if err != nil {
			return err
		}
		id, account, target := roster.NewID(), c.counterKey("nobody", a.typed), a.typed
		u, err := a.find(ctx)
		switch {
		case err == nil:
			id, account = u.Base().ID, u.Base().ID.String()
			if a.target != nil {
				target = a.target(u)
			}
		case !errors.Is(err, roster.ErrNotFound):
			return err
		}
		toAccount, err := a.within(ctx, a.kind+":account:"+account)
		if err != nil {
			return err
		}
		within := toTarget && toAccount
		if !within { // asking for what is not sent uses up nothing of what may be, and takes as long
			target = roster.NewID().String()
		}
		ofAnyKind, err := c.takeTarget(ctx, target)
		if err != nil {
			return err
		}
		within = within && ofAnyKind
		u, err = c.lock(ctx, id)
		switch {
		case err != nil && !errors.Is(err, roster.ErrNotFound):
			return err
		case err != nil || !within || u.Base().Deleted() || c.shutOut(u.Base()):
			return c.sendNothing(ctx, id)
		}
		if err := a.send(ctx, u); !errors.Is(err, errNothingToSend) {
			return err
		}
		return c.sendNothing(ctx, id)
	})
	if err == nil || errors.Is(err, roster.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	// A veto, or a fault of a hook: to tell it would be to tell that there is an account.
	c.Logger.ErrorContext(ctx, "what was asked for was not sent", slog.String("kind", a.kind), slog.Any("error", err))
	return nil
}

// quietly returns a function that waits until an answer may go that is to tell nobody whether there is an account. Within a
// transaction of the program's it does not: the answer is not the operation's then.
func (c *Core[U]) quietly(ctx context.Context) (answer func()) {
	least := c.Settings.Protection.QuietTime
	if least <= 0 || nested(ctx) || c.Store.InTransaction(ctx) {
		return func() {}
	}
	timer := time.NewTimer(least)
	return func() {
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// within takes from a quota, and reports whether it was within.
func (c *Core[U]) within(ctx context.Context, l LaneConfig, key string) (bool, error) {
	err := c.spend(ctx, l, key)
	if errors.Is(err, roster.ErrQuotaExhausted) {
		return false, nil
	}
	return err == nil, err
}

func (c *Core[U]) withinMails(ctx context.Context, key string) (bool, error) {
	return c.within(ctx, c.Settings.Protection.Mails, key)
}

// sendNothing writes as much as sending a link does.
func (c *Core[U]) sendNothing(ctx context.Context, id roster.ID) error {
	if err := c.Store.VoidLinks(ctx, id, "nobody", c.now(), ""); err != nil {
		return err
	}
	return c.queueNothing(ctx)
}
