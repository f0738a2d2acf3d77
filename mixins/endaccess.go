package mixins

import (
	"context"

	"github.com/roster-go/roster"
)

// signOff ends a user's sessions and forgets their devices: they have to log in. The row must be locked; the caller raises
// the epoch.
func (c *Core[U]) signOff(ctx context.Context, id roster.ID, reason roster.RevokeReason) error {
	if _, err := c.Self.RevokeSessions(withReason(ctx, reason), id); err != nil {
		return err
	}
	return c.dropDevices(ctx, id, roster.ID{})
}

// shutOff ends all that lets a user in: sessions, links, codes, changes of contacts that wait, and known devices. Links
// that merely prove an address stay good. The row must be locked; the caller raises the epoch.
func (c *Core[U]) shutOff(ctx context.Context, id roster.ID, reason roster.RevokeReason) error {
	if err := c.signOff(ctx, id, reason); err != nil {
		return err
	}
	if err := c.voidPending(ctx, id); err != nil {
		return err
	}
	return c.Store.VoidLinks(ctx, id, "", c.now(), codesFor(roster.CodeVerify)...)
}
