package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/store"
)

// Delete implements CRUDOps.
func (m CRUD[U]) Delete(ctx context.Context, id roster.ID, mode roster.DeleteMode) error {
	c := m.core
	ctx, err := c.enter(ctx, "Delete")
	if err != nil {
		return err
	}
	switch mode {
	case roster.Deactivate, roster.Anonymise, roster.Remove:
	default:
		return roster.FieldErrors{{Field: "mode", Code: roster.Invalid}}.Err()
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		rights, err := c.judgeOther(ctx, roster.PermissionDeleteUsers, id)
		if err != nil {
			return err
		}
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		b := u.Base()
		if err := c.guardSuperuser(ctx, rights, roster.PermissionDeleteUsers, b); err != nil {
			return err
		}
		if b.Deleted() && (mode == roster.Deactivate || mode == roster.Anonymise && b.Anonymised()) {
			return nil
		}
		if err := c.guardLastSuperuser(ctx, b); err != nil {
			return err
		}
		run, via := c.hooks.Delete.Begin(), deletedVia(ctx, id)
		e := &callbacks.Delete[U]{Event: c.event(ctx), User: c.Plan.clone(u), Mode: mode, Via: via}
		if err := before(ctx, c, run, e); err != nil {
			return err
		}
		if err := c.takeAway(ctx, u, mode); err != nil {
			return err
		}
		forgetFresh[U](ctx)
		return after(ctx, c, run, &callbacks.Delete[U]{Event: e.Event, User: u, Mode: mode, Via: via})
	})
}

// takeAway ends what a user can do, and takes away what the mode says.
func (c *Core[U]) takeAway(ctx context.Context, u U, mode roster.DeleteMode) error {
	id, now, n := u.Base().ID, c.now(), c.canonical(u)
	if _, err := c.Self.RevokeSessions(withReason(ctx, roster.RevokedByDelete), id); err != nil {
		return err
	}
	if err := c.dropDevices(ctx, id, roster.ID{}); err != nil {
		return err
	}
	if err := c.Store.VoidLinks(ctx, id, "", now); err != nil {
		return err
	}
	if err := c.Store.VoidLinks(ctx, id, "", now, store.CancelChange); err != nil {
		return err
	}
	if err := c.Store.CancelMessages(ctx, id); err != nil {
		return err
	}
	if mode != roster.Deactivate {
		// The name stays held, for nobody.
		if err := c.holdUsername(ctx, nil, n.Username); err != nil {
			return err
		}
	}
	b := u.Base()
	switch mode {
	case roster.Deactivate:
		return c.Store.UpdateUser(ctx, id, []store.Assignment{
			{Column: "deleted_at", Value: now},
			{Column: "delete_mode", Value: roster.Deactivate},
			{Column: "epoch", Value: b.Epoch + 1},
			{Column: "version", Value: b.Version + 1},
			{Column: "updated_at", Value: now},
		}, store.Holds{})
	case roster.Anonymise:
		if err := c.Store.ForgetUser(ctx, id); err != nil {
			return err
		}
		return c.Store.UpdateUser(ctx, id, c.anonymous(b), store.Holds{})
	case roster.Remove:
	}
	return c.Store.RemoveUser(ctx, id)
}

// anonymous are the columns of a user of whom only the id and the times are left; the program's own are zero, which is
// NULL where it can be.
func (c *Core[U]) anonymous(b *roster.User) []store.Assignment {
	now := c.now()
	deleted := b.DeletedAt
	if deleted == nil {
		deleted = &now
	}
	blank := roster.User{
		ID: b.ID, CreatedAt: b.CreatedAt, UpdatedAt: now, DeletedAt: deleted, DeleteMode: new(roster.Anonymise),
		Version: b.Version + 1, Epoch: b.Epoch + 1, Permissions: roster.Permissions{},
	}
	values := c.Plan.New()
	*values.Base() = blank
	set := []store.Assignment{
		{Column: string(store.ByUsername)}, {Column: string(store.ByEmail)}, {Column: "search", Value: ""},
	}
	for i := range c.Plan.fields {
		if f := &c.Plan.fields[i]; !f.Keep && f.Column != "id" {
			set = append(set, store.Assignment{Column: f.Column, Value: f.value(values).Interface()})
		}
	}
	return set
}

// Restore implements CRUDOps.
func (m CRUD[U]) Restore(ctx context.Context, id roster.ID) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "Restore")
	if err != nil {
		return result, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		rights, err := c.judgeOther(ctx, roster.PermissionDeleteUsers, id)
		if err != nil {
			return err
		}
		u, err := c.lock(ctx, id)
		if err != nil {
			return err
		}
		result = u
		b := u.Base()
		if err := c.guardSuperuser(ctx, rights, roster.PermissionDeleteUsers, b); err != nil {
			return err
		}
		switch {
		case !b.Deleted():
			return c.recordUnchanged(ctx, id)
		case b.Anonymised():
			return roster.ErrConflict.WithMessage("an anonymised user cannot be restored")
		}
		run := c.hooks.Restore.Begin()
		e := &callbacks.Restore[U]{Event: c.event(ctx), User: c.Plan.clone(u)}
		if err := before(ctx, c, run, e); err != nil {
			return err
		}
		b.DeletedAt, b.DeleteMode, b.UpdatedAt = nil, nil, c.now()
		b.Version++
		err = c.Store.UpdateUser(ctx, id, []store.Assignment{
			{Column: "deleted_at"},
			{Column: "delete_mode"},
			{Column: "version", Value: b.Version},
			{Column: "updated_at", Value: b.UpdatedAt},
		}, store.Holds{})
		if err != nil {
			return err
		}
		return after(ctx, c, run, &callbacks.Restore[U]{Event: e.Event, User: u})
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// UpdateLastLogin implements CRUDOps.
func (m CRUD[U]) UpdateLastLogin(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "UpdateLastLogin")
	if err != nil {
		return err
	}
	if _, err := c.judge(ctx, roster.PermissionUpdateUsers, id); err != nil {
		return err
	}
	return c.Store.Autocommit(ctx, func(ctx context.Context) error {
		return c.Store.TouchLastLogin(ctx, id, c.now(), c.forgets(ctx))
	})
}

// forgets returns how many wrong passwords in a row a log-in does not make forgotten.
func (c *Core[U]) forgets(ctx context.Context) int {
	if a := attemptOf[U](ctx); a != nil && a.device != nil {
		return 0 // a known device neither feeds nor clears what others tried
	}
	return c.Settings.Protection.CloseAfter
}
