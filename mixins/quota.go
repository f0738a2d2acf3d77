package mixins

import (
	"context"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
)

// CheckTimeoutAndIncr implements ProtectionOps.
func (m Protection[U]) CheckTimeoutAndIncr(ctx context.Context, limit roster.Limit, keys ...string) (roster.Verdict, error) {
	c := m.core
	ctx, err := c.enter(ctx, "CheckTimeoutAndIncr")
	if err != nil {
		return roster.Verdict{}, err
	}
	lanes, err := c.quota(limit, keys)
	if err != nil {
		return roster.Verdict{}, err
	}
	counts, err := c.incrBelow(ctx, limitsOf(lanes)...)
	if err != nil {
		return roster.Verdict{}, err
	}
	verdict := c.verdict(quotaLane, counts[0])
	var taken []cache.Limit
	for i, count := range counts {
		if v := c.verdict(quotaLane, count); count.OK {
			taken = append(taken, lanes[i].limit)
		} else if verdict.Allowed || v.RetryAfter > verdict.RetryAfter {
			verdict = v
		}
	}
	if !verdict.Allowed && len(taken) > 0 {
		err := c.count(ctx, func(by counters) error { return by.Release(ctx, taken...) })
		if err != nil {
			return roster.Verdict{}, err
		}
	}
	return verdict, nil
}

const maxQuotaKey = 256 // bytes

func (c *Core[U]) quota(limit roster.Limit, keys []string) ([]lane, error) {
	switch {
	case len(keys) == 0 || slices.Contains(keys, ""):
		return nil, roster.ErrInvalidInput.WithMessage("a quota needs a key")
	case slices.ContainsFunc(keys, func(key string) bool { return len(key) > maxQuotaKey }):
		return nil, roster.ErrInvalidInput.WithMessage("the key of a quota is longer than 256 bytes")
	case limit.Max < 1 || limit.Window < time.Second:
		return nil, roster.ErrInvalidInput.WithMessage("a quota needs a Max of 1 and a Window of 1 s at least")
	}
	return c.quotaLanes(limit, keys), nil
}

func (c *Core[U]) quotaLanes(limit roster.Limit, keys []string) []lane {
	list := make([]lane, len(keys))
	for i, key := range keys {
		list[i] = lane{quotaLane, cache.Limit{Key: c.quotaKey(key), Max: int64(limit.Max), Window: limit.Window}}
	}
	return list
}

func (c *Core[U]) quotaKey(key string) string { return c.counterKey(quotaLane, key) }

// ownLanes are those of a quota of Roster's own, which nobody needs to judge.
func (c *Core[U]) ownLanes(l LaneConfig, keys []string) []lane {
	return c.quotaLanes(l.limit(), ownKeys(keys))
}

func ownKeys(keys []string) []string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = roster.OwnQuota + key
	}
	return list
}

func (l LaneConfig) limit() roster.Limit { return roster.Limit{Max: l.Max, Window: l.Window} }

// takeQuota takes from a quota of Roster's own.
func (c *Core[U]) takeQuota(ctx context.Context, l LaneConfig, keys ...string) (roster.Verdict, error) {
	return c.Self.CheckTimeoutAndIncr(ctx, l.limit(), ownKeys(keys)...)
}

// spend takes from a quota of the caller's own, and gives it back if the transaction of ctx is rolled back.
func (c *Core[U]) spend(ctx context.Context, l LaneConfig, keys ...string) error {
	if l.Off {
		return nil
	}
	verdict, err := c.takeQuota(ctx, l, keys...)
	if err != nil {
		return err
	}
	if !verdict.Allowed {
		if roster.ActorFrom(ctx).Kind == roster.ActorAdmin {
			return nil // what administrators send is counted as far as it goes, and not refused
		}
		return roster.ErrQuotaExhausted.WithRetryAfter(verdict.RetryAfter)
	}
	c.Store.OnRollback(ctx, func(ctx context.Context) { c.unspend(ctx, l, keys...) })
	return nil
}

// spendSource takes from a quota of the caller's address. It is not given back: to ask is what counts.
func (c *Core[U]) spendSource(ctx context.Context, l LaneConfig, kind string) error {
	source := roster.ActorFrom(ctx).Source()
	if l.Off || source == "" {
		return nil
	}
	verdict, err := c.takeQuota(ctx, l, kind+":"+source)
	if err != nil {
		return err
	}
	return verdict.Err()
}

func (c *Core[U]) unspend(ctx context.Context, l LaneConfig, keys ...string) {
	c.release(ctx, limitsOf(c.ownLanes(l, keys))...)
}

// confirmMails is the kind of mails that ask to confirm an address.
const confirmMails = "confirm_email"

// takeMail takes from the quota of mails of a kind, of the account and of the address.
func (c *Core[U]) takeMail(ctx context.Context, kind string, u U) error {
	return c.spend(ctx, c.Settings.Protection.Mails, c.mailKeys(kind, u)...)
}

// giveMailBack is for a mail that was not sent after all.
func (c *Core[U]) giveMailBack(ctx context.Context, kind string, u U) {
	if l := c.Settings.Protection.Mails; !l.Off {
		c.unspend(ctx, l, c.mailKeys(kind, u)...)
	}
}

func (c *Core[U]) mailKeys(kind string, u U) []string {
	return []string{kind + ":account:" + u.Base().ID.String(), c.mailTarget(kind, text(c.canonical(u).Email))}
}

// mailTarget is the key of an address, which itself may be longer than a key.
func (c *Core[U]) mailTarget(kind, canonical string) string {
	return kind + ":" + c.counterKey("address", canonical)
}

// peekQuota tells what taking from a quota would come to, and takes nothing.
func (c *Core[U]) peekQuota(ctx context.Context, l LaneConfig, keys ...string) (roster.Verdict, error) {
	if l.Off {
		return roster.Verdict{Allowed: true}, nil
	}
	counts, err := c.peek(ctx, limitsOf(c.ownLanes(l, keys))...)
	if err != nil {
		return roster.Verdict{}, err
	}
	verdict := c.verdict(quotaLane, counts[0])
	for _, count := range counts[1:] {
		if v := c.verdict(quotaLane, count); v.RetryAfter > verdict.RetryAfter || v.Allowed && verdict.Allowed && v.Remaining < verdict.Remaining {
			verdict = v
		}
	}
	return verdict, nil
}

// takeTarget takes from what strangers may have sent to one address or number, messages of all kinds together, and reports
// whether one more may go; target is its canonical form. Beyond it a neutral caller queues nothing and says nothing. What
// was taken is given back if the transaction of ctx is rolled back.
func (c *Core[U]) takeTarget(ctx context.Context, target string) (bool, error) {
	var lanes []lane
	for _, l := range []struct {
		name string
		LaneConfig
	}{{"target-hour", c.Settings.Protection.Target}, {"target-day", c.Settings.Protection.TargetDaily}} {
		if !l.Off {
			lanes = append(lanes, lane{l.name, cache.Limit{Key: c.counterKey(l.name, target), Max: int64(l.Max), Window: l.Window}})
		}
	}
	if len(lanes) == 0 {
		return true, nil
	}
	counts, err := c.incrBelow(ctx, limitsOf(lanes)...)
	if err != nil {
		return false, err
	}
	var taken []cache.Limit
	for i, count := range counts {
		if count.OK {
			taken = append(taken, lanes[i].limit)
		}
	}
	if len(taken) < len(lanes) {
		if len(taken) > 0 {
			c.release(ctx, taken...)
		}
		return false, nil
	}
	c.Store.OnRollback(ctx, func(ctx context.Context) { c.release(ctx, taken...) })
	return true, nil
}
