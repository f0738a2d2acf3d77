package mixins

import (
	"context"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// Kick implements ManagementOps.
func (m Management[U]) Kick(ctx context.Context, id roster.ID) error {
	c := m.core
	ctx, err := c.enter(ctx, "Kick")
	if err != nil {
		return err
	}
	return c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockManaged(ctx, roster.PermissionKick, id)
		if err != nil {
			return err
		}
		run := c.hooks.Kick.Begin()
		e := &callbacks.Kick{Event: c.event(ctx), UserID: id}
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		if err := c.raiseEpoch(ctx, u.Base()); err != nil {
			return err
		}
		if e.Sessions, err = c.Self.RevokeSessions(withReason(ctx, roster.RevokedByKick), id); err != nil {
			return err
		}
		if err := c.dropDevices(ctx, id, roster.ID{}); err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
}

// ArchiveUser implements ManagementOps.
func (m Management[U]) ArchiveUser(ctx context.Context, id roster.ID, reason string) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "ArchiveUser")
	if err != nil {
		return result, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockOther(ctx, roster.PermissionArchive, id)
		if err != nil {
			return err
		}
		result = u
		var faults roster.FieldErrors
		checkText("reason", reason, maxBanReason, &faults)
		if err := faults.Err(); err != nil {
			return err
		}
		return c.archive(ctx, u, roster.ArchivedByAdmin, reason)
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// archive puts an account aside whose row is locked. What an administrator has put aside stays theirs.
func (c *Core[U]) archive(ctx context.Context, u U, by roster.ArchivedBy, reason string) error {
	b, now := u.Base(), c.now()
	if b.ArchivedBy != nil && (*b.ArchivedBy == by || *b.ArchivedBy == roster.ArchivedByAdmin) {
		return c.recordUnchanged(ctx, b.ID)
	}
	if err := c.guardLastSuperuser(ctx, b); err != nil {
		return err
	}
	run := c.hooks.Archive.Begin()
	e := &callbacks.Archive[U]{Event: c.event(ctx), User: u, By: by, Reason: reason}
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return err
	}
	b.ArchivedAt, b.ArchivedBy, b.UpdatedAt = &now, &by, now
	b.Epoch++
	b.Version++
	end := c.shutOff
	if by == roster.ArchivedBySelf { // who may come back, also by what was sent to them before
		end = c.signOff
	}
	if err := end(ctx, b.ID, roster.RevokedByArchive); err != nil {
		return err
	}
	err := c.writeState(ctx, b, store.Assignment{Column: "archived_at", Value: now}, store.Assignment{Column: "archived_by", Value: by})
	if err != nil {
		return err
	}
	if err := after(ctx, c, run, e); err != nil {
		return err
	}
	return c.notice(ctx, u, notify.Archived, nil)
}

// UnarchiveUser implements ManagementOps.
func (m Management[U]) UnarchiveUser(ctx context.Context, id roster.ID) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "UnarchiveUser")
	if err != nil {
		return result, err
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := c.lockManaged(ctx, roster.PermissionArchive, id)
		if err != nil {
			return err
		}
		result = u
		return c.unarchive(ctx, u, callbacks.UnarchivedByAdmin)
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// unarchive brings an account back whose row is locked.
func (c *Core[U]) unarchive(ctx context.Context, u U, by callbacks.UnarchivedBy) error {
	b := u.Base()
	if b.ArchivedAt == nil {
		return c.recordUnchanged(ctx, b.ID)
	}
	run := c.hooks.Unarchive.Begin()
	e := &callbacks.Unarchive[U]{Event: c.event(ctx), User: u, By: by, Reason: roster.ActorFrom(ctx).Reason}
	if err := before(ctx, c, run, run.Copy(e)); err != nil {
		return veto{err}
	}
	b.ArchivedAt, b.ArchivedBy, b.UpdatedAt = nil, nil, c.now()
	b.Version++
	if err := c.writeState(ctx, b, store.Assignment{Column: "archived_at"}, store.Assignment{Column: "archived_by"}); err != nil {
		return err
	}
	return after(ctx, c, run, e)
}
