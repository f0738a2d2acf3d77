package mixins

import (
	"context"
	"errors"
	"log/slog"

	"github.com/roster-go/roster"
)

// errNothingToSend is why what somebody asked for is not sent, which they are not told.
var errNothingToSend = errors.New("there is nothing to send")

// askQuietly sends what somebody asked for who is not logged in, so that neither the answer nor the work tells whether
// there was anybody to send it to: the quotas are those of what was typed, and the database is written to either way. It
// fails for the quota of the caller's own address, and when the database or the cache fails. Before send writes anything it
// may say errNothingToSend.
func (c *Core[U]) askQuietly(
	ctx context.Context, kind, canonical string, find func(context.Context) (U, error), send func(context.Context, U) error,
) error {
	if err := c.spendSource(ctx, c.Settings.Protection.AskedMessages, "asked"); err != nil {
		return err
	}
	err := c.Store.Transact(ctx, func(ctx context.Context) error {
		toTarget, err := c.withinMails(ctx, c.mailTarget(kind, canonical))
		if err != nil {
			return err
		}
		id, account := roster.NewID(), c.counterKey("nobody", canonical)
		u, err := find(ctx)
		switch {
		case err == nil:
			id, account = u.Base().ID, u.Base().ID.String()
		case !errors.Is(err, roster.ErrNotFound):
			return err
		}
		toAccount, err := c.withinMails(ctx, kind+":account:"+account)
		if err != nil {
			return err
		}
		within, target := toTarget && toAccount, canonical
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
		if err := send(ctx, u); !errors.Is(err, errNothingToSend) {
			return err
		}
		return c.sendNothing(ctx, id)
	})
	if err == nil || errors.Is(err, roster.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	// A veto, or a fault of a hook: to tell it would be to tell that there is an account.
	c.Logger.ErrorContext(ctx, "what was asked for was not sent", slog.String("kind", kind), slog.Any("error", err))
	return nil
}

// withinMails takes from the quota of mails, and reports whether it was within.
func (c *Core[U]) withinMails(ctx context.Context, key string) (bool, error) {
	err := c.spend(ctx, c.Settings.Protection.Mails, key)
	if errors.Is(err, roster.ErrQuotaExhausted) {
		return false, nil
	}
	return err == nil, err
}

// sendNothing writes as much as sending a link does.
func (c *Core[U]) sendNothing(ctx context.Context, id roster.ID) error {
	if err := c.Store.VoidLinks(ctx, id, "nobody", c.now(), ""); err != nil {
		return err
	}
	return c.queueNothing(ctx)
}
