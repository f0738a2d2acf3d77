package mixins

import (
	"context"
	"errors"
	"iter"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// Management is the component by which administrators rule over accounts.
type Management[U roster.Model] struct{ core *Core[U] }

// NewManagement returns the component on a core.
func NewManagement[U roster.Model](c *Core[U]) Management[U] { return Management[U]{c} }

// ManagementOps are the operations of Management. Users need the permission that each names. A user who is unknown or
// anonymised is roster.ErrNotFound; a superuser can be changed by superusers alone, else it is roster.ErrForbidden, and
// the last one who can log in is roster.ErrLastSuperuser. What changes nothing writes nothing, and no event fires.
type ManagementOps[U roster.Model] interface {
	// Authorize returns nil when the actor in ctx holds a permission, as the database has it now: the program itself
	// holds all. Nobody signed in is roster.ErrUnauthenticated, anybody else roster.ErrForbidden.
	Authorize(ctx context.Context, permission string) error

	// Ban keeps a user out, from now on and until the end of the ban: sessions, tokens, and links and codes that let
	// somebody in are over for good. Of a banned user it replaces reason, note and end. A text that is too long and an
	// end that is not in the future are roster.ErrValidationFailed. It needs users:ban, and nobody bans themselves.
	Ban(ctx context.Context, id roster.ID, ban roster.Ban) (roster.BanRecord, error)

	// Unban lifts a ban. Nothing that it ended revives. It needs users:ban.
	Unban(ctx context.Context, id roster.ID) error

	// ToggleBlacklist bans a user without a reason, or lifts their ban, and returns whether they are banned now. Two at
	// once are two flips. It needs users:ban, and nobody does it to themselves.
	ToggleBlacklist(ctx context.Context, id roster.ID) (banned bool, err error)

	// GetBlacklist returns a page of the users who are banned now, newest ban first. It needs users:read.
	GetBlacklist(ctx context.Context, query roster.BlacklistQuery) (roster.Page[roster.Banned[U]], error)

	// GetStanding returns what there is to tell of a user beside the record. It needs users:read.
	GetStanding(ctx context.Context, id roster.ID) (roster.Standing, error)

	// Kick ends all sessions and tokens of a user, who may log in again at once. It needs users:kick.
	Kick(ctx context.Context, id roster.ID) error

	// ArchiveUser puts an account aside until UnarchiveUser: no log-in brings it back. It ends what Ban ends. The reason
	// has 200 characters at most. It needs users:archive, and nobody does it to themselves.
	ArchiveUser(ctx context.Context, id roster.ID, reason string) (U, error)

	// UnarchiveUser brings an account back, whoever put it aside. It needs users:archive.
	UnarchiveUser(ctx context.Context, id roster.ID) (U, error)

	// GetBlackout returns the blackout; none is roster.ErrNotFound. It needs blackout:read.
	GetBlackout(ctx context.Context) (roster.Blackout, error)

	// SetBlackout ends all tokens of all users that were issued before, the caller's too, and records why. While it is
	// closed nobody but superusers logs in, registers or refreshes: after a right secret that is roster.ErrUnavailable,
	// with the message and the rest of the wait. SetAt and By are set by it. It needs a superuser.
	SetBlackout(ctx context.Context, blackout roster.Blackout) (roster.Blackout, error)

	// DeleteBlackout ends the blackout and lets everybody in; no token revives. Without one it is no error. It needs a
	// superuser.
	DeleteBlackout(ctx context.Context) error

	// GetPermissions returns the permissions that were given to a user, sorted. It needs users:read.
	GetPermissions(ctx context.Context, id roster.ID) (roster.Permissions, error)

	// SetPermissions replaces a user's permissions, and returns them. Nobody gives or takes what they lack: that is
	// roster.ErrForbidden, with field errors not_held. What is no permission is roster.ErrValidationFailed. When some are
	// taken away, the user's access tokens die; refreshing gives new ones. It needs users:permissions.
	SetPermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error)

	// AddPermissions is SetPermissions with some more; those that are there are no error.
	AddPermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error)

	// RemovePermissions is SetPermissions without some; those that are not there are no error.
	RemovePermissions(ctx context.Context, id roster.ID, permissions []string) (roster.Permissions, error)

	// SetSuperuser makes a user a superuser, or ends it: not one's own. The user and all other superusers are told by
	// mail. It needs a superuser.
	SetSuperuser(ctx context.Context, id roster.ID, superuser bool) (U, error)

	// ListAudit returns a page of the audit trail, newest first. It needs audit:read.
	ListAudit(ctx context.Context, query roster.AuditQuery) (roster.Page[roster.AuditEntry], error)

	// ExportAudit returns all entries that query selects, newest first, whatever its Limit and Cursor say. It reads them
	// as they are asked for, and ends with the first error. It needs audit:read.
	ExportAudit(ctx context.Context, query roster.AuditQuery) iter.Seq2[roster.AuditEntry, error]
}

// Authorize implements ManagementOps.
func (m Management[U]) Authorize(ctx context.Context, permission string) error {
	ctx, err := m.core.enter(ctx, "Authorize")
	if err != nil {
		return err
	}
	_, err = m.core.permit(ctx, permission, roster.ID{})
	return err
}

// permit returns the rights of the actor, read from the database in the transaction of ctx, if they hold a permission.
// A token's word is never taken for it: who lost a right lost it for the next call. The program itself has all rights.
// A refusal is written to the audit trail, with whom it was about.
func (c *Core[U]) permit(ctx context.Context, permission string, target roster.ID) (store.Rights, error) {
	actor := roster.ActorFrom(ctx)
	if actor.Trusted() {
		return store.Rights{Superuser: true}, nil
	}
	if actor.ID == (roster.ID{}) {
		return store.Rights{}, roster.ErrUnauthenticated
	}
	rights, live, err := c.Store.GetRights(ctx, actor.ID, actor.SID, c.now())
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return rights, c.forbidden(ctx, permission, target)
	case err != nil:
		return rights, err
	case !live:
		return rights, roster.ErrSessionRevoked
	case !c.mayDo(rights, permission):
		return rights, c.forbidden(ctx, permission, target)
	}
	return rights, nil
}

// mayDo reports whether rights are enough for what asks for one of Roster's own permissions, or of the program's.
func (c *Core[U]) mayDo(rights store.Rights, permission string) bool {
	if renamed, ok := c.Settings.Management.Permissions[permission]; ok {
		permission = renamed
	}
	return rights.Superuser || permission != roster.PermissionSuperuser && rights.Permissions.Covers(permission)
}

// judge lets an operation on a user go on when the actor is that user or holds the permission; one that another
// operation or a hook calls was judged there.
func (c *Core[U]) judge(ctx context.Context, permission string, target roster.ID) (store.Rights, error) {
	actor := roster.ActorFrom(ctx)
	if nested(ctx) || !actor.Trusted() && actor.ID == target && target != (roster.ID{}) {
		return store.Rights{Superuser: true}, nil
	}
	return c.permit(ctx, permission, target)
}

// trustedOnly refuses what the program alone may do, and the operations and hooks that it calls.
func (c *Core[U]) trustedOnly(ctx context.Context) error {
	if nested(ctx) || roster.ActorFrom(ctx).Trusted() {
		return nil
	}
	return c.forbidden(ctx, "", roster.ID{})
}

// judgeAdmin is judge for what nobody may do to themselves without the permission.
func (c *Core[U]) judgeAdmin(ctx context.Context, permission string, target roster.ID) (store.Rights, error) {
	if nested(ctx) {
		return store.Rights{Superuser: true}, nil
	}
	return c.permit(ctx, permission, target)
}

// judgeOther is judgeAdmin for what nobody does to themselves.
func (c *Core[U]) judgeOther(ctx context.Context, permission string, target roster.ID) (store.Rights, error) {
	actor := roster.ActorFrom(ctx)
	if !nested(ctx) && !actor.Trusted() && actor.ID == target {
		return store.Rights{}, c.forbidden(ctx, permission, target)
	}
	return c.judgeAdmin(ctx, permission, target)
}

// lockOther locks a user whom the actor, who is somebody else, may change.
func (c *Core[U]) lockOther(ctx context.Context, permission string, id roster.ID) (U, error) {
	var none U
	rights, err := c.judgeOther(ctx, permission, id)
	if err != nil {
		return none, err
	}
	return c.lockFor(ctx, rights, permission, id)
}

// lockManaged locks a user whom the actor may change.
func (c *Core[U]) lockManaged(ctx context.Context, permission string, id roster.ID) (U, error) {
	var none U
	rights, err := c.judgeAdmin(ctx, permission, id)
	if err != nil {
		return none, err
	}
	return c.lockFor(ctx, rights, permission, id)
}

func (c *Core[U]) lockFor(ctx context.Context, rights store.Rights, permission string, id roster.ID) (U, error) {
	var none U
	u, err := c.lock(ctx, id)
	if err != nil {
		return none, err
	}
	if u.Base().Anonymised() {
		return none, roster.ErrNotFound
	}
	return u, c.guardSuperuser(ctx, rights, permission, u.Base())
}

// guardSuperuser keeps those who are none from changing a superuser.
func (c *Core[U]) guardSuperuser(ctx context.Context, rights store.Rights, permission string, target *roster.User) error {
	if target.Superuser && !rights.Superuser {
		return c.forbidden(ctx, permission, target.ID)
	}
	return nil
}

// guardAbove keeps an administrator from getting hold of the account of somebody who may do what they may not.
func (c *Core[U]) guardAbove(ctx context.Context, rights store.Rights, permission string, target *roster.User) error {
	if err := c.guardSuperuser(ctx, rights, permission, target); err != nil || rights.Superuser {
		return err
	}
	for _, held := range target.Permissions {
		if !rights.Permissions.Covers(held) {
			return c.forbidden(ctx, permission, target.ID)
		}
	}
	return nil
}

// guardLastSuperuser keeps the last superuser who can still log in from being taken away. It must run in the
// transaction that does so: only one of those goes on at a time.
func (c *Core[U]) guardLastSuperuser(ctx context.Context, target *roster.User) error {
	if !target.Superuser || c.shut(target) != nil {
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

// shut returns why a user may have no session whatever they prove, or nil. The first of several states is told. Package
// store knows the same in SQL, for the users of whom no row is read.
func (c *Core[U]) shut(b *roster.User) error {
	switch {
	case b.Deleted():
		return errDeleted
	case b.Banned(c.now()):
		return roster.ErrBanned
	case b.ArchivedAt != nil:
		return roster.ErrArchived
	}
	return nil
}

// actorID is the person who acts; nil: the program itself.
func actorID(ctx context.Context) *roster.ID {
	if id := roster.ActorFrom(ctx).ID; id != (roster.ID{}) {
		return &id
	}
	return nil
}

// GetStanding implements ManagementOps.
func (m Management[U]) GetStanding(ctx context.Context, id roster.ID) (roster.Standing, error) {
	c := m.core
	ctx, err := c.enter(ctx, "GetStanding")
	if err != nil {
		return roster.Standing{}, err
	}
	if _, err := c.judgeAdmin(ctx, roster.PermissionReadUsers, id); err != nil {
		return roster.Standing{}, err
	}
	u, err := c.load(ctx, id)
	if err != nil {
		return roster.Standing{}, err
	}
	b := u.Base()
	x, err := c.Store.GetSituation(ctx, id, c.now())
	if err != nil {
		return roster.Standing{}, err
	}
	standing := roster.Standing{HasPassword: x.HasPassword, Epoch: b.Epoch, Sessions: x.Sessions}
	if b.Banned(c.now()) {
		record := banRecord(b, x.Ban)
		standing.Ban = &record
	}
	return standing, nil
}
