package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

const maxBlackoutMessage = 500 // characters

// GetBlackout implements ManagementOps.
func (m Management[U]) GetBlackout(ctx context.Context) (roster.Blackout, error) {
	c := m.core
	ctx, err := c.enter(ctx, "GetBlackout")
	if err != nil {
		return roster.Blackout{}, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadBlackout, roster.ID{}); err != nil {
		return roster.Blackout{}, err
	}
	return c.blackout(ctx)
}

// blackout returns the blackout that is set.
func (c *Core[U]) blackout(ctx context.Context) (roster.Blackout, error) {
	x, err := c.Store.GetBlackout(ctx)
	if err == nil && x.SetAt == nil {
		err = roster.ErrNotFound
	}
	if err != nil {
		return roster.Blackout{}, err
	}
	return roster.Blackout{SetAt: *x.SetAt, By: x.By, Message: x.Message, Closed: x.Closed, Until: x.Until}, nil
}

// SetBlackout implements ManagementOps.
func (m Management[U]) SetBlackout(ctx context.Context, blackout roster.Blackout) (roster.Blackout, error) {
	c := m.core
	ctx, err := c.enter(ctx, "SetBlackout")
	if err != nil {
		return roster.Blackout{}, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		if _, err := c.judge(ctx, roster.PermissionSuperuser, roster.ID{}); err != nil {
			return err
		}
		if err := c.Store.LockState(ctx); err != nil {
			return err
		}
		run := c.hooks.Blackout.Begin()
		blackout.SetAt, blackout.By = c.now(), actorID(ctx)
		e := &callbacks.Blackout{Event: c.event(ctx), Action: callbacks.BlackoutSet, Blackout: blackout}
		if err := before(ctx, c, run, e); err != nil {
			return err
		}
		var faults roster.FieldErrors
		checkText("message", e.Blackout.Message, maxBlackoutMessage, &faults)
		e.Blackout.Until = checkUntil(e.Blackout.Until, c.now(), &faults)
		if err := faults.Err(); err != nil {
			return err
		}
		e.Blackout.SetAt, e.Blackout.By = blackout.SetAt, blackout.By
		blackout = e.Blackout
		err := c.Store.SetBlackout(ctx, store.Blackout{
			SetAt: &blackout.SetAt, By: blackout.By, Message: blackout.Message, Closed: blackout.Closed, Until: blackout.Until,
		})
		if err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
	if err != nil {
		return roster.Blackout{}, err
	}
	return blackout, nil
}

// DeleteBlackout implements ManagementOps.
func (m Management[U]) DeleteBlackout(ctx context.Context) error {
	c := m.core
	ctx, err := c.enter(ctx, "DeleteBlackout")
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		if _, err := c.judge(ctx, roster.PermissionSuperuser, roster.ID{}); err != nil {
			return err
		}
		if err := c.Store.LockState(ctx); err != nil {
			return err
		}
		blackout, err := c.blackout(ctx)
		if errors.Is(err, roster.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		run := c.hooks.Blackout.Begin()
		e := &callbacks.Blackout{Event: c.event(ctx), Action: callbacks.BlackoutDeleted, Blackout: blackout}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := c.Store.DeleteBlackout(ctx); err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
}

// closedFor returns why a blackout keeps a user out, or nil.
func (c *Core[U]) closedFor(ctx context.Context, superuser bool) error {
	if superuser {
		return nil
	}
	b, err := c.blackout(ctx)
	if errors.Is(err, roster.ErrNotFound) || err == nil && !b.ClosedNow(c.now()) {
		return nil
	}
	if err != nil {
		return err
	}
	closed := roster.ErrUnavailable.WithMessage(b.Message)
	if b.Until != nil {
		closed = closed.WithRetryAfter(b.Until.Sub(c.now()))
	}
	return closed
}
