package mixins

import (
	"context"

	"github.com/roster-go/roster"
)

// fresh is the user that the running Create has just stored: what it calls for that user need not read the row again.
type fresh[U roster.Model] struct {
	user  U
	stale bool // something has changed the row since
}

type freshKey struct{}

func (c *Core[U]) withFresh(ctx context.Context, u U) context.Context {
	return context.WithValue(ctx, freshKey{}, &fresh[U]{user: c.Plan.clone(u)})
}

// freshUser returns a copy of the user whom the running Create has stored, if it is this one.
func (c *Core[U]) freshUser(ctx context.Context, id roster.ID) (U, bool) {
	f, ok := ctx.Value(freshKey{}).(*fresh[U])
	if !ok || f.stale || f.user.Base().ID != id || !c.Store.InTransaction(ctx) {
		var none U
		return none, false
	}
	return c.Plan.clone(f.user), true
}

func forgetFresh[U roster.Model](ctx context.Context) {
	if f, ok := ctx.Value(freshKey{}).(*fresh[U]); ok {
		f.stale = true
	}
}

// lock returns a user and keeps others from changing the row until the transaction ends.
func (c *Core[U]) lock(ctx context.Context, id roster.ID) (U, error) {
	u := c.Plan.New()
	if err := c.Store.LockUser(ctx, id, c.Plan.dest(u)); err != nil {
		var none U
		return none, err
	}
	c.Plan.settle(u)
	return u, nil
}

// lockJudged is lock for an operation that changes a user: the actor must be that user, or may do it to them.
func (c *Core[U]) lockJudged(ctx context.Context, permission string, id roster.ID) (U, error) {
	var none U
	rights, err := c.judge(ctx, permission, id)
	if err != nil {
		return none, err
	}
	return c.lockFor(ctx, rights, permission, id)
}
