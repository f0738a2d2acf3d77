package mixins

import (
	"context"

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
	if actor.Kind == roster.ActorAdmin {
		c.recordAside(ctx, deed{action: actionOf(ctx), result: roster.AuditRefused, code: roster.CodeReauthentication})
	}
	return roster.ErrReauthentication
}
