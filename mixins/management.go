package mixins

import (
	"context"
	"errors"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// Management is the component by which administrators rule over accounts.
type Management[U roster.Model] struct{ core *Core[U] }

// NewManagement returns the component on a core.
func NewManagement[U roster.Model](c *Core[U]) Management[U] { return Management[U]{c} }

// ManagementOps are the operations of Management.
type ManagementOps interface {
	// Authorize returns nil when the actor in ctx holds a permission, as the database has it now: the program itself
	// holds all. Nobody signed in is roster.ErrUnauthenticated, anybody else roster.ErrForbidden.
	Authorize(ctx context.Context, permission string) error
}

// Authorize implements ManagementOps.
func (m Management[U]) Authorize(ctx context.Context, permission string) error {
	ctx, err := m.core.enter(ctx, "Authorize")
	if err != nil {
		return err
	}
	_, err = m.core.permit(ctx, permission)
	return err
}

// permit returns the rights of the actor, read from the database in the transaction of ctx, if they hold a permission.
// A token's word is never taken for it: who lost a right lost it for the next call. The program itself has all rights.
func (c *Core[U]) permit(ctx context.Context, permission string) (store.Rights, error) {
	actor := roster.ActorFrom(ctx)
	if actor.Trusted() {
		return store.Rights{Superuser: true}, nil
	}
	if actor.ID == (roster.ID{}) {
		return store.Rights{}, roster.ErrUnauthenticated
	}
	rights, err := c.Store.GetRights(ctx, actor.ID, c.now())
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return rights, roster.ErrForbidden
	case err != nil:
		return rights, err
	case !rights.Superuser && !rights.Permissions.Covers(permission):
		return rights, roster.ErrForbidden
	}
	return rights, nil
}

// judge lets an operation on a user go on when the actor is that user or holds the permission; one that another
// operation or a hook calls was judged there.
func (c *Core[U]) judge(ctx context.Context, permission string, target roster.ID) (store.Rights, error) {
	actor := roster.ActorFrom(ctx)
	if nested(ctx) || !actor.Trusted() && actor.ID == target && target != (roster.ID{}) {
		return store.Rights{Superuser: true}, nil
	}
	return c.permit(ctx, permission)
}

// judgeOther is judge for what nobody does to themselves.
func (c *Core[U]) judgeOther(ctx context.Context, permission string, target roster.ID) (store.Rights, error) {
	actor := roster.ActorFrom(ctx)
	if !nested(ctx) && !actor.Trusted() && actor.ID == target {
		return store.Rights{}, roster.ErrForbidden
	}
	return c.judge(ctx, permission, target)
}

// guardSuperuser keeps those who are none from changing a superuser.
func guardSuperuser(rights store.Rights, target *roster.User) error {
	if target.Superuser && !rights.Superuser {
		return roster.ErrForbidden
	}
	return nil
}

// guardLastSuperuser keeps the last superuser who can still log in from being taken away. It must run in the
// transaction that does so: only one of those goes on at a time.
func (c *Core[U]) guardLastSuperuser(ctx context.Context, target *roster.User) error {
	usable := target.Superuser && !target.Banned(c.now()) && target.ArchivedAt == nil && !target.Deleted()
	if !usable {
		return nil
	}
	if err := c.Store.LockState(ctx); err != nil {
		return err
	}
	other, err := c.Store.OtherSuperuser(ctx, target.ID, c.now())
	if err != nil {
		return err
	}
	if !other {
		return roster.ErrLastSuperuser
	}
	return nil
}
