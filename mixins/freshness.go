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
	proven, err := c.provenAt(ctx, actor)
	if err != nil {
		return err
	}
	if c.now().Sub(proven) <= c.Settings.Session.FreshFor {
		return nil
	}
	if actor.Kind == roster.ActorAdmin {
		c.recordAside(ctx, deed{action: actionOf(ctx), result: roster.AuditRefused, code: roster.CodeReauthentication})
	}
	return roster.ErrReauthentication
}

// provenAt is when the actor has last proven a secret in their session, as the database has it: they may have done so since
// their access token was issued, and the session may have ended.
func (c *Core[U]) provenAt(ctx context.Context, actor roster.Actor) (time.Time, error) {
	if actor.SID == (roster.ID{}) {
		return actor.AuthTime, nil
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
	return x.AuthTime, nil
}
