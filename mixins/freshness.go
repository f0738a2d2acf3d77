package mixins

import (
	"context"
	"errors"
	"time"

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
	if actor.Trusted() {
		return nil
	}
	until, err := c.freshUntil(ctx, actor)
	if err != nil {
		return err
	}
	if !c.now().After(until) {
		return nil
	}
	if actor.Kind == roster.ActorAdmin {
		c.recordAside(ctx, deed{action: actionOf(ctx), result: roster.AuditRefused, code: roster.CodeReauthentication})
	}
	return roster.ErrReauthentication
}

// freshUntil is how long it counts that the actor has proven a secret in their session, as the database has it: they may have
// done so since their access token was issued, and the session may have ended.
func (c *Core[U]) freshUntil(ctx context.Context, actor roster.Actor) (time.Time, error) {
	if actor.SID == (roster.ID{}) {
		return actor.AuthTime.Add(c.Settings.Session.FreshFor), nil
	}
	x, err := c.Store.GetSession(ctx, actor.SID)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return time.Time{}, roster.ErrSessionRevoked
	case err != nil:
		return time.Time{}, err
	case x.UserID != actor.ID || x.EndedAt != nil:
		return time.Time{}, roster.ErrSessionRevoked
	}
	return x.AuthTime.Add(shorter(c.Settings.Session.FreshFor, x.FreshFor)), nil
}
