package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
)

// CheckFresh implements SessionOps.
func (m Session[U]) CheckFresh(ctx context.Context) error {
	c := m.core
	ctx, err := c.enter(ctx, "CheckFresh")
	if err != nil {
		return err
	}
	actor := roster.ActorFrom(ctx)
	if actor.Trusted() || c.now().Sub(actor.AuthTime) <= c.Settings.Session.FreshFor {
		return nil
	}
	if stepped, err := c.steppedUp(ctx, actor); stepped || err != nil {
		return err
	}
	if actor.Kind == roster.ActorAdmin {
		c.recordAside(ctx, deed{action: actionOf(ctx), result: roster.AuditRefused, code: roster.CodeReauthentication})
	}
	return roster.ErrReauthentication
}

// steppedUp reports whether the actor has proven a secret in their session since their access token was issued.
func (c *Core[U]) steppedUp(ctx context.Context, actor roster.Actor) (bool, error) {
	if actor.SID == (roster.ID{}) {
		return false, nil
	}
	x, err := c.Store.GetSession(ctx, actor.SID)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return x.UserID == actor.ID && x.EndedAt == nil && c.now().Sub(x.AuthTime) <= c.Settings.Session.FreshFor, nil
}
