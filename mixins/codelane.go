package mixins

import (
	"context"
	"log/slog"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/store"
)

// What wrong codes cost those who try them without being logged in.
const (
	codeWait      = time.Second      // after the first from one address, and twice as long after each further one
	longestWait   = 15 * time.Minute // at most
	codeFailures  = 10               // from all addresses together, before the owner has to wait with them
	codeBudget    = 100              // of one account in a day: after them no code is right
	keepFailures  = 24 * time.Hour   // after the last one
	unlimited     = 1 << 40
	scratchWindow = time.Minute
)

// codeTarget is where somebody says that a code went who is not logged in. It is the same thing whether there is such a
// contact or not.
type codeTarget struct {
	key   string // of the login and the channel that were typed
	asked bool   // that a code be sent there, lately
}

// codeLanes are those that a try of a code is counted in: of one address, which so holds up nobody else, and of all
// addresses, but only while there may be a code, so that strangers cannot hold its owner up at will. Both are kept for
// contacts that are not there as well.
func (c *Core[U]) codeLanes(source string, t *codeTarget) []lane {
	var list []lane
	limit := func(key string, most int64) cache.Limit {
		return cache.Limit{Key: key, Max: most, Window: keepFailures, Backoff: codeWait, MaxBackoff: longestWait}
	}
	if source != "" {
		list = append(list, lane{codePairLane, limit(c.counterKey(codePairLane, source, t.key), 1)})
	}
	if t.asked {
		list = append(list, lane{codeLane, limit(c.counterKey(codeLane, t.key), codeFailures)})
	}
	return list
}

// askedLimit counts nothing but that a code was asked for, until the code would be late.
func (c *Core[U]) askedLimit(key string) cache.Limit {
	return cache.Limit{
		Key: c.counterKey("code-asked", key), Max: unlimited, Window: c.Settings.OneTime.CodeTTL, Backoff: time.Second, MaxBackoff: time.Second,
	}
}

func (c *Core[U]) noteAsked(ctx context.Context, key string) error {
	_, err := c.incrBelow(ctx, c.askedLimit(key))
	return err
}

// aimedAt returns the target of a code that is tried.
func (c *Core[U]) aimedAt(ctx context.Context, key string) (*codeTarget, error) {
	counts, err := c.peek(ctx, c.askedLimit(key))
	if err != nil {
		return nil, err
	}
	return &codeTarget{key: key, asked: counts[0].N > 0}, nil
}

// budget is what may be tried for an account. A known device has one of its own, which strangers cannot spend.
func (c *Core[U]) budget(ctx context.Context, id roster.ID) cache.Limit {
	key := c.counterKey("code-budget", id.String())
	if a := attemptOf[U](ctx); a != nil && a.device != nil {
		key = c.counterKey("code-budget-device", string(a.device))
	}
	return cache.Limit{Key: key, Max: codeBudget, Window: keepFailures}
}

// takeOpenTry counts a try by somebody who is not logged in: of the code, and of all codes of its owner, so that a new
// code brings no new tries. What is spent is not told: an account that is not there has no budget.
func (c *Core[U]) takeOpenTry(ctx context.Context, link store.Link) error {
	counts, err := c.incrBelow(ctx, c.budget(ctx, link.UserID))
	if err != nil {
		return err
	}
	ok, err := c.Store.TryCode(ctx, link.Hash, codeTries, c.now())
	// What runs in another's transaction is counted again when that is rolled back.
	c.Store.OnRollback(ctx, func(ctx context.Context) {
		if _, err := c.Store.TryCode(ctx, link.Hash, codeTries, c.now()); err != nil {
			c.Logger.WarnContext(ctx, "a try of a code was not counted", slog.Any("error", err))
		}
	})
	switch {
	case err != nil:
		return err
	case !ok || !counts[0].OK:
		return roster.ErrInvalidCode
	}
	return nil
}

func (c *Core[U]) giveBackOpenTry(ctx context.Context, link store.Link) {
	ctx = context.WithoutCancel(ctx)
	c.release(ctx, c.budget(ctx, link.UserID))
	if err := c.Store.UntryCode(ctx, link.Hash); err != nil {
		c.Logger.WarnContext(ctx, "a try of a code was not given back", slog.Any("error", err))
	}
}

// takeNobodysTry does the work of takeOpenTry where there is no code.
func (c *Core[U]) takeNobodysTry(ctx context.Context, id roster.ID) error {
	l := cache.Limit{Key: c.counterKey("code-scratch", id.String()), Max: codeBudget, Window: scratchWindow}
	if _, err := c.incrBelow(ctx, l); err != nil {
		return err
	}
	return c.writeNothing(ctx)
}
