package mixins

import (
	"context"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// GetPermissions implements ManagementOps.
func (m Management[U]) GetPermissions(ctx context.Context, id roster.ID) (roster.Permissions, error) {
	c := m.core
	ctx, err := c.enter(ctx, "GetPermissions")
	if err != nil {
		return nil, err
	}
	if _, err := c.judge(ctx, roster.PermissionReadUsers, id); err != nil {
		return nil, err
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.Base().Anonymised() {
		return nil, roster.ErrNotFound
	}
	return roster.NewPermissions(u.Base().Permissions...), nil
}

// SetPermissions implements ManagementOps.
func (m Management[U]) SetPermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error) {
	return m.changePermissions(ctx, "SetPermissions", id, permissions, func(roster.Permissions) []string { return permissions })
}

// AddPermissions implements ManagementOps.
func (m Management[U]) AddPermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error) {
	return m.changePermissions(ctx, "AddPermissions", id, permissions, func(old roster.Permissions) []string {
		return slices.Concat(old, permissions)
	})
}

// RemovePermissions implements ManagementOps.
func (m Management[U]) RemovePermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error) {
	return m.changePermissions(ctx, "RemovePermissions", id, permissions, func(old roster.Permissions) []string {
		return slices.DeleteFunc(slices.Clone(old), func(name string) bool { return slices.Contains(permissions, name) })
	})
}

// changePermissions gives a user, whose row is locked meanwhile, the permissions that change makes of theirs.
func (m Management[U]) changePermissions(
	ctx context.Context, name string, id roster.ID, given []string, change func(old roster.Permissions) []string,
) (roster.Permissions, error) {
	c := m.core
	ctx, err := c.enter(ctx, name)
	if err != nil {
		return nil, err
	}
	var result roster.Permissions
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		rights, err := c.judgeAdmin(ctx, roster.PermissionGrant, id)
		if err != nil {
			return err
		}
		u, err := c.lockFor(ctx, rights, roster.PermissionGrant, id)
		if err != nil {
			return err
		}
		var faults roster.FieldErrors
		checkPermissions("permissions", given, &faults)
		if err := faults.Err(); err != nil {
			return err
		}
		e := c.permissionsEvent(ctx, u, change(u.Base().Permissions))
		if len(e.Added)+len(e.Removed) == 0 {
			result = e.New
			return nil
		}
		if err := c.mayHandOut(ctx, rights, roster.PermissionGrant, id, slices.Concat(e.Added, e.Removed)); err != nil {
			return err
		}
		run := c.hooks.PermissionsChange.Begin()
		if err := before(ctx, c, run, e); err != nil {
			return err
		}
		e = c.permissionsEvent(ctx, u, e.New) // a hook may have changed it
		result = e.New
		faults = nil
		checkPermissions("permissions", e.New, &faults)
		c.checkKnown("permissions", e.Added, &faults)
		if err := faults.Err(); err != nil {
			return err
		}
		if len(e.Added)+len(e.Removed) == 0 {
			return nil
		}
		b := u.Base()
		b.Permissions, b.UpdatedAt = e.New, e.At
		b.Version++
		if len(e.Removed) > 0 {
			b.Epoch++
		}
		if err := c.writeState(ctx, b, store.Assignment{Column: "permissions", Value: e.New}); err != nil {
			return err
		}
		return after(ctx, c, run, e)
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// permissionsEvent tells what a list of permissions changes of a user's.
func (c *Core[U]) permissionsEvent(ctx context.Context, u U, list []string) *callbacks.PermissionsChange[U] {
	is := roster.NewPermissions(append([]string{}, list...)...)
	was := roster.NewPermissions(append([]string{}, u.Base().Permissions...)...)
	return &callbacks.PermissionsChange[U]{
		Event: c.event(ctx), User: u, Old: was, New: is, Added: without(is, was), Removed: without(was, is),
	}
}

func without(list, others roster.Permissions) roster.Permissions {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(others, name) })
}

// mayHandOut refuses an actor who would give or take what they lack, and names it.
func (c *Core[U]) mayHandOut(ctx context.Context, rights store.Rights, permission string, target roster.ID, names []string) error {
	if rights.Superuser {
		return nil
	}
	missing := slices.DeleteFunc(slices.Clone(names), rights.Permissions.Covers)
	if len(missing) == 0 {
		return nil
	}
	return c.forbidden(ctx, permission, target).WithFields(roster.FieldError{
		Field: "permissions", Code: roster.NotHeld, Params: map[string]any{"permissions": missing},
	})
}

// checkKnown refuses permissions that the program does not know, if it says which it knows.
func (c *Core[U]) checkKnown(field string, names []string, faults *roster.FieldErrors) {
	known := c.Settings.Management.KnownPermissions
	if len(known) == 0 {
		return
	}
	known = slices.Concat(known, roster.OwnPermissions(), []string{"*"})
	for _, renamed := range c.Settings.Management.Permissions {
		known = append(known, renamed)
	}
	for _, name := range names {
		covers := func(k string) bool { return k == name || roster.Permissions{name}.Covers(k) }
		if !slices.ContainsFunc(known, covers) {
			faults.Add(field, roster.UnknownPermission)
		}
	}
}

// SetSuperuser implements ManagementOps.
func (m Management[U]) SetSuperuser(ctx context.Context, id roster.ID, superuser bool) (U, error) {
	var result U
	c := m.core
	ctx, err := c.enter(ctx, "SetSuperuser")
	if err != nil {
		return result, err
	}
	judge := c.lockManaged
	if !superuser {
		judge = c.lockOther
	}
	err = c.Store.Transact(ctx, func(ctx context.Context) error {
		u, err := judge(ctx, roster.PermissionSuperuser, id)
		if err != nil {
			return err
		}
		result = u
		b := u.Base()
		if b.Superuser == superuser {
			return nil
		}
		if err := c.guardLastSuperuser(ctx, b); err != nil {
			return err
		}
		run := c.hooks.PermissionsChange.Begin()
		e := c.permissionsEvent(ctx, u, b.Permissions)
		e.Superuser = &superuser
		if err := before(ctx, c, run, run.Copy(e)); err != nil {
			return err
		}
		b.Superuser, b.UpdatedAt = superuser, e.At
		b.Version++
		if !superuser {
			b.Epoch++
		}
		if err := c.writeState(ctx, b, store.Assignment{Column: "superuser", Value: superuser}); err != nil {
			return err
		}
		if err := after(ctx, c, run, e); err != nil {
			return err
		}
		return c.tellSuperusers(ctx, u)
	})
	if err != nil {
		var none U
		return none, err
	}
	return result, nil
}

// tellSuperusers mails the user who became a superuser, or ceased to be one, and all other superusers.
func (c *Core[U]) tellSuperusers(ctx context.Context, u U) error {
	others, err := c.Store.ListSuperusers(ctx, c.now())
	if err != nil {
		return err
	}
	b := u.Base()
	purpose := map[bool]string{true: notify.Granted, false: notify.Revoked}[b.Superuser]
	if err := c.notice(ctx, u, notify.SuperuserChanged, map[string]any{"Purpose": purpose}); err != nil {
		return err
	}
	vars := map[string]any{"Purpose": purpose, "New": b.DisplayName()}
	for _, id := range others {
		if id == b.ID {
			continue
		}
		other, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		if err := c.notice(ctx, other, notify.SuperuserChanged, vars); err != nil {
			return err
		}
	}
	return nil
}
